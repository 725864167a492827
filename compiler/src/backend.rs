//! From word IR to a network: the second half of the pipeline, function by function.

use crate::blueprint::{Blueprint, Lowered};
use crate::circuits::packet::{PacketCircuit, Setting, lower};
use crate::circuits::words::Tables;
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Func, Function, Module, Origin};
use crate::layout::{ARGUMENT_FIELDS, Layout};
use crate::limits;
use crate::options::Options;
use crate::packetize::{self, Packet, Packets, Places, Term};
use crate::schedule::{self, Assembly, Fragment, Prefetched, Retry};
use crate::stack::{Calls, FrameSize, MAX_FRAME};
use crate::{link, validate};
use cranelift_entity::{EntityRef, SecondaryMap};
use rustc_hash::{FxHashMap, FxHashSet};
use tracing::{debug, debug_span, info, info_span};
use wasm2onnx_certify::{self as certify, Certified, Location, Rejected};
use wasm2onnx_runtime::Network;

/// Fields for values that cross packets; the other fields are for what a packet carries from step to step.
const CROSSING_FIELDS: u16 = 36;
/// Maximum weight of a packet, followed by the weights that are tried when packets turn out to carry too
/// much.
const PACKET_WEIGHTS: [usize; 4] = [48, 20, 8, 2];
/// The same for library routines, which are written for depth: what can be done in the same steps stays
/// together.
const ROUTINE_WEIGHTS: [usize; 7] = [400, 160, 90, 48, 20, 8, 2];

/// Is told what becomes of functions on their way through the backend. By default it does nothing.
pub(crate) trait Watch {
    /// Called before all functions are made anew.
    fn restart(&mut self) {}
    /// Called when a function has been lowered. What was reported of the function before is void.
    fn lowered(&mut self, _function: Func, _placed: &PlacedPackets, _circuits: &[PacketCircuit]) {}
    /// Called when a function has been scheduled and stays as it is.
    fn scheduled(&mut self, _function: Func, _fragment: &Fragment) {}
}

impl Watch for () {}

/// Packetizes, lowers, schedules and links a module, certifies the result and compares it with the packets
/// that it was made from, as the options say.
pub fn run(module: &Module, options: &Options) -> Result<Certified, CompileError> {
    let (mut network, blueprint) = certified(module, &mut ())?;
    let validated = info_span!("validate")
        .in_scope(|| validate::run(module, &network, &blueprint, options.validation_states, options.prove))?;
    network.set_validated(validated);
    network.set_offsets(|offset| module.offset_in_module(offset));
    Ok(network)
}

/// Returns the certified network and what it was made from.
///
/// Functions for which the checker does not see why something holds are made anew, with every claim in a
/// field of its own; see [`Setting::careful`].
pub(crate) fn certified(
    module: &Module,
    watch: &mut dyn Watch,
) -> Result<(Certified, Blueprint), CompileError> {
    let mut careful: FxHashSet<Func> = FxHashSet::default();
    let calls = Calls::new(module);
    let mut frames: SecondaryMap<Func, FrameSize> = SecondaryMap::new();
    loop {
        let Some((network, blueprint)) = assemble(module, &calls, &mut frames, &careful, watch)? else {
            continue;
        };
        let checked =
            info_span!("certify", experts = network.experts.len()).in_scope(|| certify::check(network));
        let Rejected { network, .. } = match checked {
            Ok(network) => return Ok((network, blueprint)),
            Err(rejected) => *rejected,
        };
        let failures = certify::failures(&network);
        let before = careful.len();
        careful.extend(failures.iter().filter_map(|failure| {
            let (Location::Equation { expert, .. } | Location::Expert(expert)) = *failure.place else {
                return None;
            };
            let packet = network.packet_of(expert)?;
            let func = Func::new(blueprint.functions.iter().rposition(|f| f.first as usize <= packet)?);
            debug!(function = module.functions[func].name, %failure, "not certified");
            Some(func)
        }));
        if careful.len() == before {
            let failure = failures.first().map(ToString::to_string).unwrap_or_default();
            return Err(ErrorKind::Certificate(failure).into());
        }
        info!(
            functions = careful.len() - before,
            "the certificate says too little: made anew with a field for each claim"
        );
    }
}

fn packet_weights(function: &Function) -> &'static [usize] {
    match function.origin {
        Origin::Routine(_) => &ROUTINE_WEIGHTS,
        Origin::Module(_) => &PACKET_WEIGHTS,
    }
}

/// Makes the network. Returns `None` if a function turned out to have a larger frame than the stack's regions
/// were made for; `frames` then has its size.
fn assemble(
    module: &Module,
    calls: &Calls,
    frames: &mut SecondaryMap<Func, FrameSize>,
    careful: &FxHashSet<Func>,
    watch: &mut dyn Watch,
) -> Result<Option<(Network, Blueprint)>, CompileError> {
    watch.restart();
    let mut placements = Vec::with_capacity(module.functions.len());
    let packetize = info_span!("packetize", functions = module.functions.len()).entered();
    for (func, function) in module.functions.iter() {
        let placed = PlacedPackets::new(module, function, packet_weights(function)[0])?;
        frames[func] = frames[func].max(placed.frame());
        placements.push(placed);
    }
    packetize.exit();
    let layout = Layout::new(module, calls.stack(frames));
    let (tables, table_list, lookup) = link::plan_tables(module);
    let mut assembly = Assembly::new(lookup.len() as u32);
    let mut entries: SecondaryMap<Func, u32> = SecondaryMap::new();
    let mut functions = Vec::with_capacity(placements.len());
    let surroundings = Surroundings { module, layout: &layout, tables: &tables };
    let circuits = info_span!("circuits and steps").entered();
    let mut outgrown = false;
    for (func, placed) in module.functions.keys().zip(placements) {
        let first = assembly.packets();
        entries[func] = first;
        let careful = careful.contains(&func);
        let (placed, prefetched) = function(&surroundings, func, placed, careful, &mut assembly, watch)?;
        let (known, frame) = (frames[func], placed.frame());
        functions.push(Lowered { packets: placed.packets, places: placed.places, prefetched, first });
        frames[func] = known.max(frame);
        outgrown |= frames[func] != known;
    }
    circuits.exit();
    if outgrown && calls.stack(frames) != layout.stack {
        info!("a function needs a larger frame than was expected, so all functions are lowered again");
        return Ok(None);
    }
    let network = info_span!("link")
        .in_scope(|| link::run(module, &layout, assembly, &entries, (table_list, lookup)))?;
    Ok(Some((network, Blueprint { layout, functions })))
}

/// A function's packets, and where its values are between them.
pub(crate) struct PlacedPackets {
    pub packets: Packets,
    pub places: Places,
}

impl PlacedPackets {
    fn new(module: &Module, function: &Function, weight: usize) -> Result<PlacedPackets, CompileError> {
        let packets = packetize::run(function, module.host.stdin_end, weight);
        let places = packetize::places(&packets, CROSSING_FIELDS, reserved_slots(function, &packets));
        if places.slots >= MAX_FRAME {
            return Err(ErrorKind::Limit {
                what: format!("the number of words that `{}` keeps in its frame at once", function.name),
                value: places.slots as u64,
                limit: MAX_FRAME as u64,
            }
            .into());
        }
        Ok(PlacedPackets { packets, places })
    }

    fn frame(&self) -> FrameSize {
        let own = self.places.slots.max(1);
        let list = &self.packets.packets;
        let reach = |packet: &Packet| match &packet.term {
            Term::Call { args, next, .. } => {
                own + in_frame(args.len().max(list[*next as usize].params.len()))
            }
            // The callee's frame begins where this one does.
            Term::TailCall { args, .. } => in_frame(args.len()),
            _ => 0,
        };
        FrameSize { own, reach: list.iter().map(reach).fold(own, u32::max) }
    }
}

/// What lowering a function needs to know about the module.
struct Surroundings<'a> {
    module: &'a Module,
    layout: &'a Layout,
    tables: &'a Tables,
}

/// Lowers and schedules a function. Returns its packets, which are new ones if they had to be smaller, and
/// what each packet has prefetched.
fn function(
    &Surroundings { module, layout, tables }: &Surroundings,
    func: Func,
    mut placed: PlacedPackets,
    mut careful: bool,
    assembly: &mut Assembly,
    watch: &mut dyn Watch,
) -> Result<(PlacedPackets, Vec<Prefetched>), CompileError> {
    let function = &module.functions[func];
    let _span =
        debug_span!("function", name = function.name, packets = placed.packets.packets.len()).entered();
    let (mut prefetch, mut tight) = (true, true);
    let mut weights = packet_weights(function)[1..].iter();
    loop {
        let params = packetize::param_ranges(&placed.packets, tight);
        let setting = Setting {
            layout,
            tables,
            packets: &placed.packets,
            places: &placed.places,
            params: &params,
            frame: placed.places.slots.max(1),
            prefetch,
            careful,
        };
        let mut crossing = FxHashMap::default();
        let circuits: Vec<PacketCircuit> =
            (0..placed.packets.packets.len()).map(|i| lower(&setting, i, &mut crossing)).collect();
        if tight && circuits.iter().any(|c| c.misfit) {
            tight = false;
            continue;
        }
        watch.lowered(func, &placed, &circuits);
        match schedule::run(module, &placed.packets, circuits, function.index(), assembly) {
            Ok((fragment, prefetched)) => {
                watch.scheduled(func, &fragment);
                assembly.append(fragment);
                return Ok((placed, prefetched));
            }
            Err(retry) => {
                debug!(?retry, prefetch, careful, "made anew");
                if retry == Retry::Prefetch && prefetch {
                    prefetch = false;
                    continue;
                }
                if matches!(retry, Retry::Inexact(_)) && !careful {
                    careful = true;
                    continue;
                }
                match (weights.next(), retry) {
                    (Some(weight), _) => placed = PlacedPackets::new(module, function, *weight)?,
                    (None, Retry::Inexact(offset)) => {
                        let function = function.name.clone();
                        let offset = module.offset_in_module(offset).into();
                        return Err(ErrorKind::Inexact { function, offset }.into());
                    }
                    (None, _) => {
                        return Err(ErrorKind::Limit {
                            what: format!(
                                "the number of values that `{}` carries from step to step",
                                function.name
                            ),
                            value: limits::CARRIED as u64 + 1,
                            limit: limits::CARRIED as u64,
                        }
                        .into());
                    }
                }
            }
        }
    }
}

/// Returns the number of frame slots for arguments and results that are not in fields.
fn reserved_slots(function: &Function, packets: &Packets) -> u32 {
    let params = packets.packets[0].params.len();
    let words = params.max(function.results.len());
    in_frame(words)
}

/// Returns how many of `words` argument or result words are not in fields.
fn in_frame(words: usize) -> u32 {
    words.saturating_sub(ARGUMENT_FIELDS as usize) as u32
}

const _: () = assert!(CROSSING_FIELDS > ARGUMENT_FIELDS && CROSSING_FIELDS < limits::CARRIED - 8);
