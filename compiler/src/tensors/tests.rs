//! Functions of tensors on the executors.

use wasm2onnx_runtime::{Error, Instance, Tensor};

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
