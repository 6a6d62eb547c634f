"""What commits hold, and how the store must have it: written from the documentation alone.

A `History` is a git repository whose commits this module knows by heart: what each site holds, and
with which headers.
"""

import functools
import hashlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cloud.cloudfront_paths import viewer_path

TYPES = {
    "html": "text/html; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "png": "image/png",
    "pdf": "application/pdf",
    "bin": "application/octet-stream",
}
FOREVER = "public, max-age=31536000, immutable"
EDGE_KEEPS = "public, max-age=0, s-maxage=86400, must-revalidate"
ASK_EACH_TIME = "public, max-age=0, must-revalidate"
ERROR_PAGE = "404.html"


@dataclass
class Commit:
    """What a commit holds: the files of each site by path below its folder, and the headers of its
    one rule."""

    name: str
    sites: dict  # {"main": {path: bytes}, ...}
    rule: dict = field(default_factory=dict)  # {header: value} for *.pdf
    sha: str = ""

    def objects(self, site):
        """{path: (etag, headers)} as the store must have them."""
        return {
            path: (etag_of(data), self._headers(path)) for path, data in self.sites[site].items()
        }

    def _headers(self, path):
        made = {"content-type": TYPES[path.rsplit(".", 1)[-1]]}
        if path == ERROR_PAGE:
            made["cache-control"] = ASK_EACH_TIME
        else:
            made["cache-control"] = FOREVER if is_fingerprinted(path) else EDGE_KEEPS
        return made | (self.rule if path.endswith(".pdf") else {})


@functools.lru_cache(maxsize=None)
def etag_of(data):
    """The ETag of one put, or of one in parts of 16 MiB if it is larger than two of them."""
    part = 16 << 20
    if len(data) <= 2 * part:
        return '"' + hashlib.md5(data).hexdigest() + '"'
    digests = [hashlib.md5(data[i : i + part]).digest() for i in range(0, len(data), part)]
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'


def is_fingerprinted(path):
    """Enough for the names of this module: NAME.HASH.js with a hash of 8."""
    parts = path.rsplit("/", 1)[-1].split(".")
    return len(parts) == 3 and parts[2] in ("js", "css") and len(parts[1]) == 8


def spellings(key):
    """The paths under which viewers find an object."""
    name = viewer_path(key)
    if not name.endswith("/index.html"):
        return {name}
    folder = name[: -len("index.html")]
    return {name, folder, folder.rstrip("/") or "/"}


class History:
    """A repository with these commits, each the child of the one before unless `parents` says
    otherwise."""

    PREFIXES = {"main": "", "docs": "docs/"}
    FOLDERS = {"main": "website", "docs": "handbook"}

    def __init__(self, directory, commits, parents=None, distributions=2):
        self.directory, self.distributions = Path(directory), distributions
        self.commits, self.sites = {c.name: c for c in commits}, list(commits[0].sites)
        subprocess.run(["git", "init", "-q", "-b", "main", str(self.directory)], check=True)
        marks = self.directory / "marks"
        subprocess.run(
            ["git", "-C", str(self.directory), "fast-import", "--quiet", f"--export-marks={marks}"],
            input=b"".join(self._stream(commits, parents or {})),
            check=True,
        )
        shas = dict(line.split() for line in marks.read_text().splitlines())
        for number, commit in enumerate(commits, 1):
            commit.sha = shas[f":{number}"]
        marks.unlink()

    def __getitem__(self, name):
        return self.commits[name]

    def _stream(self, commits, parents):
        numbers = {c.name: i for i, c in enumerate(commits, 1)}
        for number, commit in enumerate(commits, 1):
            parent = numbers[parents[commit.name]] if commit.name in parents else number - 1
            who = f"committer T <t@example.com> {1700000000 + number} +0000"
            yield f"commit refs/heads/main\nmark :{number}\n{who}\ndata 1\nx\n".encode()
            if parent:
                yield f"from :{parent}\n".encode()
            yield b"deleteall\n"
            files = {
                f"{self.FOLDERS[site]}/{path}": data
                for site, held in commit.sites.items()
                for path, data in held.items()
            }
            for path, data in {**files, "crc.yml": self._config(commit)}.items():
                yield b'M 100644 inline "%s"\ndata %d\n%s\n' % (path.encode(), len(data), data)

    def _config(self, commit):
        distributions = ", ".join(f"!env D{n}" for n in range(self.distributions))
        lines = ["sites:"]
        for site in commit.sites:
            lines += [
                f"  {site}:",
                f"    path: {self.FOLDERS[site]}",
                "    bucket: !env BUCKET",
                f"    distribution: [{distributions}]",
            ]
            lines += [f"    prefix: {self.PREFIXES[site]}"] if self.PREFIXES[site] else []
            if commit.rule:
                lines += [
                    "    headers:",
                    '      - match: "*.pdf"',
                    *(f"        {name}: {value}" for name, value in commit.rule.items()),
                ]
        return ("\n".join(lines) + "\n").encode()

    def viewer_paths(self, names=None):
        """Every path under which a viewer may have asked for anything of any commit, or for what
        differs between these."""
        commits = [self.commits[name] for name in names or self.commits]
        found = set() if names else {"/"}
        for site in self.sites:
            every = [commit.objects(site) for commit in commits]
            for path in set().union(*every):
                if not names or any(o.get(path) != every[0].get(path) for o in every):
                    found |= spellings(self.PREFIXES[site] + path)
        return sorted(found)

    def once_held(self, site, path, etag):
        """Whether any commit has had these bytes there."""
        return any(etag_of(c.sites[site].get(path, b"")) == etag for c in self.commits.values())
