//! Functions of tensors on the executors.

use wasm2onnx_runtime::{Config, Error, Instance, Tensor, TrapCode, Value};

use crate::options::Options;

fn compile(wat: &str, signature: &str) -> crate::Certified {
    let options = Options { tensors: vec![signature.parse().unwrap()], ..Options::default() };
    crate::compile(wat.as_bytes(), &options).unwrap()
}

#[test]
fn elements_are_copied_and_counted() {
    let wat = r#"(module (memory (export "memory") 1)
        (func (export "double") (param $at i32) (param $n i32) (param $to i32) (param $most i32) (result i32)
            (local $i i32)
            (if (i32.gt_u (local.get $n) (local.get $most)) (then (return (i32.const -7))))
            (loop $next (if (i32.lt_u (local.get $i) (local.get $n)) (then
                (i64.store (i32.add (local.get $to) (i32.shl (local.get $i) (i32.const 3)))
                    (i64.mul (i64.const 2) (i64.load32_s (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 2))))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next))))
            (local.get $n)))"#;
    let network = compile(wat, "double(numbers: i32[], doubled: out i64[1, 5]) -> len(doubled)");
    let mut instance = Instance::new(&network).unwrap();
    for numbers in [&[3, -4, i32::MIN][..], &[], &[1, 2, 3, 4, 5], &[9]] {
        let doubled: Vec<i64> = numbers.iter().map(|x| 2 * i64::from(*x)).collect();
        let outputs = instance.call("double", &[Tensor::list(numbers)]).unwrap();
        assert_eq!(outputs, [Tensor::list(&doubled).reshaped(&[1, numbers.len()]).unwrap()]);
    }
    let error = instance.call("double", &[Tensor::list(&[0i32; 6])]);
    assert_eq!(error, Err(Error::Reported(-7)));
}

/// What `malloc` gives is freed, scalars that are in memory included; and input that is still to come is not in the way of tensors.
#[test]
fn arrays_are_freed_and_streams_go_on() {
    let wat = r#"(module (import "env" "input_byte" (func $in (result i32)))
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 9)) (global $live (export "live") (mut i32) (i32.const 0))
        (func (export "malloc") (param i32) (result i32)
            (global.set $live (i32.add (global.get $live) (i32.const 1)))
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 0))))
        (func (export "free") (param i32) (global.set $live (i32.sub (global.get $live) (i32.const 1))))
        (func (export "f") (param $at i32) (param $n i32) (param $sum i32) (param $copy i32) (param $most i32) (result i32)
            (local $i i32)
            (loop $next (if (i32.lt_u (local.get $i) (local.get $n)) (then
                (i32.store (local.get $sum) (i32.add (i32.load (local.get $sum))
                    (i32.load8_u (i32.add (local.get $at) (local.get $i)))))
                (i32.store8 (i32.add (local.get $copy) (local.get $i)) (call $in))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next))))
            (local.get $n)))"#;
    let network = compile(wat, "f(x: u8[], sum: out u32, copy: out i8[4]) -> len(copy)");
    let inputs: [(Vec<u8>, Box<dyn std::io::Read + Send + Sync>); 2] =
        [(b"abcdefgh".to_vec(), Box::new(std::io::empty())), (b"ab".to_vec(), Box::new(&b"cdefgh"[..]))];
    for (stdin, source) in inputs {
        let config = Config { stdin, stdin_source: Some(source), ..Config::default() };
        let mut instance = Instance::with_config(&network, config).unwrap();
        for (numbers, copied) in
            [(&[1u8, 2][..], &[97i8, 98][..]), (&[], &[]), (&[200, 100, 50], &[99, 100, 101])]
        {
            let sum: u32 = numbers.iter().map(|x| u32::from(*x)).sum();
            let outputs = instance.call("f", &[Tensor::list(numbers)]).unwrap();
            assert_eq!(outputs, [Tensor::scalar(sum), Tensor::list(copied)]);
            assert_eq!(instance.global("live").unwrap(), Value::I32(0));
        }
        // More elements than there is room for: what came of it is not looked at.
        let error = instance.call("f", &[Tensor::list(&[0u8; 5])]).unwrap_err();
        assert!(matches!(error, Error::Trap(trap) if trap.code == TrapCode::MemoryOutOfBounds));
    }
    let mut instance = Instance::new(&network).unwrap();
    for (tensor, message) in [
        (Tensor::list(&[1i8]), "it takes x: u8[x], not i8[1]"),
        (Tensor::scalar(1u8), "it takes x: u8[x], not u8"),
        (Tensor::list(&[1u8, 2]).reshaped(&[1, 2]).unwrap(), "it takes x: u8[x], not u8[1, 2]"),
    ] {
        let error = instance.call("f", &[tensor]).unwrap_err();
        assert_eq!(error, Error::Tensors { name: "f".into(), message: message.into() });
    }
    assert!(matches!(instance.invoke("f", &[Value::I32(1)]), Err(Error::Tensors { .. })));
    assert!(matches!(instance.call("malloc", &[]), Err(Error::Tensors { .. })));
}

#[test]
fn dimensions_of_one_name_have_one_size() {
    let wat = r#"(module (memory 1)
        (func (export "f") (param i32 i32 i32 i32 i32) (result i64)
            (i64.add (i64.extend_i32_u (local.get 1)) (i64.extend_i32_u (local.get 4)))))"#;
    let network = compile(wat, "f(a: f32[n], b: f64[2, n, m]) -> i64");
    let mut instance = Instance::new(&network).unwrap();
    let zeros = |shape: &[usize]| Tensor::list(&vec![0f64; shape.iter().product()]).reshaped(shape).unwrap();
    let outputs = instance.call("f", &[Tensor::list(&[1f32; 3]), zeros(&[2, 3, 7])]).unwrap();
    assert_eq!(outputs, [Tensor::scalar(10i64)]);
    let message = "`n` is 3, and in `b` it is 2";
    let error = instance.call("f", &[Tensor::list(&[1f32; 3]), zeros(&[2, 2, 7])]).unwrap_err();
    assert_eq!(error, Error::Tensors { name: "f".into(), message: message.into() });
}

/// What a function never reads or gives is not in the network.
#[test]
fn tensors_may_be_of_no_use() {
    let wat = r#"(module (memory 1)
        (func (export "none") (param i32 i32 i32 i32) (result i32) (i32.const -1))
        (func (export "some") (param i32 i32) (result i32) (i32.const 7)))"#;
    let network = compile(wat, "none(x: u8[], y: out u8[4]) -> len(y)");
    let outcome = Instance::new(&network).unwrap().call("none", &[Tensor::list(&[1u8])]);
    assert_eq!(outcome, Err(Error::Reported(-1)));
    let network = compile(wat, "some(x: u8[]) -> u16");
    let outcome = Instance::new(&network).unwrap().call("some", &[Tensor::list(&[1u8])]);
    assert_eq!(outcome, Ok(vec![Tensor::scalar(7u16)]));
}

/// Sizes of 0 do not hide others that are too large, and empty arrays have addresses.
#[test]
fn sizes_of_zero_are_sizes() {
    let wat = r#"(module (memory 1)
        (func (export "f") (param i32 i32 i32) (result i32)
            (i32.and (i32.ne (local.get 0) (i32.const 0)) (i32.ne (local.get 2) (i32.const 0)))))"#;
    let network = compile(wat, "f(a: u8[], b: out f64[0, 3]) -> bool");
    let outputs = Instance::new(&network).unwrap().call("f", &[Tensor::list::<u8>(&[])]).unwrap();
    assert_eq!(outputs[1], Tensor::scalar(true));
    assert_eq!(outputs[0].shape(), [0, 3]);
    let signature = "f(a: u8[2147483647, 2147483647, 0])".parse::<crate::TensorFunction>();
    assert!(signature.unwrap_err().ends_with("bytes or more, and no tensor has more than 2147483648"));
}
