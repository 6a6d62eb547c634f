"""What a template means, told by PyYAML and json alone; and which of it names code of this disk.

A tree is ("map", tag, {key: tree}), ("seq", tag, [tree]) or ("text", tag, text). Texts stay
as they are written and tags as PyYAML resolves them, so that 0123 and "0123" differ. Anchors
and merge keys are resolved.
"""

import json
import re
from typing import NamedTuple

import yaml

STR = "tag:yaml.org,2002:str"
MAP = "tag:yaml.org,2002:map"
NULL = "tag:yaml.org,2002:null"

# property, form, whether it is the template's folder when missing and may be in Globals
RULES = {
    "AWS::Serverless::Function": ("CodeUri", "uri", True),
    "AWS::Serverless::LayerVersion": ("ContentUri", "uri", False),
    "AWS::Lambda::Function": ("Code", "object", False),
    "AWS::Lambda::LayerVersion": ("Content", "object", False),
}


class Code(NamedTuple):
    """A place in the tree that names code."""

    path: tuple
    folder: str
    form: str


def text(value):
    return ("text", STR, value)


def load(data):
    """The tree of a template's bytes."""
    source = data.decode("utf-8-sig")
    try:
        return from_json(json.loads(source, object_pairs_hook=Pairs, parse_int=Word,
                                    parse_float=Word, parse_constant=Word))
    except ValueError:
        return from_node(yaml.compose(source, Loader=yaml.SafeLoader))


class Pairs(list):
    """The members of a JSON object."""


class Word(str):
    """A number of JSON as it is written."""


def from_json(value):
    if isinstance(value, Pairs):
        return ("map", MAP, {key: from_json(member) for key, member in value})
    if isinstance(value, list):
        return ("seq", "seq", [from_json(item) for item in value])
    if isinstance(value, Word):
        return ("text", "number", str(value))
    if isinstance(value, str):
        return text(value)
    return ("text", NULL if value is None else "bool", str(value))


def from_node(node):
    if isinstance(node, yaml.MappingNode):
        return ("map", node.tag, members(node))
    if isinstance(node, yaml.SequenceNode):
        return ("seq", node.tag, [from_node(item) for item in node.value])
    return ("text", STR if node.tag == "!" else node.tag, node.value)


def members(node):
    """A mapping's members: its own, then what merge keys add."""
    own, merged = {}, {}
    for key, value in node.value:
        if key.tag != "tag:yaml.org,2002:merge":
            own[key.value] = from_node(value)
            continue
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            for name, tree in members(source).items():
                merged.setdefault(name, tree)
    return own | {name: tree for name, tree in merged.items() if name not in own}


def get(tree, *path):
    """What is below a tree, or None."""
    for key in path:
        if not tree or tree[0] == "text":
            return None
        if tree[0] == "map":
            tree = tree[2].get(key)
        else:
            tree = tree[2][key] if isinstance(key, int) and key < len(tree[2]) else None
    return tree


def literal(tree):
    return tree[2] if tree and tree[0] == "text" and tree[1] not in (NULL,) and (
        not tree[1].startswith("!")) else None


def codes(tree):
    """All places that name code, however often the text is shared."""
    found = []
    found_global = False
    for path, resource in resources(tree, ("Resources",)):
        rule = RULES.get(literal(get(resource, "Type")))
        if not rule or is_inline(resource):
            continue
        name, form, is_function = rule
        place = path + ("Properties", name)
        value = get(resource, "Properties", name)
        if value is not None:
            found += values(value, place, form, is_function)
        elif is_function and get(tree, "Globals", "Function", name):
            found_global = True
        elif is_function and not get(resource, "Properties", "Fn::Transform"):
            found.append(Code(place, ".", form))
    if found_global:
        place = ("Globals", "Function", "CodeUri")
        found += values(get(tree, *place), place, "uri", True)
    return found


def resources(tree, path):
    for name, resource in get(tree, *path)[2].items():
        if name.startswith("Fn::ForEach::"):
            yield from resources(tree, path + (name, 2))
        else:
            yield path + (name,), resource


def is_inline(resource):
    return any(get(resource, "Properties", name) for name in ("InlineCode", "ImageUri")) or (
        literal(get(resource, "Properties", "PackageType")) == "Image")


def values(value, place, form, null_is_folder):
    """The codes in a property's value."""
    if value[0] == "text" and value[1] == NULL:
        return [Code(place, ".", form)] if null_is_folder else []
    if literal(value) is not None:
        remote = re.match("(s3|https?)://", value[2])
        return [] if remote else [Code(place, value[2].rstrip("\n") or ".", form)]
    if value[0] == "seq" and value[1] == "!If":
        return branches(value, place, form)
    if value[0] == "map" and list(value[2]) == ["Fn::If"]:
        return branches(value[2]["Fn::If"], place + ("Fn::If",), form)
    return []


def branches(choice, place, form):
    return [code for i in (1, 2) for code in values(choice[2][i], place + (i,), form, False)]


def key_of(folder):
    """Where the helper says that a folder's code is."""
    return "k-" + folder.encode().hex()


def value_of(code):
    """What stands for a folder afterwards."""
    if code.form == "uri":
        return text(f"s3://b/{key_of(code.folder)}")
    return ("map", MAP, {"S3Bucket": text("b"), "S3Key": text(key_of(code.folder))})


def replaced(tree, found):
    """The tree with each code's value replaced, or added."""
    for code in found:
        tree = put(tree, code.path, value_of(code))
    return tree


def put(tree, path, value):
    if not path:
        return value
    kind, tag, content = tree
    if kind == "map":
        return (kind, tag, content | {path[0]: put(content.get(path[0]), path[1:], value)})
    return (kind, tag, content[:path[0]] + [put(content[path[0]], path[1:], value)]
            + content[path[0] + 1:])


def differences(before, after, path=()):
    """The paths at which two trees differ."""
    if before is None or after is None or before[0] != after[0] or before[0] == "text":
        return [] if before == after else [path]
    if before[1] != after[1] or len(before[2]) != len(after[2]):
        return [path]
    if before[0] == "seq":
        pairs = list(enumerate(zip(before[2], after[2])))
    else:
        pairs = [(key, (before[2].get(key), after[2].get(key)))
                 for key in before[2].keys() | after[2].keys()]
    return [found for key, (a, b) in pairs for found in differences(a, b, path + (key,))]
