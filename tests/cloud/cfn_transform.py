"""Transforms: AWS's own SAM translator, and Fn::ForEach of the language extensions."""
import copy
import functools
import logging
import re

from .cfn_template import EXTENSIONS, SAM, transforms_of


class TransformFailed(Exception):
    """Why a change set fails."""


class _Policies:
    """The managed policies that SAM templates name; the translator would ask IAM for all of them."""

    def load(self):
        service = ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSLambdaDynamoDBExecutionRole", "AWSLambdaSQSQueueExecutionRole",
                   "AWSLambdaKinesisExecutionRole")
        plain = ("AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess", "AmazonDynamoDBFullAccess", "AmazonDynamoDBReadOnlyAccess", "AmazonS3FullAccess",
                 "AmazonS3ReadOnlyAccess", "AmazonSNSFullAccess", "AmazonSQSFullAccess", "CloudWatchLogsFullAccess", "CloudWatchLambdaInsightsExecutionRolePolicy",
                 "AWSLambda_FullAccess")
        return {n: "arn:aws:iam::aws:policy/service-role/" + n for n in service} | {n: "arn:aws:iam::aws:policy/" + n for n in plain}


def expand(template, parameters):
    """A template without transforms. `parameters`: their values, as the translator wants them."""
    template = copy.deepcopy(template)
    for name in transforms_of(template):
        if name == EXTENSIONS:
            template = _unrolled(template, {})
        elif name == SAM:
            template = _sam(template, parameters)
        else:
            raise TransformFailed(f"No transform named {name if isinstance(name, str) else name.get('Name')} found.")
    template.pop("Transform", None)
    return template


def _sam(template, parameters):
    translate, document_error = _translator()
    try:
        return translate(template, dict(parameters), _Policies())
    except document_error as error:
        causes = "".join(" " + cause.message for cause in getattr(error, "causes", ()))
        raise TransformFailed(f"Transform {SAM} failed with: {error.message}{causes}") from None


@functools.cache
def _translator():
    """Imported on first use: it takes most of a second."""
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)   # it complains of metrics that nobody collects
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform
    return transform, InvalidDocumentException


def _unrolled(value, names):
    """`value` with every Fn::ForEach written out; `names` are the loop variables in force."""
    if isinstance(value, list):
        return [_unrolled(item, names) for item in value]
    if isinstance(value, str):
        return _put(value, names)
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"} and value["Ref"] in names:
        return names[value["Ref"]]
    made = {}
    for key, item in value.items():
        if not str(key).startswith("Fn::ForEach::"):
            made[_put(key, names)] = _unrolled(item, names)
            continue
        variable, over, body = item
        for one in _unrolled(over, names):
            made.update(_unrolled(body, {**names, variable: str(one)}))
    return made


def _put(text, names):
    """Loop variables in a key or a text: ${Name}, or &{Name} with all but letters and digits dropped."""
    for name, value in names.items():
        text = text.replace("${" + name + "}", value).replace("&{" + name + "}", re.sub(r"[^A-Za-z0-9]", "", value))
    return text
