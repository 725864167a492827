//! Translation validation: every packet of the network against the IR packet that it came from.
//!
//! The certificate proves ranges, not function. This phase looks at function: it takes the finished
//! [`Network`] and, for each packet, runs the packet's instructions and the packet's experts from the same
//! states and compares all that anybody can see afterwards (Pnueli, Siegel, Singerman, *Translation
//! Validation*, 1998). It knows nothing of circuits and schedules. What it takes for granted is the IR's packet
//! (`packetize`, itself compared with the function's blocks in [`blocks`]), the conventions of calls, the places of values and the keys of regions (`layout`), and of a packet's
//! entry what the certificate declares.
//!
//! # What is compared
//!
//! - where the packet goes: the next packet, the function that is called, the return address that was read,
//!   or the trap with its site, through the resolver if there is one;
//! - every value that the next packet has a use for, at its place: a carried field, congruent modulo 2^32 and in the
//!   interval that is declared there, or a slot of the frame; arguments, results and the frame pointer;
//! - ports that the next packet has prefetched: it was run with them, so they must be what it was run with;
//! - the rows of memory, globals, tables, output and control: those that the instructions before a trap wrote,
//!   and no others. Nothing below the frame is written.
//! - once for all packets: first rows, entries, the start expert; every entry of each jump table.
//!
//! So a packet is looked at alone, from any state that its entry allows: all packets together are right
//! in every run if each is right in every state. States are drawn, not enumerated: what is rare and not at the
//! edge of anything may be missed.
//!
//! # States
//!
//! [`state`] draws carried fields from their declared intervals and the rest of the trace from what its regions declare,
//! with a liking for edges, equal numbers and small ones. Several runs go side by side. A state in which
//! an instruction's operands break what the IR promises of them (a store that a check in an earlier packet
//! would have kept from happening) tells nothing and is not counted.
//!
//! # Proof
//!
//! [`prove`] tries to show for each packet that both sides are equal in every state. It is done if the options ask for it,
//! and changes nothing but what is counted: a packet that is proved is compared on states as well, and one that is not is
//! not wrong.

mod begin;
mod blocks;
mod boundary;
mod check;
mod prove;
mod slots;
mod source;
mod state;
mod target;
#[cfg(test)]
mod tests;

use crate::blueprint::{Blueprint, Lowered};
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Func, Function, Module, Origin};
use check::{Check, Of};
use prove::{Prover, World};
use state::First;
use wasm2onnx_certify::parallel;
use wasm2onnx_runtime::{ExpertId, Network, Validated};

/// How many times as many states the packets of library routines are compared on: routines are few, and some of what they
/// do is seldom seen in a state.
const ROUTINE: u32 = 8;

/// Compares all packets on at least `states` states each, and with `proof` tries to prove them before.
///
/// # Errors
///
/// [`ErrorKind::Mismatch`] for the first difference.
pub fn run(
    module: &Module,
    network: &Network,
    blueprint: &Blueprint,
    states: u32,
    proof: bool,
) -> Result<Validated, CompileError> {
    let Blueprint { layout, functions } = blueprint;
    let entries: Vec<ExpertId> = functions.iter().map(|f| network.packets[f.first as usize].expert).collect();
    let mut first = First::new(network);
    boundary::freeze(module, layout, &entries, &mut first);
    boundary::compare(module, layout, &entries, network).map_err(|message| ErrorKind::Mismatch {
        function: None,
        offset: 0,
        message,
    })?;
    let world = proof.then(|| World::new(network, Some(&first)));
    let begin = || {
        let check = Check::new(layout, network, &entries, &first);
        let prover = world.as_ref().map(|world| Prover::new(world, layout, &entries));
        (check, prover, Validated { proved: proof.then_some(0), ..Validated::default() })
    };
    let each = |(check, prover, total): &mut (Check, Option<Prover>, Validated), index: u32| {
        let function = &module.functions[Func::from_u32(index)];
        let lowered = &functions[index as usize];
        compare(check, prover.as_mut(), function, lowered, states, total).map_err(|(packet, message)| {
            ErrorKind::Mismatch {
                function: Some(function.name.clone()),
                offset: lowered.packets.packets[packet].offset(),
                message,
            }
        })
    };
    let (totals, failures) =
        parallel::run(functions.len() as u32, 1, true, begin, each, |(_, _, total)| total);
    if let Some((_, failure)) = failures.into_iter().next() {
        return Err(failure.into());
    }
    Ok(totals.into_iter().fold(Validated::default(), |a, b| Validated {
        packets: a.packets + b.packets,
        proved: a.proved.zip(b.proved).map(|(a, b)| a + b).or(a.proved).or(b.proved),
        states: a.states + b.states,
        without: a.without + b.without,
    }))
}

/// Compares a function. A failure is that of a packet.
fn compare(
    check: &mut Check,
    mut prover: Option<&mut Prover>,
    function: &Function,
    lowered: &Lowered,
    states: u32,
    total: &mut Validated,
) -> Result<(), (usize, String)> {
    blocks::compare(function, &lowered.packets)?;
    let of = Of::new(check.network, lowered)?;
    check.enter(&of);
    let wanted = match function.origin {
        Origin::Routine(_) => states * ROUTINE,
        Origin::Module(_) => states,
    };
    for index in 0..of.begins.len() {
        if let (Some(prover), Some(proved)) = (&mut prover, &mut total.proved) {
            *proved += u64::from(prover.packet(&of, index).is_ok());
        }
        total.packets += u64::from(states > 0 || prover.is_some());
        if states == 0 {
            continue;
        }
        let counted = check.packet(&of, index, wanted).map_err(|message| (index, message))?;
        total.states += counted;
        total.without += u64::from(counted == 0);
    }
    Ok(())
}
