//! Programs as WebAssembly text.

use std::fmt;

use super::{Access, Call, Expr, Function, Program, Statement, Type};

/// Returns the name of an exported global.
fn global_name(global: usize) -> String {
    format!("g{global}")
}

/// Returns the name of an exported function.
pub(super) fn function_name(function: usize) -> String {
    format!("f{function}")
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", function_name(self.function), self.args)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::I32 => "i32",
            Type::I64 => "i64",
        })
    }
}

/// Writes the module in the text format.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in &self.calls {
            writeln!(f, ";; {call}")?;
        }
        writeln!(f, "(module")?;
        if let Some(data) = &self.memory {
            writeln!(f, "(memory (export \"memory\") 1 1)")?;
            write!(f, "(data (i32.const 0) \"")?;
            data.iter().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
            writeln!(f, "\")")?;
        }
        for (i, (ty, value)) in self.globals.iter().enumerate() {
            writeln!(f, "(global (export \"{}\") (mut {ty}) ({ty}.const {value}))", global_name(i))?;
        }
        (0..self.tables).try_for_each(|_| writeln!(f, "(table 4 8 funcref)"))?;
        for (i, function) in self.functions.iter().enumerate() {
            write!(f, "(func (export \"{}\")", function_name(i))?;
            function.write(f)?;
        }
        if self.tables > 0 {
            writeln!(f, "(func (export \"grow\")")?;
            (0..self.tables)
                .try_for_each(|i| writeln!(f, " (drop (table.grow {i} (ref.null func) (i32.const 1)))"))?;
            writeln!(f, ")")?;
        }
        writeln!(f, ")")
    }
}

impl Function {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (params, locals) = self.locals.split_at(self.params);
        params.iter().try_for_each(|ty| write!(f, " (param {ty})"))?;
        self.results.iter().try_for_each(|result| write!(f, " (result {})", result.ty()))?;
        locals.iter().try_for_each(|ty| write!(f, " (local {ty})"))?;
        writeln!(f)?;
        write_all(&self.body, 1, f)?;
        self.results.iter().try_for_each(|result| writeln!(f, " {result}"))?;
        writeln!(f, ")")
    }
}

fn write_all(body: &[Statement], depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    body.iter().try_for_each(|statement| {
        write!(f, "{:depth$}", "")?;
        statement.write(depth, f)
    })
}

impl Statement {
    fn write(&self, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statement::Set(local, value) => writeln!(f, "(local.set {local} {value})"),
            Statement::SetGlobal(global, value) => writeln!(f, "(global.set {global} {value})"),
            Statement::Store(access, operands) => {
                let [address, value] = &**operands;
                writeln!(f, "({access} {address} {value})")
            }
            Statement::If(condition, [then, other]) => {
                writeln!(f, "(if {condition} (then")?;
                write_all(then, depth + 1, f)?;
                writeln!(f, "{:depth$}) (else", "")?;
                write_all(other, depth + 1, f)?;
                writeln!(f, "{:depth$}))", "")
            }
            Statement::Switch(index, arms) => {
                // A block ends where each arm begins, and one more block is around all arms: every arm ends
                // with a branch out of that one.
                writeln!(f, "{}", "(block ".repeat(arms.len() + 1))?;
                write!(f, "{:depth$}(br_table", "")?;
                (0..arms.len()).try_for_each(|arm| write!(f, " {arm}"))?;
                writeln!(f, " {index})")?;
                for (arm, body) in arms.iter().enumerate() {
                    writeln!(f, "{:depth$})", "")?;
                    write_all(body, depth + 1, f)?;
                    writeln!(f, "{:depth$}(br {})", "", arms.len() - 1 - arm)?;
                }
                writeln!(f, "{:depth$})", "")
            }
            Statement::Loop(counter, turns, body) => {
                writeln!(f, "(local.set {counter} (i32.const 0))")?;
                writeln!(f, "{:depth$}(loop", "")?;
                write_all(body, depth + 1, f)?;
                writeln!(
                    f,
                    "{:depth$}(br_if 0 (i32.lt_u (local.tee {counter} (i32.add (local.get {counter}) (i32.const 1))) {turns})))",
                    ""
                )
            }
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} offset={}", self.name, self.offset)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Const(ty, value) => write!(f, "({ty}.const {value})"),
            Expr::Local(_, local) => write!(f, "(local.get {local})"),
            Expr::Global(_, global) => write!(f, "(global.get {global})"),
            Expr::Apply(_, name, operands) => {
                write!(f, "({name}")?;
                operands.iter().try_for_each(|operand| write!(f, " {operand}"))?;
                write!(f, ")")
            }
            Expr::Load(_, access, address) => write!(f, "({access} {address})"),
            Expr::Call(_, function, operands) => {
                write!(f, "(call {function}")?;
                operands.iter().try_for_each(|operand| write!(f, " {operand}"))?;
                write!(f, ")")
            }
        }
    }
}
