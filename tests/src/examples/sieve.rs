use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let mut text = String::new();
    let mut left = instructions as i64;
    while left > 0 {
        // About 40 instructions per number, for counting, crossing out and printing.
        let largest = (left / 40).clamp(10, 1_000_000);
        let n = rng.i64(largest / 2..=largest);
        left -= n * 40 + instructions as i64 / 10;
        text += &format!("{n} ");
    }
    Call::start(text)
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let mut text = String::new();
    for n in call.numbers() {
        let primes = primes(n as usize);
        text += &format!("{}:", primes.len());
        for prime in &primes[primes.len().saturating_sub(5)..] {
            text += &format!(" {prime}");
        }
        text += "\n";
    }
    answer.stdout == text.as_bytes()
}

/// Checks the answer by a sieve that crosses out every number once, by its least factor.
fn primes(n: usize) -> Vec<usize> {
    let mut composite = vec![false; n + 1];
    let mut primes = Vec::new();
    for i in 2..=n {
        if !composite[i] {
            primes.push(i);
        }
        for prime in primes.iter().take_while(|prime| *prime * i <= n) {
            composite[prime * i] = true;
            if i % prime == 0 {
                break;
            }
        }
    }
    primes
}
