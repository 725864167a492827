//! Random modules with large blocks of integer arithmetic in loops that become hot.
//!
//! wasm-smith's blocks are short, and the loops of its modules end after a few turns. These modules are for
//! what only many operations side by side bring out: sums of many terms, constants next to powers of two,
//! chains of shifts, values for which no field is left, stores and loads that overlap. A [`Program`] is kept
//! as a tree, so that a program that fails can be made small ([`Program::shrunk`]).

mod compare;
mod generate;
mod shrink;
#[cfg(test)]
mod tests;
mod text;

use wasm2onnx_runtime::Value;

pub use compare::Done;

/// A module with one memory or none, and calls of its functions.
#[derive(Clone, Debug)]
pub struct Program {
    /// Mutable globals, exported as `g0`, `g1`, …, and their initial values.
    globals: Vec<(Type, i64)>,
    /// Initial contents of the memory; `None` if the module has no memory.
    memory: Option<Vec<u8>>,
    /// Number of tables that change: each takes two or three regions of keys below those of the memory.
    tables: u32,
    /// Functions, exported as `f0`, `f1`, …; each calls only earlier ones. The first argument of the last
    /// function is the number of turns of its outermost loop.
    functions: Vec<Function>,
    /// Calls, which are made on one instance; the shorter ones come first.
    pub calls: Vec<Call>,
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    function: usize,
    args: Vec<Value>,
    /// Whether only machine code makes it, because it takes long.
    long: bool,
}

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    I32,
    I64,
}

#[derive(Clone, Debug)]
struct Function {
    /// Number of the locals that are parameters; these come first.
    params: usize,
    locals: Vec<Type>,
    body: Vec<Statement>,
    results: Vec<Expr>,
}

#[derive(Clone, Debug)]
enum Statement {
    Set(u32, Expr),
    SetGlobal(u32, Expr),
    Store(Access, Box<[Expr; 2]>),
    If(Expr, [Vec<Statement>; 2]),
    /// An index, and the statements for 0, 1, …; the last ones are also for all larger indices.
    Switch(Expr, Vec<Vec<Statement>>),
    /// A counter, which no other statement sets, the number of turns (at least one is taken) and the body.
    Loop(u32, Expr, Vec<Statement>),
}

#[derive(Clone, Debug)]
enum Expr {
    Const(Type, i64),
    Local(Type, u32),
    Global(Type, u32),
    /// The type of an instruction's result, the instruction's name and its operands.
    Apply(Type, String, Vec<Expr>),
    Load(Type, Access, Box<Expr>),
    Call(Type, u32, Vec<Expr>),
}

/// A load or store by its name, and its offset.
#[derive(Clone, Debug)]
struct Access {
    name: String,
    offset: u32,
}

impl Expr {
    fn ty(&self) -> Type {
        match self {
            Expr::Const(ty, _)
            | Expr::Local(ty, _)
            | Expr::Global(ty, _)
            | Expr::Apply(ty, ..)
            | Expr::Load(ty, ..)
            | Expr::Call(ty, ..) => *ty,
        }
    }

    fn operands(&self) -> &[Expr] {
        match self {
            Expr::Const(..) | Expr::Local(..) | Expr::Global(..) => &[],
            Expr::Apply(_, _, operands) | Expr::Call(_, _, operands) => operands,
            Expr::Load(_, _, address) => std::slice::from_ref(address),
        }
    }

    fn operands_mut(&mut self) -> &mut [Expr] {
        match self {
            Expr::Const(..) | Expr::Local(..) | Expr::Global(..) => &mut [],
            Expr::Apply(_, _, operands) | Expr::Call(_, _, operands) => operands,
            Expr::Load(_, _, address) => std::slice::from_mut(address),
        }
    }
}

impl Statement {
    fn exprs_mut(&mut self) -> &mut [Expr] {
        match self {
            Statement::Set(_, value) | Statement::SetGlobal(_, value) => std::slice::from_mut(value),
            Statement::Store(_, operands) => &mut **operands,
            Statement::If(condition, _) | Statement::Switch(condition, _) => std::slice::from_mut(condition),
            Statement::Loop(_, turns, _) => std::slice::from_mut(turns),
        }
    }

    fn bodies_mut(&mut self) -> &mut [Vec<Statement>] {
        match self {
            Statement::Set(..) | Statement::SetGlobal(..) | Statement::Store(..) => &mut [],
            Statement::If(_, arms) => arms,
            Statement::Switch(_, arms) => arms,
            Statement::Loop(_, _, body) => std::slice::from_mut(body),
        }
    }
}
