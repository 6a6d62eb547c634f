"""What a template would change in a stack, property by property, as DescribeChangeSet tells it."""
from .cfn_kinds import kind_of
from .cfn_resolve import NotKnown
from .cfn_template import dependencies, references

_ATTRIBUTES = ("Metadata", "DeletionPolicy", "UpdateReplacePolicy", "CreationPolicy", "UpdatePolicy")


class Change:
    def __init__(self, action, logical_id, kind, physical_id=""):
        self.action, self.logical_id, self.type, self.physical_id = action, logical_id, kind, physical_id
        self.replacement, self.scope, self.details = None, [], []

    def shown(self):
        """The ResourceChange of the API."""
        made = {"Action": self.action, "LogicalResourceId": self.logical_id, "ResourceType": self.type, "Scope": self.scope, "Details": self.details}
        made.update({"PhysicalResourceId": self.physical_id} if self.physical_id else {})
        made.update({"Replacement": self.replacement} if self.action == "Modify" else {})
        return {"Type": "Resource", "ResourceChange": made}

    def add(self, attribute, recreation, evaluation="Static", cause=None, name=None):
        target = {"Attribute": attribute, "RequiresRecreation": recreation, **({"Name": name} if name else {})}
        source = {None: "DirectModification", "Ref": "ResourceReference", "GetAtt": "ResourceAttribute", "Parameter": "ParameterReference"}[cause[0] if cause else None]
        self.details.append({"Target": target, "Evaluation": evaluation, "ChangeSource": source, **({"CausingEntity": cause[1]} if cause else {})})
        if attribute not in self.scope:
            self.scope.append(attribute)
        self.replacement = _worse(self.replacement, {"Always": "True", "Conditionally": "Conditional", "Never": "False"}[recreation])


def _worse(one, other):
    order = [None, "False", "Conditional", "True"]
    return max(one, other, key=order.index)


def wanted_resources(template, resolver):
    """The template's resources whose condition holds, in an order in which they can be made."""
    entries = {name: r for name, r in template["Resources"].items() if "Condition" not in r or resolver.condition(r["Condition"])}
    waits = {name: dependencies(r, entries) for name, r in entries.items()}
    order = {}
    while len(order) < len(entries):
        for name in [n for n in entries if n not in order and waits[n] <= order.keys()]:
            order[name] = entries[name]
    return order, waits


def changes_of(stack, template, parameters, tags, exported):
    """The changes in the order in which they would be made, removals last."""
    resolver = stack.resolver(template, parameters, exported)
    order, waits = wanted_resources(template, resolver)
    found, unsettled = [], {}
    for name, entry in order.items():
        resolver = stack.resolver(template, parameters, exported, unsettled)
        change = _change(stack, name, entry, resolver, tags)
        if change is not None:
            found.append(change)
            # Others that refer to it cannot be told what they will get.
            unsettled[name] = change.action == "Add" or change.replacement in ("True", "Conditional")
    found += [Change("Remove", r.logical_id, r.type, r.physical_id) for r in stack.resources.values() if r.logical_id not in order]
    return found


def _change(stack, name, entry, resolver, tags):
    old = stack.resources.get(name)
    if old is None:
        return Change("Add", name, entry["Type"])
    change = Change("Modify", name, entry["Type"], old.physical_id)
    if entry["Type"] != old.type:
        change.add("Properties", "Always")
    moved = {n for n, v in resolver.parameters.items() if stack.parameters.get(n) != v}
    _compare_properties(change, old, entry, resolver, moved)
    for attribute in _ATTRIBUTES:
        if entry.get(attribute) != old.entry.get(attribute):
            change.add(attribute, "Never")
    if tags != stack.tags and kind_of(entry["Type"]).tagged:
        change.add("Tags", "Never")
    return change if change.details else None


def _compare_properties(change, old, entry, resolver, moved):
    """`moved`: the parameters whose value is another one."""
    kind = kind_of(entry["Type"])
    new, before = entry.get("Properties") or {}, old.entry.get("Properties") or {}
    for name in dict.fromkeys([*new, *old.properties]):
        recreated = name in kind.replaced_by
        try:
            value = resolver.resolve({name: new[name]} if name in new else {})
        except NotKnown as unknown:
            cause = ("GetAtt" if unknown.attribute else "Ref", unknown.cause)
            recreation = ("Always" if unknown.certain else "Conditionally") if recreated else "Never"
            change.add("Properties", recreation, "Static" if unknown.certain and not unknown.attribute else "Dynamic", cause, name)
            continue
        if value == ({name: old.properties[name]} if name in old.properties else {}):
            continue
        cause = None
        if new.get(name) == before.get(name):
            cause = next((("Parameter", n) for how, n, _ in references(new.get(name)) if how == "Ref" and n in moved), None)
        change.add("Properties", "Always" if recreated else "Never", "Static", cause, name)
