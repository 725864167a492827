#!/usr/bin/env python3
"""Runs the programs in out/ under wasmtime and writes what they do to out/NAME.expected.json.

    record.py [--check] [NAME ...]

NAME.json has the runs of a program: {"runs": [{"args": [...], "env": {...}, "stdin": "..." or "stdin_hex": "...",
"tree": true}, ...]}. With "tree", the files of tree.json are the program's read-only directory /; without, it has
none. What is expected of each run: "status" (of a trap 134 and of an exit status beyond 125 1, as the wasmtime command has
them; then there is an "error", too), "stdout" and "stderr", or "stdout_hex" and "stderr_hex" where they are not UTF-8; "fuel" is about the number of
WebAssembly instructions. With --check nothing is written: differences from what is there are reported.
Needs: pip install wasmtime==50.0.1
"""

import json
import pathlib
import sys
import tempfile

import wasmtime

from tree import make_tree

HERE = pathlib.Path(__file__).resolve().parent
FUEL = 10**12


def run(engine, module, name, given):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if "stdin_hex" in given:
            stdin = bytes.fromhex(given["stdin_hex"])
        else:
            stdin = given.get("stdin", "").encode()
        (folder / "stdin").write_bytes(stdin)
        config = wasmtime.WasiConfig()
        config.argv = [f"{name}.wasm", *given.get("args", [])]
        config.env = list(given.get("env", {}).items())
        config.stdin_file = str(folder / "stdin")
        config.stdout_file = str(folder / "stdout")
        config.stderr_file = str(folder / "stderr")
        if given.get("tree"):
            (folder / "tree").mkdir()
            make_tree(folder / "tree")
            config.preopen_dir(str(folder / "tree"), "/", fs_mutable=False)
        store = wasmtime.Store(engine)
        store.set_fuel(FUEL)
        store.set_wasi(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        result = {"status": 0}
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as exit:
            result["status"] = exit.code
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:  # as the wasmtime command has it, Trap or not
            result["status"] = 134 if isinstance(error, wasmtime.Trap) else 1
            last_line = str(error).strip().splitlines()[-1]
            result["error"] = last_line.strip().removeprefix("1: ")
        result["fuel"] = FUEL - store.get_fuel()
        del store, config
        for stream in "stdout", "stderr":
            content = (folder / stream).read_bytes()
            try:
                result[stream] = content.decode()
            except UnicodeDecodeError:
                result[f"{stream}_hex"] = content.hex()
        return result


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    names = [name for name in arguments if name != "--check"]
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    different = 0
    for path in sorted(HERE.glob("*_*.json")):
        name = path.stem
        if names and name not in names:
            continue
        module = wasmtime.Module.from_file(engine, str(HERE / f"out/{name}.wasm"))
        given = json.loads(path.read_text())["runs"]
        results = [run(engine, module, name, one) for one in given]
        expected = HERE / f"out/{name}.expected.json"
        if not check:
            text = json.dumps({"runs": results}, indent=2, ensure_ascii=False)
            expected.write_text(text + "\n")
            print(f"{name}: {', '.join(str(result['status']) for result in results)}")
            continue
        for i, (was, now) in enumerate(zip(json.loads(expected.read_text())["runs"], results)):
            was.pop("fuel"), now.pop("fuel")
            if was != now:
                different += 1
                print(f"{name}, run {i}: {now} instead of {was}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
