"""Programs and instances: numbers, state, streams, WASI, limits, traps, threads and signals."""

from __future__ import annotations

import pickle
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EXAMPLES, Maker

import wasm2onnx
from wasm2onnx import Module

FOREVER = b'(module (func (export "forever") (loop (br 0))))'


def identity(*types: str) -> bytes:
    """A function that returns its parameters."""
    gets = " ".join(f"(local.get {i})" for i in range(len(types)))
    return f"""(module (func (export "same") (param {" ".join(types)}) (result {" ".join(types)}) {gets}))""".encode()


def test_numbers_of_webassembly(make: Maker) -> None:
    for ty, bits in [("i32", 32), ("i64", 64)]:
        same = make(identity(ty))
        for number in (0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))):
            assert same(number) == number
            assert type(same(number)) is int
        # As unsigned numbers, which are the same bits.
        assert same(2**bits - 1) == -1
        assert same(arg0=2 ** (bits - 1)) == -(2 ** (bits - 1))
        assert same(np.uint8(7)) == 7
        with pytest.raises(ValueError, match=f"arg0: {2**bits} is not in the range of {ty}"):
            same(2**bits)
        with pytest.raises(TypeError, match=f"arg0: a number of type {ty} is wanted, not float"):
            same(1.0)
    for bits32 in (0x7FC00000, 0x7F800001, 0xFFC12345, 0x80000000, 0x3F800000):
        number = np.array(bits32, np.uint32).view(np.float32)[()]
        result = make(identity("f32"))(number)
        assert type(result) is np.float32
        assert result.tobytes() == number.tobytes()
    for bits64 in (0x7FF8 << 48, (0x7FF << 52) + 1, (0xFFF << 52) + 12345, 1 << 63):
        number64 = np.array(bits64, np.uint64).view(np.float64)[()]
        for given in (number64, float(number64)):
            result = make(identity("f64"))(given)
            assert type(result) is float
            assert np.float64(result).tobytes() == number64.tobytes()


def test_results(make: Maker) -> None:
    assert make(b'(module (func (export "f") (param i32)))')(1) is None
    both = make(identity("i32", "f64"))(arg1=0.5, arg0=7)
    assert both == (7, 0.5)
    assert (both.result0, both.result1) == (7, 0.5)


def test_references() -> None:
    module = Module(
        b'(module (func (export "f") (param externref funcref) (result funcref externref) local.get 1 local.get 0))'
    )
    assert module.call("f", None, None) == (None, None)
    with pytest.raises(TypeError, match="arg0: a reference can only be None here, not int"):
        module.call("f", 1, None)


def test_functions_are_listed() -> None:
    module = Module(
        b"""(module (memory 1)
            (func (export "add") (param i32 i64) (result f32) (f32.const 0))
            (func (export "cut") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0)))""",
        signature="cut(x: u8[n, 3], k: u16, ids: out i64[1, 8], mask: out bool[n]) -> len(ids)",
    )
    assert sorted(module.functions) == ["add", "cut"]
    add, cut = module.functions["add"], module.functions["cut"]
    assert str(add) == "add(arg0: i32, arg1: i64) -> (result0: f32)"
    assert not add.takes_tensors
    assert str(cut) == "cut(x: u8[n, 3], k: u16) -> (ids: i64[1, _], mask: bool[n])"
    assert (cut.inputs[0].name, cut.inputs[0].type, cut.inputs[0].shape) == ("x", "u8", ("n", 3))
    assert cut.outputs[0].shape == (1, None)
    assert "add" in repr(module)
    with pytest.raises(
        ValueError, match=r"no exported function is called 'sub'; the module exports:\n  add\(arg0: i32"
    ):
        module.call("sub")


def test_which_function_is_called() -> None:
    two = b'(module (func (export "one") (result i32) i32.const 1) (func (export "two") (result i32) i32.const 2))'
    with pytest.raises(ValueError, match="choose one of the exported functions with invoke:"):
        Module(two).call()
    assert Module(two, invoke="two").call() == 2
    assert list(Module(two, invoke="two").functions) == ["two"]
    with pytest.raises(ValueError, match="no exported function is called `three`"):
        Module(two, invoke="three")
    # A model has one function.
    assert Module(wasm2onnx.compile(two, invoke="one")).call() == 1


COUNTER = b"""(module (memory 1) (global $calls (mut i32) (i32.const 0))
    (func (export "add") (param $n i32) (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get $n)))
        (drop (i32.div_u (i32.const 1) (local.get $n)))
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.load (i32.const 0)))
    (func (export "calls") (result i32) (global.get $calls)))"""


def test_state_persists_even_after_a_trap() -> None:
    counter = Module(COUNTER)
    assert [counter.call("add", 1), counter.call("add", 41), counter.call("calls")] == [1, 42, 2]
    with pytest.raises(wasm2onnx.Trap, match=r"wasm trap: integer divide by zero \(in function `add`, at offset 0x"):
        counter.call("add", 0)
    assert [counter.call("calls"), counter.call("add", 1)] == [2, 43]
    assert counter.fresh().call("add", 5) == 5
    assert counter.steps > 0


def test_a_trap_says_what_and_where() -> None:
    module = Module(
        b'(module (func $divide (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0))))'
    )
    with pytest.raises(wasm2onnx.Trap) as caught:
        module.call("divide", 0)
    trap = caught.value
    assert (trap.code, trap.name, trap.function) == (2, "integer divide by zero", "divide")
    assert isinstance(trap.offset, int) and trap.offset > 0
    assert (trap.line, trap.error, trap.index, trap.stdout, trap.stderr) == (None, None, None, b"", b"")
    # It can come from another process.
    copy = pickle.loads(pickle.dumps(trap))
    assert (str(copy), copy.__dict__) == (str(trap), trap.__dict__)


def test_a_trap_of_creation() -> None:
    with pytest.raises(wasm2onnx.Trap, match="unreachable"):
        Module(b'(module (func $start unreachable) (start $start) (func (export "f")))')


def test_a_memory_that_cannot_grow_is_named() -> None:
    module = b"""(module (memory 1) (func (export "grow") (if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))))"""
    Module(module).call()
    with pytest.raises(
        wasm2onnx.Trap, match="asked for a memory of 101 pages, but the limit is 4; max_memory_pages sets another limit"
    ):
        Module(module, max_memory_pages=4).call()


def test_streams() -> None:
    sudoku = Module(EXAMPLES / "sudoku/sudoku.wasm")
    puzzle = (EXAMPLES / "sudoku/input.txt").read_bytes()
    expected = (EXAMPLES / "sudoku/expected.txt").read_bytes()
    completed = sudoku.run(stdin=puzzle)
    assert (completed.stdout, completed.stderr, completed.exit_code) == (expected, b"", 0)
    other = sudoku.fresh(stdin=puzzle)
    assert other.call("_start") is None
    assert (other.stdout, other.steps) == (expected, completed.steps)
    assert sudoku.stdout == b""
    with pytest.raises(TypeError, match="stdin: bytes are wanted, not str"):
        sudoku.run(stdin=puzzle.decode())  # type: ignore[arg-type]


def test_output_before_a_trap_is_kept() -> None:
    module = b"""(module (import "env" "output_byte" (func $put (param i32)))
        (func (export "main") (call $put (i32.const 72)) (call $put (i32.const 105)) unreachable))"""
    program = Module(module)
    with pytest.raises(wasm2onnx.Trap) as trap:
        program.call()
    assert trap.value.stdout == b"Hi"
    assert program.stdout == b"Hi"
    with pytest.raises(wasm2onnx.Trap) as trap:
        wasm2onnx.session(wasm2onnx.compile(module))()
    assert trap.value.stdout == b"Hi"
    with pytest.raises(wasm2onnx.Trap, match="output limit of 1 bytes reached") as trap:
        Module(module, max_output=1).call()
    assert (trap.value.code, trap.value.stdout) == (14, b"H")


def wasi(body: str) -> bytes:
    """A WASI program that does this."""
    return f"""(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00")
        (data (i32.const 16) "oops\\0a")
        (func (export "_start") {body}))""".encode()


def test_exit_status(make: Maker) -> None:
    module = wasi(
        "(drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) (call $exit (i32.const 3))"
    )
    completed = Module(module).run()
    assert (completed.stdout, completed.stderr, completed.exit_code) == (b"", b"oops\n", 3)
    with pytest.raises(wasm2onnx.Exit, match="exit status 3") as ended:
        Module(module).call()
    assert (ended.value.code, ended.value.stderr) == (3, b"oops\n")
    outputs = wasm2onnx.session(wasm2onnx.compile(module))()
    assert (outputs.stderr, outputs.exit_code) == (b"oops\n", 3)
    assert Module(wasi("(call $exit (i32.const 0))")).call() is None


def test_wasi(tmp_path: Path) -> None:
    json = Module(EXAMPLES / "wasi/json/json.wasm")
    assert (
        json.run(stdin=b'{"b": 1, "a": [2]}', args=["--sort-keys"]).stdout.split()
        == b'{ "a": [ 2 ], "b": 1 }'.replace(b" ]", b"\n]").split()
    )
    with pytest.raises(TypeError, match="args: a list of strings is wanted, not a string"):
        json.run(args="--sort-keys")
    with pytest.raises(ValueError, match="dirs .*nowhere"):
        json.run(dirs=[tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="seed: `x` is not possible: invalid digit"):
        json.run(seed="x")  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match="there is no option `signature`; known are: stdin, args, env, dirs, clock, seed, max_steps"
    ):
        json.run(signature="f()")  # type: ignore[call-arg]


def test_step_limit() -> None:
    endless = Module(FOREVER, max_steps=1000)
    with pytest.raises(wasm2onnx.Trap, match="step limit of 1000 reached") as trap:
        endless.call("forever")
    assert (trap.value.code, trap.value.name, trap.value.steps) == (11, "step limit reached", 1000)
    assert (endless.steps, endless.max_steps) == (1000, 1000)
    # A limit for each call.
    counter = Module(COUNTER)
    assert counter.max_steps is None
    for _ in range(3):
        counter.max_steps = counter.steps + 100
        counter.call("add", 1)
    counter.max_steps = counter.steps + 1
    with pytest.raises(wasm2onnx.Trap, match="step limit"):
        counter.call("add", 1)
    counter.max_steps = None
    assert counter.call("calls") == 3
    with pytest.raises(wasm2onnx.Trap, match="step limit reached") as trap:
        wasm2onnx.session(wasm2onnx.compile(FOREVER))(max_steps=1000)
    assert (trap.value.code, trap.value.steps) == (11, 1000)


def interrupted(work: Any, after: float = 0.3) -> float:
    """Presses Ctrl-C during some work, which has to end it. Returns how many seconds it took to end."""
    pressed = []

    def press() -> None:
        pressed.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    timer = threading.Timer(after, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    timer.join()
    return time.monotonic() - pressed[0]


def test_ctrl_c_ends_a_run() -> None:
    endless = Module(FOREVER)
    assert interrupted(endless.call) < 2
    # The instance can be used again.
    assert interrupted(endless.call) < 2
    assert interrupted(wasm2onnx.session(wasm2onnx.compile(FOREVER))) < 5
    until = time.monotonic() + 5
    while any(thread.name == "wasm2onnx" for thread in threading.enumerate()):
        assert time.monotonic() < until, "the model runs on"
        time.sleep(0.01)


def test_ctrl_c_ends_a_compilation() -> None:
    functions = "".join(
        f'(func (export "f{i}") (param i32) (result i32) '
        + "(i32.mul (i32.add " * 40
        + "(local.get 0)"
        + f" (i32.const {i})) (local.get 0))" * 40
        + ")"
        for i in range(400)
    )
    assert interrupted(lambda: Module(f"(module {functions})".encode())) < 2


def test_other_threads_run_meanwhile() -> None:
    endless = Module(FOREVER, max_steps=None)
    limited = [endless.fresh(max_steps=3_000_000) for _ in range(2)]
    traps = []

    def work(program: Module) -> None:
        try:
            program.call()
        except wasm2onnx.Trap as trap:
            traps.append(trap.code)

    threads = [threading.Thread(target=work, args=(program,)) for program in limited]
    for thread in threads:
        thread.start()
    turns = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.001)
        turns += 1
    assert turns > 3
    assert traps == [11, 11]


def test_calls_of_one_instance_wait_for_each_other() -> None:
    counter = Module(COUNTER)
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(counter.call("add", 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(1, 9))


def test_a_handler_cannot_call_the_running_instance() -> None:
    endless = Module(FOREVER, max_steps=10_000_000_000)

    def again(*_: Any) -> None:
        endless.call()

    old = signal.signal(signal.SIGALRM, again)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(RuntimeError, match="this instance is running"):
            endless.call()
    finally:
        signal.signal(signal.SIGALRM, old)


def test_a_trap_names_the_line() -> None:
    lines = EXAMPLES.parent / "tests/lines/dwarf5.wasm"
    module = Module(lines)
    for name, args, line in [("divide", (3, 0), "inner.h:4"), ("far", (3,), "trap.c:25")]:
        with pytest.raises(wasm2onnx.Trap, match=line) as trap:
            module.call(name, *args)
        assert trap.value.line is not None and trap.value.line.endswith(line)


def test_directories(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_bytes(b"to be or not to be")
    # Opens a file of its first directory, and prints what is in it.
    module = b"""(module
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\\40\\00\\00\\00\\80\\00\\00\\00")
        (data (i32.const 32) "hello.txt")
        (func (export "_start") (local $status i32)
            (local.set $status (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 9) (i32.const 0)
                (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
            (if (local.get $status) (then (call $exit (local.get $status))))
            (drop (call $read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 4)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))))"""
    program = Module(module)
    for dirs in ([tmp_path], tmp_path, {tmp_path: "/data"}, [f"{tmp_path}::/data"]):
        completed = program.run(dirs=dirs)
        assert (completed.stdout[:18], completed.exit_code) == (b"to be or not to be", 0)
    assert program.run().exit_code == 8


def test_other_threads_run_during_a_compilation() -> None:
    turns = []
    thread = threading.Thread(target=lambda: turns.append(Module(EXAMPLES / "sudoku/sudoku.wasm")))
    thread.start()
    count = 0
    while thread.is_alive():
        count += 1
        time.sleep(0.001)
    assert turns and count > 3
