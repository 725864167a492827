//! The loop form for batches of functions with memory: instances run side by side, each with pages of its own.
//!
//! A step is one of all instances. An instance that needs a cell which is not in the window waits: its numbers
//! stay as they are, and what it writes is written again later. The inner loop goes on until a quarter of the
//! instances wait. Then the outer loop brings in one page for each of these, behind all that are there. No page
//! leaves the window, so nothing has to be written back, and the window is as large as what the instances have
//! touched.
//!
//! The directory says for each chunk of pages where its entries in the table are. It is the same for all
//! instances, since they run one program and touch about the same; the table has a row for each. Otherwise
//! both are those of a paged run, see [`super::paged`].

use super::graph::{Attribute, Carried, Dim, Graph, Name, Tensor, ValueType};
use super::phases::{self, RunState};
use super::plan::{Plan, STORED_PAGE};
use super::space::{Extent, first_of_input};
use super::step::{self, Frozen};
use super::trace::FirstRowTensors;
use crate::proto::DataType;

/// Number of cells of a page: pages are small, since all that are touched are carried. It is the size of the
/// pages that the file stores.
const PAGE: usize = STORED_PAGE;
/// Entry in the table for a page that is not in the window.
const ABSENT: i64 = -(1 << 60);
/// Number of flags that are counted together, see [`Batch::rank`].
const COUNTED: usize = 64;

/// Names of the steps of one turn of the inner loop: a runtime copies the window twice a turn.
const STEPS: [&str; 4] = ["step", "step.2", "step.3", "step.4"];

/// What all turns of the loops use.
pub struct Batch {
    /// Number of pages of a chunk: a power of two.
    pages: usize,
    /// What pages begin with, double [n, cells], the row of this for each page, int64 [pages], and the last
    /// of these pages, int64 scalar. Pages behind it begin with zeros.
    image: Name,
    image_row: Name,
    image_last: Name,
    /// The bytes that are given to each instance, between two zeros, one behind the other: double
    /// [batch · (n + 2)]; n, n + 2, and the key of the first byte: int64 [1].
    bytes: Name,
    bytes_count: Name,
    bytes_width: Name,
    begin: Name,
    /// The first cell of each instance: int64 [batch, 1].
    base: Name,
    /// What flags are counted with: double, one for each pair in order of a row of flags, one for each pair of
    /// different rows in order; zeros that make all rows complete; the number of instances, int64 [1].
    in_row: Name,
    rows_before: Name,
    zeros: Name,
    calls: Name,
    /// The smallest and the largest of each id, and for each the factors that make it its page and its chunk.
    floor: Name,
    top: Name,
    per_page: Name,
    per_chunk: Name,
    /// The cell that stands for each absent one: int64 [batch, ids].
    low: Name,
    /// 1 for each query and key, 0 for the other ids: int64 [1, ids].
    is_key: Name,
    /// Where the ids are in the numbers: int64 [ids].
    ids: Name,
}

/// Number of values that make up the trace of a run. In order: the window, the directory, the table.
const PARTS: usize = 3;

fn parts(trace: [Name; PARTS]) -> Vec<Carried> {
    let types = [
        ("window", window_type()),
        ("directory", ValueType::tensor(DataType::Int64, &[Dim::Named("chunks")])),
        ("table", ValueType::tensor(DataType::Int64, &[Dim::Named("batch"), Dim::Named("table")])),
    ];
    types.into_iter().zip(trace).map(|((role, ty), first)| Carried { role, ty, first }).collect()
}

fn window_type() -> ValueType {
    ValueType::tensor(DataType::Double, &[Dim::Named("window")])
}

/// Makes the trace that a run begins with, as its phases carry it. `bytes` are what each instance is given besides its arguments: double
/// [batch, n], if there are any.
pub fn first_trace(g: &mut Graph, plan: &Plan, bytes: Option<&str>, batch: &str) -> (Vec<Carried>, Batch) {
    let page = PAGE as i64;
    let all = plan.first_cells() / PAGE as u64;
    let pages = (all / 4096).isqrt().next_power_of_two().clamp(8, 1024) as usize;
    let chunk = pages as i64;
    // Each instance begins with the pages below the first key, where they are.
    let first: Vec<i64> = (0..=(plan.first as i64 - 1) / page).collect();
    let mut made: Vec<i64> = first.iter().map(|page| page / chunk).collect();
    made.dedup();
    let entries: Vec<i64> = first.iter().map(|page| page + chunk).collect();
    let bases: Vec<i64> = (1..=made.len() as i64).map(|slot| slot * chunk).collect();

    let step = g.initializer("batch/chunk.before", Tensor::scalar(-chunk));
    let places = g.initializer("batch/chunks.made", Tensor::list(&made));
    let bases = g.initializer("batch/chunks.base", Tensor::list(&bases));
    let first_pages = g.initializer("batch/pages", Tensor::row(&first));
    let own_cells = g.initializer("batch/own.cells", Tensor::scalar(first.len() as i64 * page));
    let entries = g.initializer("batch/entries", Tensor::row(&entries));
    let table_shape = g.initializer("batch/table", Tensor::list(&[(made.len() as i64 + 1) * chunk]));
    let first_shape = g.initializer("batch/first.shape", Tensor::list(&[-1, first.len() as i64 * page]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let counted = g.initializer("batch/flags", Tensor::list(&[COUNTED as i64]));
    let counted_less = g.initializer("batch/flags.less", Tensor::list(&[COUNTED as i64 - 1]));
    let flag_range =
        g.initializer("batch/flags.range", Tensor::list(&(0..COUNTED as i64).collect::<Vec<_>>()));
    let begin = g.initializer("trace/input.begin", Tensor::list(&[first_of_input(plan)]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let two = g.initializer("batch/two", Tensor::list(&[2i64]));
    let none = g.initializer("const/zero", Tensor::scalar(0i64));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let front = g.initializer("const/front", Tensor::list(&[0i64]));
    let second = g.initializer("const/axis", Tensor::list(&[1i64]));
    let (image, image_row, image_last) = image(g, plan);
    let limits = limits(g, plan, pages);
    g.group("directory", "Which pages are in the window from the start, and where.", |g| {
        let column = g.along("column", "Concat", 0, &[batch, &single]);
        let zeros = g.filled("zeros", &column, 0f64);
        let nothing = g.along("nothing.shape", "Concat", 0, &[batch, &front]);
        let nothing = g.filled("nothing", &nothing, 0f64);
        // Whatever the signature is, the nodes that follow find the bytes under one name.
        let given = g.plain("given", "Identity", &[bytes.unwrap_or(&nothing)]);
        let bytes = g.along("bytes.rows", "Concat", 1, &[&zeros, &given, &zeros]);
        let shape = g.plain("bytes.shape", "Shape", &[&bytes]);
        let bytes_width = g.along("bytes.width", "Gather", 0, &[&shape, &second]);
        let bytes_count = g.plain("bytes.count", "Sub", &[&bytes_width, &two]);
        let bytes = g.plain("bytes", "Reshape", &[&bytes, &flat]);
        let Extent { chunks, floor, top } = Extent::new(g, plan, &bytes_count, pages * PAGE, made.len());
        let end = g.plain("end.list", "Mul", &[&chunks, &step]);
        let end = g.plain("end", "Reshape", &[&end, &scalar]);
        let base = g.plain("unmade.base", "Range", &[&none, &end, &step]);
        let directory = g.add_at("base", &base, &places, &bases);
        let each = |g: &mut Graph, role: &str, row: &str| g.plain(role, "Expand", &[row, &column]);
        let end = g.plain("instances", "Reshape", &[batch, &scalar]);
        let instance = g.plain("instance", "Range", &[&none, &end, &one]);
        let calls = g.plain("instance.count", "Shape", &[&instance]);
        let base = g.plain("instance.cell", "Mul", &[&instance, &own_cells]);
        let base = g.plain("instance.column", "Unsqueeze", &[&base, &second]);
        let flags = g.plain("flags", "Add", &[batch, &counted_less]);
        let rows = g.plain("flag.rows", "Div", &[&flags, &counted]);
        let flags = g.plain("flags.all", "Mul", &[&rows, &counted]);
        let missing = g.plain("flags.missing", "Sub", &[&flags, batch]);
        let zeros = g.filled("flags.zeros", &missing, 0f64);
        let end = g.plain("flag.rows.end", "Reshape", &[&rows, &scalar]);
        let range = g.plain("flag.row", "Range", &[&none, &end, &one]);
        let later = g.plain("flag.row.column", "Unsqueeze", &[&range, &second]);
        let before = g.plain("flag.row.before", "Less", &[&range, &later]);
        let rows_before = g.cast("flag.rows.before", &before, DataType::Double);
        let later = g.plain("flag.column", "Unsqueeze", &[&flag_range, &second]);
        let in_row = g.plain("flag.in.row.any", "GreaterOrEqual", &[&flag_range, &later]);
        let in_row = g.cast("flag.in.row", &in_row, DataType::Double);
        let low = g.plain("low.keys", "Mul", &[&base, &limits.is_key]);
        let low = g.plain("low", "Add", &[&low, &limits.low]);
        let shape = g.along("table.shape", "Concat", 0, &[batch, &table_shape]);
        let table = g.filled("table.absent", &shape, ABSENT);
        let entries = each(g, "table.entries", &entries);
        let entries_shape = g.plain("table.entries.shape", "Shape", &[&entries]);
        let distances = g.plain("table.distances", "Expand", &[&base, &entries_shape]);
        let table = g.along("table", "ScatterElements", 1, &[&table, &entries, &distances]);
        let all = Batch {
            pages,
            image,
            image_row,
            image_last,
            bytes,
            bytes_count,
            bytes_width,
            begin,
            base,
            in_row,
            rows_before,
            zeros,
            calls,
            floor,
            top,
            per_page: limits.per_page,
            per_chunk: limits.per_chunk,
            low,
            is_key: limits.is_key,
            ids: limits.ids,
        };
        let first_pages = each(g, "pages", &first_pages);
        let window = all.contents(g, &first_pages, &instance, &first_shape);
        let window = g.plain("window", "Reshape", &[&window, &flat]);
        (parts([window, directory, table]), all)
    })
}

/// Makes what pages begin with: their contents, the content of each page, and the last page that has one.
fn image(g: &mut Graph, plan: &Plan) -> (Name, Name, Name) {
    let page = PAGE as i64;
    let rows = plan.first_rows();
    let mut all: Vec<i64> =
        rows.pages.iter().copied().chain(rows.keys.iter().map(|key| key / page)).collect();
    all.sort_unstable();
    all.dedup();
    // Row 0 is that of all pages of zeros.
    let row_of = |page: i64| all.partition_point(|other| *other < page) as i64 + 1;
    let last = all.last().expect("there is page 0") + 1;
    let mut row = vec![0i64; last as usize + 1];
    all.iter().for_each(|page| row[*page as usize] = row_of(*page));
    let cells = g.initializer("batch/page.cells", Tensor::list(&[page]));
    let row = g.initializer("batch/image.row", Tensor::smallest(row));
    let last = g.initializer("batch/image.last", Tensor::scalar(last));
    let shape = g.initializer("batch/image", Tensor::list(&[all.len() as i64 + 1, page]));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let tensors = FirstRowTensors::new(g, plan);
    g.group("image", "What pages of memory begin with.", |g| {
        let row = g.cast("row", &row, DataType::Int64);
        let stored = g.along("stored.rows", "Gather", 0, &[&row, &tensors.pages]);
        let page = g.plain("number.page", "Div", &[&tensors.keys, &cells]);
        let first = g.plain("number.first", "Mul", &[&page, &cells]);
        let place = g.plain("number.place", "Sub", &[&tensors.keys, &first]);
        let own = g.along("number.row", "Gather", 0, &[&row, &page]);
        let own = g.plain("number.row.cell", "Mul", &[&own, &cells]);
        let cells = g.plain("number.cell", "Add", &[&own, &place]);
        let empty = g.filled("empty", &shape, 0f64);
        let bytes = g.cast("bytes", &tensors.bytes, DataType::Double);
        let all = g.plain("with.bytes", "ScatterND", &[&empty, &stored, &bytes]);
        let all = g.plain("flat", "Reshape", &[&all, &flat]);
        let all = g.along("with.numbers", "ScatterElements", 0, &[&all, &cells, &tensors.values]);
        let all = g.plain("pages", "Reshape", &[&all, &shape]);
        (all, row, last)
    })
}

/// Constants for ids.
struct Limits {
    per_page: Name,
    per_chunk: Name,
    low: Name,
    is_key: Name,
    ids: Name,
}

fn limits(g: &mut Graph, plan: &Plan, pages: usize) -> Limits {
    let [s, n, v, x, q, k, t] = plan.slots.sizes();
    // Entries of tables and experts are looked up as if they were in page 0.
    let scale = |cells: usize| Tensor::row(&plan.per_id(1.0 / cells as f64, 0.0, 0.0));
    let low: Vec<i64> = plan.floor().iter().map(|x| *x as i64).chain([0]).collect();
    let first = s + n + v + x;
    let ids: Vec<i64> = (first..first + q + k + t + 1).map(|place| place as i64).collect();
    Limits {
        per_page: g.initializer("batch/per.page", scale(PAGE)),
        per_chunk: g.initializer("batch/per.chunk", scale(PAGE * pages)),
        low: g.initializer("batch/low", Tensor::row(&low)),
        is_key: g.initializer("batch/is.key", Tensor::row(&plan.per_id(1i64, 0, 0))),
        ids: g.initializer("batch/ids", Tensor::list(&ids)),
    }
}

/// Ids of all instances, int64 [batch, ids].
struct Located {
    /// The page of each.
    page: Name,
    /// The cell of each; if it is absent, one that reads as 0, or where a row that is not appended goes.
    cell: Name,
    /// 1 for each whose cell is absent, 0 for the others.
    absent: Name,
}

impl Batch {
    /// Makes what pages, int64 [n, pages], of instances, int64 [n], begin with: double [n, cells], in the given
    /// shape.
    fn contents(&self, g: &mut Graph, pages: &str, instances: &str, rows: &str) -> Name {
        let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
        let cells = g.initializer("batch/page.cells", Tensor::list(&[PAGE as i64]));
        let range = g.initializer("batch/range", Tensor::list(&(0..PAGE as i64).collect::<Vec<_>>()));
        let third = g.initializer("batch/axis", Tensor::list(&[2i64]));
        let before = g.initializer("batch/before", Tensor::scalar(-1i64));
        let one = g.initializer("const/one", Tensor::scalar(1i64));
        let row = g.plain("content.page", "Min", &[pages, &self.image_last]);
        let row = g.along("content.row", "Gather", 0, &[&self.image_row, &row]);
        let image = g.along("content.image", "Gather", 0, &[&self.image, &row]);
        let image = g.plain("content.cells", "Reshape", &[&image, rows]);
        let first = g.plain("content.key", "Mul", &[pages, &cells]);
        let first = g.plain("content.place", "Sub", &[&first, &self.begin]);
        let first = g.plain("content.column", "Unsqueeze", &[&first, &third]);
        let places = g.plain("content.places", "Add", &[&first, &range]);
        let places = g.plain("content.places.row", "Reshape", &[&places, rows]);
        let places = g.plain("content.places.min", "Max", &[&places, &before]);
        let places = g.plain("content.places.max", "Min", &[&places, &self.bytes_count]);
        let places = g.plain("content.places.all", "Add", &[&places, &one]);
        let first = g.plain("content.bytes.first", "Mul", &[instances, &self.bytes_width]);
        let first = g.plain("content.bytes.column", "Reshape", &[&first, &column]);
        let places = g.plain("content.places.own", "Add", &[&places, &first]);
        let bytes = g.along("content.bytes", "Gather", 0, &[&self.bytes, &places]);
        g.plain("content", "Add", &[&image, &bytes])
    }

    /// Finds the cells of ids, as numbers, in the window.
    fn locate(&self, g: &mut Graph, ids: &str, directory: &str, table: &str) -> Located {
        let ids = step::clamp(g, ids, &self.floor, &self.top);
        let id = g.cast("id", &ids, DataType::Int64);
        let page = g.plain("page.scaled", "Mul", &[&ids, &self.per_page]);
        let page = g.cast("page", &page, DataType::Int64);
        let chunk = g.plain("chunk.scaled", "Mul", &[&ids, &self.per_chunk]);
        let chunk = g.cast("chunk", &chunk, DataType::Int64);
        let base = g.along("entry.base", "Gather", 0, &[directory, &chunk]);
        let entry = g.plain("entry.page", "Add", &[&page, &base]);
        let distance = g.along("distance", "GatherElements", 1, &[table, &entry]);
        // Entries of the network's tables and experts are where they are.
        let distance = g.plain("distance.key", "Mul", &[&distance, &self.is_key]);
        let any = g.plain("cell.any", "Add", &[&id, &distance]);
        let cell = g.plain("cell", "Max", &[&any, &self.low]);
        let one = g.initializer("const/one", Tensor::scalar(1i64));
        let absent = g.plain("absent.distance", "Sub", &[&cell, &any]);
        let absent = g.plain("absent", "Min", &[&absent, &one]);
        Located { page, cell, absent }
    }

    /// Counts flags, int64 [batch]: for each, how many there are up to it.
    fn rank(&self, g: &mut Graph, role: &str, flags: &str) -> Name {
        let rows = g.initializer("batch/flag.rows", Tensor::list(&[-1i64, COUNTED as i64]));
        let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
        let front = g.initializer("const/front", Tensor::list(&[0i64]));
        let axis = g.initializer("const/axis", Tensor::list(&[1i64]));
        let numbers = g.cast(&format!("{role}.number"), flags, DataType::Double);
        let all = g.along(&format!("{role}.padded"), "Concat", 0, &[&numbers, &self.zeros]);
        let all = g.plain(&format!("{role}.rows"), "Reshape", &[&all, &rows]);
        let own = g.plain(&format!("{role}.in.row"), "MatMul", &[&all, &self.in_row]);
        let sums = g.plain(&format!("{role}.sums"), "ReduceSum", &[&all, &axis]);
        let before = g.plain(&format!("{role}.before.row"), "MatMul", &[&self.rows_before, &sums]);
        let count = g.plain(&format!("{role}.counts"), "Add", &[&own, &before]);
        let count = g.plain(&format!("{role}.list"), "Reshape", &[&count, &flat]);
        let count = g.plain(&format!("{role}.own"), "Slice", &[&count, &front, &self.calls]);
        g.cast(role, &count, DataType::Int64)
    }
}

/// Runs all instances to the end of one phase.
pub fn run(g: &mut Graph, plan: &Plan, frozen: &Frozen, batch: &Batch, state: RunState) -> RunState {
    let yes = g.initializer("const/true", Tensor::boolean(true));
    let forever = g.initializer("const/forever", Tensor::scalar(i64::MAX));
    let expert_slot = g.initializer("limits/expert.slot", Tensor::list(&[plan.slots.count() as i64]));
    let mut carried = phases::carried(plan, &state.z, &state.steps);
    carried.extend(parts(state.trace.try_into().expect("the trace has three parts")));
    let last = g.repeat("paging", &forever, &yes, carried, |g, _, carried| {
        let [z, steps, trace @ ..] = carried else { unreachable!("numbers and steps are carried") };
        let [window, directory, table] = bring_in(g, batch, z, trace);
        let mut carried = phases::carried(plan, z, steps);
        carried.push(Carried { role: "window", ty: window_type(), first: window });
        let last = g.repeat("decode", &forever, &yes, carried, |g, _, carried| {
            let [z, steps, window] = carried else { unreachable!("three values are carried") };
            let mut state = [z.clone(), steps.clone(), window.clone()];
            let mut moved = Name::new();
            for name in STEPS {
                (moved, state) = step(g, plan, frozen, batch, (name, state), [&directory, &table]);
            }
            let going = g.group(
                "move",
                "Whether more than three quarters of the runs that have not ended can go on.",
                |g| {
                    let three = g.initializer("batch/three", Tensor::scalar(3i64));
                    let four = g.initializer("batch/four", Tensor::scalar(4i64));
                    let scalar = |g: &mut Graph, role: &str, list: &str| {
                        g.op(role, "ReduceSum", &[list], vec![Attribute::Int("keepdims", 0)])
                    };
                    let expert = g.along("expert.row", "Gather", 1, &[&state[0], &expert_slot]);
                    let expert = step::expert(g, plan, &expert);
                    let live = g.plain("live", "Gather", &[&frozen.live, &expert]);
                    let (live, moved) = (scalar(g, "live.all", &live), scalar(g, "moved.all", &moved));
                    let live = g.plain("live.part", "Mul", &[&live, &three]);
                    let moved = g.plain("moved.part", "Mul", &[&moved, &four]);
                    g.plain("going", "Greater", &[&moved, &live])
                },
            );
            (going, state.into())
        });
        let [z, steps, window] = <[Name; 3]>::try_from(last).expect("three values are carried");
        let going = g.group("again", "Whether an instance waits for a page.", |g| {
            let none = g.initializer("const/zero", Tensor::scalar(0i64));
            let ids = g.along("ids", "Gather", 1, &[&z, &batch.ids]);
            let located = batch.locate(g, &ids, &directory, &table);
            let any = g.largest("absent.any", &located.absent);
            g.plain("going", "Greater", &[&any, &none])
        });
        (going, vec![z, steps, window, directory, table])
    });
    let mut last = last.into_iter();
    let mut next = || last.next().expect("all that is carried comes out");
    let (z, steps) = (next(), next());
    let mut trace: Vec<Name> = last.collect();
    trace[0] = last_rows(g, plan, batch, &z, &trace);
    RunState { z, steps, trace }
}

/// Builds a step of all instances: as in [`super::resident`], but that those wait for which a cell is absent.
/// Returns how many steps each has done, 0 or 1, and the state.
fn step(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    batch: &Batch,
    (name, [z, steps, window]): (&'static str, [Name; 3]),
    [directory, table]: [&str; 2],
) -> (Name, [Name; 3]) {
    let fields = plan.part_sizes(g);
    let indices = plan.id_sizes(g);
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let axis = g.initializer("const/axis", Tensor::list(&[1i64]));
    let unit = g.initializer("const/one.number", Tensor::scalar(1f64));
    g.group(name, step::DOC, |g| {
        let [s, gates, v, x, ids] = g.split("fields", 1, &z, &fields, ["s", "gate.raw", "v", "x", "ids"]);
        let located = batch.locate(g, &ids, directory, table);
        let absent = g.plain("absent.count", "ReduceSum", &[&located.absent, &axis]);
        let absent = g.cast("absent.number", &absent, DataType::Double);
        let there = g.plain("there.any", "Sub", &[&unit, &absent]);
        let there = g.plain("there", "Relu", &[&there]);
        let waits = g.plain("waits", "Sub", &[&unit, &there]);
        // An absent cell reads as 0, and a row that would be written to one is not: the instance comes back.
        let [q, k, t, e] =
            g.split("indices", 1, &located.cell, &indices, ["query", "key", "lookup", "expert.row"]);
        let e = g.plain("expert", "Reshape", &[&e, &flat]);
        let k = g.plain("key.list", "Reshape", &[&k, &flat]);
        let x = g.plain("x.list", "Reshape", &[&x, &flat]);
        let window = g.along("trace", "ScatterElements", 0, &[&window, &k, &x]);
        let r = g.along("read", "Gather", 0, &[&window, &q]);
        let w = g.plain("entry", "Gather", &[&frozen.lookup, &t]);
        let n = step::quantize(g, &gates);
        let u = g.plain("unit", "Mul", &[&n, &v]);
        let kept = g.plain("kept", "Mul", &[&z, &waits]);
        let z = step::map_onto(g, frozen, &e, [&r, &w, &u, &s], (&kept, Some(&there)));
        let live = g.plain("live", "Gather", &[&frozen.live, &e]);
        let there = g.cast("there.count", &there, DataType::Int64);
        let there = g.plain("there.list", "Reshape", &[&there, &flat]);
        let moved = g.plain("moved", "Mul", &[&live, &there]);
        let steps = g.plain("steps", "Add", &[&steps, &moved]);
        (moved, [z, steps, window])
    })
}

/// Brings in a page for each instance that waits for one.
fn bring_in(g: &mut Graph, batch: &Batch, z: &str, trace: &[Name]) -> [Name; PARTS] {
    let [window, directory, table] = trace else { unreachable!("the trace has three parts") };
    let chunk = batch.pages as i64;
    let cells = g.initializer("batch/page.cells", Tensor::list(&[PAGE as i64]));
    let page_shape = g.initializer("batch/page.shape", Tensor::list(&[-1i64, PAGE as i64]));
    let chunk_pages = g.initializer("batch/chunk.pages", Tensor::list(&[chunk]));
    let per_chunk = g.initializer("batch/chunk.part", Tensor::scalar(1.0 / chunk as f64));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let zero = g.initializer("const/zero", Tensor::scalar(0i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let front = g.initializer("const/front", Tensor::list(&[0i64]));
    let second = g.initializer("const/axis", Tensor::list(&[1i64]));
    g.group("swap", "Brings in a page for each instance that waits for one.", |g| {
        let ids = g.along("ids", "Gather", 1, &[z, &batch.ids]);
        let located = batch.locate(g, &ids, directory, table);
        let worst = g.along("worst", "ArgMax", 1, &[&located.absent]);
        let missing = g.along("missing", "GatherElements", 1, &[&located.absent, &worst]);
        let page = g.along("page.wanted", "GatherElements", 1, &[&located.page, &worst]);
        // For an instance that waits for nothing, the entry of page 0 is written once more.
        let page = g.plain("page.new", "Mul", &[&page, &missing]);

        // The instances that wait, one behind the other.
        let waits = g.plain("waits", "Reshape", &[&missing, &flat]);
        let rank = batch.rank(g, "rank", &waits);
        let rank = g.plain("rank.before", "Sub", &[&rank, &one]);
        let count = g.op("waiting", "ReduceSum", &[&waits], vec![Attribute::Int("keepdims", 0)]);
        let count = g.plain("waiting.list", "Reshape", &[&count, &flat]);
        let behind = g.plain("rank.behind", "Sub", &[&rank, &count]);
        let behind = g.plain("rank.waiting", "Mul", &[&behind, &waits]);
        let place = g.plain("rank.place", "Add", &[&behind, &count]);
        let length = g.plain("waiting.length", "Add", &[&count, &single]);
        let none = g.filled("waiting.none", &length, 0i64);
        let instances = g.plain("instances", "Shape", &[&waits]);
        let end = g.plain("instances.count", "Reshape", &[&instances, &scalar]);
        let all = g.plain("instances.all", "Range", &[&zero, &end, &one]);
        let who = g.add_at("waiting.all", &none, &place, &all);
        let who = g.plain("waiting.own", "Slice", &[&who, &front, &count]);
        let pages = g.along("pages", "Gather", 0, &[&page, &who]);
        let content = batch.contents(g, &pages, &who, &page_shape);
        let content = g.plain("content.flat", "Reshape", &[&content, &flat]);
        let there = g.plain("window.size", "Shape", &[window]);
        let window = g.along("window", "Concat", 0, &[window, &content]);

        // Chunks that an instance touches for the first time get entries, behind those that there are.
        let own = g.cast("page.number", &page, DataType::Double);
        let own = g.plain("new.chunk.scaled", "Mul", &[&own, &per_chunk]);
        let own = g.cast("new.chunk", &own, DataType::Int64);
        let touched = g.plain("new.chunks", "Reshape", &[&own, &flat]);
        let base = g.along("new.before", "Gather", 0, &[directory, &touched]);
        let slot = g.plain("new.pages", "Mul", &[&touched, &chunk_pages]);
        let slot = g.plain("new.slot", "Add", &[&slot, &base]);
        let is_made = g.plain("new.is.made", "Min", &[&slot, &one]);
        let new = g.plain("new", "Sub", &[&one, &is_made]);
        // Of the instances that touch one chunk, the last one makes it.
        let order = g.plain("new.order.all", "Add", &[&all, &one]);
        let order = g.plain("new.order", "Mul", &[&order, &new]);
        let chunks = g.plain("chunks.shape", "Shape", &[directory]);
        let none = g.filled("chunks.none", &chunks, 0i64);
        let largest = vec![Attribute::Int("axis", 0), Attribute::Text("reduction", "max")];
        let last = g.op("chunks.last", "ScatterElements", &[&none, &touched, &order], largest);
        let last = g.along("new.last", "Gather", 0, &[&last, &touched]);
        let later = g.plain("new.later", "Sub", &[&last, &order]);
        let later = g.plain("new.is.later", "Min", &[&later, &new]);
        let made = g.plain("made", "Sub", &[&new, &later]);
        let number = batch.rank(g, "made.number", &made);
        let count = g.op("made.count", "ReduceSum", &[&made], vec![]);
        let count = g.plain("made.pages", "Mul", &[&count, &chunk_pages]);
        let shape = g.plain("table.shape", "Shape", &[table]);
        let width = g.along("table.width", "Gather", 0, &[&shape, &second]);
        let before = g.plain("made.before", "Sub", &[&number, &one]);
        let before = g.plain("base.more", "Mul", &[&before, &chunk_pages]);
        let base = g.plain("base.new", "Add", &[&before, &width]);
        let base = g.plain("base.made", "Mul", &[&base, &made]);
        let directory = g.add_at("directory", directory, &touched, &base);
        let more = g.along("table.more", "Concat", 0, &[&instances, &count]);
        let more = g.filled("table.absent", &more, ABSENT);
        let table = g.along("table.grown", "Concat", 1, &[table, &more]);

        let base = g.along("new.base", "Gather", 0, &[&directory, &own]);
        let entry = g.plain("new.entry", "Add", &[&page, &base]);
        let first = g.plain("frame.offset", "Mul", &[&rank, &cells]);
        let first = g.plain("frame.cell", "Add", &[&first, &there]);
        let first = g.plain("frame.column", "Reshape", &[&first, &column]);
        let key = g.plain("page.key", "Mul", &[&page, &cells]);
        let distance = g.plain("distance.new", "Sub", &[&first, &key]);
        let change = g.plain("distance.change", "Sub", &[&distance, &batch.base]);
        let change = g.plain("distance.missing", "Mul", &[&change, &missing]);
        let distance = g.plain("distance.all", "Add", &[&change, &batch.base]);
        let table = g.along("table", "ScatterElements", 1, &[&table, &entry, &distance]);
        [window, directory, table]
    })
}

/// Appends the rows that runs end with: those of terminal experts.
fn last_rows(g: &mut Graph, plan: &Plan, batch: &Batch, z: &str, trace: &[Name]) -> Name {
    let fields = plan.part_sizes(g);
    let indices = plan.id_sizes(g);
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    let [window, directory, table] = trace else { unreachable!("the trace has three parts") };
    g.group("last", "Appends the rows of terminal experts.", |g| {
        let [.., x, ids] = g.split("fields", 1, z, &fields, ["s", "gate.raw", "v", "x", "ids"]);
        let located = batch.locate(g, &ids, directory, table);
        let [_, k, _, _] =
            g.split("indices", 1, &located.cell, &indices, ["query", "key", "lookup", "expert.row"]);
        let k = g.plain("key.list", "Reshape", &[&k, &flat]);
        let x = g.plain("x.list", "Reshape", &[&x, &flat]);
        g.along("window", "ScatterElements", 0, &[window, &k, &x])
    })
}

/// Reads what runs have left at keys, int64 [n], where no page begins with anything but zeros: double [batch, n].
pub fn read(
    g: &mut Graph,
    plan: &Plan,
    batch: &Batch,
    trace: &[Name],
    role: &'static str,
    keys: &str,
) -> Name {
    let [window, directory, table] = trace else { unreachable!("the trace has three parts") };
    let cells = g.initializer("batch/page.cells", Tensor::list(&[PAGE as i64]));
    let per_chunk = (PAGE * batch.pages) as i64;
    let per_chunk = g.initializer("pages/chunk.cells", Tensor::list(&[per_chunk]));
    let sink = g.initializer("batch/sink", Tensor::scalar(plan.first as i64 - 1));
    let front = g.initializer("const/front", Tensor::list(&[0i64]));
    g.group(role, "Cells of the trace, from the pages that they are in.", |g| {
        let page = g.plain("page", "Div", &[keys, &cells]);
        let chunk = g.plain("chunk", "Div", &[keys, &per_chunk]);
        let base = g.along("entry.base", "Gather", 0, &[directory, &chunk]);
        let entry = g.plain("entry.list", "Add", &[&page, &base]);
        let shape = g.plain("table.shape", "Shape", &[table]);
        let instances = g.along("instances", "Gather", 0, &[&shape, &front]);
        let count = g.plain("count", "Shape", &[keys]);
        let shape = g.along("shape", "Concat", 0, &[&instances, &count]);
        let entry = g.plain("entry", "Expand", &[&entry, &shape]);
        let distance = g.along("distance", "GatherElements", 1, &[table, &entry]);
        let cell = g.plain("cell.any", "Add", &[keys, &distance]);
        let sink = g.plain("sink", "Add", &[&batch.base, &sink]);
        let cell = g.plain("cell", "Max", &[&cell, &sink]);
        g.along("cells", "Gather", 0, &[window, &cell])
    })
}
