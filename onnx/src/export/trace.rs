//! The trace that a run begins with: first rows and what is given.

use super::given::Given;
use super::graph::{Carried, Graph, Name, Tensor};
use super::plan::{Plan, STORED_PAGE};
use super::space::{Space, first_of_input};
use super::{growing, resident};
use crate::proto::DataType;

/// Makes the first rows, with a cell for each key: double [cells].
pub fn first_rows(g: &mut Graph, plan: &Plan) -> Name {
    let rows = FirstRowTensors::new(g, plan);
    let page_count = plan.first_cells().div_ceil(STORED_PAGE as u64);
    let shape = g.initializer("trace/shape", Tensor::list(&[page_count as i64, STORED_PAGE as i64]));
    let zero = g.initializer("const/range", Tensor::list(&[0i64]));
    let cells = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
    g.group("memory", "The rows that memory begins with, one cell per key.", |g| {
        let all = rows.put(g, &shape, &rows.pages, &rows.keys);
        g.plain("cells", "Slice", &[&all, &zero, &cells])
    })
}

/// Makes the chunks that the paged variant has from the start, behind the chunk of zeros, with the first rows
/// and the beginning of the input: double [cells].
pub fn in_chunks(g: &mut Graph, plan: &Plan, rows: &FirstRowTensors, space: &Space, given: &Given) -> Name {
    let begin = first_of_input(plan);
    let in_its_chunk = space.cells() as i64 - begin % space.cells() as i64;
    let begin = g.initializer("trace/input.key", Tensor::scalar(begin));
    let in_its_chunk = g.initializer("trace/input.end", Tensor::list(&[in_its_chunk]));
    let stored = g.initializer("trace/chunk.pages", Tensor::scalar((space.cells() / STORED_PAGE) as i64));
    let cells = g.initializer("trace/chunk.cells", Tensor::scalar(space.cells() as i64));
    let page = g.initializer("trace/page.shape", Tensor::list(&[STORED_PAGE as i64]));
    let zero = g.initializer("const/range", Tensor::list(&[0i64]));
    let none = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    g.group("memory", "What memory begins with, one cell per key of the chunks that are there.", |g| {
        // The chunks stand in the order of their slots.
        let locate = |g: &mut Graph, role: [&str; 4], keys: &str, size: &str| {
            let chunk = g.plain(role[0], "Div", &[keys, size]);
            let shift = g.plain(role[1], "Gather", &[&space.shift, &chunk]);
            let shift = g.plain(role[2], "Mul", &[&shift, size]);
            g.plain(role[3], "Add", &[keys, &shift])
        };
        let pages = locate(g, ["page.chunk", "page.shift", "page.move", "page.place"], &rows.pages, &stored);
        let keys = locate(g, ["key.chunk", "key.shift", "key.move", "key.place"], &rows.keys, &cells);
        let count = g.plain("chunks", "Add", &[&space.made, &one]);
        let count = g.plain("pages.count", "Mul", &[&count, &stored]);
        let count = g.plain("pages.count.list", "Reshape", &[&count, &single]);
        let shape = g.along("shape", "Concat", 0, &[&count, &page]);
        let all = rows.put(g, &shape, &pages, &keys);
        let bytes = g.plain("input.bytes", "Slice", &[&space.input, &zero, &in_its_chunk]);
        let count = g.plain("input.bytes.count", "Shape", &[&bytes]);
        let count = g.plain("input.bytes.scalar", "Reshape", &[&count, &scalar]);
        let bytes = g.cast("input.number", &bytes, DataType::Double);
        let keys = g.plain("input.index", "Range", &[&none, &count, &one]);
        let keys = g.plain("input.key", "Add", &[&keys, &begin]);
        let keys = g.along("input.keys", "Concat", 0, &[&given.keys, &keys]);
        let values = g.along("input.values", "Concat", 0, &[&given.numbers, &bytes]);
        let role = ["input.chunk", "input.shift", "input.move", "input.place"];
        let keys = locate(g, role, &keys, &cells);
        g.along("cells", "ScatterElements", 0, &[&all, &keys, &values])
    })
}

/// Makes the trace of the resident variant: the cells of each instance.
pub fn resident(g: &mut Graph, plan: &Plan, first: &str, batch: &str) -> Vec<Carried> {
    let cells = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
    let first = g.group("instances", "Each instance has a trace of its own.", |g| {
        let shape = g.along("shape", "Concat", 0, &[batch, &cells]);
        g.plain("trace", "Expand", &[first, &shape])
    });
    vec![Carried { role: "trace", ty: resident::trace_type(), first }]
}

/// Returns the first rows of a trace that consists of rows, double [1, rows, 2].
pub fn rows(plan: &Plan) -> Tensor {
    let rows = &plan.network.first_rows;
    Tensor::new(&[1, rows.len(), 2], rows.iter().flat_map(|(key, value)| [*key as f64, *value]))
}

/// Makes the trace that consists of rows: first rows, and what is given. Also returns the number of these rows, int64 [1].
pub fn growing(g: &mut Graph, plan: &Plan, given: &Given, batch: &str) -> (Vec<Carried>, Name) {
    let first = g.initializer("initial.trace", rows(plan));
    let begin = g.initializer("trace/input.first", Tensor::scalar(first_of_input(plan)));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let column = g.initializer("attention/column", Tensor::list(&[1i64, -1, 1]));
    let rest = g.initializer("trace/row.shape", Tensor::list(&[1i64, 1]));
    let axis = g.initializer("const/axis", Tensor::list(&[1i64]));
    g.group("input", "First rows, and a row for each byte and each number that is given.", |g| {
        let count = g.plain("count", "Shape", &[&given.bytes]);
        let end = g.plain("count.scalar", "Reshape", &[&count, &scalar]);
        let end = g.plain("end", "Add", &[&begin, &end]);
        let keys = g.plain("key", "Range", &[&begin, &end, &one]);
        let keys = g.along("keys", "Concat", 0, &[&keys, &given.keys]);
        let keys = g.cast("key.number", &keys, DataType::Double);
        let keys = g.plain("key.column", "Reshape", &[&keys, &column]);
        let values = g.cast("value", &given.bytes, DataType::Double);
        let values = g.along("values", "Concat", 0, &[&values, &given.numbers]);
        let values = g.plain("value.column", "Reshape", &[&values, &column]);
        let given = g.along("given", "Concat", 2, &[&keys, &values]);
        let rows = g.along("rows", "Concat", 1, &[&first, &given]);
        let shape = g.along("shape", "Concat", 0, &[batch, &rest]);
        let all = g.plain("trace", "Expand", &[&rows, &shape]);
        let shape = g.plain("rows.shape", "Shape", &[&rows]);
        let count = g.plain("rows.count", "Gather", &[&shape, &axis]);
        (vec![Carried { role: "trace", ty: growing::trace_type(), first: all }], count)
    })
}

/// First rows as the file stores them.
pub struct FirstRowTensors {
    /// Numbers of the pages that hold bytes: int64 [n, 1].
    pub pages: Name,
    /// Their bytes: uint8 [n, STORED_PAGE].
    bytes: Name,
    /// Keys of all other rows: int64 [n].
    pub keys: Name,
    /// Their values: double [n].
    values: Name,
}

impl FirstRowTensors {
    /// Adds the rows that memory begins with.
    pub fn new(g: &mut Graph, plan: &Plan) -> FirstRowTensors {
        let rows = plan.first_rows();
        let count = rows.pages.len();
        let pages = g.initializer("trace/pages", Tensor::new(&[count, 1], rows.pages));
        let bytes = g.initializer("trace/bytes", Tensor::new(&[count, STORED_PAGE], rows.bytes));
        let keys = g.initializer("trace/keys", Tensor::smallest(rows.keys));
        let values = g.initializer("trace/values", Tensor::list(&rows.values));
        let keys = g.group("rows", "The rows that memory begins with: pages of bytes, and numbers.", |g| {
            g.cast("key", &keys, DataType::Int64)
        });
        FirstRowTensors { pages, bytes, keys, values }
    }

    /// Writes the rows into zeros: `shape` is that of the stored pages, `pages` and `keys` say where the rows
    /// go. Returns double [cells].
    fn put(&self, g: &mut Graph, shape: &str, pages: &str, keys: &str) -> Name {
        let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
        let empty = g.filled("empty", shape, 0f64);
        let bytes = g.cast("bytes.number", &self.bytes, DataType::Double);
        let all = g.plain("with.bytes", "ScatterND", &[&empty, pages, &bytes]);
        let all = g.plain("flat", "Reshape", &[&all, &flat]);
        g.along("with.numbers", "ScatterElements", 0, &[&all, keys, &self.values])
    }
}
