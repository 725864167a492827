//! The step as nodes, which every form of a model repeats.
//!
//! All of the computation is here: rows are appended, the trace and the tables are read, units are
//! multiplied, and one sparse map is applied. The nodes are the same for every program.

use super::graph::{Attribute, Graph, Name, Tensor};
use super::plan::Plan;
use super::weights::Padded;
use crate::proto::DataType;

/// How a model describes it.
pub const DOC: &str =
    "One step: append rows, read the trace and the tables, multiply units, apply the expert's map.";

/// What a step uses that is the same at every step. It is made before the first.
pub struct Frozen {
    /// The matrices.
    pub matrices: Padded,
    /// The tables' entries, then a 0: double [entries].
    pub lookup: Name,
    /// Number of instances: int64 [1].
    pub batch: Name,
    /// 0 for each instance: double [batch, 1, 1].
    pub zero_row: Name,
    /// 1 for each expert that is not terminal: int64 [experts].
    pub live: Name,
    /// 1 for each instance: double [batch, 1].
    pub one: Name,
    /// 0 for each number: double [batch, numbers].
    pub zero: Name,
    /// 0 for each instance: int64 [batch].
    pub no_steps: Name,
}

/// Makes `⌊relu(·)⌋` of the gates.
pub fn quantize(g: &mut Graph, gates: &str) -> Name {
    let positive = g.plain("gate.relu", "Relu", &[gates]);
    g.plain("gate", "Floor", &[&positive])
}

/// Makes the id of an expert of its number, which is clamped to the ids that exist: int64 [batch].
pub fn expert(g: &mut Graph, plan: &Plan, number: &str) -> Name {
    let top = g.initializer("limits/experts", Tensor::scalar(plan.last_expert()));
    let bottom = g.initializer("const/zero.number", Tensor::scalar(0f64));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let e = g.plain("expert.min", "Min", &[number, &top]);
    let e = g.plain("expert.max", "Max", &[&e, &bottom]);
    let e = g.cast("expert.id", &e, DataType::Int64);
    g.plain("expert", "Reshape", &[&e, &flat])
}

/// Computes `z′ = W_e · [1, r, w, u, s]`, without quantizing the gates.
pub fn map(g: &mut Graph, frozen: &Frozen, expert: &str, parts: [&str; 4]) -> Name {
    map_onto(g, frozen, expert, parts, (&frozen.zero, None))
}

/// Adds `W_e · [1, r, w, u, s]`, multiplied with a factor for each instance, double [batch, 1], to numbers.
pub fn map_onto(
    g: &mut Graph,
    frozen: &Frozen,
    expert: &str,
    [r, w, u, s]: [&str; 4],
    (numbers, factor): (&str, Option<&str>),
) -> Name {
    let y = g.along("y", "Concat", 1, &[&frozen.one, r, w, u, s]);
    let sources = g.plain("map.source", "Gather", &[&frozen.matrices.sources, expert]);
    let slots = g.plain("map.slot", "Gather", &[&frozen.matrices.slots, expert]);
    let weights = g.plain("map.weight", "Gather", &[&frozen.matrices.weights, expert]);
    let factors = g.along("map.factor", "GatherElements", 1, &[&y, &sources]);
    let terms = g.plain("map.term", "Mul", &[&factors, &weights]);
    let terms = match factor {
        Some(factor) => g.plain("map.term.there", "Mul", &[&terms, factor]),
        None => terms,
    };
    let add = vec![Attribute::Int("axis", 1), Attribute::Text("reduction", "add")];
    g.op("z", "ScatterElements", &[numbers, &slots, &terms], add)
}

/// Multiplies the units and applies the map. `unit` is the gates, not quantized yet, and the values `v`.
pub fn apply(g: &mut Graph, frozen: &Frozen, expert: &str, unit: [&str; 2], [r, w, s]: [&str; 3]) -> Name {
    let n = quantize(g, unit[0]);
    let u = g.plain("unit", "Mul", &[&n, unit[1]]);
    map(g, frozen, expert, [r, w, &u, s])
}

/// Brings ids, as numbers, into the range of what they name. An id outside of it then names something that
/// reads as 0, or that is never read.
pub fn clamp(g: &mut Graph, ids: &str, floor: &str, top: &str) -> Name {
    let below = g.plain("id.min", "Min", &[ids, top]);
    g.plain("id.max", "Max", &[&below, floor])
}

/// Appends rows to a trace with one cell for each key, and reads it. Returns the new trace and what was read.
pub fn recall(g: &mut Graph, trace: &str, keys: &str, values: &str, queries: &str) -> (Name, Name) {
    let trace = g.along("trace", "ScatterElements", 1, &[trace, keys, values]);
    let read = g.along("read", "GatherElements", 1, &[&trace, queries]);
    (trace, read)
}

/// Computes the number of steps that are left, which is the maximum number of turns of a loop.
pub fn left(g: &mut Graph, steps: &str, max_steps: &str) -> Name {
    let spent = g.largest("steps.spent", steps);
    g.plain("steps.left", "Sub", &[max_steps, &spent])
}

/// Makes the keys of the rows that runs end with: those of terminal experts. A run that was stopped has not
/// yet appended its next rows and must not, so their keys become 0: no row.
pub fn last_keys(g: &mut Graph, frozen: &Frozen, keys: &str, expert: &str) -> Name {
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let live = g.plain("live", "Gather", &[&frozen.live, expert]);
    let ended = g.plain("ended", "Sub", &[&one, &live]);
    let ended = g.cast("ended.number", &ended, DataType::Double);
    let ended = g.plain("ended.column", "Reshape", &[&ended, &column]);
    g.plain("keys", "Mul", &[keys, &ended])
}

/// Counts the step for those instances that have not ended. Returns the steps, and whether there is such an
/// instance.
pub fn count(g: &mut Graph, frozen: &Frozen, steps: &str, expert: &str, zero: &str) -> (Name, Name) {
    let live = g.plain("live", "Gather", &[&frozen.live, expert]);
    let steps = g.plain("steps", "Add", &[steps, &live]);
    let any = g.largest("live.any", &live);
    (steps, g.plain("going", "Greater", &[&any, zero]))
}
