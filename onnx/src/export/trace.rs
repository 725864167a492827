//! The trace that a run begins with: first rows, standard input.

use super::graph::{Carried, Dim, Graph, Name, Tensor, ValueType};
use super::plan::{Plan, STORED_PAGE};
use super::{growing, paged, resident};
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

/// Standard input: an input of the graph if the program reads it, otherwise empty. The graph behind it
/// finds both under one name.
pub fn stdin(g: &mut Graph, plan: &Plan) -> Name {
    let bytes = match plan.network.io.stdin {
        // Without a default: ONNX Runtime does not list inputs that have one.
        Some(_) => g.input("stdin", ValueType::tensor(DataType::Uint8, &[Dim::Named("stdin")])),
        None => g.initializer("trace/no.stdin", Tensor::list::<u8>(&[])),
    };
    g.group("stdin", "Standard input; nothing if the program reads none.", |g| {
        g.plain("bytes", "Identity", &[&bytes])
    })
}

/// First rows of a trace that is all rows, double [1, rows, 2].
pub fn rows(plan: &Plan) -> Tensor {
    let rows = &plan.network.first_rows;
    Tensor::new(&[1, rows.len(), 2], rows.iter().flat_map(|(key, value)| [*key as f64, *value]))
}

/// The trace that is all rows: first rows, standard input, its length; and their number, int64 [1].
pub fn growing(g: &mut Graph, plan: &Plan, stdin: &str, batch: &str) -> (Vec<Carried>, Name) {
    let first = g.initializer("initial.trace", rows(plan));
    // A program that reads nothing has no cell for the length: a row that is none.
    let stream = plan.network.io.stdin;
    let length = stream.map_or(0, |(_, key)| key);
    let begin = stream.map_or(0, |(region, _)| plan.network.regions[region].first);
    let length = g.initializer("trace/stdin.length", Tensor::new(&[1, 1, 1], [length as f64]));
    let begin = g.initializer("trace/stdin.first", Tensor::scalar(begin as i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let column = g.initializer("attention/column", Tensor::list(&[1i64, -1, 1]));
    let rest = g.initializer("trace/row.shape", Tensor::list(&[1i64, 1]));
    let axis = g.initializer("const/axis", Tensor::list(&[1i64]));
    g.group("input", "First rows, a row for each byte of standard input, and one for their number.", |g| {
        let count = g.plain("count", "Shape", &[stdin]);
        let number = g.cast("count.number", &count, DataType::Double);
        let number = g.plain("count.column", "Reshape", &[&number, &column]);
        let length = g.along("length", "Concat", 2, &[&length, &number]);
        let end = g.plain("count.scalar", "Reshape", &[&count, &scalar]);
        let end = g.plain("end", "Add", &[&begin, &end]);
        let keys = g.plain("key", "Range", &[&begin, &end, &one]);
        let keys = g.cast("key.number", &keys, DataType::Double);
        let keys = g.plain("key.column", "Reshape", &[&keys, &column]);
        let values = g.cast("value", stdin, DataType::Double);
        let values = g.plain("value.column", "Reshape", &[&values, &column]);
        let bytes = g.along("bytes", "Concat", 2, &[&keys, &values]);
        let rows = g.along("rows", "Concat", 1, &[&first, &bytes, &length]);
        let shape = g.along("shape", "Concat", 0, &[batch, &rest]);
        let all = g.plain("trace", "Expand", &[&rows, &shape]);
        let shape = g.plain("rows.shape", "Shape", &[&rows]);
        let count = g.plain("rows.count", "Gather", &[&shape, &axis]);
        (vec![Carried { role: "trace", ty: growing::trace_type(), first: all }], count)
    })
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
