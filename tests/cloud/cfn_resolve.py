"""Intrinsic functions. What a name stands for is asked of the caller, who may answer NotKnown."""
import base64
import json
import re

from .cfn_protocol import invalid

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class NotKnown(Exception):
    """A reference to a resource that is not there yet, or will be another one; `cause` names it."""

    def __init__(self, logical_id, attribute=None, certain=True):
        super().__init__(logical_id)
        self.logical_id, self.attribute, self.certain = logical_id, attribute, certain

    @property
    def cause(self):
        return self.logical_id + ("." + self.attribute if self.attribute else "")


class _NoValue:
    pass


NO_VALUE = _NoValue()


class Resolver:
    """Evaluates values of one template with its parameters.

    `reference(logical_id)` and `attribute(logical_id, name)` answer for resources, `exported(name)` for other stacks.
    """

    def __init__(self, template, parameters, pseudo, reference, attribute, exported):
        self.template, self.parameters, self.pseudo = template, parameters, pseudo
        self.reference, self.attribute, self.exported = reference, attribute, exported
        self._conditions = {}

    def condition(self, name):
        if name not in self._conditions:
            if name not in self.template.get("Conditions", {}):
                raise invalid(f"Template format error: Unresolved condition dependency {name} in the Resources block of the template")
            self._conditions[name] = self.resolve(self.template["Conditions"][name]) is True
        return self._conditions[name]

    def resolve(self, value):
        """The value; NO_VALUE where it is to be left out."""
        if isinstance(value, list):
            return [v for v in map(self.resolve, value) if v is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), = value.items()
            if name == "Ref" or name == "Condition" and isinstance(argument, str) or name.startswith("Fn::"):
                function = getattr(self, "_" + name.removeprefix("Fn::"), None)
                if function is None:
                    raise invalid(f"Template error: unsupported function: {name}")
                return function(argument)
        pairs = ((key, self.resolve(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not NO_VALUE}

    def _Ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            kind = self.template.get("Parameters", {}).get(name, {}).get("Type", "String")
            value = self.parameters[name]
            return [part.strip() for part in value.split(",")] if "List" in kind and value else value
        return self.reference(name)

    def _GetAtt(self, argument):
        name, attribute = argument.split(".", 1) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))
        return self.attribute(name, attribute)

    def _Sub(self, argument):
        text, own = argument if isinstance(argument, list) else (argument, {})
        own = {key: self.resolve(value) for key, value in own.items()}

        def put(match):
            name = match[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return as_text(own[name])
            return as_text(self._GetAtt(name) if "." in name else self._Ref(name))
        return _VARIABLE.sub(put, text)

    def _Join(self, argument):
        return as_text(argument[0]).join(map(as_text, self.resolve(argument[1])))

    def _Split(self, argument):
        return as_text(self.resolve(argument[1])).split(argument[0])

    def _Select(self, argument):
        items, index = self.resolve(argument[1]), int(self.resolve(argument[0]))
        if not 0 <= index < len(items):
            raise invalid("Template error: Fn::Select cannot select nonexistent value at index " + str(index))
        return items[index]

    def _If(self, argument):
        return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])

    def _FindInMap(self, argument):
        name, first, second = (self.resolve(a) for a in argument[:3])
        try:
            return self.resolve(self.template["Mappings"][name][first][second])
        except (KeyError, TypeError):
            if len(argument) > 3 and "DefaultValue" in argument[3]:
                return self.resolve(argument[3]["DefaultValue"])
            raise invalid(f"Template error: Unable to get mapping for {name}::{first}::{second}") from None

    def _ImportValue(self, argument):
        return self.exported(as_text(self.resolve(argument)))

    def _Base64(self, argument):
        return base64.b64encode(as_text(self.resolve(argument)).encode()).decode()

    def _GetAZs(self, argument):
        region = self.resolve(argument) or self.pseudo["AWS::Region"]
        return [region + letter for letter in "abc"]

    def _ToJsonString(self, argument):
        return json.dumps(self.resolve(argument), separators=(",", ":"))

    def _Length(self, argument):
        return len(self.resolve(argument))

    # Conditions and rules

    def _Contains(self, argument):
        return as_text(self.resolve(argument[1])) in map(as_text, self.resolve(argument[0]))

    def _EachMemberEquals(self, argument):
        return all(as_text(v) == as_text(self.resolve(argument[1])) for v in self.resolve(argument[0]))

    def _EachMemberIn(self, argument):
        return {*map(as_text, self.resolve(argument[0]))} <= {*map(as_text, self.resolve(argument[1]))}

    def _Condition(self, name):
        return self.condition(name)

    def _Equals(self, argument):
        return as_text(self.resolve(argument[0])) == as_text(self.resolve(argument[1]))

    def _And(self, argument):
        return all(self.resolve(a) is True for a in argument)

    def _Or(self, argument):
        return any(self.resolve(a) is True for a in argument)

    def _Not(self, argument):
        return self.resolve(argument[0]) is not True


def as_text(value):
    """A value inside a text: booleans as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (dict, list)) else str(value)
