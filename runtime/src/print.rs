//! Prints networks as text, for people who look for the expert at fault. `wasm2onnx dump --after network`
//! prints a network in this way.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;

use crate::certificate::Certificate;
use crate::network::{
    CellWidth, Entry, Equation, ExpertId, Experts, Field, MemoryPages, Network, Ports, Region, Source, Table,
    Terminal, WordLocation,
};
use crate::show::{FieldName, List, Name, SourceName, Weight, linear};
use crate::tensors::Boundary;

impl Display for Network {
    /// Writes all of the network: what the host uses, the address space, then each packet with its experts.
    /// For each expert, writes what is declared of the `z` that it gets, and its equations.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        boundary(self, f)?;
        address_space(self, f)?;
        Steps(self, self.terminals.len() as ExpertId..self.experts.len() as ExpertId).fmt(f)
    }
}

fn boundary(network: &Network, f: &mut Formatter<'_>) -> fmt::Result {
    for (name, entry) in &network.entries {
        let Entry { expert, params, results, param_locations, result_locations, boundary } = entry;
        write!(f, "export {}({}) -> ({}) at expert {expert}: ", Name(name), List(params), List(results))?;
        locations(network, param_locations, f)?;
        f.write_str(" -> ")?;
        locations(network, result_locations, f)?;
        writeln!(f)?;
        if let Some(Boundary { inputs, outputs }) = boundary {
            writeln!(f, "    tensors ({}) -> ({})", List(inputs), List(outputs))?;
        }
    }
    for (name, global) in &network.globals {
        writeln!(f, "global {} of type {} in rows {:?}", Name(name), global.ty, global.keys)?;
    }
    for (name, memory) in &network.memories {
        write!(f, "memory {} in {}, ", Name(name), region(network, memory.region))?;
        match memory.pages {
            MemoryPages::Constant(pages) => writeln!(f, "{pages} pages")?,
            MemoryPages::Row(key) => writeln!(f, "pages in row {key}")?,
        }
    }
    let io = &network.io;
    if let Some(input) = io.input {
        writeln!(f, "input in {}", region(network, input))?;
    }
    for (what, key) in [
        ("arguments end", io.argv_end),
        ("environment ends", io.environ_end),
        ("files end", io.files_end),
        ("standard input ends", io.stdin_end),
        ("standard input has been read to", io.stdin_position),
        ("tensors begin", io.tensors),
    ] {
        if let Some(key) = key {
            writeln!(f, "{what} in row {key}")?;
        }
    }
    for (what, output) in
        [("standard output", io.stdout), ("standard error", io.stderr), ("results", io.results)]
    {
        if let Some((index, key)) = output {
            writeln!(f, "{what} in {}, its length in row {key}", region(network, index))?;
        }
    }
    let words = [io.terminals, io.exit_code, io.error];
    for (what, keys) in
        [("clock", &io.clock[..]), ("seed", &io.seed), ("terminals, exit status, error", &words)]
    {
        for key in keys.iter().flatten() {
            writeln!(f, "{what} in row {key}")?;
        }
    }
    if let Some(start) = network.start {
        writeln!(f, "creation at expert {start}")?;
    }
    for (id, terminal) in network.terminals.iter().enumerate() {
        match terminal {
            Terminal::Unreachable => writeln!(f, "expert {id} is never reached")?,
            Terminal::Halt => writeln!(f, "expert {id} halts")?,
            Terminal::Trap { code, function, offset } => {
                writeln!(
                    f,
                    "expert {id} traps: {}, function {function}, offset {offset:#x}",
                    code.message()
                )?;
            }
        }
    }
    Ok(())
}

/// Returns the name of a region. The index may be out of range, as a damaged network can be printed, too.
fn region(network: &Network, index: usize) -> Name<'_> {
    Name(network.regions.get(index).map_or("no region", |region| &region.name))
}

fn locations(network: &Network, locations: &[WordLocation], f: &mut Formatter<'_>) -> fmt::Result {
    let shown = locations.iter().map(|location| match *location {
        WordLocation::Field(field) => FieldName::new(&network.ports, field).to_string(),
        WordLocation::Row(key) => format!("row {key}"),
    });
    write!(f, "({})", shown.collect::<Vec<_>>().join(", "))
}

fn address_space(network: &Network, f: &mut Formatter<'_>) -> fmt::Result {
    for region in &network.regions {
        let cells = match region.width {
            CellWidth::Byte => "bytes",
            CellWidth::Number => "numbers",
        };
        let Region { name, first, count, values, .. } = region;
        writeln!(f, "region {}, {count} keys from {first}, {cells}, {values}", Name(name))?;
    }
    for table in &network.tables {
        let Table { name, first, count, domain } = table;
        writeln!(f, "table {}, {count} keys from {first}, {domain}", Name(name))?;
    }
    for (i, set) in network.certificate.id_sets.iter().enumerate() {
        writeln!(f, "set {i}, {}, experts {:?}", Name(&set.name), set.ids)?;
    }
    for (key, value) in &network.first_rows {
        writeln!(f, "first row {key} = {value}")?;
    }
    Ok(())
}

/// Experts of a network as text, with a line for each packet that begins among them.
#[derive(Clone, Debug)]
pub struct Steps<'n>(pub &'n Network, pub Range<ExpertId>);

impl Display for Steps<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Steps(network, experts) = self;
        let ports = &network.ports;
        let field = |field| Some(FieldName::new(ports, field));
        let source = |source| (source != Ports::ONE).then(|| SourceName::new(ports, source));
        for e in experts.clone() {
            if let Ok(number) = network.packets.binary_search_by_key(&e, |packet| packet.expert) {
                writeln!(f, "packet {number}, {}", network.place_of(e))?;
            }
            write_expert(f, (&network.experts, &network.certificate), e, field, source)?;
        }
        Ok(())
    }
}

/// Writes an expert: what is declared of the `z` that it gets, and its equations.
///
/// `field` and `source` name the fields of `z` and the elements of `y`, however these are numbered. A field
/// without a name is left out; of a term without a name, only the weight is written, as for the constant 1.
///
/// # Errors
///
/// Those of the formatter.
pub fn write_expert<F: Display, S: Display>(
    f: &mut Formatter<'_>,
    (experts, certificate): (&Experts, &Certificate),
    e: ExpertId,
    field: impl Fn(Field) -> Option<F>,
    source: impl Fn(Source) -> Option<S>,
) -> fmt::Result {
    writeln!(f, "    expert {e}")?;
    // A network may come without a certificate.
    if !certificate.field_end.is_empty() {
        for (declared, domain) in certificate.fields(e) {
            if let Some(declared) = field(declared) {
                writeln!(f, "        {declared} in {domain}")?;
            }
        }
        for ghost in certificate.ghosts(e) {
            let terms = ghost.terms.iter().map(|(declared, c)| (*c, field(*declared)));
            writeln!(f, "        {} in {}", linear(terms), ghost.range)?;
        }
    }
    for Equation { field: made, sources, weights } in experts.equations(e) {
        if let Some(made) = field(made) {
            let terms = sources.iter().zip(weights).map(|(s, weight)| (Weight(*weight), source(*s)));
            writeln!(f, "        {made} <- {}", linear(terms))?;
        }
    }
    Ok(())
}
