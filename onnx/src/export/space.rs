//! The space of keys as a paged run sees it: the chunks that there are from the start, and what a chunk holds
//! when it is made.

use super::given::Given;
use super::graph::{Graph, Name, Tensor};
use super::paged::{self, PAGE};
use super::plan::{Plan, STORED_PAGE};
use super::trace::FirstRowTensors;
use crate::proto::DataType;

/// Maximum number of chunks, without those of the input: the directory has a number for each.
const MAX_CHUNKS: u64 = 1 << 17;

/// The space of keys.
pub struct Space {
    /// Number of pages of a chunk: a power of two.
    pub pages: usize,
    /// The bytes that are given: uint8 [n].
    pub input: Name,
    /// The key of its first byte: int64 [1].
    begin: Name,
    /// For each chunk, its slot minus its number, which is negative for most: int64 [chunks].
    pub shift: Name,
    /// Number of chunks that there are from the start, without that of slot 0: int64 scalar.
    pub made: Name,
    /// The directory that a run begins with: int64 [1, chunks].
    pub directory: Name,
    /// The last cell of the last chunk, which is never written: double [1].
    pub last_cell: Name,
}

impl Space {
    /// Describes the space without the values of the graph: they exist only in the nodes before the run.
    pub fn of(plan: &Plan) -> Space {
        let none = Name::new;
        Space {
            pages: pages(plan),
            input: none(),
            begin: none(),
            shift: none(),
            made: none(),
            directory: none(),
            last_cell: none(),
        }
    }

    /// Returns the number of cells of a chunk.
    pub fn cells(&self) -> usize {
        self.pages * PAGE
    }

    /// Makes the space. From the start there are chunks for first rows, chunks for the pages that are
    /// resident then, and the chunk in which the input begins, which may hold other cells as well.
    pub fn new(g: &mut Graph, plan: &Plan, rows: &FirstRowTensors, given: &Given) -> Space {
        let space = Space::of(plan);
        let cells = space.cells() as i64;
        let resident = paged::frames(plan).div_ceil(space.pages) as i64;
        let used = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
        let stored = g.initializer("trace/pages.cells", Tensor::scalar(STORED_PAGE as i64));
        let begin = g.initializer("trace/input.begin", Tensor::list(&[first_of_input(plan)]));
        let per_chunk = g.initializer("pages/chunk.cells", Tensor::list(&[cells]));
        let pages = g.initializer("pages/chunk.pages", Tensor::list(&[space.pages as i64]));
        let least = g.initializer("pages/chunks.least", Tensor::list(&[resident]));
        let resident =
            g.initializer("pages/chunks.resident", Tensor::list(&(0..resident).collect::<Vec<_>>()));
        let experts = g.initializer("pages/experts", Tensor::list(&[plan.network.experts.len() as i64]));
        let zero = g.initializer("const/zero", Tensor::scalar(0i64));
        let one = g.initializer("const/one", Tensor::scalar(1i64));
        let single = g.initializer("const/single", Tensor::list(&[1i64]));
        let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
        let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
        let front = g.initializer("const/front", Tensor::list(&[0i64]));
        g.group("directory", "Which chunks of memory there are from the start, and where.", |g| {
            let read = g.plain("read", "Shape", &[&given.bytes]);
            let used = g.plain("used", "Add", &[&used, &read]);
            // One more cell than is used, since the last one is never written.
            let count = g.plain("chunks.all", "Div", &[&used, &per_chunk]);
            let count = g.plain("chunks.used", "Add", &[&count, &single]);
            let count = g.plain("chunks", "Max", &[&count, &least]);
            let last = g.plain("cells", "Mul", &[&count, &per_chunk]);
            let last = g.plain("last", "Sub", &[&last, &single]);
            let last_cell = g.cast("last.number", &last, DataType::Double);

            let stored = g.plain("stored", "Mul", &[&rows.pages, &stored]);
            let stored = g.plain("stored.keys", "Reshape", &[&stored, &flat]);
            let keys = g.along("keys", "Concat", 0, &[&stored, &rows.keys, &begin]);
            let chunks = g.plain("keys.chunk", "Div", &[&keys, &per_chunk]);
            let chunks = g.along("needed", "Concat", 0, &[&resident, &chunks]);
            let each = g.plain("needed.shape", "Shape", &[&chunks]);
            let each = g.filled("needed.each", &each, 1i64);
            let none = g.filled("none", &count, 0i64);
            let often = g.add_at("often", &none, &chunks, &each);
            let there = g.plain("there", "Min", &[&often, &one]);
            let slots = g.plain("slots", "CumSum", &[&there, &zero]);
            let made = g.largest("made", &slots);
            let slots = g.plain("slot", "Mul", &[&slots, &there]);
            let end = g.plain("chunks.scalar", "Reshape", &[&count, &scalar]);
            let numbers = g.plain("number", "Range", &[&zero, &end, &one]);
            let shift = g.plain("shift", "Sub", &[&slots, &numbers]);
            let base = g.plain("base.pages", "Mul", &[&shift, &pages]);
            let base = g.plain("base", "Add", &[&base, &experts]);
            let directory = g.plain("all", "Unsqueeze", &[&base, &front]);
            Space {
                input: given.bytes.clone(),
                begin: begin.clone(),
                shift,
                made,
                directory,
                last_cell,
                ..space
            }
        })
    }

    /// Makes the chunk with a number, int64 [1]: its pages, double [pages, cells], hold zeros and the bytes
    /// of the input that lie in it.
    pub fn make(&self, g: &mut Graph, chunk: &str) -> Name {
        let cells = g.initializer("pages/chunk.cells", Tensor::list(&[self.cells() as i64]));
        let shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
        let none = g.initializer("const/zero", Tensor::scalar(0i64));
        let first = g.plain("first", "Mul", &[chunk, &cells]);
        let begin = g.plain("begin.any", "Sub", &[&first, &self.begin]);
        let end = g.plain("end.any", "Add", &[&begin, &cells]);
        let begin = g.plain("begin", "Max", &[&begin, &none]);
        let end = g.plain("end", "Max", &[&end, &none]);
        let bytes = g.plain("bytes", "Slice", &[&self.input, &begin, &end]);
        let count = g.plain("bytes.count", "Shape", &[&bytes]);
        let bytes = g.cast("bytes.number", &bytes, DataType::Double);
        let rest = g.plain("rest.count", "Sub", &[&cells, &count]);
        let rest = g.filled("rest", &rest, 0f64);
        let all = g.along("cells", "Concat", 0, &[&bytes, &rest]);
        g.plain("pages", "Reshape", &[&all, &shape])
    }
}

/// Returns the key of the first byte that is given, or 0, which is the key of nothing, if the program uses none.
pub fn first_of_input(plan: &Plan) -> i64 {
    plan.network.io.input.map_or(0, |region| plan.network.regions[region].first as i64)
}

/// Returns the number of pages of a chunk. If the whole memory is touched, replacing a chunk costs about as
/// much for each of its pages as for ten other chunks in the sequence; and the size of the directory is
/// limited. The regions of what is printed count only for the directory, since little of them is touched.
fn pages(plan: &Plan) -> usize {
    let io = &plan.network.io;
    let outputs = [io.stdout, io.stderr].into_iter().flatten();
    let output: u64 = outputs.map(|(region, _)| plan.network.regions[region].count).sum();
    let all = plan.first_cells() / PAGE as u64;
    let touched = (plan.first_cells() - output) / PAGE as u64;
    let quick = (touched / 10).isqrt().next_power_of_two().clamp(8, 256);
    quick.max(all.div_ceil(MAX_CHUNKS).next_power_of_two()) as usize
}
