"""The diagrams match the inventory: every node, every arrow, and nothing else. Pixels are not compared."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from workbook.diagram import render
from workbook.diagram.layout import Frame, Rect, Size, place
from workbook.diagram.mermaid import document, mermaid
from workbook.diagram.render import draw, save, sketch
from workbook.diagram.routing import Router
from workbook.errors import WorkbookError
from workbook.host.paths import DIAGRAMS, ROOT
from workbook.inventory import TABLES, Inventory
from workbook.layers import BY_KEY
from workbook.network.flows import INTERNET, Flow, Key

FIXTURE = Path(__file__).parent / "fixtures" / "inventory_dev.json"
PICTURES = sorted(path.stem for path in DIAGRAMS.glob("*.py"))
SVG = "{http://www.w3.org/2000/svg}"
PREFIX = "alloy-dev-take-home"
DRAWS = {name: render.load(name).DRAWS for name in PICTURES}


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return Inventory.from_json(FIXTURE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(inventory):
    return {name: draw(name, inventory) for name in PICTURES}


def changed(inventory, **tables):
    """The inventory with other rows: `table=function of its rows`."""
    found = json.loads(inventory.to_json())["tables"]
    for name, change in tables.items():
        found[name] = change(found[name])
    return Inventory.from_tables(found, inventory.scope)


def without(**column_is):
    return lambda rows: [row for row in rows if any(row[column] != value for column, value in column_is.items())]


def names(inventory, table):
    """The names of a table's nodes."""
    frame = inventory[table]
    if table == "routes":
        return set(frame["route_table"])
    if table == "repository_lifecycle_rules":
        return {f"{row.repository} {row.priority}" for row in frame.itertuples()}
    return set(frame["name"])


def sized(picture):
    """A plausible size for everything, so that layout can be tested without Graphviz or fonts."""
    picture.measured()
    texts = {
        name: len(max(re.sub(r"<[^>]+>", "\n", label).split("\n"), key=len)) for name, label in picture.labels.items()
    }
    return {name: Size(60 + 7 * length, 58 if name in picture.cards else 18) for name, length in texts.items()}


def per_zone(inventory):
    """The same stack with a NAT gateway in each zone."""
    zones = sorted(set(inventory["subnets"]["az"]))

    def gateways(rows):
        public = {row.az: row.subnet_id for row in inventory.rows("subnets", tier="public")}
        return [
            {**rows[0], "name": f"{PREFIX}-vpc-{z}", "az": z, "subnet_id": public[z], "nat_gateway_id": f"nat-{z}"}
            for z in zones
        ]

    def routes(rows):
        return [
            {**r, "target": f"{PREFIX}-vpc-{r['route_table'][-10:]}", "target_id": f"nat-{r['route_table'][-10:]}"}
            if r["target_type"] == "nat_gateway"
            else r
            for r in rows
        ]

    return changed(inventory, nat_gateways=gateways, routes=routes)


# ── the picture and the inventory are one ──


def test_there_is_a_picture_of_every_layer_and_one_of_the_whole():
    assert set(PICTURES) == {*BY_KEY, "architecture"}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("variant", [lambda i: i, per_zone], ids=["one NAT", "NAT per zone"])
def test_every_node_is_in_the_inventory_and_every_promised_resource_is_drawn(name, variant, inventory):
    inventory = variant(inventory)
    picture = sketch(name, inventory)
    for key in picture.nodes:
        if key.table == "generic":
            assert key == INTERNET or any(key.name in trusted for trusted in inventory["roles"]["trusted"])
        else:
            assert key.name in names(inventory, key.table), f"{key} is drawn but not deployed"
    for table in DRAWS[name]:
        assert {key.name for key in picture.nodes if key.table == table} == names(inventory, table), (
            f"{table} in {name}"
        )


@pytest.mark.parametrize("name", PICTURES)
def test_an_arrow_runs_between_things_that_are_drawn(name, inventory):
    picture = sketch(name, inventory)
    assert picture.flows
    assert {end for flow in picture.flows for end in flow[:2]} <= set(picture.nodes)


DEV = Inventory.from_json(FIXTURE.read_text(encoding="utf-8"))


def called(table, name):
    """The key of what dev calls so."""
    (row,) = DEV.rows(table, name=f"{PREFIX}-{name}")
    return Key.of(table, row)


ALB, TASKS = called("load_balancers", "alb"), called("services", "service")
NAT, S3 = called("nat_gateways", "vpc-us-east-1a"), called("endpoints", "s3-endpoint")


def data_bucket(inventory):
    return next(Key("buckets", name) for name in inventory["buckets"]["name"] if "-data-" in name)


@pytest.mark.parametrize("name", ["architecture", "ecs"])
def test_allowed_ports_are_arrows(name, inventory):
    flows = set(sketch(name, inventory).flows)
    assert {
        Flow(INTERNET, ALB, ":80"),
        Flow(ALB, TASKS, ":8080"),
        Flow(TASKS, NAT, ":443"),
        Flow(TASKS, S3, ":443"),
    } <= flows
    interfaces = inventory.rows("endpoints", type="Interface")
    assert interfaces
    assert {Flow(TASKS, Key.of("endpoints", endpoint), ":443") for endpoint in interfaces} <= flows


@pytest.mark.parametrize(
    ("gone", "arrow"),
    [
        ({"security_group": f"{PREFIX}-alb-sg", "direction": "ingress"}, (INTERNET, ALB)),
        ({"security_group": f"{PREFIX}-task-sg", "direction": "ingress"}, (ALB, TASKS)),
        ({"security_group": f"{PREFIX}-alb-sg", "direction": "egress"}, (ALB, TASKS)),
        ({"security_group": f"{PREFIX}-task-sg", "peer": "0.0.0.0/0"}, (TASKS, NAT)),
        (
            {"security_group": f"{PREFIX}-endpoint-sg", "direction": "ingress"},
            (TASKS, called("endpoints", "sts-endpoint")),
        ),
    ],
)
@pytest.mark.parametrize("name", ["architecture", "ecs"])
def test_a_rule_that_is_gone_takes_its_arrow_along(name, gone, arrow, inventory):
    assert any(flow[:2] == arrow for flow in sketch(name, inventory).flows)
    after = changed(inventory, security_group_rules=without(**gone))
    assert not any(flow[:2] == arrow for flow in sketch(name, after).flows)


def test_s3_is_reached_by_the_prefix_list_or_by_anywhere(inventory):
    only_listed = changed(inventory, security_group_rules=without(security_group=f"{PREFIX}-task-sg", peer="0.0.0.0/0"))
    neither = changed(only_listed, security_group_rules=without(peer_type="prefix_list"))
    assert (TASKS, S3) in {flow[:2] for flow in sketch("ecs", only_listed).flows}
    assert (TASKS, S3) not in {flow[:2] for flow in sketch("ecs", neither).flows}


def test_an_internal_load_balancer_has_no_arrow_from_the_internet(inventory):
    inside = changed(inventory, load_balancers=lambda rows: [{**row, "scheme": "internal"} for row in rows])
    assert not any(flow.source == INTERNET for flow in sketch("architecture", inside).flows)


def test_a_restricted_source_is_on_the_arrow(inventory):
    def office(rows):
        return [
            {**row, "peer": "203.0.113.0/24"} if row["peer"] == "0.0.0.0/0" and row["direction"] == "ingress" else row
            for row in rows
        ]

    assert (
        Flow(INTERNET, ALB, ":80 from 203.0.113.0/24")
        in sketch("ecs", changed(inventory, security_group_rules=office)).flows
    )


def test_routes_are_arrows_and_a_blackhole_is_none(inventory):
    (subnet,) = inventory.rows("subnets", name=f"{PREFIX}-vpc-private-us-east-1c")
    table = Key("routes", subnet.route_table_id)
    assert Flow(table, NAT, "0.0.0.0/0") in sketch("vpc", inventory).flows
    dead = changed(inventory, routes=lambda rows: [{**row, "state": "blackhole"} for row in rows])
    assert not any(flow.source.table == "routes" for flow in sketch("vpc", dead).flows)


def test_a_nat_gateway_for_each_zone_serves_its_own_zone(inventory):
    nat = [flow for flow in sketch("vpc", per_zone(inventory)).flows if flow.target.table == "nat_gateways"]
    assert len(nat) == 3
    assert all(flow.source.name[-10:] == flow.target.name[-10:] for flow in nat)


def test_tasks_leave_by_the_nat_gateway_of_their_own_zone(inventory):
    found = [
        arrow for arrow in sketch("architecture", per_zone(inventory)).arrows if arrow.head.startswith("nat_gateways/")
    ]
    zone = {row.subnet_id: row.az for row in inventory.rows("subnets")}
    assert len(found) == 3
    assert all(zone[arrow.tail.split("@")[1]] == arrow.head[-10:] for arrow in found)


def test_policies_are_arrows_with_what_they_allow(inventory):
    data = data_bucket(inventory)
    task = Key("roles", f"{PREFIX}-ecs-task-role")
    assert Flow(task, data, "list, read, write") in sketch("s3", inventory).flows
    reader = changed(inventory, iam_statements=without(sid="ReadAndWriteData"))
    assert Flow(task, data, "list") in sketch("s3", reader).flows
    denied = changed(inventory, iam_statements=lambda rows: [{**row, "effect": "Deny"} for row in rows])
    assert not any(flow.source.table == "roles" for flow in sketch("s3", denied).flows)


def test_anyone_who_may_pull_is_drawn(inventory):
    def public(rows):
        return [{**row, "principals": ["*"]} for row in rows]

    picture = sketch("ecr", changed(inventory, repository_policy_statements=public))
    assert any(flow.source == Key("generic", "*") and flow.target.table == "repositories" for flow in picture.flows)


def test_logs_and_copies_are_arrows(inventory):
    data = data_bucket(inventory)
    found = {(flow.source, flow.label) for flow in sketch("s3", inventory).flows if flow.target.table == "buckets"}
    assert {(data, "access logs"), (data, "replication"), (ALB, "access logs")} <= found
    off = changed(inventory, buckets=lambda rows: [{**row, "replicates_to": [], "logging_bucket": ""} for row in rows])
    assert not any(flow.source == data for flow in sketch("s3", off).flows)


def test_a_role_without_a_boundary_stands_outside_it(inventory):
    def freed(rows):
        return [
            {**row, "boundary": "", "boundary_arn": ""} if row["name"].endswith("lambda-role") else row for row in rows
        ]

    def boxed(picture):
        """Names of the roles in each box of the picture, by box title."""
        found, stack = {}, [(picture.frame, "")]
        while stack:
            frame, title = stack.pop()
            for child in frame.children:
                if isinstance(child, Frame):
                    stack.append((child, picture.texts[child.name][0] if child.name else title))
                elif picture.cards[child].table == "roles":
                    found.setdefault(title, set()).add(picture.short(picture.cards[child].name))
        return found

    assert len(boxed(sketch("iam", inventory))["Permissions boundary"]) == 7
    assert boxed(sketch("iam", changed(inventory, roles=freed)))["No permissions boundary"] == {"lambda-role"}


# ── what is not deployed ──


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_deployed_is_one_sentence_with_the_next_step(name):
    layer = "vpc" if name == "architecture" else name
    with pytest.raises(WorkbookError) as caught:
        draw(name, Inventory.from_tables({}))
    assert f"Nothing is deployed in layer {layer}" in caught.value.cause
    assert f'wb.plan("{layer}")' in caught.value.next_step


@pytest.fixture(scope="module", params=TABLES)
def partly(request, inventory):
    """The name of a table, and the inventory without its rows."""
    return request.param, changed(inventory, **{request.param: lambda rows: []})


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_without_one_table_is_a_picture_or_a_clear_error(name, partly):
    missing, remaining = partly
    try:
        picture = sketch(name, remaining)
    except WorkbookError:
        assert missing in (DRAWS[name][0], BY_KEY[name].core_table if name in BY_KEY else "")
        return
    assert {end for flow in picture.flows for end in flow[:2]} <= set(picture.nodes)
    # Roles name their policies even if the policies could not be read.
    if (name, missing) != ("iam", "policies"):
        assert not {key for key in picture.nodes if key.table == missing and missing in DRAWS[name]}


@pytest.mark.parametrize("name", BY_KEY)
def test_a_layer_is_drawn_when_it_is_the_only_one(name, inventory):
    alone = Inventory.from_tables(
        {t: inventory[t] for t, table in TABLES.items() if table.layer == name}, inventory.scope
    )
    assert sketch(name, alone).nodes


def test_an_unknown_picture_names_those_there_are(inventory):
    with pytest.raises(WorkbookError, match="no picture 'rds'") as caught:
        draw("rds", inventory)
    assert all(name in caught.value.next_step for name in PICTURES)


# ── the layout ──


def overlap(a: Rect, b: Rect) -> bool:
    return (
        a.left < b.left + b.width
        and b.left < a.left + a.width
        and a.top < b.top + b.height
        and b.top < a.top + a.height
    )


def within(inner: Rect, outer: Rect) -> bool:
    right, bottom = inner.left + inner.width, inner.top + inner.height
    return (
        inner.left >= outer.left
        and inner.top >= outer.top
        and right <= outer.left + outer.width + 0.01
        and bottom <= outer.top + outer.height + 0.01
    )


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("variant", [lambda i: i, per_zone], ids=["one NAT", "NAT per zone"])
def test_cards_do_not_overlap_and_arrows_go_round_them(name, variant, inventory):
    picture = sketch(name, variant(inventory))
    cards, boxes, labels, ways = picture.arranged(sized(picture))
    for (one, a), (other, b) in combinations([*cards.items(), *((f"label of {n}", labels[n]) for n in boxes)], 2):
        assert not overlap(a, b), f"{one} lies on {other}"
    for arrow, way in ways.items():
        for (a, b), (c, d) in pairwise(way):
            assert a == c or b == d, f"{arrow} has a slant"
            stretch = Rect(min(a, c), min(b, d), abs(a - c), abs(b - d))
            crossed = {
                n
                for n, rect in cards.items()
                if n not in (arrow.tail, arrow.head)
                and overlap(stretch._replace(width=stretch.width + 0.1, height=stretch.height + 0.1), rect)
            }
            assert not crossed, f"{arrow} runs through {crossed}"


@pytest.mark.parametrize("name", ["vpc", "architecture"])
@pytest.mark.parametrize("variant", [lambda i: i, per_zone], ids=["one NAT", "NAT per zone"])
def test_zones_stand_in_order_with_their_subnets_inside(name, variant, inventory):
    inventory = variant(inventory)
    picture = sketch(name, inventory)
    cards, boxes, _, _ = picture.arranged(sized(picture))
    zone = {
        picture.texts[box][0].removeprefix("Zone "): boxes[box] for box, kind in picture.kinds.items() if kind == "zone"
    }
    assert sorted(zone, key=lambda az: zone[az].left) == sorted(set(inventory["subnets"]["az"]))
    subnet = {picture.texts[box][1]: boxes[box] for box, kind in picture.kinds.items() if kind in ("public", "private")}
    for row in inventory["subnets"].itertuples():
        assert within(subnet[row.cidr], zone[row.az])
    for row in inventory["nat_gateways"].itertuples():
        assert within(cards[f"nat_gateways/{row.nat_gateway_id}"], zone[row.az])


def test_boxes_share_a_row_and_grow_to_one_height():
    tall = Frame("column", 10, name="tall", children=["a", "b"])
    small = Frame("column", 10, name="small", children=[Frame("column", 0, name="inner", grow=True, children=["c"])])
    card, label = Size(100, 50), Size(40, 16)
    at = place(
        Frame("row", 20, children=[tall, small]),
        {"a": card, "b": card, "c": card, "tall": label, "small": label, "inner": label},
    )
    assert at["tall"].height == at["small"].height
    assert at["small"].left == at["tall"].left + at["tall"].width + 20
    assert at["b"].top == at["a"].top + 60
    assert within(at["c"], at["inner"]) and within(at["inner"], at["small"])


def test_an_arrow_goes_round_what_is_in_its_way():
    cards = {"from": Rect(0, 0, 60, 40), "wall": Rect(100, -100, 60, 240), "to": Rect(200, 0, 60, 40)}
    way = Router(cards, {}).route("from", "to")
    assert way[0][0] in (0, 60) or way[0][1] in (0, 40)
    for (a, b), (c, d) in pairwise(way):
        assert not overlap(Rect(min(a, c), min(b, d), abs(a - c) + 0.1, abs(b - d) + 0.1), cards["wall"])


def test_arrows_share_a_stretch_only_within_their_bundle():
    cards = {"a": Rect(0, 0, 60, 40), "b": Rect(0, 100, 60, 40), "to": Rect(300, 50, 60, 40)}

    def ends(*bundles):
        router = Router(cards, {})
        return [router.route(tail, "to", bundle)[-1] for tail, bundle in zip("ab", bundles, strict=True)]

    first, second = ends("x", "x")
    assert first == second
    first, second = ends("x", "y")
    assert first != second


# ── the rendered files ──


@pytest.mark.parametrize("name", PICTURES)
def test_the_png_is_sharp_and_small(name, drawn):
    png = drawn[name].png
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert png.startswith(b"\x89PNG")
    assert 1200 <= width <= 2600 and height <= 2000
    assert len(png) < 400_000


@pytest.mark.parametrize("name", PICTURES)
def test_the_svg_stands_alone_and_speaks(name, drawn):
    picture = drawn[name]
    root = ET.fromstring(picture.svg)
    described = {element.get("id"): element.text for element in root[:2]}
    assert root.get("role") == "img" and root.get("aria-labelledby") == "title desc"
    assert described == {"title": picture.title, "desc": picture.alt}
    links = {value for element in root.iter() for key, value in element.attrib.items() if key.endswith("href")}
    icons = [link for link in links if link.startswith("data:image/png;base64,")]
    assert icons and all(base64.b64decode(icon.split(",")[1]).startswith(b"\x89PNG") for icon in icons)
    used = {link for link in links if link.startswith("#")}
    assert used == {f"#{symbol.get('id')}" for symbol in root.iter(f"{SVG}symbol")} and len(used) + len(icons) == len(
        links
    )
    assert str(Path(sys.prefix)) not in picture.svg and "<!--" not in picture.svg
    assert len(picture.svg) < 250_000
    sizes = {float(text.get("font-size")) for text in root.iter(f"{SVG}text")}
    width = float(root.get("width").removesuffix("pt"))
    assert min(sizes) * 1200 / max(width, 1200) >= 10, "text is unreadable at 1200 pixels"


def test_the_svg_shows_every_card_of_the_picture(drawn, inventory):
    text = " ".join(element.text or "" for element in ET.fromstring(drawn["vpc"].svg).iter(f"{SVG}text"))
    for cidr in inventory["subnets"]["cidr"]:
        assert cidr in text
    for zone in set(inventory["subnets"]["az"]):
        assert f"Zone {zone}" in text


def test_the_notebook_gets_a_png_with_its_text(drawn):
    picture = drawn["vpc"]
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]) == picture.png
    assert metadata["image/png"]["alt"] == data["text/plain"] == picture.alt
    assert metadata["image/png"]["width"] <= 1200


def test_the_text_names_counts_and_arrows(drawn):
    lines = drawn["architecture"].alt.splitlines()
    assert lines[0] == f"Architecture · {PREFIX}"
    assert "Subnets 6" in lines[1] and "NAT gateways 1" in lines[1]
    assert "  load balancer alb -> service service (:8080)" in lines


def test_saved_files_are_the_picture(drawn, tmp_path):
    png, svg = save(drawn["ecr"], tmp_path / "new", "ecr")
    assert png.read_bytes() == drawn["ecr"].png
    assert svg.read_text(encoding="utf-8") == drawn["ecr"].svg


@pytest.mark.slow
def test_another_process_draws_the_same(inventory):
    script = (
        "import sys; from pathlib import Path; from workbook.diagram.render import sketch; from workbook.inventory import Inventory\n"
        "from workbook.diagram.layout import Size\n"
        "picture = sketch('vpc', Inventory.from_json(Path(sys.argv[1]).read_text(encoding='utf-8')))\n"
        "sys.stdout.buffer.write((picture.measured() + picture.placed({name: Size(150, 50) for name in picture.labels})).encode())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(FIXTURE)], env=environment, capture_output=True, check=True, timeout=120
    )
    picture = sketch("vpc", inventory)
    here = picture.measured() + picture.placed({name: Size(150, 50) for name in picture.labels})
    assert done.stdout.decode() == here


# ── Graphviz ──


def test_without_dot_the_wheel_draws(inventory, monkeypatch):
    monkeypatch.setenv("PATH", "")
    picture = draw("ecr", inventory)
    assert picture.png.startswith(b"\x89PNG")
    assert f"{PREFIX}-app" in "".join(ET.fromstring(picture.svg).itertext())


def test_without_any_graphviz_the_person_reads_what_to_install(inventory, monkeypatch):
    monkeypatch.setattr(render.shutil, "which", lambda program: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda module: None)
    with pytest.raises(WorkbookError, match="Graphviz is missing") as caught:
        draw("ecr", inventory)
    assert "pip install pygraphviz" in caught.value.next_step


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("sleep 30", "did not finish"),
        ("echo broken >&2; exit 3", "could not draw"),
        ("kill -ABRT $$", "could not draw"),
    ],
)
def test_a_graphviz_that_fails_or_hangs_is_one_sentence(body, cause, inventory, monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text(f"#!/bin/sh\nexec 2>&2\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setattr(render.shutil, "which", lambda name: str(program))
    monkeypatch.setattr(render, "TIMEOUT", 1)
    with pytest.raises(WorkbookError, match=cause):
        draw("ecr", inventory)


# ── what is kept in the repository ──


def test_the_mermaid_text_in_the_documentation_is_the_generated_one(inventory):
    page = (ROOT / "docs" / "architecture-diagram.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert blocks == [mermaid(inventory)]


def test_the_mermaid_text_has_the_nodes_and_arrows_of_the_picture(inventory):
    picture, text = sketch("architecture", inventory), mermaid(inventory)
    assert text.count("subgraph ") == len(picture.kinds) == text.count("end\n")
    assert len(re.findall(r"^\s+n\d+\[", text, re.MULTILINE)) == len(picture.texts) - len(picture.kinds)
    assert len(re.findall(r"-->|-\.->", text)) == len(picture.arrows)


@pytest.mark.slow
def test_the_page_is_renewed_in_place_and_only_its_block(inventory, tmp_path):
    page = tmp_path / "architecture-diagram.md"
    page.write_text("# Before\n\n```mermaid\nold\n```\n\n```console\n$ after\n```\n", encoding="utf-8")
    for _ in range(2):
        assert [path.name for path in document(inventory, tmp_path)] == [
            page.name,
            "architecture.png",
            "architecture.svg",
        ]
        assert (
            page.read_text(encoding="utf-8")
            == f"# Before\n\n```mermaid\n{mermaid(inventory)}```\n\n```console\n$ after\n```\n"
        )
    with pytest.raises(WorkbookError, match="no mermaid block"):
        document(inventory, tmp_path / "elsewhere")


def test_the_picture_in_the_documentation_is_of_this_inventory(drawn):
    kept = ET.fromstring((ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8"))
    assert kept[1].text == drawn["architecture"].alt
    assert (ROOT / "docs" / "architecture.png").read_bytes().startswith(b"\x89PNG")


def test_load_balancer_attributes_that_were_refused_leave_the_picture(inventory):
    refused = inventory.replace(
        load_balancers=[row.replaced(access_logs=None) for row in inventory.rows("load_balancers")]
    )
    arrows = [flow for flow in sketch("architecture", refused).flows if flow.source.table == "load_balancers"]
    assert "access logs" not in [flow.label for flow in arrows] and arrows


def admitting(inventory, ports, ranges):
    """The load balancer's group lets these ranges in on these ports; its network ACL does anyway."""
    (rule,) = [
        row
        for row in inventory.rows("security_group_rules", direction="ingress")
        if row.peer == "0.0.0.0/0" and row.security_group.endswith("-alb-sg")
    ]
    rules = [row for row in inventory.rows("security_group_rules") if row is not rule]
    more = [
        rule.replaced(ports=str(port), from_port=port, to_port=port, peer=cidr, peer_id=cidr, rule_id=f"{port} {cidr}")
        for port in ports
        for cidr in ranges
    ]
    return inventory.replace(security_group_rules=[*rules, *more])


@pytest.mark.parametrize("name", ["architecture", "ecs", "vpc"])
def test_an_arrow_names_everything_that_it_stands_for(inventory, name):
    picture = sketch(name, admitting(inventory, [80], ["198.51.100.0/24", "203.0.113.0/24"]))
    labelled = [arrow.lines for arrow in picture.arrows if arrow.labels and arrow.labels[0].startswith(":80 ")]
    assert labelled == [(":80 from 198.51.100.0/24, 203.0.113.0/24",)]
    assert labelled[0][0] in picture.measured()


def test_an_arrow_that_stands_for_many_names_the_first_and_the_text_all(inventory):
    ranges = [f"198.51.{number}.0/24" for number in range(0, 24, 2)]
    picture = sketch("ecs", admitting(inventory, [80], ranges))
    (arrow,) = [arrow for arrow in picture.arrows if arrow.labels and arrow.labels[0].startswith(":80 ")]
    assert len(arrow.lines) == 4 and arrow.lines[-1] == "…" and max(map(len, arrow.lines)) <= 42
    assert all(cidr in render.describe(picture) for cidr in ranges)


def test_mermaid_names_everything_that_an_arrow_stands_for(inventory):
    text = mermaid(admitting(inventory, [80], ["198.51.100.0/24", "203.0.113.0/24"]))
    assert '-->|":80 from 198.51.100.0/24, 203.0.113.0/24"|' in text
