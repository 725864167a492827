//! The model's metadata: see [`crate::model`].

use serde_json::{Value, json};
use wasm2onnx_certify::Summary;
use wasm2onnx_runtime::{
    Boundary, CellWidth, Domain, Entry, Name, Network, Spec, Terminal, ValueType, WordLocation,
};

use super::plan::Plan;
use super::{Attention, ExportOptions, Form, dense};
use crate::model::{self, Declared};
use crate::pack::Slots;
use crate::proto::{GraphProto, StringStringEntryProto};

/// Makes all entries. Their keys begin with `wasm2onnx.`.
pub fn of(
    plan: &Plan,
    proved: Option<&Summary>,
    options: &ExportOptions,
    graph: &GraphProto,
) -> Vec<StringStringEntryProto> {
    let network = plan.network;
    let mut entries = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("format", model::FORMAT.to_owned()),
        ("dtype", "float64".to_owned()),
        ("form", name_of_form(options.form).to_owned()),
        ("attention", name_of_attention(options.attention).to_owned()),
        ("signature", signature(plan.name, plan.entry)),
        ("entry", entry(plan).to_string()),
        ("regions", regions(network).to_string()),
        ("traps", traps(network).to_string()),
        ("certificate", certificate(proved).to_string()),
        ("validated", model::validated(&network.validated).to_string()),
        ("declared", model::to_text(&Declared::of(network, plan.name, plan.entry))),
        ("debug", model::debug(network).to_string()),
        ("checksum", model::checksum(&graph.initializer)),
    ];
    if let Some(hash) = options.source_sha256 {
        entries.push(("source_sha256", model::hexadecimal(&hash)));
    }
    if options.attention == Attention::Softmax {
        entries.push(("max_rows", dense::MAX_ROWS.to_string()));
    }
    let proto = |(key, value)| StringStringEntryProto { key: format!("{}{key}", model::PREFIX), value };
    let mut entries: Vec<_> = entries.into_iter().map(proto).collect();
    let integrity = model::integrity(graph, &entries);
    entries.push(proto((model::INTEGRITY, integrity)));
    entries
}

fn name_of_form(form: Form) -> &'static str {
    match form {
        Form::Loop => "loop",
        Form::Step => "step",
    }
}

fn name_of_attention(attention: Attention) -> &'static str {
    match attention {
        Attention::Indexed => "indexed",
        Attention::Dense => "dense",
        Attention::Softmax => "softmax",
    }
}

/// Writes a signature as `name(i32, i64) -> (i32, f64)`.
fn signature(name: &str, entry: &Entry) -> String {
    let name = Name(name);
    if let Some(Boundary { inputs, outputs }) = &entry.boundary {
        let list = |specs: &[Spec]| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return format!("{name}({}) -> ({})", list(inputs), list(outputs));
    }
    let list = |types: &[ValueType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match &entry.results[..] {
        [] => format!("{name}({})", list(&entry.params)),
        [result] => format!("{name}({}) -> {result}", list(&entry.params)),
        results => format!("{name}({}) -> ({})", list(&entry.params), list(results)),
    }
}

/// Describes what a driver of the step form, or a reader of the tensors, needs to know.
///
/// - `expert`: where the call begins. `start`: where instance creation begins, with all numbers 0, if
///   there is anything to do; it comes before the call and ends at expert 1.
/// - `terminals`: experts below this number end a run: 0 is unreachable, 1 halts, others trap.
/// - `numbers`: each [field, number] that a call begins with, beside its arguments: keys of arguments that are
///   rows.
/// - `args`, `results`: fields of the words, low word first. A result that is a row is `{"key": …}`; so is an
///   argument that the first step does not append, and a driver of the step form writes it into the trace.
/// - `fields`: the parts of `numbers` in order, and their sizes. `sources`: the parts of the vector that an
///   expert's terms multiply, and their sizes: the constant 1, then what `q` and `t` read, `n·v`, `s`.
fn entry(plan: &Plan) -> Value {
    let Plan { network, entry, slots, arguments, .. } = plan;
    let numbers: Vec<_> = arguments
        .call()
        .iter()
        .enumerate()
        .filter(|(_, x)| **x != 0.0)
        .map(|(slot, x)| json!([slot, x]))
        .collect();
    let mut words = arguments.words.iter().map(|word| match word.key {
        Some(key) if !arguments.in_call(word) => json!({ "key": key }),
        _ => json!(word.slot),
    });
    let mut sources = sizes(slots, ["q", "t", "n", "s"]);
    sources.insert(0, json!(["1", 1]));
    let args: Vec<_> = entry
        .params
        .iter()
        .map(|ty| json!([ty.to_string(), words.by_ref().take(ty.words()).collect::<Vec<_>>()]))
        .collect();
    let mut locations = entry.result_locations.iter().map(|location| match *location {
        WordLocation::Field(field) => json!(slots.of(field)),
        WordLocation::Row(key) => json!({ "key": key }),
    });
    let results: Vec<_> = entry
        .results
        .iter()
        .map(|ty| json!([ty.to_string(), locations.by_ref().take(ty.words()).collect::<Vec<_>>()]))
        .collect();
    let io = &network.io;
    let output =
        |(region, key): (usize, u64)| json!({ "region": network.regions[region].name, "length": key });
    let input = |end: Option<u64>| io.input.zip(end).map(output);
    json!({
        "name": plan.name,
        "expert": entry.expert,
        "start": network.start,
        "terminals": network.terminals.len(),
        "numbers": numbers,
        "args": args,
        "results": results,
        "argv": input(io.argv_end),
        "environ": input(io.environ_end),
        "files": input(io.files_end),
        "stdin": input(io.stdin_end),
        "stdin_position": io.stdin_position,
        "stdout": io.stdout.map(output),
        "stderr": io.stderr.map(output),
        "clock": io.clock,
        "seed": io.seed,
        "exit_code": io.exit_code,
        "tensors": io.tensors,
        "outputs": io.results.map(output),
        "error": io.error,
        "fields": sizes(slots, ["s", "n", "v", "x", "q", "k", "t"]),
        "sources": sources,
    })
}

/// Returns the sizes of parts of `numbers`, each with its name.
fn sizes<const N: usize>(slots: &Slots, names: [&str; N]) -> Vec<Value> {
    let all = ["s", "n", "v", "x", "q", "k", "t"];
    let size = |name| all.iter().position(|n| *n == name).map(|part| slots.sizes()[part]);
    names.into_iter().map(|name| json!([name, size(name)])).collect()
}

/// Describes the regions: where their keys begin, and where their cells in an indexed trace begin.
fn regions(network: &Network) -> Value {
    let region = |region: &wasm2onnx_runtime::Region| {
        let values = match region.values {
            Domain::Interval(interval) => json!([interval.lo, interval.hi]),
            Domain::PowerOfTwo { hi } => json!({ "powers": hi }),
            Domain::Ids(set) => json!({ "ids": network.certificate.id_sets[set as usize].name }),
        };
        json!({
            "name": region.name,
            "first": region.first,
            "count": region.count,
            "cell": region.first,
            "bytes": region.width == CellWidth::Byte,
            "values": values,
        })
    };
    Value::Array(network.regions.iter().map(region).collect())
}

/// Describes the terminal experts that are traps.
fn traps(network: &Network) -> Value {
    let trap = |(expert, terminal): (usize, &Terminal)| match *terminal {
        Terminal::Trap { code, function, offset } => {
            let trap = json!({ "code": code as u8, "function": function, "offset": offset });
            Some((expert.to_string(), trap))
        }
        Terminal::Unreachable | Terminal::Halt => None,
    };
    Value::Object(network.terminals.iter().enumerate().filter_map(trap).collect())
}

/// Describes the largest magnitude that the certificate proves, and where it occurs; null if the network was
/// not proved.
fn certificate(proved: Option<&Summary>) -> Value {
    let Some(summary) = proved else { return Value::Null };
    let (expert, row) = &summary.largest_at;
    json!({
        "largest": summary.largest_magnitude,
        "headroom_bits": summary.headroom(),
        "expert": expert,
        "row": row.to_string(),
    })
}
