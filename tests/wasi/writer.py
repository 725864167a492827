"""Writes programs in WebAssembly text that make WASI calls and print what these return."""

SIGNATURES = {
    "args_get": "ii", "args_sizes_get": "ii", "environ_get": "ii", "environ_sizes_get": "ii", "clock_res_get": "ii",
    "clock_time_get": "iIi", "fd_advise": "iIIi", "fd_allocate": "iII", "fd_close": "i", "fd_datasync": "i",
    "fd_fdstat_get": "ii", "fd_fdstat_set_flags": "ii", "fd_fdstat_set_rights": "iII", "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI", "fd_filestat_set_times": "iIIi", "fd_pread": "iiiIi", "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii", "fd_pwrite": "iiiIi", "fd_read": "iiii", "fd_readdir": "iiiIi", "fd_renumber": "ii",
    "fd_seek": "iIii", "fd_sync": "i", "fd_tell": "ii", "fd_write": "iiii", "path_create_directory": "iii",
    "path_filestat_get": "iiiii", "path_filestat_set_times": "iiiiIIi", "path_link": "iiiiiii",
    "path_open": "iiiiiIIii", "path_readlink": "iiiiii", "path_remove_directory": "iii", "path_rename": "iiiiii",
    "path_symlink": "iiiii", "path_unlink_file": "iii", "poll_oneoff": "iiii", "proc_raise": "i", "sched_yield": "",
    "random_get": "ii", "sock_accept": "iii", "sock_recv": "iiiiii", "sock_send": "iiiii", "sock_shutdown": "ii",
    "proc_exit": "i",
}

# A program's memory: a buffer for printing, then texts, then room for results.
PRINT, TEXT, ROOM, PAGES = 0, 1024, 65536, 2
END = PAGES * 65536

PRELUDE = """
  ;; Prints bytes.
  (func $print (param $address i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $address))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $out (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  ;; Prints a label, a number and a new line.
  (func $say (param $label i32) (param $length i32) (param $number i32)
    (local $at i32)
    (call $print (local.get $label) (local.get $length))
    (local.set $at (i32.const 63))
    (i32.store8 (i32.const 63) (i32.const 10))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (br_if $digit (local.tee $number (i32.div_u (local.get $number) (i32.const 10)))))
    (i32.store8 (local.tee $at (i32.sub (local.get $at) (i32.const 1))) (i32.const 32))
    (call $print (local.get $at) (i32.sub (i32.const 64) (local.get $at))))

  ;; The same, for a call that must be refused. wasmtime's reason is not ours: it takes the directories for ones whose
  ;; permissions are missing (PERM 63), or says NOTSUP 58 or NOTSOCK 57; we say ROFS 69 or NOSYS 52.
  (func $refused (param $label i32) (param $length i32) (param $error i32)
    (local.set $error (select (i32.const 69) (local.get $error)
      (i32.or
        (i32.or (i32.eq (local.get $error) (i32.const 63)) (i32.eq (local.get $error) (i32.const 58)))
        (i32.or (i32.eq (local.get $error) (i32.const 57)) (i32.eq (local.get $error) (i32.const 52))))))
    (call $say (local.get $label) (local.get $length) (local.get $error)))

  ;; Prints bytes in hexadecimal, on lines of 32.
  (func $dump (param $address i32) (param $length i32)
    (local $at i32) (local $byte i32)
    (loop $next
      (if (i32.eqz (local.get $length)) (then (return)))
      (local.set $byte (i32.load8_u (local.get $address)))
      (i32.store8 (i32.add (local.get $at) (i32.const 64)) (call $digit (i32.shr_u (local.get $byte) (i32.const 4))))
      (i32.store8 (i32.add (local.get $at) (i32.const 65)) (call $digit (i32.and (local.get $byte) (i32.const 15))))
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (local.set $address (i32.add (local.get $address) (i32.const 1)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (if (i32.or (i32.eq (local.get $at) (i32.const 64)) (i32.eqz (local.get $length)))
        (then
          (i32.store8 (i32.add (local.get $at) (i32.const 64)) (i32.const 10))
          (call $print (i32.const 64) (i32.add (local.get $at) (i32.const 1)))
          (local.set $at (i32.const 0))))
      (br $next)))

  (func $digit (param $value i32) (result i32)
    (i32.add (local.get $value) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $value) (i32.const 9)))))

  ;; Prints the sum of bytes, each multiplied by its place.
  (func $sum (param $address i32) (param $length i32)
    (local $sum i32) (local $at i32)
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $length))
        (then
          (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31))
            (i32.load8_u (i32.add (local.get $address) (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (call $say (i32.const 96) (i32.const 3) (local.get $sum)))
  (data (i32.const 96) "sum")

  ;; Prints a filestat: type and the bytes that must stay as they were, links, size and when it was written. Whether the
  ;; device is 0 is all that is known of it, and of the inode, whether it is 0. A directory may have any size.
  (func $stat (param $address i32)
    (i64.store (local.get $address) (i64.extend_i32_u (i64.ne (i64.load (local.get $address)) (i64.const 0))))
    (i64.store offset=8 (local.get $address)
      (i64.extend_i32_u (i64.ne (i64.load offset=8 (local.get $address)) (i64.const 0))))
    (if (i32.eq (i32.load8_u offset=16 (local.get $address)) (i32.const 3))
      (then (i64.store offset=32 (local.get $address) (i64.const 0))))
    (i64.store offset=40 (local.get $address) (i64.const 0))
    (i64.store offset=56 (local.get $address) (i64.const 0))
    (call $dump (local.get $address) (i32.const 64)))

  ;; Prints the entries that fd_readdir wrote, but for their inodes.
  (func $entries (param $address i32) (param $length i32)
    (local $name i32)
    (loop $next
      (if (i32.lt_u (local.get $length) (i32.const 24)) (then
        (call $say (i32.const 100) (i32.const 4) (local.get $length))
        (return)))
      (call $dump (local.get $address) (i32.const 8))
      (call $dump (i32.add (local.get $address) (i32.const 16)) (i32.const 5))
      (local.set $name (i32.load offset=16 (local.get $address)))
      (local.set $address (i32.add (local.get $address) (i32.const 24)))
      (local.set $length (i32.sub (local.get $length) (i32.const 24)))
      (if (i32.gt_u (local.get $name) (local.get $length)) (then (local.set $name (local.get $length))))
      (call $print (local.get $address) (local.get $name))
      (call $say (i32.const 100) (i32.const 4) (local.get $name))
      (local.set $address (i32.add (local.get $address) (local.get $name)))
      (local.set $length (i32.sub (local.get $length) (local.get $name)))
      (br $next)))
  (data (i32.const 100) " end")

  (func $fill (param $address i32) (param $length i32)
    (memory.fill (local.get $address) (i32.const 0xaa) (local.get $length)))
"""


def quote(data):
    out = ""
    for byte in data:
        out += chr(byte) if 32 <= byte < 127 and byte not in (34, 92) else f"\\{byte:02x}"
    return out


class Writer:
    """Collects the calls of a program."""

    def __init__(self, header=()):
        self.header, self.lines, self.texts, self.data, self.used = list(header), [], {}, b"", {"fd_write"}

    def text(self, data):
        """Puts text into memory; returns address and length."""
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        if data not in self.texts:
            at = self.data.find(data) if data else 0
            if at < 0:
                at = len(self.data)
                self.data += data
            self.texts[data] = TEXT + at
            assert TEXT + len(self.data) < ROOM
        return self.texts[data], len(data)

    def raw(self, line):
        self.lines.append(line)

    def comment(self, text):
        self.raw(f";; {text}")

    def label(self, text):
        at, n = self.text(text + "\n")
        self.raw(f"(call $print (i32.const {at}) (i32.const {n}))")

    def store(self, address, *values):
        """Stores values: ints are 32-bit, (64, v), (16, v), (8, v)."""
        for value in values:
            bits, value = value if isinstance(value, tuple) else (32, value)
            op = {32: "i32.store", 64: "i64.store", 16: "i32.store16", 8: "i32.store8"}[bits]
            const = "i64" if bits == 64 else "i32"
            self.raw(f"({op} (i32.const {address}) ({const}.const {value}))")
            address += bits // 8

    def expression(self, name, args):
        self.used.add(name)
        types = SIGNATURES[name]
        assert len(types) == len(args), (name, args)
        out = []
        for type, arg in zip(types, args):
            if isinstance(arg, str):
                out.append(arg)
            elif type == "i":
                out.append(f"(i32.const {arg & 0xffffffff if arg >= 0 else arg})")
            else:
                out.append(f"(i64.const {arg})")
        return "(call $" + " ".join([name] + out) + ")"

    def call(self, name, *args, note="", refused=False):
        """Makes a call and prints its error. A text in place of an address and a length is both."""
        flat = []
        for arg in args:
            if isinstance(arg, (bytes, P)):
                flat.extend(self.text(arg.data if isinstance(arg, P) else arg))
            else:
                flat.append(arg)
        at, n = self.text(name + (" " + note if note else ""))
        how = "refused" if refused else "say"
        self.raw(f"(call ${how} (i32.const {at}) (i32.const {n}) {self.expression(name, flat)})")

    def dump(self, address, length):
        self.raw(f"(call $dump (i32.const {address}) (i32.const {length}))")

    def sum(self, address, length):
        self.raw(f"(call $sum (i32.const {address}) (i32.const {length}))")

    def stat(self, address=None):
        self.raw(f"(call $stat (i32.const {address or ROOM}))")

    def entries(self, address, length_at):
        self.raw(f"(call $entries (i32.const {address}) (i32.load (i32.const {length_at})))")

    def fill(self, address=ROOM, length=256):
        self.raw(f"(call $fill (i32.const {address}) (i32.const {length}))")

    def iovec(self, address, *pairs):
        self.store(address, *[v for pair in pairs for v in pair])

    def wat(self):
        out = [f";; {line}" for line in self.header] + ["(module"]
        letters = {"i": "i32", "I": "i64"}
        for name in sorted(self.used):
            types = " ".join(letters[t] for t in SIGNATURES[name])
            params = f" (param {types})" if types else ""
            result = "" if name == "proc_exit" else " (result i32)"
            out.append(f'  (import "wasi_snapshot_preview1" "{name}" (func ${name}{params}{result}))')
        out.append(f'  (memory (export "memory") {PAGES})')
        for at in range(0, len(self.data), 64):
            out.append(f'  (data (i32.const {TEXT + at}) "{quote(self.data[at:at + 64])}")')
        out.append(PRELUDE.rstrip().replace("$out", "$fd_write").lstrip("\n"))
        out.append('\n  (func (export "_start")')
        out.extend("    " + line for line in sorted(self.lines, key=lambda line: not line.startswith("(local $")))
        out[-1] += "))"
        if out[-1].lstrip().startswith(";;"):
            out[-1] = out[-1][:-2]
            out.append("  ))")
        return "\n".join(out) + "\n"


class P:
    """A path or another text."""

    def __init__(self, data):
        self.data = data
