"""Bucket policies are evaluated with their principals and conditions, on buckets and on objects.

moto applies a Deny to everyone, ignoring Principal and Condition (a TLS-only statement locks every object), checks only
requests for objects, asks for actions that do not exist (`s3:HeadObject`), and denies without an error body.
AWS applies a statement if its principal, action, resource and every condition match.

Conditions are evaluated as far as this process knows the request: the caller, and the S3 headers and parameters. It
does not know the network a request came through (TLS, source address, VPC endpoint): every call arrives over plain HTTP
on the loopback interface, and taking that literally would let a TLS-only policy lock out its own author. A statement
that depends on such a key is skipped: it neither denies nor allows. `limits.py` tells the user.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html (actions and condition keys).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbook.emulator.patches import override

SERVICE = "s3"

# Subresource of a bucket -> the part of the action's name after Get, Put or Delete, where moto's differs.
_BUCKET_PARTS = {
    "encryption": "EncryptionConfiguration",
    "replication": "ReplicationConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "object-lock": "BucketObjectLockConfiguration",
    "inventory": "InventoryConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "requestPayment": "BucketRequestPayment",
}
_HEADER_KEYS = (
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
)
_PARAMETER_KEYS = ("prefix", "delimiter")
# Set only on calls made by an AWS service, and none makes any here.
_ABSENT = ("aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid")


@dataclass(frozen=True)
class Caller:
    """Who calls: `arn` is aws:PrincipalArn (a role's ARN, not its session's); None if the request is anonymous."""

    arn: str | None
    account: str | None
    aliases: tuple[str, ...] = ()


def apply() -> None:
    from flask import has_request_context, request
    from moto.iam.access_control import PermissionResult
    from moto.s3.exceptions import BucketAccessDeniedError
    from moto.s3.models import FakeBucket
    from moto.s3.responses import ACTION_MAP, S3Response

    results = {"Allow": PermissionResult.PERMITTED, "Deny": PermissionResult.DENIED, None: PermissionResult.NEUTRAL}
    authorize = S3Response._authenticate_and_authorize_s3_action
    key_response = S3Response._key_response

    def decide(bucket: Any, action: str, resource: str) -> str | None:
        if bucket.policy is None or not has_request_context():
            return None
        caller = _caller(
            request.headers.get("Authorization", "") or request.args.get("X-Amz-Credential", ""), bucket.account_id
        )
        return decision(
            json.loads(bucket.policy), caller, action, resource, _context(caller, request.headers, request.args)
        )

    def get_permission(self: Any, action: str, resource: str) -> Any:
        if has_request_context() and "delete" not in request.args:
            action = "s3:" + _part(ACTION_MAP["KEY"].get(request.method, {}), request.args, action.removeprefix("s3:"))
        return results[decide(self, action, resource)]

    def authorize_bucket(self: Any, bucket_name: str | None = None, key_name: str | None = None) -> None:
        authorize(self, bucket_name=bucket_name, key_name=key_name)
        bucket = self.backend.buckets.get(bucket_name) if bucket_name and not key_name else None
        if bucket is None or request.method == "POST":
            return
        if (
            decide(bucket, f"s3:{_bucket_action(request.method, request.args, self.data['Action'])}", bucket.arn)
            == "Deny"
        ):
            raise BucketAccessDeniedError(bucket=bucket.name)

    def key_response_with_error(self: Any, request: Any, full_url: str) -> Any:
        answer = key_response(self, request, full_url)
        if answer == (403, {}, ""):
            raise BucketAccessDeniedError(bucket=self.bucket_name)
        return answer

    override(FakeBucket, get_permission=get_permission)
    override(S3Response, _authenticate_and_authorize_s3_action=authorize_bucket, _key_response=key_response_with_error)


def decision(
    policy: Mapping[str, Any], caller: Caller, action: str, resource: str, context: Mapping[str, list[str]]
) -> str | None:
    """Effect of a bucket policy on a request: `Deny`, `Allow`, or None if no statement applies.

    Parameters
    ----------
    action : such as `s3:GetObject`.
    resource : ARN of the bucket or object.
    context : known condition keys, in lower case, with their values; an empty list means the key is known to be absent.
    """
    allowed = False
    for statement in _list(policy.get("Statement", [])):
        if (
            _principal_matches(statement, caller)
            and _matches(statement, "Action", action, ignore_case=True)
            and _matches(statement, "Resource", resource)
            and _conditions_hold(statement.get("Condition", {}), context)
        ):
            if statement["Effect"] == "Deny":
                return "Deny"
            allowed = True
    return "Allow" if allowed else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _glob(pattern: str, value: str, ignore_case: bool = False) -> bool:
    expression = "".join(".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _matches(statement: Mapping[str, Any], element: str, value: str, ignore_case: bool = False) -> bool:
    negated = f"Not{element}" in statement
    patterns = _list(statement.get(f"Not{element}" if negated else element, []))
    # A policy variable such as ${aws:username} is not resolved: the statement is skipped.
    if any("${" in pattern for pattern in patterns):
        return False
    return any(_glob(pattern, value, ignore_case) for pattern in patterns) != negated


def _principal_matches(statement: Mapping[str, Any], caller: Caller) -> bool:
    negated = "NotPrincipal" in statement
    principal = statement.get("NotPrincipal" if negated else "Principal", {})
    named = ["*"] if principal == "*" else _list(principal.get("AWS", [])) if isinstance(principal, dict) else []
    own = {caller.arn, caller.account, f"arn:aws:iam::{caller.account}:root", *caller.aliases}
    return any(each == "*" or (caller.arn is not None and each in own) for each in named) != negated


def _conditions_hold(conditions: Mapping[str, Any], context: Mapping[str, list[str]]) -> bool:
    """Whether all conditions are known and hold."""
    return all(
        _holds(operator, key.lower(), [str(value) for value in _list(expected)], context) is True
        for operator, tests in conditions.items()
        for key, expected in tests.items()
    )


def _holds(operator: str, key: str, expected: list[str], context: Mapping[str, list[str]]) -> bool | None:
    """Whether one condition holds; None if the key or the operator is not modelled."""
    if key not in context or any("${" in value for value in expected):
        return None
    values = context[key]
    name = operator.lower()
    if name == "null":
        return (not values) == (expected[0].lower() == "true")
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    negated = "not" in name
    name = name.replace("not", "", 1)
    if name not in ("stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "bool"):
        return None
    if not values:
        return optional or negated
    if name in ("stringlike", "arnequals", "arnlike"):
        found = any(_glob(pattern, value) for pattern in expected for value in values)
    elif name == "stringequals":
        found = any(value in expected for value in values)
    else:
        found = any(value.lower() in [each.lower() for each in expected] for value in values)
    return found != negated


def _caller(credential: str, account: str) -> Caller:
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    if not credential:
        return Caller(None, None)
    match = re.search(r"(?:Credential=|^AWS |^)([^/:,\s]+)[/:]", credential)
    key = match.group(1) if match else ""
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    if session:
        return Caller(session.role_arn, session.account_id, (session.arn,))
    user = iam_backends[account]["aws"].get_user_from_access_key_id(key)
    # Any other access key is the account's one caller, under the name sts:GetCallerIdentity reports here.
    return Caller(user.arn if user else f"arn:aws:sts::{account}:user/moto", account)


def _context(caller: Caller, headers: Any, parameters: Mapping[str, str]) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {key: [] for key in _ABSENT}
    known["aws:principalarn"] = [caller.arn] if caller.arn else []
    known["aws:principalaccount"] = [caller.account] if caller.account else []
    known["aws:principalisawsservice"] = ["false"]
    known["aws:viaawsservice"] = ["false"]
    for name in _HEADER_KEYS:
        known[f"s3:{name}"] = [headers[name]] if name in headers else []
    for name in _PARAMETER_KEYS:
        known[f"s3:{name}"] = [parameters[name]] if name in parameters else []
    return known


def _part(actions: Mapping[str, str], parameters: Mapping[str, str], default: str) -> str:
    return next((action for part, action in actions.items() if part in parameters), actions.get("DEFAULT", default))


def _bucket_action(method: str, parameters: Mapping[str, str], default: str) -> str:
    part = next((action for name, action in _BUCKET_PARTS.items() if name in parameters), None)
    if part:
        # Deleting a configuration needs the permission that writes it.
        return ("Get" if method == "GET" else "Put") + part
    return "ListBucket" if method == "HEAD" else default
