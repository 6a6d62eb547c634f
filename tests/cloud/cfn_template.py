"""Templates: from text to a plain dictionary, the checks that come before anything is done, parameters, transforms."""
import json
import re

import yaml

from .cfn_protocol import invalid

SAM, EXTENSIONS = "AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"
_SECTIONS = {"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform", "Hooks",
             "Resources", "Outputs", "Globals"}
_RESOURCE = {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy"}
_PSEUDO = {"AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix"}
_LOGICAL_ID = re.compile(r"[a-zA-Z0-9]+")
_SUB = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with CloudFormation's tags; a date stays the text that it was written as."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise invalid("Template error: YAML aliases are not allowed in CloudFormation templates")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        keys = [k.value for k, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise invalid(f"Template format error: YAML not well-formed. (line {node.start_mark.line + 1}, column {node.start_mark.column + 1})")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def _tagged(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else "Fn::" + suffix
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    made = loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node, deep=True)
    return {name: made}


_Loader.add_multi_constructor("!", _tagged)


def load(text):
    """The template as a dictionary in the long form of every function."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)
    except json.JSONDecodeError as error:
        raise invalid(f"Template format error: JSON not well-formed. (line {error.lineno}, column {error.colno})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid("Template format error: YAML not well-formed." + where) from None
    if not isinstance(value, dict):
        raise invalid("Template format error: unsupported structure.")
    unknown = set(map(str, value)) - _SECTIONS
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(sorted(unknown))}]")
    if not isinstance(value.get("Resources"), dict) or not value["Resources"]:
        raise invalid("Template format error: At least one Resources member must be defined.")
    return value


def transforms_of(template):
    named = template.get("Transform", [])
    return [named] if isinstance(named, str) else list(named)


# References

def references(value, own=()):
    """Every name that a value refers to: ("Ref" or "GetAtt", name, attribute). `own`: names that a Sub defines."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield "Ref", item, None
            elif key == "Fn::GetAtt":
                parts = item.split(".", 1) if isinstance(item, str) else item
                yield "GetAtt", parts[0], parts[1] if len(parts) > 1 else None
            elif key == "Fn::Sub":
                yield from _sub_references(item)
            else:
                yield from references(item)


def _sub_references(item):
    text, own = item if isinstance(item, list) else (item, {})
    yield from references(own)
    for name in _SUB.findall(text):
        name = name.strip()
        if name in own:
            continue
        head, dot, attribute = name.partition(".")
        yield ("GetAtt", head, attribute) if dot else ("Ref", name, None)


def dependencies(resource, known):
    """The logical ids that a resource waits for."""
    explicit = resource.get("DependsOn", [])
    found = [explicit] if isinstance(explicit, str) else list(explicit)
    found += [name for _, name, _ in references(resource.get("Properties", {}))]
    return {name for name in found if name in known}


def check(template, known_type):
    """What the service refuses before it makes anything; the template has no transform any more."""
    resources = template["Resources"]
    for name, resource in resources.items():
        if not _LOGICAL_ID.fullmatch(str(name)):
            raise invalid(f"Template format error: Resource name {name} is non alphanumeric.")
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise invalid(f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member.")
        extra = sorted(set(resource) - _RESOURCE)
        if extra:
            raise invalid(f"Invalid template resource property '{extra[0]}'")
    strange = [r["Type"] for r in resources.values() if not known_type(r["Type"])]
    if strange:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(dict.fromkeys(strange))}]")
    _check_references(template)
    _check_cycles(resources)


def _check_references(template):
    resources, parameters = template["Resources"], template.get("Parameters", {})
    conditions = template.get("Conditions", {})
    for section, where in (("Resources", resources), ("Outputs", template.get("Outputs", {}))):
        missing = [name for kind, name, _ in references(where) if name not in resources and not (kind == "Ref" and (name in parameters or name in _PSEUDO))]
        missing += [name for r in resources.values() for name in _listed(r.get("DependsOn")) if name not in resources] if section == "Resources" else []
        if missing:
            raise invalid(f"Template format error: Unresolved resource dependencies [{', '.join(dict.fromkeys(missing))}] in the {section} block of the template")
        for name, entry in where.items():
            condition = entry.get("Condition") if isinstance(entry, dict) else None
            if condition is not None and condition not in conditions:
                raise invalid(f"Template format error: Unresolved condition dependency {condition} in the {section} block of the template")


def _listed(value):
    return [value] if isinstance(value, str) else value or []


def _check_cycles(resources):
    waits = {name: dependencies(r, resources) for name, r in resources.items()}
    while True:
        free = [name for name, needs in waits.items() if not needs & waits.keys()]
        if not free:
            break
        for name in free:
            del waits[name]
    if waits:
        raise invalid(f"Circular dependency between resources: [{', '.join(sorted(waits))}]")


# Parameters

def parameter_values(template, given, previous):
    """{name: value} for a template: `given` is the request's list, `previous` the stack's values."""
    declared = template.get("Parameters") or {}
    values = {}
    for entry in given:
        key = entry.get("ParameterKey", "")
        if entry.get("UsePreviousValue"):
            if "ParameterValue" in entry:
                raise invalid(f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter")
            if key not in previous:
                raise invalid(f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous template")
            if key in declared:
                values[key] = previous[key]
        elif "ParameterValue" not in entry:
            raise invalid(f"Invalid input for parameter key {key}. Need to specify either usePreviousValue as true or a value for the parameter")
        else:
            values[key] = entry["ParameterValue"]
    unknown = [key for key in values if key not in declared]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for key, about in declared.items():
        if key not in values and "Default" in about:
            values[key] = _text(about["Default"])
    missing = [key for key in declared if key not in values]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for key, value in values.items():
        _check_parameter(key, value, declared[key])
    return {key: values[key] for key in declared}


def check_rules(template, resolver):
    """The template's own assertions about its parameters."""
    for name, rule in (template.get("Rules") or {}).items():
        if "RuleCondition" in rule and resolver.resolve(rule["RuleCondition"]) is not True:
            continue
        for assertion in rule.get("Assertions", []):
            if resolver.resolve(assertion["Assert"]) is not True:
                raise invalid(f"Template constraint of rule {name} is not met: {assertion.get('AssertDescription', 'Assertion failed')}")


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def _check_parameter(key, value, about):
    why = about.get("ConstraintDescription")
    allowed = [_text(v) for v in about.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise invalid(f"Parameter '{key}' must be one of AllowedValues" if not why else f"Parameter {key} failed to satisfy constraint: {why}")
    if "AllowedPattern" in about and not re.fullmatch(about["AllowedPattern"], value):
        raise invalid(f"Parameter {key} failed to satisfy constraint: {why or 'Parameter value must match pattern ' + about['AllowedPattern']}")
    if about.get("Type") == "Number" and not re.fullmatch(r"[+-]?\d+(\.\d+)?", value):
        raise invalid(f"Parameter '{key}' must be a number.")
    if about.get("Type") == "Number" and float(value) < float(about.get("MinValue", value)):
        raise invalid(f"Parameter '{key}' must be a number not less than {about['MinValue']}")
    if about.get("Type") == "Number" and float(value) > float(about.get("MaxValue", value)):
        raise invalid(f"Parameter '{key}' must be a number not greater than {about['MaxValue']}")
    if len(value) < int(about.get("MinLength", 0)):
        raise invalid(f"Parameter '{key}' must contain at least {about['MinLength']} characters")
    if "MaxLength" in about and len(value) > int(about["MaxLength"]):
        raise invalid(f"Parameter '{key}' must contain at most {about['MaxLength']} characters")


def capabilities_needed(template):
    """The capability that a template's IAM resources ask for, and of which types they are; ("", []) for none."""
    named = {"AWS::IAM::Role": "RoleName", "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
             "AWS::IAM::InstanceProfile": "InstanceProfileName", "AWS::IAM::Policy": None, "AWS::IAM::AccessKey": None, "AWS::IAM::UserToGroupAddition": None}
    found = [r for r in template["Resources"].values() if r["Type"] in named]
    if not found:
        return "", []
    needs_name = any(named[r["Type"]] in (r.get("Properties") or {}) for r in found if named[r["Type"]])
    return "CAPABILITY_NAMED_IAM" if needs_name else "CAPABILITY_IAM", list(dict.fromkeys(r["Type"] for r in found))
