//! Strongly connected components of a graph, by Tarjan's algorithm without recursion.

use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};

/// Components of a graph: sets of nodes that lead to each other. Each comes after all others that its nodes lead to.
pub fn components<N: EntityRef>(
    nodes: impl Iterator<Item = N>,
    successors: impl Fn(N) -> Vec<N>,
) -> Vec<Vec<N>> {
    let mut components = Vec::new();
    let mut index: SecondaryMap<N, u32> = SecondaryMap::new();
    let mut low: SecondaryMap<N, u32> = SecondaryMap::new();
    let mut on_stack = EntitySet::new();
    let mut stack: Vec<N> = Vec::new();
    let mut next = 0;
    for root in nodes {
        if index[root] != 0 {
            continue;
        }
        let mut work: Vec<(N, Vec<N>)> = Vec::new();
        let mut enter = Some(root);
        loop {
            if let Some(node) = enter.take() {
                next += 1;
                index[node] = next;
                low[node] = next;
                on_stack.insert(node);
                stack.push(node);
                work.push((node, successors(node)));
            }
            let Some((node, rest)) = work.last_mut() else { break };
            let node = *node;
            match rest.pop() {
                Some(other) if index[other] == 0 => enter = Some(other),
                Some(other) => {
                    if on_stack.contains(other) {
                        low[node] = low[node].min(index[other]);
                    }
                }
                None => {
                    work.pop();
                    if let Some((before, _)) = work.last() {
                        low[*before] = low[*before].min(low[node]);
                    }
                    if low[node] == index[node] {
                        let first = stack.iter().rposition(|n| *n == node).expect("on the stack");
                        let members = stack.split_off(first);
                        for member in &members {
                            on_stack.remove(*member);
                        }
                        components.push(members);
                    }
                }
            }
        }
    }
    components
}
