use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    // Reading and printing a number takes some hundred instructions, sorting it some hundred more.
    let n = (instructions / 450).clamp(4, 100_000);
    let n = rng.u64(n / 2..=n);
    let kind = rng.u32(0..6);
    let mut numbers: Vec<i32> = (0..n)
        .map(|_| match kind {
            0 => rng.i32(-3..3),
            1 | 2 => rng.i32(..),
            _ => rng.i32(-999_999..1_000_000),
        })
        .collect();
    match kind {
        3 => numbers.sort_unstable(),
        4 => numbers.sort_unstable_by(|a, b| b.cmp(a)),
        _ => {}
    }
    let words: Vec<_> = numbers.iter().map(i32::to_string).collect();
    Call::start(words.join(" "))
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let mut numbers = call.numbers();
    numbers.sort_unstable();
    let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
    answer.stdout == lines.as_bytes()
}
