#!/usr/bin/env python3
"""Compares detections.wasm with ONNX Runtime's NonMaxSuppression and with Python's JSON: natively, and in ONNX Runtime.

Needs numpy, onnx, onnxruntime and the command wasm2onnx, which --command names.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).parent
WASM = HERE / "detections.wasm"
NMS = "nms(boxes: f32[n, 4], scores: f32[n], most: i32, part: f32, threshold: f32, selected: out i64[n]) -> len(selected)"
CASES = (
    "nms_cases(counts: i32[c], boxes: f32[n, 4], scores: f32[n], most: i32[c], parts: f32[c], thresholds: f32[c], "
    "selected: out i64[n], found: out i32[c])"
)
JSON = "json(boxes: f32[n, 4], scores: f32[n], classes: i32[n], selected: i64[k], text: out u8[65536]) -> len(text)"
# The table of names is read from the source.
LABELS = re.search(r"labels\[\] = \{(.*?)\};", (HERE / "detections.c").read_text(), re.DOTALL)
LABELS = re.findall(r'"(.*?)"', LABELS[1])


def reference():
    """Returns a session with nothing but the operator."""
    spec = helper.make_tensor_value_info
    inputs = [
        spec("boxes", TensorProto.FLOAT, [1, "n", 4]),
        spec("scores", TensorProto.FLOAT, [1, 1, "n"]),
        spec("most", TensorProto.INT64, [1]),
        spec("part", TensorProto.FLOAT, [1]),
        spec("threshold", TensorProto.FLOAT, [1]),
    ]
    node = helper.make_node("NonMaxSuppression", [i.name for i in inputs], ["selected"])
    graph = helper.make_graph([node], "reference", inputs, [spec("selected", TensorProto.INT64, ["k", 3])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString())


def expected(session, case):
    feed = {
        "boxes": case["boxes"][None],
        "scores": case["scores"][None, None],
        "most": np.array([case["most"]], np.int64),
        "part": case["part"].reshape(1),
        "threshold": case["threshold"].reshape(1),
    }
    return session.run(None, feed)[0][:, 2]


def random_case(rng, most_boxes):
    """Returns boxes with ties, touching and equal edges, areas of 0, exchanged corners and numbers of all sizes."""
    n = int(rng.integers(0, most_boxes + 1))
    kind = rng.integers(0, 4)
    if kind == 0:  # on a small grid
        boxes = rng.integers(-3, 4, (n, 4)).astype(np.float32)
    elif kind == 1:  # objects that were found several times, with two decimals
        centres = rng.random((1 + n // 5, 4)) * [500, 500, 0, 0]
        boxes = centres[rng.integers(0, len(centres), n)]
        boxes = boxes[:, [0, 1, 0, 1]] + np.array([0, 0, 60, 40]) + rng.normal(0, 5, (n, 4))
        boxes = boxes.round(2).astype(np.float32)
    elif kind == 2:  # anything
        boxes = rng.random((n, 4)).astype(np.float32)
    else:  # so large or small that areas are infinite or 0
        boxes = (rng.normal(0, 1, (n, 4)) * 10 ** rng.uniform(-25, 25)).astype(np.float32)
    if n and rng.random() < 0.3:  # some equal ones
        boxes = boxes[rng.integers(0, n, n)]
    scores = rng.random(n) if rng.random() < 0.5 else rng.integers(0, 6, n) / 5
    if rng.random() < 0.2:
        scores = rng.choice([0.0, -0.0, 0.5, -0.5, 1.0], n)
    scores = scores.astype(np.float32)
    parts = [0, 0.25, 1 / 3, 0.45, 0.5, 1, rng.random()]
    thresholds = [-1, -0.0, 0, 0.2, 0.5, rng.random()]
    return {
        "boxes": boxes,
        "scores": scores,
        "most": int(rng.choice([0, 1, 3, 10, 1000])),
        "part": np.float32(rng.choice(parts)),
        "threshold": np.float32(rng.choice(thresholds)),
    }


def run(command, signature, **arrays):
    """Runs a function natively. Returns its outputs."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = []
        for name, array in arrays.items():
            np.save(f"{folder}/{name}.npy", array)
            arguments.append(f"{name}=@{folder}/{name}.npy")
        subprocess.run([command, "run", "--signature", signature, "-o", f"{folder}/out", WASM, *arguments], check=True)
        return {path.stem: np.load(path) for path in pathlib.Path(folder, "out").glob("*.npy")}


def check_cases(command, session, rng, count):
    """Compares cases natively, all of them in one run. Returns how many differ."""
    cases = [random_case(rng, 60) for _ in range(count)]
    start = time.time()
    out = run(
        command,
        CASES,
        counts=np.array([len(case["scores"]) for case in cases], np.int32),
        boxes=np.concatenate([case["boxes"] for case in cases]),
        scores=np.concatenate([case["scores"] for case in cases]),
        most=np.array([case["most"] for case in cases], np.int32),
        parts=np.array([case["part"] for case in cases], np.float32),
        thresholds=np.array([case["threshold"] for case in cases], np.float32),
    )
    seconds = time.time() - start
    wrong, at = 0, 0
    for i, (case, found) in enumerate(zip(cases, out["found"])):
        selected = expected(session, case)
        if found != len(selected) or not np.array_equal(out["selected"][at : at + found], selected):
            wrong += 1
            print(f"  case {i}: {found} boxes, not {len(selected)}")
        at += len(case["scores"])
    print(f"non-maximum suppression: {count - wrong} cases equal, {wrong} not, {at} boxes, {seconds:.1f} s")
    return wrong


def expected_json(boxes, scores, classes, selected):
    detections = (
        f'{{"label": "{LABELS[classes[i]]}", "score": {scores[i]:.4f}, "box": [{", ".join(f"{x:.2f}" for x in boxes[i])}]}}'
        for i in selected
    )
    return ("[" + ",\n ".join(detections) + "]\n").encode()


def json_case(rng):
    case = random_case(rng, 25)
    n = len(case["scores"])
    boxes, scores = case["boxes"], case["scores"]
    # No coordinate of 2^31 or more can be printed. Halves of the last digit come into being here.
    boxes = np.where(abs(boxes) < 2e9, boxes, np.float32(0.125))
    if rng.random() < 0.5:
        boxes = (rng.integers(-4000, 4000, (n, 4)) / 8).astype(np.float32)
        scores = (rng.integers(0, 1 << 15, n) / (1 << 15)).astype(np.float32)
    classes = rng.integers(0, len(LABELS), n).astype(np.int32)
    return boxes, scores, classes, rng.permutation(n)[: rng.integers(0, n + 1)].astype(np.int64)


def error_cases():
    boxes, scores, classes = np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int32)
    select = np.array([1], np.int64)
    wrong = lambda array, value: np.where(np.arange(array.size).reshape(array.shape) == array.size - 1, array.dtype.type(value), array)
    many = np.zeros(2000, np.int64)
    return [
        ("a score that is no number", (boxes, wrong(scores, np.nan), classes, select), -1),
        ("an infinite corner", (wrong(boxes, -np.inf), scores, classes, select), -1),
        ("a label behind the last", (boxes, scores, wrong(classes, len(LABELS)), select), -2),
        ("a label of -1", (boxes, scores, wrong(classes, -1), select), -2),
        ("a box behind the last", (boxes, scores, classes, np.array([2], np.int64)), -3),
        ("box -1", (boxes, scores, classes, np.array([-1], np.int64)), -3),
        ("box 2^32", (boxes, scores, classes, np.array([1 << 32], np.int64)), -3),
        ("a corner of 2^31", (wrong(boxes, 2.0**31), scores, classes, select), -4),
        ("too many boxes", (boxes, scores, classes, many), -5),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="wasm2onnx", help="the command to run")
    parser.add_argument("--cases", type=int, default=1000, help="number of cases to run natively")
    parser.add_argument("--models", type=int, default=20, help="number of cases to run in ONNX Runtime")
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    session = reference()
    failed = check_cases(args.command, session, rng, args.cases)

    names = ["boxes", "scores", "classes", "selected"]
    wrong, count = 0, max(1, args.cases // 50)
    for _ in range(count):
        case = json_case(rng)
        text = run(args.command, JSON, **dict(zip(names, case)))["text"].tobytes()
        json.loads(text)
        wrong += text != expected_json(*case)
    failed += wrong
    print(f"JSON: {count - wrong} cases equal, {wrong} not")

    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, signature in [("nms", NMS), ("json", JSON)]:
            path = f"{folder}/{name}.onnx"
            subprocess.run([args.command, "compile", "--signature", signature, WASM, "-o", path], check=True)
            # One thread is enough: the nodes are small, and others would only wait.
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            models[name] = onnxruntime.InferenceSession(path, options)
            print(f"model {name}: {pathlib.Path(path).stat().st_size} bytes")
    wrong, boxes, all_steps, start = 0, 0, 0, time.process_time()
    for _ in range(args.models):
        case = random_case(rng, 60)
        feed = dict(case)
        for name, ty in [("most", np.int32), ("part", np.float32), ("threshold", np.float32)]:
            feed[name] = np.array([case[name]], ty)
        selected, trap, steps = models["nms"].run(["selected", "trap", "steps"], feed)
        wrong += trap.item() != 0 or not np.array_equal(selected, expected(session, case))
        boxes += len(case["scores"])
        all_steps += int(steps.item())
    failed += wrong
    seconds = time.process_time() - start
    print(f"in ONNX Runtime: {args.models - wrong} cases equal, {wrong} not, {boxes} boxes, {all_steps} steps, {seconds:.1f} s of CPU time")
    wrong, length, all_steps, start = 0, 0, 0, time.process_time()
    for _ in range(args.models):
        case = json_case(rng)
        text, trap, steps = models["json"].run(["text", "trap", "steps"], dict(zip(names, case)))
        wrong += trap.item() != 0 or text.tobytes() != expected_json(*case)
        length += len(text)
        all_steps += int(steps.item())
    failed += wrong
    seconds = time.process_time() - start
    print(f"  JSON: {args.models - wrong} cases equal, {wrong} not, {length} bytes, {all_steps} steps, {seconds:.1f} s of CPU time")
    for name, case, number in error_cases():
        text, trap, error = models["json"].run(["text", "trap", "error"], dict(zip(names, case)))
        if trap.item() != 13 or error.item() != number or len(text):
            failed += 1
            print(f"  {name}: trap {trap}, error {error}, not {number}")
    print(f"  errors: {len(error_cases())} tried")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
