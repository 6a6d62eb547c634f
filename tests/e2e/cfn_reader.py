"""Reads CloudFormation templates and IAM policies as AWS does, as far as the examples need it.

Expansion of SAM is that of AWS's own translator; conditions, references and the verdict on a
request are computed here, so that a test can ask what a template means, not what it says.
"""

import fnmatch
import os
import re
from unittest import mock

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ACCOUNT, REGION = "123456789012", "us-east-1"
NO_VALUE = object()


class _NoManagedPolicies:
    @staticmethod
    def load():
        return {}


def read(file):
    return yaml_parse(file.read_text())


def expand(template):
    """What CloudFormation makes of a SAM template, its code having been uploaded."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://artifacts/code"
    with mock.patch.dict(os.environ, AWS_DEFAULT_REGION=REGION):
        return transform(template, {}, _NoManagedPolicies())


class Stack:
    """A template with values: conditions decided, references followed, names given."""

    def __init__(self, template, name, **parameters):
        self.template, self.name = template, name
        self.values = {p: str(d.get("Default", "")) for p, d in template["Parameters"].items()}
        unknown = parameters.keys() - self.values.keys()
        assert not unknown, f"no parameters of the template: {unknown}"
        self.values |= parameters
        self.conditions = {n: self._truth(c) for n, c in template.get("Conditions", {}).items()}
        self.resources = {
            n: self.resolve(r.get("Properties", {})) for n, r in template["Resources"].items()
            if self._exists(n)}
        self.outputs = {n: self.resolve(o["Value"]) for n, o in template["Outputs"].items()}

    def of_type(self, kind):
        return {n: p for n, p in self.resources.items()
                if self.template["Resources"][n]["Type"] == kind}

    def rules(self):
        """Which rules of the template these parameters break."""
        return [name for name, rule in self.template.get("Rules", {}).items()
                if self._truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}))
                and not all(self._truth(a["Assert"]) for a in rule["Assertions"])]

    # Names, as CloudFormation makes them

    def physical(self, name):
        made = f"{self.name}-{name}-1A2B3C4D5E6F"
        kind = self.template["Resources"][name]["Type"]
        if kind == "AWS::S3::Bucket":
            return made.lower()
        if kind == "AWS::IAM::ManagedPolicy":
            stated = self.resolve(self.template["Resources"][name]["Properties"])
            return f"arn:aws:iam::{ACCOUNT}:policy/{stated['ManagedPolicyName']}"
        return "E" + name.upper() if kind.startswith("AWS::CloudFront::") else made

    def arn(self, name):
        physical = self.physical(name)
        return {
            "AWS::S3::Bucket": f"arn:aws:s3:::{physical}",
            "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{physical}",
            "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{physical}",
            "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{physical}:*",
            "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{physical}",
        }[self.template["Resources"][name]["Type"]]

    def _attribute(self, name, attribute):
        if attribute == "Arn":
            return self.arn(name)
        return {"RegionalDomainName": f"{self.physical(name)}.s3.{REGION}.amazonaws.com",
                "DomainName": "d111111abcdef8.cloudfront.net",
                "FunctionUrl": f"https://abc123.lambda-url.{REGION}.on.aws/"}[attribute]

    def _reference(self, name):
        pseudo = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws",
                  "AWS::StackName": self.name, "AWS::NoValue": NO_VALUE}
        if name in pseudo:
            return pseudo[name]
        if name in self.values:
            return self.values[name]
        assert self._exists(name), f"{name} is referred to and not made"
        return self.physical(name)

    def _exists(self, name):
        condition = self.template["Resources"][name].get("Condition")
        return condition is None or self.conditions[condition]

    # Functions

    def _truth(self, node):
        [(function, argument)] = node.items()
        if function == "Condition":
            return self._truth(self.template["Conditions"][argument])
        if function == "Fn::Equals":
            one, other = (str(self.resolve(a)) for a in argument)
            return one == other
        return {"Fn::Not": lambda: not self._truth(argument[0]),
                "Fn::And": lambda: all(map(self._truth, argument)),
                "Fn::Or": lambda: any(map(self._truth, argument))}[function]()

    def resolve(self, node):
        if isinstance(node, list):
            return [v for v in map(self.resolve, node) if v is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(key, argument)] = node.items()
            if key == "Ref" or key.startswith("Fn::"):
                return getattr(self, "_" + key.removeprefix("Fn::").lower())(argument)
        resolved = {k: self.resolve(v) for k, v in node.items()}
        return {k: v for k, v in resolved.items() if v is not NO_VALUE}

    def _ref(self, argument):
        return self._reference(argument)

    def _if(self, argument):
        condition, yes, no = argument
        return self.resolve(yes if self.conditions[condition] else no)

    def _getatt(self, argument):
        name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        assert self._exists(name), f"{name} is referred to and not made"
        return self._attribute(name, attribute)

    def _sub(self, argument):
        def value(match):
            name, _, attribute = match.group(1).partition(".")
            return self._attribute(name, attribute) if attribute else str(self._reference(name))
        return re.sub(r"\$\{([^!}]+)\}", value, argument)

    def _select(self, argument):
        index, values = argument
        return self.resolve(values)[int(index)]

    def _split(self, argument):
        separator, text = argument
        return self.resolve(text).split(separator)


# Policies


def many(value):
    return value if isinstance(value, list) else [value]


def statements(node):
    """Every statement of every policy in what is given."""
    if isinstance(node, dict):
        if "Effect" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from statements(inner)


def _like(value, patterns):
    return any(fnmatch.fnmatchcase(value, p.replace("[", "[[]")) for p in patterns)


def _holds(operator, wanted, values):
    """One line of a condition; a key that the request lacks meets no positive one."""
    quantifier, _, plain = operator.rpartition(":")
    wanted = [str(w).lower() if plain == "Bool" else str(w) for w in many(wanted)]
    check = {"StringEquals": lambda v: v in wanted, "Bool": lambda v: v in wanted,
             "StringLike": lambda v: _like(v, wanted)}[plain]
    if quantifier == "ForAllValues":
        return all(map(check, values))
    return any(map(check, values))


def applies(statement, action, resource, principal, context):
    said = statement.get("Principal")
    if principal is not None and said != "*" and principal not in many((said or {}).get("Service")):
        return False
    return (_like(action.lower(), [a.lower() for a in many(statement["Action"])])
            and _like(resource, many(statement["Resource"]))
            and all(_holds(operator, wanted, many(context.get(key.lower(), [])))
                    for operator, line in statement.get("Condition", {}).items()
                    for key, wanted in line.items()))


def allowed(policies, action, resource, principal=None, **context):
    """IAM's verdict: some statement allows it and none denies it. Of the context, `__` stands
    for a colon: aws__CalledVia."""
    context = {key.replace("__", ":").lower(): value for key, value in context.items()}
    effects = {s["Effect"] for s in statements(policies)
               if applies(s, action, resource, principal, context)}
    return effects == {"Allow"}
