//! Routines for what has no circuit of its own, linked where used.
//!
//! Most are written in WebAssembly: a function of one of the modules below, named by its export. Its calls of other
//! exported functions are calls of routines. Others are written on the IR: [`UDIVREM32`], made of the two
//! operations that the backend has a circuit for nowhere else, those of [`float`], and the loops of `bulk`.

mod bulk;
pub mod float;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use smallvec::smallvec;

use crate::builder::Builder;
use crate::frontend;
use crate::ir::*;
use crate::options::Options;

/// `(a, b) -> (a / b, a % b)` on unsigned words. The only function with variable divisors.
pub const UDIVREM32: &str = "__udivrem32";
/// The same on unsigned 64-bit integers.
pub const UDIVREM64: &str = "__udivrem64";
/// The same on signed 64-bit integers.
pub const SDIVREM64: &str = "__sdivrem64";

const SOURCES: [&str; 1] = [include_str!("div64.wat")];

/// A routine as the frontend made it: with 64-bit values, to be legalized like any function.
struct Source {
    function: Function,
    /// Names of the functions of its module, which its calls refer to.
    names: Arc<Vec<String>>,
}

/// All routines that are written in WebAssembly, by name.
fn library() -> &'static FxHashMap<String, Source> {
    static LIBRARY: OnceLock<FxHashMap<String, Source>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut routines = FxHashMap::default();
        for source in SOURCES {
            let module =
                frontend::parse(source.as_bytes(), &Options::default()).expect("the library is valid");
            let names = Arc::new(module.function_names);
            for (_, mut function) in module.functions {
                function.index = u32::MAX;
                // Offsets are those of instructions in the program; these have none.
                for block in function.blocks.values_mut() {
                    block.insts.iter_mut().for_each(|inst| inst.offset = 0);
                    block.term_offset = 0;
                }
                routines.insert(function.name.clone(), Source { function, names: names.clone() });
            }
        }
        routines
    })
}

/// A routine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Routine {
    /// [`UDIVREM32`].
    Udivrem32,
    /// One that is written in WebAssembly, by its name.
    Wasm(&'static str),
    /// Float arithmetic on operands of a type.
    Float(FloatOp, Type),
    /// [`Op::Copy`] of any length.
    Copy {
        /// Where from.
        from: Space,
        /// Where to.
        to: Space,
    },
    /// [`Op::Fill`] of any length.
    Fill(Space),
}

/// Routines that a module uses, each linked once.
pub struct Linker {
    /// Number of functions of the module without routines.
    first: u32,
    linked: Vec<Routine>,
}

impl Linker {
    /// For a module with that many functions so far.
    pub fn new(functions: usize) -> Self {
        Linker { first: functions as u32, linked: Vec::new() }
    }

    /// The function that a routine is or will be.
    pub fn link(&mut self, routine: Routine) -> Func {
        let position = self.linked.iter().position(|linked| *linked == routine).unwrap_or_else(|| {
            self.linked.push(routine);
            self.linked.len() - 1
        });
        Func::from_u32(self.first + position as u32)
    }

    /// The `i`th routine that was linked, its calls linked in turn. Linking it may add more.
    pub fn routine(&mut self, i: usize) -> Option<Function> {
        let name = match *self.linked.get(i)? {
            Routine::Udivrem32 => return Some(udivrem32()),
            Routine::Float(op, ty) => return Some(float::routine(op, ty)),
            Routine::Copy { from, to } => return Some(bulk::copy(format!("__copy {to}, {from}"), from, to)),
            Routine::Fill(space) => return Some(bulk::fill(format!("__fill {space}"), space)),
            Routine::Wasm(name) => name,
        };
        let routine = library().get(name).expect("the name of a routine");
        let mut func = routine.function.clone();
        for block in func.blocks.values_mut() {
            if let Some(Callee::Direct(callee)) = block.term.callee_mut() {
                *callee = self.link(Routine::Wasm(&routine.names[callee.as_u32() as usize]));
            }
        }
        Some(func)
    }
}

fn udivrem32() -> Function {
    let mut func = Function::new(UDIVREM32.into(), u32::MAX, vec![Type::I32; 2]);
    let entry = func.entry;
    let a = func.add_param(entry, Type::I32);
    let b = func.add_param(entry, Type::I32);
    let mut builder = Builder { func: &mut func, block: entry, offset: 0 };
    let quotient = builder.word_op(BinaryOp::DivU, a, b);
    let remainder = builder.word_op(BinaryOp::RemU, a, b);
    builder.terminate(Terminator::Return(smallvec![quotient, remainder]));
    func
}
