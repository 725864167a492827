//! The program's side: the instructions of a packet, as the IR defines them, for all runs at once.

use super::state::{LANES, Lanes, Traces};
use crate::evaluate::{binary, unary};
use crate::ir::{Cell, Inst, MAX_CELLS, MemoryId, MemorySize, Op, Space, Type, Value};
use crate::layout::Layout;
use wasm2onnx_runtime::{PAGE_BYTES, TrapCode};

/// How far a run got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// To the end of the packet's instructions.
    #[default]
    Through,
    /// To a trap, with the offset of its instruction.
    Trap(TrapCode, u32),
    /// To an instruction whose operands break what the IR promises of them (a store that nothing checked,
    /// say): no run of a program gets into such a state.
    Impossible,
}

/// The runs of the program.
pub struct Source<'a> {
    layout: &'a Layout,
    /// Memory, globals, tables, frames and return addresses of each run.
    pub traces: Traces<'a>,
    /// Words of the function's values.
    pub values: Vec<Lanes<u32>>,
    /// How far each run got.
    pub runs: Lanes<Run>,
}

impl<'a> Source<'a> {
    /// Makes runs of no function.
    pub fn new(layout: &'a Layout, traces: Traces<'a>) -> Self {
        Source { layout, traces, values: Vec::new(), runs: [Run::Through; LANES] }
    }

    /// Returns the word of a value in each run.
    pub fn value(&self, value: Value) -> &Lanes<u32> {
        &self.values[value.as_u32() as usize]
    }

    /// Sets a value.
    pub fn set(&mut self, value: Value, words: Lanes<u32>) {
        self.values[value.as_u32() as usize] = words;
    }

    /// Returns whether a run is still going.
    pub fn is_running(&self, lane: usize) -> bool {
        self.runs[lane] == Run::Through
    }

    /// Ends the runs for which `fails` is true.
    pub fn trap(&mut self, code: TrapCode, offset: u32, fails: Lanes<bool>) {
        for lane in (0..LANES).filter(|lane| fails[*lane]) {
            if self.is_running(lane) {
                self.runs[lane] = Run::Trap(code, offset);
            }
        }
    }

    /// Executes an instruction.
    pub fn inst(&mut self, inst: &Inst) {
        let arg = |i: usize| self.values[inst.args[i].as_u32() as usize];
        let result: Lanes<u32> = match &inst.op {
            Op::Const(bits) => [*bits as u32; LANES],
            Op::Unary(op) => arg(0).map(|a| unary(*op, Type::I32, a.into()) as u32),
            Op::Binary(op) => {
                let (a, b) = (arg(0), arg(1));
                std::array::from_fn(|i| binary(*op, Type::I32, a[i].into(), b[i].into()) as u32)
            }
            Op::Select => {
                let (c, a, b) = (arg(0), arg(1), arg(2));
                std::array::from_fn(|i| if c[i] != 0 { a[i] } else { b[i] })
            }
            Op::TableFunc(table) | Op::TableType(table) => {
                let keys = self.layout.tables[*table];
                let first = if matches!(inst.op, Op::TableFunc(_)) { keys.functions } else { keys.types };
                let index = arg(0);
                self.for_lanes(|run, lane| {
                    let entry = u64::from(index[lane]);
                    if entry + 1 < keys.count { run.traces.read(lane, first + entry) as u32 } else { 0 }
                })
            }
            Op::Load { space, bytes, signed, offset } => {
                let address = arg(0);
                let (base, cells) = (self.layout.space(*space).0 + offset, self.cells(*space, *bytes));
                for lane in self.running() {
                    self.read_inside(lane, *space, u64::from(address[lane]) + offset, cells);
                }
                self.for_lanes(|run, lane| {
                    let first = base + u64::from(address[lane]);
                    if space.has_words() {
                        return run.traces.read(lane, first) as u32;
                    }
                    let byte = |j: u64| (run.traces.read(lane, first + j) as u32) << (8 * j);
                    let word = (0..cells).map(byte).fold(0, |word, byte| word | byte);
                    let unused = 32 - 8 * cells as u32;
                    if *signed { ((word << unused) as i32 >> unused) as u32 } else { word }
                })
            }
            Op::CellGet(cell) => {
                let key = self.layout.cells[*cell].key;
                self.for_lanes(|run, lane| run.traces.read(lane, key) as u32)
            }
            _ => return self.effect(inst),
        };
        self.set(inst.result.expect("it has one"), result);
    }

    fn effect(&mut self, inst: &Inst) {
        let arg = |i: usize| self.values[inst.args[i].as_u32() as usize];
        match &inst.op {
            Op::Store { space, bytes, offset } => {
                let (address, value) = (arg(0), arg(1));
                let cells = self.cells(*space, *bytes);
                for lane in self.running() {
                    let first = u64::from(address[lane]) + offset;
                    self.write_cells(lane, *space, first, cells, |j| match space.has_words() {
                        true => value[lane].into(),
                        false => f64::from(value[lane] >> (8 * j) & 0xff),
                    });
                }
            }
            Op::Repeat { space, cells } => {
                let (address, value) = (arg(0), arg(1));
                let value = value.map(|v| f64::from(if space.has_words() { v } else { v & 0xff }));
                for lane in self.running() {
                    self.write_cells(lane, *space, address[lane].into(), (*cells).into(), |_| value[lane]);
                }
            }
            Op::Move { from, to, cells } => {
                let (target, source) = (arg(0), arg(1));
                let base = self.layout.space(*from).0;
                for lane in self.running() {
                    self.read_inside(lane, *from, source[lane].into(), (*cells).into());
                    let mut values = [0.0; MAX_CELLS as usize];
                    for (key, value) in (base + u64::from(source[lane])..).zip(&mut values) {
                        *value = self.traces.read(lane, key);
                    }
                    self.write_cells(lane, *to, target[lane].into(), (*cells).into(), |j| values[j as usize]);
                }
            }
            Op::Bounds { memory, offset, bytes } => {
                let (address, more) = (arg(0), if inst.args.len() > 1 { arg(1) } else { [0; LANES] });
                let fails = std::array::from_fn(|lane| {
                    let end = u64::from(address[lane]) + u64::from(more[lane]) + offset + u64::from(*bytes);
                    end > self.memory_size(*memory, lane)
                });
                self.trap(TrapCode::MemoryOutOfBounds, inst.offset, fails);
            }
            Op::Within(code) => {
                let (first, count, limit) = (arg(0), arg(1), arg(2));
                let past = |i: usize| u64::from(first[i]) + u64::from(count[i]) > limit[i].into();
                self.trap(*code, inst.offset, std::array::from_fn(past));
            }
            Op::TrapIf(code) => self.trap(*code, inst.offset, arg(0).map(|c| c != 0)),
            Op::CellSet(cell) => {
                let cell = self.layout.cells[*cell];
                let value = arg(0);
                for lane in self.running() {
                    if value[lane] > cell.max {
                        self.runs[lane] = Run::Impossible;
                    } else {
                        self.traces.write(lane, cell.key, value[lane].into());
                    }
                }
            }
            op => unreachable!("{op:?} is not an instruction on words"),
        }
    }

    fn running(&self) -> impl Iterator<Item = usize> + use<> {
        let runs = self.runs;
        (0..LANES).filter(move |lane| runs[*lane] == Run::Through)
    }

    fn for_lanes(&self, f: impl Fn(&Self, usize) -> u32) -> Lanes<u32> {
        std::array::from_fn(|lane| f(self, lane))
    }

    /// Returns the number of cells that `bytes` bytes of a space take.
    fn cells(&self, space: Space, bytes: u8) -> u64 {
        if space.has_words() { 1 } else { bytes.into() }
    }

    /// Marks a run as impossible if the cells of a load are not inside of the space, as something before the
    /// load would have found them to be. What lies behind a space belongs to something else, and may be read
    /// before or after it is written; only behind standard input lies nothing.
    fn read_inside(&mut self, lane: usize, space: Space, first: u64, cells: u64) {
        if first + cells > self.layout.space(space).1 && space != Space::Input {
            self.runs[lane] = Run::Impossible;
        }
    }

    /// Writes cells, which something before the store has found to be inside of the space.
    fn write_cells(&mut self, lane: usize, space: Space, first: u64, cells: u64, value: impl Fn(u64) -> f64) {
        let (base, count) = self.layout.space(space);
        let size = match space {
            Space::Memory(memory) => self.memory_size(memory, lane),
            _ => count,
        };
        if first + cells > size || !self.is_running(lane) {
            self.runs[lane] = Run::Impossible;
            return;
        }
        for j in 0..cells {
            self.traces.write(lane, base + first + j, value(j));
        }
    }

    /// Returns the size of a memory in bytes.
    fn memory_size(&self, memory: MemoryId, lane: usize) -> u64 {
        let pages = match self.layout.memories[memory].size {
            MemorySize::Constant(pages) => pages,
            MemorySize::Cell { cell, .. } => self.cell(lane, cell),
        };
        u64::from(pages) * PAGE_BYTES
    }

    fn cell(&self, lane: usize, cell: Cell) -> u32 {
        self.traces.read(lane, self.layout.cells[cell].key) as u32
    }
}
