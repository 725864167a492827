//! The IR as text, for people and file tests.

use std::fmt::{self, Display, Formatter};

use crate::ir::*;

impl Display for Type {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            Type::I32 => "i32",
            Type::I64 => "i64",
        })
    }
}

/// Returns `divide_by_zero` for `DivideByZero`.
pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Entries, separated by commas.
pub struct List<'a, T>(pub &'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// An offset in the module.
pub struct Hex(pub u32);

impl Display for Hex {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Display for BlockCall {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}", self.block)?;
        if !self.args.is_empty() {
            write!(f, "({})", List(&self.args))?;
        }
        Ok(())
    }
}

/// Returns the name of a memory: `memory` for the first one, which is the only one of most programs.
pub fn memory_name(memory: MemoryId) -> String {
    match memory.as_u32() {
        0 => "memory".into(),
        _ => memory.to_string(),
    }
}

impl Display for Space {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Space::Table(table) => table.fmt(f),
            Space::Memory(memory) => f.write_str(&memory_name(*memory)),
            Space::Output(output) => f.write_str(output.name()),
            space => f.write_str(&snake(&format!("{space:?}"))),
        }
    }
}

impl Display for Inst {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        if let Some(result) = self.result {
            write!(f, "{result} = ")?;
        }
        let (ty, args) = (self.ty, List(&self.args));
        match &self.op {
            Op::Const(bits) if *bits < 1024 => write!(f, "const.{ty} {bits}"),
            Op::Const(bits) => write!(f, "const.{ty} 0x{bits:x}"),
            Op::Unary(op) => write!(f, "{}.{ty} {args}", snake(&format!("{op:?}"))),
            Op::Binary(op) => write!(f, "{}.{ty} {args}", snake(&format!("{op:?}"))),
            Op::Float(op) => write!(f, "float.{ty} {op:?} {args}"),
            Op::Select => write!(f, "select.{ty} {args}"),
            Op::Load { space, bytes, signed, offset } => {
                let sign = if *signed { "_s" } else { "" };
                write!(f, "load{bytes}{sign}.{ty} {space}[{args} + {offset}]")
            }
            Op::Store { space, bytes, offset } => {
                let (address, value) = (self.args[0], self.args[1]);
                write!(f, "store{bytes}.{ty} {space}[{address} + {offset}], {value}")
            }
            Op::Copy { from, to } => {
                write!(f, "copy {to}[{}], {from}[{}], {}", self.args[0], self.args[1], self.args[2])
            }
            Op::Move { from, to, cells } => {
                write!(f, "move{cells} {to}[{}], {from}[{}]", self.args[0], self.args[1])
            }
            Op::Fill(space) => {
                write!(f, "fill {space}[{}], {}, {}", self.args[0], self.args[1], self.args[2])
            }
            Op::Repeat { space, cells } => {
                write!(f, "repeat{cells} {space}[{}], {}", self.args[0], self.args[1])
            }
            Op::Bounds { memory, offset, bytes } if memory.as_u32() == 0 => {
                write!(f, "bounds{bytes} [{args} + {offset}]")
            }
            Op::Bounds { memory, offset, bytes } => {
                write!(f, "bounds{bytes} {}[{args} + {offset}]", memory_name(*memory))
            }
            Op::Within(code) => write!(f, "within {args}, {}", snake(&format!("{code:?}"))),
            Op::TrapIf(code) => write!(f, "trap_if {args}, {}", snake(&format!("{code:?}"))),
            Op::CellGet(cell) => write!(f, "get {cell}"),
            Op::CellSet(cell) => write!(f, "set {cell}, {args}"),
            Op::TableFunc(table) => write!(f, "table_func {table}[{args}]"),
            Op::TableType(table) => write!(f, "table_type {table}[{args}]"),
        }
    }
}

impl Display for Callee {
    /// Writes what follows `call`.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Callee::Direct(func) => write!(f, " {func}"),
            Callee::Indirect { table, ty, index } => write!(f, "_indirect {table}[{index}] type {ty}"),
            Callee::Reference(value) => write!(f, "_reference {value}"),
        }
    }
}

impl Display for Terminator {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Terminator::Jump(call) => write!(f, "jump {call}"),
            Terminator::Branch { cond, then, otherwise } => write!(f, "branch {cond}, {then}, {otherwise}"),
            Terminator::Switch { index, targets, default } => {
                write!(f, "switch {index}, [{}], {default}", List(targets))
            }
            Terminator::Call { callee, args, next } => write!(f, "call{callee}({}), {next}", List(args)),
            Terminator::TailCall { callee, args } => write!(f, "tail_call{callee}({})", List(args)),
            Terminator::Return(args) if args.is_empty() => f.write_str("return"),
            Terminator::Return(args) => write!(f, "return {}", List(args)),
            Terminator::Trap(code) => write!(f, "trap {}", snake(&format!("{code:?}"))),
        }
    }
}

impl Display for Function {
    /// Writes the reachable blocks in reverse postorder.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let params = |values: &[Value]| -> Vec<String> {
            values.iter().map(|v| format!("{v}: {}", self.values[*v])).collect()
        };
        let entry = params(&self.blocks[self.entry].params);
        writeln!(f, "function {:?}({}) -> ({}) {{", self.name, List(&entry), List(&self.results))?;
        for block in crate::cfg::reverse_postorder(self) {
            let data = &self.blocks[block];
            if data.params.is_empty() || block == self.entry {
                writeln!(f, "{block}:")?;
            } else {
                writeln!(f, "{block}({}):", List(&params(&data.params)))?;
            }
            for inst in &data.insts {
                writeln!(f, "    {inst}")?;
            }
            writeln!(f, "    {}", data.term)?;
        }
        writeln!(f, "}}")
    }
}

impl Display for Module {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        for (cell, data) in &self.cells {
            writeln!(f, "{cell} {:?} = {}, at most {}", data.name, data.init, data.max)?;
        }
        for (memory, data) in &self.memories {
            let name = memory_name(memory);
            match data.size {
                MemorySize::Constant(0) => {}
                MemorySize::Constant(pages) => writeln!(f, "{name} {pages}")?,
                MemorySize::Cell { cell, max } => writeln!(f, "{name} {cell}, at most {max}")?,
            }
            for (address, bytes) in &data.data {
                writeln!(f, "data {address}: {} bytes", bytes.len())?;
            }
        }
        let function = |reference: u32| self.referenced(reference).map_or("none".into(), |f| f.to_string());
        for (table, data) in &self.tables {
            // A module without references has nothing in the compiler's own table.
            if table == self.reference_table() && data.entries.is_empty() {
                continue;
            }
            let entry = |(i, reference): &(u32, u32)| format!("{i}: {}", function(*reference));
            let entries: Vec<String> = data.entries.iter().map(entry).collect();
            writeln!(f, "{table} of {}: {}", data.size, List(&entries))?;
        }
        let passive = (self.passive_data.len(), self.passive_elements.len());
        if passive != (0, 0) {
            writeln!(f, "passive segments: {} bytes, {} elements", passive.0, passive.1)?;
        }
        if let Some(code) = self.creation_trap {
            writeln!(f, "creation traps: {}", snake(&format!("{code:?}")))?;
        }
        if let Some(start) = self.start {
            writeln!(f, "start {start}")?;
        }
        for (name, func, _) in &self.exports {
            writeln!(f, "export {name:?} {func}")?;
        }
        for (name, _, mutable, cells) in &self.exported_globals {
            let kind = if *mutable { "mutable" } else { "immutable" };
            writeln!(f, "export {name:?} {kind} {}", List(cells))?;
        }
        for (name, memory) in &self.exported_memories {
            writeln!(f, "export {name:?} {}", memory_name(*memory))?;
        }
        for (func, function) in &self.functions {
            write!(f, "\n; {func}\n{function}")?;
        }
        Ok(())
    }
}
