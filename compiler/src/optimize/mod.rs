//! Partial evaluation on words: whatever is known at compile time costs nothing at run time.
//!
//! No pass runs a loop or a call of the program, and all are close to linear. [`run`] is the table
//! of contents.

mod compact;
mod facts;
mod flow;
mod fold;
mod inline;
mod predicate;
mod prune;
mod reach;
mod shape;
mod simplify;
mod tail;
#[cfg(test)]
mod tests;

use crate::ir::{Function, Module};
use facts::Facts;

/// Optimizes a legalized module and gives it the shape that the backend takes.
pub fn run(module: &mut Module) {
    reach::drop_functions(module);
    each_function(module, |func, facts| cleanup(func, facts, 2));
    tail::run(module);
    inline::run(module);
    reach::drop_functions(module);
    each_function(module, |func, facts| {
        cleanup(func, facts, 2);
        if predicate::run(func) {
            cleanup(func, facts, 2);
        }
        shape::run(func);
        compact::run(func);
    });
    reach::drop_functions(module);
    reach::drop_cells(module);
}

fn each_function(module: &mut Module, f: impl Fn(&mut Function, &Facts)) {
    let facts = Facts::new(module);
    module.functions.values_mut().for_each(|func| f(func, &facts));
    facts::constant_memory_sizes(module);
}

/// Simplifies a function until its control flow stays as it is, but at most for that many rounds.
fn cleanup(func: &mut Function, facts: &Facts, rounds: usize) {
    prune::run(func);
    for _ in 0..rounds {
        simplify::run(func, facts);
        let changed = flow::run(func);
        prune::run(func);
        if !changed {
            break;
        }
    }
}
