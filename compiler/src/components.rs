//! Strongly connected components of a graph, by Tarjan's algorithm without recursion.

use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};

/// Returns the components of a graph: sets of nodes that lead to each other. Each comes after all others that
/// its nodes lead to.
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

#[cfg(test)]
mod tests {
    use super::components;
    use crate::ir::Func;
    use fastrand::Rng;

    /// Checks components by their definition: two nodes are in one if each leads to the other.
    #[test]
    fn random_graphs() {
        let mut random = Rng::with_seed(1);
        let mut below = |n: usize| random.usize(..n);
        for round in 0..300 {
            let count = 1 + below(9);
            let edges: Vec<Vec<Func>> = (0..count)
                .map(|_| (0..below(1 + round % 4)).map(|_| Func::from_u32(below(count) as u32)).collect())
                .collect();
            let mut leads = vec![vec![false; count]; count];
            for (from, leads) in leads.iter_mut().enumerate() {
                let mut work = vec![from];
                while let Some(node) = work.pop() {
                    if !std::mem::replace(&mut leads[node], true) {
                        work.extend(edges[node].iter().map(|to| to.as_u32() as usize));
                    }
                }
            }
            let nodes = (0..count as u32).map(Func::from_u32);
            let found = components(nodes, |node| edges[node.as_u32() as usize].clone());
            let mut position = vec![usize::MAX; count];
            for (i, node) in found.iter().enumerate().flat_map(|(i, all)| all.iter().map(move |n| (i, *n))) {
                assert_eq!(std::mem::replace(&mut position[node.as_u32() as usize], i), usize::MAX);
            }
            for a in 0..count {
                for b in 0..count {
                    assert_eq!(position[a] == position[b], leads[a][b] && leads[b][a], "{edges:?}");
                    assert!(!leads[a][b] || position[b] <= position[a], "{edges:?}");
                }
            }
        }
    }
}
