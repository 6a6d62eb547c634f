"""What is being done to a stack: phases of steps, which happen when somebody looks and their time has come.

A step's effect is the real one (a resource is made, changed, removed), and its events carry the time at which it was due. So nothing sleeps, and
nobody can tell that nothing happened between two looks.
"""
from .cfn_changes import changes_of, wanted_resources
from .cfn_kinds import Failed, Item, NotYet, handler_message, kind_of
from .cfn_stacks import Resource, outputs_of
from .errors import AwsError


class Pace:
    """How long things take: milliseconds of the cloud's clock, or a number of polls; and whether change sets are validated early."""

    def __init__(self):
        self.stack_ms, self.set_ms, self.polls, self.early = 400.0, 100.0, 0, True


class Phase:
    """Steps, evenly spread over a length of time (or a number of polls)."""

    def __init__(self, steps, began, ms, polls):
        self.steps, self.began, self.ms, self.polls = list(steps), began, ms, polls
        self.index, self.seen, self.late = 0, 0, False

    def time_of(self, index):
        return self.began + self.ms / 1000 * (index + 1) / max(1, len(self.steps))

    def due(self, now):
        """How many steps should have happened."""
        if self.polls:
            return len(self.steps) * min(self.seen, self.polls) // self.polls
        return sum(self.time_of(i) <= now for i in range(self.index, len(self.steps))) + self.index


class Operation:
    """Base: runs its phases in order."""

    def __init__(self, engine, stack, token=None):
        self.engine, self.stack, self.token = engine, stack, token
        self.phase, self.now, self.finished = None, engine.clock.now(), False
        self.polls = None

    def begin(self, steps):
        """The next phase, from the present moment on."""
        pace = self.engine.pace
        self.phase = Phase(steps, self.now, pace.stack_ms, self.polls if self.polls is not None else pace.polls)

    def advance(self, now):
        while not self.finished and self.phase.index < self.phase.due(now):
            phase = self.phase
            self.now = now if phase.polls or phase.late else max(self.now, phase.time_of(phase.index))
            try:
                phase.steps[phase.index]()
            except NotYet:
                phase.late = True
                return
            phase.index += 1

    def end(self, status, reason=None):
        self.stack.turn(status, self.now, reason, self.token)
        self.finished, self.stack.operation = True, None

    # What all of them do to a resource

    def note(self, resource, status, reason=None):
        self.stack.note(resource, status, self.now, reason, self.token)

    def act(self, what, resource, *extra):
        """Call create, update or delete of a resource's kind; a script may have it fail."""
        self.engine.script.maybe_fail(self.stack, resource, what, self.rolling_back)
        kind, item = kind_of(resource.type), Item(self.stack, resource)
        aws = self.engine.aws(self.stack.region)
        try:
            getattr(kind, what)(aws, item, *extra)
            if what != "delete":
                resource.attributes = kind.attributes(aws, item)
                resource.attributes.setdefault("Ref", resource.physical_id)
        except AwsError as error:
            raise Failed(handler_message(resource.type, error)) from None
        except NotImplementedError:
            raise Failed(f"The local cloud cannot {what} {resource.type}") from None

    rolling_back = False

    def delete_steps(self, resources, keep):
        """Steps that remove resources; `keep(resource)` says which ones stay in the world."""
        for resource in resources:
            if not resource.physical_id:      # it was never made
                yield lambda r=resource: self._deleted(r)
            elif keep(resource):
                yield lambda r=resource: self.note(r, "DELETE_SKIPPED")
            else:
                yield lambda r=resource: self.note(r, "DELETE_IN_PROGRESS")
                yield lambda r=resource: self.remove(r)

    def remove(self, resource):
        try:
            self.act("delete", resource)
        except Failed as failed:
            self.note(resource, "DELETE_FAILED", failed.reason)
            self.failed_to_delete(resource)
        else:
            self._deleted(resource)

    def _deleted(self, resource):
        self.note(resource, "DELETE_COMPLETE")
        if self.stack.resources.get(resource.logical_id) is resource:
            del self.stack.resources[resource.logical_id]

    def failed_to_delete(self, resource):
        """During a cleanup a resource that will not go is left behind."""


class Somebody(Operation):
    """Another deployer's update, of which only the states are seen."""

    def __init__(self, engine, stack, polls, ms, then):
        super().__init__(engine, stack)
        self.polls = polls
        stack.overtake()
        stack.turn("UPDATE_IN_PROGRESS", self.now, "User Initiated")
        self.begin([lambda: self.end(then)])
        if ms is not None:
            self.phase.ms = ms


class Delete(Operation):
    def __init__(self, engine, stack, retain=(), token=None):
        super().__init__(engine, stack, token)
        self.failed = []
        stack.turn("DELETE_IN_PROGRESS", self.now, "User Initiated", token)
        gone = list(_makers_last(stack.resources.values()))
        steps = self.delete_steps(gone, lambda r: r.policy("DeletionPolicy") in ("Retain", "RetainExceptOnCreate") or r.logical_id in retain)
        self.begin([*steps, self.complete])

    def failed_to_delete(self, resource):
        self.failed.append(resource.logical_id)

    def complete(self):
        if self.failed:
            self.end("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(self.failed)}]. ")
        else:
            self.stack.deleted = self.now
            self.end("DELETE_COMPLETE")
            self.engine.forget(self.stack)


def _makers_last(resources):
    """Resources in an order in which they can be removed: those that refer to others first."""
    left = {r.logical_id: r for r in resources}
    while left:
        free = [r for r in left.values() if not any(r.logical_id in o.waits_for for o in left.values() if o is not r)] or list(left.values())
        for resource in reversed(free):
            del left[resource.logical_id]
            yield resource


class Deploy(Operation):
    """A change set that is executed: create or update, and its way back."""

    def __init__(self, engine, stack, change_set, token=None, disable_rollback=False):
        super().__init__(engine, stack, token)
        self.set, self.creating, self.disable_rollback = change_set, stack.status == "REVIEW_IN_PROGRESS", disable_rollback
        self.word = "CREATE" if self.creating else "UPDATE"
        self.done, self.replaced, self.started, self.failures = [], [], {}, []
        self.before = {n: getattr(stack, n) for n in ("body", "template", "parameters", "tags", "capabilities", "description", "change_set")}
        self.old = dict(stack.resources)
        self._plan()
        self._enter()

    def _enter(self):
        stack, chosen = self.stack, self.set
        if not self.creating:
            stack.updated = self.now
        stack.body, stack.template, stack.processed = chosen.body, chosen.template, chosen.processed
        stack.parameters, stack.tags, stack.capabilities = chosen.parameters, chosen.tags, chosen.capabilities
        stack.description, stack.change_set = chosen.processed.get("Description"), chosen.id
        stack.turn(f"{self.word}_IN_PROGRESS", self.now, "User Initiated", self.token)
        self.begin(self._forward_steps())

    def _plan(self):
        template, parameters = self.set.processed, self.set.parameters
        self.before["processed"] = getattr(self.stack, "processed", None)
        changes = changes_of(self.stack, template, parameters, self.set.tags, self.engine.exported)
        self.entries, self.waits = wanted_resources(template, self._resolver())
        self.changed = {c.logical_id: c for c in changes if c.action != "Remove"}
        self.removed = [c.logical_id for c in changes if c.action == "Remove"]

    def _resolver(self):
        return self.stack.resolver(self.set.processed, self.set.parameters, self.engine.exported)

    def _forward_steps(self):
        """Waves of resources that wait for nothing but earlier waves: those are worked on at the same time."""
        level = {}
        for name in self.entries:
            level[name] = max((level[w] for w in self.waits[name]), default=-1) + (name in self.changed)
        for number in sorted({level[n] for n in self.changed}):
            wave = [n for n in self.changed if level[n] == number]
            for name in wave:
                yield lambda n=name: self._start(n)
            for name in wave:
                yield lambda n=name, w=wave: self._work(n, w)
                yield lambda n=name, w=wave: self._finish(n, w)
        yield self._complete

    def _start(self, name):
        """Announce it, unless nothing differs after all now that its references are known."""
        entry, old = self.entries[name], self.old.get(name)
        new = Resource(name, entry)
        new.waits_for = self.waits[name]
        try:
            new.properties = self._resolver().resolve(entry.get("Properties") or {})
        except AwsError as error:
            self.started[name] = ("create" if old is None else "update", new)
            return self._fail(name, [name], error.message)
        if old is None:
            self.started[name] = ("create", new)
            self.stack.resources[name] = new
            return self.note(new, "CREATE_IN_PROGRESS")
        new.physical_id, new.attributes, new.handle = old.physical_id, old.attributes, old.handle
        new.status, new.time = old.status, old.time
        differs = {p for p in {*new.properties, *old.properties} if new.properties.get(p) != old.properties.get(p)}
        if old.type != new.type or differs & kind_of(new.type).replaced_by:
            self.started[name] = ("replace", new)
            self.note(new, "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence creating one.")
            new.physical_id, new.attributes, new.handle = "", {}, None
        elif differs or (self.set.tags != self.before["tags"] and kind_of(new.type).tagged):
            self.started[name] = ("update", new)
            self.note(new, "UPDATE_IN_PROGRESS")
        else:
            self.stack.resources[name] = new      # its attributes alone are new, such as a DeletionPolicy
        return None

    def _work(self, name, wave):
        how, new = self.started.get(name, (None, None))
        if how is None:
            return
        try:
            if how == "update":
                # Even an update that fails may have done half of its work.
                self.done += [(how, new)] if (how, new) not in self.done else []
                self.act("update", new, self.old[name].properties)
            else:
                self.act("create", new)
                self.done.append((how, new))
                self.note(new, "CREATE_IN_PROGRESS" if how == "create" else "UPDATE_IN_PROGRESS", "Resource creation Initiated")
        except Failed as failed:
            self._fail(name, wave, failed.reason)
            return
        if how == "replace":
            self.replaced.append(self.old[name])
        self.stack.resources[name] = new

    def _finish(self, name, wave):
        how, new = self.started.get(name, (None, None))
        if how is None:
            return
        try:
            kind_of(new.type).settle(self.engine.aws(self.stack.region), Item(self.stack, new))
        except AwsError as error:
            self._fail(name, wave, handler_message(new.type, error))
        else:
            self.note(new, "CREATE_COMPLETE" if how == "create" else "UPDATE_COMPLETE")
            del self.started[name]

    def _fail(self, name, wave, reason):
        """The resource failed: whatever else is under way is cancelled, and the way back begins."""
        for other in [name, *(n for n in wave if n != name and n in self.started)]:
            how, new = self.started[other]
            word = "create" if how == "create" else "update"
            cancelled = "Resource creation cancelled" if how == "create" else "Resource update cancelled"
            self.note(new, f"{word.upper()}_FAILED", reason if other == name else cancelled)
            self.failures.append((word, other))
        parts = []
        for word in ("create", "update"):
            names = [n for w, n in self.failures if w == word]
            parts += [f"The following resource(s) failed to {word}: [{', '.join(names)}]. "] if names else []
        self._turn_back("".join(parts))

    def _turn_back(self, reason):
        if self.disable_rollback:
            self._leave("FAILED", reason)
        elif self.creating and self.set.on_failure == "DELETE":
            self.finished = True
            self._mark("EXECUTE_FAILED")
            self.engine.start(Delete(self.engine, self.stack))
        elif self.creating:
            self.stack.turn("ROLLBACK_IN_PROGRESS", self.now, reason + "Rollback requested by user.", self.token)
            self._begin_rollback(self._unmake_steps())
        else:
            self.stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", self.now, reason, self.token)
            for name, value in self.before.items():
                setattr(self.stack, name, value)
            self._begin_rollback(self._restore_steps())

    def _begin_rollback(self, steps):
        self.rolling_back = True
        self.failures = []
        self.begin(steps)

    def _leave(self, suffix, reason):
        self._mark("EXECUTE_FAILED")
        self.end(f"{self.word}_{suffix}", reason)

    def _mark(self, execution):
        self.set.execution = execution

    # Back from a create

    def _unmake_steps(self):
        gone = list(_makers_last(self.stack.resources.values()))
        yield from self.delete_steps(gone, lambda r: r.policy("DeletionPolicy") == "Retain")
        yield self._unmade

    def _unmade(self):
        if self.failures:
            return self._rollback_failed("ROLLBACK_FAILED", "delete")
        self._mark("EXECUTE_FAILED")
        return self.end("ROLLBACK_COMPLETE")

    def _rollback_failed(self, status, word):
        self._mark("EXECUTE_FAILED")
        self.end(status, f"The following resource(s) failed to {word}: [{', '.join(n for _, n in self.failures)}]. ")

    def failed_to_delete(self, resource):
        if self.rolling_back and self.creating:
            self.failures.append(("delete", resource.logical_id))

    # Back from an update

    def _restore_steps(self):
        for how, new in reversed(self.done):
            if how == "update":
                yield lambda r=new: self._restore_start(r)
                yield lambda r=new: self._restore(r)
            elif how == "replace":
                yield lambda r=new: self._put_back(r)
        yield self._restored

    def _restore_start(self, new):
        self.note(self.old[new.logical_id], "UPDATE_IN_PROGRESS")

    def _restore(self, new):
        old = self.old[new.logical_id]
        try:
            self.act("update", old, new.properties)
        except Failed as failed:
            self.note(old, "UPDATE_FAILED", failed.reason)
            self.failures.append(("update", old.logical_id))
        else:
            self.note(old, "UPDATE_COMPLETE")
            self.stack.resources[old.logical_id] = old

    def _put_back(self, new):
        self.stack.resources[new.logical_id] = self.old[new.logical_id]
        self.note(self.old[new.logical_id], "UPDATE_COMPLETE")

    def _restored(self):
        if self.failures:
            return self._rollback_failed("UPDATE_ROLLBACK_FAILED", "update")
        made = [r for how, r in self.done if how != "update"]
        self.stack.turn("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", self.now, None, self.token)
        return self.begin([*self.delete_steps(reversed(made), lambda r: r.policy("DeletionPolicy") == "Retain"), self._rolled_back])

    def _rolled_back(self):
        self.stack.resources = dict(self.old)
        self._mark("EXECUTE_FAILED")
        self.end("UPDATE_ROLLBACK_COMPLETE")

    # The good end

    def _complete(self):
        try:
            outputs = self._outputs()
        except AwsError as error:
            return self._turn_back(error.message + " ")
        self.stack.outputs = outputs
        self._mark("EXECUTE_COMPLETE")
        if self.creating:
            return self.end("CREATE_COMPLETE")
        self.stack.turn("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", self.now, None, self.token)
        gone = [self.old[n] for n in self.removed]
        steps = [*self.delete_steps(self.replaced, lambda r: r.policy("UpdateReplacePolicy") == "Retain"),
                 *self.delete_steps(list(_makers_last(gone)), lambda r: r.policy("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"))]
        return self.begin([*steps, self._cleaned])

    def _cleaned(self):
        for name in self.removed:
            self.stack.resources.pop(name, None)
        self.end("UPDATE_COMPLETE")

    def _outputs(self):
        made = outputs_of(self.set.processed, self._resolver())
        for output in made.values():
            owner = self.engine.exporter(output["ExportName"]) if "ExportName" in output else None
            if owner is not None and owner is not self.stack:
                raise AwsError(400, "ValidationError", f"Export with name {output['ExportName']} is already exported by stack {owner.name}.")
        return made
