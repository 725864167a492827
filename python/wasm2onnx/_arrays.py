"""Inputs and outputs of functions: how they are described, and how values of Python and NumPy become them."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

ELEMENTS: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.bool_),
    "i8": np.dtype("<i1"),
    "u8": np.dtype("<u1"),
    "i16": np.dtype("<i2"),
    "u16": np.dtype("<u2"),
    "i32": np.dtype("<i4"),
    "u32": np.dtype("<u4"),
    "i64": np.dtype("<i8"),
    "u64": np.dtype("<u8"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
}
REFERENCES = ("funcref", "externref")
# Kinds of NumPy's types whose numbers may be of another kind.
_KINDS = {"b": "b", "i": "biu", "u": "biu", "f": "biuf"}


@dataclass(frozen=True)
class Spec:
    """An input or output of a function. Its text is as in a signature: ``ids: i64[1, n]``."""

    name: str
    """Its name; those of functions of numbers are ``arg0``, ``arg1``, … and ``result0``, …, as in models."""
    type: str
    """The type of a number or of the elements of an array: ``bool``, ``i8`` to ``u64``, ``f32``, ``f64``; or a type of
    references."""
    shape: tuple[int | str | None, ...]
    """The dimensions: a size, the name of a size, or None for a size that the function decides. A number has no
    dimensions."""

    def __str__(self) -> str:
        sizes = ", ".join("_" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.type}[{sizes}]" if self.shape else f"{self.name}: {self.type}"


def bind(function: str, specs: Sequence[Spec], args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Returns the value of each input, as Python finds those of parameters."""
    takes = f"{function} takes {', '.join(map(str, specs)) if specs else 'no inputs'}"
    if len(args) > len(specs):
        raise TypeError(f"{len(args)} inputs are given, but {takes}")
    values = dict(zip((spec.name for spec in specs), args))
    for name, value in kwargs.items():
        if name not in [spec.name for spec in specs]:
            raise TypeError(f"there is no input {name!r}; {takes}")
        if name in values:
            raise TypeError(f"the input {name!r} is given twice; {takes}")
        values[name] = value
    missing = [spec.name for spec in specs if spec.name not in values]
    if missing:
        raise TypeError(f"not all inputs are given: {', '.join(missing)}; {takes}")
    return [values[spec.name] for spec in specs]


def array_of(spec: Spec, value: Any, sizes: dict[str, int], *, wraps: bool = False) -> np.ndarray[Any, np.dtype[Any]]:
    """Returns a value as the array that an input takes: of its type and dimensions, in C order.

    ``sizes`` are those that have a name and are known already. ``wraps`` says that integers have no sign, so that a
    number may be given as a signed or as an unsigned one.
    """
    if not spec.shape:
        return _scalar(spec, value, wraps)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes) and spec.type == "u8":
        value = np.frombuffer(value, np.uint8)
    array = _converted(spec, value)
    _check_shape(spec, array.shape, sizes)
    return np.ascontiguousarray(array)


def value_of(type: str, shape: Sequence[int], data: bytearray) -> Any:
    """Returns an output as it is for users: an array, or a number if there are no dimensions."""
    if type in REFERENCES:
        return int.from_bytes(data, "little") or None
    # An array over these bytes, which nobody else has.
    array: np.ndarray[Any, np.dtype[Any]] = np.ndarray(tuple(shape), ELEMENTS[type], buffer=data)
    return array if shape else number_of(array)


def number_of(array: np.ndarray[Any, np.dtype[Any]]) -> Any:
    """Returns the only element of an array. A float of Python has 64 bits, so that one of 32 stays NumPy's."""
    element = array.reshape(())[()]
    return element if element.dtype == np.float32 else element.item()


def together(names: Sequence[str], values: Sequence[Any]) -> Any:
    """Returns several outputs as a named tuple, one as itself, and none as None."""
    if len(values) == 1:
        return values[0]
    return _outputs(tuple(names))(*values) if values else None


@cache
def _outputs(names: tuple[str, ...]) -> Any:
    """Returns the type of several outputs. Other characters than letters and digits become underscores; what then is no
    name in Python, or stands there twice, becomes ``_0``, ``_1``, …, by its place."""
    return namedtuple("Outputs", [re.sub(r"\W", "_", name) for name in names], rename=True)


def _scalar(spec: Spec, value: Any, wraps: bool) -> np.ndarray[Any, np.dtype[Any]]:
    if spec.type in REFERENCES:
        if value is not None:
            raise TypeError(f"{spec.name}: a reference can only be None here, not {_given(value)}")
        return np.zeros((), np.uint32)
    wanted = ELEMENTS[spec.type]
    array = np.asarray(value)
    if array.shape != ():
        raise TypeError(f"{spec.name}: a number of type {spec.type} is wanted, not {_given(value)}")
    if array.dtype.newbyteorder("<") == wanted:
        return array.astype(wanted)
    kinds = _KINDS[wanted.kind]
    if array.dtype.kind == "O" and isinstance(value, int) and "i" in kinds:
        # An integer of more than 64 bits.
        kinds += "O"
    if array.dtype.kind not in kinds:
        raise TypeError(f"{spec.name}: a number of type {spec.type} is wanted, not {_given(value)}")
    if wanted.kind == "f":
        try:
            exact = np.float64(value)
        except OverflowError:
            raise ValueError(f"{spec.name}: a number is too large for {spec.type}") from None
        with np.errstate(over="ignore"):
            rounded = exact.astype(wanted)
        if np.isinf(rounded) and not np.isinf(exact):
            raise ValueError(f"{spec.name}: {value} is too large for {spec.type}")
        return np.asarray(rounded)
    number = int(value)
    info = np.iinfo(wanted)
    largest = 2**info.bits - 1 if wraps else int(info.max)
    if not int(info.min) <= number <= largest:
        raise ValueError(f"{spec.name}: {number} is not in the range of {spec.type}, {info.min} to {largest}")
    number &= 2**info.bits - 1
    return np.frombuffer(number.to_bytes(wanted.itemsize, "little"), wanted).reshape(())


def _converted(spec: Spec, value: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """Returns an array of the type that is wanted, if no element changes."""
    wanted = ELEMENTS[spec.type]
    has_type = hasattr(value, "dtype")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{spec.name}: {error}") from None
    given = array.dtype
    if given.newbyteorder("<") == wanted:
        return array.astype(wanted, copy=False)
    wrong = TypeError(f"{spec.name}: an array of type {wanted.name} is wanted, not {_given(value)}")
    if array.size == 0 and not has_type:
        return array.astype(wanted)
    if not has_type and wanted.kind in "iu" and given.kind in "fO":
        # NumPy makes floats of integers of which some are negative and others have 64 bits.
        numbers = np.array(value, object)
        if all(isinstance(number, int) for number in numbers.flat):
            _check_range(spec, numbers)
            return numbers.astype(wanted)
    if has_type and not np.can_cast(given, wanted, "safe"):
        wrong.add_note(f"If that is what you mean, convert it: {spec.name}.astype(numpy.{wanted.name})")
        raise wrong
    # What comes from a list has no type of its own: its numbers count.
    if given.kind not in _KINDS[wanted.kind]:
        raise wrong
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(wanted)
    if wanted.kind in "iu":
        _check_range(spec, array)
    elif given.kind in "iu":
        changed = converted.astype(object) != array.astype(object)
        if given.itemsize >= wanted.itemsize and changed.any():
            raise ValueError(f"{spec.name}: {array[changed][0]} is not exact as {spec.type}")
    elif (np.isinf(converted) & ~np.isinf(array)).any():
        raise ValueError(f"{spec.name}: a number is too large for {spec.type}")
    return converted


def _check_range(spec: Spec, integers: np.ndarray[Any, np.dtype[Any]]) -> None:
    info = np.iinfo(ELEMENTS[spec.type])
    outside = (integers < info.min) | (integers > info.max)
    if outside.any():
        first = integers[outside][0]
        raise ValueError(f"{spec.name}: {first} is not in the range of {spec.type}, {info.min} to {info.max}")


def _check_shape(spec: Spec, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    """Compares the dimensions with those wanted, and notes sizes that have a name."""
    if len(shape) != len(spec.shape):
        raise ValueError(f"{spec.name}: {len(spec.shape)} dimensions are wanted, as in {spec}, not {len(shape)}")
    for wanted, size in zip(spec.shape, shape):
        if isinstance(wanted, str):
            known = sizes.setdefault(wanted, size)
            if known != size:
                raise ValueError(f"{spec.name}: the size {wanted} is {known} elsewhere, and here it is {size}")
        elif wanted is not None and wanted != size:
            raise ValueError(f"{spec.name}: the dimensions are {list(shape)}, but {spec} is wanted")


def _given(value: Any) -> str:
    """Says what was given, for messages."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return type(value).__name__
    shape = getattr(value, "shape", ())
    return f"an array of type {dtype}" if shape else f"a number of type {dtype}"
