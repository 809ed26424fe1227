"""Whether the policy engine and the policy simulator decide random requests alike.

`python -m audit.engine_agreement [--seed N] [--pairs N]`; `make audit` runs it with a new seed each time, or with that in
WORKBOOK_AUDIT_SEED. A disagreement is cut down to its smallest form. What is left out of the comparison has a name, and
a case in tests/unit/test_policy_engine.py with the answer that AWS documents.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from audit.random_policies import Document, Maker, Question
from workbook.access.conditions import Value
from workbook.access.evaluation import Caller, Outcome, Target, evaluate
from workbook.access.policies import parse_policy
from workbook.access.simulator_process import simulate
from workbook.errors import WorkbookError

BATCH = 500
GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"


@dataclass(frozen=True)
class Exclusion:
    """What is not compared: the simulator does not do what AWS documents, or AWS does not say what it does.

    `applies` tells it from the question alone.
    """

    name: str
    why: str
    source: str
    applies: Callable[[Question], bool]


@dataclass(frozen=True)
class Comparison:
    """The outcome for a number of questions.

    Attributes
    ----------
    compared : by answer: allowed, denied.
    excluded : number of questions by the name of an exclusion; `engine cannot tell` where the engine says so.
    disagreements : each with the engine's answer; the simulator's is the opposite.
    errors : what the simulator said of a question that it refused; there should be none.
    """

    compared: Counter[str]
    excluded: Counter[str]
    disagreements: list[tuple[Question, Outcome]]
    errors: list[tuple[Question, Any]]


# ── both answers ──


def ours(question: Question) -> Outcome:
    """The engine's decision."""

    def ask(key: str) -> Value:
        value = question.context.get(key)
        return tuple(value) if isinstance(value, list) else value

    def policy(name: str, document: Document | None) -> Any:
        return parse_policy(name, document) if document else None

    caller = Caller(
        question.caller or question.kind,
        question.kind,
        question.caller,
        question.account,
        tuple(policy(f"identity {n}", document) for n, document in enumerate(question.identity)),
        policy("boundary", question.boundary),
    )
    target = Target(
        question.resource,
        question.owner,
        policy("resource", question.resource_policy),
        needs_policy=question.action.lower().startswith("sts:"),
        restricted=question.restricted,
    )
    return evaluate(caller, question.action, target, policy("endpoint", question.endpoint), ask)


def simulation(question: Question) -> dict[str, Any]:
    """The question as the simulator takes it."""
    asked: dict[str, Any] = {
        "request": {
            "principal": question.caller or {"type": "Anonymous"},
            "action": question.action,
            "resource": {"resource": question.resource, "accountId": question.owner},
            "contextVariables": question.context,
        },
        "identityPolicies": [{"name": f"identity {n}", "policy": d} for n, d in enumerate(question.identity)],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
        "additionalSettings": {"s3": {"blockPublicAccess": question.restricted}},
    }
    if question.resource_policy:
        asked["resourcePolicy"] = question.resource_policy
    if question.boundary:
        asked["permissionBoundaryPolicies"] = [{"name": "boundary", "policy": question.boundary}]
    if question.endpoint:
        asked["vpcEndpointPolicies"] = [{"name": "endpoint", "policy": question.endpoint}]
    return asked


def compare(questions: Iterable[Question]) -> Comparison:
    """Both answers to each question, from one run of the simulator for each 500."""
    result = Comparison(Counter(), Counter(), [], [])
    asked: list[tuple[Question, Outcome]] = []
    for question in questions:
        excluded = next((e.name for e in EXCLUSIONS if e.applies(question)), "")
        outcome = ours(question)
        if excluded or outcome.allowed is None:
            result.excluded[excluded or f"the engine cannot tell: {outcome.layer}"] += 1
        else:
            asked.append((question, outcome))
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        for (question, outcome), answer in zip(part, simulate([simulation(q) for q, _ in part]), strict=True):
            if answer["type"] != "single":
                result.errors.append((question, answer["error"]))
                continue
            result.compared["allowed" if outcome.allowed else "denied"] += 1
            if (answer["result"] == "Allowed") is not outcome.allowed:
                result.disagreements.append((question, outcome))
    return result


# ── what is not compared ──


def _texts(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _conditions(question: Question) -> Iterator[tuple[str, str, list[str]]]:
    """Operator without set operator and IfExists, key and values of each condition, in lower case but for the values."""
    for _, statement in question.statements:
        for operator, keys in statement.get("Condition", {}).items():
            name = operator.lower().split(":")[-1].removesuffix("ifexists")
            for key, values in keys.items():
                yield name, key.lower(), _texts(values)


def _old_variables(question: Question) -> bool:
    return any("${" in json.dumps(d) for d in question.documents if d.get("Version") != "2012-10-17")


def _escape_in_equals(question: Question) -> bool:
    return any(
        name.startswith("string") and "equals" in name and any(e in v for v in values for e in ("${*}", "${?}", "${$}"))
        for name, _, values in _conditions(question)
    )


def _negated_variable(question: Question) -> bool:
    return any("not" in name and "${" in v for name, _, values in _conditions(question) for v in values) or any(
        "${" in text for _, statement in question.statements for text in _texts(statement.get("NotResource", ""))
    )


def _every_address(question: Question) -> bool:
    return any(v == "0.0.0.0/0" for name, _, values in _conditions(question) for v in values)


def _lone_address(question: Question) -> bool:
    return any(
        name == "notipaddress" and "/" not in v for name, _, values in _conditions(question) for v in values
    ) or (
        question.restricted
        and any(key == "aws:sourceip" and "/" not in v for _, key, vs in _conditions(question) for v in vs)
    )


def _seconds(question: Question) -> bool:
    return any(name.startswith("date") and v.isdecimal() for name, _, values in _conditions(question) for v in values)


def _variable_in_arn(question: Question) -> bool:
    return any(
        name.startswith("arn") and "${" in v and v[: v.index("${")].count(":") < 5
        for name, _, values in _conditions(question)
        for v in values
    )


def _short_arn(question: Question) -> bool:
    return any(
        text != "*" and text.count(":") < 5
        for _, statement in question.statements
        for text in _texts(statement.get("NotResource", "*"))
    )


# How each key has to be compared for a statement to be public or not without a doubt.
_CLEARLY_FIXED = {
    "aws:sourcearn": {"ArnEquals"},
    "aws:principalarn": {"ArnEquals", "ArnLike"},
    "aws:sourceip": {"IpAddress", "NotIpAddress"},
    "aws:principalorgpaths": set[str](),
    "aws:userid": set[str](),
}


def _public_in_doubt(question: Question) -> bool:
    if not question.restricted or not question.resource_policy or question.account == question.owner:
        return False
    for statement in question.resource_policy["Statement"]:
        for operator, keys in statement.get("Condition", {}).items():
            for key, values in keys.items():
                plain = operator in _CLEARLY_FIXED.get(
                    key.lower(), {"StringEquals", "StringLike", "StringEqualsIgnoreCase"}
                )
                variable = any("${" in v for v in _texts(values))
                if (not plain and "Not" not in operator and "Null" not in operator) or variable:
                    return True
    return False


EXCLUSIONS = (
    Exclusion(
        "variables before 2012-10-17",
        "The simulator replaces variables whatever the version; to AWS they are plain text in an older one.",
        f"{GUIDE}reference_policies_elements_version.html",
        _old_variables,
    ),
    Exclusion(
        "an escape in a comparison for equality",
        "The simulator replaces ${*} only where wildcards are allowed; AWS wherever a variable may be.",
        f"{GUIDE}reference_policies_variables.html",
        _escape_in_equals,
    ),
    Exclusion(
        "a variable without a value, negated",
        "AWS: an inverted operator matches a variable without a value. The simulator says that it does not.",
        f"{GUIDE}reference_policies_variables.html",
        _negated_variable,
    ),
    Exclusion(
        "0.0.0.0/0",
        "A shift by 32 bits: to the simulator this range has only the address 0.0.0.0.",
        f"{GUIDE}reference_policies_elements_condition_operators.html",
        _every_address,
    ),
    Exclusion(
        "an address without a prefix",
        "AWS takes it for a /32 or /128. The simulator does so only for addresses of the same version.",
        f"{GUIDE}reference_policies_elements_condition_operators.html",
        _lone_address,
    ),
    Exclusion(
        "a date in seconds",
        "AWS: a date may be in seconds since 1970. The simulator takes the number for milliseconds.",
        f"{GUIDE}reference_policies_elements_condition_operators.html",
        _seconds,
    ),
    Exclusion(
        "a variable before the last part of an ARN",
        "The simulator splits the ARN at the colon within ${aws:…} first.",
        f"{GUIDE}reference_policies_variables.html",
        _variable_in_arn,
    ),
    Exclusion(
        "a short ARN in NotResource",
        "AWS completes it with wildcards; the simulator does not invert what it completed.",
        f"{GUIDE}reference_policies_elements_resource.html",
        _short_arn,
    ),
    Exclusion(
        "what counts as public",
        "AWS names the keys and asks for a fixed value, not which operators fix it; a variable is none.",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
        _public_in_doubt,
    ),
)


# ── the smallest form of a disagreement ──


def smallest(question: Question, wrong: Callable[[list[Question]], list[bool]]) -> Question:
    """The question with everything taken away that it takes to disagree. `wrong` says which of several do."""
    while True:
        smaller = list(_smaller(question))
        found = next((q for q, still in zip(smaller, wrong(smaller), strict=True) if still), None)
        if found is None:
            return question
        question = found


def disagrees(questions: list[Question]) -> list[bool]:
    found = [q for q, _ in compare(questions).disagreements]
    return [q in found for q in questions]


def _smaller(question: Question) -> Iterator[Question]:
    for n in range(len(question.identity)):
        yield replace(question, identity=question.identity[:n] + question.identity[n + 1 :])
    for name in ("boundary", "resource_policy", "endpoint"):
        if getattr(question, name) and (name != "resource_policy" or not question.action.lower().startswith("sts:")):
            yield replace(question, **{name: None})  # type: ignore[arg-type]
    if question.restricted:
        yield replace(question, restricted=False)
    for key in question.context:
        yield replace(question, context={k: v for k, v in question.context.items() if k != key})
    for n, document in enumerate(question.identity):
        for less in _less(document):
            yield replace(question, identity=(*question.identity[:n], less, *question.identity[n + 1 :]))
    for name in ("boundary", "resource_policy", "endpoint"):
        for less in _less(getattr(question, name)):
            yield replace(question, **{name: less})  # type: ignore[arg-type]


def _less(document: Document | None) -> Iterator[Document]:
    """The document without one statement, or with one statement that says less."""
    statements = document["Statement"] if document else []
    for n, statement in enumerate(statements):
        others = (statements[:n], statements[n + 1 :])
        if len(statements) > 1:
            yield {**document, "Statement": [*others[0], *others[1]]}  # type: ignore[dict-item]
        for less in _less_said(statement):
            yield {**document, "Statement": [*others[0], less, *others[1]]}  # type: ignore[dict-item]


def _less_said(statement: dict[str, Any]) -> Iterator[dict[str, Any]]:
    conditions = statement.get("Condition")
    if conditions:
        yield {k: v for k, v in statement.items() if k != "Condition"}
        if len(conditions) > 1:
            for operator in conditions:
                yield {**statement, "Condition": {o: v for o, v in conditions.items() if o != operator}}
    for element, value in statement.items():
        if isinstance(value, list):
            yield from ({**statement, element: one} for one in value)
        elif element in ("Action", "Resource") and value != "*":
            yield {**statement, element: "*"}


# ── on its own ──


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m audit.engine_agreement", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--pairs", type=int, default=20_000)
    options = parser.parse_args()
    try:
        lines, agree = run(chosen_seed() if options.seed is None else options.seed, options.pairs)
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if agree else 1


def chosen_seed() -> int:
    """The seed in WORKBOOK_AUDIT_SEED, or a new one."""
    written = os.environ.get("WORKBOOK_AUDIT_SEED", "")
    if written and not written.isdecimal():
        raise WorkbookError(f"WORKBOOK_AUDIT_SEED is {written!r}.", "Set it to a whole number, or leave it out.")
    return int(written) if written else random.SystemRandom().randrange(1_000_000)


def run(seed: int, pairs: int) -> tuple[list[str], bool]:
    """What there is to report, and whether both agree: `pairs` comparisons, not counting what is excluded."""
    maker = Maker(seed)
    total = Comparison(Counter(), Counter(), [], [])
    while sum(total.compared.values()) < pairs:
        found = compare(maker.questions(BATCH))
        total.compared.update(found.compared)
        total.excluded.update(found.excluded)
        total.disagreements.extend(found.disagreements)
        total.errors.extend(found.errors)
        if total.disagreements or total.errors:
            break
    lines = [
        f"The engine and the simulator on {sum(total.compared.values())} random requests, seed {seed}: "
        f"{total.compared['allowed']} allowed, {total.compared['denied']} denied, "
        f"{len(total.disagreements)} disagreements."
    ]
    lines += [f"  not compared: {count:>5}  {name}" for name, count in total.excluded.most_common()]
    for question, _ in total.disagreements[:3]:
        small = smallest(question, disagrees)
        lines += [f"  engine: {ours(small)}", json.dumps(asdict(small), indent=1)]
    lines += [
        f"  the simulator refused: {error}: {json.dumps(asdict(question))}" for question, error in total.errors[:3]
    ]
    return lines, not total.disagreements and not total.errors


if __name__ == "__main__":
    sys.exit(main())
