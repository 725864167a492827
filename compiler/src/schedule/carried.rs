//! Which values are carried from step to step, and in which fields.

use super::Retry;
use super::interface::Interface;
use crate::circuits::linear::Linear;
use crate::circuits::{AtomKind, Circuit};
use crate::limits;
use rustc_hash::FxHashMap;

/// Which atoms are carried from step to step, and in which fields.
pub struct Carried<'a> {
    circuit: &'a Circuit,
    /// Last t at which the atom is read from a field; −1 if never.
    need: Vec<i32>,
    pub field: Vec<u16>,
}

impl<'a> Carried<'a> {
    pub fn new(circuit: &'a Circuit) -> Self {
        let n = circuit.atoms.len();
        Carried { circuit, need: vec![-1; n], field: vec![u16::MAX; n] }
    }

    fn is_entry(&self, atom: usize) -> bool {
        matches!(self.circuit.atoms[atom].kind, AtomKind::Entry { .. })
    }

    fn is_pinned(&self, atom: usize) -> bool {
        matches!(self.circuit.atoms[atom].kind, AtomKind::Pinned(_))
    }

    /// Returns the first t such that z_t can hold the atom in a field.
    pub fn first_in_field(&self, atom: usize) -> i32 {
        match self.circuit.atoms[atom].kind {
            AtomKind::Entry { .. } => 0,
            AtomKind::Pinned(_) => self.circuit.atoms[atom].avail,
            _ => self.circuit.atoms[atom].avail + 1,
        }
    }

    /// Notes what an expanded linear form of map t reads.
    pub fn use_at(&mut self, form: &Linear, t: i32) {
        for (atom, _) in &form.terms {
            let a = *atom as usize;
            if self.is_entry(a) || self.is_pinned(a) || self.circuit.atoms[a].avail < t {
                self.need[a] = self.need[a].max(t);
            }
        }
    }

    /// Notes what map t reads to make what later maps need.
    pub fn make_at(&mut self, t: i32) {
        for a in (0..self.need.len()).rev() {
            if self.need[a] > t
                && self.first_in_field(a) == t + 1
                && let AtomKind::Linear(form) | AtomKind::Pinned(form) = &self.circuit.atoms[a].kind
            {
                let open = self.circuit.expand(form, t);
                self.use_at(&open, t);
            }
        }
    }

    pub fn assign_fields(&mut self, own: &Interface, preferred: &FxHashMap<u32, u16>) -> Result<(), Retry> {
        // For each field, the last t such that the field is taken in z_t.
        let mut busy = vec![-1; limits::CARRIED as usize];
        let mut carried = Vec::new();
        for a in 0..self.need.len() {
            if let AtomKind::Entry { field, .. } = self.circuit.atoms[a].kind {
                self.field[a] = field;
                if own.needed[a] {
                    busy[field as usize] = self.need[a].max(0);
                }
            } else if self.need[a] >= 0 {
                carried.push(a);
            }
        }
        carried.sort_by_key(|a| self.first_in_field(*a));
        for a in carried {
            let start = self.first_in_field(a);
            let wanted = preferred.get(&(a as u32)).copied().filter(|f| busy[*f as usize] < start);
            let any = || (0..limits::CARRIED).rev().find(|f| busy[*f as usize] < start);
            let field = wanted.or_else(any).ok_or(Retry::Fields)?;
            busy[field as usize] = self.need[a];
            self.field[a] = field;
        }
        Ok(())
    }

    /// Returns the field that holds the atom in z_t, if one does.
    pub fn field_at(&self, atom: u32, t: i32) -> Option<u16> {
        let a = atom as usize;
        (self.first_in_field(a) <= t && t <= self.need[a]).then_some(self.field[a])
    }

    /// Returns the atoms in fields of z_t.
    pub fn carried_at(&self, t: i32) -> impl Iterator<Item = (u32, u16)> + '_ {
        (0..self.need.len() as u32).filter_map(move |a| self.field_at(a, t).map(|f| (a, f)))
    }
}
