"""The Lambda API: functions, versions, aliases, permissions, URLs, concurrency and Invoke. Layers, event sources and tags
are moto's."""
import asyncio
import base64
import json
import re
from urllib.parse import parse_qs, unquote

import botocore.session

from .clock import iso_date
from .errors import AwsError
from .http11 import Response
from .lambda_code import REQUEST_MOST, ZIP_MOST
from .lambda_store import configuration, facts_of, not_found

INVOKE_MOST = 6291456
_FUNCTION = r"/(?:2015-03-31|2021-10-31|2017-10-31|2019-09-30)/functions"
_ONE = _FUNCTION + r"/([^/]+)"
_ROUTES = [(method, re.compile(pattern + "/?"), name) for method, pattern, name in (
    ("POST", _FUNCTION, "CreateFunction"), ("GET", _FUNCTION, "ListFunctions"),
    ("GET", _ONE, "GetFunction"), ("DELETE", _ONE, "DeleteFunction"),
    ("GET", _ONE + "/configuration", "GetFunctionConfiguration"), ("PUT", _ONE + "/configuration", "UpdateFunctionConfiguration"),
    ("PUT", _ONE + "/code", "UpdateFunctionCode"),
    ("POST", _ONE + "/versions", "PublishVersion"), ("GET", _ONE + "/versions", "ListVersionsByFunction"),
    ("POST", _ONE + "/aliases", "CreateAlias"), ("GET", _ONE + "/aliases", "ListAliases"),
    ("GET", _ONE + "/aliases/([^/]+)", "GetAlias"), ("PUT", _ONE + "/aliases/([^/]+)", "UpdateAlias"), ("DELETE", _ONE + "/aliases/([^/]+)", "DeleteAlias"),
    ("POST", _ONE + "/policy", "AddPermission"), ("GET", _ONE + "/policy", "GetPolicy"), ("DELETE", _ONE + "/policy/([^/]+)", "RemovePermission"),
    ("POST", _ONE + "/url", "CreateFunctionUrlConfig"), ("GET", _ONE + "/url", "GetFunctionUrlConfig"), ("PUT", _ONE + "/url", "UpdateFunctionUrlConfig"),
    ("DELETE", _ONE + "/url", "DeleteFunctionUrlConfig"), ("GET", _ONE + "/urls", "ListFunctionUrlConfigs"),
    ("PUT", _ONE + "/concurrency", "PutFunctionConcurrency"), ("GET", _ONE + "/concurrency", "GetFunctionConcurrency"),
    ("DELETE", _ONE + "/concurrency", "DeleteFunctionConcurrency"),
    ("POST", _ONE + "/invocations", "Invoke"),
)]
_RESERVED = {"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
             "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
             "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}
_REVISION = ("The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")


def route(method, path):
    """(operation, path arguments), or (None, ())."""
    for wanted, pattern, name in _ROUTES:
        match = pattern.fullmatch(path) if wanted == method else None
        if match:
            return name, tuple(map(unquote, match.groups()))
    return None, ()


class Lambda:
    """One method an operation: (call) -> (status, body) or Response."""

    def __init__(self, functions, runtime):
        self.functions, self.runtime = functions, runtime
        self._runtimes = None

    def serves(self, request):
        return route(request.method, request.path)[0] is not None

    async def handle(self, request, region):
        name, arguments = route(request.method, request.path)
        self.functions.ready()
        call = _Call(request, region, arguments)
        try:
            answer = getattr(self, "_" + name)(call)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except AwsError:
            raise
        except Exception as error:
            raise _translated(error) from None
        if arguments:
            self._intrude(name, region, arguments[0])
        return answer if isinstance(answer, Response) else _json(*answer)

    def _intrude(self, operation, region, name):
        """What somebody else was to do after this request."""
        try:
            fn = self.functions.latest(region, name)
        except AwsError:
            return
        waiting = facts_of(fn).intruders
        for intruder in [i for i in waiting if i[0] == operation]:
            intruder[1] -= 1
            if intruder[1] <= 0:
                waiting.remove(intruder)
                self.functions.replace(fn, intruder[2])

    # Functions

    def _CreateFunction(self, call):
        spec = call.body()
        name = self.functions.split(spec.get("FunctionName") or "")[0]
        spec = {**spec, "FunctionName": name}
        if any(f.function_name == name for f in self.functions.every(call.region)):
            raise AwsError(409, "ResourceConflictException", f"Function already exist: {name}")
        if spec.get("PackageType", "Zip") == "Zip":
            self._check_runtime(spec, need=True)
        self._check_size(call, spec.get("Code", {}), "CreateFunction")
        _check_environment(spec)
        publish = spec.pop("Publish", False)
        fn = self.functions.backend(call.region).create_function(spec)
        fn.last_modified = iso_date(self.functions.clock.now()).replace("Z", "+0000")
        self.functions.begin(fn, "Pending")
        if publish:
            fn = self.functions.backend(call.region).publish_version(name)
        return 201, configuration(fn)

    def _check_runtime(self, spec, need=False):
        if need and not spec.get("Handler"):
            raise AwsError(400, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
        if need and not spec.get("Runtime"):
            raise AwsError(400, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
        if self._runtimes is None:
            self._runtimes = set(botocore.session.get_session().get_service_model("lambda").shape_for("Runtime").enum)
        if spec.get("Runtime") and spec["Runtime"] not in self._runtimes:
            raise AwsError(400, "InvalidParameterValueException", f"Value {spec['Runtime']} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
                           f"[{', '.join(sorted(self._runtimes))}] or be a valid ARN")

    @staticmethod
    def _check_size(call, code, operation):
        text = code.get("ZipFile") or ""
        if len(call.request.body) > REQUEST_MOST or len(text) // 4 * 3 - text[-2:].count("=") > ZIP_MOST:
            raise AwsError(413, "RequestEntityTooLargeException", f"Request must be smaller than {REQUEST_MOST} bytes for the {operation} operation")

    def _ListFunctions(self, call):
        found = [configuration(f) for f in self.functions.every(call.region)]
        if call.query("FunctionVersion") == "ALL":
            found += [configuration(v) for f in self.functions.every(call.region) for v in self.functions.versions(f)]
        return 200, _page("Functions", found, call)

    def _seen(self, call):
        """The function or version that a Get names; the look counts."""
        fn = self.functions.find(call.region, call.arguments[0], call.query("Qualifier"))
        self.functions.look(fn)
        config = configuration(fn)
        qualifier = self.functions.split(call.arguments[0], call.query("Qualifier"))[1]
        if qualifier:
            config["FunctionArn"] = self.functions.arn(call.region, fn.function_name, qualifier)
        return fn, config

    def _GetFunction(self, call):
        fn, config = self._seen(call)
        if fn.package_type == "Image":
            code = {"RepositoryType": "ECR", "ImageUri": fn.code.get("ImageUri")}
        else:
            code = {"RepositoryType": "S3", "Location": f"https://awslambda-{call.region}-tasks.s3.{call.region}.amazonaws.com/snapshots/{self.functions.account}/{fn.function_name}"}
        answer = {"Configuration": config, "Code": code}
        if fn.tags:
            answer["Tags"] = fn.tags
        if fn.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": int(fn.reserved_concurrency)}
        return 200, answer

    def _GetFunctionConfiguration(self, call):
        return 200, self._seen(call)[1]

    def _DeleteFunction(self, call):
        name, qualifier = self.functions.split(call.arguments[0], call.query("Qualifier"))
        fn = self.functions.find(call.region, name, qualifier)
        if qualifier == "$LATEST":
            raise AwsError(400, "InvalidParameterValueException", "$LATEST version cannot be deleted without deleting the function.")
        if qualifier and qualifier in [a.function_version for a in self.functions.aliases(self.functions.latest(call.region, name)).values()]:
            raise AwsError(409, "ResourceConflictException", f"Function is currently associated with alias: {qualifier}")
        self.functions.backend(call.region).delete_function(name, qualifier)
        self.functions.on_change(fn)
        return Response(204)

    # Changes

    def _writable(self, call, body):
        """The unpublished function, if it may be changed now by this request."""
        name, qualifier = self.functions.split(call.arguments[0])
        if qualifier and qualifier != "$LATEST":
            raise AwsError(400, "InvalidParameterValueException", "Cannot provide qualifier")
        fn = self.functions.latest(call.region, name)
        if self.functions.look(fn):
            raise self._busy(fn)
        if body.get("RevisionId") and body["RevisionId"] != facts_of(fn).revision:
            raise AwsError(412, "PreconditionFailedException", _REVISION)
        return fn

    @staticmethod
    def _busy(fn):
        if facts_of(fn).state == "Pending":
            return AwsError(409, "ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: Pending")
        return AwsError(409, "ResourceConflictException", f"The operation cannot be performed at this time. An update is in progress for resource: {fn.function_arn}")

    def _UpdateFunctionCode(self, call):
        self._check_size(call, {}, "UpdateFunctionCode")
        spec = call.body()
        fn = self._writable(call, spec)
        self._check_size(call, spec, "UpdateFunctionCode")
        if fn.package_type == "Image" and not spec.get("ImageUri"):
            raise AwsError(400, "InvalidParameterValueException", "Please provide ImageUri when updating a function with packageType Image.")
        if fn.package_type != "Image" and spec.get("ImageUri"):
            raise AwsError(400, "InvalidParameterValueException", "Please don't provide ImageUri when updating a function with packageType Zip.")
        if spec.get("DryRun"):
            if fn.package_type != "Image":
                self.functions.sources.read(spec, call.region)
            return 200, configuration(fn)
        self.functions.hold(fn)
        fn.update_function_code(spec)
        self.functions.begin(fn)
        return 200, self._published(fn, spec)

    def _published(self, fn, spec):
        if not spec.get("Publish"):
            return configuration(fn)
        return configuration(self.functions.backend(fn.region).publish_version(fn.function_name))

    def _UpdateFunctionConfiguration(self, call):
        spec = call.body()
        fn = self._writable(call, spec)
        self._check_runtime(spec)
        _check_environment(spec)
        self.functions.hold(fn)
        fn.update_configuration(spec)
        self.functions.begin(fn)
        return 200, configuration(fn)

    # Versions and aliases

    def _PublishVersion(self, call):
        body = call.body()
        fn = self._writable(call, body)
        if body.get("CodeSha256") and body["CodeSha256"] != fn.code_sha_256:
            raise AwsError(400, "InvalidParameterValueException", f"CodeSHA256 ({body['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({fn.code_sha_256}). "
                           "Please try again with the CodeSHA256 in $LATEST.")
        return 201, configuration(self.functions.backend(call.region).publish_version(fn.function_name, body.get("Description") or ""))

    def _ListVersionsByFunction(self, call):
        fn = self.functions.latest(call.region, call.arguments[0])
        latest = {**configuration(fn), "FunctionArn": fn.function_arn + ":$LATEST"}
        return 200, _page("Versions", [latest, *map(configuration, self.functions.versions(fn))], call)

    def _CreateAlias(self, call):
        body = call.body()
        fn = self.functions.latest(call.region, call.arguments[0])
        name = body.get("Name") or ""
        if not re.fullmatch(r"(?!\d+$)[\w-]+", name):
            raise AwsError(400, "ValidationException", f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint")
        if name in self.functions.aliases(fn):
            raise AwsError(409, "ResourceConflictException", f"Alias already exists: {self.functions.arn(call.region, fn.function_name, name)}")
        self._check_version(fn, body.get("FunctionVersion"))
        made = self.functions.backend(call.region).create_alias(name, fn.function_name, body["FunctionVersion"], body.get("Description") or "", body.get("RoutingConfig"))
        return 201, _alias(made)

    def _check_version(self, fn, version):
        if version != "$LATEST" and version not in [str(v.version) for v in self.functions.versions(fn)]:
            raise not_found(self.functions.arn(fn.region, fn.function_name, version))

    def _GetAlias(self, call):
        return 200, _alias(self.functions.alias(call.region, *call.arguments))

    def _ListAliases(self, call):
        fn = self.functions.latest(call.region, call.arguments[0])
        every = sorted(self.functions.aliases(fn).values(), key=lambda a: a.name)
        wanted = call.query("FunctionVersion")
        return 200, _page("Aliases", [_alias(a) for a in every if wanted in (None, a.function_version)], call)

    def _UpdateAlias(self, call):
        body = call.body()
        fn, alias = self.functions.latest(call.region, call.arguments[0]), self.functions.alias(call.region, *call.arguments)
        if body.get("RevisionId") and body["RevisionId"] != alias.revision_id:
            raise AwsError(412, "PreconditionFailedException", _REVISION)
        if body.get("FunctionVersion"):
            self._check_version(fn, body["FunctionVersion"])
        alias.update(body.get("Description"), body.get("FunctionVersion"), body.get("RoutingConfig"))
        return 200, _alias(alias)

    def _DeleteAlias(self, call):
        fn = self.functions.latest(call.region, call.arguments[0])
        self.functions.aliases(fn).pop(call.arguments[1], None)
        facts_of(fn).urls.pop(call.arguments[1], None)
        facts_of(fn).policies.pop(call.arguments[1], None)
        return Response(204)

    # Permissions

    def _policy(self, call, make=False):
        fn = self.functions.latest(call.region, call.arguments[0])
        name, qualifier = self.functions.split(call.arguments[0], call.query("Qualifier"))
        self.functions.find(call.region, name, qualifier)
        return self.functions.policy(fn, qualifier, make)

    @staticmethod
    def _check_policy_revision(policy, given):
        if given and (policy is None or policy.revision != given):
            raise AwsError(412, "PreconditionFailedException", _REVISION)

    def _AddPermission(self, call):
        body = call.body()
        self._check_policy_revision(self._policy(call), body.get("RevisionId"))
        if not re.fullmatch(r"lambda:[*]|lambda:[a-zA-Z]+|[*]", body.get("Action", "")):
            raise AwsError(400, "ValidationException", f"1 validation error detected: Value '{body.get('Action')}' at 'action' failed to satisfy constraint")
        if body.get("FunctionUrlAuthType") and body["Action"] != "lambda:InvokeFunctionUrl":
            raise AwsError(400, "InvalidParameterValueException", "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
        name, qualifier = self.functions.split(call.arguments[0], call.query("Qualifier"))
        made = self.functions.add_permission(call.region, {**body, "FunctionName": name, "Qualifier": qualifier})
        return 201, {"Statement": json.dumps(made)}

    def _GetPolicy(self, call):
        policy = self._policy(call)
        if policy is None or not policy.statements:
            raise AwsError(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy.statements}
        return 200, {"Policy": json.dumps(document), "RevisionId": policy.revision}

    def _RemovePermission(self, call):
        policy = self._policy(call)
        kept = [s for s in policy.statements if s["Sid"] != call.arguments[1]] if policy else []
        if policy is None or len(kept) == len(policy.statements):
            raise AwsError(404, "ResourceNotFoundException", f"Statement {call.arguments[1]} is not found in resource policy.")
        self._check_policy_revision(policy, call.query("RevisionId"))
        policy.statements = kept
        return Response(204)

    # URLs

    def _target(self, call):
        name, qualifier = self.functions.split(call.arguments[0], call.query("Qualifier"))
        return self.functions.backend(call.region), name + (f":{qualifier}" if qualifier else "")

    def _CreateFunctionUrlConfig(self, call):
        body = call.body()
        if body.get("AuthType") not in ("NONE", "AWS_IAM"):
            raise AwsError(400, "ValidationException", f"1 validation error detected: Value '{body.get('AuthType')}' at 'authType' failed to satisfy constraint: "
                           "Member must satisfy enum value set: [NONE, AWS_IAM]")
        backend, name = self._target(call)
        return 201, backend.create_function_url_config(name, body).to_dict()

    def _GetFunctionUrlConfig(self, call):
        backend, name = self._target(call)
        return 200, backend.get_function_url_config(name).to_dict()

    def _UpdateFunctionUrlConfig(self, call):
        backend, name = self._target(call)
        return 200, backend.update_function_url_config(name, call.body()).to_dict()

    def _DeleteFunctionUrlConfig(self, call):
        backend, name = self._target(call)
        backend.delete_function_url_config(name)
        return Response(204)

    def _ListFunctionUrlConfigs(self, call):
        fn = self.functions.latest(call.region, call.arguments[0])
        return 200, _page("FunctionUrlConfigs", [u.to_dict() for u in facts_of(fn).urls.values()], call)

    # Running

    def _PutFunctionConcurrency(self, call):
        fn = self.functions.latest(call.region, call.arguments[0])
        fn.reserved_concurrency = int(call.body()["ReservedConcurrentExecutions"])
        return 200, {"ReservedConcurrentExecutions": fn.reserved_concurrency}

    def _GetFunctionConcurrency(self, call):
        reserved = self.functions.latest(call.region, call.arguments[0]).reserved_concurrency
        return 200, {} if reserved is None else {"ReservedConcurrentExecutions": int(reserved)}

    def _DeleteFunctionConcurrency(self, call):
        self.functions.latest(call.region, call.arguments[0]).reserved_concurrency = None
        return Response(204)

    async def _Invoke(self, call):
        headers, body = call.request.headers, call.request.body
        fn = self.functions.find(call.region, call.arguments[0], call.query("Qualifier"))
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        if len(body) > INVOKE_MOST:
            raise AwsError(413, "RequestTooLargeException", f"{len(body)} byte payload is too large for the {kind} invocation type (limit {INVOKE_MOST} bytes)")
        try:
            json.loads(body or b"{}")
        except ValueError as error:
            raise AwsError(400, "InvalidRequestContentException", f"Could not parse request body into json: {error}") from None
        self.check_ready(fn)
        if kind == "DryRun":
            return Response(204)
        context = headers.get("x-amz-client-context")
        work = self.runtime.invoke(fn, body or b"{}", base64.b64decode(context).decode() if context else None)
        if kind == "Event":
            self.runtime.in_background(work)
            return Response(202)
        done = await work
        answer = [("Content-Type", "application/json"), ("X-Amz-Executed-Version", str(fn.version))]
        if done.error:
            answer.append(("X-Amz-Function-Error", "Unhandled"))
        if headers.get("x-amz-log-type") == "Tail":
            answer.append(("X-Amz-Log-Result", base64.b64encode(done.log.encode()[-4096:]).decode()))
        return Response(200, answer, done.payload)

    def check_ready(self, fn):
        """Raises while the function cannot be invoked at all."""
        facts = facts_of(fn)
        if facts.state == "Pending" and self.functions.look(fn):
            raise self._busy(fn)
        if facts.state == "Failed":
            raise AwsError(409, "ResourceConflictException", "The operation cannot be performed at this time. The function is currently in the following state: Failed")
        if fn.package_type == "Image":
            raise AwsError(501, "NotImplemented", "The local cloud does not run images")


class _Call:
    """A request with its path arguments."""

    def __init__(self, request, region, arguments):
        self.request, self.region, self.arguments = request, region, arguments
        self._query = parse_qs(request.query, keep_blank_values=True)

    def query(self, name):
        return self._query.get(name, [None])[-1]

    def body(self):
        try:
            found = json.loads(self.request.body or b"{}")
        except ValueError as error:
            raise AwsError(400, "InvalidRequestContentException", f"Could not parse request body into json: {error}") from None
        if not isinstance(found, dict):
            raise AwsError(400, "SerializationException", "Start of structure or map found where not expected.")
        return found


def _alias(alias):
    found = {"AliasArn": alias.arn, "Name": alias.name, "FunctionVersion": alias.function_version, "Description": alias.description or "",
             "RevisionId": alias.revision_id}
    return found | ({"RoutingConfig": alias.routing_config} if alias.routing_config else {})


def _page(name, found, call):
    """MaxItems and Marker; a marker is a number here."""
    start, most = int(call.query("Marker") or 0), int(call.query("MaxItems") or 50)
    page = {name: found[start:start + most]}
    return page | ({"NextMarker": str(start + most)} if start + most < len(found) else {})


def _check_environment(spec):
    used = sorted(_RESERVED & set(((spec.get("Environment") or {}).get("Variables") or {})))
    if used:
        raise AwsError(400, "InvalidParameterValueException", "Lambda was unable to configure your environment variables because the environment variables you have provided "
                       f"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {', '.join(used)}")


def _translated(error):
    """moto's errors as ours; anything else is a defect and goes on as it is."""
    if hasattr(error, "error_type") and hasattr(error, "message"):
        return AwsError(getattr(error, "code", 400), error.error_type, error.message)
    return error


def _json(status, body):
    return Response(status, [("Content-Type", "application/json")], json.dumps(body).encode())
