//! Compiling a module of twice the size takes about twice the processor time and at most about twice the
//! memory.
//!
//! `cargo bench -p wasm2onnx-compiler --bench speed -- growth` prints the same for larger modules.

#[path = "grow.rs"]
mod grow;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use grow::{FAMILIES, Family};
use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{CompileError, Options, compile};

/// Maximum factor of the time for twice the size. Quadratic passes take up to 4 times as long.
const MOST_TIME: f64 = 3.0;
/// Maximum factor of the peak memory for twice the size. Peaks are the same in every run, but vectors grow by
/// doubling.
const MOST_MEMORY: f64 = 2.6;

/// Counts the bytes that are in use.
struct Counted;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// Safety: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // Safety: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // Safety: the caller promises what the system's allocator asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Allows one compilation at a time, since there is only one pair of counters.
static TURN: Mutex<()> = Mutex::new(());

/// Returns the processor time of this process in hundredths of a second. Time by the clock would depend on
/// other programs.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a Linux kernel");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
    // utime and stime are fields 14 and 15 of the line; the first two fields are not in `fields`.
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Returns the hundredths of a second and the bytes that a compilation takes.
fn measure(module: &[u8]) -> Result<(u64, usize), CompileError> {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let start = processor_time();
    compile(module, &Options::default())?;
    Ok((processor_time() - start, PEAK.load(Ordering::Relaxed).saturating_sub(before)))
}

/// Compares a module with one of twice the size, as often as it takes.
fn check(family: &Family) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let modules = [family.module(family.small), family.module(2 * family.small)];
    let mut best = [u64::MAX; 2];
    for round in 0..6 {
        let mut peaks = [0; 2];
        for (i, module) in modules.iter().enumerate() {
            let (time, peak) = measure(module).unwrap_or_else(|error| panic!("{}: {error}", family.name));
            best[i] = best[i].min(time);
            peaks[i] = peak;
        }
        let memory = peaks[1] as f64 / peaks[0] as f64;
        assert!(memory < MOST_MEMORY, "{}: {memory} times the memory: {peaks:?} bytes", family.name);
        // Times are rounded, and longer while other programs use the caches, so the best of several rounds
        // counts.
        let [small, large] = best;
        println!("{}: {small} and {large} hundredths of a second, {memory:.2} times the memory", family.name);
        if (large as f64) < MOST_TIME * (small + 1) as f64 {
            return;
        }
        assert!(round < 5, "{}: {best:?} hundredths of a second", family.name);
    }
}

macro_rules! families {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(FAMILIES.iter().find(|family| family.name == stringify!($name)).expect("a family"));
        })*

        #[test]
        fn every_family_is_a_test() {
            let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

families!(table ifs loops chain tables calls_twice cycle live live_over_loops carried returns straight
    memory calls divisions switches constants through_tables);

/// More values at once than a frame has slots are refused, and quickly.
#[test]
fn too_many_values_at_once() {
    let live = FAMILIES.iter().find(|family| family.name == "live").expect("a family");
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let error = measure(&live.module(40_000)).expect_err("there are not that many slots");
    let ErrorKind::Limit { what, value, limit } = error.kind() else { panic!("{error}") };
    assert_eq!(what, "the number of words that `f` keeps in its frame at once");
    assert!(value >= limit && *limit == 1 << 14, "{error}");
}
