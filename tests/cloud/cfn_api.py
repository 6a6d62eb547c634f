"""The operations of CloudFormation. Each takes its parameters and the region, and returns what the model's output shape wants."""
import json
import re
from urllib.parse import unquote, urlsplit

from .cfn_kinds import kind_of
from .cfn_operations import Delete, Deploy
from .cfn_protocol import invalid
from .cfn_sets import UNCHANGED, UNCHANGED_TRANSFORMED, PendingSet, check_capabilities
from .cfn_stacks import ChangeSet, Stack
from .cfn_template import capabilities_needed, check, check_rules, load, parameter_values, transforms_of
from .errors import AwsError

BODY_LIMIT, URL_LIMIT = 51_200, 1_048_576
_STEADY = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[.-](?:dualstack\.)?(?:[a-z0-9-]+\.)?(?:amazonaws\.com|localhost)")


class Api:
    def __init__(self, engine):
        self.engine = engine

    # Finding

    def _stack(self, name, region, message="Stack with id {} does not exist"):
        """A stack by name or id. A deleted one is found by its id only."""
        self.engine.settle()
        found = self.engine.every.get(name) or self.engine.live.get((region, name))
        if found is None:
            raise invalid(message.format(name))
        return found

    def _set(self, p, region):
        name = p["ChangeSetName"]
        self.engine.settle()
        for stack in self.engine.every.values():
            for found in stack.change_sets.values():
                if name == found.id or (name == found.name and p.get("StackName") in (stack.id, stack.name if stack.region == region and not stack.deleted else None)):
                    return found
        if not name.startswith("arn:") and "StackName" not in p:
            raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
        if not name.startswith("arn:"):
            self._stack(p["StackName"], region, "Stack [{}] does not exist")
        raise AwsError(404, "ChangeSetNotFound", f"ChangeSet [{name}] does not exist")

    # Templates

    def _template_text(self, p, previous=None):
        given = [n for n in ("TemplateBody", "TemplateURL", "UsePreviousTemplate") if p.get(n)]
        if len(given) != 1:
            raise invalid("Either Template URL or Template Body must be specified." if not given else "Only one of TemplateBody, TemplateURL and UsePreviousTemplate may be specified.")
        if p.get("UsePreviousTemplate"):
            if not previous:
                raise invalid("UsePreviousTemplate cannot be true for a stack that has no template")
            return previous
        if "TemplateURL" in p:
            return self._fetched(p["TemplateURL"])
        if len(p["TemplateBody"].encode()) > BODY_LIMIT:
            raise invalid(f"1 validation error detected: Value '{p['TemplateBody']}' at 'templateBody' failed to satisfy constraint: "
                          f"Member must have length less than or equal to {BODY_LIMIT}")
        return p["TemplateBody"]

    def _fetched(self, url):
        """The template behind an S3 URL: virtual host or path, at AWS's hosts or at this cloud's endpoint."""
        address = urlsplit(url)
        path, host = unquote(address.path), (address.hostname or "").lower()
        match = _HOST.fullmatch(host)
        if match and match["bucket"]:
            bucket, key = match["bucket"], path[1:]
        elif match or host in ("127.0.0.1", "localhost", "::1"):
            bucket, _, key = path[1:].partition("/")
        else:
            raise invalid("TemplateURL must be a supported URL.")
        if self.engine.cloud.buckets.find(bucket) is None:
            raise invalid("S3 error: The specified bucket does not exist\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
        stored = self.engine.cloud.store.get(bucket, key)
        if stored is None:
            raise invalid("S3 error: The specified key does not exist.\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
        if len(stored.data) > URL_LIMIT:
            raise invalid(f"Template may not exceed {URL_LIMIT} bytes in size.")
        try:
            return stored.data.decode()
        except UnicodeDecodeError:
            raise invalid("Template format error: unsupported structure.") from None

    def _checked(self, template):
        if not transforms_of(template):
            check(template, kind_of)

    def GetTemplate(self, p, region):
        if "ChangeSetName" in p:
            found = self._set(p, region)
            body, processed = found.body, found.processed
        else:
            if "StackName" not in p:
                raise invalid("Either StackName or ChangeSetName must be specified.")
            found = self._stack(p["StackName"], region)
            body, processed = found.body, getattr(found, "processed", None)
        if p.get("TemplateStage") == "Processed" and transforms_of(load(body) if body else {}):
            body = json.dumps(processed, separators=(",", ":"))
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def GetTemplateSummary(self, p, region):
        if "StackName" in p:
            template = load(self._stack(p["StackName"], region).body)
        else:
            template = load(self._template_text(p))
        self._checked(template)
        return {**self._described(template), "ResourceTypes": list(dict.fromkeys(r["Type"] for r in template["Resources"].values())),
                "Metadata": json.dumps(template["Metadata"]) if "Metadata" in template else None, "Version": _opt_text(template.get("AWSTemplateFormatVersion"))}

    def ValidateTemplate(self, p, region):
        template = load(self._template_text(p))
        self._checked(template)
        described = self._described(template)
        described["Parameters"] = [{n: v for n, v in q.items() if n in ("ParameterKey", "DefaultValue", "NoEcho", "Description")} for q in described["Parameters"]]
        return described

    @staticmethod
    def _described(template):
        parameters = [{"ParameterKey": key, "ParameterType": about.get("Type", "String"), "NoEcho": str(about.get("NoEcho", False)).lower() == "true",
                       **({"DefaultValue": _opt_text(about["Default"])} if "Default" in about else {}),
                       **({"Description": about["Description"]} if "Description" in about else {}),
                       **({"ParameterConstraints": {"AllowedValues": list(map(_opt_text, about["AllowedValues"]))}} if "AllowedValues" in about else {})}
                      for key, about in (template.get("Parameters") or {}).items()]
        made = {"Parameters": parameters, "Description": template.get("Description")}
        transforms = [t if isinstance(t, str) else t.get("Name") for t in transforms_of(template)]
        needed, types = ("", []) if transforms else capabilities_needed(template)
        if transforms:
            made["DeclaredTransforms"] = transforms
            needed, types = "CAPABILITY_AUTO_EXPAND", transforms
        if needed:
            made["Capabilities"] = [needed]
            made["CapabilitiesReason"] = f"The following resource(s) require capabilities: [{', '.join(types)}]"
        return made

    # Stacks

    def DescribeStacks(self, p, region):
        if "StackName" in p:
            found = self._stack(p["StackName"], region)
            self.engine.poll(found)
            self.engine.settle()
            return {"Stacks": [self._shown(found)]}
        self.engine.settle()
        stacks, token = _page([s for s in self.engine.live.values() if s.region == region], p, 50)
        return {"Stacks": [self._shown(s) for s in stacks], "NextToken": token}

    def _shown(self, s):
        hidden = {key for key, about in (s.template.get("Parameters") or {}).items() if str(about.get("NoEcho", False)).lower() == "true"}
        return {"StackId": s.id, "StackName": s.name, "Description": s.description, "ChangeSetId": s.change_set, "CreationTime": s.created,
                "LastUpdatedTime": s.updated, "DeletionTime": s.deleted, "StackStatus": s.status, "StackStatusReason": s.reason, "RoleARN": s.role,
                "Parameters": [{"ParameterKey": k, "ParameterValue": "****" if k in hidden else v} for k, v in s.parameters.items()],
                "Tags": _tag_list(s.tags), "Capabilities": s.capabilities or None, "Outputs": list(s.outputs.values()) or None, "NotificationARNs": [],
                "RollbackConfiguration": {}, "DisableRollback": s.disable_rollback, "EnableTerminationProtection": s.protected,
                "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}}

    def ListStacks(self, p, region):
        self.engine.settle()
        wanted = p.get("StackStatusFilter") or []
        stacks = [s for s in reversed(self.engine.every.values()) if s.region == region and (not wanted or s.status in wanted)]
        page, token = _page(stacks, p, 100)
        return {"NextToken": token, "StackSummaries": [
            {"StackId": s.id, "StackName": s.name, "TemplateDescription": s.description, "CreationTime": s.created, "LastUpdatedTime": s.updated,
             "DeletionTime": s.deleted, "StackStatus": s.status, "StackStatusReason": s.reason, "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}} for s in page]}

    def DescribeStackEvents(self, p, region):
        if "StackName" not in p:
            raise invalid("1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null")
        found = self._stack(p["StackName"], region, "Stack [{}] does not exist")
        self.engine.poll(found)
        self.engine.settle()
        page, token = _page(found.events[::-1], p, 100)
        return {"StackEvents": page, "NextToken": token}

    def DescribeEvents(self, p, region):
        """Of a change set what early validation found, of a stack its events, newest first."""
        if p.get("ChangeSetName", "").startswith("arn:"):
            found = self._set(p, region).findings
        elif "StackName" in p:
            found = self._operation_events(self._stack(p["StackName"], region, "Stack [{}] does not exist"))
        elif "OperationId" in p:
            self.engine.settle()
            sets = (c for s in self.engine.every.values() for c in s.change_sets.values())
            found = [e for c in sets if c.operation == p["OperationId"] for e in c.findings]
        else:
            raise invalid("One of ChangeSetName, OperationId or StackName must be specified")
        if p.get("Filters", {}).get("FailedEvents"):
            found = [e for e in found if e["EventType"] != "STACK_EVENT"]
        page, token = _page(found, p, 100)
        return {"OperationEvents": page, "NextToken": token}

    @staticmethod
    def _operation_events(stack):
        made = [e for c in stack.change_sets.values() for e in c.findings]
        for event in stack.events[::-1]:
            kind = "PROVISIONING_ERROR" if event["ResourceStatus"].endswith("_FAILED") else "STACK_EVENT"
            made.append({"EventType": kind, **{n: v for n, v in event.items() if n != "StackName"}})
        return sorted(made, key=lambda e: e["Timestamp"], reverse=True)

    def DescribeStackResources(self, p, region):
        if "StackName" not in p:
            wanted = p.get("PhysicalResourceId")
            found = next((s for s in self.engine.live.values() if any(r.physical_id == wanted for r in s.resources.values())), None)
            if found is None:
                raise invalid(f"Stack for {wanted} does not exist")
        else:
            found = self._stack(p["StackName"], region)
        return {"StackResources": [self._resource(found, r, "Timestamp") for r in found.resources.values() if p.get("LogicalResourceId") in (None, r.logical_id)][:100]}

    def DescribeStackResource(self, p, region):
        found = self._stack(p["StackName"], region)
        resource = found.resources.get(p["LogicalResourceId"])
        if resource is None:
            raise invalid(f"Resource {p['LogicalResourceId']} does not exist for stack {found.name}")
        return {"StackResourceDetail": {**self._resource(found, resource, "LastUpdatedTimestamp"), "Metadata": json.dumps(resource.metadata) if resource.metadata else None}}

    def ListStackResources(self, p, region):
        found = self._stack(p["StackName"], region)
        page, token = _page(list(found.resources.values()), p, 100)
        return {"NextToken": token, "StackResourceSummaries": [
            {n: v for n, v in self._resource(found, r, "LastUpdatedTimestamp").items() if n not in ("StackName", "StackId")} for r in page]}

    @staticmethod
    def _resource(stack, r, when):
        return {"StackName": stack.name, "StackId": stack.id, "LogicalResourceId": r.logical_id, "PhysicalResourceId": r.physical_id or None, "ResourceType": r.type,
                when: r.time, "ResourceStatus": r.status, "ResourceStatusReason": r.reason, "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"}}

    def DeleteStack(self, p, region):
        self.engine.settle()
        stack = self.engine.every.get(p["StackName"]) or self.engine.live.get((region, p["StackName"]))
        if stack is None or stack.deleted:
            return {}
        if stack.status == "DELETE_IN_PROGRESS":
            return {}
        if stack.protected:
            raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.busy and stack.status.startswith("UPDATE"):
            raise invalid(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
        if p.get("RetainResources") and stack.status != "DELETE_FAILED":
            raise invalid(f"Invalid operation on stack [{stack.id}]. The specified stack is not in DELETE_FAILED state: RetainResources is not allowed")
        stack.overtake()
        self.engine.start(Delete(self.engine, stack, p.get("RetainResources", ()), p.get("ClientRequestToken")))
        return {}

    def UpdateTerminationProtection(self, p, region):
        stack = self._stack(p["StackName"], region)
        stack.protected = bool(p["EnableTerminationProtection"])
        return {"StackId": stack.id}

    # Without change sets

    def CreateStack(self, p, region):
        self.engine.settle()
        if (region, p["StackName"]) in self.engine.live:
            raise AwsError(400, "AlreadyExistsException", f"Stack [{p['StackName']}] already exists")
        stack = Stack(p["StackName"], region, self.engine.account, self.engine.clock.now())
        made = self._direct_set(stack, p, "CREATE")
        stack.protected, stack.status = p.get("EnableTerminationProtection", False), "REVIEW_IN_PROGRESS"
        self._keep(stack)
        made.on_failure = p.get("OnFailure")
        self._execute(made, p.get("ClientRequestToken"), p)
        return {"StackId": stack.id}

    def UpdateStack(self, p, region):
        stack = self._stack(p["StackName"], region, "Stack [{}] does not exist")
        self._check_state(stack, "UPDATE", p)
        self._execute(self._direct_set(stack, p, "UPDATE"), p.get("ClientRequestToken"), p)
        return {"StackId": stack.id}

    def _direct_set(self, stack, p, kind):
        """What a request without a change set comes to. Transforms need a capability of their own then."""
        text = self._template_text(p, stack.body)
        template = load(text)
        self._checked(template)
        values = parameter_values(template, p.get("Parameters", []), stack.parameters)
        if transforms_of(template) and "CAPABILITY_AUTO_EXPAND" not in p.get("Capabilities", []):
            raise AwsError(400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]")
        check_rules(template, stack.resolver(template, values, self.engine.exported))
        made = self._new_set(stack, p, kind, text, template, values)
        made.id = None
        try:
            PendingSet.at_once(self.engine, made)
        except AwsError as error:
            raise invalid(UNCHANGED_TRANSFORMED) if error.message == UNCHANGED else error from None
        return made

    # Change sets

    def CreateChangeSet(self, p, region):
        self.engine.settle()
        stack = self.engine.every.get(p["StackName"]) or self.engine.live.get((region, p["StackName"]))
        stack = None if stack is not None and stack.deleted else stack
        kind = p.get("ChangeSetType", "UPDATE")
        self._check_state(stack, kind, p)
        same = stack.change_sets.get(p["ChangeSetName"]) if stack is not None else None
        if same is not None:
            return self._same_again(same, p)
        text = self._template_text(p, stack.body if stack is not None else "")
        template = load(text)
        self._checked(template)
        values = parameter_values(template, p.get("Parameters", []), stack.parameters if stack is not None else {})
        if not transforms_of(template):
            check_capabilities(template, p.get("Capabilities", []))
        new = stack is None
        stack = stack or Stack(p["StackName"], region, self.engine.account, self.engine.clock.now())
        check_rules(template, stack.resolver(template, values, self.engine.exported))
        if new:
            self._keep(stack)
            stack.turn("REVIEW_IN_PROGRESS", stack.created, "User Initiated")
        made = self._new_set(stack, p, kind, text, template, values)
        stack.change_sets[made.name] = made
        self.engine.sets_pending.append(PendingSet(self.engine, made))
        return {"Id": made.id, "StackId": stack.id}

    def _keep(self, stack):
        self.engine.live[stack.region, stack.name] = self.engine.every[stack.id] = stack

    def _new_set(self, stack, p, kind, text, template, values):
        made = ChangeSet(p.get("ChangeSetName", ""), stack, kind, self.engine.clock.now())
        made.body, made.template, made.parameters = text, template, values
        made.tags = {t["Key"]: t.get("Value", "") for t in p["Tags"]} if "Tags" in p else dict(stack.tags)
        made.capabilities, made.token = p.get("Capabilities", []), p.get("ClientToken")
        made.description, made.on_failure, made.role = p.get("Description"), p.get("OnStackFailure"), p.get("RoleARN")
        return made

    @staticmethod
    def _check_state(stack, kind, p):
        if kind == "CREATE":
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(f"Stack [{stack.name}] already exists and cannot be created again with the changeSet [{p['ChangeSetName']}].")
            return
        if stack is None:
            raise invalid(f"Stack [{p['StackName']}] does not exist")
        if p.get("OnStackFailure") == "DELETE":
            raise invalid("OnStackFailure DELETE is only valid for change sets of type CREATE")
        if stack.status not in _STEADY:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _same_again(self, same, p):
        """A name that is taken: the same request again gets the same answer, anything else is refused."""
        if p.get("ClientToken") is None or p.get("ClientToken") != same.token:
            if same.token is not None and p.get("ClientToken") is not None:
                raise AwsError(400, "AlreadyExistsException", f"ChangeSet {same.name} cannot be created due to a mismatch with existing attribute ClientToken")
            raise AwsError(400, "AlreadyExistsException", f"ChangeSet {same.name} already exists")
        if self._template_text(p, same.stack.body) != same.body:
            raise AwsError(400, "AlreadyExistsException", f"ChangeSet {same.name} cannot be created due to a mismatch with existing attribute Template")
        return {"Id": same.id, "StackId": same.stack.id}

    def DescribeChangeSet(self, p, region):
        found = self._set(p, region)
        found.polls += 1
        self.engine.settle()
        page, token = _page(found.changes, p, 100)
        return {"ChangeSetName": found.name, "ChangeSetId": found.id, "StackId": found.stack.id, "StackName": found.stack.name, "Description": found.description,
                "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in found.parameters.items()], "CreationTime": found.created,
                "ExecutionStatus": found.execution, "Status": found.status, "StatusReason": found.reason, "NotificationARNs": [], "RollbackConfiguration": {},
                "Capabilities": found.capabilities or None, "Tags": _tag_list(found.tags), "Changes": [c.shown() for c in page], "NextToken": token,
                "IncludeNestedStacks": False, "OnStackFailure": found.on_failure}

    def ListChangeSets(self, p, region):
        stack = self._stack(p["StackName"], region, "Stack [{}] does not exist")
        page, token = _page(list(stack.change_sets.values()), p, 100)
        return {"NextToken": token, "Summaries": [
            {"StackId": stack.id, "StackName": stack.name, "ChangeSetId": c.id, "ChangeSetName": c.name, "ExecutionStatus": c.execution, "Status": c.status,
             "StatusReason": c.reason, "CreationTime": c.created, "Description": c.description, "IncludeNestedStacks": False} for c in page]}

    def DeleteChangeSet(self, p, region):
        try:
            found = self._set(p, region)
        except AwsError as error:
            if error.code == "ChangeSetNotFound":
                return {}
            raise
        if found.execution == "EXECUTE_IN_PROGRESS" or found.status in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            raise AwsError(400, "InvalidChangeSetStatus", f"An operation on ChangeSet [{found.id}] is currently in progress.")
        del found.stack.change_sets[found.name]
        return {}

    def ExecuteChangeSet(self, p, region):
        found = self._set(p, region)
        stack, token = found.stack, p.get("ClientRequestToken")
        if token is not None and token == found.executed_by:
            return {}      # the same request again, whose first answer was lost
        if found.status != "CREATE_COMPLETE":
            raise AwsError(400, "InvalidChangeSetStatus", f"ChangeSet [{found.id}] cannot be executed in its current status of [{found.status}]")
        if found.execution != "AVAILABLE":
            raise AwsError(400, "InvalidChangeSetStatus", f"ChangeSet [{found.id}] cannot be executed in its current execution status of [{found.execution}]")
        if stack.status not in _STEADY | {"REVIEW_IN_PROGRESS"}:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        if token is not None and token in stack.tokens:
            raise AwsError(400, "TokenAlreadyExistsException", f"A client request token with value {token} already exists for a different operation")
        if found.on_failure is not None and "DisableRollback" in p:
            raise invalid("DisableRollback must not be specified for a change set that was made with OnStackFailure")
        self._execute(found, token, p)
        return {}

    def _execute(self, found, token, p):
        stack = found.stack
        keep = found.on_failure == "DO_NOTHING" or p.get("DisableRollback", False)
        self.engine.start(Deploy(self.engine, stack, found, token, keep))
        found.execution, found.executed_by = "EXECUTE_IN_PROGRESS", token
        stack.tokens.add(token)
        stack.overtake(found)


def _tag_list(tags):
    return [{"Key": k, "Value": v} for k, v in tags.items()]


def _opt_text(value):
    if value is None or isinstance(value, str):
        return value
    return ("true" if value else "false") if isinstance(value, bool) else ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _page(items, p, size):
    """A page, and the token of the next one."""
    start = p.get("NextToken", "0")
    if not start.isdigit():
        raise invalid("NextToken is not valid")
    end = int(start) + size
    return items[int(start):end], (str(end) if end < len(items) else None)
