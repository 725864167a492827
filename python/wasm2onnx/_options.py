"""The types of options: those of the command, with names of Python. What is possible is decided by the command itself;
a test compares the names.

``invoke`` and ``signature`` are parameters by themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex, TypedDict

Path = str | os.PathLike[str]
Options = Mapping[str, object]


class ModuleOptions(TypedDict, total=False):
    """How a module is compiled."""

    imports: Mapping[str, str | int | float] | Sequence[str] | str
    preload: Mapping[str, Path] | Sequence[str] | str
    init: Sequence[str] | str
    max_memory_pages: SupportsIndex | None
    max_output: SupportsIndex | None
    validation_states: SupportsIndex | None
    prove: bool
    no_wit: bool


class CompileOptions(ModuleOptions, total=False):
    """How a model is made."""

    form: str
    attention: str
    opset: SupportsIndex | None
    prefix: str | None
    batch: bool
    without_defaults: bool


class InstanceOptions(TypedDict, total=False):
    """What a program is given, and how long it may run."""

    stdin: bytes
    args: Sequence[str]
    env: Mapping[str, str] | Sequence[str] | str
    dirs: Mapping[Any, str] | Sequence[Path] | Path
    clock: SupportsIndex | None
    seed: SupportsIndex | None
    max_steps: SupportsIndex | None


class AllOptions(ModuleOptions, InstanceOptions, total=False):
    """What `Module` takes."""
