"""The command ``wasm2onnx``, which the extension module contains."""

import signal
import sys

from . import _native


def main() -> None:
    """Does what the command line says, and ends the process with the command's exit status."""
    # Ctrl-C ends the command as it ends any other program; Python would only make a note of it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.main(["wasm2onnx", *sys.argv[1:]]))
