#!/usr/bin/env python3
"""Runs the WASI examples under wasmtime: what is in their folders, and what they do in other cases, wrong ones too.

    check.py [NAME ...]

An example's folder has input.txt (standard input), args.txt (one argument a line; none without it), expected.txt
(standard output) and status.txt (the exit status). Needs: pip install wasmtime==50.0.1
"""

import gzip
import pathlib
import sys
import tempfile

import wasmtime

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ["brainfuck", "deflate", "json", "lisp", "perft"]
TEXT = b"".join(b"line %d of some text, and some more\n" % i for i in range(3000))
KIWIPETE = "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"
ENDGAME = "8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1"
PROMOTIONS = "r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1"

# Name, arguments, standard input; exit status, standard output, standard error.
CASES = [
    ("brainfuck", [], b"", 0, b"", b""),
    ("brainfuck", [], b",[.,]!echo", 0, b"echo", b""),
    ("brainfuck", ["-e", "+++[>+++++[>++++<-]<-]>>+++++."], b"", 0, b"A", b""),
    ("brainfuck", ["-e", "+[\n"], b"", 1, b"", b"brainfuck: line 1, column 2: '[' without ']'\n"),
    ("brainfuck", ["-e", "\n ]"], b"", 1, b"", b"brainfuck: line 2, column 2: ']' without '['\n"),
    ("brainfuck", ["-e", "<"], b"", 1, b"", b"brainfuck: line 1, column 1: the tape has no cell -1, only 0 to 29999\n"),
    ("brainfuck", [], b"[" * 100000 + b"]" * 100000, 0, b"", b""),
    ("brainfuck", ["missing.b"], b"", 1, b"", b"brainfuck: missing.b can't be opened\n"),
    ("brainfuck", ["-e"], b"", 2, b"", b"usage: brainfuck [FILE | -e TEXT]\n"),
    ("deflate", ["-d"], gzip.compress(TEXT), 0, TEXT, b""),
    ("deflate", ["-d"], gzip.compress(TEXT, 1) + gzip.compress(b""), 0, TEXT, b""),
    ("deflate", ["-d"], gzip.compress(bytes(range(256)) * 400, 0), 0, bytes(range(256)) * 400, b""),
    ("deflate", ["-d"], b"", 1, b"", b"deflate: the input ends too early\n"),
    ("deflate", ["-d"], b"garbage", 1, b"", b"deflate: the input is not in gzip format\n"),
    ("deflate", ["-d"], gzip.compress(b"")[:-1], 1, b"", b"deflate: the input ends too early\n"),
    ("deflate", ["-d"], gzip.compress(b"")[:-8] + bytes(7) + b"\1", 1, b"", b"deflate: the data is damaged: its length is wrong\n"),
    ("deflate", ["-x"], b"", 2, b"", b"usage: deflate [-d] < INPUT > OUTPUT\n"),
    ("json", ["--compact"], b' [1, {"a" : "\\u00e9"}] ', 0, b'[1,{"a":"\\u00e9"}]\n', b""),
    ("json", [], b"[[], {}]", 0, b"[\n  [],\n  {}\n]\n", b""),
    ("json", [], b"", 1, b"", b"json: line 1, column 1: a value is missing\n"),
    ("json", [], b"[1,\n 01]", 1, b"", b"json: line 2, column 2: a number may not begin with 0\n"),
    ("json", [], '"é" x'.encode(), 1, b"", b"json: line 1, column 5: nothing may follow the value\n"),
    ("json", [], b'"\xc3"', 1, b"", b"json: line 1, column 2: this is not UTF-8\n"),
    ("json", ["--compact"], b"[" * 1000 + b"]" * 1000, 0, b"[" * 1000 + b"]" * 1000 + b"\n", b""),
    ("json", [], b"[" * 100000, 1, b"", b"json: line 1, column 1001: arrays and objects are nested too deep\n"),
    ("json", ["--other"], b"", 2, b"", b"usage: json [--compact] [--sort-keys] < INPUT\n"),
    ("lisp", [], b"", 0, b"", b""),
    ("lisp", [], b"(+ 9223372036854775807 1) 2", 1, b"2\n", b"lisp: line 1: +: the result is too large\n"),
    ("lisp", [], b"1\n(car '())", 1, b"1\n", b"lisp: line 2: () is no pair\n"),
    ("lisp", [], b"(list 1", 1, b"", b"lisp: line 1: the input ends within an expression\n"),
    ("lisp", [], b"(define (f n) (+ 1 (f n))) (f 1)", 1, b"", b"lisp: line 1: nested too deep\n"),
    ("lisp", [], b"(define (f n) (map f '(1))) (f 1)", 1, b"", b"lisp: line 1: nested too deep\n"),
    ("lisp", [], b"(" * 100000, 1, b"", b"lisp: line 1: nested too deep\n"),
    ("lisp", [], b"(let loop ((n 20000)) (if (= n 0) 'done (loop (- n 1))))", 0, b"done\n", b""),
    ("lisp", ["x"], b"", 2, b"", b"usage: lisp < PROGRAM\n"),
    ("perft", [], b"", 0, b"", b""),
    ("perft", [], b"0 startpos\n1 startpos\n2 startpos\n3 startpos\n4 startpos\n", 0, b"1\n20\n400\n8902\n197281\n", b""),
    ("perft", [], f"1 {KIWIPETE}\n2 {KIWIPETE}\n3 {KIWIPETE}\n".encode(), 0, b"48\n2039\n97862\n", b""),
    ("perft", ["4", *ENDGAME.split()], b"", 0, b"43238\n", b""),
    ("perft", ["3", PROMOTIONS], b"", 0, b"9467\n", b""),
    ("perft", [], b"1 8/8/8/8/8/8/8/8 w - -\n", 1, b"", b"perft: line 1: a king is missing\n"),
    ("perft", ["x"], b"", 1, b"", b"perft: the depth is no number from 0 to 20\nusage: perft [--divide] [DEPTH FEN]\n"),
]


def run(engine, module, name, arguments, stdin):
    """The exit status, standard output and standard error of a run."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "stdin").write_bytes(stdin)
        config = wasmtime.WasiConfig()
        config.argv = [name, *arguments]
        config.stdin_file = str(folder / "stdin")
        config.stdout_file = str(folder / "stdout")
        config.stderr_file = str(folder / "stderr")
        store = wasmtime.Store(engine)
        store.set_wasi(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        status = 0
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as exit:
            status = exit.code
        except wasmtime.Trap as trap:
            status = str(trap)
        return status, (folder / "stdout").read_bytes(), (folder / "stderr").read_bytes()


def main():
    names = sys.argv[1:] or NAMES
    engine = wasmtime.Engine()
    modules = {name: wasmtime.Module.from_file(engine, str(HERE / name / f"{name}.wasm")) for name in names}
    failures = runs = 0

    def check(name, arguments, stdin, *expected):
        nonlocal failures, runs
        runs += 1
        outcome = run(engine, modules[name], name, arguments, stdin)
        if outcome != expected:
            failures += 1
            print(f"{name} {arguments} {stdin[:60]}: {outcome} instead of {expected}")
        return outcome[1]

    for name in names:
        folder = HERE / name
        arguments = folder / "args.txt"
        check(
            name,
            arguments.read_text().splitlines() if arguments.exists() else [],
            (folder / "input.txt").read_bytes(),
            int((folder / "status.txt").read_text()),
            (folder / "expected.txt").read_bytes(),
            b"",
        )
    for name, *case in CASES:
        if name in names:
            check(name, *case)
    if "deflate" in names:
        for data in b"", b"a", TEXT, bytes(200_000), bytes(range(256)) * 300:
            compressed = run(engine, modules["deflate"], "deflate", [], data)[1]
            check("deflate", ["-d"], compressed, 0, data, b"")
            failures += gzip.decompress(compressed) != data
    print(f"{runs - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
