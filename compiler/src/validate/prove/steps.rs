//! The network's side: the steps of a packet, by the definition of a step.

use super::atoms::{Maybe, Span, Stop};
use super::memory::Trace;
use super::poly::{Poly, TooLarge};
use super::terms::Terms;
use super::world::integer;
use wasm2onnx_runtime::{ExpertId, Field, FieldKind, Network, Source, SourceKind};

/// A number of `z` or `y`, and where it lies as far as that is known.
#[derive(Clone, Debug)]
pub struct Number {
    /// The number.
    pub p: Poly,
    /// Where it lies, at least as narrow as the polynomial itself shows.
    pub span: Span,
}

impl Number {
    /// Makes a number of which nothing more is known.
    pub fn new(terms: &mut Terms, p: Poly) -> Maybe<Number> {
        let span = terms.range(&p)?;
        Ok(Number { p, span })
    }
}

/// The state of the network.
pub struct Steps<'a> {
    network: &'a Network,
    /// Fields of `z`; what is not there is 0.
    z: Vec<Option<Number>>,
    /// Rows that were appended.
    pub trace: Trace,
}

/// Returns an integer and the exponent of a power of two whose product is a weight.
fn dyadic(weight: f64) -> (i128, i32) {
    if weight == 0.0 {
        return (0, 0);
    }
    let bits = weight.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let fraction = (bits & ((1 << 52) - 1)) as i128;
    // Weights are finite; subnormal ones have exponents that `sum` refuses.
    let (mantissa, exponent) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction | 1 << 52, exponent - 1075),
    };
    let zeros = mantissa.trailing_zeros();
    let mantissa = mantissa >> zeros;
    (if weight < 0.0 { -mantissa } else { mantissa }, exponent + zeros as i32)
}

/// Returns Σ weight · number as a fraction: the numerator, and the binary logarithm of the denominator.
pub fn sum<'n>(terms: impl Iterator<Item = (&'n Number, f64)> + Clone) -> Maybe<(Number, u32)> {
    let scale = terms.clone().map(|(_, weight)| -dyadic(weight).1).fold(0, i32::max);
    if scale > 100 {
        return Err(TooLarge.into());
    }
    let (mut p, mut span) = (Poly::default(), Span::point(0));
    for (number, weight) in terms {
        let (mantissa, exponent) = dyadic(weight);
        let shift = exponent + scale;
        if shift > 100 {
            return Err(TooLarge.into());
        }
        let factor = mantissa.checked_mul(1 << shift).ok_or(TooLarge)?;
        p = p.plus(factor, &number.p)?;
        let more = number.span.product(Span::point(factor))?;
        span = Span::new(
            span.lo.checked_add(more.lo).ok_or(TooLarge)?,
            span.hi.checked_add(more.hi).ok_or(TooLarge)?,
        );
    }
    Ok((Number { p, span }, scale as u32))
}

/// Returns the integer that such a fraction is.
pub fn whole((number, scale): (Number, u32)) -> Maybe<Poly> {
    number.p.divided(1 << scale).ok_or(Stop::Unknown("a field is no integer"))
}

impl<'a> Steps<'a> {
    /// Begins a packet: `z` is 0, and no rows have been appended.
    pub fn new(network: &'a Network) -> Steps<'a> {
        Steps { network, z: vec![None; network.ports.fields()], trace: Trace::default() }
    }

    /// Sets a field.
    pub fn set(&mut self, field: Field, number: Number) {
        self.z[usize::from(field)] = Some(number);
    }

    /// Returns a field.
    pub fn field(&self, field: Field) -> Number {
        let number = self.z.get(usize::from(field)).cloned().flatten();
        number.unwrap_or(Number { p: Poly::default(), span: Span::point(0) })
    }

    /// Appends the rows in `z`. Lemma: a row whose key is 0 is no row.
    pub fn remember(&mut self) {
        let ports = &self.network.ports;
        for row in 0..ports.rows {
            if let Some(key) = self.z[usize::from(ports.k(row))].take()
                && !key.p.is_zero()
            {
                let value = self.field(ports.x(row)).p;
                self.trace.write(key.p, value);
            }
        }
    }

    /// Takes one step. Returns the next expert.
    pub fn step(&mut self, terms: &mut Terms, expert: ExpertId) -> Maybe<Poly> {
        self.remember();
        let network = self.network;
        let ports = &network.ports;
        let mut y: Vec<Option<Number>> = vec![None; ports.sources()];
        let mut next = vec![None; ports.fields()];
        let mut following = Poly::default();
        for equation in network.experts.equations(expert) {
            for source in equation.sources {
                let i = usize::from(*source);
                if y[i].is_none() {
                    y[i] = Some(self.source(terms, *source)?);
                }
            }
            let number = |source: &Source| y[usize::from(*source)].as_ref().expect("it was made");
            let weighted = equation.sources.iter().map(number).zip(equation.weights.iter().copied());
            if equation.field == ports.e() {
                following = whole(sum(weighted)?)?;
                continue;
            }
            let made = if ports.kind(equation.field).0 == FieldKind::N {
                let p = match reciprocal(equation.sources, equation.weights, number) {
                    Some((p, s)) => terms.floor(&p, s)?,
                    None => {
                        let (gate, scale) = sum(weighted)?;
                        let p = terms.gate(&gate.p, 1 << scale, gate.span)?;
                        let Span { lo, hi } = gate.span;
                        terms.note(&p, Span::new(lo.max(0) >> scale, hi.max(0) >> scale))?;
                        p
                    }
                };
                Number::new(terms, p)?
            } else {
                let (number, scale) = sum(weighted)?;
                let span = number.span;
                let p = whole((number, scale))?;
                let own = terms.range(&p)?;
                let div = |x: i128| x >> scale;
                Number { p, span: own.meet(Span::new(-div(-span.lo), div(span.hi))) }
            };
            if made.span.lo > made.span.hi {
                return Err(Stop::Impossible);
            }
            next[usize::from(equation.field)] = Some(made);
        }
        self.z = next;
        Ok(following)
    }

    fn source(&mut self, terms: &mut Terms, source: Source) -> Maybe<Number> {
        let ports = &self.network.ports;
        match ports.source_kind(source) {
            (SourceKind::One, _) => Number::new(terms, Poly::constant(1)),
            (SourceKind::S, port) => Ok(self.field(ports.s(port))),
            (SourceKind::U, port) => {
                let (n, v) = (self.field(ports.n(port)), self.field(ports.v(port)));
                let p = terms.product(&n.p, &v.p)?;
                let span = terms.range(&p)?.meet(n.span.product(v.span)?);
                if span.lo > span.hi { Err(Stop::Impossible) } else { Ok(Number { p, span }) }
            }
            (SourceKind::R, port) => {
                let key = self.field(ports.q(port)).p;
                let p = self.trace.read(terms, &key)?;
                Number::new(terms, p)
            }
            (SourceKind::W, port) => {
                let key = self.field(ports.t(port)).p;
                let p = terms.lookup(&key)?;
                Number::new(terms, p)
            }
        }
    }
}

/// Returns a number and the constant by which a gate divides it, if the gate is such a division.
///
/// Lemma: with w = 1/s, rounded, ⌊(x + ½) · w⌋ is ⌊x/s⌋ for all integers 0 ≤ x < 2^50, however the sum is
/// rounded.
fn reciprocal<'n>(
    sources: &[Source],
    weights: &[f64],
    number: impl Fn(&Source) -> &'n Number,
) -> Option<(Poly, i128)> {
    let ([one, source], [half, w]) = (sources, weights) else { return None };
    let x = number(source);
    if *one != wasm2onnx_runtime::Ports::ONE || !(0.0..0.5).contains(w) || half + half != *w {
        return None;
    }
    let s = (1.0 / w).round();
    let fits = (2.0..4294967296.0).contains(&s) && 1.0 / s == *w && x.span.within(0, (1 << 50) - 1);
    if fits && s.log2().fract() != 0.0 { Some((x.p.clone(), integer(s).ok()?)) } else { None }
}
