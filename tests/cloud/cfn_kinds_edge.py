"""Kinds of the world in front: distributions and what belongs to them, certificates, names, alarms, budgets, HTTP APIs."""
import json
import secrets
import uuid

from .cfn_kinds import Kind, kind
from .errors import AwsError

_ORIGIN_NAMES = {"OriginCustomHeaders": "CustomHeaders"}
ZONE_OF_DISTRIBUTIONS = "Z2FDTNDATAQYW2"


def distribution_config(value, reference):
    """A template's DistributionConfig as the API wants it. Lists become {Quantity, Items} later, by the model."""
    made = {"Comment": "", "CallerReference": reference, **value}
    made["Origins"] = [_origin(o) for o in value.get("Origins", [])]
    made["DefaultCacheBehavior"] = _behavior(value["DefaultCacheBehavior"])
    made["CacheBehaviors"] = [_behavior(b) for b in value.get("CacheBehaviors", [])]
    if "CNAMEs" in made:
        made["Aliases"] = made.pop("CNAMEs")
    if "IPV6Enabled" in made:
        made["IsIPV6Enabled"] = made.pop("IPV6Enabled")
    if "Logging" in made:
        made["Logging"] = {"Enabled": True, "IncludeCookies": False, "Prefix": "", **made["Logging"]}
    geo = made.get("Restrictions", {}).get("GeoRestriction")
    if geo:
        places = geo.get("Locations", [])
        made["Restrictions"] = {"GeoRestriction": {"RestrictionType": geo["RestrictionType"], "Quantity": len(places), **({"Items": places} if places else {})}}
    return made


def _origin(value):
    made = {_ORIGIN_NAMES.get(n, n): v for n, v in value.items()}
    made.setdefault("OriginPath", "")
    if "S3OriginConfig" in made:
        made["S3OriginConfig"] = {"OriginAccessIdentity": "", **(made["S3OriginConfig"] or {})}
    if "CustomOriginConfig" in made:
        made["CustomOriginConfig"] = {"HTTPPort": 80, "HTTPSPort": 443, **made["CustomOriginConfig"]}
    return made


def _behavior(value):
    made = dict(value)
    if "AllowedMethods" in made:
        methods, cached = made["AllowedMethods"], made.pop("CachedMethods", ["GET", "HEAD"])
        made["AllowedMethods"] = {"Quantity": len(methods), "Items": methods, "CachedMethods": {"Quantity": len(cached), "Items": cached}}
    if "ForwardedValues" in made:
        made["ForwardedValues"] = {"Cookies": {"Forward": "none"}, **made["ForwardedValues"]}
    return made


@kind("AWS::CloudFront::Distribution", tagged=True)
class Distribution(Kind):
    def create(self, aws, item):
        made = aws("cloudfront", "CreateDistribution", DistributionConfig=distribution_config(item.properties["DistributionConfig"], str(uuid.uuid4())))
        item.physical_id = made["Distribution"]["Id"]

    def update(self, aws, item, old):
        if item.properties["DistributionConfig"] == old.get("DistributionConfig"):
            return
        now = aws("cloudfront", "GetDistributionConfig", Id=item.physical_id)
        config = distribution_config(item.properties["DistributionConfig"], now["DistributionConfig"]["CallerReference"])
        aws("cloudfront", "UpdateDistribution", Id=item.physical_id, IfMatch=now["ETag"], DistributionConfig=config)

    def delete(self, aws, item):
        try:
            now = aws("cloudfront", "GetDistributionConfig", Id=item.physical_id)
        except AwsError as error:
            if error.code == "NoSuchDistribution":
                return
            raise
        etag = aws("cloudfront", "UpdateDistribution", Id=item.physical_id, IfMatch=now["ETag"], DistributionConfig={**now["DistributionConfig"], "Enabled": False})["ETag"]
        aws("cloudfront", "DeleteDistribution", Id=item.physical_id, IfMatch=etag)

    def attributes(self, aws, item):
        made = aws("cloudfront", "GetDistribution", Id=item.physical_id)["Distribution"]
        return {"Id": item.physical_id, "DomainName": made["DomainName"], "Arn": made["ARN"]}


class _Kept(Kind):
    """A configuration with an id and an ETag: `name` as in the operations, `extra` attributes that templates ask for."""

    name, replaced_by = "", frozenset()

    def _config(self, item):
        return {self.name + "Config": item.properties[self.name + "Config"]}

    def create(self, aws, item):
        item.physical_id = aws("cloudfront", "Create" + self.name, **self._config(item))[self.name]["Id"]

    def _etag(self, aws, item):
        return aws("cloudfront", "Get" + self.name, Id=item.physical_id)["ETag"]

    def update(self, aws, item, old):
        aws("cloudfront", "Update" + self.name, Id=item.physical_id, IfMatch=self._etag(aws, item), **self._config(item))

    def delete(self, aws, item):
        aws("cloudfront", "Delete" + self.name, Id=item.physical_id, IfMatch=self._etag(aws, item))

    def attributes(self, aws, item):
        return {"Id": item.physical_id, "LastModifiedTime": "2026-01-01T00:00:00Z"}


@kind("AWS::CloudFront::OriginAccessControl")
class AccessControl(_Kept):
    name = "OriginAccessControl"


@kind("AWS::CloudFront::ResponseHeadersPolicy")
class HeadersPolicy(_Kept):
    name = "ResponseHeadersPolicy"


@kind("AWS::CloudFront::OriginRequestPolicy")
class RequestPolicy(_Kept):
    name = "OriginRequestPolicy"


@kind("AWS::CloudFront::CachePolicy")
class CachePolicy(_Kept):
    name = "CachePolicy"


@kind("AWS::CloudFront::CloudFrontOriginAccessIdentity")
class AccessIdentity(Kind):
    """The older way to a private bucket. The edge asks for no identity, so it is a name only."""

    def create(self, aws, item):
        item.physical_id = "E" + secrets.token_hex(7).upper()[:13]

    def update(self, aws, item, old):
        pass

    def delete(self, aws, item):
        pass

    def attributes(self, aws, item):
        return {"Id": item.physical_id, "S3CanonicalUserId": "canonical-" + item.physical_id.lower()}


@kind("AWS::CloudFront::Function", replaced_by=["Name"])
class ViewerFunction(Kind):
    def _arguments(self, item):
        config = {"Comment": "", **item.properties.get("FunctionConfig", {})}
        return {"Name": item.properties["Name"], "FunctionConfig": config, "FunctionCode": item.properties["FunctionCode"].encode()}

    def create(self, aws, item):
        made = aws("cloudfront", "CreateFunction", **self._arguments(item))
        item.physical_id = made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
        self._publish(aws, item, made["ETag"])

    @staticmethod
    def _publish(aws, item, etag):
        if str(item.properties.get("AutoPublish", False)).lower() == "true":
            aws("cloudfront", "PublishFunction", Name=item.properties["Name"], IfMatch=etag)

    def update(self, aws, item, old):
        etag = aws("cloudfront", "DescribeFunction", Name=item.properties["Name"])["ETag"]
        self._publish(aws, item, aws("cloudfront", "UpdateFunction", IfMatch=etag, **self._arguments(item))["ETag"])

    def delete(self, aws, item):
        etag = aws("cloudfront", "DescribeFunction", Name=item.properties["Name"])["ETag"]
        aws("cloudfront", "DeleteFunction", Name=item.properties["Name"], IfMatch=etag)

    def attributes(self, aws, item):
        return {"FunctionARN": item.physical_id, "FunctionMetadata.FunctionARN": item.physical_id, "Stage": "LIVE"}


@kind("AWS::CertificateManager::Certificate", replaced_by=["DomainName", "SubjectAlternativeNames", "DomainValidationOptions", "ValidationMethod", "KeyAlgorithm"], tagged=True)
class Certificate(Kind):
    """Issued at once: the wait for somebody's DNS is not what tests are after."""

    def create(self, aws, item):
        made = aws("acm", "RequestCertificate", **item.chosen("DomainName", "SubjectAlternativeNames", "ValidationMethod", "KeyAlgorithm"))
        item.physical_id = made["CertificateArn"]

    def update(self, aws, item, old):
        pass

    def delete(self, aws, item):
        aws("acm", "DeleteCertificate", CertificateArn=item.physical_id)

    def attributes(self, aws, item):
        return {"Id": item.physical_id}


@kind("AWS::Route53::HostedZone", replaced_by=["Name"])
class HostedZone(Kind):
    def create(self, aws, item):
        made = aws("route53", "CreateHostedZone", Name=item.properties["Name"], CallerReference=str(uuid.uuid4()), **item.chosen("HostedZoneConfig"))
        item.physical_id = made["HostedZone"]["Id"].rpartition("/")[2]

    def update(self, aws, item, old):
        pass

    def delete(self, aws, item):
        aws("route53", "DeleteHostedZone", Id=item.physical_id)

    def attributes(self, aws, item):
        made = aws("route53", "GetHostedZone", Id=item.physical_id)
        return {"Id": item.physical_id, "NameServers": made.get("DelegationSet", {}).get("NameServers", [])}


def _zone_of(aws, properties):
    if "HostedZoneId" in properties:
        return properties["HostedZoneId"]
    name = properties["HostedZoneName"].rstrip(".") + "."
    found = [z["Id"].rpartition("/")[2] for z in aws("route53", "ListHostedZones")["HostedZones"] if z["Name"] == name]
    if not found:
        raise AwsError(404, "NoSuchHostedZone", f"No hosted zones named {name} found")
    return found[0]


def _record(properties):
    made = {n: properties[n] for n in ("Name", "Type", "TTL", "SetIdentifier", "Weight", "Region", "Failover", "HealthCheckId") if n in properties}
    if "ResourceRecords" in properties:
        made["ResourceRecords"] = [{"Value": v} for v in properties["ResourceRecords"]]
    if "AliasTarget" in properties:
        made["AliasTarget"] = {"EvaluateTargetHealth": False, **properties["AliasTarget"]}
    return made


@kind("AWS::Route53::RecordSet", replaced_by=["Name", "Type", "HostedZoneId", "HostedZoneName", "SetIdentifier"])
class RecordSet(Kind):
    def _records(self, properties):
        return [_record(properties)]

    def _change(self, aws, item, action, properties=None):
        properties = item.properties if properties is None else properties
        changes = [{"Action": action, "ResourceRecordSet": record} for record in self._records(properties)]
        if changes:
            aws("route53", "ChangeResourceRecordSets", HostedZoneId=_zone_of(aws, properties), ChangeBatch={"Changes": changes})

    def create(self, aws, item):
        self._change(aws, item, "CREATE")
        item.physical_id = item.properties.get("Name", item.new_name())

    def update(self, aws, item, old):
        self._change(aws, item, "UPSERT")

    def delete(self, aws, item):
        self._change(aws, item, "DELETE")


@kind("AWS::Route53::RecordSetGroup", replaced_by=["HostedZoneId", "HostedZoneName"])
class RecordSetGroup(RecordSet):
    def _records(self, properties):
        return [_record(r) for r in properties.get("RecordSets", [])]

    def update(self, aws, item, old):
        now = {(r["Name"], r["Type"]) for r in item.properties.get("RecordSets", [])}
        gone = [r for r in old.get("RecordSets", []) if (r["Name"], r["Type"]) not in now]
        self._change(aws, item, "DELETE", {**old, "RecordSets": gone})
        self._change(aws, item, "UPSERT")


@kind("AWS::Budgets::Budget")
class Budget(Kind):
    def create(self, aws, item):
        name = item.properties["Budget"].get("BudgetName") or item.physical_id or item.new_name(100)
        aws("budgets", "CreateBudget", AccountId=aws.account, Budget={**item.properties["Budget"], "BudgetName": name},
            NotificationsWithSubscribers=item.properties.get("NotificationsWithSubscribers", []))
        item.physical_id = name

    def update(self, aws, item, old):
        self.delete(aws, item)
        self.create(aws, item)

    def delete(self, aws, item):
        aws("budgets", "DeleteBudget", AccountId=aws.account, BudgetName=item.physical_id)


@kind("AWS::CloudWatch::Alarm", replaced_by=["AlarmName"], tagged=True)
class Alarm(Kind):
    def create(self, aws, item):
        item.physical_id = item.properties.get("AlarmName") or item.new_name(255)
        self._put(aws, item)

    @staticmethod
    def _put(aws, item):
        aws("cloudwatch", "PutMetricAlarm", AlarmName=item.physical_id, **item.others("AlarmName", "Tags"))

    def update(self, aws, item, old):
        self._put(aws, item)

    def delete(self, aws, item):
        aws("cloudwatch", "DeleteAlarms", AlarmNames=[item.physical_id])

    def attributes(self, aws, item):
        return {"Arn": f"arn:aws:cloudwatch:{aws.region}:{aws.account}:alarm:{item.physical_id}"}


class _HttpApiPart(Kind):
    """A part of an HTTP API: `name` as in the operations, `id_name` what it is called in them."""

    name = id_name = ""

    def create(self, aws, item):
        item.physical_id = aws("apigatewayv2", "Create" + self.name, **item.properties)[self.id_name]

    def update(self, aws, item, old):
        fixed = self.replaced_by - {"ApiId"}
        aws("apigatewayv2", "Update" + self.name, **{**item.others(*fixed, "Tags"), self.id_name: item.physical_id})

    def delete(self, aws, item):
        aws("apigatewayv2", "Delete" + self.name, **item.chosen("ApiId"), **{self.id_name: item.physical_id})


@kind("AWS::ApiGatewayV2::Api", replaced_by=["ProtocolType"], tagged=True)
class HttpApi(_HttpApiPart):
    name, id_name = "Api", "ApiId"

    def create(self, aws, item):
        if "Body" in item.properties:
            item.physical_id = aws("apigatewayv2", "ImportApi", Body=json.dumps(item.properties["Body"]))["ApiId"]
        else:
            super().create(aws, item)

    def update(self, aws, item, old):
        if "Body" in item.properties:
            aws("apigatewayv2", "ReimportApi", ApiId=item.physical_id, Body=json.dumps(item.properties["Body"]))
        else:
            super().update(aws, item, old)

    def delete(self, aws, item):
        aws("apigatewayv2", "DeleteApi", ApiId=item.physical_id)

    def attributes(self, aws, item):
        return {"ApiId": item.physical_id, "ApiEndpoint": f"https://{item.physical_id}.execute-api.{aws.region}.amazonaws.com"}


@kind("AWS::ApiGatewayV2::Stage", replaced_by=["ApiId", "StageName"], tagged=True)
class HttpStage(_HttpApiPart):
    name, id_name = "Stage", "StageName"

    def update(self, aws, item, old):
        """moto has no UpdateStage; a stage has no identity but its name."""
        self.delete(aws, item)
        self.create(aws, item)


@kind("AWS::ApiGatewayV2::Integration", replaced_by=["ApiId"])
class HttpIntegration(_HttpApiPart):
    name, id_name = "Integration", "IntegrationId"


@kind("AWS::ApiGatewayV2::Route", replaced_by=["ApiId"])
class HttpRoute(_HttpApiPart):
    name, id_name = "Route", "RouteId"
