//! From word IR to a network: the second half of the pipeline, function by function.

use crate::circuits::limits;
use crate::circuits::packet::{Code, Context, lower};
use crate::circuits::words::Tables;
use crate::error::{CompileError, ErrorKind};
use crate::ir::{Func, Module};
use crate::layout::{ARGUMENT_FIELDS, Layout, MAX_FRAME};
use crate::packetize::{self, Packets};
use crate::schedule::{self, Assembly, Retry};
use crate::{certify, link};
use cranelift_entity::{EntityRef, SecondaryMap};
use rustc_hash::{FxHashMap, FxHashSet};
use wasm2onnx_runtime::Network;

/// Fields for values that cross packets; the rest is for what a packet carries from step to step.
const CROSSING_FIELDS: u16 = 36;
/// Most weight of a packet, and what is tried when it turns out to carry too much.
const PACKET_WEIGHTS: [usize; 4] = [48, 20, 8, 2];

/// Packetizes, lowers, schedules and links a module, and certifies the result.
///
/// Functions in which the checker does not see why something holds are made anew, with every claim
/// in a field of its own; see [`Context::careful`].
pub fn run(module: &Module) -> Result<Network, CompileError> {
    let mut careful: FxHashSet<Func> = FxHashSet::default();
    loop {
        let (network, first_packets) = assemble(module, &careful)?;
        let failures = match certify::check(&network) {
            Ok(_) => return Ok(network),
            Err(_) => certify::failures(&network),
        };
        let before = careful.len();
        careful.extend(failures.iter().filter_map(|failure| {
            let (certify::Location::Row { expert, .. } | certify::Location::Expert(expert)) = *failure.place
            else {
                return None;
            };
            let packet = network.packets.partition_point(|p| p.expert <= expert).checked_sub(1)?;
            first_packets.iter().rposition(|first| *first as usize <= packet).map(Func::new)
        }));
        if careful.len() == before {
            let failure = failures.first().map(ToString::to_string).unwrap_or_default();
            return Err(ErrorKind::Certificate(failure).into());
        }
    }
}

/// The network, not certified yet, and the first packet of each function.
fn assemble(module: &Module, careful: &FxHashSet<Func>) -> Result<(Network, Vec<u32>), CompileError> {
    let layout = Layout::new(module);
    let (tables, table_list, lookup) = link::plan_tables(module);
    let mut assembly = Assembly::new(lookup.len() as u32, module.function_offsets.clone());
    let mut entries: SecondaryMap<Func, u32> = SecondaryMap::new();
    let mut first_packets = Vec::new();
    for func in module.functions.keys() {
        entries[func] = assembly.packets.len() as u32;
        first_packets.push(assembly.packets.len() as u32);
        function(module, &layout, &tables, func, careful.contains(&func), &mut assembly)?;
    }
    Ok((link::run(module, &layout, assembly, &entries, (table_list, lookup)), first_packets))
}

fn function(
    module: &Module,
    layout: &Layout,
    tables: &Tables,
    func: Func,
    careful: bool,
    assembly: &mut Assembly,
) -> Result<(), CompileError> {
    let function = &module.functions[func];
    let (mut prefetch, mut tight) = (true, true);
    let mut weights = PACKET_WEIGHTS.iter().copied();
    let mut weight = weights.next().expect("there are some");
    loop {
        let packets = packetize::run(function, weight);
        let reserved = reserved_slots(function, &packets);
        let places = packetize::places(&packets, CROSSING_FIELDS, reserved);
        if places.slots >= MAX_FRAME {
            return Err(ErrorKind::Limit {
                what: format!("the number of frame slots of {}", function.name),
                value: places.slots as u64,
                limit: MAX_FRAME as u64,
            }
            .into());
        }
        let params = packetize::param_ranges(&packets, tight);
        let cx = Context {
            module,
            layout,
            tables,
            packets: &packets,
            places: &places,
            params: &params,
            frame: places.slots.max(1),
            prefetch,
            careful,
        };
        let mut crossing = FxHashMap::default();
        let codes: Vec<Code> = (0..packets.packets.len()).map(|i| lower(&cx, i, &mut crossing)).collect();
        if tight && codes.iter().any(|c| c.misfit) {
            tight = false;
            continue;
        }
        let mark = assembly.mark();
        match schedule::run(&packets, codes, function.index, assembly) {
            Ok(()) => return Ok(()),
            Err(retry) => {
                assembly.reset(mark);
                match (retry, weights.next()) {
                    (Retry::Prefetch, _) if prefetch => prefetch = false,
                    (_, Some(next)) => weight = next,
                    _ => {
                        return Err(ErrorKind::Limit {
                            what: format!("the number of carried values of {}", function.name),
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

/// Frame slots for arguments and results that find no field.
fn reserved_slots(function: &crate::ir::Function, packets: &Packets) -> u32 {
    let params = packets.packets[0].params.len();
    let words = params.max(function.results.len());
    words.saturating_sub(ARGUMENT_FIELDS as usize) as u32
}

const _: () = assert!(CROSSING_FIELDS > ARGUMENT_FIELDS && CROSSING_FIELDS < limits::CARRIED - 8);
