"""Functions of tensors by WIT: what wasmtime makes of a component, against what the command makes of the module that is in it, natively
and in ONNX Runtime.

    wit.py draw FIRST END FOLDER            writes FOLDER/SEED/world.wit and guest.wat for each seed from FIRST to END
    wit.py worlds WASM2ONNX FIRST END FOLDER
    wit.py guests WASM2ONNX CALLS FOLDER NAME...

`worlds` calls what `draw` drew, `guests` the functions of guests that somebody wrote, with arguments at random. Both need module.wasm, which has its
world in a section, and component.wasm in each of the folders. They stop at the first difference."""

import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import wasmtime
from wasmtime import component as wit

import batches

# A type is a list: ["u8"] and the like, ["char"], ["string"], ["list", "f32"], ["record" or "tuple", [[name, type], ...]],
# ["flags", [name, ...]], ["enum", [name, ...]], ["option", type], ["result", type or None, type or None].
# A value is what Python has for it: a number, text, a list of numbers, a dict, a set of names, the number of a case;
# ("some", value) or ("none", None), ("ok", value) or ("err", value).
NUMBERS = {
    "bool": np.bool_, "s8": np.int8, "u8": np.uint8, "s16": np.int16, "u16": np.uint16, "s32": np.int32, "u32": np.uint32,
    "s64": np.int64, "u64": np.uint64, "f32": np.float32, "f64": np.float64,
}
FLAT = {"s64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}  # all others are i32
CORE = {"i32": 4, "i64": 8, "f32": 4, "f64": 8}
HEAP = 4096  # where the first place that a drawn guest gives begins
PAGE = 65536


def cases(ty):
    """The cases of an option or result, in the order of their numbers."""
    return [("none", None), ("some", ty[1])] if ty[0] == "option" else [("ok", ty[1]), ("err", ty[2])]


def small(count):
    """The integer that so many flags or, with 2^count, so many cases are."""
    return "u8" if count <= 8 else "u16" if count <= 16 else "u32"


def number(ty):
    """The integer that an enum, flags or a character is in memory."""
    if ty[0] == "enum":
        return small((len(ty[1]) - 1).bit_length())
    return small(len(ty[1])) if ty[0] == "flags" else "u32" if ty[0] == "char" else ty[0]


# The canonical ABI, once more.


def flat(ty):
    if ty is None:
        return []
    kind = ty[0]
    if kind in ("string", "list"):
        return ["i32", "i32"]
    if kind in ("record", "tuple"):
        return [core for _, field in ty[1] for core in flat(field)]
    if kind in ("option", "result"):
        joined = []
        for _, case in cases(ty):
            for i, core in enumerate(flat(case)):
                if i == len(joined):
                    joined.append(core)
                elif joined[i] != core:
                    joined[i] = "i32" if {joined[i], core} == {"i32", "f32"} else "i64"
        return ["i32", *joined]
    return [FLAT.get(number(ty), "i32")]


def alignment(ty):
    if ty is None:
        return 1
    kind = ty[0]
    if kind in ("string", "list"):
        return 4
    if kind in ("record", "tuple"):
        return max(alignment(field) for _, field in ty[1])
    if kind in ("option", "result"):
        return max(alignment(case) for _, case in cases(ty))
    return np.dtype(NUMBERS[number(ty)]).itemsize


def up(offset, multiple):
    return -(-offset // multiple) * multiple


def size(ty):
    if ty is None:
        return 0
    kind = ty[0]
    if kind in ("string", "list"):
        return 8
    if kind in ("record", "tuple"):
        end = 0
        for _, field in ty[1]:
            end = up(end, alignment(field)) + size(field)
        return up(end, alignment(ty))
    if kind in ("option", "result"):
        return up(alignment(ty) + max(size(case) for _, case in cases(ty)), alignment(ty))
    return np.dtype(NUMBERS[number(ty)]).itemsize


def write(ty, value, memory, at):
    """Writes a value into a bytearray that lies at HEAP; lists are appended to it."""
    kind = ty[0]

    def put(kind, number):
        raw = np.array(number, NUMBERS[kind]).tobytes()
        memory[at - HEAP : at - HEAP + len(raw)] = raw

    if kind in ("string", "list"):
        raw = value.encode() if kind == "string" else np.array(value, NUMBERS[ty[1]]).tobytes()
        memory.extend(bytes(-len(memory) % 8))
        place = HEAP + len(memory)
        memory.extend(raw)
        memory[at - HEAP : at - HEAP + 8] = struct.pack("<II", place, len(raw) if kind == "string" else len(value))
    elif kind in ("record", "tuple"):
        offset = 0
        for name, field in ty[1]:
            offset = up(offset, alignment(field))
            write(field, value[name], memory, at + offset)
            offset += size(field)
    elif kind in ("option", "result"):
        names = [name for name, _ in cases(ty)]
        put("u8", names.index(value[0]))
        case = dict(cases(ty))[value[0]]
        if case is not None:
            write(case, value[1], memory, at + alignment(ty))
    elif kind == "flags":
        put(number(ty), sum(1 << i for i, flag in enumerate(ty[1]) if flag in value))
    else:
        put(number(ty), ord(value) if kind == "char" else value)


# Tensors.


def tensors(ty, name, value, junk=None):
    """The tensors that a value is, by name. What an absent case would hold is 0, or whatever `junk` makes."""
    if ty is None:
        return {}
    kind = ty[0]
    if kind == "string":
        return {name: np.frombuffer(value if isinstance(value, bytes) else value.encode(), np.uint8)}
    if kind == "list":
        return {name: np.array(list(value), NUMBERS[ty[1]])}
    if kind in ("record", "tuple"):
        return {n: a for f, t in ty[1] for n, a in tensors(t, f"{name}.{f}", value[f], junk).items()}
    if kind == "flags":
        return {f"{name}.{flag}": np.array(flag in value) for flag in ty[1]}
    if kind in ("option", "result"):
        flag = "some" if kind == "option" else "ok"
        made = {f"{name}.is-{flag}": np.array(value[0] == flag)}
        for case, inner in cases(ty):
            if inner is not None:
                held = value[1] if case == value[0] else junk(inner) if junk else zero(inner)
                made.update(tensors(inner, f"{name}.{case}", held, junk))
        return made
    return {name: np.array(ord(value) if isinstance(value, str) else value, NUMBERS[number(ty)])}


def zero(ty):
    kind = ty[0]
    if kind == "string":
        return ""
    if kind in ("list", "flags"):
        return []
    if kind in ("record", "tuple"):
        return {name: zero(field) for name, field in ty[1]}
    if kind in ("option", "result"):
        # Whatever the case is: as nothing is there, the flag is 0, too.
        flagged, case = ("some", "none") if kind == "option" else ("ok", "err")
        return (case, zero(dict(cases(ty))[case]) if dict(cases(ty))[case] else None)
    return 0


# Values at random.

ALPHABET = "abcXYZ 019-+é»ß€漢𝄞\0\U0010ffff\ud7ff\ue000"
WORDS = ["", " ", "2024-02-29", "1900-02-29", "2023-12-31", "+7-1-1", "-5-1-1", "0-3-1", "32767-12-31", "40000-1-1", "1-1", "1-300-1", "a-b-c", "1-2-3-4"]


def draw_number(rng, kind):
    if kind == "bool":
        return rng.random() < 0.5
    if kind.startswith("f"):
        special = [0.0, -0.0, 1.5, -2.25, 1e30, float("inf"), float("nan"), 3.0]
        value = rng.choice(special) if rng.random() < 0.5 else rng.uniform(-10, 10)
        return float(NUMBERS[kind](value))
    info = np.iinfo(NUMBERS[kind])
    edges = [info.min, info.max, 0, 1, 28, 31]
    return rng.choice([e for e in edges if info.min <= e <= info.max]) if rng.random() < 0.5 else rng.randint(info.min, info.max)


def draw_value(rng, ty):
    kind = ty[0]
    if kind == "string":
        if rng.random() < 0.3:
            return rng.choice(WORDS)
        return "".join(rng.choice(ALPHABET) for _ in range(rng.choice([0, 1, 3, 9, 30])))
    if kind == "char":
        return rng.choice(ALPHABET)
    if kind == "list":
        return [draw_number(rng, ty[1]) for _ in range(rng.choice([0, 1, 2, 3, 5, 6, 12]))]
    if kind in ("record", "tuple"):
        return {name: draw_value(rng, field) for name, field in ty[1]}
    if kind == "flags":
        return {flag for flag in ty[1] if rng.random() < 0.5}
    if kind == "enum":
        return rng.randrange(len(ty[1]))
    if kind in ("option", "result"):
        name, case = rng.choice(cases(ty))
        return (name, draw_value(rng, case) if case else None)
    return draw_number(rng, kind)


# wasmtime. Options and results are variants with a tag; by itself, its Python leaves out the tag where it finds classes that differ, and then takes
# the err(5) of a result<option<f32>, s16> for an ok.

wit._types.VariantLikeType._tagged = lambda self: True


def type_of(ty):
    """The list that a type of wasmtime's is."""
    if ty is None:
        return None
    name = type(ty).__name__
    if name == "ListType":
        return ["list", type_of(ty.element)[0]]
    if name == "RecordType":
        return ["record", [[field, type_of(inner)] for field, inner in ty.fields]]
    if name == "TupleType":
        return ["tuple", [[str(i), type_of(inner)] for i, inner in enumerate(ty.elements)]]
    if name in ("FlagsType", "EnumType"):
        return [name[:-4].lower(), ty.names]
    if name == "OptionType":
        return ["option", type_of(ty.payload)]
    if name == "ResultType":
        return ["result", type_of(ty.ok), type_of(ty.err)]
    return [name.lower()]


def given(ty, own, value):
    """What wasmtime takes for a value; `own` is its type."""
    kind = ty[0]
    if kind == "list" and ty[1] == "u8":
        return bytes(value)
    if kind == "record":
        record = wit.Record()
        for (name, field), (_, inner) in zip(ty[1], own.fields):
            setattr(record, name, given(field, inner, value[name]))
        return record
    if kind == "tuple":
        return tuple(given(field, inner, value[name]) for (name, field), inner in zip(ty[1], own.elements))
    if kind == "enum":
        return ty[1][value]
    if kind in ("option", "result"):
        inner, held = dict(own._cases())[value[0]], dict(cases(ty))[value[0]]
        return wit.Variant(value[0], given(held, inner, value[1]) if held else None)
    return value


def taken(ty, own, found):
    """The value of what wasmtime gives."""
    kind = ty[0]
    if kind == "record":
        return {name: taken(field, inner, getattr(found, name)) for (name, field), (_, inner) in zip(ty[1], own.fields)}
    if kind == "tuple":
        return {name: taken(field, inner, v) for (name, field), inner, v in zip(ty[1], own.elements, found)}
    if kind == "enum":
        return ty[1].index(found)
    if kind in ("option", "result"):
        inner, held = dict(own._cases())[found.tag], dict(cases(ty))[found.tag]
        return (found.tag, taken(held, inner, found.payload) if held else None)
    return found


class Guest:
    """A component in wasmtime."""

    def __init__(self, path):
        self.engine = wasmtime.Engine()
        self.component = wit.Component.from_file(self.engine, str(path))
        self.new()
        exports = self.component.type.exports(self.engine)
        self.functions = {}
        for name, item in exports.items():
            if isinstance(item.ty, wit.FuncType):
                self.functions[name] = (None, name)
            elif isinstance(item.ty, wit.ComponentInstanceType):
                for member, inner in item.ty.exports(self.engine).items():
                    if isinstance(inner.ty, wit.FuncType):
                        self.functions[f"{name}#{member}"] = (name, member)

    def new(self):
        self.store = wasmtime.Store(self.engine)
        self.instance = wit.Linker(self.engine).instantiate(self.store, self.component)

    def function(self, name):
        interface, member = self.functions[name]
        parent = self.instance.get_export_index(self.store, interface) if interface else None
        return self.instance.get_func(self.store, self.instance.get_export_index(self.store, member, parent))

    def type(self, name):
        ty = self.function(name).type(self.store)
        return [[param, type_of(own)] for param, own in ty.params], type_of(ty.result)

    def call(self, name, values):
        """Calls a function of a new instance; returns the tensors of the result, or nothing if it fails."""
        self.new()
        function = self.function(name)
        own = function.type(self.store)
        params, result = self.type(name)
        args = [given(ty, inner, v) for (_, ty), (_, inner), v in zip(params, own.params, values)]
        try:
            found = function(self.store, *args)
            function.post_return(self.store)
        except (wasmtime.WasmtimeError, wasmtime.Trap, UnicodeDecodeError):
            return None
        return tensors(result, "result", taken(result, own.result, found)) if result else {}


# The command.


class Model:
    """A function of tensors in ONNX Runtime."""

    def __init__(self, command, module, name, folder, checked):
        self.command, self.module, self.name, self.folder = command, module, name, folder
        self.path = folder / "model.onnx"
        done = subprocess.run([command, "compile", "--invoke", name, str(module), "-o", str(self.path)], capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        if checked:
            onnx.checker.check_model(str(self.path), full_check=True)
        self.session = onnxruntime.InferenceSession(str(self.path))
        self.inputs = [i.name for i in self.session.get_inputs()]
        self.outputs = [o.name for o in self.session.get_outputs()]
        self.calls = []

    def check(self, given, wanted, natively, bad=None):
        """Compares what comes of inputs with what should; `bad` is the input that is not valid."""
        assert set(given) == set(self.inputs), (self.name, given, self.inputs)
        found = dict(zip(self.outputs, self.session.run(None, given)))
        self.calls.append((given, found))
        trap = int(found["trap"][0])
        if wanted is None:
            assert trap != 0, (self.name, given, "it did not fail in ONNX Runtime")
        else:
            assert trap == 0, (self.name, given, trap, int(found["error"][0]))
            same(self.name, given, wanted, found, "ONNX Runtime")
        if bad:
            assert (trap, int(found["error"][0])) == (13, self.inputs.index(bad) + 1), (self.name, given, bad, trap, found["error"])
        if not natively:
            return
        out = self.folder / "out"
        for name, array in given.items():
            np.save(self.folder / f"{name}.npy", array)
        texts = [f"{name}=@{self.folder / name}.npy" for name in given]
        what = ["--invoke", self.name, str(self.module)] if natively == "module" else [str(self.path)]
        done = subprocess.run([self.command, "run", "-o", str(out), *what, *texts], capture_output=True, text=True)
        if wanted is None:
            assert done.returncode != 0, (self.name, given, "it did not fail natively")
            assert not bad or f"what the input `{bad}` is" in done.stderr, (self.name, bad, done.stderr)
        else:
            assert done.returncode == 0, (self.name, given, done.stderr)
            same(self.name, given, wanted, {n: np.load(out / f"{n}.npy") for n in wanted}, "natively")


    def check_batch(self, rng):
        """Makes all calls once more, side by side."""
        path = self.folder / "batch.onnx"
        compiled = [self.command, "compile", "--batch", "--invoke", self.name, str(self.module), "-o", str(path)]
        done = subprocess.run(compiled, capture_output=True, text=True)
        assert done.returncode == 0, (self.name, done.stderr)
        batches.check(self.session, path, self.calls, rng, self.name)


def same(function, given, wanted, found, how):
    for name, a in wanted.items():
        b = found[name]
        where = (function, given, how, name, a, b)
        assert a.dtype == b.dtype and a.shape == b.shape, where
        # Wasmtime's Python does not keep the bits of a NaN.
        if a.dtype.kind == "f":
            nan = np.isnan(a)
            assert (nan == np.isnan(b)).all(), where
            a, b = np.where(nan, 0, a).astype(a.dtype), np.where(nan, 0, b).astype(a.dtype)
        assert a.tobytes() == b.tobytes(), where


def spoiled(rng, params, values):
    """Values of which one is not valid, and the name of its tensor; or nothing."""
    places = []

    def look(ty, name, value, put):
        kind = ty[0]
        if kind == "string":
            bad = rng.choice([b"\xff", b"\xc0\x80", b"a\xed\xa0\x80", b"0123456\xe2\x82", b"\xf4\x90\x80\x80", b"\x80", b"ok\xc3"])
            places.append((name, lambda: put(value.encode() + bad)))
        elif kind == "char":
            places.append((name, lambda: put(rng.choice([0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF]))))
        elif kind == "enum" and len(ty[1]) < 256:
            places.append((name, lambda: put(rng.choice([len(ty[1]), 255]))))
        elif kind in ("record", "tuple"):
            for field, inner in ty[1]:
                look(inner, f"{name}.{field}", value[field], lambda new, field=field: put({**value, field: new}))
        elif kind in ("option", "result"):
            inner = dict(cases(ty))[value[0]]
            if inner:
                look(inner, f"{name}.{value[0]}", value[1], lambda new: put((value[0], new)))

    values = list(values)
    for i, (name, ty) in enumerate(params):
        look(ty, name, values[i], lambda new, i=i: values.__setitem__(i, new))
    if not places:
        return None
    name, spoil = rng.choice(places)
    spoil()
    return name, values


def inputs(rng, params, values):
    """The tensors of arguments. What is not looked at is anything."""

    def junk(ty):
        value = draw_value(rng, ty)
        wrong = spoiled(rng, [["x", ty]], [value])
        return wrong[1][0] if wrong else value

    return {n: a for (name, ty), value in zip(params, values) for n, a in tensors(ty, name, value, junk).items()}


# Worlds at random.


def draw_type(rng, depth=0):
    simple = [[kind] for kind in NUMBERS] + [["char"], ["string"], ["string"], ["list", None], ["flags", None], ["enum", None]]
    nested = ["record", "tuple", "option", "option", "result", "result"]
    if depth < 3 and rng.random() < 0.55 - 0.1 * depth:
        kind = rng.choice(nested)
        if kind in ("record", "tuple"):
            fields = [draw_type(rng, depth + 1) for _ in range(rng.randrange(1, 5))]
            return [kind, [[f"f-{i}" if kind == "record" else str(i), field] for i, field in enumerate(fields)]]
        if kind == "option":
            return [kind, draw_type(rng, depth + 1)]
        if rng.random() < 0.3:  # numbers of different types in one place
            return [kind, *([other] for other in rng.sample(["f32", "f64", "s32", "u64"], 2))]
        return [kind, *(draw_type(rng, depth + 1) if rng.random() < 0.75 else None for _ in range(2))]
    kind = rng.choice(simple)
    if kind[0] == "list":
        return ["list", rng.choice([kind for kind in NUMBERS if kind != "bool"])]
    if kind[0] == "flags":
        return ["flags", [f"g-{i}" for i in range(rng.choice([1, 3, 8, 9, 17, 32]))]]
    if kind[0] == "enum":
        return ["enum", [f"c-{i}" for i in range(rng.choice([1, 2, 3, 200, 256, 257, 300]))]]
    return kind


class Text:
    """The text of a world."""

    def __init__(self):
        self.declared = []

    def type(self, ty):
        if ty is None:
            return "_"
        kind = ty[0]
        if kind == "list":
            return f"list<{ty[1]}>"
        if kind == "tuple":
            return f"tuple<{', '.join(self.type(field) for _, field in ty[1])}>"
        if kind == "option":
            return f"option<{self.type(ty[1])}>"
        if kind == "result":
            ok, err = self.type(ty[1]), self.type(ty[2])
            return "result" if ok == err == "_" else f"result<{ok}>" if err == "_" else f"result<{ok}, {err}>"
        if kind in ("record", "flags", "enum"):
            body = ", ".join(f"{n}: {self.type(t)}" for n, t in ty[1]) if kind == "record" else ", ".join(ty[1])
            self.declared.append(f"    {kind} t{len(self.declared)} {{ {body} }}")
            return f"t{len(self.declared) - 1}"
        return kind


def draw(seed):
    rng = random.Random(seed)
    params = [[f"p-{i}", draw_type(rng)] for i in range(rng.choice([0, 1, 2, 3, 4, 6]))]
    result = draw_type(rng)
    text = Text()
    lowered = f"lowered: func({', '.join(f'{name}: {text.type(ty)}' for name, ty in params)}) -> list<u8>;"
    lifted = f"lifted: func(image: list<u8>) -> {text.type(result)};"
    types = "\n".join(text.declared)
    if rng.random() < 0.5:
        world = f"interface i {{\n{types}\n    {lowered}\n    {lifted}\n}}\nworld w {{ export i; }}"
        prefix = "a:b/i@0.1.2#"
    else:
        world = f"world w {{\n{types}\n    export {lowered}\n    export {lifted}\n}}"
        prefix = ""
    return f"package a:b@0.1.2;\n{world}\n", guest(params, result, prefix)


def guest(params, result, prefix):
    """A module. Its first function gives all that it is given, and all that is in the places that it has given. Its second takes its result as it
    is in memory. The last bytes say what the address is, and whether the function that gets the result back fails."""
    given = [core for _, ty in params for core in flat(ty)]
    given = ["i32"] if len(given) > 16 else given
    saving = "".join(f"({core}.store (i32.const {HEAP - 128 + 8 * i}) (local.get {i}))" for i, core in enumerate(given))
    results = flat(result)
    core = results[0] if len(results) == 1 else "i32"
    value = f"({core}.load (local.get 0))" if len(results) == 1 else """(i32.add
      (if (result i32) (i32.eq (global.get $shift) (i32.const 255)) (then (i32.const 65528)) (else (local.get 0)))
      (select (i32.const 0) (global.get $shift) (i32.eq (global.get $shift) (i32.const 255))))"""
    return f"""(module (memory (export "memory") 1)
  (global $next (mut i32) (i32.const {HEAP})) (global $shift (mut i32) (i32.const 0)) (global $fails (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (i32.or (local.get 0) (local.get 1)) (then unreachable))
    (global.set $next (i32.and (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1))) (i32.sub (i32.const 0) (local.get 2))))
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get 3))))
  (func (export "{prefix}lowered") (param {' '.join(given)}) (result i32)
    {saving}
    (i32.store (i32.const 16) (i32.const {HEAP - 128}))
    (i32.store (i32.const 20) (i32.sub (global.get $next) (i32.const {HEAP - 128})))
    (i32.const 16))
  (func (export "{prefix}lifted") (param i32 i32) (result {core})
    (global.set $shift (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 1))))
    (global.set $fails (i32.load8_u (i32.sub (i32.add (local.get 0) (local.get 1)) (i32.const 2))))
    {value})
  (func (export "cabi_post_{prefix}lifted") (param {core})
    (if (global.get $fails) (then unreachable))))
"""


def image(rng, ty):
    """Bytes that a value is in memory, often with a fault in them."""
    memory = bytearray(max(up(size(ty), 8), 8))
    write(ty, draw_value(rng, ty), memory, HEAP)
    kind = rng.choice(["good", "good", "bytes", "bytes", "address", "returned"])
    if kind == "bytes":
        for _ in range(rng.randrange(1, 4)):
            memory[rng.randrange(len(memory))] = rng.choice([0, 1, 2, 3, 0x10, 0x7F, 0x80, 0xC3, 0xFF, rng.randrange(256)])
    memory.append(1 if kind == "returned" else 0)
    memory.append(rng.choice([1, 2, 4, 8, 255]) if kind == "address" else 0)
    return bytes(memory)


def check_world(command, seed, folder, totals):
    rng = random.Random(seed)
    oracle = Guest(folder / "component.wasm")
    for name in oracle.functions:
        params, result = oracle.type(name)
        model = Model(command, folder / "module.wasm", name, folder, seed % 8 == 0)
        for call in range(6):
            natively = ["module", "model", None, None, None, None][call]
            if name.endswith("lifted"):
                values = [image(rng, result)]
                given, wanted = {"image": np.frombuffer(values[0], np.uint8)}, oracle.call(name, values)
                model.check(given, wanted, natively)
                totals["lifted" if wanted is not None else "lifting failed"] += 1
                continue
            values = [draw_value(rng, ty) for _, ty in params]
            wrong = spoiled(rng, params, values) if call % 3 == 1 else None
            if wrong:
                model.check(inputs(rng, params, wrong[1]), None, natively, bad=wrong[0])
                totals["refused"] += 1
            else:
                model.check(inputs(rng, params, values), oracle.call(name, values), natively)
                totals["lowered"] += 1
        if seed % 4 == 0:
            model.check_batch(rng)


def check_guest(command, calls, folder, totals):
    rng = random.Random(folder.name)
    oracle = Guest(folder / "component.wasm")
    for name in oracle.functions:
        params, _ = oracle.type(name)
        with tempfile.TemporaryDirectory() as work:
            model = Model(command, folder / "module.wasm", name, Path(work), True)
            for call in range(calls):
                values = [draw_value(rng, ty) for _, ty in params]
                natively = {0: "module", 1: "model"}.get(call)
                wrong = spoiled(rng, params, values) if call % 8 == 7 else None
                if wrong:
                    model.check(inputs(rng, params, wrong[1]), None, natively, bad=wrong[0])
                    totals["refused"] += 1
                else:
                    model.check(inputs(rng, params, values), oracle.call(name, values), natively)
                    totals["compared"] += 1
            model.check_batch(rng)


def main():
    onnxruntime.set_default_logger_severity(2)
    mode = sys.argv[1]
    if mode == "draw":
        first, end, folder = int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
        for seed in range(first, end):
            world, module = draw(seed)
            (folder / str(seed)).mkdir()
            (folder / str(seed) / "world.wit").write_text(world)
            (folder / str(seed) / "guest.wat").write_text(module)
    elif mode == "worlds":
        command, first, end, folder = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
        totals = dict.fromkeys(["lowered", "refused", "lifted", "lifting failed"], 0)
        for seed in range(first, end):
            try:
                check_world(command, seed, folder / str(seed), totals)
            except Exception:
                print(f"seed {seed}", file=sys.stderr)
                raise
        print(f"{end - first} worlds: {totals}")
        assert end - first < 10 or all(totals.values()), "some outcome never came"
    else:
        command, calls, folder, names = sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:]
        for guest in names:
            totals = dict.fromkeys(["compared", "refused"], 0)
            check_guest(command, calls, folder / guest, totals)
            print(f"{guest}: {totals}")


main()
