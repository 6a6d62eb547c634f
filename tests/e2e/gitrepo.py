"""A git repository for tests written in Python, and the git program as a witness."""

import os
import subprocess
from pathlib import Path

GIT_ENV = {
    "PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
       for what, value in (("NAME", "A"), ("EMAIL", "a@example.com"), ("DATE", "1700000000 +0000"))},
    # The witness may look into what belongs to somebody else, and at submodules on the disk.
    "GIT_CONFIG_COUNT": "4",
    "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "protocol.file.allow", "GIT_CONFIG_VALUE_1": "always",
    "GIT_CONFIG_KEY_2": "gc.auto", "GIT_CONFIG_VALUE_2": "0",
    "GIT_CONFIG_KEY_3": "advice.detachedHead", "GIT_CONFIG_VALUE_3": "false",
}


def text(path):
    """A path as the program prints it, from bytes."""
    return os.fsdecode(path)


class Repo:
    """A repository and the git program. Paths are text; bytes beyond UTF-8 as surrogates."""

    def __init__(self, path, *init):
        """Made with options of `git init` unless it is there; then what is there is taken."""
        self.path = Path(path)
        if init or not self.path.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self.git("init", "-q", "-b", "main", *init)
            for what in ("allowFilter", "allowAnySHA1InWant"):
                self.git("config", f"uploadpack.{what}", "true")

    def git(self, *arguments, data=None, **env):
        done = subprocess.run(["git", *arguments], cwd=self.path, env={**GIT_ENV, **env}, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def write(self, files):
        """{path: str, bytes, or None to delete}."""
        for path, content in files.items():
            file = self.path / path
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files=None, message="change"):
        """Commits what is on the disk, with these files; also when nothing has changed.

        Returns the commit's id.
        """
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def commit_entries(self, entries, parent=None):
        """Commits a tree of {path: content or (mode, content or id)}, which no disk need hold."""
        lines = []
        for path, entry in entries.items():
            mode, content = entry if isinstance(entry, tuple) else ("100644", entry)
            if mode != "160000":
                data = os.fsencode(content)
                content = self.git("hash-object", "-w", "--stdin", data=data).decode().strip()
            lines.append(b"%s %s\t%s\0" % (mode.encode(), content.encode(), os.fsencode(path)))
        index = str(self.path / "index-of-a-commit")
        self.git("update-index", "-z", "--index-info", data=b"".join(lines), GIT_INDEX_FILE=index)
        tree = self.git("write-tree", GIT_INDEX_FILE=index).decode().strip()
        os.unlink(index)
        parents = ["-p", parent] if parent else []
        return self.git("commit-tree", "-m", "entries", *parents, tree).decode().strip()

    def commit_many(self, files):
        """Thousands of new files in one commit, on the disk as well."""
        out = [b"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\n"
               b"data 4\nmany\n"]
        if self.git("rev-list", "-n1", "--all"):
            out.append(b"from refs/heads/main^0\n")
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            out.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
        self.git("fast-import", "--quiet", "--date-format=raw", data=b"".join(out) + b"\n")
        self.git("reset", "-q", "--hard", "main")
        return self.head()

    def head(self, revision="HEAD"):
        return self.git("rev-parse", revision).decode().strip()

    def clone(self, path, *options):
        """A clone through git's protocol, as a runner makes it."""
        source = self.path.resolve().as_uri()
        subprocess.run(["git", "clone", "-q", *options, source, str(path)], env=GIT_ENV, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return Repo(path)

    def missing(self, revision="HEAD"):
        """The objects that a partial clone lacks."""
        out = self.git("rev-list", "--objects", "--missing=print", revision).decode()
        return {line[1:] for line in out.splitlines() if line.startswith("?")}

    def files(self, folder="website", revision="HEAD"):
        """{path below the folder: bytes} of a commit: `git ls-tree` and `git cat-file`."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", revision,
                          *(["--", folder + "/"] if folder else []))
        rows = [row.split(b"\t", 1) for row in listed.split(b"\0") if row]
        ids = [meta.split()[2] for meta, _ in rows]
        blobs = self.git("cat-file", "--batch", data=b"".join(i + b"\n" for i in ids))
        found, at = {}, 0
        for _, path in rows:
            end = blobs.index(b"\n", at)
            size = int(blobs[at:end].split()[2])
            found[text(path)[len(folder) + 1 if folder else 0:]] = blobs[end + 1:end + 1 + size]
            at = end + 2 + size
        return found

    def changes(self, before, after, folder="website"):
        """{path below the folder: A, M or D}: `git diff`."""
        out = self.git("diff", "--name-status", "--no-renames", "-z", before, after,
                       *(["--", folder + "/"] if folder else []))
        fields = out.split(b"\0")[:-1]
        return {text(path)[len(folder) + 1 if folder else 0:]: status.decode()
                for status, path in zip(fields[::2], fields[1::2])}
