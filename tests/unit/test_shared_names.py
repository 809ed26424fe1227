"""One name for different things: resources of two kinds, services of two clusters, whole VPCs, a name that begins another.

Two resources of one kind in one VPC: test_twins.py.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from workbook.claims import Verdict, judge
from workbook.diagram.layout import Frame
from workbook.diagram.render import sketch
from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory, Row
from workbook.inventory.schema import Type
from workbook.network import matrix, reach

P = "alloy-dev-take-home"
SECOND = "-second"


def verdicts(inventory: Inventory) -> dict[tuple[str, str, int, str, str], str]:
    return {tuple(row)[:5]: row.verdict for row in matrix(inventory).itertuples(index=False)}  # type: ignore[misc]


# ── two kinds ──


@pytest.mark.parametrize("kind", ["load_balancers", "services", "endpoints", "nat_gateways", "subnets"])
def test_a_group_with_the_name_of_something_else_is_not_taken_for_it(kind: str, dev: Inventory) -> None:
    name = dev.rows(kind)[0].name
    (default,) = dev.rows("security_groups", is_default=True)
    groups = [row.replaced(name=name) if row == default else row for row in dev.rows("security_groups")]
    shared = dev.replace(security_groups=groups)
    with pytest.raises(WorkbookError, match="more than one") as caught:
        reach(shared, name, "internet", 443)
    assert default.group_id in caught.value.next_step
    assert reach(shared, default.group_id, "internet", 443).verdict == "no"

    def of_default(inventory: Inventory, called: str) -> dict[tuple[object, ...], str]:
        found = verdicts(inventory).items()
        return {
            tuple("it" if part == called else part for part in asked): said for asked, said in found if called in asked
        }

    assert of_default(shared, default.group_id) == of_default(dev, default.name) != {}


def test_what_is_called_like_a_short_name_is_asked_for_by_its_id(dev: Inventory) -> None:
    (default,) = dev.rows("security_groups", is_default=True)
    groups = [row.replaced(name="task") if row == default else row for row in dev.rows("security_groups")]
    shared = dev.replace(security_groups=groups)
    assert ("task", "internet", 443, "", "") in verdicts(shared)
    assert verdicts(shared)[(default.group_id, "internet", 443, "", "")] == "no"
    assert verdicts(shared)[("task", "internet", 443, "", "")] == "yes"


# ── two of what there was one of ──


@pytest.fixture(scope="module")
def two_services(dev: Inventory) -> Inventory:
    """A second service of the same name in another cluster, whose security group lets nothing out."""
    (service,) = dev.rows("services")
    (default,) = dev.rows("security_groups", is_default=True)
    other = service.replaced(
        service_arn=service.service_arn + SECOND,
        cluster=service.cluster + SECOND,
        cluster_arn=service.cluster_arn + SECOND,
        resource_id=f"service/{service.cluster}{SECOND}/{service.name}",
        group_ids=[default.group_id],
        security_groups=[default.name],
    )
    return dev.replace(services=[other, service])


def test_the_matrix_asks_for_each_service(dev: Inventory, two_services: Inventory) -> None:
    (service,) = dev.rows("services")
    found = verdicts(two_services)
    assert found[(service.service_arn, "internet", 443, "", "")] == "yes"
    assert found[(service.service_arn + SECOND, "internet", 443, "", "")] == "no"
    assert found[("alb", service.service_arn, 8080, "", "")] == "yes"
    assert found[("alb", service.service_arn + SECOND, 8080, "", "")] == "no"
    with pytest.raises(WorkbookError, match="more than one"):
        reach(two_services, "task", "internet", 443)


def test_autoscaling_is_of_the_service_in_its_cluster(two_services: Inventory) -> None:
    assert sorted(line.ok for line in judge(two_services)["ECS-AUTOSCALING"].evidence) == [False, True]


def test_the_matrix_asks_for_each_load_balancer(dev: Inventory) -> None:
    (balancer,) = dev.rows("load_balancers")
    arn = balancer.load_balancer_arn + SECOND
    inside = balancer.replaced(load_balancer_arn=arn, name=f"{balancer.name}{SECOND}", scheme="internal")
    found = verdicts(dev.replace(load_balancers=[balancer, inside]))
    assert found[("internet", balancer.name, 80, "", "")] == "yes"
    assert found[("internet", inside.name, 80, "", "")] == "no"


def test_a_task_definition_that_two_services_run_is_one_card(dev: Inventory, two_services: Inventory) -> None:
    def cards(frame: Frame) -> Iterator[str]:
        for child in frame.children:
            yield from cards(child) if isinstance(child, Frame) else [child]

    found = Counter(cards(sketch("ecs", two_services).frame))
    assert set(found.values()) == {1}
    (task,) = dev.rows("task_definitions")
    (drawn,) = [key for key in sketch("ecs", two_services).nodes if key.table == "task_definitions"]
    users = {flow.source.id for flow in sketch("ecs", two_services).flows if flow.target == drawn}
    assert drawn.id == task.name and users == {row.service_arn for row in two_services.rows("services")}


# ── two VPCs ──


def moved(row: Row, table: str) -> Row:
    """The same resource in the second VPC: its ids and those it refers to, but not addresses, prefix lists and rule ids."""
    cells: dict[str, object] = {}
    for column, kind in ((name, of.type) for name, of in TABLES[table].columns.items()):
        value = getattr(row, column)
        if kind is Type.IDS:
            cells[column] = [f"{id}{SECOND}" for id in value]
        elif kind is Type.ID and value and value != "local" and "/" not in value and not value.startswith("pl-"):
            cells[column] = f"{value}{SECOND}"
    return row.replaced(**cells)


@pytest.fixture(scope="module")
def two_vpcs(dev: Inventory) -> Inventory:
    """Everything of the layer vpc twice, name for name."""
    tables = [name for name, table in TABLES.items() if table.layer == "vpc"]
    return dev.replace(**{name: [*(moved(row, name) for row in dev.rows(name)), *dev.rows(name)] for name in tables})


def without(inventory: Inventory, table: str, **cells: object) -> Inventory:
    """Without the rows of the second VPC that have these cells; at least one has."""
    gone = [row for row in inventory.rows(table, **cells) if row.vpc_id.endswith(SECOND)]
    assert gone
    return inventory.replace(**{table: [row for row in inventory.rows(table) if row not in gone]})


BY_VPC = ("VPC-MULTI-AZ", "VPC-TIERS", "VPC-NAT-PER-AZ", "VPC-ENDPOINTS", "VPC-ENDPOINT-SUBNETS", "VPC-S3-ROUTE")


@pytest.mark.parametrize("claim", BY_VPC)
def test_what_holds_of_two_vpcs_alike_holds(claim: str, dev: Inventory, two_vpcs: Inventory) -> None:
    one, two = judge(dev)[claim], judge(two_vpcs)[claim]
    assert two.verdict is one.verdict is not Verdict.FAIL
    assert len(two.evidence) == 2 * len(one.evidence)


LACKS = {
    "VPC-MULTI-AZ": ("subnets", {"tier": "public", "az": "us-east-1b"}),
    "VPC-TIERS": ("subnets", {"tier": "public", "az": "us-east-1c"}),
    "VPC-ENDPOINTS": ("endpoints", {"service": "logs"}),
    "VPC-NAT": ("nat_gateways", {}),
}


@pytest.mark.parametrize("claim", LACKS)
def test_one_vpc_does_not_make_up_for_what_the_other_lacks(claim: str, two_vpcs: Inventory) -> None:
    table, cells = LACKS[claim]
    assert judge(two_vpcs)[claim].verdict is not Verdict.FAIL
    assert judge(without(two_vpcs, table, **cells))[claim].verdict is Verdict.FAIL


def test_the_matrix_of_two_vpcs_asks_for_the_endpoints_of_each(dev: Inventory, two_vpcs: Inventory) -> None:
    found = verdicts(two_vpcs)
    for endpoint in dev.rows("endpoints", type="Interface"):
        assert found[("task", endpoint.endpoint_id, 443, "", "")] == "yes"
        assert found[("task", endpoint.endpoint_id + SECOND, 443, "", "")] == "no"


@pytest.mark.parametrize("name", ["vpc", "architecture"])
def test_each_vpc_is_drawn_with_its_own(name: str, dev: Inventory, two_vpcs: Inventory) -> None:
    alone, picture = sketch(name, dev), sketch(name, two_vpcs)
    assert set(alone.nodes) < set(picture.nodes)
    ours = {flow for flow in picture.flows if not any(key.id.endswith(SECOND) for key in flow[:2])}
    assert ours == set(alone.flows)


# ── other names and orders ──


def test_rows_do_not_come_in_the_order_that_aws_lists_them(two_vpcs: Inventory) -> None:
    listed = random.Random(7)
    for name in (name for name in two_vpcs if "statement" not in TABLES[name].columns):
        rows = list(two_vpcs.rows(name))
        listed.shuffle(rows)
        assert two_vpcs.replace(**{name: rows}).rows(name) == two_vpcs.rows(name), name


def test_a_repository_whose_name_begins_with_ours_is_another(dev: Inventory) -> None:
    (repository,) = dev.rows("repositories")

    def ok(image: str) -> bool:
        containers = [row.replaced(image=image) for row in dev.rows("containers")]
        return judge(dev.replace(containers=containers))["ECS-IMAGE-PATH"].verdict is Verdict.PASS

    assert ok(f"{repository.uri}:1.0.0") and ok(f"{repository.uri}@sha256:0") and ok(repository.uri)
    assert not ok(f"{repository.uri}-of-somebody:1.0.0") and not ok(f"{repository.uri}/other:1.0.0")
