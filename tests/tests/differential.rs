//! Random modules: ours against wasmtime.
//!
//! `WASM2ONNX_SEEDS` is the number of modules that wasm-smith makes, or a range of seeds such as
//! `2000..4000`; without it there are 5,000. A failure prints its seed and leaves the module in
//! `target/failures`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use wasm2onnx_compiler::error::ErrorKind;
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Instance, Network, TrapCode, Value, ValueType};
use wasm2onnx_tests::agree::{Effect, guarded, max_steps};
use wasm2onnx_tests::oracle::{Engine, Exports, Limits, NoInstance, Oracle, Stop, Wasmtime};
use wasm2onnx_tests::ours::{Way, outcome};
use wasm2onnx_tests::smith::{FUEL as BURNT, KINDS, TERMINATION_FUEL, kinds, random_module};
use wasm2onnx_tests::values::random_value;
use wasm2onnx_tests::{each_in_parallel, save_failure, seeds};

/// Number of seeds if the environment variable is not set.
const DEFAULT_SEEDS: u64 = 5_000;

/// Minimum number of instructions of a call that counts as busy.
const BUSY: u64 = 100;

/// Minimum share of the seeds that have a busy call without a trap.
const LEAST_BUSY: f64 = 0.6;

/// More fuel than any generated module burns. Mutated modules may run on; they are compared up to this limit.
const FUEL: u64 = 1 << 24;

/// Maximum number of pages of a memory, on both sides.
const MAX_PAGES: u32 = 16;

const LIMITS: Limits = Limits { fuel: Some(FUEL), pages: Some(MAX_PAGES) };

/// The executors: the interpreter, and machine code made early and at once.
const WAYS: [Way; 3] = [Way::Checked, Way::Compiled, Way::Eager];

/// Number of mutated modules.
const MUTATIONS: u64 = 10_000;

/// Number of calls of each export on one instance.
const CALLS: usize = 3;

#[test]
fn random_modules_agree_with_wasmtime() {
    let seeds = seeds(DEFAULT_SEEDS);
    let count = seeds.end - seeds.start;
    let with = Mutex::new(BTreeMap::new());
    let total = compare_all(seeds, "smith", Origin::Generated, |seed| {
        let wasm = random_module(seed);
        let mut with = with.lock().expect("no test panics holding it");
        for kind in kinds(&wasm) {
            *with.entry(kind).or_insert(0) += 1;
        }
        wasm
    });
    let with = with.into_inner().expect("no test panicked holding it");
    println!("with {with:?}");
    for kind in KINDS {
        assert!(with.get(kind).is_some_and(|with| with * 4 >= count), "too few modules with {kind}");
    }
    let share = total.busy as f64 / count as f64;
    println!("{:.1} % of the seeds executed {BUSY} instructions or more without a trap", share * 100.0);
    assert_eq!(total.compared, count, "wasm-smith made a module that wasmtime refuses");
    assert!(share >= LEAST_BUSY, "the generated modules do too little");
}

/// Seeds of modules that once failed: one was refused for a state that cannot occur, and one made the scheduler panic,
/// because a linear form was available only after the last step of its packet.
#[test]
fn modules_that_once_failed_agree_with_wasmtime() {
    for seed in [121_629, 152_325] {
        let total = compare_all(seed..seed + 1, "smith", Origin::Generated, random_module);
        assert_eq!(total.compared, 1);
    }
}

#[test]
fn mutated_modules_agree_with_wasmtime_or_are_refused() {
    let bases: Vec<_> = (0..20).map(random_module).collect();
    let total = compare_all(0..MUTATIONS, "mutated", Origin::Mutated, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        mutated(&bases[seed as usize % bases.len()], &mut rng)
    });
    assert!(total.compared >= MUTATIONS / 20, "too few mutations leave a module to compare");
}

/// Compares the modules of all seeds and prints the sums.
fn compare_all(
    seeds: Range<u64>,
    name: &str,
    origin: Origin,
    module: impl Fn(u64) -> Vec<u8> + Sync,
) -> Total {
    let count = seeds.end - seeds.start;
    let total = Mutex::new(Total::default());
    each_in_parallel(seeds, |seed| {
        let wasm = module(seed);
        let comparison = guarded(|| compare(&wasm, seed, origin));
        let mut total = total.lock().expect("no test panics holding it");
        match comparison {
            Ok(Comparison::Compared(summary)) => total.add(summary),
            Ok(Comparison::Neither) => {}
            Err(what) => {
                let path = save_failure(&format!("{name}-{seed}.wasm"), &wasm);
                println!("FAILED seed {seed}: {what}; module: {path}");
                total.failed += 1;
            }
        }
    });
    let total = total.into_inner().expect("no test panicked holding it");
    println!(
        "{count} {name} modules: {} compared, {} failed, the others refused; {} calls, {} of them trapped, {} instructions",
        total.compared,
        total.failed,
        total.calls,
        total.traps.values().sum::<u64>(),
        total.fuel,
    );
    println!("traps: {:?}; {} exports left at a call that is too long or deep", total.traps, total.left);
    assert_eq!(total.failed, 0, "modules fail");
    assert!(total.left * 20 <= total.calls, "too many are left");
    total
}

/// Sums over modules.
#[derive(Default)]
struct Total {
    calls: u64,
    traps: BTreeMap<String, u64>,
    left: u64,
    fuel: u64,
    busy: u64,
    compared: u64,
    failed: u64,
}

impl Total {
    fn add(&mut self, summary: Summary) {
        self.compared += 1;
        self.calls += summary.calls;
        self.left += summary.left;
        for (code, count) in summary.traps {
            *self.traps.entry(code).or_default() += count;
        }
        self.fuel += summary.fuel;
        self.busy += u64::from(summary.longest >= BUSY);
    }
}

/// What the reference did.
#[derive(Default)]
struct Summary {
    calls: u64,
    traps: BTreeMap<String, u64>,
    /// Number of exports of mutated modules left at a call that takes too many steps or too large a stack on
    /// ours.
    left: u64,
    fuel: u64,
    /// Maximum fuel of a call that did not trap.
    longest: u64,
}

impl Summary {
    fn add(&mut self, transcript: &Transcript) {
        self.fuel += transcript.fuel;
        for call in &transcript.calls {
            self.calls += 1;
            match call.effect.outcome {
                Err(Stop::Trap(code)) => *self.traps.entry(format!("{code:?}")).or_default() += 1,
                _ => self.longest = self.longest.max(call.fuel),
            }
        }
    }
}

enum Comparison {
    Compared(Summary),
    /// Our compiler or wasmtime refuses the module.
    Neither,
}

/// Where a module comes from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// From wasm-smith: it must compile, and every call must end.
    Generated,
    /// Mutated: it may be refused, and may run on until fuel or stack are used up.
    Mutated,
}

/// What an export did in the reference. Each export has an instance of its own, so that one that burns all of
/// its fuel leaves some for the others.
struct Transcript {
    name: String,
    calls: Vec<RecordedCall>,
    fuel: u64,
}

struct RecordedCall {
    /// Globals that the host changes before the call.
    sets: Vec<(String, Value)>,
    args: Vec<Value>,
    effect: Effect,
    fuel: u64,
}

/// Calls every export on both sides and compares results, traps, globals and memories.
fn compare(wasm: &[u8], seed: u64, origin: Origin) -> Result<Comparison, String> {
    let options = Options { max_memory_pages: Some(MAX_PAGES), ..Options::default() };
    let network = match compile(wasm, &options) {
        Ok(network) => network,
        Err(error) if origin == Origin::Generated || matches!(error.kind(), ErrorKind::Certificate(_)) => {
            return Err(format!("refused: {error}"));
        }
        Err(_) => return Ok(Comparison::Neither),
    };
    let Some(module) = Wasmtime::compile(wasm, LIMITS) else {
        return Ok(Comparison::Neither);
    };
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut summary = Summary::default();
    let exports = Exports::of(wasm);
    for (name, params) in &exports.functions {
        let reference = match Wasmtime::instantiate(&module, &[]) {
            Ok(reference) => reference,
            Err(NoInstance::Refused) => return Ok(Comparison::Neither),
            Err(NoInstance::Ended(expected)) => {
                compare_creation(&network, &expected, origin)?;
                break;
            }
        };
        let transcript = record(reference, &exports, name, params, &mut rng, origin)?;
        for way in WAYS {
            let all = replay(&network, &transcript, way, origin)
                .map_err(|what| format!("{way:?}: {:?}: {what}", transcript.name))?;
            summary.left += u64::from(!all);
        }
        summary.add(&transcript);
    }
    Ok(Comparison::Compared(summary))
}

/// Compares how instance creation fails.
fn compare_creation(network: &Network, expected: &Stop, origin: Origin) -> Result<(), String> {
    if *expected == Stop::Limit && origin == Origin::Mutated {
        return Ok(());
    }
    for way in WAYS {
        let instance = Instance::with_config(network, way.config(max_steps(FUEL)));
        let found = outcome(instance.map(|_| Vec::new()));
        if found != Err(*expected) {
            return Err(format!("{way:?}: creation gave {found:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

/// Calls an export a few times, with values that persist between the calls.
fn record(
    mut reference: Wasmtime,
    exports: &Exports,
    name: &str,
    params: &[ValueType],
    rng: &mut fastrand::Rng,
    origin: Origin,
) -> Result<Transcript, String> {
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        let sets = sets(exports, rng);
        sets.iter().for_each(|(name, value)| reference.set_global(name, *value));
        let args: Vec<_> = params.iter().map(|ty| random_value(rng, *ty)).collect();
        let before = reference.instructions();
        let effect = Effect::of(&mut reference, name, &args);
        if effect.outcome == Err(Stop::Limit) {
            match origin {
                Origin::Generated => return Err(format!("{name:?}{args:?} runs too long")),
                Origin::Mutated => break,
            }
        }
        let fuel = reference.instructions() - before;
        calls.push(RecordedCall { sets, args, effect, fuel });
    }
    Ok(Transcript { name: name.to_owned(), calls, fuel: reference.instructions() })
}

/// Chooses globals to change before a call: the fuel, and sometimes another one.
fn sets(exports: &Exports, rng: &mut fastrand::Rng) -> Vec<(String, Value)> {
    let fuel = (BURNT.to_owned(), ValueType::I32);
    let mut sets = Vec::new();
    if exports.globals.contains(&fuel) {
        sets.push((fuel.0, Value::I32(TERMINATION_FUEL)));
    }
    if let Some((name, ty)) = rng.choice(&exports.globals)
        && name != BURNT
        && rng.bool()
    {
        sets.push((name.clone(), random_value(rng, *ty)));
    }
    sets
}

/// Makes the same calls and compares. Returns whether all of them were made.
fn replay(network: &Network, transcript: &Transcript, way: Way, origin: Origin) -> Result<bool, String> {
    let config = way.config(max_steps(transcript.fuel));
    let mut ours = Instance::with_config(network, config).map_err(|e| format!("creation: {e}"))?;
    for RecordedCall { sets, args, effect: expected, .. } in &transcript.calls {
        sets.iter().for_each(|(name, value)| Engine::set_global(&mut ours, name, *value));
        let found = Effect::of(&mut ours, &transcript.name, args);
        // The two stacks differ in size, and fuel says nothing about how much an instruction moves.
        let exhausted = Err(Stop::Trap(TrapCode::CallStackExhausted));
        let left =
            found.outcome == exhausted || expected.outcome == exhausted || found.outcome == Err(Stop::Limit);
        if origin == Origin::Mutated && left {
            return Ok(false);
        }
        found.compare(expected).map_err(|what| format!("{args:?}: {what}"))?;
    }
    Ok(true)
}

/// Returns the module with a few bytes changed, moved or missing.
fn mutated(wasm: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut wasm = wasm.to_vec();
    let changes = if rng.bool() { 1 } else { rng.usize(2..=4) };
    for _ in 0..changes {
        if wasm.is_empty() {
            break;
        }
        let at = rng.usize(..wasm.len());
        match rng.u8(..16) {
            0 => wasm.truncate(at),
            1 => {
                wasm.remove(at);
            }
            2 => wasm.insert(at, rng.u8(..)),
            3 => {
                let with = rng.usize(..wasm.len());
                wasm.swap(at, with);
            }
            4 => {
                let len = rng.usize(1..=16).min(wasm.len() - at);
                let copy = wasm[at..at + len].to_vec();
                let to = rng.usize(..=wasm.len() - len);
                wasm[to..to + len].copy_from_slice(&copy);
            }
            // A neighbouring opcode or number is often valid again.
            5..13 => wasm[at] = wasm[at].wrapping_add_signed(rng.i8(-3..=3)),
            13 => wasm[at] ^= 1 << rng.u8(..8),
            _ => wasm[at] = rng.u8(..),
        }
    }
    wasm
}
