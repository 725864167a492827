//! Frozen networks as ONNX models, and back.
//!
//! [`export()`] writes a network as a model that ONNX Runtime runs without any code of ours; [`import()`]
//! reads a model back, verifies its checksums and proves its certificate again. With the feature `command`, which is on by
//! default, this package also contains the command `wasm2onnx`.
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
//! Tensors and metadata are enough to decode a program without the model's graph and without any code of
//! ours: [the definition of a step](wasm2onnx_runtime#the-step) says how, and `tests/python/exact_decoder.py`
//! does it.
//!
//! ## Tensors
//!
//! *Numbers* are the fields of `z` in the order that models use: `s, n, v, x, q, k, t`, and `e` at the end
//! ([`Slots`]). A *slot* is the index of a number. Integers have the smallest type that holds them.
//!
//! | tensor | |
//! | --- | --- |
//! | `weights/next` | for each expert, the constant of its equation for `e`, minus the expert's own id |
//! | `weights/counts` | for each expert, the number of its other terms |
//! | `weights/sources`, `weights/slots`, `weights/indices` | for each of these terms, one expert after the other: the element of `y = [1, r, w, u, s]`, the slot to which weight times element is added, and the index of the weight in `weights/values` |
//! | `weights/values` | the distinct weights |
//! | `tables/factors`, `tables/bytes`, `tables/numbers` | the frozen tables. Each row of the first tensor, \[rows, 9\], stands for 256 entries: entry *b* is factor 0 plus those factors *i* + 1 for which bit *i* of *b* is 1. Then come the entries of the second tensor, then those of the third, then a 0 that is not an entry |
//! | `trace/pages`, `trace/bytes` | first rows that are bytes: cell *i* of page *p* has the key *p* · cells of a page + *i*; a 0 is no row |
//! | `trace/keys`, `trace/values` | all other first rows |
//! | `initial.trace` | replaces these four in the step form and with attention over all rows: it is either \[1, cells\], one cell for each key up to the last one that is not 0, or \[1, rows, 2\], keys and values |
//!
//! Expert 1 has terms that keep results where they are, for a graph that continues to evaluate it; terminal
//! experts have no step. All other tensors are sizes and limits, or repeat for the graph what the metadata
//! says.
//!
//! ## Metadata
//!
//! Keys begin with `wasm2onnx.`; `entry`, `regions` and `traps` are JSON.
//!
//! - `entry`: `expert` is where a call begins; `start` is where instance creation begins, or null.
//!   `terminals`: experts below that number end a run; 0 is unreachable, 1 halts, the others trap.
//!   `args` and `results`: for each one its type and the locations of its words, low word first. A location is a slot or
//!   `{"key": …}`, a row of the trace; the row of an argument must be there when the call begins. `numbers`: pairs
//!   \[slot, number\] that a call begins with, in addition to
//!   its arguments. `fields` and `sources`: the parts of the numbers and of `y` in order, with their
//!   sizes; the parts of `y` have the names of the fields that they are made of. `stdout` and `stderr`: null,
//!   or the region of the bytes and the key of the row with their number. `argv`, `environ`, `files` and `stdin`: null, or the
//!   region of the bytes and the key of the row with the number of bytes of the region up to their end; they follow each other
//!   in this order, and arguments and variables of the environment end in a 0 each. `stdin_position`: null, or the key of a
//!   row with the number of bytes before `stdin`. `clock` and `seed`: the keys of the rows with their words, low word first;
//!   `exit_code`: null, or the key of the row with the exit status. For a function of tensors, `tensors` is the key of the row that says where
//!   the bytes of the inputs begin, counted like the other ends; `outputs` is the region of the bytes of the outputs and the key of their number;
//!   `error` is the key of the row with the number that was reported.
//! - `regions`: for each region its `name`, first key and number of keys. `traps`: for each terminal expert that is a
//!   trap, its code.
//! - `declared`: the certificate, that is, the [declared intervals](wasm2onnx_runtime::Certificate) of what each expert is
//!   handed. It is a protocol buffers message, `Declared` in `onnx/src/model.rs`, compressed by zlib,
//!   in base 64. Its fields are in the order of the *network*, [`Ports`](wasm2onnx_runtime::Ports), not in
//!   that of the model.
//!
//! ## A run
//!
//! The trace begins with the first rows, the bytes of the inputs from the first key of their region on,
//! and the rows that say where each input ends. If there is a `start`, a run with all numbers 0 begins there. If that run
//! halts, or there is none, the call follows, with its arguments in their locations. Each run ends at a
//! terminal expert, whose rows are still appended: `trap` is 0 for expert 1 and where the program ends itself with an exit status, −1 for expert 0, and the code of
//! the trap otherwise. A trap of instance creation is the trap of the model. `steps` counts the maps
//! evaluated in both runs. When `max_steps` maps have been evaluated and the next expert is not terminal, the
//! run stops before that expert's step, which does not even append its rows, and `trap` is 11. After a trap
//! the results are 0, and what was printed before it remains.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "build")]
pub mod build;
#[cfg(feature = "minimal-command")]
#[path = "../command/mod.rs"]
pub mod command;
pub mod export;
pub mod import;
mod model;
mod pack;
mod prefix;
pub mod proto;

pub use export::{Attention, ExportError, ExportOptions, Form, export, export_unproved, least_memory};
pub use import::{Description, ImportError, describe, import, import_unproved, is_model};
pub use pack::Slots;
pub use wasm2onnx_certify::Certified;
