#!/usr/bin/env python3
"""Run the C tests of a build folder under valgrind: memcheck.py build/valgrind

Takes the commands from ctest; tests that are scripts are left out. Prints one line
a test, the whole report of those that fail, and a count at the end.
"""

import concurrent.futures
import json
import os
import subprocess
import sys

VALGRIND = [
    "valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect", "--track-origins=yes",
]


def is_program(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def tests_of(folder):
    shown = subprocess.run(["ctest", "--test-dir", folder, "--show-only=json-v1"],
                           check=True, capture_output=True, text=True)
    for test in json.loads(shown.stdout)["tests"]:
        command = test.get("command")
        if command and is_program(command[0]):
            properties = {p["name"]: p["value"] for p in test.get("properties", [])}
            yield test["name"], command, properties


def run(test):
    name, command, properties = test
    environment = dict(os.environ)
    environment.setdefault("CRC_PROPERTY_CASES", "50")
    for setting in properties.get("ENVIRONMENT", []):
        key, _, value = setting.partition("=")
        environment[key] = value
    done = subprocess.run(VALGRIND + command, cwd=properties.get("WORKING_DIRECTORY"),
                          env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return name, done.returncode, done.stdout


def main():
    tests = list(tests_of(sys.argv[1]))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, status, output in pool.map(run, tests):
            print(f"{'ok' if status == 0 else 'FAIL'} {name}", flush=True)
            if status != 0:
                failed += 1
                print(output)
    print(f"valgrind: {len(tests) - failed} of {len(tests)} programs clean")
    return 1 if failed or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
