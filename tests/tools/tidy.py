#!/usr/bin/env python3
"""Run clang-tidy over our files of a compile database, only over what changed.

A file's verdict depends on its bytes, on the project headers that it reaches, on
its compile command, on the .clang-tidy files and on the tool. When the hash of all
that is in the cache, the file was clean before and is not looked at again.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ("src", "action", "daemon", "tests")
INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


class Unit:
    """One file of the database."""

    def __init__(self, entry):
        self.path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        self.command = entry.get("command") or shlex.join(entry["arguments"])
        self.folders = include_folders(self.command, entry["directory"])

    @property
    def name(self):
        return self.path.relative_to(ROOT).as_posix()

    def is_ours(self):
        try:
            return self.path.relative_to(ROOT).parts[0] in OURS
        except ValueError:
            return False


def include_folders(command, directory):
    words = shlex.split(command)
    folders = []
    for word, following in zip(words, words[1:] + [""]):
        if word in ("-I", "-iquote", "-isystem"):
            folders.append(following)
        elif word.startswith("-I"):
            folders.append(word[2:])
    return [pathlib.Path(directory, folder) for folder in folders]


def reached(unit):
    """The file and every project header that it includes, directly or not."""
    found, queue = {}, [unit.path]
    while queue:
        path = queue.pop()
        if path in found:
            continue
        found[path] = path.read_bytes()
        for name in INCLUDE.findall(found[path]):
            for folder in [path.parent, *unit.folders]:
                header = (folder / name.decode()).resolve()
                if header.is_file():
                    queue.append(header)
                    break
    return found


def fingerprint(unit, common):
    digest = hashlib.sha256(common)
    digest.update(unit.command.encode())
    for path, data in sorted(reached(unit).items()):
        digest.update(f"\0{path}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def common_part(tool):
    version = subprocess.run([tool, "--version"], capture_output=True, check=True).stdout
    configs = [ROOT / ".clang-tidy", *sorted((ROOT / "tests").rglob(".clang-tidy"))]
    return version + b"".join(c.read_bytes() for c in configs if c.is_file())


def judge(unit, arguments):
    command = [arguments.tool, "--quiet", "-p", arguments.database, str(unit.path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--cache", required=True)
    arguments = parser.parse_args()
    database = json.loads(pathlib.Path(arguments.database, "compile_commands.json").read_text())
    units = {u.path: u for u in map(Unit, database) if u.is_ours()}
    cache = pathlib.Path(arguments.cache)
    cache.mkdir(parents=True, exist_ok=True)
    common = common_part(arguments.tool)
    stale = []
    for unit in units.values():
        key = cache / fingerprint(unit, common)
        if key.exists():
            os.utime(key)
        else:
            stale.append((unit, key))
    print(f"{len(units)} files, {len(stale)} to check", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(judge, unit, arguments): (unit, key) for unit, key in stale}
        for run in concurrent.futures.as_completed(runs):
            unit, key = runs[run]
            result = run.result()
            if result.returncode == 0:
                key.touch()
                continue
            failed += 1
            print(f"{unit.name}:\n{result.stdout}{result.stderr}", flush=True)
    print(f"{failed} files with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
