//! Functions of tensors: which tensors a function takes and gives, and the tensors themselves.
//!
//! An exported function whose [`Entry`] has a [`Boundary`] is called with
//! [`Instance::call`](crate::Instance::call). Its tensors' elements travel as bytes, in little-endian order: those of the inputs lie one
//! behind the other in the region [`Io::input`](crate::Io::input), from the byte on that the row [`Io::tensors`](crate::Io::tensors)
//! says; those of the outputs in the region [`Io::results`](crate::Io::results) from its first key on. Scalars, sizes that
//! vary and numbers of elements are parameters and results of the function, see [`Boundary::params`].

use std::fmt::{self, Display, Formatter};

use crate::error::Error;
use crate::network::{Entry, ValueType};
use crate::show::Name;
use crate::value::Value;

/// Type of the elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ElementType {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl ElementType {
    /// All types.
    pub const ALL: [ElementType; 11] = {
        use ElementType::*;
        [Bool, I8, U8, I16, U16, I32, U32, I64, U64, F32, F64]
    };

    /// Returns its name: that of Rust's type.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::Bool => "bool",
            ElementType::I8 => "i8",
            ElementType::U8 => "u8",
            ElementType::I16 => "i16",
            ElementType::U16 => "u16",
            ElementType::I32 => "i32",
            ElementType::U32 => "u32",
            ElementType::I64 => "i64",
            ElementType::U64 => "u64",
            ElementType::F32 => "f32",
            ElementType::F64 => "f64",
        }
    }

    /// Returns the type with a name.
    pub fn from_name(name: &str) -> Option<ElementType> {
        Self::ALL.into_iter().find(|ty| ty.name() == name)
    }

    /// Returns the number of bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            ElementType::Bool | ElementType::I8 | ElementType::U8 => 1,
            ElementType::I16 | ElementType::U16 => 2,
            ElementType::I32 | ElementType::U32 | ElementType::F32 => 4,
            ElementType::I64 | ElementType::U64 | ElementType::F64 => 8,
        }
    }

    /// Returns the type that a scalar has as a parameter or result.
    pub fn value_type(self) -> ValueType {
        match self {
            ElementType::I64 | ElementType::U64 => ValueType::I64,
            ElementType::F32 => ValueType::F32,
            ElementType::F64 => ValueType::F64,
            _ => ValueType::I32,
        }
    }

    /// Returns whether numbers of this type may be negative.
    pub fn is_signed(self) -> bool {
        matches!(self, ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64)
    }
}

impl Display for ElementType {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A dimension of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// It has this size.
    Fixed(u32),
    /// Of an input: its size is the caller's; all dimensions of one name have the same size. Of an output: its size is that of
    /// this name in the inputs.
    Named(String),
    /// Of an output, once at most: its size is the number of elements that the function has written, divided by the other sizes.
    Counted,
}

/// A tensor that a function takes or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name, which no other tensor of the function has.
    pub name: String,
    /// Type of its elements.
    pub element: ElementType,
    /// Its dimensions; none for a scalar.
    pub shape: Vec<Dim>,
}

impl Spec {
    /// Returns whether it is a single number.
    pub fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }

    /// Returns the names of its dimensions that have one, in their order.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.shape.iter().filter_map(|dim| match dim {
            Dim::Named(name) => Some(&name[..]),
            _ => None,
        })
    }

    /// Returns whether its size depends on what the function has done.
    pub fn is_counted(&self) -> bool {
        self.shape.contains(&Dim::Counted)
    }
}

impl Display for Spec {
    /// Writes it as `ids: i64[1, n]`, with `_` for a size that the function decides.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}: {}", Name(&self.name), self.element)?;
        if self.is_scalar() {
            return Ok(());
        }
        f.write_str("[")?;
        for (i, dim) in self.shape.iter().enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            match dim {
                Dim::Fixed(size) => size.fmt(f)?,
                Dim::Named(name) => f.write_str(name)?,
                Dim::Counted => f.write_str("_")?,
            }
        }
        f.write_str("]")
    }
}

/// The tensors of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boundary {
    /// What it takes.
    pub inputs: Vec<Spec>,
    /// What it gives.
    pub outputs: Vec<Spec>,
}

impl Boundary {
    /// Returns all of them, inputs first.
    pub fn all(&self) -> impl Iterator<Item = &Spec> + Clone {
        self.inputs.iter().chain(&self.outputs)
    }

    /// Returns the types of the parameters of a function with these tensors: for each input in its order, the number if it is a
    /// scalar, and otherwise the size of each dimension that has a name.
    pub fn params(&self) -> Vec<ValueType> {
        let mut params = Vec::new();
        for input in &self.inputs {
            match input.is_scalar() {
                true => params.push(input.element.value_type()),
                false => params.extend(input.named().map(|_| ValueType::I32)),
            }
        }
        params
    }

    /// Returns the types of its results: for each output in its order, the number if it is a scalar, and otherwise, if its size is
    /// counted, the number of elements.
    pub fn results(&self) -> Vec<ValueType> {
        let result = |output: &Spec| match output.is_scalar() {
            true => Some(output.element.value_type()),
            false => output.is_counted().then_some(ValueType::I32),
        };
        self.outputs.iter().filter_map(result).collect()
    }

    /// Returns whether an input is not a scalar.
    pub fn takes_bytes(&self) -> bool {
        self.inputs.iter().any(|input| !input.is_scalar())
    }

    /// Returns whether an output is not a scalar.
    pub fn gives_bytes(&self) -> bool {
        self.outputs.iter().any(|output| !output.is_scalar())
    }

    /// Checks that no two tensors have one name, and that the sizes of all are known once the function has run.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let mut names: Vec<&str> = self.all().map(|spec| &spec.name[..]).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two tensors are called `{}`", Name(pair[0])));
        }
        if let Some(input) = self.inputs.iter().find(|input| input.is_counted()) {
            return Err(format!("nothing counts the elements of the input `{}`", Name(&input.name)));
        }
        for output in &self.outputs {
            if let Some(name) = output.named().find(|name| !self.has_size(name)) {
                let name = Name(name);
                return Err(format!("no input has a dimension `{name}`, which is the size of an output"));
            }
            if output.shape.iter().filter(|dim| **dim == Dim::Counted).count() > 1 {
                return Err(format!("two sizes of the output `{}` are counted", Name(&output.name)));
            }
        }
        Ok(())
    }

    /// Returns whether a dimension of an input has this name.
    pub fn has_size(&self, name: &str) -> bool {
        self.inputs.iter().flat_map(Spec::named).any(|known| known == name)
    }

    /// Returns the error of a run that has reported this number. What is less than 0 is the function's own. All else is a tensor that its
    /// type in WIT does not allow; they count from 1 on, inputs first.
    pub(crate) fn reported(&self, function: &str, number: i32) -> Error {
        let tensor = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let Some((index, spec)) = tensor.and_then(|index| Some((index, self.all().nth(index)?))) else {
            return Error::Reported(number);
        };
        let what = if index < self.inputs.len() { "input" } else { "output" };
        let message = format!("its type in WIT does not allow what the {what} `{}` is", Name(&spec.name));
        Error::Tensors { name: function.into(), message }
    }

    /// Checks all of that, and that the function's parameters and results are those that its tensors need.
    pub(crate) fn validate(&self, entry: &Entry) -> Result<(), String> {
        if entry.params != self.params() || entry.results != self.results() {
            return Err("its parameters or results are not those that its tensors need".into());
        }
        self.check()
    }

    /// Returns the arguments of a function that is called with these tensors, which fit its inputs.
    pub(crate) fn arguments(&self, inputs: &[Tensor]) -> Vec<Value> {
        let mut args = Vec::new();
        for (spec, tensor) in self.inputs.iter().zip(inputs) {
            if spec.is_scalar() {
                // Narrow integers are extended as they are signed.
                let is_negative = spec.element.is_signed() && tensor.bytes.last().is_some_and(|b| *b > 127);
                let mut bytes = [if is_negative { 255 } else { 0 }; 8];
                bytes[..tensor.bytes.len()].copy_from_slice(&tensor.bytes);
                let bits = u64::from_le_bytes(bytes);
                args.push(Value::from_words(spec.element.value_type(), [bits as u32, (bits >> 32) as u32]));
            }
            let named = spec.shape.iter().zip(&tensor.shape).filter(|(dim, _)| matches!(dim, Dim::Named(_)));
            args.extend(named.map(|(_, size)| Value::I32(*size as i32)));
        }
        args
    }

    /// Makes the outputs of a function's results and of the bytes that it gave; `None` if they do not fit.
    pub(crate) fn outputs(&self, sizes: &Sizes, results: Vec<Value>, bytes: &[u8]) -> Option<Vec<Tensor>> {
        let (mut results, mut rest) = (results.into_iter(), bytes);
        let output = |spec: &Spec| {
            let result = if spec.is_scalar() || spec.is_counted() { results.next() } else { None };
            let [low, high] = result.map_or([0; 2], Value::words);
            if spec.is_scalar() {
                let bits = match spec.element {
                    ElementType::Bool => u64::from(low != 0),
                    _ => u64::from(high) << 32 | u64::from(low),
                };
                let bytes = bits.to_le_bytes()[..spec.element.bytes()].to_vec();
                return Tensor::from_bytes(spec.element, Vec::new(), bytes);
            }
            let shape = sizes.shape(spec, result.map(|_| low as usize))?;
            let (own, others) = rest.split_at_checked(bytes_of(spec.element, &shape)?)?;
            rest = others;
            Tensor::from_bytes(spec.element, shape, own.to_vec())
        };
        self.outputs.iter().map(output).collect()
    }
}

/// Returns the number of bytes of a tensor, if it is a number.
fn bytes_of(element: ElementType, shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(element.bytes(), |product, size| product.checked_mul(*size))
}

/// A tensor: numbers of one type in an array of any number of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    element: ElementType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A number that can be an element of a [`Tensor`].
pub trait Element: Copy {
    /// Its type.
    const TYPE: ElementType;
    /// Appends its bytes.
    fn write(self, bytes: &mut Vec<u8>);
    /// Returns the element with these bytes, of which there are as many as the type has.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! elements {
    ($($ty:ident $name:ident),*) => { $(
        impl Element for $ty {
            const TYPE: ElementType = ElementType::$name;
            fn write(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Self {
                $ty::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    )* };
}

elements!(i8 I8, u8 U8, i16 I16, u16 U16, i32 I32, u32 U32, i64 I64, u64 U64, f32 F32, f64 F64);

impl Element for bool {
    const TYPE: ElementType = ElementType::Bool;
    fn write(self, bytes: &mut Vec<u8>) {
        bytes.push(self.into());
    }
    fn read(bytes: &[u8]) -> Self {
        bytes != [0]
    }
}

impl Tensor {
    /// Returns a tensor of these dimensions with these bytes, the elements in row-major order and each in little-endian order; `None`
    /// if they are not as many as the dimensions say, or a `bool` is neither 0 nor 1.
    pub fn from_bytes(element: ElementType, shape: Vec<usize>, bytes: Vec<u8>) -> Option<Tensor> {
        let is_bool = |byte: &u8| *byte < 2;
        let fits = bytes_of(element, &shape) == Some(bytes.len())
            && (element != ElementType::Bool || bytes.iter().all(is_bool));
        fits.then_some(Tensor { element, shape, bytes })
    }

    /// Returns a tensor of one dimension.
    pub fn list<T: Element>(elements: &[T]) -> Tensor {
        let mut bytes = Vec::with_capacity(elements.len() * T::TYPE.bytes());
        elements.iter().for_each(|element| element.write(&mut bytes));
        Tensor { element: T::TYPE, shape: vec![elements.len()], bytes }
    }

    /// Returns a tensor without dimensions: a number.
    pub fn scalar<T: Element>(number: T) -> Tensor {
        Tensor { shape: Vec::new(), ..Tensor::list(&[number]) }
    }

    /// Gives it other dimensions; returns `None` if they are not of as many elements.
    pub fn reshaped(self, shape: &[usize]) -> Option<Tensor> {
        Tensor::from_bytes(self.element, shape.to_vec(), self.bytes)
    }

    /// Returns the type of its elements.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// Returns its dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns its bytes, the elements in row-major order and each in little-endian order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns its elements in row-major order, or `None` if they are of another type.
    pub fn elements<T: Element>(&self) -> Option<Vec<T>> {
        (self.element == T::TYPE).then(|| self.bytes.chunks_exact(T::TYPE.bytes()).map(T::read).collect())
    }
}

impl Display for Tensor {
    /// Writes its type and dimensions as `i64[1, 12]`.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match &self.shape[..] {
            [] => self.element.fmt(f),
            shape => write!(f, "{}{shape:?}", self.element),
        }
    }
}

/// The sizes of the dimensions that have a name.
pub(crate) struct Sizes<'b>(Vec<(&'b str, usize)>);

impl<'b> Sizes<'b> {
    /// Returns the sizes that tensors give to the dimensions of inputs.
    ///
    /// # Errors
    ///
    /// [`Error::Tensors`] if the tensors do not fit the inputs.
    pub(crate) fn of(function: &str, inputs: &'b [Spec], tensors: &[Tensor]) -> Result<Self, Error> {
        let error = |message: String| Error::Tensors { name: function.into(), message };
        if inputs.len() != tensors.len() {
            return Err(error(format!("it takes {} tensors, not {}", inputs.len(), tensors.len())));
        }
        let mut sizes: Vec<(&str, usize)> = Vec::new();
        for (spec, tensor) in inputs.iter().zip(tensors) {
            let other = || error(format!("it takes {spec}, not {tensor}"));
            if spec.element != tensor.element || spec.shape.len() != tensor.shape.len() {
                return Err(other());
            }
            for (dim, &size) in spec.shape.iter().zip(&tensor.shape) {
                if i32::try_from(size).is_err() {
                    return Err(error(format!("a dimension of `{}` has size {size}", Name(&spec.name))));
                }
                match dim {
                    Dim::Fixed(fixed) if *fixed as usize == size => {}
                    Dim::Named(name) => match sizes.iter().find(|known| known.0 == name) {
                        Some((_, known)) if *known == size => {}
                        Some((_, known)) => {
                            return Err(error(format!(
                                "`{name}` is {known}, and in `{}` it is {size}",
                                Name(&spec.name)
                            )));
                        }
                        None => sizes.push((name, size)),
                    },
                    _ => return Err(other()),
                }
            }
        }
        Ok(Sizes(sizes))
    }

    /// Returns the dimensions of an output of which `count` elements were written, or `None` if there are not that many dimensions.
    pub(crate) fn shape(&self, output: &Spec, count: Option<usize>) -> Option<Vec<usize>> {
        let known = |dim: &Dim| match dim {
            Dim::Fixed(size) => Some(*size as usize),
            Dim::Named(name) => self.0.iter().find(|known| known.0 == name).map(|known| known.1),
            Dim::Counted => None,
        };
        let others: usize =
            output.shape.iter().filter_map(known).try_fold(1usize, |a, b| a.checked_mul(b))?;
        let counted = || match count? {
            0 => Some(0),
            count => (others > 0 && count.is_multiple_of(others)).then(|| count / others),
        };
        output.shape.iter().map(|dim| if *dim == Dim::Counted { counted() } else { known(dim) }).collect()
    }
}
