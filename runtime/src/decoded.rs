//! Experts, decoded for the interpreter.
//!
//! When an expert is first visited, it is decoded into the reads, table reads and units that its equations
//! use, and the terms of the equations. Equations that only carry a value on (`s′ = s`) vanish.

use crate::network::{ExpertId, FieldKind, Network, Ports, SourceKind};
use crate::trace::RegionHint;

/// The layout of the interpreter's registers: `z` without `e`; then `[1, r, w, u]`, which is `y` together
/// with the carried values at the beginning of `z`; then results that wait, because other equations have yet
/// to read the carried values that these results replace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RegisterMap {
    ports: Ports,
    /// Register of the constant 1, after `z`.
    pub(crate) one: usize,
    /// Register of the first result that waits.
    pub(crate) waiting: usize,
    /// Number of registers.
    pub(crate) end: usize,
}

impl RegisterMap {
    /// Returns the layout for a network's ports.
    pub(crate) fn new(ports: Ports) -> Self {
        let one = ports.fields();
        let waiting = one + usize::from(ports.ys(0));
        RegisterMap { ports, one, waiting, end: waiting + usize::from(ports.carried) }
    }

    /// Returns the register of an element of `y`.
    fn source(&self, source: u16) -> usize {
        match self.ports.source_kind(source) {
            (SourceKind::S, i) => self.ports.s(i).into(),
            _ => self.one + usize::from(source),
        }
    }
}

/// An expert, decoded. All indices are registers.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Reads that the equations use.
    pub(crate) reads: Box<[DecodedRead]>,
    /// Table reads that the equations use: query and result.
    pub(crate) lookups: Box<[(u32, u32)]>,
    /// Units that the equations use: gate, value and result.
    pub(crate) units: Box<[(u32, u32, u32)]>,
    /// All equations except that for `e`.
    pub(crate) equations: Box<[DecodedEquation]>,
    /// Terms of `equations`, in their order, then the terms of the equation for `e`.
    pub(crate) terms: Box<[Term]>,
    /// Carried fields whose new values wait, in the order of the registers in which they wait.
    pub(crate) waiting: Box<[u32]>,
    /// Carried fields that become 0, in runs: first and end.
    pub(crate) zeros: Box<[(u32, u32)]>,
    /// Constant of the equation for `e`.
    pub(crate) next: f64,
    /// Whether only carried fields have equations.
    pub(crate) only_carried: bool,
    /// For each row port, the region of its last access.
    pub(crate) row_hints: Box<[RegionHint]>,
    /// Experts that the interpreter went to from this one.
    pub(crate) targets: Targets,
}

/// A read of the trace.
#[derive(Debug)]
pub(crate) struct DecodedRead {
    /// Region of its last access.
    pub(crate) hint: RegionHint,
    /// Register of the query.
    pub(crate) query: u32,
    /// Register of the result.
    pub(crate) result: u32,
}

/// An equation of an expert.
#[derive(Debug)]
pub(crate) struct DecodedEquation {
    /// Weight of the constant 1.
    pub(crate) constant: f64,
    /// Register of the result.
    pub(crate) target: u32,
    /// End of its terms in [`Decoded::terms`].
    pub(crate) end: u32,
    /// Whether it makes a gate.
    pub(crate) gate: bool,
}

/// A term of an equation.
#[derive(Debug)]
pub(crate) struct Term {
    weight: f64,
    source: u32,
}

/// A small set of experts, in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    len: u8,
    experts: [ExpertId; Targets::MAX],
}

impl Targets {
    /// Maximum number of experts that are remembered.
    const MAX: usize = 6;

    /// Adds an expert, if there is room.
    pub(crate) fn insert(&mut self, expert: ExpertId) {
        let len = usize::from(self.len);
        if len < Self::MAX && !self.experts[..len].contains(&expert) {
            self.experts[len] = expert;
            self.len += 1;
        }
    }

    /// Returns the experts.
    #[cfg(feature = "jit")]
    pub(crate) fn as_slice(&self) -> &[ExpertId] {
        &self.experts[..self.len.into()]
    }
}

impl Decoded {
    /// Decodes an expert.
    pub(crate) fn new(network: &Network, map: &RegisterMap, e: ExpertId) -> Self {
        let ports = &network.ports;
        let mut decoded = Decoded { only_carried: true, ..Decoded::default() };
        let mut equations = Vec::new();
        let mut terms = Vec::new();
        let mut last_terms = Vec::new();
        let mut waiting = Vec::new();
        let mut kept = vec![false; ports.carried.into()];
        let mut used = vec![false; ports.sources()];
        for equation in network.experts.equations(e) {
            let (kind, index) = ports.kind(equation.field);
            if kind == FieldKind::S {
                kept[usize::from(index)] = true;
                if equation.sources == [ports.ys(index)] && equation.weights == [1.0] {
                    continue;
                }
            }
            let mut constant = 0.0;
            let to = if kind == FieldKind::E { &mut last_terms } else { &mut terms };
            for (&source, &weight) in equation.sources.iter().zip(equation.weights) {
                if source == Ports::ONE {
                    constant = weight;
                } else {
                    used[usize::from(source)] = true;
                    to.push(Term { weight, source: map.source(source) as u32 });
                }
            }
            let target = match kind {
                FieldKind::E => {
                    decoded.next = constant;
                    continue;
                }
                FieldKind::S => {
                    waiting.push(equation.field.into());
                    map.waiting + waiting.len() - 1
                }
                _ => {
                    decoded.only_carried = false;
                    equation.field.into()
                }
            };
            let (target, end) = (target as u32, terms.len() as u32);
            equations.push(DecodedEquation { constant, target, end, gate: kind == FieldKind::N });
        }
        terms.extend(last_terms);
        let used = |source: u16| used[usize::from(source)].then_some(map.source(source) as u32);
        let read = |port| {
            let result = used(ports.yr(port))?;
            Some(DecodedRead { hint: None, query: ports.q(port).into(), result })
        };
        let lookup = |i| Some((ports.t(i).into(), used(ports.yw(i))?));
        let unit = |i| Some((ports.n(i).into(), ports.v(i).into(), used(ports.yu(i))?));
        Decoded {
            reads: (0..ports.reads).filter_map(read).collect(),
            lookups: (0..ports.lookups).filter_map(lookup).collect(),
            units: (0..ports.units).filter_map(unit).collect(),
            equations: equations.into(),
            terms: terms.into(),
            waiting: waiting.into(),
            zeros: runs(kept.iter().map(|kept| !kept)),
            row_hints: vec![None; ports.rows.into()].into(),
            ..decoded
        }
    }
}

/// Returns the maximal runs of indices at which `holds` is true: first index and end of each.
fn runs(holds: impl Iterator<Item = bool>) -> Box<[(u32, u32)]> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for (i, _) in (0..).zip(holds).filter(|(_, holds)| *holds) {
        match runs.last_mut() {
            Some((_, end)) if *end == i => *end = i + 1,
            _ => runs.push((i, i + 1)),
        }
    }
    runs.into()
}

/// Returns ⌊relu(g)⌋. It does not use `floor`, which is a library call unless the code is compiled for recent
/// machines only.
pub(crate) fn gate(g: f64) -> f64 {
    /// From here on, all numbers are integers.
    const INTEGERS: f64 = (1u64 << 52) as f64;
    let positive = g.max(0.0);
    if positive < INTEGERS { positive as i64 as f64 } else { positive }
}

/// Adds up the terms of an equation.
pub(crate) fn sum(constant: f64, terms: &[Term], registers: &[f64]) -> f64 {
    terms.iter().fold(constant, |sum, term| sum + term.weight * registers[term.source as usize])
}

#[cfg(test)]
mod tests;
