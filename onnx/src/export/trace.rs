//! The trace that a run begins with: first rows, standard input.

use super::graph::{Carried, Dim, Graph, Name, Tensor, ValueType};
use super::plan::{Plan, STORED_PAGE};
use super::{paged, resident};
use crate::proto::DataType;

/// The first rows, a cell for each key below those of standard input: double [cells].
pub fn first_rows(g: &mut Graph, plan: &Plan) -> Name {
    let rows = plan.first_rows();
    let count = rows.pages.len();
    let pages = g.initializer("trace/pages", Tensor::new(&[count, 1], rows.pages));
    let bytes = g.initializer("trace/bytes", Tensor::new(&[count, STORED_PAGE], rows.bytes));
    let keys = g.initializer("trace/keys", Tensor::smallest(&rows.keys));
    let values = g.initializer("trace/values", Tensor::list(&rows.values));
    let page_count = plan.first_cells().div_ceil(STORED_PAGE);
    let shape = g.initializer("trace/shape", Tensor::list(&[page_count as i64, STORED_PAGE as i64]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let zero = g.initializer("const/range", Tensor::list(&[0i64]));
    let cells = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
    g.group("memory", "The rows that memory begins with, a cell for each key.", |g| {
        let empty = g.filled("empty", &shape, 0f64);
        let bytes = g.cast("bytes.number", &bytes, DataType::Double);
        let pages = g.plain("with.bytes", "ScatterND", &[&empty, &pages, &bytes]);
        let all = g.plain("flat", "Reshape", &[&pages, &flat]);
        let keys = g.cast("keys.index", &keys, DataType::Int64);
        let all = g.along("with.numbers", "ScatterElements", 0, &[&all, &keys, &values]);
        g.plain("cells", "Slice", &[&all, &zero, &cells])
    })
}

/// The trace of the resident variant: the cells of each instance.
pub fn resident(g: &mut Graph, plan: &Plan, first: &str, batch: &str) -> Vec<Carried> {
    let cells = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
    let first = g.group("instances", "Each instance has a trace of its own.", |g| {
        let shape = g.along("shape", "Concat", 0, &[batch, &cells]);
        g.plain("trace", "Expand", &[first, &shape])
    });
    vec![Carried { role: "trace", ty: resident::trace_type(), first }]
}

/// Standard input: an input of the graph if the program reads it, otherwise empty.
pub fn stdin(g: &mut Graph, plan: &Plan) -> Name {
    match plan.network.io.stdin {
        Some(_) => g.input("stdin", ValueType::tensor(DataType::Uint8, &[Dim::Named("stdin")])),
        None => g.initializer("trace/no.stdin", Tensor::list::<u8>(&[])),
    }
}

/// All cells of the paged variant, whole chunks of pages, and the index of the last one.
pub fn paged(g: &mut Graph, plan: &Plan, first: &str, stdin: &str) -> (Name, Name) {
    // A program that reads nothing has no cell for the length; cell 0 is nobody's.
    let length = plan.network.io.stdin.map_or(0, |(_, key)| key);
    let length = g.initializer("trace/stdin.length", Tensor::list(&[length as i64]));
    let cells = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    g.group("input", "Standard input, behind the first rows; then cells up to whole chunks of pages.", |g| {
        let count = g.plain("count", "Shape", &[stdin]);
        let number = g.cast("count.number", &count, DataType::Double);
        let first = g.along("first", "ScatterElements", 0, &[first, &length, &number]);
        let bytes = g.cast("bytes", stdin, DataType::Double);
        let used = g.plain("used", "Add", &[&cells, &count]);
        // One more cell than is used: the last is never written.
        let needed = g.plain("used.more", "Add", &[&used, &one]);
        let rounded = paged::round_up(g, plan, &needed);
        let rest = g.plain("rest", "Sub", &[&rounded, &used]);
        let rest = g.filled("rest.cells", &rest, 0f64);
        let last = g.plain("last", "Sub", &[&rounded, &one]);
        let last = g.cast("last.number", &last, DataType::Double);
        (g.along("cells", "Concat", 0, &[&first, &bytes, &rest]), last)
    })
}
