"""Kinds that keep things: buckets and their policies, tables, log groups, roles and policies."""
import json
import re

from .cfn_kinds import Failed, Kind, kind
from .errors import AwsError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_BUCKET_PARTS = {
    # property: (operation, argument, how the API wants it)
    "PublicAccessBlockConfiguration": ("PutPublicAccessBlock", "PublicAccessBlockConfiguration", lambda v: v),
    "VersioningConfiguration": ("PutBucketVersioning", "VersioningConfiguration", lambda v: v),
    "WebsiteConfiguration": ("PutBucketWebsite", "WebsiteConfiguration", lambda v: _website(v)),
    "CorsConfiguration": ("PutBucketCors", "CORSConfiguration", lambda v: {"CORSRules": [_cors(r) for r in v["CorsRules"]]}),
    "BucketEncryption": ("PutBucketEncryption", "ServerSideEncryptionConfiguration", lambda v: _encryption(v)),
    "LifecycleConfiguration": ("PutBucketLifecycleConfiguration", "LifecycleConfiguration", lambda v: {"Rules": [_lifecycle(r) for r in v["Rules"]]}),
    "OwnershipControls": ("PutBucketOwnershipControls", "OwnershipControls", lambda v: v),
}
_BUCKET_UNDO = {"WebsiteConfiguration": "DeleteBucketWebsite", "CorsConfiguration": "DeleteBucketCors", "LifecycleConfiguration": "DeleteBucketLifecycle",
                "PublicAccessBlockConfiguration": "DeletePublicAccessBlock", "BucketEncryption": "DeleteBucketEncryption",
                "OwnershipControls": "DeleteBucketOwnershipControls"}
# Kept by the live service, without an effect here.
_BUCKET_QUIET = ("BucketName", "Tags", "AccessControl", "LoggingConfiguration", "NotificationConfiguration", "IntelligentTieringConfigurations", "MetricsConfigurations")


def _website(value):
    made = {}
    if "IndexDocument" in value:
        made["IndexDocument"] = {"Suffix": value["IndexDocument"]}
    if "ErrorDocument" in value:
        made["ErrorDocument"] = {"Key": value["ErrorDocument"]}
    if "RedirectAllRequestsTo" in value:
        made["RedirectAllRequestsTo"] = value["RedirectAllRequestsTo"]
    return made


def _cors(rule):
    return {{"Id": "ID", "MaxAge": "MaxAgeSeconds", "ExposedHeaders": "ExposeHeaders"}.get(n, n): v for n, v in rule.items()}


def _encryption(value):
    return {"Rules": [{{"ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault"}.get(n, n): v for n, v in rule.items()}
                      for rule in value["ServerSideEncryptionConfiguration"]]}


def _lifecycle(rule):
    made = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}, **({"ID": rule["Id"]} if "Id" in rule else {})}
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    return made


@kind("AWS::S3::Bucket", replaced_by=["BucketName"], tagged=True)
class Bucket(Kind):
    def create(self, aws, item):
        name = item.properties.get("BucketName") or item.new_name(63, lower=True)
        if not _BUCKET.fullmatch(name):
            raise Failed("Bucket name should not contain uppercase characters" if name != name.lower() else f"Invalid bucket name: {name}")
        if aws.cloud.buckets.find(name) is not None:
            raise Failed(f"{name} already exists")
        location = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        aws("s3", "CreateBucket", Bucket=name, **location)
        item.physical_id = name
        self._configure(aws, item, {})

    def _configure(self, aws, item, old):
        unknown = set(item.properties) - set(_BUCKET_PARTS) - set(_BUCKET_QUIET)
        if unknown:
            raise Failed(f"Properties validation failed for resource {item.logical_id} with message:\n#: extraneous key [{sorted(unknown)[0]}] is not permitted")
        for name, (operation, argument, bent) in _BUCKET_PARTS.items():
            value = item.properties.get(name)
            if value == old.get(name):
                continue
            if value is None and name in _BUCKET_UNDO:
                aws("s3", _BUCKET_UNDO[name], Bucket=item.physical_id)
            elif name != "VersioningConfiguration":    # objects have one version here
                aws("s3", operation, Bucket=item.physical_id, **{argument: bent(value)})
        if item.tag_list():
            aws("s3", "PutBucketTagging", Bucket=item.physical_id, Tagging={"TagSet": item.tag_list()})

    def update(self, aws, item, old):
        self._configure(aws, item, old)

    def delete(self, aws, item):
        if aws.cloud.buckets.find(item.physical_id) is None:
            return
        aws("s3", "DeleteBucket", Bucket=item.physical_id)

    def attributes(self, aws, item):
        name, region = item.physical_id, aws.region
        dash = region in ("us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1")
        return {"Arn": f"arn:aws:s3:::{name}", "DomainName": f"{name}.s3.amazonaws.com", "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
                "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
                "WebsiteURL": f"http://{name}.s3-website{'-' if dash else '.'}{region}.amazonaws.com"}


@kind("AWS::S3::BucketPolicy", replaced_by=["Bucket"])
class BucketPolicy(Kind):
    def create(self, aws, item):
        aws("s3", "PutBucketPolicy", Bucket=item.properties["Bucket"], Policy=json.dumps(item.properties["PolicyDocument"]))
        item.physical_id = item.properties["Bucket"]

    def update(self, aws, item, old):
        self.create(aws, item)

    def delete(self, aws, item):
        if aws.cloud.buckets.find(item.physical_id) is not None:
            aws("s3", "DeleteBucketPolicy", Bucket=item.physical_id)


@kind("AWS::DynamoDB::Table", replaced_by=["TableName", "KeySchema", "LocalSecondaryIndexes"], tagged=True)
class Table(Kind):
    own = ("TableName", "Tags", "PointInTimeRecoverySpecification", "TimeToLiveSpecification", "SSESpecification", "StreamSpecification", "ContributorInsightsSpecification",
           "KinesisStreamSpecification")

    def create(self, aws, item):
        name = item.properties.get("TableName") or item.new_name(255)
        aws("dynamodb", "CreateTable", TableName=name, Tags=item.tag_list(), **self._shared(item), **item.others(*self.own))
        item.physical_id = name
        self._switches(aws, item, {})

    @staticmethod
    def _shared(item):
        made, sse = {}, item.properties.get("SSESpecification")
        if sse:
            made["SSESpecification"] = {{"SSEEnabled": "Enabled"}.get(n, n): v for n, v in sse.items()}
        if "StreamSpecification" in item.properties:
            made["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": item.properties["StreamSpecification"]["StreamViewType"]}
        return made

    @staticmethod
    def _switches(aws, item, old):
        recovery, ttl = item.properties.get("PointInTimeRecoverySpecification"), item.properties.get("TimeToLiveSpecification")
        if recovery != old.get("PointInTimeRecoverySpecification"):
            aws("dynamodb", "UpdateContinuousBackups", TableName=item.physical_id, PointInTimeRecoverySpecification=recovery or {"PointInTimeRecoveryEnabled": False})
        if ttl != old.get("TimeToLiveSpecification"):
            aws("dynamodb", "UpdateTimeToLive", TableName=item.physical_id, TimeToLiveSpecification=ttl or {**old["TimeToLiveSpecification"], "Enabled": False})

    def update(self, aws, item, old):
        before = {n: v for n, v in old.items() if n not in self.own}
        changed = {n: v for n, v in item.others(*self.own, "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes").items() if before.get(n) != v}
        indexes = self._index_changes(item, old)
        for update in ([{**changed}] if changed else []) + [{"GlobalSecondaryIndexUpdates": [i], "AttributeDefinitions": item.properties["AttributeDefinitions"]} for i in indexes]:
            aws("dynamodb", "UpdateTable", TableName=item.physical_id, **update)
        shared = self._shared(item)
        if shared and any(item.properties.get(n) != old.get(n) for n in ("SSESpecification", "StreamSpecification")):
            aws("dynamodb", "UpdateTable", TableName=item.physical_id, **shared)
        self._switches(aws, item, old)

    @staticmethod
    def _index_changes(item, old):
        now = {i["IndexName"]: i for i in item.properties.get("GlobalSecondaryIndexes", [])}
        then = {i["IndexName"]: i for i in old.get("GlobalSecondaryIndexes", [])}
        return [{"Delete": {"IndexName": n}} for n in then if n not in now] + [{"Create": i} for n, i in now.items() if n not in then]

    def delete(self, aws, item):
        aws("dynamodb", "DeleteTable", TableName=item.physical_id)

    def attributes(self, aws, item):
        made = aws("dynamodb", "DescribeTable", TableName=item.physical_id)["Table"]
        return {"Arn": made["TableArn"], "TableId": made.get("TableId", ""), **({"StreamArn": made["LatestStreamArn"]} if "LatestStreamArn" in made else {})}


@kind("AWS::Logs::LogGroup", replaced_by=["LogGroupName"], tagged=True)
class LogGroup(Kind):
    def create(self, aws, item):
        name = item.properties.get("LogGroupName") or item.new_name(512)
        aws("logs", "CreateLogGroup", logGroupName=name, tags={t["Key"]: t["Value"] for t in item.tag_list()}, **item.chosen("KmsKeyId"))
        item.physical_id = name
        self._retention(aws, item)

    @staticmethod
    def _retention(aws, item):
        days = item.properties.get("RetentionInDays")
        if days is None:
            aws("logs", "DeleteRetentionPolicy", logGroupName=item.physical_id)
        else:
            aws("logs", "PutRetentionPolicy", logGroupName=item.physical_id, retentionInDays=days)

    def update(self, aws, item, old):
        self._retention(aws, item)

    def delete(self, aws, item):
        aws("logs", "DeleteLogGroup", logGroupName=item.physical_id)

    def attributes(self, aws, item):
        return {"Arn": f"arn:aws:logs:{aws.region}:{aws.account}:log-group:{item.physical_id}:*"}


def _document(value):
    """A policy as text. Without a version it is an old one, which IAM takes and moto does not; SAM writes such."""
    return json.dumps({"Version": "2012-10-17", **value} if isinstance(value, dict) else value)


@kind("AWS::IAM::Role", replaced_by=["RoleName", "Path"], tagged=True)
class Role(Kind):
    def create(self, aws, item):
        name = item.properties.get("RoleName") or item.new_name()
        aws("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(item.properties["AssumeRolePolicyDocument"]), Tags=item.tag_list(),
            **item.chosen("Path", "Description", "MaxSessionDuration", "PermissionsBoundary"))
        item.physical_id = name
        self._policies(aws, item, {})

    def _policies(self, aws, item, old):
        new_inline = {p["PolicyName"]: p["PolicyDocument"] for p in item.properties.get("Policies", [])}
        old_inline = {p["PolicyName"]: p["PolicyDocument"] for p in old.get("Policies", [])}
        for name in old_inline.keys() - new_inline.keys():
            aws("iam", "DeleteRolePolicy", RoleName=item.physical_id, PolicyName=name)
        for name, document in new_inline.items():
            aws("iam", "PutRolePolicy", RoleName=item.physical_id, PolicyName=name, PolicyDocument=_document(document))
        managed, before = set(item.properties.get("ManagedPolicyArns", [])), set(old.get("ManagedPolicyArns", []))
        for arn in before - managed:
            aws("iam", "DetachRolePolicy", RoleName=item.physical_id, PolicyArn=arn)
        for arn in managed - before:
            _provide_managed_policy(aws, arn)
            aws("iam", "AttachRolePolicy", RoleName=item.physical_id, PolicyArn=arn)

    def update(self, aws, item, old):
        if item.properties["AssumeRolePolicyDocument"] != old.get("AssumeRolePolicyDocument"):
            aws("iam", "UpdateAssumeRolePolicy", RoleName=item.physical_id, PolicyDocument=json.dumps(item.properties["AssumeRolePolicyDocument"]))
        if any(item.properties.get(n) != old.get(n) for n in ("Description", "MaxSessionDuration")):
            aws("iam", "UpdateRole", RoleName=item.physical_id, **item.chosen("Description", "MaxSessionDuration"))
        boundary = item.properties.get("PermissionsBoundary")
        if boundary != old.get("PermissionsBoundary"):
            if boundary:
                aws("iam", "PutRolePermissionsBoundary", RoleName=item.physical_id, PermissionsBoundary=boundary)
            else:
                aws("iam", "DeleteRolePermissionsBoundary", RoleName=item.physical_id)
        self._policies(aws, item, old)

    def delete(self, aws, item):
        for arn in [p["PolicyArn"] for p in aws("iam", "ListAttachedRolePolicies", RoleName=item.physical_id)["AttachedPolicies"]]:
            aws("iam", "DetachRolePolicy", RoleName=item.physical_id, PolicyArn=arn)
        for name in aws("iam", "ListRolePolicies", RoleName=item.physical_id)["PolicyNames"]:
            aws("iam", "DeleteRolePolicy", RoleName=item.physical_id, PolicyName=name)
        aws("iam", "DeleteRole", RoleName=item.physical_id)

    def attributes(self, aws, item):
        made = aws("iam", "GetRole", RoleName=item.physical_id)["Role"]
        return {"Arn": made["Arn"], "RoleId": made["RoleId"]}


def _provide_managed_policy(aws, arn):
    """AWS's own policies are a megabyte that moto loads on request only; the few that templates name are made as they come."""
    match = re.fullmatch(r"arn:aws:iam::aws:policy(/(?:[\w-]+/)*)([\w+=,.@-]+)", arn)
    if not match:
        return
    from moto.iam.models import AWSManagedPolicy, iam_backends
    policies = iam_backends[aws.account]["aws"].managed_policies
    if arn not in policies:
        moment = "2015-02-06T18:40:58+00:00"
        policies[arn] = AWSManagedPolicy.from_data(match[2], aws.account, "us-east-1", {
            "DefaultVersionId": "v1", "Path": match[1], "Document": {"Version": "2012-10-17", "Statement": []}, "CreateDate": moment, "UpdateDate": moment})


@kind("AWS::IAM::RolePolicy", replaced_by=["RoleName", "PolicyName"])
class RolePolicy(Kind):
    def create(self, aws, item):
        self.update(aws, item, {})
        item.physical_id = f"{item.properties['PolicyName']}|{item.properties['RoleName']}"

    def update(self, aws, item, old):
        aws("iam", "PutRolePolicy", RoleName=item.properties["RoleName"], PolicyName=item.properties["PolicyName"], PolicyDocument=_document(item.properties["PolicyDocument"]))

    def delete(self, aws, item):
        aws("iam", "DeleteRolePolicy", **item.chosen("RoleName", "PolicyName"))


@kind("AWS::IAM::OIDCProvider", replaced_by=["Url"], tagged=True)
class Provider(Kind):
    """An identity provider; without a thumbprint, IAM looks for it itself."""

    def create(self, aws, item):
        prints = item.properties.get("ThumbprintList") or ["0" * 40]
        made = aws("iam", "CreateOpenIDConnectProvider", ThumbprintList=prints, Url=item.properties["Url"], ClientIDList=item.properties.get("ClientIdList", []))
        item.physical_id = made["OpenIDConnectProviderArn"]

    def update(self, aws, item, old):
        now, then = set(item.properties.get("ClientIdList", [])), set(old.get("ClientIdList", []))
        for client in now - then:
            aws("iam", "AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=item.physical_id, ClientID=client)
        for client in then - now:
            aws("iam", "RemoveClientIDFromOpenIDConnectProvider", OpenIDConnectProviderArn=item.physical_id, ClientID=client)
        if "ThumbprintList" in item.properties:
            aws("iam", "UpdateOpenIDConnectProviderThumbprint", OpenIDConnectProviderArn=item.physical_id, **item.chosen("ThumbprintList"))

    def delete(self, aws, item):
        aws("iam", "DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=item.physical_id)

    def attributes(self, aws, item):
        return {"Arn": item.physical_id}


@kind("AWS::IAM::Policy", replaced_by=["PolicyName"])
class Policy(Kind):
    """An inline policy of the roles that it names."""

    def create(self, aws, item):
        item.physical_id = item.new_name(30)
        self._put(aws, item)

    @staticmethod
    def _put(aws, item):
        for role in item.properties.get("Roles", []):
            aws("iam", "PutRolePolicy", RoleName=role, PolicyName=item.properties["PolicyName"], PolicyDocument=_document(item.properties["PolicyDocument"]))

    def update(self, aws, item, old):
        for role in set(old.get("Roles", [])) - set(item.properties.get("Roles", [])):
            aws("iam", "DeleteRolePolicy", RoleName=role, PolicyName=item.properties["PolicyName"])
        self._put(aws, item)

    def delete(self, aws, item):
        for role in item.properties.get("Roles", []):
            try:
                aws("iam", "DeleteRolePolicy", RoleName=role, PolicyName=item.properties["PolicyName"])
            except AwsError as error:
                if error.status != 404:
                    raise


@kind("AWS::IAM::ManagedPolicy", replaced_by=["ManagedPolicyName", "Path", "Description"])
class ManagedPolicy(Kind):
    def create(self, aws, item):
        name = item.properties.get("ManagedPolicyName") or item.new_name(128)
        made = aws("iam", "CreatePolicy", PolicyName=name, PolicyDocument=_document(item.properties["PolicyDocument"]), **item.chosen("Path", "Description"))
        item.physical_id = made["Policy"]["Arn"]
        self._attach(aws, item, {})

    @staticmethod
    def _attach(aws, item, old):
        roles, before = set(item.properties.get("Roles", [])), set(old.get("Roles", []))
        for role in before - roles:
            aws("iam", "DetachRolePolicy", RoleName=role, PolicyArn=item.physical_id)
        for role in roles - before:
            aws("iam", "AttachRolePolicy", RoleName=role, PolicyArn=item.physical_id)

    def update(self, aws, item, old):
        if item.properties["PolicyDocument"] != old.get("PolicyDocument"):
            self._drop_versions(aws, item)
            aws("iam", "CreatePolicyVersion", PolicyArn=item.physical_id, PolicyDocument=_document(item.properties["PolicyDocument"]), SetAsDefault=True)
        self._attach(aws, item, old)

    @staticmethod
    def _drop_versions(aws, item):
        for version in aws("iam", "ListPolicyVersions", PolicyArn=item.physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                aws("iam", "DeletePolicyVersion", PolicyArn=item.physical_id, VersionId=version["VersionId"])

    def delete(self, aws, item):
        self._drop_versions(aws, item)
        for role in item.properties.get("Roles", []):
            aws("iam", "DetachRolePolicy", RoleName=role, PolicyArn=item.physical_id)
        aws("iam", "DeletePolicy", PolicyArn=item.physical_id)
