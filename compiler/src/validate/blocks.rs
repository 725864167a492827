//! Compares packets with the blocks that they were cut from.
//!
//! Blocks and packets are walked side by side from the function's entry. The packets of a block hold its
//! instructions in their order and nothing else, except that the read of a table's entry is made again where
//! that entry is called.

use crate::ir::{Block, BlockCall, Callee, Function, Inst, Op, Terminator, Value};
use crate::packetize::{Packets, Target, Term};
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;

/// Compares the packets of a function with its blocks.
///
/// # Errors
///
/// The packet that differs, and how.
pub fn compare(function: &Function, packets: &Packets) -> Result<(), (usize, String)> {
    let list = &packets.packets;
    let mut entries: FxHashMap<Value, &Inst> = FxHashMap::default();
    let mut constants = 0;
    let mut first: SecondaryMap<Block, Option<u32>> = SecondaryMap::new();
    let mut work: Vec<(Block, u32)> = vec![(function.entry, 0)];
    // The end of each block, to be compared when all table reads are known.
    let mut ends: Vec<(Block, usize, usize)> = Vec::new();
    while let Some((block, packet)) = work.pop() {
        match first[block] {
            Some(known) if known == packet => continue,
            Some(known) => {
                return Err((packet as usize, format!("{block} is also packet {known}")));
            }
            None => first[block] = Some(packet),
        }
        let data = &function.blocks[block];
        let mut at = packet as usize;
        if list[at].params != data.params {
            return Err((at, format!("it does not have the parameters of {block}")));
        }
        let mut next = 0;
        for inst in &data.insts {
            if let (Op::Const(bits), Some(result)) = (&inst.op, inst.result) {
                constants += 1;
                if packets.constants.get(&result) != Some(&(*bits as u32)) {
                    return Err((at, format!("{result} is not the constant {bits}")));
                }
                continue;
            }
            if let (Op::TableFunc(_), Some(result)) = (&inst.op, inst.result) {
                entries.insert(result, inst);
            }
            while next == list[at].insts.len() {
                at = following(packets, at).ok_or_else(|| (at, format!("{block} is cut short")))?;
                next = 0;
            }
            if list[at].insts[next] != *inst {
                return Err((at, format!("instruction {next} is not that of {block}")));
            }
            next += 1;
        }
        if !matches!(data.term, Terminator::Jump(_))
            && next == list[at].insts.len()
            && let Some(last) = following(packets, at)
        {
            (at, next) = (last, 0);
        }
        ends.push((block, at, next));
        let targets = terminator(&data.term, &list[at].term, data.term_offset == list[at].term_offset)
            .ok_or_else(|| (at, format!("it does not end as {block} does")))?;
        work.extend(targets);
    }
    for (block, at, next) in ends {
        let called = match function.blocks[block].term.callee() {
            Some(Callee::Reference(value)) => entries.get(value).copied(),
            _ => None,
        };
        let rest = &list[at].insts[next..];
        if !(rest.is_empty() || rest.len() == 1 && Some(&rest[0]) == called) {
            return Err((at, format!("it does more than {block}")));
        }
    }
    let calls = list.iter().any(|packet| matches!(packet.term, Term::Call { .. }));
    if packets.leaf == calls || constants != packets.constants.len() {
        return Err((0, "the function's calls or constants are not those of its packets".into()));
    }
    Ok(())
}

/// Returns the packet that goes on where a packet was cut.
fn following(packets: &Packets, at: usize) -> Option<usize> {
    match &packets.packets[at].term {
        Term::Jump(Target { packet, args }) if args.is_empty() => {
            let next = *packet as usize;
            packets.packets[next].params.is_empty().then_some(next)
        }
        _ => None,
    }
}

/// Returns the blocks that a terminator leads to, each with the packet that it must then be, if block and
/// packet end alike.
fn terminator(block: &Terminator, packet: &Term, same_offset: bool) -> Option<Vec<(Block, u32)>> {
    let pair =
        |call: &BlockCall, target: &Target| (call.args == target.args).then_some((call.block, target.packet));
    match (block, packet) {
        (Terminator::Jump(call), Term::Jump(target)) => Some(vec![pair(call, target)?]),
        (Terminator::Branch { cond, then, otherwise }, Term::Branch { cond: c, then: t, otherwise: o })
            if cond == c =>
        {
            Some(vec![pair(then, t)?, pair(otherwise, o)?])
        }
        (Terminator::Switch { index, targets: calls, default }, Term::Switch { index: i, targets })
            if index == i && targets.len() == calls.len() + 1 =>
        {
            calls.iter().chain([default]).zip(targets).map(|(call, target)| pair(call, target)).collect()
        }
        (Terminator::Call { callee, args, next }, Term::Call { callee: c, args: a, next: n })
            if callee == c && args == a =>
        {
            Some(vec![(*next, *n)])
        }
        (Terminator::TailCall { callee, args }, Term::TailCall { callee: c, args: a })
            if callee == c && args == a =>
        {
            Some(Vec::new())
        }
        (Terminator::Return(values), Term::Return(v)) if values == v => Some(Vec::new()),
        (Terminator::Trap(code), Term::Trap(c)) if code == c && same_offset => Some(Vec::new()),
        _ => None,
    }
}
