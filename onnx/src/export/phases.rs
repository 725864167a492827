//! A run consists of phases, and the same loop runs each of them: instance creation first, the call last. If
//! there are more arguments in rows than one step can append, phases in between only append rows.

use crate::proto::DataType;

use super::graph::{Carried, Dim, Graph, Name, Tensor, ValueType};
use super::plan::Plan;
use super::step::Frozen;

/// What a phase begins with, and what it leaves.
pub struct RunState {
    /// Numbers and expert; the gates are not quantized yet: double [batch, numbers].
    pub z: Name,
    /// Number of maps evaluated: int64 [batch].
    pub steps: Name,
    /// The values that make up the trace.
    pub trace: Vec<Name>,
}

/// Returns what every loop around steps carries first: the numbers and the steps of all instances.
pub fn carried(plan: &Plan, z: &str, steps: &str) -> Vec<Carried> {
    let counts = ValueType::tensor(DataType::Int64, &[Dim::Named("batch")]);
    vec![
        Carried { role: "numbers", ty: plan.numbers_type(), first: z.to_owned() },
        Carried { role: "steps", ty: counts, first: steps.to_owned() },
    ]
}

/// Runs the phases, from `starts`: double [batch, phases, numbers]. No phase follows one that does not halt.
pub fn run(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    starts: &str,
    trace: Vec<Carried>,
    phase: &mut dyn FnMut(&mut Graph, RunState) -> RunState,
) -> RunState {
    let count = g.initializer("phases/count", Tensor::scalar(plan.arguments.phases.len() as i64 + 1));
    let yes = g.initializer("const/true", Tensor::boolean(true));
    let expert_slot = g.initializer("limits/expert.slot", Tensor::list(&[plan.slots.count() as i64]));
    let before = g.initializer("phases/before.halt", Tensor::scalar(0f64));
    let after = g.initializer("phases/after.halt", Tensor::scalar(2f64));
    let mut carried = carried(plan, &frozen.zero, &frozen.no_steps);
    let parts = trace.len();
    carried.extend(trace);
    let last = g.repeat("phases", &count, &yes, carried, |g, i, carried| {
        let z = g.along("start", "Gather", 1, &[starts, i]);
        let state = phase(g, RunState { z, steps: carried[1].clone(), trace: carried[2..].to_vec() });
        let expert = g.along("end.expert", "Gather", 1, &[&state.z, &expert_slot]);
        let expert = g.largest("end.any", &expert);
        let above = g.plain("end.above", "Greater", &[&expert, &before]);
        let below = g.plain("end.below", "Less", &[&expert, &after]);
        let halted = g.plain("end.halted", "And", &[&above, &below]);
        let mut next = vec![state.z, state.steps];
        next.extend(state.trace);
        (halted, next)
    });
    debug_assert_eq!(last.len(), 2 + parts);
    let mut last = last.into_iter();
    let mut next = || last.next().expect("all that is carried comes out");
    RunState { z: next(), steps: next(), trace: (0..parts).map(|_| next()).collect() }
}
