"""tree.py - what the check scripts share: finding files and reading C."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("src", "action", "daemon")

# A comment, a string or a character: the first alternative that matches at a place wins,
# so quotes inside comments and comment signs inside strings do no harm.
OPAQUE = re.compile(
    r"""/\*.*?\*/ | //(?:\\\n|[^\n])* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.VERBOSE | re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*\#(?:\\\n|[^\n])*", re.MULTILINE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+")', re.MULTILINE)


def blank(match):
    """The same number of lines, nothing on them; a literal stays one token."""
    text = match.group()
    return (text[0] * 2 if text[0] in "\"'" else " ") + "\n" * text.count("\n")


def without_text(source):
    """C without comments and without the insides of literals; line numbers stay."""
    return OPAQUE.sub(blank, source)


def without_directives(source):
    """Also without preprocessor lines (macro bodies with them)."""
    return DIRECTIVE.sub(blank, without_text(source))


def without_comments(source):
    return OPAQUE.sub(lambda m: m.group() if m.group()[0] in "\"'" else blank(m), source)


def includes(source):
    """(line number, name with its quotes or angle brackets), in order."""
    code = without_comments(source)
    for match in INCLUDE.finditer(code):
        yield code.count("\n", 0, match.start(1)) + 1, match.group(1)


def sources(root, folders=SOURCE_FOLDERS, suffixes=(".c", ".h")):
    """Paths relative to root, sorted."""
    return sorted(
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix in suffixes)


def committed(root):
    """What git has or would take, relative to root; without git, every file."""
    if not (root / ".git").exists():
        found = (p for p in root.rglob("*") if p.is_file())
        return sorted(p.relative_to(root).as_posix() for p in found)
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={root}", "ls-files", "-z",
         "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True).stdout
    names = sorted({name.decode("utf-8", "surrogateescape")
                    for name in listed.split(b"\0") if name})
    return [name for name in names if (root / name).is_file()]


def run(name, check):
    """main() of every check: print the findings of check(root), exit 1 if there are any."""
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    findings = list(check(root))
    for finding in findings:
        print(finding)
    print(f"{name}: {len(findings)} findings" if findings else f"{name}: clean")
    sys.exit(1 if findings else 0)
