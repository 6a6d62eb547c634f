#!/usr/bin/env python3
"""functions.py [ROOT] - no function over 60 lines, none nested deeper than 4.

Lines are those between the function's braces. Nesting counts if, for, while, do and
switch inside one another, with or without braces; `else if` goes no deeper.
"""

import re

import tree

MAX_LINES = 60
MAX_NESTING = 4
FOLDERS = (*tree.SOURCE_FOLDERS, "tests")

TOKEN = re.compile(r"\w+|\"\"|''|[^\s\w]|\n")
CONTROL = ("if", "for", "while", "switch")
CLOSES = {"(": ")", "{": "}", "[": "]"}


def tokens(code):
    """(text, line) without white space."""
    line, found = 1, []
    for match in TOKEN.finditer(code):
        if match.group() == "\n":
            line += 1
        else:
            found.append((match.group(), line))
    return found


class Parser:
    """Statements, as far as braces and control words go."""

    def __init__(self, found, position):
        self.found = found
        self.at = position
        self.deepest = 0

    def text(self):
        return self.found[self.at][0] if self.at < len(self.found) else ""

    def line(self):
        return self.found[min(self.at, len(self.found) - 1)][1]

    def skip_pair(self):
        """Past a bracket and its partner."""
        opens = self.text()
        closes, depth = CLOSES[opens], 0
        while self.text():
            depth += (self.text() == opens) - (self.text() == closes)
            self.at += 1
            if depth == 0:
                return

    def block(self, depth):
        """From { past its }."""
        self.at += 1
        while self.text() and self.text() != "}":
            self.statement(depth)
        self.at += 1

    def statement(self, depth):
        self.deepest = max(self.deepest, depth)
        word = self.text()
        if word == "{":
            self.block(depth)
        elif word in CONTROL:
            self.control(depth)
        elif word == "do":
            self.at += 1
            self.statement(depth + 1)
            self.simple(depth)      # while (...);
        elif word in ("case", "default"):
            self.label()
        else:
            self.simple(depth)

    def control(self, depth):
        is_if = self.text() == "if"
        self.at += 1
        if self.text() == "(":
            self.skip_pair()
        self.body(depth)
        if is_if and self.text() == "else":
            self.at += 1
            if self.text() == "if":
                self.statement(depth)
            else:
                self.body(depth)

    def body(self, depth):
        if self.text() == ";":
            self.at += 1
        else:
            self.statement(depth + 1)

    def label(self):
        while self.text() not in (":", ""):
            self.at += 1
        self.at += 1

    def simple(self, depth):
        """To the semicolon; a brace after ")" is a loop macro's body, unless the statement
        assigns or returns a compound literal."""
        plain, previous = self.text() != "return", ""
        while self.text() not in (";", "}", ""):
            word = self.text()
            if word == "{" and previous == ")" and plain:
                self.deepest = max(self.deepest, depth + 1)
                self.block(depth + 1)
                return
            if word in CLOSES:
                self.skip_pair()
                previous = CLOSES[word]
                continue
            plain = plain and word != "="
            previous = word
            self.at += 1
        if self.text() == ";":
            self.at += 1


def name_before(found, brace):
    """The function whose body begins at this brace, or None if it is not one."""
    at = brace - 1
    if at < 0 or found[at][0] != ")":
        return None
    depth = 0
    while at >= 0:
        depth += (found[at][0] == ")") - (found[at][0] == "(")
        if depth == 0:
            break
        at -= 1
    return found[at - 1][0] if at > 0 and found[at - 1][0].isidentifier() else None


def functions(code):
    """(name, line, lines of body, nesting) of every function definition."""
    found, at, depth = tokens(code), 0, 0
    while at < len(found):
        word = found[at][0]
        name = name_before(found, at) if word == "{" and depth == 0 else None
        if name:
            parser = Parser(found, at)
            start = found[at][1]
            parser.block(0)
            end = found[min(parser.at, len(found)) - 1][1]
            yield name, start, end - start - 1, parser.deepest
            at = parser.at
            continue
        depth += (word in CLOSES) - (word in CLOSES.values())
        at += 1


def check(root):
    for path in tree.sources(root, FOLDERS):
        code = tree.without_directives((root / path).read_text(errors="replace"))
        for name, line, lines, nesting in functions(code):
            if lines > MAX_LINES:
                yield f"{path}:{line}: {name}() has {lines} lines, at most {MAX_LINES}"
            if nesting > MAX_NESTING:
                yield f"{path}:{line}: {name}() nests {nesting} deep, at most {MAX_NESTING}"


if __name__ == "__main__":
    tree.run("functions", check)
