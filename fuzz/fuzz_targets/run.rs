//! Networks with changed weights, tables, declared intervals, regions and entries. Only the certificate stands
//! between them and the executors: what it proves must be exact, and alike on all.

#![no_main]

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use wasm2onnx_compiler::certify;
use wasm2onnx_fuzz::judge;
use wasm2onnx_fuzz::programs::CIRCUITS;
use wasm2onnx_runtime::{Cell, Domain, Interval, Network, Place, validate};

/// Most changes to one network.
const CHANGES: usize = 8;

static NETWORKS: LazyLock<Vec<Network>> =
    LazyLock::new(|| CIRCUITS.iter().map(|program| program.network()).collect());

fuzz_target!(|bytes: &[u8]| {
    let mut from = Unstructured::new(bytes);
    let Ok((which, words)) = <(u8, [u32; 2])>::arbitrary(&mut from) else { return };
    let mut network = NETWORKS[usize::from(which) % NETWORKS.len()].clone();
    for _ in 0..CHANGES {
        if from.is_empty() || change(&mut network, &mut from).is_err() {
            break;
        }
    }
    if validate(&network).is_ok() && certify::check(&network).is_ok() {
        judge(&network, words);
    }
});

/// An element by a number, if there is any.
fn any<'t, T>(list: &'t mut [T], from: &mut Unstructured) -> arbitrary::Result<&'t mut T> {
    if list.is_empty() {
        return Err(arbitrary::Error::EmptyChoose);
    }
    let at = from.int_in_range(0..=list.len() - 1)?;
    Ok(&mut list[at])
}

/// A step up or down, a power of two, or anything.
fn number(x: i64, from: &mut Unstructured) -> arbitrary::Result<i64> {
    Ok(match from.int_in_range(0..=4)? {
        0 => x.wrapping_add(from.int_in_range(-8i64..=8)?),
        1 => x.wrapping_neg(),
        2 => x.wrapping_add(1i64.wrapping_shl(from.int_in_range(0..=63)?)),
        3 => 1i64.wrapping_shl(from.int_in_range(0..=63)?).wrapping_add(from.int_in_range(-2i64..=2)?),
        _ => from.arbitrary()?,
    })
}

fn weight(x: f64, from: &mut Unstructured) -> arbitrary::Result<f64> {
    Ok(match from.int_in_range(0..=4)? {
        0 => -x,
        1 => x * 2.0,
        2 => x / 2.0,
        3 => number(x as i64, from)? as f64,
        _ => x + f64::from(from.arbitrary::<i8>()?),
    })
}

fn domain(domain: &mut Domain, from: &mut Unstructured) -> arbitrary::Result<()> {
    match (domain, from.int_in_range(0..=7)?) {
        (domain, 0) => *domain = Domain::Ids(from.int_in_range(0..=4)?),
        (domain, 1) => *domain = Domain::PowerOfTwo { hi: from.int_in_range(0..=70)? },
        (Domain::Interval(interval), 2..5) => interval.lo = number(interval.lo, from)?,
        (Domain::Interval(interval), _) => interval.hi = number(interval.hi, from)?,
        (domain, _) => {
            *domain = Domain::Interval(Interval::new(number(0, from)?, number(0, from)?));
        }
    }
    Ok(())
}

fn change(network: &mut Network, from: &mut Unstructured) -> arbitrary::Result<()> {
    let Network { experts, certificate, regions, tables, .. } = network;
    match from.int_in_range(0..=23)? {
        0..4 => {
            let x = any(&mut experts.weights, from)?;
            *x = weight(*x, from)?;
        }
        4 => *any(&mut experts.sources, from)? = from.int_in_range(0..=200)?,
        5 => *any(&mut experts.fields, from)? = from.int_in_range(0..=250)?,
        6 => {
            let x = any(&mut network.lookup, from)?;
            *x = weight(*x, from)?;
        }
        7..10 => domain(&mut any(&mut certificate.fields, from)?.1, from)?,
        10 => {
            let range = any(&mut certificate.ghost_range, from)?;
            *range = Interval::new(number(range.lo, from)?, number(range.hi, from)?);
        }
        11 => {
            let term = any(&mut certificate.ghost_terms, from)?;
            term.1 = number(term.1, from)?;
        }
        12 => {
            let region = any(regions, from)?;
            region.first = number(region.first as i64, from)? as u64;
        }
        13 => {
            let region = any(regions, from)?;
            region.count = number(region.count as i64, from)? as u64;
        }
        14 => {
            let region = any(regions, from)?;
            domain(&mut region.values, from)?;
            region.cell = if from.arbitrary()? { Cell::Byte } else { Cell::Number };
        }
        15 => {
            let table = any(tables, from)?;
            table.first = number(table.first.into(), from)? as u32;
            table.count = number(table.count.into(), from)? as u32;
        }
        16 => domain(&mut any(tables, from)?.domain, from)?,
        17 => {
            let ports = &mut network.ports;
            let counts = [
                &mut ports.carried,
                &mut ports.units,
                &mut ports.reads,
                &mut ports.lookups,
                &mut ports.rows,
            ];
            let [which, by] = [from.int_in_range(0..=4)?, from.int_in_range(0..=2)?];
            let count = counts.into_iter().nth(which).expect("one of five");
            *count = count.wrapping_add(by as u16).wrapping_sub(1);
        }
        18 => {
            let row = any(&mut network.first_rows, from)?;
            *row = (number(row.0 as i64, from)? as u64, weight(row.1, from)?);
        }
        19 => {
            for entry in network.entries.values_mut() {
                if from.arbitrary()? {
                    entry.expert = number(entry.expert.into(), from)? as u32;
                } else {
                    let places = if from.arbitrary()? { &mut entry.param_places } else { &mut entry.result_places };
                    *any(places, from)? = match from.arbitrary()? {
                        true => Place::Field(from.int_in_range(0..=70)?),
                        false => Place::Row(number(64, from)? as u64),
                    };
                }
            }
        }
        20 => {
            let set = any(&mut certificate.id_sets, from)?;
            if from.arbitrary()? {
                let id = any(&mut set.ids, from)?;
                *id = number((*id).into(), from)? as u32;
            } else {
                domain(&mut any(&mut set.interface, from)?.1, from)?;
            }
        }
        21 => {
            let list = match from.int_in_range(0..=4)? {
                0 => &mut experts.expert_end,
                1 => &mut experts.row_end,
                2 => &mut certificate.field_end,
                3 => &mut certificate.ghost_end,
                _ => &mut certificate.ghost_term_end,
            };
            let end = any(list, from)?;
            *end = number((*end).into(), from)? as u32;
        }
        22 => {
            let streams = [&mut network.io.stdin, &mut network.io.stdout];
            for (region, key) in streams.into_iter().flatten() {
                *region = from.int_in_range(0..=12)?;
                *key = number(*key as i64, from)? as u64;
            }
        }
        _ => network.start = from.arbitrary::<bool>()?.then(|| from.int_in_range(0..=300)).transpose()?,
    }
    Ok(())
}
