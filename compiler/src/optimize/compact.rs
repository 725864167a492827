//! Renumbers blocks and values in the order that they are met in: dense ids, stable prints.

use cranelift_entity::{PrimaryMap, SecondaryMap};

use crate::cfg::reverse_postorder;
use crate::ir::*;

/// Drops unreachable blocks and unused ids.
pub fn run(func: &mut Function) {
    let order = reverse_postorder(func);
    let mut blocks: SecondaryMap<Block, Block> = SecondaryMap::with_default(func.entry);
    let mut values: SecondaryMap<Value, Value> = SecondaryMap::with_default(Value::from_u32(u32::MAX - 1));
    values.resize(func.values.len());
    let mut types = PrimaryMap::with_capacity(func.values.len());
    let mut data = PrimaryMap::with_capacity(order.len());
    for block in &order {
        let old = std::mem::take(&mut func.blocks[*block]);
        for result in old.params.iter().copied().chain(old.insts.iter().filter_map(|inst| inst.result)) {
            values[result] = types.push(func.values[result]);
        }
        blocks[*block] = data.push(old);
    }
    for block in data.values_mut() {
        block.params.iter_mut().for_each(|param| *param = values[*param]);
        for inst in &mut block.insts {
            inst.args.iter_mut().for_each(|arg| *arg = values[*arg]);
            inst.result = inst.result.map(|result| values[result]);
        }
        block.insts.shrink_to_fit();
        block.term.for_each_use_mut(|value| *value = values[*value]);
        block.term.edges_mut().into_iter().for_each(|edge| edge.block = blocks[edge.block]);
        if let Terminator::Call { next, .. } = &mut block.term {
            *next = blocks[*next];
        }
    }
    func.entry = blocks[func.entry];
    func.blocks = data;
    func.values = types;
}
