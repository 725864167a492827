//! Frozen networks as ONNX models, and back.

pub mod export;
pub mod import;
mod model;
mod pack;
pub mod proto;

pub use export::{Attention, ExportError, ExportOptions, Form, export};
pub use import::{Description, ImportError, describe, import, import_unproved, is_model};
pub use pack::Slots;
