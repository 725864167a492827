//! Structural checks, which every executor relies on when it indexes.
//!
//! Networks are imported from files. After [`validate`] no network, however damaged, can make an
//! executor index out of bounds; whether it *computes* anything sensible is for the certificate to say.

use crate::certificate::Domain;
use crate::error::Error;
use crate::limits::{MAX_CELLS, MAX_FIELDS, MAX_INDICES, MAX_KEY, MAX_REGIONS, MAX_STREAM};
use crate::network::*;
use crate::place::Lines;

/// Checks that all indices are in range, everything that must be sorted is sorted, sizes agree, regions
/// are disjoint and numbers are finite.
///
/// # Errors
///
/// [`Error::Malformed`] with the first rule that is broken and where it is broken.
pub fn validate(network: &Network) -> Result<(), Error> {
    ports(&network.ports)?;
    experts(network)?;
    terminals(network)?;
    regions(network)?;
    tables(network)?;
    boundary(network)?;
    certificate(network)?;
    debug(network)
}

fn check(holds: bool, rule: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Malformed(rule())) }
}

fn limit(what: &str, count: usize, limit: usize) -> Result<(), Error> {
    check(count <= limit, || format!("{count} {what} are more than the limit of {limit}"))
}

/// Returns whether `ends` are the ends of consecutive ranges that cover `0..total`.
fn covers(ends: &[u32], total: usize) -> bool {
    ends.is_sorted() && ends.last().map_or(0, |&end| end as usize) == total
}

/// Returns whether `items` ascend strictly.
fn ascending<T: PartialOrd>(items: &[T]) -> bool {
    items.windows(2).all(|pair| pair[0] < pair[1])
}

fn ports(ports: &Ports) -> Result<(), Error> {
    let [s, u, r, l, m] = [ports.carried, ports.units, ports.reads, ports.lookups, ports.rows].map(u32::from);
    // One is added to the fields for `e`, and one to the elements of `y` for the constant.
    let largest = (s + 2 * u + r + l + 2 * m + 1).max(1 + r + l + u + s);
    limit("fields", largest as usize, MAX_FIELDS)
}

fn experts(network: &Network) -> Result<(), Error> {
    let experts = &network.experts;
    check(covers(&experts.expert_end, experts.fields.len()), || "experts do not cover the equations".into())?;
    check(experts.equation_end.len() == experts.fields.len(), || {
        "there is not one end for each equation".into()
    })?;
    check(covers(&experts.equation_end, experts.sources.len()), || {
        "equations do not cover the terms".into()
    })?;
    check(experts.weights.len() == experts.sources.len(), || "not one weight for each term".into())?;
    limit("experts", experts.len(), MAX_INDICES)?;
    for e in 0..experts.len() as ExpertId {
        let fields = &experts.fields[experts.equation_range(e)];
        check(ascending(fields), || format!("equations of expert {e} are not sorted"))?;
        check(fields.last().is_none_or(|f| *f <= network.ports.e()), || {
            format!("expert {e} makes a field that does not exist")
        })?;
        for Equation { field, sources, weights } in experts.equations(e) {
            let place = || format!("in the equation of field {field} of expert {e}");
            check(ascending(sources), || format!("terms are not sorted {}", place()))?;
            check(sources.last().is_none_or(|s| usize::from(*s) < network.ports.sources()), || {
                format!("a source does not exist {}", place())
            })?;
            check(weights.iter().all(|w| w.is_finite() && *w != 0.0), || {
                format!("a weight is 0 or not finite {}", place())
            })?;
        }
    }
    Ok(())
}

fn terminals(network: &Network) -> Result<(), Error> {
    let terminals = &network.terminals;
    check(matches!(terminals[..], [Terminal::Unreachable, Terminal::Halt, ..]), || {
        "the first experts are not `unreachable` and `halt`".into()
    })?;
    check(terminals[2..].iter().all(|t| matches!(t, Terminal::Trap { .. })), || {
        "a terminal expert after the first two is not a trap".into()
    })?;
    check(terminals.len() <= network.experts.len(), || "terminal experts beyond the vocabulary".into())?;
    check(network.experts.expert_end[terminals.len() - 1] == 0, || "a terminal expert has equations".into())
}

fn regions(network: &Network) -> Result<(), Error> {
    limit("regions", network.regions.len(), MAX_REGIONS)?;
    let mut free = 1;
    let mut cells = 0;
    for region in &network.regions {
        let place = || format!("region `{}`", region.name);
        check(region.first >= free, || format!("{} overlaps the one before it or has key 0", place()))?;
        check(region.count <= MAX_CELLS && region.first <= MAX_KEY - MAX_CELLS, || {
            format!("{} is too large", place())
        })?;
        free = region.first + region.count;
        cells += region.count;
        check(cells <= MAX_CELLS, || "the regions are too large".into())?;
        domain(network, region.values, place)?;
        let bytes = match region.values {
            Domain::Interval(values) => 0 <= values.lo && values.hi < 256,
            Domain::PowerOfTwo { hi } => hi < 8,
            Domain::Ids(_) => false,
        };
        check(region.width == CellWidth::Number || bytes, || {
            format!("{} has cells of bytes, and values that are none", place())
        })?;
    }
    for (key, value) in &network.first_rows {
        let region = row(network, *key, || "a first row".into())?;
        check(value.is_finite(), || format!("first row {key} is not finite"))?;
        check(
            region.width == CellWidth::Number || (value.fract() == 0.0 && (0.0..256.0).contains(value)),
            || {
                format!(
                    "first row {key} is no byte, which is all that region `{}` has cells for",
                    region.name
                )
            },
        )?;
    }
    Ok(())
}

/// Returns the region of a row.
fn row(network: &Network, key: u64, place: impl Fn() -> String) -> Result<&Region, Error> {
    match network.region_of(key) {
        Some(region) => Ok(&network.regions[region]),
        None => Err(Error::Malformed(format!("key {key} of {} is in no region", place()))),
    }
}

/// Checks a row that the host writes words to.
fn word(network: &Network, key: u64, place: impl Fn() -> String) -> Result<(), Error> {
    let region = row(network, key, &place)?;
    check(region.width == CellWidth::Number, || {
        format!("key {key} of {} is in region `{}`, whose cells are bytes", place(), region.name)
    })
}

fn domain(network: &Network, domain: Domain, place: impl Fn() -> String) -> Result<(), Error> {
    match domain {
        Domain::Ids(set) => check((set as usize) < network.certificate.id_sets.len(), || {
            format!("{} refers to an id set that does not exist", place())
        }),
        Domain::PowerOfTwo { hi } => check(hi < 64, || format!("{} has a power of two beyond 2^63", place())),
        Domain::Interval(i) => check(i.lo <= i.hi, || format!("{} has an empty interval", place())),
    }
}

fn tables(network: &Network) -> Result<(), Error> {
    check(network.lookup.iter().all(|x| x.is_finite()), || "a table entry is not finite".into())?;
    limit("entries of tables", network.lookup.len(), MAX_INDICES)?;
    for table in &network.tables {
        let place = || format!("table `{}`", table.name);
        let end = u64::from(table.first) + u64::from(table.count);
        check(end <= network.lookup.len() as u64, || format!("{} is out of range", place()))?;
        domain(network, table.domain, place)?;
    }
    Ok(())
}

/// Checks entries, globals, memories, standard input and output.
fn boundary(network: &Network) -> Result<(), Error> {
    let vocabulary = network.experts.len() as ExpertId;
    check(network.start.is_none_or(|e| e < vocabulary), || "the start expert does not exist".into())?;
    for (name, entry) in &network.entries {
        let place = || format!("entry `{name}`");
        check(entry.expert < vocabulary, || format!("the expert of {} does not exist", place()))?;
        let sides =
            [(true, &entry.params, &entry.param_locations), (false, &entry.results, &entry.result_locations)];
        for (written, types, locations) in sides {
            let words: usize = types.iter().map(|ty| ty.words()).sum();
            check(locations.len() == words, || {
                format!("{} does not have one location for each word", place())
            })?;
            for location in locations {
                match *location {
                    WordLocation::Row(key) if written => word(network, key, place)?,
                    WordLocation::Row(key) => row(network, key, place).map(drop)?,
                    WordLocation::Field(field) => check(usize::from(field) < network.ports.fields(), || {
                        format!("{} has a word in a field that does not exist", place())
                    })?,
                }
            }
        }
        if let Some(boundary) = &entry.boundary {
            let result = boundary.validate(entry);
            result.map_err(|error| Error::Malformed(format!("tensors of {}: {error}", place())))?;
        }
    }
    for (name, global) in &network.globals {
        let place = || format!("global `{name}`");
        check(global.keys.len() == global.ty.words(), || {
            format!("{} has not one key for each word", place())
        })?;
        global.keys.iter().try_for_each(|key| word(network, *key, place))?;
    }
    for (name, memory) in &network.memories {
        let place = || format!("memory `{name}`");
        check(memory.region < network.regions.len(), || format!("{} has no region", place()))?;
        match memory.pages {
            MemoryPages::Row(key) => row(network, key, place).map(drop)?,
            MemoryPages::Constant(pages) => {
                let count = network.regions[memory.region].count;
                check(u64::from(pages) << 16 <= count, || format!("{} is larger than its region", place()))?;
            }
        }
    }
    let io = &network.io;
    let outputs = [io.stdout, io.stderr, io.results].into_iter().flatten();
    for region in outputs.clone().map(|(region, _)| region).chain(io.input) {
        check(region < network.regions.len(), || "input or output has no region".into())?;
        // A damaged network may claim any number of bytes printed, up to the size of the region.
        check(network.regions[region].count <= MAX_STREAM, || "input or output is too large".into())?;
    }
    let ends = [io.argv_end, io.environ_end, io.files_end, io.stdin_end];
    check(io.input.is_some() || (ends == [None; 4] && io.tensors.is_none()), || {
        "input has no region".into()
    })?;
    let numbers =
        io.clock.into_iter().chain(io.seed).chain([io.terminals, io.exit_code, io.tensors, io.error]);
    let lengths = outputs.map(|(_, length)| length);
    for key in lengths.chain(ends.into_iter().chain(numbers).flatten()) {
        word(network, key, || "input or output".into())?;
    }
    if let Some(key) = io.stdin_position {
        row(network, key, || "the position in standard input".into()).map(drop)?;
    }
    if let Some(limit) = network.growth_limit {
        row(network, limit.refused, || "a refused growth of the memory".into()).map(drop)?;
    }
    Ok(())
}

/// Checks the certificate. An empty one is well-formed: it declares nothing.
fn certificate(network: &Network) -> Result<(), Error> {
    let certificate = &network.certificate;
    let vocabulary = network.experts.len();
    for set in &certificate.id_sets {
        let place = || format!("id set `{}`", set.name);
        check(ascending(&set.ids), || format!("{} is not sorted", place()))?;
        check(set.ids.last().is_none_or(|id| (*id as usize) < vocabulary), || {
            format!("{} has an expert that does not exist", place())
        })?;
        for (field, declared) in &set.interface {
            check(*field <= network.ports.e(), || format!("{} has a field that does not exist", place()))?;
            domain(network, *declared, place)?;
        }
    }
    let sizes = [certificate.field_end.len(), certificate.ghost_end.len()];
    if sizes == [0, 0] {
        return check(certificate.fields.is_empty(), || "declared fields of no expert".into());
    }
    check(sizes == [vocabulary; 2], || "the certificate does not cover the experts".into())?;
    check(
        covers(&certificate.field_end, certificate.fields.len())
            && covers(&certificate.ghost_end, certificate.ghost_term_end.len())
            && covers(&certificate.ghost_term_end, certificate.ghost_terms.len())
            && certificate.ghost_range.len() == certificate.ghost_term_end.len(),
        || "the certificate's sizes do not agree".into(),
    )?;
    for e in 0..vocabulary as ExpertId {
        let place = || format!("a declaration of expert {e}");
        let names = certificate.fields(e).map(|declared| declared.0);
        check(names.is_sorted_by(|a, b| a < b), || format!("{} is not sorted", place()))?;
        for (field, declared) in certificate.fields(e) {
            check(field <= network.ports.e(), || format!("{} is of a field that does not exist", place()))?;
            domain(network, declared, place)?;
        }
    }
    check(
        certificate.ghost_terms.iter().all(|(field, _)| usize::from(*field) < network.ports.fields()),
        || "a ghost has a field that does not exist".into(),
    )
}

fn debug(network: &Network) -> Result<(), Error> {
    let experts: Vec<_> = network.packets.iter().map(|p| p.expert).collect();
    check(ascending(&experts), || "packets are not sorted".into())?;
    check(experts.last().is_none_or(|e| (*e as usize) < network.experts.len()), || {
        "a packet's expert does not exist".into()
    })?;
    let Lines { files, rows } = &network.lines;
    let places: Vec<_> = rows.iter().map(|row| (row.function, row.offset)).collect();
    check(ascending(&places), || "lines of source text are not sorted".into())?;
    check(rows.iter().all(|row| row.line == 0 || (row.file as usize) < files.len()), || {
        "a file of source text does not exist".into()
    })
}
