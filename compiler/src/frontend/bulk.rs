//! Instructions on tables, and those that move many bytes or references at once.

use wasm2onnx_runtime::TrapCode;
use wasmparser::Operator;

use super::body::Body;
use super::context::Context;
use super::names::operator_name;
use super::spaces::table_size;
use crate::ir::*;

use TrapCode::{MemoryOutOfBounds, TableOutOfBounds};

impl Body<'_> {
    /// Translates an instruction on memory or tables that the table of instructions leaves to this file.
    pub(super) fn bulk(&mut self, op: &Operator) -> Result<(), String> {
        match *op {
            Operator::MemoryFill { mem } => {
                let space = self.context.memories.get(mem);
                let [to, value, count] = self.pop_three();
                self.memory_bounds(space, to, count);
                self.b.effect(Op::Fill(space), Type::I32, &[to, value, count]);
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let [target, source] = [dst_mem, src_mem].map(|mem| self.context.memories.get(mem));
                let [to, from, count] = self.pop_three();
                self.memory_bounds(source, from, count);
                self.memory_bounds(target, to, count);
                self.copy(source, target, [to, from, count]);
            }
            Operator::MemoryInit { data_index, mem } => {
                let space = self.context.memories.get(mem);
                let [to, from, count] = self.pop_three();
                let (first, length) = self.data_segment(data_index);
                let from = self.in_segment(MemoryOutOfBounds, first, length, from, count);
                self.memory_bounds(space, to, count);
                self.copy(Space::Data, space, [to, from, count]);
            }
            Operator::DataDrop { data_index } => {
                let (_, length) = self.data_segment(data_index);
                self.drop_segment(length);
            }
            Operator::TableGet { table } => {
                let index = self.pop();
                let one = self.b.word(1);
                self.table_bounds(table, index, one);
                let load = Op::Load { space: self.table(table), bytes: 4, signed: false, offset: 0 };
                let reference = self.b.value(load, Type::I32, &[index]);
                self.push(reference);
            }
            Operator::TableSet { table } => {
                let (reference, index) = (self.pop(), self.pop());
                let one = self.b.word(1);
                self.table_bounds(table, index, one);
                let store = Op::Store { space: self.table(table), bytes: 4, offset: 0 };
                self.b.effect(store, Type::I32, &[index, reference]);
            }
            Operator::TableSize { table } => {
                let size = self.table_size(table);
                self.push(size);
            }
            Operator::TableGrow { table } => self.table_grow(table),
            Operator::TableFill { table } => {
                let [to, reference, count] = self.pop_three();
                self.table_bounds(table, to, count);
                self.b.effect(Op::Fill(self.table(table)), Type::I32, &[to, reference, count]);
            }
            Operator::TableCopy { dst_table, src_table } => {
                let [to, from, count] = self.pop_three();
                self.table_bounds(src_table, from, count);
                self.table_bounds(dst_table, to, count);
                self.copy(self.table(src_table), self.table(dst_table), [to, from, count]);
            }
            Operator::TableInit { elem_index, table } => {
                let [to, from, count] = self.pop_three();
                let (first, length) = self.element_segment(elem_index);
                let from = self.in_segment(TableOutOfBounds, first, length, from, count);
                self.table_bounds(table, to, count);
                self.copy(Space::Elements, self.table(table), [to, from, count]);
            }
            Operator::ElemDrop { elem_index } => {
                let (_, length) = self.element_segment(elem_index);
                self.drop_segment(length);
            }
            _ => unreachable!("{} is in the table, but nothing translates it", operator_name(op)),
        }
        Ok(())
    }

    /// Takes the three topmost values from the stack. Returns the deepest one first.
    fn pop_three(&mut self) -> [Value; 3] {
        let (c, b, a) = (self.pop(), self.pop(), self.pop());
        [a, b, c]
    }

    fn copy(&mut self, from: Space, to: Space, args: [Value; 3]) {
        self.b.effect(Op::Copy { from, to }, Type::I32, &args);
    }

    /// Checks that bytes are within a memory. Where the host's bytes end, the library knows.
    fn memory_bounds(&mut self, space: Space, first: Value, count: Value) {
        if let Space::Memory(memory) = space {
            self.b.effect(Op::Bounds { memory, offset: 0, bytes: 0 }, Type::I32, &[first, count]);
        }
    }

    /// Returns where a data segment begins in [`Space::Data`], and the cell with its length.
    fn data_segment(&mut self, index: u32) -> (u32, Cell) {
        let Context { data, program, .. } = &mut *self.context;
        data.get(index, &mut program.module.passive_data, &mut program.module.cells)
    }

    /// Returns where an element segment begins in [`Space::Elements`], and the cell with its length.
    fn element_segment(&mut self, index: u32) -> (u32, Cell) {
        let Context { elements, program, .. } = &mut *self.context;
        elements.get(index, &mut program.module.passive_elements, &mut program.module.cells)
    }

    fn table(&self, index: u32) -> Space {
        Space::Table(self.context.tables.get(index))
    }

    fn table_size(&mut self, table: u32) -> Value {
        let cell = table_size(self.context.tables.get(table), &mut self.context.program);
        self.b.value(Op::CellGet(cell), Type::I32, &[])
    }

    fn table_bounds(&mut self, table: u32, first: Value, count: Value) {
        let size = self.table_size(table);
        self.b.effect(Op::Within(TableOutOfBounds), Type::I32, &[first, count, size]);
    }

    /// Checks that part of a segment is there. Returns where that part begins in the space of all segments.
    fn in_segment(&mut self, code: TrapCode, first: u32, length: Cell, from: Value, count: Value) -> Value {
        let length = self.b.value(Op::CellGet(length), Type::I32, &[]);
        self.b.effect(Op::Within(code), Type::I32, &[from, count, length]);
        let first = self.b.word(first);
        self.b.word_op(BinaryOp::Add, from, first)
    }

    fn drop_segment(&mut self, length: Cell) {
        let zero = self.b.word(0);
        self.b.effect(Op::CellSet(length), Type::I32, &[zero]);
    }

    fn table_grow(&mut self, table: u32) {
        let (delta, reference) = (self.pop(), self.pop());
        let id = self.context.tables.get(table);
        let cell = table_size(id, &mut self.context.program);
        let old = self.b.value(Op::CellGet(cell), Type::I32, &[]);
        let [fits, new] = self.grown(old, delta, self.context.program.table_max[id]);
        self.b.effect(Op::CellSet(cell), Type::I32, &[new]);
        let count = self.b.word_op(BinaryOp::Sub, new, old);
        self.b.effect(Op::Fill(self.table(table)), Type::I32, &[old, reference, count]);
        let failed = self.b.word(u32::MAX);
        let result = self.b.select(Type::I32, fits, old, failed);
        self.push(result);
    }
}
