"""A change set while it is being made: pending, in progress, and then complete or failed."""
from .cfn_changes import changes_of
from .cfn_early import REASON, findings, ordered
from .cfn_kinds import kind_of
from .cfn_resolve import NotKnown
from .cfn_stacks import outputs_of
from .cfn_template import capabilities_needed, check, transforms_of
from .cfn_transform import TransformFailed, expand
from .errors import AwsError

# The live service says one or the other; for templates with transforms it has been the second.
UNCHANGED = "The submitted information didn't contain changes. Submit different information to create a change set."
UNCHANGED_TRANSFORMED = "No updates are to be performed."


def check_capabilities(template, given):
    """IAM resources must be acknowledged; a named one in so many words."""
    needed, _ = capabilities_needed(template)
    enough = {"CAPABILITY_IAM": {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}, "CAPABILITY_NAMED_IAM": {"CAPABILITY_NAMED_IAM"}}.get(needed)
    if enough and not enough & set(given):
        raise AwsError(400, "InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]")


class PendingSet:
    def __init__(self, engine, change_set):
        self.engine, self.set = engine, change_set
        self.began, self.ms, self.wanted = engine.clock.now(), engine.pace.set_ms, engine.pace.polls

    @classmethod
    def at_once(cls, engine, change_set):
        """Make it on the spot; raises what would have become its reason."""
        cls(engine, change_set)._complete()
        if change_set.status == "FAILED":
            raise AwsError(400, "InsufficientCapabilitiesException" if change_set.reason.startswith("Requires capabilities") else "ValidationError", change_set.reason)

    def advance(self, now):
        """True when it is done with."""
        made = self.set
        share = made.polls / self.wanted if self.wanted else (now - self.began) * 1000 / self.ms if self.ms else 1
        if made.status == "CREATE_PENDING" and share >= 0.3:
            made.status = "CREATE_IN_PROGRESS"
        if share < 1:
            return made.name not in made.stack.change_sets
        self._complete()
        return True

    def _complete(self):
        made, stack = self.set, self.set.stack
        try:
            made.processed = expand(made.template, made.parameters)
            check(made.processed, kind_of)
            if transforms_of(made.template):
                check_capabilities(made.processed, made.capabilities)
            made.changes = changes_of(stack, made.processed, made.parameters, made.tags, self.engine.exported)
            empty = not made.changes and not self._outputs_differ()
        except NotKnown:     # an output of what will be made
            empty = False
        except (AwsError, TransformFailed) as error:
            return self._fail(getattr(error, "message", None) or str(error))
        if empty and made.kind != "CREATE":
            return self._fail(UNCHANGED_TRANSFORMED if transforms_of(made.template) else UNCHANGED)
        if self._find():
            return None
        made.status, made.execution = "CREATE_COMPLETE", "AVAILABLE"
        return None

    def _find(self):
        """Whether early validation ends it. Requests without a change set are not validated."""
        made, engine = self.set, self.engine
        if made.id is None:
            return False
        found = list(ordered(engine.script.findings, made)) + (findings(engine, made) if engine.pace.early else [])
        made.findings = [f.event(made, engine.clock.now()) for f in found]
        fatal = list(dict.fromkeys(f.hook for f in found if f.fatal))
        if fatal:
            self._fail(REASON.format(fatal[0]))
        return bool(fatal)

    def _outputs_differ(self):
        """Outputs alone are worth an update: what they would say, and under which names others import them."""
        made, stack = self.set, self.set.stack
        resolver = stack.resolver(made.processed, made.parameters, self.engine.exported)
        return outputs_of(made.processed, resolver) != stack.outputs or made.tags != stack.tags

    def _fail(self, reason):
        self.set.status, self.set.reason = "FAILED", reason
