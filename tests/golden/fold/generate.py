#!/usr/bin/env python3
"""generate.py - writes src/codec/fold_table.h and cases.txt from Python's Unicode tables.

The table holds the canonical decompositions of the Basic Multilingual Plane (but those of
CJK compatibility ideographs), and the small letters that belong to capitals that do not
decompose. Each line of cases.txt: a text, its decomposition, and that in small letters, in
hex, parted by tabs. Run it again only for another version of Unicode.
"""

import random
import unicodedata
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLE = HERE.parents[2] / "src" / "codec" / "fold_table.h"
HANGUL = range(0xAC00, 0xD7A4)
IDEOGRAPHS = range(0xF900, 0xFB00)
HEAD = """/* fold_table.h - what fold.c knows of Unicode {version}. Private to it.
 * Written by tests/golden/fold/generate.py. */
#ifndef CODEC_FOLD_TABLE_H
#define CODEC_FOLD_TABLE_H

#include <stdint.h>

/* clang-format off */

/* A character, and the one or two (else 0) that it is composed of; sorted. */
static const uint16_t decompositions[][3] = {{
"""
MIDDLE = """};

/* Capitals from first to last, each step-th: the small letter is so much further. */
static const struct {
	uint32_t first;
	uint32_t last;
	uint32_t step;
	int32_t distance;
} capitals[] = {
"""
TAIL = """};

/* clang-format on */

#endif
"""


def decompositions():
    for code in range(0x80, 0x10000):
        text = unicodedata.decomposition(chr(code))
        if text and not text.startswith("<") and code not in IDEOGRAPHS:
            parts = [int(part, 16) for part in text.split()]
            yield code, parts[0], parts[1] if len(parts) > 1 else 0


def capitals():
    """[first, last, step, distance]"""
    runs = []
    for code in range(0x41, 0x20000):
        small = chr(code).lower()
        if small == chr(code) or len(small) > 1 or unicodedata.normalize("NFD", chr(code)) != chr(code):
            continue
        distance, run = ord(small) - code, runs[-1] if runs else None
        step = code - run[1] if run else 0
        if run and run[3] == distance and (step == run[2] or run[0] == run[1] and step <= 2):
            run[1], run[2] = code, step
        else:
            runs.append([code, code, 1, distance])
    return runs


def rows(items, per_line):
    items = list(items)
    for at in range(0, len(items), per_line):
        yield "\t" + " ".join(items[at:at + per_line]) + "\n"


def table():
    pairs = ("{ 0x%04x, 0x%04x, 0x%04x }," % row for row in decompositions())
    runs = ("{ 0x%x, 0x%x, %d, %d }," % tuple(run) for run in capitals())
    return "".join([HEAD.format(version=unicodedata.unidata_version), *rows(pairs, 3), MIDDLE,
                    *rows(runs, 3), TAIL])


def folded(text):
    """Both folds; None: marks that would have to change places, which fold.c does not do."""
    composed = unicodedata.normalize("NFD", text)
    plain = "".join(unicodedata.normalize("NFD", c) for c in text)
    small = "".join(c.lower() if len(c.lower()) == 1 else c for c in composed)
    return (composed, small) if composed == plain else None


def texts():
    known = [chr(row[0]) for row in decompositions()]
    yield from known
    for first, last, step, _ in capitals():
        yield from (chr(code) for code in {first, last, first + (last - first) // step // 2 * step})
    dice = random.Random(1)
    for _ in range(400):
        kinds = [lambda: chr(dice.choice(HANGUL)), lambda: dice.choice(known),
                 lambda: chr(dice.randrange(0x20, 0x7F)), lambda: chr(dice.randrange(0xA0, 0x500)),
                 lambda: chr(dice.randrange(0x1F300, 0x1F600)), lambda: dice.choice("éÅßİıΣςñ日本")]
        yield "".join(dice.choice(kinds)() for _ in range(dice.randrange(1, 12)))


def main():
    TABLE.write_text(table())
    cases = ((text, folded(text)) for text in texts())
    (HERE / "cases.txt").write_text("".join(
        "\t".join(t.encode().hex() for t in (text, *folds)) + "\n" for text, folds in cases if folds))


if __name__ == "__main__":
    main()
