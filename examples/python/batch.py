"""Calls a function with many arguments at once: instances of a model in loop form, side by side.

python batch.py MODEL.onnx A,B,... [A,B,...]      one list for each parameter
"""

import sys

import numpy as np
import onnxruntime

TYPES = {"tensor(int32)": "i4", "tensor(int64)": "i8", "tensor(float)": "f4", "tensor(double)": "f8"}

# ONNX Runtime warns of `max_steps`, an input with a default; models that are written with --without-defaults have none.
onnxruntime.set_default_logger_severity(3)

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = {i.name: i for i in session.get_inputs()}

# Programs with a large trace, and those that read or print bytes, take one instance at a time.
if "arg0" not in inputs or inputs["arg0"].shape != ["batch"]:
    sys.exit("this model runs one instance at a time")

feeds = {}
for i, text in enumerate(sys.argv[2:]):
    feeds[f"arg{i}"] = np.array(text.split(",")).astype(TYPES[inputs[f"arg{i}"].type])

# Every instance is a fresh one, and each ends on its own: it has its own trap and its own number of steps,
# and its results are 0 if it trapped.
names = [o.name for o in session.get_outputs()]
outputs = dict(zip(names, session.run(names, feeds)))
results = [outputs[name] for name in names if name.startswith("result")]
for args, values, trap, steps in zip(zip(*feeds.values()), zip(*results), outputs["trap"], outputs["steps"]):
    answer = ", ".join(map(str, values)) if trap == 0 else f"trap {trap}"
    print(f"{', '.join(map(str, args))} -> {answer} in {steps} steps")
