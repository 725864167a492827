"""What the tests share: where programs are, and the two ways to run a function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasm2onnx

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Run = Callable[..., Any]
Maker = Callable[..., Run]


def natively(module: bytes, **options: Any) -> Run:
    """Returns a function that calls the module's only function by itself."""
    program = wasm2onnx.Module(module, **options)
    return lambda *args, **kwargs: program.call(None, *args, **kwargs)


def in_onnx_runtime(module: bytes, **options: Any) -> Run:
    """Returns a function that calls the module's only function in ONNX Runtime."""
    return wasm2onnx.session(wasm2onnx.compile(module, **options))


@pytest.fixture(params=[natively, in_onnx_runtime])
def make(request: pytest.FixtureRequest) -> Maker:
    """Both ways to run a function, one after the other."""
    maker: Maker = request.param
    return maker
