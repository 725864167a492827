"""Models in ONNX Runtime."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

try:
    import onnxruntime  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError(
        "ONNX Runtime is not installed: pip install 'wasm2onnx[onnxruntime]', or a package of ONNX Runtime of your choice"
    ) from error

from . import _native
from ._arrays import ELEMENTS, Spec, array_of, bind, number_of, together
from ._errors import Trap

_TYPES = {
    "bool": "bool",
    "int8": "i8",
    "uint8": "u8",
    "int16": "i16",
    "uint16": "u16",
    "int32": "i32",
    "uint32": "u32",
    "int64": "i64",
    "uint64": "u64",
    "float": "f32",
    "double": "f64",
}
_TRAPS = dict(_native.traps())
_STEP_LIMIT, _REPORTED, _OUTPUT_LIMIT = 11, 13, 14
# What says how a run has ended, which is not for those who look at its results.
_ENDS = ("trap", "steps", "error")
_FORMAT = re.compile(r"wasm2onnx\.(.*)format")


def default_options() -> Any:
    """Returns the `onnxruntime.SessionOptions` that `Session` uses unless it is given others."""
    options = onnxruntime.SessionOptions()
    # ONNX Runtime warns of inputs that have a default, and of the step form's initial values, which no node uses.
    options.log_severity_level = 3
    # Nodes are small and depend on each other: more threads only wait.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options


class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
    """An `onnxruntime.InferenceSession` that is called like a function: by the names of inputs, with values that are
    converted as by `Module.call`.

    It runs on one thread and keeps silent about inputs that have a default, unless ``sess_options`` say otherwise.
    `run` and all else is as in ONNX Runtime.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        *,
        providers: Sequence[Any] | None = None,
        sess_options: Any = None,
        **arguments: Any,
    ) -> None:
        model = bytes(model) if isinstance(model, (bytes, bytearray, memoryview)) else os.fspath(model)
        options = default_options() if sess_options is None else sess_options
        super().__init__(model, options, providers=providers or ["CPUExecutionProvider"], **arguments)
        metadata = self.get_modelmeta().custom_metadata_map
        # A model may be made of several programs; each then has a prefix of its own, for names and in keys of the metadata.
        self._prefixes = [found[1] for found in map(_FORMAT.fullmatch, metadata) if found]
        self._ends = {prefix + end for prefix in self._prefixes for end in _ENDS}
        self._streams = {prefix + stream for prefix in self._prefixes for stream in ("stdout", "stderr")}
        self._statuses = {prefix + "exit_code" for prefix in self._prefixes}
        self._of_numbers = False
        self._name = ""
        if len(self._prefixes) == 1:
            entry = json.loads(metadata.get(f"wasm2onnx.{self._prefixes[0]}entry", "{}"))
            self._of_numbers = entry.get("tensors") is None
            self._name = entry.get("name", "")
        self._required = {self._public(node.name): (node.name, self._spec(node)) for node in self.get_inputs()}
        self._optional = {
            self._public(node.name): (node.name, self._spec(node)) for node in self.get_overridable_initializers()
        }
        self._outputs = {node.name: self._public(node.name) for node in self.get_outputs()}

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Runs the model.

        Inputs are given by name or in the order of the model's; ``stdin`` is empty if it is not given, and those with a
        default (``max_steps``, ``argv``, ``environ``, ``files``, ``clock``, ``seed``) only by name. Names are without
        the prefix that the model was compiled with. Values are what `Module.call` takes; also, ``stdin`` is bytes or
        text, ``argv`` a list of strings, the program's name first, and ``environ`` a dictionary. If numbers of
        functions without a signature are given as arrays of one dimension, a batch of instances runs, and the results
        are such arrays. In a model that was compiled with ``batch``, each input has an element for each call: arrays of
        different lengths are given by name, as a list, or padded together with ``NAME.length``.

        Returns what `Module.call` returns: the only output, or a named tuple of all, but for those that say how the run
        has ended. ``stdout`` and ``stderr`` are bytes, ``exit_code`` is an int. The number of elements ``y.length`` of
        each call of a batch is the field ``y_length``.

        Raises `Trap` if the output ``trap`` is not 0 for one of the instances, or `ValueError` if a value is one that its
        type in WIT does not have, such as bytes that are no text. Ctrl-C ends a run of the main thread.

        >>> Session(compile(module))(arg0=2, arg1=3)    # doctest: +SKIP
        5
        """
        optional = {name: kwargs.pop(name) for name in list(kwargs) if name in self._optional}
        specs = [spec for _, spec in self._required.values()]
        # ONNX Runtime wants this input even of programs that read nothing.
        if "stdin" in self._required and len(args) <= list(self._required).index("stdin"):
            kwargs.setdefault("stdin", b"")
        self._add_lengths(args, kwargs)
        values = dict(zip(self._required, bind("the model", specs, args, kwargs)))
        feeds: dict[str, Any] = {}
        sizes: dict[str, int] = {}
        # Numbers stand for as many as the others are.
        numbers: list[str] = []
        for name, value in (values | optional).items():
            full, spec = (self._required | self._optional)[name]
            if spec.type not in ELEMENTS:
                feeds[full] = value
            elif self._is_number(spec) and np.ndim(value) == 0:
                number = array_of(Spec(name, spec.type, ()), value, {}, wraps=self._of_numbers)
                feeds[full] = number.reshape(1)
                numbers.append(full)
            else:
                feeds[full] = array_of(spec, _bytes(name, spec, value), sizes)
        single = "batch" not in sizes
        for name in numbers:
            feeds[name] = np.repeat(feeds[name], sizes.get("batch", 1))
        outputs = self._run(feeds)
        self._check(outputs)
        names, results = [], []
        for full, name in self._outputs.items():
            if full in self._ends:
                continue
            value = outputs[full]
            if full in self._streams:
                value = value.tobytes()
            elif (
                np.ndim(value) == 0
                or full in self._statuses
                or (single and self._of_numbers and np.shape(value) == (1,))
            ):
                value = number_of(np.asarray(value))
            names.append(name)
            results.append(value)
        return together(names, results)

    def _add_lengths(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Adds the lengths of arrays of a batch that are not given: those that the arrays have. Lists of arrays of
        different lengths are padded. Such arrays are given by name."""
        for length in [name for name in self._required if name.endswith(".length")]:
            size = length.removesuffix(".length")
            lengths: list[int] | None = None
            for name, (_, spec) in self._required.items():
                value = kwargs.get(name)
                if value is None or spec.shape[:1] != ("batch",) or size not in spec.shape[1:] or length in kwargs:
                    continue
                axis = spec.shape[1:].index(size)
                call = Spec(name, spec.type, spec.shape[1:])
                # Each call's sizes are its own.
                arrays = [array_of(call, element, {}) for element in value]
                found = [array.shape[axis] for array in arrays]
                if lengths is not None and lengths != found:
                    raise ValueError(f"{name}: the sizes {size} are {lengths} elsewhere, and here they are {found}")
                lengths = found
                longest = max(found, default=0)
                pads = [[(0, longest - n if i == axis else 0) for i in range(len(call.shape))] for n in found]
                # Without calls, nothing says what the other sizes are.
                none = np.zeros([0, *(n if isinstance(n, int) else 0 for n in call.shape)], ELEMENTS[spec.type])
                kwargs[name] = np.stack([np.pad(a, pad) for a, pad in zip(arrays, pads)]) if arrays else none
            if lengths is not None:
                kwargs[length] = lengths

    def _public(self, name: str) -> str:
        """Returns a name without the prefix, if there is only one."""
        return name.removeprefix(self._prefixes[0]) if len(self._prefixes) == 1 else name

    def _spec(self, node: Any) -> Spec:
        found = re.fullmatch(r"tensor\((\w+)\)", node.type)
        # Models that programs were merged with may have other types, whose values are left to ONNX Runtime.
        element = _TYPES.get(found[1], node.type) if found else node.type
        shape = tuple(self._public(size) if isinstance(size, str) else size for size in node.shape or ())
        return Spec(self._public(node.name), element, shape)

    def _is_number(self, spec: Spec) -> bool:
        """Returns whether an input has one element for each instance."""
        return spec.shape == ("batch",) or (self._of_numbers and spec.shape == (1,))

    def _run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        names = list(self._outputs)
        if threading.current_thread() is not threading.main_thread():
            return dict(zip(names, self.run(names, feeds)))
        # The main thread gets signals, but not while it runs a model.
        options = onnxruntime.RunOptions()
        # What goes wrong is in the exception; that a run was ended is no news.
        options.log_severity_level = 4
        outcome: list[Any] = []
        done = threading.Event()

        def work() -> None:
            try:
                outcome.append(self.run(names, feeds, options))
            except BaseException as error:
                outcome.append(error)
            done.set()

        try:
            threading.Thread(target=work, name="wasm2onnx", daemon=True).start()
            done.wait()
        except BaseException:
            # The thread ends soon, and nobody has to wait for it.
            options.terminate = True
            raise
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return dict(zip(names, outcome[0]))

    def _check(self, outputs: Mapping[str, Any]) -> None:
        """Raises `Trap` if a program in the model trapped."""
        for prefix in self._prefixes:
            traps = outputs.get(prefix + "trap")
            if traps is None or not np.any(traps):
                continue
            index = int(np.flatnonzero(traps)[0])
            code = int(np.ravel(traps)[index])
            name = _TRAPS.get(code, "the run reached a state that does not exist: the model is damaged")
            message = (
                name if code in (_STEP_LIMIT, _REPORTED, _OUTPUT_LIMIT) or code not in _TRAPS else f"wasm trap: {name}"
            )
            error = None
            where = f" (in instance {index} of {np.size(traps)})" if np.size(traps) > 1 else ""
            if code == _REPORTED and prefix + "error" in outputs:
                error = int(np.ravel(outputs[prefix + "error"])[index])
                tensor = self._tensor(error)
                if tensor is not None:
                    message = f"its type in WIT does not allow what the {tensor} is"
                    raise ValueError(f"function `{self._name}`: {message}{where}")
                message += f": {error}"
            message += where
            raise Trap(
                message,
                code=code,
                name=name,
                error=error,
                index=index if np.size(traps) > 1 else None,
                stdout=outputs[prefix + "stdout"].tobytes() if prefix + "stdout" in outputs else b"",
                stderr=outputs[prefix + "stderr"].tobytes() if prefix + "stderr" in outputs else b"",
                steps=int(np.ravel(outputs[prefix + "steps"])[index]) if prefix + "steps" in outputs else 0,
            )


    def _tensor(self, number: int) -> str | None:
        """Returns which tensor has this number, by which a function of WIT says that one is not valid: they count from 1
        on, inputs first. What is less than 0 is a number of the function's own."""
        inputs = [f"input `{name}`" for name in self._required if not name.endswith(".length")]
        outputs = [f"output `{name}`" for full, name in self._outputs.items() if full not in self._ends]
        tensors = inputs + outputs if len(self._prefixes) == 1 else []
        return tensors[number - 1] if 0 < number <= len(tensors) else None


def _bytes(name: str, spec: Spec, value: Any) -> Any:
    """Returns what a WASI program is given as it travels: each string is ended by a 0."""
    if name == "environ" and isinstance(value, Mapping):
        value = [f"{variable}={text}" for variable, text in value.items()]
    if (
        name in ("argv", "environ")
        and isinstance(value, Sequence)
        and not isinstance(value, (bytes, bytearray, memoryview))
    ):
        if isinstance(value, str):
            raise TypeError(f"{name}: a list of strings is wanted, not a string")
        value = b"".join(text.encode() + b"\0" for text in value)
    return value
