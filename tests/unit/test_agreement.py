"""The policy engine against the policy simulator: the same answer to random requests and to the access questions.

`python -m audit.engine_agreement` compares many more.
"""

from __future__ import annotations

from typing import Any

import pytest

from audit.engine_agreement import EXCLUSIONS, compare, disagrees, ours, smallest
from audit.random_policies import Maker
from workbook.access import ADMINISTRATOR, attach, evaluation
from workbook.access.access_matrix import decisions, questions
from workbook.access.account import Account
from workbook.access.case import cases
from workbook.access.conditions import Value
from workbook.access.evaluation import Caller, evaluate
from workbook.access.policies import parse_policy
from workbook.access.request import Undecidable
from workbook.inventory import Inventory

SEED, QUESTIONS = 98, 2_100

pytestmark = pytest.mark.usefixtures("simulator")


def test_engine_and_simulator_agree_on_random_requests() -> None:
    found = compare(Maker(SEED).questions(QUESTIONS))
    assert found.errors == []
    wrong = [smallest(question, disagrees) for question, _ in found.disagreements[:1]]
    assert [(question, ours(question)) for question in wrong] == []
    assert sum(found.compared.values()) >= 1_400
    assert min(found.compared["allowed"], found.compared["denied"]) >= 300
    # Every exclusion is used, and what the engine cannot tell is rare.
    assert {exclusion.name for exclusion in EXCLUSIONS} <= set(found.excluded)
    assert sum(n for name, n in found.excluded.items() if name.startswith("the engine")) <= QUESTIONS / 100


def test_a_wrong_engine_is_found_and_its_mistake_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def deaf(statement: Any, action: str) -> bool:
        return any(evaluation.glob(pattern, True).matches(action) for pattern in statement.actions)

    monkeypatch.setattr(evaluation, "action_matches", deaf)
    (question, _), *_ = compare(Maker(SEED).questions(120)).disagreements
    small = smallest(question, disagrees)
    assert len(small.documents) <= 2
    assert all(len(document["Statement"]) <= 2 for document in small.documents)
    assert any("NotAction" in statement for _, statement in small.statements)


def test_the_engine_answers_the_access_questions_as_the_simulator_does(dev: Inventory) -> None:
    asked = questions(dev)
    verdicts = {question.id: decision.verdict for question, decision in decisions(dev)}
    found = {question.id: engine(dev, question) for question in asked}
    assert {id: (found[id], verdicts[id]) for id in verdicts if found[id] != verdicts[id]} == {}
    assert sorted(set(found.values())) == ["allow", "deny"]
    assert len(found) >= 98


def engine(inventory: Inventory, question: Any) -> str:
    """The engine's verdict on a question: callers, policies and endpoints as it reads them, the circumstances as asked."""
    if question.attached:
        role = f"{inventory.scope.prefix}-{question.attached}"
        inventory = attach(inventory, role, "AdministratorAccess", ADMINISTRATOR)
    account = Account(inventory)
    try:
        simulations = [case.simulation for case in cases(inventory, question.request)]
    except Undecidable:
        return "unknown"
    found = {_decided(account, simulation) for simulation in simulations}
    return {True: "allow", False: "deny", None: "unknown"}[found.pop() if len(found) == 1 else None]


def _decided(account: Account, simulation: dict[str, Any]) -> bool | None:
    asked = simulation["request"]
    context = {key.lower(): value for key, value in asked["contextVariables"].items()}
    endpoint = next(
        (e.policy for e in account.endpoints if e.id == context.get("aws:sourcevpce")),
        None,
    )

    def ask(key: str) -> Value:
        value = context.get(key)
        return tuple(value) if isinstance(value, list) else value

    target = account.target(asked["action"], asked["resource"]["resource"])
    return evaluate(_caller(account, simulation), asked["action"], target, endpoint, ask).allowed


def _caller(account: Account, simulation: dict[str, Any]) -> Caller:
    principal = simulation["request"]["principal"]
    known = next((caller for caller in account.callers if caller.arn == principal), None)
    if known:
        return known
    if isinstance(principal, dict):
        return Caller("anonymous", "anonymous", "", "", ())
    if not principal.startswith("arn:"):
        return Caller(principal, "service", principal, "", ())
    kind = principal.split(":")[5].split("/")[0]
    identity = tuple(parse_policy(p["name"], p["policy"]) for p in simulation["identityPolicies"])
    return Caller(principal, kind, principal, principal.split(":")[4], identity)
