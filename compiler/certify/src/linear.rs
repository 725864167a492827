//! Integer linear forms, and float weights as integers on a dyadic grid.

use smallvec::SmallVec;

/// A variable of the proof of one step: see [`Variables`](super::assumptions::Variables).
pub(super) type Var = u32;

/// Integers are kept below this magnitude, so that signs and differences never overflow.
const LIMIT: i128 = 1 << 120;

/// Returns an integer if it is not too large.
pub(super) fn small(x: i128) -> Option<i128> {
    (-LIMIT < x && x < LIMIT).then_some(x)
}

/// Returns the product of two integers, if it is not too large for the type. Factors are seldom large, and 128 bits are
/// slow to multiply, above all in WebAssembly.
pub(super) fn times(a: i128, b: i128) -> Option<i128> {
    match (i32::try_from(a), i32::try_from(b)) {
        (Ok(a), Ok(b)) => Some((i64::from(a) * i64::from(b)).into()),
        _ => a.checked_mul(b),
    }
}

/// A linear form with integer coefficients. Operations return `None` if an integer becomes too large; nothing
/// is known of the linear form then.
#[derive(Clone, Debug, Default)]
pub(super) struct Linear {
    pub constant: i128,
    /// No coefficient is 0, no variable occurs twice.
    pub terms: SmallVec<[(Var, i128); 6]>,
}

impl Linear {
    pub fn add_constant(&mut self, c: i128) -> Option<()> {
        self.constant = small(self.constant.checked_add(c)?)?;
        Some(())
    }

    pub fn add(&mut self, var: Var, c: i128) -> Option<()> {
        match self.terms.iter().position(|t| t.0 == var) {
            None if c != 0 => self.terms.push((var, small(c)?)),
            None => {}
            Some(i) => {
                self.terms[i].1 = small(self.terms[i].1.checked_add(c)?)?;
                if self.terms[i].1 == 0 {
                    self.terms.swap_remove(i);
                }
            }
        }
        Some(())
    }

    /// Adds `c` times another linear form.
    pub fn add_form(&mut self, other: &Linear, c: i128) -> Option<()> {
        self.add_constant(times(other.constant, c)?)?;
        other.terms.iter().try_for_each(|&(var, w)| self.add(var, times(w, c)?))
    }

    /// Multiplies by `c`, which is not 0.
    pub fn multiply(&mut self, c: i128) -> Option<()> {
        self.constant = small(times(self.constant, c)?)?;
        for (_, w) in &mut self.terms {
            *w = small(times(*w, c)?)?;
        }
        Some(())
    }

    pub fn coefficient(&self, var: Var) -> i128 {
        self.terms.iter().find(|t| t.0 == var).map_or(0, |t| t.1)
    }

    /// Returns its value if it is constant.
    pub fn as_constant(&self) -> Option<i128> {
        self.terms.is_empty().then_some(self.constant)
    }

    /// Returns its variable if it is `scale` times a variable.
    pub fn as_var(&self, scale: i128) -> Option<Var> {
        match self.terms[..] {
            [(var, w)] if w == scale && self.constant == 0 => Some(var),
            _ => None,
        }
    }
}

/// Returns a finite weight that is not 0 as `mantissa · 2^exponent` with an odd mantissa.
pub(super) fn dyadic(w: f64) -> (i64, i32) {
    let bits = w.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let (mantissa, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    let zeros = mantissa.trailing_zeros();
    let mantissa = mantissa >> zeros;
    (if w < 0.0 { -mantissa } else { mantissa }, exponent + zeros as i32)
}

/// Returns the greatest common divisor of two magnitudes, which are not both 0.
pub(super) fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        // Divisions of 64 bits are much faster, and soon suffice.
        (a, b) = match (u64::try_from(a), u64::try_from(b)) {
            (Ok(x), Ok(y)) => (b, (x % y).into()),
            _ => (b, a % b),
        };
    }
    a as i128
}
