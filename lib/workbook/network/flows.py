"""Who may reach what by rules and routes, computed from the inventory: arrows of the diagrams. By policies:
access/grants.py.

Nothing here asks AWS. A flow exists only while the rules and routes that allow it are in the inventory, so an arrow
that disappears from a picture is a rule that disappeared from the account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory, Row
from workbook.network.packets import Passage
from workbook.network.places import Place, internet, standing, unclaimed
from workbook.network.reachability import between
from workbook.network.topology import Topology
from workbook.network.traffic import NOTHING, Traffic, of
from workbook.network.walk import Way, ways


@dataclass(frozen=True)
class Key:
    """A resource: its table in the inventory and what AWS tells it apart by there (`Table.key`; of `routes` the route
    table's id).

    Table `generic`: what no account holds, such as the internet. `name` is for people and takes no part in comparisons.
    """

    table: str
    id: str
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.id)

    @classmethod
    def of(cls, table: str, row: Row) -> Key:
        """The key of a row of a table that has names and a key."""
        return cls(table, getattr(row, TABLES[table].key), row.name)


INTERNET = Key("generic", "Internet")


class Flow(NamedTuple):
    """An arrow: from, to, and by what (a port, an action)."""

    source: Key
    target: Key
    label: str


# ── what gets through ──


def port(rule: Row) -> str:
    """`:443`, or what the rule says instead of a port."""
    return label(of(rule))


def label(traffic: Traffic) -> str:
    """`:443` for TCP, `udp :53`, `icmp all`: a set of traffic, as it stands on an arrow."""
    said = []
    for part in traffic.parts():
        protocol, _, ports = part.partition(" ")
        numbered = ports[:1].isdigit() and protocol in ("tcp", "udp")
        said.append(f":{ports}" if numbered and protocol == "tcp" else f"{protocol} :{ports}" if numbered else part)
    return ", ".join(said)


def strangers(inventory: Inventory) -> list[Row]:
    """The network interfaces that belong to none of the services, load balancers, endpoints and NAT gateways."""
    tables = ("services", "load_balancers", "endpoints", "nat_gateways")
    return unclaimed(inventory.rows("network_interfaces"), {table: inventory.rows(table) for table in tables})


class Parties:
    """What can open or accept a connection in an inventory, as the engine sees it."""

    def __init__(self, inventory: Inventory) -> None:
        self.net = Topology(inventory)
        self.inventory = inventory

    @cached_property
    def places(self) -> dict[Key, list[Place]]:
        """Load balancers, services, interface endpoints and strangers, with where each is."""
        rows = [(table, row) for table in ("load_balancers", "services") for row in self.inventory.rows(table)]
        rows += [("endpoints", row) for row in self.inventory.rows("endpoints", type="Interface")]
        rows += [("network_interfaces", row) for row in strangers(self.inventory)]
        return {Key.of(table, row): _standing(self.net, table, row) for table, row in rows}


def _standing(net: Topology, table: str, row: Row) -> list[Place]:
    try:
        return standing(net, table, row)
    except WorkbookError:  # Its subnets were not read, or it takes no part.
        return []


def _flow(source: Key, target: Key, sure: Traffic, possible: Traffic, where: str = "") -> list[Flow]:
    """The arrow for what gets through; if that cannot be told, an arrow that says so; none if nothing does."""
    if sure:
        return [Flow(source, target, f"{label(sure)}{where}")]
    return [Flow(source, target, f"cannot tell: {label(possible)}{where}")] if possible else []


def _from_internet(net: Topology, target: Key, places: Iterable[Place]) -> list[Flow]:
    """Arrows from the internet: one for each set of traffic, with the addresses that may send it if not all may."""
    found: dict[Flow, None] = {}
    places = list(places)
    for version in (4, 6):
        sets: dict[str, Passage] = {}
        for way in (way for place in places for way in ways(net, internet(version), place, brief=True)):
            before = sets.get(way.source_range, Passage(NOTHING, NOTHING))
            now = way.passage
            sets[way.source_range] = Passage(before.sure | now.sure, before.possible | now.possible)
        alike: dict[Passage, list[str]] = defaultdict(list)
        for one, passage in sets.items():
            alike[passage].append(one)
        for passage, addresses in alike.items():
            where = "" if len(alike) == 1 else f" from {', '.join(addresses)}"
            found.update(dict.fromkeys(_flow(INTERNET, target, *passage, where)))
    return list(found)


def network_flows(inventory: Inventory) -> list[Flow]:
    """Load balancers, services, interface endpoints and other interfaces that can open a connection to one another, and
    the internet to them: an arrow exactly where the engine lets traffic through.
    """
    parties = Parties(inventory)
    found: dict[Flow, None] = {}
    for target, there in parties.places.items():
        found.update(dict.fromkeys(_from_internet(parties.net, target, there)))
        for source, here in parties.places.items():
            # An endpoint opens no connections; asking the engine about each of them is most of the work.
            if source.table != "endpoints" and (source != target or target.table == "services"):
                through = between(parties.net, here, there)
                found.update(dict.fromkeys(_flow(source, target, through.sometimes, through.unknown)))
    return list(found)


def group_flows(inventory: Inventory) -> list[Flow]:
    """What security groups let through to one another and from the internet, wherever in the VPC their members are and
    whether or not there are any: a member is taken to have a public address.
    """
    net = Topology(inventory)
    found: dict[Flow, None] = {}
    places = {
        Key.of("security_groups", row): [_exposed(place) for place in standing(net, "security_groups", row)]
        for row in inventory.rows("security_groups")
    }
    admits = {rule.group_id for rule in inventory.rows("security_group_rules", direction="ingress")}
    opens = {rule.group_id for rule in inventory.rows("security_group_rules", direction="egress")}
    for target, there in places.items():
        if target.id not in admits:
            continue
        found.update(dict.fromkeys(_from_internet(net, target, there)))
        for source, here in places.items():
            if source.id in opens:
                through = between(net, here, there)
                found.update(dict.fromkeys(_flow(source, target, through.sometimes, through.unknown)))
    return list(found)


def _exposed(place: Place) -> Place:
    return replace(place, public=True, ipv6=True)


def in_order(keys: list[Key], flows: list[Flow]) -> list[Key]:
    """`keys` with the source of a flow before its target, those without a flow last; as given where flows go in a
    circle.
    """
    before: dict[Key, list[Key]] = {}
    for source, target, _ in flows:
        if target in keys and source != target:
            before.setdefault(target, []).extend([source] if source in keys else [])
    try:
        sorted_keys = list(TopologicalSorter(before).static_order())
    except CycleError:
        return keys
    return [*sorted_keys, *(key for key in keys if key not in sorted_keys)]


# ── routes ──

ROUTE_TARGETS = {"internet_gateway": "internet_gateways", "nat_gateway": "nat_gateways", "vpc_endpoint": "endpoints"}


def _target(route: Row) -> Key:
    return Key(ROUTE_TARGETS[route.target_type], route.target_id, route.target)


def route_flows(inventory: Inventory) -> list[Flow]:
    """Routes of the route tables that a subnet uses, to a gateway or an endpoint; labelled with the destination."""
    return [
        Flow(Key("routes", row.route_table_id, row.route_table), _target(row), short_destination(row.destination))
        for row in inventory.rows("routes")
        if row.target_type in ROUTE_TARGETS and row.subnet_ids and row.state != "blackhole"
    ]


def gateway_flows(inventory: Inventory) -> list[Flow]:
    """NAT gateways to the internet gateway that carries what they send to the internet, and that one to the internet."""
    net = Topology(inventory)
    leads: dict[str, Key] = {}
    for subnet in net.subnets:
        for address, _ in (*net.internet(4, outward=True), *net.internet(6, outward=True)):
            taken = net.taken(subnet, address).route
            if taken is None or taken.target_type != "internet_gateway" or taken.state == "blackhole":
                continue
            gateway = net.gateways.get(taken.target_id)
            if gateway is not None and gateway.vpc_id == subnet.vpc_id:
                leads[subnet.subnet_id] = _target(taken)
    nats = [
        Flow(Key.of("nat_gateways", row), leads[row.subnet_id], "")
        for row in inventory.rows("nat_gateways")
        if row.subnet_id in leads and row.connectivity != "private"
    ]
    used = {*leads.values()}
    return [*nats, *(Flow(key, INTERNET, "") for key in sorted(used, key=lambda key: (key.name, key.id)))]


def short_destination(destination: str) -> str:
    """A prefix list by its service: `com.amazonaws.us-east-1.s3` is `S3 in this region`."""
    return (
        f"{destination.rsplit('.', 1)[-1].upper()} in this region"
        if destination.startswith("com.amazonaws.")
        else destination
    )


def egress_flows(inventory: Inventory, subnet: str = "") -> list[Flow]:
    """How services leave the VPC: by which NAT gateway, internet gateway or gateway endpoint, and with what traffic.

    With the id of a `subnet`, only of tasks in that one.
    """
    parties = Parties(inventory)
    names = {table: inventory.by_key(table) for table in ("nat_gateways", "internet_gateways", "endpoints")}
    gateways = [standing(parties.net, "endpoints", row) for row in inventory.rows("endpoints", type="Gateway")]
    targets = [internet(4), internet(6), *(place for places in gateways for place in places)]
    found: dict[Flow, None] = {}
    for source, places in parties.places.items():
        if source.table != "services":
            continue
        inside = [place for place in places if place.subnet and subnet in ("", place.subnet.subnet_id)]
        leaving: dict[Key, Passage] = defaultdict(lambda: Passage(NOTHING, NOTHING))
        for way in (way for place in inside for target in targets for way in ways(parties.net, place, target)):
            key = _carrier(way, names)
            if key is not None:
                sets = leaving[key]
                leaving[key] = Passage(sets.sure | way.passage.sure, sets.possible | way.passage.possible)
        for key, passage in leaving.items():
            found.update(dict.fromkeys(_flow(source, key, passage.sure, passage.possible)))
    return list(found)


def _carrier(way: Way, names: dict[str, dict[str, Row]]) -> Key | None:
    """What carries a way out of the VPC, if the inventory has it."""
    row = names[way.via[0]].get(way.via[1]) if way.via else None
    return Key.of(way.via[0], row) if way.via and row is not None else None


# ── logs and copies ──


def record_flows(inventory: Inventory) -> list[Flow]:
    """What is written down or copied by itself: access logs, flow logs, container logs, replicas."""
    known = {Key.of(table, row) for table in ("buckets", "log_groups") for row in inventory.rows(table)}
    wanted = [
        *(
            Flow(Key.of("buckets", r), Key("buckets", r.logging_bucket), "access logs")
            for r in inventory.rows("buckets")
        ),
        *(
            Flow(Key.of("buckets", r), Key("buckets", copy), "replication")
            for r in inventory.rows("buckets")
            for copy in r.replicates_to
        ),
        *(
            Flow(Key.of("load_balancers", r), Key("buckets", (r.access_logs or "").split("/")[0]), "access logs")
            for r in inventory.rows("load_balancers")
        ),
        *(
            Flow(Key("vpcs", r.resource_id, r.resource), Key("log_groups", r.destination), "flow logs")
            for r in inventory.rows("flow_logs")
        ),
        *(
            Flow(Key.of("services", service), Key("log_groups", r.log_group), "logs")
            for service in inventory.rows("services")
            for r in inventory.rows("containers", task_definition=service.task_definition)
        ),
    ]
    return [flow for flow in dict.fromkeys(wanted) if flow.target in known]
