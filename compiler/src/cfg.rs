//! Orders and relations of the blocks of a function. Nothing here recurses.

use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntitySet, SecondaryMap};
use smallvec::SmallVec;

use crate::ir::*;

/// Returns the reachable blocks, each after all that dominate it, loop headers before their loops.
pub fn reverse_postorder(func: &Function) -> Vec<Block> {
    let mut seen = EntitySet::with_capacity(func.blocks.len());
    let mut order = Vec::with_capacity(func.blocks.len());
    let mut stack: Vec<(Block, SmallVec<[Block; 4]>)> = Vec::new();
    let successors = |block: Block| {
        let mut successors = SmallVec::new();
        func.blocks[block].term.for_each_successor(|b| successors.push(b));
        // They are taken from the end; the first successor comes first in the result if it is visited last.
        successors
    };
    seen.insert(func.entry);
    stack.push((func.entry, successors(func.entry)));
    while let Some((block, rest)) = stack.last_mut() {
        match rest.pop() {
            Some(next) if seen.insert(next) => {
                let following = successors(next);
                stack.push((next, following));
            }
            Some(_) => {}
            None => {
                order.push(*block);
                stack.pop();
            }
        }
    }
    order.reverse();
    order
}

/// Reachable blocks in order, and the predecessors of each, once for each edge.
pub struct Cfg {
    /// Reachable blocks in reverse postorder.
    pub order: Vec<Block>,
    /// Position of each reachable block in `order`; `u32::MAX` for others.
    pub position: SecondaryMap<Block, u32>,
    /// Predecessors of each reachable block, once for each edge.
    pub preds: SecondaryMap<Block, SmallVec<[Block; 2]>>,
}

impl Cfg {
    /// Finds the reachable blocks and their predecessors.
    pub fn new(func: &Function) -> Self {
        let order = reverse_postorder(func);
        let mut position = SecondaryMap::with_default(u32::MAX);
        position.resize(func.blocks.len());
        let mut preds: SecondaryMap<Block, SmallVec<[Block; 2]>> = SecondaryMap::new();
        preds.resize(func.blocks.len());
        for (i, block) in order.iter().enumerate() {
            position[*block] = i as u32;
            func.blocks[*block].term.for_each_successor(|next| preds[next].push(*block));
        }
        Cfg { order, position, preds }
    }
}

/// The dominator tree: the immediate dominator of each reachable block but the entry.
///
/// That is the nearest common ancestor of its predecessors in the tree. In a reducible graph, which
/// structured control gives and no pass here spoils, the predecessors on back edges change nothing,
/// and one round in reverse postorder is enough. Other graphs take the rounds of Cooper, Harvey and
/// Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
pub struct Dominators {
    /// Immediate dominators.
    pub parent: SecondaryMap<Block, PackedOption<Block>>,
    /// Interval of each block in a preorder of the tree: those of its ancestors contain it.
    interval: SecondaryMap<Block, (u32, u32)>,
}

/// A block's position in the tree while the tree grows. `jump` is an ancestor so far up that ancestors at any
/// depth are found in logarithmic time (Myers, "An Applicative Random-Access Stack", 1983).
#[derive(Clone, Copy)]
struct Node {
    parent: Block,
    jump: Block,
    depth: u32,
}

impl Dominators {
    /// Finds the dominators.
    pub fn new(func: &Function, cfg: &Cfg) -> Self {
        let root = Node { parent: func.entry, jump: func.entry, depth: 0 };
        let mut tree: SecondaryMap<Block, Node> = SecondaryMap::with_default(root);
        tree.resize(func.blocks.len());
        let mut parent: SecondaryMap<Block, PackedOption<Block>> = SecondaryMap::new();
        parent.resize(func.blocks.len());
        for block in &cfg.order[1..] {
            let forward =
                cfg.preds[*block].iter().copied().filter(|p| cfg.position[*p] < cfg.position[*block]);
            let dominator =
                forward.reduce(|a, b| common(&tree, a, b)).expect("one on the way from the entry");
            let Node { jump, depth, .. } = tree[dominator];
            let equal = depth - tree[jump].depth == tree[jump].depth - tree[tree[jump].jump].depth;
            let jump = if equal { tree[jump].jump } else { dominator };
            tree[*block] = Node { parent: dominator, jump, depth: depth + 1 };
            parent[*block] = dominator.into();
        }
        let mut dominators = Dominators { parent, interval: SecondaryMap::new() };
        dominators.number(func, cfg);
        let reducible = cfg.order.iter().all(|block| {
            let back = |pred: &&Block| cfg.position[**pred] >= cfg.position[*block];
            cfg.preds[*block].iter().filter(back).all(|pred| dominators.dominates(*block, *pred))
        });
        if !reducible {
            dominators.iterate(func, cfg);
            dominators.number(func, cfg);
        }
        dominators
    }

    /// Does rounds until nothing changes, beginning with dominators that may be too close.
    fn iterate(&mut self, func: &Function, cfg: &Cfg) {
        let climb = |parent: &SecondaryMap<Block, PackedOption<Block>>, mut a: Block, mut b: Block| {
            while a != b {
                if cfg.position[a] < cfg.position[b] {
                    std::mem::swap(&mut a, &mut b);
                }
                a = parent[a].expand().expect("only the entry has none");
            }
            a
        };
        let mut changed = true;
        while changed {
            changed = false;
            for block in &cfg.order[1..] {
                let known = |p: &Block| *p == func.entry || self.parent[*p].is_some();
                let preds = cfg.preds[*block].iter().copied().filter(known);
                let new = preds.reduce(|a, b| climb(&self.parent, a, b));
                if self.parent[*block].expand() != new {
                    self.parent[*block] = new.into();
                    changed = true;
                }
            }
        }
    }

    /// Returns the blocks in preorder of the tree, children in reverse postorder of the graph.
    pub fn preorder(&self, func: &Function, cfg: &Cfg) -> Vec<Block> {
        let mut blocks = cfg.order.clone();
        debug_assert_eq!(blocks[0], func.entry);
        blocks.sort_unstable_by_key(|block| self.interval[*block].0);
        blocks
    }

    fn number(&mut self, func: &Function, cfg: &Cfg) {
        let mut size: SecondaryMap<Block, u32> = SecondaryMap::new();
        size.resize(func.blocks.len());
        for block in cfg.order.iter().rev() {
            size[*block] += 1;
            if let Some(parent) = self.parent[*block].expand() {
                size[parent] += size[*block];
            }
        }
        // `next` is the first free number in a block's interval.
        let mut next: SecondaryMap<Block, u32> = SecondaryMap::new();
        next.resize(func.blocks.len());
        self.interval.resize(func.blocks.len());
        for block in &cfg.order {
            let first = match self.parent[*block].expand() {
                None => 0,
                Some(parent) => {
                    let first = next[parent];
                    next[parent] += size[*block];
                    first
                }
            };
            self.interval[*block] = (first, first + size[*block]);
            next[*block] = first + 1;
        }
    }

    /// Returns whether each path from the entry to `b` goes through `a`; a block dominates itself.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (first, end) = self.interval[a];
        (first..end).contains(&self.interval[b].0)
    }
}

/// Returns the nearest common ancestor.
fn common(tree: &SecondaryMap<Block, Node>, mut a: Block, mut b: Block) -> Block {
    if tree[a].depth < tree[b].depth {
        std::mem::swap(&mut a, &mut b);
    }
    while tree[a].depth > tree[b].depth {
        let far = tree[a].jump;
        a = if tree[far].depth >= tree[b].depth { far } else { tree[a].parent };
    }
    // At the same depth, jumps are equally far.
    while a != b {
        let (far_a, far_b) = (tree[a].jump, tree[b].jump);
        (a, b) = if far_a != far_b { (far_a, far_b) } else { (tree[a].parent, tree[b].parent) };
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use wasm2onnx_runtime::TrapCode;

    /// Computes dominators by their definition: without `a`, `b` cannot be reached.
    fn dominates_by_definition(func: &Function, a: Block, b: Block) -> bool {
        let mut seen = EntitySet::with_capacity(func.blocks.len());
        let mut work = vec![func.entry];
        while let Some(block) = work.pop() {
            if block != a && seen.insert(block) {
                func.blocks[block].term.for_each_successor(|next| work.push(next));
            }
        }
        !seen.contains(b)
    }

    #[test]
    fn random_graphs() {
        let mut random = Rng::with_seed(1);
        let mut below = |n: usize| random.usize(..n);
        for round in 0..500 {
            let mut func = Function::new("f".into(), Origin::Module(0), Vec::new());
            let cond = func.add_param(func.entry, Type::I32);
            let count = 2 + below(15);
            let blocks: Vec<Block> = (0..count).map(|_| func.add_block()).collect();
            func.blocks[func.entry].term = Terminator::Jump(BlockCall::to(blocks[0]));
            for (i, block) in blocks.iter().enumerate() {
                // Every second graph has forward edges only; the others are mostly irreducible.
                let kind = below(if i + 1 == count { 1 } else { 4 });
                let mut next =
                    || blocks[if round % 2 == 0 { (i + 1 + below(3)).min(count - 1) } else { below(count) }];
                func.blocks[*block].term = match kind {
                    0 => Terminator::Trap(TrapCode::Unreachable),
                    1 => Terminator::Jump(BlockCall::to(next())),
                    2 => Terminator::Branch {
                        cond,
                        then: BlockCall::to(next()),
                        otherwise: BlockCall::to(next()),
                    },
                    _ => Terminator::Switch {
                        index: cond,
                        targets: vec![BlockCall::to(next()), BlockCall::to(next())],
                        default: BlockCall::to(next()),
                    },
                };
            }
            let cfg = Cfg::new(&func);
            let dominators = Dominators::new(&func, &cfg);
            for a in &cfg.order {
                for b in &cfg.order {
                    let expected = dominates_by_definition(&func, *a, *b);
                    assert_eq!(dominators.dominates(*a, *b), expected, "{a} {b}\n{func}");
                }
            }
            let preorder = dominators.preorder(&func, &cfg);
            assert_eq!(preorder.len(), cfg.order.len());
            for (i, block) in preorder.iter().enumerate().skip(1) {
                assert!(preorder[..i].contains(&dominators.parent[*block].unwrap()));
            }
        }
    }
}
