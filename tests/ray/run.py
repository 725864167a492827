#!/usr/bin/env python3
"""Runs examples/python/ray_data.py on small data sets, with both models. Without Ray, which is a large installation, it runs nothing and says so.

    run.py [--wasm2onnx COMMAND]

With this Python, which needs what examples/python/ray.txt lists.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "examples/python/ray_data.py"
GTIN = ROOT / "examples/tensors/gtin/gtin.wasm"
GTINS = "gtins(text: u8[size], ends: i32[n], kinds: out u8[n]) -> len(kinds)"
CASES = [
    ("one instance for each string", GTIN, ["--invoke", "gtin"], ["--strings", "6000"]),
    ("odd sizes", GTIN, ["--invoke", "gtin"], ["--strings", "1001", "--call", "7"]),
    ("one string", GTIN, ["--invoke", "gtin"], ["--strings", "1", "--workers", "1"]),
    ("joined", GTIN, ["--signature", GTINS], ["--strings", "1200"]),
    ("joined, one by one", GTIN, ["--signature", GTINS], ["--strings", "100", "--call", "1", "--workers", "2"]),
]


def run(command, module, options, arguments):
    """Returns the exit status and what is printed."""
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model.onnx"
        subprocess.run([command, "compile", *options, module, "-o", model], check=True, stderr=subprocess.DEVNULL)
        # Ray tells its makers about each use unless it is told not to.
        environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
        process = subprocess.run([sys.executable, SCRIPT, model, *arguments], capture_output=True, text=True, env=environment)
        return process.returncode, process.stdout, process.stderr


def pieces():
    """Compares the bytes and ends of columns that are pieces of others, or of several pieces, or of another type. Returns how many are wrong."""
    import pyarrow as pa

    specification = importlib.util.spec_from_file_location("ray_data", SCRIPT)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    whole, failed = pa.array(["a", "", "bcd", "é", "ef"]), 0
    for column in [
        pa.chunked_array([whole]),
        pa.chunked_array([whole.slice(2, 2)]),
        pa.chunked_array([whole.slice(3), whole.slice(0, 3)]),
        pa.chunked_array([whole.cast(pa.large_string())]),
        pa.chunked_array([["", ""]]),
        pa.chunked_array([], pa.string()),
    ]:
        text, ends = script.bytes_and_ends(column)
        strings = [text[begin:end].tobytes().decode() for begin, end in zip([0, *ends], ends)]
        if strings != column.to_pylist() or ends.dtype != "int32" or len(text) != (ends[-1] if len(ends) else 0):
            print(f"{column.to_pylist()}: {strings}")
            failed += 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wasm2onnx", default="wasm2onnx", help="the command")
    command = parser.parse_args().wasm2onnx
    for module in ["ray", "pyarrow", "onnxruntime"]:
        if importlib.util.find_spec(module) is None:
            print(f"skipped: {sys.executable} has no {module}")
            return 0
    failed = pieces()
    for name, module, options, arguments in CASES:
        status, out, err = run(command, module, options, arguments)
        # A line for each number of workers, which is printed only if all results are right.
        if status or len(re.findall(r"strings/s from the first", out)) != (1 if "--workers" in arguments else 2):
            print(f"{name}: FAILED with {status}\n{out}\n{err[-3000:]}")
            failed += 1
        else:
            print(f"{name}: as Python says")
    # A function that gives something else is noticed, and so is one that traps.
    with tempfile.TemporaryDirectory() as folder:
        for name, body, expected in [
            ("wrong results", "(local.get 2)", r"\d+ results are wrong"),
            ("a trap", "(unreachable)", "RuntimeError: trap 1"),
        ]:
            wrong = Path(folder, "wrong.wat")
            wrong.write_text(f'(module (func (export "gtin") (param i64 i64 i32) (result i32) {body}))')
            status, out, err = run(command, wrong, ["--invoke", "gtin"], ["--strings", "200", "--workers", "1"])
            if status == 0 or not re.search(expected, err):
                print(f"{name}: not noticed, status {status}\n{out}\n{err[-3000:]}")
                failed += 1
            else:
                print(f"{name}: noticed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
