//! The loop form for large traces: a window of resident pages; the other pages are in a sequence of chunks.
//!
//! An inner loop decodes as long as all cells that the next step needs are in the window; a step's keys and
//! queries are known before the step, so nothing has to be undone. An outer loop brings in the page of one
//! missing cell, in place of the page that was brought in first, and lets the inner loop go on. Page 0, where
//! rows that are not appended go, stays in frame 0. Since a step needs fewer pages than there are frames,
//! bringing in one page after the other ends with all of them resident.
//!
//! Memory that is not touched costs nothing, even if the program begins with something in it. A fixed number
//! of pages makes a chunk, and a chunk is made when one of its pages is first brought in, of first rows, what
//! is given, and zeros. Chunks are numbered in the order in which they are made. This number, the *slot*, is the
//! chunk's index in the sequence. Slot 0 is a chunk of zeros that stands for all chunks that are not made
//! yet.
//!
//! For each page of each slot a table has the distance from its cells' keys to its cells in the window, or
//! [`ABSENT`]; no page of slot 0 is ever resident. For each chunk a directory has the distance from its
//! pages' numbers to its entries in the table. So a cell is found by two reads, and only the directory grows
//! with the size of the whole memory.
//!
//! Before the slots the table has an entry for each expert: 0, or `ABSENT` if the expert is terminal. So the
//! end of a run looks like one more missing cell, and the inner loop has one condition for both.
//!
//! Chunks keep the sequence short: replacing an element of a sequence takes time proportional to the number
//! of elements, and to the size of this element. The table and the directory are copied at each turn of the
//! outer loop.

use super::given::Given;
use super::graph::{Carried, Dim, Graph, Name, Tensor, ValueType};
use super::phases::{self, RunState};
use super::plan::Plan;
use super::space::Space;
use super::step::{self, Frozen};
use crate::proto::DataType;

/// Number of cells of a page: a power of two.
pub const PAGE: usize = 128;
/// Minimum number of pages in the window; there are more if a step can need more.
const FRAMES: usize = 64;
/// Entry in the table for a page that is not in the window. Larger than any key.
const ABSENT: i64 = 1 << 60;
/// A number between all keys and [`ABSENT`].
const LIMIT: i64 = 1 << 59;

fn list(ty: DataType, name: &'static str) -> ValueType {
    ValueType::tensor(ty, &[Dim::Named(name)])
}

fn row(ty: DataType, name: &'static str) -> ValueType {
    ValueType::tensor(ty, &[Dim::Fixed(1), Dim::Named(name)])
}

/// Number of values that make up the trace of a run. In order: the window, the directory, the table, the
/// pages in the window's frames, the frame that was filled last, the chunks.
const PARTS: usize = 6;

/// Returns the parts of a trace, each with its role and type.
fn parts(trace: [Name; PARTS]) -> Vec<Carried> {
    let single = ValueType::tensor(DataType::Int64, &[Dim::Fixed(1)]);
    let types = [
        ("window", row(DataType::Double, "window")),
        ("directory", row(DataType::Int64, "chunks")),
        ("table", row(DataType::Int64, "table")),
        ("frame.pages", list(DataType::Int64, "frames")),
        ("frame", single),
        ("chunks", ValueType::sequence(DataType::Double)),
    ];
    types.into_iter().zip(trace).map(|((role, ty), first)| Carried { role, ty, first }).collect()
}

/// Returns the number of pages in the window: at least as many as a step can need, one to bring in, and page
/// 0.
pub fn frames(plan: &Plan) -> usize {
    let [.., queries, keys, _] = plan.slots.sizes();
    FRAMES.max(queries + keys + 2)
}

/// Makes the trace that a run begins with, as its phases carry it.
pub fn first_trace(g: &mut Graph, plan: &Plan, given: &Given) -> (Vec<Carried>, Space) {
    let space = Space::new(g, plan, given);
    let frames = frames(plan);
    let experts = plan.network.experts.len();
    let terminals = plan.network.terminals.len();
    let rest = space.made * space.pages - frames;
    let chunk_shape = g.initializer("pages/chunk.shape", Tensor::list(&[space.pages as i64, PAGE as i64]));
    let chunk = g.initializer("pages/chunk", Tensor::scalar(space.pages as i64));
    let chunk_pages = g.initializer("pages/chunk.pages", Tensor::list(&[space.pages as i64]));
    let window_shape = g.initializer("pages/window", Tensor::list(&[1i64, (frames * PAGE) as i64]));
    let frame_pages = g.initializer("pages/first", Tensor::list(&(0..frames as i64).collect::<Vec<_>>()));
    let frame = g.initializer("pages/last.frame", Tensor::list(&[frames as i64 - 1]));
    let terminal_shape = g.initializer("limits/terminals", Tensor::list(&[terminals as i64]));
    let live_shape = g.initializer("limits/others", Tensor::list(&[(experts - terminals) as i64]));
    let resident = g.initializer("pages/resident", Tensor::list(&[frames as i64]));
    let rest = g.initializer("pages/not.resident", Tensor::list(&[rest as i64]));
    let front = g.initializer("const/front", Tensor::list(&[0i64]));
    let (window, table, chunks) = g.group(
        "window",
        "The first pages are resident; their chunks, and one of zeros, are in a sequence.",
        |g| {
            let pages = space.make_first(g);
            let window = g.plain("window.pages", "Slice", &[&pages, &front, &resident]);
            let window = g.plain("window", "Reshape", &[&window, &window_shape]);
            let terminal = g.filled("terminal", &terminal_shape, ABSENT);
            let live = g.filled("live", &live_shape, 0i64);
            let none = g.filled("none", &chunk_pages, ABSENT);
            let present = g.filled("present", &resident, 0i64);
            let absent = g.filled("absent", &rest, ABSENT);
            let table = g.along("table.list", "Concat", 0, &[&terminal, &live, &none, &present, &absent]);
            let table = g.plain("table", "Unsqueeze", &[&table, &front]);
            let zeros = g.filled("zeros", &chunk_shape, 0f64);
            let all = g.along("all", "Concat", 0, &[&zeros, &pages]);
            let chunks = g.along("chunks", "SplitToSequence", 0, &[&all, &chunk]);
            (window, table, chunks)
        },
    );
    (parts([window, space.directory.clone(), table, frame_pages, frame, chunks]), space)
}

/// What the steps of a paged run use in addition to [`Frozen`].
struct Paging<'s> {
    space: &'s Space,
    picks: Picks,
    /// For each index, the factor that makes it its page number; 1 for the expert.
    scale: Name,
    /// What is added to page numbers: the experts' entries stand before those of page 0.
    shift: Name,
    /// For each index, the factor that makes it its chunk's number. An expert, or an entry of a table of the
    /// network, is looked up as if it were in the chunk of page 0.
    chunk_scale: Name,
    limit: Name,
    /// Maximum number of maps to evaluate: int64 scalar.
    max_steps: Name,
}

/// Positions of what a step uses, in a row of numbers or in a row of the cells of its indices. Picking
/// elements by their positions costs less than cutting a row into parts.
struct Picks {
    s: Name,
    gates: Name,
    v: Name,
    x: Name,
    ids: Name,
    query: Name,
    key: Name,
    /// Queries and keys: everything whose cell may be missing.
    keys: Name,
    lookup: Name,
    expert: Name,
}

impl Picks {
    fn new(g: &mut Graph, plan: &Plan) -> Picks {
        let [s, n, v, x, q, k, t] = plan.slots.sizes();
        let mut positions = |name: &str, first: usize, count: usize| {
            let all: Vec<i64> = (first..first + count).map(|position| position as i64).collect();
            g.initializer(&format!("places/{name}"), Tensor::row(&all))
        };
        Picks {
            s: positions("s", 0, s),
            gates: positions("gates", s, n),
            v: positions("v", s + n, v),
            x: positions("x", s + n + v, x),
            ids: positions("ids", s + n + v + x, q + k + t + 1),
            query: positions("query", 0, q),
            key: positions("key", q, k),
            keys: positions("keys", 0, q + k),
            lookup: positions("lookup", q + k, t),
            expert: g.initializer("places/expert", Tensor::scalar((q + k + t) as i64)),
        }
    }
}

/// Runs one instance to the end of one phase.
pub fn run(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    max_steps: &str,
    space: &Space,
    state: RunState,
) -> RunState {
    let per_id =
        |of_key: f64, of_lookup: f64, of_expert: f64| Tensor::row(&plan.per_id(of_key, of_lookup, of_expert));
    let before_pages = (plan.network.experts.len() + space.pages) as f64;
    let paging = Paging {
        space,
        picks: Picks::new(g, plan),
        // A lookup's page is page 0, which is always resident at its own keys.
        scale: g.initializer("pages/scale", per_id(1.0 / PAGE as f64, 0.0, 1.0)),
        shift: g.initializer("pages/shift", per_id(0.0, 0.0, -before_pages)),
        chunk_scale: g.initializer("pages/chunk.scale", per_id(1.0 / space.cells() as f64, 0.0, 0.0)),
        limit: g.initializer("pages/limit", Tensor::scalar(LIMIT)),
        max_steps: max_steps.to_owned(),
    };
    let yes = g.initializer("const/true", Tensor::boolean(true));
    let forever = g.initializer("const/forever", Tensor::scalar(i64::MAX));
    let mut carried = phases::carried(plan, &state.z, &state.steps);
    carried.extend(parts(state.trace.try_into().expect("the trace has six parts")));
    let last = g.repeat("paging", &forever, &yes, carried, |g, _, carried| {
        bring_in_and_go_on(g, plan, frozen, &paging, carried)
    });
    let mut last = last.into_iter();
    let mut next = || last.next().expect("all that is carried comes out");
    let (z, steps) = (next(), next());
    let mut trace: Vec<Name> = last.collect();
    trace[0] = last_rows(g, &paging, &z, [&trace[0], &trace[1], &trace[2]]);
    RunState { z, steps, trace }
}

/// Takes the indices out of the numbers. Returns them, the pages of those that are keys or queries, and for
/// each its entry in the table of pages.
fn entries(g: &mut Graph, paging: &Paging, z: &str, directory: &str) -> [Name; 3] {
    let ids = g.pick("ids", z, &paging.picks.ids);
    let ids = step::clamp(g, &ids, &paging.space.floor, &paging.space.top);
    let pages = g.plain("page.scaled", "Mul", &[&ids, &paging.scale]);
    let pages = g.plain("page.shifted", "Add", &[&pages, &paging.shift]);
    let pages = g.cast("page", &pages, DataType::Int64);
    let chunks = g.plain("chunk.scaled", "Mul", &[&ids, &paging.chunk_scale]);
    let chunks = g.cast("chunk", &chunks, DataType::Int64);
    let base = g.along("entry.base", "GatherElements", 1, &[directory, &chunks]);
    let entries = g.plain("entry.page", "Add", &[&pages, &base]);
    [g.cast("id", &ids, DataType::Int64), pages, entries]
}

/// Finds the cells of indices in the window.
fn resident(g: &mut Graph, ids: &str, entries: &str, table: &str) -> Name {
    let distance = g.along("distance", "GatherElements", 1, &[table, entries]);
    g.plain("cell", "Add", &[ids, &distance])
}

/// Builds one turn of the outer loop.
fn bring_in_and_go_on(
    g: &mut Graph,
    plan: &Plan,
    frozen: &Frozen,
    paging: &Paging,
    carried: &[Name],
) -> (Name, Vec<Name>) {
    let [z, steps, trace @ ..] = carried else { unreachable!("numbers and steps are carried") };
    let [window, directory, table, frame_pages, frame, chunks] = swap(g, plan, paging, z, trace);

    let (cells, going, left) =
        g.group("resume", "The steps from here on, until a cell is not resident.", |g| {
            let [ids, _, entries] = entries(g, paging, z, &directory);
            let cells = resident(g, &ids, &entries, &table);
            let largest = g.largest("cell.largest", &cells);
            let going = g.plain("going", "Less", &[&largest, &paging.limit]);
            let steps = g.largest("steps", steps);
            (cells, going, g.plain("steps.left", "Sub", &[&paging.max_steps, &steps]))
        });
    let mut carried = phases::carried(plan, z, steps);
    carried.extend([
        Carried { role: "cells", ty: row(DataType::Int64, "indices"), first: cells },
        Carried { role: "window", ty: row(DataType::Double, "window"), first: window },
    ]);
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let last = g.repeat("decode", &left, &going, carried, |g, _, carried| {
        let [z, steps, cells, window] = carried else { unreachable!("four values are carried") };
        let picks = &paging.picks;
        g.group("step", step::DOC, |g| {
            let x = g.pick("x", z, &picks.x);
            let [q, k] = [("query", &picks.query), ("key", &picks.key)].map(|(n, p)| g.pick(n, cells, p));
            let (window, r) = step::recall(g, window, &k, &x, &q);
            let t = g.pick("lookup", cells, &picks.lookup);
            let w = g.plain("entry", "Gather", &[&frozen.lookup, &t]);
            let e = g.along("expert", "Gather", 1, &[cells, &picks.expert]);
            let [s, gates, v] =
                [("s", &picks.s), ("gate.raw", &picks.gates), ("v", &picks.v)].map(|(n, p)| g.pick(n, z, p));
            let z = step::apply(g, frozen, &e, [&gates, &v], [&r, &w, &s]);
            let steps = g.plain("steps", "Add", &[steps, &one]);
            let [ids, _, entries] = entries(g, paging, &z, &directory);
            let cells = resident(g, &ids, &entries, &table);
            let largest = g.largest("cell.largest", &cells);
            let going = g.plain("going", "Less", &[&largest, &paging.limit]);
            (going, vec![z, steps, cells, window])
        })
    });
    let [z, steps, cells, window] = <[Name; 4]>::try_from(last).expect("four values are carried");
    let going = g.group("again", "Whether a page is missing or steps are left.", |g| {
        unfinished(g, paging, &cells, &steps)
    });
    (going, vec![z, steps, window, directory, table, frame_pages, frame, chunks])
}

/// Makes the condition of the outer loop: steps are left, and the run has not ended with the cells of all
/// rows resident.
fn unfinished(g: &mut Graph, paging: &Paging, cells: &str, steps: &str) -> Name {
    let missing = g.pick("keys", cells, &paging.picks.keys);
    let missing = g.largest("keys.largest", &missing);
    let missing = g.plain("missing", "Greater", &[&missing, &paging.limit]);
    let expert = g.along("expert", "Gather", 1, &[cells, &paging.picks.expert]);
    let expert = g.largest("expert.largest", &expert);
    let live = g.plain("live", "Less", &[&expert, &paging.limit]);
    let more = g.plain("more", "Or", &[&missing, &live]);
    let steps = g.largest("steps", steps);
    let allowed = g.plain("allowed", "Less", &[&steps, &paging.max_steps]);
    // The rows of a run that ended with the last allowed step may lie in pages that are still to be brought
    // in.
    let ended = g.plain("ended", "Not", &[&live]);
    let allowed = g.plain("allowed.last", "Or", &[&allowed, &ended]);
    g.plain("going", "And", &[&more, &allowed])
}

/// Where a page is kept.
struct Kept {
    /// The number of its chunk, int64 [1].
    chunk: Name,
    /// The index of the page in this chunk, int64 [1].
    offset: Name,
    /// The directory's entry for the chunk, int64 [1].
    base: Name,
    /// The slot of the chunk, int64 scalar.
    slot: Name,
}

/// Finds where a page, int64 [1], is kept.
fn kept(g: &mut Graph, plan: &Plan, space: &Space, role: &str, page: &str, directory: &str) -> Kept {
    let experts = plan.network.experts.len() as i64;
    let experts = g.initializer("pages/experts", Tensor::list(&[experts]));
    let per_chunk = g.initializer("pages/per.chunk", Tensor::list(&[1.0 / space.pages as f64]));
    let pages = g.initializer("pages/chunk.pages", Tensor::list(&[space.pages as i64]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let none = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let quotient = |g: &mut Graph, part: &str, number: &str| {
        let number = g.cast(&format!("{role}.{part}.number"), number, DataType::Double);
        let scaled = g.plain(&format!("{role}.{part}.scaled"), "Mul", &[&number, &per_chunk]);
        g.cast(&format!("{role}.{part}"), &scaled, DataType::Int64)
    };
    let chunk = quotient(g, "chunk", page);
    let first = g.plain(&format!("{role}.first"), "Mul", &[&chunk, &pages]);
    let offset = g.plain(&format!("{role}.offset"), "Sub", &[page, &first]);
    let base = g.along(&format!("{role}.base.row"), "Gather", 1, &[directory, &chunk]);
    let base = g.plain(&format!("{role}.base"), "Reshape", &[&base, &single]);
    let entry = g.plain(&format!("{role}.first.entry"), "Add", &[&base, &first]);
    let entry = g.plain(&format!("{role}.first.page"), "Sub", &[&entry, &experts]);
    let slot = quotient(g, "slot.list", &entry);
    let slot = g.plain(&format!("{role}.slot"), "Reshape", &[&slot, &none]);
    Kept { chunk, offset, base, slot }
}

/// Brings the page of one missing cell into the frame after the one that was filled last. If no cell is
/// missing, the page in this frame is brought in again.
fn swap(g: &mut Graph, plan: &Plan, paging: &Paging, z: &str, trace: &[Name]) -> [Name; PARTS] {
    let [window, directory, table, frame_pages, frame, chunks] = trace else {
        unreachable!("the trace has six parts")
    };
    let space = paging.space;
    let frames = frames(plan) as i64;
    let next: Vec<i64> = (0..frames).map(|f| if f + 1 < frames { f + 1 } else { 1 }).collect();
    let next = g.initializer("pages/next.frame", Tensor::list(&next));
    let pages_shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
    let window_shape = g.initializer("pages/window", Tensor::list(&[1i64, frames * PAGE as i64]));
    let cells = g.initializer("pages/cells", Tensor::list(&[PAGE as i64]));
    let chunk_pages = g.initializer("pages/chunk.pages", Tensor::list(&[space.pages as i64]));
    let flat = g.initializer("const/single", Tensor::list(&[1i64]));
    let pair = g.initializer("const/pair", Tensor::list(&[1i64, 1]));
    let row_shape = g.initializer("const/one.row", Tensor::list(&[1i64, -1]));
    let absent = g.initializer("pages/absent", Tensor::list(&[ABSENT]));
    let row_of_two = g.initializer("const/row.of.two", Tensor::list(&[1i64, 2]));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    g.group("swap", "Brings in the page of a cell that is not resident.", |g| {
        let [ids, pages, entries] = entries(g, paging, z, directory);
        let cells_now = resident(g, &ids, &entries, table);
        let keys = g.pick("keys", &cells_now, &paging.picks.keys);
        let worst = g.along("worst", "ArgMax", 1, &[&keys]);
        let wanted = g.along("wanted.page", "GatherElements", 1, &[&pages, &worst]);
        let wanted = g.plain("wanted", "Reshape", &[&wanted, &flat]);
        let largest = g.largest("keys.largest", &keys);
        let missing = g.plain("missing", "Greater", &[&largest, &paging.limit]);
        let missing = g.cast("missing.count", &missing, DataType::Int64);

        let frame = g.plain("frame", "Gather", &[&next, frame]);
        let old = g.plain("old", "Gather", &[frame_pages, &frame]);
        let change = g.plain("page.change", "Sub", &[&wanted, &old]);
        let change = g.plain("page.missing", "Mul", &[&change, &missing]);
        let page = g.plain("page.new", "Add", &[&old, &change]);

        // The old page goes back to its chunk. If the new page's chunk is not there, it is made, behind the
        // others.
        let from = kept(g, plan, space, "old", &old, directory);
        let to = kept(g, plan, space, "new", &page, directory);
        let frames_now = g.plain("window.pages", "Reshape", &[window, &pages_shape]);
        let content = g.plain("old.content", "Gather", &[&frames_now, &frame]);
        let before = g.plain("old.pages", "SequenceAt", &[chunks, &from.slot]);
        let offset = g.plain("old.offset.pair", "Reshape", &[&from.offset, &pair]);
        let after = g.plain("old.updated", "ScatterND", &[&before, &offset, &content]);
        let erased = g.plain("chunks.erased", "SequenceErase", &[chunks, &from.slot]);
        let unmade = g.plain("new.unmade", "Less", &[&to.slot, &one]);
        let put_back =
            |g: &mut Graph, role: &str| g.plain(role, "SequenceInsert", &[&erased, &after, &from.slot]);
        let chunks = g.choose(
            "chunks",
            &unmade,
            &ValueType::sequence(DataType::Double),
            [
                &mut |g| {
                    let chunks = put_back(g, "chunks.before");
                    let made = space.make_one(g, &to.chunk);
                    g.plain("chunks", "SequenceInsert", &[&chunks, &made])
                },
                &mut |g| put_back(g, "chunks"),
            ],
        );
        let unmade = g.cast("new.unmade.count", &unmade, DataType::Int64);
        let last_slot = g.plain("slots.count", "SequenceLength", &[&chunks]);
        let last_slot = g.plain("slots.last", "Sub", &[&last_slot, &one]);
        // If the chunk was made just now, its slot changes from 0 to the last one; otherwise the slot stays.
        let change = g.plain("new.slot.change", "Mul", &[&last_slot, &unmade]);
        let slot = g.plain("new.slot.now", "Add", &[&to.slot, &change]);
        let change = g.plain("new.base.change", "Mul", &[&change, &chunk_pages]);
        let base = g.plain("new.base.now", "Add", &[&to.base, &change]);
        let base_row = g.plain("new.base.pair", "Reshape", &[&base, &pair]);
        let chunk_row = g.plain("new.chunk.pair", "Reshape", &[&to.chunk, &pair]);
        let directory = g.along("directory", "ScatterElements", 1, &[directory, &chunk_row, &base_row]);
        let more = g.plain("table.more.count", "Mul", &[&chunk_pages, &unmade]);
        let more = g.filled("table.more.list", &more, ABSENT);
        let more = g.plain("table.more", "Reshape", &[&more, &row_shape]);
        let table = g.along("table.grown", "Concat", 1, &[table, &more]);
        // The new page comes from its chunk.
        let chunk_new = g.plain("new.pages", "SequenceAt", &[&chunks, &slot]);
        let content = g.plain("new.content", "Gather", &[&chunk_new, &to.offset]);
        let frame_pair = g.plain("frame.pair", "Reshape", &[&frame, &pair]);
        let window = g.plain("window.updated", "ScatterND", &[&frames_now, &frame_pair, &content]);
        let window = g.plain("window", "Reshape", &[&window, &window_shape]);

        let first_cell = g.plain("frame.cell", "Mul", &[&frame, &cells]);
        let first_key = g.plain("page.key", "Mul", &[&page, &cells]);
        let distance = g.plain("page.distance", "Sub", &[&first_cell, &first_key]);
        // One write for both pages, which need different entries: if no page is missing, the old page stays,
        // and the entry of expert 0, which is absent, is written again.
        let old_entry = g.plain("old.entry", "Add", &[&old, &from.base]);
        let old_entry = g.plain("old.entry.missing", "Mul", &[&old_entry, &missing]);
        let page_entry = g.plain("page.entry", "Add", &[&page, &base]);
        let entries = g.along("entries.list", "Concat", 0, &[&old_entry, &page_entry]);
        let entries = g.plain("entries", "Reshape", &[&entries, &row_of_two]);
        let distances = g.along("distances.list", "Concat", 0, &[&absent, &distance]);
        let distances = g.plain("distances", "Reshape", &[&distances, &row_of_two]);
        let table = g.along("table", "ScatterElements", 1, &[&table, &entries, &distances]);
        let frame_pages = g.along("frame.pages", "ScatterElements", 0, &[frame_pages, &frame, &page]);
        [window, directory, table, frame_pages, frame, chunks]
    })
}

/// Appends the rows that a run ends with: those of the terminal expert. A run that was stopped has not yet
/// appended its next rows and must not: they go to the cells for rows that are not appended.
fn last_rows(g: &mut Graph, paging: &Paging, z: &str, [window, directory, table]: [&str; 3]) -> Name {
    g.group("last", "Appends the rows of the terminal expert.", |g| {
        let [ids, _, entries] = entries(g, paging, z, directory);
        let cells = resident(g, &ids, &entries, table);
        let k = g.pick("key", &cells, &paging.picks.key);
        let e = g.along("expert", "Gather", 1, &[&cells, &paging.picks.expert]);
        let trash = g.pick("trash", &paging.space.floor, &paging.picks.key);
        let trash = g.cast("trash.key", &trash, DataType::Int64);
        let ended = g.plain("ended", "Greater", &[&e, &paging.limit]);
        let ended = g.cast("ended.count", &ended, DataType::Int64);
        let distance = g.plain("keys.distance", "Sub", &[&k, &trash]);
        let distance = g.plain("keys.ended", "Mul", &[&distance, &ended]);
        let keys = g.plain("keys", "Add", &[&trash, &distance]);
        let x = g.pick("x", z, &paging.picks.x);
        g.along("window", "ScatterElements", 1, &[window, &keys, &x])
    })
}

/// Reads pages that a run has left, by their numbers, int64 [n]: double [n, 1, cells].
fn read_pages(g: &mut Graph, plan: &Plan, trace: &[Name], pages: &str) -> Name {
    let [window, directory, table, _, _, chunks] = trace else { unreachable!("the trace has six parts") };
    let frames = frames(plan) as i64;
    let pages_shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
    let single = g.initializer("const/single", Tensor::list(&[1i64]));
    let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
    let cells = g.initializer("pages/cells", Tensor::list(&[PAGE as i64]));
    let behind = g.initializer("pages/window.cells", Tensor::list(&[frames * PAGE as i64]));
    let per_cell = g.initializer("pages/per.cell", Tensor::list(&[1.0 / PAGE as f64]));
    let space = Space::of(plan);
    let count = g.plain("pages.count.list", "Shape", &[pages]);
    let count = g.plain("pages.count", "Reshape", &[&count, &scalar]);
    let frame_pages = g.plain("pages.resident", "Reshape", &[window, &pages_shape]);
    let page_type = ValueType::tensor(DataType::Double, &[Dim::Fixed(1), Dim::Fixed(PAGE as i64)]);
    g.each("pages", &count, page_type, |g, i| {
        let i = g.plain("number", "Reshape", &[i, &single]);
        let page = g.plain("page", "Gather", &[pages, &i]);
        let from = kept(g, plan, &space, "kept", &page, directory);
        let chunk = g.plain("chunk", "SequenceAt", &[chunks, &from.slot]);
        let content = g.plain("content", "Gather", &[&chunk, &from.offset]);
        // The page from the chunk stands behind the pages of the window, and is read if the window does not
        // have it.
        let all = g.along("all", "Concat", 0, &[&frame_pages, &content]);
        let entry = g.plain("entry", "Add", &[&page, &from.base]);
        let distance = g.along("distance.row", "Gather", 1, &[table, &entry]);
        let distance = g.plain("distance", "Reshape", &[&distance, &single]);
        let key = g.plain("key", "Mul", &[&page, &cells]);
        let cell = g.plain("cell.any", "Add", &[&key, &distance]);
        let cell = g.plain("cell", "Min", &[&cell, &behind]);
        let cell = g.cast("cell.number", &cell, DataType::Double);
        let frame = g.plain("frame.number", "Mul", &[&cell, &per_cell]);
        let frame = g.cast("frame", &frame, DataType::Int64);
        g.plain("cells", "Gather", &[&all, &frame])
    })
}

/// Reads what a run has left at keys, int64 [n]: double [1, n].
pub fn read(g: &mut Graph, plan: &Plan, trace: &[Name], role: &'static str, keys: &str) -> Name {
    let page = g.initializer("pages/cells", Tensor::list(&[PAGE as i64]));
    let shape = g.initializer("pages/shape", Tensor::list(&[-1i64, PAGE as i64]));
    let column = g.initializer("const/column", Tensor::list(&[-1i64, 1]));
    let row = g.initializer("const/one.row", Tensor::list(&[1i64, -1]));
    g.group(role, "Cells of the trace, from the pages that they are in.", |g| {
        let pages = g.plain("page", "Div", &[keys, &page]);
        let first = g.plain("page.key", "Mul", &[&pages, &page]);
        let offsets = g.plain("offset", "Sub", &[keys, &first]);
        let offsets = g.plain("offset.column", "Reshape", &[&offsets, &column]);
        let pages = read_pages(g, plan, trace, &pages);
        let pages = g.plain("page.rows", "Reshape", &[&pages, &shape]);
        let cells = g.along("cell.column", "GatherElements", 1, &[&pages, &offsets]);
        g.plain("cells", "Reshape", &[&cells, &row])
    })
}

/// Reads the bytes, uint8 [n], that a run has left from the key `first` on; `count` is n, int64 scalar.
pub fn bytes(
    g: &mut Graph,
    plan: &Plan,
    trace: &[Name],
    stream: &'static str,
    first: u64,
    count: &str,
) -> Name {
    let page = first / PAGE as u64;
    let offset = (first % PAGE as u64) as i64;
    let first = g.initializer(&format!("{stream}/page"), Tensor::scalar(page as i64));
    let begin = g.initializer(&format!("{stream}/offset"), Tensor::list(&[offset]));
    let cells = g.initializer("pages/page.cells", Tensor::scalar(PAGE as i64));
    let one = g.initializer("const/one", Tensor::scalar(1i64));
    let flat = g.initializer("const/flat", Tensor::list(&[-1i64]));
    g.group("bytes", "The pages that were printed to.", |g| {
        let end = g.plain("end", "Add", &[count, &begin]);
        let pages = g.plain("page.last", "Div", &[&end, &cells]);
        let pages = g.plain("page.count", "Add", &[&pages, &one]);
        let pages = g.plain("page.end.list", "Add", &[&pages, &first]);
        let scalar = g.initializer("const/scalar", Tensor::list::<i64>(&[]));
        let pages = g.plain("page.end", "Reshape", &[&pages, &scalar]);
        let pages = g.plain("page", "Range", &[&first, &pages, &one]);
        let all = read_pages(g, plan, trace, &pages);
        let all = g.cast("page.bytes", &all, DataType::Uint8);
        let all = g.plain("flat", "Reshape", &[&all, &flat]);
        g.plain("printed", "Slice", &[&all, &begin, &end])
    })
}
