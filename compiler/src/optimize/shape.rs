//! The shape that the backend takes: see `verify::Stage::Final`.

use crate::cfg::Cfg;
use crate::ir::*;

/// Splits the edges on which the backend cannot pass arguments.
pub fn run(func: &mut Function) {
    let cfg = Cfg::new(func);
    if !cfg.preds[func.entry].is_empty() {
        new_entry(func);
    }
    for block in &cfg.order {
        let mut term = std::mem::replace(&mut func.blocks[*block].term, Terminator::Return(Values::new()));
        let offset = func.blocks[*block].term_offset;
        match &mut term {
            Terminator::Branch { then, otherwise, .. } if then.block == otherwise.block => {
                if then.args == otherwise.args {
                    term = Terminator::Jump(then.clone());
                } else {
                    split(func, otherwise, offset);
                }
            }
            Terminator::Switch { targets, default, .. } => {
                for edge in targets.iter_mut().chain(std::iter::once(default)) {
                    if !edge.args.is_empty() && cfg.preds[edge.block].len() > 1 {
                        split(func, edge, offset);
                    }
                }
            }
            _ => {}
        }
        func.blocks[*block].term = term;
    }
}

/// Puts a block that only jumps on an edge.
fn split(func: &mut Function, edge: &mut BlockCall, offset: u32) {
    let between = func.add_block();
    let jump = std::mem::replace(edge, BlockCall::to(between));
    func.blocks[between].term = Terminator::Jump(jump);
    func.blocks[between].term_offset = offset;
}

/// Puts a block before the entry block, which has predecessors.
pub(super) fn new_entry(func: &mut Function) {
    let old = func.entry;
    let data = &func.blocks[old];
    let offset = data.insts.first().map_or(data.term_offset, |inst| inst.offset);
    let entry = func.add_block();
    let args =
        func.blocks[old].params.clone().iter().map(|p| func.add_param(entry, func.values[*p])).collect();
    func.blocks[entry].term = Terminator::Jump(BlockCall { block: old, args });
    func.blocks[entry].term_offset = offset;
    func.entry = entry;
}
