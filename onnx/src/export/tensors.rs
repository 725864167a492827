//! The tensors of a function of tensors: the caller's as bytes and words, and back.
//!
//! These nodes depend on the program's signature, so they are not part of the graph that all programs share. They do none of the
//! program's computation: they cut numbers into bytes, put bytes together to numbers, and give them their shapes. Names of their values are
//! `NAME.role` where they belong to one tensor, and have no dot, as names of tensors have none, where they belong to all.

use wasm2onnx_runtime::{Boundary, Dim, ElementType, Spec};

use super::arguments::{bit_cast, halves, onnx_type};
use super::boundary::{self, Memory};
use super::graph::{Attribute, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use super::step::Frozen;
use crate::proto::{DataType, DimensionValue};

/// Returns ONNX's type for elements of a type.
pub fn element_type(ty: ElementType) -> DataType {
    match ty {
        ElementType::Bool => DataType::Bool,
        ElementType::I8 => DataType::Int8,
        ElementType::U8 => DataType::Uint8,
        ElementType::I16 => DataType::Int16,
        ElementType::U16 => DataType::Uint16,
        ElementType::I32 => DataType::Int32,
        ElementType::U32 => DataType::Uint32,
        ElementType::I64 => DataType::Int64,
        ElementType::U64 => DataType::Uint64,
        ElementType::F32 => DataType::Float,
        ElementType::F64 => DataType::Double,
    }
}

/// What the nodes that follow need to know of the inputs.
pub struct Inputs {
    /// The parameters of the function, each [1] and of its type at the boundary.
    pub params: Vec<Name>,
    /// The bytes of all inputs that are not scalars, one behind the other, if the function looks at any: uint8 [n].
    pub bytes: Option<Name>,
    /// The sizes of the dimensions that have a name: int64 [1].
    sizes: Vec<(String, Name)>,
}

/// Makes the inputs of the model.
pub fn inputs(g: &mut Graph, plan: &Plan, boundary: &Boundary) -> Inputs {
    let given: Vec<Name> =
        boundary.inputs.iter().map(|spec| g.input(&spec.name, value_type(spec, None))).collect();
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let mut inputs = Inputs { params: Vec::new(), bytes: None, sizes: Vec::new() };
    g.group(
        "tensors",
        "The caller's tensors: sizes and numbers as parameters, all other elements as bytes.",
        |g| {
            let mut bytes = Vec::new();
            for (spec, input) in boundary.inputs.iter().zip(&given) {
                let name = &spec.name;
                if spec.is_scalar() {
                    let number = g.plain(&format!("{name}.list"), "Reshape", &[input, &single]);
                    inputs.params.push(to_param(g, spec, &number));
                    continue;
                }
                let shape = g.plain(&format!("{name}.shape"), "Shape", &[input]);
                for (axis, dim) in spec.shape.iter().enumerate() {
                    let Dim::Named(dim) = dim else { continue };
                    let axis = g.initializer(&format!("tensors/axis.{axis}"), Tensor::list(&[axis as i64]));
                    let role = format!("{name}.size.{}", inputs.params.len());
                    let size = g.plain(&role, "Gather", &[&shape, &axis]);
                    inputs.params.push(g.cast(&format!("{role}.param"), &size, DataType::Int32));
                    if inputs.sizes.iter().all(|(known, _)| known != dim) {
                        inputs.sizes.push((dim.clone(), size));
                    }
                }
                if plan.network.io.tensors.is_some() {
                    bytes.push(to_bytes(g, spec, input));
                }
            }
            if !bytes.is_empty() {
                let bytes: Vec<&str> = bytes.iter().map(Name::as_str).collect();
                inputs.bytes = Some(g.along("bytes", "Concat", 0, &bytes));
            }
        },
    );
    inputs
}

/// Makes a number, or one for each call, a parameter of the function.
pub fn to_param(g: &mut Graph, spec: &Spec, number: &str) -> Name {
    let ty = onnx_type(spec.element.value_type());
    match element_type(spec.element) == ty {
        true => number.to_owned(),
        false => g.cast(&format!("{}.param", spec.name), number, ty),
    }
}

/// Returns the type of an input or an output; `calls` is the dimension for the calls, if there are many.
pub fn value_type(spec: &Spec, calls: Option<&str>) -> ValueType {
    let dim = |(axis, dim): (usize, &Dim)| match dim {
        Dim::Fixed(size) => DimensionValue::Count((*size).into()),
        Dim::Named(name) => DimensionValue::Name(name.clone()),
        // No two outputs need to have as many.
        Dim::Counted => DimensionValue::Name(format!("{}.{axis}", spec.name)),
    };
    let calls = calls.map(|name| DimensionValue::Name(name.to_owned()));
    let dims = calls.into_iter().chain(spec.shape.iter().enumerate().map(dim));
    ValueType::shaped(element_type(spec.element), dims.collect())
}

/// Constants that numbers are cut with and put together with.
struct Parts {
    /// 1, 256, 65,536, 2^24.
    factors: Name,
    flat: Name,
    byte: Name,
}

impl Parts {
    fn new(g: &mut Graph, bytes: usize) -> Parts {
        let factors: Vec<i64> = (0..bytes.min(4)).map(|i| 1 << (8 * i)).collect();
        Parts {
            factors: g.initializer(&format!("tensors/factors.{}", factors.len()), Tensor::list(&factors)),
            flat: g.initializer("const/flat", Tensor::list(&[-1i64])),
            byte: g.initializer("tensors/byte", Tensor::scalar(256i64)),
        }
    }
}

/// Makes the bytes of an array: uint8 [n].
pub fn to_bytes(g: &mut Graph, spec: &Spec, input: &str) -> Name {
    let name = &spec.name;
    let (ty, bytes) = (spec.element, spec.element.bytes());
    let parts = Parts::new(g, bytes);
    let flat = g.plain(&format!("{name}.flat"), "Reshape", &[input, &parts.flat]);
    if ty == ElementType::U8 {
        return flat;
    }
    let integers = match ty {
        ElementType::F32 => bit_cast(g, &format!("{name}.bits"), &flat, DataType::Int32),
        ElementType::F64 => bit_cast(g, &format!("{name}.bits"), &flat, DataType::Int64),
        _ => flat,
    };
    let wide = match ty {
        ElementType::I64 | ElementType::F64 => integers,
        _ => g.cast(&format!("{name}.wide"), &integers, DataType::Int64),
    };
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let wide = g.plain(&format!("{name}.column"), "Reshape", &[&wide, &column]);
    let words = match bytes {
        8 => {
            let [low, high] = halves(g, name, &wide);
            let both = g.along(&format!("{name}.words"), "Concat", 1, &[&low, &high]);
            g.plain(&format!("{name}.words.column"), "Reshape", &[&both, &column])
        }
        bytes => {
            let span = g.initializer(&format!("tensors/span.{bytes}"), Tensor::scalar(1i64 << (8 * bytes)));
            g.plain(&format!("{name}.positive"), "Mod", &[&wide, &span])
        }
    };
    let shifted = g.plain(&format!("{name}.shifted"), "Div", &[&words, &parts.factors]);
    let all = g.plain(&format!("{name}.parts"), "Mod", &[&shifted, &parts.byte]);
    let all = g.plain(&format!("{name}.parts.flat"), "Reshape", &[&all, &parts.flat]);
    g.cast(&format!("{name}.bytes"), &all, DataType::Uint8)
}

/// Makes the outputs of the model. `results` are the function's results, each [1], which are 0 unless it has returned.
pub fn outputs(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    memory: &Memory,
    (boundary, inputs): (&Boundary, &Inputs),
    results: &[Name],
) {
    let bytes = match plan.network.io.results.filter(|_| boundary.gives_bytes()) {
        Some((region, length)) => {
            let first = plan.network.regions[region].first;
            let doc = "The bytes of the outputs.";
            boundary::bytes(g, plan, frozen, memory, ("outputs", doc), (first, length))
        }
        // Whatever the function does, it gives none.
        None => g.initializer("given/none", Tensor::list::<u8>(&[])),
    };
    let mut results = results.iter();
    let values = g.group("tensors.out", "The outputs: numbers from words and bytes, in their shapes.", |g| {
        // Unless the function has returned, there are no bytes; zeros behind them stand for what has a size in any case.
        let shapes: Vec<Shape> =
            boundary.outputs.iter().map(|spec| Shape::new(g, spec, inputs, &mut results)).collect();
        let zero = g.initializer("const/axis.0", Tensor::list(&[0i64]));
        let mut ends = vec![zero.clone()];
        for (spec, shape) in boundary.outputs.iter().zip(&shapes).filter(|(spec, _)| !spec.is_scalar()) {
            let first = ends.last().expect("there is one").clone();
            ends.push(g.plain(&format!("{}.end", spec.name), "Add", &[&first, &shape.bytes]));
        }
        let count = g.plain("count", "Shape", &[&bytes]);
        let missing = g.plain("missing", "Sub", &[ends.last().expect("there is one"), &count]);
        let padding = g.plain("padding", "Max", &[&missing, &zero]);
        let zeros = g.filled("zeros", &padding, 0u8);
        let bytes = g.along("bytes", "Concat", 0, &[&bytes, &zeros]);
        let mut ends = ends.windows(2);
        let mut values = Vec::new();
        for (spec, shape) in boundary.outputs.iter().zip(&shapes) {
            if spec.is_scalar() {
                values.push(scalar(g, spec, shape.result.as_ref().expect("it is a result")));
                continue;
            }
            let [first, end] = ends.next().expect("there is one for each") else { unreachable!("two") };
            let own = g.plain(&format!("{}.bytes", spec.name), "Slice", &[&bytes, first, end]);
            let elements = from_bytes(g, spec, &own);
            // A size of 0 is meant as such.
            let zeros = vec![Attribute::Int("allowzero", 1)];
            values.push(g.op(&format!("{}.shaped", spec.name), "Reshape", &[&elements, &shape.shape], zeros));
        }
        values
    });
    for (spec, value) in boundary.outputs.iter().zip(values) {
        g.output(&spec.name, value_type(spec, None), &value);
    }
}

/// The shape of an output, and how it comes.
struct Shape {
    /// Sizes: int64 [dimensions].
    shape: Name,
    /// Number of bytes: int64 [1].
    bytes: Name,
    /// The result that it is, or that is its number of elements.
    result: Option<Name>,
}

impl Shape {
    fn new<'r>(
        g: &mut Graph,
        spec: &Spec,
        inputs: &Inputs,
        results: &mut impl Iterator<Item = &'r Name>,
    ) -> Shape {
        let name = &spec.name;
        let result =
            (spec.is_scalar() || spec.is_counted()).then(|| results.next().expect("it has a result").clone());
        let count = match &result {
            Some(count) if spec.is_counted() => {
                Some(g.cast(&format!("{name}.count"), count, DataType::Int64))
            }
            _ => None,
        };
        let mut known = |dim: &Dim| match dim {
            Dim::Fixed(size) => {
                g.initializer(&format!("tensors/size.{size}"), Tensor::list(&[i64::from(*size)]))
            }
            Dim::Named(dim) => inputs.sizes.iter().find(|size| size.0 == *dim).expect("validated").1.clone(),
            Dim::Counted => String::new(),
        };
        let mut sizes: Vec<Name> = spec.shape.iter().map(&mut known).collect();
        let one = g.initializer("const/single", Tensor::list(&[1i64]));
        let mut product = one.clone();
        for (i, size) in sizes.iter().enumerate().filter(|(_, size)| !size.is_empty()) {
            product = g.plain(&format!("{name}.product.{i}"), "Mul", &[&product, size]);
        }
        if let Some(count) = &count {
            // If another size is 0, the number of elements is, too.
            let others = g.plain(&format!("{name}.others"), "Max", &[&product, &one]);
            let size = g.plain(&format!("{name}.size"), "Div", &[count, &others]);
            product = count.clone();
            *sizes.iter_mut().find(|size| size.is_empty()).expect("one is counted") = size;
        }
        let element = spec.element.bytes() as i64;
        let element = g.initializer(&format!("tensors/size.{element}"), Tensor::list(&[element]));
        let bytes = g.plain(&format!("{name}.length"), "Mul", &[&product, &element]);
        let shape = match spec.is_scalar() {
            true => g.initializer("const/scalar", Tensor::list::<i64>(&[])),
            false => {
                let sizes: Vec<&str> = sizes.iter().map(Name::as_str).collect();
                g.along(&format!("{name}.shape"), "Concat", 0, &sizes)
            }
        };
        Shape { shape, bytes, result }
    }
}

/// Makes a number of a result: a scalar of the output's type.
fn scalar(g: &mut Graph, spec: &Spec, result: &str) -> Name {
    let shape = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let value = g.plain(&format!("{}.scalar", spec.name), "Reshape", &[result, &shape]);
    to_element(g, spec, &value)
}

/// Makes a number of a result an element of the output's type.
pub fn to_element(g: &mut Graph, spec: &Spec, value: &str) -> Name {
    let name = &spec.name;
    let ty = element_type(spec.element);
    match spec.element {
        _ if ty == onnx_type(spec.element.value_type()) => value.to_owned(),
        ElementType::U64 | ElementType::Bool => g.cast(&format!("{name}.cast"), value, ty),
        element => {
            let wide = g.cast(&format!("{name}.wide"), value, DataType::Int64);
            let wrapped = wrapped(g, name, element, &wide);
            g.cast(&format!("{name}.cast"), &wrapped, ty)
        }
    }
}

/// Makes numbers modulo 2^bits, in the range of a type of at most 32 bits.
fn wrapped(g: &mut Graph, name: &str, element: ElementType, wide: &str) -> Name {
    let bytes = element.bytes();
    let span = g.initializer(&format!("tensors/span.{bytes}"), Tensor::scalar(1i64 << (8 * bytes)));
    if !element.is_signed() && element != ElementType::F32 {
        return g.plain(&format!("{name}.wrapped"), "Mod", &[wide, &span]);
    }
    let half = g.initializer(&format!("tensors/half.{bytes}"), Tensor::scalar(1i64 << (8 * bytes - 1)));
    boundary::signed(g, name, wide, &half, &span)
}

/// Makes the elements of an array from its bytes, in one dimension.
pub fn from_bytes(g: &mut Graph, spec: &Spec, own: &str) -> Name {
    let (name, element) = (&spec.name, spec.element);
    let ty = element_type(element);
    match element {
        ElementType::U8 => return own.to_owned(),
        ElementType::Bool => return g.cast(&format!("{name}.elements"), own, ty),
        _ => {}
    }
    let bytes = element.bytes();
    let parts = Parts::new(g, bytes);
    let rows =
        g.initializer(&format!("tensors/rows.{}", bytes.min(4)), Tensor::list(&[-1, bytes.min(4) as i64]));
    let axis = g.initializer("const/axis", Tensor::list(&[1i64]));
    let wide = g.cast(&format!("{name}.parts"), own, DataType::Int64);
    let wide = g.plain(&format!("{name}.rows"), "Reshape", &[&wide, &rows]);
    let shifted = g.plain(&format!("{name}.shifted"), "Mul", &[&wide, &parts.factors]);
    let words =
        g.op(&format!("{name}.words"), "ReduceSum", &[&shifted, &axis], vec![Attribute::Int("keepdims", 0)]);
    if bytes < 8 {
        let bits = wrapped(g, name, element, &words);
        return match element {
            ElementType::F32 => {
                let bits = g.cast(&format!("{name}.bits"), &bits, DataType::Int32);
                bit_cast(g, &format!("{name}.elements"), &bits, ty)
            }
            _ => g.cast(&format!("{name}.elements"), &bits, ty),
        };
    }
    let pairs = g.initializer("tensors/rows.2", Tensor::list(&[-1i64, 2]));
    let sizes = g.initializer("const/pair", Tensor::list(&[1i64, 1]));
    let words = g.plain(&format!("{name}.pairs"), "Reshape", &[&words, &pairs]);
    let [low, high] = g.split(
        &format!("{name}.halves"),
        1,
        &words,
        &sizes,
        [&format!("{name}.low"), &format!("{name}.high")],
    );
    let high = wrapped(g, name, ElementType::I32, &high);
    let span = g.initializer("const/2^32", Tensor::scalar(1i64 << 32));
    let high = g.plain(&format!("{name}.high.shifted"), "Mul", &[&high, &span]);
    let bits = g.plain(&format!("{name}.pair"), "Add", &[&high, &low]);
    let bits = g.plain(&format!("{name}.bits"), "Reshape", &[&bits, &parts.flat]);
    match element {
        ElementType::F64 => bit_cast(g, &format!("{name}.elements"), &bits, ty),
        ElementType::I64 => bits,
        _ => g.cast(&format!("{name}.elements"), &bits, ty),
    }
}
