//! The trace that a run begins with: first rows and what is given.

use super::given::Given;
use super::graph::{Carried, Graph, Name, Tensor};
use super::plan::{Plan, STORED_PAGE};
use super::space::first_of_input;
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
        let all = rows.put(g, &shape);
        g.plain("cells", "Slice", &[&all, &zero, &cells])
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
#[derive(Default)]
pub struct FirstRowTensors {
    /// Numbers of the pages that hold bytes: int64 [n, 1].
    pub pages: Name,
    /// Their bytes: uint8 [n, STORED_PAGE].
    pub bytes: Name,
    /// Keys of all other rows: int64 [n].
    pub keys: Name,
    /// Their values: double [n].
    pub values: Name,
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

    /// Writes the rows into zeros; `shape` is that of all stored pages. Returns double [cells].
    fn put(&self, g: &mut Graph, shape: &str) -> Name {
        let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
        let empty = g.filled("empty", shape, 0f64);
        let bytes = g.cast("bytes.number", &self.bytes, DataType::Double);
        let all = g.plain("with.bytes", "ScatterND", &[&empty, &self.pages, &bytes]);
        let all = g.plain("flat", "Reshape", &[&all, &flat]);
        g.along("with.numbers", "ScatterElements", 0, &[&all, &self.keys, &self.values])
    }
}
