"""Calls side by side in a model for batches: each gives what it gives alone, in as many steps."""

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException


def check(alone, model, calls, rng, what):
    """Makes calls in a model for batches that were made in the session `alone`: pairs of their inputs and all of their outputs, by name. `what`
    says what is called."""
    together = onnxruntime.InferenceSession(str(model))
    # In another order, and one of them twice.
    calls = rng.sample(calls, len(calls)) + calls[:1]
    feeds, sizes = {}, {}
    for node in alone.get_inputs():
        arrays = [given[node.name] for given, _ in calls]
        shape = list(arrays[0].shape)
        for axis, dim in enumerate(node.shape):
            if isinstance(dim, str):
                lengths = [array.shape[axis] for array in arrays]
                feeds[f"{dim}.length"] = np.array(lengths, np.int64)
                shape[axis] = sizes.setdefault(dim, max(lengths) + rng.randrange(3))
        # What pads an array is anything.
        padded = np.empty([len(calls), *shape], arrays[0].dtype)
        fill = np.ones(padded.size, padded.dtype)
        padded[...] = (fill if padded.dtype == bool else np.frombuffer(rng.randbytes(padded.nbytes), padded.dtype)).reshape(padded.shape)
        for i, array in enumerate(arrays):
            padded[(i, *map(slice, array.shape))] = array
        feeds[node.name] = padded
    if not feeds:
        calls = calls[:1]
    assert {node.name for node in together.get_inputs()} == set(feeds), (what, set(feeds))
    names = [node.name for node in together.get_outputs()]
    found = dict(zip(names, together.run(None, feeds)))
    for i, (given, outputs) in enumerate(calls):
        for node in alone.get_outputs():
            where = (what, node.name, given, outputs[node.name], found[node.name][i])
            wanted, own = outputs[node.name], found[node.name][i]
            if node.name in ("trap", "steps", "error"):
                wanted = wanted[0]
            inside = tuple(map(slice, wanted.shape))
            assert own[inside].dtype == wanted.dtype and own[inside].tobytes() == wanted.tobytes(), where
            if wanted.ndim:
                # Behind it there are zeros, and of a size that is counted it is known how large it is.
                rest = own.copy()
                rest[inside] = 0
                assert not rest.tobytes().strip(b"\0"), where
                for axis, dim in enumerate(node.shape):
                    if f"{node.name}.length" in names and isinstance(dim, str):
                        assert found[f"{node.name}.length"][i] == wanted.shape[axis], where
    refused(model, feeds, sizes, rng, what)


def refused(model, feeds, sizes, rng, what):
    """Inputs for another number of calls, and lengths that there are not, are errors of the run."""
    wrong = {}
    for name, array in feeds.items():
        if len(feeds) > 1 and len(array) > 1:
            wrong[f"{name}, one call"] = {**feeds, name: array[:1]}
        if name.endswith(".length"):
            for length in (-1, sizes[name.removesuffix(".length")] + 1):
                wrong[f"{name} {length}"] = {**feeds, name: np.concatenate([[length], array[1:]])}
    if not wrong:
        return
    name = rng.choice(sorted(wrong))
    silent = onnxruntime.SessionOptions()
    silent.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(model), silent).run(None, wrong[name])
    except (Fail, InvalidArgument, RuntimeException):
        return
    raise AssertionError((what, name))
