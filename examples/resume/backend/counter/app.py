"""The visitor counter of the resume.

    POST /api/visits    counts the visitor, once a day, and answers {"count": 42}
    GET  /api/visits    answers the same and counts nobody

Nobody's address is stored. A visitor is remembered for a day, as a hash over the address and
the day's salt. The salt is random, is in the table and nowhere else, and expires together with
the hashes made from it. Once it is gone nobody can tell who has been here: not a thief of the
table, and not its owner.
"""

import hashlib
import ipaddress
import json
import logging
import os
import random
import secrets
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

PATH = "/api/visits"
TABLE = os.environ.get("TABLE", "")
TOTAL = {"id": {"S": "total"}}
ATTEMPTS = 6
# Somebody else adds to the total this very moment, or the table's limit is reached. Other
# reasons will not be better for a second try.
PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

log = logging.getLogger("counter")
log.setLevel(logging.INFO)

# Made once for each container, not for each visit. The timeouts are short because a visitor
# is waiting: better no number than a late one.
dynamodb = boto3.client("dynamodb", config=Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}))


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls. What went wrong is for the log; a stranger learns only that it did."""
    try:
        return respond(event, datetime.now(timezone.utc))
    except Exception:
        log.exception("a visit failed")
        return answer(500, {"error": "try again later"})


def respond(event: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Routes a request, in the shape that a function URL gives it."""
    http = event["requestContext"]["http"]
    if event["rawPath"] != PATH:
        return answer(404, {"error": "not found"})
    if http["method"] == "POST":
        if not is_prefetch(event["headers"]):
            count_visitor(visitor_of(event), now)
        # The visitor's own visit must be in the number, so the read is a consistent one.
        return answer(200, {"count": read_total(consistent=True)})
    if http["method"] in ("GET", "HEAD"):
        return answer(200, {"count": read_total(consistent=False)})
    return answer(405, {"error": "method not allowed"}, allow="GET, HEAD, POST")


def answer(status: int, body: Mapping[str, Any], **headers: str) -> dict[str, Any]:
    """A response. CORS headers are none of ours: the function URL's settings add them when
    another origin is allowed, and a browser refuses an answer that has them twice."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store", **headers},
        "body": json.dumps(body),
    }


# Who is it?


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """A browser that loads pages which it only guesses will be wanted. No one has seen it."""
    return "prefetch" in headers.get("sec-purpose", "")


def visitor_of(event: dict[str, Any]) -> str:
    """The network that a visit comes from.

    CloudFront writes the header, over whatever a visitor sent, and nobody but CloudFront may
    call the function; so it can be trusted. It is "ADDRESS:PORT", for IPv6 too, without
    brackets. Without CloudFront in between, the caller's own address is the visitor's.
    """
    viewer = event["headers"].get("cloudfront-viewer-address")
    if viewer:
        return network_of(viewer.rpartition(":")[0])
    return network_of(event["requestContext"]["http"]["sourceIp"])


def network_of(address: str) -> str:
    """What counts as one visitor. A home has a whole /64 of IPv6, and its devices move about in
    there every few hours to be hard to follow; an address each would make each a crowd."""
    ip = ipaddress.ip_address(address.strip("[]"))
    if isinstance(ip, ipaddress.IPv6Address):
        mapped = ip.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


# The table


def count_visitor(visitor: str, now: datetime) -> None:
    """Adds one to the total unless this visitor was counted today.

    Both writes are one transaction. So there is no moment at which a visitor is known and not
    counted, or counted and not known, however many arrive at once and whatever fails.
    """
    today = now.date()
    known = {"id": {"S": visitor_key(visitor, today)}, "ttl": {"N": str(expiry(today))}}
    once_more = [
        {"Put": {"TableName": TABLE, "Item": known,
                 "ConditionExpression": "attribute_not_exists(id)"}},
        {"Update": {"TableName": TABLE, "Key": TOTAL, "UpdateExpression": "ADD visits :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}}}},
    ]
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(attempt)
        try:
            dynamodb.transact_write_items(TransactItems=once_more)
            return
        except dynamodb.exceptions.TransactionCanceledException as cancelled:
            reasons = {reason.get("Code") for reason in cancelled.response["CancellationReasons"]}
            if "ConditionalCheckFailed" in reasons:
                return    # counted before
            if not reasons & PASSING or attempt == ATTEMPTS - 1:
                raise


def pause(attempt: int) -> None:
    """Waits a little, and a random while, lest those who collided do so again: 0.6 s in all."""
    time.sleep(random.uniform(0, 0.02 * 2 ** attempt))


def read_total(*, consistent: bool) -> int:
    item = dynamodb.get_item(TableName=TABLE, Key=TOTAL, ConsistentRead=consistent).get("Item")
    return int(item["visits"]["N"]) if item else 0


def visitor_key(visitor: str, today: date) -> str:
    return "visitor#" + hashlib.sha256(salt_of(today) + visitor.encode()).hexdigest()


@lru_cache(maxsize=2)    # around midnight two days are in use
def salt_of(today: date) -> bytes:
    """The day's salt. Whoever is first makes it; whoever is second is told what it is, by the
    very request that fails. Without a salt, four thousand million hashes would list them all."""
    item = {"id": {"S": f"salt#{today}"}, "salt": {"B": secrets.token_bytes(32)},
            "ttl": {"N": str(expiry(today))}}
    try:
        dynamodb.put_item(TableName=TABLE, Item=item, ReturnValuesOnConditionCheckFailure="ALL_OLD",
                          ConditionExpression="attribute_not_exists(id)")
    except dynamodb.exceptions.ConditionalCheckFailedException as exists:
        item = exists.response["Item"]
    return item["salt"]["B"]


def expiry(today: date) -> int:
    """When the table may forget a day: an hour after its end, for clocks that are slow."""
    end = datetime(today.year, today.month, today.day, tzinfo=timezone.utc) + timedelta(days=1)
    return int((end + timedelta(hours=1)).timestamp())
