//! The loop form with attention over all rows: the trace grows with every step.

use super::dense::{self, Tables};
use super::graph::{Carried, Graph, Name, Tensor, ValueType};
use super::phases::{self, RunState};
use super::plan::{Plan, Scores};
use super::step::{self, Frozen};
use crate::proto::DataType;

/// Type of the trace that is carried: [batch, rows, 2].
pub fn trace_type() -> ValueType {
    ValueType::unshaped(DataType::Double)
}

/// Runs all instances to the end of one phase. The trace is a single value.
pub fn run(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    (scores, tables): (Scores, &Tables),
    max_steps: &str,
    state: RunState,
) -> RunState {
    let parts = plan.all_sizes(g);
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let yes = g.initializer("const/true", Tensor::boolean(true));
    let names = ["s", "gate.raw", "v", "x", "query", "key", "lookup", "expert.row"];
    let left = step::left(g, &state.steps, max_steps);
    let [trace] = <[Name; 1]>::try_from(state.trace).expect("the trace is one value");
    let mut carried = phases::carried(plan, &state.z, &state.steps);
    carried.push(Carried { role: "trace", ty: trace_type(), first: trace });
    let last = g.repeat("decode", &left, &yes, carried, |g, _, carried| {
        let [z, steps, trace] = carried else { unreachable!("three values are carried") };
        g.group("step", step::DOC, |g| {
            let [s, gates, v, x, q, k, t, e] = g.split("fields", 1, z, &parts, names);
            let e = step::expert(g, plan, &e);
            let trace = dense::append(g, trace, &k, &x);
            let r = dense::read(g, scores, frozen, &trace, &q, "read");
            let w = dense::look_up(g, tables, &t);
            let z = step::apply(g, frozen, &e, [&gates, &v], [&r, &w, &s]);
            let (steps, going) = step::count(g, frozen, steps, &e, &zero);
            (going, vec![z, steps, trace])
        })
    });
    let [z, steps, trace] = <[Name; 3]>::try_from(last).expect("three values are carried");
    let trace = g.group("last", "Appends the rows of the terminal expert.", |g| {
        let [.., x, _, k, _, e] = g.split("fields", 1, &z, &parts, names);
        let e = step::expert(g, plan, &e);
        let k = step::last_keys(g, frozen, &k, &e);
        dense::append(g, &trace, &k, &x)
    });
    RunState { z, steps, trace: vec![trace] }
}
