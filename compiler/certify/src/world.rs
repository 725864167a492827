//! What is the same for all steps: tables, regions, sets of ids, and the states that runs begin in.

use wasm2onnx_runtime::{
    Domain, ExpertId, Field, FieldKind, FieldName, IdSetId, Interval, MemoryPages, Network, SourceKind,
    WordLocation,
};

use super::failure::{Broken, Declared, Failure, Location};

/// A network, and what the proof of each step looks up about it.
pub(super) struct World<'a> {
    pub net: &'a Network,
    /// Kind and index of each source, as `Ports::source_kind` gives them.
    pub sources: Vec<(SourceKind, u16)>,
    /// Minima and maxima of the tables' entries: a segment tree with its leaves in the second half.
    tree: Vec<Interval>,
    /// First and last keys and domains of the tables of ids and of powers of two, ascending.
    discrete: Vec<(i64, i64, Domain)>,
    /// Largest member of each id set.
    largest: Vec<i64>,
}

/// Returns the integer that a number is; `None` if it is not an integer below 2^63 in magnitude.
fn integer(x: f64) -> Option<i64> {
    // Below 2^63 the cast is exact for integers.
    (x.fract() == 0.0 && x.abs() < 9_223_372_036_854_775_808.0).then_some(x as i64)
}

impl<'a> World<'a> {
    /// Checks everything but the steps.
    pub fn new(net: &'a Network) -> Result<Self, Failure> {
        wasm2onnx_runtime::validate(net)
            .map_err(|error| Failure::new(Location::Network, Broken::Malformed(error.to_string())))?;
        if net.certificate.field_end.len() != net.experts.len() {
            let broken = Broken::Malformed("the certificate does not cover the experts".into());
            return Err(Failure::new(Location::Network, broken));
        }
        let sets = &net.certificate.id_sets;
        let mut world = World {
            net,
            sources: (0..net.ports.sources()).map(|s| net.ports.source_kind(s as u16)).collect(),
            tree: Vec::new(),
            discrete: Vec::new(),
            largest: sets.iter().map(|set| set.ids.last().map_or(0, |id| i64::from(*id))).collect(),
        };
        world.tables()?;
        world.regions()?;
        world.id_sets()?;
        world.boundary()?;
        Ok(world)
    }

    fn tables(&mut self) -> Result<(), Failure> {
        let entries = &self.net.lookup;
        self.tree = vec![Interval::point(0); 2 * entries.len()];
        for (i, &x) in entries.iter().enumerate() {
            let Some(x) = integer(x) else {
                let broken = Broken::Declaration(format!("the entry {x} is not an integer below 2^63"));
                return Err(Failure::new(Location::Table(format!("at {i}")), broken));
            };
            self.tree[entries.len() + i] = Interval::point(x);
        }
        for i in (1..entries.len()).rev() {
            self.tree[i] = self.tree[2 * i].hull(self.tree[2 * i + 1]);
        }
        for table in &self.net.tables {
            let location = || Location::Table(table.name.clone());
            self.declaration(table.domain, location)?;
            let first = table.first as usize;
            for &x in &entries[first..first + table.count as usize] {
                // A table of powers of two has no 0, although a query that misses reads 0.
                let power = matches!(table.domain, Domain::PowerOfTwo { .. });
                if !self.contains(table.domain, x as i64) || power && x == 0.0 {
                    return Err(initial(location(), format!("entry {x}"), table.domain));
                }
            }
            if !matches!(table.domain, Domain::Interval(_)) && table.count != 0 {
                let first = i64::from(table.first);
                self.discrete.push((first, first + i64::from(table.count) - 1, table.domain));
            }
        }
        self.discrete.sort_by_key(|table| table.0);
        Ok(())
    }

    fn regions(&self) -> Result<(), Failure> {
        for region in &self.net.regions {
            let location = || Location::Region(region.name.clone());
            self.declaration(region.values, location)?;
            if !self.contains(region.values, 0) {
                return Err(initial(location(), "0, what a miss reads,".into(), region.values));
            }
        }
        for &(key, value) in &self.net.first_rows {
            let location = || Location::FirstRow(key);
            let region = self.region(key, location)?;
            if !integer(value).is_some_and(|x| self.contains(region, x)) {
                return Err(initial(location(), format!("its value {value}"), region));
            }
        }
        Ok(())
    }

    /// Checks that the members of each set assume only what its interface promises.
    fn id_sets(&self) -> Result<(), Failure> {
        let net = self.net;
        for set in &net.certificate.id_sets {
            let location = || Location::IdSet(set.name.clone());
            let mut promised = vec![None; net.ports.fields() + 1];
            for &(field, domain) in &set.interface {
                self.declaration(domain, location)?;
                promised[usize::from(field)] = Some(domain);
            }
            for &id in &set.ids {
                let declared = net.certificate.fields(id).filter(|d| d.0 != net.ports.e());
                for (field, domain) in declared {
                    if !promised[usize::from(field)].is_some_and(|p| self.implies(p, domain)) {
                        let name = FieldName::new(&net.ports, field);
                        return Err(initial(
                            location(),
                            format!("what the interface says of {name} of {id}"),
                            domain,
                        ));
                    }
                }
                let range = |field: Field| promised[usize::from(field)].map(|d| self.range(d));
                self.ghosts_in_box(id, range, location)?;
            }
        }
        // 0 belongs to every set.
        let certificate = &net.certificate;
        if certificate.fields(0).len() != 0 || certificate.ghosts(0).len() != 0 {
            let broken = Broken::Declaration("the unreachable state may follow anything".into());
            return Err(Failure::new(Location::Expert(0), broken));
        }
        Ok(())
    }

    /// Checks the ghosts of an expert on a box of its fields.
    fn ghosts_in_box(
        &self,
        e: ExpertId,
        range: impl Fn(Field) -> Option<Interval>,
        location: impl Fn() -> Location,
    ) -> Result<(), Failure> {
        for ghost in self.net.certificate.ghosts(e) {
            let bounds = ghost.terms.iter().try_fold((0i128, 0i128), |(lo, hi), &(field, w)| {
                let x = range(field)?;
                let (a, b) = (i128::from(w) * i128::from(x.lo), i128::from(w) * i128::from(x.hi));
                Some((lo.checked_add(a.min(b))?, hi.checked_add(a.max(b))?))
            });
            let Interval { lo, hi } = ghost.range;
            let holds = bounds.is_some_and(|(l, h)| {
                (lo == i64::MIN || i128::from(lo) <= l) && (hi == i64::MAX || h <= i128::from(hi))
            });
            if !holds {
                let what = format!("ghost {} of expert {e}", ghost_name(self.net, ghost.terms));
                return Err(initial(location(), what, Domain::Interval(ghost.range)));
            }
        }
        Ok(())
    }

    /// Checks the states that runs begin in, and what the host may write.
    fn boundary(&self) -> Result<(), Failure> {
        let net = self.net;
        let word = Domain::Interval(Interval::WORD);
        let accepts = |key: u64, written: Domain, location: &dyn Fn() -> Location| {
            let values = self.region(key, location)?;
            if self.implies(written, values) {
                return Ok(());
            }
            Err(initial(location(), format!("what the host writes, {},", Declared(written)), values))
        };
        if let Some(start) = net.start {
            self.first_state(start, &[], || Location::Start)?;
        }
        for (name, entry) in &net.entries {
            let location = || Location::Export(name.clone());
            let mut arguments = Vec::new();
            for at in &entry.param_locations {
                match *at {
                    WordLocation::Row(key) => accepts(key, word, &location)?,
                    WordLocation::Field(field) if net.ports.kind(field).0 == FieldKind::S => {
                        arguments.push(field)
                    }
                    WordLocation::Field(field) => {
                        let name = FieldName::new(&net.ports, field);
                        let broken = Broken::Declaration(format!("{name} is no place for an argument"));
                        return Err(Failure::new(location(), broken));
                    }
                }
            }
            self.first_state(entry.expert, &arguments, location)?;
        }
        for (name, global) in net.globals.iter().filter(|(_, global)| global.mutable) {
            for &key in &global.keys {
                accepts(key, word, &|| Location::Export(name.clone()))?;
            }
        }
        let byte = Domain::Interval(Interval::new(0, 255));
        for (name, memory) in &net.memories {
            let location = || Location::Export(name.clone());
            let region = &net.regions[memory.region];
            if !self.implies(byte, region.values) {
                return Err(initial(location(), "a byte".into(), region.values));
            }
            if let MemoryPages::Row(key) = memory.pages {
                self.region(key, location)?;
            }
        }
        let io = &net.io;
        if let Some(region) = io.input {
            let location = || Location::Export("input".into());
            let region = &net.regions[region];
            if !self.implies(byte, region.values) {
                return Err(initial(location(), "a byte".into(), region.values));
            }
            let count = Domain::Interval(Interval::new(0, region.count as i64));
            let ends = [io.argv_end, io.environ_end, io.files_end, io.stdin_end, io.stdin_position];
            ends.into_iter().flatten().try_for_each(|key| accepts(key, count, &location))?;
        }
        let words = io.clock.into_iter().chain(io.seed).chain([io.terminals]);
        for key in words.flatten() {
            accepts(key, word, &|| Location::Export("what the host gives".into()))?;
        }
        Ok(())
    }

    /// Checks what is declared for the first expert of a run: arguments are words, all else is 0.
    fn first_state(
        &self,
        e: ExpertId,
        arguments: &[Field],
        location: impl Fn() -> Location,
    ) -> Result<(), Failure> {
        let range = |field| match arguments.contains(&field) {
            true => Interval::WORD,
            false => Interval::point(0),
        };
        let e_field = self.net.ports.e();
        for (field, domain) in self.net.certificate.fields(e).filter(|d| d.0 != e_field) {
            if !self.implies(Domain::Interval(range(field)), domain) {
                let what = format!("{} at the start", FieldName::new(&self.net.ports, field));
                return Err(initial(location(), what, domain));
            }
        }
        self.ghosts_in_box(e, |field| Some(range(field)), location)
    }

    /// Checks that a domain means something.
    pub fn declaration(&self, domain: Domain, location: impl Fn() -> Location) -> Result<(), Failure> {
        let broken = match domain {
            Domain::Interval(i) if i.lo == i64::MIN => "an interval from -2^63".into(),
            Domain::Interval(i) if i.lo > i.hi => "an empty interval".into(),
            Domain::PowerOfTwo { hi } if hi > 62 => "powers of two beyond 2^62".into(),
            Domain::Ids(set) if set as usize >= self.largest.len() => format!("there is no set {set}"),
            _ => return Ok(()),
        };
        Err(Failure::new(location(), Broken::Declaration(broken)))
    }

    /// Returns the domain of the values of the region that a key lies in.
    fn region(&self, key: u64, location: impl Fn() -> Location) -> Result<Domain, Failure> {
        match self.net.region_of(key) {
            Some(region) => Ok(self.net.regions[region].values),
            None => Err(Failure::new(location(), Broken::Malformed(format!("key {key} lies in no region")))),
        }
    }

    /// Returns the smallest interval that contains a domain.
    #[inline]
    pub fn range(&self, domain: Domain) -> Interval {
        match domain {
            Domain::Interval(i) => i,
            Domain::PowerOfTwo { hi } => Interval::new(0, 1 << hi),
            Domain::Ids(set) => Interval::new(0, self.largest[set as usize]),
        }
    }

    /// Returns whether an id is a member of a set; 0 is a member of every set.
    pub fn is_member(&self, set: IdSetId, id: i64) -> bool {
        id == 0
            || ExpertId::try_from(id)
                .is_ok_and(|id| self.net.certificate.id_sets[set as usize].ids.binary_search(&id).is_ok())
    }

    /// Returns whether a value is in a domain. Powers of two include 0, which a miss reads.
    pub fn contains(&self, domain: Domain, x: i64) -> bool {
        match domain {
            Domain::Interval(i) => i.contains(x),
            Domain::PowerOfTwo { hi } => x == 0 || x > 0 && x.count_ones() == 1 && x <= 1 << hi,
            Domain::Ids(set) => self.is_member(set, x),
        }
    }

    /// Returns whether all values of `a` are in `b`.
    pub fn implies(&self, a: Domain, b: Domain) -> bool {
        match (a, b) {
            (Domain::Interval(a), _) if a.lo == a.hi => self.contains(b, a.lo),
            (_, Domain::Interval(b)) => {
                let a = self.range(a);
                b.lo <= a.lo && a.hi <= b.hi
            }
            (Domain::PowerOfTwo { hi: a }, Domain::PowerOfTwo { hi: b }) => a <= b,
            (Domain::Ids(a), Domain::Ids(b)) => {
                let ids = &self.net.certificate.id_sets[a as usize].ids;
                a == b || ids.iter().all(|id| self.is_member(b, i64::from(*id)))
            }
            _ => false,
        }
    }

    /// Returns what a query of the trace can read: the values of all regions that it meets, and 0.
    pub fn read(&self, query: Interval) -> Domain {
        let regions = &self.net.regions;
        let first = regions.partition_point(|r| ((r.first + r.count) as i64) <= query.lo);
        let met = regions[first..].iter().take_while(|r| r.first as i64 <= query.hi);
        // Every region's values contain 0.
        met.map(|r| r.values).reduce(|a, b| self.join(a, b)).unwrap_or(Domain::Interval(Interval::point(0)))
    }

    /// Returns what a query of the tables can read, and the smallest interval that contains it.
    pub fn look_up(&self, query: Interval) -> (Domain, Interval) {
        let len = self.net.lookup.len();
        let (lo, hi) = (query.lo.max(0), query.hi.min(len as i64 - 1));
        if lo > hi {
            return (Domain::Interval(Interval::point(0)), Interval::point(0));
        }
        let (mut left, mut right) = (lo as usize + len, hi as usize + len);
        let mut range = self.tree[left];
        while left <= right {
            if left & 1 == 1 {
                range = range.hull(self.tree[left]);
                left += 1;
            }
            if right & 1 == 0 {
                range = range.hull(self.tree[right]);
                right -= 1;
            }
            left /= 2;
            right /= 2;
        }
        if (lo, hi) != (query.lo, query.hi) {
            range = range.hull(Interval::point(0));
        }
        let after = self.discrete.partition_point(|table| table.0 <= lo);
        let table = after.checked_sub(1).map(|i| self.discrete[i]).filter(|table| hi <= table.1);
        (table.map_or(Domain::Interval(range), |table| table.2), range)
    }

    /// Returns a domain that contains all values of two domains.
    fn join(&self, a: Domain, b: Domain) -> Domain {
        match a == b {
            true => a,
            false => Domain::Interval(self.range(a).hull(self.range(b))),
        }
    }
}

fn initial(location: Location, what: String, declared: Domain) -> Failure {
    Failure::new(location, Broken::Initial { what, declared: Declared(declared) })
}

/// Returns a ghost as people write it.
pub(super) fn ghost_name(net: &Network, terms: &[(Field, i64)]) -> String {
    let mut name = String::new();
    for &(field, w) in terms {
        let sign = match (name.is_empty(), w < 0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        let factor = if w.unsigned_abs() == 1 { String::new() } else { format!("{}*", w.unsigned_abs()) };
        name += &format!("{sign}{factor}{}", FieldName::new(&net.ports, field));
    }
    name
}
