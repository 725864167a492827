//! Reads by attention over all rows, as the definition has it: for small programs, and for those who doubt.
//!
//! The trace consists of all rows that were appended, with key and value. *Dense*: the score of a row is
//! −(q − k)², that of a sink of value 0 is −½, and the winner is the latest row with the largest score.
//! *Softmax*: the same with dot products and ONNX's `Attention`. With 16-bit digits h, l of keys and queries,
//!
//! ```text
//! K = (2·k_h, 2·k_l, −k_h² − k_l² + ε·t, 0)      Q = (q_h, q_l, 1, q_h² + q_l² − ½)
//! K of the sink = (0, 0, 0, 1)                   ε = 2^-16, scale 2^28
//! ```
//!
//! Q·K is −(q − k)², summed over both digits, plus a number that the query adds to every row, plus ε times
//! the row's number t; Q·K of the sink is q_h² + q_l² − ½. Scores differ by ε or more; 2^28·ε = 4096, and
//! e^−4096 is 0, so softmax in float64 picks one row. This needs ε·t < ½, so there can be no more than
//! [`MAX_ROWS`] rows.
//!
//! A row with key 0, which is not to be appended, is in the trace as a row that no query matches: its key
//! becomes −1 (dense) or [`NOWHERE`]. A query for nothing reads the sink.

use super::ExportError;
use super::graph::{Attribute, Graph, Name, Tensor};
use super::plan::{Plan, Scores};
use super::step::Frozen;
use crate::proto::DataType;

/// The frozen tables as rows for attention, made before the first step.
pub enum Tables {
    /// For hard attention.
    Hard {
        /// Keys: double [1, 1, entries].
        keys: Name,
        /// Values, that of the sink first: double [entries and sink].
        values: Name,
    },
    /// For softmax.
    Softmax {
        /// `K`: double [batch, 1, entries and sink, 4].
        k: Name,
        /// `V`: double [batch, 1, entries and sink, 1].
        v: Name,
    },
}

/// Maximum number of rows that softmax attention tells apart.
pub const MAX_ROWS: i64 = 1 << 15;

/// What key 0 becomes for softmax attention: a number above all keys.
const NOWHERE: f64 = (1u64 << 40) as f64;

/// By how much a row scores more than the one before it: as much as [`MAX_ROWS`] rows allow.
const EPSILON: f64 = 1.0 / (2 * MAX_ROWS) as f64;

/// Scale of the scores.
const SCALE: f32 = (1u64 << 28) as f32;

/// Returns the maximum number of steps of a run whose rows softmax attention can tell apart, if a step
/// appends a row for each port. `rows` is the number of rows that the run begins with, int64 [1].
///
/// # Errors
///
/// [`ExportError::TooManyRows`]
pub fn limit(g: &mut Graph, plan: &Plan, rows: &str, max_steps: &str) -> Result<Name, ExportError> {
    // Each phase appends rows for its steps, for the turn that finds its end, and behind that turn; instance
    // creation is a phase, too.
    let ports = usize::from(plan.network.ports.rows);
    let early = ports * 2 * (plan.arguments.phases.len() + 1);
    let first = plan.network.first_rows.len() + early;
    if first as i64 >= MAX_ROWS {
        return Err(ExportError::TooManyRows { rows: first, limit: MAX_ROWS as usize });
    }
    let most = g.initializer("attention/rows.most", Tensor::scalar(MAX_ROWS));
    let each = g.initializer("attention/rows.each", Tensor::scalar(ports as i64));
    let early = g.initializer("attention/rows.early", Tensor::scalar(early as i64));
    let none = g.initializer("const/zero", Tensor::scalar(0i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    Ok(g.group("limit", "Softmax attention tells fewer than 2^15 rows apart, which limits the steps.", |g| {
        let rows = g.plain("rows.first", "Reshape", &[rows, &scalar]);
        let rows = g.plain("rows", "Add", &[&rows, &early]);
        let left = g.plain("rows.left", "Sub", &[&most, &rows]);
        let left = g.plain("rows.some", "Max", &[&left, &none]);
        let steps = g.plain("steps.all", "Div", &[&left, &each]);
        g.plain("max_steps", "Min", &[max_steps, &steps])
    }))
}

/// Appends rows [batch, rows] to a trace [batch, rows, 2]: all rows of a step, including those with key 0.
pub fn append(g: &mut Graph, trace: &str, keys: &str, values: &str) -> Name {
    let last = g.initializer("const/last", Tensor::list(&[-1i64]));
    let keys = g.plain("key.column", "Unsqueeze", &[keys, &last]);
    let values = g.plain("value.column", "Unsqueeze", &[values, &last]);
    let rows = g.along("rows", "Concat", 2, &[&keys, &values]);
    g.along("trace", "Concat", 1, &[trace, &rows])
}

/// Turns the frozen tables into rows.
pub fn tables(g: &mut Graph, scores: Scores, frozen: &Frozen) -> Tables {
    let Frozen { lookup, batch, zero_row: zero, .. } = frozen;
    let begin = g.initializer("const/range", Tensor::list(&[0i64]));
    let before_last = g.initializer("const/last", Tensor::list(&[-1i64]));
    let end = g.initializer("const/end", Tensor::list(&[i64::MAX]));
    let none = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let key_shape = g.initializer("attention/keys", Tensor::list(&[1i64, 1, -1]));
    let column_shape = g.initializer("attention/column", Tensor::list(&[1i64, -1, 1]));
    g.group("attended", "The frozen tables as rows: their keys are 0, 1, ….", |g| {
        let entries = g.plain("entries", "Slice", &[lookup, &begin, &before_last]);
        let count = g.plain("count.list", "Shape", &[&entries]);
        let count = g.plain("count", "Reshape", &[&count, &scalar]);
        let keys = g.plain("index", "Range", &[&none, &count, &one]);
        let keys = g.cast("key", &keys, DataType::Double);
        match scores {
            Scores::Hard => {
                let sink = g.plain("sink", "Slice", &[lookup, &before_last, &end]);
                Tables::Hard {
                    keys: g.plain("keys", "Reshape", &[&keys, &key_shape]),
                    values: g.along("values", "Concat", 0, &[&sink, &entries]),
                }
            }
            Scores::Softmax => {
                let keys = g.plain("key.column", "Reshape", &[&keys, &column_shape]);
                let values = g.plain("value.column", "Reshape", &[&entries, &column_shape]);
                let each = g.plain("values.each", "Mul", &[&values, zero]);
                let keys = g.plain("keys.each", "Add", &[&keys, &each]);
                let values = g.plain("values", "Add", &[&values, &each]);
                Tables::Softmax {
                    k: key_vectors(g, "key", &keys, None, batch),
                    v: value_vectors(g, "value", &values, zero),
                }
            }
        }
    })
}

/// Reads the trace: double [batch, reads].
pub fn read(g: &mut Graph, scores: Scores, frozen: &Frozen, trace: &str, queries: &str, role: &str) -> Name {
    let name = |part: &str| format!("{role}.{part}");
    let columns = g.initializer("const/columns", Tensor::list(&[1i64, 1]));
    let parts = [name("trace.key"), name("trace.value")];
    let [keys, values] = g.split(&name("trace"), 2, trace, &columns, parts.each_ref().map(String::as_str));
    match scores {
        Scores::Softmax => {
            let keys = distinguish(g, role, &keys, NOWHERE);
            let k = key_vectors(g, &name("k"), &keys, Some(EPSILON), &frozen.batch);
            let v = value_vectors(g, &name("v"), &values, &frozen.zero_row);
            softmax(g, role, queries, &k, &v)
        }
        Scores::Hard => {
            let rows = g.initializer("attention/rows", Tensor::list(&[0i64, 1, -1]));
            let list = g.initializer("attention/list", Tensor::list(&[0i64, -1]));
            let nothing = g.initializer("attention/nothing", Tensor::scalar(0f64));
            let keys = distinguish(g, role, &keys, -1.0);
            let keys = g.plain(&name("keys.row"), "Reshape", &[&keys, &rows]);
            // Keys below 0 are those of rows that are not to be appended.
            let queries = g.plain(&name("query"), "Max", &[queries, &nothing]);
            let winners = hardmax(g, role, &queries, &keys);
            let values = g.plain(&name("value.list"), "Reshape", &[&values, &list]);
            let sink = g.plain(&name("value.sink"), "Reshape", &[&frozen.zero_row, &list]);
            let values = g.along(&name("values"), "Concat", 1, &[&sink, &values]);
            g.along(role, "GatherElements", 1, &[&values, &winners])
        }
    }
}

/// Reads the tables: double [batch, lookups].
pub fn look_up(g: &mut Graph, tables: &Tables, queries: &str) -> Name {
    match tables {
        Tables::Softmax { k, v } => softmax(g, "entry", queries, k, v),
        Tables::Hard { keys, values } => {
            let winners = hardmax(g, "entry", queries, keys);
            g.plain("entry", "Gather", &[values, &winners])
        }
    }
}

/// Replaces the key 0 of rows that are not to be appended by a number that is no key.
fn distinguish(g: &mut Graph, role: &str, keys: &str, instead: f64) -> Name {
    let name = |part: &str| format!("{role}.{part}");
    let one = g.initializer("const/one.number", Tensor::scalar(1f64));
    let instead = g.initializer("attention/nowhere", Tensor::scalar(instead));
    // 1 for a key, 0 for none.
    let some = g.plain(&name("row.some"), "Min", &[keys, &one]);
    let none = g.plain(&name("row.none"), "Sub", &[&one, &some]);
    let away = g.plain(&name("row.away"), "Mul", &[&none, &instead]);
    g.plain(&name("row.distinct"), "Add", &[keys, &away])
}

/// Returns, for each query, the index of the row with the largest score, the latest one if there are several;
/// 0 is the sink. Queries [batch, n], keys [batch, 1, rows].
fn hardmax(g: &mut Graph, role: &str, queries: &str, keys: &str) -> Name {
    let role = |part: &str| format!("{role}.{part}");
    let last = g.initializer("const/last", Tensor::list(&[-1i64]));
    let half = g.initializer("attention/sink", Tensor::scalar(-0.5f64));
    let queries = g.plain(&role("query.column"), "Unsqueeze", &[queries, &last]);
    let distance = g.plain(&role("distance"), "Sub", &[&queries, keys]);
    let square = g.plain(&role("square"), "Mul", &[&distance, &distance]);
    let scores = g.plain(&role("score"), "Neg", &[&square]);
    let zero = g.plain(&role("sink.zero"), "Sub", &[&queries, &queries]);
    let sink = g.plain(&role("sink"), "Add", &[&zero, &half]);
    let scores = g.along(&role("scores"), "Concat", 2, &[&sink, &scores]);
    let attributes = vec![
        Attribute::Int("axis", 2),
        Attribute::Int("keepdims", 0),
        Attribute::Int("select_last_index", 1),
    ];
    g.op(&role("winner"), "ArgMax", &[&scores], attributes)
}

/// Splits numbers into digits of 16 bits, high and low.
fn digits(g: &mut Graph, role: &str, numbers: &str) -> [Name; 2] {
    let role = |part: &str| format!("{role}.{part}");
    let down = g.initializer("attention/2^-16", Tensor::scalar(2f64.powi(-16)));
    let up = g.initializer("attention/2^16", Tensor::scalar(2f64.powi(16)));
    let scaled = g.plain(&role("scaled"), "Mul", &[numbers, &down]);
    let positive = g.plain(&role("relu"), "Relu", &[&scaled]);
    let high = g.plain(&role("high"), "Floor", &[&positive]);
    let above = g.plain(&role("above"), "Mul", &[&high, &up]);
    [high, g.plain(&role("low"), "Sub", &[numbers, &above])]
}

/// Makes `K` of rows with the keys [batch, rows, 1], the sink first: [batch, 1, rows, 4].
fn key_vectors(g: &mut Graph, role: &str, keys: &str, later: Option<f64>, batch: &str) -> Name {
    let [high, low] = digits(g, role, keys);
    let role = |part: &str| format!("{role}.{part}");
    let two = g.initializer("attention/two", Tensor::scalar(2f64));
    let sink = g.initializer("attention/sink.key", Tensor::new(&[1, 1, 4], [0f64, 0., 0., 1.]));
    let sink_shape = g.initializer("attention/sink.shape", Tensor::list(&[1i64, 4]));
    let heads = g.initializer("attention/heads", Tensor::list(&[1i64]));
    let high2 = g.plain(&role("high.square"), "Mul", &[&high, &high]);
    let low2 = g.plain(&role("low.square"), "Mul", &[&low, &low]);
    let squares = g.plain(&role("square"), "Add", &[&high2, &low2]);
    let mut bias = g.plain(&role("bias"), "Neg", &[&squares]);
    if let Some(epsilon) = later {
        let epsilon = g.initializer("attention/epsilon", Tensor::scalar(epsilon));
        let rows = g.initializer("attention/rows.axis", Tensor::scalar(1i64));
        let none = g.initializer("const/zero", Tensor::scalar(0i64));
        let one = g.initializer("const/one", Tensor::scalar(1i64));
        let column = g.initializer("attention/column", Tensor::list(&[1i64, -1, 1]));
        let shape = g.plain(&role("shape"), "Shape", &[keys]);
        let count = g.plain(&role("rows"), "Gather", &[&shape, &rows]);
        let index = g.plain(&role("row"), "Range", &[&none, &count, &one]);
        let index = g.cast(&role("row.number"), &index, DataType::Double);
        let index = g.plain(&role("row.scaled"), "Mul", &[&index, &epsilon]);
        let index = g.plain(&role("row.column"), "Reshape", &[&index, &column]);
        bias = g.plain(&role("bias.row"), "Add", &[&bias, &index]);
    }
    let double_high = g.plain(&role("high.double"), "Mul", &[&high, &two]);
    let double_low = g.plain(&role("low.double"), "Mul", &[&low, &two]);
    let nothing = g.plain(&role("zero"), "Sub", &[&low, &low]);
    let vectors = g.along(&role("rows.vector"), "Concat", 2, &[&double_high, &double_low, &bias, &nothing]);
    let shape = g.along(&role("sink.shape"), "Concat", 0, &[batch, &sink_shape]);
    let sink = g.plain(&role("sink"), "Expand", &[&sink, &shape]);
    let vectors = g.along(&role("vectors"), "Concat", 1, &[&sink, &vectors]);
    g.plain(&role("vector"), "Unsqueeze", &[&vectors, &heads])
}

/// Makes `V` of rows with the values [batch, rows, 1], the sink's 0 first: [batch, 1, rows, 1].
fn value_vectors(g: &mut Graph, role: &str, values: &str, zero: &str) -> Name {
    let heads = g.initializer("attention/heads", Tensor::list(&[1i64]));
    let values = g.along(&format!("{role}.rows"), "Concat", 1, &[zero, values]);
    g.plain(&format!("{role}.vector"), "Unsqueeze", &[&values, &heads])
}

/// Applies ONNX's own attention with one head to queries [batch, n], `K` and `V` as above. Returns [batch,
/// n].
fn softmax(g: &mut Graph, role: &str, queries: &str, k: &str, v: &str) -> Name {
    let last = g.initializer("const/last", Tensor::list(&[-1i64]));
    let half = g.initializer("attention/sink", Tensor::scalar(-0.5f64));
    let one = g.initializer("const/one.number", Tensor::scalar(1f64));
    let heads = g.initializer("attention/heads", Tensor::list(&[1i64]));
    let list = g.initializer("attention/list", Tensor::list(&[0i64, -1]));
    let column = g.plain(&format!("{role}.column"), "Unsqueeze", &[queries, &last]);
    let [high, low] = digits(g, &format!("{role}.query"), &column);
    let name = |part: &str| format!("{role}.{part}");
    let high2 = g.plain(&name("query.high.square"), "Mul", &[&high, &high]);
    let low2 = g.plain(&name("query.low.square"), "Mul", &[&low, &low]);
    let squares = g.plain(&name("query.square"), "Add", &[&high2, &low2]);
    let sink = g.plain(&name("query.sink"), "Add", &[&squares, &half]);
    let zero = g.plain(&name("query.zero"), "Sub", &[&low, &low]);
    let ones = g.plain(&name("query.one"), "Add", &[&zero, &one]);
    let q = g.along(&name("query.vectors"), "Concat", 2, &[&high, &low, &ones, &sink]);
    let q = g.plain(&name("query.vector"), "Unsqueeze", &[&q, &heads]);
    let attributes =
        vec![Attribute::Float("scale", SCALE), Attribute::Int("softmax_precision", DataType::Double as i64)];
    let found = g.op(&name("attention"), "Attention", &[&q, k, v], attributes);
    g.plain(role, "Reshape", &[&found, &list])
}
