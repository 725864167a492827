"""Models in ONNX Runtime: batches, streams, options, and models of others."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import onnx
import onnx.compose
import onnxruntime  # type: ignore[import-untyped]
import pytest
from conftest import EXAMPLES

import wasm2onnx

DIVIDE = b'(module (func (export "divide") (param i32 i32) (result i32 i64) (i32.div_s (local.get 0) (local.get 1)) (i64.const 7)))'


def test_a_session_is_one_of_onnx_runtime() -> None:
    session = wasm2onnx.session(wasm2onnx.compile(DIVIDE))
    assert isinstance(session, onnxruntime.InferenceSession)
    assert isinstance(session, wasm2onnx.Session)
    assert session.get_modelmeta().custom_metadata_map["wasm2onnx.signature"] == "divide(i32, i32) -> (i32, i64)"
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == 1
    [trap] = session.run(["trap"], {"arg0": np.array([1, 2], np.int32), "arg1": np.array([1, 0], np.int32)})
    assert trap.tolist() == [0, 2]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    other = wasm2onnx.session(wasm2onnx.compile(DIVIDE), sess_options=options, providers=["CPUExecutionProvider"])
    assert other.get_session_options().intra_op_num_threads == 2


def test_batches() -> None:
    divide = wasm2onnx.session(wasm2onnx.compile(DIVIDE))
    outputs = divide(np.array([7, 8, -9], np.int32), [1, 2, 3])
    assert outputs.result0.tolist() == [7, 4, -3]
    assert outputs.result1.tolist() == [7, 7, 7]
    # A number stands for as many as there are.
    assert divide([7, 8], 2).result0.tolist() == [3, 4]
    assert divide([7], 2).result0.tolist() == [3]
    assert divide(7, 2) == (3, 7)
    with pytest.raises(ValueError, match="arg1: the size batch is 2 elsewhere, and here it is 3"):
        divide([1, 2], [1, 2, 3])
    with pytest.raises(wasm2onnx.Trap, match=r"wasm trap: integer divide by zero \(in instance 1 of 3\)") as trap:
        divide([1, 2, 3], [1, 0, 0])
    assert (trap.value.code, trap.value.index) == (2, 1)
    with pytest.raises(TypeError, match="arg0: an array of type int32 is wanted, not an array of type int64"):
        divide(np.array([1, 2]), 1)
    with pytest.raises(TypeError, match="not all inputs are given: arg1; the model takes arg0: i32"):
        divide(1)


def test_streams_and_what_a_program_is_given(tmp_path: Path) -> None:
    sudoku = wasm2onnx.session(wasm2onnx.compile(EXAMPLES / "sudoku/sudoku.wasm"))
    puzzle = (EXAMPLES / "sudoku/input.txt").read_bytes()
    assert sudoku(stdin=puzzle) == (EXAMPLES / "sudoku/expected.txt").read_bytes()
    module = b"""(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (drop (call $sizes (i32.const 0) (i32.const 12)))
            (drop (call $args (i32.const 64) (i32.const 1024)))
            (i32.store (i32.const 8) (i32.const 1024))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))
            (drop (call $environ_sizes (i32.const 0) (i32.const 12)))
            (drop (call $environ (i32.const 64) (i32.const 1024)))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))))"""
    echo = wasm2onnx.session(wasm2onnx.compile(module))
    outputs = echo(argv=["echo", "to", "bé"], environ={"A": "1", "B": "2"})
    assert outputs.stdout == b"echo\0to\0b\xc3\xa9\0A=1\0B=2\0"
    assert outputs.stderr == b""
    assert echo(argv=b"x\0").stdout == b"x\0"
    assert echo().stdout == b""
    with pytest.raises(TypeError, match="argv: a list of strings is wanted, not a string"):
        echo(argv="echo")
    path = tmp_path / "echo.wat"
    path.write_bytes(module)
    native = wasm2onnx.Module(path)
    assert native.run(args=["to", "bé"], env=["A=1", "B=2"]).stdout == b"echo.wat\0to\0b\xc3\xa9\0A=1\0B=2\0"


def test_other_threads() -> None:
    divide = wasm2onnx.session(wasm2onnx.compile(DIVIDE))
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(divide(12, 3).result0)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [4] * 4


def test_models_in_step_form_and_with_a_prefix() -> None:
    step = wasm2onnx.session(wasm2onnx.compile(DIVIDE, form="step"))
    assert "next_expert" in [output.name for output in step.get_outputs()]
    divide = wasm2onnx.session(wasm2onnx.compile(DIVIDE, prefix="a/"))
    assert divide(arg0=7, arg1=2) == (3, 7)
    assert divide([7, 8], [1, 2]).result0.tolist() == [7, 4]
    with pytest.raises(wasm2onnx.Trap) as trap:
        divide(1, arg1=0)
    assert trap.value.code == 2


def test_merged_models() -> None:
    # The first doubles bytes, the second adds them and traps if there are none. All that says how programs end stays.
    double = b"""(module (memory 1) (func (export "double") (param $x i32) (param $n i32) (param $y i32) (param $room i32) (result i32) (local $i i32)
        (block $end (loop $next
            (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
            (i32.store8 (i32.add (local.get $y) (local.get $i)) (i32.shl (i32.load8_u (i32.add (local.get $x) (local.get $i))) (i32.const 1)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (local.get $n)))"""
    mean = b"""(module (memory 1) (func (export "mean") (param $x i32) (param $n i32) (result i32) (local $i i32) (local $sum i32)
        (block $end (loop $next
            (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
            (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.add (local.get $x) (local.get $i)))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))
        (i32.div_u (local.get $sum) (local.get $n))))"""
    models = [
        onnx.load_from_string(
            wasm2onnx.compile(double, signature="double(x: u8[], y: out u8[99]) -> len(y)", prefix="first/")
        ),
        onnx.load_from_string(wasm2onnx.compile(mean, signature="mean(z: u8[]) -> u32", prefix="second/")),
    ]
    both = onnx.compose.merge_models(models[0], models[1], io_map=[("y", "z")])
    session = wasm2onnx.session(both.SerializeToString())
    assert session(x=[1, 2, 3]) == 4
    with pytest.raises(wasm2onnx.Trap, match="out of bounds memory access") as trap:
        session(b"x" * 100)
    assert trap.value.code == 5
    with pytest.raises(wasm2onnx.Trap, match="wasm trap: integer divide by zero") as trap:
        session(b"")
    assert trap.value.code == 2


def test_batches_of_arrays() -> None:
    # Gives the first bytes of a text, as many as it is told; reports an error for a negative number.
    module = b"""(module (memory 1)
        (func (export "head") (param $text i32) (param $n i32) (param $most i32) (param $to i32) (param $room i32) (result i32)
            (if (i32.gt_s (local.get $most) (local.get $n)) (then (local.set $most (local.get $n))))
            (if (i32.lt_s (local.get $most) (i32.const 0)) (then (return (local.get $most))))
            (memory.copy (local.get $to) (local.get $text) (local.get $most))
            (local.get $most)))"""
    signature = "head(text: u8[], most: i32, start: out u8[20]) -> len(start)"
    head = wasm2onnx.session(wasm2onnx.compile(module, signature=signature, batch=True))
    texts = [b"to be", b"", "or not"]
    outputs = head(text=texts, most=4)
    assert outputs._fields == ("start", "start_length")
    assert outputs.start_length.tolist() == [4, 0, 4]
    assert [bytes(row[:n]) for row, n in zip(*outputs)] == [b"to b", b"", b"or n"]
    assert head(text=texts, most=[1, 2, 3]).start_length.tolist() == [1, 0, 3]
    # An array, with all of its length or with what is said.
    array = np.frombuffer(b"abcdef", np.uint8).reshape(2, 3)
    assert head(text=array, most=9).start_length.tolist() == [3, 3]
    assert head(array, 9, [1, 2]).start_length.tolist() == [1, 2]
    assert head(text=array, most=9, **{"text.length": [2, 0]}).start_length.tolist() == [2, 0]
    with pytest.raises(wasm2onnx.Trap, match=r"the function reported an error: -7 \(in instance 1 of 3\)") as trap:
        head(text=texts, most=[1, -7, 1])
    assert (trap.value.code, trap.value.error, trap.value.index) == (13, -7, 1)
    with pytest.raises(ValueError, match="the size batch is 3 elsewhere, and here it is 2"):
        head(text=texts, most=[1, 2])


def test_models_without_defaults() -> None:
    add = b'(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'
    session = wasm2onnx.session(wasm2onnx.compile(add, without_defaults=True))
    assert session(2, 3) == 5
    with pytest.raises(TypeError, match="there is no input 'max_steps'"):
        session(2, 3, max_steps=7)
