//! Changes networks, and adapts their certificates to the changes.

use arbitrary::Unstructured;
use wasm2onnx_certify::{Broken, Failure, Location, Proved, prove};
use wasm2onnx_runtime::{CellWidth, Domain, Field, FieldName, Interval, Network, WordLocation};

/// Chooses an element of a list; an error if the list is empty.
fn any<'t, T>(list: &'t mut [T], from: &mut Unstructured) -> arbitrary::Result<&'t mut T> {
    if list.is_empty() {
        return Err(arbitrary::Error::EmptyChoose);
    }
    let at = from.int_in_range(0..=list.len() - 1)?;
    Ok(&mut list[at])
}

/// Changes a number by a small step or a power of two, negates it, or makes another one.
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
    Ok(match from.int_in_range(0..=5)? {
        0 => -x,
        1 => x * 2.0,
        2 => x / 2.0,
        3 => number(x as i64, from)? as f64,
        4 => x * f64::from(from.int_in_range(-4i32..=4)?).exp2(),
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

/// Changes something in a network: a weight, the source or the field of a term, a table, a declaration, a
/// region, the location of an argument or result.
///
/// # Errors
///
/// If no bytes are left to choose with, or the network has nothing of the kind that is to be changed.
pub fn change(network: &mut Network, from: &mut Unstructured) -> arbitrary::Result<()> {
    let [fields, sources] = [network.ports.fields() as u16, network.ports.sources() as u16];
    let Network { experts, certificate, regions, tables, .. } = network;
    match from.int_in_range(0..=27)? {
        0..8 => {
            let x = any(&mut experts.weights, from)?;
            *x = weight(*x, from)?;
        }
        8 => *any(&mut experts.sources, from)? = from.int_in_range(0..=sources)?,
        9 => *any(&mut experts.fields, from)? = from.int_in_range(0..=fields)?,
        10 => {
            let x = any(&mut network.lookup, from)?;
            *x = weight(*x, from)?;
        }
        11..14 => {
            let fields = &mut certificate.fields;
            let i = from.choose_index(fields.len())?;
            let (field, mut changed) = fields.iter().nth(i).expect("there are more");
            domain(&mut changed, from)?;
            fields.set(i, field, changed);
        }
        14 => {
            let range = any(&mut certificate.ghost_range, from)?;
            *range = Interval::new(number(range.lo, from)?, number(range.hi, from)?);
        }
        15 => {
            let term = any(&mut certificate.ghost_terms, from)?;
            term.1 = number(term.1, from)?;
        }
        16 => {
            let region = any(regions, from)?;
            region.first = number(region.first as i64, from)? as u64;
        }
        17 => {
            let region = any(regions, from)?;
            region.count = number(region.count as i64, from)? as u64;
        }
        18 => {
            let region = any(regions, from)?;
            domain(&mut region.values, from)?;
            region.width = if from.arbitrary()? { CellWidth::Byte } else { CellWidth::Number };
        }
        19 => {
            let table = any(tables, from)?;
            table.first = number(table.first.into(), from)? as u32;
            table.count = number(table.count.into(), from)? as u32;
        }
        20 => domain(&mut any(tables, from)?.domain, from)?,
        21 => {
            let ports = &mut network.ports;
            let counts =
                [&mut ports.carried, &mut ports.units, &mut ports.reads, &mut ports.lookups, &mut ports.rows];
            let [which, by] = [from.int_in_range(0..=4)?, from.int_in_range(0..=2)?];
            let count = counts.into_iter().nth(which).expect("one of five");
            *count = count.wrapping_add(by as u16).wrapping_sub(1);
        }
        22 => {
            let row = any(&mut network.first_rows, from)?;
            *row = (number(row.0 as i64, from)? as u64, weight(row.1, from)?);
        }
        23 => {
            for entry in network.entries.values_mut() {
                if from.arbitrary()? {
                    entry.expert = number(entry.expert.into(), from)? as u32;
                } else {
                    let locations = if from.arbitrary()? {
                        &mut entry.param_locations
                    } else {
                        &mut entry.result_locations
                    };
                    *any(locations, from)? = match from.arbitrary()? {
                        true => WordLocation::Field(from.int_in_range(0..=fields)?),
                        false => WordLocation::Row(number(64, from)? as u64),
                    };
                }
            }
        }
        24 => {
            let set = any(&mut certificate.id_sets, from)?;
            if from.arbitrary()? {
                let id = any(&mut set.ids, from)?;
                *id = number((*id).into(), from)? as u32;
            } else {
                domain(&mut any(&mut set.interface, from)?.1, from)?;
            }
        }
        25 => {
            let list = match from.int_in_range(0..=4)? {
                0 => &mut experts.expert_end,
                1 => &mut experts.equation_end,
                2 => &mut certificate.field_end,
                3 => &mut certificate.ghost_end,
                _ => &mut certificate.ghost_term_end,
            };
            let end = any(list, from)?;
            *end = number((*end).into(), from)? as u32;
        }
        26 => {
            if let Some((region, key)) = &mut network.io.stdout {
                *region = from.int_in_range(0..=12)?;
                *key = number(*key as i64, from)? as u64;
            }
            if let Some(region) = &mut network.io.input {
                *region = from.int_in_range(0..=12)?;
            }
            if let Some(key) = &mut network.io.stdin_end {
                *key = number(*key as i64, from)? as u64;
            }
        }
        _ => network.start = from.arbitrary::<bool>()?.then(|| from.int_in_range(0..=300)).transpose()?,
    }
    Ok(())
}

/// Returns whether a network can be proved if its certificate is widened wherever the proof finds that
/// something else is true than what is declared, as an attacker would do it. The proof is tried at most
/// `checks` times, and `checks` is reduced by the number of tries. With `coarse`, widened intervals end at
/// powers of two, so that fewer tries are needed.
pub fn settle(network: &mut Network, checks: &mut u32, coarse: bool) -> bool {
    while *checks > 0 {
        *checks -= 1;
        match prove(network) {
            Ok(_) => return true,
            Err(failure) => {
                if !widen(network, &failure, coarse) {
                    return false;
                }
            }
        }
    }
    false
}

/// Finds the field with this name.
fn field_of(network: &Network, name: FieldName) -> Option<Field> {
    (0..=network.ports.e()).find(|field| FieldName::new(&network.ports, *field) == name)
}

/// Declares what was proved. Returns whether there was something to declare.
fn widen(network: &mut Network, failure: &Failure, coarse: bool) -> bool {
    let hull = |declared: Interval, proved: Proved| {
        let number = |x: Option<i128>| x.and_then(|x| i64::try_from(x).ok());
        let (mut lo, mut hi) = (declared.lo.min(number(proved.lo)?), declared.hi.max(number(proved.hi)?));
        if coarse {
            let power =
                |x: i64| x.unsigned_abs().checked_next_power_of_two().and_then(|x| i64::try_from(x).ok());
            lo = if lo < declared.lo { power(lo)?.checked_neg()? } else { lo };
            hi = if hi > declared.hi { power(hi)? } else { hi };
        }
        (lo != i64::MIN && (lo, hi) != (declared.lo, declared.hi)).then_some(Interval::new(lo, hi))
    };
    let joined = |domain: Domain, proved: Proved| match domain {
        Domain::Interval(declared) => hull(declared, proved).map(Domain::Interval),
        Domain::PowerOfTwo { .. } | Domain::Ids(_) => hull(Interval::point(0), proved).map(Domain::Interval),
    };
    let field = match *failure.place {
        Location::Equation { field, .. } => field_of(network, field),
        _ => None,
    };
    match &*failure.broken {
        Broken::Field { next, proved, .. } => {
            let Some(field) = field else { return false };
            redeclare(network, *next, field, &|domain| joined(domain, *proved))
        }
        Broken::Interface { set, proved, .. } => {
            let Some(field) = field else { return false };
            let Some(set) = network.certificate.id_sets.get_mut(*set as usize) else { return false };
            let Some(promise) = set.interface.iter_mut().find(|promise| promise.0 == field) else {
                return false;
            };
            let Some(wider) = joined(promise.1, *proved) else { return false };
            promise.1 = wider;
            let ids = set.ids.clone();
            // The members of the set may assume only what the set promises.
            ids.into_iter().for_each(|id| {
                redeclare(network, id, field, &|_| Some(wider));
            });
            true
        }
        Broken::Ghost { next, declared, proved, .. } => {
            let end = |ends: &[u32], i: usize| ends.get(i).map_or(0, |end| *end as usize);
            let ends = &network.certificate.ghost_end;
            let first = (*next as usize).checked_sub(1).map_or(0, |before| end(ends, before));
            let ghosts = first..end(ends, *next as usize);
            let Some(wider) = hull(*declared, *proved) else { return false };
            let mut found = false;
            for range in &mut network.certificate.ghost_range[ghosts] {
                if range == declared {
                    *range = wider;
                    found = true;
                }
            }
            found
        }
        Broken::Value { region, proved, .. } => {
            let Some(region) = network.regions.iter_mut().find(|other| other.name == *region) else {
                return false;
            };
            let Some(wider) = joined(region.values, *proved) else { return false };
            region.values = wider;
            region.width = CellWidth::Number;
            true
        }
        _ => false,
    }
}

/// Changes the declaration of a field of an expert. Returns whether there was one and `change` gave another.
fn redeclare(network: &mut Network, e: u32, field: Field, change: &dyn Fn(Domain) -> Option<Domain>) -> bool {
    let certificate = &mut network.certificate;
    let declared = certificate.fields(e).enumerate().find(|(_, declared)| declared.0 == field);
    match declared.and_then(|(i, (_, domain))| Some((i, change(domain)?))) {
        Some((i, wider)) => {
            certificate.fields.set(certificate.field_range(e).start + i, field, wider);
            true
        }
        None => false,
    }
}
