//! Functions of any number of parameters and results in ONNX Runtime.

use wasm2onnx::{Attention, Form};
use wasm2onnx_compiler::{Certified, Options, compile};
use wasm2onnx_runtime::{Config, Dense, Instance, Sparse, SparseOptions, Value, ValueType, WordLocation};
use wasm2onnx_tests::onnx_file::File;
use wasm2onnx_tests::onnx_runtime::{Bound, Level, LoopModel, StepModel, follow, model};
use wasm2onnx_tests::ours::outcome;
use wasm2onnx_tests::rng;
use wasm2onnx_tests::values::random_value;

/// Numbers of parameters: around the number that is in fields, around the number of ports of a step, and the
/// maximum that WebAssembly allows.
const COUNTS: [usize; 9] = [1, 12, 13, 62, 63, 64, 65, 100, 1_000];

/// Compiles a function that mixes all of its parameters, in order, and returns `results` of them from the
/// last on. `before` is the other contents of the module.
fn mixes(ty: ValueType, count: usize, results: usize, before: &str) -> Certified {
    let params = format!("{ty} ").repeat(count);
    let returned = format!("{ty} ").repeat(results);
    let bits = match ty {
        ValueType::F64 => "(i64.reinterpret_f64 (local.get $i))",
        ValueType::F32 => "(i64.extend_i32_u (i32.reinterpret_f32 (local.get $i)))",
        ValueType::I32 => "(i64.extend_i32_u (local.get $i))",
        _ => "(local.get $i)",
    };
    let mix: String = (0..count)
        .map(|i| {
            let bits = bits.replace("$i", &i.to_string());
            format!("(local.set $h (i64.add (i64.rotl (local.get $h) (i64.const 7)) {bits}))\n")
        })
        .collect();
    let last: String = (0..results).map(|i| format!("(local.get {})", count - 1 - i)).collect();
    let wat = format!(
        r#"(module {before} (func (export "run") (param {params}) (result i64 {returned}) (local $h i64)
            {mix} (local.get $h) {last}))"#
    );
    let wasm = wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}"));
    let options = Options { exports: Some(vec!["run".to_owned()]), ..Options::default() };
    compile(&wasm, &options).unwrap_or_else(|error| panic!("{count} of {ty}: {error}"))
}

/// A memory that makes a model paged, and a start function that leaves values where frames are.
const PAGED: &str = r#"(memory 2) (func $fill (param i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
        (i64.store (i32.const 80000) (local.get 8))
        (if (result i64) (i64.eqz (local.get 0)) (then (i64.const -1)) (else (i64.add (local.get 3)
            (call $fill (i64.sub (local.get 0) (i64.const 1)) (local.get 8) (local.get 7) (local.get 6) (local.get 5)
                (local.get 4) (local.get 3) (local.get 2) (local.get 1))))))
    (func $start (drop (call $fill (i64.const 12) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
        (i64.const 6) (i64.const 7) (i64.const 8)))) (start $start)"#;

/// Compares a call with the sparse executor, in the loop form and in the step form.
fn compare(network: &Certified, args: &[Value], what: &str) {
    let mut instance = Instance::with_config(network, Config::default()).expect("it is created");
    let expected = outcome(instance.invoke("run", args));
    let mut whole = LoopModel::load(&model(network, "run", Form::Loop, Attention::Indexed), Level::All);
    let (ended, _) = whole.run(args, b"", None);
    assert_eq!((ended.outcome(), ended.steps), (expected.clone(), instance.steps()), "{what}");
    let bytes = model(network, "run", Form::Step, Attention::Indexed);
    let mut steps = StepModel::load(&bytes, Level::All);
    let (mut run, driver): (Bound, _) = steps.bound(b"");
    let options = SparseOptions { assert_declared: true, compile_after: None };
    let mut sparse = Sparse::new(network, options).expect("the network is valid");
    let followed = follow(network, ("run", args), &mut sparse, (&mut run, driver), u64::MAX)
        .unwrap_or_else(|difference| panic!("{what}: {difference}"));
    assert!(followed.ended, "{what}");
    assert_eq!(Ok(driver.results(&run)), expected, "{what}");
}

fn of_type(ty: ValueType) {
    let mut rng = rng(12);
    for count in COUNTS {
        let args: Vec<_> = (0..count).map(|_| random_value(&mut rng, ty)).collect();
        let resident = mixes(ty, count, 0, "");
        compare(&resident, &args, &format!("{count} of {ty}"));
        let paged = mixes(ty, count, 0, PAGED);
        assert!(is_paged(&paged) && !is_paged(&resident));
        compare(&paged, &args, &format!("{count} of {ty}, paged"));
    }
}

fn is_paged(network: &Certified) -> bool {
    File::read(&model(network, "run", Form::Loop, Attention::Indexed)).takes_one_instance()
}

#[test]
fn parameters_i32() {
    of_type(ValueType::I32);
}

#[test]
fn parameters_i64() {
    of_type(ValueType::I64);
}

#[test]
fn parameters_f64() {
    of_type(ValueType::F64);
}

/// As many results as parameters, with floats of both types among the parameters.
#[test]
fn results() {
    let mut rng = rng(13);
    for ty in [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64] {
        for count in [1, 12, 13, 63, 64, 100, 999] {
            let args: Vec<_> = (0..count).map(|_| random_value(&mut rng, ty)).collect();
            compare(&mixes(ty, count, count, ""), &args, &format!("{count} results of {ty}"));
            if count >= 63 {
                compare(&mixes(ty, count, count, PAGED), &args, &format!("{count} results of {ty}, paged"));
            }
        }
    }
}

/// With attention over all rows, the rows of arguments come before those of the call.
#[test]
fn parameters_by_attention() {
    let mut rng = rng(14);
    for count in [13, 65, 130] {
        let network = mixes(ValueType::I64, count, 1, PAGED);
        let args: Vec<_> = (0..count).map(|_| random_value(&mut rng, ValueType::I64)).collect();
        for attention in [Attention::Dense, Attention::Softmax] {
            let mut instance = Instance::with_config(&network, Config::default()).expect("it is created");
            let expected = outcome(instance.invoke("run", &args));
            let mut whole = LoopModel::load(&model(&network, "run", Form::Loop, attention), Level::All);
            let (ended, _) = whole.run(&args, b"", None);
            let what = format!("{count}, {attention:?}");
            assert_eq!((ended.outcome(), ended.steps), (expected, instance.steps()), "{what}");
            let mut steps = StepModel::load(&model(&network, "run", Form::Step, attention), Level::All);
            let (mut run, driver) = steps.plain(b"");
            let mut dense = Dense::new(&network).expect("the network is valid");
            follow(&network, ("run", &args), &mut dense, (&mut run, driver), u64::MAX)
                .unwrap_or_else(|difference| panic!("{what}: {difference}"));
        }
    }
}

/// The rows of arguments count for the number of rows that softmax attention can tell apart.
#[test]
fn softmax_counts_the_rows_of_arguments() {
    let params = "i32 ".repeat(300);
    let wasm = wat::parse_str(format!(
        r#"(func (export "run") (param $n i32) (param {params}) (result i32)
            (loop $next (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.add (local.get 299) (local.get 13)))"#
    ))
    .expect("a module");
    let options = Options { exports: Some(vec!["run".to_owned()]), ..Options::default() };
    let network = compile(&wasm, &options).unwrap_or_else(|error| panic!("{error}"));
    let in_rows = network.entries["run"]
        .param_locations
        .iter()
        .filter(|location| matches!(location, WordLocation::Row(_)));
    let ports = usize::from(network.ports.rows);
    let before = in_rows.count().div_ceil(ports) - 1;
    assert!(before >= 4, "all arguments are rows of the first steps");
    // Each phase (creation, what comes before the call, the call) appends the rows of two more steps.
    let limit = (32_768 - network.first_rows.len()) / ports - 2 * (before + 2);
    let mut model = LoopModel::load(&model(&network, "run", Form::Loop, Attention::Softmax), Level::All);
    for (n, fits) in [(2, true), (100_000, false)] {
        let args: Vec<_> = (0..301).map(|i| Value::I32(if i == 0 { n } else { i })).collect();
        let (ended, _) = model.run(&args, b"", None);
        match fits {
            true => assert_eq!(ended.results, [Value::I32(312)]),
            false => assert_eq!((ended.trap, ended.steps), (11, limit as u64)),
        }
    }
}

/// Instances side by side, each with rows of its own.
#[test]
fn batches_of_many_parameters() {
    let mut rng = rng(15);
    let network = mixes(ValueType::I64, 100, 2, "");
    let mut model = LoopModel::load(&model(&network, "run", Form::Loop, Attention::Indexed), Level::All);
    let calls: Vec<Vec<_>> =
        (0..7).map(|_| (0..100).map(|_| random_value(&mut rng, ValueType::I64)).collect()).collect();
    let batch = model.run_batch(&calls, b"", None).unwrap_or_else(|error| panic!("{error}"));
    for (args, ended) in calls.iter().zip(batch.rows) {
        let mut instance = Instance::with_config(&network, Config::default()).expect("it is created");
        assert_eq!(ended.outcome(), outcome(instance.invoke("run", args)));
        // Steps are counted for each instance, and none for what is appended before the call.
        assert_eq!(ended.steps, instance.steps());
    }
    let steps = model.run(&calls[0], b"", None).0.steps;
    for max_steps in [0, 1, steps - 1, steps] {
        let (ended, _) = model.run(&calls[0], b"", Some(max_steps as i64));
        assert_eq!((ended.trap, ended.steps), (if max_steps < steps { 11 } else { 0 }, max_steps));
    }
}
