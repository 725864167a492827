"""Drives a model in step form and prints its trace: for each step the expert, where it came from in the
WebAssembly module, what it appended to the trace and what it read.

python steps.py MODEL.onnx [ARGS...]      a model from `wasm2onnx compile --form step`; integers only
"""

import bisect
import json
import sys

import numpy as np
import onnx
import onnxruntime
from onnxruntime import OrtValue

# ONNX Runtime warns of the initial values, which no node uses.
onnxruntime.set_default_logger_severity(3)

model = onnx.load(sys.argv[1])
meta = {p.key.removeprefix("wasm2onnx."): p.value for p in model.metadata_props}
# A run begins with these numbers. They are read from the file, since ONNX Runtime does not show initializers.
initial = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.name[:8] == "initial."}
entry, traps = json.loads(meta["entry"]), json.loads(meta["traps"])


# For each packet its first expert, and its function and wasm offset.
debug = json.loads(meta["debug"])
origins = [
    (expert, "library" if f is None else f"{debug['functions'][f] or f'function {f}'} at {offset:#x}")
    for expert, f, offset in debug["packets"]
]
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])

# Where the parts of `numbers` are: queries, keys and values of rows, and others.
at, begin = {}, 0
for name, size in entry["fields"]:
    at[name] = slice(begin, begin + size)
    begin += size

# The trace: a cell for each key. `initial.trace` is cut behind the last cell that is not 0.
shape = next(i.shape for i in session.get_inputs() if i.name == "past.trace")
if len(shape) != 2:
    sys.exit("this driver binds a trace of cells: compile with --attention indexed")
cells = np.zeros((1, shape[1]))
cells[:, : initial["initial.trace"].shape[1]] = initial["initial.trace"]

# `ortvalue_from_numpy` copies nothing: the model reads and writes these arrays, and so can we. The trace has
# a single buffer for input and output: each step writes a few cells and leaves the rest as it is. Expert and
# numbers have two buffers, which take turns, since a step may write its output before it has read all of its
# input.
trace = OrtValue.ortvalue_from_numpy(cells)
arrays = [(np.zeros(1, np.int64), np.zeros((1, begin))) for _ in range(2)]
buffers = [tuple(map(OrtValue.ortvalue_from_numpy, pair)) for pair in arrays]
bindings = []
for (expert, numbers), (next_expert, next_numbers) in (buffers, buffers[::-1]):
    binding = session.io_binding()
    binding.bind_ortvalue_input("expert", expert)
    binding.bind_ortvalue_input("numbers", numbers)
    binding.bind_ortvalue_input("past.trace", trace)
    binding.bind_ortvalue_output("next_expert", next_expert)
    binding.bind_ortvalue_output("next_numbers", next_numbers)
    binding.bind_ortvalue_output("present.trace", trace)
    bindings.append(binding)


def run(first, z):
    """Runs from an expert to the end, and returns the last expert and its numbers."""
    global steps
    turn = 0
    arrays[0][0][0], arrays[0][1][:] = first, z
    while True:
        (expert, z), now = (array[0] for array in arrays[turn]), steps
        # The run ends at a terminal expert, whose rows are still appended; it leads to itself.
        ended = expert < 2 + len(traps)
        session.run_with_iobinding(bindings[turn])
        index = bisect.bisect(origins, expert, key=lambda p: p[0]) - 1
        where = "end" if ended else origins[index][1] if index >= 0 else "?"
        rows = [f"[{k:.0f}] := {x:.0f}" for k, x in zip(z[at["k"]], z[at["x"]]) if k]
        # Reads see the rows of their own step, so what was read is still in the trace.
        queries = [int(q) for q in z[at["q"]] if 0 < q < cells.shape[1] and not ended]
        reads = [f"[{q}] = {cells[0, q]:.0f}" for q in queries]
        print(f"{now:5}  expert {expert:<5} {where:24}", *rows, *reads, sep="  ")
        if ended:
            return int(expert), z.copy()
        steps, turn = steps + 1, 1 - turn


steps = 0
numbers, rows = initial["initial.numbers"].copy(), {}
for (kind, words), text in zip(entry["args"], sys.argv[2:], strict=True):
    for i, location in enumerate(words):  # low word first: in fields, or in rows if there are very many
        word = int(text, 0) >> 32 * i & 0xFFFF_FFFF
        if isinstance(location, int):
            numbers[0, location] = word
        else:
            rows[location["key"]] = word

# Instance creation, if there is anything to do, begins with all numbers 0; if it halts, the call follows.
end, z = 1, None
if entry["start"] is not None:
    end, z = run(entry["start"], 0)
if end == 1:
    cells[0, list(rows)] = list(rows.values())
    end, z = run(entry["expert"], numbers)
if end != 1:
    sys.exit(f"trap {traps[str(end)]['code']} after {steps} steps")
for kind, locations in entry["results"]:
    words = [z[where] if isinstance(where, int) else cells[0, where["key"]] for where in locations]
    value = sum(int(word) << 32 * i for i, word in enumerate(words))
    bits = 32 * len(words)
    print(value - (value >> (bits - 1) << bits))
