//! Packets as text.

use super::{EntryKind, Packet, Packets, Place, Places, Target, Term};
use crate::ir::Value;
use crate::print::{List, snake};
use std::fmt::{self, Display, Formatter};

impl Display for Place {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Place::Field(field) => write!(f, "s{field}"),
            Place::Slot(slot) => write!(f, "slot {slot}"),
        }
    }
}

impl Display for EntryKind {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            EntryKind::Normal => "entered by jumps",
            EntryKind::Switched => "entered by a jump table",
            EntryKind::Function => "entered by calls",
            EntryKind::Landing => "entered by returns",
        })
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "packet {}", self.packet)?;
        match self.args[..] {
            [] => Ok(()),
            _ => write!(f, "({})", List(&self.args)),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Term::Jump(target) => write!(f, "jump {target}"),
            Term::Branch { cond, then, otherwise } => write!(f, "branch {cond}, {then}, {otherwise}"),
            Term::Switch { index, targets } => write!(f, "switch {index}, [{}]", List(targets)),
            Term::Call { callee, args, next } => write!(f, "call{callee}({}), packet {next}", List(args)),
            Term::TailCall { callee, args } => write!(f, "tail_call{callee}({})", List(args)),
            Term::Return(values) if values.is_empty() => f.write_str("return"),
            Term::Return(values) => write!(f, "return {}", List(values)),
            Term::Trap(code) => write!(f, "trap {}", snake(&format!("{code:?}"))),
        }
    }
}

/// Packets of a function and the places of their values, as text.
pub struct Shown<'a>(pub &'a Packets, pub &'a Places);

impl Shown<'_> {
    /// Returns a value that a packet begins with, and its place if it has one, as text.
    fn param(&self, value: Value) -> String {
        let Shown(packets, places) = self;
        match (places.of_param(value), packets.constants.get(&value)) {
            (Some(place), _) => format!("{value} in {place}"),
            (None, Some(constant)) => format!("{value} = {constant}"),
            (None, None) => value.to_string(),
        }
    }

    /// Returns what the values that the packet uses but does not make are, as text.
    fn used(&self, packet: &Packet) -> Vec<String> {
        let Shown(packets, places) = self;
        let made: Vec<Value> = packet.made().collect();
        let mut used: Vec<Value> = packet.used().filter(|value| !made.contains(value)).collect();
        used.sort_unstable();
        used.dedup();
        let place = |value: &Value| match (places.of.get(value), packets.constants.get(value)) {
            (_, Some(constant)) => format!("{value} = {constant}"),
            (Some(place), None) => format!("{value} in {place}"),
            (None, None) => value.to_string(),
        };
        used.iter().map(place).collect()
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Shown(packets, places) = self;
        writeln!(
            f,
            "{} slots in the frame{}",
            places.slots,
            if packets.leaf { ", calls nothing" } else { "" }
        )?;
        for (i, packet) in packets.packets.iter().enumerate() {
            let params: Vec<String> = packet.params.iter().map(|param| self.param(*param)).collect();
            writeln!(f, "packet {i}({}): {}", List(&params), packet.entry)?;
            let used = self.used(packet);
            if !used.is_empty() {
                writeln!(f, "    uses {}", List(&used))?;
            }
            for inst in &packet.insts {
                match inst.result.and_then(|result| places.of.get(&result)) {
                    Some(place) => writeln!(f, "    {inst}  ; in {place}")?,
                    None => writeln!(f, "    {inst}")?,
                }
            }
            writeln!(f, "    {}", packet.term)?;
        }
        Ok(())
    }
}
