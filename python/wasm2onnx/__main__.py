"""``python -m wasm2onnx`` is the command, too."""

from ._command import main

main()
