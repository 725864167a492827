//! SSA construction for the locals of a function, while its control flow graph is being made.
//!
//! The algorithm is that of Braun et al., "Simple and Efficient Construction of Static Single Assignment
//! Form" (2013), without recursion. Structured control makes two things simpler: only loop headers are read
//! before all their predecessors are known, and every cycle goes through a loop header. So a block parameter
//! is made in advance only at loop headers; at other joins the values of all predecessors are known first,
//! and there is a parameter only where they differ.
//!
//! Where a construct is left, or its loop is entered, a local that nothing in the construct sets has the
//! value that it had where the construct began. The search goes on there at once, so that many locals that
//! live over many constructs cost nothing in each of them. Blocks in a line, as calls make them, are skipped
//! in the same way, by jumps over more and more of them.

use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::alias::Aliases;
use crate::ir::*;

/// Definitions of locals in the blocks of one function.
#[derive(Default)]
pub struct Ssa {
    /// Types of the locals.
    pub types: Vec<Type>,
    /// Values of locals at the ends of blocks, where they were set or asked for.
    defs: FxHashMap<(Block, u32), Value>,
    blocks: SecondaryMap<Block, BlockState>,
    /// Number of times that locals were set so far.
    clock: u32,
    /// For each local, the clock each time that it was set, ascending.
    sets: Vec<Vec<u32>>,
    /// Loop parameters that turned out to be another value.
    aliases: Aliases,
    zeros: [PackedOption<Value>; 2],
}

#[derive(Clone, Default)]
struct BlockState {
    /// Edges into the block: for each, the block that it comes from and its index among the edges of that
    /// block's terminator.
    preds: SmallVec<[(Block, u32); 2]>,
    /// Whether it is a loop header, whose predecessors are not all known before it is sealed.
    header: bool,
    /// Whether all predecessors of a loop header are known. (Those of other blocks always are.)
    sealed: bool,
    /// Parameters made before the header was sealed, with their locals.
    incomplete: Vec<(u32, Value)>,
    /// The construct that ends here, or the loop that begins here, once it is closed.
    construct: Option<Construct>,
    /// If there is only one edge into the block, how the search for a local may go back.
    line: Option<Line>,
}

/// Where a block is in a line of blocks, in which each block is the only predecessor of the next. A line has
/// jump pointers (Myers, "An applicative random-access stack", 1983), which reach any block in a logarithmic
/// number of jumps.
#[derive(Clone, Copy)]
struct Line {
    /// The clock at the end of the predecessor.
    entered: u32,
    /// Number of blocks of the line that come before.
    length: u32,
    /// One of these blocks, and the clock at its end.
    jump: Opened,
}

/// A block, loop or conditional that was opened.
#[derive(Clone, Copy)]
pub struct Opened {
    /// The block that it was opened in.
    block: Block,
    /// The clock at that time.
    clock: u32,
}

/// A construct that was closed.
#[derive(Clone, Copy)]
struct Construct {
    opened: Opened,
    /// The clock when it was closed.
    closed: u32,
}

enum Task {
    /// Find the value at the end of a block.
    Find(Block),
    /// The last result is also the value at the end of that block.
    Memo(Block),
    /// The last results are the values at the end of the predecessors of a join.
    Join(Block),
    /// The same for a loop header, for which there is a parameter already.
    Header(Block, Value),
}

impl Ssa {
    /// Marks a block as a loop header.
    pub fn header(&mut self, block: Block) {
        self.blocks[block].header = true;
    }

    /// Records an edge into a block.
    pub fn edge(&mut self, from: Block, index: usize, to: Block) {
        self.blocks[to].preds.push((from, index as u32));
        // The other edges into a loop header come later, when the loop's body is filled, and with what the
        // body sets.
        let is_only = self.blocks[to].preds.len() == 1 && !self.blocks[to].header;
        self.blocks[to].line = is_only.then(|| self.line_after(from));
    }

    /// Returns the position in a line of a block whose only predecessor is `before`, which is filled.
    fn line_after(&self, before: Block) -> Line {
        let near = Line { entered: self.clock, length: 1, jump: self.open(before) };
        let Some(one) = self.blocks[before].line else { return near };
        let line = Line { length: one.length + 1, ..near };
        let Some(two) = self.blocks[one.jump.block].line else { return line };
        let three = self.blocks[two.jump.block].line.map_or(0, |line| line.length);
        // Two jumps of the same width become one.
        if one.length - two.length == two.length - three { Line { jump: two.jump, ..line } } else { line }
    }

    /// Returns whether anything jumps to a block.
    pub fn has_preds(&self, block: Block) -> bool {
        !self.blocks[block].preds.is_empty()
    }

    /// Sets a local in a block that is being filled.
    pub fn set(&mut self, block: Block, local: u32, value: Value) {
        if self.sets.is_empty() {
            self.sets.resize(self.types.len(), Vec::new());
        }
        self.sets[local as usize].push(self.clock);
        self.clock += 1;
        self.define(block, local, value);
    }

    fn define(&mut self, block: Block, local: u32, value: Value) {
        self.defs.insert((block, local), value);
    }

    /// Begins a construct at the end of a block.
    pub fn open(&self, block: Block) -> Opened {
        Opened { block, clock: self.clock }
    }

    /// Ends a construct, all of which is filled. `at` is the block where it is left, or the header of its
    /// loop.
    pub fn close(&mut self, opened: Opened, at: Block) {
        self.blocks[at].construct = Some(Construct { opened, closed: self.clock });
    }

    /// Returns the block where the search goes on if a construct that is closed at this block does not set
    /// the local.
    fn unchanged(&self, block: Block, local: u32) -> Option<Block> {
        let Construct { opened, closed } = self.blocks[block].construct?;
        self.is_unchanged(local, opened.clock, closed).then_some(opened.block)
    }

    /// Returns whether nothing sets a local from one clock to another.
    fn is_unchanged(&self, local: u32, from: u32, to: u32) -> bool {
        let sets = self.sets.get(local as usize).map_or(&[][..], Vec::as_slice);
        let next = sets.partition_point(|clock| *clock < from);
        sets.get(next).is_none_or(|clock| *clock >= to)
    }

    /// Returns the value of a local in a block that is being filled.
    pub fn read(&mut self, func: &mut Function, block: Block, local: u32) -> Value {
        if let Some(value) = self.defs.get(&(block, local)) {
            return *value;
        }
        let mut tasks: SmallVec<[Task; 8]> = SmallVec::new();
        let mut results: SmallVec<[Value; 8]> = SmallVec::new();
        tasks.push(Task::Find(block));
        while let Some(task) = tasks.pop() {
            match task {
                Task::Find(block) => self.find(func, block, local, &mut tasks, &mut results),
                Task::Memo(block) => self.define(block, local, *results.last().expect("a result")),
                Task::Join(block) => {
                    let first = results.len() - self.blocks[block].preds.len();
                    let value = match same(&results[first..], None) {
                        Some(value) => value,
                        None => {
                            let param = func.add_param(block, self.types[local as usize]);
                            self.pass_arguments(func, block, &results[first..]);
                            param
                        }
                    };
                    self.define(block, local, value);
                    results.truncate(first);
                    results.push(value);
                }
                Task::Header(block, param) => {
                    let first = results.len() - self.blocks[block].preds.len();
                    let value = self.complete(func, block, param, &results[first..]);
                    self.define(block, local, value);
                    results.truncate(first);
                    results.push(value);
                }
            }
        }
        results[0]
    }

    fn find(
        &mut self,
        func: &mut Function,
        start: Block,
        local: u32,
        tasks: &mut SmallVec<[Task; 8]>,
        results: &mut SmallVec<[Value; 8]>,
    ) {
        let mut block = start;
        let value = loop {
            if let Some(&value) = self.defs.get(&(block, local)) {
                break self.aliases.resolve(value);
            }
            if let Some(before) = self.unchanged(block, local) {
                block = before;
                continue;
            }
            let ty = self.types[local as usize];
            let state = &mut self.blocks[block];
            if state.header && !state.sealed {
                let param = func.values.push(ty);
                state.incomplete.push((local, param));
                self.define(block, local, param);
                break param;
            }
            match &state.preds[..] {
                [] => {
                    debug_assert_eq!(block, func.entry, "only reachable blocks are filled");
                    break self.zero(func, ty);
                }
                [(pred, _)] => {
                    block = *pred;
                    if let Some(Line { entered, jump, .. }) = state.line
                        && self.is_unchanged(local, jump.clock, entered)
                    {
                        block = jump.block;
                    }
                }
                preds => {
                    if block != start {
                        tasks.push(Task::Memo(start));
                    }
                    if state.header {
                        let param = func.values.push(ty);
                        tasks.push(Task::Header(block, param));
                        // The first predecessor's result has to come first: tasks are a stack.
                        tasks.extend(preds.iter().rev().map(|(pred, _)| Task::Find(*pred)));
                        self.define(block, local, param);
                    } else {
                        tasks.push(Task::Join(block));
                        tasks.extend(preds.iter().rev().map(|(pred, _)| Task::Find(*pred)));
                    }
                    return;
                }
            }
        };
        self.define(start, local, value);
        results.push(value);
    }

    /// Seals a loop header, all of whose predecessors are known now.
    pub fn seal(&mut self, func: &mut Function, block: Block) {
        self.blocks[block].sealed = true;
        for (local, param) in std::mem::take(&mut self.blocks[block].incomplete) {
            let values: SmallVec<[Value; 4]> = match self.unchanged(block, local) {
                Some(before) => smallvec![self.read(func, before, local)],
                None => {
                    let preds = self.blocks[block].preds.clone();
                    preds.iter().map(|(pred, _)| self.read(func, *pred, local)).collect()
                }
            };
            self.complete(func, block, param, &values);
        }
    }

    /// Makes `param` a parameter of the loop header, or an alias if it is always the same value.
    fn complete(&mut self, func: &mut Function, block: Block, param: Value, values: &[Value]) -> Value {
        let values: SmallVec<[Value; 4]> = values.iter().map(|v| self.aliases.resolve(*v)).collect();
        match same(&values, Some(param)) {
            Some(value) => {
                self.aliases.insert(param, value);
                value
            }
            None => {
                func.blocks[block].params.push(param);
                self.pass_arguments(func, block, &values);
                param
            }
        }
    }

    fn pass_arguments(&self, func: &mut Function, block: Block, values: &[Value]) {
        for ((pred, index), value) in self.blocks[block].preds.iter().zip(values) {
            func.blocks[*pred].term.edge_mut(*index as usize).args.push(*value);
        }
    }

    fn zero(&mut self, func: &mut Function, ty: Type) -> Value {
        let zero = &mut self.zeros[(ty == Type::I64) as usize];
        if zero.is_none() {
            *zero = func.values.push(ty).into();
        }
        zero.unwrap()
    }

    /// Puts the constants 0 of locals into the entry block and replaces aliases. This is the last step.
    pub fn finish(mut self, func: &mut Function) {
        if !self.aliases.is_empty() {
            for block in func.blocks.values_mut() {
                let mut replace = |v: &mut Value| *v = self.aliases.resolve(*v);
                block.insts.iter_mut().for_each(|inst| inst.args.iter_mut().for_each(&mut replace));
                block.term.for_each_use_mut(replace);
            }
        }
        let zeros = [Type::I32, Type::I64].into_iter().zip(self.zeros).filter_map(|(ty, zero)| {
            let result = Some(zero.expand()?);
            Some(Inst { op: Op::Const(0), ty, args: Values::new(), result, offset: 0 })
        });
        func.blocks[func.entry].insts.splice(0..0, zeros);
    }
}

/// Returns the one value that all of `values` are, apart from those that are `param` itself.
fn same(values: &[Value], param: Option<Value>) -> Option<Value> {
    let mut others = values.iter().copied().filter(|v| Some(*v) != param);
    let first = others.next()?;
    others.all(|v| v == first).then_some(first)
}
