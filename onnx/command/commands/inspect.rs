//! `wasm2onnx inspect`: shows what is in the network of a module or model.

use std::fmt::{self, Display, Formatter};

use crate::Description;
use wasm2onnx_certify::Certified;
use wasm2onnx_runtime::{
    CellWidth, Domain, ExpertId, FieldKind, MemoryPages, Name, Network, Region, Table, Terminal, Validated,
};

use crate::command::display::{Count, Signatures};
use crate::command::entry::entries;
use crate::command::failure::Failure;
use crate::command::input::{Input, ModuleOptions, Source};
use crate::command::output::print;

/// Show what is in the network of a module or model: exports, packets, steps, regions, sizes, certificate
#[derive(Debug, clap::Args)]
pub struct Inspect {
    #[command(flatten)]
    module: ModuleOptions,

    #[command(flatten)]
    input: Input,
}

impl Inspect {
    pub fn execute(self) -> Result<(), Failure> {
        let source = Source::read(&self.input.path)?;
        let network = source.network(&self.module)?;
        let model = source.description()?;
        let report = Report { network: &network, model }.to_string();
        Ok(print(&report)?)
    }
}

/// Everything that `inspect` prints.
struct Report<'n> {
    network: &'n Certified,
    /// What the file says about itself, if it is a compiled model.
    model: Option<Description>,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Report { network, model } = self;
        let certificate = network.summary();
        if let Some(model) = model {
            described(f, model)?;
        }
        writeln!(f, "functions exported{}", Signatures(&entries(network)))?;
        exported_state(f, network)?;
        writeln!(f, "\nnetwork")?;
        for (name, value) in sizes(network) {
            writeln!(f, "  {name:<12} {value}")?;
        }
        let names = network.regions.iter().map(|r| &r.name).chain(network.tables.iter().map(|t| &t.name));
        let width = names.map(|name| Name(name).to_string().chars().count()).max().unwrap_or(0);
        writeln!(f, "\nregions of the trace")?;
        writeln!(f, "  {:<width$} {:>14} {:>14}  {:<6} values", "name", "first key", "keys", "cell")?;
        for region in &network.regions {
            let Region { name, first, count, width: cells, values } = region;
            let cell = match cells {
                CellWidth::Byte => "byte",
                CellWidth::Number => "number",
            };
            let values = Values(network, *values);
            let name = Name(name).to_string();
            writeln!(f, "  {name:<width$} {:>14} {:>14}  {cell:<6} {values}", Count(*first), Count(*count))?;
        }
        writeln!(f, "\nfrozen tables")?;
        writeln!(f, "  {:<width$} {:>14}  values", "name", "entries")?;
        for Table { name, count, domain, .. } in &network.tables {
            let name = Name(name).to_string();
            writeln!(f, "  {name:<width$} {:>14}  {}", Count(u64::from(*count)), Values(network, *domain))?;
        }

        let (declared, ghosts) = certificate.declared;
        let (expert, field) = certificate.largest_at;
        writeln!(f, "\ncertificate")?;
        writeln!(f, "  declared     {} intervals, {} ghosts", Count(declared as u64), Count(ghosts as u64))?;
        writeln!(
            f,
            "  largest      {}, {:.1} bits below 2^53: equation of {field} of {}",
            Count(certificate.largest_magnitude),
            certificate.headroom(),
            Origin(network, expert),
        )?;
        let Validated { packets, states, without, proved } = network.validated;
        let mut compared = match packets {
            0 => "not compared with the program".to_owned(),
            _ => format!("{} packets on {} states", Count(packets), Count(states)),
        };
        if without > 0 {
            compared += &format!(", {} packets on none", Count(without));
        }
        writeln!(f, "  validated    {compared}")?;
        if let Some(proved) = proved.filter(|_| packets > 0) {
            let tested = packets - proved;
            let share = 100.0 * proved as f64 / packets as f64;
            writeln!(
                f,
                "  proved       {} packets ({share:.1} %); {} are only tested",
                Count(proved),
                Count(tested)
            )?;
        }
        for (i, (expert, field, interval)) in certificate.widest.iter().enumerate() {
            let title = if i == 0 { "widest" } else { "" };
            writeln!(f, "  {title:<12} {}: {field} of {}", interval, Origin(network, *expert))?;
        }
        Ok(())
    }
}

/// An expert and what it came from: its packet, function and wasm offset.
struct Origin<'n>(&'n Network, ExpertId);

impl Display for Origin<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Origin(network, expert) = self;
        write!(f, "expert {expert}")?;
        match network.packet_of(*expert) {
            Some(packet) => write!(f, " (packet {packet}, {})", network.place_of(*expert)),
            None => Ok(()),
        }
    }
}

/// Writes what is known about the file that the network was read from.
fn described(f: &mut Formatter<'_>, model: &Description) -> fmt::Result {
    writeln!(f, "model; its tensors have the checksum that it names")?;
    for (name, value) in &model.metadata {
        writeln!(f, "  {:<12} {}", Name(name).to_string(), Name(value))?;
    }
    let (tables, others) = model.tensors;
    writeln!(f, "  {:<12} {}", "opset", model.opset)?;
    writeln!(f, "  {:<12} {}", "nodes", Count(model.nodes as u64))?;
    let (tables, others) = (Count(tables as u64), Count(others as u64));
    writeln!(f, "  {:<12} {tables} bytes of shared tables, {others} bytes of others\n", "tensors")
}

/// Writes the exported globals and memories.
fn exported_state(f: &mut Formatter<'_>, network: &Network) -> fmt::Result {
    if !network.globals.is_empty() {
        writeln!(f, "globals exported")?;
    }
    for (name, global) in &network.globals {
        writeln!(f, "  {}: {}{}", Name(name), if global.mutable { "mut " } else { "" }, global.ty)?;
    }
    if !network.memories.is_empty() {
        writeln!(f, "memories exported")?;
    }
    for (name, memory) in &network.memories {
        let name = Name(name);
        match memory.pages {
            MemoryPages::Constant(pages) => writeln!(f, "  {name}: pages of 64 KiB: {pages}")?,
            MemoryPages::Row(_) => writeln!(f, "  {name}: pages of 64 KiB: a number that can grow")?,
        }
    }
    Ok(())
}

/// Returns the sizes of the network, each with its name.
fn sizes(network: &Network) -> Vec<(&'static str, String)> {
    let ports = &network.ports;
    let experts = network.experts.len();
    let terminals = network.terminals.len();
    let traps = network.terminals.iter().filter(|terminal| matches!(terminal, Terminal::Trap { .. })).count();
    let steps = experts - terminals;

    let ends = network.packets.iter().skip(1).map(|packet| packet.expert).chain([experts as ExpertId]);
    let longest =
        network.packets.iter().zip(ends).map(|(packet, end)| end - packet.expert).max().unwrap_or(0);
    let mean = steps as f64 / network.packets.len().max(1) as f64;

    let units = network.experts.fields.iter().filter(|field| ports.kind(**field).0 == FieldKind::N).count();
    let count = |n: usize| Count(n as u64).to_string();
    vec![
        ("packets", count(network.packets.len())),
        (
            "experts",
            format!(
                "{}: {} steps, {} terminal, {} of them traps",
                count(experts),
                count(steps),
                count(terminals),
                count(traps)
            ),
        ),
        ("steps", format!("{mean:.2} per packet, at most {longest}")),
        ("units", count(units)),
        ("equations", count(network.experts.fields.len())),
        ("non-zeros", count(network.experts.weights.len())),
        (
            "ports",
            format!(
                "{} carried, {} units, {} reads, {} lookups, {} rows",
                ports.carried, ports.units, ports.reads, ports.lookups, ports.rows
            ),
        ),
        ("first rows", count(network.first_rows.len())),
    ]
}

/// What values are declared to be.
struct Values<'n>(&'n Network, Domain);

impl Display for Values<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Values(network, domain) = self;
        let set = match domain {
            Domain::Ids(set) => network.certificate.id_sets.get(*set as usize),
            _ => None,
        };
        match set {
            Some(set) => write!(f, "ids of `{}`", Name(&set.name)),
            None => domain.fmt(f),
        }
    }
}
