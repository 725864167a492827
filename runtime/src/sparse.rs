//! The sparse executor. It evaluates only the non-zeros, leaves carried values where they are, and keeps a
//! direct-mapped trace.
//!
//! It starts as an interpreter of decoded experts. With the feature `jit`, packets that turn out to
//! be hot are translated to machine code; the interpreter, which has no unsafe code, runs everything else.

use std::ops::Range;

use crate::declared::assert_declared;
use crate::decoded::{Decoded, RegisterMap, gate, sum};
use crate::error::Error;
use crate::jit::Jit;
use crate::limits::MAX_CHAIN;
use crate::network::{ExpertId, Field, Network};
use crate::stepper::{Slice, Stepper};
use crate::tokens::{TokenEnds, expert_of};
use crate::trace::TraceSize;
use crate::trace::{Trace, key_of};
use crate::validate::validate;
use crate::waits::Waits;

/// Executes a network by its non-zeros, with a direct-mapped trace.
#[derive(Debug)]
pub struct Sparse<'n> {
    network: &'n Network,
    map: RegisterMap,
    /// The experts that were visited, decoded.
    decoded: Vec<Option<Box<Decoded>>>,
    trace: Trace,
    expert: ExpertId,
    /// All numbers of a step, laid out by [`RegisterMap`].
    registers: Box<[f64]>,
    assert_declared: bool,
    waits: Option<Waits>,
    jit: Option<Jit>,
    /// Number of steps that machine code has evaluated.
    compiled_steps: u64,
}

/// How the sparse executor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseOptions {
    /// Whether each step asserts what the certificate declares. Machine code does not, so nothing
    /// is compiled then.
    pub assert_declared: bool,
    /// Number of visits after which a packet is compiled to machine code; never if `None`, or without the
    /// feature `jit`. With 0 it is compiled before its first step, together with all packets that its weights
    /// can lead to. This tests the generator; it does not give the fastest code, as it is not known then
    /// which regions the accesses of the code will meet.
    pub compile_after: Option<u32>,
}

impl Default for SparseOptions {
    fn default() -> Self {
        SparseOptions { assert_declared: cfg!(debug_assertions), compile_after: Some(1000) }
    }
}

impl<'n> Sparse<'n> {
    /// Creates an executor with an empty trace.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]; [`Error::OutOfMemory`] if there is no address space for its trace.
    pub fn new(network: &'n Network, options: SparseOptions) -> Result<Self, Error> {
        validate(network)?;
        let map = RegisterMap::new(network.ports);
        let mut registers = vec![0.0; map.end];
        registers[map.one] = 1.0;
        Ok(Sparse {
            network,
            map,
            decoded: std::iter::repeat_with(|| None).take(network.experts.len()).collect(),
            trace: Trace::new(&network.regions)?,
            expert: 0,
            registers: registers.into(),
            assert_declared: options.assert_declared,
            waits: None,
            compiled_steps: 0,
            jit: options
                .compile_after
                .filter(|_| !options.assert_declared)
                .and_then(|after| Jit::new(network, after)),
        })
    }

    /// Returns the number of steps that machine code has evaluated.
    pub fn compiled_steps(&self) -> u64 {
        self.compiled_steps
    }

    /// Appends the rows of `z` without decoding its expert: for terminal experts.
    fn append_last_rows(&mut self) {
        let ports = &self.network.ports;
        for i in 0..ports.rows {
            if let Some(key) = key_of(self.registers[usize::from(ports.k(i))]) {
                self.trace.append(key, self.registers[usize::from(ports.x(i))]);
            }
        }
    }

    /// Lets machine code run for at most `budget` steps, from here. Returns `None` if there is no machine
    /// code for the expert, or it does not accept `z` as it is.
    fn run_compiled(&mut self, budget: u64) -> Option<Slice> {
        let jit = self.jit.as_mut()?;
        jit.run(&mut self.expert, &mut self.registers[..self.map.one], &mut self.trace, budget)
    }

    /// Counts a visit of a packet, and compiles the packet if it is hot. Returns whether it was hot.
    fn visit(&mut self, ends: &TokenEnds) -> bool {
        let Some(jit) = &mut self.jit else { return false };
        let is_hot = jit.visit(self.expert);
        if is_hot {
            let z = &self.registers[..self.map.one];
            let waits = self.waits.as_ref();
            jit.compile(self.network, ends, &self.decoded, &self.trace, self.expert, z, waits);
        }
        is_hot
    }
}

impl Stepper for Sparse<'_> {
    fn enter(&mut self, expert: ExpertId, fields: &[(Field, f64)]) {
        assert!((expert as usize) < self.network.experts.len(), "expert {expert} does not exist");
        self.expert = expert;
        self.registers[..self.map.one].fill(0.0);
        for (field, value) in fields {
            self.registers[..self.map.one][usize::from(*field)] = *value;
            self.check_integer(*value);
        }
        if let Some(jit) = &mut self.jit {
            jit.interpreted(fields.iter().all(|(field, _)| *field < self.network.ports.carried));
        }
    }

    fn step(&mut self) -> bool {
        if self.assert_declared {
            assert_declared(self.network, self.expert, &self.registers[..self.map.one]);
        }
        if self.network.is_terminal(self.expert) {
            self.append_last_rows();
            return false;
        }
        let Sparse { network, map, trace, registers, .. } = self;
        let (ports, registers) = (&network.ports, &mut **registers);
        let decoded = &mut **self.decoded[self.expert as usize]
            .get_or_insert_with(|| Box::new(Decoded::new(network, map, self.expert)));

        let (keys, values) = (usize::from(ports.k(0)), usize::from(ports.x(0)));
        for (i, hint) in decoded.row_hints.iter_mut().enumerate() {
            let key = registers[keys + i];
            if key != 0.0
                && let Some(key) = key_of(key)
            {
                trace.append_hinted(key, registers[values + i], hint);
            }
        }
        for read in &mut decoded.reads {
            let key = key_of(registers[read.query as usize]);
            registers[read.result as usize] = key.map_or(0.0, |key| trace.read_hinted(key, &mut read.hint));
        }
        for &(query, result) in &decoded.lookups {
            let entry = key_of(registers[query as usize])
                .and_then(|key| network.lookup.get(usize::try_from(key).ok()?));
            registers[result as usize] = entry.copied().unwrap_or(0.0);
        }
        for &(gate, value, result) in &decoded.units {
            registers[result as usize] = registers[gate as usize] * registers[value as usize];
        }

        // No equation reads a gate, value, query or key, so these are cleared to receive results.
        registers[ports.n(0).into()..map.one].fill(0.0);
        let mut first = 0;
        for equation in &decoded.equations {
            let terms = &decoded.terms[first..equation.end as usize];
            first = equation.end as usize;
            let sum = sum(equation.constant, terms, registers);
            registers[equation.target as usize] = if equation.gate { gate(sum) } else { sum };
        }
        let next = sum(decoded.next, &decoded.terms[first..], registers);
        for (i, field) in decoded.waiting.iter().enumerate() {
            registers[*field as usize] = registers[map.waiting + i];
        }
        for &(first, end) in &decoded.zeros {
            registers[first as usize..end as usize].fill(0.0);
        }
        self.expert = expert_of(next, network.experts.len());
        if let Some(jit) = &mut self.jit {
            if first < decoded.terms.len() {
                decoded.targets.insert(self.expert);
            }
            jit.interpreted(decoded.only_carried);
        }
        true
    }

    fn z(&self) -> (ExpertId, &[f64]) {
        (self.expert, &self.registers[..self.map.one])
    }

    fn append(&mut self, key: u64, value: f64) {
        self.check_integer(value);
        self.trace.append(key, value);
    }

    fn append_rows(&mut self) {
        self.append_last_rows();
        let ports = &self.network.ports;
        self.registers[ports.k(0).into()..ports.x(0).into()].fill(0.0);
    }

    fn wait_at(&mut self, waits: Option<Waits>) {
        self.waits = waits;
    }

    fn is_waiting(&self) -> bool {
        let has_to = |waits: &Waits| waits.has_to_wait(&self.network.ports, self.z(), |key| self.read(key));
        self.waits.as_ref().is_some_and(has_to)
    }

    fn read(&self, key: u64) -> f64 {
        self.trace.read(key)
    }

    fn forget(&mut self, keys: Range<u64>) {
        self.trace.forget(keys);
    }

    fn for_each_row(&self, f: &mut dyn FnMut(u64, f64)) {
        self.trace.for_each(f);
    }

    fn size(&self) -> TraceSize {
        self.trace.size()
    }

    fn run(&mut self, budget: u64, ends: &TokenEnds) -> Slice {
        let mut slice = Slice::default();
        let mut at_packet = true;
        while !ends.is_terminal(self.expert) {
            if slice.steps == budget || slice.steps > 0 && self.is_waiting() {
                return slice;
            }
            if at_packet {
                let left = budget - slice.steps;
                let mut compiled = self.run_compiled(left);
                // A slice that is too short for native code does not count as a visit.
                if compiled.is_none() && left >= MAX_CHAIN as u64 && self.visit(ends) {
                    compiled = self.run_compiled(left);
                }
                if let Some(compiled) = compiled {
                    slice.steps += compiled.steps;
                    self.compiled_steps += compiled.steps;
                    slice.tokens += compiled.tokens;
                    continue;
                }
            }
            at_packet = ends.ends_token(self.expert);
            self.step();
            slice.steps += 1;
            slice.tokens += u64::from(at_packet);
        }
        self.step();
        slice.ended = true;
        slice
    }
}

impl Sparse<'_> {
    /// Turns machine code off if a value from the host is not an integer. Machine code relies on integers,
    /// and the networks that it is generated for compute nothing else.
    fn check_integer(&mut self, value: f64) {
        if value.fract() != 0.0 {
            self.jit = None;
        }
    }
}
