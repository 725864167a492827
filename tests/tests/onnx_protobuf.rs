//! Models of every form are read by the crate `onnx-protobuf`, whose code is generated from the
//! standard's `onnx.proto`, and hold for it what they hold for our own [`proto`](wasm2onnx::proto): so
//! no number of a field there is wrong, in either direction.

use std::collections::BTreeMap;

use onnx_protobuf as standard;
use onnx_protobuf::Message;
use wasm2onnx::proto::{self, AttributeType, DataType, DimensionValue, TypeValue};
use wasm2onnx::{Attention, ExportOptions, Form, export};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::{examples, programs};

/// Converts a model to the standard's messages. Fields that our messages do not have are empty.
fn model(model: &proto::ModelProto) -> standard::ModelProto {
    standard::ModelProto {
        ir_version: model.ir_version,
        producer_name: model.producer_name.clone(),
        producer_version: model.producer_version.clone(),
        doc_string: model.doc_string.clone(),
        graph: model.graph.as_ref().map(graph).into(),
        opset_import: each(&model.opset_import, |opset| standard::OperatorSetIdProto {
            domain: opset.domain.clone(),
            version: opset.version,
            ..Default::default()
        }),
        metadata_props: each(&model.metadata_props, text),
        ..Default::default()
    }
}

fn graph(graph: &proto::GraphProto) -> standard::GraphProto {
    standard::GraphProto {
        node: each(&graph.node, node),
        name: graph.name.clone(),
        initializer: each(&graph.initializer, tensor),
        doc_string: graph.doc_string.clone(),
        input: each(&graph.input, value_info),
        output: each(&graph.output, value_info),
        ..Default::default()
    }
}

fn node(node: &proto::NodeProto) -> standard::NodeProto {
    standard::NodeProto {
        input: node.input.clone(),
        output: node.output.clone(),
        name: node.name.clone(),
        op_type: node.op_type.clone(),
        attribute: each(&node.attribute, attribute),
        doc_string: node.doc_string.clone(),
        domain: node.domain.clone(),
        ..Default::default()
    }
}

fn attribute(attribute: &proto::AttributeProto) -> standard::AttributeProto {
    use standard::attribute_proto::AttributeType as Standard;
    let ty = match attribute.r#type() {
        AttributeType::Undefined => Standard::UNDEFINED,
        AttributeType::Float => Standard::FLOAT,
        AttributeType::Int => Standard::INT,
        AttributeType::String => Standard::STRING,
        AttributeType::Tensor => Standard::TENSOR,
        AttributeType::Graph => Standard::GRAPH,
    };
    standard::AttributeProto {
        name: attribute.name.clone(),
        f: attribute.f,
        i: attribute.i,
        s: attribute.s.clone(),
        t: attribute.t.as_ref().map(tensor).into(),
        g: attribute.g.as_ref().map(graph).into(),
        type_: ty.into(),
        ..Default::default()
    }
}

fn tensor(tensor: &proto::TensorProto) -> standard::TensorProto {
    standard::TensorProto {
        dims: tensor.dims.clone(),
        data_type: data_type(tensor.data_type()),
        name: tensor.name.clone(),
        raw_data: tensor.raw_data.clone(),
        external_data: each(&tensor.external_data, text),
        ..Default::default()
    }
}

fn value_info(value: &proto::ValueInfoProto) -> standard::ValueInfoProto {
    standard::ValueInfoProto {
        name: value.name.clone(),
        type_: value.r#type.as_ref().map(type_of).into(),
        doc_string: value.doc_string.clone(),
        ..Default::default()
    }
}

fn type_of(ty: &proto::TypeProto) -> standard::TypeProto {
    use standard::type_proto::{Sequence, Tensor, Value};
    let value = ty.value.as_ref().map(|value| match value {
        TypeValue::Tensor(tensor) => Value::TensorType(Tensor {
            elem_type: data_type(tensor.elem_type()),
            shape: tensor.shape.as_ref().map(shape).into(),
            ..Default::default()
        }),
        TypeValue::Sequence(sequence) => Value::SequenceType(Sequence {
            elem_type: sequence.elem_type.as_deref().map(type_of).into(),
            ..Default::default()
        }),
    });
    standard::TypeProto { value, ..Default::default() }
}

fn shape(shape: &proto::TensorShapeProto) -> standard::TensorShapeProto {
    use standard::tensor_shape_proto::{Dimension, dimension::Value};
    let value = |dimension: &DimensionValue| match dimension {
        DimensionValue::Count(count) => Value::DimValue(*count),
        DimensionValue::Name(name) => Value::DimParam(name.clone()),
    };
    let dim = each(&shape.dim, |dimension| Dimension {
        value: dimension.value.as_ref().map(value),
        ..Default::default()
    });
    standard::TensorShapeProto { dim, ..Default::default() }
}

fn data_type(ty: DataType) -> i32 {
    use standard::tensor_proto::DataType as Standard;
    let ty = match ty {
        DataType::Undefined => Standard::UNDEFINED,
        DataType::Float => Standard::FLOAT,
        DataType::Uint8 => Standard::UINT8,
        DataType::Int8 => Standard::INT8,
        DataType::Uint16 => Standard::UINT16,
        DataType::Int16 => Standard::INT16,
        DataType::Int32 => Standard::INT32,
        DataType::Int64 => Standard::INT64,
        DataType::Bool => Standard::BOOL,
        DataType::Double => Standard::DOUBLE,
        DataType::Uint32 => Standard::UINT32,
        DataType::Uint64 => Standard::UINT64,
    };
    ty as i32
}

fn text(entry: &proto::StringStringEntryProto) -> standard::StringStringEntryProto {
    standard::StringStringEntryProto {
        key: entry.key.clone(),
        value: entry.value.clone(),
        ..Default::default()
    }
}

fn each<T, U>(all: &[T], f: impl Fn(&T) -> U) -> Vec<U> {
    all.iter().map(f).collect()
}

/// How many parts of each kind were seen in models.
type Seen = BTreeMap<&'static str, usize>;

/// Compares a model as the crate reads it with ours, the smallest parts first, so that the message about a
/// difference is short; then compares in the other direction.
fn check(name: &str, bytes: &[u8], seen: &mut Seen) {
    let File(ours) = File::read(bytes);
    let parsed =
        standard::ModelProto::parse_from_bytes(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let meant = model(&ours);
    same(name, &parsed.metadata_props, &meant.metadata_props);
    same(name, &parsed.graph.initializer, &meant.graph.initializer);
    same(name, &parsed.graph.input, &meant.graph.input);
    same(name, &parsed.graph.output, &meant.graph.output);
    same(name, &parsed.graph.node, &meant.graph.node);
    assert_eq!(parsed, meant, "{name}");
    let written = parsed.write_to_bytes().expect("it can be written");
    assert!(File::read(&written).0 == ours, "{name}: what the crate writes is another model for us");

    *seen.entry("models").or_default() += 1;
    *seen.entry("tensors").or_default() += parsed.graph.initializer.len();
    *seen.entry("metadata").or_default() += parsed.metadata_props.len();
    for (.., node) in File(ours).nodes() {
        *seen.entry("nodes").or_default() += 1;
        *seen.entry("attributes").or_default() += node.attribute.len();
        *seen.entry("texts of nodes").or_default() += usize::from(!node.doc_string.is_empty());
    }
}

fn same<T: PartialEq + std::fmt::Debug>(name: &str, parsed: &[T], meant: &[T]) {
    assert_eq!(parsed.len(), meant.len(), "{name}");
    for (i, (parsed, meant)) in parsed.iter().zip(meant).enumerate() {
        assert_eq!(parsed, meant, "{name}: number {i}");
    }
}

/// Checks a program in all forms and with these kinds of attention.
fn check_all(name: &str, network: &Certified, entry: &str, attentions: &[Attention], seen: &mut Seen) {
    for form in [Form::Loop, Form::Step] {
        for attention in attentions {
            let options = ExportOptions {
                entry: entry.to_owned(),
                form,
                attention: *attention,
                source_sha256: Some([7; 32]),
                ..ExportOptions::default()
            };
            let bytes = export(network, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
            check(&format!("{name}, {form:?}, {attention:?}"), &bytes, seen);
        }
    }
}

/// Small programs, some with floats and streams in their signatures, with resident, paged and growing traces;
/// and one of the examples.
#[test]
fn models_are_what_the_standard_says() {
    let mut seen = Seen::new();
    for program in programs::all() {
        let all = [Attention::Indexed, Attention::Dense, Attention::Softmax];
        check_all(program.name, &program.network(), "run", &all, &mut seen);
    }
    let example = examples::all().into_iter().find(|example| example.name == "sudoku").expect("it is there");
    let network = compile(example.wasm, &Options::default()).expect("it compiles");
    check_all(example.name, &network, "_start", &[Attention::Indexed], &mut seen);
    println!("{seen:?}");
    assert!(seen.values().all(|count| *count >= 100), "{seen:?}");
}
