//! Networks as text, for people who look for the expert at fault. `wasm2onnx dump --after network` prints it.

use std::fmt::{self, Display, Formatter};

use crate::network::{Cell, Entry, ExpertId, MemoryPages, Network, Place, Ports, Terminal};
use crate::show::{FieldName, Name, SourceName, Weight, linear};

impl Display for Network {
    /// All of it: what the host meets, the address space, then each packet with its experts, and of each expert what is
    /// declared of the `z` that it gets and the rows of its matrix.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        boundary(self, f)?;
        address_space(self, f)?;
        (0..self.packets.len()).try_for_each(|packet| Packet(self, packet).fmt(f))
    }
}

fn boundary(network: &Network, f: &mut Formatter<'_>) -> fmt::Result {
    for (name, entry) in &network.entries {
        let Entry { expert, params, results, param_places, result_places } = entry;
        let words: usize = params.iter().chain(results).map(|ty| ty.words()).sum();
        write!(f, "export {} of {words} words at expert {expert}: ", Name(name))?;
        places(network, param_places, f)?;
        f.write_str(" -> ")?;
        places(network, result_places, f)?;
        writeln!(f)?;
    }
    for (name, global) in &network.globals {
        writeln!(f, "global {} of type {} in rows {:?}", Name(name), global.ty, global.keys)?;
    }
    for (name, memory) in &network.memories {
        write!(f, "memory {} in {}, ", Name(name), Name(&network.regions[memory.region].name))?;
        match memory.pages {
            MemoryPages::Constant(pages) => writeln!(f, "{pages} pages")?,
            MemoryPages::Row(key) => writeln!(f, "pages in row {key}")?,
        }
    }
    let streams = [("standard input", network.io.stdin), ("standard output", network.io.stdout)];
    for (what, (region, key)) in streams.into_iter().filter_map(|(what, io)| Some((what, io?))) {
        writeln!(f, "{what} in {}, its length in row {key}", Name(&network.regions[region].name))?;
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

fn places(network: &Network, places: &[Place], f: &mut Formatter<'_>) -> fmt::Result {
    let shown = places.iter().map(|place| match *place {
        Place::Field(field) => FieldName::new(&network.ports, field).to_string(),
        Place::Row(key) => format!("row {key}"),
    });
    write!(f, "({})", shown.collect::<Vec<_>>().join(", "))
}

fn address_space(network: &Network, f: &mut Formatter<'_>) -> fmt::Result {
    for region in &network.regions {
        let cells = match region.cell {
            Cell::Byte => "bytes",
            Cell::Number => "numbers",
        };
        let last = region.first + region.count - 1;
        writeln!(
            f,
            "region {}, keys {} … {last}, {cells}, {}",
            Name(&region.name),
            region.first,
            region.values
        )?;
    }
    for table in &network.tables {
        let end = u64::from(table.first) + u64::from(table.count);
        writeln!(f, "table {}, keys {} … {}, {}", Name(&table.name), table.first, end - 1, table.domain)?;
    }
    for (i, set) in network.certificate.id_sets.iter().enumerate() {
        writeln!(f, "set {i}, {}, experts {:?}", Name(&set.name), set.ids)?;
    }
    for (key, value) in &network.first_rows {
        writeln!(f, "first row {key} = {value}")?;
    }
    Ok(())
}

/// A packet of a network as text.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'n>(pub &'n Network, pub usize);

impl Display for Packet<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Packet(network, number) = *self;
        let packet = network.packets[number];
        let name = network.function_names.get(packet.function as usize);
        let name = name.map_or("a library routine".to_owned(), |name| Name(name).to_string());
        writeln!(f, "packet {number} of {name}, at offset {:#x}", packet.offset)?;
        network.experts_of(number).try_for_each(|e| expert(network, e, f))
    }
}

fn expert(network: &Network, e: ExpertId, f: &mut Formatter<'_>) -> fmt::Result {
    let field = |field: u16| FieldName::new(&network.ports, field);
    writeln!(f, "    expert {e}")?;
    let certificate = &network.certificate;
    if !certificate.field_end.is_empty() {
        for (declared, domain) in certificate.fields(e) {
            writeln!(f, "        {} in {domain}", field(declared))?;
        }
        for ghost in certificate.ghosts(e) {
            let terms = ghost.terms.iter().map(|(declared, c)| (*c, Some(field(*declared))));
            writeln!(f, "        {} in {}", linear(terms), ghost.range)?;
        }
    }
    for row in network.experts.rows(e) {
        let term = |(source, weight): (&u16, &f64)| {
            let name = SourceName::new(&network.ports, *source);
            (Weight(*weight), (*source != Ports::ONE).then_some(name))
        };
        writeln!(
            f,
            "        {} <- {}",
            field(row.field),
            linear(row.sources.iter().zip(row.weights).map(term))
        )?;
    }
    Ok(())
}
