"""The types of options: those of the command, with names of Python. What is possible is decided by the command itself; a test compares the names.

``invoke`` and ``signature`` are parameters by themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

Path = str | os.PathLike[str]
Options = Mapping[str, object]


class ModuleOptions(TypedDict, total=False):
    """How a module is compiled."""

    imports: Mapping[str, str | int | float] | Sequence[str] | str
    preload: Mapping[str, Path] | Sequence[str] | str
    init: Sequence[str] | str
    max_memory_pages: int | None
    max_output: int | None
    validation_states: int | None
    prove: bool


class CompileOptions(ModuleOptions, total=False):
    """How a model is made."""

    form: str
    attention: str
    opset: int | None
    prefix: str | None


class InstanceOptions(TypedDict, total=False):
    """What a program is given, and how long it may run."""

    stdin: bytes
    args: Sequence[str]
    env: Mapping[str, str] | Sequence[str] | str
    dirs: Mapping[Any, str] | Sequence[Path] | Path
    clock: int | None
    seed: int | None
    max_steps: int | None


class AllOptions(ModuleOptions, InstanceOptions, total=False):
    """What `Module` takes."""
