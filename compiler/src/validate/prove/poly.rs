//! Polynomials over atoms with exact integer coefficients.

/// An atom: an index of [`super::terms::Terms`]. It stands for one integer in each state of a packet's entry.
pub type Atom = u32;

/// Maximum number of atoms of a packet: an atom takes 16 bits of a monomial.
pub const ATOMS: usize = 0xffff;

/// A product of up to eight atoms; a power is the atom repeated. The empty product is 1, and less than all
/// others.
///
/// Each atom takes 16 bits, which hold its index plus 1. Atoms ascend from the lowest bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mono(u128);

impl Mono {
    /// The monomial 1.
    pub const ONE: Mono = Mono(0);

    /// Returns the monomial of just one atom.
    pub fn atom(atom: Atom) -> Mono {
        Mono(u128::from(atom) + 1)
    }

    /// Returns the product of atoms that ascend; `None` if there are too many.
    pub fn of(atoms: &[Atom]) -> Option<Mono> {
        let packed = atoms.iter().rev().fold(0, |packed, atom| packed << 16 | u128::from(*atom + 1));
        (atoms.len() <= 8).then_some(Mono(packed))
    }

    /// Returns its atoms, ascending.
    pub fn atoms(self) -> impl Iterator<Item = Atom> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let atom = (rest & 0xffff) as Atom;
            rest >>= 16;
            atom.checked_sub(1)
        })
    }

    /// Returns the atom, if it is just one.
    pub fn as_atom(self) -> Option<Atom> {
        if self.0 <= 0xffff { (self.0 as Atom).checked_sub(1) } else { None }
    }

    /// Returns whether it is 1.
    pub fn is_one(self) -> bool {
        self.0 == 0
    }

    /// Returns whether it is a product of more than one atom.
    pub fn is_product(self) -> bool {
        self.0 > 0xffff
    }

    /// Returns whether an atom is a factor.
    pub fn contains(self, atom: Atom) -> bool {
        self.atoms().any(|a| a == atom)
    }

    /// Returns the monomial without an atom.
    fn without(self, atom: Atom) -> Mono {
        let (mut packed, mut shift) = (0, 0);
        for a in self.atoms().filter(|a| *a != atom) {
            packed |= u128::from(a + 1) << shift;
            shift += 16;
        }
        Mono(packed)
    }
}

/// Coefficients beyond this are not computed with, so that no sum of two overflows. Products are checked.
const LARGEST: i128 = 1 << 110;

/// Maximum number of terms of a polynomial.
const TERMS: usize = 400;

/// A polynomial: terms ascending by their monomials, without coefficients of 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Poly {
    /// Monomials and coefficients. The constant term is the first, if there is one.
    pub terms: Vec<(Mono, i128)>,
}

/// What cannot be computed within the limits of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl Poly {
    /// Returns a constant.
    pub fn constant(c: i128) -> Poly {
        Poly { terms: if c == 0 { Vec::new() } else { vec![(Mono::ONE, c)] } }
    }

    /// Returns the polynomial of just one atom.
    pub fn atom(atom: Atom) -> Poly {
        Poly { terms: vec![(Mono::atom(atom), 1)] }
    }

    /// Makes a polynomial from terms in any order; a monomial may occur any number of times.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn from_terms(mut terms: Vec<(Mono, i128)>) -> Result<Poly, TooLarge> {
        terms.sort_unstable_by_key(|term| term.0);
        let mut out: Vec<(Mono, i128)> = Vec::with_capacity(terms.len());
        for (mono, c) in terms {
            match out.last_mut() {
                Some(last) if last.0 == mono => last.1 = last.1.checked_add(c).ok_or(TooLarge)?,
                _ => out.push((mono, c)),
            }
        }
        out.retain(|term| term.1 != 0);
        Poly { terms: out }.checked()
    }

    fn checked(self) -> Result<Poly, TooLarge> {
        let fits = self.terms.len() <= TERMS && self.terms.iter().all(|term| term.1.abs() < LARGEST);
        if fits { Ok(self) } else { Err(TooLarge) }
    }

    /// Returns whether it is 0.
    pub fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// Returns the number that it is, if it has no atoms.
    pub fn as_constant(&self) -> Option<i128> {
        match &self.terms[..] {
            [] => Some(0),
            [(Mono::ONE, c)] => Some(*c),
            _ => None,
        }
    }

    /// Returns its constant term.
    pub fn constant_term(&self) -> i128 {
        self.terms.first().filter(|term| term.0.is_one()).map_or(0, |term| term.1)
    }

    /// Returns its terms without the constant one.
    pub fn others(&self) -> &[(Mono, i128)] {
        match self.terms.first() {
            Some(first) if first.0.is_one() => &self.terms[1..],
            _ => &self.terms,
        }
    }

    /// Returns the coefficient of a monomial.
    pub fn coefficient(&self, mono: Mono) -> i128 {
        self.terms.binary_search_by_key(&mono, |term| term.0).map_or(0, |i| self.terms[i].1)
    }

    /// Returns the atom, if it is just one.
    pub fn as_atom(&self) -> Option<Atom> {
        match &self.terms[..] {
            [(mono, 1)] => mono.as_atom(),
            _ => None,
        }
    }

    /// Returns `self + scale · other`.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn plus(&self, scale: i128, other: &Poly) -> Result<Poly, TooLarge> {
        let mut out = Vec::with_capacity(self.terms.len() + other.terms.len());
        let (mut a, mut b) = (self.terms.iter().peekable(), other.terms.iter().peekable());
        let scaled = |c: i128| c.checked_mul(scale).ok_or(TooLarge);
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            match x.0.cmp(&y.0) {
                std::cmp::Ordering::Less => out.extend(a.next()),
                std::cmp::Ordering::Greater => {
                    out.push((y.0, scaled(y.1)?));
                    b.next();
                }
                std::cmp::Ordering::Equal => {
                    let c = x.1.checked_add(scaled(y.1)?).ok_or(TooLarge)?;
                    if c != 0 {
                        out.push((x.0, c));
                    }
                    a.next();
                    b.next();
                }
            }
        }
        out.extend(a);
        for y in b {
            out.push((y.0, scaled(y.1)?));
        }
        out.retain(|term| term.1 != 0);
        Poly { terms: out }.checked()
    }

    /// Returns `scale · self`.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn times(&self, scale: i128) -> Result<Poly, TooLarge> {
        Poly::default().plus(scale, self)
    }

    /// Returns `self + c`.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn offset(&self, c: i128) -> Result<Poly, TooLarge> {
        if c == 0 { Ok(self.clone()) } else { self.plus(1, &Poly::constant(c)) }
    }

    /// Returns `self / d`, if all coefficients are multiples of `d`.
    pub fn divided(&self, d: i128) -> Option<Poly> {
        let terms: Option<Vec<_>> =
            self.terms.iter().map(|(mono, c)| (c % d == 0).then(|| (*mono, c / d))).collect();
        terms.map(|terms| Poly { terms })
    }

    /// Returns whether all coefficients are multiples of `d`.
    pub fn is_multiple(&self, d: i128) -> bool {
        self.terms.iter().all(|term| term.1 % d == 0)
    }

    /// Divides coefficient by coefficient, and returns quotient and rest: `self = d · quotient + rest`. The
    /// rest's coefficients are as small as possible, and its constant is not negative.
    pub fn split(&self, d: i128) -> (Poly, Poly) {
        let (mut quotient, mut rest) = (Vec::new(), Vec::new());
        for (mono, c) in &self.terms {
            let mut r = c.rem_euclid(d);
            if !mono.is_one() && 2 * r > d {
                r -= d;
            }
            let q = (c - r) / d;
            if q != 0 {
                quotient.push((*mono, q));
            }
            if r != 0 {
                rest.push((*mono, r));
            }
        }
        (Poly { terms: quotient }, Poly { terms: rest })
    }

    /// Returns the polynomial in which an atom has the value 0 or 1.
    ///
    /// # Errors
    ///
    /// If it is too large.
    pub fn with_bit(&self, atom: Atom, bit: bool) -> Result<Poly, TooLarge> {
        let mut terms = Vec::with_capacity(self.terms.len());
        for (mono, c) in &self.terms {
            if !mono.contains(atom) {
                terms.push((*mono, *c));
            } else if bit {
                terms.push((mono.without(atom), *c));
            }
        }
        Poly::from_terms(terms)
    }

    /// Returns the greatest common divisor of all coefficients but the constant one.
    pub fn content(&self) -> i128 {
        self.others().iter().fold(0, |g, term| gcd(g, term.1))
    }
}

/// Returns the greatest common divisor, which is not negative.
pub fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
