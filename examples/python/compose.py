"""Puts one model in front of another: outputs of the first become inputs of the second.

    compose.py FIRST.onnx SECOND.onnx -o BOTH.onnx [--map OUTPUT=INPUT ...]

Without --map, outputs and inputs of the same name belong together. Either model may be a compiled program or any other
model of standard operators; programs whose names would clash are compiled with --prefix. All other inputs and outputs stay,
those that say why a program ended (`trap`) among them."""

import argparse

import onnx
import onnx.compose
import onnx.version_converter


def alike(first, second):
    """Gives both models the newer opset and IR version of the two: only then can they be merged."""
    opsets = [next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")) for model in (first, second)]
    if opsets[0] < opsets[1]:
        first = onnx.version_converter.convert_version(first, opsets[1])
    elif opsets[1] < opsets[0]:
        second = onnx.version_converter.convert_version(second, opsets[0])
    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)
    return first, second


def main():
    parser = argparse.ArgumentParser(description="Puts one model in front of another.")
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--map", action="append", default=[], metavar="OUTPUT=INPUT")
    arguments = parser.parse_args()
    first, second = alike(onnx.load(arguments.first), onnx.load(arguments.second))
    pairs = [tuple(pair.split("=", 1)) for pair in arguments.map]
    if not pairs:
        inputs = {value.name for value in second.graph.input}
        pairs = [(value.name, value.name) for value in first.graph.output if value.name in inputs]
    joined = {output for output, _ in pairs}
    # What the first gives to the second is not an output any more; all else is.
    outputs = [value.name for model in (first, second) for value in model.graph.output if value.name not in joined]
    both = onnx.compose.merge_models(first, second, pairs, outputs=outputs)
    onnx.checker.check_model(both, full_check=True)
    onnx.save(both, arguments.output)


main()
