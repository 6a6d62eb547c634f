"""Random templates, written in random ways: block and flow style, quotes, escapes, blocks,
anchors, merge keys, comments, line ends; or JSON with odd spacing."""

import json
import re

FOLDERS = ["src", "./src", "src/", "a b/c", "../shared", "größe/日本", "😀", "it's", 'a"b', "a\\b",
           "0123", "yes", "1.10", "2010-09-09", "a#b", "a: b", "-x", ".", "./", "app.zip",
           "*star", "&and", "!bang", "{a}", "[b]", "%20", "@a", "~/a", "a,b", "x" * 90]
WORDS = FOLDERS + ["", " ", "no", "~", "null", "012345678901", "1_000", "0x1F", "12:30", ".inf",
                   "# not a comment", "a # b", "- a", "? b", ": c", "|", ">-", "'", '"', "\t",
                   "two\nlines\n", "  leading", "trailing  ", "\U0001d11e", "é", "\u2028",
                   "CodeUri: ./src", "s3://a/b", "${A}", "`x`", "=", "\x7f\x85", "long " * 40]
NUMBERS = ["0123", "1.10", "12:30", "1_000", "0x1F", "yes", "no", "on", "~", "null", "2010-09-09",
           "+1", "-0", "1e3", ".inf", "true", "0o17", "012345678901", "="]
PLAIN = re.compile(r"[A-Za-z0-9./$äöüß日本😀](?:[A-Za-z0-9./_+$äöüß日本😀-]| (?=[A-Za-z0-9]))*\Z")


class Bare(str):
    """A scalar without quotes."""


class Tagged:
    """A value with a short tag of CloudFormation's."""

    def __init__(self, tag, value):
        self.tag, self.value = tag, value


class Anchored:
    """A mapping with an anchor of that name."""

    def __init__(self, name, value):
        self.name, self.value = name, value


class Alias(str):
    """An alias of that name, with a blank behind it."""


# ---- what is in a template ----

def folder(rng):
    return rng.choice(FOLDERS)


def function_of(rng, name, value):
    """A function of CloudFormation's in its short or its long form."""
    if rng.random() < 0.6:
        return Tagged("!" + name.removeprefix("Fn::"), value)
    return {name: value}


def anything(rng, depth=0):
    kind = rng.random()
    if depth > 2 or kind < 0.45:
        return Bare(rng.choice(NUMBERS)) if rng.random() < 0.4 else rng.choice(WORDS)
    if kind < 0.6:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind < 0.75:
        names = rng.sample(["Key", "größe", "😀", "a b", "0123", "yes", "x: y", "Ref2"], 3)
        return {name: anything(rng, depth + 1) for name in names[:rng.randrange(4)]}
    name, value = rng.choice([
        ("Ref", "Table"), ("Fn::GetAtt", ["Table", "Arn"]), ("Fn::Sub", "arn:${Table}/x"),
        ("Fn::Join", [",", [Tagged("!Ref", "A"), "b"]]), ("Fn::Split", [",", "a,b"]),
        ("Fn::If", ["Prod", Tagged("!Ref", "AWS::NoValue"), Bare("0123")])])
    return function_of(rng, name, value)


def far_code(rng, names):
    """Code that is not on this disk."""
    return rng.choice(["s3://bucket/key", {names[0]: "b", names[1]: "k"},
                       function_of(rng, "Ref", "Where"), function_of(rng, "Fn::Sub", "s3://${B}/k"),
                       function_of(rng, "Fn::GetAtt", ["A", "B"])])


def serverless_function(rng):
    properties = {"Handler": "app.handler"}
    kind = rng.random()
    if kind < 0.55:
        properties["CodeUri"] = folder(rng)
    elif kind < 0.65:
        properties["CodeUri"] = far_code(rng, ("Bucket", "Key"))
    elif kind < 0.7:
        properties["InlineCode"] = "def handler():\n    return {'CodeUri': 'src'}\n"
    elif kind < 0.75:
        properties = {"PackageType": "Image", "ImageUri": "a/b:1"}
    elif kind < 0.8:
        properties["CodeUri"] = Bare(rng.choice(["~", "null"]))
    return "AWS::Serverless::Function", properties


def serverless_layer(rng):
    return "AWS::Serverless::LayerVersion", {"ContentUri": folder(rng)}


def lambda_code(rng, depth=0):
    kind = rng.random()
    if kind < 0.25 and depth < 3:
        return function_of(rng, "Fn::If", ["Prod", lambda_code(rng, depth + 1),
                                           lambda_code(rng, depth + 1)])
    return folder(rng) if kind < 0.75 else far_code(rng, ("S3Bucket", "S3Key"))


def lambda_function(rng):
    return "AWS::Lambda::Function", {"Code": lambda_code(rng), "Handler": "a.b"}


def lambda_layer(rng):
    return "AWS::Lambda::LayerVersion", {"Content": lambda_code(rng)}


def other(rng):
    return rng.choice(["AWS::S3::Bucket", "Custom::Thing"]), {"CodeUri": "src", "Code": "src"}


def resource(rng):
    kinds = [serverless_function] * 4 + [serverless_layer, lambda_function, lambda_layer, other]
    kind, properties = rng.choice(kinds)(rng)
    for name in rng.sample(["Timeout", "Tags", "Description", "Environment", "Größe"], 3):
        properties[name] = anything(rng)
    made = {"Type": kind, "Properties": shuffled(rng, properties)}
    if rng.random() < 0.2:
        made["Metadata"] = {"aws:asset:path": "src", "X": anything(rng)}
    return shuffled(rng, made)


def shuffled(rng, mapping):
    return dict(rng.sample(list(mapping.items()), len(mapping)))


def template(rng):
    resources = {f"R{i}": resource(rng) for i in range(rng.randrange(1, 7))}
    if rng.random() < 0.25:
        resources["Fn::ForEach::Loop"] = ["N", ["A", "B"], {"L${N}": resource(rng)}]
    made = {"Resources": resources, "Description": rng.choice(WORDS),
            "Metadata": {"Any": anything(rng)}, "Outputs": {"O": {"Value": anything(rng)}}}
    if rng.random() < 0.3:
        made["Globals"] = {"Function": {"Timeout": Bare("010"), "CodeUri": folder(rng)}}
    made = shuffled(rng, made)
    return share(rng, made) if rng.random() < 0.15 else made


def share(rng, made):
    """The template with properties in Metadata that some of its functions merge."""
    base = {"CodeUri": folder(rng), "Runtime": "python3.12", "Timeout": anything(rng)}
    for resource in made["Resources"].values():
        if isinstance(resource, dict) and rng.random() < 0.7 and (
                resource["Type"] == "AWS::Serverless::Function"):
            resource["Properties"] = shuffled(rng, resource["Properties"] | {"<<": Alias("base")})
    return {"Metadata": {"Base": Anchored("base", base)}} | {
        key: value for key, value in made.items() if key != "Metadata"}


# ---- how it is written ----

class Writer:
    """Writes YAML. Scalars may get anchors, of which later equal ones are aliases."""

    def __init__(self, rng):
        self.rng = rng
        self.flow_share = rng.choice([0.05, 0.3, 0.9])
        self.comments = rng.choice([0, 0.1, 0.4])
        self.anchor_share = rng.choice([0, 0, 0.1])
        self.step = rng.choice([1, 2, 2, 4, 7])
        self.anchors = {}
        self.count = 0

    def chance(self, share):
        return self.rng.random() < share

    def document(self, tree):
        head = self.rng.choice(["", "", "---\n", "%YAML 1.1\n---\n", "# head ü😀\n", "\n"])
        tail = self.rng.choice(["", "", "...\n", "\n\n", "# end"])
        body = self.flow(tree) + "\n" if self.chance(0.1) else self.block(tree, 0)
        return head + body + tail

    def comment(self):
        return self.rng.choice(["  # CodeUri: no", " # ü😀 'x\"", "   "]) if self.chance(
            self.comments) else ""

    def block(self, mapping, indent):
        """A mapping's lines."""
        lines = []
        for key, value in mapping.items():
            if self.chance(self.comments / 2):
                lines.append(self.rng.choice(["", "# CodeUri: comment", " " * indent + "# ü"]))
            lines.append(f"{' ' * indent}{self.key(key)}:{self.value(value, indent)}")
        return "".join(line + "\n" for line in lines)

    def value(self, value, indent):
        """What stands behind a key or a dash, without its last line end."""
        if isinstance(value, Alias):
            return f" *{value}{self.comment()}"
        if isinstance(value, Anchored):
            return f" &{value.name}\n{self.block(value.value, indent + self.step)[:-1]}"
        if isinstance(value, Tagged):
            if isinstance(value.value, str):
                return f" {value.tag} {self.scalar(value.value)}{self.comment()}"
            return f" {value.tag}{self.value(value.value, indent)}"
        if isinstance(value, (dict, list)) and value and not self.chance(self.flow_share):
            inner = indent + self.step
            text = self.block(value, inner) if isinstance(value, dict) else self.items(value, inner)
            return f"{self.anchor(None)}{self.comment()}\n{text[:-1]}"
        if isinstance(value, (dict, list)):
            return f" {self.flow(value)}{self.comment()}"
        return self.block_scalar(value, indent)

    def items(self, values, indent):
        return "".join(f"{' ' * indent}-{self.value(value, indent)}\n" for value in values)

    def block_scalar(self, text, indent):
        alias = self.alias(text)
        if alias:
            return f" {alias}{self.comment()}"
        inner = " " * (indent + self.step)
        lines = text.split("\n")
        whole = re.fullmatch(r"(?:[^\s\x00-\x1f\x7f-\x9f\u2028][^\x00-\x1f\x7f-\x9f\u2028]*\n?)+",
                             text)
        if isinstance(text, str) and not isinstance(text, Bare) and whole and self.chance(0.2):
            ends = bool(lines and not lines[-1])
            mark = "|" if ends else "|-"
            if not ends and "\n" not in text and self.chance(0.5):
                mark = ">-"
            body = "".join(f"\n{inner}{line}" for line in lines[:len(lines) - ends])
            gap = "\n" * self.rng.randrange(3) if self.chance(0.3) else ""
            return f"{self.anchor(text)} {mark}{body}{gap}"
        if self.chance(0.1):
            return f"{self.anchor(text)}\n{inner}{self.scalar(text)}{self.comment()}"
        return f"{self.anchor(text)} {self.scalar(text)}{self.comment()}"

    def alias(self, text):
        name = self.anchors.get((type(text), text))
        return f"*{name}" if name and self.chance(0.5) else None

    def anchor(self, text):
        if not self.chance(self.anchor_share):
            return ""
        self.count += 1
        name = f"a{self.count}"
        if text is not None:
            self.anchors[type(text), text] = name
        return f" &{name}"

    def key(self, text):
        if text == "<<":
            return text
        return self.scalar(text) if len(text) < 60 else json.dumps(text)

    def scalar(self, text):
        if isinstance(text, Bare):
            return str(text)
        if PLAIN.match(text) and text not in NUMBERS and self.chance(0.6):
            return text
        if re.fullmatch(r"[^\x00-\x1f\x7f-\x9f\u2028]*", text) and self.chance(0.5):
            return "'" + text.replace("'", "''") + "'"
        return '"' + "".join(self.character(c) for c in text) + '"'

    def character(self, c):
        code = ord(c)
        if c in '"\\':
            return "\\" + c
        if code < 0x20 or 0x7F <= code < 0xA0 or code == 0x2028 or self.chance(0.05):
            return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04X}"
        return c

    def flow(self, value):
        if isinstance(value, Alias):
            return f"*{value} "
        if isinstance(value, Anchored):
            return f"&{value.name} {self.flow(value.value)}"
        if isinstance(value, Tagged):
            inner = value.value
            text = self.scalar(inner) if isinstance(inner, str) else self.flow(inner)
            return f"{value.tag} {text}"
        space = self.rng.choice(["", " ", "  ", "\n      "])
        if isinstance(value, list):
            return "[" + f" ,{space}".join(self.flow(item) for item in value) + "]"
        if isinstance(value, dict):
            pairs = [f"{self.key(key)}: {self.flow(item)}" for key, item in value.items()]
            return "{" + f" ,{space}".join(pairs) + self.rng.choice(["", " "]) + "}"
        return self.alias(value) or f"{self.anchor(value)[1:]} {self.scalar(value)}".lstrip()


def to_json(rng, tree):
    def plain(value):
        if isinstance(value, Tagged):
            name = value.tag[1:]
            return {name if name == "Ref" else "Fn::" + name: plain(value.value)}
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, Bare):
            return {"~": None, "null": None, "true": True}.get(value, 110)
        return value

    text = json.dumps(plain(tree), ensure_ascii=rng.random() < 0.5,
                      indent=rng.choice([None, 1, 4, "\t"]),
                      separators=rng.choice([(",", ":"), (" ,", " : "), (",\r\n", "\n:")]))
    return text + rng.choice(["", "\n", "\r\n \t\n"])


def document(rng):
    """The bytes of a random template."""
    tree = template(rng)
    if rng.random() < 0.2 and "Base" not in tree["Metadata"]:
        text = to_json(rng, tree)
    else:
        text = Writer(rng).document(tree)
        if rng.random() < 0.2:
            text = text.replace("\n", "\r\n")
    return (b"\xef\xbb\xbf" if rng.random() < 0.1 else b"") + text.encode()
