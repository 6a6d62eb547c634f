#!/usr/bin/env python3
"""layers.py [ROOT] - who may include and call whom; the rules of docs/DESIGN.md.

Prints `file:line: what is wrong` and exits 1 if anything is.
"""

import fnmatch
import re

import tree

# What each folder may include besides itself.
BELOW = {
    "base": (),
    "codec": ("base",),
    "core": ("base", "codec"),
    "io": ("base", "codec", "core"),
    "aws": ("base", "codec", "io"),
    "run": ("base", "codec", "core", "io", "aws"),
    "action": ("base", "codec", "core", "io", "aws", "run"),
    "daemon": ("base", "codec", "core/event.h", "io"),
}

# The only files that may see a library: (header pattern, files, ...).
WRAPPED = (
    ("git2*", ("src/io/git*.c",)),
    ("curl/*", ("src/io/http_curl.c",)),
    ("openssl/*", ("src/codec/hash.c", "src/base/secret.c")),
    ("yaml.h", ("src/codec/yaml.c",)),
    ("expat*.h", ("src/codec/xml.c",)),
    ("zip*.h", ("src/codec/zip.c",)),
    ("zlib.h", ("src/codec/gzip.c",)),
    ("jansson*.h", ("src/codec/json.c",)),
    ("civetweb.h", ("daemon/server.c",)),
    ("sqlite3.h", ("daemon/queue_sqlite*.c",)),
    ("libpq-fe.h", ("daemon/queue_pg*.c",)),
)

# Folders without clock, environment and randomness, except as arguments.
PURE = ("src/base/", "src/codec/", "src/core/")
PURE_EXCEPT = ("src/base/clock.c",)
IMPURE = (
    "getenv", "secure_getenv", "setenv", "time", "clock", "clock_gettime", "gettimeofday",
    "timespec_get", "sleep", "nanosleep", "usleep", "rand", "rand_r", "srand", "random",
    "srandom", "arc4random", "getrandom", "getentropy", "RAND_bytes",
)

BANNED = {
    "strcpy": "has no bound", "strcat": "has no bound", "sprintf": "has no bound",
    "vsprintf": "has no bound", "gets": "has no bound", "strtok": "keeps hidden state",
    "atoi": "cannot report errors", "atol": "cannot report errors",
    "atof": "cannot report errors", "system": "runs a shell", "popen": "runs a shell",
    "alloca": "has no failure",
}

CALL = re.compile(r"(?<![\w.])(?<!->)(\w+)[ \t\n]*\(")
GUARD = re.compile(r"\s*#[ \t]*(?:pragma[ \t]+once|ifndef[ \t]+(\w+)\s+#[ \t]*define[ \t]+(\w+))")


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" else parts[0]


def allowed(layer, name):
    """May a file of this layer include "name"?"""
    target = name.split("/")[0]
    return target == layer or target in BELOW[layer] or name in BELOW[layer]


def check_include(path, name):
    """What is wrong with this include, or None."""
    bare, layer = name[1:-1], layer_of(path)
    for pattern, owners in WRAPPED:
        if fnmatch.fnmatchcase(bare, pattern):
            if any(fnmatch.fnmatchcase(path, owner) for owner in owners):
                return None
            return f"{name} belongs to {' and '.join(owners)}"
    if name[0] == "<":
        return None
    target = bare.split("/")[0]
    if "/" not in bare or target not in BELOW:
        return f'{name}: ours are named from the layer, "layer/file.h"'
    if not allowed(layer, bare):
        return f"{layer} may not include {name}"
    return None


def own_header(path, headers):
    """Headers that may come first in this .c file; empty: any.

    x.c begins with x.h. A file without a header of its own implements a part of a
    neighbour whose name begins alike (git_diff.c: git.h, git_internal.h).
    """
    mine = path[:-2] + ".h"
    if mine in headers:
        return [mine]
    folder, _, stem = path[:-2].rpartition("/")
    family = stem.split("_")[0]
    return [h for h in headers
            if h.rpartition("/")[0] == folder
            and h.rpartition("/")[2][:-2].split("_")[0] == family]


def included_as(path):
    """The name under which a header of ours is included."""
    return path[len("src/"):] if path.startswith("src/") else path


def check_first(path, found, headers):
    wanted = [included_as(h) for h in own_header(path, headers)]
    if not wanted:
        return
    line, first = found[0] if found else (1, "nothing")
    if first[1:-1] not in wanted:
        yield f'{path}:{line}: includes {first} first; its own header "{wanted[0]}" must be'


def check_calls(path, code):
    pure = path.startswith(PURE) and path not in PURE_EXCEPT
    for match in CALL.finditer(code):
        name, line = match.group(1), code.count("\n", 0, match.start()) + 1
        if name in BANNED:
            yield f"{path}:{line}: {name}() {BANNED[name]}"
        if pure and name in IMPURE:
            yield f"{path}:{line}: {name}() in a pure layer; take the value as an argument"


def check_guard(path, code):
    match = GUARD.match(code)
    if not match or match.group(1) != match.group(2):
        yield f"{path}:1: neither an include guard nor #pragma once on top"


def check(root):
    paths = tree.sources(root)
    headers = [path for path in paths if path.endswith(".h")]
    for path in paths:
        if layer_of(path) not in BELOW:
            yield f"{path}:1: no layer of this name"
            continue
        source = (root / path).read_text(errors="replace")
        found = list(tree.includes(source))
        for line, name in found:
            wrong = check_include(path, name)
            if wrong:
                yield f"{path}:{line}: {wrong}"
        code = tree.without_text(source)
        yield from check_calls(path, code)
        if path.endswith(".h"):
            yield from check_guard(path, code)
        else:
            yield from check_first(path, found, headers)


if __name__ == "__main__":
    tree.run("layers", check)
