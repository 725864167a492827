"""Writes PNG files of all kinds, also of those that Pillow reads but cannot write. For check.py."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width, height, depth, kind, interlaced=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))


def rows(pixels, depth):
    """Returns the rows of [h, w, samples] as bytes [h, n]."""
    height = len(pixels)
    if depth == 16:
        return pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    if depth == 8:
        return pixels.astype(np.uint8).reshape(height, -1)
    bits = pixels.astype(np.uint8).reshape(height, -1, 1) >> np.arange(depth - 1, -1, -1, dtype=np.uint8) & 1
    return np.packbits(bits.reshape(height, -1), axis=1)


def filtered(rows, step, choose):
    """Returns the rows with the filters that `choose` chooses, and their numbers, as bytes."""
    out = []
    above = np.zeros_like(rows[0], dtype=np.int32)
    for row in rows.astype(np.int32):
        left = np.concatenate([np.zeros(step, np.int32), row[:-step]])[: len(row)]
        corner = np.concatenate([np.zeros(step, np.int32), above[:-step]])[: len(row)]
        distances = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
        nearest = np.where(distances[1] <= distances[2], above, corner)
        nearest = np.where((distances[0] <= distances[1]) & (distances[0] <= distances[2]), left, nearest)
        number = choose()
        predicted = [0, left, above, (left + above) // 2, nearest][number]
        out.append(bytes([number]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def encode(pixels, depth, kind, rng, interlaced=False, palette=None, extra=()):
    """Returns a file with pixels [h, w, samples] of this depth and kind of colours. Everything else is random."""
    height, width, samples = pixels.shape
    assert samples == SAMPLES[kind]
    step = max(1, samples * depth // 8)
    choose = lambda: int(rng.integers(0, 5))
    data = b""
    for x, y, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        part = pixels[y::dy, x::dx]
        if part.size:
            data += filtered(rows(part, depth), step, choose)
    strategy = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED][rng.integers(0, 4)]
    compressor = zlib.compressobj(int(rng.integers(0, 10)), zlib.DEFLATED, int(rng.integers(9, 16)), 9, strategy)
    data = compressor.compress(data) + compressor.flush()
    cuts = sorted(rng.integers(0, len(data) + 1, rng.integers(0, 4)).tolist())
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]
    file = SIGNATURE + header(width, height, depth, kind, int(interlaced))
    if palette is not None:
        file += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    file += b"".join(chunk(*item) for item in extra)
    return file + b"".join(chunk(b"IDAT", part) for part in parts) + chunk(b"IEND", b"")
