"""Functions of tensors: every type, dimensions, allocators, and what can go wrong; natively and in ONNX Runtime."""

from __future__ import annotations

from array import array as array_of
from typing import Any

import numpy as np
import pytest
from conftest import Maker

import wasm2onnx

INTEGERS = {
    "i8": np.int8,
    "u8": np.uint8,
    "i16": np.int16,
    "u16": np.uint16,
    "i32": np.int32,
    "u32": np.uint32,
    "i64": np.int64,
    "u64": np.uint64,
}
FLOATS = {"f32": np.float32, "f64": np.float64}
TYPES: dict[str, Any] = {"bool": np.bool_, **INTEGERS, **FLOATS}
VALUE_TYPES = {"i64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}

# NaNs of all kinds: quiet and signaling, with a sign and without, with payloads.
NANS = {
    "f32": np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFBFFFFF, 0x7FC12345], np.uint32).view(np.float32),
    "f64": np.array([0x7FF8 << 48, 0xFFF8 << 48, (0x7FF << 52) + 1, (0xFFF << 52) + 77], np.uint64).view(np.float64),
}


def extremes(ty: str) -> np.ndarray[Any, Any]:
    """Returns an array of five or more numbers of a type, its largest and smallest among them."""
    dtype = TYPES[ty]
    if ty == "bool":
        return np.array([True, False, False, True, True])
    if ty in INTEGERS:
        info = np.iinfo(dtype)
        return np.array([info.min, info.max, 0, 1, info.max // 3], dtype)
    numbers = np.array(
        [0.0, -0.0, 1.5, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal], dtype
    )
    return np.concatenate([numbers, NANS[ty]])


def same(left: Any, right: Any) -> None:
    """Compares arrays by type, dimensions and bits."""
    left, right = np.asarray(left), np.asarray(right)
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    assert left.tobytes() == right.tobytes()


def turning(size: int, name: str = "turn") -> bytes:
    """A function that copies elements of this size in reverse order, and returns how many it was given. It has no allocator."""
    return f"""(module (memory 1)
        (func (export "{name}") (param $from i32) (param $n i32) (param $to i32) (param $room i32) (result i32) (local $i i32)
            (block $end (loop $next
                (br_if $end (i32.ge_u (local.get $i) (local.get $n)))
                (br_if $end (i32.ge_u (local.get $i) (local.get $room)))
                (memory.copy
                    (i32.add (local.get $to) (i32.mul (local.get $i) (i32.const {size})))
                    (i32.add (local.get $from)
                        (i32.mul (i32.sub (i32.sub (local.get $n) (local.get $i)) (i32.const 1)) (i32.const {size})))
                    (i32.const {size}))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next)))
            (local.get $n)))""".encode()


@pytest.mark.parametrize("ty", TYPES)
def test_arrays_of_every_type(make: Maker, ty: str) -> None:
    turn = make(turning(np.dtype(TYPES[ty]).itemsize), signature=f"turn(x: {ty}[], y: out {ty}[100]) -> len(y)")
    array = extremes(ty)
    same(turn(array), array[::-1])
    same(turn(x=array[:0]), array[:0])
    same(turn([]), array[:0])
    # Every second element, an array in Fortran's order, and one of the other byte order.
    same(turn(np.repeat(array, 2)[::2]), array[::-1])
    same(turn(array.astype(array.dtype.newbyteorder(">"))), array[::-1])
    # What a list holds has the values only.
    if ty in INTEGERS or ty == "bool":
        same(turn(array.tolist()), array[::-1])
    result = turn(array)
    result[0] = result[1]


@pytest.mark.parametrize("ty", TYPES)
def test_numbers_of_every_type(make: Maker, ty: str) -> None:
    value = VALUE_TYPES.get(ty, "i32")
    module = f"""(module (memory 1)
        (func (export "same") (param $x {value}) (param $at i32) (result {value})
            ({value}.store{ {"i32": {1: "8", 2: "16", 4: ""}}.get(value, {}).get(np.dtype(TYPES[ty]).itemsize, "") }
                (local.get $at) (local.get $x))
            (local.get $x)))""".encode()
    function = make(module, signature=f"same(x: {ty}, y: out {ty}) -> {ty}")
    for number in extremes(ty):
        outputs = function(number)
        assert outputs._fields == ("y", "result0") or outputs._fields == ("result0", "y")
        for output in outputs:
            assert (
                type(output)
                is {"b": bool, "i": int, "u": int, "f": np.float32 if ty == "f32" else float}[np.dtype(TYPES[ty]).kind]
            )
            same(np.asarray(output, TYPES[ty]), number)
    if ty in INTEGERS:
        info = np.iinfo(TYPES[ty])
        for number in (int(info.max) + 1, int(info.min) - 1, 2**70):
            with pytest.raises(ValueError, match=rf"x: {number} is not in the range of {ty}, {info.min} to {info.max}"):
                function(number)
        with pytest.raises(TypeError, match=f"x: a number of type {ty} is wanted, not float"):
            function(1.0)
        with pytest.raises(TypeError, match=f"x: a number of type {ty} is wanted, not a number of type float64"):
            function(np.float64(1))
    if ty == "f32":
        assert function(0.1).y == np.float32(0.1)
        assert function(7).y == 7
        with pytest.raises(ValueError, match="x: 1e[+]?40 is too large for f32"):
            function(1e40)
    with pytest.raises(TypeError, match=f"x: a number of type {ty} is wanted, not str"):
        function("1")
    with pytest.raises(TypeError, match=f"x: a number of type {ty} is wanted, not list"):
        function([1])


# Transposes a matrix, and gives the sum of its elements and the number of its rows.
MATRIX = b"""(module (memory 1)
    (func (export "turn") (param $a i32) (param $h i32) (param $w i32) (param $b i32) (param $sum i32) (param $scale f64) (result i32 i64)
        (local $i i32) (local $j i32) (local $x f64)
        (f64.store (local.get $sum) (f64.const 0))
        (block $end (loop $rows
            (br_if $end (i32.ge_u (local.get $i) (local.get $h)))
            (local.set $j (i32.const 0))
            (block $row (loop $columns
                (br_if $row (i32.ge_u (local.get $j) (local.get $w)))
                (local.set $x (f64.mul (local.get $scale) (f64.load (i32.add (local.get $a)
                    (i32.mul (i32.const 8) (i32.add (i32.mul (local.get $i) (local.get $w)) (local.get $j)))))))
                (f64.store (i32.add (local.get $b)
                    (i32.mul (i32.const 8) (i32.add (i32.mul (local.get $j) (local.get $h)) (local.get $i)))) (local.get $x))
                (f64.store (local.get $sum) (f64.add (f64.load (local.get $sum)) (local.get $x)))
                (local.set $j (i32.add (local.get $j) (i32.const 1)))
                (br $columns)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $rows)))
        (local.get $h) (i64.extend_i32_u (local.get $w))))"""
TURN = "turn(a: f64[h, w], b: out f64[w, h], sum: out f64, scale: f64) -> (u32, i64)"


def test_dimensions_with_names_and_several_outputs(make: Maker) -> None:
    turn = make(MATRIX, signature=TURN)
    for h, w in [(2, 3), (1, 1), (4, 2), (0, 3), (3, 0)]:
        a = np.arange(h * w, dtype=np.float64).reshape(h, w) - 2
        outputs = turn(a, scale=0.5)
        same(outputs.b, a.T * 0.5)
        assert (outputs.sum, outputs.result0, outputs.result1) == (a.sum() * 0.5, h, w)
    # In the order of Fortran, and as a view of a larger array.
    a = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    same(turn(a, 1).b, a.T)
    same(turn(np.arange(24.0).reshape(4, 6)[1:3, ::2], 1).b, np.arange(24.0).reshape(4, 6)[1:3, ::2].T)
    same(turn([[1, 2], [3, 4]], 1).b, np.array([[1.0, 3], [2, 4]]))
    # Integers and narrow floats that are exact in 64 bits are converted, as NumPy does.
    same(turn(np.array([[1, 2]], np.int32), 1).b, np.array([[1.0], [2]]))
    same(turn(np.array([[0.5, 2]], np.float32), 1).b, np.array([[0.5], [2]]))


def test_fixed_dimensions(make: Maker) -> None:
    # Negates [2, 3] elements and keeps the order.
    module = b"""(module (memory 1) (func (export "negate") (param $x i32) (param $y i32) (local $end i32)
        (local.set $end (i32.add (local.get $x) (i32.const 12)))
        (loop $next
            (i32.store16 (local.get $y) (i32.sub (i32.const 0) (i32.load16_s (local.get $x))))
            (local.set $x (i32.add (local.get $x) (i32.const 2)))
            (local.set $y (i32.add (local.get $y) (i32.const 2)))
            (br_if $next (i32.lt_u (local.get $x) (local.get $end))))))"""
    negate = make(module, signature="negate(x: i16[2, 3], y: out i16[2, 3])")
    x = np.array([[1, -2, 3], [4, 5, -6]], np.int16)
    same(negate(x), -x)
    with pytest.raises(ValueError, match=r"x: the dimensions are \[3, 2\], but x: i16\[2, 3\] is wanted"):
        negate(x.T)
    with pytest.raises(ValueError, match=r"x: 2 dimensions are wanted, as in x: i16\[2, 3\], not 1"):
        negate(x.ravel())


def test_several_inputs_of_one_size(make: Maker) -> None:
    # Adds the elements of two arrays, and gives the differences as well.
    module = b"""(module (memory 1)
        (func (export "mix") (param $a i32) (param $na i32) (param $b i32) (param $nb i32) (param $sum i32) (param $room i32)
            (param $difference i32) (param $room2 i32) (local $i i32) (local $x i32) (local $y i32)
            (block $end (loop $next
                (br_if $end (i32.ge_u (local.get $i) (local.get $na)))
                (local.set $x (i32.load8_u (i32.add (local.get $a) (local.get $i))))
                (local.set $y (i32.load8_u (i32.add (local.get $b) (local.get $i))))
                (i32.store8 (i32.add (local.get $sum) (local.get $i)) (i32.add (local.get $x) (local.get $y)))
                (i32.store8 (i32.add (local.get $difference) (local.get $i)) (i32.sub (local.get $x) (local.get $y)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next)))))"""
    mix = make(module, signature="mix(a: u8[n], b: u8[n], sum: out u8[n], difference: out i8[n])")
    total, difference = mix(b"\x01\x02\x03", b=[5, 4, 3])
    same(total, np.array([6, 6, 6], np.uint8))
    same(difference, np.array([-4, -2, 0], np.int8))
    same(mix(b="", a=b"").sum, np.array([], np.uint8))
    with pytest.raises(ValueError, match="b: the size n is 2 elsewhere, and here it is 3"):
        mix(b"12", b"123")


def test_room_that_is_too_small_is_a_trap(make: Maker) -> None:
    turn = make(turning(4), signature="turn(x: i32[], y: out i32[3]) -> len(y)")
    same(turn([1, 2, 3]), np.array([3, 2, 1], np.int32))
    with pytest.raises(wasm2onnx.Trap, match="out of bounds memory access") as trap:
        turn([1, 2, 3, 4])
    assert (trap.value.code, trap.value.name, trap.value.error) == (5, "out of bounds memory access", None)
    assert trap.value.steps > 0
    same(turn([1, 2]), np.array([2, 1], np.int32))


def test_a_function_that_reports_an_error(make: Maker) -> None:
    module = b"""(module (memory 1)
        (func (export "check") (param i32 i32 i32 i32) (result i32) (i32.sub (i32.const 1) (local.get 1))))"""
    check = make(module, signature="check(x: u8[], y: out u8[9]) -> len(y)")
    assert check(b"").shape == (1,)
    with pytest.raises(wasm2onnx.Trap, match="the function reported an error: -6") as trap:
        check(b"1234567")
    assert (trap.value.code, trap.value.name, trap.value.error) == (13, "the function reported an error", -6)
    assert check(b"1").shape == (0,)


MALLOC = """(global $next (mut i32) (i32.const 1024)) (global $freed (export "freed") (mut i32) (i32.const 0))
    (func $allocate (param $size i32) (result i32) (local $at i32)
        (local.set $at (global.get $next))
        (global.set $next (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -8)))
        (local.get $at))"""
ALLOCATORS = {
    "malloc and free": MALLOC
    + """(func (export "malloc") (param i32) (result i32) (call $allocate (local.get 0)))
    (func (export "free") (param i32) (global.set $freed (i32.add (global.get $freed) (i32.const 1))))""",
    "malloc": MALLOC + """(func (export "malloc") (param i32) (result i32) (call $allocate (local.get 0)))""",
    "cabi_realloc": MALLOC
    + """(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $allocate (local.get 3)))""",
    "none": "",
    "none, at the limit": "",
}


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_allocators(make: Maker, allocator: str) -> None:
    module = turning(1).replace(b"(memory 1)", f"(memory 1) {ALLOCATORS[allocator]}".encode())
    options: dict[str, Any] = {"signature": "turn(x: u8[], y: out u8[100]) -> len(y)", "invoke": "turn"}
    if allocator == "none, at the limit":
        # There is no memory for the arrays.
        turn = make(module, max_memory_pages=1, **options)
        with pytest.raises(wasm2onnx.Trap, match="out of bounds memory access"):
            turn(b"abc")
        return
    turn = make(module, **options)
    for text in [b"abc", b"", b"hello", b"x" * 100]:
        assert turn(text).tobytes() == text[::-1]
        assert turn(bytearray(text)).tobytes() == turn(memoryview(text)).tobytes() == text[::-1]
    # These are numbers, not the bytes that they are made of.
    assert turn(memoryview(array_of("h", [1, 2]))).tobytes() == b"\x02\x01"
    assert turn("é").tobytes() == "é".encode()[::-1]


def test_inputs_that_do_not_fit(make: Maker) -> None:
    turn = make(turning(4), signature="turn(x: i32[], y: out i32[9]) -> len(y)")
    for array, given in [
        (np.array([1, 2]), "int64"),
        (np.array([1, 2], np.uint32), "uint32"),
        (np.array([1.0]), "float64"),
        (np.array(["1"]), "<U1"),
        (np.array([1], object), "object"),
        (np.array([], np.int64), "int64"),
    ]:
        with pytest.raises(TypeError, match=f"x: an array of type int32 is wanted, not an array of type {given}"):
            turn(array)
    same(turn(np.array([1, -2], np.int16)), np.array([-2, 1], np.int32))
    same(turn(np.array([True])), np.array([1], np.int32))
    with pytest.raises(ValueError, match="x: 2147483648 is not in the range of i32, -2147483648 to 2147483647"):
        turn([1, 2**31])
    for value in ([1.0], ["a"], {"a": 1}, [None]):
        with pytest.raises(TypeError, match="x: an array of type int32 is wanted, not (list|dict)"):
            turn(value)
    with pytest.raises(ValueError, match="x: "):
        turn([[1], [2, 3]])
    with pytest.raises(ValueError, match=r"x: 1 dimensions are wanted, as in x: i32\[.*\], not 2"):
        turn([[1, 2]])
    with pytest.raises(TypeError, match=r"not all inputs are given: x; .* takes x: i32\[.*\]"):
        turn()
    with pytest.raises(TypeError, match=r"2 inputs are given, but .* takes x: i32\[.*\]"):
        turn([1], [2])
    with pytest.raises(TypeError, match=r"there is no input 'z'; .* takes x: i32\[.*\]"):
        turn([1], z=1)
    with pytest.raises(TypeError, match=r"the input 'x' is given twice"):
        turn([1], x=[1])


def test_integers_that_floats_cannot_hold(make: Maker) -> None:
    turn = make(turning(8), signature="turn(x: f64[], y: out f64[9]) -> len(y)")
    same(turn(np.array([2**53, -1])), np.array([-1.0, 2**53]))
    with pytest.raises(ValueError, match=f"x: {2**53 + 1} is not exact as f64"):
        turn(np.array([2**53 + 1]))
    with pytest.raises(TypeError, match="x: an array of type float64 is wanted, not an array of type complex128"):
        turn(np.array([1j]))


def test_a_prefix_does_not_change_names() -> None:
    signature = "turn(x: u8[], y: out u8[9]) -> len(y)"
    turn = wasm2onnx.session(wasm2onnx.compile(turning(1), signature=signature, prefix="first/"))
    assert turn(x=b"abc").tobytes() == b"cba"
    with pytest.raises(wasm2onnx.Trap) as trap:
        turn(b"0123456789")
    assert trap.value.code == 5
