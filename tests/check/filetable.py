#!/usr/bin/env python3
"""filetable.py [ROOT] - the table of files in docs/DESIGN.md is the tree, both ways.

A row names files that share a job: `| src/base/error.h, .c | errors and their codes |`.
After a full path, `.c` means the same name with that suffix, and `other.c` a file of the
same folder. Each file stands in one row and each row says what for.
"""

import re

import tree

ROW = re.compile(r"^\|([^|]+)\|([^|]*)\|")
SUFFIXES = (".c", ".h", ".sh")


def expand(cell):
    """The paths that a row's first cell names."""
    previous = ""
    for item in cell.replace("`", "").split(","):
        item = item.strip()
        if item.startswith("."):
            item = previous.rpartition(".")[0] + item
        elif "/" not in item:
            item = previous.rpartition("/")[0] + "/" + item
        previous = item
        yield item


def rows(text):
    """(line number, path, job) for every file in the table."""
    for number, line in enumerate(text.splitlines(), 1):
        match = ROW.match(line)
        if not match:
            continue
        cell = match.group(1).replace("`", "").strip()
        first = cell.split(",")[0].strip()
        # A row about a whole folder (the table of layers) names no file.
        if first.startswith(tree.SOURCE_FOLDERS) and first.endswith(SUFFIXES):
            for path in expand(cell):
                yield number, path, match.group(2).strip()


def check(root):
    present = tree.sources(root, suffixes=SUFFIXES)
    page = root / "docs" / "DESIGN.md"
    if not page.is_file():
        if present:
            yield "docs/DESIGN.md: missing, and with it the table of files"
        return
    seen = {}
    for line, path, job in rows(page.read_text()):
        if path in seen:
            yield f"docs/DESIGN.md:{line}: {path} also stands in line {seen[path]}"
        seen.setdefault(path, line)
        if path not in present:
            yield f"docs/DESIGN.md:{line}: {path} does not exist"
        if not job:
            yield f"docs/DESIGN.md:{line}: {path} has no job"
    for path in present:
        if path not in seen:
            yield f"{path}: not in the table of files of docs/DESIGN.md"


if __name__ == "__main__":
    tree.run("filetable", check)
