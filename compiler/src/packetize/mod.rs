//! Blocks → packets, and where the values that cross packets live.

mod places;
pub mod print;
mod ranges;

pub use places::{Place, Places, run as places};
pub use ranges::{ParamRange, param_ranges};

use crate::ir::{self, BinaryOp, Block, Callee, Cell, Function, Inst, Op, Terminator, Value, Values};
use cranelift_entity::SecondaryMap;
use rustc_hash::FxHashMap;
use wasm2onnx_runtime::TrapCode;

/// How a packet is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// By jumps of its own function that name it.
    Normal,
    /// By a jump table of its own function: nothing can be prefetched.
    Switched,
    /// By calls: arguments are in the argument fields.
    Function,
    /// By a return: results are in the result fields.
    Landing,
}

/// A jump to a packet of the same function.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its index.
    pub packet: u32,
    /// Arguments for its parameters.
    pub args: Values,
}

/// How a packet ends.
#[derive(Clone, Debug)]
pub enum Term {
    /// Jumps.
    Jump(Target),
    /// Goes to one of two packets.
    Branch {
        /// Goes to `then` if it is not 0.
        cond: Value,
        /// Target if `cond` is not 0.
        then: Target,
        /// Target if `cond` is 0.
        otherwise: Target,
    },
    /// Goes where a jump table says; the last target is for all other indices.
    Switch {
        /// Index of the target.
        index: Value,
        /// Targets, the default last.
        targets: Vec<Target>,
    },
    /// Calls.
    Call {
        /// What is called.
        callee: Callee,
        /// Arguments.
        args: Values,
        /// The landing packet.
        next: u32,
    },
    /// Calls in place of returning.
    TailCall {
        /// What is called.
        callee: Callee,
        /// Arguments.
        args: Values,
    },
    /// Returns.
    Return(Values),
    /// Traps.
    Trap(TrapCode),
}

impl Term {
    /// Returns the jumps within the function; the landings of calls are not among them.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        let (few, many): ([Option<&Target>; 2], &[Target]) = match self {
            Term::Jump(t) => ([Some(t), None], &[]),
            Term::Branch { then, otherwise, .. } => ([Some(then), Some(otherwise)], &[]),
            Term::Switch { targets, .. } => ([None, None], targets),
            _ => ([None, None], &[]),
        };
        few.into_iter().flatten().chain(many)
    }

    /// Returns the packet where a call lands.
    pub fn landing(&self) -> Option<u32> {
        match self {
            Term::Call { next, .. } => Some(*next),
            _ => None,
        }
    }

    /// Returns the values that it uses, those handed over among them.
    pub fn used(&self) -> impl Iterator<Item = Value> + '_ {
        let callee = |callee: &Callee| match callee {
            Callee::Reference(value) => Some(*value),
            Callee::Direct(_) | Callee::Indirect { .. } => None,
        };
        let (one, many): (Option<Value>, &[Value]) = match self {
            Term::Branch { cond: value, .. } | Term::Switch { index: value, .. } => (Some(*value), &[]),
            Term::Call { callee: called, args, .. } | Term::TailCall { callee: called, args } => {
                (callee(called), args)
            }
            Term::Return(values) => (None, values),
            Term::Jump(_) | Term::Trap(_) => (None, &[]),
        };
        let handed_over = self.targets().flat_map(|target| &target.args);
        one.into_iter().chain(many.iter().chain(handed_over).copied())
    }
}

/// A packet: straight-line code, one token.
#[derive(Clone, Debug)]
pub struct Packet {
    /// How it is entered.
    pub entry: EntryKind,
    /// Its parameters.
    pub params: Vec<Value>,
    /// What it does.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub term: Term,
    /// Offset of the terminator in the module.
    pub term_offset: u32,
}

impl Packet {
    /// Returns the offset of its first instruction in the module.
    pub fn offset(&self) -> u32 {
        self.insts.first().map_or(self.term_offset, |i| i.offset)
    }

    /// Returns its parameters and results.
    pub fn made(&self) -> impl Iterator<Item = Value> + '_ {
        self.params.iter().copied().chain(self.insts.iter().filter_map(|inst| inst.result))
    }

    /// Returns the values that it uses, its own among them.
    pub fn used(&self) -> impl Iterator<Item = Value> + '_ {
        self.insts.iter().flat_map(|inst| &inst.args).copied().chain(self.term.used())
    }
}

/// A function as packets, in an order in which definitions come before uses.
#[derive(Clone, Debug)]
pub struct Packets {
    /// Packets; the first is the function's entry.
    pub packets: Vec<Packet>,
    /// Values that are constants; they are made anew where they are used.
    pub constants: FxHashMap<Value, u32>,
    /// Whether the function calls nothing, tail calls aside: they add no frame.
    pub leaf: bool,
    /// Number of values of the function.
    pub values: u32,
}

/// Returns roughly how much of a step an instruction takes.
fn weight(inst: &Inst) -> usize {
    match inst.op {
        Op::Binary(BinaryOp::Mul | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor) => 3,
        Op::Binary(BinaryOp::MulHi | BinaryOp::Shl | BinaryOp::ShrU | BinaryOp::ShrS | BinaryOp::Rotl) => 4,
        Op::Load { .. } => 2,
        Op::Store { .. } => 3,
        // As much as loads and stores of words would take.
        Op::Move { cells, .. } => 5 * usize::from(cells.div_ceil(4)),
        Op::Repeat { cells, .. } => 3 * usize::from(cells.div_ceil(4)),
        _ => 1,
    }
}

/// Maximum number of checks in one packet.
const CHECKS: usize = 6;

/// Makes the packets of a function. No packet weighs more than `limit`, and every read of the cell `fresh`
/// begins a packet: all that was printed before is then in the trace when the host is asked for input.
pub fn run(function: &Function, fresh: Option<Cell>, limit: usize) -> Packets {
    let order = crate::cfg::reverse_postorder(function);
    let mut constants = FxHashMap::default();
    let mut references = FxHashMap::default();
    for &block in &order {
        for inst in &function.blocks[block].insts {
            match (&inst.op, inst.result) {
                (Op::Const(bits), Some(result)) => {
                    constants.insert(result, *bits as u32);
                }
                (Op::TableFunc(_), Some(result)) => {
                    references.insert(result, inst.clone());
                }
                _ => {}
            }
        }
    }
    let leaf = !order.iter().any(|b| matches!(function.blocks[*b].term, Terminator::Call { .. }));
    let mut first: SecondaryMap<Block, u32> = SecondaryMap::new();
    let mut packets: Vec<Packet> = Vec::new();
    let mut pending: Vec<(usize, Block)> = Vec::new();
    for &block in &order {
        first[block] = packets.len() as u32;
        let data = &function.blocks[block];
        let mut packet = Packet {
            entry: if block == function.entry { EntryKind::Function } else { EntryKind::Normal },
            params: data.params.clone(),
            insts: Vec::new(),
            term: Term::Trap(TrapCode::Unreachable),
            term_offset: data.term_offset,
        };
        let (mut total, mut checks) = (0, 0);
        let cut = |packet: &mut Packet, packets: &mut Vec<Packet>, offset: u32| {
            let next = Packet {
                entry: EntryKind::Normal,
                params: Vec::new(),
                insts: Vec::new(),
                term: Term::Trap(TrapCode::Unreachable),
                term_offset: data.term_offset,
            };
            let mut done = std::mem::replace(packet, next);
            done.term = Term::Jump(Target { packet: packets.len() as u32 + 1, args: Values::new() });
            done.term_offset = offset;
            packets.push(done);
        };
        for inst in &data.insts {
            if matches!(inst.op, Op::Const(_)) {
                continue;
            }
            let check = inst.can_trap() as usize;
            let waits = matches!(inst.op, Op::CellGet(cell) if Some(cell) == fresh);
            if total + weight(inst) > limit || checks + check > CHECKS || waits && !packet.insts.is_empty() {
                cut(&mut packet, &mut packets, inst.offset);
                (total, checks) = (0, 0);
            }
            total += weight(inst);
            checks += check;
            packet.insts.push(inst.clone());
        }
        // A computed next packet cannot also be a trap's terminal: the checks get a packet of their own.
        let computed = match &data.term {
            Terminator::Return(_) | Terminator::Switch { .. } => true,
            term => matches!(term.callee(), Some(Callee::Reference(_))),
        };
        let stack_check = block == function.entry && first[block] as usize == packets.len() && !leaf;
        if computed && (checks > 0 || stack_check) {
            cut(&mut packet, &mut packets, data.term_offset);
        }
        if let Some(Callee::Reference(reference)) = data.term.callee()
            && !packet.insts.iter().any(|i| i.result == Some(*reference))
        {
            let inst = references.get(reference).expect("references come from tables");
            packet.insts.push(inst.clone());
        }
        pending.push((packets.len(), block));
        packets.push(packet);
    }
    for (index, block) in pending {
        let target = |call: &ir::BlockCall| Target { packet: first[call.block], args: call.args.clone() };
        packets[index].term = match &function.blocks[block].term {
            Terminator::Jump(call) => Term::Jump(target(call)),
            Terminator::Branch { cond, then, otherwise } => {
                Term::Branch { cond: *cond, then: target(then), otherwise: target(otherwise) }
            }
            Terminator::Switch { index, targets, default } => {
                let targets: Vec<Target> = targets.iter().chain([default]).map(target).collect();
                Term::Switch { index: *index, targets }
            }
            Terminator::Call { callee, args, next } => {
                Term::Call { callee: *callee, args: args.clone(), next: first[*next] }
            }
            Terminator::TailCall { callee, args } => Term::TailCall { callee: *callee, args: args.clone() },
            Terminator::Return(values) => Term::Return(values.clone()),
            Terminator::Trap(code) => Term::Trap(*code),
        };
        match packets[index].term.clone() {
            Term::Switch { targets, .. } => {
                for t in targets {
                    packets[t.packet as usize].entry = EntryKind::Switched;
                }
            }
            Term::Call { next, .. } => packets[next as usize].entry = EntryKind::Landing,
            _ => {}
        }
    }
    packets.shrink_to_fit();
    Packets { packets, constants, leaf, values: function.values.len() as u32 }
}
