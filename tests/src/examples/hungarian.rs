use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let mut text = String::new();
    let mut left = instructions as i64;
    while left > 0 {
        // Reading a cost takes about 50 instructions, and a round over all jobs about 60 for each job; there
        // are a few rounds per worker.
        let cost_of = |n: i64| (50 + 60 * 5) * n * n;
        let largest = (1..=128).take_while(|n| cost_of(*n) <= left).last().unwrap_or(1);
        let n = rng.i64((largest / 2).max(1)..=largest);
        left -= cost_of(n).max(instructions as i64 / 4);
        let range = if rng.bool() { -20..100 } else { 0..10_000 };
        text += &format!("{n}\n");
        for _ in 0..n {
            let row: Vec<_> = (0..n).map(|_| rng.i32(range.clone()).to_string()).collect();
            text += &format!("{}\n", row.join(" "));
        }
    }
    Call::start(text)
}

/// Checks that every line is a permutation whose total is the printed one; for up to twelve workers also that
/// no permutation is cheaper.
pub fn check(call: &Call, answer: &Answer) -> bool {
    let numbers = call.numbers();
    let mut rest = numbers.as_slice();
    let text = String::from_utf8_lossy(&answer.stdout);
    let mut lines = text.lines();
    while let Some((n, after)) = rest.split_first() {
        let n = *n as usize;
        let (costs, after) = after.split_at(n * n);
        rest = after;
        let Some((total, jobs)) = lines.next().and_then(|line| line.split_once(": ")) else {
            return false;
        };
        let jobs: Vec<usize> = jobs.split(' ').map(|job| job.parse().unwrap_or(0)).collect();
        let mut sorted = jobs.clone();
        sorted.sort_unstable();
        if sorted != (1..=n).collect::<Vec<_>>() {
            return false;
        }
        let sum: i32 = jobs.iter().enumerate().map(|(worker, job)| costs[worker * n + job - 1]).sum();
        if total != sum.to_string() || (n <= 12 && sum != least(n, costs)) {
            return false;
        }
    }
    lines.next().is_none()
}

/// Returns the lowest total cost, by dynamic programming over all sets of jobs that the first workers can
/// have.
fn least(n: usize, costs: &[i32]) -> i32 {
    let mut best = vec![0; 1 << n];
    for jobs in 1usize..1 << n {
        let worker = jobs.count_ones() as usize - 1;
        let taken = (0..n).filter(|job| jobs >> job & 1 == 1);
        best[jobs] = taken.map(|job| best[jobs ^ 1 << job] + costs[worker * n + job]).min().unwrap_or(0);
    }
    best[(1 << n) - 1]
}
