use fastrand::Rng;

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    let count = rng.u64(2..=5);
    // About 160 instructions per pair of bodies and 40 per body in each step, and 4,000 per body to read and
    // print it.
    let step = 80 * count * (count - 1) + 40 * count;
    let steps = instructions.saturating_sub(4_000 * count) / step;
    let mut text = format!("{steps}\n");
    for i in 0..count as i32 {
        // The bodies are far enough apart not to meet at once.
        let mut numbers = vec![rng.i32(1..20_000)];
        numbers.extend([4_000 * i + rng.i32(0..1_000), rng.i32(-9_999..9_999), rng.i32(-9_999..9_999)]);
        numbers.extend((0..3).map(|_| rng.i32(-2_000..2_000)));
        text += &numbers.iter().map(|n| n.to_string() + " ").collect::<String>();
        text += "\n";
    }
    Call::start(text)
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let numbers = call.numbers();
    let mut bodies: Vec<Body> = numbers[1..].chunks(7).map(Body::new).collect();
    let mut text = decimal(energy(&bodies)) + "\n";
    for _ in 0..numbers[0] {
        advance(&mut bodies, 0.01);
    }
    text += &(decimal(energy(&bodies)) + "\n");
    for body in &bodies {
        text += &(body.at.map(decimal).join(" ") + "\n");
    }
    answer.stdout == text.as_bytes()
}

struct Body {
    mass: f64,
    at: [f64; 3],
    speed: [f64; 3],
}

impl Body {
    fn new(numbers: &[i32]) -> Self {
        let [mass, x, y, z, u, v, w] = std::array::from_fn(|i| f64::from(numbers[i]) / 1000.0);
        Body { mass, at: [x, y, z], speed: [u, v, w] }
    }

    /// Returns the vector from the other body to this one, and the square of the distance.
    fn from(&self, other: &Body) -> ([f64; 3], f64) {
        let d: [f64; 3] = std::array::from_fn(|k| self.at[k] - other.at[k]);
        (d, square(d))
    }
}

fn square(v: [f64; 3]) -> f64 {
    v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
}

fn energy(bodies: &[Body]) -> f64 {
    let mut sum = 0.0;
    for (i, a) in bodies.iter().enumerate() {
        sum += 0.5 * a.mass * square(a.speed);
        for b in &bodies[i + 1..] {
            sum -= a.mass * b.mass / a.from(b).1.sqrt();
        }
    }
    sum
}

fn advance(bodies: &mut [Body], dt: f64) {
    for i in 0..bodies.len() {
        let (a, others) = bodies[i..].split_first_mut().expect("there is one");
        for b in others {
            let (d, square) = a.from(b);
            let pull = dt / (square * square.sqrt());
            let (on_a, on_b) = (b.mass * pull, a.mass * pull);
            for (k, d) in d.into_iter().enumerate() {
                a.speed[k] -= d * on_a;
                b.speed[k] += d * on_b;
            }
        }
    }
    for body in bodies {
        for k in 0..3 {
            body.at[k] += dt * body.speed[k];
        }
    }
}

/// Writes a number with twelve decimals; the others are cut off.
fn decimal(x: f64) -> String {
    // All decimals that a double can have.
    let mut text = format!("{x:.1074}");
    text.truncate(text.len() - 1074 + 12);
    text
}
