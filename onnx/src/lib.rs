//! Frozen networks as ONNX models, and back.

pub mod export;
pub mod import;
mod model;
mod pack;
pub mod proto;

pub use export::{Attention, ExportError, ExportOptions, Form, export};
pub use import::{ImportError, import};
pub use pack::Slots;
