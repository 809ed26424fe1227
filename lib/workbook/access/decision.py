"""The meaning of the simulator's answer: allowed or not, by which statement, in one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbook.access.case import Case
from workbook.access.request import Request
from workbook.display import Rendered, note, stack, table
from workbook.errors import WorkbookError

MARKS = {"verdict": {"allows": "good", "denies": "bad", "silent": "warn", "assumed": "quiet"}}

_RESOURCE_POLICY = {"s3": "bucket policy", "ecr": "repository policy", "sts": "trust policy"}
_ORDER_OF_DENIALS = ("resource", "boundary", "identity", "endpoint")
_ORDER_OF_SILENCE = ("identity", "boundary", "endpoint", "resource")


@dataclass(frozen=True)
class Layer:
    """One kind of policy: name, policies, `allows`, `denies` or `silent`, and the ids of the deciding statements."""

    name: str
    policy: str
    verdict: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """The answer.

    Attributes
    ----------
    allowed : None if the inventory lacks what decides.
    by : which kind of policy decided, such as `bucket policy`.
    policy, statement : its name, and the id of the statement; no statement if the absence of an Allow decided.
    reason : one sentence.
    layers : all kinds of policy that were evaluated.
    """

    request: Request
    allowed: bool | None
    by: str
    policy: str
    statement: str
    reason: str
    layers: tuple[Layer, ...] = ()

    @property
    def verdict(self) -> str:
        return {True: "allow", False: "deny", None: "unknown"}[self.allowed]

    @property
    def circumstances(self) -> str:
        """How the request is made, in words."""
        r = self.request
        said = [
            f"through the endpoint{f' {r.via_endpoint}' if isinstance(r.via_endpoint, str) else ''}"
            if r.via_endpoint
            else "",
            "" if r.tls else "without TLS",
            f"for account {r.source_account}" if r.source_account else "",
            f"for {r.source_arn}" if r.source_arn else "",
            "allowed everything by its own policies" if r.administrator else "",
            f"in {r.region}" if r.region else "",
            f"owned by {r.resource_account}" if r.resource_account else "",
            *(f"{key} = {value}" for key, value in r.context.items()),
        ]
        return ", ".join(part for part in said if part)

    def rendered(self, prefix: str = "") -> Rendered:
        """The answer with all layers; `prefix` as in `display.table`."""
        head = f"{self.request.principal}: {self.request.action} on {self.request.resource}{f', {self.circumstances}' if self.circumstances else ''}"
        colour = {True: "good", False: "bad", None: "warn"}[self.allowed]
        said = self.reason.replace(f"{prefix}-", "…-") if prefix else self.reason
        rows = [(layer.name, layer.policy, layer.verdict, list(layer.statements)) for layer in self.layers]
        frame = pd.DataFrame(rows, columns=["layer", "policy", "verdict", "statements"])
        head = head.replace(f"{prefix}-", "…-") if prefix else head
        return stack(
            note(f"{head}: {self.verdict}", colour),
            note(said),
            table(frame, "Verdict of each kind of policy", marks=MARKS, prefix=prefix),
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.rendered()._repr_mimebundle_()


def unknown(request: Request, why: str, layers: tuple[Layer, ...] = ()) -> Decision:
    return Decision(request, None, "", "", "", f"Cannot tell: {why}.", layers)


def decision(request: Request, found: Iterable[tuple[Case, dict[str, Any]]]) -> Decision:
    """The decision from the simulator's answers; with two cases, what both agree on.

    Raises
    ------
    WorkbookError : AWS has no such request, or the simulator rejects a policy.
    """
    decided = [_one(request, case, answer) for case, answer in found]
    if len({d.allowed for d in decided}) == 1:
        return decided[0]
    return unknown(
        request, f"it depends on who owns {request.resource}", next(d.layers for d in decided if d.allowed is not False)
    )


def _one(request: Request, case: Case, answer: dict[str, Any]) -> Decision:
    if answer["type"] != "single":
        raise _wrong(request, answer)
    names = {
        "identity": "identity policy",
        "boundary": "permissions boundary",
        "endpoint": "endpoint policy",
        "resource": _RESOURCE_POLICY.get(request.action.split(":")[0].lower(), "resource policy"),
    }
    asked = {key: answer[key] for key in names if answer[key] and answer[key]["result"] != "NotApplicable"}
    if not case.simulation["identityPolicies"] and (
        not isinstance(case.simulation["request"]["principal"], str) or case.names["identity"] == ""
    ):
        asked.pop("identity", None)  # A principal that cannot have identity policies is not denied by them.
    layers = tuple(
        Layer(names[key], case.names[key], "assumed", ())
        if key in case.supposed
        else Layer(
            names[key], case.names[key], _verdict(found), tuple(s["sid"] for s in found["deny"] or found["allow"])
        )
        for key, found in asked.items()
    )
    given = case.known_keys - {key.lower() for key in answer["ignored"]}
    open_keys = {
        k
        for found in asked.values()
        for s in found["keys"]
        for k in s["keys"]
        if not _is_known(k, given, case.own_tags)
    }

    for key in _ORDER_OF_DENIALS:
        certain = [
            s
            for s in asked.get(key, {}).get("deny", [])
            if all(_is_known(k, given, case.own_tags) for k in _keys_of(asked[key], s))
        ]
        if certain:
            sid = certain[0]["sid"]
            policy = certain[0]["policy"] or case.names[key]
            return Decision(
                request,
                False,
                names[key],
                policy,
                sid,
                f"The {names[key]} {_of(key, policy)} denies it ({sid}).",
                layers,
            )
    if open_keys:
        keys = ", ".join(sorted(open_keys))
        return unknown(
            request, f"a condition depends on {keys}, which the question leaves open; pass it as context", layers
        )
    if answer["result"] == "Allowed":
        if case.assumed:
            return unknown(request, " and ".join(case.assumed), layers)
        return _allowed(request, case, asked, names, layers)
    if "s3-bpa" in answer["blockedBy"]:
        policy = case.names["resource"]
        return Decision(
            request, False, "block public access", policy, "", f"Block Public Access on {policy} denies it.", layers
        )
    silent = [key for key in _ORDER_OF_SILENCE if key in asked and asked[key]["result"] == "ImplicitlyDenied"]
    # Within an account one Allow is enough, in an identity or a resource policy, so the silence of the other denies
    # nothing.
    if _verdict(asked.get("resource")) == "allows" and "boundary" in silent:
        silent = [key for key in silent if key != "identity"]
    key = silent[0] if silent else "resource"
    return Decision(
        request, False, names[key], case.names[key], "", _silence(key, case.names[key] or request.resource), layers
    )


def _allowed(
    request: Request, case: Case, asked: dict[str, Any], names: dict[str, str], layers: tuple[Layer, ...]
) -> Decision:
    if "identity" in case.supposed:
        return Decision(
            request,
            True,
            "own policies",
            "",
            "",
            "Nothing in the inventory denies it, and its own policies allow it.",
            layers,
        )
    for key in ("identity", "resource"):
        allow = asked.get(key, {}).get("allow")
        if allow:
            policy, sid = allow[0]["policy"] or case.names[key], allow[0]["sid"]
            others = [names[k] for k in ("boundary", "endpoint") if k in asked]
            also = (
                f" and the {' and the '.join(others)} {'let' if len(others) > 1 else 'lets'} it through"
                if others
                else ""
            )
            return Decision(
                request,
                True,
                names[key],
                policy,
                sid,
                f"The {names[key]} {_of(key, policy)} allows it ({sid}){also}.",
                layers,
            )
    return Decision(request, True, "AWS", "", "", "AWS allows it for anyone who signs the request.", layers)


def _verdict(found: dict[str, Any] | None) -> str:
    if not found:
        return "silent"
    return "denies" if found["deny"] else "allows" if found["allow"] else "silent"


def _keys_of(found: dict[str, Any], statement: dict[str, Any]) -> set[str]:
    return {
        k
        for s in found["keys"]
        if (s["policy"], s["sid"]) == (statement["policy"], statement["sid"])
        for k in s["keys"]
    }


def _is_known(key: str, given: frozenset[str], own_tags: bool) -> bool:
    return key in given or (own_tags and key.startswith("aws:principaltag/"))


def _of(key: str, policy: str) -> str:
    return policy if key in ("identity", "boundary") else f"of {policy}"


def _silence(key: str, policy: str) -> str:
    return {
        "identity": f"No statement in {policy} allows it.",
        "boundary": f"No statement in the permissions boundary {policy} allows it, whatever the identity policies say.",
        "endpoint": f"No statement in the policy of {policy} allows it.",
        "resource": f"No statement in the policy of {policy} allows it for this principal.",
    }[key]


def _wrong(request: Request, answer: dict[str, Any]) -> WorkbookError:
    error = answer["error"] or {"message": answer["type"]}
    message = error["message"]
    if message in ("invalid.action", "invalid.service"):
        return WorkbookError(f"AWS has no action {request.action}.", "Check its spelling.")
    if message == "must.use.wildcard":
        return WorkbookError(f"{request.action} does not support a specific resource.", "Use the resource *.")
    if message in ("no.resource.types", "multiple.resource.types", "wildcard"):
        return WorkbookError(
            f"{request.action} does not apply to {request.resource}.",
            "Write an object as bucket/key, a log stream as group:log-stream:name; "
            "actions on a resource take exactly one.",
        )
    details = "\n".join(f"{kind}: {value}" for kind, value in error.items() if kind != "message")
    return WorkbookError(
        f"The policy simulator rejected the question ({message}).", "Check the policy it names.", details[:800]
    )
