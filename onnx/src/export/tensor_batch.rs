//! The tensors of many calls of a function of tensors: each has a first dimension for the calls.
//!
//! Arrays whose sizes differ from call to call are padded to one size, which `NAME.length`, int64 [batch], says for each call, where NAME is
//! that of the dimension in an input, and that of the tensor in an output. Such a dimension must be the first that is not 1, so that the
//! elements of a call stand one behind the other.
//!
//! [`super::tensors`] has the same for one call; what is said there of these nodes holds here, too.

use wasm2onnx_runtime::{Boundary, Dim, Spec};

use super::batched::{self, Batch};
use super::graph::{Attribute, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use super::tensors::{from_bytes, to_bytes, to_element, to_param, value_type};
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

fn lengths_type() -> ValueType {
    ValueType::shaped(DataType::Int64, vec![DimensionValue::Name(BATCH.to_owned())])
}

/// Returns the number of elements that one of the dimension that varies stands for, or of all if none does.
fn others(spec: &Spec) -> i64 {
    spec.shape.iter().map(|dim| if let Dim::Fixed(size) = dim { i64::from(*size) } else { 1 }).product()
}

/// Makes the inputs of the model.
pub fn inputs(g: &mut Graph, boundary: &Boundary) -> Inputs {
    let given: Vec<Name> =
        boundary.inputs.iter().map(|spec| g.input(&spec.name, value_type(spec, Some(BATCH)))).collect();
    let mut lengths: Vec<(String, Name)> = Vec::new();
    for name in boundary.inputs.iter().flat_map(Spec::named) {
        if lengths.iter().all(|(known, _)| known != name) {
            lengths.push((name.to_owned(), g.input(&length_of(name), lengths_type())));
        }
    }
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let none = g.initializer("const/front", Tensor::list(&[0i64]));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let beyond = g.initializer("tensors/beyond", Tensor::scalar(i64::MAX));
    let doc = "The callers' tensors: sizes and numbers as parameters, all other elements as bytes.";
    g.group("tensors", doc, |g| {
        let mut inputs = Inputs { params: Vec::new(), calls: None, bytes: None, sizes: Vec::new() };
        let Some(first) = given.first() else { return inputs };
        let shape = g.plain("calls.shape", "Shape", &[first]);
        let calls = g.plain("calls", "Slice", &[&shape, &none, &single]);
        inputs.calls = Some(calls.clone());
        let ones = g.filled("calls.ones", &calls, 1i64);
        let column_shape = g.along("calls.column", "Concat", 0, &[&calls, &single]);
        let zeros = g.filled("calls.zeros", &column_shape, 0f64);
        // Each call's arrays go one behind the other, without what pads them.
        let mut end = g.filled("calls.none", &column_shape, 0i64);
        let (mut places, mut values) = (Vec::new(), Vec::new());
        for (spec, input) in boundary.inputs.iter().zip(&given) {
            let name = &spec.name;
            if spec.is_scalar() {
                inputs.params.push(to_param(g, spec, input));
                continue;
            }
            let shape = g.plain(&format!("{name}.shape"), "Shape", &[input]);
            let (mut size, mut length) = (single.clone(), ones.clone());
            for (axis, dim) in (1..).zip(&spec.shape) {
                let Dim::Named(dim) = dim else { continue };
                let axis = g.initializer(&format!("tensors/axis.{axis}"), Tensor::list(&[axis]));
                size = g.along(&format!("{name}.size"), "Gather", 0, &[&shape, &axis]);
                // Only lengths from 0 to the size are indices of this list, others are errors; an index below 0 would count from its end.
                let most = g.plain(&format!("{name}.size.scalar"), "Reshape", &[&size, &scalar]);
                let most = g.plain(&format!("{name}.size.end"), "Add", &[&most, &one]);
                let all = g.plain(&format!("{name}.lengths"), "Range", &[&zero, &most, &one]);
                let (_, given) = lengths.iter().find(|(known, _)| known == dim).expect("all have one");
                let below = g.plain(&format!("{name}.length.below"), "Less", &[given, &zero]);
                let own = g.plain(&format!("{name}.length.any"), "Where", &[&below, &beyond, given]);
                length = g.along(&format!("{name}.length"), "Gather", 0, &[&all, &own]);
                inputs.params.push(g.cast(&format!("{name}.param"), &length, DataType::Int32));
                if inputs.sizes.iter().all(|(known, ..)| known != dim) {
                    inputs.sizes.push((dim.clone(), size.clone(), length.clone()));
                }
            }
            let unit = others(spec) * spec.element.bytes() as i64;
            let unit = g.initializer(&format!("tensors/unit.{unit}"), Tensor::list(&[unit]));
            let bytes = to_bytes(g, spec, input);
            let own = g.plain(&format!("{name}.calls"), "Slice", &[&shape, &none, &single]);
            let width = g.plain(&format!("{name}.width"), "Mul", &[&size, &unit]);
            let row = g.along(&format!("{name}.row.shape"), "Concat", 0, &[&own, &width]);
            let bytes = g.plain(&format!("{name}.row"), "Reshape", &[&bytes, &row]);
            let bytes = g.cast(&format!("{name}.number"), &bytes, DataType::Double);
            // The operators that follow would take a single row for as many as the others have. This one does not: it puts a 0 behind
            // each call's bytes. (A column of nothing would not do: ONNX Runtime leaves it out before it compares.)
            let bytes = g.along(&format!("{name}.for.each.call"), "Concat", 1, &[&bytes, &zeros]);
            let length = g.plain(&format!("{name}.length.bytes"), "Mul", &[&length, &unit]);
            let length = g.plain(&format!("{name}.length.column"), "Reshape", &[&length, &column]);
            let width = g.plain(&format!("{name}.width.scalar"), "Reshape", &[&width, &scalar]);
            let width = g.plain(&format!("{name}.width.end"), "Add", &[&width, &one]);
            let all = g.plain(&format!("{name}.places"), "Range", &[&zero, &width, &one]);
            let own = g.plain(&format!("{name}.own"), "Less", &[&all, &length]);
            let own = g.cast(&format!("{name}.own.number"), &own, DataType::Double);
            values.push(g.plain(&format!("{name}.own.bytes"), "Mul", &[&bytes, &own]));
            places.push(g.plain(&format!("{name}.places.own"), "Add", &[&end, &all]));
            end = g.plain(&format!("{name}.end"), "Add", &[&end, &length]);
        }
        if !places.is_empty() {
            let [places, values] = [("places", &places), ("values", &values)].map(|(role, parts)| {
                let parts: Vec<&str> = parts.iter().map(Name::as_str).collect();
                g.along(role, "Concat", 1, &parts)
            });
            let empty = g.plain("empty", "Sub", &[&values, &values]);
            // What pads one array is 0, and may lie where the next one is.
            let add = vec![Attribute::Int("axis", 1), Attribute::Text("reduction", "add")];
            inputs.bytes = Some(g.op("bytes", "ScatterElements", &[&empty, &places, &values], add));
        }
        inputs
    })
}

/// The elements of an output that is an array.
struct Extent<'s> {
    spec: &'s Spec,
    /// Its size that varies, in each call: int64 [batch]. 1 if none varies.
    length: Name,
    /// The largest of these: int64 [1].
    most: Name,
}

impl<'s> Extent<'s> {
    fn new(g: &mut Graph, spec: &'s Spec, inputs: &Inputs, count: Option<&Name>, ones: &str) -> Extent<'s> {
        let name = &spec.name;
        let single = g.initializer("const/single", Tensor::list(&[1i64]));
        let (length, most) = match spec.shape.iter().find(|dim| !matches!(dim, Dim::Fixed(_))) {
            None => (ones.to_owned(), single),
            Some(Dim::Named(dim)) => {
                let (_, most, own) = inputs.sizes.iter().find(|size| size.0 == *dim).expect("validated");
                (own.clone(), most.clone())
            }
            Some(_) => {
                let others = others(spec).max(1);
                let others = g.initializer(&format!("tensors/unit.{others}"), Tensor::list(&[others]));
                let count = count.expect("it is counted");
                let count = g.cast(&format!("{name}.count"), count, DataType::Int64);
                let length = g.plain(&format!("{name}.length"), "Div", &[&count, &others]);
                let most = g.largest(&format!("{name}.most"), &length);
                (length, g.plain(&format!("{name}.most.list"), "Reshape", &[&most, &single]))
            }
        };
        Extent { spec, length, most }
    }
}

/// Makes the outputs of the model. `results` are the function's results, each [batch], which are 0 unless it has returned.
pub fn outputs(
    g: &mut Graph,
    plan: &Plan,
    (batch, trace): (&Batch, &[Name]),
    (boundary, inputs): (&Boundary, &Inputs),
    results: &[Name],
    calls: &str,
) {
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let bytes = bytes(g, plan, (batch, trace), boundary);
    let doc = "The outputs: numbers from words and bytes, in their shapes, behind each of which zeros stand.";
    let values = g.group("tensors.out", doc, |g| {
        let ones = g.filled("calls.ones", calls, 1i64);
        let column_shape = g.along("calls.column", "Concat", 0, &[calls, &single]);
        let zeros = g.filled("calls.zeros", &column_shape, 0f64);
        // What pads an array, and what a call that has not returned would have given, is the 0 behind all.
        let bytes = match &bytes {
            Some(bytes) => g.along("bytes", "Concat", 1, &[bytes, &zeros]),
            None => zeros,
        };
        let shape = g.plain("shape", "Shape", &[&bytes]);
        let width = g.along("width", "Gather", 0, &[&shape, &single]);
        let width = g.plain("width.last", "Sub", &[&width, &single]);
        let mut end = g.filled("calls.none", &column_shape, 0i64);
        let mut results = results.iter();
        let mut values = Vec::new();
        let mut lengths = Vec::new();
        for spec in &boundary.outputs {
            let name = &spec.name;
            let mut result = || results.next().expect("it has a result");
            if spec.is_scalar() {
                values.push((name.clone(), value_type(spec, Some(BATCH)), to_element(g, spec, result())));
                continue;
            }
            let count = spec.is_counted().then(result);
            let Extent { spec, length, most } = Extent::new(g, spec, inputs, count, &ones);
            let unit = others(spec) * spec.element.bytes() as i64;
            let unit = g.initializer(&format!("tensors/unit.{unit}"), Tensor::list(&[unit]));
            let own = g.plain(&format!("{name}.bytes.count"), "Mul", &[&length, &unit]);
            let own = g.plain(&format!("{name}.bytes.column"), "Reshape", &[&own, &column]);
            let all = g.plain(&format!("{name}.most.bytes"), "Mul", &[&most, &unit]);
            let all = g.plain(&format!("{name}.most.scalar"), "Reshape", &[&all, &scalar]);
            let range = g.plain(&format!("{name}.range"), "Range", &[&zero, &all, &one]);
            let places = g.plain(&format!("{name}.places.any"), "Add", &[&end, &range]);
            end = g.plain(&format!("{name}.end"), "Add", &[&end, &own]);
            let own = g.plain(&format!("{name}.own"), "Less", &[&range, &own]);
            let places = g.plain(&format!("{name}.places.own"), "Where", &[&own, &places, &width]);
            let places = g.plain(&format!("{name}.places"), "Min", &[&places, &width]);
            let own = g.along(&format!("{name}.cells"), "GatherElements", 1, &[&bytes, &places]);
            let own = g.plain(&format!("{name}.cells.flat"), "Reshape", &[&own, &flat]);
            let own = g.cast(&format!("{name}.bytes"), &own, DataType::Uint8);
            let elements = from_bytes(g, spec, &own);
            let mut sizes = vec![calls.to_owned()];
            sizes.extend(spec.shape.iter().map(|dim| match dim {
                Dim::Fixed(size) => {
                    g.initializer(&format!("tensors/unit.{size}"), Tensor::list(&[i64::from(*size)]))
                }
                Dim::Named(_) | Dim::Counted => most.clone(),
            }));
            let sizes: Vec<&str> = sizes.iter().map(Name::as_str).collect();
            let shape = g.along(&format!("{name}.shape"), "Concat", 0, &sizes);
            // A size of 0 is meant as such.
            let zeros = vec![Attribute::Int("allowzero", 1)];
            let value = g.op(&format!("{name}.shaped"), "Reshape", &[&elements, &shape], zeros);
            values.push((name.clone(), value_type(spec, Some(BATCH)), value));
            if spec.is_counted() {
                lengths.push((length_of(name), lengths_type(), length));
            }
        }
        values.into_iter().chain(lengths).collect::<Vec<_>>()
    });
    for (name, ty, value) in values {
        g.output(&name, ty, &value);
    }
}

/// Reads the bytes of each call's outputs, double [batch, n], if the function gives any: as many as it has given, then zeros.
fn bytes(g: &mut Graph, plan: &Plan, (batch, trace): (&Batch, &[Name]), boundary: &Boundary) -> Option<Name> {
    let (region, length) = plan.network.io.results.filter(|_| boundary.gives_bytes())?;
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let length = g.initializer("outputs/length", Tensor::list(&[length as i64]));
    let first = g.initializer("outputs/first", Tensor::scalar(plan.network.regions[region].first as i64));
    Some(g.group("outputs", "The bytes of each call's outputs.", |g| {
        let counts = batched::read(g, plan, batch, trace, "count", &length);
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
    }))
}
