//! Orders and relations of the blocks of a function. Nothing here recurses.

use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{EntitySet, SecondaryMap};
use smallvec::SmallVec;

use crate::ir::*;

/// Reachable blocks, each after all that dominate it; loop headers before their loops.
pub fn reverse_postorder(func: &Function) -> Vec<Block> {
    let mut seen = EntitySet::with_capacity(func.blocks.len());
    let mut order = Vec::with_capacity(func.blocks.len());
    let mut stack: Vec<(Block, SmallVec<[Block; 4]>)> = Vec::new();
    let successors = |block: Block| {
        let mut successors = SmallVec::new();
        func.blocks[block].term.for_each_successor(|b| successors.push(b));
        // Taken from the end; the first successor comes first in the result if it is visited last.
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

/// Predecessors of each block, once for each edge, and the orders that they are found in.
pub struct Cfg {
    /// Reachable blocks in reverse postorder.
    pub order: Vec<Block>,
    /// Position of each reachable block in `order`; `u32::MAX` for others.
    pub position: SecondaryMap<Block, u32>,
    /// Predecessors of each reachable block, once for each edge.
    pub preds: SecondaryMap<Block, SmallVec<[Block; 2]>>,
}

impl Cfg {
    /// Finds them.
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

    /// Whether control can get to a block.
    pub fn is_reachable(&self, block: Block) -> bool {
        self.position[block] != u32::MAX
    }
}

/// The dominator tree: of each reachable block but the entry, its immediate dominator.
///
/// Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
pub struct Dominators {
    /// Immediate dominators.
    pub parent: SecondaryMap<Block, PackedOption<Block>>,
    /// Interval of each block in a preorder of the tree: ancestors' intervals contain it.
    interval: SecondaryMap<Block, (u32, u32)>,
}

impl Dominators {
    /// Finds them.
    pub fn new(func: &Function, cfg: &Cfg) -> Self {
        let mut parent: SecondaryMap<Block, PackedOption<Block>> = SecondaryMap::new();
        parent.resize(func.blocks.len());
        let mut changed = true;
        while changed {
            changed = false;
            for block in &cfg.order[1..] {
                let mut new: Option<Block> = None;
                // The last ones first: predecessors often lie on one chain, which is then climbed once.
                for pred in cfg.preds[*block].iter().rev() {
                    if *pred != func.entry && parent[*pred].is_none() {
                        continue;
                    }
                    new = Some(match new {
                        None => *pred,
                        Some(other) => common(&parent, &cfg.position, *pred, other),
                    });
                }
                if parent[*block].expand() != new {
                    parent[*block] = new.into();
                    changed = true;
                }
            }
        }
        let mut dominators = Dominators { parent, interval: SecondaryMap::new() };
        dominators.number(func, cfg);
        dominators
    }

    /// Blocks in preorder of the tree, children in reverse postorder of the graph.
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

    /// Whether each path from the entry to `b` goes through `a`; a block dominates itself.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (first, end) = self.interval[a];
        (first..end).contains(&self.interval[b].0)
    }
}

fn common(
    parent: &SecondaryMap<Block, PackedOption<Block>>,
    position: &SecondaryMap<Block, u32>,
    mut a: Block,
    mut b: Block,
) -> Block {
    while a != b {
        while position[a] > position[b] {
            a = parent[a].expand().expect("only the entry has none");
        }
        while position[b] > position[a] {
            b = parent[b].expand().expect("only the entry has none");
        }
    }
    a
}
