"""What a claim is, and how it is judged.

A claim is a sentence of the take-home with a small function that looks at the inventory and yields one `Seen` for each resource
it looked at. The verdict follows from what it yields, and from nothing else: nothing looked at is a FAIL, and so is anything
that is neither as claimed nor a deviation the claim gives a reason for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from workbook.inventory import Inventory, NotReadError, Row, Scope
from workbook.layers import BY_KEY
from workbook.target import LIMITS_BY_ID

GROUPS = (*BY_KEY, "general")
SEVERITIES = ("critical", "high", "medium", "low")


class Verdict(StrEnum):
    """What became of a claim. EXCEPTION: true but for deviations that are named with their reasons."""

    PASS = "PASS"
    FAIL = "FAIL"
    EXCEPTION = "EXCEPTION"
    NOT_TESTABLE = "NOT TESTABLE HERE"
    NOT_APPLICABLE = "N-A"


@dataclass(frozen=True)
class Evidence:
    """One line of evidence.

    Attributes
    ----------
    resource : the resource's name.
    observed : what was observed of it.
    ok : whether it is as claimed.
    reason : why a deviation is accepted, or why the claim does not apply to this resource; else empty.
    applies : False where the claim does not apply to this resource.
    """

    resource: str
    observed: str
    ok: bool
    reason: str = ""
    applies: bool = True


def evidence(resource: str, what: str, ok: Any) -> Evidence:
    """Evidence that is as claimed, or is not. What AWS did not tell (None) is not."""
    return Evidence(resource, what, bool(ok) if ok is not None else False)


def accepted(resource: str, what: str, reason: str) -> Evidence:
    """A deviation with a reason."""
    return Evidence(resource, what, False, reason)


def not_applicable(resource: str, what: str, reason: str) -> Evidence:
    """A resource that the claim does not speak about."""
    return Evidence(resource, what, True, reason, applies=False)


class View:
    """The inventory as a claim sees it: rows, and a note of which tables were looked at."""

    def __init__(self, inventory: Inventory) -> None:
        self.scope: Scope = inventory.scope
        self.looked_at: set[str] = set()
        self._inventory = inventory

    def __getitem__(self, table: str) -> tuple[Row, ...]:
        """The rows of a table. Raises NotReadError when its layer was not read."""
        self.looked_at.add(table)
        return self._inventory.rows(table)

    def rows(self, table: str, **where: Any) -> tuple[Row, ...]:
        """Those whose columns equal `where`; as `Inventory.rows`."""
        self.looked_at.add(table)
        return self._inventory.rows(table, **where)

    def by_key(self, table: str) -> dict[str, Row]:
        """The rows of a table by what AWS tells them apart by; as `Inventory.by_key`."""
        self.looked_at.add(table)
        return self._inventory.by_key(table)


Judge = Callable[[View], Iterator[Evidence]]


@dataclass(frozen=True)
class Claim:
    """A sentence about the environment that can be shown or refuted.

    Attributes
    ----------
    id : such as S3-TLS.
    layer : vpc, ecr, iam, s3, ecs, or general.
    severity : critical, high, medium or low: what it would mean if it were false.
    says : the sentence.
    judge : yields the evidence.
    limit : id in `target.LIMITS` of what an emulator does not do; only where the claim is about an effect.
    visible_on_aws : whether a real account shows the effect in the inventory, or only the check the limit names.
    """

    id: str
    layer: str
    severity: str
    says: str
    judge: Judge
    limit: str = ""
    visible_on_aws: bool = False


CLAIMS: dict[str, Claim] = {}


def claims_of(layer: str) -> Callable[..., Callable[[Judge], Judge]]:
    """The decorator for the claims of a layer: `@claim(id, severity, says, limit="", visible_on_aws=False)`."""

    def claim(
        id: str, severity: str, says: str, limit: str = "", visible_on_aws: bool = False
    ) -> Callable[[Judge], Judge]:
        def register(judge: Judge) -> Judge:
            if (
                id in CLAIMS
                or severity not in SEVERITIES
                or layer not in GROUPS
                or (limit and limit not in LIMITS_BY_ID)
            ):
                raise ValueError(f"{id}: defined twice, or with an unknown severity, layer or limit")
            CLAIMS[id] = Claim(id, layer, severity, says, judge, limit, visible_on_aws)
            return judge

        return register

    return claim


@dataclass(frozen=True)
class Result:
    """A claim and what became of it: `reason` says why the verdict is not plainly PASS, `tables` which tables it looked at."""

    claim: Claim
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]
    tables: tuple[str, ...] = ()

    @property
    def against(self) -> list[Evidence]:
        """The evidence that speaks against the claim and has no reason."""
        return [line for line in self.evidence if not line.ok and not line.reason]


def judge_one(claim: Claim, view: View, problems: Iterable[dict[str, Any]], target: str) -> Result:
    """One claim on one inventory. `target` is the kind of target that was read: embedded, endpoint or aws."""
    view.looked_at = set()
    failed: Exception | None = None
    evidence: tuple[Evidence, ...] = ()
    try:
        evidence = tuple(claim.judge(view))
    except NotReadError as error:  # The layer of a table it looks at was not read.
        evidence = (Evidence("inventory", str(error), False),)
    except (AttributeError, TypeError, ValueError) as error:  # A cell that AWS did not tell is None.
        failed = error
    unread = tuple(
        Evidence(problem["table"], f"could not be read: {problem['call']}: {problem['error']}", False)
        for problem in problems
        if problem["table"] in view.looked_at
    )
    if failed is not None and not unread:
        raise failed
    verdict, reason = _verdict(claim, evidence + unread, target)
    return Result(claim, verdict, reason, evidence + unread, tuple(sorted(view.looked_at)))


def _verdict(claim: Claim, evidence: tuple[Evidence, ...], target: str) -> tuple[Verdict, str]:
    if not evidence:
        return Verdict.FAIL, "Nothing to look at."
    against = [line for line in evidence if not line.ok and not line.reason]
    if against:
        return Verdict.FAIL, "; ".join(f"{line.resource}: {line.observed}" for line in against)
    if not any(line.applies for line in evidence):
        return Verdict.NOT_APPLICABLE, _reasons(evidence)
    if claim.limit and not (target == "aws" and claim.visible_on_aws):
        limit = LIMITS_BY_ID[claim.limit]
        what = f"{limit.what} " if target == "embedded" else ""
        return Verdict.NOT_TESTABLE, f"{what}Would show it: {limit.shown_by}"
    deviations = [line for line in evidence if not line.ok]
    return (Verdict.EXCEPTION, _reasons(deviations)) if deviations else (Verdict.PASS, "")


def _reasons(lines: Iterable[Evidence]) -> str:
    return " ".join(dict.fromkeys(line.reason for line in lines))
