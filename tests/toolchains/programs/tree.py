"""The directory tree that programs are given: tree.json."""

import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent


def make_tree(root):
    for path, content in json.loads((HERE / "tree.json").read_text()).items():
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else content["repeat"] * content["times"]
        target.write_bytes(text.encode())
