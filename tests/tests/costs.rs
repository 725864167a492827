//! What float and 64-bit instructions cost: tokens and steps, averaged over a loop that loads random operands
//! and stores results, minus what the same loop takes without the operation. If a routine is called, call and
//! return are included.

use wasm2onnx_compiler::instructions::{Becomes, INSTRUCTIONS, Instruction};
use wasm2onnx_compiler::{Options, compile};
use wasm2onnx_runtime::{Instance, Value, ValueType};
use wasm2onnx_tests::ours::Way;

/// Number of operations that a loop does.
const COUNT: usize = 500;

/// Addresses of the second operands and of the results.
const SECOND: usize = 8 * COUNT;
const RESULTS: usize = 16 * COUNT;

/// Tokens and steps per operation.
struct Cost {
    tokens: f64,
    steps: f64,
}

#[test]
fn tokens_and_steps_are_few() {
    println!("{:24} {:>8} {:>8}", "", "tokens", "steps");
    for instruction in INSTRUCTIONS {
        let operation = instruction.name.split_once('.').map_or("", |name| name.1);
        let most = match operation {
            _ if is_float(instruction) => {
                if matches!(operation, "div" | "sqrt") {
                    40.0
                } else {
                    12.0
                }
            }
            // These need no call: they are in the packet of their operands, or at most in the next.
            "mul" | "shl" | "shr_s" | "shr_u" | "rotl" | "rotr" | "clz" | "ctz" | "popcnt"
                if is_wide(instruction) =>
            {
                1.0
            }
            _ if is_wide(instruction) => 40.0,
            _ => continue,
        };
        // Operands below 2^20, and operands of two words.
        for large in if is_wide(instruction) { &[false, true][..] } else { &[false] } {
            let cost = cost(instruction, *large);
            let name = format!("{}{}", instruction.name, if *large { ", large" } else { "" });
            println!("{name:24} {:8.1} {:8.1}", cost.tokens, cost.steps);
            assert!(cost.tokens <= most, "{name} takes {} tokens", cost.tokens);
        }
    }
}

/// Returns whether an instruction is an operation on 64-bit integers.
fn is_wide(instruction: &Instruction) -> bool {
    let operation = matches!(
        instruction.becomes,
        Becomes::Unary(_) | Becomes::Binary(_) | Becomes::Swapped(_) | Becomes::Division(_)
    );
    operation && instruction.params[0] == ValueType::I64
}

fn is_float(instruction: &Instruction) -> bool {
    matches!(
        instruction.becomes,
        Becomes::Sign(_)
            | Becomes::Float(_)
            | Becomes::FloatDifference
            | Becomes::FloatCompare(_)
            | Becomes::FloatExtremum { .. }
            | Becomes::Truncation { .. }
    )
}

fn cost(instruction: &Instruction, large: bool) -> Cost {
    let (operand, result) = (instruction.params[0], instruction.results[0]);
    let load = |at: usize| format!("({operand}.load offset={at} (local.get $at))");
    let params: String = instruction.params.iter().map(|ty| format!(" {ty}")).collect();
    // There is another call of the routine, so that the routine is not put in place of its only call.
    let args: String = (0..instruction.params.len()).map(|i| format!(" (local.get {i})")).collect();
    let other =
        format!("(func (export \"g\") (param{params}) (result {result}) ({}{args}))", instruction.name);
    let operands: Vec<String> = [0, SECOND][..instruction.params.len()].iter().map(|at| load(*at)).collect();
    let operation = format!("({} {})", instruction.name, operands.join(" "));
    let with = measure(
        instruction,
        large,
        &other,
        &format!("({result}.store offset={RESULTS} (local.get $at) {operation})"),
    );
    // Nothing is done, but as much is stored.
    let words = |ty| if matches!(ty, ValueType::I32 | ValueType::F32) { 4 } else { 8 };
    let stored = match (words(operand), words(result)) {
        (8, 4) => "(i32.store offset=8000 (local.get $at) (i32.load (local.get $at)))".to_owned(),
        (4, 8) => "(i64.store offset=8000 (local.get $at) (i64.load32_u (local.get $at)))".to_owned(),
        _ => format!("({operand}.store offset={RESULTS} (local.get $at) (local.get $first))"),
    };
    let loads: String = operands
        .iter()
        .zip(["$first", "$second"])
        .map(|(operand, local)| format!("(local.set {local} {operand})"))
        .collect();
    let without = measure(instruction, large, "", &format!("{loads}{stored}"));
    let each = |with: u64, without: u64| (with as f64 - without as f64) / COUNT as f64;
    Cost { tokens: each(with.0, without.0), steps: each(with.1, without.1) }
}

/// Returns the tokens and steps of a loop with this body.
fn measure(instruction: &Instruction, large: bool, other: &str, body: &str) -> (u64, u64) {
    let operand = instruction.params[0];
    let mut rng = fastrand::Rng::with_seed(1);
    let mut data = String::new();
    for _ in 0..2 * COUNT {
        // Values of either sign, if the operation has results for both, and magnitudes up to 2^20, which
        // integers can have.
        let x = (rng.f64() - 0.5) * 2f64.powi(rng.i32(1..21));
        let x =
            if instruction.name.ends_with("sqrt") || instruction.name.ends_with("_u") || is_wide(instruction)
            {
                x.abs()
            } else {
                x
            };
        let bits = match operand {
            ValueType::F32 => u64::from((x as f32).to_bits()),
            ValueType::F64 => x.to_bits(),
            // Divisors of one word and of two.
            ValueType::I64 if large => rng.u64(..) >> rng.u32(0..48),
            _ => x as i64 as u64 | 1,
        };
        for byte in bits.to_le_bytes() {
            data += &format!("\\{byte:02x}");
        }
    }
    let wat = format!(
        r#"(module (memory (export "memory") 1 1) (data (i32.const 0) "{data}")
        {other} (func (export "f") (local $at i32) (local $first {operand}) (local $second {operand})
          (loop {body}
            (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const {SECOND}))))))"#
    );
    let network = compile(wat.as_bytes(), &Options::default())
        .unwrap_or_else(|error| panic!("{}: {error}", instruction.name));
    let mut instance = Instance::with_config(&network, Way::Checked.config(1 << 40)).expect("nothing traps");
    let before = (instance.tokens(), instance.steps());
    assert_eq!(instance.invoke("f", &[]), Ok(Vec::<Value>::new()), "{}", instruction.name);
    (instance.tokens() - before.0, instance.steps() - before.1)
}
