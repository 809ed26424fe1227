"""Claims: their verdicts on the deployed environment, that each can fail, and the output formats. No AWS."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from workbook.claims import BULLETS, CLAIMS, GROUPS, Results, Verdict, judge
from workbook.claims.engine import (
    LIMITS_BY_ID,
    Claim,
    Evidence,
    View,
    accepted,
    cannot_tell,
    evidence,
    judge_one,
    not_applicable,
)
from workbook.compliance import export
from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory, Row, Scope
from workbook.layers import BY_KEY

HERE = Path(__file__).parent


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Dataclasses look up their module.
    spec.loader.exec_module(module)
    return module


MUTATIONS = _load("claim_mutations")
CASES: dict[str, Any] = MUTATIONS.CASES


@cache
def dev() -> Inventory:
    return Inventory.from_json((HERE / "fixtures" / "inventory_dev.json").read_text(encoding="utf-8"))


@cache
def results() -> Results:
    return judge(dev())


@cache
def rows() -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = json.loads(dev().to_json())["tables"]
    return tables


class Changed:
    """What a claim needs from an inventory, with changed rows: faster than a whole one; a test checks they agree."""

    def __init__(self, tables: dict[str, list[dict[str, Any]]]) -> None:
        self.scope, self.taken_at = dev().scope, dev().taken_at
        self._tables = tables

    def rows(self, table: str, **where: Any) -> tuple[Row, ...]:
        found = [cells for cells in self._tables[table] if MUTATIONS.matches(cells, where)]
        return tuple(Row(table, cells) for cells in found)

    def by_key(self, table: str) -> dict[str, Row]:
        return {getattr(row, TABLES[table].key): row for row in self.rows(table)}

    def fingerprint(self, columns: Mapping[str, tuple[str, ...]]) -> str:
        return json.dumps(
            [[[row[n] for n in names or row] for row in self._tables[table]] for table, names in columns.items()]
        )


def changed(claim: str) -> dict[str, list[dict[str, Any]]]:
    tables = copy.deepcopy(rows())
    CASES[claim].change(tables)
    return tables


# ── the engine ──


def test_a_claim_that_raises_is_its_own_failure_and_the_others_are_still_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(view: View) -> Iterator[Evidence]:
        yield evidence("first", "fine", True)
        raise KeyError("Arn")

    monkeypatch.setitem(CLAIMS, "S3-TLS", replace(CLAIMS["S3-TLS"], judge=broken))
    found = judge(dev())
    assert found["S3-TLS"].verdict is Verdict.FAIL
    assert found["S3-TLS"].reason == "this claim: its check raised KeyError: 'Arn'"
    assert len(found) == len(CLAIMS)
    assert [r.claim.id for r in found.failed] == ["S3-TLS"]


def test_what_is_not_modelled_is_neither_a_pass_nor_a_failure() -> None:
    def judged(*lines: Evidence) -> Verdict:
        claim = Claim("T", "s3", "low", "T.", lambda view: iter(lines))
        return judge_one(claim, View(dev()), [], "embedded").verdict

    fine, unknown, bad = (
        evidence("a", "x", True),
        cannot_tell("b", "a transit gateway is not modelled"),
        evidence("c", "x", False),
    )
    assert judged(fine, unknown) is Verdict.CANNOT_TELL
    assert judged(fine, unknown, bad) is Verdict.FAIL
    assert judged(accepted("d", "x", "reason"), unknown) is Verdict.CANNOT_TELL


# ── the deployed environment ──


def test_dev_keeps_every_claim_or_says_why_not() -> None:
    assert [(result.claim.id, result.reason) for result in results().failed] == []
    assert [result.claim.id for result in results() if result.verdict is not Verdict.PASS and not result.reason] == []


def test_the_exceptions_of_dev_are_the_ones_we_know() -> None:
    """A new exception is a decision, so it is written down here as well."""
    assert {result.claim.id for result in results() if result.verdict is Verdict.EXCEPTION} == {
        "VPC-NAT-PER-AZ", "VPC-ENDPOINT-POLICY", "VPC-ENDPOINT-ACCOUNT", "VPC-NACL-ADMIN-PORTS", "VPC-SG-TASK-OUT",
        "IAM-CONFUSED-DEPUTY", "IAM-NO-WILDCARD-RESOURCES", "IAM-NARROW-ARNS", "IAM-AWS-MANAGED",
        "S3-VPC-ONLY", "S3-ACCESS-LOGS",
        "ECS-IMAGE-PINNED", "ECS-IMAGE-PATH", "ECS-HEALTH-CHECK", "ECS-NON-ROOT", "ALB-HTTPS", "ALB-DELETION-PROTECTION",
    }  # fmt: skip


def test_what_an_emulator_cannot_show_is_not_passed_on_one() -> None:
    limited = {claim.id for claim in CLAIMS.values() if claim.limit}
    for target in ("embedded", "endpoint"):
        verdicts = {result.claim.id: result.verdict for result in judge(dev(), target=target)}
        assert {id for id, verdict in verdicts.items() if verdict is Verdict.NOT_TESTABLE} == limited


def test_a_real_account_shows_some_of_it() -> None:
    verdicts = {result.claim.id: result.verdict for result in judge(dev(), target="aws")}
    for claim in CLAIMS.values():
        if claim.limit:
            assert verdicts[claim.id] is (Verdict.PASS if claim.visible_on_aws else Verdict.NOT_TESTABLE)


# ── every claim can fail ──


def test_every_claim_has_a_change_that_makes_it_fail() -> None:
    assert set(CASES) == set(CLAIMS)


@pytest.mark.parametrize("claim", list(CASES))
def test_a_claim_turns_and_names_the_resource(claim: str) -> None:
    tables = changed(claim)
    look = View(Changed(tables))  # type: ignore[arg-type]
    # A claim is a function of the tables it uses: where none of them changed, its verdict did not.
    touched = {name for name in tables if tables[name] != rows()[name]}
    concerned = [result.claim for result in results() if touched & set(result.tables)]
    turned = {
        result.claim.id: result
        for result in (judge_one(each, look, [], "embedded") for each in concerned)
        if result.verdict is Verdict.FAIL
    }
    assert set(turned) == {claim} | CASES[claim].also
    assert CASES[claim].resource in {line.resource for line in turned[claim].against}


BOUNDARY = {"policy": "alloy-dev-take-home-permissions-boundary"}
OPENED = {**BOUNDARY, "effect": "Allow"}
MORE = {
    "the whole log bucket is more than a prefix": ("S3-LOG-WRITERS", "put", "bucket_policy_statements", {"sid": "AccessLogDelivery"}, {"resources": [f"arn:aws:s3:::{MUTATIONS.LOGS}/*"]}),
    "half the internet is the internet": ("VPC-SG-WORLD", "put", "security_group_rules", {"security_group": "alloy-dev-take-home-endpoint-sg"}, {"peer": "0.0.0.0/1", "peer_type": "cidr"}),
    "so is that of IPv6": ("VPC-SG-ADMIN-PORTS", "add", "security_group_rules", {"direction": "ingress"}, {"peer": "::/0", "peer_type": "cidr", "protocol": "all", "from_port": None, "to_port": None}),
    "a deny that comes too late": ("VPC-NACL-PRIVATE-IN", "put", "nacl_entries", {"rule_number": 190}, {"rule_number": 250}),
    "an ephemeral port that a group opens": ("VPC-NACL-ADMIN-PORTS", "add", "security_group_rules", {"peer": "0.0.0.0/0", "direction": "ingress"}, {"from_port": 3389, "to_port": 3389}),
    "the way out without the reason": ("VPC-SG-TASK-OUT", "put", "containers", {}, {"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/alloy-dev-take-home-app:1.0.0"}),
    "an action in other letters": ("IAM-BOUNDARY-ESCALATION", "add", "iam_statements", OPENED, {"actions": ["IAM:passrole"], "resources": ["*"]}),
    "an action under a wildcard": ("IAM-BOUNDARY-ESCALATION", "add", "iam_statements", OPENED, {"actions": ["iam:Pass*"], "resources": ["*"]}),
    "everything but one action": ("IAM-NO-WILDCARD-ACTIONS", "put", "iam_statements", {"policy": "alloy-dev-take-home-lambda-policy"}, {"actions": ["!s3:GetObject"]}),
    "a wildcard for every name that begins like ours": ("IAM-NARROW-ARNS", "put", "iam_statements", {"sid": "ReadAndWriteData"}, {"resources": ["arn:aws:s3:::alloy-dev-take-home-*"]}),
    "a forced wildcard with one action more": ("IAM-NO-WILDCARD-RESOURCES", "put", "iam_statements", {"sid": "GetRegistryToken"}, {"actions": ["ecr:DeleteRepository", "ecr:GetAuthorizationToken"]}),
    "the same in an endpoint's policy": ("VPC-ENDPOINT-POLICY", "put", "endpoint_policy_statements", {"sid": "AskWhoIAm"}, {"actions": ["sts:AssumeRole", "sts:GetCallerIdentity"]}),
    "a denial for some only": ("S3-TLS", "put", "bucket_policy_statements", {"sid": "DenyInsecureTransport"}, {"principals": ["AWS: arn:aws:iam::123456789012:role/x"]}),
    "a denial of some actions only": ("S3-TLS", "put", "bucket_policy_statements", {"sid": "DenyInsecureTransport"}, {"actions": ["s3:PutObject"]}),
    "an exempt principal with a wildcard": ("S3-OPERATORS", "put", "bucket_policy_statements", {"sid": "DenyAllButReplicationAndOperators"}, {"conditions": ["aws:PrincipalArn ArnNotEquals arn:aws:iam::123456789012:role/*"]}),
    "a boundary denial under a condition": ("IAM-BOUNDARY-ESCALATION", "put", "iam_statements", {"sid": "NeverIdentityOrAudit"}, {"conditions": ["aws:MultiFactorAuthPresent Bool false"]}),
    "root that stays": ("ECS-NON-ROOT", "put", "containers", {"name": "prepare"}, {"dropped_capabilities": []}),
    "HTTP beside HTTPS": ("ALB-HTTPS", "add", "listeners", {}, {"protocol": "HTTPS", "port": 443}),
}  # fmt: skip


@pytest.mark.parametrize("story", list(MORE))
def test_no_deviation_hides_behind_another(story: str) -> None:
    claim, how, table, where, cells = MORE[story]
    tables = copy.deepcopy(rows())
    if claim == "IAM-BOUNDARY-ESCALATION":  # Nothing else in the boundary may deny it.
        MUTATIONS.boundary_allows("*", "iam:PassRole", "sts:AssumeRole")(tables)
        if how == "add":
            MUTATIONS.drop("iam_statements", sid="Opened")(tables)
        else:
            MUTATIONS.put("iam_statements", {"sid": "NeverIdentityOrAudit"}, actions=["iam:*"])(tables)
    getattr(MUTATIONS, how)(table, where, **cells)(tables)
    assert judge_one(CLAIMS[claim], View(Changed(tables)), [], "embedded").verdict is Verdict.FAIL  # type: ignore[arg-type]


def test_a_changed_inventory_fails_as_a_whole_does() -> None:
    mutated = Inventory.from_tables(changed("S3-TLS"), dev().scope)
    assert [result.claim.id for result in judge(mutated).failed] == ["S3-TLS"]


def test_an_empty_inventory_passes_nothing() -> None:
    empty = Inventory.from_tables({}, Scope("alloy-dev-take-home", "us-east-1", "us-west-2"))
    for target in ("embedded", "aws"):
        judged = judge(empty, target=target)
        assert len(judged) == len(CLAIMS)
        assert {result.verdict for result in judged} == {Verdict.FAIL}


def test_what_could_not_be_read_is_not_passed() -> None:
    look = View(dev())
    for claim in CLAIMS.values():
        assert judge_one(claim, look, [], "embedded").verdict is not Verdict.FAIL
        for table in look.looked_at.copy():
            result = judge_one(claim, look, [{"table": table, "call": "Describe", "error": "AccessDenied"}], "embedded")
            assert result.verdict is Verdict.CANNOT_TELL
            assert f"{table}: could not be read: Describe: AccessDenied" in result.reason


def test_cells_that_aws_did_not_tell_stop_no_claim() -> None:
    """Every cell None, as if all calls had been denied: no claim can tell, and none raises."""
    for table in TABLES:
        tables = copy.deepcopy(rows())
        keep = {"name", "statement", "definition", "tags"}
        tables[table] = [
            {column: value if column in keep else None for column, value in row.items()} for row in tables[table]
        ]
        look = View(Changed(tables))  # type: ignore[arg-type]
        for claim in (result.claim for result in results() if table in result.tables):
            result = judge_one(claim, look, [{"table": table, "call": "Describe", "error": "AccessDenied"}], "embedded")
            assert result.verdict is Verdict.CANNOT_TELL, claim.id
            assert "raised" not in result.reason


def test_problems_of_the_inventory_reach_the_claims() -> None:
    blind = Inventory(
        dev().scope,
        dev().taken_at,
        {name: dev()[name] for name in TABLES},
        [{"table": "autoscaling", "call": "x", "error": "no"}],
    )
    assert [result.claim.id for result in judge(blind).failed] == ["ECS-AUTOSCALING"]


def test_a_claim_about_a_layer_that_was_not_read_cannot_tell_and_says_so() -> None:
    only_s3 = Inventory(dev().scope, dev().taken_at, dev().layer("s3"))
    result = judge(only_s3, ["s3"])["S3-VPC-ONLY"]
    assert result.verdict is Verdict.CANNOT_TELL
    assert "belongs to the layer vpc" in result.reason


def test_only_layers_that_were_read_are_judged_by_default() -> None:
    only_ecr = Inventory(dev().scope, dev().taken_at, dev().layer("ecr"))
    assert {result.claim.layer for result in judge(only_ecr)} == {"ecr"}


# ── the verdict ──


def verdict(*lines: Evidence, limit: str = "", target: str = "embedded") -> Verdict:
    claim = Claim("T", "s3", "low", "A test.", lambda look: iter(lines), limit, visible_on_aws=True)
    return judge_one(claim, View(dev()), [], target).verdict


YES, NO = evidence("a", "as said", True), evidence("b", "not so", False)
BUT, NOT_HERE = accepted("c", "not so", "Because."), not_applicable("d", "other", "Of no concern.")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), Verdict.FAIL),
        ((YES,), Verdict.PASS),
        ((NO,), Verdict.FAIL),
        ((YES, BUT), Verdict.EXCEPTION),
        ((BUT,), Verdict.EXCEPTION),
        ((YES, BUT, NO), Verdict.FAIL),
        ((NOT_HERE,), Verdict.NOT_APPLICABLE),
        ((NOT_HERE, YES), Verdict.PASS),
        ((NOT_HERE, NO), Verdict.FAIL),
        ((evidence("e", "unknown", None),), Verdict.FAIL),
    ],
)
def test_the_verdict_follows_from_the_evidence(lines: tuple[Evidence, ...], expected: Verdict) -> None:
    assert verdict(*lines) is expected


def test_a_limit_hides_a_pass_and_never_a_failure() -> None:
    assert verdict(YES, limit="s3-lifecycle") is Verdict.NOT_TESTABLE
    assert verdict(YES, limit="s3-lifecycle", target="aws") is Verdict.PASS
    assert verdict(NO, limit="s3-lifecycle") is Verdict.FAIL
    assert verdict(limit="s3-lifecycle") is Verdict.FAIL


# ── what the documents say ──


def test_every_bullet_has_a_claim_or_says_why_not() -> None:
    assert [
        f"{bullet.section}: {bullet.says}" for bullet in BULLETS if not bullet.claims and len(bullet.why_not) < 10
    ] == []


def test_bullets_speak_of_claims_that_are_there() -> None:
    assert {claim for bullet in BULLETS for claim in bullet.claims} - set(CLAIMS) == set()


def test_most_of_what_the_documents_say_is_claimed() -> None:
    assert len(CLAIMS) >= 70
    assert sum(bool(bullet.claims) for bullet in BULLETS) / len(BULLETS) > 0.7
    # Every bullet in these sections, without exception.
    for section in ("Network Security", "Compute Security", "Data Security", "Identity and Access Management"):
        assert all(bullet.claims for bullet in BULLETS if bullet.section == section)
    assert all(bullet.claims for bullet in BULLETS if bullet.section.startswith("Security Considerations"))


def test_claims_are_sentences() -> None:
    for claim in CLAIMS.values():
        assert claim.says.endswith(".") and len(claim.says) < 160, claim.id
        assert claim.layer in GROUPS
    assert {claim.limit for claim in CLAIMS.values()} - {""} <= set(LIMITS_BY_ID)


# ── forms ──


def test_table_and_display_are_the_same_on_every_run_and_name_no_random_id() -> None:
    again = judge(dev())
    assert again.rendered().html == results().rendered().html
    assert again.rendered().text == results().rendered().text
    assert (
        re.findall(
            r"\b(?:vpc|subnet|sg|rtb|acl|igw|nat|vpce|pl|fl|eni)-[0-9a-f]{8,}\b",
            results().rendered().text + results().rendered().html,
        )
        == []
    )


def test_the_table_has_a_row_for_each_claim() -> None:
    table = results().table()
    assert list(table["claim"]) == [claim.id for claim in CLAIMS.values()]
    assert not table.isna().to_numpy().any()
    assert sum(results().counts.values()) == len(CLAIMS)


def test_json_has_source_controls_and_evidence() -> None:
    data = json.loads(export.to_json(results()))
    (tls,) = [claim for claim in data["claims"] if claim["id"] == "S3-TLS"]
    assert "CIS AWS 5.0.0 2.1.1" in tls["controls"]
    assert any("requiring HTTPS" in source for source in tls["sources"])
    assert len(tls["evidence"]) == 3
    assert data["counts"] == results().counts


def test_junit_counts_failures_and_skips() -> None:
    failing = judge(Inventory.from_tables(changed("S3-TLS"), dev().scope))
    suite = ElementTree.fromstring(export.to_junit(failing))
    assert suite.attrib["failures"] == "1"
    assert [case.attrib["name"].split(":")[0] for case in suite if case.find("failure") is not None] == ["S3-TLS"]
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


def test_the_page_stands_alone() -> None:
    page = export.to_html(results())
    assert page.startswith("<!doctype html>")
    for reference in ("<script", "src=", "href=", "@import", "url("):
        assert reference not in page


def test_unknown_names_are_refused_with_what_there_is() -> None:
    with pytest.raises(WorkbookError, match="no claims for a layer named 'lambda'"):
        judge(dev(), ["lambda"])
    with pytest.raises(WorkbookError, match="no kind of target"):
        judge(dev(), target="gcp")
    with pytest.raises(WorkbookError, match="was not checked"):
        results()["S3-NOTHING"]
    assert set(BY_KEY) < set(GROUPS)


def test_what_dev_may_save_on_is_no_exception_elsewhere(dev: Inventory) -> None:
    """One NAT gateway for all zones: accepted in dev, false in production."""
    scope = replace(dev.scope, prefix="alloy-prod-take-home")
    production = Inventory.from_tables({name: dev[name] for name in dev}, scope, dev.taken_at)
    found = [judge(inventory)["VPC-NAT-PER-AZ"] for inventory in (dev, production)]
    assert [result.verdict for result in found] == [Verdict.EXCEPTION, Verdict.FAIL]


def test_a_listener_without_tls_does_not_say_that_there_is_none(dev: Inventory) -> None:
    (plain,) = dev.rows("listeners")
    https = plain.replaced(
        protocol="HTTPS", port=443, listener_arn="https", ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06"
    )
    reasons = {
        len(rows): [line.reason for line in judge(dev.replace(listeners=rows))["ALB-TLS-POLICY"].evidence]
        for rows in ([plain], [plain, https])
    }
    assert reasons == {
        1: ["There is no HTTPS listener until a certificate is set."],
        2: ["It has no TLS; ALB-HTTPS judges it.", ""],
    }


def test_a_known_way_to_more_permissions_that_is_no_iam_action() -> None:
    tables = copy.deepcopy(rows())
    function = "arn:aws:lambda:us-east-1:123456789012:function:nightly"
    policy = {"policy": "alloy-dev-take-home-lambda-policy"}
    MUTATIONS.put("iam_statements", policy, actions=["lambda:UpdateFunctionCode"], resources=[function])(tables)
    claim = CLAIMS["IAM-NO-ESCALATION"]
    assert judge_one(claim, View(Changed(tables)), [], "embedded").verdict is Verdict.PASS  # type: ignore[arg-type]
    MUTATIONS.boundary_allows(function, "lambda:UpdateFunctionCode")(tables)
    judged = judge_one(claim, View(Changed(tables)), [], "embedded")  # type: ignore[arg-type]
    assert judged.verdict is Verdict.FAIL
    assert [(e.resource, e.observed[:11]) for e in judged.against] == [
        ("alloy-dev-take-home-lambda-role", "lambda-003:")
    ]
