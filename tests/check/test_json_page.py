"""docs/json.md tells of every member and word that the JSON lines have."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "json.md").read_text()

MEMBER = re.compile(r'(?:json_member(?:_int|_bool)?|member_\w+|json_key)\(&?w, "([\w-]+)"')
# Tables of words: where they are, and the start of each row.
WORDS = {
    "src/core/plan.c": re.compile(r'\[(?:STEP|WHY|PHASE)_\w+\] = "([\w-]+)"'),
    "src/core/outcome.c": re.compile(r'\[(?:VERDICT|BACKEND)_\w+\] = "([\w-]+)"'),
    "src/core/report_json.c": re.compile(r'\[(?:SITE|BACKEND|STATUS)_\w+\] = "([\w-]+)"'),
    "src/base/error.c": re.compile(r'\[ERR_\w+\] = \{ "([\w-]+)"'),
}


def documented(word):
    return f"`{word}`" in PAGE


def test_every_member_is_documented():
    for name in ("src/core/report_json.c", "action/cmd_status.c"):
        members = set(MEMBER.findall((ROOT / name).read_text()))
        assert len(members) > 8, name
        assert sorted(m for m in members if not documented(m)) == [], name


def test_every_word_is_documented():
    for name, row in WORDS.items():
        words = set(row.findall((ROOT / name).read_text())) - {"none"}
        assert len(words) > 5, name
        assert sorted(w for w in words if not documented(w)) == [], name
