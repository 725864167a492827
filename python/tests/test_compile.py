"""Options, paths and errors of compilations."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES

import wasm2onnx
from wasm2onnx import Module, _native, _options

ADD = b'(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'


def test_a_module_is_a_path_or_bytes(tmp_path: Path) -> None:
    model = wasm2onnx.compile(ADD)
    assert type(model) is bytes
    path = tmp_path / "add.wat"
    path.write_bytes(ADD)
    for source in (path, str(path), bytearray(ADD), memoryview(ADD)):
        assert wasm2onnx.compile(source) == model
        assert Module(source).call("add", 2, 3) == 5
    onnx = tmp_path / "add.onnx"
    onnx.write_bytes(model)
    for compiled in (onnx, str(onnx), model):
        assert Module(compiled).call("add", 2, 3) == 5
        assert wasm2onnx.session(compiled)(2, 3) == 5
    binary = EXAMPLES / "recursive/recursive.wasm"
    assert Module(binary.read_bytes()).call("takeuchi", 6, 3, 0) == Module(binary).call("takeuchi", 6, 3, 0) == 6


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for what in (wasm2onnx.compile, Module):
        with pytest.raises(FileNotFoundError, match="nowhere.wasm"):
            what(tmp_path / "nowhere.wasm")
        with pytest.raises(IsADirectoryError):
            what(tmp_path)
        with pytest.raises(FileNotFoundError) as error:
            what("(module)")
        assert error.value.__notes__ == ["A string is a path; give the text of a module as bytes."]
        with pytest.raises(TypeError, match="a module or model is a path or bytes, not int"):
            what(7)  # type: ignore[arg-type]
        with pytest.raises(FileNotFoundError, match="nowhere.wasm"):
            what(ADD, preload={"env": tmp_path / "nowhere.wasm"})


@pytest.mark.parametrize(
    ("module", "message", "function", "offset"),
    [
        (b"", "module", None, None),
        (b"\x7fELF", "neither a WebAssembly module nor its text format", None, None),
        (b'(module (func (export "f") i32.add))', "invalid module: type mismatch", None, 0x1E),
        (b"(module (oops))", "oops", None, None),
        (
            b'(module (func $wide (export "f") (drop (v128.const i32x4 0 0 0 0))))',
            "unsupported: .*v128.*in function `wide`",
            "wide",
            0x1E,
        ),
        (
            b'(module (import "a" "b" (func)) (export "b" (func 0)))',
            "an import is missing:\n  a.b.*imports",
            None,
            None,
        ),
    ],
)
def test_compile_errors(module: bytes, message: str, function: str | None, offset: int | None) -> None:
    for what in (wasm2onnx.compile, Module):
        with pytest.raises(wasm2onnx.CompileError, match="(?s)" + message) as caught:
            what(module)
        error = caught.value
        assert (error.function, error.offset) == (function, offset)
        assert "--import" not in str(error) and "--preload" not in str(error)
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), copy.__dict__) == (str(error), error.__dict__)


def test_damaged_models() -> None:
    model = wasm2onnx.compile(ADD)
    for damaged in (model[: len(model) // 2], model[:-7], model.replace(b"wasm2onnx.format", b"wasm2onnx.fermat")):
        with pytest.raises(wasm2onnx.CompileError):
            Module(damaged)
    with pytest.raises(ValueError, match="is already a model"):
        wasm2onnx.compile(model)
    with pytest.raises(ValueError, match="signature is for modules"):
        Module(model, signature="add(x: i32, y: i32) -> i32")


def test_the_types_of_options_are_those_of_the_command() -> None:
    for function, options in [
        ("compile", _options.CompileOptions),
        ("Module", _options.ModuleOptions),
        ("Instance", _options.InstanceOptions),
    ]:
        given = set(options.__annotations__)
        for base in getattr(options, "__orig_bases__", ()):
            given |= set(getattr(base, "__annotations__", {}))
        # These are parameters by themselves, or no options of the command.
        known = set(_native.options_of(function)) - {"invoke", "signature"}
        assert given - {"stdin", "args"} == known, function


def test_options_that_do_not_exist() -> None:
    functions: list[tuple[Any, str]] = [(wasm2onnx.compile, "opset"), (Module, "max_steps")]
    for what, known in functions:
        with pytest.raises(TypeError, match=f"there is no option `max_pages`; known are: .*{known}"):
            what(ADD, max_pages=1)
    with pytest.raises(TypeError, match="there is no option `opset`"):
        Module(ADD, opset=18)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_memory_pages": -1}, ValueError, "max_memory_pages: `-1` is not possible: -1 is not in"),
        ({"max_memory_pages": "many"}, ValueError, "max_memory_pages: `many` is not possible: invalid digit"),
        ({"max_memory_pages": True}, TypeError, "max_memory_pages: bool is not a string, a path or a number"),
        ({"prove": 1}, TypeError, "prove: int is not a bool"),
        ({"form": "square"}, ValueError, "form: `square` is not possible: possible are loop, step"),
        ({"init": [b"x"]}, (TypeError, ValueError), "init"),
        ({"imports": {"env.x": "walk"}}, ValueError, "imports: `env.x=walk` is not possible: unknown role `walk`"),
        ({"imports": {"env.x": "nop"}}, ValueError, "imports env.x=nop: the module has no such import"),
        ({"signature": "add(x: i31)"}, ValueError, "signature: `add.x: i31.` is not possible: .*i31"),
        ({"signature": "add(x: i32) -> i32"}, wasm2onnx.CompileError, "function of tensors `add`: "),
        ({"opset": 3}, ValueError, "this model cannot have opset 3"),
        ({"prefix": "a b"}, ValueError, "names cannot begin with `a b`"),
        ({"invoke": "sub"}, ValueError, "no exported function is called `sub`; the module exports:\n  add"),
        ({"preload": {"env": "nowhere"}}, FileNotFoundError, "nowhere cannot be read"),
    ],
)
def test_options_that_are_wrong(options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match="(?s)" + message):
        wasm2onnx.compile(ADD, **options)


def test_options_do_what_those_of_the_command_do(tmp_path: Path) -> None:
    module = b"""(module
        (import "env" "base" (global $base i32)) (import "math" "twice" (func $twice (param i32) (result i32)))
        (import "env" "log" (func $log (param i32)))
        (global $sum (mut i32) (i32.const 0))
        (func (export "setup") (global.set $sum (i32.const 100)))
        (func (export "f") (param i32) (result i32)
            (call $log (local.get 0))
            (i32.add (global.get $sum) (i32.add (global.get $base) (call $twice (local.get 0))))))"""
    twice = tmp_path / "twice.wat"
    twice.write_text('(module (func (export "twice") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))')
    names: dict[str, str | int | float] = {"env.base": 7, "env.log": "nop"}
    for imports in (names, ["env.base=7", "env.log=nop"]):
        program = Module(module, imports=imports, preload={"math": twice}, init=["setup"])
        assert program.call("f", 3) == 113
    model = wasm2onnx.compile(
        module, invoke="f", imports=imports, preload=[f"math={twice}"], init="setup", validation_states=0, prove=False
    )
    assert wasm2onnx.session(model)(3) == 113
    # Integers of NumPy, and None for what is not given.
    same = wasm2onnx.compile(
        module,
        invoke="f",
        signature=None,
        imports=names,
        preload={"math": twice},
        init=("setup",),
        validation_states=np.int64(0),
        opset=None,
    )
    assert same == model
    step = wasm2onnx.compile(module, invoke="f", imports=imports, preload=[f"math={twice}"], form="step", opset=20)
    assert step != model


def test_several_signatures() -> None:
    module = b"""(module (memory 1)
        (func (export "length") (param i32 i32) (result i32) (local.get 1))
        (func (export "first") (param i32 i32) (result i32) (i32.load8_u (local.get 0))))"""
    signatures = ["length(x: u8[]) -> u32", "first(x: u8[]) -> u8"]
    program = Module(module, signature=signatures)
    assert (program.call("length", b"abc"), program.call("first", x=b"abc")) == (3, 97)
    with pytest.raises(ValueError, match="signature is for `first`, but the function to be called is `length`"):
        wasm2onnx.compile(module, signature=signatures, invoke="length")
