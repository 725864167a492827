//! Frozen networks and their executors.
//!
//! A [`Network`] is a WebAssembly program compiled into the weights of an autoregressive transformer made for
//! that program alone. It consists of one sparse matrix for each *expert*, some frozen tables, and the first
//! rows of the trace. This crate runs networks, and gives exactly the bits that their definition gives.
//! `docs/glossary.md` in the repository explains the words used here.
//!
//! # The step
//!
//! A step takes `z`, the numbers that the previous step handed over: the id of an expert, carried values `s`,
//! gates `n` and values `v` of units, queries `q` and `t`, and rows `(k, x)`. Let `W` be the matrix of that
//! expert. The step does the following, always in this order:
//!
//! 1. **rows**: it appends each row `(k, x)` with `k ≠ 0` to the trace; if the expert is *terminal*, the
//!    run ends here;
//! 2. **attention**: `r` is the value of the latest row whose key is `q`, or 0 if there is none; `w` is
//!    the entry `t` of the frozen tables, or 0 if there is none;
//! 3. **units**: `u = n · v`;
//! 4. **map**: `z′ = W · [1, r, w, u, s]`, where gates are handed over as `⌊relu(·)⌋` and the next expert is
//!    clamped to the vocabulary.
//!
//! No executor does anything else, whatever the program is. [`Ports`] describes the layout of `z` and of the
//! vector that the map multiplies.
//!
//! # Running a network
//!
//! An [`Instance`] holds the state that persists between calls. The following network is made by hand: it
//! adds two words modulo 2^32. The caller hands over `a` and `b` as carried values, the first step makes the
//! gate `⌊(a + b)·2^-32⌋`, and the second subtracts 2^32 times that unit.
//!
//! ```
//! use wasm2onnx_runtime::*;
//!
//! // Carried values 0 (the frame pointer), 1 and 2; one unit.
//! let ports = Ports { carried: 3, units: 1, ..Ports::default() };
//! let mut experts = Experts::default();
//! experts.end_expert(); // 0: the unreachable state
//! experts.end_expert(); // 1: halt
//! let (a, b) = (ports.ys(1), ports.ys(2));
//! // 2: s1 = a + b, n = ⌊(a + b)·2^-32⌋, v = 1, e = 3
//! experts.push_term(a, 1.0);
//! experts.push_term(b, 1.0);
//! experts.end_equation(ports.s(1));
//! experts.push_term(a, 2f64.powi(-32));
//! experts.push_term(b, 2f64.powi(-32));
//! experts.end_equation(ports.n(0));
//! experts.push_term(Ports::ONE, 1.0);
//! experts.end_equation(ports.v(0));
//! experts.push_term(Ports::ONE, 3.0);
//! experts.end_equation(ports.e());
//! let add = experts.end_expert();
//! // 3: s1 = s1 − 2^32·u, e = 1
//! experts.push_term(ports.yu(0), -(2f64.powi(32)));
//! experts.push_term(ports.ys(1), 1.0);
//! experts.end_equation(ports.s(1));
//! experts.push_term(Ports::ONE, 1.0);
//! experts.end_equation(ports.e());
//! experts.end_expert();
//!
//! let entry = Entry {
//!     expert: add,
//!     params: vec![ValueType::I32; 2],
//!     results: vec![ValueType::I32],
//!     param_locations: vec![WordLocation::Field(ports.s(1)), WordLocation::Field(ports.s(2))],
//!     result_locations: vec![WordLocation::Field(ports.s(1))],
//!     boundary: None,
//! };
//! let network = Network {
//!     ports,
//!     experts,
//!     terminals: vec![Terminal::Unreachable, Terminal::Halt],
//!     entries: [("add".to_string(), entry)].into(),
//!     ..Network::default()
//! };
//!
//! let mut instance = Instance::new(&network)?;
//! let sum = instance.invoke("add", &[Value::I32(-1), Value::I32(3)])?;
//! assert_eq!(sum, [Value::I32(2)]);
//! assert_eq!((instance.steps(), instance.tokens()), (2, 1));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Executors
//!
//! [`Dense`] is the definition, taken literally: an append-only trace, attention by a scan over all of it,
//! and a matrix-vector product. [`Sparse`] evaluates only the non-zeros and keeps one cell for each key,
//! since a row followed by a later one with the same key can never be read again. It translates packets that
//! are visited often from weights to machine code ([`Config::compile_after`], feature `jit`).
//! [`Config::executor`] chooses between the two; [`lockstep`] runs them side by side and compares every
//! number.
//!
//! # What machine code may do
//!
//! Machine code may choose *how* a step is evaluated, never *what* it computes. It uses what follows from the
//! weights of the equations by identities of exact arithmetic: the terms of an equation are added in any
//! order, constants and copies are folded, a `relu` is omitted where a sum cannot be negative and a floor
//! where its weights are integers, and reads of adjacent bytes become one load. It keeps the order of an
//! equation wherever another order would round. It relies on no declared interval, but only on every equation
//! being exact, as the certificate proves (rule 1). It does not look at the contents of tables to replace
//! reads of them by an operation, it recognizes no names, packets or library routines, and a changed weight
//! changes it. [`lockstep::compare_machine_code`] compares it with the interpreter, also on networks with
//! changed weights. With [`Config::compile_after`] 0, the whole run is machine code from its first step on.
//!
//! # What is exact, and why
//!
//! Every number that a step hands over is an integer in a float64, of magnitude at most 2^53 (products with a
//! power of two may be larger, but have no more significant bits than their other factor), and every sum is
//! exact in any order (except for gates that multiply by a rounded reciprocal, whose floor is exact). The
//! [`Certificate`] proves this for each network and is part of it. So no result depends on summation order,
//! fused multiply-add, vector width or library. −0 counts as 0.
//!
//! Every operation is total. A row whose key is not an integer in a declared region is not appended, a query
//! that is not one reads 0, and the id of an expert that does not exist is clamped. With `debug_assertions`
//! the sparse executor asserts at every step everything that the certificate declares
//! ([`Config::assert_declared`]).
//!
//! # Tokens
//!
//! A token ends at each step whose equation for the next expert is not constant, at a jump by a constant to
//! an expert that other experts lead to as well, and at the last step of a run: see [`TokenEnds`].
//!
//! # Security
//!
//! A network is data, and may come from anyone. The constructor of every executor calls [`validate()`], which
//! checks all indices before anything runs; after that no network can make an executor access memory that is
//! not its own, or access the host in any way. Machine code compares every index with the size of its region
//! or table before it uses it, and has a stack frame of at most 64 KiB. A network can run for ever and fill
//! its regions: [`Config::max_steps`] bounds the run, and the declared regions bound the memory.
#![deny(missing_docs)]

mod attention;
mod certificate;
mod declared;
mod decoded;
mod dense;
mod error;
mod exact;
mod file;
mod instance;
mod io;
#[cfg_attr(not(feature = "jit"), path = "no_jit.rs")]
mod jit;
mod limits;
pub mod lockstep;
mod network;
mod observe;
mod place;
pub mod print;
mod show;
mod sparse;
mod stepper;
mod tensors;
mod tokens;
mod trace;
mod validate;
mod value;
mod waits;

pub use certificate::*;
pub use dense::Dense;
pub use error::{Error, Trap};
pub use exact::Inexact;
pub use instance::{Config, Executor, Instance, Interrupt, Memory, Progress, Wasi};
pub use io::{InputSource, OutputSink};
pub use limits::{MAX_EXACT, PAGE_BYTES};
pub use network::*;
pub use observe::{Observed, Observer, Step};
pub use place::*;
pub use show::{FieldName, List, Name, SourceName, Weight, linear};
pub use sparse::{Sparse, SparseOptions};
pub use stepper::{Slice, Stepper};
pub use tensors::{Boundary, Dim, Element, ElementType, Spec, Tensor};
pub use tokens::TokenEnds;
pub use trace::TraceSize;
pub use validate::validate;
pub use value::Value;
pub use waits::Waits;

#[cfg(test)]
mod tests;
