"""Templates of every kind, and what is found in them, replaced and refused.

`template/expected` names each file with its codes ("RESOURCE.PROPERTY LINE FOLDER RUNTIME
[arm64]", a runtime that is not known is "-"), "nothing", or "refused" and how the message
goes on behind the file's name.
"""

import pathlib

import pytest
import splice

FOLDER = pathlib.Path(__file__).parent / "template"


def read_expected():
    expected = {}
    for line in (FOLDER / "expected").read_text("utf-8").splitlines():
        if line.startswith(" "):
            expected[name].append(line.strip())
        else:
            name = line
            expected[name] = []
    return expected


EXPECTED = read_expected()


@pytest.fixture(scope="module")
def answers():
    names = sorted(EXPECTED)
    return dict(zip(names, splice.splice([(n, (FOLDER / n).read_bytes()) for n in names])))


def described(code):
    words = [f"{code['resource']}.{code['property']}", str(code["line"]),
             code["path"].replace("\n", "\\n"), code["runtime"] or "-"]
    return " ".join(words + ["arm64"] * (code["architecture"] == "arm64"))


def test_each_file_has_its_expectation():
    assert {path.name for path in FOLDER.iterdir()} == EXPECTED.keys() | {"expected"}
    assert len(EXPECTED) >= 50 and all(EXPECTED.values())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_template(name, answers):
    answer, expected = answers[name], EXPECTED[name]
    if expected[0].startswith("refused "):
        wanted = expected[0].removeprefix("refused ")
        separator = ":" if wanted[0].isdigit() else ": "
        assert answer.get("error", "").startswith(name + separator + wanted), answer
        return
    assert "error" not in answer, answer
    found = [described(code) for code in answer["codes"]]
    assert found == [line for line in expected if line != "nothing"]
    splice.check((FOLDER / name).read_bytes(), answer)
