"""Compiles WebAssembly to frozen transformer networks, runs them, and writes them as ONNX models.

>>> module = b'(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
>>> Module(module).call("add", 2, 3)
5
>>> session(compile(module))(arg0=2, arg1=3)
5

`compile` makes a model, `Module` runs a module or a model by itself, and `session` runs a model in ONNX Runtime.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import CompileError, Exit, Trap
from ._source import read

if TYPE_CHECKING:
    from typing import Unpack

    from ._arrays import Spec
    from ._module import Completed, Function, Module
    from ._options import CompileOptions
    from ._session import Session

__all__ = ["CompileError", "Completed", "Exit", "Function", "Module", "Session", "Spec", "Trap", "compile", "session"]

__version__: str = _native.VERSION
"""The version of the package."""

# What needs NumPy is loaded when it is first used, so that the command starts without it.
_LAZY = {"Completed": "_module", "Function": "_module", "Module": "_module", "Spec": "_arrays", "Session": "_session"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def compile(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview,
    *,
    invoke: str | None = None,
    signature: str | Sequence[str] | None = None,
    **options: Unpack[CompileOptions],
) -> bytes:
    """Compiles a module to an ONNX model that runs one of its exported functions.

    ``source`` is the path of a ``.wasm`` or ``.wat`` file, or the bytes of one. All other arguments are options of the
    command ``wasm2onnx compile``, with underscores in their names; what the command lets repeat is a list, or a
    dictionary of what stands on both sides of the ``=``:

    - ``invoke="main"``: the function [default: ``_start``, the one with a signature, or the only one].
    - ``signature="tokenize(text: u8[], ids: out i64[512]) -> len(ids)"``: makes it a function of tensors.
    - ``form="step"``, ``attention="dense"``, ``opset=23``, ``prefix="tokenizer/"``, ``batch=True``,
      ``without_defaults=True``: what the model is like.
    - ``imports={"env.log": "nop", "env.base": 1024}``, ``preload={"math": "math.wasm"}``, ``init=["setup"]``: what it
      is linked with.
    - ``max_memory_pages=2000``, ``max_output=1000``: limits.
    - ``validation_states=0``, ``prove=True``: how it is checked.
    - ``no_wit=True``: exports of a module that wit-bindgen made are functions of numbers and addresses, not of tensors.

    Returns the bytes of the model. Other threads of Python run meanwhile.

    Raises `CompileError` if the module cannot be compiled, `TypeError` for an option that does not exist, `ValueError`
    for one that is wrong or does not fit the module, and `OSError` if a file cannot be read.

    >>> model = compile(b'(module (func (export "two") (result i32) i32.const 2))')
    >>> session(model)()
    2
    """
    path, module = read(source)
    return _native.compile(path, module, {"invoke": invoke, "signature": signature, **options})


def session(
    model: str | os.PathLike[str] | bytes,
    *,
    providers: list[Any] | None = None,
    sess_options: Any = None,
    **arguments: Any,
) -> Session:
    """Opens a model in ONNX Runtime, with options that suit models of this package.

    ``model`` is a path or the bytes of a model, of this package or with such a model in it. ``providers`` are those of
    ONNX Runtime [default: ``["CPUExecutionProvider"]``], and ``sess_options`` an `onnxruntime.SessionOptions` [default:
    see `Session`]; all other arguments go to `onnxruntime.InferenceSession`.

    Raises `ImportError` if ONNX Runtime is not installed.

    >>> two = session(compile(b'(module (func (export "two") (result i32) i32.const 2))'))
    >>> two()
    2
    """
    from ._session import Session

    return Session(model, providers=providers, sess_options=sess_options, **arguments)
