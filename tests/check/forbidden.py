#!/usr/bin/env python3
"""forbidden.py [ROOT] - nothing committed names a package registry or somebody's machine.

Where packages come from is configured on each machine, and a path below a home folder
works for one person only. What a GitHub runner uses (/home/runner) may be named.
"""

import re

import tree

# Written in two halves, so that this file passes its own check.
REGISTRIES = [a + b for a, b in (
    ("pypi", ".org"), ("python", "hosted.org"), ("registry.npm", "js.org"),
    ("registry.yarn", "pkg.com"), ("proxy.gol", "ang.org"), ("sum.gol", "ang.org"),
    ("crates", ".io/api"), ("index.crates", ".io"), ("static.crates", ".io"),
    ("ruby", "gems.org"), ("deb.deb", "ian.org"), ("security.deb", "ian.org"),
    ("archive.ubu", "ntu.com"), ("artifact", "ory"), ("--index", "-url"),
    ("--extra-index", "-url"), ("--find", "-links"),
)]
RULES = (
    ("names a package registry", re.compile("|".join(map(re.escape, REGISTRIES)), re.I)),
    ("names a path of one machine", re.compile(r"(?<![\w./~*$})-])/work/(?=[\w.])")),
    ("names a home folder",
     re.compile(r"(?<![\w./~*$})-])/(?:home/(?!runner\b)[a-z_]|root/|Users/[A-Za-z])")),
)

# The licence's text is not ours to edit.
EXCEPT = ("LICENSE",)


def check(root):
    for path in tree.committed(root):
        data = (root / path).read_bytes()
        if path in EXCEPT or b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            for wrong, pattern in RULES:
                match = pattern.search(line)
                if match:
                    yield f"{path}:{number}: {wrong}: {match.group()}"


if __name__ == "__main__":
    tree.run("forbidden", check)
