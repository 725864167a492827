use std::num::NonZeroU32;

use wasm2onnx_runtime::{TrapCode, Value};

use super::{Engine, Exports, Limits, NoInstance, Oracle, Stop, Wasmi, Wasmtime};

const MODULE: &str = r#"
    (module
      (import "env" "input_byte" (func $input (result i32)))
      (import "env" "output_byte" (func $output (param i32)))
      (memory 1)
      (table 2 funcref)
      (type $i (func (result i32)))
      (func (export "echo") (result i32)
        (call $output (call $input))
        (call $input))
      (func (export "all") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
        local.get 3 local.get 2 local.get 1 local.get 0)
      (func (export "unreachable") unreachable)
      (func (export "zero") (result i32) (i32.div_u (i32.const 1) (i32.const 0)))
      (func (export "overflow") (result i32) (i32.div_s (i32.const 0x80000000) (i32.const -1)))
      (func (export "conversion") (result i32) (i32.trunc_f32_s (f32.const nan)))
      (func (export "memory") (result i32) (i32.load (i32.const 65533)))
      (func (export "table") (result i32) (call_indirect (type $i) (i32.const 2)))
      (func (export "null") (result i32) (call_indirect (type $i) (i32.const 1)))
      (func $type (export "type") (result i32) (call_indirect (type $i) (i32.const 0)))
      (elem (i32.const 0) $output)
      (func $forever (export "forever") (call $forever)))
"#;

#[test]
fn values_traps_and_bytes_of_wasmi() {
    values_traps_and_bytes::<Wasmi>();
}

#[test]
fn values_traps_and_bytes_of_wasmtime() {
    values_traps_and_bytes::<Wasmtime>();
}

fn values_traps_and_bytes<O: Oracle>() {
    let mut oracle = O::new(&wat::parse_str(MODULE).unwrap(), b"ab");
    let values = [Value::I32(-5), Value::I64(1 << 40), Value::F32(0x7fa0_0001), Value::F64(1)];
    let reversed: Vec<_> = values.iter().rev().copied().collect();
    assert_eq!(oracle.call("all", &values).unwrap(), reversed);
    assert_eq!(oracle.call("echo", &[]), Ok(vec![Value::I32(i32::from(b'b'))]));
    assert_eq!(oracle.call("echo", &[]), Ok(vec![Value::I32(-1)]));
    assert_eq!(oracle.stdout(), b"a\xff");
    for (entry, code) in [
        ("unreachable", TrapCode::Unreachable),
        ("zero", TrapCode::IntegerDivideByZero),
        ("overflow", TrapCode::IntegerOverflow),
        ("conversion", TrapCode::InvalidConversionToInteger),
        ("memory", TrapCode::MemoryOutOfBounds),
        ("table", TrapCode::UndefinedElement),
        ("null", TrapCode::UninitializedElement),
        ("type", TrapCode::IndirectCallTypeMismatch),
        ("forever", TrapCode::CallStackExhausted),
    ] {
        assert_eq!(oracle.call(entry, &[]), Err(Stop::Trap(code)), "{entry}");
    }
}

/// wasmtime alone has references, and tells the traps of tables apart.
#[test]
fn references_and_tables_of_wasmtime() {
    let wasm = wat::parse_str(
        r#"(type $i (func)) (table $t 2 funcref) (global (export "g") (mut externref) (ref.null extern))
        (func (export "both") (param externref funcref) (result externref funcref)
            (global.get 0) (local.get 1) (global.set 0 (local.get 0)))
        (func $self (export "function") (result funcref) (ref.func $self))
        (func (export "get") (drop (table.get $t (i32.const 2))))
        (func (export "init") (table.init $t 0 (i32.const 1) (i32.const 0) (i32.const 2)))
        (func (export "call") (call_indirect (type $i) (i32.const 2)))
        (func (export "tail call") (return_call_indirect (type $i) (i32.const 2)))
        (elem func $self $self)"#,
    )
    .unwrap();
    let mut oracle = Wasmtime::new(&wasm, b"");
    let external = |x| Value::ExternRef(NonZeroU32::new(x));
    oracle.set_global("g", external(7));
    assert_eq!(
        oracle.call("both", &[external(u32::MAX), Value::FuncRef(None)]),
        Ok(vec![external(7), Value::FuncRef(None)])
    );
    assert_eq!(oracle.globals()["g"], external(u32::MAX));
    assert_eq!(oracle.call("function", &[]), Ok(vec![Value::FuncRef(NonZeroU32::new(1))]));
    for (entry, code) in [
        ("get", TrapCode::TableOutOfBounds),
        ("init", TrapCode::TableOutOfBounds),
        ("call", TrapCode::UndefinedElement),
        ("tail call", TrapCode::UndefinedElement),
    ] {
        assert_eq!(oracle.call(entry, &[]), Err(Stop::Trap(code)), "{entry}");
    }
    let wasm = wat::parse_str("(table 1 funcref) (func $f) (elem (i32.const 1) func $f)").unwrap();
    let module = Wasmtime::compile(&wasm, Limits::default()).unwrap();
    let ended = Wasmtime::instantiate(&module, b"").err();
    assert_eq!(ended, Some(NoInstance::Ended(Stop::Trap(TrapCode::TableOutOfBounds))));
    assert_eq!(Exports::of(&wasm).functions, []);
}

#[test]
fn instructions_are_counted_and_limited() {
    let wasm = wat::parse_str(
        r#"(module (func (export "count") (param i32)
             (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    )
    .unwrap();
    // wasmi counts the instructions that it made of the loop.
    count::<Wasmi>(&wasm, 1);
    count::<Wasmtime>(&wasm, 0);
}

fn count<O: Oracle>(wasm: &[u8], tolerance: u64) {
    let module = O::compile(wasm, Limits { fuel: Some(5_000), ..Limits::default() }).unwrap();
    let mut oracle = O::instantiate(&module, b"").unwrap();
    let mut count = |n| {
        let before = oracle.instructions();
        let ended = oracle.call("count", &[Value::I32(n)]);
        (ended, oracle.instructions() - before)
    };
    let (ended, one) = count(1);
    assert_eq!(ended, Ok(vec![]));
    let (_, hundred) = count(100);
    assert!((hundred - one).abs_diff(99 * 5) <= tolerance, "{hundred} - {one}");
    assert_eq!(count(1000).0, Err(Stop::Limit));
}
