"""Terraform's diagnostics, and the exception that carries them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbook.errors import WorkbookError
from workbook.terraform.secrets import Secrets

# What Terraform puts around a diagnostic for human readers: colours and a box.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BOX = re.compile(r"^[╷│╵][ ]?", re.MULTILINE)


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning. `where` is file and line, or a resource's address; empty when Terraform gives neither."""

    severity: str
    summary: str
    detail: str = ""
    where: str = ""
    code: str = ""
    address: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Diagnostic:
        place = data.get("range") or {}
        start = (place.get("start") or {}).get("line")
        return cls(
            severity=data.get("severity", "error"),
            summary=data.get("summary", ""),
            detail=(data.get("detail") or "").strip(),
            where=f"{place['filename']}, line {start}" if place.get("filename") and start else "",
            code=((data.get("snippet") or {}).get("code") or "").strip(),
            address=data.get("address", ""),
        )

    def masked(self, secrets: Secrets) -> Diagnostic:
        """The same without sensitive values."""
        texts = {name: secrets.mask(getattr(self, name)) for name in ("summary", "detail", "code", "address")}
        return replace(self, **texts)

    def __str__(self) -> str:
        head = f"{self.severity.capitalize()}: {self.summary}"
        place = ", ".join(part for part in (self.where, self.address) if part)
        lines = [
            head,
            f"  at {place}" + (f":  {self.code}" if self.code else "") if place else "",
            *_shorten(self.detail),
        ]
        return "\n".join(line for line in lines if line)


class TerraformError(WorkbookError):
    """Terraform failed.

    Parameters
    ----------
    command : such as plan.
    diagnostics : what Terraform reported; the text leaves out warnings when there is an error.
    secrets : sensitive values, which are masked.
    """

    def __init__(self, command: str, diagnostics: list[Diagnostic], secrets: Secrets | None = None) -> None:
        diagnostics = [d.masked(secrets or Secrets()) for d in diagnostics]
        self.diagnostics = diagnostics
        errors = [d for d in diagnostics if d.severity == "error"] or diagnostics
        cause, next_step = _explain(command, errors)
        super().__init__(cause, next_step, "\n".join(dict.fromkeys(map(str, errors))))


def read_diagnostics(events: Iterable[Mapping[str, Any]], out: str, err: str) -> list[Diagnostic]:
    """Diagnostics of a command: from its events, or else from the text it printed."""
    found = [Diagnostic.from_json(event["diagnostic"]) for event in events if event.get("type") == "diagnostic"]
    if any(d.severity == "error" for d in found):
        return found
    text = _BOX.sub("", _COLOUR.sub("", err if err.strip() else out))
    blocks = re.split(r"^(?=(?:Error|Warning): )", text, flags=re.MULTILINE)
    for block in blocks:
        head, _, rest = block.strip().partition("\n")
        if head.startswith("Error: "):
            at = re.search(r"on (\S+) line (\d+)", rest)
            detail = re.sub(r"\s*on \S+ line \d+.*?\n(?:\s*\d+:.*\n?)*", "", rest, count=1).strip()
            found.append(
                Diagnostic("error", head.removeprefix("Error: "), detail, f"{at[1]}, line {at[2]}" if at else "")
            )
    if not any(d.severity == "error" for d in found):
        last = [line for line in text.strip().splitlines() if line.strip()][-3:]
        found.append(Diagnostic("error", "Terraform failed without an error message", " ".join(last)))
    return found


# The causes that a message can name, most specific first: what to find (in any case), cause, next step. A cause that also
# appears as a consequence of others, such as a lock that was not acquired, is told apart by what it says went wrong.
_CAUSES = (
    (
        r"ExpiredToken|RequestExpired|security token included in the request is expired|token has expired|"
        r"SSO session (?:associated with this profile )?has expired",
        "The AWS credentials have expired.",
        "Sign in again, then run this again.",
    ),
    (
        r"no valid credential sources|NoCredentialProviders|failed to (?:refresh cached credentials|retrieve credentials)|"
        r"InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|AuthFailure\b|InvalidAccessKeyId|"
        r"security token included in the request is invalid|failed to get shared config profile",
        "AWS does not accept the credentials, or there are none.",
        "Check the profile and its credentials, then run this again.",
    ),
    (
        r"explicit deny|AccessDenied|UnauthorizedOperation|is not authorized to perform|StatusCode: 403|status code: 403",
        "AWS denied a request: these credentials lack a permission.",
        "Grant the permission that the message names, or use another role, then run this again.",
    ),
    (
        r"no space left on device|disk quota exceeded",
        "The disk is full.",
        "Free some space, then plan again.",
    ),
    (
        r"read-only file system",
        "A file that Terraform has to write is on a read-only file system.",
        "Put the run directory where it can be written, then run this again.",
    ),
    (
        r"permission denied|operation not permitted",
        "This user may not read or write a file that Terraform needs.",
        "Give this user access to the file that the message names, then run this again.",
    ),
    (
        r"(?<!Request)LimitExceeded|ServiceQuotaExceeded|TooManyBuckets|QuotaExceeded|VcpuLimitExceeded|"
        r"maximum number of .{1,60} has been reached|exceeded (?:the )?(?:quota|limit)",
        "A quota of the AWS account is used up.",
        "Raise the quota or remove what is not needed, then plan again.",
    ),
    (
        r"Throttling|TooManyRequests|RequestLimitExceeded|Rate exceeded|SlowDown",
        "AWS throttled the requests.",
        "Wait a minute, then run this again.",
    ),
    (
        r"plan is stale",
        "This plan is stale: something was applied after it was made, or it is for a different account.",
        "Plan again, then apply the new plan. Nothing was changed.",
    ),
    (
        r"checksums? .{0,80}(?:does not|doesn't|do not|don't) match|doesn't match any of the checksums|"
        r"does not match any of the checksums",
        "A downloaded provider is not the one in .terraform.lock.hcl.",
        "Run terraform init -upgrade if the new checksum is expected; otherwise, find out where the file came from.",
    ),
    (
        r"no available releases match|no versions? matching|does not match configured version constraint|"
        r"no package for .{1,80} is available for",
        "No provider fits: none has the version or runs on the platform that is asked for.",
        "Compare required_providers with .terraform.lock.hcl, then run this again.",
    ),
    (
        r"query available provider packages|install provider|Failed to install|provider registry",
        "Could not download the AWS provider.",
        "Check the network, or point WORKBOOK_PROVIDER_MIRROR at an unpacked provider mirror.",
    ),
    (
        r"plugin did not respond|plugin crashed|Plugin error|rpc error: code = Unavailable",
        "The provider ended unexpectedly.",
        "Run this again; if it ends again, there may be too little memory.",
    ),
    (
        r"connection refused",
        "The target stopped responding.",
        "Run this again; the embedded AWS starts afresh.",
    ),
    (
        r"no such host|dial tcp|i/o timeout|TLS handshake|network is unreachable|connection reset|"
        r"Client\.Timeout|context deadline exceeded|server misbehaving",
        "The network failed: a host could not be reached.",
        "Check the network and the proxy, then run this again.",
    ),
)

# A lock file tells that the lock is held; so does the answer of the system or of a backend.
_LOCKED = (
    r"resource temporarily unavailable|ConditionalCheckFailed|PreconditionFailed|StatusCode: 412|already locked|"
    r"being used by another process|another process has locked|workspace already locked|Lock Info:"
)


def _explain(command: str, errors: list[Diagnostic]) -> tuple[str, str]:
    """Cause and next step for the common failures; Terraform's own words for the rest."""
    text = " ".join(f"{d.summary} {d.detail}" for d in errors)
    locking = "acquiring the state lock" in text
    if locking and re.search(_LOCKED, text, re.IGNORECASE):
        return (
            "Another plan or apply is running on this environment.",
            "Wait for the other notebook or terminal to finish, then run this again. Nothing was changed.",
        )
    for pattern, cause, next_step in _CAUSES:
        if re.search(pattern, text, re.IGNORECASE):
            return f"{cause} The state could not be locked." if locking else cause, next_step
    if locking:
        return "The state could not be locked.", "The message names what failed. Nothing was changed."
    if any(d.where for d in errors) and command in {"init", "validate", "plan"}:
        return (
            f"Terraform cannot {command} this configuration.",
            "Fix the line above, then run this again. Nothing was changed.",
        )
    if command == "apply":
        return (
            "The apply failed partway through.",
            "What was created is in the state. Fix the cause and plan again; the next apply picks up from there.",
        )
    return f"terraform {command} failed.", "Fix the cause, then run this again."


def _shorten(detail: str, lines: int = 6) -> list[str]:
    kept = [f"  {line.strip()}" for line in detail.splitlines() if line.strip()]
    return kept if len(kept) <= lines else [*kept[:lines], "  …"]
