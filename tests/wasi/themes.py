"""The programs by theme: each makes the calls of one theme in many ways, errors included."""

from writer import *

A, B, C, D = ROOM, ROOM + 4096, ROOM + 8192, ROOM + 16384
READ, WRITE = 2, 0x40
FOLLOW = 1
CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8

THEMES = []


def theme(*header):
    def add(f):
        THEMES.append((f.__name__, list(header), f))
        return f

    return add


def all():
    for name, header, f in THEMES:
        doc = f.__doc__.strip().split("\n")
        w = Writer([line.strip() for line in doc] + header)
        f(w)
        yield name, w


def both(w, name, path, *rest, fd=3):
    """A call with a path, with and without following links."""
    for follow in (0, 1):
        w.call(name, fd, follow, P(path), *rest, note=f"{show(path)} follow={follow}")


def show(path):
    text = path if isinstance(path, str) else path.decode("utf-8", "backslashreplace")
    text = text.encode("unicode_escape").decode() if any(ord(c) < 32 for c in text) else text
    return repr(text if len(text) < 60 else text[:20] + "..." + text[-20:] + f" ({len(text)})")


def open_path(w, path, fd=3, follow=1, how=0, rights=READ, flags=0, refused=False):
    w.store(A, -1)
    note = show(path) + (f" fd={fd}" if fd != 3 else "") + (" nofollow" if not follow else "") + (f" how={how}" if how else "") + (f" rights={rights}" if rights != READ else "") + (f" flags={flags}" if flags else "")
    w.call("path_open", fd, follow, P(path), how, rights, 0, flags, A, note=note, refused=refused)
    w.dump(A, 4)


def read(w, fd, size, at=C, result=B):
    w.fill(at, size + 8)
    w.iovec(A, (at, size))
    w.store(result, -1)
    w.call("fd_read", fd, A, 1, result, note=f"fd={fd} size={size}")
    w.dump(result, 4)


@theme("args: program one 'two words' '' ünïcödé", "env: A=1 EMPTY= PATH=/usr/bin:/bin LONG=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
def args(w):
    """Arguments and environment."""
    w.fill()
    w.call("args_sizes_get", A, A + 4)
    w.call("environ_sizes_get", A + 8, A + 12)
    w.dump(A, 20)
    w.fill(A, 512)
    w.call("args_get", A, A + 64)
    w.dump(A, 128)
    w.fill(A, 512)
    w.call("environ_get", A, A + 64)
    w.dump(A, 192)
    w.comment("Once more, at the end of memory.")
    w.call("args_sizes_get", A, A + 4)
    w.raw(f"(call $say (i32.const 96) (i32.const 3) (call $args_get (i32.const {A + 64}) (i32.sub (i32.const {END}) (i32.load (i32.const {A + 4})))))")
    w.dump(END - 24, 24)
    w.call("environ_sizes_get", END - 4, END - 8)
    w.dump(END - 8, 8)


@theme("args: ''")
def no_environment(w):
    """An empty environment, and one argument that is empty."""
    w.fill()
    w.call("args_sizes_get", A, A + 4)
    w.call("environ_sizes_get", A + 8, A + 12)
    w.call("environ_get", A + 16, A + 24)
    w.call("args_get", A + 32, A + 40)
    w.dump(A, 64)


@theme("stdin: first line\\nsecond\\x00\\xff and the rest")
def streams(w):
    """Standard input, output and error, without any directory."""
    w.label("writing")
    w.iovec(A, (C, 0), (C + 10, 0), (C, 3), (C + 3, 5))
    w.store(C, *[(8, b) for b in b"abcdefgh"])
    for count, fd in ((4, 1), (4, 2), (2, 1), (0, 1), (0, 2), (3, 2)):
        w.store(B, -1)
        w.call("fd_write", fd, A, count, B, note=f"fd={fd} count={count}")
        w.dump(B, 4)
    w.store(A, END - 5, 5)
    w.store(END - 5, *[(8, b) for b in b"12345"])
    w.call("fd_write", 2, A, 1, END - 12, note="at the end of memory")
    w.dump(END - 12, 12)
    for fd in (0, 3, 4, 99, -1, 0x7fffffff):
        w.store(B, -1)
        w.call("fd_write", fd, A, 1, B, note=f"fd={fd}")
        w.call("fd_read", fd if fd else 1, A, 1, B, note=f"fd={fd if fd else 1}")
        w.call("fd_read", 2, A, 1, B, note="fd=2")
        w.dump(B, 4)
    w.label("what streams cannot do")
    for fd in (0, 1, 2, 3):
        w.store(B, -1)
        w.store(A, C, 8)
        w.call("fd_pread", fd, A, 1, 0, B, note=f"fd={fd}")
        w.call("fd_pwrite", fd, A, 1, 0, B, note=f"fd={fd}")
        for whence in (0, 1, 2):
            w.call("fd_seek", fd, 0, whence, B, note=f"fd={fd} whence={whence}")
        w.call("fd_tell", fd, B, note=f"fd={fd}")
        w.call("fd_sync", fd, note=f"fd={fd}")
        w.call("fd_datasync", fd, note=f"fd={fd}")
        w.call("fd_advise", fd, 0, 0, 0, note=f"fd={fd}")
        w.call("fd_allocate", fd, 0, 1, note=f"fd={fd}")
        w.call("fd_filestat_set_size", fd, 0, note=f"fd={fd}")
        w.call("fd_filestat_set_times", fd, 0, 0, 0, note=f"fd={fd}")
        w.call("fd_filestat_set_times", fd, 0, 0, 3, note=f"fd={fd} flags=3")
        w.call("fd_filestat_set_times", fd, 0, 0, 12, note=f"fd={fd} flags=12")
        w.call("fd_fdstat_set_flags", fd, 1, note=f"fd={fd}")
        w.call("fd_fdstat_set_rights", fd, 0, 0, note=f"fd={fd}")
        w.call("fd_readdir", fd, C, 100, 0, B, note=f"fd={fd}")
        w.call("fd_prestat_get", fd, B, note=f"fd={fd}")
        w.call("fd_prestat_dir_name", fd, B, 10, note=f"fd={fd}")
        w.call("path_open", fd, 0, P("x"), 0, 0, 0, 0, B, note=f"fd={fd}")
        w.call("path_filestat_get", fd, 0, P("x"), B, note=f"fd={fd}")
        w.call("path_readlink", fd, P("x"), C, 10, B, note=f"fd={fd}")
        w.dump(B, 8)
    w.label("reading")
    read(w, 0, 0)
    read(w, 0, 3)
    w.dump(C, 5)
    w.iovec(A, (C, 0), (C + 1, 4), (C + 5, 100))
    w.fill(C, 32)
    w.call("fd_read", 0, A, 3, B, note="the first buffer that is not empty")
    w.dump(B, 4)
    w.dump(C, 16)
    w.call("fd_read", 0, A, 1, B, note="only an empty buffer")
    w.call("fd_read", 0, A, 0, B, note="no buffer")
    read(w, 0, 1000)
    w.dump(C, 40)
    read(w, 0, 1000)
    read(w, 0, 0)
    read(w, 0, 1)
    w.label("status")
    for fd in (0, 1, 2, 3):
        w.fill()
        w.call("fd_fdstat_get", fd, A, note=f"fd={fd}")
        w.dump(A, 32)
        w.fill()
        w.call("fd_filestat_get", fd, A, note=f"fd={fd}")
        w.dump(A, 72)
    w.label("closing")
    w.call("fd_close", 0)
    w.call("fd_close", 0)
    read(w, 0, 1)
    w.call("fd_renumber", 2, 0)
    w.call("fd_close", 2)
    w.call("fd_renumber", 1, 2)
    w.call("fd_close", 3)


@theme("stdin: pattern 30000")
def long_input(w):
    """Reads all of standard input, 1,000 bytes at a time, and copies it to standard error."""
    w.used.add("fd_read")
    w.raw(f"""(block $end (loop $next
      (i32.store (i32.const {A}) (i32.const {C})) (i32.store (i32.const {A + 4}) (i32.const 1000))
      (br_if $end (call $fd_read (i32.const 0) (i32.const {A}) (i32.const 1) (i32.const {B})))
      (br_if $end (i32.eqz (i32.load (i32.const {B}))))
      (i32.store (i32.const {A + 4}) (i32.load (i32.const {B})))
      (call $sum (i32.const {C}) (i32.load (i32.const {B})))
      (drop (call $fd_write (i32.const 2) (i32.const {A}) (i32.const 1) (i32.const {B})))
      (br $next)))""")
    w.label("end")


@theme("tree: files")
def files(w):
    """Reading files."""
    open_path(w, "ten")
    open_path(w, "empty")
    open_path(w, "big")
    open_path(w, "ten")
    w.label("reading")
    for size in (0, 3, 4, 100, 100, 0):
        read(w, 4, size)
        w.dump(C, 12)
    read(w, 5, 10)
    read(w, 7, 2)
    w.dump(C, 3)
    w.iovec(A, (C, 0), (C, 0), (C, 5), (C + 5, 5))
    w.call("fd_read", 7, A, 4, B, note="the first buffer that is not empty")
    w.dump(B, 4)
    w.call("fd_read", 7, A, 2, B, note="empty buffers")
    w.call("fd_read", 7, A, 0, B, note="no buffer")
    w.dump(B, 4)
    w.label("seeking")
    for offset, whence in ((0, 0), (5, 0), (-1, 0), (1, 1), (-6, 1), (-1, 1), (0, 1), (2**40, 0), (1, 1), (0, 1), (-(2**40) - 2, 1), (0, 2), (-10, 2), (-11, 2), (5, 2),
                           (2**63 - 1, 0), (2**63 - 1, 1), (1, 1), (1, 1), (2**63 - 1, 2), (-(2**63), 0), (-(2**63), 1), (-(2**63), 2), (3, 0)):
        w.fill(B, 8)
        w.call("fd_seek", 4, offset, whence, B, note=f"{offset} {whence}")
        w.dump(B, 8)
        w.call("fd_tell", 4, B)
        w.dump(B, 8)
        w.iovec(A, (C, 4))
        w.call("fd_read", 4, A, 1, B)
        w.dump(B, 4)
    w.label("reading from a place")
    for offset, size in ((0, 4), (8, 4), (9, 1), (10, 1), (11, 5), (-1, 4), (2**63 - 1, 4), (2**63 - 1, 0), (2**63 - 4, 4), (2**63 - 5, 4), (-(2**63), 0), (2**32, 8), (2**32 + 3, 8), (0, 0)):
        w.fill(C, 8)
        w.iovec(A, (C, size))
        w.store(B, -1)
        w.call("fd_pread", 4, A, 1, offset, B, note=f"{offset} {size}")
        w.dump(B, 4)
        w.dump(C, 8)
    w.call("fd_tell", 4, B)
    w.dump(B, 8)
    w.label("a large file")
    for size in (60000, 50000, 50000, 1):
        w.iovec(A, (ROOM + 5000, size))
        w.call("fd_read", 6, A, 1, B, note=f"{size}")
        w.dump(B, 4)
        w.sum(ROOM + 5000, size)
    w.iovec(A, (1024 * 60, 70000))
    w.call("fd_pread", 6, A, 1, 100, B, note="at most 65,536 bytes")
    w.dump(B, 4)
    w.call("fd_seek", 6, 149990, 0, B)
    read(w, 6, 20)
    w.dump(C, 24)
    w.label("what files that are open for reading cannot do")
    w.iovec(A, (C, 4))
    w.call("fd_write", 4, A, 1, B)
    w.call("fd_write", 4, A, 0, B)
    w.call("fd_pwrite", 4, A, 1, 0, B)
    w.call("fd_pwrite", 4, A, 1, -1, B)
    w.call("fd_readdir", 4, C, 100, 0, B)
    w.call("fd_prestat_get", 4, B)
    w.call("fd_prestat_dir_name", 4, B, 10)
    w.call("path_open", 4, 0, P("x"), 0, 0, 0, 0, B)
    w.call("path_filestat_get", 4, 0, P("x"), B)
    w.call("path_readlink", 4, P("x"), C, 10, B)
    w.call("path_unlink_file", 4, P("x"))
    w.label("what they can do")
    w.call("fd_sync", 4)
    w.call("fd_datasync", 4)
    for offset, length, advice in ((0, 0, 0), (0, 100, 1), (5, 2**63 - 1, 2), (-1, 1, 3), (1, -1, 4), (2**63 - 1, 2**63 - 1, 5)):
        w.call("fd_advise", 4, offset, length, advice, note=f"{offset} {length} {advice}")
    w.label("status")
    for flags in (0, 1, 4, 5, 2, 8, 16, 31):
        w.call("fd_fdstat_set_flags", 4, flags, note=f"{flags}")
        w.fill()
        w.call("fd_fdstat_get", 4, A)
        w.dump(A, 32)
    w.call("fd_write", 4, A, 0, B, note="appending")
    w.call("fd_pwrite", 4, A, 0, -1, B, note="appending")
    for fd in (4, 5, 6):
        w.fill()
        w.call("fd_filestat_get", fd, A, note=f"fd={fd}")
        w.stat(A)


@theme("tree: files")
def directories(w):
    """Listing directories. Only those with one entry are listed in full, since their order is the system's."""
    open_path(w, "single", how=DIRECTORY)
    open_path(w, "none", how=DIRECTORY)
    open_path(w, "many")
    for size in (0, 1, 8, 23, 24, 25, 26, 48, 49, 50, 51, 52, 74, 75, 77, 78, 79, 80, 81, 200):
        w.fill(C, 256)
        w.store(B, -1)
        w.call("fd_readdir", 4, C, size, 0, B, note=f"size={size}")
        w.dump(B, 4)
        w.entries(C, B)
    for cookie in (0, 1, 2, 3, 4, 100, 2**31, 2**32, 2**32 + 1, 2**63, -1):
        w.fill(C, 256)
        w.store(B, -1)
        w.call("fd_readdir", 4, C, 200, cookie, B, note=f"cookie={cookie}")
        w.dump(B, 4)
        w.entries(C, B)
    w.label("an empty directory")
    for cookie in (0, 1, 2, 3):
        w.call("fd_readdir", 5, C, 200, cookie, B, note=f"cookie={cookie}")
        w.entries(C, B)
    w.label("many entries, in pieces of each size")
    # Sums up the types and the lengths of the names of all whole entries, as wasi-libc reads them.
    w.raw("(local $cookie i64) (local $at i32) (local $left i32) (local $sum i32) (local $calls i32) (local $size i32)")
    w.used.add("fd_readdir")
    w.raw(f"""(local.set $size (i32.const 60))
    (loop $sizes
      (local.set $cookie (i64.const 0)) (local.set $sum (i32.const 0)) (local.set $calls (i32.const 0))
      (block $end (loop $next
        (local.set $calls (i32.add (local.get $calls) (i32.const 1)))
        (br_if $end (call $fd_readdir (i32.const 6) (i32.const {C}) (local.get $size) (local.get $cookie) (i32.const {B})))
        (local.set $left (i32.load (i32.const {B})))
        (br_if $end (i32.eqz (local.get $left)))
        (local.set $at (i32.const {C}))
        (block $piece (loop $entry
          (br_if $piece (i32.lt_u (local.get $left) (i32.const 24)))
          (br_if $piece (i32.lt_u (local.get $left) (i32.add (i32.const 24) (i32.load offset=16 (local.get $at)))))
          (local.set $cookie (i64.load (local.get $at)))
          (local.set $sum (i32.add (local.get $sum) (i32.mul (i32.load8_u offset=20 (local.get $at)) (i32.load offset=16 (local.get $at)))))
          (local.set $left (i32.sub (local.get $left) (i32.add (i32.const 24) (i32.load offset=16 (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.add (i32.const 24) (i32.load offset=16 (local.get $at)))))
          (br $entry)))
        (br $next)))
      (call $say (i32.const 96) (i32.const 3) (local.get $sum))
      (local.set $size (i32.add (local.get $size) (i32.const 197)))
      (br_if $sizes (i32.lt_u (local.get $size) (i32.const 3000))))""")
    w.label("status")
    for fd in (3, 4, 5, 6):
        w.fill()
        w.call("fd_fdstat_get", fd, A, note=f"fd={fd}")
        w.dump(A, 32)
        w.fill()
        w.call("fd_filestat_get", fd, A, note=f"fd={fd}")
        w.stat(A)
    w.label("what directories cannot do")
    for fd in (3, 4):
        w.iovec(A, (C, 4))
        w.call("fd_read", fd, A, 1, B)
        w.call("fd_pread", fd, A, 1, 0, B)
        w.call("fd_write", fd, A, 1, B)
        w.call("fd_pwrite", fd, A, 1, 0, B)
        w.call("fd_seek", fd, 0, 0, B)
        w.call("fd_tell", fd, B)
        w.call("fd_sync", fd)
        w.call("fd_datasync", fd)
        w.call("fd_advise", fd, 0, 0, 0)
        w.call("fd_allocate", fd, 0, 1)
        w.call("fd_filestat_set_size", fd, 1)
        w.call("fd_fdstat_set_flags", fd, 0)
        w.call("fd_prestat_get", fd, B)
        w.call("fd_prestat_dir_name", fd, B, 10)


PATHS = ["", "a", "a/", "a//", "a/.", "a/./", "./a", ".//a", "a/one.txt", "a//one.txt", "./a/./one.txt", "a/one.txt/", "a/one.txt/.", "a/one.txt/..", "a/one.txt/x", "a/b/../one.txt",
         "a/b/deep.txt", "a/b/", "a/b/..", "a/..", "a/../", "a/../..", "a/../../a", "..", "../", "../a", ".", "./", "./.", "/", "//", "/a", "/a/one.txt", "missing", "missing/", "missing/x", "a/missing", "a/missing/..",
         "nothing", "nothing/", "empty", "empty/", "empty/..", "empty/x", "to_file", "to_file/", "to_file/.", "to_file/x", "to_dir", "to_dir/", "to_dir/.", "to_dir/..", "to_dir/../one.txt", "to_dir/deep.txt",
         "up", "up/", "up/x", "absolute", "absolute/", "loop", "loop/", "loop/x", "chain1", "chain1/", "chain2", "dangling", "dangling/", "dangling/x", "slash", "slash/", "slash/one.txt", "file_slash", "file_slash/",
         "dotdot", "dotdot/", "dotdot/one.txt", "dot", "dot/", "dot/a", "dot/dot/dot/a/b/../b", "a/b/back", "a/b/back/deep.txt", "a/b/back/back/back/deep.txt", "a/b/out", "a/b/out/a", "hard", "hard_link", "hard_link/",
         "wörld", "wörld/ß", "with space", "a\0", "\0", "a/one.txt\0x", b"\xff", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", "e\u0301",
         b"\xc1\xbf", b"\xc2\x80", b"\xdf\xbf", b"\xe0\x9f\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbf", b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf5\x80\x80\x80",
         b"\xf8\x88\x80\x80\x80", b"\x80", b"\xbf", b"abcdefg\xc3", b"abcdefgh\xe2\x82", *[b"a" * n + b"\0" + b"b" * (9 - n) for n in range(9)], b"a\x80", b"abcdefghi\xff",
         "x" * 255, "x" * 256, "x" * 257, "a/" + "x" * 256, "./" * 2047 + "a", "./" * 2048, "a" + "/" * 4094, "a" + "/" * 4095]


@theme("tree: paths")
def status(w):
    """Which files paths lead to, by their status."""
    for path in PATHS:
        for follow in (0, 1):
            w.fill(A, 64)
            w.call("path_filestat_get", 3, follow, P(path), A, note=f"{show(path)} follow={follow}")
            w.raw(f"(call $dump (i32.const {A + 16}) (i32.const 1)) (call $dump (i32.const {A + 48}) (i32.const 8))")
    for path in ("a", "a/one.txt", "hard", "to_file", "hard_link", "nothing", "empty", "."):
        w.fill(A, 72)
        w.call("path_filestat_get", 3, 0, P(path), A, note=show(path))
        w.stat(A)
    w.label("the same file has the same inode")
    for x, y in (("a/one.txt", "hard"), ("a/one.txt", "nothing"), ("a", "dotdot"), ("dot", "."), ("to_file", "hard_link")):
        for follow in (0, 1):
            w.call("path_filestat_get", 3, follow, P(x), A)
            w.call("path_filestat_get", 3, follow, P(y), C)
            w.raw(f"(call $say (i32.const 96) (i32.const 3) (i64.eq (i64.load offset=8 (i32.const {A})) (i64.load offset=8 (i32.const {C}))))")


@theme("tree: paths")
def opening(w):
    """Which files paths lead to, by opening them. Each is closed again."""
    for path in PATHS:
        for follow in (0, 1):
            for how in (0, DIRECTORY):
                open_path(w, path, follow=follow, how=how)
                w.raw(f"(drop (call $fd_close (i32.load (i32.const {A}))))")
    w.used.add("fd_close")
    w.label("flags")
    for flags in (0, 1, 4, 5, 2, 8, 16, 31):
        open_path(w, "a/one.txt", flags=flags)
        w.fill()
        w.call("fd_fdstat_get", 4, A)
        w.dump(A, 32)
        w.call("fd_close", 4)
        open_path(w, "a", flags=flags)
        w.fill()
        w.call("fd_fdstat_get", 4, A)
        w.dump(A, 32)
        w.call("fd_close", 4)
    w.label("rights")
    for rights in (0, READ, 1 << 14, 0x3fffffbf):
        open_path(w, "a/one.txt", rights=rights)
        w.fill()
        w.call("fd_fdstat_get", 4, A)
        w.dump(A, 32)
        read(w, 4, 2)
        w.call("fd_close", 4)
    w.label("flags that do not go together")
    for how in (DIRECTORY | CREAT, DIRECTORY | EXCL, DIRECTORY | TRUNC, 15):
        open_path(w, "a", how=how)
        open_path(w, "missing", how=how)
    open_path(w, b"\xff", fd=99)
    open_path(w, "a", fd=99)
    for fd in (0, 1, 2):
        open_path(w, "a", fd=fd)


@theme("tree: paths")
def below(w):
    """Paths from directories that the program has opened lead out of them neither."""
    open_path(w, "a", how=DIRECTORY)
    open_path(w, "b", fd=4, how=DIRECTORY)
    for fd in (4, 5):
        for path in (".", "..", "../a", "b", "b/..", "b/../..", "deep.txt", "../one.txt", "one.txt", "back", "back/deep.txt", "b/back/deep.txt", "out", "b/out"):
            both(w, "path_filestat_get", path, A, fd=fd)
            open_path(w, path, fd=fd)
            w.raw(f"(drop (call $fd_close (i32.load (i32.const {A}))))")
        w.fill()
        w.call("fd_filestat_get", fd, A)
        w.stat(A)
    w.used.add("fd_close")


@theme("tree: links")
def limits(w):
    """Chains of links, and long names."""
    for path in ("l39", "l40", "l41", "l40/", "l1", "e/x", "f/x", "g/x", "e/../f/../g/x", "f/../" * 19 + "f/x", "f/../" * 20 + "x", "f/../" * 20 + "e/x", "g/../" * 40 + "end", "g/../" * 40 + "l1"):
        both(w, "path_filestat_get", path, A)
        open_path(w, path, follow=1)
        w.raw(f"(drop (call $fd_close (i32.load (i32.const {A}))))")
    w.used.add("fd_close")
    for path in ("n" * 255, "n" * 254, "n" * 256, "n" * 255 + "/" + "m" * 255, "n" * 255 + "/" + "m" * 256, "n" * 256 + "/x", "missing/" + "n" * 256, "/".join(["p" * 200] * 3) + "/x", "/".join(["p" * 200] * 2), "/".join(["p" * 200] * 3) + "x"):
        both(w, "path_filestat_get", path, A)
        w.call("path_readlink", 3, P(path), C, 100, B, note=show(path))
    open_path(w, "n" * 255)
    w.fill(C, 1000)
    w.call("fd_readdir", 4, C, 1000, 0, B)
    w.entries(C, B)
    w.call("fd_readdir", 4, C, 200, 2, B)
    w.entries(C, B)


@theme("tree: paths")
def links(w):
    """Where links lead."""
    for path in PATHS:
        if len(path) > 4000:
            continue
        w.fill(C, 32)
        w.store(B, -1)
        w.call("path_readlink", 3, P(path), C, 100, B, note=show(path))
        w.dump(B, 4)
        w.dump(C, 16)
    for size in (0, 1, 8, 9, 10):
        w.fill(C, 16)
        w.call("path_readlink", 3, P("to_file"), C, size, B, note=f"size={size}")
        w.dump(B, 4)
        w.dump(C, 12)


@theme("tree: paths")
def refused(w):
    """What would change the tree. wasmtime refuses it for another reason."""
    for fd in (3, 0, 1, 99):
        for path in ("a", "new", "", "/", "..", "a/one.txt", "missing/x", "a\0b", b"\xff"):
            note = f"fd={fd} {show(path)}"
            w.call("path_create_directory", fd, P(path), note=note, refused=True)
            w.call("path_remove_directory", fd, P(path), note=note, refused=True)
            w.call("path_unlink_file", fd, P(path), note=note, refused=True)
            w.call("path_filestat_set_times", fd, 0, P(path), 1, 2, 5, note=note, refused=True)
            w.call("path_symlink", P("target"), fd, P(path), note=note, refused=True)
            w.call("path_symlink", P(path), fd, P("new"), note=note, refused=True)
            w.call("path_rename", fd, P(path), 3, P("new"), note=note, refused=True)
            w.call("path_rename", 3, P("a"), fd, P(path), note=note, refused=True)
            w.call("path_link", fd, 0, P(path), 3, P("new"), note=note, refused=True)
            w.call("path_link", 3, 1, P("a"), fd, P(path), note=note, refused=True)
    for flags in range(16):
        w.call("path_filestat_set_times", 3, 1, P("a"), 1, 2, flags, note=f"flags={flags}", refused=True)
        w.call("fd_filestat_set_times", 3, 1, 2, flags, note=f"flags={flags}", refused=True)
    open_path(w, "a/one.txt")
    w.call("fd_filestat_set_size", 4, 0, refused=True)
    w.call("fd_filestat_set_size", 4, -1, refused=True)
    w.call("fd_filestat_set_times", 4, 1, 2, 5, refused=True)
    w.call("fd_allocate", 4, 0, 10, refused=True)
    w.call("fd_fdstat_set_rights", 4, 0, 0, refused=True)
    w.call("fd_fdstat_set_rights", 3, 0, 0, refused=True)
    w.label("opening for writing")
    for how in (CREAT, TRUNC, CREAT | TRUNC, 0):
        for rights in (WRITE, READ | WRITE):
            open_path(w, "a/one.txt", how=how, rights=rights, refused=True)
    open_path(w, "new", how=CREAT, refused=True)
    w.label("sockets and signals")
    for fd in (0, 1, 3, 4, 99):
        w.call("sock_accept", fd, 0, A, refused=True, note=f"fd={fd}")
        w.call("sock_recv", fd, A, 0, 0, B, C, refused=True, note=f"fd={fd}")
        w.call("sock_send", fd, A, 0, 0, B, refused=True, note=f"fd={fd}")
        w.call("sock_shutdown", fd, 3, refused=True, note=f"fd={fd}")
    w.call("proc_raise", 6, refused=True)
    w.call("sched_yield")


@theme("tree: paths", "only: ours")
def writing(w):
    """Opening files in ways that change them. The errors are those of Linux on a file system that is read-only."""
    for path in ("a/one.txt", "missing", "missing/", "missing/x", "a", "a/", ".", "..", "to_file", "to_dir", "dangling", "up", "loop", "a/one.txt/", "nothing"):
        for how in (CREAT, CREAT | EXCL, EXCL, TRUNC, CREAT | TRUNC, CREAT | EXCL | TRUNC, 0):
            for rights in (READ, WRITE):
                for follow in (0, 1):
                    open_path(w, path, how=how, rights=rights, follow=follow)
                    w.raw(f"(drop (call $fd_close (i32.load (i32.const {A}))))")
    w.used.add("fd_close")
    open_path(w, "a", how=DIRECTORY, rights=WRITE)
    open_path(w, "a/one.txt", how=DIRECTORY, rights=WRITE)


@theme("tree: files", "stdin: input")
def descriptors(w):
    """The numbers of descriptors."""
    for _ in range(4):
        open_path(w, "ten")
    for fd in (5, 4):
        w.call("fd_close", fd)
        w.call("fd_close", fd)
    open_path(w, "empty")
    open_path(w, "single")
    open_path(w, "none")
    w.call("fd_renumber", 4, 4)
    w.call("fd_renumber", 4, 99)
    w.call("fd_renumber", 99, 4)
    w.call("fd_renumber", 99, 99)
    w.call("fd_renumber", 4, 6)
    w.call("fd_close", 4)
    w.call("fd_renumber", 5, 4)
    open_path(w, "big")
    open_path(w, "big")
    open_path(w, "big")
    w.label("a file in place of a stream")
    w.call("fd_renumber", 7, 0)
    read(w, 0, 5)
    w.dump(C, 8)
    w.call("fd_tell", 0, B)
    w.fill()
    w.call("fd_fdstat_get", 0, A)
    w.dump(A, 32)
    w.label("a stream in place of a file")
    w.call("fd_renumber", 2, 5)
    w.iovec(A, (1024, 4))
    w.call("fd_write", 5, A, 1, B)
    w.call("fd_write", 2, A, 1, B)
    w.call("fd_tell", 5, B)
    w.label("the directory that was open from the beginning")
    w.fill()
    w.call("fd_prestat_get", 3, A)
    w.call("fd_renumber", 3, 8)
    w.call("fd_prestat_get", 3, A)
    w.call("fd_prestat_get", 8, A + 16)
    w.dump(A, 32)
    open_path(w, "ten")
    open_path(w, "ten", fd=8)
    w.call("fd_close", 8)
    open_path(w, "ten", fd=8)
    for fd in range(10):
        w.fill(A, 24)
        w.call("fd_fdstat_get", fd, A, note=f"fd={fd}")
        w.dump(A, 8)


@theme("tree: files")
def late_tree(w):
    """Closing a stream before the directory is used leaves that where it is."""
    w.call("fd_close", 0)
    w.call("fd_prestat_get", 3, A)
    open_path(w, "ten")
    open_path(w, "ten")
    w.call("fd_close", 3)
    open_path(w, "ten", fd=3)


@theme("tree: files", "only: ours")
def too_many(w):
    """There are at most 1,024 descriptors."""
    w.raw("(local $count i32)")
    at, n = w.text("ten")
    w.used.update(("path_open", "fd_close"))
    w.raw(f"""(loop $next
      (if (i32.eqz (call $path_open (i32.const 3) (i32.const 0) (i32.const {at}) (i32.const {n}) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const {A})))
        (then (local.set $count (i32.add (local.get $count) (i32.const 1))) (br $next))))
    (call $say (i32.const 96) (i32.const 3) (local.get $count))""")
    open_path(w, "ten")
    open_path(w, "missing")
    w.call("fd_close", 500)
    open_path(w, "none")
    open_path(w, "none")
    w.call("fd_close", 2)
    w.call("fd_close", 1023)
    open_path(w, "ten")
    open_path(w, "ten")
    open_path(w, "ten")


@theme("tree: roots")
def roots(w):
    """Several directories that are open from the beginning."""
    for fd in range(3, 9):
        w.fill(A, 64)
        w.call("fd_prestat_get", fd, A, note=f"fd={fd}")
        w.dump(A, 12)
        for size in (0, 1, 3, 4, 100):
            w.fill(A, 64)
            w.call("fd_prestat_dir_name", fd, A, size, note=f"fd={fd} size={size}")
            w.dump(A, 36)
        w.fill()
        w.call("fd_fdstat_get", fd, A, note=f"fd={fd}")
        w.dump(A, 32)
        for path in ("one", "two", "out", "three/four", "sub", ".", ".."):
            w.fill(C, 64)
            w.call("path_filestat_get", fd, 1, P(path), C, note=f"fd={fd} {path}")
            w.stat(C)


@theme("stdin: x", "tree: files")
def polling(w):
    """Waiting for what is ready at once, and errors."""

    def clock(at, id, time, flags=0, data=7):
        w.store(at, (64, data), (64, 0), (64, id), (64, time), (64, 0), (64, flags))

    def stream(at, kind, fd, data=9):
        w.store(at, (64, data), (64, kind), (64, fd), (64, 0), (64, 0), (64, 0))

    def poll(count, note, refused=False, events=B, dump=None):
        w.fill(B, 128)
        w.fill(D, 8)
        w.call("poll_oneoff", A, events, count, D, note=note, refused=refused)
        w.dump(D, 4)
        w.dump(events, 32 * count if dump is None else dump)

    open_path(w, "ten")
    open_path(w, "empty")
    open_path(w, "single")
    poll(0, "nothing")
    stream(A, 1, 0)
    poll(1, "read 0")
    for fd in (1, 2):
        stream(A, 2, fd)
        poll(1, f"write {fd}")
    stream(A, 1, 0, 1)
    stream(A + 48, 2, 1, 2)
    stream(A + 96, 2, 2, 3)
    poll(3, "all streams")
    clock(A, 1, 0)
    poll(1, "monotonic, no time")
    clock(A, 0, 0)
    poll(1, "realtime, no time")
    clock(A, 1, 1000)
    poll(1, "monotonic, a microsecond")
    clock(A, 0, 1, 1)
    poll(1, "realtime, long ago")
    clock(A, 1, 0, 1)
    poll(1, "monotonic, long ago")
    clock(A, 1, 10**15)
    stream(A + 48, 2, 1)
    clock(A + 96, 0, 10**15)
    poll(3, "a stream is ready before a clock", dump=32)
    stream(A, 1, 4)
    poll(1, "a file")
    stream(A, 1, 5)
    poll(1, "a file at its end")
    w.label("errors")
    for kind, fd in ((1, 1), (1, 2), (2, 0), (1, 3), (2, 3), (1, 6), (2, 4), (1, 99), (2, 99), (3, 0), (255, 0)):
        stream(A, kind, fd)
        poll(1, f"kind={kind} fd={fd}", refused=True)
    for id in (2, 3, 4, 99):
        clock(A, id, 0)
        poll(1, f"clock {id}")
    clock(A, 1, 0, 2)
    poll(1, "flags")
    clock(A, 1, 0, 0xffff)
    poll(1, "flags")
    stream(A, 1, 0)
    stream(A + 48, 1, 99)
    clock(A + 96, 4, 0)
    poll(2, "the second is wrong", dump=64)
    poll(3, "both are wrong", dump=96)


@theme()
def clocks(w):
    """What does not depend on the time."""
    for id in (0, 1, 2, 3):
        w.fill(A, 8)
        w.call("clock_time_get", id, 0, A, note=f"{id}")
        w.raw(f"(call $say (i32.const 96) (i32.const 3) (i64.eq (i64.load (i32.const {A})) (i64.const 0xaaaaaaaaaaaaaaaa)))")
        w.call("clock_res_get", id, A, note=f"{id}")
    w.call("clock_time_get", 1, 0, A)
    w.call("clock_time_get", 1, -1, C)
    w.raw(f"(call $say (i32.const 96) (i32.const 3) (i64.le_u (i64.load (i32.const {A})) (i64.load (i32.const {C}))))")
    w.fill(A, 64)
    w.call("random_get", A, 0)
    w.call("random_get", END, 0)
    w.dump(A, 4)
    w.call("random_get", A, 16)
    w.call("random_get", END - 3, 3)
    w.dump(A + 16, 4)


@theme("only: ours", "clock: 1700000000000000000", "seed: 1")
def our_clocks(w):
    """Time passes by looking at clocks and by waiting; random numbers begin at the seed."""
    for id in (0, 1, 0, 1, 1):
        w.call("clock_time_get", id, 0, A, note=f"{id}")
        w.dump(A, 8)
    w.call("clock_res_get", 0, A)
    w.call("clock_res_get", 1, A + 8)
    w.dump(A, 16)

    def wait(note, *clocks):
        for i, (id, time, flags) in enumerate(clocks):
            w.store(A + 48 * i, (64, i + 1), (64, 0), (64, id), (64, time), (64, 0), (64, flags))
        w.fill(B, 128)
        w.call("poll_oneoff", A, B, len(clocks), C, note=note)
        w.dump(C, 4)
        w.dump(B, 32 * len(clocks))
        w.call("clock_time_get", 1, 0, A)
        w.dump(A, 8)

    wait("a second", (1, 10**9, 0))
    wait("the shortest", (1, 3 * 10**9, 0), (0, 10**9, 0), (1, 10**9, 0))
    wait("until a time", (1, 5 * 10**9, 1), (1, 4 * 10**9, 1))
    wait("until a time that has passed", (1, 10**9, 1), (0, 5 * 10**9, 0))
    wait("until a date", (0, 1700000010000000000, 1))
    wait("for ever", (1, -1, 0))
    for length in (8, 8, 1, 7, 9, 16, 0, 3):
        w.fill(A, 24)
        w.call("random_get", A, length, note=f"{length}")
        w.dump(A, 20)


@theme("only: ours", "tree: paths", "args: a b", "env: X=1", "stdin: some input")
def faults(w):
    """Addresses that are out of bounds, and arguments that their types do not allow. wasmtime ends the program."""
    bad = (END - 3, END, -1, -4)
    open_path(w, "a/one.txt")
    for p in bad:
        note = f"{p if p < 0 else p - END}"
        w.call("args_sizes_get", p, A, note=note)
        w.call("args_sizes_get", A, p, note=note)
        w.call("args_get", p, A, note=note)
        w.call("args_get", A, p, note=note)
        w.call("environ_sizes_get", p, A, note=note)
        w.call("environ_sizes_get", A, p, note=note)
        w.call("environ_get", p, A, note=note)
        w.call("environ_get", A, p, note=note)
        w.call("clock_res_get", 0, p, note=note)
        w.call("clock_time_get", 0, 0, p, note=note)
        w.call("random_get", p, 4, note=note)
        for fd in (0, 4):
            w.call("fd_read", fd, p, 1, A, note=note)
            w.iovec(A, (p, 10))
            w.call("fd_read", fd, A, 1, B, note=note + " buffer")
            w.iovec(A, (C, 10))
            w.call("fd_read", fd, A, 1, p, note=note + " result")
        w.call("fd_pread", 4, p, 1, 0, A, note=note)
        w.iovec(A, (p, 10))
        w.call("fd_pread", 4, A, 1, 0, B, note=note + " buffer")
        w.iovec(A, (C, 10))
        w.call("fd_pread", 4, A, 1, 0, p, note=note + " result")
        for fd in (1, 2):
            w.call("fd_write", fd, p, 1, A, note=note)
            w.iovec(A, (p, 10))
            w.call("fd_write", fd, A, 1, B, note=note + " buffer")
            w.iovec(A, (1024, 1))
            w.call("fd_write", fd, A, 1, p, note=note + " result")
        w.call("fd_fdstat_get", 1, p, note=note)
        w.call("fd_filestat_get", 1, p, note=note)
        w.call("fd_filestat_get", 4, p, note=note)
        w.call("fd_prestat_get", 3, p, note=note)
        w.call("fd_prestat_dir_name", 3, p, 5, note=note)
        w.call("fd_seek", 4, 0, 0, p, note=note)
        w.call("fd_tell", 4, p, note=note)
        w.call("fd_readdir", 3, p, 100, 0, A, note=note)
        w.call("fd_readdir", 3, C, 100, 0, p, note=note)
        w.call("fd_readdir", 3, END - 24, 100, 0, A, note="only the name is out of bounds")
        w.call("path_open", 3, 0, p, 5, 0, 0, 0, 0, A, note=note)
        w.call("path_open", 3, 0, P("a"), 0, 0, 0, 0, p, note=note + " result")
        w.call("path_filestat_get", 3, 0, p, 5, A, note=note)
        w.call("path_filestat_get", 3, 0, P("a"), p, note=note)
        w.call("path_readlink", 3, p, 5, C, 100, A, note=note)
        w.call("path_readlink", 3, P("to_file"), p, 100, A, note=note)
        w.call("path_readlink", 3, P("to_file"), C, 100, p, note=note)
        w.call("path_create_directory", 3, p, 5, note=note)
        w.call("path_rename", 3, p, 5, 3, P("x"), note=note)
        w.call("path_rename", 3, P("x"), 3, p, 5, note=note)
        w.call("path_symlink", p, 5, 3, P("x"), note=note)
        w.call("poll_oneoff", p, A, 1, B, note=note)
        w.store(A, (64, 7), (64, 0), (64, 1), (64, 0), (64, 0), (64, 0))
        w.call("poll_oneoff", A, p, 1, B, note=note)
        w.call("poll_oneoff", A, B, 1, p, note=note)
    w.label("lengths")
    for n in (-1, 0x7fffffff, 0x20000000, 1 << 24):
        w.call("random_get", A, n, note=f"{n}")
        w.iovec(A, (C, n))
        w.call("fd_read", 4, A, 1, B, note=f"{n}")
        w.call("fd_write", 2, A, 1, B, note=f"{n}")
        w.store(D, 0)
        w.call("fd_readdir", 3, C, n, 2**40, D, note=f"{n}")
        w.call("path_open", 3, 0, C, n, 0, 0, 0, 0, B, note=f"{n}")
        w.call("fd_prestat_dir_name", 3, C, n, note=f"{n}")
        w.call("poll_oneoff", A, C, n, B, note=f"{n}")
    w.iovec(C, *[(0, 0)] * 40)
    w.call("fd_read", 4, C, 40, B, note="empty buffers")
    w.call("fd_read", 4, END - 8, 2, B, note="empty buffers up to the end")
    w.label("nothing was read or moved")
    w.call("fd_tell", 4, B)
    w.dump(B, 8)
    read(w, 0, 100)
    w.dump(C, 16)
    w.label("values")
    w.call("clock_res_get", 4, A)
    w.call("clock_time_get", -1, 0, A)
    w.call("fd_seek", 4, 0, 3, A)
    w.call("fd_seek", 99, 0, 3, A)
    w.call("fd_advise", 4, 0, 0, 6)
    w.call("fd_fdstat_set_flags", 4, 32)
    w.call("fd_filestat_set_times", 4, 0, 0, 16)
    w.call("path_open", 3, 2, P("a"), 0, 0, 0, 0, A)
    w.call("path_open", 3, 0, P("a"), 16, 0, 0, 0, A)
    w.call("path_open", 3, 0, P("a"), 0, 0, 0, 32, A)
    w.call("path_filestat_get", 3, 2, P("a"), A)
    w.call("path_filestat_set_times", 3, 2, P("a"), 0, 0, 0)
    w.call("path_link", 3, 2, P("a"), 3, P("b"))
    w.label("addresses that are not aligned")
    w.fill(A, 80)
    w.call("args_get", A + 1, A + 33)
    w.dump(A, 48)
    w.call("fd_tell", 4, A + 3)
    w.dump(A, 12)
    w.call("path_filestat_get", 3, 0, P("a"), A + 5)


@theme("tree: paths", "args: a bc", "env: X=1", "stdin: some input")
def edges(w):
    """Results at the very end of memory."""
    open_path(w, "a/one.txt")

    def at_end(size, name, *args):
        """The argument END is where the result goes."""
        w.fill(END - 96, 96)
        w.call(name, *[END - size if arg is END else arg for arg in args])
        if name == "fd_readdir" and args[1] is END:
            w.store(END - size + 8, (64, 0))  # the inode
        w.dump(END - 96, 96)

    at_end(4, "args_sizes_get", END, A)
    at_end(4, "args_sizes_get", A, END)
    at_end(8, "args_get", END, A)
    at_end(5, "args_get", A, END)
    at_end(4, "environ_sizes_get", END, A)
    at_end(4, "environ_sizes_get", A, END)
    at_end(4, "environ_get", END, A)
    at_end(4, "environ_get", A, END)
    at_end(24, "fd_fdstat_get", 4, END)
    at_end(24, "fd_fdstat_get", 1, END)
    at_end(64, "fd_filestat_get", 0, END)
    at_end(8, "fd_prestat_get", 3, END)
    at_end(1, "fd_prestat_dir_name", 3, END, 1)
    at_end(1, "fd_prestat_dir_name", 3, END, 100)
    at_end(8, "fd_seek", 4, 1, 0, END)
    at_end(8, "fd_tell", 4, END)
    w.iovec(A, (END - 2, 2))
    at_end(4, "fd_read", 4, A, 1, B)
    w.iovec(A, (END - 3, 3))
    at_end(4, "fd_read", 0, A, 1, B)
    w.comment("Only the bytes that there are go out of bounds in wasmtime.")
    w.iovec(A, (END - 3, 100))
    at_end(4, "fd_pread", 4, A, 1, 0, B)
    at_end(4, "fd_pread", 4, A, 1, 1, B)
    w.iovec(A, (C, 3))
    at_end(4, "fd_pread", 4, A, 1, 0, END)
    at_end(4, "fd_read", 0, A, 1, END)
    w.call("fd_seek", 4, 0, 0, B)
    at_end(4, "fd_read", 4, A, 1, END)
    w.iovec(END - 8, (C, 3))
    w.call("fd_seek", 4, 0, 0, B)
    w.call("fd_read", 4, END - 8, 1, B)
    w.call("fd_pread", 4, END - 8, 1, 0, B)
    w.call("fd_write", 2, END - 8, 1, B)
    w.call("fd_read", 4, END - 8, 1000, B, note="the first buffer is enough")
    at_end(4, "path_open", 3, 0, P("a"), 0, 0, 0, 0, END)
    at_end(9, "path_readlink", 3, P("to_file"), END, 9, A)
    at_end(9, "path_readlink", 3, P("to_file"), END, 1000, A)
    at_end(4, "path_readlink", 3, P("to_file"), A, 10, END)
    w.store(END - 9, *[(8, b) for b in b"a/one.txt"])
    w.call("path_filestat_get", 3, 0, END - 9, 9, A)
    w.call("path_open", 3, 0, END - 9, 9, 0, 0, 0, 0, A)
    w.call("fd_readdir", 5, C, 1000, 0, A)
    at_end(24, "fd_readdir", 5, END, 24, 0, A)
    at_end(25, "fd_readdir", 5, END, 25, 0, A)
    at_end(25, "fd_readdir", 5, END, 1000, 2 ** 20, A)
    at_end(4, "fd_readdir", 5, C, 10, 0, END)
    at_end(48, "poll_oneoff", A, B, 0, C)
    w.store(END - 48, (64, 7), (64, 2), (64, 1), (64, 0), (64, 0), (64, 0))
    w.call("poll_oneoff", END - 48, B, 1, C)
    w.store(A, (64, 7), (64, 2), (64, 1), (64, 0), (64, 0), (64, 0))
    at_end(32, "poll_oneoff", A, END, 1, C)
    at_end(4, "poll_oneoff", A, B, 1, END)
    w.call("clock_time_get", 0, 0, END - 8)
    w.call("clock_res_get", 0, END - 8)
    w.call("random_get", END - 20, 20)
    at_end(64, "path_filestat_get", 3, 0, P("missing"), END)
    w.fill(END - 96, 96)
    w.call("path_filestat_get", 3, 0, P("nothing"), END - 64)
    w.stat(END - 64)
    w.fill(END - 96, 96)
    w.call("fd_filestat_get", 4, END - 64)
    w.stat(END - 64)


def exit_theme(name, status, *header):
    def f(w):
        """Ends with an exit status."""
        w.label("before")
        w.raw(w.expression("proc_exit", [status]))
        w.label("after")

    f.__name__ = name
    f.__doc__ = f"Ends with exit status {status}."
    theme(*header)(f)


exit_theme("exit_0", 0)
exit_theme("exit_7", 7)
exit_theme("exit_125", 125)
exit_theme("exit_126", 126, "only: ours")
exit_theme("exit_large", -1, "only: ours")
