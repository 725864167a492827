//! What is known of the values of block parameters: intervals from 0, found in a few rounds over the
//! function.

use super::Packets;
use crate::ir::{BinaryOp, Inst, Op, UnaryOp, Value};
use rustc_hash::FxHashMap;

/// What is declared of a parameter's field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamRange {
    /// Largest value of the word.
    pub hi: u32,
    /// Whether it may be handed over unwrapped, off by a few times 2^32: the packet then begins by wrapping
    /// it, with a gate that is made together with it.
    pub loose: bool,
}

/// Number of rounds after which a range that still grows is given up.
const ROUNDS: usize = 3;

/// Returns the ranges of all parameters. If `tight` is false, nothing is known of any.
pub fn param_ranges(packets: &Packets, tight: bool) -> FxHashMap<Value, ParamRange> {
    let mut incoming: FxHashMap<Value, Vec<Value>> = FxHashMap::default();
    let mut definitions: FxHashMap<Value, &Inst> = FxHashMap::default();
    for packet in &packets.packets {
        for target in packet.term.targets() {
            for (param, arg) in packets.packets[target.packet as usize].params.iter().zip(&target.args) {
                incoming.entry(*param).or_default().push(*arg);
            }
        }
        for inst in &packet.insts {
            if let Some(result) = inst.result {
                definitions.insert(result, inst);
            }
        }
    }
    let mut known: FxHashMap<Value, u32> = FxHashMap::default();
    if tight {
        for round in 0..=ROUNDS {
            let mut changed = false;
            for packet in &packets.packets {
                for param in &packet.params {
                    let Some(args) = incoming.get(param) else { continue };
                    let mut hi = 0;
                    for arg in args {
                        let is_new = *arg != *param && incoming.contains_key(arg) && !known.contains_key(arg);
                        let value =
                            if is_new { 0 } else { bound(*arg, packets, &definitions, &incoming, &known, 8) };
                        hi = hi.max(value);
                    }
                    if known.get(param).is_none_or(|k| *k < hi) {
                        changed = true;
                        known.insert(*param, if round == ROUNDS { u32::MAX } else { hi });
                    }
                }
            }
            if !changed {
                break;
            }
            if round == ROUNDS {
                // Not stable: the range of what changed is unknown now, and so may be that of all that
                // depends on it.
                known.values_mut().for_each(|k| {
                    if *k != 1 && *k != 255 {
                        *k = u32::MAX;
                    }
                });
                if !is_stable(packets, &definitions, &incoming, &known) {
                    known.clear();
                }
            }
        }
    }
    incoming
        .iter()
        .map(|(param, args)| {
            let hi = known.get(param).copied().unwrap_or(u32::MAX);
            let loose =
                hi == u32::MAX && args.iter().any(|a| definitions.get(a).is_some_and(|i| is_loose(i)));
            (*param, ParamRange { hi, loose })
        })
        .collect()
}

fn is_stable(
    packets: &Packets,
    definitions: &FxHashMap<Value, &Inst>,
    incoming: &FxHashMap<Value, Vec<Value>>,
    known: &FxHashMap<Value, u32>,
) -> bool {
    incoming.iter().all(|(param, args)| {
        let hi = known.get(param).copied().unwrap_or(u32::MAX);
        args.iter().all(|a| bound(*a, packets, definitions, incoming, known, 8) <= hi)
    })
}

/// Returns whether the circuit of the instruction leaves its result unwrapped.
fn is_loose(inst: &Inst) -> bool {
    use BinaryOp::*;
    matches!(
        inst.op,
        Op::Binary(Add | Sub | Mul | Shl | ShrS)
            | Op::Unary(UnaryOp::Extend8S | UnaryOp::Extend16S)
            | Op::Select
    )
}

/// Returns the largest value, as far as the circuits can tell, too.
fn bound(
    value: Value,
    packets: &Packets,
    definitions: &FxHashMap<Value, &Inst>,
    incoming: &FxHashMap<Value, Vec<Value>>,
    known: &FxHashMap<Value, u32>,
    depth: u32,
) -> u32 {
    if let Some(c) = packets.constants.get(&value) {
        return *c;
    }
    if incoming.contains_key(&value) {
        return known.get(&value).copied().unwrap_or(u32::MAX);
    }
    let Some(inst) = definitions.get(&value) else { return u32::MAX };
    if depth == 0 {
        return u32::MAX;
    }
    let of = |i: usize| bound(inst.args[i], packets, definitions, incoming, known, depth - 1);
    let constant = |i: usize| packets.constants.get(&inst.args[i]).copied();
    use BinaryOp::*;
    match inst.op {
        Op::Load { bytes: 1, signed: false, .. } => 255,
        Op::Load { bytes: 2, signed: false, .. } => 65535,
        Op::Unary(UnaryOp::Eqz) | Op::Binary(Eq | Ne | LtU | LtS | GeU | GeS | Carry) => 1,
        Op::Unary(UnaryOp::Clz | UnaryOp::Ctz | UnaryOp::Popcnt) => 32,
        Op::Select => of(1).max(of(2)),
        Op::Binary(ShrU) => match constant(1) {
            Some(n) => u32::MAX >> (n & 31),
            None => u32::MAX,
        },
        _ => u32::MAX,
    }
}
