//! The loop form for small traces: all cells, one for each key, are carried, and instances run side by side.

use crate::proto::DataType;

use super::graph::{Carried, Dim, Graph, Name, Tensor, ValueType};
use super::phases::{self, RunState};
use super::plan::Plan;
use super::step::{self, Frozen};

/// Type of the trace that is carried.
pub fn trace_type() -> ValueType {
    ValueType::tensor(DataType::Double, &[Dim::Named("batch"), Dim::Named("cells")])
}

/// Runs all instances to the end of one phase. The trace is a single value.
pub fn run(g: &mut Graph, plan: &Plan, frozen: &Frozen, max_steps: &str, state: RunState) -> RunState {
    let fields = plan.part_sizes(g);
    let indices = plan.id_sizes(g);
    let floor = g.initializer("limits/floor", Tensor::row(&[plan.floor(), vec![0.0]].concat()));
    let top = g.initializer(
        "limits/top",
        Tensor::row(&[plan.top(plan.cells - 1), vec![plan.last_expert()]].concat()),
    );
    // A port that appends no row writes to a cell of its own, which is never read.
    let none = (0..plan.network.ports.rows).map(f64::from).collect::<Vec<_>>();
    let none = g.initializer("limits/none", Tensor::row(&none));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let yes = g.initializer("const/true", Tensor::boolean(true));

    let left = step::left(g, &state.steps, max_steps);
    let [trace] = <[Name; 1]>::try_from(state.trace).expect("the trace is one value");
    let mut carried = phases::carried(plan, &state.z, &state.steps);
    carried.push(Carried { role: "trace", ty: trace_type(), first: trace });
    let last = g.repeat("decode", &left, &yes, carried, |g, _, carried| {
        let [z, steps, trace] = carried else { unreachable!("three values are carried") };
        g.group("step", step::DOC, |g| {
            let [s, gates, v, x, ids] = g.split("fields", 1, z, &fields, ["s", "gate.raw", "v", "x", "ids"]);
            let ids = step::clamp(g, &ids, &floor, &top);
            let ids = g.cast("id", &ids, DataType::Int64);
            let [q, k, t, e] =
                g.split("indices", 1, &ids, &indices, ["query", "key", "lookup", "expert.row"]);
            let e = g.plain("expert", "Reshape", &[&e, &flat]);
            let (trace, r) = step::recall(g, trace, &k, &x, &q);
            let w = g.plain("entry", "Gather", &[&frozen.lookup, &t]);
            let z = step::apply(g, frozen, &e, [&gates, &v], [&r, &w, &s]);
            let (steps, going) = step::count(g, frozen, steps, &e, &zero);
            (going, vec![z, steps, trace])
        })
    });
    let [z, steps, trace] = <[Name; 3]>::try_from(last).expect("three values are carried");
    let trace = g.group("last", "Appends the rows of terminal experts.", |g| {
        let [.., x, ids] = g.split("fields", 1, &z, &fields, ["s", "gate.raw", "v", "x", "ids"]);
        let ids = step::clamp(g, &ids, &floor, &top);
        let [_, k, _, e] = g.split("indices", 1, &ids, &indices, ["query", "key", "lookup", "expert.row"]);
        let e = g.plain("expert", "Reshape", &[&e, &flat]);
        let e = g.cast("expert.id", &e, DataType::Int64);
        let k = step::last_keys(g, frozen, &k, &e);
        let k = g.plain("keys.cells", "Max", &[&k, &none]);
        let k = g.cast("keys.id", &k, DataType::Int64);
        g.along("trace", "ScatterElements", 1, &[&trace, &k, &x])
    });
    RunState { z, steps, trace: vec![trace] }
}
