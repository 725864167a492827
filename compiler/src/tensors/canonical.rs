//! Types of WIT as the canonical ABI lays them out: how many parameters or results they are, and where their parts lie in memory.

use wasm2onnx_runtime::{ElementType, ValueType};

use crate::ir::Signature;

/// The largest number of parameters that a function has; if there were more, it is given the address of all of them.
const MAX_PARAMS: usize = 16;

/// A function of a world: its types, with the tensors that their values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The types of its parameters, together those of a record.
    pub params: Type,
    /// The type of its result, if it has one.
    pub result: Option<Type>,
}

/// A type of WIT. Numbers of tensors are indices of inputs, or of outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// A number, which is a scalar.
    Number { element: ElementType, valid: Valid, tensor: usize },
    /// A list of numbers, or a string, which is a tensor of one dimension.
    List { element: ElementType, is_text: bool, tensor: usize },
    /// A record or a tuple: what its fields are.
    Record(Vec<Type>),
    /// Flags: a scalar of the type `bool` for each.
    Flags(Vec<usize>),
    /// An option or a result.
    Choice {
        /// A scalar of the type `bool`.
        flag: usize,
        /// The case for which that is true.
        flagged: usize,
        /// What the cases hold, if they hold something.
        cases: [Option<Box<Type>>; 2],
    },
}

/// Which numbers of its type a number can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Valid {
    /// All.
    All,
    /// Those of Unicode's characters.
    Characters,
    /// Those below this one, which is the number of cases of an enum.
    Below(u32),
}

impl Function {
    /// Returns whether the parameters lie in memory, because they are too many.
    pub fn takes_address(&self) -> bool {
        self.params.flat().len() > MAX_PARAMS
    }

    /// Returns whether the result lies in memory, because it would be several.
    pub fn gives_address(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.flat().len() > 1)
    }

    /// Returns the type of the export.
    pub fn export_type(&self) -> Signature {
        let params = match self.takes_address() {
            true => vec![ValueType::I32],
            false => self.params.flat(),
        };
        let results = match &self.result {
            Some(_) if self.gives_address() => vec![ValueType::I32],
            Some(result) => result.flat(),
            None => Vec::new(),
        };
        Signature { params, results }
    }

    /// Returns whether the function has to be given places in memory.
    pub fn needs_places(&self) -> bool {
        self.takes_address() || self.params.has_list()
    }

    /// Returns whether anything is in memory when the function is called or returns.
    pub fn needs_memory(&self) -> bool {
        self.needs_places() || self.gives_address()
    }

    /// Returns whether a parameter or the result has a string in it.
    pub fn has_text(&self) -> bool {
        self.params.has_text() || self.result.as_ref().is_some_and(Type::has_text)
    }
}

impl Type {
    /// Returns the parameters or results that a value is, if it is not in memory.
    pub fn flat(&self) -> Vec<ValueType> {
        match self {
            Type::Number { element, .. } => vec![element.value_type()],
            Type::List { .. } => vec![ValueType::I32; 2],
            Type::Record(fields) => fields.iter().flat_map(Type::flat).collect(),
            Type::Flags(_) => vec![ValueType::I32],
            Type::Choice { cases, .. } => {
                let mut all = vec![ValueType::I32];
                for case in cases.iter().flatten() {
                    for (i, ty) in (1..).zip(case.flat()) {
                        match all.get_mut(i) {
                            Some(known) => *known = join(*known, ty),
                            None => all.push(ty),
                        }
                    }
                }
                all
            }
        }
    }

    /// Returns what the address of a value in memory is a multiple of.
    pub fn alignment(&self) -> u32 {
        match self {
            Type::Number { element, .. } => element.bytes() as u32,
            Type::List { .. } => 4,
            Type::Record(fields) => fields.iter().map(Type::alignment).max().unwrap_or(1),
            Type::Flags(flags) => flags_type(flags.len()).bytes() as u32,
            Type::Choice { .. } => self.payload_offset(),
        }
    }

    /// Returns the number of bytes of a value in memory.
    pub fn size(&self) -> u32 {
        match self {
            Type::Number { element, .. } => element.bytes() as u32,
            Type::List { .. } => 8,
            Type::Record(fields) => {
                let end = offsets(fields).last().map_or(0, |(offset, last)| offset + last.size());
                end.next_multiple_of(self.alignment())
            }
            Type::Flags(flags) => flags_type(flags.len()).bytes() as u32,
            Type::Choice { cases, .. } => {
                let largest = cases.iter().flatten().map(|case| case.size()).max().unwrap_or(0);
                (self.payload_offset() + largest).next_multiple_of(self.alignment())
            }
        }
    }

    /// Returns where behind the number of a choice's case that begins which the case holds.
    pub fn payload_offset(&self) -> u32 {
        match self {
            Type::Choice { cases, .. } => {
                cases.iter().flatten().map(|case| case.alignment()).max().unwrap_or(1)
            }
            _ => 0,
        }
    }

    fn has_list(&self) -> bool {
        self.any(&|ty| matches!(ty, Type::List { .. }))
    }

    fn has_text(&self) -> bool {
        self.any(&|ty| matches!(ty, Type::List { is_text: true, .. }))
    }

    /// Returns whether something holds of the type or of one in it.
    fn any(&self, holds: &dyn Fn(&Type) -> bool) -> bool {
        let parts: Vec<&Type> = match self {
            Type::Record(fields) => fields.iter().collect(),
            Type::Choice { cases, .. } => cases.iter().flatten().map(|case| &**case).collect(),
            Type::Number { .. } | Type::List { .. } | Type::Flags(_) => Vec::new(),
        };
        holds(self) || parts.into_iter().any(|part| part.any(holds))
    }
}

/// Returns the fields of a record with their offsets.
pub(crate) fn offsets(fields: &[Type]) -> impl Iterator<Item = (u32, &Type)> {
    let mut end = 0u32;
    fields.iter().map(move |field| {
        let offset = end.next_multiple_of(field.alignment());
        end = offset + field.size();
        (offset, field)
    })
}

/// Returns the type of the integer that so many flags are.
pub(crate) fn flags_type(count: usize) -> ElementType {
    match count {
        ..=8 => ElementType::U8,
        9..=16 => ElementType::U16,
        _ => ElementType::U32,
    }
}

/// Returns the type of the integer that the case of an enum with so many cases is.
pub(crate) fn enum_type(count: usize) -> ElementType {
    match count {
        ..=0x100 => ElementType::U8,
        0x101..=0x1_0000 => ElementType::U16,
        _ => ElementType::U32,
    }
}

/// Returns the type that has room for numbers of both types.
fn join(a: ValueType, b: ValueType) -> ValueType {
    let is_small = |ty| matches!(ty, ValueType::I32 | ValueType::F32);
    match (a, b) {
        (a, b) if a == b => a,
        (a, b) if is_small(a) && is_small(b) => ValueType::I32,
        _ => ValueType::I64,
    }
}
