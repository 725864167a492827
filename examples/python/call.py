"""Calls a program: a model in loop form, which runs to the end in one call.

python call.py MODEL.onnx [ARGS...] < INPUT
"""

import sys

import numpy as np
import onnxruntime

TYPES = {"tensor(int32)": "i4", "tensor(int64)": "i8", "tensor(float)": "f4", "tensor(double)": "f8"}

# ONNX Runtime warns of `max_steps`, an input with a default; models that are written with --without-defaults have none.
onnxruntime.set_default_logger_severity(3)

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = {i.name: i.type for i in session.get_inputs()}

# An argument is a tensor with one element for each instance; here there is one.
feeds = {}
for i, text in enumerate(sys.argv[2:]):
    feeds[f"arg{i}"] = np.array([text]).astype(TYPES[inputs[f"arg{i}"]])
# Only programs that read bytes have this input.
if "stdin" in inputs:
    feeds["stdin"] = np.frombuffer(sys.stdin.buffer.read(), np.uint8)

names = [o.name for o in session.get_outputs()]
outputs = dict(zip(names, session.run(names, feeds)))

# Only programs that print have this output.
if "stdout" in outputs:
    sys.stdout.buffer.write(outputs["stdout"].tobytes())
if outputs["trap"][0] != 0:
    sys.exit(f"trap {outputs['trap'][0]} after {outputs['steps'][0]} steps")
for name in names:
    if name.startswith("result"):
        print(outputs[name][0])
print(outputs["steps"][0], "steps", file=sys.stderr)
