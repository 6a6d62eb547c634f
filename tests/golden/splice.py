"""The helper that splices templates, and what must hold of whatever it answers."""

import base64
import json
import os
import pathlib
import re
import subprocess

import template_model as model
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CRC_BUILD", ROOT / "build" / "asan"))
HELPER = BUILD / "tests" / "splice_stdin"


def splice(templates):
    """Answers for (name, bytes), one each: {"error"} or {"codes", "text"}."""
    jobs = "".join(
        json.dumps({"name": name, "text": base64.b64encode(data).decode()}) + "\n"
        for name, data in templates)
    done = subprocess.run([HELPER], input=jobs, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0 and not done.stderr, done.stderr[-4000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(templates)
    for answer in answers:
        if "text" in answer:
            answer["text"] = base64.b64decode(answer["text"])
    return answers


def check(data, answer):
    """Nothing but the codes is replaced: to the byte, and for another reader."""
    check_bytes(data, answer)
    check_meaning(data, answer)


def is_json(data):
    try:
        json.loads(data.decode("utf-8-sig"))
    except ValueError:
        return False
    return True


def written(data, code):
    """What must stand in place of a code's bytes: quoted as they were, or a property."""
    key = model.key_of(code["path"])
    uri = f"s3://b/{key}"
    start = code["start"]
    original = data[start:code["end"]]
    if not original:
        line = re.split(rb"[\r\n]", data[:start])[-1].removeprefix(b"\xef\xbb\xbf").decode()
        end = "\r\n" if data[start:].partition(b"\n")[0].endswith(b"\r") else "\n"
        return [f"{code['property']}: {uri}{end}{' ' * len(line)}",
                f'"{code["property"]}": "{uri}", ']
    if code["form"] == "object":
        return [f'{{"S3Bucket": "b", "S3Key": "{key}"}}']
    quote = chr(original[0]) if original[0] in b"\"'" else '"' * is_json(data)
    return [quote + uri + quote]


def read_value(data, start, original):
    """A scalar as it stands in the data: blocks count from the indentation of their key."""
    if is_json(data):
        return str(json.loads(original))
    line = re.split(rb"[\r\n]", data[:start])[-1]
    indent = len(line) - len(line.lstrip(b" "))
    node = yaml.compose(f"{' ' * indent}k: {original}\n", Loader=yaml.BaseLoader).value[0][1]
    return node.value.rstrip("\n") if original[0] in "|>" else node.value


def check_bytes(data, answer):
    """Between the codes, every byte is as it was; what was replaced named the folder."""
    at = 0
    pattern = b""
    for code in answer["codes"]:
        assert at <= code["start"] <= code["end"] <= len(data)
        original = data[code["start"]:code["end"]]
        pattern += re.escape(data[at:code["start"]]) + b"(?:" + b"|".join(
            re.escape(text.encode()) for text in written(data, code)) + b")"
        at = code["end"]
        assert not original[-1:].isspace(), "the end of a block belongs to what follows"
        if original and not original.startswith(b"*"):
            name = read_value(data, code["start"], original.decode())
            assert code["path"] == name or code["path"] == ".", (code, original)
    pattern += re.escape(data[at:])
    assert re.fullmatch(pattern, answer["text"], re.DOTALL), answer["text"][-3000:]


def check_meaning(data, answer):
    """For another reader, the values that name code are replaced and all else is equal.

    A text in Metadata that a merge key brings into a function changes with it.
    """
    before, after = model.load(data), model.load(answer["text"])
    found = model.codes(before)
    folders = {code.folder for code in found}
    assert {code["path"] for code in answer["codes"]} == folders, found
    expected = model.replaced(before, found)
    for path in model.differences(expected, after):
        assert path[0] == "Metadata", (path, model.get(expected, *path), model.get(after, *path))
        old = model.get(before, *path)
        assert model.get(after, *path) in [
            model.value_of(model.Code(path, old[2], form)) for form in ("uri", "object")]
        assert old[2] in folders
