"""Benchmark: the project's proofs next to iamprover's (z3), on the same invariants about the saved dev account.

`python -m bench.policy_proofs [--iamprover PYTHON] [--seconds N]`. iamprover is not a dependency; give the interpreter of
an environment that has it:

    python -m venv .workbook/iamprover && .workbook/iamprover/bin/pip install iamprover==0.7.1

Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.policies import documents
from workbook.access.proofs import Prover
from workbook.host.paths import ROOT
from workbook.inventory import Inventory

SAVED = ROOT / "tests" / "unit" / "fixtures" / "inventory_dev.json"
ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

# Runs in the other environment: account, invariant -> the answer and its seconds.
_THEIRS = """
import json, sys, time
from pathlib import Path
from iamprover.engine.solver import check_all
from iamprover.invariants import parse_invariants
from iamprover.parsers.iam import load_account
account, invariants = load_account(sys.argv[1]), parse_invariants(json.loads(Path(sys.argv[2]).read_text()))
started = time.perf_counter()
(result,) = check_all(account, invariants)
said = "PROVEN" if result.passed else f"REFUTED {result.counterexamples[0]}"
print(json.dumps([said, time.perf_counter() - started]))
"""


@dataclass(frozen=True)
class Invariant:
    """No request with these actions on these resources is allowed, but for these principals (ARNs).

    `where` is a limit on the circumstances as ours takes it, `pinned` the same as iamprover takes it: fixed values.
    """

    name: str
    actions: list[str]
    resources: list[str]
    exempt: tuple[str, ...] = ()
    where: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.policy_proofs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iamprover", metavar="PYTHON", help="interpreter of an environment that has iamprover")
    parser.add_argument("--seconds", type=int, default=120, help="limit for each of iamprover's proofs (default: 120)")
    options = parser.parse_args()
    inventory = Inventory.from_json(SAVED.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        account = Path(name) / "account.json"
        account.write_text(json.dumps(exported(inventory)))
        for invariant in invariants(inventory):
            print(f"\n{invariant.name}")
            print(f"  this project: {ours(inventory, invariant)}", flush=True)
            if options.iamprover:
                print(f"  iamprover:    {theirs(options.iamprover, account, invariant, options.seconds)}", flush=True)
    if not options.iamprover:
        print(f"\niamprover was not asked. {(__doc__ or '').split('has it:')[1].split('Nothing')[0].strip()}")
    return 0


def invariants(inventory: Inventory) -> list[Invariant]:
    prefix = inventory.scope.prefix
    bucket = next(row.name for row in inventory.rows("buckets") if row.name.startswith(f"{prefix}-data"))
    endpoint = next(row.endpoint_id for row in inventory.rows("endpoints") if row.service == "s3")
    arns = {row.name.removeprefix(f"{prefix}-"): row.role_arn for row in inventory.rows("roles")}
    data, objects = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"
    readers = (arns["ecs-task-role"], arns["s3-replication-role"], *administrators(inventory))
    exempt = (*administrators(inventory)[:1], arns["s3-replication-role"])
    outside: dict[str, Any] = {
        "where": {"StringNotEquals": {"aws:SourceVpce": endpoint}},
        "pinned": {"aws:SourceVpce": "vpce-00000000000000000"},
    }
    logs = next(row.name for row in inventory.rows("buckets") if row.name.startswith(f"{prefix}-logs"))
    others = (*(arn for name, arn in arns.items() if name != "ecs-task-role"), *administrators(inventory))
    return [
        Invariant(
            "no object without TLS",
            ["s3:GetObject"],
            [objects],
            where={"Bool": {"aws:SecureTransport": "false"}},
            pinned={"aws:SecureTransport": "false"},
        ),
        Invariant(
            "objects only through the endpoint, but for operator and replication",
            ["s3:GetObject"],
            [objects],
            exempt,
            **outside,
        ),
        Invariant("the same, any action on bucket and objects", ["s3:*"], [data, objects], exempt, **outside),
        Invariant("only the task role and replication read objects", ["s3:GetObject"], [objects], readers),
        Invariant("the task role does nothing in the log bucket", ["s3:*"], [f"arn:aws:s3:::{logs}/*"], others),
    ]


def administrators(inventory: Inventory) -> tuple[str, ...]:
    """The operator that the bucket policies exempt, and an administrator that they do not name."""
    operator = next(
        value
        for row in inventory.rows("bucket_policy_statements", effect="Deny")
        for values in row.statement.get("Condition", {}).get("ArnNotEquals", {}).values()
        for value in ([values] if isinstance(values, str) else values)
        if "-s3-replication-role" not in value
    )
    return operator, f"arn:aws:iam::{operator.split(':')[4]}:role/another-administrator"


def ours(inventory: Inventory, invariant: Invariant) -> str:
    """Our answer: the same principals, the two administrators among them."""
    started = time.perf_counter()
    prover = Prover(inventory)
    callers = [
        caller
        for caller in prover.everyone(invariant.resources, invariant.actions[0].replace("*", "GetObject"))
        if caller.account == prover.account.id and caller.arn not in invariant.exempt
    ]
    if set(administrators(inventory)) <= set(invariant.exempt):
        callers = [caller for caller in callers if caller.arn is not None]
    proof = prover.prove(invariant.actions, invariant.resources, callers, invariant.where)
    return f"{proof.answer} in {time.perf_counter() - started:.2f} s, {proof.tried} requests: {proof.says}"


def theirs(python: str, account: Path, invariant: Invariant, seconds: int) -> str:
    asked = {
        "id": "invariant",
        "forbid": {"actions": invariant.actions, "resources": invariant.resources},
        "unless_principal": list(invariant.exempt),
        "where": dict(invariant.pinned),
    }
    path = account.with_name("invariants.json")
    path.write_text(json.dumps({"invariants": [asked]}))
    try:
        done = subprocess.run(
            [python, "-c", _THEIRS, str(account), str(path)], capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return f"no answer after {seconds} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    said, took = json.loads(done.stdout)
    return f"{said.split()[0]} in {took:.2f} s{': ' + said.split(maxsplit=1)[1][:300] if ' ' in said else ''}"


def exported(inventory: Inventory) -> dict[str, Any]:
    """The account as iamprover reads it: roles with policies and boundary, bucket policies, two administrators."""
    found = dict(documents(inventory))
    principals = []
    for row in inventory.rows("roles"):
        identity = [found[f"identity/{name}"] for name in row.attached_policies if f"identity/{name}" in found]
        identity += [found[f"inline/{row.name}/{name}"] for name in row.inline_policies or ()]
        principals.append({
            "arn": row.role_arn,
            "policies": [{"name": f"{row.name} {n}", "document": document} for n, document in enumerate(identity)],
            **({"permission_boundary": found[f"boundary/{row.boundary}"]} if row.boundary else {}),
        })  # fmt: skip
    principals += [
        {"arn": arn, "policies": [{"name": "administrator", "document": ADMINISTRATOR}]}
        for arn in administrators(inventory)
    ]
    buckets = [{"name": name, "document": document} for name, document in found.items() if name.startswith("bucket/")]
    return {"principals": principals, "resource_policies": buckets}


if __name__ == "__main__":
    sys.exit(main())
