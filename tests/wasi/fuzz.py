"""Random programs: random trees, and calls with random arguments."""

import random
from writer import *
import oracle

NAMES = ["a", "b", "c", "file", "link", "x.txt", "ü", "long" * 20, "n" * 255]


def random_tree(r):
    """Returns the text of a tree, and paths that may be in it."""
    lines, dirs, taken, files = [], [""], set(), []
    paths = []
    if r.random() < 0.3:
        labels = r.sample(["/", ".", "/data", "tmp", "/a/b"], r.randint(1, 3))
    else:
        labels = [None]
    for label in labels:
        if label is not None:
            lines.append(f"label {label}")
            dirs, taken, files = [""], set(), []
        for _ in range(r.randint(0, 14)):
            name = r.choice(dirs) + r.choice(NAMES)
            if name in taken:
                continue
            taken.add(name)
            paths.append(name)
            kind = r.choice(["dir", "dir", "file", "file", "file", "link", "link", "hard"])
            when = r.choice(["", " 0", " 1234567890", " 99.5", " 1600000000.123456"])
            if kind == "dir":
                lines.append(f"dir '{name}'{when}")
                dirs.append(name + "/")
            elif kind == "file":
                content = r.choice(["''", "'hello'", "1000", "513", "512", "70000", repr("z" * r.randint(1, 99))])
                lines.append(f"file '{name}' {content}{when}")
                files.append(name)
            elif kind == "link":
                target = r.choice(["a", "b", "a/b", "..", ".", "../a", "../../x", "/etc", "a/", "./b/../a", "link", "file", "x.txt", "missing", "b/c/file", name.split("/")[-1], "a//b/."])
                lines.append(f"link '{name}' '{target}'{when}")
                files.append(name)
            elif files:
                lines.append(f"hard '{name}' '{r.choice(files)}'")
    if not lines:
        lines = ["label /"]
    return "\n".join(lines) + "\n", paths


def random_path(r, paths):
    k = r.random()
    if k < 0.55 and paths:
        p = r.choice(paths)
        if r.random() < 0.3:
            p += r.choice(["/", "/.", "/..", "/../", "//", "/./", "/a", "/../a", "/../../a"])
        if r.random() < 0.2:
            p = r.choice(["./", "/", "../", ".//", "a/../"]) + p
        if r.random() < 0.2:
            p = p.replace("/", r.choice(["//", "/./", "/../"]))
        return p.encode()
    if k < 0.93:
        return "/".join(r.choice(NAMES + [".", "..", "", "missing"]) for _ in range(r.randint(0, 5))).encode()
    return r.choice([b"", b".", b"..", b"/", b"//", b"a\0b", b"\xff", b"\xc3", b"a\xed\xa0\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xe0\x9f\xbf", b"\xc0\xaf", b"m" * 256, b"a/" * 2047 + b"a", b"./" * 2047 + b"ab", b"./" * 2046 + b"abc"])


def random_program(seed):
    r = random.Random(seed)
    tree, paths = random_tree(r)
    w = Writer()
    fd = lambda: r.choice([0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7, 8, 9, 99, -1]) if r.random() < 0.98 else r.getrandbits(32)
    big = lambda: r.choice([0, 1, 5, 100, 512, 70000, 2**31, 2**32, 2**62, 2**63 - 1, 2**63 - 3, -1, -5, -(2**63), r.getrandbits(63)])
    # Out of bounds or misaligned, wasmtime ends the program, so this is rare.
    bad = lambda address: r.choice([END - 1, END, END + 100, -1, -8, END - 9]) if r.random() < 0.004 else address
    odd = lambda value, wrong: r.choice(wrong) if r.random() < 0.006 else value
    free = 1 # descriptor 1 is for printing
    for _ in range(r.randint(20, 120)):
        name = r.choice(list(SIGNATURES) + ["path_open"] * 30 + ["fd_read"] * 6 + ["fd_seek"] * 4 + ["path_filestat_get"] * 8 + ["path_readlink"] * 4 + ["fd_filestat_get"] * 3 + ["fd_readdir"] * 3 + ["poll_oneoff"] * 4)
        if name in ("proc_exit",):
            if r.random() < 0.9:
                continue
            w.raw(w.expression(name, [r.choice([0, 1, 7, 125])]))
            break
        A, B, C = ROOM, ROOM + 8192, ROOM + 60000
        w.fill(A, 128)
        w.fill(B, 256)
        path = P(random_path(r, paths))
        if path.data and r.random() < 0.003:
            path = None
        p = path if path else (bad(-1), 10)
        pp = [p] if path else list(p)
        label = ("%s" % (p.data[:30].decode("latin1").encode("unicode_escape").decode() if path else "")) if name.startswith("path") else ""
        def iovs():
            n = r.choice([0, 1, 1, 1, 2, 3, 5])
            lens = [r.choice([0, 0, 1, 3, 10, 100, 1000]) for _ in range(n)]
            at = B
            pairs = []
            for k in lens:
                pairs.append((bad(at), k))
                at += k
            w.iovec(A, *pairs)
            return bad(A), n
        match name:
            case "args_get" | "environ_get":
                w.call(name, bad(A), bad(B)); w.dump(A, 32); w.dump(B, 40)
            case "args_sizes_get" | "environ_sizes_get":
                w.call(name, bad(A), bad(A + 8)); w.dump(A, 16)
            case "clock_res_get":
                w.call(name, odd(r.randint(0, 3), [4, -1]), bad(A))
            case "clock_time_get":
                w.call(name, odd(r.randint(0, 3), [4, -1]), big(), bad(A))
            case "fd_advise":
                w.call(name, fd(), big(), big(), odd(r.randint(0, 5), [6, -1]))
            case "fd_allocate":
                w.call(name, fd(), big(), big(), refused=True)
            case "fd_close":
                d = fd()
                if d == 1 or r.random() < 0.5: continue
                w.call(name, d)
            case "fd_datasync" | "fd_sync":
                w.call(name, fd())
            case "fd_fdstat_get":
                w.call(name, fd(), bad(A)); w.dump(A, 32)
            case "fd_fdstat_set_flags":
                w.call(name, fd(), odd(r.choice([0, 1, 4, 5, 0, 1, 4, 5, 2, 8, 16, 31]), [32, -1]))
            case "fd_fdstat_set_rights":
                w.call(name, fd(), r.getrandbits(28), 0, refused=True)
            case "fd_filestat_get":
                w.call(name, fd(), bad(A)); w.stat(A)
            case "fd_filestat_set_size":
                w.call(name, fd(), big(), refused=True)
            case "fd_filestat_set_times":
                w.call(name, fd(), 0, 0, odd(r.randint(0, 15), [16, -1]), refused=True)
            case "fd_read":
                w.call(name, fd(), *iovs(), bad(A + 64)); w.dump(A + 64, 8); w.dump(B, 32)
            case "fd_pread":
                w.call(name, fd(), *iovs(), big(), bad(A + 64)); w.dump(A + 64, 8); w.dump(B, 32)
            case "fd_write":
                w.fill(B, 30); w.call(name, fd(), *iovs(), bad(A + 64)); w.dump(A + 64, 8)
            case "fd_pwrite":
                w.call(name, fd(), *iovs(), big(), bad(A + 64)); w.dump(A + 64, 8)
            case "fd_prestat_get":
                w.call(name, fd(), bad(A)); w.dump(A, 16)
            case "fd_prestat_dir_name":
                w.call(name, fd(), bad(A), r.choice([0, 1, 2, 3, 4, 10])); w.dump(A, 16)
            case "fd_readdir":
                n = r.choice([0, 1, 23, 24, 25, 26, 50, 51, 52, 53, 100, 300, 4096])
                w.store(A, 0)
                w.call(name, fd(), bad(B), n, r.choice([0, 0, 0, 1, 2, 3, 4, 5, 10, 2**31, 2**32, -1]), bad(A)); w.entries(B, A)
            case "fd_renumber":
                x, y = fd(), fd()
                if 1 in (x, y) or r.random() < 0.6: continue
                w.call(name, x, y)
            case "fd_seek":
                w.call(name, fd(), big(), odd(r.randint(0, 2), [3, -1]), bad(A)); w.dump(A, 8)
            case "fd_tell":
                w.call(name, fd(), bad(A)); w.dump(A, 8)
            case "path_create_directory" | "path_remove_directory" | "path_unlink_file":
                w.call(name, fd(), *pp, refused=True, note=label)
            case "path_filestat_get":
                w.call(name, fd(), odd(r.randint(0, 1), [2, -1]), *pp, bad(A), note=label); w.stat(A)
            case "path_filestat_set_times":
                w.call(name, fd(), odd(r.randint(0, 1), [2]), *pp, 0, 0, odd(r.randint(0, 15), [16]), refused=True, note=label)
            case "path_link":
                w.call(name, fd(), odd(r.randint(0, 1), [2]), *pp, fd(), P(random_path(r, paths)), refused=True)
            case "path_rename":
                w.call(name, fd(), *pp, fd(), P(random_path(r, paths)), refused=True)
            case "path_symlink":
                w.call(name, P(random_path(r, paths)), fd(), *pp, refused=True)
            case "path_open":
                # Reading only: wasmtime refuses the rest before it looks whether there is such a file.
                w.call(name, fd(), odd(r.randint(0, 1), [2]), *pp, odd(r.choice([0, 0, 0, 2]), [3, 6, 10, 16, 18]), r.choice([0, 2, 0x4000, 0x3fffffbf]), 0, odd(r.choice([0, 0, 1, 4, 5]), [2, 8, 16, 31, 32]), bad(A), note=label)
                w.dump(A, 4)
            case "path_readlink":
                if path and len(path.data) > 4095: continue
                w.call(name, fd(), *pp, bad(B), r.choice([0, 1, 5, 100]), bad(A), note=label); w.dump(A, 8)
            case "poll_oneoff":
                n = r.choice([0, 1, 1, 2, 3])
                for i in range(n):
                    at = B + 48 * i
                    w.store(at, (64, 1000 + i), (64, odd(r.randint(0, 2), [3, 255])))
                    kind = r.randint(0, 2)
                    w.store(at + 8, (8, odd(kind, [3, 255])))
                    if kind == 0:
                        w.store(at + 16, (64, odd(r.randint(0, 1), [2, 3, 4])), (64, r.choice([0, 1])), (64, 0), (64, odd(r.randint(0, 1), [2])))
                    else:
                        w.store(at + 16, odd(r.choice([0, 0, 1, 2, 0, 1]), [3, 4, 5, 99]))
                w.fill(A, 32 * n)
                w.call(name, bad(B), bad(A), n, bad(A + 120), refused=True)
                # Which of several are ready at once is not certain.
                if n == 1: w.dump(A, 32)
                if n == 1: w.dump(A + 120, 4)
            case "proc_raise":
                w.call(name, odd(r.randint(0, 30), [31, 255]), refused=True)
            case "sched_yield":
                w.call(name)
            case "random_get":
                w.call(name, bad(B), r.choice([1, 7, 8, 100]))
            case "sock_accept":
                w.call(name, fd(), r.choice([0, 4]), A, refused=True)
            case "sock_recv":
                w.call(name, fd(), A, 1, r.choice([0, 1]), A, A, refused=True)
            case "sock_send":
                w.call(name, fd(), A, 1, 0, A, refused=True)
            case "sock_shutdown":
                w.call(name, fd(), r.randint(1, 3), refused=True)
    stdin = r.choice([b"", b"some input\n", bytes(range(256)), oracle.pattern(5000)])
    return oracle.Program(w.wat(), ["prog"] + r.choices(["x", "", "arg with space", "ü"], k=r.randint(0, 3)), r.choices(["A=1", "B=", "PATH=/bin:/usr/bin"], k=r.randint(0, 2)), stdin, oracle.Tree(tree))
