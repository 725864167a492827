//! The loop form for large traces: a window of resident pages, the other pages in a sequence.
//!
//! An inner loop decodes as long as all cells that the next step needs are in the window; a step's
//! keys and queries are known before it, so nothing has to be undone. An outer loop brings in the
//! page of one cell that is missing, in place of the page that came first, and lets the inner one go
//! on. Page 0, where rows that are not appended go, stays in frame 0. Since a step needs fewer pages
//! than there are frames, bringing in one after the other ends with all of them there.
//!
//! A table says for each page how far its cells in the window are from their keys, or is [`ABSENT`].
//! Before the pages it has an entry for each expert, 0 or, if it is terminal, `ABSENT` too: the end of
//! a run is one more thing that is not resident, and the inner loop has one condition for both.
//!
//! Pages are kept in chunks, so that the sequence is short: replacing an element of a sequence costs
//! time for each element, and time for the element's size. The table is copied at each turn.

use super::graph::{Carried, Dim, Graph, Name, Tensor, ValueType};
use super::phases::State;
use super::plan::Plan;
use super::step::{self, Frozen};
use crate::proto::DataType;

/// Cells of a page: a power of two.
const PAGE: usize = 128;
/// Pages in the window; more if a step can need more.
const FRAMES: usize = 64;
/// What the table says of pages that are not in the window. Larger than any key.
const ABSENT: i64 = 1 << 60;
/// Between keys and [`ABSENT`].
const LIMIT: i64 = 1 << 59;

fn list(ty: DataType, name: &'static str) -> ValueType {
    ValueType::tensor(ty, &[Dim::Named(name)])
}

fn row(ty: DataType, name: &'static str) -> ValueType {
    ValueType::tensor(ty, &[Dim::Fixed(1), Dim::Named(name)])
}

/// The trace as a run of phases carries it, from cells [cells]: the window, the pages in it, the frame
/// that was filled last, the table, the chunks.
pub fn first_trace(g: &mut Graph, plan: &Plan, cells: &str) -> Vec<Carried> {
    let frames = frames(plan);
    let experts = plan.network.experts.len();
    let page_shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
    let chunk = g.initializer("pages/chunk", Tensor::scalar(chunk(plan) as i64));
    let resident = g.initializer("pages/resident", Tensor::list(&[frames as i64]));
    let window_shape = g.initializer("pages/window", Tensor::list(&[1i64, (frames * PAGE) as i64]));
    let frame_pages = g.initializer("pages/first", Tensor::list(&(0..frames as i64).collect::<Vec<_>>()));
    let frame = g.initializer("pages/last.frame", Tensor::list(&[frames as i64 - 1]));
    let terminals = plan.network.terminals.len();
    let terminal_shape = g.initializer("limits/terminals", Tensor::list(&[terminals as i64]));
    let present_shape =
        g.initializer("pages/present", Tensor::list(&[(experts - terminals + frames) as i64]));
    let zero = g.initializer("const/range", Tensor::list(&[0i64]));
    let front = g.initializer("const/front", Tensor::list(&[0i64]));
    let parts = g.group("window", "The first pages are resident, all others in a sequence of chunks.", |g| {
        let pages = g.plain("all", "Reshape", &[cells, &page_shape]);
        let count = g.plain("shape", "Shape", &[&pages]);
        let count = g.plain("count", "Gather", &[&count, &zero]);
        let window = g.plain("window.pages", "Slice", &[&pages, &zero, &resident]);
        let window = g.plain("window", "Reshape", &[&window, &window_shape]);
        let absent = g.plain("absent.count", "Sub", &[&count, &resident]);
        let terminal = g.filled("terminal", &terminal_shape, ABSENT);
        let present = g.filled("present", &present_shape, 0i64);
        let absent = g.filled("absent", &absent, ABSENT);
        let table = g.along("table.list", "Concat", 0, &[&terminal, &present, &absent]);
        let table = g.plain("table", "Unsqueeze", &[&table, &front]);
        let chunks = g.along("chunks", "SplitToSequence", 0, &[&pages, &chunk]);
        (window, table, chunks)
    });
    let (window, table, chunks) = parts;
    let part = |role, ty, first| Carried { role, ty, first };
    vec![
        part("window", row(DataType::Double, "window"), window),
        part("table", row(DataType::Int64, "table"), table),
        part("frame.pages", list(DataType::Int64, "frames"), frame_pages),
        part("frame", ValueType::tensor(DataType::Int64, &[Dim::Fixed(1)]), frame),
        part("chunks", ValueType::sequence(DataType::Double), chunks),
    ]
}

/// Pages in the window: as many as a step can need, one to bring in, and page 0, at least.
fn frames(plan: &Plan) -> usize {
    let [.., queries, keys, _] = plan.slots.sizes();
    FRAMES.max(queries + keys + 2)
}

/// Pages of a chunk. To replace a chunk costs about as much for each of its pages as for each ten
/// others in the sequence.
fn chunk(plan: &Plan) -> usize {
    let pages = plan.first_cells() / PAGE;
    (pages / 10).isqrt().next_power_of_two().clamp(8, 256)
}

/// Number of cells to make of so many that are needed: whole chunks, and at least what the window holds.
pub fn round_up(g: &mut Graph, plan: &Plan, cells: &str) -> Name {
    let chunk = (chunk(plan) * PAGE) as i64;
    let least = (frames(plan) * PAGE) as i64;
    let before = g.initializer("pages/chunk.before", Tensor::scalar(chunk - 1));
    let chunk = g.initializer("pages/chunk.cells", Tensor::scalar(chunk));
    let least = g.initializer("pages/least", Tensor::scalar(least));
    let needed = g.plain("needed", "Max", &[cells, &least]);
    let up = g.plain("needed.up", "Add", &[&needed, &before]);
    let chunks = g.plain("chunks", "Div", &[&up, &chunk]);
    g.plain("rounded", "Mul", &[&chunks, &chunk])
}

/// What the steps of a paged run use beside [`Frozen`].
struct Paging {
    fields: Name,
    indices: Name,
    floor: Name,
    top: Name,
    /// For each index, what makes its page number of it; 1 for the expert.
    scale: Name,
    /// Added to page numbers: pages stand behind the experts.
    shift: Name,
    limit: Name,
    flat: Name,
    /// Most maps to be evaluated: int64 scalar.
    max_steps: Name,
}

/// Values that the inner loop carries besides numbers, steps and window, in order.
const PENDING: [&str; 3] = ["ids", "entries", "cells"];

/// Runs one instance to the end of one phase. `last_cell` is the index of the trace's last cell.
pub fn run(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    max_steps: &str,
    last_cell: &str,
    state: State,
) -> State {
    let [.., q, k, t] = plan.slots.sizes();
    let experts = plan.network.experts.len() as f64;
    let keys = q + k;
    let per_id = |of_key: f64, of_lookup: f64, of_expert: f64| {
        let mut row = vec![of_key; keys];
        row.extend(std::iter::repeat_n(of_lookup, t));
        row.push(of_expert);
        Tensor::row(&row)
    };
    let top_rest = [&plan.top(0)[keys..], &[plan.last_expert()]].concat();
    let top_rest = g.initializer("limits/top", Tensor::row(&top_rest));
    let key_shape = g.initializer("pages/keys", Tensor::list(&[1i64, keys as i64]));
    let top = {
        let top = g.plain("top.keys", "Expand", &[last_cell, &key_shape]);
        g.along("top", "Concat", 1, &[&top, &top_rest])
    };
    let paging = Paging {
        fields: plan.part_sizes(g),
        indices: plan.id_sizes(g),
        floor: g.initializer("limits/floor", Tensor::row(&[plan.floor(), vec![0.0]].concat())),
        top,
        // A lookup's page is page 0, which is always there, as it is.
        scale: g.initializer("pages/scale", per_id(1.0 / PAGE as f64, 0.0, 1.0)),
        shift: g.initializer("pages/shift", per_id(experts, experts, 0.0)),
        limit: g.initializer("pages/limit", Tensor::scalar(LIMIT)),
        flat: g.initializer("const/flat", Tensor::list(&[-1i64])),
        max_steps: max_steps.to_owned(),
    };
    let yes = g.initializer("const/true", Tensor::boolean(true));
    let forever = g.initializer("const/forever", Tensor::scalar(i64::MAX));
    let ids = g.group("begin", "Which cells the first step needs.", |g| {
        let parts = ["s", "gate.raw", "v", "x", "ids"];
        let [.., ids] = g.split("fields", 1, &state.z, &paging.fields, parts);
        page_ids(g, &paging, &ids)
    });
    let [window, table, frame_pages, frame, chunks] =
        <[Name; 5]>::try_from(state.trace).expect("the trace has five parts");
    let part = |role, ty, first| Carried { role, ty, first };
    let carried = vec![
        part("numbers", plan.numbers_type(), state.z),
        part("steps", ValueType::tensor(DataType::Int64, &[Dim::Named("batch")]), state.steps),
        part(PENDING[0], row(DataType::Int64, "indices"), ids.0),
        part(PENDING[1], row(DataType::Int64, "indices"), ids.1),
        part("window", row(DataType::Double, "window"), window),
        part("table", row(DataType::Int64, "table"), table),
        part("frame.pages", list(DataType::Int64, "frames"), frame_pages),
        part("frame", ValueType::tensor(DataType::Int64, &[Dim::Fixed(1)]), frame),
        part("chunks", ValueType::sequence(DataType::Double), chunks),
    ];
    let last = g.repeat("paging", &forever, &yes, carried, |g, _, carried| {
        bring_in_and_go_on(g, plan, frozen, &paging, carried)
    });
    let [z, steps, ids, entries, window, table, frame_pages, frame, chunks] =
        <[Name; 9]>::try_from(last).expect("nine values are carried");
    let window = last_rows(g, &paging, &z, [&ids, &entries], &table, &window);
    State { z, steps, trace: vec![window, table, frame_pages, frame, chunks] }
}

/// Indices, and for each its entry in the table of pages.
fn page_ids(g: &mut Graph, paging: &Paging, ids: &str) -> (Name, Name) {
    let ids = step::clamp(g, ids, &paging.floor, &paging.top);
    let pages = g.plain("page.scaled", "Mul", &[&ids, &paging.scale]);
    let pages = g.plain("page.shifted", "Add", &[&pages, &paging.shift]);
    (g.cast("id", &ids, DataType::Int64), g.cast("page", &pages, DataType::Int64))
}

/// Cells of the indices in the window, and the largest, which shows whether one is not there.
fn resident(g: &mut Graph, ids: &str, entries: &str, table: &str) -> (Name, Name) {
    let distance = g.along("distance", "GatherElements", 1, &[table, entries]);
    let cells = g.plain("cell", "Add", &[ids, &distance]);
    let largest = g.largest("cell.largest", &cells);
    (cells, largest)
}

/// One turn of the outer loop.
fn bring_in_and_go_on(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    paging: &Paging,
    carried: &[Name],
) -> (Name, Vec<Name>) {
    let [z, steps, ids, entries, window, table, frame_pages, frame, chunks] = carried else {
        unreachable!("nine values are carried")
    };
    let paged = swap(g, plan, paging, [ids, entries, window, table, frame_pages, frame, chunks]);
    let Swapped { window, table, frame_pages, frame, chunks } = paged;

    let (cells, going, left) =
        g.group("resume", "The steps from here on, until a cell is not resident.", |g| {
            let (cells, largest) = resident(g, ids, entries, &table);
            let going = g.plain("going", "Less", &[&largest, &paging.limit]);
            let steps = g.largest("steps", steps);
            (cells, going, g.plain("steps.left", "Sub", &[&paging.max_steps, &steps]))
        });
    let part = |role, ty, first: &Name| Carried { role, ty, first: first.clone() };
    let carried = vec![
        part("numbers", plan.numbers_type(), z),
        part("steps", ValueType::tensor(DataType::Int64, &[Dim::Named("batch")]), steps),
        part(PENDING[0], row(DataType::Int64, "indices"), ids),
        part(PENDING[1], row(DataType::Int64, "indices"), entries),
        part(PENDING[2], row(DataType::Int64, "indices"), &cells),
        part("window", row(DataType::Double, "window"), &window),
    ];
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let last = g.repeat("decode", &left, &going, carried, |g, _, carried| {
        let [z, steps, _, _, cells, window] = carried else { unreachable!("six values are carried") };
        g.group("step", step::DOC, |g| {
            let parts = ["s", "gate.raw", "v", "x", "ids"];
            let [s, gates, v, x, _] = g.split("fields", 1, z, &paging.fields, parts);
            let parts = ["query", "key", "lookup", "expert.row"];
            let [q, k, t, e] = g.split("indices", 1, cells, &paging.indices, parts);
            let e = g.plain("expert", "Reshape", &[&e, &paging.flat]);
            let (window, r) = step::recall(g, window, &k, &x, &q);
            let w = g.plain("entry", "Gather", &[&frozen.lookup, &t]);
            let z = step::apply(g, frozen, &e, [&gates, &v], [&r, &w, &s]);
            let steps = g.plain("steps", "Add", &[steps, &one]);
            let [.., next] = g.split(
                "next",
                1,
                &z,
                &paging.fields,
                ["s.next", "gate.next", "v.next", "x.next", "ids.next"],
            );
            let (ids, entries) = page_ids(g, paging, &next);
            let (cells, largest) = resident(g, &ids, &entries, &table);
            let going = g.plain("going", "Less", &[&largest, &paging.limit]);
            (going, vec![z, steps, ids, entries, cells, window])
        })
    });
    let [z, steps, ids, entries, cells, window] =
        <[Name; 6]>::try_from(last).expect("six values are carried");
    let going = g.group("again", "Whether a page is missing or steps are left.", |g| {
        unfinished(g, paging, &cells, &steps)
    });
    (going, vec![z, steps, ids, entries, window, table, frame_pages, frame, chunks])
}

/// Whether the outer loop goes on: steps are left, and the run has not ended with all rows resident.
fn unfinished(g: &mut Graph, paging: &Paging, cells: &str, steps: &str) -> Name {
    let [q, k, _, e] = g.split("cells", 1, cells, &paging.indices, ["query", "key", "lookup", "expert"]);
    let missing = g.along("keys", "Concat", 1, &[&q, &k]);
    let missing = g.largest("keys.largest", &missing);
    let missing = g.plain("missing", "Greater", &[&missing, &paging.limit]);
    let expert = g.largest("expert.largest", &e);
    let live = g.plain("live", "Less", &[&expert, &paging.limit]);
    let more = g.plain("more", "Or", &[&missing, &live]);
    let steps = g.largest("steps", steps);
    let allowed = g.plain("allowed", "Less", &[&steps, &paging.max_steps]);
    // The last rows of a run that ended with its last step may lie in pages to be brought in.
    let ended = g.plain("ended", "Not", &[&live]);
    let allowed = g.plain("allowed.last", "Or", &[&allowed, &ended]);
    g.plain("going", "And", &[&more, &allowed])
}

struct Swapped {
    window: Name,
    table: Name,
    frame_pages: Name,
    frame: Name,
    chunks: Name,
}

/// Brings in the page of one missing cell, in the frame that follows the one filled last; where none
/// is missing, the frame's own page again.
fn swap(g: &mut Graph, plan: &Plan, paging: &Paging, state: [&str; 7]) -> Swapped {
    let [ids, entries, window, table, frame_pages, frame, chunks] = state;
    let frames = frames(plan) as i64;
    let experts = plan.network.experts.len() as i64;
    let next: Vec<i64> = (0..frames).map(|f| if f + 1 < frames { f + 1 } else { 1 }).collect();
    let next = g.initializer("pages/next.frame", Tensor::list(&next));
    let pages_shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
    let window_shape = g.initializer("pages/window", Tensor::list(&[1i64, frames * PAGE as i64]));
    let experts = g.initializer("pages/experts", Tensor::list(&[experts]));
    let cells = g.initializer("pages/cells", Tensor::list(&[PAGE as i64]));
    let per_chunk = g.initializer("pages/per.chunk", Tensor::list(&[1.0 / chunk(plan) as f64]));
    let chunk = g.initializer("pages/chunk.pages", Tensor::list(&[chunk(plan) as i64]));
    let flat = g.initializer("const/single", Tensor::list(&[1i64]));
    let pair = g.initializer("const/pair", Tensor::list(&[1i64, 1]));
    let none = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let absent = g.initializer("pages/absent", Tensor::list(&[ABSENT]));
    let row_of_two = g.initializer("const/row.of.two", Tensor::list(&[1i64, 2]));
    g.group("swap", "Brings in the page of a cell that is not resident.", |g| {
        let (cells_now, _) = resident(g, ids, entries, table);
        let parts = ["query", "key", "lookup", "expert"];
        let [q, k, ..] = g.split("cells", 1, &cells_now, &paging.indices, parts);
        let keys = g.along("keys", "Concat", 1, &[&q, &k]);
        let worst = g.along("worst", "ArgMax", 1, &[&keys]);
        let wanted = g.along("wanted.entry", "GatherElements", 1, &[entries, &worst]);
        let wanted = g.plain("wanted.flat", "Reshape", &[&wanted, &flat]);
        let wanted = g.plain("wanted", "Sub", &[&wanted, &experts]);
        let largest = g.largest("keys.largest", &keys);
        let missing = g.plain("missing", "Greater", &[&largest, &paging.limit]);
        let missing = g.cast("missing.count", &missing, DataType::Int64);

        let frame = g.plain("frame", "Gather", &[&next, frame]);
        let old = g.plain("old", "Gather", &[frame_pages, &frame]);
        let change = g.plain("page.change", "Sub", &[&wanted, &old]);
        let change = g.plain("page.missing", "Mul", &[&change, &missing]);
        let page = g.plain("page", "Add", &[&old, &change]);

        // The old page goes back to its chunk.
        let place = |g: &mut Graph, role: [&str; 5], page: &str| {
            let number = g.cast(role[0], page, DataType::Double);
            let scaled = g.plain(role[1], "Mul", &[&number, &per_chunk]);
            let chunk_of = g.cast(role[2], &scaled, DataType::Int64);
            let first = g.plain(role[3], "Mul", &[&chunk_of, &chunk]);
            let offset = g.plain(role[4], "Sub", &[page, &first]);
            (chunk_of, offset)
        };
        let (old_chunk, old_offset) =
            place(g, ["old.number", "old.scaled", "old.chunk", "old.first", "old.offset"], &old);
        let (new_chunk, new_offset) =
            place(g, ["new.number", "new.scaled", "new.chunk", "new.first", "new.offset"], &page);
        let frames_now = g.plain("window.pages", "Reshape", &[window, &pages_shape]);
        let content = g.plain("old.content", "Gather", &[&frames_now, &frame]);
        let position = g.plain("old.position", "Reshape", &[&old_chunk, &none]);
        let chunk_before = g.plain("old.pages", "SequenceAt", &[chunks, &position]);
        let offset = g.plain("old.offset.pair", "Reshape", &[&old_offset, &pair]);
        let chunk_after = g.plain("old.updated", "ScatterND", &[&chunk_before, &offset, &content]);
        let erased = g.plain("chunks.erased", "SequenceErase", &[chunks, &position]);
        let chunks = g.plain("chunks", "SequenceInsert", &[&erased, &chunk_after, &position]);
        // The new one comes from its own.
        let position = g.plain("new.position", "Reshape", &[&new_chunk, &none]);
        let chunk_new = g.plain("new.pages", "SequenceAt", &[&chunks, &position]);
        let content = g.plain("new.content", "Gather", &[&chunk_new, &new_offset]);
        let frame_pair = g.plain("frame.pair", "Reshape", &[&frame, &pair]);
        let window = g.plain("window.updated", "ScatterND", &[&frames_now, &frame_pair, &content]);
        let window = g.plain("window", "Reshape", &[&window, &window_shape]);

        let first_cell = g.plain("frame.cell", "Mul", &[&frame, &cells]);
        let first_key = g.plain("page.key", "Mul", &[&page, &cells]);
        let distance = g.plain("page.distance", "Sub", &[&first_cell, &first_key]);
        // One write for both, of different entries: where no page is missing, the old page stays and the
        // entry of expert 0, which is absent, is written again.
        let old_entry = g.plain("old.entry", "Add", &[&old, &experts]);
        let old_entry = g.plain("old.entry.missing", "Mul", &[&old_entry, &missing]);
        let page_entry = g.plain("page.entry", "Add", &[&page, &experts]);
        let entries = g.along("entries.list", "Concat", 0, &[&old_entry, &page_entry]);
        let entries = g.plain("entries", "Reshape", &[&entries, &row_of_two]);
        let distances = g.along("distances.list", "Concat", 0, &[&absent, &distance]);
        let distances = g.plain("distances", "Reshape", &[&distances, &row_of_two]);
        let table = g.along("table", "ScatterElements", 1, &[table, &entries, &distances]);
        let frame_pages = g.along("frame.pages", "ScatterElements", 0, &[frame_pages, &frame, &page]);
        Swapped { window, table, frame_pages, frame, chunks }
    })
}

/// Appends the rows that a run ends with: those of the terminal expert. A run that was stopped has
/// not come to append its rows, so they go where rows go that are none.
fn last_rows(
    g: &mut Graph,
    paging: &Paging,
    z: &str,
    [ids, entries]: [&str; 2],
    table: &str,
    window: &str,
) -> Name {
    g.group("last", "Appends the rows of the terminal expert.", |g| {
        let (cells, _) = resident(g, ids, entries, table);
        let parts = ["query", "key", "lookup", "expert"];
        let [_, k, _, e] = g.split("cells", 1, &cells, &paging.indices, parts);
        let [_, trash, ..] = g.split(
            "trash",
            1,
            &paging.floor,
            &paging.indices,
            ["floor.query", "floor.key", "floor.lookup", "floor.expert"],
        );
        let trash = g.cast("trash.key", &trash, DataType::Int64);
        let ended = g.plain("ended", "Greater", &[&e, &paging.limit]);
        let ended = g.cast("ended.count", &ended, DataType::Int64);
        let distance = g.plain("keys.distance", "Sub", &[&k, &trash]);
        let distance = g.plain("keys.ended", "Mul", &[&distance, &ended]);
        let keys = g.plain("keys", "Add", &[&trash, &distance]);
        let [_, _, _, x, _] = g.split("fields", 1, z, &paging.fields, ["s", "gate.raw", "v", "x", "ids"]);
        g.along("window", "ScatterElements", 1, &[window, &keys, &x])
    })
}

/// All cells again, [cells], from the parts of the trace.
pub fn cells(g: &mut Graph, trace: &[Name]) -> Name {
    let [window, _, frame_pages, _, chunks] = trace else { unreachable!("the trace has five parts") };
    let pages_shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let single = g.initializer("const/one.row", Tensor::list(&[1i64, -1]));
    g.group("end", "All pages behind one another, as the run left them.", |g| {
        let pages = g.along("pages", "ConcatFromSequence", 0, &[chunks]);
        let resident = g.plain("resident", "Reshape", &[window, &pages_shape]);
        let places = g.plain("places", "Reshape", &[frame_pages, &column]);
        let pages = g.plain("all", "ScatterND", &[&pages, &places, &resident]);
        g.plain("cells", "Reshape", &[&pages, &single])
    })
}
