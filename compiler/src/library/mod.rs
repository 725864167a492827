//! Routines for what has no circuit of its own, linked where used.
//!
//! Some are written in WebAssembly text, which the build script assembles: they are the functions of the modules below, in which a call is a call of
//! a routine. Others are written on the IR: [`Routine::Udivrem32`], made of two operations of the backend
//! that are used nowhere else, those of `float`, and the loops of `bulk`.

mod bulk;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};
use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use smallvec::smallvec;

use crate::builder::Builder;
use crate::float;
use crate::frontend;
use crate::ir::*;
use crate::options::Options;

/// Modules of routines, and which routine each of their functions is, in order.
const SOURCES: [(&[u8], &[Routine]); 1] = [(
    include_bytes!(concat!(env!("OUT_DIR"), "/div64.wasm")),
    &[Routine::Udivrem64By32, Routine::Udivrem64, Routine::Sdivrem64],
)];

/// A routine as the frontend made it: with 64-bit values, to be legalized like any function.
struct Source {
    function: Function,
    /// The functions of its module, which its calls refer to.
    callees: &'static [Routine],
}

/// Returns all routines that are written in WebAssembly.
fn library() -> &'static FxHashMap<Routine, Source> {
    static LIBRARY: OnceLock<FxHashMap<Routine, Source>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut routines = FxHashMap::default();
        for (source, callees) in SOURCES {
            let module = frontend::parse(source, &Options::default()).expect("the library is valid");
            for ((_, mut function), routine) in module.functions.into_iter().zip(callees) {
                function.name = routine.to_string();
                function.origin = Origin::Routine(*routine);
                // Offsets are those of instructions in the program; these have none.
                for block in function.blocks.values_mut() {
                    block.insts.iter_mut().for_each(|inst| inst.offset = 0);
                    block.term_offset = 0;
                }
                routines.insert(*routine, Source { function, callees });
            }
        }
        routines
    })
}

impl Display for Routine {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Routine::Udivrem32 => f.write_str("__udivrem32"),
            Routine::Udivrem64By32 => f.write_str("__udivrem64_32"),
            Routine::Udivrem64 => f.write_str("__udivrem64"),
            Routine::Sdivrem64 => f.write_str("__sdivrem64"),
            Routine::Float(op, ty) => write!(f, "__{}", float::name(*op, *ty)),
            Routine::Copy { from, to } => write!(f, "__copy {to}, {from}"),
            Routine::Fill(space) => write!(f, "__fill {space}"),
        }
    }
}

/// Routines that a module uses, each linked once.
pub struct Linker {
    /// Number of functions of the module without routines.
    first: u32,
    linked: Vec<Routine>,
}

impl Linker {
    /// Returns a linker for a module that has `functions` functions so far.
    pub fn new(functions: usize) -> Self {
        Linker { first: functions as u32, linked: Vec::new() }
    }

    /// Returns the function that a routine is or will be.
    pub fn link(&mut self, routine: Routine) -> Func {
        let position = self.linked.iter().position(|linked| *linked == routine).unwrap_or_else(|| {
            self.linked.push(routine);
            self.linked.len() - 1
        });
        Func::from_u32(self.first + position as u32)
    }

    /// Returns the `i`th routine that was linked, with its calls linked in turn. Linking them may add more
    /// routines.
    pub fn routine(&mut self, i: usize) -> Option<Function> {
        let routine = match *self.linked.get(i)? {
            Routine::Udivrem32 => return Some(udivrem32()),
            Routine::Float(op, ty) => return Some(float::routine(op, ty)),
            Routine::Copy { from, to } => return Some(bulk::copy(from, to)),
            Routine::Fill(space) => return Some(bulk::fill(space)),
            routine => &library()[&routine],
        };
        let mut func = routine.function.clone();
        for block in func.blocks.values_mut() {
            if let Some(Callee::Direct(callee)) = block.term.callee_mut() {
                *callee = self.link(routine.callees[callee.as_u32() as usize]);
            }
        }
        Some(func)
    }
}

fn udivrem32() -> Function {
    let mut func = Function::routine(Routine::Udivrem32, vec![Type::I32; 2]);
    let entry = func.entry;
    let a = func.add_param(entry, Type::I32);
    let b = func.add_param(entry, Type::I32);
    let mut builder = Builder { func: &mut func, block: entry, offset: 0 };
    let quotient = builder.word_op(BinaryOp::DivU, a, b);
    let remainder = builder.word_op(BinaryOp::RemU, a, b);
    builder.terminate(Terminator::Return(smallvec![quotient, remainder]));
    func
}
