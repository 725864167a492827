//! What is outside of a packet: what regions and tables are declared to hold, and what frozen tables do hold.

use super::atoms::{Bitwise, Count, Kind, Maybe, Shift, Span, Stop};
use super::poly::Poly;
use super::terms::Terms;
use crate::validate::state::First;
use wasm2onnx_runtime::{Domain, Network};

/// Maximum number of entries that are looked at one by one to find where they lie.
const FEW: i128 = 512;

/// What the entries of a frozen table are, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// An operation on bytes a and b, at 256·a + b.
    Bitwise(Bitwise),
    /// A shift of byte `.1` of a word by n, at 256·n + byte.
    Shift(Shift, u8),
    /// A count in a byte.
    Count(Count),
}

/// The network and the rows of its frozen regions.
pub struct World<'a> {
    /// The network.
    pub network: &'a Network,
    first: Option<&'a First<'a>>,
    /// Where all entries of the frozen tables lie.
    entries: Option<Span>,
    contents: Vec<Option<Content>>,
}

impl<'a> World<'a> {
    /// Looks at the tables of a network.
    pub fn new(network: &'a Network, first: Option<&'a First<'a>>) -> World<'a> {
        let content = |table: &wasm2onnx_runtime::Table| {
            let first = table.first as usize;
            content(network.lookup.get(first..first + table.count as usize)?)
        };
        let hull = |hull: Option<Span>, entry: &f64| {
            let entry = Span::point(integer(*entry).ok()?);
            Some(hull.map_or(entry, |hull| hull.hull(entry)))
        };
        let entries = network.lookup.iter().fold(Some(Span::point(0)), hull);
        World { network, first, entries, contents: network.tables.iter().map(content).collect() }
    }

    /// Returns where values lie that are read with keys of a span.
    pub fn read(&self, keys: Span) -> Maybe<Span> {
        // A miss reads 0.
        let mut span = Span::point(0);
        for region in &self.network.regions {
            let (first, last) = (i128::from(region.first), i128::from(region.first + region.count) - 1);
            if keys.hi < first || keys.lo > last {
                continue;
            }
            span = span.hull(match region.values {
                Domain::Interval(values) => Span::new(values.lo.into(), values.hi.into()),
                Domain::PowerOfTwo { hi } => Span::new(0, 1 << hi),
                Domain::Ids(set) => {
                    let ids = &self.network.certificate.id_sets[set as usize].ids;
                    Span::new(0, ids.last().map_or(0, |id| i128::from(*id)))
                }
            });
        }
        Ok(span)
    }

    /// Returns where entries lie that are looked up with keys of a span.
    pub fn lookup(&self, keys: Span) -> Maybe<Span> {
        let lookup = &self.network.lookup;
        let last = lookup.len() as i128 - 1;
        if keys.hi - keys.lo > FEW {
            return self.entries.ok_or(Stop::Unknown("an entry of a table is no integer"));
        }
        let mut span: Option<Span> = (keys.lo < 0 || keys.hi > last).then_some(Span::point(0));
        for key in keys.lo.max(0)..=keys.hi.min(last) {
            let entry = Span::point(integer(lookup[key as usize])?);
            span = Some(span.map_or(entry, |span| span.hull(entry)));
        }
        span.ok_or(Stop::Impossible)
    }

    /// Returns what is read of the trace before any row of the packet, if that never changes.
    fn frozen(&self, key: i128) -> Option<i128> {
        let value = self.first?.frozen(u64::try_from(key).ok()?)?;
        integer(value).ok()
    }
}

/// Returns the integer that a number is.
pub fn integer(x: f64) -> Maybe<i128> {
    if x.fract() == 0.0 && x.abs() < 9.2e18 {
        Ok(x as i128)
    } else {
        Err(Stop::Unknown("a number is no integer"))
    }
}

/// Finds what a table holds, by all of its entries.
fn content(entries: &[f64]) -> Option<Content> {
    let holds = |f: &dyn Fn(i128) -> i128| (0..).zip(entries).all(|(i, entry)| *entry == f(i) as f64);
    match entries.len() {
        65536 => [Bitwise::And, Bitwise::Or, Bitwise::Xor]
            .into_iter()
            .find(|op| holds(&|i| op.of(i >> 8, i & 255)))
            .map(Content::Bitwise),
        8192 => [Shift::Shl, Shift::ShrU, Shift::ShrS, Shift::Rotl]
            .into_iter()
            .flat_map(|op| (0..4).map(move |j| (op, j)))
            .find(|(op, j)| holds(&|i| op.of(*j, i >> 8, i & 255)))
            .map(|(op, j)| Content::Shift(op, j)),
        256 => [Count::Clz, Count::Ctz, Count::Popcnt]
            .into_iter()
            .find(|op| holds(&|i| op.of(i)))
            .map(Content::Count),
        _ => None,
    }
}

impl Terms<'_> {
    /// Returns what is looked up in the frozen tables. Lemma: if all entries of a table are those of an
    /// operation, each entry is that operation of the parts of its index.
    pub fn lookup(&mut self, key: &Poly) -> Maybe<Poly> {
        let world = self.world;
        let span = self.range(key)?;
        if span.lo == span.hi {
            let entry = usize::try_from(span.lo).ok().and_then(|key| world.network.lookup.get(key));
            return Ok(Poly::constant(integer(entry.copied().unwrap_or(0.0))?));
        }
        let inside = |table: &wasm2onnx_runtime::Table| {
            span.within(table.first.into(), i128::from(table.first) + i128::from(table.count) - 1)
        };
        if let Some(i) = world.network.tables.iter().position(inside)
            && let Some(content) = world.contents[i]
        {
            let index = key.offset(-i128::from(world.network.tables[i].first))?;
            let upper = self.floor(&index, 256)?;
            let lower = index.plus(-256, &upper)?;
            self.note(&lower, Span::new(0, 255))?;
            return match content {
                Content::Bitwise(op) => self.bitwise(op, &upper, &lower),
                Content::Shift(op, j) => self.shift(op, j, &upper, &lower),
                Content::Count(op) => self.count(op, &index),
            };
        }
        let key = self.intern(key);
        self.of(Kind::Lookup(key))
    }

    /// Returns what the trace holds at first under a key, if that never changes.
    pub fn frozen(&self, key: &Poly) -> Option<i128> {
        self.world.frozen(key.as_constant()?)
    }
}
