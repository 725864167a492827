//! The frozen tensors, and the prologue that expands them to the tensors that a step gathers from.

use crate::proto::DataType;
use wasm2onnx_runtime::Network;

use super::graph::{Graph, Name, Tensor};
use super::plan::Plan;
use crate::pack::{self, FACTORS, Matrices, ROW};

/// Padded lists of terms, one row for each expert.
pub struct Padded {
    /// Elements of `y`, int32 [experts, width].
    pub sources: Name,
    /// Slots, int32 [experts, width].
    pub slots: Name,
    /// Weights, double [experts, width].
    pub weights: Name,
}

/// Expands the packed matrices: each expert's list is padded to the length of the longest with terms of
/// weight 0, and its first term is the constant of the next expert's id.
pub fn matrices(g: &mut Graph, plan: &Plan) -> Padded {
    let Matrices { next, counts, sources, slots, weights, values } =
        Matrices::pack(plan.network, &plan.results);
    let experts = next.len();
    // A program may do nothing at all, but `Reshape` takes a 0 as the input's length.
    let width = counts.iter().copied().max().unwrap_or(0).max(1) as usize;
    let terms = sources.len();
    let i64s = |x: usize| Tensor::list(&[x as i64]);
    let next = g.initializer("weights/next", Tensor::smallest(next));
    let counts = g.initializer("weights/counts", Tensor::smallest(counts));
    let sources = g.initializer("weights/sources", Tensor::smallest(sources));
    let slot_list = g.initializer("weights/slots", Tensor::smallest(slots));
    let indices = g.initializer("weights/indices", Tensor::smallest(weights));
    let values = g.initializer("weights/values", Tensor::list(&values));
    let cells = g.initializer("weights/cells", i64s(experts * width));
    let rows = g.initializer("weights/shape", Tensor::list(&[experts as i64, width as i64]));
    let column = g.initializer("weights/column", Tensor::list(&[experts as i64, 1]));
    let ends_shape = g.initializer("weights/ends", i64s(terms + 1));
    let term_count = g.initializer("weights/terms", Tensor::scalar(terms as i64));
    let term_range = g.initializer("weights/range", Tensor::list(&[0i64]));
    let term_end = g.initializer("weights/range.end", i64s(terms));
    let width = g.initializer("weights/width", i64s(width));
    let expert_count = g.initializer("weights/experts", Tensor::scalar(experts as i64));
    let next_slot = g.initializer("weights/next.slot", Tensor::new(&[1, 1], [plan.slots.count() as i32]));
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));

    g.group("expand", "Expands the frozen matrices: lists of terms are padded to one length.", |g| {
        // Term j of the concatenated lists goes to position j plus the padding of all experts before its own:
        // a running sum of what is noted at each list's end.
        let counts = g.cast("count", &counts, DataType::Int64);
        let filling = g.plain("filling", "Sub", &[&width, &counts]);
        let ends = g.plain("end", "CumSum", &[&counts, &zero]);
        let none = g.filled("mark.none", &ends_shape, 0i64);
        let marks = g.add_at("mark", &none, &ends, &filling);
        let shifts = g.plain("shift.all", "CumSum", &[&marks, &zero]);
        let shift = g.plain("shift", "Slice", &[&shifts, &term_range, &term_end]);
        let index = g.plain("index", "Range", &[&zero, &term_count, &one]);
        let position = g.plain("place", "Add", &[&index, &shift]);

        let sources = g.cast("source", &sources, DataType::Int32);
        let none = g.filled("source.none", &cells, 0i32);
        let sources = rows_of(g, ["source.place", "source.row"], &none, &position, &sources, &rows);
        let slot = g.cast("slot", &slot_list, DataType::Int32);
        let none = g.filled("slot.none", &cells, 0i32);
        let slot = rows_of(g, ["slot.place", "slot.row"], &none, &position, &slot, &rows);
        let indices = g.cast("weight.index", &indices, DataType::Int64);
        let weights = g.plain("weight.value", "Gather", &[&values, &indices]);
        let none = g.filled("weight.none", &cells, 0f64);
        let weights = rows_of(g, ["weight.place", "weight.row"], &none, &position, &weights, &rows);

        let own = g.plain("next.own", "Range", &[&zero, &expert_count, &one]);
        let next = g.cast("next.relative", &next, DataType::Int64);
        let next = g.plain("next.id", "Add", &[&own, &next]);
        let next = g.cast("next.weight", &next, DataType::Double);
        let next = g.plain("next.column", "Reshape", &[&next, &column]);
        let next_source = g.filled("next.source", &column, 0i32);
        let next_slots = g.plain("next.slot", "Expand", &[&next_slot, &column]);
        Padded {
            sources: g.along("sources", "Concat", 1, &[&next_source, &sources]),
            slots: g.along("slots", "Concat", 1, &[&next_slots, &slot]),
            weights: g.along("weights", "Concat", 1, &[&next, &weights]),
        }
    })
}

/// Writes a list's elements to their positions in a matrix.
fn rows_of(g: &mut Graph, roles: [&str; 2], none: &str, positions: &str, list: &str, shape: &str) -> Name {
    let placed = g.along(roles[0], "ScatterElements", 0, &[none, positions, list]);
    g.plain(roles[1], "Reshape", &[&placed, shape])
}

/// Makes one list of the frozen tables, with a 0 behind them that queries out of range read.
pub fn tables(g: &mut Graph, network: &Network) -> Name {
    let (factors, rest) = pack::factors(&network.lookup);
    // The entries before the first that is not a byte are stored as bytes.
    let bytes = rest.iter().take_while(|x| x.fract() == 0.0 && (0.0..256.0).contains(*x)).count();
    let narrow: Vec<u8> = rest[..bytes].iter().map(|x| *x as u8).collect();
    let mut wide = rest[bytes..].to_vec();
    wide.push(0.0);
    let exact = wide.iter().all(|x| x.fract() == 0.0 && x.abs() < (1u64 << 53) as f64);
    let wide = match exact {
        true => Tensor::smallest(wide.iter().map(|x| *x as i64).collect()),
        false => Tensor::list(&wide),
    };
    let rows = factors.len() / FACTORS;
    // Single floats hold all factors, and take less room than integers where one of these is large.
    let factors = match factors.iter().all(|x| x.unsigned_abs() < 1 << 15) {
        true => Tensor::smallest(factors).shaped(&[rows, FACTORS]),
        false => Tensor::new(&[rows, FACTORS], factors.iter().map(|x| *x as f32)),
    };
    let factors = g.initializer("tables/factors", factors);
    let narrow = g.initializer("tables/bytes", Tensor::list(&narrow));
    let wide = g.initializer("tables/numbers", wide);
    // Which factors count for a byte: what its low half says, and what its high half adds to that.
    let half = |scale: usize| {
        let is_there = |i| pack::pattern(i / 16, i % 16 * scale) && (scale == 1 || i >= 16);
        (0..FACTORS * 16).map(is_there).map(u8::from).collect::<Vec<_>>()
    };
    let low = g.initializer("const/patterns.low", Tensor::new(&[FACTORS, 1, 16], half(1)));
    let high = g.initializer("const/patterns.high", Tensor::new(&[FACTORS, 16, 1], half(16)));
    let shape = g.initializer("const/patterns.shape", Tensor::list(&[FACTORS as i64, ROW as i64]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    g.group(
        "lookup",
        "The frozen tables, one after the other; the first ones are sums of factors of the bits of a byte.",
        |g| {
            let factors = g.cast("factors.number", &factors, DataType::Double);
            let low = g.cast("patterns.low", &low, DataType::Double);
            let high = g.cast("patterns.high", &high, DataType::Double);
            let patterns = g.plain("patterns.halves", "Add", &[&low, &high]);
            let patterns = g.plain("patterns", "Reshape", &[&patterns, &shape]);
            let sums = g.plain("sums", "MatMul", &[&factors, &patterns]);
            let sums = g.plain("sums.flat", "Reshape", &[&sums, &flat]);
            let narrow = g.cast("bytes.number", &narrow, DataType::Double);
            let wide = g.cast("numbers.number", &wide, DataType::Double);
            g.along("entries", "Concat", 0, &[&sums, &narrow, &wide])
        },
    )
}
