//! What the tests that compare with other engines have in common.
//!
//! wasmi says what is right. Where ours differs from it, wasmtime is asked too: wasmi 2.0.0 compiles
//! `(select a b (i32.eqz c))` wrongly.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod with_wasmi;
mod with_wasmtime;

use std::collections::BTreeMap;
use std::path::PathBuf;

use wasm2onnx_runtime::{Config, Error, Instance, TrapCode, Value, ValueType};

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Values(Vec<Value>),
    Trap(TrapCode),
    /// The fuel or step limit stopped it.
    Stopped,
}

/// A WebAssembly instance, ours or another's.
pub trait Engine {
    /// Calls an exported function with arguments of its types.
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome;
    /// Values of the exported globals.
    fn globals(&mut self) -> BTreeMap<String, Value>;
    /// Contents of the exported memories.
    fn memories(&mut self) -> BTreeMap<String, Vec<u8>>;
}

pub use with_wasmi::{Wasmi, exported_functions};
pub use with_wasmtime::Wasmtime;

/// The ways in which the sparse executor runs: the interpreter, asserting what is declared of every
/// step, and machine code, made as soon as a packet was seen twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Checked,
    Compiled,
}

impl Way {
    pub const ALL: [Way; 2] = [Way::Checked, Way::Compiled];

    pub fn config(self, max_steps: u64) -> Config {
        Config {
            max_steps: Some(max_steps),
            assert_declared: self == Way::Checked,
            compile_after: (self == Way::Compiled).then_some(2),
            ..Config::default()
        }
    }
}

/// How a call of ours ended. Anything but a trap or the step limit is a defect.
///
/// The two codes for a table access out of bounds have one text and are taken for one.
pub fn outcome(result: Result<Vec<Value>, Error>) -> Outcome {
    match result {
        Ok(values) => Outcome::Values(values),
        Err(Error::Trap(trap)) if trap.code == TrapCode::TableOutOfBounds => {
            Outcome::Trap(TrapCode::UndefinedElement)
        }
        Err(Error::Trap(trap)) => Outcome::Trap(trap.code),
        Err(Error::StepLimit(_)) => Outcome::Stopped,
        Err(other) => panic!("{other}"),
    }
}

impl Engine for Instance<'_> {
    fn call(&mut self, name: &str, args: &[Value]) -> Outcome {
        outcome(self.invoke(name, args))
    }

    fn globals(&mut self) -> BTreeMap<String, Value> {
        let names = self.network().globals.keys();
        names.map(|name| (name.clone(), self.global(name).expect("globals hold words"))).collect()
    }

    fn memories(&mut self) -> BTreeMap<String, Vec<u8>> {
        let mut contents = BTreeMap::new();
        for name in self.network().memories.keys() {
            let memory = self.memory(name).expect("it is exported");
            let mut bytes = vec![0; memory.pages() as usize * 65_536];
            memory.read(0, &mut bytes).expect("all pages can be read");
            contents.insert(name.clone(), bytes);
        }
        contents
    }
}

/// First byte that differs between the memories of two engines, if any.
pub fn first_difference(
    ours: &BTreeMap<String, Vec<u8>>,
    theirs: &BTreeMap<String, Vec<u8>>,
) -> Option<String> {
    if ours.keys().ne(theirs.keys()) {
        return Some("they export different memories".to_owned());
    }
    for ((name, ours), theirs) in ours.iter().zip(theirs.values()) {
        if ours.len() != theirs.len() {
            return Some(format!("memory {name} has {} bytes instead of {}", ours.len(), theirs.len()));
        }
        if let Some(i) = (0..ours.len()).find(|i| ours[*i] != theirs[*i]) {
            return Some(format!("memory {name} holds {} instead of {} at {i:#x}", ours[i], theirs[i]));
        }
    }
    None
}

/// Another engine, which says what is right.
pub trait Reference: Engine + Sized {
    /// A compiled module.
    type Module;

    /// Compiles a module, with exactly the features that our compiler accepts by default, or refuses it.
    fn compile(wasm: &[u8]) -> Option<Self::Module>;

    /// An instance that may burn so much fuel in all and whose memory may have so many pages.
    fn instantiate(module: &Self::Module, fuel: u64, max_pages: u32) -> Result<Self, NoInstance>;

    /// Fuel burnt so far: one for most instructions.
    fn fuel(&self) -> u64;
}

/// Why a reference has no instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoInstance {
    /// It cannot serve the module.
    Refused,
    /// Instance creation ended so.
    Ended(Outcome),
}

/// A random value: all magnitudes equally often, so that small ones, negative ones and those next to
/// the limits all occur.
pub fn random_value(rng: &mut fastrand::Rng, ty: ValueType) -> Value {
    let bits = random_bits(rng);
    Value::from_words(ty, [bits as u32, (bits >> 32) as u32])
}

/// 64 random bits of a random magnitude, sometimes an edge value.
pub fn random_bits(rng: &mut fastrand::Rng) -> u64 {
    match rng.u8(..8) {
        0 => EDGES[rng.usize(..EDGES.len())],
        1 => (1u64 << rng.u32(..64)).wrapping_add_signed(rng.i64(-1..=1)),
        // The sign of the small ones reaches into both words.
        2..5 => (rng.i64(..) >> rng.u32(..64)) as u64,
        _ => rng.u64(..) >> rng.u32(..64),
    }
}

/// Values at which words, halves and bytes overflow, signed and unsigned.
pub const EDGES: [u64; 22] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_0000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Writes a module that failed to `target/failures` and says where.
pub fn save_failure(name: &str, wasm: &[u8]) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../failures");
    let path = folder.join(name);
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, wasm)) {
        Ok(()) => path.display().to_string(),
        Err(error) => format!("(could not write {}: {error})", path.display()),
    }
}
