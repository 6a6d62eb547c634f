"""The query protocol by botocore's model: a form becomes plain values, and plain values become XML.

Constraints that the model knows (required, length, pattern, enum) are checked here, in the words of the live service.
"""
import datetime
import re

import botocore.session

from . import xmlio
from .errors import NAMESPACES, AwsError
from .http11 import Response

_MODEL = []


def model():
    if not _MODEL:
        _MODEL.append(botocore.session.get_session().get_service_model("cloudformation"))
    return _MODEL[0]


def invalid(message):
    return AwsError(400, "ValidationError", message)


def arguments(operation, form):
    """The operation's parameters as nested values."""
    shape = model().operation_model(operation).input_shape
    tree = {}
    for name, value in form.items():
        node, parts = tree, name.split(".")
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise AwsError(400, "MalformedInput", "Unexpected parameter " + name)
        node[parts[-1]] = value
    values = _value(shape, tree) if shape is not None else {}
    _check(shape, values)
    return values


def _value(shape, node):
    if shape.type_name == "structure":
        return {name: _value(member, node[name]) for name, member in shape.members.items() if name in node} if isinstance(node, dict) else {}
    if shape.type_name == "list":
        items = node.get("member", {}) if isinstance(node, dict) else {}
        return [_value(shape.member, items[key]) for key in sorted(items, key=int)]
    if shape.type_name == "boolean":
        return node == "true"
    return int(node) if shape.type_name in ("integer", "long") else node


def _check(shape, values):
    wrong = [f"Value null at '{_camel(name)}' failed to satisfy constraint: Member must not be null"
             for name in (shape.required_members if shape is not None else ()) if name not in values]
    for name, value in values.items():
        member = shape.members[name]
        if member.type_name == "list" and getattr(member.member, "enum", None) and not set(value) <= set(member.member.enum):
            wrong.append(f"Value '[{', '.join(value)}]' at '{_camel(name)}' failed to satisfy constraint: Member must satisfy constraint: "
                         f"[Member must satisfy enum value set: [{', '.join(member.member.enum)}]]")
        if member.type_name == "string":
            wrong += [f"Value '{value}' at '{_camel(name)}' failed to satisfy constraint: {why}" for why in _string_faults(member, value)]
    if wrong:
        raise invalid(f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected: " + "; ".join(wrong))


def _string_faults(shape, value):
    if len(value) < shape.metadata.get("min", 0):
        yield f"Member must have length greater than or equal to {shape.metadata['min']}"
    if len(value) > shape.metadata.get("max", len(value)):
        yield f"Member must have length less than or equal to {shape.metadata['max']}"
    if shape.enum and value not in shape.enum:
        yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _camel(name):
    return name[0].lower() + name[1:]


def answer(operation, values, request_id):
    """The response to a successful operation."""
    shape = model().operation_model(operation).output_shape
    inner = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", operation + "Result")
        inner = f"<{wrapper}>{_content(shape, values)}</{wrapper}>"
    inner += "<ResponseMetadata>" + xmlio.tag("RequestId", request_id) + "</ResponseMetadata>"
    return Response(200, [("Content-Type", "text/xml")], xmlio.document(operation + "Response", NAMESPACES["cloudformation"], inner))


def _content(shape, value):
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        if unknown:
            raise KeyError(f"{shape.name} has no {sorted(unknown)}")
        return "".join(f"<{name}>{_content(member, value[name])}</{name}>" for name, member in shape.members.items() if value.get(name) is not None)
    if shape.type_name == "list":
        return "".join(f"<member>{_content(shape.member, item)}</member>" for item in value)
    if shape.type_name == "timestamp":
        moment = datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return xmlio.escape(str(value))
