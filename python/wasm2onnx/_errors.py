"""The package's own exceptions."""

from __future__ import annotations

from typing import Any


class _WithFields(Exception):
    """An exception whose fields survive pickling, so that it can come from another process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, self.__dict__)


def _remade(cls: type[_WithFields], args: tuple[Any, ...], fields: dict[str, Any]) -> _WithFields:
    error = cls.__new__(cls, *args)
    error.__dict__.update(fields)
    return error


class CompileError(_WithFields):
    """A module cannot be compiled, or a model cannot be read.

    The message says what is wrong, where, and what to do about it.
    """

    function: str | None
    """The function in which something is wrong or not supported, if it is in one."""
    offset: int | None
    """Where in the module, in bytes, if that is known."""

    def __init__(self, message: str, *, function: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.function = function
        self.offset = offset


class Trap(_WithFields):
    """A run has ended before its end: by a trap of the program, by a limit, or by a function that reports an error."""

    code: int
    """Which trap; the same number as the output ``trap`` of a model. 11 is the step limit, 13 a reported error, 14 the
    output limit."""
    name: str
    """The text for this code, such as ``integer divide by zero``."""
    function: str | None
    """The function of the program that trapped, if it is known."""
    offset: int | None
    """The offset of the instruction in the module, in bytes, if it is known."""
    line: str | None
    """The line of source text as ``file:line``, if the module has debug information."""
    error: int | None
    """The negative number with which a function reported an error (code 13); in a model of several programs it may also
    be the number of a tensor that its type in WIT does not allow, from 1 on."""
    index: int | None
    """Which instance of a batch, if a model ran several."""
    stdout: bytes
    """What the program had printed."""
    stderr: bytes
    """What the program had printed to standard error."""
    steps: int
    """The number of steps that had been made."""

    def __init__(
        self,
        message: str,
        *,
        code: int,
        name: str,
        function: str | None = None,
        offset: int | None = None,
        line: str | None = None,
        error: int | None = None,
        index: int | None = None,
        stdout: bytes = b"",
        stderr: bytes = b"",
        steps: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.function = function
        self.offset = offset
        self.line = line
        self.error = error
        self.index = index
        self.stdout = stdout
        self.stderr = stderr
        self.steps = steps


class Exit(_WithFields):
    """A WASI program has ended itself during a call, with a status other than 0 or before the function had its
    results."""

    code: int
    """The exit status."""
    stdout: bytes
    """What the program had printed."""
    stderr: bytes
    """What the program had printed to standard error."""
    steps: int
    """The number of steps that had been made."""

    def __init__(self, message: str, *, code: int, stdout: bytes = b"", stderr: bytes = b"", steps: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        self.steps = steps
