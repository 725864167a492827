#!/usr/bin/env python3
"""Compares WASI programs under wasmtime with `wasm2onnx run` and with models in ONNX Runtime.

    compare.py [--binary FILE] [--tokens N] [--no-onnx] [--seconds N] [NAME ...]

Runs the commands of examples/wasi (their input.txt, and the cases of check.py) and the programs in programs/out, which
programs/build makes (the runs of their .json files). Every difference is one line that begins with "DIFFERENT"; the summary is the last line.
`--tokens N`: a run becomes a model in ONNX Runtime if it takes fewer than N tokens (300,000).

Not counted as differences: a trap's message after what the program wrote to standard error (its text is compared
with wasmtime's), and the message of an exit status of 126 or more, which both refuse.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXAMPLES = ROOT / "examples/wasi"
PROGRAMS = HERE / "programs"
# What tests/run installs: it has onnxruntime and wasmtime.
PYTHON = WASMTIME = str(ROOT / "target/python/bin/python")

sys.path.insert(0, str(PROGRAMS))
from tree import make_tree

# One run in wasmtime; the description and the answer are JSON (bytes as hex).
UNDER_WASMTIME = r"""
import json, pathlib, sys, tempfile, wasmtime
given = json.load(sys.stdin)
engine = wasmtime.Engine()
module = wasmtime.Module.from_file(engine, given["wasm"])
answers = []
for run in given["runs"]:
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "stdin").write_bytes(bytes.fromhex(run["stdin"]))
        config = wasmtime.WasiConfig()
        config.argv = run["argv"]
        config.env = [tuple(pair) for pair in run["env"]]
        for stream in "stdin", "stdout", "stderr":
            setattr(config, stream + "_file", str(folder / stream))
        if run["tree"]:
            config.preopen_dir(run["tree"], "/", fs_mutable=False)
        store = wasmtime.Store(engine)
        store.set_wasi(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        answer = {"status": 0, "error": ""}
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as exit:
            answer["status"] = exit.code
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            answer["status"] = 134 if isinstance(error, wasmtime.Trap) else 1
            answer["error"] = str(error).strip().splitlines()[-1].strip().removeprefix("1: ")
        del store, config
        for stream in "stdout", "stderr":
            answer[stream] = (folder / stream).read_bytes().hex()
        answers.append(answer)
json.dump(answers, sys.stdout)
"""

# All runs of one model in ONNX Runtime.
UNDER_ONNX_RUNTIME = r"""
import json, sys, time
import numpy as np, onnxruntime
given = json.load(sys.stdin)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
began = time.time()
session = onnxruntime.InferenceSession(given["model"], options)
print(json.dumps({"inputs": [i.name for i in session.get_inputs()] + ["?" + i.name for i in session.get_overridable_initializers()],
    "outputs": [o.name for o in session.get_outputs()], "load": time.time() - began}), flush=True)
names = [o.name for o in session.get_outputs()]
known = {i.name for i in session.get_inputs()} | {i.name for i in session.get_overridable_initializers()}
for run in given["runs"]:
    feeds = {}
    for name in "stdin", "argv", "environ", "files":
        if name in known:
            feeds[name] = np.frombuffer(bytes.fromhex(run[name]), np.uint8)
    for name in "clock", "seed":
        if name in known:
            feeds[name] = run[name]
    for i in list(session.get_inputs()) + list(session.get_overridable_initializers()):
        if i.name in ("clock", "seed"):
            feeds[i.name] = np.full([1 if d is None or isinstance(d, str) else d for d in i.shape], run[i.name], np.int64)
    began = time.time()
    outputs = dict(zip(names, session.run(None, feeds)))
    answer = {"time": time.time() - began}
    for name, value in outputs.items():
        answer[name] = value.tobytes().hex() if value.dtype == np.uint8 else np.ravel(value).tolist()[0]
    print(json.dumps(answer), flush=True)
"""

# What pack() makes is what the page wasi.md says to give.
PACK = r"""
import io, sys, tarfile
def pack(folder, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        volume = tarfile.TarInfo(name)
        volume.type = b"V"
        archive.addfile(volume)
        archive.add(folder, ".")
    return buffer.getvalue()
sys.stdout.buffer.write(pack(sys.argv[1], "/"))
"""


def cases(names):
    """(name of the program, module, argv, environment, standard input, whether it has the tree)"""
    found = []
    for folder in sorted(path.parent for path in EXAMPLES.glob("*/status.txt")):
        name = folder.name
        module = folder / f"{name}.wasm"
        arguments = folder / "args.txt"
        arguments = arguments.read_text().splitlines() if arguments.exists() else []
        found.append((name, module, arguments, {}, (folder / "input.txt").read_bytes(), False))
    sys.dont_write_bytecode = True
    text = (EXAMPLES / "check.py").read_text().replace("import wasmtime\n", "")
    space = {"__file__": str(EXAMPLES / "check.py"), "__name__": "check"}
    exec(compile(text, "check.py", "exec"), space)
    for name, arguments, stdin, *_ in space["CASES"]:
        found.append((name, EXAMPLES / name / f"{name}.wasm", arguments, {}, stdin, False))
    for path in sorted(PROGRAMS.glob("*_*.json")):
        for run in json.loads(path.read_text())["runs"]:
            stdin = bytes.fromhex(run["stdin_hex"]) if "stdin_hex" in run else run.get("stdin", "").encode()
            module = PROGRAMS / f"out/{path.stem}.wasm"
            found.append((path.stem, module, run.get("args", []), run.get("env", {}), stdin, run.get("tree", False)))
    return [case for case in found if not names or case[0] in names]


TRAPS = {
    1: "unreachable", 2: "integer divide by zero", 3: "integer overflow", 4: "invalid conversion to integer",
    5: "out of bounds memory access", 6: "out of bounds table access", 7: "undefined element",
    8: "uninitialized element", 9: "indirect call type mismatch", 10: "call stack exhausted",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=str(ROOT / "target/release/wasm2onnx"))
    parser.add_argument("--tokens", type=int, default=300_000)
    parser.add_argument("--seconds", type=int, default=300, help="limit of one run")
    parser.add_argument("--no-onnx", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    counts = {"native": 0, "onnx": 0, "different": 0}

    def different(what, case, detail):
        counts["different"] += 1
        name, _, arguments, env, stdin, tree = case
        shown = f"{name} {arguments} stdin={stdin[:40]!r}{' env=' + str(env) if env else ''}{' tree' if tree else ''}"
        print(f"DIFFERENT {what}: {shown[:400]}: {detail}", flush=True)

    def differences(expected, stdout, stderr):
        """stderr without a trap's message"""
        found = []
        if stdout != expected["stdout"]:
            found.append(f"stdout {stdout[-200:]!r} instead of {expected['stdout'][-200:]!r}")
        if stderr != expected["stderr"]:
            found.append(f"stderr {stderr[-300:]!r} instead of {expected['stderr'][-300:]!r}")
        return found

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tree = folder / "tree"
        tree.mkdir()
        make_tree(tree)
        archive = subprocess.run([sys.executable, "-c", PACK, str(tree)], capture_output=True, check=True).stdout
        groups = {}
        for case in cases(options.names):
            groups.setdefault(case[1], []).append(case)
        for module, group in groups.items():
            print(f"{group[0][0]}: {len(group)} runs", end="", flush=True)
            runs = [
                {"argv": [module.name, *case[2]], "env": list(case[3].items()), "stdin": case[4].hex(),
                 "tree": str(tree) if case[5] else None}
                for case in group
            ]
            answer = subprocess.run([WASMTIME, "-c", UNDER_WASMTIME], input=json.dumps({"wasm": str(module), "runs": runs}),
                                    capture_output=True, text=True, check=True)
            expected = json.loads(answer.stdout)
            for one in expected:
                one["stdout"], one["stderr"] = bytes.fromhex(one["stdout"]), bytes.fromhex(one["stderr"])
            small = []
            for case, want in zip(group, expected):
                name, _, arguments, env, stdin, has_tree = case
                command = ["nice", "-n", "10", options.binary, "run", "--clock", "1700000000000000000", "--seed", "7"]
                for pair in env.items():
                    command += ["--env", "=".join(pair)]
                if has_tree:
                    command += ["--dir", f"{tree}::/"]
                command += [str(module), *arguments]
                counts["native"] += 1
                try:
                    ours = subprocess.run(command, input=stdin, capture_output=True, timeout=options.seconds)
                    stats = subprocess.run([*command[:5], "--stats", *command[5:]], input=stdin, capture_output=True,
                                           timeout=options.seconds)
                except subprocess.TimeoutExpired:
                    different("native", case, f"more than {options.seconds} s")
                    continue
                stderr, wrong = ours.stderr, []
                if want["status"] == 134:
                    text = re.search(rb"^error: wasm trap: (.*)\n(?:.*\n)*\Z", stderr, re.M)
                    if ours.returncode != 134 or not text:
                        wrong.append(f"status {ours.returncode} instead of 134 ({want['error']}): {stderr[-300:]!r}")
                    else:
                        stderr = stderr[:text.start()]
                        if text[1].decode().split(" (in ")[0] not in want["error"]:
                            wrong.append(f"trap {text[1]!r} instead of {want['error']!r}")
                elif want["error"]:
                    if "exit status" not in want["error"]:  # which the command can't know beyond its lowest byte
                        wrong.append(f"status {ours.returncode}; wasmtime: {want['error']}")
                    refused = re.search(rb"^error: the program has ended with exit status .*\n\Z", stderr, re.M)
                    if ours.returncode != 1 or not refused:
                        wrong.append(f"status {ours.returncode}: {stderr[-200:]!r}; wasmtime: {want['error']}")
                    else:
                        stderr = stderr[:refused.start()]
                elif ours.returncode != want["status"]:
                    wrong.append(f"status {ours.returncode} instead of {want['status']}")
                wrong += differences(want, ours.stdout, stderr)
                for text in wrong:
                    different("native", case, text)
                if ours.returncode != stats.returncode or ours.stdout != stats.stdout:
                    different("native", case, "with --stats it does something else")
                tokens = re.search(rb"^tokens +([\d,]+)", stats.stderr, re.M)
                steps = re.search(rb"^steps +([\d,]+)", stats.stderr, re.M)
                if not tokens:
                    if want["status"] == 0:
                        different("native", case, f"no statistics: {stats.stderr[-200:]!r}")
                    tokens = steps = None
                elif int(tokens[1].replace(b",", b"")) >= options.tokens:
                    continue
                small.append((case, want, ours, int(steps[1].replace(b",", b"")) if steps else None))
            if options.no_onnx or not small:
                print("", flush=True)
                continue
            model = folder / "model.onnx"
            began = time.time()
            made = subprocess.run(["nice", "-n", "10", options.binary, "compile", str(module), "-o", str(model)],
                                  capture_output=True, text=True)
            took = time.time() - began
            if made.returncode:
                different("compile", group[0], made.stderr[-400:])
                continue
            feeds = [
                {
                    "argv": "".join(f"{text}\0" for text in [module.name, *case[2]]).encode().hex(),
                    "environ": "".join(f"{key}={value}\0" for key, value in case[3].items()).encode().hex(),
                    "stdin": case[4].hex(),
                    "files": archive.hex() if case[5] else "",
                    "clock": 1700000000000000000,
                    "seed": 7,
                }
                for case, *_ in small
            ]
            # In ONNX Runtime a run of a failed program may be long: there are no statistics for it natively.
            process = subprocess.Popen(["nice", "-n", "10", PYTHON, "-c", UNDER_ONNX_RUNTIME], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=open(folder / "ort.log", "w"), text=True)
            out, _ = process.communicate(json.dumps({"model": str(model), "runs": feeds}))
            lines = [json.loads(line) for line in out.splitlines()]
            log = (folder / "ort.log").read_text()
            lines_of_log = [line for line in log.splitlines() if line.strip()]
            known = [line for line in lines_of_log if re.search("Initializer (max_steps|argv|environ|files|clock|seed) appears in graph inputs", line)]
            warned = len(known)
            log = "\n".join(line for line in lines_of_log if line not in known and not line == "\x1b[0m")
            if log:
                different("ONNX Runtime", group[0], f"it says: {log[-600:]}")
            if not lines:
                continue
            print(f"; {module.stat().st_size:,} -> {model.stat().st_size:,} bytes in {took:.1f} s, loaded in {lines[0]['load']:.1f} s; "
                  f"{' '.join(lines[0]['inputs'])} -> {' '.join(lines[0]['outputs'])}; "
                  f"{warned} warnings of defaults; {len(lines) - 1} runs in {sum(line['time'] for line in lines[1:]):.1f} s", flush=True)
            if len(lines) - 1 != len(small):
                different("ONNX Runtime", small[len(lines) - 1][0], "no answer to this run")
            off = {}
            for (case, want, ours, steps), answer in zip(small, lines[1:]):
                counts["onnx"] += 1
                wrong = []
                trap, status = answer["trap"], answer.get("exit_code", 0)
                if want["status"] == 134:
                    if TRAPS.get(trap, "?") not in want["error"]:
                        wrong.append(f"trap {trap}, exit_code {status} instead of {want['error']}")
                elif trap:
                    wrong.append(f"trap {trap}")
                elif want["error"]:
                    text = f"exit status {status},".encode()
                    if text not in ours.stderr:
                        wrong.append(f"exit_code {status}, natively {ours.stderr[-100:]!r}")
                elif status != want["status"]:
                    wrong.append(f"exit_code {status} instead of {want['status']}")
                if steps is not None and not case[5] and answer["steps"] != steps:  # another archive takes other steps
                    # The model has fewer exports than the module, so that it may have been optimized differently.
                    off[steps - answer["steps"]] = off.get(steps - answer["steps"], 0) + 1
                if trap == 0 or "stdout" in answer:
                    wrong += differences(want, bytes.fromhex(answer.get("stdout", "")), bytes.fromhex(answer.get("stderr", "")))
                for text in wrong:
                    different("ONNX Runtime", case, text)
            if off:
                different("ONNX Runtime", group[0], f"steps: so many fewer than `run --stats` in so many runs: {off}")
    print(f"{counts['native']} native runs, {counts['onnx']} in ONNX Runtime, {counts['different']} differences")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
