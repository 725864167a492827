#!/usr/bin/env python3
"""Does what the pages say and compares what comes out.

    docs/programs/check.py [--binary FILE] [--keep FOLDER] [--changes-nothing] [PAGE.md ...]

Of each page, from top to bottom, in one bash and in a folder that is empty at first:
- A code block after a line that ends in "`NAME`:" is written to the file NAME, unless it is bash or text.
- A block of bash is run. A block of text directly behind it is all that it must print, standard error too;
  a line "..." there stands for any lines, and "..." in a line for anything. Without such a block, it must end with status 0 and may print anything.
A block after the comment `<!-- once -->` changes the system; `--changes-nothing` leaves it out.

`wasm2onnx` is the binary; NODE_PATH and all else is as in the caller's environment. The pages must be read in order of
their blocks only: no page needs another.
"""

import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

DOCS = pathlib.Path(__file__).resolve().parent


def blocks(text):
    """(line, kind, name of the file or None, content, whether it changes the system)"""
    lines, i, before = text.splitlines(), 0, ""
    once = False
    while i < len(lines):
        fence = re.fullmatch(r"```([\w,+-]*)", lines[i])
        if not fence:
            if lines[i].strip() == "<!-- once -->":
                once = True
            elif lines[i].strip():
                before = lines[i]
            i += 1
            continue
        end = next(j for j in range(i + 1, len(lines)) if lines[j] == "```")
        name = re.search(r"`([^`]+)`:$", before)
        yield i + 1, fence[1], name and name[1], "".join(line + "\n" for line in lines[i + 1:end]), once
        i, before, once = end + 1, "", False


def matches(expected, printed):
    pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in expected.splitlines())
    return re.fullmatch(pattern, printed if printed.endswith("\n") or not printed else printed + "\n") is not None


def check(page, options):
    found = list(blocks(page.read_text()))
    failures = runs = 0
    with tempfile.TemporaryDirectory() as tools:
        tools = pathlib.Path(tools)
        (tools / "wasm2onnx").symlink_to(pathlib.Path(options.binary).resolve())
        folder = pathlib.Path(options.keep) / page.stem if options.keep else tools / page.stem
        folder.mkdir(parents=True, exist_ok=False)
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        shell = subprocess.Popen(["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, bufsize=1)
        for number, (line, kind, name, content, once) in enumerate(found):
            where = f"{page.name}:{line}"
            if kind not in ("bash", "text") and name:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(content)
            elif kind == "bash":
                if once and options.changes_nothing:
                    continue
                runs += 1
                mark = f"-- the end of {number} --"
                (tools / "block").write_text(content)
                shell.stdin.write(f"source {shlex.quote(str(tools / 'block'))} </dev/null; echo; echo '{mark}' $?\n")
                shell.stdin.flush()
                printed = ""
                while True:
                    one = shell.stdout.readline()
                    if not one:
                        sys.exit(f"{where}: the shell ended: {printed}")
                    if one.startswith(mark):
                        status = int(one.split()[-1])
                        break
                    printed += one
                printed = printed[:-1]  # of echo
                following = found[number + 1] if number + 1 < len(found) else None
                expects = following is not None and following[1] == "text" and follows(page, line, content, following[0])
                if expects and not matches(following[3], printed):
                    failures += 1
                    print(f"{where}: status {status}; it printed\n{printed}--- instead of\n{following[3]}---")
                elif not expects and status:
                    failures += 1
                    print(f"{where}: status {status}; it printed\n{printed}---")
                elif options.verbose:
                    print(f"{where}: status {status}\n{printed}---")
        shell.stdin.close()
        shell.wait()
    print(f"{page.name}: {runs} blocks of commands, {failures} failures", flush=True)
    return failures


def follows(page, line, content, next_line):
    """Whether there is nothing between two blocks."""
    between = page.read_text().splitlines()[line + content.count("\n") + 1:next_line - 1]
    return not any(text.strip() for text in between)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=str(DOCS.parents[1] / "target/release/wasm2onnx"))
    parser.add_argument("--keep", help="a folder for what the pages make")
    parser.add_argument("--changes-nothing", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("pages", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    failures = sum([check(page, options) for page in options.pages or sorted(DOCS.glob("*.md"))])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
