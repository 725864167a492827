//! Frozen networks as ONNX models, and back.
//!
//! [`export()`] writes a network as a model that ONNX Runtime runs without anything of ours; [`import()`]
//! reads one back, verifies its checksums and proves its certificate again. The command `wasm2onnx` is in
//! this package, too.
//!
//! ```
//! use wasm2onnx::{ExportOptions, export, import};
//! use wasm2onnx_runtime::{Instance, Value};
//!
//! let wat = r#"(module (func (export "add") (param i32 i32) (result i32)
//!     (i32.add (local.get 0) (local.get 1))))"#;
//! let network = wasm2onnx_compiler::compile(wat.as_bytes(), &Default::default())?;
//! let model = export(&network, &ExportOptions { entry: "add".into(), ..ExportOptions::default() })?;
//!
//! let network = import(&model)?;
//! let sum = Instance::new(&network)?.invoke("add", &[Value::I32(2), Value::I32(3)])?;
//! assert_eq!(sum, [Value::I32(5)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a model holds
//!
//! Tensors and metadata are enough to decode a program without the model's graph and without anything of
//! ours, by [the step](wasm2onnx_runtime#the-step) alone, as `tests/python/exact_decoder.py` does.
//!
//! ## Tensors
//!
//! *Numbers* are the fields of `z` in a model's order, `s, n, v, x, q, k, t`, and `e` behind them: [`Slots`].
//! A *slot* is the index of one. Integers have the smallest type that holds them.
//!
//! | tensor | |
//! | --- | --- |
//! | `weights/next` | of each expert the constant of its row of `e`, less its own id |
//! | `weights/counts` | of each expert the number of its other terms |
//! | `weights/sources`, `weights/slots`, `weights/indices` | of each term, those of all experts one behind the other, the element of `y = [1, r, w, u, s]`, the slot that gains weight times element, and where in `weights/values` the weight is |
//! | `tables/bytes`, `tables/numbers` | the frozen tables: the entries of the first, then those of the second, then a 0 that is no entry |
//! | `trace/pages`, `trace/bytes` | first rows that are bytes: cell *i* of page *p* has the key *p* · cells of a page + *i*; a 0 is no row |
//! | `trace/keys`, `trace/values` | all other first rows |
//! | `initial.trace` | instead of these four, in the step form and with attention over all rows: either \[1, cells\], a cell for each key, cut behind the last that is not 0, or \[1, rows, 2\], keys and values |
//!
//! Expert 1 has terms that keep results where they are, for a graph that goes on with it; terminal experts
//! have no step. All other tensors are sizes and limits, or repeat for the graph what the metadata says.
//!
//! ## Metadata
//!
//! Keys begin with `wasm2onnx.`; `entry`, `regions` and `traps` are JSON.
//!
//! - `entry`: `expert`, where a call begins, and `start`, where instance creation begins, or null.
//!   `terminals`: experts below that number end a run; 0 is unreachable, 1 halts, others trap.
//!   `args` and `results`: of each its type and the places of its words, low word first: slots, or
//!   `{"key": …}`, a row of the trace, which for an argument is there when the call begins. `numbers`: \[slot, number\], what a call begins with beside
//!   its arguments. `fields` and `sources`: the parts of the numbers and of `y` in order, with their
//!   sizes; those of `y` are called after the fields that they are made of. `stdin` and `stdout`: null,
//!   or the region of the bytes and the key of the row with their number.
//! - `regions`: `name`, first key and number of keys of each. `traps`: of each terminal expert that is a
//!   trap its code.
//! - `declared`: the certificate, [declared intervals](wasm2onnx_runtime::Certificate) of what each expert is
//!   handed. It is a message of protocol buffers, `Declared` in `onnx/src/model.rs`, compressed by zlib,
//!   in base 64. Its fields stand in the *network's* order, [`Ports`](wasm2onnx_runtime::Ports), not in
//!   the model's.
//!
//! ## A run
//!
//! The trace begins with the first rows, the bytes of standard input from the first key of their region
//! on, and their number. If there is a `start`, a run with all numbers 0 begins there. If it halts, or there
//! is no such run, the call follows, with its arguments in their places. Each ends at a terminal expert, whose
//! rows are still appended: `trap` is 0 if it is 1, the code of the trap otherwise, −1 for expert 0. A trap
//! of instance creation is the trap of the whole. `steps` counts the maps evaluated in both. When
//! `max_steps` are and the next expert is not terminal, the run stops before that expert's step, rows
//! included, and `trap` is 11. After a trap results are 0, and what was printed before it stays.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod export;
pub mod import;
mod model;
mod pack;
pub mod proto;

pub use export::{Attention, ExportError, ExportOptions, Form, export, export_unproved, least_memory};
pub use import::{Description, ImportError, describe, import, import_unproved, is_model};
pub use pack::Slots;
pub use wasm2onnx_certify::Certified;
