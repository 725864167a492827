//! The context in which the declarations and function bodies of a module are translated.

use smallvec::SmallVec;
use wasmparser::{ConstExpr, Operator};

use super::functions::Functions;
use super::names;
use super::program::Program;
use super::spaces::{Globals, Memories, Segments, Tables};
use crate::error::{CompileError, ErrorKind};

/// The index spaces of a module, and the program that it becomes a part of.
pub struct Context {
    /// The functions.
    pub functions: Functions,
    /// The globals.
    pub globals: Globals,
    /// The memories.
    pub memories: Memories,
    /// The tables.
    pub tables: Tables,
    /// The data segments, in [`Space::Data`](crate::ir::Space::Data).
    pub data: Segments,
    /// The element segments, in [`Space::Elements`](crate::ir::Space::Elements).
    pub elements: Segments,
    /// Where the module begins, if all modules of the program are put one behind the other.
    pub position: u32,
    /// What begins the names of what the module declares: empty for the main module.
    pub prefix: String,
    /// The program.
    pub program: Program,
}

impl Context {
    /// Makes a context in which nothing is declared yet.
    ///
    /// `length` is the length of the module in bytes.
    pub fn new(mut program: Program, prefix: String, length: u32) -> Self {
        let first_number = program.module.function_names.len() as u32;
        let position = program.end;
        program.end += length;
        program.module.modules.push(position);
        Context {
            functions: Functions::new(first_number),
            position,
            globals: Globals::default(),
            memories: Memories::default(),
            tables: Tables::default(),
            data: Segments::new(format!("{prefix}data")),
            elements: Segments::new(format!("{prefix}element")),
            prefix,
            program,
        }
    }

    /// Returns the name by which others import from the module; `None` for the main module.
    pub fn linked_name(&self) -> Option<String> {
        self.prefix.strip_suffix('.').map(str::to_owned)
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
                Operator::RefFunc { function_index } => {
                    self.functions.reference(function_index, &mut self.program) as u64
                }
                Operator::RefNull { .. } => 0,
                Operator::GlobalGet { global_index } => {
                    match self.globals.get(global_index, &self.program).constant {
                        Some(constant) => constant,
                        None => {
                            let what = "a constant expression with an unsupported global";
                            return Err(unsupported(what, offset));
                        }
                    }
                }
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
    ErrorKind::Unsupported { what: what.to_string(), function: None, offset, line: None, advice: None }.into()
}
