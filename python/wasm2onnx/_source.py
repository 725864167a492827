"""Modules and models as they are given: by path or as bytes."""

from __future__ import annotations

import os
from typing import Union

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]


def read(source: Source) -> tuple[str, bytes]:
    """Returns the name of a file and what is in it. Bytes have the name ``module``."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "module", bytes(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"a module or model is a path or bytes, not {type(source).__name__}")
    path = os.fspath(source)
    try:
        with open(path, "rb") as file:
            return path, file.read()
    except OSError as error:
        if path.lstrip().startswith("("):
            error.add_note("A string is a path; give the text of a module as bytes.")
        raise
