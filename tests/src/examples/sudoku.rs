use fastrand::Rng;

use super::{Answer, Call};

const NO_SOLUTION: &str = "no solution";

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let mut text = String::new();
    let mut left = instructions as i64;
    while left > 0 {
        // Reading and printing takes about 10000 instructions, a cell a few hundred, and a wrong guess a
        // multiple of that.
        let empty = if left < 20_000 { rng.usize(0..=8) } else { rng.usize(45..=57) };
        left -= if empty < 10 { 12_000 } else { 85_000 };
        let mut cells = solved(rng);
        let mut order: Vec<usize> = (0..81).collect();
        rng.shuffle(&mut order);
        for cell in &order[..empty] {
            cells[*cell] = b'.';
        }
        if rng.u32(0..8) == 0 {
            let column = rng.usize(1..9);
            cells[0] = b'5';
            cells[column] = b'5';
        }
        text += std::str::from_utf8(&cells).expect("digits and points");
        text += "\n";
    }
    Call::start(text)
}

/// Makes a grid that obeys the rules: a cyclic grid whose digits, rows, columns, bands and stacks are
/// shuffled.
fn solved(rng: &mut Rng) -> [u8; 81] {
    let mut digits = *b"123456789";
    rng.shuffle(&mut digits);
    let mut lines = || {
        let mut bands = [0, 1, 2];
        rng.shuffle(&mut bands);
        let mut lines = Vec::new();
        for band in bands {
            let mut within = [0, 1, 2];
            rng.shuffle(&mut within);
            lines.extend(within.map(|line| 3 * band + line));
        }
        lines
    };
    let (rows, columns) = (lines(), lines());
    std::array::from_fn(|cell| {
        let (row, column) = (rows[cell / 9], columns[cell % 9]);
        digits[(row % 3 * 3 + row / 3 + column) % 9]
    })
}

/// Checks that every line completes its puzzle and obeys the rules. A puzzle may have no solution only if it
/// breaks the rules.
pub fn check(call: &Call, answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.stdout);
    let mut solutions = text.lines();
    call.text().lines().all(|puzzle| {
        let Some(solution) = solutions.next() else {
            return false;
        };
        if solution == NO_SOLUTION {
            return !consistent(puzzle);
        }
        let completes =
            puzzle.bytes().zip(solution.bytes()).all(|(clue, digit)| clue == b'.' || clue == digit);
        solution.len() == 81 && !solution.contains('.') && completes && consistent(solution)
    }) && solutions.next().is_none()
}

/// Returns whether no digit occurs twice in a row, a column or a box.
fn consistent(cells: &str) -> bool {
    let groups: [fn(usize) -> usize; 3] =
        [|cell| cell / 9, |cell| cell % 9, |cell| cell / 27 * 3 + cell % 9 / 3];
    groups.iter().all(|group| {
        let mut seen = [[false; 256]; 9];
        cells.bytes().enumerate().all(|(cell, digit)| {
            digit == b'.' || !std::mem::replace(&mut seen[group(cell)][usize::from(digit)], true)
        })
    })
}
