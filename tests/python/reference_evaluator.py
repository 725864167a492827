"""Runs models with `onnx.reference.ReferenceEvaluator`, the evaluator in plain numpy with which ONNX's authors
define the meaning of their operators. A model that runs here uses nothing that only ONNX Runtime accepts.

    python reference_evaluator.py < runs.json

takes a list of `{"model": path, "rows": [[bits, …], …], "stdin": hexadecimal, "max_steps": number}` and
prints a line of JSON for each: for each instance the results as bits, the trap and the steps; and standard output.
"""

import json
import sys

import numpy as np
import onnx
from onnx import TensorProto
from onnx.numpy_helper import to_array
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

HALT = 1
STEP_LIMIT = 11


class GatherElements(OpRun):
    """The operator as the standard defines it. The evaluator's own one cannot gather along an axis of more than
    63 elements, see `fault`, and maps indices that are out of range to others."""

    def _run(self, data, indices, axis=0):
        axis %= data.ndim
        # In all other dimensions there may be fewer indices than elements of the data.
        fit = tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(indices.shape))
        return (np.take_along_axis(data[fit], indices, axis),)


def fault(operators, count):
    """Gathers elements 3 and 5 of `count` elements, in a model of this one node.

    The evaluator's own operator calls `numpy.choose` on all elements along the axis. `numpy.choose` can choose from
    at most 63 arrays (31 before numpy 2). If there are more, the operator falls back to code that uses only the
    first index of each row and cannot make two elements of it."""
    node = onnx.helper.make_node("GatherElements", ["data", "indices"], ["gathered"], axis=1)
    value = onnx.helper.make_tensor_value_info
    inputs = [value("data", TensorProto.INT64, [1, count]), value("indices", TensorProto.INT64, [1, 2])]
    graph = onnx.helper.make_graph([node], "one", inputs, [value("gathered", TensorProto.INT64, [1, 2])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    data, indices = np.arange(count)[None], np.array([[3, 5]])
    try:
        (gathered,) = ReferenceEvaluator(model, new_ops=operators).run(None, {"data": data, "indices": indices})
        return gathered.tolist()
    except ValueError as error:
        return str(error)


def words(bits, dtype):
    """Converts bits to elements of a type."""
    size = np.dtype(dtype).itemsize
    return np.array(bits, np.uint64).astype(f"u{size}").view(dtype)


def bits(array):
    return array.view(f"u{array.itemsize}").tolist()


def loop_form(session, run):
    """Makes the whole run in one call of the model."""
    inputs = {"max_steps": np.array(min(run["max_steps"], 2**62), np.int64)}
    for name, kind in zip(session.input_names, session.input_types):
        if name.startswith("arg"):
            column = [row[int(name[3:])] for row in run["rows"]]
            inputs[name] = words(column, onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))
    stdin = np.frombuffer(bytes.fromhex(run["stdin"]), np.uint8)
    if "stdin" in session.input_names:
        inputs["stdin"] = stdin
    outputs = dict(zip(session.output_names, session.run(None, inputs), strict=True))
    results = [bits(outputs[name]) for name in session.output_names if name.startswith("result")]
    rows = [
        {"results": [column[i] for column in results], "trap": int(trap), "steps": int(outputs["steps"][i])}
        for i, trap in enumerate(outputs["trap"])
    ]
    return {"rows": rows, "stdout": bytes(outputs.get("stdout", ())).hex()}


def step_form(model, session, run):
    """Makes a run of one instance, with one call of the model per step."""
    metadata = {entry.key.removeprefix("wasm2onnx."): entry.value for entry in model.metadata_props}
    entry, traps = json.loads(metadata["entry"]), json.loads(metadata["traps"])
    regions = {region["name"]: region["first"] for region in json.loads(metadata["regions"])}
    initial = {t.name: to_array(t) for t in model.graph.initializer if t.name.startswith("initial.")}
    shape = next(value.type.tensor_type.shape for value in model.graph.input if value.name == "past.trace")
    cells = shape.dim[1].dim_value if len(shape.dim) == 2 else None
    steps, trace = 0, initial["initial.trace"]

    def put(rows):
        """Returns the trace with these rows appended."""
        if cells is None:
            return np.concatenate([trace, np.array(rows, float).reshape(1, -1, 2)], 1)
        written = np.zeros((1, cells))
        written[:, : trace.shape[1]] = trace
        for key, value in rows:
            written[0, key] = value
        return written

    def holds(key):
        """Returns what the trace holds at a key: the value of the latest row."""
        if cells is not None:
            return trace[0, key]
        return next((value for k, value in trace[0, ::-1] if k == key), 0)

    def until_the_end(expert, numbers):
        nonlocal steps, trace
        while True:
            inputs = {"expert": expert, "numbers": numbers, "past.trace": trace}
            after = dict(zip(session.output_names, session.run(None, inputs), strict=True))
            trace = after["present.trace"]
            # The rows of a terminal expert are appended; it leads to itself.
            if expert[0] < entry["terminals"]:
                return int(expert[0]), numbers[0]
            if steps == run["max_steps"]:
                return None
            steps, expert, numbers = steps + 1, after["next_expert"], after["next_numbers"]

    rows, stdin = [], bytes.fromhex(run["stdin"])
    if entry["stdin"]:
        first = regions[entry["stdin"]["region"]]
        rows = [*((first + i, byte) for i, byte in enumerate(stdin)), (entry["stdin"]["length"], len(stdin))]
    trace = put(rows)
    (args,) = run["rows"]
    numbers, rows = initial["initial.numbers"].copy(), []
    for (_, locations), value in zip(entry["args"], args, strict=True):
        for i, location in enumerate(locations):
            word = value >> 32 * i & 0xFFFF_FFFF
            if isinstance(location, dict):
                rows.append((location["key"], word))
            else:
                numbers[0, location] = word
    end = HALT, None
    if entry["start"] is not None:
        end = until_the_end(np.array([entry["start"]]), np.zeros_like(numbers))
    if end is not None and end[0] == HALT:
        trace = put(rows)
        end = until_the_end(np.array([entry["expert"]]), numbers)
    trap, results = STEP_LIMIT, [0] * len(entry["results"])
    if end is not None:
        expert, z = end
        trap = 0 if expert == HALT else traps[str(expert)]["code"]
    if trap == 0:
        word = lambda location: int(holds(location["key"]) if isinstance(location, dict) else z[location])
        results = [
            sum(word(location) << 32 * i for i, location in enumerate(locations))
            for _, locations in entry["results"]
        ]
    stdout = b""
    if entry["stdout"]:
        first = regions[entry["stdout"]["region"]]
        stdout = bytes(int(holds(first + i)) for i in range(int(holds(entry["stdout"]["length"]))))
    return {"rows": [{"results": results, "trap": trap, "steps": steps}], "stdout": stdout.hex()}


if __name__ == "__main__":
    assert fault([], 63) == [[3, 5]] and fault([GatherElements], 64) == [[3, 5]]
    assert fault([], 64) != [[3, 5]], "the evaluator's own GatherElements is right: this one may go"
    for run in json.load(sys.stdin):
        model = onnx.load(run["model"])
        session = ReferenceEvaluator(model, new_ops=[GatherElements])
        step = "past.trace" in session.input_names
        print(json.dumps(step_form(model, session, run) if step else loop_form(session, run)), flush=True)
