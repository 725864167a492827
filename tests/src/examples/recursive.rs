use fastrand::Rng;
use wasm2onnx_runtime::Value;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let largest =
        |cost: &dyn Fn(i32) -> u64| (1..).take_while(|n| cost(*n) <= instructions).last().unwrap_or(0);
    // The depth of Ackermann's function is proportional to its run time, so it is only for the smaller calls.
    let kinds = if instructions > 1_000_000 { 2 } else { 4 };
    let (entry, args) = match rng.u32(0..kinds) {
        0 => ("fibonacci", vec![largest(&|n| 18 * u64::from(fibonacci(n as u32 + 1)))]),
        2 => ("ackermann", vec![2, largest(&|n| 20 * (n as u64 + 2).pow(2)).min(100)]),
        3 => ("ackermann", vec![3, largest(&|n| 8 << (2 * n + 6)).min(5)]),
        _ => {
            let y = rng.i32(1..5);
            let calls = |x| {
                let mut left = instructions / 16;
                takeuchi(x, y, 0, &mut left).map_or(u64::MAX, |_| instructions - 16 * left)
            };
            ("takeuchi", vec![y + largest(&|n| calls(y + n)), y, 0])
        }
    };
    Call { entry, args: args.into_iter().map(Value::I32).collect(), stdin: Vec::new() }
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let args: Vec<_> = call.args.iter().map(|arg| arg.words()[0]).collect();
    let result = match (call.entry, args.as_slice()) {
        ("fibonacci", [n]) => fibonacci(*n),
        ("ackermann", [2, n]) => 2 * n + 3,
        ("ackermann", [3, n]) => (1 << (n + 3)) - 3,
        // McCarthy's formula for it, which needs no recursion.
        ("takeuchi", [x, y, _]) if x <= y => *y,
        ("takeuchi", [x, y, z]) => *if y <= z { z } else { x },
        _ => return false,
    };
    answer.results == [Value::I32(result as i32)] && answer.stdout.is_empty()
}

fn fibonacci(n: u32) -> u32 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

/// Evaluates Takeuchi's function by its definition. Returns `None` if `left` calls are not enough.
fn takeuchi(x: i32, y: i32, z: i32, left: &mut u64) -> Option<i32> {
    *left = left.checked_sub(1)?;
    if x <= y {
        return Some(y);
    }
    let a = takeuchi(x - 1, y, z, left)?;
    let b = takeuchi(y - 1, z, x, left)?;
    let c = takeuchi(z - 1, x, y, left)?;
    takeuchi(a, b, c, left)
}
