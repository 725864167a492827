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

#![deny(missing_docs)]

pub mod export;
pub mod import;
mod model;
mod pack;
pub mod proto;

pub use export::{Attention, ExportError, ExportOptions, Form, export, least_memory};
pub use import::{Description, ImportError, describe, import, import_unproved, is_model};
pub use pack::Slots;
