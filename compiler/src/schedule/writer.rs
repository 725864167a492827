//! Makes the fragment of a function.

use super::Retry;
use super::assembly::{Assembly, JUMP_TABLES};
use super::coordinates::{PortField, PortSource};
use super::fragment::{ExpertRef, Fragment, GhostTerms, NextOut, Terms};
use crate::circuits::Exact;
use crate::ir::Module;
use smallvec::SmallVec;
use wasm2onnx_runtime::{Domain, IdSetId, Interval, PacketDebug, TrapCode};

/// Makes a fragment, expert by expert.
pub struct Writer<'a> {
    /// What was made so far.
    pub fragment: Fragment,
    module: &'a Module,
    /// What the fragment is appended to later.
    assembly: &'a mut Assembly,
    /// Index of the function.
    function: u32,
    /// Key of the next jump table's first entry.
    jump_key: u32,
    declared: Vec<(PortField, Domain)>,
    pending_values: SmallVec<[(PortField, u32); 2]>,
}

impl<'a> Writer<'a> {
    /// Returns a writer for the function with an index, which comes after what is in the assembly.
    pub fn new(module: &'a Module, assembly: &'a mut Assembly, function: u32) -> Writer<'a> {
        let jump_key = assembly.jump_key;
        Writer {
            fragment: Fragment::default(),
            module,
            assembly,
            function,
            jump_key,
            declared: Vec::new(),
            pending_values: SmallVec::new(),
        }
    }

    /// Returns the number of a packet of the function when packets are counted over all functions.
    pub fn packet(&self, index: u32) -> u32 {
        self.assembly.packets() + index
    }

    /// Begins the next packet of the function.
    pub fn begin_packet(&mut self, offset: u32) {
        let expert = self.fragment.next.len() as u32;
        let function = self.function_at(offset);
        self.fragment.packets.push(PacketDebug { expert, function, offset });
    }

    /// Returns the terminal expert of a trap at an offset of the module.
    pub fn terminal(&mut self, code: TrapCode, offset: u32) -> ExpertRef {
        let function = self.function_at(offset);
        self.assembly.terminals.trap(code, function, offset)
    }

    /// Returns the index of the wasm function of an instruction. An inlined one is in the function that its offset is in;
    /// instructions of library routines are in no function, and count as part of the one that is being written.
    fn function_at(&self, offset: u32) -> u32 {
        self.module.function_at(offset).unwrap_or(self.function)
    }

    /// Adds a jump table. Returns the set of its targets and the key of its first entry.
    pub fn jump_table(&mut self, entries: Vec<ExpertRef>) -> (IdSetId, u32) {
        let key = self.jump_key;
        self.jump_key += entries.len() as u32;
        let number = self.assembly.all.jump_tables.len() + self.fragment.jump_tables.len();
        self.fragment.jump_tables.push(entries);
        (JUMP_TABLES + number as IdSetId, key)
    }

    /// Declares a field of the expert being made.
    pub fn declare(&mut self, field: PortField, domain: Domain) {
        field.count_in(&mut self.fragment.ports);
        self.declared.push((field, domain));
    }

    /// Declares a ghost of the expert being made.
    pub fn declare_ghost(&mut self, terms: GhostTerms, range: Interval) {
        self.fragment.certificate.push_ghost(terms.into_iter().map(|(field, c)| (field.code(), c)), range);
    }

    /// Makes the value of a row the id of a packet of the function.
    pub fn packet_value(&mut self, field: PortField, index: u32, equations: &mut Vec<(PortField, Terms)>) {
        // The weight stands in for the id, which is not 0.
        equations.push((field, Terms::from_slice(&[(PortSource::ONE, Exact::ONE)])));
        self.pending_values.push((field, self.packet(index)));
    }

    /// Ends an expert. The numbers in its equations become weights here, those of the next id in `link`.
    pub fn end_expert(&mut self, mut equations: Vec<(PortField, Terms)>, next: NextOut) -> Result<(), Retry> {
        equations.sort_unstable_by_key(|equation| equation.0);
        let Fragment { experts, next: nexts, ports, packet_values, packets, certificate, .. } =
            &mut self.fragment;
        for (field, terms) in equations {
            if terms.is_empty() {
                continue;
            }
            field.count_in(ports);
            if let Some(value) = self.pending_values.iter().find(|value| value.0 == field) {
                packet_values.push((experts.weights.len(), value.1));
            }
            for (source, weight) in terms {
                let offset = || packets.last().map_or(0, |packet| packet.offset);
                let weight = weight.to_f64().ok_or_else(|| Retry::Inexact(offset()))?;
                experts.push_term(source.code(), weight);
            }
            experts.end_equation(field.code());
        }
        self.pending_values.clear();
        (0..next.most_terms()).for_each(|_| experts.push_term(PortSource::ONE.code(), 0.0));
        experts.end_equation(PortField::EXPERT.code());
        experts.end_expert();
        nexts.push(next);
        self.declared.sort_unstable_by_key(|declared| declared.0);
        certificate.fields.extend(self.declared.drain(..).map(|(field, domain)| (field.code(), domain)));
        certificate.end_expert();
        Ok(())
    }
}
