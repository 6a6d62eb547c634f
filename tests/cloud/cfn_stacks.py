"""What CloudFormation remembers: stacks, their resources and events, change sets."""
import uuid

from .cfn_protocol import invalid
from .cfn_resolve import NotKnown, Resolver, as_text

STACK_TYPE = "AWS::CloudFormation::Stack"


def outputs_of(template, resolver):
    """{name: Output of the API}."""
    made = {}
    for name, about in (template.get("Outputs") or {}).items():
        if "Condition" in about and not resolver.condition(about["Condition"]):
            continue
        export = resolver.resolve(about["Export"]["Name"]) if "Export" in about else None
        made[name] = {"OutputKey": name, "OutputValue": _output_text(resolver.resolve(about["Value"])),
                      **({"Description": about["Description"]} if "Description" in about else {}), **({"ExportName": export} if export else {})}
    return made


def _output_text(value):
    return ",".join(map(as_text, value)) if isinstance(value, list) else as_text(value)


class Resource:
    """A resource that a stack has, had, or is about to have."""

    def __init__(self, logical_id, entry):
        self.logical_id, self.type, self.entry = logical_id, entry["Type"], entry
        self.physical_id, self.properties, self.attributes = "", {}, {}
        self.metadata = entry.get("Metadata")
        self.status, self.reason, self.time, self.waits_for = "", None, 0.0, set()
        self.handle = None             # moto's model and its name, for the kinds that it implements

    def policy(self, name):
        return self.entry.get(name, "Delete")


class ChangeSet:
    def __init__(self, name, stack, kind, created):
        self.name, self.stack, self.kind, self.created = name, stack, kind, created
        self.id = f"arn:aws:cloudformation:{stack.region}:{stack.account}:changeSet/{name}/{uuid.uuid4()}"
        self.status, self.reason, self.execution = "CREATE_PENDING", None, "UNAVAILABLE"
        self.body, self.template, self.processed = "", {}, None
        self.parameters, self.tags, self.capabilities, self.changes = {}, {}, [], []
        self.operation, self.findings = str(uuid.uuid4()), []
        self.token = self.description = self.on_failure = self.role = self.executed_by = None
        self.polls = 0


class Stack:
    def __init__(self, name, region, account, created):
        self.name, self.region, self.account, self.created = name, region, account, created
        self.id = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
        self.updated = self.deleted = self.reason = self.change_set = self.role = None
        self.status, self.description = "", None
        self.body, self.template, self.parameters, self.tags, self.capabilities = "", {}, {}, {}, []
        self.outputs, self.resources, self.change_sets, self.events = {}, {}, {}, []
        self.operation = None          # what is being done to it
        self.protected = self.disable_rollback = False
        self.tokens = set()

    @property
    def busy(self):
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def overtake(self, chosen=None):
        """The stack changes: change sets that were made for it as it was are worth nothing any more."""
        for other in self.change_sets.values():
            if other is not chosen and other.execution == "AVAILABLE":
                other.execution = "OBSOLETE"

    def turn(self, status, now, reason=None, token=None):
        """A new status of the stack, with its event."""
        self.status, self.reason = status, reason
        self._add(self.name, self.id, STACK_TYPE, status, now, reason, token, str(uuid.uuid4()))

    def note(self, resource, status, now, reason=None, token=None):
        """A new status of a resource, with its event."""
        resource.status, resource.reason, resource.time = status, reason, now
        self._add(resource.logical_id, resource.physical_id, resource.type, status, now, reason, token, f"{resource.logical_id}-{status}-{uuid.uuid4()}")

    def _add(self, logical_id, physical_id, kind, status, now, reason, token, identifier):
        # Two events never have the same time, so that their order can be told.
        if self.events and now <= self.events[-1]["Timestamp"]:
            now = self.events[-1]["Timestamp"] + 0.001
        event = {"StackId": self.id, "EventId": identifier, "StackName": self.name, "LogicalResourceId": logical_id, "PhysicalResourceId": physical_id,
                 "ResourceType": kind, "Timestamp": now, "ResourceStatus": status}
        event.update({"ResourceStatusReason": reason} if reason else {})
        event.update({"ClientRequestToken": token} if token else {})
        self.events.append(event)

    def resolver(self, template, parameters, exported, unsettled=()):
        """A resolver over the resources as they are. `unsettled`: {logical id: will it be another one} of a coming change."""
        unsettled = dict(unsettled)

        def reference(name):
            found = self.resources.get(name)
            if found is None or unsettled.get(name):
                raise NotKnown(name)
            return found.attributes.get("Ref", found.physical_id)

        def attribute(name, wanted):
            found = self.resources.get(name)
            if found is None or name in unsettled:
                raise NotKnown(name, wanted, bool(found is None or unsettled[name]))
            if wanted not in found.attributes:
                raise invalid(f"Template error: resource {name} does not support attribute type {wanted} in Fn::GetAtt")
            return found.attributes[wanted]

        pseudo = {"AWS::AccountId": self.account, "AWS::NotificationARNs": [], "AWS::Partition": "aws", "AWS::Region": self.region, "AWS::StackId": self.id,
                  "AWS::StackName": self.name, "AWS::URLSuffix": "amazonaws.com"}
        return Resolver(template, parameters, pseudo, reference, attribute, exported)
