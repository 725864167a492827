//! The program is in the weights: changed weights change the run, for all executors alike.
//!
//! Both tests run every change step by step on the executors side by side and compare every number
//! up to the first step that is not exact any more.

use std::collections::BTreeSet;

use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::lockstep::{End, Report, compare_step_by_step};
use wasm2onnx_runtime::{
    ExpertId, Experts, Instance, Network, Place, Sparse, SparseOptions, Stepper, TokenEnds, Value,
};
use wasm2onnx_tests::examples::{self, Example};
use wasm2onnx_tests::oracle::exported_functions;
use wasm2onnx_tests::ours;
use wasm2onnx_tests::smith::random_module;
use wasm2onnx_tests::values::random_value;

/// Changes of one weight for each program.
const CHANGES: usize = 100;

/// Least share of the changes that have an effect.
const LEAST_EFFECT: f64 = 0.3;

/// Packets to erase, at least, that runs come to; with the default seed there are 352.
const LEAST_ERASED: usize = 250;

/// Instructions of the calls of each example, of which the one that comes to most packets is taken.
const EXAMPLE_CALLS: [u64; 5] = [0, 500, 1_000, 1_500, 2_000];

/// Modules of wasm-smith.
const RANDOM_MODULES: u64 = 40;

/// Steps of an unchanged run at most: the dense executor is slow.
const MAX_STEPS: u64 = 1_000;

const INTERPRETER: SparseOptions = SparseOptions { assert_declared: false, compile_after: None };

/// Machine code as soon as a packet was seen twice.
const COMPILED: SparseOptions = SparseOptions { assert_declared: false, compile_after: Some(2) };

/// Small programs that together use most circuits. Each exports `run`.
const PROGRAMS: [(&str, &str, &[i32]); 6] = [
    (
        "recursion",
        r#"(func $fib (export "run") (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                               (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"#,
        &[6],
    ),
    (
        "sorting",
        r#"(memory 1) (data (i32.const 100) "\07\03\ff\00\2a\13")
        (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $x i32) (local $y i32)
            (loop $outer
                (local.set $j (i32.const 100))
                (loop $inner
                    (local.set $x (i32.load8_u (local.get $j)))
                    (local.set $y (i32.load8_u offset=1 (local.get $j)))
                    (if (i32.gt_u (local.get $x) (local.get $y)) (then
                        (i32.store8 (local.get $j) (local.get $y))
                        (i32.store8 offset=1 (local.get $j) (local.get $x))))
                    (local.set $j (i32.add (local.get $j) (i32.const 1)))
                    (br_if $inner (i32.lt_u (local.get $j) (i32.add (i32.const 99) (local.get $n)))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
            (i32.load offset=100 (i32.const 0)))"#,
        &[6],
    ),
    (
        "bits",
        r#"(func (export "run") (param $x i32) (param $n i32) (result i32)
            (loop $next
                (local.set $x (i32.xor (local.get $x) (i32.shl (local.get $x) (i32.const 13))))
                (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (local.get $n))))
                (local.set $x (i32.rotl (i32.and (local.get $x) (i32.const 0x7ffffff1)) (i32.popcnt (local.get $x))))
                (local.set $x (i32.or (local.get $x) (i32.clz (local.get $x))))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $x))"#,
        &[0x1234_5678, 7],
    ),
    (
        "division",
        r#"(func (export "run") (param $a i32) (param $b i32) (result i32) (local $t i32)
            (loop $next
                (local.set $t (i32.rem_u (local.get $a) (local.get $b)))
                (local.set $a (i32.add (i32.div_s (local.get $b) (i32.const 3)) (i32.mul (local.get $b) (i32.const 5))))
                (local.set $b (local.get $t))
                (br_if $next (i32.gt_s (local.get $b) (i32.const 1))))
            (local.get $a))"#,
        &[123_456_789, 98_765],
    ),
    (
        "wide",
        r#"(func (export "run") (param $n i32) (result i64) (local $h i64)
            (local.set $h (i64.const 0xcbf29ce484222325))
            (loop $next
                (local.set $h (i64.mul (i64.xor (local.get $h) (i64.extend_i32_u (local.get $n))) (i64.const 0x100000001b3)))
                (local.set $h (i64.sub (i64.rotr (local.get $h) (i64.const 11)) (i64.extend_i32_s (local.get $n))))
                (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (select (local.get $h) (i64.const -1) (i64.lt_s (local.get $h) (i64.const 0))))"#,
        &[5],
    ),
    (
        "interpreter",
        r#"(memory 1) (data (i32.const 0) "\01\03\01\04\02\01\05\03\00")
        (type $op (func (param i32 i32) (result i32)))
        (table funcref (elem $add $mul))
        (func $add (type $op) (i32.add (local.get 0) (local.get 1)))
        (func $mul (type $op) (i32.mul (local.get 0) (local.get 1)))
        (global $sp (mut i32) (i32.const 1024))
        (func $push (param i32)
            (i32.store (global.get $sp) (local.get 0))
            (global.set $sp (i32.add (global.get $sp) (i32.const 4))))
        (func $pop (result i32)
            (global.set $sp (i32.sub (global.get $sp) (i32.const 4)))
            (i32.load (global.get $sp)))
        (func (export "run") (param $pc i32) (result i32) (local $op i32)
            (loop $next
                (local.set $op (i32.load8_u (local.get $pc)))
                (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
                (block $halt (block $constant (block $binary
                    (br_table $halt $constant $binary $binary (local.get $op)))
                    (call $push (call_indirect (type $op) (call $pop) (call $pop) (i32.sub (local.get $op) (i32.const 2))))
                    (br $next))
                    (call $push (i32.load8_u (local.get $pc)))
                    (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
                    (br $next)))
            (call $pop))"#,
        &[0],
    ),
];

/// A network and runs of it that are looked at.
struct Program {
    name: String,
    network: Network,
    runs: Vec<Run>,
}

/// A call that ends.
struct Run {
    entry: String,
    args: Vec<Value>,
    /// Experts evaluated, in order.
    path: Vec<ExpertId>,
    /// Entries of the frozen tables that were read.
    looked_up: BTreeSet<usize>,
}

impl Program {
    /// The programs above.
    fn small() -> impl Iterator<Item = Program> {
        PROGRAMS.into_iter().map(|(name, wat, args)| {
            let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{name}: {error}"));
            let network = compiled(name, &wasm);
            let args: Vec<_> = args.iter().map(|x| Value::I32(*x)).collect();
            let run = Run::follow(&network, "run", &args).expect("the programs are short");
            Program { name: name.to_owned(), network, runs: vec![run] }
        })
    }

    /// Those of `examples/`, each on a small input.
    fn examples() -> impl Iterator<Item = Program> {
        let mut rng = wasm2onnx_tests::rng(1);
        examples::all().into_iter().filter_map(move |Example { name, wasm, generate, .. }| {
            // Input is part of a network's first rows, so there is a network for each.
            let network = compiled(name, wasm);
            let programs = EXAMPLE_CALLS.into_iter().filter_map(|instructions| {
                let call = generate(&mut rng, instructions);
                let network = ours::with_stdin(&network, &call.stdin);
                let run = Run::follow(&network, call.entry, &call.args)?;
                Some(Program { name: name.to_owned(), network, runs: vec![run] })
            });
            programs.max_by_key(|program| program.visited().len())
        })
    }

    /// Modules of wasm-smith, all of whose exports are called.
    fn random() -> impl Iterator<Item = Program> {
        (0..RANDOM_MODULES).filter_map(|seed| {
            let (name, wasm) = (format!("seed {seed}"), random_module(seed));
            let network = compiled(&name, &wasm);
            if network.start.is_some() || Instance::new(&network).is_err() {
                return None;
            }
            let mut rng = fastrand::Rng::with_seed(seed);
            let calls = exported_functions(&wasm).into_iter().filter_map(|(entry, params)| {
                let args: Vec<_> = params.iter().map(|ty| random_value(&mut rng, *ty)).collect();
                Run::follow(&network, &entry, &args)
            });
            let runs: Vec<_> = calls.collect();
            (!runs.is_empty()).then_some(Program { name, network, runs })
        })
    }

    /// Experts that a run comes to.
    fn visited(&self) -> BTreeSet<ExpertId> {
        self.runs.iter().flat_map(|run| run.path.iter().copied()).collect()
    }

    /// Makes a run on a changed network on all executors, of so many steps at most. They must agree.
    fn compare(&self, network: &Network, run: &Run, max_steps: u64, what: &str) -> Report {
        let report = self.compare_in_step(network, run, max_steps, what);
        // Machine code runs many steps at once, so its state is compared after the last exact one, or
        // at the end. It leaves the last steps of a budget to the interpreter.
        let ended = matches!(report.end, End::Finished(_));
        let steps = if ended { report.steps + 1_000 } else { report.steps };
        let interpreted = State::after(network, run, INTERPRETER, steps);
        let compiled = State::after(network, run, COMPILED, steps);
        assert!(interpreted == compiled, "{}, {}, {what}: machine code differs", self.name, run.entry);
        report
    }

    /// The same without machine code.
    fn compare_in_step(&self, network: &Network, run: &Run, max_steps: u64, what: &str) -> Report {
        compare_step_by_step(network, &run.entry, &run.args, max_steps)
            .unwrap_or_else(|divergence| panic!("{}, {}, {what}: {divergence}", self.name, run.entry))
    }
}

fn compiled(name: &str, wasm: &[u8]) -> Network {
    compile(wasm, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Run {
    /// Follows a call; nothing if it takes more than [`MAX_STEPS`].
    fn follow(network: &Network, entry: &str, args: &[Value]) -> Option<Run> {
        let (path, looked_up) = (Vec::new(), BTreeSet::new());
        let mut run = Run { entry: entry.to_owned(), args: args.to_vec(), path, looked_up };
        let mut sparse = run.entered(network, INTERPRETER);
        while run.path.len() as u64 <= MAX_STEPS {
            let (expert, z) = sparse.z();
            let queries = (0..network.ports.lookups).map(|i| z[usize::from(network.ports.t(i))]);
            let entries: Vec<_> =
                queries.map(|query| query as usize).filter(|i| *i < network.lookup.len()).collect();
            if !sparse.step() {
                return Some(run);
            }
            run.path.push(expert);
            run.looked_up.extend(entries);
        }
        None
    }

    /// A sparse executor before the first step.
    fn entered<'n>(&self, network: &'n Network, options: SparseOptions) -> Sparse<'n> {
        let mut sparse = Sparse::new(network, options).expect("the network is valid");
        network.first_rows.iter().for_each(|(key, value)| sparse.append(*key, *value));
        assert_eq!(network.start, None, "the programs need no start");
        let entry = &network.entries[&self.entry];
        let words = self.args.iter().flat_map(|arg| arg.words().into_iter().take(arg.ty().words()));
        let mut fields = Vec::new();
        for (place, word) in entry.param_places.iter().zip(words) {
            match place {
                Place::Field(field) => fields.push((*field, word.into())),
                Place::Row(key) => sparse.append(*key, word.into()),
            }
        }
        sparse.enter(entry.expert, &fields);
        sparse
    }
}

/// All that an executor holds.
#[derive(PartialEq)]
struct State {
    expert: ExpertId,
    z: Vec<f64>,
    rows: Vec<(u64, f64)>,
}

impl State {
    fn after(network: &Network, run: &Run, options: SparseOptions, steps: u64) -> Self {
        let mut sparse = run.entered(network, options);
        sparse.run(steps, &TokenEnds::new(network));
        let (expert, z) = sparse.z();
        let z = z.to_vec();
        let mut rows = Vec::new();
        sparse.for_each_row(&mut |key, value| rows.push((key, value)));
        State { expert, z, rows }
    }
}

#[test]
fn changed_weights_change_the_run_of_all_executors_alike() {
    let mut rng = wasm2onnx_tests::rng(1);
    let (mut changes, mut effects, mut inexact) = (0, 0, 0);
    for mut program in Program::small() {
        let run = program.runs.pop().expect("it has one");
        let steps = run.path.len() as u64;
        let looked_up: Vec<_> = run.looked_up.iter().copied().collect();
        let visited: BTreeSet<_> = run.path.iter().copied().collect();
        // All terms of visited experts: row and index among the weights.
        let experts = &program.network.experts;
        let rows = visited.iter().flat_map(|e| experts.row_range(*e));
        let terms: Vec<_> =
            rows.flat_map(|row| experts.term_range(row).map(move |term| (row, term))).collect();

        let unchanged = program.compare(&program.network, &run, MAX_STEPS, "unchanged");
        assert!(matches!(unchanged.end, End::Finished(Ok(_))), "{}: {:?}", program.name, unchanged.end);
        assert_eq!(unchanged.steps, steps);

        let (mut with_effect, mut broken_off) = (0, 0);
        for _ in 0..CHANGES {
            // One change in eight is of a table's entry, if the run reads tables.
            let change = match rng.u8(..8) {
                0 if !looked_up.is_empty() => Change::Entry(looked_up[rng.usize(..looked_up.len())]),
                _ => {
                    let (row, term) = terms[rng.usize(..terms.len())];
                    Change::Weight { row, term }
                }
            };
            let factor = *[-3, -2, -1, 1, 2, 3].get(rng.usize(..6)).expect("there are six");
            let Some(undo) = change.apply(&mut program.network, f64::from(factor)) else {
                continue;
            };
            let report =
                program.compare(&program.network, &run, 2 * steps, &format!("{change:?} by {factor}"));
            undo.apply(&mut program.network);

            // A run broken off because it is not exact any more is compared as far as it got.
            let expected = match report.end {
                End::Inexact { .. } => {
                    broken_off += 1;
                    program.compare(&program.network, &run, report.steps, "unchanged").digest
                }
                _ => unchanged.digest,
            };
            changes += 1;
            with_effect += usize::from(report.digest != expected);
        }
        println!(
            "{}: {steps} steps, {with_effect} of {CHANGES} changes with an effect, {broken_off} inexact after",
            program.name
        );
        effects += with_effect;
        inexact += broken_off;
    }
    let share = effects as f64 / changes as f64;
    println!("{effects} of {changes} changes had an effect: {:.1} %; {inexact} ended inexact", share * 100.0);
    assert!(changes >= 300, "only {changes} changes");
    assert!(share >= LEAST_EFFECT);
}

/// A place in the tensors.
#[derive(Clone, Copy, Debug)]
enum Change {
    Weight { row: usize, term: usize },
    Entry(usize),
}

/// The number that was at a place.
struct Undo(Change, f64);

impl Change {
    /// Adds so many times the row's finest weight, or 1 to a table's entry. Nothing if that would
    /// take the term away.
    fn apply(self, network: &mut Network, factor: f64) -> Option<Undo> {
        let (place, by) = match self {
            Change::Weight { row, term } => {
                let weights = &network.experts.weights[network.experts.term_range(row)];
                let finest = weights.iter().fold(f64::INFINITY, |finest, weight| finest.min(weight.abs()));
                (&mut network.experts.weights[term], finest)
            }
            Change::Entry(entry) => (&mut network.lookup[entry], 1.0),
        };
        let old = *place;
        let new = old + factor * by;
        if new == 0.0 && matches!(self, Change::Weight { .. }) {
            return None;
        }
        *place = new;
        Some(Undo(self, old))
    }
}

impl Undo {
    fn apply(self, network: &mut Network) {
        match self.0 {
            Change::Weight { term, .. } => network.experts.weights[term] = self.1,
            Change::Entry(entry) => network.lookup[entry] = self.1,
        }
    }
}

#[test]
fn an_erased_packet_ends_the_run_where_it_begins() {
    let (mut erased, mut unvisited) = (0, 0);
    for program in Program::small().chain(Program::examples()).chain(Program::random()) {
        let Program { name, network, runs } = &program;
        let unchanged: Vec<_> =
            runs.iter().map(|run| program.compare(network, run, MAX_STEPS, "unchanged")).collect();
        for (run, report) in runs.iter().zip(&unchanged) {
            assert!(matches!(report.end, End::Finished(_)), "{name}, {}: {:?}", run.entry, report.end);
        }
        let erased_before = erased;
        let ends = network.packets.iter().skip(1).map(|packet| packet.expert);
        let ends = ends.chain([network.experts.len() as ExpertId]);
        for (packet, end) in network.packets.iter().zip(ends) {
            let experts = packet.expert..end;
            let without = Network { experts: erase(&network.experts, experts.clone()), ..network.clone() };
            let what = format!("experts {experts:?} erased");
            // The run that comes to it, and the step at which it does: the earliest, as they are
            // all alike and early ones are soon compared.
            let first = |run: &Run| run.path.iter().position(|e| experts.contains(e));
            let visit = runs.iter().filter_map(|run| Some((first(run)? as u64, run))).min_by_key(|(i, _)| *i);
            let Some((first, run)) = visit else {
                let report = program.compare_in_step(&without, &runs[0], MAX_STEPS, &what);
                assert_eq!(report, unchanged[0], "{name}, {what}");
                unvisited += 1;
                continue;
            };
            let digest = |network, steps| program.compare_in_step(network, run, steps, &what).digest;
            assert_eq!(digest(&without, first), digest(network, first), "{name}, {what}: differs before");
            let report = program.compare(&without, run, MAX_STEPS, &what);
            assert_eq!(report.steps, first + 1, "{name}, {what}: goes on");
            assert_ne!(report.digest, digest(network, first + 1), "{name}, {what}: no difference");
            erased += 1;
        }
        let packets = network.packets.len();
        println!(
            "{name}: {} of {packets} packets are visited by {} runs",
            erased - erased_before,
            runs.len()
        );
    }
    println!("{erased} packets erased that runs come to, {unvisited} that they do not");
    assert!(erased >= LEAST_ERASED, "only {erased} packets were visited");
}

/// The matrices with those of some experts 0.
fn erase(experts: &Experts, erased: std::ops::Range<ExpertId>) -> Experts {
    let mut copy = Experts::default();
    for e in 0..experts.len() as ExpertId {
        for row in experts.rows(e).filter(|_| !erased.contains(&e)) {
            for (source, weight) in row.sources.iter().zip(row.weights) {
                copy.push_term(*source, *weight);
            }
            copy.end_row(row.field);
        }
        copy.end_expert();
    }
    copy
}
