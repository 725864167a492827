//! Checks at run time that the numbers of one step are exact.
//!
//! The certificate proves for all runs of a network that no result depends on the order of
//! summation, on fused multiply-add or on the rows that an exact cache of the trace drops. A network whose
//! weights were changed has no such proof; for it, this module decides whether a single step still is
//! exact, and so whether executors must agree on it.

use crate::declared::is_in;
use crate::dense::gates;
use crate::network::{Equation, ExpertId, Network};
use crate::trace::key_of;

/// Maximum magnitude of a field: up to here all integers are exact.
pub(crate) const MAX_EXACT: f64 = crate::limits::MAX_EXACT as f64;

/// Bound of the magnitude of a product with a power of two, which must stay below it.
const MAX_PRODUCT: f64 = (1u128 << 64) as f64;

/// Why a step is not exact.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Inexact {
    /// Rule 1: a field is not an integer of magnitude below 2^64, the bound for products with a power of two.
    /// (Where sums of such products are rounded, [`Inexact::Sum`] says so.)
    #[error("field {field} is {value}, not an exact integer")]
    Field {
        /// The field.
        field: u16,
        /// Its value.
        value: f64,
    },
    /// Rule 1: the product of a unit is rounded.
    #[error("unit {unit} is rounded")]
    Unit {
        /// Index of the unit.
        unit: u16,
    },
    /// Rule 1: the result of an equation of the map may depend on the order of summation.
    #[error("the equation of field {field} is not exact")]
    Sum {
        /// The field that the equation makes.
        field: u16,
    },
    /// Rule 7: a row's key is not 0 and in no region.
    #[error("row {row} has key {key}, which is in no region")]
    Key {
        /// Index of the row.
        row: u16,
        /// Its key.
        key: f64,
    },
    /// Rule 7: a row's value is not in the domain that its region declares.
    #[error("row {row} has value {value}, outside of what region `{region}` declares")]
    Value {
        /// Index of the row.
        row: u16,
        /// Its value.
        value: f64,
        /// Name of the region.
        region: String,
    },
    /// Rule 7: two rows of the step have the same key.
    #[error("rows {0} and {1} have the same key")]
    SameKey(u16, u16),
}

/// Checks the `z` that a step begins with: rule 1 for fields and units, rule 7 for rows.
pub(crate) fn check_z(network: &Network, z: &[f64]) -> Result<(), Inexact> {
    for (field, &value) in z.iter().enumerate() {
        // Products with powers of two have as many significant bits as their other factor.
        if value.abs() >= MAX_PRODUCT || value.fract() != 0.0 || value.is_nan() {
            return Err(Inexact::Field { field: field as u16, value });
        }
    }
    let ports = &network.ports;
    for unit in 0..ports.units {
        if !is_exact_product(z[usize::from(ports.n(unit))], z[usize::from(ports.v(unit))]) {
            return Err(Inexact::Unit { unit });
        }
    }
    let key = |row: u16| z[usize::from(ports.k(row))];
    for row in (0..ports.rows).filter(|row| key(*row) != 0.0) {
        let region = key_of(key(row)).and_then(|key| network.region_of(key));
        let Some(region) = region else {
            return Err(Inexact::Key { row, key: key(row) });
        };
        let region = &network.regions[region];
        let value = z[usize::from(ports.x(row))];
        if !is_in(network, region.values, value) {
            return Err(Inexact::Value { row, value, region: region.name.clone() });
        }
        if let Some(earlier) = (0..row).find(|earlier| key(*earlier) == key(row)) {
            return Err(Inexact::SameKey(earlier, row));
        }
    }
    Ok(())
}

/// Checks the map of an expert on `y`: rule 1 for its sums.
pub(crate) fn check_map(network: &Network, e: ExpertId, y: &[f64]) -> Result<(), Inexact> {
    let gates = gates(&network.ports);
    for equation in network.experts.equations(e) {
        let is_gate = gates.contains(&equation.field.into());
        if !(is_exact(&equation, y) || is_gate && has_stable_gate(&equation, y)) {
            return Err(Inexact::Sum { field: equation.field });
        }
    }
    Ok(())
}

/// Returns whether a product is not rounded.
fn is_exact_product(a: f64, b: f64) -> bool {
    exact_product(a, b).is_some()
}

/// Returns a product, or `None` if it is rounded.
pub(crate) fn exact_product(a: f64, b: f64) -> Option<f64> {
    let product = a * b;
    (product.is_finite() && a.mul_add(b, -product) == 0.0).then_some(product)
}

/// Returns a sum, or `None` if it is rounded, which is when Knuth's two-sum leaves an error.
pub(crate) fn exact_sum(a: f64, b: f64) -> Option<f64> {
    let sum = a + b;
    let rest = sum - a;
    ((a - (sum - rest)) + (b - rest) == 0.0).then_some(sum)
}

/// Returns the products of an equation that are not 0, each after its weight and its element of `y`.
fn products<'a>(equation: &Equation<'a>, y: &'a [f64]) -> impl Iterator<Item = (f64, f64, f64)> + use<'a> {
    let terms = equation.sources.iter().zip(equation.weights).map(|(s, w)| (*w, y[usize::from(*s)]));
    terms.map(|(w, y)| (w, y, w * y)).filter(|(.., product)| *product != 0.0)
}

/// Returns whether all orders of summation give the same number, because every partial sum is exact.
fn is_exact(equation: &Equation<'_>, y: &[f64]) -> bool {
    if !products(equation, y).all(|(w, y, _)| is_exact_product(w, y)) {
        return false;
    }
    // All partial sums are multiples of the last bit of the finest product.
    let finest = products(equation, y).map(|(.., p)| last_bit(p)).fold(f64::INFINITY, f64::min);
    let magnitude: f64 = products(equation, y).map(|(.., p)| p.abs()).sum();
    if magnitude <= finest * MAX_EXACT {
        return true;
    }
    // The sum of two products may be exact because they cancel.
    let mut terms = products(equation, y).map(|(.., product)| product);
    match (terms.next(), terms.next(), terms.next()) {
        (Some(a), Some(b), None) => exact_sum(a, b).is_some(),
        _ => false,
    }
}

/// Returns the value of the last bit that is set in a number's significand.
fn last_bit(x: f64) -> f64 {
    let bits = x.abs().to_bits();
    let cleared = bits & (bits - 1);
    // For a power of two, the last set bit would be one of the exponent.
    if bits & ((1 << 52) - 1) == 0 { x.abs() } else { x.abs() - f64::from_bits(cleared) }
}

/// Returns whether ⌊relu(·)⌋ of the sum of an equation is the same for all orders of summation: no integer
/// lies within the error bound of the sum.
fn has_stable_gate(equation: &Equation<'_>, y: &[f64]) -> bool {
    let (sum, magnitude, terms) = products(equation, y)
        .fold((0.0, 0.0, 0.0), |(sum, magnitude, n), (.., p)| (sum + p, magnitude + p.abs(), n + 1.0));
    // Each product and each sum errs by half a unit in the last place; twice that for safety.
    let error = magnitude * (terms + 1.0) * f64::EPSILON;
    let quantized = |g: f64| g.max(0.0).floor();
    error.is_finite() && quantized(sum - error) == quantized(sum + error)
}

#[cfg(test)]
mod tests;
