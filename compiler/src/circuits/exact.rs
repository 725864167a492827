//! Numbers that cannot round: linear forms are made of them on their way to the weights of a network.

use std::ops::{Add, Mul, Neg, Sub};

/// A 64-bit integer, or a 64-bit number of halves, quarters, ….
///
/// Arithmetic is exact or the result is [`Exact::LOST`], which stays lost whatever is done with it and which
/// no conversion accepts: a number that cannot be held is found where it is used, not rounded on the way.
///
/// Packed, so that a term of a linear form takes no more room than with a float64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(Rust, packed(4))]
pub struct Exact {
    /// Odd unless `scale` is 0, so that equal numbers have equal bits; never `i64::MIN`.
    mantissa: i64,
    /// The number is `mantissa · 2^-scale`.
    scale: u32,
}

impl Exact {
    /// 0.
    pub const ZERO: Exact = Exact { mantissa: 0, scale: 0 };
    /// 1.
    pub const ONE: Exact = Exact { mantissa: 1, scale: 0 };
    /// The result of arithmetic that cannot be held.
    pub const LOST: Exact = Exact { mantissa: 0, scale: u32::MAX };

    /// Returns `mantissa · 2^-scale`.
    fn new(mantissa: i128, scale: u32) -> Exact {
        if mantissa == 0 {
            return Exact::ZERO;
        }
        let even = mantissa.trailing_zeros().min(scale);
        match i64::try_from(mantissa >> even) {
            Ok(mantissa) if mantissa != i64::MIN => Exact { mantissa, scale: scale - even },
            _ => Exact::LOST,
        }
    }

    fn integer(x: i64) -> Exact {
        if x == i64::MIN { Exact::LOST } else { Exact { mantissa: x, scale: 0 } }
    }

    /// Returns the float64 nearest to 1/s, the only number here that is the result of a rounding. The gate of
    /// a division by a constant is `(x + ½)` times it, by the certificate's rule 2, and nothing is ever added
    /// to that.
    pub fn reciprocal(s: u32) -> Exact {
        let bits = (1.0 / f64::from(s)).to_bits();
        let (exponent, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
        // 1 / s is between 2^-32 and 1, so never subnormal.
        Exact::new((fraction | 1 << 52).into(), (1075 - exponent) as u32)
    }

    /// Returns whether it is [`Exact::LOST`].
    pub fn is_lost(self) -> bool {
        self.scale == u32::MAX
    }

    /// Returns whether it is 2^k for some k.
    pub fn is_power_of_two(self) -> bool {
        !self.is_lost() && self.mantissa > 0 && self.mantissa.count_ones() == 1
    }

    /// Returns the integer that it is, if it is one.
    pub fn as_integer(self) -> Option<i64> {
        (self.scale == 0).then_some(self.mantissa)
    }

    /// Returns the `scale` of `mantissa · 2^-scale`; `None` if it is lost.
    pub fn scale(self) -> Option<u32> {
        (!self.is_lost()).then_some(self.scale)
    }

    /// Returns the number times `2^scale`, if that is an integer that can be held.
    pub fn scaled(self, scale: u32) -> Option<i128> {
        let shift = scale.checked_sub(self.scale)?;
        // A mantissa has 63 bits.
        (shift < 64).then(|| i128::from(self.mantissa) << shift)
    }

    /// Returns the float64 that it is, if it is one. All weights come from here.
    pub fn to_f64(self) -> Option<f64> {
        // Beyond these scales a power of two, and a number of 53 bits times it, need not be a float64.
        if self.scale > 900 {
            return None;
        }
        let rounded = self.mantissa as f64;
        // A division by a power of two changes the exponent only.
        let unit = f64::from_bits(u64::from(1023 + self.scale) << 52);
        (rounded as i128 == i128::from(self.mantissa)).then_some(rounded / unit)
    }
}

impl Add for Exact {
    type Output = Exact;
    fn add(self, other: Exact) -> Exact {
        if self.scale == 0 && other.scale == 0 {
            return self.mantissa.checked_add(other.mantissa).map_or(Exact::LOST, Exact::integer);
        }
        let (Some(a), Some(b)) = (self.scale(), other.scale()) else { return Exact::LOST };
        let scale = a.max(b);
        match (self.scaled(scale), other.scaled(scale)) {
            // Each is below 2^127, and the one whose scale is larger below 2^63.
            (Some(x), Some(y)) => x.checked_add(y).map_or(Exact::LOST, |sum| Exact::new(sum, scale)),
            // The number with the larger scale has a bit more than 63 places below the lowest bit of the
            // other, unless one of them is 0.
            _ if self == Exact::ZERO => other,
            _ if other == Exact::ZERO => self,
            _ => Exact::LOST,
        }
    }
}

impl Neg for Exact {
    type Output = Exact;
    fn neg(self) -> Exact {
        Exact { mantissa: -self.mantissa, ..self }
    }
}

impl Sub for Exact {
    type Output = Exact;
    fn sub(self, other: Exact) -> Exact {
        self + -other
    }
}

impl Mul for Exact {
    type Output = Exact;
    fn mul(self, other: Exact) -> Exact {
        if self.scale == 0 && other.scale == 0 {
            return self.mantissa.checked_mul(other.mantissa).map_or(Exact::LOST, Exact::integer);
        }
        let (Some(a), Some(b)) = (self.scale(), other.scale()) else { return Exact::LOST };
        // Scales are far below 2^31: only products make them grow, and few products follow each other.
        let Some(scale) = a.checked_add(b).filter(|scale| *scale < u32::MAX) else { return Exact::LOST };
        Exact::new(i128::from(self.mantissa) * i128::from(other.mantissa), scale)
    }
}

impl From<i64> for Exact {
    fn from(x: i64) -> Exact {
        Exact::integer(x)
    }
}

impl From<i32> for Exact {
    fn from(x: i32) -> Exact {
        Exact { mantissa: x.into(), scale: 0 }
    }
}

impl From<u32> for Exact {
    fn from(x: u32) -> Exact {
        Exact { mantissa: x.into(), scale: 0 }
    }
}

impl From<u64> for Exact {
    fn from(x: u64) -> Exact {
        Exact::new(x.into(), 0)
    }
}

/// Returns 2^k.
pub fn pow2(k: i32) -> Exact {
    match k {
        0..=62 => Exact { mantissa: 1 << k, scale: 0 },
        ..0 => Exact { mantissa: 1, scale: k.unsigned_abs() },
        _ => Exact::LOST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    /// Returns numbers around powers of two, of both signs and at many scales, and 0.
    fn number(random: &mut Rng) -> Exact {
        let k = random.usize(..63);
        let near = (1i64 << k) + random.usize(..3) as i64 - 1;
        let signed = if random.usize(..2) == 0 { near } else { -near };
        Exact::new(signed.into(), [0, 0, 1, 3, 31, 32, 60][random.usize(..7)])
    }

    /// Returns the number times 2^63, if it is not too large.
    fn wide(x: Exact) -> Option<i128> {
        x.scaled(63).filter(|x| x.unsigned_abs() < 1 << 125)
    }

    #[test]
    fn sums_and_products_are_exact_or_lost() {
        let mut random = Rng::with_seed(7);
        let (mut exact, mut lost) = (0, 0);
        for _ in 0..100_000 {
            let (a, b) = (number(&mut random), number(&mut random));
            let sum = a + b;
            if let (Some(x), Some(y)) = (wide(a), wide(b)) {
                match sum.scaled(63) {
                    Some(sum) => assert_eq!(sum, x + y, "{a:?} + {b:?}"),
                    None => assert!(sum.is_lost(), "{a:?} + {b:?} = {sum:?}"),
                }
                // What could be held is not lost.
                let bits = 127 - (x + y).unsigned_abs().leading_zeros().min(127);
                let span = bits.saturating_sub((x + y).trailing_zeros().min(63));
                assert!(!sum.is_lost() || span >= 62, "{a:?} + {b:?}");
                if sum.is_lost() { lost += 1 } else { exact += 1 }
            }
            assert_eq!(a + b - b, if sum.is_lost() { Exact::LOST } else { a });
            let product = a * b;
            let mantissas = i128::from(a.mantissa) * i128::from(b.mantissa);
            match product.is_lost() {
                true => {
                    let even = mantissas.trailing_zeros().min(a.scale + b.scale);
                    assert!(mantissas.unsigned_abs() >> even >= 1 << 63, "{a:?} · {b:?}");
                }
                false => assert_eq!(product.scaled(a.scale + b.scale).unwrap_or(mantissas), mantissas),
            }
            assert_eq!(-(-a), a);
            assert_eq!(a - a, Exact::ZERO);
        }
        assert!(exact > 10_000 && lost > 100, "{exact} exact, {lost} lost");
    }

    #[test]
    fn only_what_a_float64_holds_is_converted() {
        for k in 0..62 {
            for by in [0, 1, 3] {
                let x = (1i64 << k) + by;
                for scale in [0, 1, 40, 100, 900] {
                    let exact = Exact::new(x.into(), scale);
                    let float = exact.to_f64();
                    let odd = x >> x.trailing_zeros();
                    assert_eq!(float.is_some(), odd < 1 << 53, "{x}");
                    if let Some(float) = float {
                        assert_eq!(float * 2f64.powi(scale as i32), x as f64);
                        assert_eq!((-exact).to_f64(), Some(-float));
                    }
                }
            }
        }
        assert_eq!(Exact::LOST.to_f64(), None);
        assert_eq!(Exact::ZERO.to_f64().map(f64::to_bits), Some(0));
        assert_eq!((pow2(56) + 3.into()).to_f64(), None);
        assert_eq!((pow2(56) + 3.into() - pow2(56)).to_f64(), Some(3.0));
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let lost = pow2(62) * pow2(1);
        assert!(lost.is_lost());
        for x in [Exact::ZERO, Exact::ONE, pow2(-62), 5.into()] {
            assert!((lost + x).is_lost() && (x + lost).is_lost() && (x - lost).is_lost());
            assert!((lost * x).is_lost() && (x * lost).is_lost());
        }
        assert!(lost.as_integer().is_none() && !lost.is_power_of_two());
        assert!((pow2(40) + pow2(-40)).is_lost() && (Exact::from(i64::MIN)).is_lost());
        assert!(Exact::from(u64::MAX).is_lost());
    }

    #[test]
    fn reciprocals_are_the_floats_next_to_them() {
        for s in (1..2000).chain([1 << 31, u32::MAX, u32::MAX - 1, 641, 6700417]) {
            assert_eq!(Exact::reciprocal(s).to_f64(), Some(1.0 / f64::from(s)));
        }
    }
}
