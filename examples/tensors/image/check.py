#!/usr/bin/env python3
"""Compares image.wasm with Pillow: natively, and in ONNX Runtime.

Needs numpy, pillow, onnxruntime and the command wasm2onnx, which --command names.
"""

import argparse
import io
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib

import numpy as np
import onnxruntime
from PIL import Image

# Nothing is written beside the sources.
sys.dont_write_bytecode = True
import png

HERE = pathlib.Path(__file__).parent
WASM = HERE / "image.wasm"
ONE = "image(file: u8[], pixels: out f32[1, 3, 224, 224]) -> i32"
MANY = "images(batch: u8[], lengths: i32[n], pixels: out f32[n, 3, 224, 224], errors: out i32[n])"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
ERRORS = range(-11, 0)
# So many files fit into the memory of one run, if they are not too large.
BATCH = 24
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", "Palette images with Transparency")


def expected(file):
    """Returns the tensor, computed by Pillow and numpy."""
    picture = Image.open(io.BytesIO(file))
    if picture.mode.startswith("I"):
        # Pillow cuts 16-bit greys off at 255. Of all other 16-bit samples it takes the high byte, and so do we.
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    picture = picture.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture).astype(np.float32)
    return ((pixels / np.float32(255) - MEAN) / DEVIATION).transpose(2, 0, 1)


def equal(a, b):
    return np.array_equal(a.view(np.uint32), b.view(np.uint32))


def run(command, files):
    """Runs files natively, in batches. Returns the pixels and the numbers of errors."""
    all_pixels, all_errors = [], []
    batch, size = [], 0
    for i, file in enumerate(files):
        batch.append(file)
        size += len(file)
        if len(batch) < BATCH and size < 2_000_000 and i + 1 < len(files):
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "batch").write_bytes(b"".join(batch))
            np.save(folder / "lengths.npy", np.array([len(file) for file in batch], np.int32))
            arguments = [f"batch=@{folder}/batch", f"lengths=@{folder}/lengths.npy"]
            subprocess.run([command, "run", "--signature", MANY, "-o", folder, WASM, *arguments], check=True)
            all_pixels += list(np.load(folder / "pixels.npy"))
            all_errors += np.load(folder / "errors.npy").tolist()
        batch, size = [], 0
    return all_pixels, all_errors


def random_pixels(rng, width, height, samples, depth):
    """Returns noise, or waves with a little noise, or rectangles: what compresses badly, what looks like a photo, and what like a drawing."""
    most = (1 << depth) - 1
    kind = rng.integers(0, 3)
    if kind == 0:
        return rng.integers(0, most + 1, (height, width, samples))
    y, x = np.mgrid[:height, :width]
    pixels = np.zeros((height, width, samples))
    if kind == 1:
        for sample in range(samples):
            for _ in range(3):
                a, b, c = rng.normal(0, 0.1, 3)
                pixels[:, :, sample] += np.sin(a * x + b * y + 60 * c)
        pixels = (pixels + 3) / 6 + rng.normal(0, 0.01, pixels.shape)
    else:
        for _ in range(8):
            (x0, x1), (y0, y1) = np.sort(rng.integers(0, width + 1, 2)), np.sort(rng.integers(0, height + 1, 2))
            pixels[y0:y1, x0:x1] = rng.random(samples)
    return np.clip(pixels * (most + 1), 0, most).astype(np.int64)


def random_file(rng, width=None, height=None, kind=None, interlaced=None):
    kinds = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]
    colours, depth = kind or kinds[rng.integers(0, len(kinds))]
    sides = [1, 2, 3, 7, 8, 112, 223, 224, 225, 448, 449]
    side = lambda: int(rng.choice(sides)) if rng.random() < 0.2 else int(2 ** rng.uniform(0, 9.3))
    width, height = width or side(), height or side()
    palette, extra = None, []
    pixels = random_pixels(rng, width, height, png.SAMPLES[colours], depth)
    if colours == 3:
        palette = rng.integers(0, 256, (int(rng.integers(1, (1 << depth) + 1)), 3))
        pixels %= len(palette)
    # Chunks that change nothing here.
    if rng.random() < 0.3:
        extra.append((b"tEXt", b"Comment\0none"))
    if rng.random() < 0.3 and colours in (0, 2, 3):
        extra.append((b"tRNS", {0: bytes(2), 2: bytes(6), 3: b"\x80"}[colours]))
    interlaced = rng.random() < 0.4 if interlaced is None else interlaced
    return png.encode(pixels, depth, colours, rng, interlaced, palette, extra)


def bad_files():
    """Returns files with one fault each, and the numbers that they must give."""
    rng = np.random.default_rng(5)
    good = random_file(rng, 40, 30, (2, 8), False)
    head, end = png.SIGNATURE, png.chunk(b"IEND", b"")
    start = head + png.header(4, 4, 8, 0)
    data = bytes(20)
    idat = lambda data: png.chunk(b"IDAT", data)
    whole = idat(zlib.compress(data))
    colours = png.chunk(b"PLTE", bytes(6))
    indexed = head + png.header(4, 4, 8, 3)
    stream = zlib.compress(data)
    # Blocks, from the lowest bit on: a last one of kind 3; a code with too many symbols; a distance that is too far.
    blocks = lambda *bits: b"\x78\x9c" + int("".join(reversed("".join(bits))), 2).to_bytes(64, "little")
    far = blocks("1", "10", "0000001", "00000", "0" * 30)
    return [
        ("nothing", b"", -2),
        ("a JPEG", b"\xff\xd8\xff\xe0" + bytes(100), -1),
        ("a part of the signature", head[:5], -2),
        ("only the signature", head, -2),
        ("cut in a chunk", good[:-30], -2),
        ("no IEND", good[:-12], -2),
        ("a flipped bit", good[:60] + bytes([good[60] ^ 4]) + good[61:], -3),
        ("a wrong checksum", good[:-1] + b"\0", -3),
        ("width 0", head + png.header(0, 4, 8, 0) + whole + end, -4),
        ("a depth of 3 bits", head + png.header(4, 4, 3, 0) + whole + end, -4),
        ("colours of 4 bits", head + png.header(4, 4, 4, 2) + whole + end, -4),
        ("kind 5", head + png.header(4, 4, 8, 5) + whole + end, -4),
        ("interlacing 2", head + png.header(4, 4, 8, 0, 2) + whole + end, -4),
        ("compression 1", head + png.chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 1, 0, 0)) + whole + end, -4),
        ("a short header", head + png.chunk(b"IHDR", bytes(12)) + whole + end, -4),
        ("a side of 2^31 - 1", head + png.header(2**31 - 1, 1, 8, 0) + whole + end, -5),
        ("more than the memory", head + png.header(16384, 16384, 8, 6) + whole + end, -5),
        ("no palette", indexed + whole + end, -6),
        ("a palette of 4 bytes", indexed + png.chunk(b"PLTE", bytes(4)) + whole + end, -6),
        ("a palette of 257 colours", indexed + png.chunk(b"PLTE", bytes(771)) + whole + end, -6),
        ("a colour behind the palette", indexed + colours + idat(zlib.compress(b"\0\0\1\2\0" + bytes(15))) + end, -6),
        ("no header", head + whole + end, -7),
        ("two headers", start + png.header(4, 4, 8, 0) + whole + end, -7),
        ("two palettes", indexed + colours + colours + whole + end, -7),
        ("a palette behind the picture", indexed + whole + colours + end, -7),
        ("something between the parts", start + idat(stream[:4]) + png.chunk(b"tEXt", b"a\0b") + idat(stream[4:]) + end, -7),
        ("an unknown chunk", start + png.chunk(b"ABCD", b"") + whole + end, -7),
        ("a chunk of 2^31 bytes", start + b"\x80\0\0\0IDAT" + bytes(100), -7),
        ("no zlib stream", start + idat(b"\x79" + stream[1:]) + end, -8),
        ("a dictionary", start + idat(b"\x78\xbb" + stream[2:]) + end, -8),
        ("a block of kind 3", start + idat(blocks("1", "11")) + end, -8),
        ("a stored block of two lengths", start + idat(blocks("1", "00", "00000", "1" * 16, "1" * 16)) + end, -8),
        ("too many literals", start + idat(blocks("1", "01", "11111", "00000", "0000")) + end, -8),
        ("too many short codes", start + idat(blocks("1", "01", "00000", "00000", "1111", "100" * 19)) + end, -8),
        ("a distance that is too far", start + idat(far) + end, -8),
        ("no picture", start + end, -9),
        ("an empty picture", start + idat(b"") + end, -9),
        ("a part of the stream", start + idat(stream[:-6]) + end, -9),
        ("no checksum of the stream", start + idat(stream[:-2]) + end, -9),
        ("less than the picture", start + idat(zlib.compress(bytes(19))) + end, -9),
        ("a wrong checksum of the stream", start + idat(stream[:-1] + b"\0") + end, -10),
        ("filter 5", start + idat(zlib.compress(bytes(15) + b"\5" + bytes(4))) + end, -11),
    ]


def damaged(rng, file):
    """Returns the file with some wrong bytes, and sometimes with checksums that are right again."""
    file = bytearray(file)
    for _ in range(rng.integers(1, 4)):
        file[rng.integers(8, len(file))] = rng.integers(0, 256)
    if rng.random() < 0.3:
        file = file[: rng.integers(0, len(file) + 1)]
    if rng.random() < 0.8:
        at = 8
        while at + 12 <= len(file):
            end = at + 8 + int.from_bytes(file[at : at + 4], "big")
            if end + 4 > len(file):
                break
            file[end : end + 4] = struct.pack(">I", zlib.crc32(file[at + 4 : end]))
            at = end + 4
    return bytes(file)


def check_natively(command, files, names):
    start = time.time()
    pixels, errors = run(command, files)
    wrong = 0
    for name, file, tensor, error in zip(names, files, pixels, errors):
        if error != 0 or not equal(tensor, expected(file)):
            wrong += 1
            print(f"  differs: {name}, error {error}")
    return len(files) - wrong, wrong, time.time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="wasm2onnx", help="the command to run")
    parser.add_argument("--random", type=int, default=240, help="number of random pictures")
    parser.add_argument("--damaged", type=int, default=480, help="number of damaged files")
    parser.add_argument("--pictures", nargs="*", default=[], help="folders with PNG files, which are also compared")
    parser.add_argument("--most", type=int, default=100, help="number of these files")
    parser.add_argument("--no-model", action="store_true", help="do not run ONNX Runtime")
    args = parser.parse_args()
    rng = np.random.default_rng(2)
    failed = 0

    files = [random_file(rng) for _ in range(args.random)]
    right, wrong, seconds = check_natively(args.command, files, [f"random picture {i}" for i in range(len(files))])
    failed += wrong
    print(f"random pictures: {right} equal, {wrong} not, {seconds:.0f} s")

    # Of equal files one is enough.
    found = {}
    for path in (path for folder in args.pictures for path in sorted(pathlib.Path(folder).rglob("*.png"))):
        if path.is_file() and path.stat().st_size < 3_000_000 and path.read_bytes().startswith(png.SIGNATURE):
            found.setdefault(path.read_bytes(), path)
    found = list(found.items())[: args.most]
    if found:
        files, names = zip(*found)
        right, wrong, seconds = check_natively(args.command, files, names)
        failed += wrong
        print(f"other pictures: {right} equal, {wrong} not, {seconds:.0f} s")

    bad = bad_files()
    pixels, errors = run(args.command, [file for _, file, _ in bad])
    wrong = 0
    for (name, _, number), tensor, error in zip(bad, pixels, errors):
        if error != number or tensor.any():
            wrong += 1
            print(f"  {name}: {error}, not {number}")
    failed += wrong
    print(f"bad files: {len(bad) - wrong} with the right number, {wrong} not")

    small = [random_file(rng, int(rng.integers(1, 40)), int(rng.integers(1, 40))) for _ in range(40)]
    files = [damaged(rng, small[i % len(small)]) for i in range(args.damaged)]
    _, errors = run(args.command, files)
    wrong = sum(error != 0 and error not in ERRORS for error in errors)
    failed += wrong
    numbers = {error: errors.count(error) for error in sorted(set(errors))}
    print(f"damaged files: {len(files) - wrong} without a crash, {wrong} not; how many gave which number: {numbers}")

    if not args.no_model:
        with tempfile.TemporaryDirectory() as folder:
            model = f"{folder}/image.onnx"
            subprocess.run([args.command, "compile", "--signature", ONE, WASM, "-o", model], check=True)
            print(f"model: {pathlib.Path(model).stat().st_size} bytes")
            # One thread is enough: the nodes are small, and others would only wait.
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(model, options)
        for name, width, height, kind, interlaced in [
            ("RGB", 64, 64, (2, 8), False),
            ("RGBA, 16 bits, interlaced", 24, 40, (6, 16), True),
            ("grey and alpha", 64, 64, (4, 8), False),
            ("palette of 4 bits", 50, 30, (3, 4), False),
            ("grey, 1 bit, interlaced", 100, 20, (0, 1), True),
        ]:
            file = random_file(rng, width, height, kind, interlaced)
            start = time.process_time()
            names = ["pixels", "result0", "trap", "steps"]
            tensor, error, trap, steps = session.run(names, {"file": np.frombuffer(file, np.uint8)})
            seconds = time.process_time() - start
            same = error == 0 and trap == 0 and equal(tensor[0], expected(file))
            failed += not same
            steps = int(steps.item())
            print(f"  {name}, {width}x{height}: {'equal' if same else 'differs'}, {steps} steps, {seconds:.1f} s of CPU time")
        name, file, number = bad[-1]
        tensor, error, trap = session.run(["pixels", "result0", "trap"], {"file": np.frombuffer(file, np.uint8)})
        same = error == number and trap == 0 and not tensor.any()
        failed += not same
        print(f"  {name}: {error}, {'as it should be' if same else 'wrong'}")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
