//! Functions of tensors: how a function of numbers and addresses becomes one that takes and gives tensors.
//!
//! [`text`] reads a signature, and [`world`] what wit-bindgen says of a module's exports, whose parameters are those of the [`canonical`] ABI.
//! [`wrapper`] makes a WebAssembly module that is linked with the program: it gives the arrays places in the program's memory, copies the
//! inputs there from what the host gives, calls the function, and copies the outputs to where the host finds them. [`adapter`] has the part of
//! that which depends on the canonical ABI.

#[cfg(feature = "wit")]
mod adapter;
#[cfg(feature = "wit")]
mod canonical;
#[cfg(test)]
mod tests;
mod text;
#[cfg(feature = "wit")]
mod utf8;
#[cfg(all(test, feature = "wit"))]
mod wit_tests;
#[cfg(feature = "wit")]
pub(crate) mod world;
pub(crate) mod wrapper;

use std::str::FromStr;

use wasm2onnx_runtime::{Boundary, Dim, Spec, ValueType};

use crate::ir::Signature;

/// Maximum number of bytes of a tensor.
const MAX_BYTES: u64 = 1 << 31;

/// An exported function that is to take and give tensors.
///
/// [`wit_functions`](crate::wit_functions) returns those that a module made by wit-bindgen has. Any other is read from a text such as `tokenize(text: u8[], ids: out i64[512]) -> len(ids)`, which has the parameters in the order of the export's:
///
/// - `x: i32` is a parameter, a number (`bool`, `i8` … `u64`, `f32`, `f64`).
/// - `text: u8[]` is two i32 parameters, the address and the number of elements. With names for dimensions, as in `image: u8[h, w, 3]`,
///   it is the address and the size of each dimension that has a name. Dimensions of one name have one size.
/// - `ids: out i64[512]` is two i32 parameters, the address and the number of elements that there is room for.
///   `pixels: out f32[3, 224, 224]` is only the address. A size may be the name of a dimension of an input. `sum: out f64` is the address of
///   a number.
/// - `-> len(ids)`: the i32 result is the number of elements that were written to `ids` (several outputs may stand there, `len(ids, mask)`),
///   or a negative number if the function reports an error. The first dimension larger than 1 is the one that gets shorter; if there are
///   more than one, the function is told the room for elements behind the address. `-> f32` and `-> (i32, i64)`: the results are numbers, the
///   outputs `result0`, ….
///
/// # Examples
///
/// ```
/// use wasm2onnx_runtime::{Instance, Tensor};
///
/// let upper = r#"(module (memory 1)
///     (func (export "sum") (param $at i32) (param $n i32) (result i32) (local $sum i32)
///         (block (loop (br_if 1 (i32.eqz (local.get $n)))
///             (local.set $n (i32.sub (local.get $n) (i32.const 1)))
///             (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.add (local.get $at) (local.get $n)))))
///             (br 0)))
///         (local.get $sum)))"#;
/// let options = wasm2onnx_compiler::Options {
///     tensors: vec!["sum(x: u8[]) -> u32".parse()?],
///     ..Default::default()
/// };
/// let network = wasm2onnx_compiler::compile(upper.as_bytes(), &options)?;
/// let outputs = Instance::new(&network)?.call("sum", &[Tensor::list(&[1u8, 2, 200])])?;
/// assert_eq!(outputs, [Tensor::scalar(203u32)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorFunction {
    /// The name of the export.
    pub name: String,
    /// Its tensors.
    pub boundary: Boundary,
    /// What the export's parameters and results are.
    abi: Abi,
}

/// What the parameters and results of an export have to do with its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Abi {
    /// What a signature says.
    Signature(Signed),
    /// What the canonical ABI says.
    #[cfg(feature = "wit")]
    Canonical(canonical::Function),
}

/// An export as a signature describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Signed {
    /// Its parameters.
    args: Vec<Arg>,
    /// Whether its result is not a scalar, but the number of elements of all outputs that are counted.
    counts: bool,
}

/// What a parameter of the export is, or several that belong together. Numbers are indices of inputs and outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Arg {
    /// The number that this input is.
    Scalar(usize),
    /// The address of this input, and the sizes of its dimensions that have a name.
    In(usize),
    /// The address of this output.
    Out {
        output: usize,
        /// What is the largest size of the dimension that is counted, if one is.
        most: Option<Dim>,
        /// Whether the number of elements that there is room for follows.
        capacity: bool,
    },
}

impl FromStr for TensorFunction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text::parse(text).map_err(|error| format!("signature `{text}`: {error}"))
    }
}

impl TensorFunction {
    /// Returns the type that the export must have.
    pub(crate) fn export_type(&self) -> Signature {
        match &self.abi {
            Abi::Signature(signed) => signed.export_type(&self.boundary),
            #[cfg(feature = "wit")]
            Abi::Canonical(function) => function.export_type(),
        }
    }

    /// Returns whether it was read from a signature.
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self.abi, Abi::Signature(_))
    }

    /// Returns whether anything is in memory while the function runs.
    pub(crate) fn needs_memory(&self) -> bool {
        match &self.abi {
            Abi::Signature(signed) => signed.args.iter().any(|arg| !matches!(arg, Arg::Scalar(_))),
            #[cfg(feature = "wit")]
            Abi::Canonical(function) => function.needs_memory(),
        }
    }

    /// Returns whether anything has to be given a place in memory.
    pub(crate) fn needs_places(&self) -> bool {
        match &self.abi {
            Abi::Signature(_) => self.needs_memory(),
            #[cfg(feature = "wit")]
            Abi::Canonical(function) => function.needs_places(),
        }
    }

    /// Returns whether the export can get its places in memory only from the program's `cabi_realloc`.
    pub(crate) fn needs_realloc(&self) -> bool {
        match &self.abi {
            Abi::Signature(_) => false,
            #[cfg(feature = "wit")]
            Abi::Canonical(function) => function.needs_places(),
        }
    }

    /// Returns the name of the export that is called with the function's results once they have been read, if there is such an export.
    pub(crate) fn post_return(&self) -> Option<String> {
        match &self.abi {
            Abi::Signature(_) => None,
            #[cfg(feature = "wit")]
            Abi::Canonical(_) => Some(format!("cabi_post_{}", self.name)),
        }
    }
}

impl Signed {
    /// Returns the type of the export.
    fn export_type(&self, boundary: &Boundary) -> Signature {
        let Boundary { inputs, outputs } = boundary;
        let mut params = Vec::new();
        for arg in &self.args {
            let words = match arg {
                Arg::Scalar(input) => {
                    params.push(inputs[*input].element.value_type());
                    continue;
                }
                Arg::In(input) => 1 + inputs[*input].named().count(),
                Arg::Out { capacity, .. } => 1 + usize::from(*capacity),
            };
            params.extend(std::iter::repeat_n(ValueType::I32, words));
        }
        let results = match self.counts {
            true => vec![ValueType::I32],
            false => self.returned(outputs).map(|output| outputs[output].element.value_type()).collect(),
        };
        Signature { params, results }
    }

    /// Returns the dimensions of an output, with the largest size of the one that is counted.
    fn capacity(&self, outputs: &[Spec], output: usize) -> Vec<Dim> {
        let mut shape = outputs[output].shape.clone();
        for arg in &self.args {
            if let Arg::Out { output: o, most: Some(most), .. } = arg
                && *o == output
            {
                let counted = shape.iter_mut().find(|dim| **dim == Dim::Counted);
                *counted.expect("what has a largest size is counted") = most.clone();
            }
        }
        shape
    }

    /// Returns the outputs that are results of the export.
    fn returned(&self, outputs: &[Spec]) -> impl Iterator<Item = usize> {
        let by_address = |output: &usize| {
            self.args.iter().any(|arg| matches!(arg, Arg::Out { output: o, .. } if o == output))
        };
        (0..outputs.len()).filter(move |output| !by_address(output))
    }
}
