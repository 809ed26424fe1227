"""What a claim is, and how its verdict is decided.

A claim is a sentence of the take-home with a small function that reads the inventory and yields one `Evidence` for each
resource it checks. The verdict depends only on what it yields: no evidence is a FAIL, and so is any deviation that the
claim gives no reason for. Where something the sentence covers was not read or is not modelled, the verdict is CANNOT
TELL: neither PASS nor FAIL would be honest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from workbook.access.proofs import Answer, Proof, Prover
from workbook.inventory import Inventory, NotReadError, Row, Scope
from workbook.layers import BY_KEY
from workbook.target import LIMITS_BY_ID

GROUPS = (*BY_KEY, "general")
SEVERITIES = ("critical", "high", "medium", "low")


class Verdict(StrEnum):
    """The verdict on a claim. EXCEPTION: true except for deviations, each listed with its reason. CANNOT TELL: something
    that the sentence covers was not read, or is not modelled.
    """

    PASS = "PASS"
    FAIL = "FAIL"
    CANNOT_TELL = "CANNOT TELL"
    EXCEPTION = "EXCEPTION"
    NOT_TESTABLE = "NOT TESTABLE HERE"
    NOT_APPLICABLE = "N-A"


@dataclass(frozen=True)
class Evidence:
    """One line of evidence.

    Attributes
    ----------
    resource : the resource's name.
    observed : what was observed about it.
    ok : whether it is as claimed.
    reason : why a deviation is accepted, or why the claim does not apply to this resource; otherwise empty.
    applies : False if the claim does not apply to this resource.
    known : False if it cannot be told whether it is as claimed; then `ok` is False too.
    """

    resource: str
    observed: str
    ok: bool
    reason: str = ""
    applies: bool = True
    known: bool = True

    @property
    def against(self) -> bool:
        """Whether it contradicts the claim: a deviation that has no accepted reason."""
        return self.known and not self.ok and not self.reason


def evidence(resource: str, what: str, ok: Any) -> Evidence:
    """Evidence for or against a claim. A value that AWS did not return (None) counts against it."""
    return Evidence(resource, what, bool(ok))


def cannot_tell(resource: str, what: str) -> Evidence:
    """A resource of which it cannot be told whether it is as claimed; `what` says what is missing or not modelled."""
    return Evidence(resource, what, False, known=False)


def proved(resource: str, what: str, proof: Proof) -> Evidence:
    """Evidence from a proof: `what` if it is proven, else the request that refutes it, or what is not known."""
    if proof.answer is Answer.CANNOT_TELL:
        return cannot_tell(resource, proof.says)
    return evidence(resource, what if proof.proven else proof.says, proof.proven)


def accepted(resource: str, what: str, reason: str) -> Evidence:
    """An accepted deviation, with its reason."""
    return Evidence(resource, what, False, reason)


def not_applicable(resource: str, what: str, reason: str) -> Evidence:
    """A resource the claim does not apply to."""
    return Evidence(resource, what, True, reason, applies=False)


class View:
    """The inventory as a claim sees it: rows with attributes, and a record of which tables were used."""

    def __init__(self, inventory: Inventory) -> None:
        self.scope: Scope = inventory.scope
        self.looked_at: set[str] = set()
        self._inventory = inventory
        self._fingerprint: str | None = None

    def fingerprint(self, columns: Mapping[str, tuple[str, ...]]) -> str:
        """As `Inventory.fingerprint`, once for all claims."""
        if self._fingerprint is None:
            self._fingerprint = self._inventory.fingerprint(columns)
        return self._fingerprint

    @property
    def taken_at(self) -> datetime:
        """When the inventory was read."""
        return self._inventory.taken_at

    def __getitem__(self, table: str) -> tuple[Row, ...]:
        """The rows of a table. Raises NotReadError if its layer was not read."""
        self.looked_at.add(table)
        return self._inventory.rows(table)

    def rows(self, table: str, **where: Any) -> tuple[Row, ...]:
        """Those whose columns equal `where`; as `Inventory.rows`."""
        self.looked_at.add(table)
        return self._inventory.rows(table, **where)

    @property
    def policies(self) -> Prover:
        """The policy engine on this inventory. A new one each time, so that the claim that asks is the one that used
        the tables.
        """
        return Prover(self)

    def by_key(self, table: str) -> dict[str, Row]:
        """The rows of a table by what AWS tells them apart by; as `Inventory.by_key`."""
        self.looked_at.add(table)
        return self._inventory.by_key(table)


Judge = Callable[[View], Iterator[Evidence]]


@dataclass(frozen=True)
class Claim:
    """A statement about the environment that can be proved or disproved.

    Attributes
    ----------
    id : such as S3-TLS.
    layer : vpc, ecr, iam, s3, ecs, or general.
    severity : critical, high, medium or low: how bad it would be if it were false.
    says : the statement, one sentence.
    judge : yields the evidence.
    limit : id in `target.LIMITS` of what an emulator does not do; only if the claim is about an effect.
    visible_on_aws : whether the inventory of a real account shows the effect, or only the check described by the limit.
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
    """The decorator for a layer's claims: `@claim(id, severity, says, limit="", visible_on_aws=False)`."""

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
    """A claim and its verdict: `reason` says why it is not simply PASS, `tables` which tables the claim used."""

    claim: Claim
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...]
    tables: tuple[str, ...] = ()

    @property
    def against(self) -> list[Evidence]:
        """The evidence against the claim that has no accepted reason."""
        return [line for line in self.evidence if line.against]


def judge_one(claim: Claim, view: View, problems: Iterable[dict[str, Any]], target: str) -> Result:
    """The result of one claim on an inventory that was read from a `target`: embedded, endpoint or aws."""
    view.looked_at = set()
    evidence: list[Evidence] = []
    raised: list[Evidence] = []
    try:
        evidence.extend(claim.judge(view))
    except NotReadError as error:  # The claim uses a table whose layer was not read.
        evidence.append(cannot_tell("inventory", str(error)))
    except Exception as error:  # A bug in one claim, or a value that it does not expect, must not cost the others.
        raised.append(Evidence("this claim", f"its check raised {type(error).__name__}: {error}", False))
    unread = [
        cannot_tell(problem["table"], f"could not be read: {problem['call']}: {problem['error']}")
        for problem in problems
        if problem["table"] in view.looked_at
    ]
    # A cell that could not be read is None, which explains an exception.
    found = (*evidence, *(unread or raised))
    verdict, reason = _verdict(claim, found, bool(unread), target)
    return Result(claim, verdict, reason, found, tuple(sorted(view.looked_at)))


def _verdict(claim: Claim, evidence: tuple[Evidence, ...], gaps: bool, target: str) -> tuple[Verdict, str]:
    if not evidence:
        return Verdict.FAIL, "No resources to check."
    against = [line for line in evidence if line.against]
    unknown = [line for line in evidence if not line.known]
    # What speaks against the claim may be a row or a cell that is missing from a table that was not read completely.
    if gaps:
        return Verdict.CANNOT_TELL, _observed([*unknown, *against])
    if against:
        return Verdict.FAIL, _observed(against)
    if unknown:
        return Verdict.CANNOT_TELL, _observed(unknown)
    if not any(line.applies for line in evidence):
        return Verdict.NOT_APPLICABLE, _reasons(evidence)
    if claim.limit and not (target == "aws" and claim.visible_on_aws):
        limit = LIMITS_BY_ID[claim.limit]
        what = f"{limit.what} " if target == "embedded" else ""
        return Verdict.NOT_TESTABLE, f"{what}To check it: {limit.shown_by}"
    deviations = [line for line in evidence if not line.ok]
    return (Verdict.EXCEPTION, _reasons(deviations)) if deviations else (Verdict.PASS, "")


def _observed(lines: Iterable[Evidence]) -> str:
    return "; ".join(f"{line.resource}: {line.observed}" for line in lines)


def _reasons(lines: Iterable[Evidence]) -> str:
    return " ".join(dict.fromkeys(line.reason for line in lines))
