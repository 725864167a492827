"""Decodes a program that wasm2onnx compiled, in plain numpy: a check that the program is in the weights.

Only the model's tensors are read, and its metadata about where things are; not one node of its
graph. Nothing here knows WebAssembly except its four types. What happens between arguments and results
is `step`, the same for every program: append rows, attend, multiply units, apply one matrix.
"""
import argparse
import json
import sys
import numpy as np
import onnx

SINK = -0.5  # score of a row of value 0, which wins if no key matches
SCALE, EPSILON = 2.0**28, 2.0**-16  # for softmax: factor of all scores; bonus of a row over the one before
TYPES = {"i32": "<i4", "i64": "<i8", "f32": "<f4", "f64": "<f8"}


def hard_attention(q, keys, values, epsilon):
    """Values of the rows with the best scores -(q - k)^2; the latest of equal rows wins, without epsilon."""
    scores = -np.square(q[:, None] - keys)
    winner = len(keys) - 1 - scores[:, ::-1].argmax(axis=1)
    return np.where(scores[np.arange(len(q)), winner] > SINK, values[winner], 0)


def softmax_attention(q, keys, values, epsilon):
    """The same by dot products of two digits of 16 bits: every softmax weight is exactly 0 or 1."""
    if epsilon * len(keys) >= 0.5:
        sys.exit("error: the trace has more rows than softmax attention tells apart")
    (qh, ql), (kh, kl) = np.divmod(q, 65536.0), np.divmod(keys, 65536.0)
    bias = -kh * kh - kl * kl + epsilon * np.arange(len(keys))
    K = np.concatenate([[[0, 0, 0, 1]], np.stack([2 * kh, 2 * kl, bias, 0 * kh], axis=1)])
    Q = np.stack([qh, ql, np.ones(len(q)), qh * qh + ql * ql + SINK], axis=1)
    scores = SCALE * (Q @ K.T)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ np.append(0.0, values)


class Transformer:
    def __init__(self, path, attention):
        model = onnx.load(path)
        tensor = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        meta = {p.key.removeprefix("wasm2onnx."): p.value for p in model.metadata_props}
        self.entry, self.traps, regions = (json.loads(meta[key]) for key in ("entry", "traps", "regions"))
        self.regions = {r["name"]: (r["first"], r["first"] + r["count"]) for r in regions}
        self.first, self.end = np.array([*self.regions.values()], float).reshape(-1, 2).T
        self.terminals = self.entry["terminals"]  # 0 is a state that no program reaches, 1 ends a run
        # Where the parts of z are: carried values s, gates n and values v of units, rows (k, x), queries q of
        # the trace and t of the tables. The next expert comes behind them.
        sizes = dict(self.entry["fields"])
        *begins, self.size = np.cumsum([0, *sizes.values()])
        self.at = {name: slice(begin, begin + sizes[name]) for name, begin in zip(sizes, begins)}
        # All matrices as one list of terms (slot, source, weight), and the constants of the next expert.
        self.slots, self.sources = tensor["weights/slots"], tensor["weights/sources"]
        self.weights = tensor["weights/values"][tensor["weights/indices"]]
        self.ends = np.append(0, np.cumsum(tensor["weights/counts"], dtype=int))
        self.next = np.arange(len(self.ends) - 1) + tensor["weights/next"].astype(float)
        self.shape = self.size + 1, sum(size for _, size in self.entry["sources"])
        # Tables: 256 entries are sums of nine factors, of which a byte's bits choose; others are as they are.
        byte = np.arange(256)
        chosen = np.array([byte >= 0, *(byte >> bit & 1 for bit in range(8))])
        tables = (tensor["tables/factors"].astype(float) @ chosen).ravel(), tensor["tables/bytes"], tensor["tables/numbers"][:-1]
        self.tables = np.concatenate(tables).astype(float)
        # What a call begins with, and the rows that memory begins with.
        self.call = tensor.get("initial.numbers", tensor.get("initial/call"))[0, : self.size].copy()
        if "trace/keys" in tensor:  # pages of bytes, and other rows
            page = np.arange(tensor["trace/bytes"].shape[1])
            keys = np.append(tensor["trace/pages"].reshape(-1, 1) * len(page) + page, tensor["trace/keys"])
            values = np.append(tensor["trace/bytes"], tensor["trace/values"])
        elif tensor["initial.trace"].ndim == 3:  # all rows
            keys, values = tensor["initial.trace"][0].T
        else:  # a cell for each key
            keys, values = np.arange(tensor["initial.trace"].size), tensor["initial.trace"][0]
        self.attention, self.keys, self.values = attention, keys[values != 0], values[values != 0]

    def declared(self, keys):
        """Tells which numbers are integers in a region of the trace. 0 is in none."""
        return (keys % 1 == 0) & ((keys[:, None] >= self.first) & (keys[:, None] < self.end)).any(axis=1)

    def append(self, keys, values):
        rows = self.declared(keys)
        self.keys, self.values = np.append(self.keys, keys[rows]), np.append(self.values, values[rows])

    def attend(self, q, valid, *memory):
        """Returns what queries read, 0 if they are not valid. Equal queries are evaluated once."""
        read, (queries, port) = np.zeros(len(q)), np.unique(q[valid], return_inverse=True)
        read[valid] = self.attention(queries, *memory)[port] if len(queries) else 0
        return read

    def recall(self, *q):
        q = np.array(q, float)
        return self.attend(q, self.declared(q), self.keys, self.values, EPSILON)

    def step(self, e, z):
        """Returns the next expert, its z, and what was read; None after a terminal expert."""
        s, n, v, x, q, k, t = (z[self.at[name]] for name in "snvxqkt")
        self.append(k, x)
        if e < self.terminals:
            return None
        r, keys = self.recall(*q), np.arange(len(self.tables), dtype=float)
        w = self.attend(t, (t % 1 == 0) & (t >= 0) & (t < len(keys)), keys, self.tables, 0)
        W, terms = np.zeros(self.shape), slice(self.ends[e], self.ends[e + 1])
        np.add.at(W, (self.slots[terms], self.sources[terms]), self.weights[terms])
        W[-1, 0] += self.next[e]
        z = W @ np.concatenate([[1.0], r, w, n * v, s])
        z[self.at["n"]] = np.floor(np.maximum(z[self.at["n"]], 0))
        return int(np.clip(np.nan_to_num(z[-1]), 0, len(self.next) - 1)), z[:-1], r


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="a file that `wasm2onnx compile` wrote, of any form")
    parser.add_argument("args", nargs=argparse.REMAINDER, help="the function's arguments")
    parser.add_argument("--softmax", action="store_true", help="softmax instead of hard attention")
    parser.add_argument("--stdin", type=argparse.FileType("rb"), help="a file, or - for standard input")
    parser.add_argument("--max-steps", type=int, default=2**62)
    parser.add_argument("--trace", action="store_true", help="print experts, reads and rows")
    parser.add_argument("--dump", type=argparse.FileType("w"), help="write [expert, *z] of every step")
    o = parser.parse_args()
    t = Transformer(o.model, softmax_attention if o.softmax else hard_attention)
    if stream := t.entry["stdin"]:
        text = np.frombuffer(o.stdin.read() if o.stdin else b"", np.uint8)
        keys = t.regions[stream["region"]][0] + np.arange(len(text))
        t.append(np.append(keys, stream["length"]), np.append(text, float(len(text))))
    early = {}
    for (kind, locations), text in zip(t.entry["args"], o.args, strict=True):
        bits = np.array([int(text, 0) % 2**64], "<u8") if kind[0] == "i" else np.array([text], TYPES[kind])
        for location, word in zip(locations, bits.view("<u4")):  # in fields; if very many, in rows
            to, at = (t.call, location) if isinstance(location, int) else (early, location["key"])
            to[at] = word
    steps, e = 0, 1
    for first, z in (t.entry["start"], np.zeros(t.size)), (t.entry["expert"], t.call):
        step = e == 1 and first is not None  # instance creation, if any; if it halts, the call
        if step and z is t.call:
            t.append(np.array([*early], float), np.array([*early.values()], float))
        e = first if step else e
        while step and (e < t.terminals or steps < o.max_steps):
            step = t.step(e, z)
            if o.dump:
                print(json.dumps([e, *z]), file=o.dump)
            if o.trace:
                pairs = zip(z[t.at["k"]], z[t.at["x"]]), zip(z[t.at["q"]], step[2] if step else ())
                rows, reads = ([f"{key:.0f}={value:.0f}" for key, value in p if key] for p in pairs)
                print(steps, "expert", e, "appends", *rows, "reads", *reads)
            if step:
                e, z, steps = *step[:2], steps + 1
    if stream := t.entry["stdout"]:
        first, end = t.regions[stream["region"]]
        keys = range(first, min(first + int(t.recall(stream["length"])[0]), end))
        sys.stdout.buffer.write(bytes(int(t.recall(key)[0]) for key in keys))
    for kind, locations in t.entry["results"] if e == 1 else ():
        words = [z[at] if isinstance(at, int) else t.recall(at["key"])[0] for at in locations]
        print(np.array([int(w) % 2**32 for w in words], "<u4").view(TYPES[kind])[0])
    trap = t.traps.get(str(e), {"code": {0: -1, 1: 0}.get(e, 11)})
    print(json.dumps({**trap, "steps": steps}), file=sys.stderr)
    sys.exit(0 if e == 1 else 134 if e < t.terminals else 1)


if __name__ == "__main__":
    main()
