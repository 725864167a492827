//! Translation validation: every packet of the network is compared with the IR packet that it came from.
//!
//! The certificate proves ranges, not function. This phase looks at function: it takes the finished
//! [`Network`] and, for each packet, runs the packet's instructions and the packet's experts from the same
//! states and compares all that can be seen afterwards (Pnueli, Siegel, Singerman, *Translation Validation*,
//! 1998). It knows nothing of circuits and schedules. It takes for granted the IR's packet (`packetize`,
//! itself compared with the function's blocks in [`blocks`]), the conventions of calls, the places of values,
//! the keys of regions (`layout`), and what the certificate declares of a packet's entry.
//!
//! # What is compared
//!
//! - where the packet goes: the next packet, the function that is called, the return address that was read,
//!   or the trap with its site, through the resolver if there is one;
//! - every value that the next packet uses, at its place: a carried field, whose number must be congruent to
//!   the value modulo 2^32 and in the interval that is declared there, or a slot of the frame; also
//!   arguments, results and the frame pointer;
//! - ports that are prefetched for the next packet: that packet is run with certain numbers in them, so they
//!   must hold these numbers;
//! - the rows of memory, globals, tables, standard output and control: those that the instructions wrote, up
//!   to the trap if there is one, and no others. Nothing below the frame is written.
//! - once for all packets: first rows, entries, the start expert; every entry of each jump table.
//!
//! So each packet is looked at alone, from any state that its entry allows: if each packet is right in every
//! state, all packets together are right in every run. States are drawn at random, not enumerated: what is
//! rare and not at the edge of anything may be missed.
//!
//! # States
//!
//! [`state`] draws carried fields from their declared intervals, and the trace from what its regions declare,
//! with a preference for edges, equal numbers and small numbers. Several runs go side by side. A state in
//! which an instruction's operands break what the IR promises of them (such as a store that a check in an
//! earlier packet would have prevented) says nothing and is not counted.
//!
//! # Proof
//!
//! [`prove`] tries to show for each packet that both sides are equal in every state. This is done if the
//! options ask for it, and it changes only what is counted: a packet that is proved is compared on states as
//! well, and a packet that is not proved is not thereby wrong.

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

/// Factor by which the packets of library routines are compared on more states than others: routines are few,
/// and some of what they do is seldom seen in a state.
const ROUTINE: u32 = 8;

/// Compares all packets on at least `states` states each, and with `proof` first tries to prove them.
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
                offset: module.offset_in_module(lowered.packets.packets[packet].offset()),
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

/// Compares a function. An error comes with the packet that it is about.
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
