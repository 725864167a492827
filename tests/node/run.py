#!/usr/bin/env python3
"""Runs examples/node in onnxruntime-node and in onnxruntime-web, and compares with the command: the same bytes, traps and errors.

    run.py [--wasm2onnx COMMAND] [--cache FOLDER]

Needs numpy, and Node with npm, which installs both packages in the folder, as the example's lock file pins them. Without npm or its registry nothing
is run.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLE = ROOT / "examples/node"
RUNTIMES = ["onnxruntime-node", "onnxruntime-web/wasm"]

TYPES = {
    "bool": "?", "i8": "i1", "u8": "u1", "i16": "i2", "u16": "u2", "i32": "i4", "u32": "u4", "i64": "i8", "u64": "u8", "f32": "f4", "f64": "f8",
}  # fmt: skip
DETECTIONS = ROOT / "examples/tensors/detections/detections.wasm"
GTIN = ROOT / "examples/tensors/gtin/gtin.wasm"
MODELS = {
    "nms": (
        DETECTIONS,
        "nms(boxes: f32[n, 4], scores: f32[n], most: i32, part: f32, threshold: f32, selected: out i64[n]) -> len(selected)",
    ),
    "json": (DETECTIONS, "json(boxes: f32[n, 4], scores: f32[n], classes: i32[n], selected: i64[k], text: out u8[65536]) -> len(text)"),
    "gtins": (GTIN, "gtins(text: u8[size], ends: i32[n], kinds: out u8[n]) -> len(kinds)"),
    # Not enough memory for long texts.
    "small": (GTIN, "gtins(text: u8[size], ends: i32[n], kinds: out u8[n]) -> len(kinds)", "--max-memory-pages", "3"),
    "trap": (HERE / "types.wat", "trap(number: i32) -> (i32, i64, f64)"),
}
for name, letter in TYPES.items():
    export = f"{'f' if letter[0] == 'f' else 'i'}{np.dtype(letter).itemsize}"
    MODELS[name] = HERE / "types.wat", f"{export}(x: {name}, xs: {name}[n], y: out {name}, ys: out {name}[n]) -> len(ys)"


def install(cache):
    """Installs the packages and the example. Returns why that cannot be done, if it cannot be done here."""
    cache.mkdir(parents=True, exist_ok=True)
    lock, stamp = EXAMPLE / "package-lock.json", cache / "installed.json"
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no Node with npm"
    for name in ["package.json", "package-lock.json", ".npmrc", "tensor_function.mjs", "call.mjs"]:
        shutil.copy(EXAMPLE / name, cache)
    shutil.copy(HERE / "cases.mjs", cache)
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        process = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=cache, capture_output=True, text=True)
        if process.returncode:
            if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED", process.stderr):
                return "npm's registry is not to be had"
            sys.exit(f"npm ci failed:\n{process.stderr}")
        shutil.copy(lock, stamp)
    return None


def all_cases():
    """Returns pairs of a model and its inputs: arrays, or text."""
    rng, cases = np.random.default_rng(1), []
    # All types: none, one and several elements, at both ends of their ranges. NaNs keep their bits.
    for name, letter in TYPES.items():
        dtype = np.dtype(letter)
        if dtype.kind == "f":
            special = [0.0, -0.0, 1.5, -np.inf, np.nan, np.finfo(dtype).max, np.finfo(dtype).tiny / 4]
            bits = np.array([-1, 0x7FA00000 if dtype.itemsize == 4 else 0x7FF4000000000000, 1], f"i{dtype.itemsize}")
            values = np.concatenate([np.array(special, dtype), bits.view(dtype)])
        elif dtype.kind == "b":
            values = np.array([True, False, True])
        else:
            values = np.array([0, 1, np.iinfo(dtype).max, np.iinfo(dtype).min, np.iinfo(dtype).max - 1], dtype)
        for count in [0, 1, len(values)]:
            # A scalar is a number of JavaScript, in which a NaN has no bits to keep.
            for x in values[:7]:
                cases.append((name, {"x": x.reshape(()), "xs": values[:count]}))
    # Without endless recursion, which takes a minute in ONNX Runtime.
    for number in range(10):
        cases.append(("trap", {"number": np.int32(number).reshape(())}))

    def boxes(n):
        corners = (rng.integers(0, 200, (n, 4)) / 4).astype(np.float32)
        return {"boxes": corners, "scores": (rng.integers(0, 64, n) / 64).astype(np.float32)}

    settings = {"most": np.array(5, np.int32), "part": np.array(0.4, np.float32), "threshold": np.array(0.125, np.float32)}
    for n in [0, 1, 2, 12, 25]:
        cases.append(("nms", boxes(n) | settings))
    cases.append(("nms", boxes(2) | settings | {"scores": np.array([0.5, np.inf], np.float32)}))
    for n, selected in [(0, []), (3, []), (3, [2, 0]), (2, [1, 1, 0]), (2, [2]), (2, [1 << 32]), (2, [-1])]:
        classes = rng.integers(0, 80, n).astype(np.int32)
        cases.append(("json", boxes(n) | {"classes": classes, "selected": np.array(selected, np.int64)}))

    for text, ends in [
        ("", []), ("", [0]), ("", [0, 0]), ("5901234123457", [13]), ("5901234123458", [13]), ("59012341234579638507403618é", [13, 21, 27]),
        ("96385074", [9]), ("96385074", [8, 7]), ("96385074", [-1]),
    ]:  # fmt: skip
        cases.append(("gtins", {"text": text, "ends": np.array(ends, np.int32)}))
    cases.append(("small", {"text": "0" * 8, "ends": np.array([8], np.int32)}))
    cases.append(("small", {"text": "0" * 200_000, "ends": np.array([8], np.int32)}))
    return cases


def natively(command, model, inputs):
    """Returns what the command gives for a model: its outputs, or how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = []
        for name, value in inputs.items():
            if isinstance(value, str):
                value = np.frombuffer(value.encode(), np.uint8)
            np.save(f"{folder}/{name}.npy", value)
            arguments.append(f"{name}=@{folder}/{name}.npy")
        process = subprocess.run([command, "run", "-o", f"{folder}/out", model, *arguments], capture_output=True, text=True)
        if process.returncode == 0:
            return {"outputs": {path.stem: told(np.load(path)) for path in Path(folder, "out").iterdir()}}
        trap = re.search(r"^error: (?:wasm trap: )?(.*?)(?: \(in .*)?$", process.stderr, re.MULTILINE)
        # A reported error is none of WebAssembly's traps, so its exit status is another one.
        if not trap or process.returncode != (1 if "reported an error" in trap[1] else 134):
            sys.exit(f"{command} run {model.name} ended with {process.returncode}:\n{process.stderr}")
        return {"trap": trap[1]}


def told(array, form=None):
    """Returns an array as JSON."""
    answer = {"type": str(array.dtype), "dims": list(array.shape), "hex": np.ascontiguousarray(array).tobytes().hex()}
    return answer | ({"form": form} if form else {})


def asked(generator, value):
    """Returns an input as JSON, in one of the forms that the example takes."""
    if isinstance(value, str):
        return told(np.frombuffer(value.encode(), np.uint8), "text")
    forms = {0: ["nested", "tensor"], 1: ["array", "nested", "tensor"]}.get(value.ndim, ["nested", "tensor"])
    if value.dtype.kind == "f" and np.isnan(value).any() and value.ndim:
        forms.remove("nested")  # through numbers of JavaScript, a NaN loses its bits
    return told(value, generator.choice(forms))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wasm2onnx", default="wasm2onnx", help="the command")
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get("NODE_CACHE", ROOT / "target/node")))
    arguments = parser.parse_args()
    command, cache = shutil.which(arguments.wasm2onnx) or arguments.wasm2onnx, arguments.cache.resolve()
    reason = install(cache)
    if reason:
        print(f"skipped: {reason}")
        return 0
    generator, failed = random.Random(1), 0
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, (module, signature, *options) in MODELS.items():
            paths[name] = Path(folder, f"{name}.onnx")
            compile = [command, "compile", *options, "--signature", signature, module, "-o", paths[name]]
            subprocess.run(compile, check=True, stderr=subprocess.DEVNULL)
        cases = all_cases()
        expected = [natively(command, paths[model], inputs) for model, inputs in cases]
        for runtime in RUNTIMES:
            told_cases = [{"model": model, "inputs": {name: asked(generator, value) for name, value in inputs.items()}} for model, inputs in cases]
            request = {"models": {name: str(path) for name, path in paths.items()}, "cases": told_cases}
            begin = time.monotonic()
            process = subprocess.run(["node", "cases.mjs", runtime], cwd=cache, input=json.dumps(request), capture_output=True, text=True)
            seconds = time.monotonic() - begin
            answers = [json.loads(line) for line in process.stdout.splitlines()]
            if process.returncode or len(answers) != len(cases):
                print(f"{runtime}: FAILED in case {len(answers)}, {cases[len(answers)] if len(answers) < len(cases) else ''}\n{process.stderr[-2000:]}")
                failed += 1
                continue
            wrong = [index for index, answer in enumerate(answers) if answer != expected[index]]
            for index in wrong[:5]:
                print(f"{runtime}: {cases[index]}\n  as {told_cases[index]}\n  gives {answers[index]}\n  instead of {expected[index]}")
            traps = sum("trap" in answer for answer in expected)
            print(f"{runtime}: {len(cases) - len(wrong)} calls as natively, {traps} of them traps; {len(wrong)} not; {seconds:.1f} s")
            # Nothing that the library or the runtime prints on its own.
            if process.stderr:
                print(process.stderr)
            failed += len(wrong) + bool(process.stderr)
        failed += shown(cache, paths)
    return 1 if failed else 0


def shown(cache, paths):
    """Runs the example's program. Returns how many of its calls print something else than they should."""
    calls = [
        (["gtins", "text=590123412345796385074", "ends=[13, 21]"], "kinds: uint8[2] = \r\b\n", "", 0),
        (["json", "boxes=[]", "scores=[]", "classes=[]", "selected=[]"], "text: uint8[3] = []\n\n", "", 0),
        (["nms", "boxes=[[0, 0, 1, 1]]", "scores=[1]", "most=1", "part=0.5", "threshold=-1"], "selected: int64[1] = BigInt64Array(1) [ 0n ]\n", "", 0),
        (["trap", "number=2"], "", "trap: integer divide by zero\n", 1),
        (["gtins", "text=96385074", "ends=[9]"], "", "trap: the function reported an error: -1\n", 1),
    ]
    failed = 0
    for web in [[], ["--web"]]:
        for (name, *values), out, err, status in calls:
            process = subprocess.run(["node", "call.mjs", *web, paths[name], *values], cwd=cache, capture_output=True)
            found = process.stdout.decode(), process.stderr.decode(), process.returncode
            if found != (out, err, status):
                print(f"call.mjs {web} {name} {values}: {found[0]!r}, {found[1][-2000:]}, {found[2]}")
                failed += 1
    # What is wrong is said before the model runs.
    for values, message in [
        (["text=a"], "there is no value for ends: int32[n]"),
        (["text=a", "ends=[1]", "end=[1]"], "there is no input end"),
        (["text=a", "ends=@package.json"], "ends takes a Int32Array, not a Uint8Array"),
        (["text=a", "ends=[1.5]"], "a value of ends is no int32: 1.5"),
        (["text=[256]", "ends=[1]"], "a value of text is no uint8: 256"),
    ]:
        process = subprocess.run(["node", "call.mjs", paths["gtins"], *values], cwd=cache, capture_output=True, text=True)
        if process.returncode != 1 or message not in process.stderr:
            print(f"call.mjs gtins {values}: {process.stdout}{process.stderr[-2000:]}")
            failed += 1
    print(f"call.mjs: {2 * len(calls) + 5 - failed} calls print what they should, {failed} do not")
    return failed


if __name__ == "__main__":
    sys.exit(main())
