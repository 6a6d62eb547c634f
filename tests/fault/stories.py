"""Histories for the tests: what a site goes through between two deploys, in every kind of change
there is."""

import random

from fault.model import Commit, History

INLINE = {"content-disposition": "inline"}

ODD = "sp ace~(1)+ä.html"  # a name that S3 and CloudFront spell differently
_KEPT = {"keep.txt": b"never changes", "img/logo.png": b"\x89PNG logo", "404.html": b"not here"}
_A = {
    **_KEPT,
    "index.html": b"home A",
    "about.html": b"about A",
    "blog/index.html": b"blog A",
    "old.html": b"old",
    "gone.txt": b"gone",
    "cv.pdf": b"%PDF cv",
    "app.1a2b3c4d.js": b"app A",
    ODD: b"odd A",
}
_B = {
    **_KEPT,
    "index.html": b"home B",
    "about.html": b"about B",
    "blog/index.html": b"blog B",
    "new.html": b"new",
    "added.txt": b"added",
    "cv.pdf": b"%PDF cv",
    "app.5e6f7a8b.js": b"app B",
    ODD: b"odd B",
}
# Takes back index and the asset, keeps about, has a third blog, restores old, leaves gone gone,
# drops new, keeps added.
_PART = {
    **_KEPT,
    "index.html": b"home A",
    "about.html": b"about B",
    "blog/index.html": b"blog C",
    "old.html": b"old",
    "added.txt": b"added",
    "cv.pdf": b"%PDF cv",
    "app.1a2b3c4d.js": b"app A",
    ODD: b"odd B",
    "only-c.txt": b"C",
}
_SHRUNK = {path: data for path, data in _B.items() if path not in ("new.html", "added.txt")}


def one_site(directory):
    """One site behind two distributions. "part" reverts part of B, "back" all of it, "shrunk" what
    it added; "again" is B under another commit; "headers" is B with A's headers, "pdf" is that with
    another file that had B's, "fork" is beside B: what a force push puts in its place. It is the
    tip of main."""
    return History(
        directory,
        [
            Commit("A", {"main": _A}),
            Commit("B", {"main": _B}, INLINE),
            Commit("part", {"main": _PART}),
            Commit("back", {"main": _A}),
            Commit("shrunk", {"main": _SHRUNK}, INLINE),
            Commit("again", {"main": _B}, INLINE),
            Commit("headers", {"main": _B}),
            Commit("pdf", {"main": {**_B, "cv.pdf": b"%PDF of C"}}),
            Commit("fork", {"main": _PART}),
        ],
        parents={
            **{name: "B" for name in ("back", "shrunk", "again", "headers", "pdf")},
            "fork": "A",
        },
    )


def two_sites(directory):
    """A second site under a prefix, and an error page that changes: everything goes stale on the
    distribution that keeps errors for an hour."""
    docs = [
        {"index.html": b"docs A", "guide.html": b"guide", "app.0a0b0c0d.css": b"css A"},
        {"index.html": b"docs B", "more.html": b"more", "app.1f1e1d1c.css": b"css B"},
        {
            "index.html": b"docs A",
            "guide.html": b"guide",
            "more.html": b"more C",
            "app.1f1e1d1c.css": b"css B",
        },
    ]
    small = [
        {
            p: d
            for p, d in held.items()
            if p in ("404.html", "index.html", "blog/index.html", "new.html", "gone.txt", "cv.pdf")
        }
        for held in (_A, _B, _PART)
    ]
    small[1]["404.html"] = b"not here, B"
    a, b, part = ({"main": m, "docs": d} for m, d in zip(small, docs))
    return History(
        directory,
        [
            Commit("A", a),
            Commit("B", b, INLINE),
            Commit("part", part),
            Commit("back", a),
            Commit("again", b, INLINE),
        ],
        parents={"back": "B", "again": "B"},
    )


def many_files(directory):
    """So many changes that a deploy that takes over lists the bucket instead of looking at each
    object."""
    a = {f"{n % 4}/{n}.txt": f"A {n}".encode() for n in range(40)} | {
        "index.html": b"home A",
        "404.html": b"not here",
    }
    b = {
        path: b"B of " + data if path.endswith("txt") else data
        for path, data in list(a.items())[6:]
    }
    part = {
        path: a[path] if n % 2 and path in a else data for n, (path, data) in enumerate(b.items())
    } | {"0/0.txt": b"A 0"}
    return History(
        directory,
        [Commit("A", {"main": a}), Commit("B", {"main": b}), Commit("part", {"main": part})],
        distributions=1,
    )


def large_file(directory):
    """A file that goes in three parts comes, changes, and shrinks."""
    part = 16 << 20
    small = {"index.html": b"home", "404.html": b"not here"}
    return History(
        directory,
        [
            Commit("A", {"main": small}),
            Commit("B", {"main": {**small, "film.bin": bytes(2 * part + 1)}}),
            Commit("other", {"main": {**small, "film.bin": bytes(2 * part) + b"!!"}}),
            Commit("gone", {"main": small}),
            Commit("small", {"main": {**small, "film.bin": b"short"}}),
        ],
        parents={"gone": "B", "small": "B"},
        distributions=1,
    )


_PATHS = [
    "index.html",
    "a.html",
    "blog/index.html",
    "b.txt",
    "c/d.txt",
    "cv.pdf",
    "404.html",
    "app.1a2b3c4d.js",
    "app.5e6f7a8b.js",
]


def random_history(directory, seed, commits=40):
    """A line of commits over few paths and few contents, so that what was there comes back all the
    time."""
    chance = random.Random(seed)

    def held():
        files = {p: f"{p} {chance.choice('xyz')}".encode() for p in _PATHS if chance.random() < 0.6}
        if chance.random() < 0.85:
            files["404.html"] = (
                b"404.html x"  # an error page that changes makes everything stale: rarely
            )
        return files

    # A fingerprinted name has one content: one that changes in place is another story.
    fixed = {p: p.encode() for p in _PATHS if p.startswith("app.")}
    made = []
    for number in range(commits):
        files = {p: fixed.get(p, data) for p, data in held().items()}
        made.append(
            Commit(
                f"c{number}",
                {"main": files or {"index.html": b"x"}},
                INLINE if chance.random() < 0.5 else {},
            )
        )
    return History(directory, made)
