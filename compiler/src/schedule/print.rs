//! Steps as text, before ids and port numbers are known.

use super::{ExpertRef, Fragment, NextOut, PortField, PortSource, Terms};
use crate::print::{Hex, List};
use std::fmt::{self, Display, Formatter};
use wasm2onnx_runtime::linear;
use wasm2onnx_runtime::print::write_expert;

impl Display for ExpertRef {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            ExpertRef::Packet(packet) => write!(f, "packet {packet}"),
            ExpertRef::Function(func) => write!(f, "{func}"),
            ExpertRef::Terminal(id) => write!(f, "terminal {id}"),
        }
    }
}

fn sum(terms: &Terms) -> String {
    linear(terms.iter().map(|(source, weight)| (*weight, factor(*source))))
}

/// Returns what a weight is multiplied by, if it is not the constant 1.
fn factor(source: PortSource) -> Option<PortSource> {
    (source != PortSource::ONE).then_some(source)
}

impl Display for NextOut {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            NextOut::Following => f.write_str("the following"),
            NextOut::Read(terms) => f.write_str(&sum(terms)),
            NextOut::Choice(choice) => {
                write!(f, "{}", choice.default)?;
                for (terms, dest) in &choice.choices {
                    write!(f, ", or {dest} if {}", sum(terms))?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Fragment {
    /// Writes the packets in order of their experts, each expert with what is declared of the `z` that it
    /// gets and with its equations.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for (i, table) in self.jump_tables.iter().enumerate() {
            writeln!(f, "jump table {i}: [{}]", List(table))?;
        }
        for (e, next) in self.next.iter().enumerate() {
            if let Ok(i) = self.packets.binary_search_by_key(&(e as u32), |packet| packet.expert) {
                writeln!(f, "packet {i}, at offset {}", Hex(self.packets[i].offset))?;
            }
            // The equation of `e` is written in `link`.
            let field = |code| Some(PortField::of_code(code)).filter(|field| *field != PortField::EXPERT);
            let source = |code| factor(PortSource::of_code(code));
            write_expert(f, (&self.experts, &self.certificate), e as u32, field, source)?;
            writeln!(f, "        e <- {next}")?;
        }
        Ok(())
    }
}
