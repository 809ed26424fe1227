"""Whether proofs over all requests are sound, on random small accounts.

PROVEN: none of many random requests of that kind is allowed, by the engine or by the simulator. REFUTED: the simulator
allows the request that was found. `python -m audit.proof_soundness [--seed N] [--accounts N]`; part of `make audit`.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from audit.engine_agreement import EXCLUSIONS, chosen_seed, simulate, simulation
from audit.random_policies import ARRAYS, KEYS, OBJECTS, OWNER, Document, Maker, Question
from workbook.access.account import Account, Endpoint
from workbook.access.conditions import Value
from workbook.access.evaluation import Caller, Target, evaluate
from workbook.access.policies import parse_policy
from workbook.access.proofs import Answer, Found, Proof, Prover
from workbook.access.requests import Space, conditions_from, fixed_keys
from workbook.errors import WorkbookError
from workbook.inventory import Scope

REGION = "us-east-1"
ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
REQUESTS = 60
"""Random requests for each proof."""
every_value = Space.values
"""The values that AWS could send; a name of its own, so that a test can spoil the proofs alone."""


class SmallAccount(Account):
    """A role, a user, a bucket with a policy and an endpoint; nothing else."""

    def __init__(self, maker: Maker) -> None:
        self.random = maker.random
        self.scope = Scope(prefix="small", region=REGION, replica_region="us-west-2")
        self.documents: dict[str, Document] = {}

        def policy(name: str, place: str, generous: bool) -> Any:
            document = {**maker.document("s3", place, generous), "Version": "2012-10-17"}
            self.documents[name] = document
            return parse_policy(name, document)

        def caller(kind: str, name: str) -> Caller:
            identity = tuple(
                policy(f"{name} {n}", "identity", self.random.random() < 0.3)
                for n in range(self.random.choice([0, 1, 2]))
            )
            boundary = policy(f"boundary of {name}", "identity", True) if self.random.random() < 0.4 else None
            return Caller(name, kind, f"arn:aws:iam::{OWNER}:{kind}/{name}", OWNER, identity, boundary)

        self.id, self.buckets = OWNER, {}
        self.roles = {"reader": caller("role", "reader")}
        self.callers = (*self.roles.values(), caller("user", "ann"))
        self.tags = {f"arn:aws:iam::{OWNER}:role/reader": {"team": self.random.choice(["blue", "red"])}}
        own = self.random.random() < 0.8
        self.bucket_policy = policy("bucket", "resource", False) if own else None
        self.restricted = self.random.random() < 0.4
        self.endpoints = ()
        if self.random.random() < 0.6:
            self.endpoints = (Endpoint("vpce-1", "endpoint", "s3", "vpc-1", policy("endpoint", "endpoint", True)),)

    def remembered(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Nothing is: each account is a new one."""
        return compute()

    def target(self, action: str, arn: str) -> Target:
        return Target(arn, OWNER, self.bucket_policy, restricted=self.restricted)

    def region(self, arn: str) -> str:
        return REGION


def prover_of(account: Account) -> Prover:
    prover = Prover.__new__(Prover)
    prover.account = account
    return prover


def random_proof(prover: Prover) -> tuple[Proof, dict[str, Any]]:
    """A proof of a random invariant, and what it is about."""
    choose = prover.account.random  # type: ignore[attr-defined]
    everyone = prover.everyone(["arn:aws:s3:::data/*"], "s3:GetObject")
    outside = tuple(c for c in everyone if c.account != OWNER)
    asked = {
        "actions": choose.choice([["s3:GetObject"], ["s3:PutObject", "s3:DeleteObject"], ["s3:*Object"]]),
        "resources": [choose.choice(["arn:aws:s3:::data/*", "arn:aws:s3:::*/a", "arn:aws:s3:::data/blue/*"])],
        "callers": choose.choice([everyone, prover.account.callers, outside, outside[:1]]),
        "where": choose.choice([
            None,
            {"Bool": {"aws:SecureTransport": "false"}},
            {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
            {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
        ]),
    }  # fmt: skip
    return prover.prove(**asked), asked


def random_requests(prover: Prover, asked: dict[str, Any], count: int) -> Iterable[Found]:
    """Requests of the kind that the proof is about, each key with a value that AWS could send."""
    account: SmallAccount = prover.account  # type: ignore[assignment]
    choose = account.random
    limit = conditions_from(asked["where"])
    actions = [a for a in ACTIONS if a in asked["actions"] or "s3:*Object" in asked["actions"]]
    resources = [r for r in (*OBJECTS, "arn:aws:s3:::data/red/a", "arn:aws:s3:::data/*", "arn:aws:s3:::data/blue/z")
                 if any(_like(pattern, r) for pattern in asked["resources"])]  # fmt: skip
    for _ in range(count):
        caller, action, resource = choose.choice(asked["callers"]), choose.choice(actions), choose.choice(resources)
        space = Space(account, caller, action, [], ())
        known: dict[str, Value] = fixed_keys(account, caller, action, resource, OWNER)
        keys = [key.lower() for key in KEYS]
        for key in sorted(keys, key=_order):
            if key in known:
                continue
            known[key] = _value(space, key, known, choose)
        if any(condition.holds(lambda k: known.get(k)) is not True for condition in limit):  # noqa: B023
            continue
        via = next((e for e in account.endpoints if e.id == known.get("aws:sourcevpce")), None)
        outcome = evaluate(
            caller, action, account.target(action, resource), via.policy if via else None, lambda k: known.get(k)  # noqa: B023
        )  # fmt: skip
        yield Found(caller, action, resource, known, outcome, via.name if via else "")


def _order(key: str) -> int:
    return {"aws:sourcevpce": 0, "aws:principalarn": 1, "aws:sourcearn": 2}.get(key, 3)


def _like(pattern: str, arn: str) -> bool:
    head, _, tail = pattern.partition("*")
    return arn.startswith(head) and arn.endswith(tail) and len(arn) > len(head) + len(tail)


def _value(space: Space, key: str, known: dict[str, Value], choose: random.Random) -> Value:
    """One of the values that the rules of requests allow, with any text where they allow any."""
    original = next(name for name in KEYS if name.lower() == key)
    values, wanted, _ = KEYS[original]
    texts = [*values, *(w.replace("*", "q").replace("?", "z") for w in wanted if "${" not in w and key not in TYPED)]
    options = every_value(space, key, known)
    if key in ("aws:principalarn", "aws:username"):
        kind = {"User": ["user"], "AssumedRole": ["role"]}.get(str(known.get("aws:principaltype")), ["user", "role"])
        if key == "aws:principalarn":
            return f"arn:aws:iam::{space.caller.account}:{choose.choice(kind)}/{choose.choice(['zoe', 'blue', 'bob'])}"
        return options[0]
    if options == [None] or (None in options and choose.random() < 0.3):
        return None
    if key == "aws:sourcevpce":
        return choose.choice([v for v in (*options, "vpce-2", "vpce-3") if v is not None])
    if key == "aws:sourceaccount" and len(options) == 1:
        return options[0]
    if key in ARRAYS:
        return tuple(sorted({choose.choice(texts) for _ in range(choose.randint(1, 4))}))
    return choose.choice(texts)


TYPED = frozenset(
    {"aws:multifactorauthage", "aws:currenttime", "aws:sourceip", "aws:securetransport", "aws:principaltag/blob"}
)


def question(account: SmallAccount, found: Found) -> Question:
    """The request as the simulator takes it. A caller whose policies are not known is an administrator."""
    caller = found.caller
    arn = caller.arn if caller.arn is not None else str(found.context.get("aws:principalarn") or "")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    identity: tuple[Document, ...] = ()
    if caller.kind not in ("service", "anonymous"):
        own = tuple(account.documents[p.name] for p in caller.identity or ())
        identity = own if caller.identity is not None else (everything,)
        arn = arn or f"arn:aws:iam::{caller.account}:{caller.kind}/someone"
    fixed = fixed_keys(account, caller, found.action, found.resource, OWNER)
    context = {k: v for k, v in {**fixed, **found.context}.items() if v is not None}
    return Question(
        caller.kind,
        arn,
        found.action,
        found.resource,
        OWNER,
        identity,
        account.documents[caller.boundary.name] if caller.boundary else None,
        account.documents.get("bucket"),
        account.documents["endpoint"] if found.endpoint else None,
        account.restricted,
        {k: list(v) if isinstance(v, tuple) else v for k, v in context.items()},
    )


def run(seed: int, accounts: int, requests: int = REQUESTS) -> tuple[list[str], Counter[str]]:
    """What is wrong, and how many proofs had each answer."""
    maker = Maker(seed)
    wrong: list[str] = []
    answers: Counter[str] = Counter()
    asked: list[tuple[bool, str, Question]] = []
    for _ in range(accounts):
        account = SmallAccount(maker)
        prover = prover_of(account)
        proof, about = random_proof(prover)
        answers[proof.answer.value] += 1
        if proof.answer is Answer.REFUTED and proof.found:
            asked.append((True, str(proof.found), question(account, proof.found)))
        if proof.answer is Answer.PROVEN:
            for found in random_requests(prover, about, requests):
                answers["requests"] += 1
                if found.outcome.allowed:
                    wrong.append(f"PROVEN, but {found} is allowed: {found.outcome.because}\n{question(account, found)}")
                elif answers["requests"] % 10 == 0:
                    asked.append((False, str(found), question(account, found)))
    # To the simulator an asterisk in a request's resource is a wildcard; the key of an object may have one.
    asked = [one for one in asked if "*" not in one[2].resource and not any(e.applies(one[2]) for e in EXCLUSIONS)]
    for start in range(0, len(asked), 500):
        part = asked[start : start + 500]
        for (allowed, said, one), answer in zip(part, simulate([simulation(q) for _, _, q in part]), strict=True):
            answers["simulated"] += 1
            if (answer["result"] == "Allowed") is not allowed:
                wrong.append(
                    f"{'REFUTED by' if allowed else 'PROVEN, but'} {said}: {answer['result']} {answer['error']}\n{one}"
                )
    return wrong, answers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m audit.proof_soundness", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--accounts", type=int, default=1_000)
    options = parser.parse_args()
    try:
        seed = chosen_seed() if options.seed is None else options.seed
        wrong, answers = run(seed, options.accounts)
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 2
    print(said(seed, wrong, answers))
    return 1 if wrong else 0


def said(seed: int, wrong: list[str], answers: Counter[str]) -> str:
    counts = ", ".join(f"{n} {name}" for name, n in sorted(answers.items()))
    return "\n".join([f"Proofs about random accounts, seed {seed}: {counts}; {len(wrong)} wrong.", *wrong[:3]])


if __name__ == "__main__":
    sys.exit(main())
