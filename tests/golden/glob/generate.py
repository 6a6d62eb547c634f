#!/usr/bin/env python3
"""generate.py [COUNT [SEED]] - writes cases.txt: what git itself says to patterns and paths.

Each line: the patterns, a path (a folder's ends in '/'), and git's verdict: + ignored,
! re-included, - undecided. Fields are parted by tabs, patterns by one space (so no pattern
has one). Run it again only to change what is covered; the test needs no git.
"""

import os
import random
import subprocess
import sys
import tempfile

NAMES = ["a", "b", "ab", "abc", "a.b", "b.js", "x]y", "a-b", "[a]", "!a", "A", "*", "a\\b"]
FIXED = [
    "*", "**", "***", "/*", "/**", "a", "/a", "a/", "/a/", "a/b", "a/*", "a/**", "**/a",
    "**/a/", "**/a/b", "a/**/b", "a/**/", "**/**/b", "a**", "a**b", "a**/b", "**a", "a/b**",
    "*/b", "*/", "**/*.js", "*.js", "?", "??", "?b", "[ab]", "[!a]", "[^a]", "[a-c]b",
    "[]x]*", "x[]]y", "[a", "[", "a[", "a\\", "\\a", "\\*", "a\\\\b", "[\\]x]*", "[a-]b", "[-a]b",
    "[[:alpha:]]", "[[:alpha:][:digit:]]b", "[[:nope:]]", "[[:alpha]", "[[:]b", "[[::]]b",
    "[b-a]b", "[a-c-b]*", "\\[a\\]", "\\!a", "[[]a]", "[!]a-]", "/", "//", "a//b", "//a",
    "**\\/a", "a/**\\/b", "a[/]b", "a?b", "*/*", "*/**/b", "**/", "ab/*/a", "a/*b", "a*/b",
    "[--b]*", "*[!b]", "*b*", "*a*b*", "a/***/b", "***/b", "**/***", "A", "[[:upper:]]",
    "[[:lower:]]/b", "a/[[:punct:]]*", "*\\", "*[", "**/[", "?**/b", "[a]**/b", "\\a**/b",
]
ATOMS = ["a", "b", "*", "**", "/", "/", "?", "[ab]", "[!b]", ".js", "\\", "[", "]", "-", "**/"]


def tree(rng):
    """Some seventy files in folders; the folders are asked for too."""
    files = {"b", "ab", "b.js", "x]y", "[a]", "!a", "*", "a\\b", "abc"}
    while len(files) < 70:
        depth = rng.randint(2, 4)
        files.add("/".join(rng.choice(NAMES) for _ in range(depth)))
    kept, folders = [], set()
    for name in sorted(files):
        parents = ["/".join(name.split("/")[:i]) for i in range(1, name.count("/") + 1)]
        if name in folders or any(p in kept for p in parents):
            continue
        kept.append(name)
        folders.update(parents)
    return kept, sorted(folders)


def pattern(rng):
    text = rng.choice(FIXED)
    if rng.random() < 0.4:
        text = "".join(rng.choice(ATOMS) for _ in range(rng.randint(1, 6)))
    return ("!" if rng.random() < 0.15 else "") + text


def ask(repository, patterns, paths):
    """git's verdict of each path."""
    # A first line's '#' would start a comment; no pattern here has one.
    with open(os.path.join(repository, ".gitignore"), "w", encoding="utf-8") as file:
        file.write("".join(text + "\n" for text in patterns))
    answer = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-v",
         "-n", "-z", "--stdin"],
        cwd=repository, input="\0".join(paths).encode() + b"\0", capture_output=True,
        check=False).stdout.decode().split("\0")
    for i in range(0, len(answer) - 1, 4):
        source, _, text, path = answer[i:i + 4]
        yield path, "-" if not source else "!" if text.startswith("!") else "+"


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    files, folders = tree(rng)
    lists = [[text] for text in FIXED]
    lists += [[pattern(rng) for _ in range(rng.randint(1, 4))] for _ in range(count)]
    with tempfile.TemporaryDirectory() as repository:
        subprocess.run(["git", "init", "-q", repository], check=True)
        for name in files:
            os.makedirs(os.path.dirname(os.path.join(repository, name)), exist_ok=True)
            open(os.path.join(repository, name), "w", encoding="utf-8").close()
        for patterns in lists:
            paths = rng.sample(files, 8) + rng.sample(folders, 4)
            if patterns[0] in FIXED and len(patterns) == 1:
                paths = rng.sample(files, 20) + rng.sample(folders, 10)
            for path, verdict in ask(repository, patterns, paths):
                slash = "/" if path in folders else ""
                print(f"{' '.join(patterns)}\t{path}{slash}\t{verdict}")


if __name__ == "__main__":
    main()
