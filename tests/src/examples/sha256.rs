use fastrand::Rng;
use sha2::{Digest, Sha256};

use super::{Answer, Call};

pub fn generate(rng: &mut Rng, instructions: u64) -> Call {
    // About 10000 instructions per block.
    let blocks = (instructions / 10_000).saturating_sub(1) as usize;
    let length = blocks * 64 + rng.usize(0..64);
    Call::start((0..length).map(|_| rng.u8(..)).collect::<Vec<_>>())
}

pub fn check(call: &Call, answer: &Answer) -> bool {
    let digest = Sha256::digest(&call.stdin);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    answer.stdout == format!("{hex}\n").as_bytes()
}
