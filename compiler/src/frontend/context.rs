//! The context in which declarations and function bodies are translated.

use smallvec::SmallVec;
use wasmparser::{ConstExpr, Operator};

use super::cells::{Globals, Memory, Segments, Streams, Tables};
use super::functions::Functions;
use super::names;
use crate::error::{CompileError, ErrorKind};
use crate::ir::*;
use crate::options::Options;

/// What the declarations of a module say, and the module of the IR that is made from it.
pub struct Context {
    /// The functions.
    pub functions: Functions,
    /// The globals.
    pub globals: Globals,
    /// The memory, if there is one.
    pub memory: Option<Memory>,
    /// Standard input and output.
    pub streams: Streams,
    /// The tables.
    pub tables: Tables,
    /// The data segments, in [`Space::Data`].
    pub data: Segments,
    /// The element segments, in [`Space::Elements`].
    pub elements: Segments,
    /// The module in the IR.
    pub module: Module,
}

impl Context {
    /// Makes a context in which nothing is declared yet.
    ///
    /// # Errors
    ///
    /// If a stream is to have room for more bytes than there can be.
    pub fn new(options: &Options) -> Result<Self, CompileError> {
        Ok(Context {
            functions: Functions::default(),
            globals: Globals::default(),
            memory: None,
            streams: Streams::new(options)?,
            tables: Tables::default(),
            data: Segments::new("data"),
            elements: Segments::new("element"),
            module: Module::default(),
        })
    }

    /// Returns the bits of a constant expression.
    ///
    /// # Errors
    ///
    /// If it has an instruction or refers to a global that is not supported.
    pub fn constant(&mut self, expr: &ConstExpr) -> Result<u64, CompileError> {
        let mut stack: SmallVec<[u64; 4]> = SmallVec::new();
        let mut reader = expr.get_operators_reader();
        while !reader.eof() {
            let (op, offset) = reader.read_with_offset()?;
            let mut binary = |f: fn(u64, u64) -> u64| {
                let (Some(b), Some(a)) = (stack.pop(), stack.pop()) else { unreachable!("validated") };
                f(a, b)
            };
            let value = match op {
                Operator::I32Const { value } => value as u32 as u64,
                Operator::I64Const { value } => value as u64,
                Operator::F32Const { value } => value.bits() as u64,
                Operator::F64Const { value } => value.bits(),
                Operator::I32Add => binary(|a, b| (a as u32).wrapping_add(b as u32) as u64),
                Operator::I32Sub => binary(|a, b| (a as u32).wrapping_sub(b as u32) as u64),
                Operator::I32Mul => binary(|a, b| (a as u32).wrapping_mul(b as u32) as u64),
                Operator::I64Add => binary(u64::wrapping_add),
                Operator::I64Sub => binary(u64::wrapping_sub),
                Operator::I64Mul => binary(u64::wrapping_mul),
                Operator::RefFunc { function_index } => self.functions.reference(function_index) as u64,
                Operator::RefNull { .. } => 0,
                Operator::GlobalGet { global_index } => match self.globals.get(global_index).constant {
                    Some(constant) => constant,
                    None => {
                        return Err(unsupported("a constant expression with an unsupported global", offset));
                    }
                },
                Operator::End => continue,
                op => {
                    let what = format!("{} in a constant expression", names::operator_name(&op));
                    return Err(unsupported(&what, offset));
                }
            };
            stack.push(value);
        }
        Ok(stack[0])
    }
}

/// Returns an error at an offset outside of functions.
pub fn unsupported(what: &str, offset: u64) -> CompileError {
    ErrorKind::Unsupported { what: what.to_string(), function: None, offset, advice: None }.into()
}
