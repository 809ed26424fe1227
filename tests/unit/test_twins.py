"""Two resources with one Name tag stay two: in claims, paths, the matrix, pictures and the comparison of versions.

Beside every security group, subnet, route table, network ACL and NAT gateway of dev there is another of the same name
that nothing uses and that is as open, or as broken, as can be. What dev says of its own resources must not change.
"""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from workbook.claims import CLAIMS, Results, Verdict, judge
from workbook.comparison import versions
from workbook.diagram.render import describe, sketch
from workbook.errors import WorkbookError
from workbook.inventory import Inventory, Row
from workbook.network import matrix, reach
from workbook.network.flows import INTERNET, Key

P = "alloy-dev-take-home"
TWIN = "-twin"
ANYWHERE = {"peer": "0.0.0.0/0", "peer_id": "0.0.0.0/0", "peer_type": "cidr"}
EVERY_PORT = {"protocol": "all", "ports": "all", "from_port": None, "to_port": None}


def other(id: str) -> str:
    return f"{id}{TWIN}"


def twins_of(dev: Inventory) -> dict[str, list[Row]]:
    """The rows that are added to each table."""
    (gateway,) = dev.rows("internet_gateways")
    subnets = [
        row.replaced(
            subnet_id=other(row.subnet_id),
            route_table_id=other(row.route_table_id),
            network_acl_id=other(row.network_acl_id),
            cidr=row.cidr.replace("10.0.", "10.1."),
            tier="private" if row.tier == "public" else "public",
            az="us-east-1z",
            public_ip_on_launch=True,
        )
        for row in dev.rows("subnets")
    ]
    out = {"target": gateway.name, "target_id": gateway.internet_gateway_id, "target_type": "internet_gateway"}
    routes = [
        row.replaced(route_table_id=other(row.route_table_id), subnet_ids=[other(id) for id in row.subnet_ids])
        for row in dev.rows("routes")
    ]
    (nat,) = dev.rows("nat_gateways")
    routes = [
        row.replaced(target_id=other(nat.nat_gateway_id))
        if row.target_type == "nat_gateway"
        else row.replaced(**out)
        if row.target_type == "vpc_endpoint"
        else row
        for row in routes
    ]
    routes += [
        row.replaced(destination="128.0.0.0/1", destination_id="128.0.0.0/1", **out)
        for row in routes
        if row.target_type == "local"
    ]
    (rule, *_) = dev.rows("security_group_rules")
    return {
        "subnets": subnets,
        "routes": routes,
        "nat_gateways": [
            row.replaced(
                nat_gateway_id=other(row.nat_gateway_id),
                subnet_id=other(row.subnet_id),
                state="failed",
                public_ip="",
                az="us-east-1z",
            )
            for row in dev.rows("nat_gateways")
        ],
        "nacl_entries": [
            row.replaced(
                network_acl_id=other(row.network_acl_id),
                subnet_ids=[other(id) for id in row.subnet_ids],
                action="allow",
                **EVERY_PORT,
            )
            for row in dev.rows("nacl_entries")
        ],
        "security_groups": [row.replaced(group_id=other(row.group_id)) for row in dev.rows("security_groups")],
        "security_group_rules": [
            rule.replaced(
                security_group=group.name,
                group_id=other(group.group_id),
                rule_id=f"sgr-{n}-{way}",
                direction=way,
                **ANYWHERE,
                **EVERY_PORT,
            )
            for n, group in enumerate(dev.rows("security_groups"))
            for way in ("ingress", "egress")
        ],
    }


@pytest.fixture(scope="module")
def both(dev: Inventory) -> Inventory:
    """dev with the twins before its own rows, so that whoever looks for a name finds a twin first."""
    found = dev.replace(**{table: [*more, *dev.rows(table)] for table, more in twins_of(dev).items()})
    for table in ("subnets", "security_groups", "nat_gateways"):
        assert len(found.by_key(table)) == 2 * len({row.name for row in found.rows(table)})
    return found


# ── claims ──

# Claims about the resources that something uses: what they say of dev stands, twins or not.
OF_WHAT_IS_USED = (
    "ECS-PRIVATE-SUBNETS", "ECS-MULTI-AZ", "ALB-SUBNETS", "VPC-SG-TASK-IN", "VPC-SG-TASK-OUT", "VPC-SG-ALB-OUT",
    "VPC-SG-ENDPOINT-IN", "VPC-RULES-ENFORCED", "VPC-ENDPOINTS", "VPC-FLOW-LOGS", "ECS-PORT", "ECS-AUTOSCALING",
)  # fmt: skip
# Claims about each resource: dev's own is as claimed, the twin is not.
OF_EACH = ("VPC-SG-WORLD", "VPC-SG-DEFAULT", "VPC-PRIVATE-NO-IGW", "VPC-NAT", "VPC-S3-ROUTE", "VPC-NO-AUTO-PUBLIC-IP")


@pytest.fixture(scope="module")
def judged(both: Inventory) -> Results:
    return judge(both)


@pytest.mark.parametrize("claim", OF_WHAT_IS_USED)
def test_a_claim_about_what_is_used_does_not_look_at_a_namesake(claim: str, dev: Inventory, judged: Results) -> None:
    alone = judge(dev, [CLAIMS[claim].layer])[claim]
    assert alone.verdict is not Verdict.FAIL and alone.evidence
    assert judged[claim].evidence == alone.evidence


@pytest.mark.parametrize("claim", OF_EACH)
def test_a_claim_about_each_resource_tells_namesakes_apart(claim: str, dev: Inventory, judged: Results) -> None:
    ok = {line.resource for line in judge(dev, [CLAIMS[claim].layer])[claim].evidence if line.ok}
    seen = [(line.resource, line.ok) for line in judged[claim].evidence]
    assert ok
    for name in ok:
        assert {ok for resource, ok in seen if resource == name} == {True, False}, name


@pytest.mark.parametrize("claim", ["VPC-NACL-DEDICATED", "VPC-ROUTE-TABLES"])
def test_namesakes_that_keep_to_themselves_share_nothing(claim: str, dev: Inventory, judged: Results) -> None:
    alone = judge(dev, ["vpc"])[claim]
    assert len(judged[claim].evidence) == 2 * len(alone.evidence) > 0
    assert judged[claim].verdict is alone.verdict is Verdict.PASS


# ── paths and the matrix ──


def test_every_answer_of_the_matrix_stays_what_it_is(dev: Inventory, both: Inventory) -> None:
    def answers(frame: pd.DataFrame) -> dict[tuple[str, str, int], str]:
        whole = frame[frame["from_subnet"] == ""]
        return {(row.source, row.target, row.port): row.verdict for row in whole.itertuples()}

    shared = {row.name for table in ("security_groups", "nat_gateways") for row in dev.rows(table)} | {"nat"}
    alone = {key: verdict for key, verdict in answers(matrix(dev)).items() if not shared & set(key[:2])}
    with_twins = answers(matrix(both))
    assert len(alone) >= 35
    assert {key: with_twins[key] for key in alone} == alone


def test_the_matrix_asks_for_namesakes_by_id(dev: Inventory, both: Inventory) -> None:
    found = matrix(both)
    (default,) = [row.group_id for row in dev.rows("security_groups", is_default=True)]
    (nat,) = dev.by_key("nat_gateways")
    for id in (default, other(default), nat, other(nat)):
        assert id in set(found["source"]), id
    across = found[found["from_subnet"] != ""]
    assert len(across) == 4 and set(across["verdict"]) == {"yes"}
    assert set(across["from_subnet"]) <= set(dev.by_key("subnets"))


def test_a_path_runs_through_the_resources_themselves(both: Inventory) -> None:
    assert reach(both, "internet", "task", 8080).verdict == "no"
    assert reach(both, "task", "internet", 443).verdict == "yes"
    assert reach(both, "task", "internet", 22).verdict == "no"
    assert len(reach(both, "task", "alb", 80).paths) == 9


def test_a_group_is_asked_for_by_id_where_its_name_is_shared(dev: Inventory, both: Inventory) -> None:
    (group,) = [row for row in dev.rows("security_groups") if row.name.endswith("-task-sg")]
    with pytest.raises(WorkbookError, match="more than one") as caught:
        reach(both, group.name, "internet", 443)
    assert {group.group_id, other(group.group_id)} <= set(caught.value.next_step.rstrip(".").replace(",", "").split())

    def out(id: str) -> set[str]:
        hops = [hop for path in reach(both, id, "internet", 22).paths for hop in path.hops]
        return {hop.verdict for hop in hops if hop.what == "security group out"}

    assert (out(group.group_id), out(other(group.group_id))) == ({"no"}, {"yes"})


def test_a_subnet_is_asked_for_by_id_where_its_name_is_shared(dev: Inventory, both: Inventory) -> None:
    (subnet,) = dev.rows("subnets", name=f"{P}-vpc-private-us-east-1a")
    for ask in (
        lambda: reach(both, "task", "s3", 443, source_subnet=subnet.name),
        lambda: reach(both, subnet.name, "internet", 443),
    ):
        with pytest.raises(WorkbookError, match="more than one"):
            ask()
    assert reach(both, "task", "s3", 443, source_subnet=subnet.subnet_id).verdict == "yes"
    with pytest.raises(WorkbookError, match="is not in the subnet"):
        reach(both, "task", "s3", 443, source_subnet=other(subnet.subnet_id))


# ── pictures ──


@pytest.mark.parametrize("name", ["vpc", "architecture", "ecs"])
def test_a_picture_keeps_dev_as_it_is(name: str, dev: Inventory, both: Inventory) -> None:
    alone, picture = sketch(name, dev), sketch(name, both)
    ours = {flow for flow in picture.flows if not any(TWIN in key.id for key in flow[:2])}
    assert ours == set(alone.flows)
    used = {key for flow in alone.flows for key in flow[:2] if key.table in ("services", "load_balancers", "endpoints")}
    crossing = [flow for flow in picture.flows if TWIN in flow.target.id and flow.source in used]
    crossing += [flow for flow in picture.flows if TWIN in flow.source.id and flow.target.table == "services"]
    assert crossing == []
    cards = {name: texts for name, texts in picture.texts.items() if name in picture.cards and TWIN not in name}
    assert cards == {name: texts for name, texts in alone.texts.items() if name in alone.cards}
    assert not [flow for flow in picture.flows if flow.target.table == "services" and flow.source == INTERNET]


@pytest.mark.parametrize("table", ["subnets", "nat_gateways", "security_groups"])
def test_a_picture_has_a_place_for_each(table: str, both: Inventory) -> None:
    picture = sketch("vpc", both)
    assert {key.id for key in picture.nodes if key.table == table} == set(both.by_key(table))
    assert {Counter(key.name for key in picture.nodes if key.table == table)[row.name] for row in both.rows(table)} == {
        2
    }


def test_a_route_leads_from_its_own_table_to_its_own_target(dev: Inventory, both: Inventory) -> None:
    (nat,) = dev.by_key("nat_gateways")
    to_nat = {flow.source for flow in sketch("vpc", both).flows if flow.target == Key("nat_gateways", nat)}
    assert to_nat == {Key("routes", row.route_table_id) for row in dev.rows("routes", target_type="nat_gateway")}
    to_twin = {flow.source for flow in sketch("vpc", both).flows if flow.target == Key("nat_gateways", other(nat))}
    assert to_twin == {Key("routes", other(key.id)) for key in to_nat}


def test_tasks_stand_in_the_subnets_of_their_service_only(dev: Inventory, both: Inventory) -> None:
    picture = sketch("architecture", both)
    (service,) = dev.rows("services")
    places = [name for name, key in picture.cards.items() if key == Key.of("services", service)]
    assert sorted(name.split("@")[1] for name in places) == service.subnet_ids


def test_the_text_of_a_picture_tells_namesakes_apart(dev: Inventory, both: Inventory) -> None:
    lines = describe(sketch("vpc", both)).splitlines()[2:]
    assert len(lines) == len(set(lines))
    assert any(TWIN in line for line in lines)
    assert TWIN not in describe(sketch("vpc", dev)) and "(sg-" not in describe(sketch("vpc", dev))


# ── versions ──


def test_the_comparison_counts_both_and_speaks_of_the_services_own(dev: Inventory, both: Inventory) -> None:
    def seen(layer: str, aspect: str, inventory: Inventory) -> str:
        found = versions.compare(layer, inventory)
        return str(found[found["aspect"] == aspect]["seen live"].item())

    assert seen("ecs", "Place", both) == seen("ecs", "Place", dev)
    assert seen("vpc", "Way out", dev).endswith("of 3 route tables")
    assert seen("vpc", "Way out", both).endswith("of 6 route tables")
    assert seen("vpc", "Route tables", dev).startswith("4,") and seen("vpc", "Route tables", both).startswith("8,")
