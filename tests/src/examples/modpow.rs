use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let mut text = String::new();
    let mut left = instructions as i64;
    loop {
        let small = rng.bool();
        let m = if small { rng.u64(1..1 << 32) } else { rng.u64(1..=1 << 63) >> rng.u32(0..31) }.max(1);
        // About 40 instructions per product of small factors, 1,200 per product of large ones; there is a
        // product for each bit, and another one for each bit that is 1.
        let product = if small { 40 } else { 1_200 };
        let bits = rng.i64(1..=64).min((left - 3_000) / product * 2 / 3).max(0);
        let b = if bits == 0 { 0 } else { rng.u64(..) >> (64 - bits) };
        let a = rng.u64(..) >> rng.u32(0..64);
        text += &format!("{a} {b} {m}\n");
        left -= 3_000 + bits * product * 3 / 2;
        if left < 3_000 {
            return Call::start(text);
        }
    }
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let numbers: Vec<u128> =
        call.text().split_ascii_whitespace().map(|word| word.parse().expect("a number")).collect();
    let mut text = String::new();
    for triple in numbers.chunks_exact(3) {
        let [a, b, m] = triple else { unreachable!("three") };
        if *m == 0 || *m > 1 << 63 {
            text += "the modulus must be from 1 to 9223372036854775808\n";
            continue;
        }
        let mut power = 1 % m;
        for bit in (0..64).rev() {
            power = power * power % m;
            if b >> bit & 1 == 1 {
                power = power * (a % m) % m;
            }
        }
        text += &format!("{power} {}\n", divisor(*a, *m));
    }
    answer.stdout == text.as_bytes()
}

fn divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { divisor(b, a % b) }
}
