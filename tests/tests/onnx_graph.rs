//! What models are made of: the same graph for every program, only the operators that are listed here, and
//! what ONNX's own checker says.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write;
use std::process::Stdio;

use prost::Message;
use wasm2onnx::proto::{DataType, GraphProto, NodeProto};
use wasm2onnx::{Attention, ExportError, ExportOptions, Form, export};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_tests::onnx_file::{File, integer};
use wasm2onnx_tests::onnx_runtime::ATTENTIONS;
use wasm2onnx_tests::onnx_runtime::python;
use wasm2onnx_tests::{examples, programs};

const FORMS: [Form; 2] = [Form::Loop, Form::Step];
/// An opset that has the operators for every signature.
const OPSET: i64 = 26;

/// A network and the function that its models run.
struct Subject {
    name: String,
    entry: String,
    network: Certified,
}

/// Returns all examples, each with all of its functions, and all small programs.
fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for example in examples::all() {
        let network = compile(example.wasm, &Options::default()).expect("examples compile");
        for entry in network.entries.keys() {
            let options = Options {
                exports: Some(vec![entry.clone()]),
                stdout_bytes: 1 << 16,
                stdin_bytes: 1 << 16,
                ..Options::default()
            };
            let network = compile(example.wasm, &options).expect("examples compile");
            subjects.push(Subject {
                name: format!("{}.{entry}", example.name),
                entry: entry.clone(),
                network,
            });
        }
    }
    for program in programs::all() {
        let network = program.network();
        subjects.push(Subject { name: program.name.to_owned(), entry: "run".to_owned(), network });
    }
    subjects
}

/// Writes models of all subjects in all forms and with all kinds of attention, where possible. Softmax
/// attention limits the number of first rows, and some examples exceed this limit.
fn models(opset: Option<i64>) -> Vec<(String, (Form, Attention), Vec<u8>)> {
    let mut models = Vec::new();
    for Subject { name, entry, network } in subjects() {
        for form in FORMS {
            for attention in ATTENTIONS {
                let options = ExportOptions {
                    entry: entry.clone(),
                    form,
                    attention,
                    opset,
                    ..ExportOptions::default()
                };
                let model = export(&network, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
                models.push((format!("{name}, {form:?}, {attention:?}"), (form, attention), model));
                // Programs without streams also have models for batches.
                match export(&network, &ExportOptions { batch: true, ..options }) {
                    Ok(model) => models.push((format!("{name}, batches"), (form, attention), model)),
                    Err(ExportError::Batch { .. }) => {}
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
    }
    models
}

/// Without initializers, metadata and the nodes that depend on the signature, models of one form are the same
/// bytes, whatever the program.
#[test]
fn one_graph_for_all_programs() {
    let mut graphs: BTreeMap<String, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for (name, kind, bytes) in models(Some(OPSET)) {
        let file = File::read(&bytes);
        let paged = file.nodes().iter().any(|(.., node)| node.op_type == "SequenceAt");
        let batched = file
            .nodes()
            .iter()
            .any(|(.., node)| node.name == "swap/waiting" || node.name.ends_with("/swap/waiting"));
        let variant = format!(
            "{kind:?}{}{}",
            if paged { ", paged" } else { "" },
            if batched { ", batches" } else { "" }
        );
        graphs.entry(variant).or_default().push((name, without_program(file).encode_to_vec()));
    }
    for (variant, graphs) in &graphs {
        let (first, expected) = &graphs[0];
        for (name, graph) in graphs {
            if graph != expected {
                panic!("{first} and {name} differ: {}", first_difference(expected, graph));
            }
        }
        println!("{variant}: {} programs, one graph of {} bytes", graphs.len(), expected.len());
    }
    // The loop form is resident or paged with indexed attention, or for batches.
    assert_eq!(graphs.len(), 8);
    assert!(graphs.values().all(|graphs| graphs.len() >= 3));
}

/// Removes the program from a model: initializers, metadata, inputs and outputs, and the nodes that convert
/// arguments and results.
fn without_program(mut file: File) -> wasm2onnx::proto::ModelProto {
    file.0.metadata_props.clear();
    let graph = file.graph_mut();
    graph.initializer.clear();
    graph.input.clear();
    graph.output.clear();
    graph.node.retain(|node| !is_signature(&node.name));
    file.0
}

/// Returns whether a node of the outermost graph depends on the program's signature: those that make words of
/// arguments, put words into fields, make values of results, make the printed bytes, and the outputs.
fn is_signature(name: &str) -> bool {
    match name.split_once('/') {
        Some((group, _)) => {
            ["words", "inputs", "first", "values", "stdout", "stderr", "exit"].contains(&group)
        }
        None => name == "stdout" || name.starts_with("result"),
    }
}

fn first_difference(one: &[u8], other: &[u8]) -> String {
    let nodes = |bytes: &[u8]| {
        let file = File::read(bytes);
        file.nodes().into_iter().map(|(.., node)| format!("{node:?}")).collect::<Vec<_>>()
    };
    let (one, other) = (nodes(one), nodes(other));
    match one.iter().zip(&other).find(|(a, b)| a != b) {
        Some((a, b)) => format!("{a}\n{b}"),
        None => format!("{} and {} nodes, or what is not a node", one.len(), other.len()),
    }
}

/// The step form's trace can be written in the buffer from which it is read: the node that makes the output
/// uses the input, and no other node does. A copy in between would cost milliseconds per step.
#[test]
fn a_bound_trace_is_written_in_place() {
    for (name, (form, attention), bytes) in models(None) {
        if (form, attention) != (Form::Step, Attention::Indexed) {
            continue;
        }
        let file = File::read(&bytes);
        let users: Vec<_> =
            file.graph().node.iter().filter(|n| n.input.iter().any(|i| i == "past.trace")).collect();
        assert_eq!(users.len(), 1, "{name}");
        assert_eq!(
            (users[0].op_type.as_str(), users[0].input[0].as_str()),
            ("ScatterElements", "past.trace")
        );
        assert_eq!(users[0].output, ["present.trace"], "{name}");
    }
}

/// Operators that may compute.
const COMPUTING: [&str; 33] = [
    "Gather",
    "GatherElements",
    "GatherND",
    "ScatterND",
    "ScatterElements",
    "TensorScatter",
    "Attention",
    "MatMul",
    "Gemm",
    "Add",
    "Sub",
    "Mul",
    "Neg",
    "Relu",
    "ReduceSum",
    "ArgMax",
    "Floor",
    "Cast",
    "Concat",
    "Slice",
    "Split",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Expand",
    "Shape",
    "ConstantOfShape",
    "Constant",
    "Range",
    "Identity",
    "Loop",
    // Allowed only on indices and ids.
    "Min",
    "Max",
];

/// Operators for conditions of loops and the paging of the trace.
const CONDITIONS: [&str; 6] = ["Less", "Greater", "And", "Or", "Not", "ReduceMax"];

/// Operators that hold the pages, outside the innermost loop.
const SEQUENCES: [&str; 6] =
    ["SplitToSequence", "SequenceAt", "SequenceErase", "SequenceInsert", "SequenceLength", "If"];

/// Operators that convert arguments and results or expand weights, outside every loop and the step.
const BOUNDARY: [&str; 7] = ["BitCast", "Mod", "Div", "Where", "Equal", "GreaterOrEqual", "CumSum"];

#[test]
fn operators_are_those_of_the_contract() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, _, bytes) in models(None) {
        let file = File::read(&bytes);
        for opset in &file.0.opset_import {
            assert_eq!(opset.domain, "", "{name}: another domain");
        }
        let mut graph = Walk { name: &name, ids: HashSet::new(), truths: HashSet::new(), used: &mut used };
        // Constants may bound an index.
        graph.ids.extend(file.graph().initializer.iter().map(|tensor| tensor.name.clone()));
        graph.walk(file.graph(), 0, false);
    }
    for (part, operators) in used {
        println!("{part}: {}", operators.into_iter().collect::<Vec<_>>().join(", "));
    }
}

/// A walk over all nodes of a model, which notes which values are indices or ids.
struct Walk<'w> {
    name: &'w str,
    /// Values from which an index may be computed: indices, ids, integers and constants.
    ids: HashSet<String>,
    /// Values that are conditions.
    truths: HashSet<String>,
    used: &'w mut BTreeMap<String, BTreeSet<String>>,
}

/// Names of values, made by a `Split`, that are parts of `z` with indices or ids.
const INDEX_PARTS: [&str; 7] = ["ids", "ids.next", "query", "key", "lookup", "expert.row", "read.trace.key"];

impl Walk<'_> {
    /// Walks a graph that is in `depth` loops; `decodes` says whether the innermost of them makes steps.
    fn walk(&mut self, graph: &GraphProto, depth: usize, decodes: bool) {
        let innermost = depth > 0 && decodes;
        for node in &graph.node {
            let place = || format!("{}: {} ({})", self.name, node.name, node.op_type);
            let op = node.op_type.as_str();
            assert_eq!(node.domain, "", "{}: another domain", place());
            // All loops decode, and so does the step of the step form.
            let computes = depth > 0 || node.name.starts_with("step/");
            let allowed = COMPUTING.contains(&op)
                || CONDITIONS.contains(&op) && (depth > 0 || !computes)
                || SEQUENCES.contains(&op) && !innermost && (depth > 0 || !computes)
                || BOUNDARY.contains(&op) && !computes;
            assert!(allowed, "{}: not in the contract's list for this place", place());
            let part = match (computes, innermost || depth == 0) {
                (false, _) => "boundary and prologue",
                (true, true) => "step",
                (true, false) => "loops around it",
            };
            self.used.entry(part.to_owned()).or_default().insert(op.to_owned());
            if op == "Floor" {
                let relu = graph.node.iter().find(|other| other.output[0] == node.input[0]);
                assert!(relu.is_some_and(|relu| relu.op_type == "Relu"), "{}: not on a Relu", place());
            }
            let of_ids = node.input.iter().all(|input| self.ids.contains(input));
            // Of equal scores, that of the latest row wins.
            if op == "ArgMax" && !of_ids {
                assert_eq!(integer(node, "select_last_index"), Some(1), "{}: ties", place());
            }
            if computes && ["Min", "Max"].contains(&op) {
                assert!(of_ids, "{}: not on indices or ids", place());
            }
            if computes && op == "Cast" && is_integer(integer(node, "to")) {
                let truth = self.truths.contains(&node.input[0]) && !innermost;
                assert!(of_ids || truth, "{}: to an integer, of what is no index or id", place());
            }
            if innermost && CONDITIONS.contains(&op) {
                only_condition(graph, &node.output[0], &place());
            }
            self.outputs(node, of_ids, depth);
        }
    }

    /// Notes what a node makes, and walks its bodies.
    fn outputs(&mut self, node: &NodeProto, of_ids: bool, depth: usize) {
        let op = node.op_type.as_str();
        if ["Less", "Greater", "And", "Or", "Not", "Equal", "GreaterOrEqual"].contains(&op) {
            self.truths.extend(node.output.iter().cloned());
        }
        let integers =
            ["Shape", "ArgMax", "Range"].contains(&op) || op == "Cast" && is_integer(integer(node, "to"));
        if of_ids || integers {
            self.ids.extend(node.output.iter().cloned());
        }
        // Parts of `z` are split off or, by their positions, picked.
        let picked = ["Gather", "GatherElements"].contains(&op) && self.ids.contains(&node.input[1]);
        if op == "Split" || picked {
            let is_part = |name: &&String| INDEX_PARTS.iter().any(|part| name.ends_with(&format!("/{part}")));
            self.ids.extend(node.output.iter().filter(is_part).cloned());
        }
        for body in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
            // Integers that are carried are ids: entries of tables, cells, steps.
            for input in &body.input {
                if is_integer(element_type(input)) {
                    self.ids.insert(input.name.clone());
                }
            }
            if op == "If" {
                // The branches are in the graph where one of them is chosen.
                assert!(depth > 0, "{}: a choice outside of all loops", node.name);
                self.walk(body, depth, false);
                continue;
            }
            // A loop makes steps, or goes around one that does, or reads pages when all is done.
            let decodes = body.node.iter().any(|node| node.name.starts_with("decode/step/"));
            let around = body.node.iter().any(|node| node.op_type == "Loop");
            let reads = depth == 0 && is_signature(&node.name);
            assert!([decodes, around, reads].iter().filter(|is| **is).count() == 1, "{}", node.name);
            self.walk(body, depth + 1, decodes);
            for (carried, output) in body.output.iter().skip(1).zip(&node.output) {
                if is_integer(element_type(carried)) {
                    self.ids.insert(output.clone());
                }
            }
        }
    }
}

fn is_integer(ty: Option<i64>) -> bool {
    use DataType::*;
    let integers = [Uint8, Int8, Uint16, Int16, Int32, Int64, Uint32];
    integers.iter().any(|integer| ty == Some(*integer as i64))
}

fn element_type(value: &wasm2onnx::proto::ValueInfoProto) -> Option<i64> {
    match value.r#type.as_ref()?.value.as_ref()? {
        wasm2onnx::proto::TypeValue::Tensor(tensor) => Some(tensor.elem_type.into()),
        wasm2onnx::proto::TypeValue::Sequence(_) => None,
    }
}

/// Checks that the condition is the only output of a body that depends on a value.
fn only_condition(body: &GraphProto, value: &str, place: &str) {
    let mut depend = HashSet::from([value]);
    for node in &body.node {
        if node.input.iter().any(|input| depend.contains(input.as_str())) {
            depend.extend(node.output.iter().map(String::as_str));
        }
    }
    let carried = body.output.iter().skip(1).find(|output| depend.contains(output.name.as_str()));
    assert!(carried.is_none(), "{place}: more than the loop's condition depends on it: {carried:?}");
}

/// A Python script that reads paths from its input and checks the models there.
const CHECK: &str = "
import sys, onnx
def used(graph):
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            yield from used(attribute.g)
for path in sys.stdin.read().split():
    model = onnx.load(path)
    unused = {tensor.name for tensor in model.graph.initializer} - set(used(model.graph))
    assert all(name.startswith('initial.') for name in unused), unused
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    print(path)
";

#[test]
fn the_standard_checker_accepts_all_models() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut paths = Vec::new();
    for (i, (name, _, model)) in models(None).into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.onnx"));
        std::fs::write(&path, model).expect("a file");
        paths.push((path.to_str().expect("a path of letters").to_owned(), name));
    }
    let mut child = python()
        .args(["-c", CHECK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("WASM2ONNX_PYTHON names a Python");
    let list: Vec<_> = paths.iter().map(|(path, _)| path.as_str()).collect();
    child.stdin.take().expect("a pipe").write_all(list.join("\n").as_bytes()).expect("Python reads");
    let output = child.wait_with_output().expect("Python ends");
    let accepted = String::from_utf8_lossy(&output.stdout).lines().count();
    let refused = paths.get(accepted).map(|(_, name)| name);
    assert!(output.status.success(), "{refused:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(accepted, paths.len());
    println!("{accepted} models accepted");
}
