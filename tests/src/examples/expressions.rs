use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let mut text = String::new();
    // A line takes about 4,000 instructions to print its numbers, and 400 for each leaf.
    let mut left = instructions as i64;
    loop {
        let leaves = rng.i64(1..=100).min((left - 4_000) / 400).max(1);
        left -= 4_000 + 400 * leaves;
        // A tree; sometimes its line gets an error.
        let mut line = expression(rng, leaves, 0).0;
        if rng.u8(..10) == 0 {
            line.insert(rng.usize(..=line.len()), char::from(b")(+*%y"[rng.usize(..6)]));
        }
        text += &(line + "\n");
        if left < 5_000 {
            return Call::start(text);
        }
    }
}

/// Makes an expression with this many leaves. The second result is how strongly it binds: 0 for a sum, 1 for
/// a product, 2 for anything else.
fn expression(rng: &mut Rng, leaves: i64, depth: u32) -> (String, u8) {
    if rng.u8(..8) == 0 && depth < 40 {
        let (inner, strength) = expression(rng, leaves, depth + 1);
        return (format!("-{}", bracketed(inner, strength, 2)), 2);
    }
    if leaves <= 1 {
        let leaf = if rng.bool() { "x".to_owned() } else { (rng.u32(..) >> rng.u32(0..32)).to_string() };
        return (leaf, 2);
    }
    // Both sides get a quarter of the leaves at least: lopsided trees would be too deep for the parser.
    let first = rng.i64((leaves / 4).max(1)..=leaves - (leaves / 4).max(1));
    let [a, b] = [first, leaves - first].map(|leaves| expression(rng, leaves, depth + 1));
    match rng.u8(..3) {
        0 => (format!("{} * {}", bracketed(a.0, a.1, 1), bracketed(b.0, b.1, 2)), 1),
        1 => (format!("{} - {}", a.0, bracketed(b.0, b.1, 1)), 0),
        _ => (format!("{}+{}", a.0, bracketed(b.0, b.1, 1)), 0),
    }
}

fn bracketed(text: String, strength: u8, wanted: u8) -> String {
    if strength < wanted { format!("({text})") } else { text }
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let mut text = String::new();
    for line in call.text().lines() {
        // Unlike the program, this makes no tree: it computes the values and slopes for all x at once.
        let symbols: Vec<u8> = line.bytes().filter(|byte| *byte != b' ').collect();
        let mut rest = &symbols[..];
        match sum(&mut rest) {
            Some(values) if rest.is_empty() => {
                let values = values.map(|(value, slope)| (value as i32, slope as i32));
                values.iter().for_each(|(value, _)| text += &format!("{value} "));
                text += &format!("{}\n", values[0].1);
            }
            _ => text += "error\n",
        }
    }
    answer.stdout == text.as_bytes()
}

/// A value and a slope.
type Point = (u32, u32);

/// Values and slopes at 0 … 9.
type Values = [Point; 10];

fn combine(a: Values, b: Values, f: fn(Point, Point) -> Point) -> Values {
    std::array::from_fn(|x| f(a[x], b[x]))
}

fn sum(rest: &mut &[u8]) -> Option<Values> {
    let mut sum = product(rest)?;
    while let [sign @ (b'+' | b'-'), after @ ..] = rest {
        *rest = after;
        let term = product(rest)?;
        sum = match sign {
            b'+' => combine(sum, term, |a, b| (a.0.wrapping_add(b.0), a.1.wrapping_add(b.1))),
            _ => combine(sum, term, |a, b| (a.0.wrapping_sub(b.0), a.1.wrapping_sub(b.1))),
        };
    }
    Some(sum)
}

fn product(rest: &mut &[u8]) -> Option<Values> {
    let mut product = atom(rest)?;
    while let [b'*', after @ ..] = rest {
        *rest = after;
        let factor = atom(rest)?;
        product = combine(product, factor, |a, b| {
            (a.0.wrapping_mul(b.0), a.1.wrapping_mul(b.0).wrapping_add(a.0.wrapping_mul(b.1)))
        });
    }
    Some(product)
}

fn atom(rest: &mut &[u8]) -> Option<Values> {
    let (first, after) = rest.split_first()?;
    match first {
        b'-' => {
            *rest = after;
            let values = atom(rest)?;
            Some(values.map(|(value, slope)| (value.wrapping_neg(), slope.wrapping_neg())))
        }
        b'(' => {
            *rest = after;
            let values = sum(rest)?;
            *rest = rest.strip_prefix(b")")?;
            Some(values)
        }
        b'x' => {
            *rest = after;
            Some(std::array::from_fn(|x| (x as u32, 1)))
        }
        b'0'..=b'9' => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = rest[..digits]
                .iter()
                .fold(0u32, |number, digit| number.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
            *rest = &rest[digits..];
            Some([(number, 0); 10])
        }
        _ => None,
    }
}
