"""Checks a data set of strings with a frozen function, in the actors of Ray Data.

    ray_data.py MODEL.onnx [--strings 20000] [--workers 1 2] [--call STRINGS]

The strings are made here; they are numbers of goods, most of them right. The model is either function of examples/tensors/gtin, and what it
says is compared with Python. Needs `pip install -r ray.txt`. The cluster is this machine, or the one that RAY_ADDRESS names."""

import argparse
import logging
import os
import sys
import time

import numpy as np
import onnxruntime
import pyarrow as pa
import ray.data


class Worker:
    """An actor: it makes a session once and then answers any number of batches."""

    def __init__(self, model, call):
        options = onnxruntime.SessionOptions()
        # Ray counts on one core for each actor. A network is one step after another, so more threads would only wait.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # ONNX Runtime warns of `max_steps`, an input with a default, in each actor.
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        joined = "text" in {value.name for value in self.session.get_inputs()}
        self.check = self.check_joined if joined else self.check_instances
        # A call for many strings spreads what a call itself costs; a batch of instances should fit into the processor's cache.
        self.call = call or (500 if joined else 256)

    def __call__(self, table):
        text, ends = bytes_and_ends(table["code"])
        kinds = [np.empty(0, np.uint8)]  # a block may have no rows
        for first in range(0, len(ends), self.call):
            part = ends[first : first + self.call]
            begin = ends[first - 1] if first else 0
            kinds.append(self.check(text[begin : part[-1]], part - begin))
        return table.append_column("kind", pa.array(np.concatenate(kinds)))

    def check_joined(self, text, ends):
        """Lets one instance of a function of tensors go through all strings."""
        return self.run("kinds", {"text": text, "ends": ends})

    def check_instances(self, text, ends):
        """Lets each string have an instance of its own, side by side: a batch. The function has no memory, so strings are its arguments."""
        lengths = np.diff(ends, prepend=0).astype(np.int32)
        # Each string becomes the end of a row of 16 bytes; of a longer one its end does, since the function refuses it for its length.
        rows = np.full((len(ends), 16), ord("0"), np.uint8)
        row = np.repeat(np.arange(len(ends)), lengths)
        column = np.arange(len(text)) - ends[row] + 16
        rows[row[column >= 0], column[column >= 0]] = text[column >= 0]
        low, high = np.ascontiguousarray(rows.view("<i8").T)
        return self.run("result0", {"arg0": low, "arg1": high, "arg2": lengths}).astype(np.uint8)

    def run(self, name, feeds):
        result, trap = self.session.run([name, "trap"], feeds)
        # A result means nothing if there was a trap. An exception ends the whole job; Ray says where it was.
        if trap.any():
            raise RuntimeError(f"trap {trap.max()}")
        return result


def bytes_and_ends(column):
    """Returns the bytes of all strings of a column and where each ends: Arrow has them like that, so nothing is copied."""
    strings = column.cast(pa.string()).combine_chunks()
    _, offsets, text = strings.buffers()
    offsets = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
    return np.frombuffer(text or b"", np.uint8)[offsets[0] : offsets[-1]], offsets[1:] - offsets[0]


def kind(code):
    """Checks a string in Python: returns the number of its digits, or 0 if it is no number of goods."""
    right = len(code) in (8, 12, 13, 14) and code.isascii() and code.isdigit() and weighted(code) % 10 == 0
    return len(code) if right else 0


def weighted(digits):
    return sum(map(int, digits[-1::-2])) + 3 * sum(map(int, digits[-2::-2]))


def make(ids):
    """Makes strings: right ones of all lengths, and among them wrong digits, letters, and strings that are too short or too long."""
    codes = []
    for number in ids["id"].tolist():
        digits = str(number * 6364136223846793005 % 10**13).zfill(13)[: (7, 11, 12, 12, 12, 13)[number % 6]]
        code = digits + str(-weighted(digits + "0") % 10)
        if number % 10 == 3:
            code = code[:-1] + str((int(code[-1]) + 1) % 10)
        if number % 50 == 7:
            code = ("", code[1:], code + code, code.replace("0", "O"), code[:-1] + "é")[number // 50 % 5]
        codes.append(code)
    return pa.table({"code": pa.array(codes, pa.string())})


def run(data, model, call, workers):
    """Returns all results, how long this took with the start of the actors, and strings a second between the first and the last result."""
    begin = time.perf_counter()
    results = data.map_batches(
        Worker,
        fn_constructor_args=(model, call),
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    tables, times = [], []
    for table in results.iter_batches(batch_size=None, batch_format="pyarrow"):
        tables.append(table)
        times.append(time.perf_counter())
    table = pa.concat_tables(tables)
    between = len(table) - len(tables[0])
    return table, times[-1] - begin, between / (times[-1] - times[0]) if between else None


def main():
    parser = argparse.ArgumentParser(description="Checks a data set of strings with a frozen function, in the actors of Ray Data.")
    parser.add_argument("model")
    parser.add_argument("--strings", type=int, default=20_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--call", type=int, help="strings in a call of the model (if not given, a good number)")
    arguments = parser.parse_args()

    # An actor may be on another machine: it gets the model itself, not its path.
    with open(arguments.model, "rb") as file:
        model = file.read()
    ray.init(log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    # A block is what an actor gets at once. The strings are there before anything is measured.
    blocks = max(arguments.strings // 10_000, 4 * max(arguments.workers))
    data = ray.data.range(arguments.strings, override_num_blocks=blocks).map_batches(make).materialize()

    print(f"{arguments.strings:,} strings")
    for workers in arguments.workers:
        table, seconds, rate = run(data, model, arguments.call, workers)
        if len(table) != arguments.strings:
            sys.exit(f"{len(table)} results")
        codes = table["code"].to_pylist()
        begin = time.perf_counter()
        expected = [kind(code) for code in codes]
        python = time.perf_counter() - begin
        wrong = [row for row in zip(codes, table["kind"].to_pylist(), expected) if row[1] != row[2]]
        if wrong:
            sys.exit(f"{len(wrong)} results are wrong, as {wrong[0]}")
        print(
            f"{workers} actors: {seconds:.1f} s in all, {rate or 0:,.0f} strings/s from the first result to the last; "
            f"Python: {len(codes) / python:,.0f} strings/s; load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
