"""Functions: moto's models, which CloudFormation fills too, and what they lack: revisions, states, versions and
permissions as AWS has them.

moto is imported at the first request that needs it, and its classes are patched then; call `ready()` before touching
`moto.awslambda` from elsewhere. CloudFormation's resources may go on using moto's own entry points, which are ours then:

    backend = functions.backend(region)
    backend.create_function({...}); fn.update_configuration({...}); fn.update_function_code({...})     # done at once
    backend.publish_version(name); backend.create_alias(...); backend.create_function_url_config(name, config)
    functions.add_permission(region, {"FunctionName": name or arn, "Action": ..., "Principal": ...})

Names may be names, `name:qualifier` or ARNs. `config` of a URL may have a `Qualifier` (an alias), as in CloudFormation.
"""
import copy
import re
import secrets
import uuid

from .clock import iso_date
from .errors import AwsError
from .lambda_code import Sources, pack, sha256

URL_HOST = re.compile(r"(?P<id>[a-z0-9]+)\.lambda-url\.(?P<region>[a-z0-9-]+)\.on\.aws(?::\d+)?", re.I)
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?")
_NAME = re.compile(r"(?:(?P<account>\d{12}):function:)?(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?")


class Progress:
    """How long a creation or an update still takes: looks at it that are to find it unfinished, or a moment."""

    def __init__(self, looks=None, until=None, failure=None):
        self.looks, self.until, self.failure = looks, until, failure


class Facts:
    """What moto does not know of one function (or one published version)."""

    def __init__(self):
        self.revision = new_revision()
        self.state, self.update = "Active", "Successful"
        self.reason = self.reason_code = None
        self.progress = None
        self.running = None       # what invocations still run, when that is not what the configuration says
        self.looks = self.ms = None  # how long updates of this one take; None: as the others
        self.failure = None       # (reason, code): how its next update ends
        self.intruders = []       # (operation, countdown, files): changes by somebody else
        self.next_version = 1
        self.policies, self.urls = {}, {}


class Running:
    """All that an invocation needs. Equal keys may share a warm process."""

    __slots__ = ("name", "arn", "version", "region", "code", "sha256", "handler", "runtime", "environment", "timeout", "memory", "layers", "role", "key")

    def __init__(self, fn):
        self.name, self.version, self.region = fn.function_name, str(fn.version), fn.region
        self.arn = f"arn:aws:lambda:{fn.region}:{fn.account_id}:function:{fn.function_name}"
        self.code, self.sha256 = getattr(fn, "code_bytes", b""), fn.code_sha_256
        self.handler, self.runtime, self.role = fn.handler, fn.run_time, fn.role
        self.environment = {k: str(v) for k, v in (fn.environment_vars or {}).items()}
        self.timeout, self.memory = float(fn.timeout or 3), int(fn.memory_size or 128)
        self.layers = tuple(layer["Arn"] for layer in fn.layers)
        self.key = (self.arn, self.version, self.sha256, self.handler, self.runtime, self.role, self.timeout, self.memory, self.layers,
                    tuple(sorted(self.environment.items())))


def new_revision():
    return str(uuid.uuid4())


def facts_of(fn):
    if "cloud_facts" not in fn.__dict__:
        fn.cloud_facts = Facts()
    return fn.cloud_facts


def not_found(arn):
    return AwsError(404, "ResourceNotFoundException", f"Function not found: {arn}")


class Functions:
    def __init__(self, account, clock, store, buckets):
        self.account, self.clock = account, clock
        self.sources = Sources(store, buckets)
        self.looks, self.ms = 1, None   # how long creations and updates take
        self.on_change = lambda fn: None
        self.invoke_from_thread = None
        self._models = None

    # moto

    def ready(self):
        """moto's models, patched."""
        if self._models is None:
            from moto.awslambda import models, policy
            _patch_code(models, self)
            _patch_configuration(models, self)
            _patch_versions(models)
            _patch_urls(models, self)
            _patch_permissions(models, policy, self)
            self._models = models
        return self._models

    def backend(self, region):
        return self.ready().lambda_backends[self.account][region]

    def _storage(self, region):
        return self.backend(region)._lambdas

    # Finding

    def split(self, text, qualifier=None):
        """(name, qualifier or None) of a name or ARN in a request."""
        match = _ARN.fullmatch(text) or _NAME.fullmatch(text)
        if match is None:
            raise AwsError(400, "ValidationException", f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint")
        if match["qualifier"] and qualifier and match["qualifier"] != qualifier:
            raise AwsError(400, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")
        return match["name"], match["qualifier"] or qualifier

    def arn(self, region, name, qualifier=None):
        return f"arn:aws:lambda:{region}:{self.account}:function:{name}" + (f":{qualifier}" if qualifier else "")

    def latest(self, region, text):
        """The unpublished function; a qualifier in its name does not matter."""
        name, qualifier = self.split(text)
        group = self._storage(region)._functions.get(name)
        if group is None or group["latest"] is None:
            raise not_found(self.arn(region, name, qualifier))
        return group["latest"]

    def find(self, region, text, qualifier=None):
        """The function, version or what an alias points to."""
        name, qualifier = self.split(text, qualifier)
        latest = self.latest(region, name)
        if qualifier in (None, "$LATEST"):
            return latest
        storage = self._storage(region)
        alias = storage._aliases[latest.function_arn].get(qualifier)
        number = alias.function_version if alias is not None else qualifier
        found = latest if number == "$LATEST" else storage._get_version(name, number)
        if found is None:
            raise not_found(self.arn(region, name, qualifier))
        return found

    def alias(self, region, text, alias):
        latest = self.latest(region, text)
        found = self._storage(region)._aliases[latest.function_arn].get(alias)
        if found is None:
            raise AwsError(404, "ResourceNotFoundException", f"Cannot find alias arn: {self.arn(region, latest.function_name, alias)}")
        return found

    def aliases(self, fn):
        return self._storage(fn.region)._aliases[fn.function_arn]

    def every(self, region):
        return [g["latest"] for g in self._storage(region)._functions.values() if g["latest"] is not None]

    def versions(self, fn):
        return list(self._storage(fn.region)._functions[fn.function_name]["versions"])

    def url_of_host(self, host):
        """The URL configuration that a Host header names, or None."""
        match = URL_HOST.fullmatch(host)
        if match is None:
            return None
        wanted = match["id"].lower()
        for fn in self.every(match["region"].lower()):
            for url in facts_of(fn).urls.values():
                if url.id == wanted:
                    return url
        return None

    # Progress

    def begin(self, fn, state=None, looks=None, ms=None):
        """A creation (state Pending) or an update is under way from now on."""
        facts = facts_of(fn)
        if looks is None and ms is None:
            looks, ms = (facts.looks, facts.ms) if (facts.looks, facts.ms) != (None, None) else (self.looks, self.ms)
        until = self.clock.now() + ms / 1000 if ms is not None else None
        facts.progress, facts.failure = Progress(looks, until, facts.failure), None
        if state:
            facts.state, facts.update, facts.reason, facts.reason_code = state, None, "The function is being created.", "Creating"
        else:
            facts.update, facts.reason, facts.reason_code = "InProgress", "The function is being created.", "Creating"

    def look(self, fn):
        """Whether the function is still being created or updated. Looking counts."""
        progress = facts_of(fn).progress
        if progress is None:
            return False
        if progress.until is not None:
            over = self.clock.now() >= progress.until
        else:
            over = progress.looks <= 0
            progress.looks -= 1
        if over:
            self._finish(fn, progress)
        return not over

    def _finish(self, fn, progress):
        """The revision changes here too, as it does on AWS."""
        facts = facts_of(fn)
        facts.progress, facts.revision = None, new_revision()
        facts.reason = facts.reason_code = None
        if progress.failure:
            facts.reason, facts.reason_code = progress.failure
            facts.state, facts.update = ("Failed", None) if facts.state == "Pending" else (facts.state, "Failed")
            return
        facts.state, facts.update, facts.running = "Active", "Successful", None
        self.on_change(fn)

    def hold(self, fn):
        """Invocations keep what they have until the update is through."""
        facts = facts_of(fn)
        if facts.running is None:
            facts.running = Running(fn)

    def running(self, fn):
        return facts_of(fn).running or Running(fn)

    def touch(self, fn):
        facts = facts_of(fn)
        facts.revision = new_revision()
        fn.last_modified = iso_date(self.clock.now()).replace("Z", "+0000")
        fn.code_or_config_updated = True
        if facts.running is None:
            self.on_change(fn)

    def replace(self, fn, files):
        """Somebody else's code: there at once."""
        data = pack(files)
        fn.code_bytes, fn.code_size, fn.code_sha_256 = data, len(data), sha256(data)
        facts_of(fn).running = None
        self.touch(fn)

    def log(self, plan, stream, text):
        """Lines into moto's CloudWatch Logs, where the function's own are on AWS."""
        backend, group = self.ready().logs_backends[self.account][plan.region], f"/aws/lambda/{plan.name}"
        if group not in backend.groups:
            backend.create_log_group(group, {})
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
        now = int(self.clock.now() * 1000)
        backend.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in text.splitlines() if line])

    # Permissions

    def add_permission(self, region, given):
        """The statement that was added. `given` has the parameters of AddPermission, or CloudFormation's properties."""
        name, qualifier = self.split(given["FunctionName"], given.get("Qualifier"))
        fn = self.latest(region, name)
        if qualifier:
            self.find(region, name, qualifier)
        policy = self.policy(fn, qualifier, make=True)
        resource = self.arn(region, name, qualifier)
        return policy.add_given(given, resource)

    def policy(self, fn, qualifier=None, make=False):
        """moto's Policy of the function or of a version or alias; None where there is none."""
        if qualifier in (None, "", "$LATEST"):
            return fn.policy
        policies = facts_of(fn).policies
        if qualifier not in policies and make:
            policies[qualifier] = type(fn.policy)(fn)
        return policies.get(qualifier)


def configuration(fn):
    """FunctionConfiguration as every operation answers it."""
    facts = facts_of(fn)
    pending = facts.state in ("Pending", "Failed")
    layers = [{"Arn": layer["Arn"], "CodeSize": layer["CodeSize"]} for layer in fn.layers]
    vpc = fn.vpc_config
    found = {
        "FunctionName": fn.function_name, "FunctionArn": fn.function_arn, "Runtime": fn.run_time, "Role": fn.role, "Handler": fn.handler,
        "CodeSize": fn.code_size, "Description": fn.description or "", "Timeout": int(fn.timeout), "MemorySize": int(fn.memory_size), "LastModified": fn.last_modified,
        "CodeSha256": fn.code_sha_256, "Version": str(fn.version), "TracingConfig": fn.tracing_config, "RevisionId": facts.revision,
        "State": facts.state, "StateReason": facts.reason if pending else None, "StateReasonCode": facts.reason_code if pending else None,
        "LastUpdateStatus": facts.update, "LastUpdateStatusReason": None if pending else facts.reason, "LastUpdateStatusReasonCode": None if pending else facts.reason_code,
        "PackageType": fn.package_type, "Architectures": fn.architectures, "EphemeralStorage": {"Size": fn.ephemeral_storage},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}, "LoggingConfig": {"LogFormat": "Text", "LogGroup": fn.logs_group_name},
        "Environment": {"Variables": fn.environment_vars} if fn.environment_vars else None, "Layers": layers or None, "VpcConfig": vpc,
        "ImageConfigResponse": {"ImageConfig": fn.image_config.response()} if fn.package_type == "Image" else None,
    }
    return {k: v for k, v in found.items() if v is not None}


def _content(fn):
    """What makes two versions the same."""
    config = configuration(fn)
    for name in ("RevisionId", "Version", "FunctionArn", "LastModified", "Description", "State", "StateReason", "StateReasonCode", "LastUpdateStatus",
                 "LastUpdateStatusReason", "LastUpdateStatusReasonCode"):
        config.pop(name, None)
    return config


# Patches. Each replaces one part of moto's models by what AWS does.

def _patch_code(models, functions):
    original = models.LambdaFunction._set_function_code

    def set_code(self, spec):
        update = spec is not self.code
        if update and spec.get("DryRun"):
            return
        if "ImageUri" in spec:
            original(self, spec)
            return
        data = functions.sources.read(spec, self.region)
        self.code_bytes, self.code_size, self.code_sha_256, self.code_digest = data, len(data), sha256(data), secrets.token_hex(8)
        if update:
            self.code = {k: spec[k] for k in ("S3Bucket", "S3Key") if spec.get(k)}
        self.code.pop("ZipFile", None)

    def update_code(self, spec):
        self._set_function_code(spec)
        if spec.get("Architectures"):
            self.architectures = spec["Architectures"]
        if not spec.get("DryRun"):
            functions.touch(self)
        return self.get_configuration()

    def inline_code(code):
        from moto.packages.cfnresponse import cfnresponse
        with open(cfnresponse.__file__) as source:
            return pack({"index.py": code, "cfnresponse.py": source.read()})

    def invoke(self, event=None):
        return functions.invoke_from_thread(self, event)

    models.LambdaFunction._set_function_code, models.LambdaFunction.update_function_code = set_code, update_code
    models.LambdaFunction._create_zipfile_from_plaintext_code = staticmethod(inline_code)
    models.LambdaFunction._invoke_lambda = invoke


def _patch_configuration(models, functions):
    original = models.LambdaFunction.update_configuration

    def get_configuration(self, on_create=False):
        return configuration(self)

    def update_configuration(self, updates):
        updates = dict(updates)
        if "Environment" in updates:
            updates["Environment"] = {"Variables": (updates["Environment"] or {}).get("Variables") or {}}
        original(self, updates)
        if updates.get("TracingConfig"):
            self.tracing_config = updates["TracingConfig"]
        if updates.get("EphemeralStorage"):
            self.ephemeral_storage = updates["EphemeralStorage"]["Size"]
        functions.touch(self)
        return self.get_configuration()

    models.LambdaFunction.get_configuration, models.LambdaFunction.update_configuration = get_configuration, update_configuration


def _patch_versions(models):
    def publish_version(self, name_or_arn, description=""):
        """Nothing new is made of what is published already."""
        fn = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
        versions, facts = self._functions[fn.function_name]["versions"], facts_of(fn)
        if versions and _content(versions[-1]) == _content(fn):
            return versions[-1]
        made = copy.copy(fn)
        made.cloud_facts = Facts()
        made.policy, made.url_config, made.environment_vars, made.code = type(fn.policy)(made), None, dict(fn.environment_vars or {}), dict(fn.code)
        made.set_version(facts.next_version)
        made.last_modified = fn.last_modified
        facts.next_version += 1
        if description:
            made.description = description
        versions.append(made)
        self._arns[made.function_arn] = made
        return made

    def update_alias(self, description, function_version, routing_config):
        original(self, description, function_version, routing_config)
        self.revision_id = new_revision()

    original = models.LambdaAlias.update
    models.LambdaStorage.publish_version, models.LambdaAlias.update = publish_version, update_alias


def _patch_urls(models, functions):
    def place(self, name_or_arn, config=None):
        name, qualifier = functions.split(name_or_arn, (config or {}).get("Qualifier"))
        fn = functions.latest(self.region_name, name)
        return fn, qualifier if qualifier != "$LATEST" else None

    def find(self, name_or_arn, config=None):
        fn, qualifier = place(self, name_or_arn, config)
        url = facts_of(fn).urls.get(qualifier)
        if url is None:
            raise AwsError(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        return fn, qualifier, url

    def create(self, name_or_arn, config):
        fn, qualifier = place(self, name_or_arn, config)
        urls = facts_of(fn).urls
        if qualifier and qualifier not in functions.aliases(fn):
            raise not_found(functions.arn(fn.region, fn.function_name, qualifier))
        if qualifier in urls:
            raise AwsError(409, "ResourceConflictException", f"Failed to create function url config for [functionArn = {functions.arn(fn.region, fn.function_name, qualifier)}]. "
                           "Error message:  FunctionUrlConfig exists for this Lambda function")
        made = urls[qualifier] = models.FunctionUrlConfig(fn, {k: v for k, v in config.items() if k in ("AuthType", "Cors", "InvokeMode")})
        made.qualifier, made.id = qualifier, secrets.token_hex(16)
        made.url = f"https://{made.id}.lambda-url.{fn.region}.on.aws"
        if qualifier is None:
            fn.url_config = made
        return made

    def get(self, name_or_arn, config=None):
        return find(self, name_or_arn, config)[2]

    def update(self, name_or_arn, config):
        url = find(self, name_or_arn, config)[2]
        url.config.update({k: v for k, v in config.items() if k in ("AuthType", "Cors", "InvokeMode") and v is not None})
        url.last_modified = iso_date(functions.clock.now())
        return url

    def delete(self, name_or_arn, config=None):
        fn, qualifier, _ = find(self, name_or_arn, config)
        del facts_of(fn).urls[qualifier]
        if qualifier is None:
            fn.url_config = None

    def to_dict(self):
        found = {"FunctionUrl": self.url + "/", "FunctionArn": functions.arn(self.function.region, self.function.function_name, self.qualifier),
                 "AuthType": self.config.get("AuthType"), "Cors": self.config.get("Cors"), "CreationTime": self.created, "LastModifiedTime": self.last_modified,
                 "InvokeMode": self.config.get("InvokeMode") or "BUFFERED"}
        return {k: v for k, v in found.items() if v is not None}

    backend = models.LambdaBackend
    backend.create_function_url_config, backend.get_function_url_config = create, get
    backend.update_function_url_config, backend.delete_function_url_config = update, delete
    models.FunctionUrlConfig.to_dict = to_dict


def _patch_permissions(models, policy, functions):
    original = policy.Policy.add_statement

    def add_given(self, given, resource):
        statement = statement_of(given, resource)
        if any(s.get("Sid") == statement["Sid"] for s in self.statements):
            raise AwsError(409, "ResourceConflictException", f"The statement id ({statement['Sid']}) provided already exists. "
                           "Please provide a new statement id, or remove the existing statement.")
        self.statements.append(statement)
        self.revision = new_revision()
        return statement

    def add_statement(self, raw, qualifier=None):
        if isinstance(self.parent, models.LayerVersion):
            return original(self, raw, qualifier)
        import json
        given = json.loads(raw)
        resource = functions.arn(self.parent.region, self.parent.function_name, qualifier)
        return self.add_given(given, resource), self.revision

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        functions.add_permission(region_name, cloudformation_json["Properties"])
        return cls(region=region_name)

    policy.Policy.add_given, policy.Policy.add_statement = add_given, add_statement
    models.Permission.create_from_cloudformation_json = classmethod(create)


def statement_of(given, resource):
    """A statement of a resource policy, from what AddPermission takes."""
    principal, conditions = given.get("Principal", ""), {}
    if given.get("FunctionUrlAuthType"):
        conditions.setdefault("StringEquals", {})["lambda:FunctionUrlAuthType"] = given["FunctionUrlAuthType"]
    if given.get("InvokedViaFunctionUrl") is not None:
        conditions.setdefault("Bool", {})["lambda:InvokedViaFunctionUrl"] = str(given["InvokedViaFunctionUrl"]).lower()
    if given.get("SourceAccount"):
        conditions.setdefault("StringEquals", {})["AWS:SourceAccount"] = given["SourceAccount"]
    if given.get("PrincipalOrgID"):
        conditions.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = given["PrincipalOrgID"]
    if given.get("SourceArn"):
        conditions.setdefault("ArnLike", {})["AWS:SourceArn"] = given["SourceArn"]
    if "." in principal:
        principal = {"Service": principal}
    elif principal != "*":
        principal = {"AWS": principal if principal.startswith("arn:") else f"arn:aws:iam::{principal}:root"}
    statement = {"Sid": given.get("StatementId") or new_revision(), "Effect": "Allow", "Principal": principal, "Action": given.get("Action", ""), "Resource": resource}
    return statement | ({"Condition": conditions} if conditions else {})
