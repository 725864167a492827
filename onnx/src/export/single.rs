//! The step form: one step per run, for drivers that look at every step or bind the trace's input and output
//! to one buffer.
//!
//! Here numbers are handed over as the network defines them: gates are quantized by the step that makes them.
//! Reads see the rows that the same step appends.

use super::graph::{Dim, Graph, Tensor, ValueType};
use super::plan::{Plan, Reading};
use super::step;
use super::{ExportError, dense, trace};
use crate::proto::DataType;

/// Builds the whole graph.
pub fn build(g: &mut Graph, plan: &Plan) -> Result<(), ExportError> {
    let batch = Dim::Named("batch");
    let numbers = plan.slots.count();
    let numbers_type = ValueType::tensor(DataType::Double, &[batch, Dim::Fixed(numbers as i64)]);
    let expert_type = ValueType::tensor(DataType::Int64, &[batch]);
    let expert = g.input("expert", expert_type.clone());
    let z = g.input("numbers", numbers_type.clone());
    let (past, present) = match plan.reading {
        Reading::Cells => {
            let cells = i64::try_from(plan.cells).expect("cells can be addressed");
            let ty = ValueType::tensor(DataType::Double, &[batch, Dim::Fixed(cells)]);
            (ty.clone(), ty)
        }
        Reading::Rows(_) => {
            let rows = |rows| ValueType::tensor(DataType::Double, &[batch, Dim::Named(rows), Dim::Fixed(2)]);
            (rows("past_rows"), rows("present_rows"))
        }
    };
    let past = g.input("past.trace", past);
    initial(g, plan)?;

    let batch = g.plain("batch", "Shape", &[&expert]);
    let frozen = super::frozen(g, plan, &batch);
    let attended = match plan.reading {
        Reading::Cells => None,
        Reading::Rows(scores) => Some((scores, dense::tables(g, scores, &frozen))),
    };
    let [s, n, v, x, queries, keys, lookups] = plan.slots.sizes().map(|size| size as i64);
    let fields = Tensor::list(&[s, n, v, x, queries + keys + lookups]);
    let fields = g.initializer("shape/fields", fields);
    let next_fields = Tensor::list(&[s, n, v + x + queries + keys + lookups, 1]);
    let next_fields = g.initializer("shape/fields.next", next_fields);
    let indices = g.initializer("shape/indices", Tensor::list(&[queries, keys, lookups]));
    let [next_expert, next_numbers, present_trace] = g.group("step", step::DOC, |g| {
        let [s, n, v, x, ids] = g.split("fields", 1, &z, &fields, ["s", "n", "v", "x", "ids"]);
        let parts = ["query", "key", "lookup"];
        let (trace, r, w) = match &attended {
            None => {
                let floor = g.initializer("limits/floor", Tensor::row(&plan.floor()));
                let top = g.initializer("limits/top", Tensor::row(&plan.top(plan.cells - 1)));
                let ids = step::clamp(g, &ids, &floor, &top);
                let ids = g.cast("id", &ids, DataType::Int64);
                let [q, k, t] = g.split("indices", 1, &ids, &indices, parts);
                let (trace, r) = step::recall(g, &past, &k, &x, &q);
                (trace, r, g.plain("entry", "Gather", &[&frozen.lookup, &t]))
            }
            Some((scores, tables)) => {
                let [q, k, t] = g.split("indices", 1, &ids, &indices, parts);
                let trace = dense::append(g, &past, &k, &x);
                let r = dense::read(g, *scores, &frozen, &trace, &q, "read");
                let w = dense::look_up(g, tables, &t);
                (trace, r, w)
            }
        };
        let u = g.plain("unit", "Mul", &[&n, &v]);
        let next = step::map(g, &frozen, &expert, [&r, &w, &u, &s]);
        let parts = ["s.next", "gate.raw", "rest.next", "expert.row"];
        let [s, gates, rest, e] = g.split("next", 1, &next, &next_fields, parts);
        let n = step::quantize(g, &gates);
        let numbers = g.along("numbers", "Concat", 1, &[&s, &n, &rest]);
        [step::expert(g, plan, &e), numbers, trace]
    });
    g.output_itself("next_expert", expert_type, &next_expert);
    g.output_itself("next_numbers", numbers_type, &next_numbers);
    // It is written in place if a caller binds it to the buffer of the input.
    g.output_itself("present.trace", present, &present_trace);
    Ok(())
}

/// Adds what a driver begins with: initializers that no node uses.
fn initial(g: &mut Graph, plan: &Plan) -> Result<(), ExportError> {
    let first = plan.network.start.unwrap_or(plan.entry.expert);
    g.initializer("initial.expert", Tensor::list(&[i64::from(first)]));
    g.initializer("initial.entry", Tensor::list(&[i64::from(plan.entry.expert)]));
    g.initializer("initial.numbers", Tensor::row(plan.arguments.call()));
    let trace = match plan.reading {
        Reading::Cells => {
            let last = plan.network.first_rows.iter().rev().find(|(_, value)| *value != 0.0);
            let mut cells = vec![0.0; last.map_or(0, |(key, _)| *key as usize + 1)];
            for (key, value) in &plan.network.first_rows {
                if let Some(cell) = cells.get_mut(*key as usize) {
                    *cell = *value;
                }
            }
            Tensor::row(&cells)
        }
        Reading::Rows(_) => trace::rows(plan),
    };
    g.initializer("initial.trace", trace);
    Ok(())
}
