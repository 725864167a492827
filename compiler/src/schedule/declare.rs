//! What is declared of the `z` that an expert gets: its fields, and ghosts for what the checker would not see
//! by itself.

use super::PortField;
use super::carried::Carried;
use super::emit::{Emitter, NextIds};
use super::fragment::GhostTerms;
use super::writer::Writer;
use crate::circuits::linear::{Exact, Linear, Range, pow2};
use crate::circuits::{Atom, AtomKind, GhostTerm};
use smallvec::SmallVec;
use wasm2onnx_runtime::{Domain, FieldKind, Interval};

impl Emitter<'_> {
    /// Declares z_t.
    pub(super) fn declare(&self, carried: &Carried, t: i32, ids: Option<NextIds>, out: &mut Writer) {
        let circuit = self.circuit();
        let base = if t == 0 { self.own.base } else { [0; 3] };
        let ids_or = |range: Range| match ids {
            Some(ids) if range.is_id => Domain::Ids(ids.set),
            _ => Domain::Interval(interval(range)),
        };
        for (atom, field) in carried.carried_at(t) {
            let range = circuit.atoms[atom as usize].range;
            out.declare(PortField::new(FieldKind::S, field), ids_or(range));
        }
        for (i, atom) in circuit.atoms.iter().enumerate() {
            if atom.avail != t || !self.live[i] {
                continue;
            }
            match &atom.kind {
                AtomKind::Unit { gate, value, port } => {
                    let port = base[0] + port;
                    out.declare(PortField::new(FieldKind::N, port), ids_or(circuit.quantized(gate)));
                    out.declare(PortField::new(FieldKind::V, port), ids_or(circuit.range(value)));
                }
                AtomKind::Read { query, port } => {
                    out.declare(PortField::new(FieldKind::Q, base[1] + port), ids_or(circuit.range(query)));
                }
                AtomKind::Lookup { query, port } => {
                    let mut range = circuit.range(query);
                    if let Some(ids) = ids.filter(|_| atom.range.is_id) {
                        range = plus(range, ids.first.into());
                    }
                    out.declare(PortField::new(FieldKind::T, base[2] + port), ids_or(range));
                }
                _ => {}
            }
        }
        for ghost in &circuit.ghosts {
            if ghost.at <= t
                && t <= ghost.until
                && let Some((terms, constant)) = self.ghost(carried, &ghost.terms, t, base)
            {
                out.declare_ghost(terms, interval(plus(ghost.range, -constant)));
            }
        }
    }

    /// Declares as much of a gate as its floor needs if the gate is multiplied out (`open`) in such a way
    /// that something that is no longer in z_t cancels: facts about parts of the gate that mention this
    /// cannot be declared then.
    pub(super) fn declare_cancelled(
        &self,
        carried: &Carried,
        gate: &Linear,
        open: &Linear,
        t: i32,
        out: &mut Writer,
    ) {
        let circuit = self.circuit();
        let range = circuit.quantized(gate);
        if circuit.quantized(open).within(range) || !self.loses_fact(carried, gate, t) {
            return;
        }
        // In multiples of its finest weight, of which at most 2^62 make 1 if the gate is exact.
        let weights = open.terms.iter().map(|term| term.1).chain([open.constant]);
        let scale = weights.filter_map(Exact::scale).fold(0, u32::max);
        let base = if t == 0 { self.own.base } else { [0; 3] };
        let constant_units = open.terms.iter().all(|term| match &circuit.atoms[term.0 as usize].kind {
            AtomKind::Unit { value, .. } => value.as_constant().is_some(),
            _ => true,
        });
        if constant_units
            && let Some((terms, constant)) =
                self.ghost(carried, &[(GhostTerm::Linear(open.times(pow2(scale as i32))), 1)], t, base)
        {
            let lo = if range.lo > 0 { i128::from(range.lo) << scale } else { i64::MIN.into() };
            let hi = ((i128::from(range.hi) + 1) << scale) - 1;
            out.declare_ghost(terms, interval(plus(Range::clamped(lo, hi), -constant)));
        }
    }

    /// Returns whether a part of the linear form is multiplied out at t and has a narrower range than its
    /// terms show, for a reason that cannot be declared at t.
    fn loses_fact(&self, carried: &Carried, form: &Linear, t: i32) -> bool {
        let circuit = self.circuit();
        let base = if t == 0 { self.own.base } else { [0; 3] };
        form.terms.iter().any(|(atom, _)| match &circuit.atoms[*atom as usize] {
            Atom { kind: AtomKind::Linear(inner), avail, range, .. } if *avail == t => {
                let fact = [(GhostTerm::Linear(inner.clone()), 1)];
                !circuit.range(inner).within(*range) && self.ghost(carried, &fact, t, base).is_none()
                    || self.loses_fact(carried, inner, t)
            }
            _ => false,
        })
    }

    /// Returns a ghost's terms as fields of z_t, and its constant; `None` if something in it is not in z_t or
    /// it cannot be written. The checker then does without it.
    fn ghost(
        &self,
        carried: &Carried,
        terms: &[(GhostTerm, i64)],
        t: i32,
        base: [u16; 3],
    ) -> Option<(GhostTerms, i64)> {
        let circuit = self.circuit();
        let mut fields: SmallVec<[(PortField, Exact); 4]> = SmallVec::new();
        let mut constant = Exact::ZERO;
        let mut add = |field: PortField, c: Exact| match fields.iter_mut().find(|f| f.0 == field) {
            Some(f) => f.1 = f.1 + c,
            None => fields.push((field, c)),
        };
        for (term, c) in terms {
            let c = Exact::from(*c);
            match term {
                GhostTerm::Gate(atom) | GhostTerm::Value(atom) => {
                    let a = &circuit.atoms[*atom as usize];
                    if a.avail != t || !self.live[*atom as usize] {
                        return None;
                    }
                    let AtomKind::Unit { port, value, .. } = &a.kind else { return None };
                    match (term, value.as_constant()) {
                        (GhostTerm::Gate(_), _) => add(PortField::new(FieldKind::N, base[0] + port), c),
                        (_, Some(value)) => constant = constant + c * value,
                        _ => add(PortField::new(FieldKind::V, base[0] + port), c),
                    }
                }
                GhostTerm::Linear(form) => {
                    let open = circuit.expand(form, t);
                    constant = constant + c * open.constant;
                    // Units first, and the latest of them before the others: the checker eliminates with the
                    // first term.
                    let mut order: SmallVec<[&(u32, Exact); 4]> = open.terms.iter().collect();
                    let is_unit = |a: u32| matches!(circuit.atoms[a as usize].kind, AtomKind::Unit { .. });
                    order.sort_by_key(|(a, _)| (!is_unit(*a), std::cmp::Reverse(*a)));
                    for (atom, k) in order {
                        let a = &circuit.atoms[*atom as usize];
                        if !self.live[*atom as usize] {
                            return None;
                        }
                        match &a.kind {
                            AtomKind::Unit { port, value, .. } if a.avail == t => match value.as_constant() {
                                Some(value) => {
                                    add(PortField::new(FieldKind::N, base[0] + port), c * *k * value)
                                }
                                None => add(PortField::new(FieldKind::V, base[0] + port), c * *k),
                            },
                            _ => match carried.field_at(*atom, t) {
                                Some(field) => add(PortField::new(FieldKind::S, field), c * *k),
                                None => return None,
                            },
                        }
                    }
                }
            }
        }
        fields.retain(|f| f.1 != Exact::ZERO);
        let integers = fields.iter().map(|(field, c)| Some((*field, c.as_integer()?)));
        let fields = integers.collect::<Option<GhostTerms>>()?;
        (!fields.is_empty()).then_some((fields, constant.as_integer()?))
    }
}

/// Returns a range moved by a constant; a bound is unbounded if it was before or if it is too large to be
/// held.
fn plus(range: Range, by: i64) -> Range {
    let moved = |x: i64| match x {
        i64::MIN | i64::MAX => x.into(),
        x => i128::from(x) + i128::from(by),
    };
    Range::clamped(moved(range.lo), moved(range.hi))
}

fn interval(range: Range) -> Interval {
    Interval::new(range.lo, range.hi)
}
