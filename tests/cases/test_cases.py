"""The corpus: inputs with the verdict that AWS's behaviour makes right. Most are from public bug reports against tools
that do the same job; each says where from.

A case is a `[[case]]` of a file `<area>.toml`:

    id      unique, lower case with hyphens
    why     one sentence: why AWS would do this
    source  the bug report (`owner/repository#123`), the page of AWS's documentation, or `own`
    right   the right verdict; or a list, where several are right
    names   optional: a text, or a list of texts, that the reason must contain (of a claim that holds, the evidence)
    without optional: a text, or a list of texts, that it must not contain
    change  optional: changes to the saved inventory of the dev environment
    unread  optional: tables that could not be read completely

and what it asks, which is one of the keys of `kinds.KINDS`: `claim = "S3-TLS"`; `question` and `reach` with the
parameters of `access.can` and `network.reach`; `matrix` with source, target and port of a row of the table of what
reaches what; `picture` with the tables that an arrow leads from and to; `plan`, the name of a file of `plans/` or parts
of Terraform's plan JSON; `diagnostic`, what a failed command printed, whose right verdict is the cause.

A change names a `table`, the rows `where` columns have a value (or a list that contains it), and one of:

    set        columns and their new values; `environment.PORT` is a key within a column
    statement  another policy statement, from which all columns of the row follow
    amend      elements of the statement to replace; "" takes one away. Likewise of a container's definition, from which
               the columns follow: `linuxParameters.capabilities.drop`, `environment.PORT`
    add        a new row: columns and values, beside those of the first row that matches `where`, if it is given
    remove     true

Names that differ from account to account are placeholders: `{data}`, `{logs}`, `{replica}`, `{account}`, `{prefix}`,
`{region}`, `{replica_region}`, `{task_role}`, `{execution_role}`, `{replication_role}`, `{operator}`, `{vpc}`; ids are
`{endpoint:s3}`, `{subnet:private-us-east-1a}`, `{group:task-sg}`, `{route_table:…}`, `{acl:…}`, `{nat:…}`; and
`{role:ecs-task-role}` is an ARN.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cases.changes import BadCase, changed, filled, saved
from cases.kinds import KINDS, Case

HERE = Path(__file__).parent
WRITTEN = [one for path in sorted(HERE.glob("*.toml")) for one in tomllib.loads(path.read_text())["case"]]
_SOURCE = re.compile(r"own|[\w.-]+/[\w.-]+#\d+|https://docs\.aws\.amazon\.com/\S+")


def checked(written: dict[str, Any]) -> Case:
    """The case; BadCase if it is not one, with the reason."""
    kinds = [kind for kind in KINDS if kind in written]
    if len(kinds) != 1:
        raise BadCase(f"asks {len(kinds)} things; one of {', '.join(KINDS)}")
    common = {"id", "why", "source", "right"}
    if missing := common - set(written):
        raise BadCase(f"lacks {', '.join(sorted(missing))}")
    if strange := set(written) - common - {"names", "without", "change", "unread", kinds[0]}:
        raise BadCase(f"has an unknown {', '.join(sorted(strange))}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", written["id"]):
        raise BadCase("its id is not lower case with hyphens")
    if not written["why"].strip() or not all(_SOURCE.fullmatch(one) for one in _listed(written["source"])):
        raise BadCase(f"says no why, or its source is none: {written['source']}")
    right, names = _listed(written["right"]), filled(_listed(written.get("names", [])))
    rights = KINDS[kinds[0]].rights
    if not right or (rights and not set(right) <= set(rights)):
        raise BadCase(f"right is one of {', '.join(rights)}")
    change, unread = (tuple(written.get(key, ())) for key in ("change", "unread"))
    without = tuple(filled(_listed(written.get("without", []))))
    return Case(written["id"], kinds[0], written[kinds[0]], tuple(right), tuple(names), change, unread, without)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("written", WRITTEN, ids=[one.get("id", "without-an-id") for one in WRITTEN])
def test_case(written: dict[str, Any]) -> None:
    try:
        case = checked(written)
        answer = KINDS[case.kind].answer(case)
    except BadCase as why:
        pytest.fail(f"{written.get('id', written)}: {why}", pytrace=False)
    right = answer.verdict in case.right and all(name in answer.said for name in case.names)
    right = right and not any(text in answer.said for text in case.without)
    if not right:
        wanted = f"{' or '.join(case.right)}{', naming ' + ', '.join(case.names) if case.names else ''}"
        wanted += f", without {', '.join(case.without)}" if case.without else ""
        pytest.fail(
            f"{case.id}: {answer.verdict}, but {wanted} is right: {written['why']}\n{answer.said}", pytrace=False
        )


# ── the runner ──


def test_every_id_is_there_once() -> None:
    assert [id for id, count in Counter(one.get("id") for one in WRITTEN).items() if count > 1] == []


GOOD: dict[str, Any] = {
    "id": "a-bucket-without-encryption",
    "claim": "S3-ENCRYPTION",
    "right": "FAIL",
    "names": "{data}",
    "why": "Nothing encrypts it.",
    "source": "own",
    "change": [{"table": "buckets", "where": {"name": "{data}"}, "set": {"encryption": ""}}],
}


def test_a_good_case_is_answered() -> None:
    case = checked(GOOD)
    assert KINDS["claim"].answer(case).verdict == "FAIL"
    assert case.names == (saved().rows("bucket_replication_rules")[0].bucket,)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"id": "Not An Id"}, "id"),
        ({"wrong": True}, "unknown wrong"),
        ({"claim": "S3-NOTHING"}, "no claim S3-NOTHING"),
        ({"reach": {}}, "asks 2 things"),
        ({"right": "fail"}, "right is one of"),
        ({"right": []}, "right is one of"),
        ({"source": "somewhere"}, "source"),
        ({"names": "{nothing}"}, r"no placeholder \{nothing\}"),
        ({"names": "{subnet:nowhere}"}, "0 rows of subnets"),
        ({"unread": ["nothing"]}, "no table nothing"),
        ({"change": [{"table": "buckets", "where": {"name": "x"}, "set": {"encryption": ""}}]}, "no row of buckets"),
        ({"change": [{"table": "buckets", "where": {"name": "x"}, "add": {"encryption": ""}}]}, "no row of buckets"),
        ({"change": [{"table": "bucket", "set": {"encryption": ""}}]}, "no table bucket"),
        ({"change": [{"table": "buckets", "set": {"colour": ""}}]}, "no column colour"),
        ({"change": [{"table": "buckets", "where": {"colour": ""}, "set": {}}]}, "no column colour"),
        ({"change": [{"table": "buckets", "set": {}, "remove": True}]}, "one of set"),
        ({"change": [{"table": "buckets", "put": {}}]}, "one of set"),
        ({"change": [{"table": "buckets", "remove": False}]}, "remove is true"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_case_that_is_not_one_says_why(broken: dict[str, Any], why: str) -> None:
    with pytest.raises(BadCase, match=why):
        case = checked({**GOOD, **broken})
        KINDS[case.kind].answer(case)


def test_an_unfinished_case_says_what_it_lacks() -> None:
    for key in ("id", "why", "source", "right"):
        with pytest.raises(BadCase, match=key):
            checked({name: value for name, value in GOOD.items() if name != key})


def test_a_claim_that_raises_is_not_a_right_fail() -> None:
    unusual = {"table": "bucket_policy_statements", "where": {"bucket": "{data}"}, "set": {"resources": None}}
    answer = KINDS["claim"].answer(checked({**GOOD, "claim": "S3-TLS", "change": [unusual]}))
    assert answer.verdict == "PASS"  # A proof reads the statement, not the columns that repeat it.


def test_a_changed_policy_changes_what_repeats_it() -> None:
    role = {"role": "{task_role}"}
    trust = {"table": "role_trust_statements", "where": role, "amend": {"Principal": {"AWS": "*"}, "Condition": ""}}
    inventory = changed([trust])
    role_arn, name = filled(["{role:ecs-task-role}", "{task_role}"])
    row = inventory.by_key("roles")[name]
    assert (row.trusted, row.trust_conditions, row.role_arn) == (["*"], [], role_arn)
    sole = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = inventory.rows("policies", name=f"{saved().scope.prefix}-ecs-task-policy")[0]
    where = {"policy": policy.name}
    inventory = changed([{"table": "iam_statements", "where": where, "statement": sole}])
    assert inventory.by_key("policies")[policy.policy_arn].document["Statement"] == [sole]
    assert inventory.rows("iam_statements", policy=policy.name)[0].actions == ["s3:*"]


def test_a_changed_container_is_what_its_definition_says() -> None:
    where = {"name": "dashboard"}
    elements = {"environment.PORT": "9090", "linuxParameters.capabilities.drop": [], "healthCheck": ""}
    before, after = (
        i.rows("containers", **where)[0]
        for i in (saved(), changed([{**{"table": "containers", "where": where}, "amend": elements}]))
    )
    assert (before.dropped_capabilities, after.dropped_capabilities, after.health_check) == (["ALL"], [], "")
    assert after.environment == {**before.environment, "PORT": "9090"}
    unread = {"table": "containers", "where": where, "set": {"environment.A": "b", "read_only_root": "{none}"}}
    assert (row := changed([unread]).rows("containers", **where)[0]).environment["A"] == "b"
    assert row.read_only_root is None


def test_nothing_changes_without_a_change() -> None:
    assert changed([]).to_json() == saved().to_json()
    same = {"table": "iam_statements", "where": {"effect": "Allow"}, "amend": {}}
    assert changed([same]).to_json() == saved().to_json()
