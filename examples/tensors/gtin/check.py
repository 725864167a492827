"""Compares gtin.wasm as a network, natively and in ONNX Runtime, with the module itself in wasmtime and with Python.

python check.py [--wasm2onnx COMMAND] [--measure]

Needs `pip install numpy onnxruntime wasmtime`. With --measure it also prints the figures of README.md.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import wasmtime

WASM = Path(__file__).resolve().parent / "gtin.wasm"
GTINS = "gtins(text: u8[size], ends: i32[n], kinds: out u8[n]) -> len(kinds)"


def kind(code):
    """Returns the number of digits, or 0 for what is no GTIN."""
    if len(code) not in (8, 12, 13, 14) or not re.fullmatch(rb"[0-9]*", code):
        return 0
    digits = [int(digit) for digit in code.decode().zfill(14)]
    return len(code) if (3 * sum(digits[::2]) + sum(digits[1::2])) % 10 == 0 else 0


def random_codes(generator, count):
    """Returns right ones, ones with one byte changed, and ones of other lengths."""
    codes = []
    for _ in range(count):
        length = generator.choice([8, 12, 13, 13, 14])
        code = b"".join(b"%d" % generator.randrange(10) for _ in range(length - 1))
        code = next(code + digit for digit in [b"%d" % i for i in range(10)] if kind(code + digit))
        chance = generator.random()
        if chance < 0.3:
            at = generator.randrange(length)
            other = generator.choice([generator.randrange(256), *b"0123456789/:"])
            code = code[:at] + bytes([other]) + code[at + 1 :]
        elif chance < 0.4:
            code = code * 3
            code = code[: generator.randrange(len(code))]
        codes.append(code)
    return codes


def joined(codes):
    """Returns the bytes of all, and where each ends."""
    return np.frombuffer(b"".join(codes), np.uint8), np.cumsum([len(code) for code in codes], dtype=np.int32)


def words(codes):
    """Returns the arguments of `gtin`, an array for each: the last 16 bytes in two numbers, and the length."""
    rows = np.frombuffer(b"".join(code[-16:].rjust(16, b"0") for code in codes), "<i8").reshape(-1, 2)
    return [np.ascontiguousarray(rows[:, 0]), np.ascontiguousarray(rows[:, 1]), np.array([len(code) for code in codes], np.int32)]


class Module:
    """The module itself."""

    def __init__(self):
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        exports = wasmtime.Instance(self.store, wasmtime.Module.from_file(engine, str(WASM)), []).exports(self.store)
        self.memory, self.gtin_of, self.gtins_of = exports["memory"], exports["gtin"], exports["gtins"]

    def gtins(self, text, ends):
        """Returns the kinds, or the number of an error."""
        at = self.memory.data_len(self.store)
        self.memory.grow(self.store, (text.nbytes + ends.nbytes + len(ends)) // 65536 + 1)
        places = [at, at + ends.nbytes, at + ends.nbytes + len(ends)]
        self.memory.write(self.store, ends.tobytes(), places[0])
        self.memory.write(self.store, text.tobytes(), places[2])
        count = self.gtins_of(self.store, places[2], len(text), places[0], len(ends), places[1], len(ends))
        return count if count < 0 else np.frombuffer(self.memory.read(self.store, places[1], places[2]), np.uint8)

    def gtin(self, low, high, count):
        return self.gtin_of(self.store, int(low), int(high), int(count))


class Network:
    """The network, natively."""

    def __init__(self, command):
        self.command = command

    def gtins(self, text, ends, statistics=False):
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/text.npy", text)
            np.save(f"{folder}/ends.npy", ends)
            command = [self.command, "run", "--stats", "--signature", GTINS, "-o", f"{folder}/out", WASM]
            process = subprocess.run([*command, f"text=@{folder}/text.npy", f"ends=@{folder}/ends.npy"], capture_output=True, text=True)
            error = re.search(r"the function reported an error: (-\d+)", process.stderr)
            if error:
                return int(error[1])
            if process.returncode:
                sys.exit(process.stderr)
            if statistics:
                return process.stderr
            return np.load(f"{folder}/out/kinds.npy")

    def gtin(self, *arguments):
        command = [self.command, "run", "--invoke", "gtin", WASM, *(str(argument) for argument in arguments)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


class Models:
    """Both functions as models, in ONNX Runtime."""

    def __init__(self, command):
        with tempfile.TemporaryDirectory() as folder:
            self.sessions = {}
            for name, options in [("gtins", ["--signature", GTINS]), ("gtin", ["--invoke", "gtin"])]:
                path = f"{folder}/{name}.onnx"
                subprocess.run([command, "compile", *options, WASM, "-o", path], check=True, stderr=subprocess.DEVNULL)
                # One step follows another: more threads would only wait.
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = options.inter_op_num_threads = 1
                options.log_severity_level = 3
                self.sessions[name] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def gtins(self, text, ends):
        kinds, trap, error = self.sessions["gtins"].run(["kinds", "trap", "error"], {"text": text, "ends": ends})
        if trap.item():
            assert trap.item() == 13 and kinds.size == 0, (trap, kinds)
            return error.item()
        assert error.item() == 0
        return kinds

    def gtin(self, *arguments):
        feeds = {f"arg{i}": argument for i, argument in enumerate(arguments)}
        kinds, trap = self.sessions["gtin"].run(["result0", "trap"], feeds)
        assert not trap.any(), trap
        return kinds


def equal(name, found, expected, codes=None):
    if not np.array_equal(found, expected):
        print(f"{name}: {found} instead of {expected}")
        if codes and np.shape(found) == np.shape(expected):
            for code in np.flatnonzero(np.asarray(found) != expected)[:5]:
                print(f"  {codes[code]!r}: {found[code]} instead of {expected[code]}")
        sys.exit(1)


def check(command):
    generator = random.Random(1)
    module, network, models = Module(), Network(command), Models(command)

    # Python and the module agree, whoever runs it.
    sets = [random_codes(generator, 5000), random_codes(generator, 300), random_codes(generator, 1), [b""], [b"", b"5901234123457", b""], []]
    sets += [[b"%014d" % number] for number in (0, 1, 10**13)] + [[b"9" * length for length in range(40)]]
    for codes in sets:
        expected = np.array([kind(code) for code in codes], np.uint8)
        equal("gtins in wasmtime", module.gtins(*joined(codes)), expected, codes)
        equal("gtins natively", network.gtins(*joined(codes)), expected, codes)
        equal("gtin in wasmtime", [module.gtin(*call) for call in zip(*words(codes))], expected, codes)
        few = codes[:500]
        equal("gtins in ONNX Runtime", models.gtins(*joined(few)), expected[:500], few)
        equal("gtin in ONNX Runtime", models.gtin(*words(codes)), expected, codes)
    for call in list(zip(*words(sets[1])))[:20]:
        equal("gtin natively", network.gtin(*call), module.gtin(*call))
    count = sum(map(len, sets))
    print(f"{count:,} strings: the same in Python, in wasmtime and natively, and as instances in ONNX Runtime; {sum(len(s[:500]) for s in sets):,} also joined")

    # Errors: behind the text, and before the end of the last.
    for text, ends in [(b"12345678", [9]), (b"", [1]), (b"12345678", [8, 7]), (b"12345678", [-1]), (b"12345678", [0, 1 << 31, 8])]:
        feeds = np.frombuffer(text, np.uint8), np.array(ends, np.int64).astype(np.int32)
        for name, what in [("wasmtime", module), ("natively", network), ("ONNX Runtime", models)]:
            equal(f"an error, {name}", what.gtins(*feeds), -1)
    print("ends that are wrong: reported as an error by all three")


def best(function, least=1.0):
    """Returns the least CPU time of several calls, in seconds, for at least as long as this. Other processes do not count."""
    times = []
    while sum(times) < least or len(times) < 5:
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return min(times)


def measure(command):
    models, network, module = Models(command), Network(command), Module()
    codes = random_codes(random.Random(2), 100_000)
    texts = [code.decode("latin-1").encode() for code in codes]
    print(f"load {os.getloadavg()[0]:.1f}; strings a second of CPU time")
    print(f"{'Python':36} {len(codes) / best(lambda: [kind(code) for code in texts]):12,.0f}")
    print(f"{'module in wasmtime, joined':36} {len(codes) / best(lambda: module.gtins(*joined(codes))):12,.0f}")
    seconds = float(re.search(r"^time +([\d.]+)", network.gtins(*joined(codes), statistics=True), re.M)[1])
    print(f"{'network natively, joined (wall time)':36} {len(codes) / seconds:12,.0f}")
    for count in [1, 10, 100, 500, 2000]:
        feeds = joined(codes[:count])
        print(f"{f'ONNX Runtime, {count} joined':36} {count / best(lambda: models.gtins(*feeds)):12,.0f}")
    for count in [1, 8, 16, 32, 64, 128, 256, 1024, 4096]:
        feeds = words(codes[:count])
        print(f"{f'ONNX Runtime, {count} instances':36} {count / best(lambda: models.gtin(*feeds)):12,.0f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wasm2onnx", default="wasm2onnx")
    parser.add_argument("--measure", action="store_true")
    arguments = parser.parse_args()
    check(arguments.wasm2onnx)
    if arguments.measure:
        measure(arguments.wasm2onnx)


if __name__ == "__main__":
    main()
