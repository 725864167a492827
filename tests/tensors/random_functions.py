"""Random functions of tensors: what wasmtime makes of the export, with arrays at places that this script chooses, against
what the command makes of the signature, natively and in ONNX Runtime.

    random_functions.py WASM2ONNX FIRST END

draws a function for each seed from FIRST to END, and calls it a few times, alone and in a batch. It stops at the first difference."""

import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import wasmtime

import batches

TYPES = {
    "bool": np.bool_, "i8": np.int8, "u8": np.uint8, "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32,
    "i64": np.int64, "u64": np.uint64, "f32": np.float32, "f64": np.float64,
}
PARAMETER = {"i64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}  # all others are i32
BITS = {
    "i32": "(i64.extend_i32_u {})", "i64": "{}", "f32": "(i64.extend_i32_u (i32.reinterpret_f32 {}))",
    "f64": "(i64.reinterpret_f64 {})",
}
OF_BITS = {
    "i32": "(i32.wrap_i64 (i64.shr_u {} (i64.const 7)))", "i64": "{}", "f32": "(f32.reinterpret_i32 (i32.wrap_i64 {}))",
    "f64": "(f64.reinterpret_i64 {})",
}

# Where arrays get their place from: allocators whose addresses are multiples of nothing and whose bytes are not 0.
TAKE = """(global $next (mut i32) (i32.const 1001))
  (func $take (param $bytes i32) (result i32)
    (memory.fill (global.get $next) (i32.const 0xa5) (local.get $bytes))
    (global.get $next)
    (global.set $next (i32.add (i32.add (global.get $next) (local.get $bytes)) (i32.const 3))))"""
ALLOCATORS = [
    "",
    TAKE + """(func (export "malloc") (param i32) (result i32) (call $take (local.get 0)))
  (func (export "free") (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))""",
    TAKE + """(func (export "malloc") (param i32) (result i32) (call $take (local.get 0)))""",
    TAKE + """(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (i32.or (local.get 0) (i32.or (local.get 1) (i32.ne (local.get 2) (i32.const 8)))) (then unreachable))
    (i32.and (i32.add (call $take (i32.add (local.get 3) (i32.const 8))) (i32.const 7)) (i32.const -8)))""",
]


@dataclass
class Tensor:
    """A tensor of the signature: dimensions are numbers or names."""

    name: str
    element: str
    dims: list
    counted: int | None = None  # the dimension that is counted
    by_address: bool = True

    @property
    def size(self):
        return np.dtype(TYPES[self.element]).itemsize

    def shown(self):
        if not self.dims:
            return self.element
        return self.element + ("[]" if self.dims == [self.name] else f"[{', '.join(map(str, self.dims))}]")


@dataclass
class Function:
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    order: list = field(default_factory=list)
    signature: str = ""
    wat: str = ""

    @property
    def counted(self):
        return [output for output in self.outputs if output.counted is not None]


def draw(rng):
    function = Function()
    elements = list(TYPES)
    for i in range(rng.randrange(4)):
        name = f"in{i}"
        dims = rng.choice([[], [name], [name], ["h", rng.randrange(1, 4)], [2, "w"], [2, 3], ["h", "w"]])
        function.inputs.append(Tensor(name, rng.choice(elements), dims))
    named = [dim for tensor in function.inputs for dim in tensor.dims if dim in ("h", "w")]
    counts = rng.random() < 0.5
    for i in range(rng.randrange(1 if counts else 0, 4)):
        shapes = [[rng.randrange(40)], [1, 12, 2], [4, 3], [1, 24]] + ([] if counts and i == 0 else [[]])
        dims = [rng.choice(named), 2] if named and rng.random() < 0.3 else rng.choice(shapes)
        output = Tensor(f"out{i}", rng.choice(elements), dims)
        if counts and dims and (i == 0 or rng.random() < 0.5):
            output.counted = next((axis for axis, dim in enumerate(dims) if dim != 1), 0)
        function.outputs.append(output)
    parameters = [(tensor.name, tensor.shown(), False) for tensor in function.inputs]
    parameters += [(tensor.name, "out " + tensor.shown(), True) for tensor in function.outputs]
    rng.shuffle(parameters)
    if function.counted:
        arrow = f" -> len({', '.join(output.name for output in function.counted)})"
    else:
        results = [rng.choice(elements) for _ in range(rng.randrange(3))]
        arrow = " -> " + (results[0] if len(results) == 1 else f"({', '.join(results)})") if results else ""
        function.outputs += [Tensor(f"result{i}", ty, [], by_address=False) for i, ty in enumerate(results)]
    # Inputs and outputs keep their own order, whatever order the parameters have.
    order = [name for name, _, _ in parameters]
    function.inputs.sort(key=lambda tensor: order.index(tensor.name))
    function.outputs.sort(key=lambda tensor: order.index(tensor.name) if tensor.by_address else len(order))
    function.order = order
    function.signature = f"f({', '.join(f'{name}: {shown}' for name, shown, _ in parameters)}){arrow}"
    function.wat = module(function, rng)
    return function


def module(function, rng):
    """A module whose function mixes all that it is given into a number, and makes the outputs of that."""
    by_name = {tensor.name: tensor for tensor in function.inputs + function.outputs}
    parameters, mixing, making, index = [], [], [], 0
    first_named = {}

    def mix(value):
        return (f"(local.set $mixed (i64.add (i64.mul (local.get $mixed) (i64.const 0x5851f42d4c957f2d))"
                f" (i64.add (i64.const 11) {value})))")

    def each(length, inner):
        return (f"(local.set $i (i32.const 0)) (block (loop (br_if 1 (i32.ge_u (local.get $i) {length})) {inner}"
                f" (local.set $i (i32.add (local.get $i) (i32.const 1))) (br 0)))")

    # An output may have the size of an input that comes later.
    at = 0
    for name in function.order:
        tensor = by_name[name]
        at += 1
        if tensor in function.inputs:
            for dim in tensor.dims:
                if isinstance(dim, str):
                    first_named.setdefault(dim, at)
                    at += 1
        elif len(tensor.dims) == 1 or tensor.counted is not None:
            at += 1
    for name in function.order:
        tensor = by_name[name]
        is_input = tensor in function.inputs
        if is_input and not tensor.dims:
            ty = PARAMETER.get(tensor.element, "i32")
            parameters.append(ty)
            mixing.append(mix(BITS[ty].format(f"(local.get {index})")))
            index += 1
            continue
        address = index
        parameters.append("i32")
        index += 1
        length = f"(i32.const {tensor.size})"
        for dim in tensor.dims:
            if isinstance(dim, int):
                size = f"(i32.const {dim})"
            elif is_input:
                parameters.append("i32")
                size = f"(local.get {index})"
                mixing.append(mix(f"(i64.extend_i32_u {size})"))
                index += 1
            else:
                size = f"(local.get {first_named[dim]})"
            length = f"(i32.mul {length} {size})"
        if not is_input and (len(tensor.dims) == 1 or tensor.counted is not None):
            parameters.append("i32")
            mixing.append(mix(f"(i64.extend_i32_u (local.get {index}))"))
            index += 1
        place = f"(i32.add (local.get {address}) (local.get $i))"
        mixing.append(f"(if (i32.and (local.get {address}) (i32.const 7)) (then unreachable))")
        if is_input:
            mixing.append(each(length, mix(f"(i64.load8_u {place})")))
        else:
            mask = 1 if tensor.element == "bool" else 255
            byte = f"(i32.and (i32.wrap_i64 (i64.shr_u (local.get $mixed) (i64.const 33))) (i32.const {mask}))"
            making.append(each(length, f"{mix('(i64.const 1)')} (i32.store8 {place} {byte})"))
    if function.counted:
        # Most often what fits; sometimes an error, too many or not whole rows.
        low, unit = rng.choice([0, 0, -3]), rng.choice([6, 6, 6, 1])
        many = f"(i32.wrap_i64 (i64.rem_u (i64.shr_u (local.get $mixed) (i64.const 9)) (i64.const 5)))"
        results, values = ["i32"], [f"(i32.add (i32.const {low}) (i32.mul (i32.const {unit}) {many}))"]
    else:
        returned = [output for output in function.outputs if not output.by_address]
        results = [PARAMETER.get(output.element, "i32") for output in returned]
        values = [mix("(i64.const 3)") + OF_BITS[ty].format("(local.get $mixed)") for ty in results]
    # Some ignore what they are given, or give nothing but an error: what they do not use is not in the network.
    if rng.random() < 0.1:
        mixing = []
    if function.counted and rng.random() < 0.1:
        making, values = [], ["(i32.const -9)"]
    lines = "\n    ".join(mixing + making + values)
    return f"""(module (memory (export "memory") 2)
  {rng.choice(ALLOCATORS)}
  (func (export "f") {' '.join(f'(param {ty})' for ty in parameters)} {' '.join(f'(result {ty})' for ty in results)}
    (local $mixed i64) (local $i i32)
    {lines}))"""


def arguments(function, rng):
    """Tensors for a call, by name."""
    sizes = {"h": rng.choice([0, 1, 2, 5]), "w": rng.choice([0, 1, 3])}
    given = {}
    for tensor in function.inputs:
        shape = [dim if isinstance(dim, int) else sizes.get(dim, rng.choice([0, 1, 2, 9, 33])) for dim in tensor.dims]
        count = int(np.prod(shape))
        if tensor.element == "bool":
            elements = np.array([rng.random() < 0.5 for _ in range(count)], np.bool_)
        else:
            elements = np.frombuffer(rng.randbytes(count * tensor.size), TYPES[tensor.element]).copy()
        given[tensor.name] = elements.reshape(shape)
    return given, sizes


def scalar(value, element):
    """A number as wasmtime's Python takes it."""
    if PARAMETER.get(element, "i32") in ("f32", "f64"):
        return float(value)
    number = int(value)
    bits = 64 if element in ("i64", "u64") else 32
    return (number + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def has_nan(function, given):
    """Whether a number is a NaN, whose bits do not survive Python."""
    return any(not t.dims and t.element in ("f32", "f64") and np.isnan(given[t.name]) for t in function.inputs)


def expected(function, given, sizes):
    """What wasmtime makes of the export: the outputs by name, the number that it reported, or "bounds"."""
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, function.wat), [])
    memory = instance.exports(store)["memory"]
    memory.grow(store, 4)
    by_name = {tensor.name: tensor for tensor in function.inputs + function.outputs}
    args, places, next_address = [], {}, 2 << 16
    for name in function.order:
        tensor = by_name[name]
        if tensor in function.inputs:
            value = given[name]
            if not tensor.dims:
                args.append(scalar(value[()], tensor.element))
                continue
            memory.write(store, value.tobytes(), next_address)
            args.append(next_address)
            args += [size for size, dim in zip(value.shape, tensor.dims) if isinstance(dim, str)]
            next_address += (value.nbytes + 15) // 8 * 8
            continue
        shape = [sizes.get(dim, dim) for dim in tensor.dims]
        places[name] = next_address, shape
        args.append(next_address)
        if len(shape) == 1 or tensor.counted is not None:
            args.append(int(np.prod(shape)))
        next_address += (int(np.prod(shape)) * tensor.size + 15) // 8 * 8
    results = instance.exports(store)["f"](store, *args)
    results = results if isinstance(results, list) else [] if results is None else [results]
    if function.counted and results[0] < 0:
        return results[0]
    outputs, returned = {}, iter(results)
    for tensor in function.outputs:
        if not tensor.by_address:
            bits = next(returned)
            if tensor.element in ("f32", "f64"):
                outputs[tensor.name] = np.array(bits, TYPES[tensor.element])
            elif tensor.element == "bool":
                outputs[tensor.name] = np.array(bits != 0)
            else:
                wide = np.array(bits, np.int64)
                outputs[tensor.name] = wide.astype(TYPES[tensor.element])
            continue
        address, shape = places[tensor.name]
        if tensor.counted is not None:
            rest = int(np.prod([size for axis, size in enumerate(shape) if axis != tensor.counted]))
            if results[0] > np.prod(shape) or (results[0] and (rest == 0 or results[0] % rest)):
                return "bounds"
            shape = list(shape)
            shape[tensor.counted] = results[0] // max(rest, 1)
        count = int(np.prod(shape))
        raw = memory.read(store, address, address + count * tensor.size)
        outputs[tensor.name] = np.frombuffer(bytes(raw), TYPES[tensor.element]).reshape(shape)
    return outputs


def same(function, wanted, found, how):
    for tensor in function.outputs:
        a, b = wanted[tensor.name], found[tensor.name]
        assert a.dtype == b.dtype and a.shape == b.shape, (how, tensor, a.dtype, a.shape, b.dtype, b.shape)
        # Wasmtime's Python does not keep the bits of a NaN that is a result.
        if not tensor.by_address and tensor.element in ("f32", "f64") and np.isnan(a):
            assert np.isnan(b), (how, tensor)
            continue
        assert a.tobytes() == b.tobytes(), (how, tensor, a, b)


def check(command, seed, folder):
    rng = random.Random(seed)
    function = draw(rng)
    wat, model = folder / "f.wat", folder / "f.onnx"
    wat.write_text(function.wat)
    compiled = [command, "compile", "--signature", function.signature, str(wat), "-o", str(model)]
    done = subprocess.run(compiled, capture_output=True, text=True)
    assert done.returncode == 0, (function.signature, done.stderr)
    if seed % 8 == 0:
        onnx.checker.check_model(str(model), full_check=True)
    session = onnxruntime.InferenceSession(str(model))
    assert [i.name for i in session.get_inputs()] == [tensor.name for tensor in function.inputs], function.signature
    outcomes = [0, 0, 0]
    calls = []
    for call in range(3):
        given, sizes = arguments(function, rng)
        if has_nan(function, given):
            continue
        wanted = expected(function, given, sizes)
        outcomes[0 if isinstance(wanted, dict) else 1 if wanted == "bounds" else 2] += 1
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(None, given)))
        calls.append((given, found))
        if isinstance(wanted, dict):
            assert found["trap"][0] == 0, (function.signature, given, found["trap"])
            same(function, wanted, found, "ONNX Runtime")
        else:
            assert found["trap"][0] == (5 if wanted == "bounds" else 13), (function.signature, wanted, found["trap"])
            assert wanted == "bounds" or found["error"][0] == wanted, (wanted, found["error"])
        for name, array in given.items():
            np.save(folder / f"{name}.npy", array)
        out = folder / "out"
        texts = [f"{name}=@{folder / name}.npy" for name in given]
        rng.shuffle(texts)
        # A module the first time, then the model.
        what = ["--signature", function.signature, str(wat)] if call == 0 else [str(model)]
        done = subprocess.run([command, "run", "-o", str(out), *what, *texts], capture_output=True, text=True)
        if isinstance(wanted, dict):
            assert done.returncode == 0, (function.signature, done.stderr)
            native = {t.name: np.load(out / f"{t.name}.npy") for t in function.outputs}
            same(function, wanted, native, "native")
        else:
            text = "out of bounds" if wanted == "bounds" else f"reported an error: {wanted}"
            assert done.returncode != 0 and text in done.stderr, (function.signature, wanted, done.stderr)
    if calls:
        batch(command, function, session, calls, rng, folder)
    return outcomes


def batch(command, function, session, calls, rng, folder):
    """Makes calls side by side, unless sizes vary where they must not."""
    model = folder / "batch.onnx"
    compiled = [command, "compile", "--batch", "--signature", function.signature, str(folder / "f.wat"), "-o", str(model)]
    done = subprocess.run(compiled, capture_output=True, text=True)
    for tensor in function.inputs + function.outputs:
        varies = [isinstance(dim, str) or axis == tensor.counted for axis, dim in enumerate(tensor.dims)]
        first = next((axis for axis, dim in enumerate(tensor.dims) if dim != 1 or varies[axis]), 0)
        if any(varies[first + 1 :]):
            assert done.returncode != 0 and "no size but the first varies" in done.stderr, (function.signature, done.stderr)
            return
    assert done.returncode == 0, (function.signature, done.stderr)
    batches.check(session, model, calls, rng, function.signature)


# Seeds that found what others seldom do: what a call has copied that traps then.
FOUND = [1057]


def main():
    command, first, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    onnxruntime.set_default_logger_severity(2)
    totals = np.zeros(3, int)
    for seed in [*FOUND, *range(first, end)]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                totals += check(command, seed, Path(folder))
            except AssertionError:
                print(f"seed {seed}", file=sys.stderr)
                raise
    print(f"{end - first} functions: {totals[0]} calls returned, {totals[1]} were out of bounds, {totals[2]} reported an error")
    assert end - first < 20 or all(totals), "some outcome never came"


main()
