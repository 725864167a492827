"""Decodes the program that a model holds, in exact rationals, and checks its certificate on the way.

It was written only from the documentation (README, the docs of the crates `wasm2onnx_runtime` and `wasm2onnx`),
so that the tests compare two readings of it. No number of the computation is a float: weights are
`Fraction`s, and whatever a step hands over must be an integer.

    python exact_decoder.py < runs.json

takes a list of `{"model": path, "rows": [[bits, …], …], "stdin": hexadecimal, "max_steps": number}` and
prints a line of JSON for each: for each row of arguments the results as bits, the trap and the steps; standard
output; how many numbers were compared with what is declared of them. If something is broken, the line says what.
"""

import base64
import json
import sys
import zlib
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache
from math import floor

import onnx
from onnx.numpy_helper import to_array

EXACT = 2**53
HALT = 1
STEP_LIMIT = 11


class Broken(Exception):
    """The model does not do what it declares, or what the documentation says."""


def require(condition, *what):
    if not condition:
        raise Broken(" ".join(map(str, what)))


def exact(x):
    """Converts a number of a tensor or a sum to an exact one: an int, or a `Fraction` if it is not an integer."""
    if isinstance(x, int):
        return x
    x = Fraction(x)
    return x.numerator if x.denominator == 1 else x


# --- What a model declares: a message of protobuf -------------------------------------------------


class Message:
    """A decoded message: for each field number its values, in the order in which they were encoded."""

    def __init__(self, data):
        self.values, at = defaultdict(list), 0
        while at < len(data):
            tag, at = varint(data, at)
            value, at = varint(data, at)
            if tag & 7 == 2:  # a length and this many bytes
                value, at = data[at : at + value], at + value
            else:
                require(tag & 7 == 0, "a field of wire type", tag & 7)
            self.values[tag >> 3].append(value)

    def number(self, field):
        return self.values[field][0] if field in self.values else 0

    def numbers(self, field):
        """Returns a packed list."""
        found, at, data = [], 0, b"".join(self.values[field])
        while at < len(data):
            value, at = varint(data, at)
            found.append(value)
        return found

    def messages(self, field):
        return [Message(data) for data in self.values[field]]


def varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def zigzag(number):
    return number >> 1 ^ -(number & 1)


class Domain:
    """What a number is declared to be."""

    def __init__(self, message, id_sets):
        self.kind, self.lo, self.hi = message.number(1), zigzag(message.number(2)), zigzag(message.number(3))
        self.ids = id_sets[self.hi] if self.kind == 2 else None

    def __contains__(self, x):
        if self.kind == 0:  # the smallest and the largest number of 64 bits mean no bound
            return (self.lo <= x or self.lo == -(2**63)) and (x <= self.hi or self.hi == 2**63 - 1)
        if self.kind == 1:
            return x == 0 or (0 < x <= 2**self.hi and x & (x - 1) == 0)
        return x == 0 or x in self.ids

    def __str__(self):
        return [f"{self.lo} … {self.hi}", f"powers of two up to 2^{self.hi}", str(self.ids)][self.kind]


# --- The network ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
class Network:
    def __init__(self, path):
        model = onnx.load(path)
        metadata = {entry.key.removeprefix("wasm2onnx."): entry.value for entry in model.metadata_props}
        tensors = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
        self.entry, self.regions = json.loads(metadata["entry"]), json.loads(metadata["regions"])
        self.traps = {int(e): trap["code"] for e, trap in json.loads(metadata["traps"]).items()}

        # The slots of each part of the numbers, and the slots that each element of y depends on.
        self.parts, end = {}, 0
        for name, size in self.entry["fields"]:
            self.parts[name] = slice(end, end + size)
            end += size
        self.slots = range(end)
        self.made_of = [()]
        for name, size in self.entry["sources"][1:]:
            parts = [self.slots[self.parts[part]] for part in ("nv" if name == "n" else name)]
            require(len(parts[0]) == size, "sources of", name)
            self.made_of += zip(*parts, strict=True)

        # Experts: lists of (source, slot, weight), and the constant of the next expert.
        names = "next", "counts", "sources", "slots", "indices", "values"
        following, counts, sources, slots, indices, values = (tensors["weights/" + name].tolist() for name in names)
        weights = [exact(value) for value in values]
        terms = iter(list(zip(sources, slots, (weights[index] for index in indices), strict=True)))
        self.experts = [[next(terms) for _ in range(count)] for count in counts]
        require(next(terms, None) is None, "terms are left over")
        self.next = [own + relative for own, relative in enumerate(following)]
        # Frozen tables, one behind the other; first rows.
        rows = [[exact(x) for x in row] for row in tensors["tables/factors"].tolist()]
        self.tables = [row[0] + sum(row[1 + i] for i in range(8) if byte >> i & 1) for row in rows for byte in range(256)]
        self.tables += [exact(x) for name in ("bytes", "numbers") for x in tensors["tables/" + name].tolist()]
        self.first_rows = dict(first_rows(tensors))
        self.declared(Message(zlib.decompress(base64.b64decode(metadata["declared"]))))

    def declared(self, message):
        """Reads the certificate: domains of regions, and for each expert domains of fields and of linear forms."""
        # Here fields are in the network's order, not in the model's; e is the last in both.
        field = [slot for part in "snvqtkx" for slot in self.slots[self.parts[part]]] + [len(self.slots)]
        id_sets = [set(ids.numbers(2)) for ids in message.messages(7)]
        domains = [Domain(domain, id_sets) for domain in message.messages(8)]
        for region, declared in zip(self.regions, message.messages(5), strict=True):
            region["domain"] = domains[declared.number(4)]
        fields = iter(list(zip(message.numbers(10), message.numbers(11), strict=True)))
        self.fields = [
            {field[number]: domains[index] for number, index in (next(fields) for _ in range(count))}
            for count in message.numbers(9)
        ]
        terms = iter(list(zip(message.numbers(14), map(zigzag, message.numbers(15)), strict=True)))
        linear_forms = [
            [(field[number], factor) for number, factor in (next(terms) for _ in range(count))]
            for count in message.numbers(13)
        ]
        ghosts = iter(list(zip(linear_forms, (domains[index] for index in message.numbers(16)), strict=True)))
        self.ghosts = [[next(ghosts) for _ in range(count)] for count in message.numbers(12)]
        require(len(self.fields) == len(self.ghosts) == len(self.experts), "a certificate for other experts")
        # The map of an expert must not use a field that is not declared for this expert.
        for e in range(self.entry["terminals"], len(self.experts)):
            for source, _, _ in self.experts[e]:
                require(self.fields[e].keys() >= set(self.made_of[source]), "expert", e, "uses", source, "undeclared")

    def region(self, **wanted):
        """Returns the region with this name, or with this key."""
        for region in self.regions:
            if region["name"] == wanted.get("name"):
                return region
            if "key" in wanted and region["first"] <= wanted["key"] < region["first"] + region["count"]:
                return region
        raise Broken(f"there is no region with {wanted}")


def first_rows(tensors):
    """Yields the rows, (key, value), that a trace begins with. A later row with the same key hides an earlier one."""
    if "initial.trace" in tensors:
        (initial,) = tensors["initial.trace"].tolist()
        # A trace of cells has one cell for each key; a trace of rows has keys and values.
        cells = tensors["initial.trace"].ndim == 2
        yield from ((int(k), exact(x)) for k, x in (enumerate(initial) if cells else initial) if k and x)
        return
    for (page,), cells in zip(tensors["trace/pages"].tolist(), tensors["trace/bytes"].tolist(), strict=True):
        yield from ((page * len(cells) + i, cell) for i, cell in enumerate(cells) if cell)
    keys, values = (tensors["trace/" + name].tolist() for name in ("keys", "values"))
    yield from zip(keys, map(exact, values), strict=True)


# --- A run ----------------------------------------------------------------------------------------


class Run:
    def __init__(self, network, stdin):
        self.network, self.steps, self.checked = network, 0, 0
        self.trace = dict(network.first_rows)
        if source := network.entry["stdin"]:
            first = network.region(name=source["region"])["first"]
            self.trace |= {first + i: byte for i, byte in enumerate(stdin)}
            self.trace[source["length"]] = len(stdin)

    def check(self, e, z):
        """Checks everything that is declared of the numbers that an expert is handed."""
        fields, ghosts = self.network.fields[e], self.network.ghosts[e]
        for slot, x in enumerate([*z, e]):
            where = "step", self.steps, "expert", e, "number", slot, "is", x
            require(isinstance(x, int) and abs(x) <= EXACT, *where)
            require(slot not in fields or x in fields[slot], *where, "declared:", fields.get(slot))
        for linear_form, domain in ghosts:
            x = sum(factor * z[slot] for slot, factor in linear_form)
            require(x in domain, "step", self.steps, "expert", e, "form", linear_form, "is", x, "declared:", domain)
        self.checked += len(fields) + len(ghosts)

    def remember(self, e, z):
        """Appends the rows of a step. A later row with the same key hides an earlier one forever."""
        keys, values = z[self.network.parts["k"]], z[self.network.parts["x"]]
        rows = [(k, x) for k, x in zip(keys, values, strict=True) if k]
        require(len(dict(rows)) == len(rows), "step", self.steps, "two rows with one key", rows)
        for key, value in rows:
            domain = self.network.region(key=key)["domain"]
            require(value in domain, "step", self.steps, "row", key, "is", value, "declared:", domain)
            self.trace[key] = value

    def step(self, e, z):
        """Evaluates a step whose rows are in the trace, and returns the next expert and its numbers."""
        network = self.network
        z = {part: z[slots] for part, slots in network.parts.items()}
        # Attention to the trace and to the frozen tables.
        r = [self.trace.get(q, 0) for q in z["q"]]
        w = [network.tables[t] if 0 <= t < len(network.tables) else 0 for t in z["t"]]
        # Units. A product with a power of two may be large, but has no more significant bits than a float holds.
        u = [n * v for n, v in zip(z["n"], z["v"], strict=True)]
        for x in map(abs, u):
            require(x <= EXACT or (x < 2**64 and x // (x & -x) < EXACT), "step", self.steps, "a product is", x)
        # The map, and the quantization of gates.
        y = [1, *r, *w, *u, *z["s"]]
        made = [0] * len(network.slots) + [network.next[e]]
        for source, slot, weight in network.experts[e]:
            made[slot] += weight * y[source]
        for gate in network.slots[network.parts["n"]]:
            made[gate] = floor(max(made[gate], 0))
        *z, e = map(exact, made)
        require(e in range(len(network.experts)), "step", self.steps, "there is no expert", e)
        self.steps += 1
        return e, z

    def until_the_end(self, e, z, max_steps):
        """Runs to a terminal expert. Returns it and its numbers, or None if there are not enough steps."""
        while True:
            self.check(e, z)
            ended = e < self.network.entry["terminals"]
            if not ended and self.steps == max_steps:
                return None
            self.remember(e, z)
            if ended:
                return e, z
            e, z = self.step(e, z)


def decode(network, args, stdin, max_steps):
    entry, run = network.entry, Run(network, stdin)
    # Instance creation, if there is anything to do, begins with all numbers 0; if it halts, the call follows.
    z = [0 for _ in network.slots]
    end = HALT, z
    if entry["start"] is not None:
        end = run.until_the_end(entry["start"], z, max_steps)
    if end is not None and end[0] == HALT:
        z = list(z)
        for slot, number in entry["numbers"]:
            z[slot] = int(number)
        for (_, locations), bits in zip(entry["args"], args, strict=True):
            for i, location in enumerate(locations):  # words, low word first
                word = bits >> 32 * i & 0xFFFF_FFFF
                if isinstance(location, dict):
                    run.trace[location["key"]] = word
                else:
                    z[location] = word
        end = run.until_the_end(entry["expert"], z, max_steps)
    trap, results = STEP_LIMIT, [0 for _ in entry["results"]]
    if end is not None:
        e, z = end
        trap = 0 if e == HALT else network.traps.get(e, -1)
    if trap == 0:
        word = lambda location: run.trace.get(location["key"], 0) if isinstance(location, dict) else z[location]
        words = [[word(location) for location in locations] for _, locations in entry["results"]]
        require(all(0 <= x < 2**32 for x in sum(words, [])), "the words of the results are", words)
        results = [sum(x << 32 * i for i, x in enumerate(value)) for value in words]
    stdout = b""
    if sink := entry["stdout"]:
        first = network.region(name=sink["region"])["first"]
        stdout = bytes(run.trace.get(first + i, 0) for i in range(run.trace.get(sink["length"], 0)))
    return {"results": results, "trap": trap, "steps": run.steps}, stdout.hex(), run.checked


if __name__ == "__main__":
    for run in json.load(sys.stdin):
        try:
            network, stdin = Network(run["model"]), bytes.fromhex(run["stdin"])
            rows, stdout, checked = zip(*(decode(network, row, stdin, run["max_steps"]) for row in run["rows"]))
            print(json.dumps({"rows": rows, "stdout": stdout[0], "checked": sum(checked)}), flush=True)
        except Broken as broken:
            print(json.dumps({"broken": str(broken)}), flush=True)
