//! Evaluates one step in the plain way, and checks everything that the certificate promises of it.

use wasm2onnx_runtime::*;

use super::sound::number_of;
use fastrand::Rng;

/// 2^-GRID is the unit of exact sums.
const GRID: u32 = 60;

fn domain_contains(network: &Network, domain: Domain, x: f64) -> bool {
    match domain {
        Domain::Interval(i) => x.fract() == 0.0 && i.lo as i128 <= x as i128 && x as i128 <= i.hi as i128,
        Domain::PowerOfTwo { hi } => x == 0.0 || (0..=hi).any(|k| x == 2f64.powi(k.into())),
        Domain::Ids(set) => {
            let ids = &network.certificate.id_sets[set as usize].ids;
            x == 0.0 || ids.iter().any(|id| f64::from(*id) == x)
        }
    }
}

/// Returns what `z` breaks of what is declared for an expert.
pub(super) fn breaks(network: &Network, e: ExpertId, z: &[f64]) -> Option<String> {
    for (field, domain) in network.certificate.fields(e) {
        if !domain_contains(network, domain, z[usize::from(field)]) {
            return Some(format!(
                "field {field} of expert {e} is {}, declared {domain:?}",
                z[usize::from(field)]
            ));
        }
    }
    for ghost in network.certificate.ghosts(e) {
        let value: i128 = ghost.terms.iter().map(|&(f, c)| i128::from(c) * z[usize::from(f)] as i128).sum();
        let low = ghost.range.lo == i64::MIN || i128::from(ghost.range.lo) <= value;
        let high = ghost.range.hi == i64::MAX || value <= i128::from(ghost.range.hi);
        if !low || !high {
            return Some(format!("ghost {ghost:?} of expert {e} is {value}"));
        }
    }
    None
}

/// Returns the exact sum of an equation in units of 2^-GRID; `None` if it does not fit.
fn exact_sum(equation: &Equation<'_>, y: &[f64]) -> Option<i128> {
    equation.sources.iter().zip(equation.weights).try_fold(0i128, |sum, (&s, &w)| {
        let (mantissa, exponent) = super::super::linear::dyadic(w);
        let x = y[usize::from(s)] as i128;
        let shift = u32::try_from(exponent + GRID as i32).ok()?;
        let product = i128::from(mantissa).checked_mul(x)?;
        let shifted = product.checked_shl(shift).filter(|p| p >> shift == product)?;
        sum.checked_add(shifted)
    })
}

/// Takes a step from `z`, where reads of the trace give values that their regions declare.
/// The error says which promise was broken.
pub(super) fn step(
    network: &Network,
    e: ExpertId,
    z: &[f64],
    random: &mut Rng,
) -> Result<(ExpertId, Vec<f64>), String> {
    let ports = &network.ports;
    let at = |field: Field| z[usize::from(field)];
    let mut y = vec![1.0];
    for i in 0..ports.reads {
        let q = at(ports.q(i));
        let region = if q >= 0.0 { network.region_of(q as u64) } else { None };
        y.push(region.map_or(0.0, |region| number_of(random, network, network.regions[region].values)));
    }
    for i in 0..ports.lookups {
        let t = at(ports.t(i));
        y.push(if t >= 0.0 { network.lookup.get(t as usize).copied().unwrap_or(0.0) } else { 0.0 });
    }
    for i in 0..ports.units {
        y.push(at(ports.n(i)) * at(ports.v(i)));
    }
    // Products that the map reads must be exact.
    let is_read = |s: Source| network.experts.equations(e).any(|equation| equation.sources.contains(&s));
    for i in (0..ports.units).filter(|i| is_read(ports.yu(*i))) {
        let (n, v) = (at(ports.n(i)), at(ports.v(i)));
        if n.mul_add(v, -(n * v)) != 0.0 {
            return Err(format!("expert {e}: the product of unit {i} is rounded"));
        }
    }
    y.extend((0..ports.carried).map(|i| at(ports.s(i))));

    let mut next = vec![0.0; ports.fields() + 1];
    for equation in network.experts.equations(e) {
        let is_gate = ports.kind(equation.field).0 == FieldKind::N;
        let quantize = |g: f64| if is_gate { g.max(0.0).floor() } else { g };
        let exact = exact_sum(&equation, &y);
        let mut order: Vec<usize> = (0..equation.sources.len()).collect();
        for attempt in 0..6 {
            let term = |i: &usize| (equation.weights[*i], y[usize::from(equation.sources[*i])]);
            let sum = match attempt % 2 {
                0 => order.iter().map(term).fold(0.0, |sum, (w, x)| sum + w * x),
                _ => order.iter().map(term).fold(0.0, |sum: f64, (w, x)| w.mul_add(x, sum)),
            };
            let value = quantize(sum);
            if let Some(exact) = exact {
                let exact = if is_gate { (exact.max(0) >> GRID) << GRID } else { exact };
                let is_equal =
                    value.fract() == 0.0 && value as i128 == exact >> GRID && exact & ((1 << GRID) - 1) == 0;
                if !is_equal {
                    return Err(format!("expert {e}, field {}: {value} is not exact", equation.field));
                }
            }
            if attempt > 0 && value != next[usize::from(equation.field)] {
                return Err(format!("expert {e}, field {}: the order matters", equation.field));
            }
            next[usize::from(equation.field)] = value;
            let (i, j) = (random.usize(..order.len().max(1)), random.usize(..order.len().max(1)));
            if !order.is_empty() {
                order.swap(i, j);
            }
        }
    }
    let id = next.pop().unwrap_or(0.0);
    if id < 0.0 || id >= network.experts.len() as f64 || id.fract() != 0.0 {
        return Err(format!("expert {e}: the next id is {id}"));
    }
    let id = id as ExpertId;
    let key = |i: u16| next[usize::from(ports.k(i))];
    for i in (0..ports.rows).filter(|i| key(*i) != 0.0) {
        let region = if key(i) > 0.0 { network.region_of(key(i) as u64) } else { None };
        let Some(region) = region else { return Err(format!("expert {e}: key {}", key(i))) };
        let x = next[usize::from(ports.x(i))];
        if !domain_contains(network, network.regions[region].values, x) {
            return Err(format!("expert {e}: value {x} in region {region}"));
        }
        if (0..i).any(|j| key(j) == key(i)) {
            return Err(format!("expert {e}: key {} twice", key(i)));
        }
    }
    match breaks(network, id, &next) {
        Some(broken) => Err(format!("from expert {e}: {broken}")),
        None => Ok((id, next)),
    }
}
