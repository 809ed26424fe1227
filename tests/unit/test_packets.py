"""The engine, the matrix and the pictures agree with one another, and with a checker that follows one packet at a time.

The checker below is written anew from AWS's documentation and shares no code with the engine: it takes a packet's
addresses and ports, and looks at rules, entries and routes as rows. Random changes are drawn from a fixed pool of
ranges and ports, so that the samples below fall into every part that a rule can tell apart.

`WORKBOOK_PACKET_CHANGES` is the number of changes (200), `WORKBOOK_PACKET_SEED` the seed.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import random
from collections import defaultdict
from typing import Any

import pytest

from workbook.diagram.render import sketch
from workbook.inventory import Inventory, Row
from workbook.network import matrix, traffic
from workbook.network.flows import INTERNET, Key, egress_flows, network_flows
from workbook.network.places import Names
from workbook.network.reachability import Through
from workbook.network.traffic import ALL, LANES, NOTHING, Traffic, ports

CHANGES = int(os.environ.get("WORKBOOK_PACKET_CHANGES", "200"))
SEED = int(os.environ.get("WORKBOOK_PACKET_SEED", "8"))
EVERY = 10  # A fresh start, and a look at matrix and pictures, after so many changes.

RANGES = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "203.0.113.0/24", "10.0.0.0/16", "10.0.0.0/24", "10.0.10.0/23"]
RANGES += ["10.0.10.128/25", "10.0.12.0/23", "::/0", "2600:1f18::/32"]
PORTS = [(22, 22), (80, 80), (443, 443), (8080, 8080), (1024, 65535), (32768, 60999), (40000, 40000), (None, None)]
# One address in each part of each subnet, and of the internet, that the ranges above tell apart.
SUBNET_HOSTS = {24: ["5"], 23: ["5", "200", "300"]}
HOSTS = ["8.8.8.8", "52.216.0.5", "54.231.0.5", "3.5.0.5", "198.51.100.5", "203.0.113.5"]
CLIENTS = {"task": [32768, 39999, 40000, 40001, 60999], "": [1024, 8079, 8080, 8081, 32768, 40000, 61000, 65535]}
PROBES = [21, 22, 23, 80, 443, 444, 1023, 1024, 8080, 32767, 32768, 40000, 60999, 61000, 65535]


# ── one packet at a time ──


class Host:
    """Something with an address: its subnet (None outside), groups, whether public, and its client ports."""

    def __init__(self, ip: str, subnet: Row | None, groups: list[str], public: bool, clients: list[int]) -> None:
        self.ip, self.subnet, self.groups, self.public, self.clients = (
            ipaddress.ip_address(ip),
            subnet,
            groups,
            public,
            clients,
        )


network = functools.cache(ipaddress.ip_network)


@functools.cache
def covers(cidr: str, ip: Any) -> bool:
    return ip in network(cidr)


def speaks(row: Row, protocol: str, port: int) -> bool:
    """Whether a rule or an entry is about this packet."""
    if row.protocol == "all":
        return True
    if row.protocol != protocol:
        return False
    return protocol not in ("tcp", "udp") or row.from_port is None or row.from_port <= port <= row.to_port


class Account:
    """The rows of an inventory, each with those that it is looked up by."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.rules, self.entries, self.routes = defaultdict(list), defaultdict(list), defaultdict(list)
        for rule in inventory.rows("security_group_rules"):
            self.rules[rule.group_id, rule.direction].append(rule)
        for entry in sorted(inventory.rows("nacl_entries"), key=lambda e: e.rule_number):
            self.entries[entry.network_acl_id, entry.direction].append(entry)
        for route in inventory.rows("routes"):
            self.routes[route.route_table_id].append(route)
        self.lists = {row.prefix_list_id: row.entries for row in inventory.rows("prefix_lists")}
        self.nats, self.subnets = inventory.by_key("nat_gateways"), inventory.by_key("subnets")


def group_lets(account: Account, own: Host, other: Host, direction: str, protocol: str, port: int) -> bool:
    for rule in (rule for group in own.groups for rule in account.rules[group, direction]):
        if not speaks(rule, protocol, port):
            continue
        if rule.peer_type == "cidr" and covers(rule.peer, other.ip):
            return True
        if rule.peer_type == "security_group" and rule.peer_id in other.groups:
            return True
        if rule.peer_type == "prefix_list" and any(covers(cidr, other.ip) for cidr in account.lists[rule.peer_id]):
            return True
    return False


def acl_lets(account: Account, subnet: Row, direction: str, ip: Any, protocol: str, port: int) -> bool:
    for entry in account.entries[subnet.network_acl_id, direction]:
        if covers(entry.cidr, ip) and speaks(entry, protocol, port):
            return bool(entry.action == "allow")
    return False


def next_hop(account: Account, subnet: Row, ip: Any) -> Row | None:
    found = []
    for row in account.routes[subnet.route_table_id]:
        for cidr in account.lists.get(row.destination_id, [row.destination_id]):
            if covers(cidr, ip):
                found.append((network(cidr).prefixlen, "/" in row.destination_id, row))
    return max(found, key=lambda one: one[:2])[2] if found else None


def all_of(*answers: bool | None) -> bool | None:
    return False if False in answers else None if None in answers else True


def to_gateway(account: Account, subnet: Row, ip: Any) -> bool | None:
    """Whether a packet leaves through an attached internet gateway."""
    taken = next_hop(account, subnet, ip)
    if taken is None or taken.state == "blackhole":
        return False
    return None if taken.target_type == "other" else taken.target_type == "internet_gateway"


def arrives(account: Account, a: Host, b: Host, protocol: str, port: int, client: int) -> bool | None:
    """Whether a packet from a's port `client` gets to b's `port` and the reply comes back; None if not modelled."""

    def acl(subnet: Row, direction: str, ip: Any, at: int) -> bool:
        return acl_lets(account, subnet, direction, ip, protocol, at)

    out = a.subnet is None or group_lets(account, a, b, "egress", protocol, port)
    into = b.subnet is None or group_lets(account, b, a, "ingress", protocol, port)
    if a.subnet is not None and b.subnet is not None:
        if a.subnet.subnet_id == b.subnet.subnet_id:
            return out and into
        hops = (next_hop(account, a.subnet, b.ip), next_hop(account, b.subnet, a.ip))
        routed = all_of(*(None if hop and hop.target_type != "local" else hop is not None for hop in hops))
        there = acl(a.subnet, "egress", b.ip, port) and acl(b.subnet, "ingress", a.ip, port)
        back = acl(b.subnet, "egress", a.ip, client) and acl(a.subnet, "ingress", b.ip, client)
        return all_of(out, into, routed, there, back)
    if b.subnet is not None:
        routed = to_gateway(account, b.subnet, a.ip)
        public = b.public or routed is None
        there, back = acl(b.subnet, "ingress", a.ip, port), acl(b.subnet, "egress", a.ip, client)
        return all_of(into, routed, public, there, back)
    assert a.subnet is not None
    there, back = acl(a.subnet, "egress", b.ip, port), acl(a.subnet, "ingress", b.ip, client)
    taken = next_hop(account, a.subnet, b.ip)
    if taken is None or taken.state == "blackhole" or taken.target_type == "local":
        return False
    if taken.target_type == "other":
        return all_of(out, None, there, back)
    if taken.target_type == "vpc_endpoint":
        return all_of(out, there, back)
    if taken.target_type == "internet_gateway":
        return all_of(out, a.public, there, back)
    home = account.subnets[account.nats[taken.target_id].subnet_id]
    apart = home.subnet_id != a.subnet.subnet_id
    between = not apart or (acl(home, "ingress", a.ip, port) and acl(home, "egress", a.ip, client))
    returned = next_hop(account, home, a.ip)
    carried = all_of(to_gateway(account, home, b.ip), acl(home, "egress", b.ip, port), returned is not None)
    return all_of(out, there, back, between, carried)


def nat_replies(account: Account, a: Host, b: Host, protocol: str) -> list[bool]:
    """For each port that a NAT gateway on the way may use: whether replies from b to it pass."""
    taken = next_hop(account, a.subnet, b.ip) if a.subnet is not None and b.subnet is None else None
    if taken is None or taken.target_type != "nat_gateway" or taken.state == "blackhole":
        return [True]
    home = account.subnets[account.nats[taken.target_id].subnet_id]
    if protocol not in ("tcp", "udp"):
        return [acl_lets(account, home, "ingress", b.ip, protocol, 0)]
    return [acl_lets(account, home, "ingress", b.ip, protocol, port) for port in CLIENTS[""]]


# ── the parties, for both ──


def host_ips(subnet: Row) -> list[str]:
    base, _, bits = subnet.cidr.partition("/")
    return [str(ipaddress.ip_address(base) + int(host)) for host in SUBNET_HOSTS[int(bits)]]


def hosts(inventory: Inventory, name: str, target: bool) -> list[Host]:
    subnets = inventory.by_key("subnets")
    if name == "internet":
        # Services behind a gateway endpoint have names of their own as targets.
        endpoint = [
            row for row in inventory.rows("routes") if row.target_type == "vpc_endpoint" and row.state == "active"
        ]
        known = HOSTS if not (target and endpoint) else [HOSTS[0], *HOSTS[4:]]
        return [Host(ip, None, [], True, CLIENTS[""]) for ip in known]
    if name == "instance":
        (row,) = [row for row in inventory.rows("network_interfaces") if row.type == "instance"]
        return [Host(row.private_ips[0], subnets[row.subnet_id], row.group_ids, True, CLIENTS[""])]
    table = {"alb": "load_balancers", "task": "services", "sts": "endpoints"}[name]
    (row,) = [row for row in inventory.rows(table) if table != "endpoints" or row.service == name]
    public = name == "alb"
    return [
        Host(ip, subnets[id], row.group_ids, public, CLIENTS["task" if name == "task" else ""])
        for id in row.subnet_ids
        for ip in host_ips(subnets[id])
    ]


def brute(account: Account, source: str, target: str, protocol: str, port: int) -> set[bool | None]:
    """The answers for every sampled pair of addresses and client ports."""
    found: set[bool | None] = set()
    for a in hosts(account.inventory, source, False):
        for b in hosts(account.inventory, target, True):
            replies = nat_replies(account, a, b, protocol)
            for client in a.clients if protocol in ("tcp", "udp") else [0]:
                answer = arrives(account, a, b, protocol, port, client)
                found |= {all_of(answer, reply) for reply in replies}
    return found


def expected(answers: set[bool | None]) -> tuple[bool, bool, bool]:
    """(always, sometimes, unknown) as in `Through`."""
    return answers == {True}, True in answers, True not in answers and None in answers


def said(through: Through, lane: str, number: int) -> tuple[bool, bool, bool]:
    return tuple(part.holds(lane, number) for part in through)  # type: ignore[return-value]


PAIRS = [("alb", "task"), ("task", "alb"), ("task", "task"), ("task", "sts"), ("alb", "sts"), ("internet", "alb")]
PAIRS += [
    ("internet", "task"),
    ("task", "internet"),
    ("alb", "internet"),
    ("instance", "task"),
    ("internet", "instance"),
]
PAIRS += [("instance", "internet"), ("task", "instance")]


# ── random changes ──


@pytest.fixture(scope="module")
def base(dev: Inventory) -> Inventory:
    """dev, and an instance that someone started next to it."""
    (public,) = [row for row in dev.rows("subnets") if row.name.endswith("public-us-east-1b")]
    (group,) = [row.group_id for row in dev.rows("security_groups", is_default=True)]
    instance = {
        "name": "i-1", "type": "instance", "status": "in-use", "network_interface_id": "eni-1", "owner_id": "i-1",
        "subnet_id": public.subnet_id, "vpc_id": public.vpc_id, "group_ids": [group], "public": True,
        "private_ips": ["10.0.1.77"], "public_ips": ["198.51.100.77"],
    }  # fmt: skip
    return dev.replace(network_interfaces=[*dev.rows("network_interfaces"), instance])


def changed(inventory: Inventory, dice: random.Random) -> Inventory:
    table = dice.choice(["security_group_rules", "security_group_rules", "nacl_entries", "nacl_entries", "routes"])
    rows = list(inventory.rows(table))
    if dice.random() < 0.3:
        removable = [row for row in rows if table != "routes" or row.target_type != "local"]
        rows.remove(dice.choice(removable))
        return inventory.replace(**{table: rows})
    first, last = dice.choice(PORTS)
    protocol = dice.choice(["tcp", "tcp", "tcp", "udp", "icmp", "all", "47"])
    first, last = (first, last) if protocol in ("tcp", "udp") else (None, None)
    what: dict[str, Any] = {"protocol": protocol, "from_port": first, "to_port": last, "ports": "some"}
    cidr, direction = dice.choice(RANGES), dice.choice(["ingress", "egress"])
    if table == "security_group_rules":
        group, other = (dice.choice(inventory.rows("security_groups")) for _ in range(2))
        (listed,) = inventory.rows("prefix_lists")
        peer = dice.choice([(cidr, "cidr", cidr), (cidr, "cidr", cidr), (other.name, "security_group", other.group_id),
                            (listed.name, "prefix_list", listed.prefix_list_id)])  # fmt: skip
        what |= dict(zip(("peer", "peer_type", "peer_id"), peer, strict=True))
        what |= {"security_group": group.name, "group_id": group.group_id, "rule_id": f"sgr-{len(rows)}"}
        return inventory.replace(**{table: [*rows, {**what, "direction": direction}]})
    if table == "nacl_entries":
        like = dice.choice([row for row in rows if not row.is_default])
        action, number = (
            dice.choice(["allow", "deny"]),
            dice.choice([n for n in range(1, 400) if n % 10 not in (0, 1, 2)]),
        )
        taken = {row.rule_number for row in rows}
        number = number if number not in taken else max(taken - {32767}) + 1
        new = like.replaced(**what, cidr=cidr, direction=direction, action=action, rule_number=number)
        return inventory.replace(**{table: [*rows, new]})
    like = dice.choice([row for row in rows if row.subnet_ids])
    (gateway,), nat = inventory.rows("internet_gateways"), inventory.rows("nat_gateways")[0]
    target = dice.choice(
        [("internet_gateway", gateway.internet_gateway_id), ("nat_gateway", nat.nat_gateway_id), ("other", "tgw-1")]
    )
    destination = dice.choice(["0.0.0.0/0", "0.0.0.0/1", "203.0.113.0/24", "52.216.0.0/16"])
    new = like.replaced(
        destination=destination, destination_id=destination, target=target[1], target_id=target[1], target_type=target[0],
        state=dice.choice(["active", "active", "blackhole"]),
    )  # fmt: skip
    kept = [r for r in rows if (r.route_table_id, r.destination_id) != (new.route_table_id, destination)]
    return inventory.replace(routes=[*kept, new])


def arrows(inventory: Inventory) -> dict[tuple[str, str], bool]:
    """(source, target) of each arrow between parties -> whether it says that something gets through."""
    known = {"load_balancers": "alb", "services": "task", "network_interfaces": "instance", "generic": "internet"}
    (sts,) = [Key.of("endpoints", row) for row in inventory.rows("endpoints") if row.service == "sts"]

    def called(key: Key) -> str:
        return "sts" if key == sts else known.get(key.table, "")

    found: dict[tuple[str, str], bool] = {}
    for flow in network_flows(inventory):
        pair = called(flow.source), called(flow.target)
        found[pair] = found.get(pair, False) or not flow.label.startswith("cannot tell")
    return found


def check(inventory: Inventory, dice: random.Random, note: str) -> None:
    drawn, names = arrows(inventory), Names(inventory)
    for pair in PAIRS:
        through = traffic(names, *_asked(pair))
        if pair[1] != "internet":
            assert drawn.get(pair) is (True if through.sometimes else False if through.unknown else None), (note, pair)
    pair = dice.choice(PAIRS)
    through = traffic(names, *_asked(pair))
    account = Account(inventory)
    for lane, number in [("tcp", dice.choice(PROBES)), ("tcp", dice.choice(PROBES)), ("udp", dice.choice(PROBES))]:
        answers = brute(account, *pair, lane, number)
        assert said(through, lane, number) == expected(answers), (note, pair, lane, number, str(through), answers)
    assert said(through, "other", 47) == expected(brute(account, *pair, "47", 0)), (note, pair, str(through))


def _asked(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[0].replace("instance", "i-1"), pair[1].replace("instance", "i-1")


def check_whole(inventory: Inventory, note: str) -> None:
    """The matrix says what the sets say, and the picture of the whole draws the arrows."""
    names = Names(inventory)
    for row in matrix(inventory).itertuples():
        sets = traffic(names, row.source, row.target, source_subnet=row.from_subnet, target_subnet=row.to_subnet)
        always, sometimes, unknown = said(sets, "tcp", row.port)
        verdict = "yes" if always else "partly" if sometimes else "unknown" if unknown else "no"
        assert row.verdict == verdict, (note, row)
    picture = sketch("architecture", inventory)
    allowed = {flow for flow in picture.flows if {flow.source.table, flow.target.table} <= _PARTIES}
    assert allowed == {*network_flows(inventory), *_leaving(inventory)}, note


_PARTIES = {"load_balancers", "services", "endpoints", "network_interfaces", "generic", "nat_gateways"}


def _leaving(inventory: Inventory) -> list[Any]:
    subnets = inventory.rows("subnets")
    found = [flow for subnet in subnets for flow in egress_flows(inventory, subnet.subnet_id)]
    return [flow for flow in found if flow.target.table in _PARTIES]


@pytest.mark.parametrize("changes", [20, pytest.param(CHANGES, marks=pytest.mark.slow)])
def test_after_any_change_the_engine_the_matrix_and_the_pictures_agree(changes: int, base: Inventory) -> None:
    inventory = base
    for number in range(changes):
        dice = random.Random(f"{SEED}/{number}")
        inventory = changed(inventory if number % EVERY else base, dice)
        check(inventory, dice, f"WORKBOOK_PACKET_SEED={SEED}, change {number}")
        if number % (2 * EVERY) == EVERY - 1:
            check_whole(inventory, f"WORKBOOK_PACKET_SEED={SEED}, change {number}")


def test_an_arrow_from_the_internet_is_one_to_what_it_reaches(base: Inventory) -> None:
    assert arrows(base) == {("internet", "alb"): True, ("alb", "task"): True, ("task", "sts"): True, ("task", ""): True}
    (alb,) = base.rows("load_balancers")
    assert [flow.label for flow in network_flows(base) if flow.source == INTERNET] == [":80"]
    assert Key.of("load_balancers", alb) in {flow.target for flow in network_flows(base)}


# ── sets ──


def random_set(dice: random.Random) -> Traffic:
    found = NOTHING
    for _ in range(dice.randrange(4)):
        first = dice.randrange(65536)
        last = min(65535, first + dice.choice([0, 1, 100, 60000]))
        one = ports(dice.choice(["tcp", "udp", "47", "all"]), *((first, last) if dice.random() < 0.9 else ()))
        found = found - one if dice.random() < 0.2 else found | one
    return found


def test_sets_of_traffic_obey_the_laws_of_sets() -> None:
    dice = random.Random(SEED)
    for _ in range(300):
        a, b, c = (random_set(dice) for _ in range(3))
        assert a & b == b & a and a | b == b | a
        assert a & (b | c) == (a & b) | (a & c)
        assert a - b == a & (ALL - b) and (a - b) | (a & b) == a
        assert ALL - (ALL - a) == a and (a <= b) == (not a - b) and a & b <= a <= a | b
        lane, number = dice.choice(LANES[:2]), dice.randrange(65536)
        assert (a & b).holds(lane, number) == (a.holds(lane, number) and b.holds(lane, number))
        assert (a | b).holds(lane, number) == (a.holds(lane, number) or b.holds(lane, number))


def test_a_protocol_by_name_and_by_number_is_one() -> None:
    assert ports("6", 22, 22) == ports("tcp", 22, 22) and ports("-1") == ports("all") == ALL
    assert ports("icmp", 8, -1) <= ports("1") and not ports("icmp", 8, 0) & ports("icmp", 0, -1)
    assert str(ports("tcp", 22, 22) | ports("udp", 53, 53) | ports("icmp", 8, -1)) == "tcp 22, udp 53, icmp type 8"
