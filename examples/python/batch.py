"""Calls a function with many arguments at once: instances of a model in loop form, side by side.

python batch.py MODEL.onnx A,B,... [A,B,...]      one list for each parameter
"""

import sys

import numpy as np
import onnxruntime

TYPES = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(double)": np.float64}

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = {i.name: i for i in session.get_inputs()}

# Programs with a large trace, and those that read or print bytes, take one instance at a time.
if inputs["arg0"].shape != ["batch"]:
    sys.exit("this model runs one instance at a time: its arguments are of shape [1]")

columns = [np.array(text.split(",")).astype(TYPES[inputs[f"arg{i}"].type]) for i, text in enumerate(sys.argv[2:])]
feeds = {f"arg{i}": column for i, column in enumerate(columns)}

# Every instance is a fresh one. They end when they end: each has its own trap and its own steps, and the
# results of one that trapped are 0.
names = [o.name for o in session.get_outputs()]
outputs = dict(zip(names, session.run(names, feeds)))
results = [outputs[name] for name in names if name.startswith("result")]
for args, values, trap, steps in zip(zip(*columns), zip(*results), outputs["trap"], outputs["steps"]):
    answer = ", ".join(map(str, values)) if trap == 0 else f"trap {trap}"
    print(f"{', '.join(map(str, args))} -> {answer} in {steps} steps")
