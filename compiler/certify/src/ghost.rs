//! Proves the ghosts of the next expert: linear forms in fields, some of which are floors of gates. They
//! become linear forms in the variables of the expert that makes the fields.

use smallvec::SmallVec;
use wasm2onnx_runtime::{Domain, ExpertId, FieldKind, Ghost, Interval, Source};

use super::assumptions::{Bounds, INFINITE, MAX_SPLIT, floor_div};
use super::failure::{Broken, Failure};
use super::linear::{Linear, gcd, small};
use super::step::{Prover, Splits, proved};
use super::world::ghost_name;

/// Maximum number of gates of a ghost that are split at 1.
const MAX_SPLIT_GATES: usize = 3;

/// A gate that occurs in a ghost: the equation that makes it, and its coefficient.
#[derive(Clone, Copy, Debug)]
struct Gate {
    equation: usize,
    coefficient: i128,
}

/// A ghost, multiplied by `scale`.
struct Composed {
    /// The part that is linear in sources.
    sources: SmallVec<[(Source, i128); 8]>,
    gates: SmallVec<[Gate; 4]>,
    scale: i128,
    /// What is declared of the ghost, multiplied as well.
    want: Bounds,
}

impl Prover<'_> {
    /// Proves a ghost of the next expert.
    pub fn ghost(&mut self, next: ExpertId, ghost: Ghost<'_>) -> Result<(), Failure> {
        let Interval { lo, hi } = ghost.range;
        let want = Bounds {
            lo: if lo == i64::MIN { -INFINITE } else { lo.into() },
            hi: if hi == i64::MAX { INFINITE } else { hi.into() },
        };
        if self.ghost_in_box(ghost).is_some_and(|found| found.within(want)) {
            return Ok(());
        }
        let mut found = proved(Bounds::ALL, 1);
        if let Some(composed) = self.compose(ghost, want) {
            let bounds = self.composed_bounds(&composed);
            if bounds.within(composed.want) {
                return Ok(());
            }
            found = proved(bounds, composed.scale);
        }
        let field = ghost.terms.first().map_or(self.net.ports.e(), |term| term.0);
        let ghost_name = ghost_name(self.net, ghost.terms);
        Err(self.fail_equation(
            field,
            Broken::Ghost { next, ghost: ghost_name, declared: ghost.range, proved: found },
        ))
    }

    /// Returns the bounds of a ghost on the box of the fields.
    fn ghost_in_box(&self, ghost: Ghost<'_>) -> Option<Bounds> {
        ghost.terms.iter().try_fold(Bounds::point(0), |sum, &(field, w)| {
            let x = self.made(field).map_or(Interval::point(0), |equation| self.equations[equation].range);
            let (a, b) = (i128::from(w) * i128::from(x.lo), i128::from(w) * i128::from(x.hi));
            Some(Bounds { lo: sum.lo.checked_add(a.min(b))?, hi: sum.hi.checked_add(a.max(b))? })
        })
    }

    /// Replaces the fields of a ghost by their equations, and multiplies by what makes all coefficients
    /// integers.
    fn compose(&self, ghost: Ghost<'_>, want: Bounds) -> Option<Composed> {
        let mut gates = SmallVec::<[Gate; 4]>::new();
        let mut scale = 1i128;
        for &(field, w) in ghost.terms {
            let Some(equation) = self.made(field) else { continue };
            if self.net.ports.kind(field).0 != FieldKind::N {
                continue;
            }
            // Equal equations make equal gates, whatever their floors are.
            let same = |gate: &&mut Gate| {
                let weights = &self.net.experts.weights;
                let (a, b) = (&self.equations[gate.equation], &self.equations[equation]);
                self.sources(gate.equation) == self.sources(equation)
                    && weights[a.terms.clone()] == weights[b.terms.clone()]
            };
            let coefficient = i128::from(w);
            if !self.state.spend(gates.len() + 1) {
                return None;
            }
            match gates.iter_mut().find(same) {
                Some(gate) => gate.coefficient += coefficient,
                None => gates.push(Gate { equation, coefficient }),
            }
        }
        gates.retain(|gate| gate.coefficient != 0);
        for gate in &gates {
            let s = self.equations[gate.equation].scale;
            scale = small(scale.checked_mul(s / gcd(scale, s))?)?;
        }
        let mut sources = SmallVec::new();
        for &(field, w) in ghost.terms {
            if let Some(equation) = self.made(field)
                && self.net.ports.kind(field).0 != FieldKind::N
            {
                self.add_equation(&mut sources, equation, scale.checked_mul(w.into())?)?;
            }
        }
        // The ghost is an integer: after division by the scale its bounds are rounded inwards.
        let want = Bounds {
            lo: match want.lo {
                lo if lo == -INFINITE => lo,
                lo => lo.checked_mul(scale)?.checked_sub(scale - 1)?,
            },
            hi: match want.hi {
                INFINITE => INFINITE,
                hi => hi.checked_mul(scale)?.checked_add(scale - 1)?,
            },
        };
        Some(Composed { sources, gates, scale, want })
    }

    /// Adds `c` times the linear form of an equation to a linear form in sources.
    fn add_equation(
        &self,
        sources: &mut SmallVec<[(Source, i128); 8]>,
        equation: usize,
        c: i128,
    ) -> Option<()> {
        for (&source, &w) in self.sources(equation).iter().zip(self.weights(equation)) {
            let c = c.checked_mul(w.into())?;
            if !self.state.spend(sources.len() + 1) {
                return None;
            }
            match sources.iter_mut().find(|term| term.0 == source) {
                Some(term) => term.1 = small(term.1.checked_add(c)?)?,
                None => sources.push((source, c)),
            }
        }
        Some(())
    }

    /// Returns the hull of a ghost's bounds in all cases of the units in it.
    fn composed_bounds(&mut self, composed: &Composed) -> Bounds {
        // Units that remain if each floor is taken as its gate minus a fraction.
        let mut all = composed.sources.clone();
        for gate in &composed.gates {
            let factor = composed.scale / self.equations[gate.equation].scale;
            if factor
                .checked_mul(gate.coefficient)
                .and_then(|c| self.add_equation(&mut all, gate.equation, c))
                .is_none()
            {
                return Bounds::ALL;
            }
        }
        let remaining: SmallVec<[Source; 8]> =
            all.iter().filter(|term| term.1 != 0).map(|term| term.0).collect();
        let mut vars = Splits::new();
        self.state.splits(&remaining, false, &mut vars);
        for gate in composed.gates.iter().filter(|gate| self.equations[gate.equation].form.lo < 0) {
            self.state.splits(self.sources(gate.equation), false, &mut vars);
        }
        vars.truncate(MAX_SPLIT);
        let mut found = Bounds::NONE;
        for case in 0..1 << vars.len() {
            let mark = self.state.mark();
            if self.state.assume(&vars, case) {
                let mut form = Linear::default();
                let mut terms = composed.sources.iter();
                let lifted = terms.try_for_each(|&(source, c)| self.state.add_source(&mut form, source, c));
                found = found.hull(match lifted {
                    Some(()) => self.floors(composed, 0, form, 0).unwrap_or(Bounds::ALL),
                    None => Bounds::ALL,
                });
            }
            self.state.leave(mark);
        }
        found
    }

    /// Returns bounds of a linear form plus the gates from number `first` on. Each floor is taken as a
    /// constant or as its gate minus a fraction, or it is split: it is 0 if the gate is below 1.
    fn floors(&mut self, composed: &Composed, first: usize, form: Linear, splits: usize) -> Option<Bounds> {
        let want = composed.want;
        let Some(&Gate { equation, coefficient }) = composed.gates.get(first) else {
            return Some(self.state.bounds(&form, want));
        };
        let scale = self.equations[equation].scale;
        let gate = self.form(equation)?;
        let range = self.state.bounds(&gate, Bounds { lo: 0, hi: INFINITE });
        let least = floor_div(range.lo.max(0), scale);
        let most = floor_div(range.hi.max(0), scale);
        let plus = |n: i128| {
            let mut sum = form.clone();
            sum.add_constant(coefficient.checked_mul(composed.scale)?.checked_mul(n)?)?;
            Some(sum)
        };
        if least == most {
            return self.floors(composed, first + 1, plus(least)?, splits);
        }
        let minus_fraction = {
            let factor = coefficient.checked_mul(composed.scale / scale)?;
            let fraction = self.state.variables.fraction(first)?;
            let range = Interval::new(0, i64::try_from(scale - 1).ok()?);
            self.state.declare(fraction, Domain::Interval(range), range);
            let mut sum = form.clone();
            sum.add_form(&gate, factor)?;
            if scale > 1 {
                sum.add(fraction, -factor)?;
            }
            sum
        };
        let mut found = Bounds::ALL;
        if range.lo >= 0 {
            found = self.floors(composed, first + 1, minus_fraction.clone(), splits)?;
            if found.within(want) {
                return Some(found);
            }
        }
        if splits == MAX_SPLIT_GATES {
            return Some(found);
        }
        let mut either = Bounds::NONE;
        if least == 0 {
            let mark = self.state.assume_fact(&gate, Bounds { lo: -INFINITE, hi: scale - 1 });
            let below = self.floors(composed, first + 1, form.clone(), splits + 1);
            self.state.forget(mark);
            either = below?;
        }
        let one = if most == 1 { Some(plus(1)?) } else { None };
        let mark = self.state.assume_fact(&gate, Bounds { lo: scale, hi: INFINITE });
        let mut above = Some(Bounds::ALL);
        if let Some(one) = one {
            above = self.floors(composed, first + 1, one, splits + 1);
        }
        if above.is_some_and(|above| !above.within(want)) {
            let other = self.floors(composed, first + 1, minus_fraction, splits + 1);
            above = above.zip(other).map(|(a, b)| a.meet(b));
        }
        self.state.forget(mark);
        Some(found.meet(either.hull(above?)))
    }
}
