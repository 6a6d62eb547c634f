"""Kinds that run code: functions, their permissions, versions, aliases, URLs and layers."""
import uuid

from .cfn_kinds import Kind, NotYet, kind
from .errors import AwsError
from .lambda_code import pack

_CONFIGURATION = ("Role", "Handler", "Description", "Timeout", "MemorySize", "VpcConfig", "Environment", "Runtime", "DeadLetterConfig", "KmsKeyArn", "TracingConfig",
                  "Layers", "FileSystemConfigs", "ImageConfig", "EphemeralStorage", "SnapStart", "LoggingConfig")
_ONCE = ("Architectures", "PackageType", "CodeSigningConfigArn")
# What a removed property falls back to.
_DEFAULTS = {"Description": "", "Timeout": 3, "MemorySize": 128, "Environment": {"Variables": {}}, "Layers": [], "TracingConfig": {"Mode": "PassThrough"}}
_NOT_FOUND = (404,)


def _code(item):
    """The function's code as the API wants it: a template may have the source itself."""
    code = item.properties.get("Code", {})
    if "ZipFile" in code:
        name = "index.js" if str(item.properties.get("Runtime", "")).startswith("nodejs") else "index.py"
        return {"ZipFile": pack({name: code["ZipFile"]})}
    return code


@kind("AWS::Lambda::Function", replaced_by=["FunctionName", "PackageType"], tagged=True)
class Function(Kind):
    def create(self, aws, item):
        name = item.properties.get("FunctionName") or item.new_name()
        aws("lambda", "CreateFunction", FunctionName=name, Code=_code(item), Tags=self._tags(item), **item.chosen(*_CONFIGURATION, *_ONCE))
        item.physical_id = name
        self._concurrency(aws, item)

    @staticmethod
    def _tags(item):
        return {t["Key"]: t["Value"] for t in item.tag_list()}

    @staticmethod
    def _concurrency(aws, item):
        if "ReservedConcurrentExecutions" in item.properties:
            aws("lambda", "PutFunctionConcurrency", FunctionName=item.physical_id, **item.chosen("ReservedConcurrentExecutions"))

    def update(self, aws, item, old):
        code = _code(item) if item.properties.get("Code") != old.get("Code") or item.properties.get("Architectures") != old.get("Architectures") else None
        self.settle(aws, item)
        changed = {n: item.properties.get(n, _DEFAULTS.get(n)) for n in _CONFIGURATION if item.properties.get(n) != old.get(n)}
        changed = {n: v for n, v in changed.items() if v is not None}
        pending = item.resource.__dict__.setdefault("pending", ["configuration", "code"])
        while pending:       # Lambda takes one change at a time
            self.settle(aws, item)
            if pending.pop(0) == "configuration":
                if changed:
                    aws("lambda", "UpdateFunctionConfiguration", FunctionName=item.physical_id, **changed)
            elif code is not None:
                aws("lambda", "UpdateFunctionCode", FunctionName=item.physical_id, **code, **item.chosen("Architectures"))
        del item.resource.pending
        if "ReservedConcurrentExecutions" in old and "ReservedConcurrentExecutions" not in item.properties:
            aws("lambda", "DeleteFunctionConcurrency", FunctionName=item.physical_id)
        self._concurrency(aws, item)

    def settle(self, aws, item):
        try:
            made = aws("lambda", "GetFunctionConfiguration", FunctionName=item.physical_id)
        except AwsError as error:
            if error.status in _NOT_FOUND:
                raise AwsError(404, "ResourceNotFoundException", error.message or f"Function not found: {item.physical_id}") from None
            raise
        if made.get("State") == "Pending" or made.get("LastUpdateStatus") == "InProgress":
            raise NotYet

    def delete(self, aws, item):
        _gone(aws, "DeleteFunction", FunctionName=item.physical_id)

    def attributes(self, aws, item):
        made = aws("lambda", "GetFunctionConfiguration", FunctionName=item.physical_id)
        return {"Arn": made["FunctionArn"]}


def _qualified(name):
    """A function's name, and what stands behind it in the ARN of a version or an alias."""
    parts = name.split(":")
    if len(parts) == 8 and parts[0] == "arn":
        return {"FunctionName": ":".join(parts[:7]), "Qualifier": parts[7]}
    return {"FunctionName": name}


def _gone(aws, operation, **values):
    """Remove something; that it is gone already is no failure."""
    try:
        aws("lambda", operation, **values)
    except AwsError as error:
        if error.status not in _NOT_FOUND:
            raise


@kind("AWS::Lambda::Permission", replaced_by=["FunctionName", "Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "FunctionUrlAuthType",
                                              "PrincipalOrgID", "InvokedViaFunctionUrl"])
class Permission(Kind):
    def create(self, aws, item):
        item.physical_id = item.new_name(100)
        aws("lambda", "AddPermission", StatementId=item.physical_id, **_qualified(item.properties["FunctionName"]), **item.others("FunctionName"))

    def update(self, aws, item, old):
        """Every property makes a new one."""

    def delete(self, aws, item):
        _gone(aws, "RemovePermission", **_qualified(item.properties["FunctionName"]), StatementId=item.physical_id)

    def attributes(self, aws, item):
        return {"Id": item.physical_id}


@kind("AWS::Lambda::Version", replaced_by=["FunctionName", "CodeSha256", "Description", "RuntimePolicy", "ProvisionedConcurrencyConfig"])
class Version(Kind):
    def create(self, aws, item):
        made = aws("lambda", "PublishVersion", **item.chosen("FunctionName", "CodeSha256", "Description"))
        item.physical_id = made["FunctionArn"]

    def update(self, aws, item, old):
        """Every property makes a new one."""

    def delete(self, aws, item):
        name, _, version = item.physical_id.rpartition(":")
        _gone(aws, "DeleteFunction", FunctionName=name, Qualifier=version)

    def attributes(self, aws, item):
        return {"Version": item.physical_id.rpartition(":")[2], "FunctionArn": item.physical_id}


@kind("AWS::Lambda::Alias", replaced_by=["FunctionName", "Name"])
class Alias(Kind):
    own = ("ProvisionedConcurrencyConfig",)

    def create(self, aws, item):
        made = aws("lambda", "CreateAlias", **_routed(item.others(*self.own)))
        item.physical_id = made["AliasArn"]

    def update(self, aws, item, old):
        aws("lambda", "UpdateAlias", **_routed({"Description": "", **item.others(*self.own)}))

    def delete(self, aws, item):
        _gone(aws, "DeleteAlias", FunctionName=item.properties["FunctionName"], Name=item.properties["Name"])

    def attributes(self, aws, item):
        return {"AliasArn": item.physical_id}


def _routed(values):
    weights = values.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    if weights is None:
        return values
    return {**values, "RoutingConfig": {"AdditionalVersionWeights": {w["FunctionVersion"]: w["FunctionWeight"] for w in weights}}}


@kind("AWS::Lambda::Url", replaced_by=["TargetFunctionArn", "Qualifier"])
class Url(Kind):
    @staticmethod
    def _target(properties):
        return {**_qualified(properties["TargetFunctionArn"]), **({"Qualifier": properties["Qualifier"]} if "Qualifier" in properties else {})}

    def create(self, aws, item):
        made = aws("lambda", "CreateFunctionUrlConfig", **self._target(item.properties), **item.chosen("AuthType", "Cors", "InvokeMode"))
        item.physical_id = made["FunctionArn"]

    def update(self, aws, item, old):
        cors = {} if "Cors" in item.properties or "Cors" not in old else {"Cors": {}}
        aws("lambda", "UpdateFunctionUrlConfig", **self._target(item.properties), **item.chosen("AuthType", "Cors", "InvokeMode"), **cors)

    def delete(self, aws, item):
        _gone(aws, "DeleteFunctionUrlConfig", **self._target(item.properties))

    def attributes(self, aws, item):
        made = aws("lambda", "GetFunctionUrlConfig", **self._target(item.properties))
        return {"FunctionUrl": made["FunctionUrl"].rstrip("/") + "/", "FunctionArn": made["FunctionArn"]}


@kind("AWS::Lambda::LayerVersion", replaced_by=["LayerName", "Content", "CompatibleRuntimes", "CompatibleArchitectures", "Description", "LicenseInfo"])
class Layer(Kind):
    def create(self, aws, item):
        name = item.properties.get("LayerName") or item.logical_id + uuid.uuid4().hex[:10]
        made = aws("lambda", "PublishLayerVersion", LayerName=name, **item.others("LayerName"))
        item.physical_id = made["LayerVersionArn"]

    def update(self, aws, item, old):
        """Every property makes a new one."""

    def delete(self, aws, item):
        parts = item.physical_id.split(":")
        _gone(aws, "DeleteLayerVersion", LayerName=parts[6], VersionNumber=int(parts[7]))

    def attributes(self, aws, item):
        return {"LayerVersionArn": item.physical_id}
