//! Build-script API and ONNX export (next issue).
