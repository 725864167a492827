"""Programs that run by themselves, without ONNX Runtime."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _native
from ._arrays import Spec, array_of, bind, together, value_of
from ._errors import Exit
from ._source import Source, read

if TYPE_CHECKING:
    from typing import Unpack

    from ._options import AllOptions, InstanceOptions

__all__ = ["Completed", "Function", "Module"]


@dataclass(frozen=True)
class Function:
    """An exported function. Its text is its type: ``add(arg0: i32, arg1: i32) -> (result0: i32)``."""

    name: str
    """Its name."""
    inputs: tuple[Spec, ...]
    """What it takes."""
    outputs: tuple[Spec, ...]
    """What it gives."""
    takes_tensors: bool
    """Whether it has a signature. Otherwise its inputs and outputs are numbers as WebAssembly has them: integers
    without a sign."""

    def __str__(self) -> str:
        results = f" -> ({', '.join(map(str, self.outputs))})" if self.outputs else ""
        return f"{self.name}({', '.join(map(str, self.inputs))}){results}"


@dataclass(frozen=True)
class Completed:
    """What a program has done that ran to its end."""

    stdout: bytes
    """What it has printed."""
    stderr: bytes
    """What it has printed to standard error."""
    exit_code: int
    """Its exit status; 0 for programs that have none."""
    steps: int
    """The number of steps that it took."""


class Module:
    """A program and an instance of it.

    ``source`` is the path of a module (``.wasm``, ``.wat``) or of a compiled model, or the bytes of one. A module is
    compiled: options are those of `compile` that do not describe the model. With ``invoke`` only that function is
    compiled; otherwise all that are exported can be called.

    An instance has memory, globals and tables of its own, which stay from one call to the next. It is created with the
    module, which runs the start function and ``_initialize``. A trap ends a call where it happens: what the program has
    written until then stays, and more calls can be made. So it is when a limit or Ctrl-C ends a call. `fresh` makes
    another instance of the same program, without compiling it again.

    What an instance is given:

    - ``stdin=b"…"``: standard input. ``args=["--sort"]``, ``env={"LANG": "C"}``: the arguments and the environment of a
      WASI program.
    - ``dirs={"data": "/data"}`` or ``dirs=["data"]``: directories that a WASI program can read, and what it calls them.
      They are read when the instance is created, and never changed.
    - ``clock=0``, ``seed=0``: the time in nanoseconds since 1970 and the seed of random numbers [default: now, and a
      random one].
    - ``max_steps=10**9``: how many steps it may make in all, which can be changed later [default: any number].

    Other threads of Python run during a call; a second call of the same instance waits.

    Raises what `compile` raises, and `Trap` if the program traps when the instance is created.

    >>> counter = Module(b'''(module (global $n (mut i32) (i32.const 0)) (func (export "next") (result i32)
    ...     (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))''')
    >>> counter.call("next"), counter.call("next"), counter.fresh().call("next")
    (1, 2, 1)
    """

    def __init__(
        self,
        source: Source,
        *,
        invoke: str | None = None,
        signature: str | Sequence[str] | None = None,
        **options: Unpack[AllOptions],
    ) -> None:
        path, data = read(source)
        given: dict[str, Any] = dict(options)
        instance = {name: given.pop(name) for name in _INSTANCE if name in given}
        known = set(_native.options_of("Module"))
        unknown = [name for name in given if name not in known]
        if unknown:
            names = ", ".join(sorted(known | set(_INSTANCE)))
            raise TypeError(f"there is no option `{unknown[0]}`; known are: {names}")
        self._program = _native.Program(path, data, {"invoke": invoke, "signature": signature, **given})
        self._functions = _functions(self._program)
        self._begin(**instance)

    def _begin(self, *, stdin: bytes = b"", args: Sequence[str] = (), **options: Any) -> None:
        if not isinstance(stdin, (bytes, bytearray, memoryview)):
            raise TypeError(f"stdin: bytes are wanted, not {type(stdin).__name__}")
        if isinstance(args, str):
            raise TypeError("args: a list of strings is wanted, not a string")
        # One call at a time. A handler of a signal that calls the instance again gets an error, not a deadlock.
        self._lock = threading.RLock()
        self._max_steps: int | None = options.get("max_steps")
        self._instance = self._program.instance(bytes(stdin), list(args), options)

    def fresh(self, **options: Unpack[InstanceOptions]) -> Module:
        """Returns the same program with a new instance, which is given what ``options`` say.

        >>> echo = Module("echo.wasm")                      # doctest: +SKIP
        >>> echo.fresh(stdin=b"to be").call()               # doctest: +SKIP
        """
        unknown = [name for name in options if name not in _INSTANCE]
        if unknown:
            raise TypeError(f"there is no option `{unknown[0]}`; known are: {', '.join(_INSTANCE)}")
        other = object.__new__(Module)
        other._program = self._program
        other._functions = self._functions
        other._begin(**options)
        return other

    @property
    def functions(self) -> dict[str, Function]:
        """The exported functions by name."""
        return dict(self._functions)

    def call(self, name: str | None = None, /, *args: Any, **kwargs: Any) -> Any:
        """Calls an exported function.

        Without a name it is the one that ``invoke`` or the only signature names, ``_start``, or the only one. Inputs
        are given in their order or by name (``arg0``, ``arg1``, … unless there is a signature).

        A number is an int, float, bool, or a number of NumPy. An i32 or i64 without a signature may be given as a
        signed or an unsigned number, and is signed as a result. A float is rounded to what an f32 can be; a
        ``numpy.float32`` passes unchanged, NaNs included. An array is anything that `numpy.asarray` takes, if its
        elements have the type that is wanted or NumPy can convert them safely (an ``int32`` is an ``i64``, an ``int64``
        is no ``i32``); the numbers in a list only have to fit. Bytes, and text as UTF-8, are ``u8[]``. A reference can
        only be None.

        Returns None if there is no output, the output if there is one, and otherwise a named tuple. An array is a new
        one that belongs to the caller; a number is a bool, an int, a float, or for f32 a ``numpy.float32``.

        Raises `Trap` if the run does not come to its end, `Exit` if a WASI program ends itself before, `TypeError` and
        `ValueError` if the inputs do not fit, `KeyboardInterrupt` for Ctrl-C.

        >>> text = Module(b'''(module (memory 1) (func (export "length") (param i32 i32) (result i32) local.get 1))''',
        ...               signature="length(text: u8[]) -> u32")
        >>> text.call("length", "to be")
        5
        """
        function = self._find(name)
        values = bind(function.name, function.inputs, args, kwargs)
        sizes: dict[str, int] = {}
        wraps = not function.takes_tensors
        arrays = [array_of(spec, value, sizes, wraps=wraps) for spec, value in zip(function.inputs, values)]
        inputs = [(spec.type, list(array.shape), array.tobytes()) for spec, array in zip(function.inputs, arrays)]
        with self._lock:
            try:
                outputs = self._instance.call(function.name, inputs)
            except Exit as ended:
                # Programs whose last act is to say that all is well have no results to give.
                if ended.code == 0 and not function.outputs:
                    return None
                raise
        return together([spec.name for spec in function.outputs], [value_of(*output) for output in outputs])

    def run(self, **options: Unpack[InstanceOptions]) -> Completed:
        """Runs a program from its beginning to its end, in an instance of its own.

        The function is that of `call` without a name, and takes nothing.

        Returns what it has printed and its exit status, whatever that is. Raises `Trap` if it does not come to its end;
        the exception has what was printed.

        >>> Module("json.wasm").run(stdin=b"[1, 2]", args=["--sort-keys"]).stdout    # doctest: +SKIP
        """
        fresh = self.fresh(**options)
        try:
            fresh.call()
            exit_code = 0
        except Exit as ended:
            exit_code = ended.code
        return Completed(fresh.stdout, fresh.stderr, exit_code, fresh.steps)

    @property
    def stdout(self) -> bytes:
        """What the instance has printed."""
        with self._lock:
            return self._instance.stdout()

    @property
    def stderr(self) -> bytes:
        """What the instance has printed to standard error."""
        with self._lock:
            return self._instance.stderr()

    @property
    def steps(self) -> int:
        """The number of steps that the instance has made, those of its creation included."""
        with self._lock:
            return self._instance.steps()

    @property
    def max_steps(self) -> int | None:
        """The number of steps that the instance may make in all, or None. To limit each call, set it before: ``steps``
        and so many more."""
        return self._max_steps

    @max_steps.setter
    def max_steps(self, number: int | None) -> None:
        with self._lock:
            self._instance.set_max_steps(number)
        self._max_steps = number

    def _find(self, name: str | None) -> Function:
        if name is None:
            name = self._program.entry()
        if name not in self._functions:
            exported = "".join(f"\n  {function}" for function in self._functions.values()) or " nothing"
            raise ValueError(f"no exported function is called {name!r}; the module exports:{exported}")
        return self._functions[name]

    def __repr__(self) -> str:
        return f"<wasm2onnx.Module of {', '.join(self._functions)}>"


_INSTANCE = ("stdin", "args", *_native.options_of("Instance"))


def _functions(program: _native.Program) -> dict[str, Function]:
    def specs(described: list[tuple[str, str, list[int | str | None]]]) -> tuple[Spec, ...]:
        return tuple(Spec(name, type, tuple(shape)) for name, type, shape in described)

    return {
        name: Function(name, specs(inputs), specs(outputs), takes_tensors)
        for name, takes_tensors, inputs, outputs in program.functions()
    }
