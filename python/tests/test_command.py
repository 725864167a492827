"""The command that the wheel puts on PATH, which has to do what the program of Rust does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import EXAMPLES

import wasm2onnx

COMMAND = Path(sys.executable).parent / "wasm2onnx"
DIVIDE = b'(module (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))'
FOREVER = b'(module (import "env" "output_byte" (func $put (param i32))) (func (export "f") (loop (call $put (i32.const 121)) (call $put (i32.const 10)) (br 0))))'


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Runs the command."""
    return subprocess.run([COMMAND, *arguments], capture_output=True, timeout=120, **options)


def test_version_and_help() -> None:
    assert run("--version").stdout == f"wasm2onnx {wasm2onnx.__version__}\n".encode()
    helped = run("compile", "--help")
    assert (helped.returncode, helped.stderr) == (0, b"")
    assert b"--signature" in helped.stdout
    assert run().returncode == 2
    module = subprocess.run([sys.executable, "-m", "wasm2onnx", "compile", "--help"], capture_output=True, timeout=120)
    assert (module.returncode, module.stdout) == (0, helped.stdout)
    assert b"Usage: wasm2onnx compile" in helped.stdout


@pytest.fixture
def divide(tmp_path: Path) -> Path:
    path = tmp_path / "divide.wat"
    path.write_bytes(DIVIDE)
    return path


def test_results_and_statuses(divide: Path, tmp_path: Path) -> None:
    done = run("run", divide, "-7", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"-3\n", b"")
    trapped = run("run", divide, "1", "0")
    assert trapped.returncode == 134
    assert trapped.stderr.startswith(b"error: wasm trap: integer divide by zero (in function `divide`, at offset 0x")
    assert run("run", divide, "1").returncode == 2
    missing = run("run", tmp_path / "nowhere.wasm")
    assert missing.returncode == 1
    assert missing.stderr.endswith(b"nowhere.wasm cannot be read: No such file or directory (os error 2)\n")
    unknown = run("compile", "--sideways", divide)
    assert unknown.returncode == 2
    assert b"unexpected argument '--sideways'" in unknown.stderr
    status = run("run", EXAMPLES / "wasi/json/json.wasm", input=b"{")
    assert 0 < status.returncode < 126


def test_the_model_is_that_of_the_function(divide: Path, tmp_path: Path) -> None:
    model = tmp_path / "divide.onnx"
    assert run("compile", divide, "-o", model).returncode == 0
    assert model.read_bytes() == wasm2onnx.compile(DIVIDE)
    piped = run("compile", "-", "-o", "-", input=DIVIDE)
    assert piped.stdout == model.read_bytes()


def test_pipes(tmp_path: Path) -> None:
    puzzle = (EXAMPLES / "sudoku/input.txt").read_bytes()
    assert (
        run("run", EXAMPLES / "sudoku/sudoku.wasm", input=puzzle).stdout
        == (EXAMPLES / "sudoku/expected.txt").read_bytes()
    )
    forever = tmp_path / "forever.wat"
    forever.write_bytes(FOREVER)
    # A reader that has seen enough ends the command, and is no failure.
    head = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{COMMAND}' run '{forever}' | head -n 2"], capture_output=True, timeout=120
    )
    assert (head.returncode, head.stdout, head.stderr) == (0, b"y\ny\n", b"")
    # Arguments that are not Unicode arrive as they are.
    strange = os.fsencode(tmp_path) + b"/\xff.wat"
    with open(strange, "wb") as file:
        file.write(DIVIDE)
    assert run("run", os.fsdecode(strange), "8", "2").stdout == b"4\n"


def test_output_appears_while_a_program_waits() -> None:
    module = EXAMPLES / "expressions/expressions.wasm"
    with subprocess.Popen([COMMAND, "run", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b"1+2\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdin.close()
    assert process.returncode == 0


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    forever = tmp_path / "forever.wat"
    forever.write_bytes(FOREVER)
    with subprocess.Popen([COMMAND, "run", forever], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.stdout.read()
    assert process.returncode == -signal.SIGINT
    assert time.monotonic() - began < 5
