//! Frozen networks and their executors.
//!
//! A [`Network`] is a WebAssembly program compiled into the weights of an autoregressive transformer
//! made for that program alone: one sparse matrix for each *expert*, some frozen tables, some first
//! rows of memory. This crate runs networks, bit for bit as they are defined.
//!
//! # The step
//!
//! A step takes `z`, the numbers that the step before handed over: the id of an expert, carried
//! values `s`, gates `n` and values `v` of units, queries `q` and `t`, rows `(k, x)`. With `W` the
//! expert's matrix it does, always in the same order,
//!
//! 1. **rows**: append each row `(k, x)` with `k ≠ 0` to the trace; if the expert is *terminal*, the
//!    run ends here;
//! 2. **attention**: `r` = the value of the latest row whose key is `q`, 0 if there is none; `w` =
//!    the frozen table's entry `t`, 0 if there is none;
//! 3. **units**: `u = n · v`;
//! 4. **map**: `z′ = W · [1, r, w, u, s]`, gates handed over as `⌊relu(·)⌋`, the next expert clamped
//!    to the vocabulary.
//!
//! Nothing else happens in any executor, whatever the program. The layout of `z` and of what the map
//! multiplies is described at [`Ports`].
//!
//! # Running a network
//!
//! An [`Instance`] holds the state that persists between calls. Here a network made by hand, one
//! expert that adds two words modulo 2^32: its caller hands over `a` and `b` as carried values, the
//! first step makes the gate `⌊(a + b)·2^-32⌋`, the second subtracts 2^32 times that unit.
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
//! [`Dense`] is the definition, literally: an append-only trace, attention by a scan over all of it,
//! a matrix-vector product. [`Sparse`] evaluates the non-zeros only and keeps one cell for each key:
//! a row overwritten by a later one with its key can never be read again. Packets that are visited
//! often it translates from weights to machine code ([`Config::compile_after`], feature `jit`).
//! [`Config::executor`] chooses; [`lockstep`] runs them side by side and compares every number.
//!
//! # Where the line runs for machine code
//!
//! Machine code may choose *how* a step is evaluated, never *what*. It uses what follows from the numbers of
//! the rows by identities of exact arithmetic: the terms of a row are added in any order, constants and copies
//! are folded, a `relu` goes where a sum cannot be negative and a floor where its weights are integers, reads of
//! adjacent bytes become one load. It keeps a row's order wherever that would round, and relies on no
//! declared interval: only on every row being exact, as the certificate proves (rule 1). It does not
//! look at what tables hold to replace their reads by an operation, matches no names, packets or library
//! routines, and a changed weight changes it. [`lockstep::compare_machine_code`] compares it with the
//! interpreter, on networks with changed weights as well. With [`Config::compile_after`] 0 all of a run
//! is machine code from its first step on.
//!
//! # What is exact, and why
//!
//! Every number that a step hands over is an integer of magnitude at most 2^53 in a float64 (products with a power of two may be
//! larger, with as many significant bits as their other factor), and
//! every sum is exact in any order (gates that multiply by a rounded reciprocal excepted, whose floor
//! is exact). That is proved for each network by its [`Certificate`], which travels with it. So no
//! result depends on summation order, fused multiply-add, vector width or library. −0 counts as 0.
//!
//! Every operation is total. A row whose key is not an integer in a declared region is not appended,
//! such a query reads 0, an expert that does not exist is clamped. With `debug_assertions` the sparse
//! executor asserts all that the certificate declares at every step ([`Config::assert_declared`]).
//!
//! # Tokens
//!
//! A token ends at each step whose row of the next expert is not constant, at a jump by constant to
//! an expert that others lead to as well, and at the last step of a run: see [`TokenEnds`].
//!
//! # Security
//!
//! A network is data, and may come from anyone. [`validate()`] checks all indices before anything
//! runs, in every executor's constructor; then no network can make an executor access memory that is not its own, or the host in any
//! way. Machine code compares every index with the size of its region or table before it uses it, and has a stack
//! frame of at most 64 KiB. A network can run for ever and fill its regions: [`Config::max_steps`] bounds the
//! first, the regions that it declares the second.
#![deny(missing_docs)]

mod attention;
// What is noted for machine code only is not read without it.
mod declared;
#[cfg_attr(not(feature = "jit"), allow(dead_code))]
mod decoded;
mod dense;
mod error;
mod exact;
mod instance;
mod io;
#[cfg_attr(not(feature = "jit"), path = "no_jit.rs")]
mod jit;
mod limits;
pub mod lockstep;
mod network;
mod observe;
pub mod print;
mod show;
mod sparse;
mod stepper;
mod tokens;
#[cfg_attr(not(feature = "jit"), allow(dead_code))]
mod trace;
mod validate;
mod value;
mod waits;

pub use dense::Dense;
pub use error::{Error, Trap};
pub use exact::Inexact;
pub use instance::{Config, Executor, Instance, Memory, Progress};
pub use io::{InputSource, OutputSink};
pub use limits::{MAX_EXACT, PAGE_BYTES};
pub use network::*;
pub use observe::{Observed, Observer, Step};
pub use show::{FieldName, List, Name, SourceName, Weight, linear};
pub use sparse::{Sparse, SparseOptions};
pub use stepper::{Slice, Stepper};
pub use tokens::TokenEnds;
pub use trace::TraceSize;
pub use validate::validate;
pub use value::Value;
pub use waits::Waits;

#[cfg(test)]
mod tests;
