"""Early validation: what a change set fails of before anything is made. Its reason says only that something was found; DescribeEvents says what."""
import re
import uuid

from .cfn_resolve import NotKnown

REASON = ("The following hook(s)/validation failed: [AWS::EarlyValidation::{}]. To troubleshoot Early Validation errors, use the DescribeEvents API "
          "for detailed failure information.")
# type: (the property that names it, service, operation that finds it, its argument)
_NAMED = {
    "AWS::DynamoDB::Table": ("TableName", "dynamodb", "DescribeTable", "TableName"),
    "AWS::IAM::Role": ("RoleName", "iam", "GetRole", "RoleName"),
    "AWS::Lambda::Function": ("FunctionName", "lambda", "GetFunctionConfiguration", "FunctionName"),
    "AWS::S3::Bucket": ("BucketName", "s3", "HeadBucket", "Bucket"),
}


class Finding:
    """One thing that is wrong; `fatal` or a warning."""

    def __init__(self, logical_id, kind, reason, path="", name="NAME_CONFLICT_VALIDATION", fatal=True):
        self.logical_id, self.type, self.reason, self.path, self.name, self.fatal = logical_id, kind, reason, path, name, fatal

    @property
    def hook(self):
        return "PropertyValidation" if self.name == "PROPERTY_VALIDATION" else "ResourceExistenceCheck"

    def event(self, change_set, now):
        """The OperationEvent of the API."""
        return {"EventId": str(uuid.uuid4()), "StackId": change_set.stack.id, "OperationId": change_set.operation, "OperationType": "CREATE_CHANGESET",
                "EventType": "VALIDATION_ERROR", "LogicalResourceId": self.logical_id, "ResourceType": self.type, "Timestamp": now,
                "ValidationName": self.name, "ValidationStatus": "FAILED", "ValidationStatusReason": self.reason,
                "ValidationFailureMode": "FAIL" if self.fatal else "WARN", **({"ValidationPath": self.path} if self.path else {})}


def findings(engine, change_set):
    """Names that somebody has already, and buckets that would have to go and are full."""
    stack, aws, found = change_set.stack, engine.aws(change_set.stack.region), []
    entries = change_set.processed["Resources"]
    resolver = stack.resolver(change_set.processed, change_set.parameters, engine.exported)
    for change in change_set.changes:
        if change.action == "Add" or change.replacement == "True":
            found += _taken(aws, change.logical_id, entries[change.logical_id], resolver)
        bucket = stack.resources.get(change.logical_id)
        if change.action == "Remove" and bucket.type == "AWS::S3::Bucket" and bucket.policy("DeletionPolicy") == "Delete" and not aws.cloud.store.is_empty(bucket.physical_id):
            found.append(Finding(bucket.logical_id, bucket.type, f"The bucket '{bucket.physical_id}' is not empty. You must either delete all objects and versions or use the "
                                 "deletion policy to retain it, otherwise the delete operation will fail.", "/Resources/" + bucket.logical_id, "BUCKET_EMPTINESS_VALIDATION", False))
    return found


def _taken(aws, logical_id, entry, resolver):
    if entry["Type"] not in _NAMED:
        return
    name, service, operation, argument = _NAMED[entry["Type"]]
    try:
        wanted = resolver.resolve((entry.get("Properties") or {}).get(name))
    except NotKnown:
        return
    if isinstance(wanted, str) and re.fullmatch(r"[\w.-]+", wanted) and aws.finds(service, operation, **{argument: wanted}):
        yield Finding(logical_id, entry["Type"], f"Resource of type '{entry['Type']}' with identifier '{wanted}' already exists.", f"/Resources/{logical_id}")


def ordered(rules, change_set):
    """What a test wants to be found: taken from `rules`, once each."""
    for rule in [r for r in rules if r["stack"] in ("*", change_set.stack.name)]:
        rules.remove(rule)
        entry = change_set.processed["Resources"].get(rule["resource"], {})
        yield Finding(rule["resource"], entry.get("Type", ""), rule["reason"], rule["path"], "PROPERTY_VALIDATION")
