//! Frozen networks as ONNX models, and back.

pub mod export;
mod pack;
mod proto;

pub use export::{ExportError, ExportOptions, export};
