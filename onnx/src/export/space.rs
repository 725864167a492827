//! The space of keys as a paged run sees it: the chunks that there are from the start, and what a chunk holds
//! when it is made.

use super::given::Given;
use super::graph::{Attribute, Graph, Name, Tensor};
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
    /// Number of chunks that are there from the start, without that of slot 0: those of the pages that are
    /// resident then.
    pub made: usize,
    /// What a chunk holds when it is made.
    first: First,
    /// The directory that a run begins with: int64 [1, chunks].
    pub directory: Name,
    /// The smallest and the largest of each query, key, lookup and expert: double [1, ids].
    pub floor: Name,
    pub top: Name,
}

/// What memory begins with, in the order of the keys.
#[derive(Default)]
struct First {
    /// Rows of the network.
    rows: FirstRowTensors,
    /// For each chunk up to the last that has such rows, the index of its first stored page, and that of its
    /// first number; then how many there are: int64 [chunks + 1].
    page_index: Name,
    key_index: Name,
    /// The number of the last of these indices: int64 scalar.
    last_index: Name,
    /// Keys and values of numbers that are given: int64 and double [n].
    keys: Name,
    numbers: Name,
    /// The bytes that are given: uint8 [n].
    bytes: Name,
    /// The key of the first of them: int64 [1].
    begin: Name,
}

impl Space {
    /// Describes the space without the values of the graph: they exist only in the nodes before the run.
    pub fn of(plan: &Plan) -> Space {
        let pages = pages(plan);
        Space {
            pages,
            made: paged::frames(plan).div_ceil(pages),
            first: First::default(),
            directory: Name::new(),
            floor: Name::new(),
            top: Name::new(),
        }
    }

    /// Returns the number of cells of a chunk.
    pub fn cells(&self) -> usize {
        self.pages * PAGE
    }

    /// Makes the space.
    pub fn new(g: &mut Graph, plan: &Plan, given: &Given) -> Space {
        let space = Space::of(plan);
        let (pages, experts) = (space.pages as i64, plan.network.experts.len() as i64);
        let made = vec![pages + experts; space.made];
        let made = g.initializer("pages/chunks.made", Tensor::list(&made));
        let step = g.initializer("pages/chunk.before", Tensor::scalar(-pages));
        let zero_base = g.initializer("pages/experts", Tensor::list(&[experts]));
        let first_base = experts - pages * space.made as i64;
        let first_base = g.initializer("pages/base.unmade", Tensor::scalar(first_base));
        let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
        let front = g.initializer("const/front", Tensor::list(&[0i64]));
        let first = First::new(g, plan, &space, given);
        g.group("directory", "Which chunks of memory there are from the start, and where.", |g| {
            let read = g.plain("read", "Shape", &[&given.bytes]);
            let Extent { chunks, floor, top } = Extent::new(g, plan, &read, space.cells(), space.made);
            // A chunk that is not made is in slot 0: its entries in the table are those of slot 0.
            let end = g.plain("base.end.pages", "Mul", &[&chunks, &step]);
            let end = g.plain("base.end.list", "Add", &[&end, &zero_base]);
            let end = g.plain("base.end", "Reshape", &[&end, &scalar]);
            let unmade = g.plain("unmade", "Range", &[&first_base, &end, &step]);
            let base = g.along("base", "Concat", 0, &[&made, &unmade]);
            let directory = g.plain("all", "Unsqueeze", &[&base, &front]);
            Space { first, directory, floor, top, ..space }
        })
    }

    /// Makes the chunks that are there from the start: their pages, double [pages, cells].
    pub fn make_first(&self, g: &mut Graph) -> Name {
        let first = g.initializer("const/front", Tensor::list(&[0i64]));
        self.make(g, "make.first", &first, self.made)
    }

    /// Makes the chunk with a number, int64 [1]: its pages, double [pages, cells].
    pub fn make_one(&self, g: &mut Graph, chunk: &str) -> Name {
        self.make(g, "make.one", chunk, 1)
    }

    /// Makes so many chunks, from the one with a number, int64 [1]: their pages hold the first rows, what is
    /// given, and zeros. `what` is what their sizes are called.
    fn make(&self, g: &mut Graph, what: &str, chunk: &str, count: usize) -> Name {
        let first = &self.first;
        // What is given elsewhere goes to a cell before or behind.
        let aside = STORED_PAGE as i64;
        let cells = (count * self.cells()) as i64;
        let per_chunk = g.initializer("pages/chunk.cells", Tensor::list(&[self.cells() as i64]));
        let stored = (self.cells() / STORED_PAGE) as i64;
        let stored = g.initializer("trace/chunk.pages", Tensor::scalar(stored));
        let chunks = g.initializer(&format!("{what}/count"), Tensor::list(&[count as i64]));
        let size = g.initializer(&format!("{what}/cells"), Tensor::list(&[cells]));
        let end = g.initializer(&format!("{what}/end"), Tensor::list(&[aside + cells]));
        let before = g.initializer("make/before", Tensor::scalar(aside - 1));
        let aside = g.initializer("make/aside", Tensor::list(&[aside]));
        let one = g.initializer("const/one", Tensor::scalar(1i64));
        let none = g.initializer("const/zero", Tensor::scalar(0i64));
        let shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
        let stored_shape = g.initializer("make/stored", Tensor::list(&[-1i64, STORED_PAGE as i64]));
        let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
        let key = g.plain("key", "Mul", &[chunk, &per_chunk]);

        // The bytes that are given, between zeros.
        let begin = g.plain("bytes.begin.any", "Sub", &[&key, &first.begin]);
        let stop = g.plain("bytes.end.any", "Add", &[&begin, &size]);
        let before_bytes = g.plain("bytes.before.any", "Sub", &[&first.begin, &key]);
        let begin = g.plain("bytes.begin", "Max", &[&begin, &none]);
        let stop = g.plain("bytes.end", "Max", &[&stop, &none]);
        let bytes = g.plain("bytes", "Slice", &[&first.bytes, &begin, &stop]);
        let before_bytes = g.plain("bytes.before.some", "Max", &[&before_bytes, &none]);
        let before_bytes = g.plain("bytes.before", "Min", &[&before_bytes, &size]);
        let length = g.plain("bytes.count", "Shape", &[&bytes]);
        let behind = g.plain("bytes.behind.all", "Sub", &[&size, &before_bytes]);
        let behind = g.plain("bytes.behind", "Sub", &[&behind, &length]);
        let before_bytes = g.plain("bytes.before.count", "Add", &[&before_bytes, &aside]);
        let behind = g.plain("bytes.behind.count", "Add", &[&behind, &aside]);
        let before_bytes = g.filled("before", &before_bytes, 0f64);
        let behind = g.filled("behind", &behind, 0f64);
        let bytes = g.cast("bytes.number", &bytes, DataType::Double);
        let all = g.along("with.bytes", "Concat", 0, &[&before_bytes, &bytes, &behind]);

        // The network's rows in these chunks.
        let from = g.plain("rows.begin", "Min", &[chunk, &first.last_index]);
        let to = g.plain("rows.end.any", "Add", &[chunk, &chunks]);
        let to = g.plain("rows.end", "Min", &[&to, &first.last_index]);
        let mut part = |role: &str, index: &str, parts: [(&str, &str); 2]| {
            let from = g.plain(&format!("{role}.begin"), "Gather", &[index, &from]);
            let to = g.plain(&format!("{role}.end"), "Gather", &[index, &to]);
            parts.map(|(role, all)| g.plain(role, "Slice", &[all, &from, &to]))
        };
        let rows = &first.rows;
        let [pages, bytes] =
            part("stored", &first.page_index, [("stored.pages", &rows.pages), ("stored.bytes", &rows.bytes)]);
        let [keys, values] =
            part("numbers", &first.key_index, [("numbers.keys", &rows.keys), ("numbers", &rows.values)]);
        let first_stored = g.plain("stored.first", "Mul", &[chunk, &stored]);
        let first_stored = g.plain("stored.before", "Sub", &[&first_stored, &one]);
        let pages = g.plain("stored.place", "Sub", &[&pages, &first_stored]);
        let bytes = g.cast("stored.number", &bytes, DataType::Double);
        let all = g.plain("stored.all", "Reshape", &[&all, &stored_shape]);
        let sum = || vec![Attribute::Text("reduction", "add")];
        let all = g.op("with.stored", "ScatterND", &[&all, &pages, &bytes], sum());
        let all = g.plain("with.stored.flat", "Reshape", &[&all, &flat]);

        // Numbers of the network, and those that are given.
        let first_key = g.plain("numbers.first", "Sub", &[&key, &aside]);
        let keys = g.plain("numbers.place", "Sub", &[&keys, &first_key]);
        let given = g.plain("given.any", "Sub", &[&first.keys, &first_key]);
        let given = g.plain("given.some", "Max", &[&given, &before]);
        let given = g.plain("given.place", "Min", &[&given, &end]);
        let places = g.along("places", "Concat", 0, &[&keys, &given]);
        let values = g.along("values", "Concat", 0, &[&values, &first.numbers]);
        let all = g.add_at("with.numbers", &all, &places, &values);
        let all = g.plain("cells", "Slice", &[&all, &aside, &end]);
        g.plain("pages", "Reshape", &[&all, &shape])
    }
}

/// How far a trace in chunks goes.
pub struct Extent {
    /// Number of chunks: int64 [1].
    pub chunks: Name,
    /// The smallest and the largest of each query, key, lookup and expert: double [1, ids]. The last cell of the last chunk is the largest
    /// key; it is never written.
    pub floor: Name,
    pub top: Name,
}

impl Extent {
    /// Makes it for chunks of so many cells, at least so many of them, if the caller gives so many bytes, int64 [1].
    pub fn new(g: &mut Graph, plan: &Plan, given: &str, cells: usize, least: usize) -> Extent {
        let [.., q, k, _] = plan.slots.sizes();
        let used = g.initializer("trace/cells", Tensor::list(&[plan.first_cells() as i64]));
        let per_chunk = g.initializer("pages/chunk.cells", Tensor::list(&[cells as i64]));
        let least = g.initializer("pages/chunks.least", Tensor::list(&[least as i64]));
        let key_shape = g.initializer("pages/keys", Tensor::list(&[1i64, (q + k) as i64]));
        let rest = [&plan.top(0)[q + k..], &[plan.last_expert()]].concat();
        let rest = g.initializer("limits/top", Tensor::row(&rest));
        let floor = g.initializer("limits/floor", Tensor::row(&[plan.floor(), vec![0.0]].concat()));
        let single = g.initializer("const/single", Tensor::list(&[1i64]));
        let used = g.plain("used", "Add", &[&used, given]);
        // One more cell than is used, since the last one is never written.
        let chunks = g.plain("chunks.all", "Div", &[&used, &per_chunk]);
        let chunks = g.plain("chunks.used", "Add", &[&chunks, &single]);
        let chunks = g.plain("chunks", "Max", &[&chunks, &least]);
        let last = g.plain("cells", "Mul", &[&chunks, &per_chunk]);
        let last = g.plain("last", "Sub", &[&last, &single]);
        let last = g.cast("last.number", &last, DataType::Double);
        let top = g.plain("top.keys", "Expand", &[&last, &key_shape]);
        let top = g.along("top", "Concat", 1, &[&top, &rest]);
        Extent { chunks, floor, top }
    }
}

impl First {
    fn new(g: &mut Graph, plan: &Plan, space: &Space, given: &Given) -> First {
        let stored = plan.first_rows();
        let per_chunk = (space.cells() / STORED_PAGE) as i64;
        let last = |keys: &[i64], per_chunk: i64| keys.last().map_or(0, |key| key / per_chunk);
        let chunks = last(&stored.pages, per_chunk).max(last(&stored.keys, space.cells() as i64)) + 1;
        let index = |keys: &[i64], per_chunk: i64| -> Vec<i64> {
            (0..=chunks).map(|chunk| keys.partition_point(|key| key / per_chunk < chunk) as i64).collect()
        };
        let page_index = index(&stored.pages, per_chunk);
        let key_index = index(&stored.keys, space.cells() as i64);
        let page_index = g.initializer("trace/page.index", Tensor::smallest(page_index));
        let key_index = g.initializer("trace/key.index", Tensor::smallest(key_index));
        let last_index = g.initializer("trace/last.index", Tensor::scalar(chunks));
        let begin = g.initializer("trace/input.begin", Tensor::list(&[first_of_input(plan)]));
        let rows = FirstRowTensors::new(g, plan);
        g.group("rows.index", "Which rows of those that memory begins with are in which chunk.", |g| First {
            rows,
            page_index: g.cast("pages", &page_index, DataType::Int64),
            key_index: g.cast("numbers", &key_index, DataType::Int64),
            last_index,
            keys: given.keys.clone(),
            numbers: given.numbers.clone(),
            bytes: given.bytes.clone(),
            begin,
        })
    }
}

/// Returns the key of the first byte that is given, or 0, which is the key of nothing, if the program uses none.
pub fn first_of_input(plan: &Plan) -> i64 {
    plan.network.io.input.map_or(0, |region| plan.network.regions[region].first as i64)
}

/// Returns the number of pages of a chunk. Bringing in a page copies the directory once, which has a number for
/// each chunk, and the chunks of two pages some eight times in all if one of them is made; and it takes as long
/// as the copy of a page for each ten chunks in the sequence, but most programs touch little of their memory,
/// and chunks that are not touched are not made. The size of the directory is limited.
fn pages(plan: &Plan) -> usize {
    let all = plan.first_cells() / PAGE as u64;
    let quick = (all / 2048).isqrt().next_power_of_two().clamp(8, 256);
    quick.max(all.div_ceil(MAX_CHUNKS).next_power_of_two()) as usize
}
