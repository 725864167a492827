use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    // About 20 instructions per iteration; a point takes roughly half the maximum number of iterations.
    let most = rng.u64(20..200).min(instructions / 100 + 2);
    let points = (instructions / 10 / most).max(1);
    let width = rng.u64(1..=points.isqrt() * 2).max(points / 60);
    let height = points / width + 1;
    let [x, y] = [rng.i32(-1_500_000..500_000), rng.i32(-800_000..800_000)];
    Call::start(format!("{width} {height} {most} {x} {y} {}", rng.i32(1_000..4_000_000)))
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let [width, height, most, x, y, size] = call.numbers()[..] else { return false };
    let scale = f64::from(size) / 1e6 / f64::from(width);
    let mut text = String::new();
    for row in 0..height {
        let point_y = f64::from(y) / 1e6 + (f64::from(row) - f64::from(height) / 2.0) * scale * 2.0;
        for column in 0..width {
            let point_x = f64::from(x) / 1e6 + (f64::from(column) - f64::from(width) / 2.0) * scale;
            let inside = |n: &i32| *n < most;
            let n =
                (0..).zip(orbit(point_x, point_y)).find(|(n, far)| *far || !inside(n)).expect("endless").0;
            text.push(if inside(&n) { char::from(b".:-=+*#%"[n as usize % 8]) } else { ' ' });
        }
        text.push('\n');
    }
    answer.stdout == text.as_bytes()
}

/// Returns for each z, from 0 on, whether it is farther than 2 from the origin.
fn orbit(x: f64, y: f64) -> impl Iterator<Item = bool> {
    let next = move |(a, b): &(f64, f64)| Some((a * a - b * b + x, 2.0 * a * b + y));
    std::iter::successors(Some((0.0, 0.0)), next).map(|(a, b): (f64, f64)| a * a + b * b > 4.0)
}
