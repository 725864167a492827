"""Runs WASI programs in wasmtime, with its own WASI and real folders, for `tests/tests/wasi.rs`.

    oracle.py themes                the programs of themes.py
    oracle.py random FIRST COUNT    random programs, by seed (fuzz.py)

prints a line of JSON for each program: its text, what it is given (with its tree as an archive), and what came of it.

Comments at the top of a program say what it is run with:

    ;; args: name one two           (Python's shlex; the first is the program's own name)
    ;; env: A=1 B=2
    ;; stdin: text with \\n and \\x00
    ;; tree: NAME                   trees/NAME.tree
    ;; only: ours                   not run in wasmtime; expected/NAME.out has what it must print

A tree is a text file. Each line makes an entry:

    label NAME                      a directory that is open from the beginning (by default there is one, "/")
    dir NAME [TIME]
    file NAME TEXT [TIME]           TEXT is a Python string literal, or the number of bytes of a pattern
    link NAME TARGET [TIME]         a symbolic link
    hard NAME TARGET                a hard link
"""

import ast, base64, io, json, os, shlex, shutil, sys, tarfile, tempfile
import wasmtime

HERE = os.path.dirname(os.path.abspath(__file__))

config = wasmtime.Config()
config.consume_fuel = True
ENGINE = wasmtime.Engine(config)


# Trees


def pattern(n):
    return bytes((i * 7 + i // 251) & 255 for i in range(n))


class Tree:
    def __init__(self, text):
        """roots: list of (label, entries); an entry is a tuple kind, name, content or target, time."""
        self.roots = []
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            words = split(line)
            kind = words[0]
            if kind == "label":
                self.roots.append((words[1], []))
                continue
            if not self.roots:
                self.roots.append(("/", []))
            time = 1000000000
            if kind == "dir":
                name, value, rest = words[1], None, words[2:]
            else:
                name, value, rest = words[1], words[2], words[3:]
            if kind == "file":
                value = pattern(value) if isinstance(value, int) else value
                value = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
            if rest:
                time = rest[0]
            self.roots[-1][1].append((kind, name, value, time))
        self.labels = "label " in text

    def folders(self, base):
        """Makes the folders; returns pairs label, path."""
        result = []
        for i, (label, entries) in enumerate(self.roots):
            root = os.path.join(base, str(i))
            os.mkdir(root)
            times = []
            for kind, name, value, time in entries:
                path = os.path.join(root, name).rstrip("/") if kind != "dir" else os.path.join(root, name)
                if kind == "dir":
                    os.makedirs(path, exist_ok=True)
                else:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                if kind == "file":
                    with open(path, "wb") as f:
                        f.write(value)
                elif kind == "link":
                    os.symlink(value, path)
                elif kind == "hard":
                    os.link(os.path.join(root, value), path, follow_symlinks=False)
                if kind != "hard":
                    times.append((path, time))
            # Directories that no entry is for have no time.
            for folder, _, _ in os.walk(root):
                os.utime(folder, ns=(0, 0))
            for path, time in times:
                ns = to_ns(time)
                os.utime(path, ns=(ns, ns), follow_symlinks=False)
            result.append((label, root))
        return result


def archive_of(folders, labels, format=tarfile.PAX_FORMAT):
    """Returns the archive of folders, with entries in the order in which the system lists them."""
    out = io.BytesIO()
    for label, root in folders:
        if labels:
            info = tarfile.TarInfo(label)
            info.type = b"V"
            out.write(info.tobuf(format))
        seen = {}

        def add(path, name):
            stat = os.lstat(path)
            info = tarfile.TarInfo(name or ".")
            info.mtime = stat.st_mtime_ns // 10**9
            if stat.st_mtime_ns % 10**9:
                info.pax_headers["mtime"] = f"{stat.st_mtime_ns // 10**9}.{stat.st_mtime_ns % 10**9:09}"
            data = b""
            if os.path.islink(path):
                info.type, info.linkname = b"2", os.readlink(path)
            elif os.path.isdir(path):
                info.type = b"5"
            else:
                data = open(path, "rb").read()
            if info.type != b"5" and stat.st_ino in seen:
                info.type, info.linkname, data = b"1", seen[stat.st_ino], b""
            seen[stat.st_ino] = name
            info.size = len(data)
            out.write(info.tobuf(format))
            out.write(data + bytes(-len(data) % 512))
            if info.type == b"5":
                with os.scandir(path) as entries:
                    for entry in list(entries):
                        add(entry.path, name + "/" + entry.name if name else entry.name)

        add(root, "")
    out.write(bytes(1024))
    return out.getvalue()


def to_ns(time):
    from fractions import Fraction

    return int(Fraction(str(time)) * 10**9)


def split(line):
    words = []
    line = line.strip()
    while line:
        if line[0] in "'\"b" and (line[0] != "b" or line[1:2] in ("'", '"')):
            quote = line[0] if line[0] != "b" else line[1]
            end = line.index(quote, 2 if line[0] == "b" else 1)
            while line[end - 1] == "\\" and line[end - 2] != "\\":
                end = line.index(quote, end + 1)
            words.append(ast.literal_eval(line[: end + 1]))
            line = line[end + 1 :].lstrip()
        else:
            word, _, line = line.partition(" ")
            line = line.lstrip()
            if words and words[0] != "label":
                try:
                    word = int(word)
                except ValueError:
                    try:
                        word = float(word)
                    except ValueError:
                        pass
                if not isinstance(word, str) and len(words) == 1:
                    word = str(word)
            words.append(word)
    return words


# Programs


class Program:
    def __init__(self, code, args=("prog",), env=(), stdin=b"", tree=None, only=None):
        self.code, self.args, self.env, self.stdin, self.tree, self.only = code, list(args), list(env), stdin, tree, only


def load(text):
    """Returns the program of a text with a header."""
    program = Program(text)
    for line in text.splitlines():
        if not line.startswith(";;"):
            break
        key, colon, value = line[2:].strip().partition(":")
        value = value.strip()
        if not colon:
            continue
        if key == "args":
            program.args = shlex.split(value)
        elif key == "env":
            program.env = shlex.split(value)
        elif key == "stdin":
            program.stdin = ast.literal_eval("b'" + value.replace("'", "\\'") + "'") if not value.startswith("pattern ") else pattern(int(value.split()[1]))
        elif key == "tree":
            program.tree = Tree(open(os.path.join(HERE, "trees", value + ".tree"), encoding="utf-8").read())
        elif key == "only":
            program.only = value
    return program


class Outcome:
    def __init__(self, stdout, stderr, status, fuel):
        self.stdout, self.stderr, self.status, self.fuel = stdout, stderr, status, fuel

    def __eq__(self, other):
        return (self.stdout, self.stderr, self.status) == (other.stdout, other.stderr, other.status)


FUEL = 2_000_000_000


def finish(store, run):
    """Runs; returns the exit status, or the kind of trap."""
    try:
        run()
        return 0
    except wasmtime.ExitTrap as e:
        return e.code
    except (wasmtime.Trap, wasmtime.WasmtimeError) as e:
        text = str(e)
        if "all fuel consumed" in text:
            return "fuel"
        return "trap: " + text.strip().splitlines()[-1].strip()


def run_wasmtime(program, folders=None):
    base = tempfile.mkdtemp(prefix="wasi")
    try:
        if folders is None:
            folders = program.tree.folders(base) if program.tree else []
        store = wasmtime.Store(ENGINE)
        store.set_fuel(FUEL)
        wasi = wasmtime.WasiConfig()
        wasi.argv = program.args
        wasi.env = [tuple(e.split("=", 1)) for e in program.env]
        with open(base + "/stdin", "wb") as f:
            f.write(program.stdin)
        wasi.stdin_file = base + "/stdin"
        wasi.stdout_file = base + "/stdout"
        wasi.stderr_file = base + "/stderr"
        for label, path in folders:
            wasi.preopen_dir(path, label, False)
        store.set_wasi(wasi)
        linker = wasmtime.Linker(ENGINE)
        linker.define_wasi()
        instance = linker.instantiate(store, wasmtime.Module(ENGINE, wasmtime.wat2wasm(program.code)))
        start = instance.exports(store)["_start"]
        status = finish(store, lambda: start(store))
        fuel = FUEL - store.get_fuel()
        return Outcome(open(base + "/stdout", "rb").read(), open(base + "/stderr", "rb").read(), status, fuel)
    finally:
        shutil.rmtree(base)




def described(name, program):
    """Runs a program, and returns all that a test needs to know about it."""
    base = tempfile.mkdtemp(prefix="wasi")
    try:
        folders = program.tree.folders(base) if program.tree else []
        # The entries are in the order in which the system lists them, as they are in wasmtime.
        archive = archive_of(folders, program.tree.labels) if program.tree else b""
        encoded = lambda data: base64.b64encode(data).decode()
        strings = lambda texts: encoded(b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in texts))
        given = {
            "name": name,
            "text": program.code,
            "argv": strings(program.args),
            "environ": strings(program.env),
            "stdin": encoded(program.stdin),
            "files": encoded(archive),
        }
        if program.only == "ours":
            return given
        outcome = run_wasmtime(program, folders)
        return given | {
            "stdout": encoded(outcome.stdout),
            "stderr": encoded(outcome.stderr),
            "status": outcome.status,
        }
    finally:
        shutil.rmtree(base)


def programs(kind, *numbers):
    if kind == "themes":
        import themes

        return ((name, load(writer.wat())) for name, writer in themes.all())
    import fuzz

    first, count = map(int, numbers)
    return ((str(seed), fuzz.random_program(seed)) for seed in range(first, first + count))


if __name__ == "__main__":
    for name, program in programs(*sys.argv[1:]):
        try:
            print(json.dumps(described(name, program)), flush=True)
        except OSError:
            # A tree that this system cannot make.
            pass
