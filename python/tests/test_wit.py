"""Functions of tensors by WIT: examples/wit/c, natively and in ONNX Runtime."""

from pathlib import Path
from typing import Any

import pytest

import wasm2onnx
from wasm2onnx import Module

GUEST = Path(__file__).parents[2] / "examples/wit/c/guest.wasm"
DATES = "example:guest/dates@1.0.0#"


def native(name: str) -> Any:
    module = Module(GUEST)
    return lambda **values: module.call(name, **values)


def in_onnx_runtime(name: str) -> Any:
    return wasm2onnx.session(wasm2onnx.compile(GUEST, invoke=name))


@pytest.mark.parametrize("make", [native, in_onnx_runtime])
def test_strings_records_options_and_results(make: Any) -> None:
    parse = make(DATES + "parse")
    date = parse(text="2024-02-29")
    assert date._fields == ("result_is_ok", "result_ok_year", "result_ok_month", "result_ok_day", "result_err")
    assert date[:4] == (True, 2024, 2, 29)
    assert parse(text="never").result_is_ok is False
    assert make("special")(text="to be?")[:2] == (True, ord(" "))
    best = make("best")
    assert best(scores=[0.5, 2.5], **{"at-least.is-some": False, "at-least.some": 0.0})[:3] == (True, 1, 2.5)
    assert best(scores=[0.5, 2.5], **{"at-least.is-some": True, "at-least.some": 9.0}).result_is_some is False


@pytest.mark.parametrize("make", [native, in_onnx_runtime])
def test_values_that_a_type_does_not_have(make: Any) -> None:
    with pytest.raises(ValueError, match="function `special`: its type in WIT does not allow what the input `text` is"):
        make("special")(text=b"\xff")


def test_batches() -> None:
    special = wasm2onnx.session(wasm2onnx.compile(GUEST, invoke="special", batch=True))
    assert special(text=["ab c", "abc"]).result_is_some.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"what the input `text` is \(in instance 1 of 2\)"):
        special(text=["ab c", b"\xff"])


def test_exports_as_they_are() -> None:
    assert "text" not in str(Module(GUEST, no_wit=True).functions["special"])
    with pytest.raises(ValueError, match="--signature|signature"):
        Module(GUEST, no_wit=True, signature="special(text: u8[]) -> i32")
