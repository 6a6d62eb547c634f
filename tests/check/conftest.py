"""A small tree to break: each check's self-test edits it and expects the finding."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

GOOD = {
    "src/base/buf.h": "#ifndef CRC_BASE_BUF_H\n#define CRC_BASE_BUF_H\nint buf_f(void);\n#endif\n",
    "src/base/buf.c": '#include "base/buf.h"\n\nint buf_f(void)\n{\n\treturn 0;\n}\n',
    "src/core/event.h": "#pragma once\n",
    "src/core/plan.h": "#pragma once\n",
    "src/io/git.h": "#pragma once\n",
    "src/io/git_diff.c": '/* "x" */ #x\n#include "io/git.h"\n\n#include <git2.h>\n',
    "src/aws/s3.h": "/* objects */\n#ifndef A\n#define A\n#endif\n",
    "action/main.c": '#include <stdio.h>\n\n#include "aws/s3.h"\n#include "core/plan.h"\n',
    "daemon/queue.h": "#pragma once\n",
    "daemon/queue.c": '#include "daemon/queue.h"\n\n#include "core/event.h"\n',
    "docs/DESIGN.md": """# Design

| folder | what |
|---|---|
| `src/base` | errors |

| file | job |
|---|---|
| src/base/buf.h, .c | bytes |
| `src/core/event.h`, `plan.h` | values |
| src/io/git.h, git_diff.c | trees |
| src/aws/s3.h | objects |
| action/main.c | begins |
| daemon/queue.h, .c | waits |
""",
}


class Tree:
    """Files below a folder."""

    def __init__(self, root):
        self.root = root
        for path, text in GOOD.items():
            self.write(path, text)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def append(self, path, text):
        self.write(path, (self.root / path).read_text() + text)

    def remove(self, path):
        (self.root / path).unlink()


@pytest.fixture
def good(tmp_path):
    return Tree(tmp_path)
