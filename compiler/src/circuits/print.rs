//! Circuits as text.

use super::exact::Exact;
use super::linear::{Linear, Range};
use super::packet::{Dest, Next, PacketCircuit};
use super::{AtomKind, Circuit, EntrySource, GhostTerm, RowValue};
use crate::print::{Hex, List, snake};
use std::fmt::{self, Display, Formatter};
use wasm2onnx_runtime::{Interval, Weight, linear};

impl Display for Exact {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self.to_f64() {
            Some(x) => write!(f, "{}", Weight(x)),
            None => f.write_str("inexact"),
        }
    }
}

impl Display for Range {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self.is_id {
            true => f.write_str("ids"),
            false => Interval::new(self.lo, self.hi).fmt(f),
        }
    }
}

impl Display for Linear {
    /// Writes the linear form, for example as `2^-32·a3 - a1 + 7`.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let terms = self.terms.iter().map(|(atom, c)| (*c, Some(format!("a{atom}"))));
        let constant = (self.constant != Exact::ZERO).then_some((self.constant, None));
        f.write_str(&linear(terms.chain(constant)))
    }
}

impl Display for EntrySource {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            EntrySource::FramePointer => f.write_str("the frame pointer"),
            EntrySource::Param(i) => write!(f, "parameter {i}"),
            EntrySource::Live(value) => value.fmt(f),
            EntrySource::Fixed => f.write_str("an argument, a result or a check"),
        }
    }
}

impl Display for GhostTerm {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            GhostTerm::Gate(atom) => write!(f, "gate(a{atom})"),
            GhostTerm::Value(atom) => write!(f, "value(a{atom})"),
            GhostTerm::Linear(form) => write!(f, "({form})"),
        }
    }
}

impl Display for Circuit {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for (i, atom) in self.atoms.iter().enumerate() {
            write!(f, "    a{i} = ")?;
            match &atom.kind {
                AtomKind::Entry { field, source } => write!(f, "s{field}, {source}")?,
                AtomKind::Read { query, port } => write!(f, "read {port} of {query}")?,
                AtomKind::Lookup { query, port } => write!(f, "lookup {port} of {query}")?,
                AtomKind::Unit { gate, value, port } => write!(f, "unit {port}, ⌊relu({gate})⌋ · ({value})")?,
                AtomKind::Linear(form) => form.fmt(f)?,
                AtomKind::Pinned(form) => write!(f, "carried {form}")?,
            }
            writeln!(f, "  ; from y{} on, {}", atom.avail, atom.range)?;
        }
        for row in &self.rows {
            match &row.value {
                RowValue::Linear(value) => {
                    writeln!(f, "    row by map {}: key {}, value {value}", row.at, row.key)?
                }
                RowValue::Packet(packet) => {
                    writeln!(f, "    row by map {}: key {}, value packet {packet}", row.at, row.key)?;
                }
            }
        }
        for ghost in &self.ghosts {
            let terms = linear(ghost.terms.iter().map(|(term, c)| (*c, Some(term))));
            let until = match ghost.until {
                until if until == ghost.at => String::new(),
                i32::MAX => " and later".to_owned(),
                until => format!(" to z{until}"),
            };
            writeln!(f, "    in z{}{until}: {terms} in {}", ghost.at, ghost.range)?;
        }
        Ok(())
    }
}

/// A destination of a packet, as text.
struct To<'a>(&'a PacketCircuit, Dest);

impl Display for To<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let To(packet, dest) = self;
        match dest {
            Dest::Jump(jump) => write!(f, "packet {}", packet.jumps[*jump as usize].packet),
            Dest::Function(func) => write!(f, "{func}"),
            Dest::Trap(trap, offset) => write!(f, "trap {} at {}", snake(&format!("{trap:?}")), Hex(*offset)),
            Dest::Resolver => f.write_str("resolver"),
        }
    }
}

impl Display for PacketCircuit {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        self.circuit.fmt(f)?;
        writeln!(f, "    frame pointer {}", self.frame_pointer)?;
        for (value, form) in &self.live {
            writeln!(f, "    {value} is {form}")?;
        }
        for (field, form) in &self.fixed {
            writeln!(f, "    s{field} becomes {form}")?;
        }
        for jump in &self.jumps {
            let args =
                jump.args.iter().map(|arg| arg.as_ref().map_or("in the frame".into(), Linear::to_string));
            let args: Vec<String> = args.collect();
            writeln!(f, "    arguments of packet {}: ({})", jump.packet, List(&args))?;
        }
        for (form, dest) in &self.failures {
            writeln!(f, "    check {form}, or {}", To(self, *dest))?;
        }
        if !self.table.is_empty() {
            let table: Vec<_> = self.table.iter().map(|dest| To(self, *dest)).collect();
            writeln!(f, "    jump table [{}]", List(&table))?;
        }
        match &self.next {
            Next::Read(form) => writeln!(f, "    next {form}"),
            Next::Choice { default, choices } => {
                write!(f, "    next {}", To(self, *default))?;
                for (form, dest) in choices {
                    write!(f, ", or {} if {form}", To(self, *dest))?;
                }
                writeln!(f)
            }
        }
    }
}
