"""Kinds of resources: how each is made, changed and removed. This module has what they share, and those that moto models itself."""
import functools
import random
import string
import uuid

# Accepted and remembered, without an effect: they watch or group other resources.
_INERT = {
    "AWS::ApplicationInsights::Application", "AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle", "AWS::CloudWatch::Dashboard",
    "AWS::ResourceGroups::Group", "AWS::XRay::Group", "AWS::Lambda::EventInvokeConfig", "AWS::CloudFront::MonitoringSubscription",
    "AWS::CloudFront::RealtimeLogConfig", "AWS::S3::StorageLens", "AWS::WAFv2::WebACL", "AWS::CE::AnomalyMonitor", "AWS::CE::AnomalySubscription",
    "AWS::Synthetics::Canary", "AWS::RUM::AppMonitor", "AWS::SNS::TopicPolicy", "AWS::ApiGateway::Account",
}
_HANDLER_CODES = {400: "InvalidRequest", 403: "AccessDenied", 404: "NotFound", 409: "AlreadyExists", 429: "Throttling"}
KINDS = {}


class Failed(Exception):
    """The resource could not be made, changed or removed; `reason` is what its event says."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class NotYet(Exception):
    """It is under way; ask again later."""


class _Properties(dict):
    def __missing__(self, name):
        raise Failed(f"Properties validation failed for resource with message:\n#: required key [{name}] not found")


class Item:
    """A resource in the hands of its kind, which sets `physical_id`."""

    def __init__(self, stack, resource):
        self.stack, self.resource = stack, resource

    logical_id = property(lambda self: self.resource.logical_id)
    properties = property(lambda self: _Properties(self.resource.properties))
    physical_id = property(lambda self: self.resource.physical_id, lambda self, value: setattr(self.resource, "physical_id", value))

    def chosen(self, *names):
        """Those of the properties that were given."""
        return {n: self.properties[n] for n in names if n in self.properties}

    def others(self, *names):
        """All properties but these."""
        return {n: v for n, v in self.properties.items() if n not in names}

    def new_name(self, longest=64, lower=False):
        """A name as CloudFormation invents it."""
        end = f"-{self.logical_id}-" + "".join(random.choices(string.ascii_letters + string.digits, k=12))
        if len(end) > longest - 2:
            end = end[-(longest - 2):]
        name = self.stack.name[:longest - len(end)] + end
        return name.lower() if lower else name

    def tags(self):
        """The resource's own tags and the stack's, as {key: value}."""
        own = self.properties.get("Tags", {})
        own = {t["Key"]: t["Value"] for t in own} if isinstance(own, list) else own
        return {**self.stack.tags, **own, "aws:cloudformation:stack-name": self.stack.name, "aws:cloudformation:logical-id": self.logical_id,
                "aws:cloudformation:stack-id": self.stack.id}

    def tag_list(self):
        return [{"Key": k, "Value": v} for k, v in self.tags().items() if not k.startswith("aws:")]


class Kind:
    """One type of resource. `replaced_by`: properties whose change needs a new resource; `tagged`: it takes the stack's tags."""

    replaced_by = frozenset()
    tagged = False
    type = ""

    def create(self, aws, item):
        raise NotImplementedError

    def update(self, aws, item, old):
        """Make it as `item.properties` say; `old` are the properties before."""
        raise NotImplementedError

    def delete(self, aws, item):
        raise NotImplementedError

    def settle(self, aws, item):
        """Raise NotYet until what was done to it is in force."""

    def attributes(self, aws, item):
        """What Fn::GetAtt finds, and as "Ref" what Ref finds if that is not the physical id."""
        return {}


def kind(name, replaced_by=(), tagged=False):
    """Register a class for a type."""
    def register(cls):
        made = cls()
        made.type, made.replaced_by, made.tagged = name, frozenset(replaced_by), tagged
        KINDS[name] = made
        return cls
    return register


class Inert(Kind):
    def create(self, aws, item):
        item.physical_id = item.new_name()

    def update(self, aws, item, old):
        pass

    def delete(self, aws, item):
        pass

    def attributes(self, aws, item):
        return {"Arn": f"arn:aws:local:{aws.region}:{aws.account}:{item.physical_id}", "Id": item.physical_id}


class _AnyAttribute(dict):
    """The attributes of one of moto's models, asked for one by one; what it does not know of may be one of the properties."""

    def __init__(self, model, properties, values):
        super().__init__(values)
        self._model, self._properties = model, properties

    def __contains__(self, name):
        return dict.__contains__(self, name) or self._read(name) is not None

    def __getitem__(self, name):
        return dict.__getitem__(self, name) if dict.__contains__(self, name) else self._read(name)

    def _read(self, name):
        try:
            return self._model.get_cfn_attribute(name)
        except Exception:  # each of the models says no in its own way
            return self._properties.get(name)


class Moto(Kind):
    """A kind that moto's own CloudFormation implements."""

    def __init__(self, name, model):
        self.type, self.model, self.tagged = name, model, True
        self.name_property = model.cloudformation_name_type()
        self.replaced_by = frozenset({self.name_property} if self.name_property else ())

    @staticmethod
    def _json(item):
        return {"Type": item.resource.type, "Properties": dict(item.properties)}

    def create(self, aws, item):
        name = item.properties.get(self.name_property) or item.new_name()
        self._take(item, name, _translated(self.model.create_from_cloudformation_json, name, self._json(item), aws.account, aws.region))

    def update(self, aws, item, old):
        model, name = item.resource.handle
        if _is_abstract(self.model.update_from_cloudformation_json):
            raise NotImplementedError
        self._take(item, name, _translated(self.model.update_from_cloudformation_json, model, name, self._json(item), aws.account, aws.region) or model)

    @staticmethod
    def _take(item, name, made):
        item.resource.handle, item.physical_id = (made, name), str(made.physical_resource_id)

    def delete(self, aws, item):
        model, _ = item.resource.handle
        if _is_abstract(self.model.delete_from_cloudformation_json):
            if not hasattr(model, "delete"):
                raise NotImplementedError
            return _translated(model.delete, aws.account, aws.region)
        return _translated(self.model.delete_from_cloudformation_json, item.physical_id, self._json(item), aws.account, aws.region)

    def attributes(self, aws, item):
        # moto's topics know all but their own ARN.
        return _AnyAttribute(item.resource.handle[0], item.properties, {"TopicArn": item.physical_id} if self.type == "AWS::SNS::Topic" else {})


def _is_abstract(function):
    """moto's base class has these as abstract methods that do nothing."""
    return getattr(function, "__isabstractmethod__", False)


def _translated(function, *arguments):
    try:
        return function(*arguments)
    except NotImplementedError:
        raise
    except Exception as error:  # moto raises its services' own errors, which have no common base
        raise Failed(f'Resource handler returned message: "{getattr(error, "message", None) or error}"') from None


@functools.cache
def _moto_models():
    """Imported when a type asks for it: this pulls in most of moto."""
    from moto.cloudformation.parsing import get_model_map
    return get_model_map()


@functools.cache
def kind_of(name):
    """The kind of a type, or None if there is no such type here."""
    if name in KINDS:
        return KINDS[name]
    if name in _INERT:
        return Inert()
    if not name.startswith("AWS::"):
        return None
    model = _moto_models().get(name)
    return Moto(name, model) if model else None


def handler_message(name, error):
    """An error of a service as CloudFormation's resource handlers report it."""
    service = name.split("::")[1]
    code = "GeneralServiceException" if error.status >= 500 else _HANDLER_CODES.get(error.status, "InvalidRequest")
    return (f'Resource handler returned message: "{error.message} (Service: {service}, Status Code: {error.status}, Request ID: {uuid.uuid4()})" '
            f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})")
