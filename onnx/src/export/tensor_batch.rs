//! The tensors of many calls of a function of tensors: each has a first dimension for the calls.
//!
//! Arrays whose sizes differ from call to call are padded to one size, which `NAME.length`, int64 [batch], says for each call, where NAME is
//! that of the dimension in an input, and that of the tensor in an output. Such a dimension must be the first that is not 1, so that the
//! elements of a call stand one behind the other.
//!
//! [`super::tensors`] has the same for one call; what is said there of these nodes holds here, too.

use wasm2onnx_runtime::{Boundary, Dim, Spec};

use super::arguments::onnx_type;
use super::batched::{self, Batch};
use super::graph::{Attribute, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use super::tensors::{element_type, from_bytes, to_bytes, to_element};
use crate::proto::{DataType, DimensionValue};

/// Name of the dimension for the calls.
const BATCH: &str = "batch";

/// What the nodes that follow need to know of the inputs.
pub struct Inputs {
    /// The parameters of the function, each [batch] and of its type at the boundary.
    pub params: Vec<Name>,
    /// Number of calls, int64 [1]; `None` if there are no inputs.
    pub calls: Option<Name>,
    /// The bytes of each call's arrays, one behind the other: double [batch, n]; `None` if there are none.
    pub bytes: Option<Name>,
    /// The dimensions that have a name: the largest size, int64 [1], and the size in each call, int64 [batch].
    sizes: Vec<(String, Name, Name)>,
}

/// Returns why the tensors of many calls cannot be put into one, if they cannot.
pub fn obstacle(boundary: &Boundary) -> Option<&'static str> {
    let varies = |dim: &Dim| !matches!(dim, Dim::Fixed(_));
    let leads = |spec: &Spec| {
        spec.shape.iter().skip_while(|dim| **dim == Dim::Fixed(1)).skip(1).all(|dim| !varies(dim))
    };
    let lengths: Vec<String> =
        boundary.inputs.iter().flat_map(Spec::named).chain(counted(boundary)).map(length_of).collect();
    match () {
        () if !boundary.all().all(leads) => {
            Some("of arrays in which no size but the first varies (before it there may be dimensions of 1)")
        }
        () if boundary.all().flat_map(Spec::named).any(|name| name == BATCH) => {
            Some("in which no size is called `batch`")
        }
        () if boundary.all().any(|spec| lengths.contains(&spec.name)) => {
            Some("in which no tensor has the name of a length, as `NAME.length`")
        }
        () => None,
    }
}

fn counted(boundary: &Boundary) -> impl Iterator<Item = &str> {
    boundary.outputs.iter().filter(|spec| !spec.is_scalar() && spec.is_counted()).map(|spec| &spec.name[..])
}

fn length_of(name: &str) -> String {
    format!("{name}.length")
}

/// Returns the type of the tensor of many calls.
fn value_type(spec: &Spec) -> ValueType {
    let mut dims = vec![DimensionValue::Name(BATCH.to_owned())];
    dims.extend(spec.shape.iter().enumerate().map(|(axis, dim)| match dim {
        Dim::Fixed(size) => DimensionValue::Count((*size).into()),
        Dim::Named(name) => DimensionValue::Name(name.clone()),
        Dim::Counted => DimensionValue::Name(format!("{}.{axis}", spec.name)),
    }));
    ValueType::shaped(element_type(spec.element), dims)
}

fn lengths_type() -> ValueType {
    ValueType::shaped(DataType::Int64, vec![DimensionValue::Name(BATCH.to_owned())])
}

/// Returns the number of elements that one of the dimension that varies stands for, or of all if none does.
fn others(spec: &Spec) -> i64 {
    spec.shape.iter().map(|dim| if let Dim::Fixed(size) = dim { i64::from(*size) } else { 1 }).product()
}

/// Makes the inputs of the model.
pub fn inputs(g: &mut Graph, boundary: &Boundary) -> Inputs {
    let given: Vec<Name> = boundary.inputs.iter().map(|spec| g.input(&spec.name, value_type(spec))).collect();
    let mut lengths: Vec<(String, Name)> = Vec::new();
    for name in boundary.inputs.iter().flat_map(Spec::named) {
        if lengths.iter().all(|(known, _)| known != name) {
            lengths.push((name.to_owned(), g.input(&length_of(name), lengths_type())));
        }
    }
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let none = g.initializer("const/front", Tensor::list(&[0i64]));
    let beyond = g.initializer("tensors/beyond", Tensor::scalar(i64::MAX));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let doc = "The callers' tensors: sizes and numbers as parameters, all other elements as bytes.";
    g.group("tensors", doc, |g| {
        let mut inputs = Inputs { params: Vec::new(), calls: None, bytes: None, sizes: Vec::new() };
        if let Some(input) = given.first() {
            let shape = g.plain("calls.shape", "Shape", &[input]);
            inputs.calls = Some(g.plain("calls", "Slice", &[&shape, &none, &single]));
        }
        let mut arrays = Vec::new();
        for (spec, input) in boundary.inputs.iter().zip(&given) {
            let name = &spec.name;
            if spec.is_scalar() {
                let ty = onnx_type(spec.element.value_type());
                inputs.params.push(match element_type(spec.element) == ty {
                    true => input.clone(),
                    false => g.cast(&format!("{name}.param"), input, ty),
                });
                continue;
            }
            let shape = g.plain(&format!("{name}.shape"), "Shape", &[input]);
            let mut varying = None;
            for (axis, dim) in spec.shape.iter().enumerate() {
                let Dim::Named(dim) = dim else { continue };
                let axis =
                    g.initializer(&format!("tensors/axis.{}", axis + 1), Tensor::list(&[axis as i64 + 1]));
                let size = g.along(&format!("{name}.size"), "Gather", 0, &[&shape, &axis]);
                // Only lengths from 0 to the size are indices of this list, others are errors; an index below 0 would count from its end.
                let most = g.plain(&format!("{name}.size.scalar"), "Reshape", &[&size, &scalar]);
                let end = g.plain(&format!("{name}.size.end"), "Add", &[&most, &one]);
                let all = g.plain(&format!("{name}.lengths"), "Range", &[&zero, &end, &one]);
                let (_, given) = lengths.iter().find(|(known, _)| known == dim).expect("all have one");
                let below = g.plain(&format!("{name}.length.below"), "Less", &[given, &zero]);
                let own = g.plain(&format!("{name}.length.any"), "Where", &[&below, &beyond, given]);
                let own = g.along(&format!("{name}.length"), "Gather", 0, &[&all, &own]);
                inputs.params.push(g.cast(&format!("{name}.param"), &own, DataType::Int32));
                if inputs.sizes.iter().all(|(known, ..)| known != dim) {
                    inputs.sizes.push((dim.clone(), size.clone(), own.clone()));
                }
                varying = Some((size, own));
            }
            let bytes = to_bytes(g, spec, input);
            let unit = others(spec) * spec.element.bytes() as i64;
            let unit = g.initializer(&format!("tensors/unit.{unit}"), Tensor::list(&[unit]));
            let width = match &varying {
                Some((size, _)) => g.plain(&format!("{name}.row.bytes"), "Mul", &[size, &unit]),
                None => unit.clone(),
            };
            let rest = g.plain(&format!("{name}.calls"), "Slice", &[&shape, &none, &single]);
            let row = g.along(&format!("{name}.row.shape"), "Concat", 0, &[&rest, &width]);
            let bytes = g.plain(&format!("{name}.row"), "Reshape", &[&bytes, &row]);
            let bytes = g.cast(&format!("{name}.number"), &bytes, DataType::Double);
            // The operators that follow would take a single row for as many as the others have. This one does not: it puts a 0 behind
            // each call's bytes. (A column of nothing would not do: ONNX Runtime leaves it out before it compares.)
            let calls = inputs.calls.as_ref().expect("there is an input");
            let column = g.along(&format!("{name}.behind.shape"), "Concat", 0, &[calls, &single]);
            let behind = g.filled(&format!("{name}.behind"), &column, 0f64);
            let bytes = g.along(&format!("{name}.for.each.call"), "Concat", 1, &[&bytes, &behind]);
            let length = varying.map(|(_, length)| length);
            arrays.push((spec, shape, length, bytes));
        }
        // Each call's arrays behind each other, without what pads them.
        let mut offset: Option<Name> = None;
        let mut places = Vec::new();
        let mut values = Vec::new();
        for (spec, shape, length, bytes) in &arrays {
            let name = &spec.name;
            let unit = others(spec) * spec.element.bytes() as i64;
            let unit = g.initializer(&format!("tensors/unit.{unit}"), Tensor::list(&[unit]));
            let instances = g.plain(&format!("{name}.instances"), "Slice", &[shape, &none, &single]);
            let length = match length {
                Some(length) => length.clone(),
                None => g.filled(&format!("{name}.ones"), &instances, 1i64),
            };
            let length = g.plain(&format!("{name}.length.bytes"), "Mul", &[&length, &unit]);
            let length = g.plain(&format!("{name}.length.column"), "Reshape", &[&length, &column]);
            let size = g.plain(&format!("{name}.row.size"), "Shape", &[bytes]);
            let size = g.along(&format!("{name}.row.width"), "Gather", 0, &[&size, &one]);
            let all = g.plain(&format!("{name}.places"), "Range", &[&zero, &size, &one]);
            let own = g.plain(&format!("{name}.own"), "Less", &[&all, &length]);
            let own = g.cast(&format!("{name}.own.number"), &own, DataType::Double);
            values.push(g.plain(&format!("{name}.own.bytes"), "Mul", &[bytes, &own]));
            let first = match &offset {
                None => g.plain(&format!("{name}.first"), "Sub", &[&length, &length]),
                Some(offset) => offset.clone(),
            };
            places.push(g.plain(&format!("{name}.places.own"), "Add", &[&first, &all]));
            offset = Some(g.plain(&format!("{name}.end"), "Add", &[&first, &length]));
        }
        if !arrays.is_empty() {
            let places: Vec<&str> = places.iter().map(Name::as_str).collect();
            let values: Vec<&str> = values.iter().map(Name::as_str).collect();
            let places = g.along("places", "Concat", 1, &places);
            let values = g.along("values", "Concat", 1, &values);
            let empty = g.plain("empty", "Sub", &[&values, &values]);
            // What pads one array is 0, and may lie where the next one is.
            let add = vec![Attribute::Int("axis", 1), Attribute::Text("reduction", "add")];
            let bytes = g.op("bytes", "ScatterElements", &[&empty, &places, &values], add);
            inputs.bytes = Some(bytes);
        }
        inputs
    })
}

/// Makes the outputs of the model. `results` are the function's results, each [batch], which are 0 unless it has returned.
pub fn outputs(
    g: &mut Graph,
    plan: &Plan,
    (batch, trace): (&Batch, &[Name]),
    (boundary, inputs): (&Boundary, &Inputs),
    results: &[Name],
    instances: &str,
) {
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let mut results = results.iter();
    // The elements of each output: its type, the spec, how many in each call, int64 [batch], and the largest number of its dimension that varies, int64 [1].
    let mut shapes = Vec::new();
    let mut values = Vec::new();
    let doc = "How many elements each call's outputs have.";
    g.group("tensors.size", doc, |g| {
        for spec in &boundary.outputs {
            let name = &spec.name;
            let result =
                (spec.is_scalar() || spec.is_counted()).then(|| results.next().expect("it has a result"));
            if spec.is_scalar() {
                let value = to_element(g, spec, result.expect("it is one"));
                values.push((name.clone(), element_type(spec.element), value));
                continue;
            }
            let rest = others(spec);
            let unit = g.initializer(&format!("tensors/unit.{rest}"), Tensor::list(&[rest]));
            let varying = spec.shape.iter().find(|dim| !matches!(dim, Dim::Fixed(_)));
            let (length, most) = match varying {
                None => (g.filled(&format!("{name}.one"), instances, 1i64), single.clone()),
                Some(Dim::Named(dim)) => {
                    let (_, most, own) = inputs.sizes.iter().find(|size| size.0 == *dim).expect("validated");
                    (own.clone(), most.clone())
                }
                Some(_) => {
                    let count =
                        g.cast(&format!("{name}.count"), result.expect("it is counted"), DataType::Int64);
                    let others =
                        g.initializer(&format!("tensors/unit.{}", rest.max(1)), Tensor::list(&[rest.max(1)]));
                    let length = g.plain(&format!("{name}.length"), "Div", &[&count, &others]);
                    let most = g.largest(&format!("{name}.most"), &length);
                    let most = g.plain(&format!("{name}.most.list"), "Reshape", &[&most, &flat]);
                    (length, most)
                }
            };
            let count = g.plain(&format!("{name}.elements"), "Mul", &[&length, &unit]);
            shapes.push((spec, length, most, unit, count));
        }
    });
    let read = plan.network.io.results.filter(|_| boundary.gives_bytes()).map(|(region, key)| {
        let key = g.initializer("outputs/length", Tensor::list(&[key as i64]));
        let first = plan.network.regions[region].first as i64;
        let first = g.initializer("outputs/first", Tensor::scalar(first));
        g.group("outputs", "The bytes of each call's outputs.", |g| {
            let counts = batched::read(g, plan, batch, trace, "count", &key);
            let counts = g.cast("counts", &counts, DataType::Int64);
            let most = g.largest("most", &counts);
            let end = g.plain("end", "Add", &[&first, &most]);
            let keys = g.plain("keys", "Range", &[&first, &end, &one]);
            let cells = batched::read(g, plan, batch, trace, "cells", &keys);
            // A call that has not returned gives nothing, whatever it has copied.
            let all = g.plain("place", "Range", &[&zero, &most, &one]);
            let own = g.plain("own", "Less", &[&all, &counts]);
            let own = g.cast("own.number", &own, DataType::Double);
            g.plain("own.cells", "Mul", &[&cells, &own])
        })
    });
    let doc = "The outputs: numbers from words and bytes, in their shapes, behind each of which zeros stand.";
    g.group("tensors.out", doc, |g| {
        let zeros = g.along("zero.shape", "Concat", 0, &[instances, &single]);
        let zeros = g.filled("zero", &zeros, 0f64);
        let (bytes, width) = match &read {
            Some(bytes) => {
                let shape = g.plain("shape", "Shape", &[bytes]);
                let width = g.along("width", "Gather", 0, &[&shape, &single]);
                (g.along("bytes", "Concat", 1, &[bytes, &zeros]), width)
            }
            None => (zeros, g.initializer("const/front", Tensor::list(&[0i64]))),
        };
        let mut first: Option<Name> = None;
        for (spec, length, most, unit, count) in &shapes {
            let name = &spec.name;
            let element = spec.element.bytes() as i64;
            let element = g.initializer(&format!("tensors/unit.{element}"), Tensor::list(&[element]));
            let count = g.plain(&format!("{name}.bytes.count"), "Mul", &[count, &element]);
            let count = g.plain(&format!("{name}.bytes.column"), "Reshape", &[&count, &column]);
            let all = g.plain(&format!("{name}.most.elements"), "Mul", &[most, unit]);
            let all = g.plain(&format!("{name}.most.bytes"), "Mul", &[&all, &element]);
            let all = g.plain(&format!("{name}.most.scalar"), "Reshape", &[&all, &scalar]);
            let range = g.plain(&format!("{name}.range"), "Range", &[&zero, &all, &one]);
            let begin = match &first {
                None => g.plain(&format!("{name}.first"), "Sub", &[&count, &count]),
                Some(first) => first.clone(),
            };
            first = Some(g.plain(&format!("{name}.end"), "Add", &[&begin, &count]));
            // What pads an array, and what a call that has not returned would have given, is the 0 behind all.
            let places = g.plain(&format!("{name}.places.any"), "Add", &[&begin, &range]);
            let own = g.plain(&format!("{name}.own"), "Less", &[&range, &count]);
            let places = g.plain(&format!("{name}.places.own"), "Where", &[&own, &places, &width]);
            let places = g.plain(&format!("{name}.places"), "Min", &[&places, &width]);
            let own = g.along(&format!("{name}.cells"), "GatherElements", 1, &[&bytes, &places]);
            let own = g.plain(&format!("{name}.cells.flat"), "Reshape", &[&own, &flat]);
            let own = g.cast(&format!("{name}.bytes"), &own, DataType::Uint8);
            let elements = from_bytes(g, spec, &own);
            let dims = spec.shape.iter().map(|dim| match dim {
                Dim::Fixed(size) => {
                    g.initializer(&format!("tensors/unit.{size}"), Tensor::list(&[i64::from(*size)]))
                }
                Dim::Named(_) | Dim::Counted => most.clone(),
            });
            let sizes: Vec<Name> = std::iter::once(instances.to_owned()).chain(dims).collect();
            let sizes: Vec<&str> = sizes.iter().map(Name::as_str).collect();
            let shape = g.along(&format!("{name}.shape"), "Concat", 0, &sizes);
            let zeros = vec![Attribute::Int("allowzero", 1)];
            let value = g.op(&format!("{name}.shaped"), "Reshape", &[&elements, &shape], zeros);
            values.push((name.clone(), element_type(spec.element), value));
            if spec.is_counted() {
                values.push((length_of(name), DataType::Int64, length.clone()));
            }
        }
    });
    for spec in &boundary.outputs {
        let (.., value) = values.iter().find(|(name, ..)| *name == spec.name).expect("all are made");
        g.output(&spec.name, value_type(spec), value);
    }
    for name in counted(boundary) {
        let name = length_of(name);
        let (.., value) = values.iter().find(|(known, ..)| *known == name).expect("it is made");
        g.output(&name, lengths_type(), value);
    }
}
