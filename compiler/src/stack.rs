//! How deep the stack can get, so that its regions are no larger than that.
//!
//! Without recursion the deepest stack is known: the sum of the frames on the heaviest path of the call
//! graph. With recursion it is [`STACK_LIMIT`], and every function that calls checks it. A tail call adds no
//! frame, so a cycle that consists of tail calls only is not recursion.

use crate::cfg::reverse_postorder;
use crate::components::components;
use crate::ir::{Callee, Func, Module, Terminator};
use cranelift_entity::{EntityRef, EntitySet, SecondaryMap, entity_impl};
use rustc_hash::FxHashMap;

/// Largest frame pointer of a function that calls, if it depends on the run.
pub const STACK_LIMIT: u64 = 1 << 18;
/// Maximum number of slots of a frame.
pub const MAX_FRAME: u32 = 1 << 14;

/// Slots that a function uses, counted from its frame pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameSize {
    /// Number of its own slots: the frames of the functions that it calls begin after them.
    pub own: u32,
    /// Number of its own slots and those after them, for arguments and results of the functions that it
    /// calls.
    pub reach: u32,
}

impl FrameSize {
    /// Returns the smallest frame in which both fit.
    pub fn max(self, other: FrameSize) -> FrameSize {
        FrameSize { own: self.own.max(other.own), reach: self.reach.max(other.reach) }
    }
}

/// Bounds of the stack of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Largest frame pointer of a function that calls.
    pub limit: u64,
    /// Largest frame pointer of any function: a callee checks it before it makes a call itself.
    pub span: u64,
    /// Keys of each `control` region.
    pub control_keys: u64,
    /// Keys of `frame`.
    pub frame_keys: u64,
}

/// A function by its number or, numbered after all functions, a type: the functions that a call through
/// tables may reach.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Node(u32);
entity_impl!(Node, "node");

impl From<Func> for Node {
    fn from(func: Func) -> Node {
        Node::from_u32(func.as_u32())
    }
}

/// Who calls whom.
#[derive(Debug)]
pub struct Calls {
    /// What each function may call.
    callees: SecondaryMap<Node, Vec<Node>>,
    /// What each function may tail call, and the functions of each type: their frames begin where its own
    /// does.
    tail_callees: SecondaryMap<Node, Vec<Node>>,
    /// Functions that call, tail calls aside.
    callers: EntitySet<Func>,
    /// All nodes: those that tail call each other are together, and each is before those that it calls.
    /// `None` if calls can be recursive.
    order: Option<Vec<Vec<Node>>>,
}

impl Calls {
    /// Looks at all calls of a legalized module.
    ///
    /// A call through a table may reach every function with a reference and as many words of parameters and
    /// results: the type check before it leaves no others.
    pub fn new(module: &Module) -> Calls {
        let mut callees: SecondaryMap<Node, Vec<Node>> = SecondaryMap::new();
        callees.resize(module.functions.len());
        let mut tail_callees = callees.clone();
        let mut callers = EntitySet::with_capacity(module.functions.len());
        let words = |func: Func| {
            let function = &module.functions[func];
            (function.blocks[function.entry].params.len(), function.results.len())
        };
        let mut types: FxHashMap<(usize, usize), Node> = FxHashMap::default();
        for func in module.references.iter().flatten() {
            let next = Node::new(module.functions.len() + types.len());
            tail_callees[*types.entry(words(*func)).or_insert(next)].push((*func).into());
        }
        for (caller, function) in module.functions.iter() {
            for block in reverse_postorder(function) {
                let term = &function.blocks[block].term;
                let (callee, args, results, list) = match term {
                    Terminator::Call { callee, args, next } => {
                        callers.insert(caller);
                        (callee, args, function.blocks[*next].params.len(), &mut callees[caller.into()])
                    }
                    Terminator::TailCall { callee, args } => {
                        (callee, args, function.results.len(), &mut tail_callees[caller.into()])
                    }
                    _ => continue,
                };
                match callee {
                    Callee::Direct(func) => list.push((*func).into()),
                    Callee::Reference(_) => list.extend(types.get(&(args.len(), results))),
                    Callee::Indirect { .. } => unreachable!("legalized"),
                }
            }
        }
        for list in callees.values_mut().chain(tail_callees.values_mut()) {
            list.sort_unstable();
            list.dedup();
        }
        let mut calls = Calls { callees, tail_callees, callers, order: None };
        calls.order = calls.callers_first(module);
        calls
    }

    /// Returns the bounds of the stack, given the functions' frames.
    pub fn stack(&self, frames: &SecondaryMap<Func, FrameSize>) -> Stack {
        let deepest = self.order.as_ref().and_then(|order| self.deepest(order, frames));
        let (limit, own, reach) = match deepest {
            Some(limit) => {
                let own = self.callers.keys().map(|func| frames[func].own).max().unwrap_or(0);
                (limit, own, frames.values().map(|frame| frame.reach).max().unwrap_or(0))
            }
            // Arguments of a call may be beyond the callee's frame.
            None => (STACK_LIMIT, MAX_FRAME, 4 * MAX_FRAME),
        };
        let span = limit + own as u64;
        Stack { limit, span, control_keys: span + own as u64 + 1, frame_keys: span + reach.max(1) as u64 }
    }

    /// Returns the largest frame pointer of a function that calls, if it is within the limit.
    fn deepest(&self, order: &[Vec<Node>], frames: &SecondaryMap<Func, FrameSize>) -> Option<u64> {
        let mut pointers: SecondaryMap<Node, u64> = SecondaryMap::new();
        let mut deepest = 0;
        for together in order {
            let pointer = together.iter().map(|node| pointers[*node]).max().unwrap_or(0);
            for &node in together {
                let func = Func::new(node.index());
                if self.callers.contains(func) {
                    deepest = deepest.max(pointer);
                }
                for &callee in &self.callees[node] {
                    pointers[callee] = pointers[callee].max(pointer + frames[func].own as u64);
                }
                for &callee in &self.tail_callees[node] {
                    pointers[callee] = pointers[callee].max(pointer);
                }
            }
        }
        (deepest <= STACK_LIMIT).then_some(deepest)
    }

    /// Returns the value of [`Calls::order`].
    fn callers_first(&self, module: &Module) -> Option<Vec<Vec<Node>>> {
        let all = |node: Node| [&self.callees[node][..], &self.tail_callees[node]].concat();
        let nodes = module.functions.len().max(self.tail_callees.keys().len());
        let mut order = components((0..nodes).map(Node::new), all);
        order.reverse();
        let mut position: SecondaryMap<Node, usize> = SecondaryMap::new();
        for (i, together) in order.iter().enumerate() {
            together.iter().for_each(|node| position[*node] = i);
        }
        let goes_on = |node: Node| self.callees[node].iter().all(|callee| position[*callee] > position[node]);
        (0..nodes).map(Node::new).all(goes_on).then_some(order)
    }
}
