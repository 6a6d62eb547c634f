"""XML in and out. Reading drops namespaces; writing keeps odd characters as references, as S3 does."""
import re
import xml.etree.ElementTree as ET

_SPECIAL = re.compile(r"[&<>\"\x00-\x08\x0b-\x1f]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escape(text):
    """Text for an element. Control characters become references, even those that XML 1.0 forbids: S3 does so."""
    return _SPECIAL.sub(lambda m: _NAMED.get(m[0]) or (f"&#{ord(m[0])};" if m[0] == "\r" else f"&#x{ord(m[0]):x};"), text)


def parse(data):
    """The root element with plain names, or None when the bytes are no XML."""
    try:
        root = ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):
        return None
    for element in root.iter():
        if "}" in element.tag:
            element.tag = element.tag.rpartition("}")[2]
    return root


def text(element, path, default=None):
    """Text below `path`, or `default` when the element is missing."""
    found = element.find(path) if element is not None else None
    return default if found is None else (found.text or "")


def tag(name, value):
    return f"<{name}>{escape(str(value))}</{name}>"


def document(root_name, namespace, inner):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root_name} xmlns="{namespace}">{inner}</{root_name}>'.encode()


def inner_xml(element):
    """An element with its children as text, without declaring any namespace."""
    children = "".join(inner_xml(child) for child in element)
    content = children or escape(element.text or "")
    return f"<{element.tag}>{content}</{element.tag}>"


def inner_xml_children(element):
    """Only what is inside an element."""
    return "".join(inner_xml(child) for child in element)
