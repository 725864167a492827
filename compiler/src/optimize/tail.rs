//! Tail calls of a function to itself become jumps back to its beginning: a loop like any other.

use super::shape::new_entry;
use crate::ir::*;

/// Makes loops of all functions that tail call themselves.
pub fn run(module: &mut Module) {
    for (id, func) in module.functions.iter_mut() {
        let is_own = |term: &Terminator| matches!(term, Terminator::TailCall { callee: Callee::Direct(callee), .. } if *callee == id);
        if !func.blocks.values().any(|data| is_own(&data.term)) {
            continue;
        }
        let block = func.entry;
        new_entry(func);
        for data in func.blocks.values_mut().filter(|data| is_own(&data.term)) {
            if let Terminator::TailCall { args, .. } = &mut data.term {
                let args = std::mem::take(args);
                data.term = Terminator::Jump(BlockCall { block, args });
            }
        }
    }
}
