"""The ways of a connection through the VPC, gate by gate, there and back, and what each gate lets through.

Pure functions of the inventory, so a what-if is an inventory with other rows (`Inventory.replace`). The rules:

- Security groups are stateful: the side that opens the connection needs an egress rule, the other an ingress rule;
  replies need none.
- Network ACLs are stateless and apply at a subnet's border: both directions are checked, replies with the client's
  ports (Linux 32768-60999 for a task, otherwise 1024-65535). They do not apply within a subnet.
- The route with the longest prefix wins. A NAT gateway only carries connections opened from inside, an internet gateway
  only those of a public address; a private subnet has no way in.
- Every class of addresses, and of client ports, that some rule tells apart has a way of its own, so "the internet
  cannot" means that no address on it can.

AWS's Reachability Analyzer does this in an account, for a fee; Batfish needs a server, raw API responses and instances,
and does not know Fargate tasks. Neither works on an inventory, hence this small one.

Not covered: peering and transit gateways, firewalls and other appliances, regional NAT gateways' own routes, prefix
lists that were not read, and what a load balancer or a container does with the connection. A way that involves them is
`unknown`, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce
from itertools import pairwise, product

from workbook.inventory import Row
from workbook.network.answer import Hop
from workbook.network.packets import (
    OPEN,
    SHUT,
    UNSURE,
    Address,
    Passage,
    acl_rule,
    answered,
    both,
    group_rule,
    public,
)
from workbook.network.places import Place, pieces
from workbook.network.topology import ANY_CLIENT_PORTS, Topology

_UNKNOWN_GROUPS = "what has this address, and therefore its security groups, is not in the inventory"
_PASSAGES = {"yes": OPEN, "no": SHUT, "unknown": UNSURE}
_VERDICT = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True)
class Gate:
    """One step on the way: what it lets through of the traffic that opens the connection.

    Attributes
    ----------
    direction, what, where : as in `Hop`.
    passage : what gets through; of a gate that `replies` pass, before `_answering` what is allowed back.
    said : lane and number -> the rule that decides about this packet.
    replies : whose ports the replies that pass here go to, `client` or `nat`; empty on the way there.
    """

    direction: str
    what: str
    where: str
    passage: Passage
    said: Callable[[str, int], str]
    replies: str = ""

    def hop(self, lane: str, number: int) -> Hop:
        verdict = self.passage.verdict(lane, number)
        return Hop(self.direction, self.what, self.where, verdict, self.said(lane, number))


@dataclass(frozen=True)
class Way:
    """One way of a connection: from one class of addresses in one subnet to another, with its gates.

    `via` is the table and the id of what carries it out of the VPC: a NAT gateway, an internet gateway, an endpoint.
    """

    source: Place
    target: Place
    source_range: str
    target_range: str
    here: Address
    there: Address
    gates: tuple[Gate, ...]
    via: tuple[str, str] | None

    @cached_property
    def passage(self) -> Passage:
        """What gets through all gates."""
        return reduce(both, (gate.passage for gate in self.gates), OPEN)


def ways(net: Topology, source: Place, target: Place, brief: bool = False) -> Iterator[Way]:
    """Every way from one place to another. `brief`: a way that the security groups shut has no other gates, for those
    who only ask what gets through."""
    starts, ends = pieces(net, source), pieces(net, target, target=True)
    alike = [(a, b) for a in starts for b in ends if a[0].version == b[0].version]
    # Without an address of the other's version there is still a way to explain.
    for (here, here_name), (there, there_name) in alike or list(product(starts[:1], ends[:1])):
        walk = _Walk(net, source, here, target, there)
        if brief and (shut := walk.shut()):
            yield Way(source, target, here_name, there_name, here, there, shut, None)
            continue
        gates = tuple(walk.gates())
        for split in _by_ports(gates, {"client": source.client_ports, "nat": ANY_CLIENT_PORTS}):
            yield Way(source, target, here_name, there_name, here, there, split, walk.via)


def _by_ports(gates: tuple[Gate, ...], spans: dict[str, tuple[int, int]]) -> Iterator[tuple[Gate, ...]]:
    """The gates for each class of client ports (and of a NAT gateway's ports) that they tell apart."""
    whose = sorted({gate.replies for gate in gates if gate.replies})
    classes = [_port_classes(tuple(g.passage for g in gates if g.replies == who), *spans[who]) for who in whose]
    for chosen in product(*classes):
        of = {
            who: (port, said if len(every) > 1 else "")
            for who, (port, said), every in zip(whose, chosen, classes, strict=True)
        }
        yield tuple(_answering(gate, *of[gate.replies]) if gate.replies else gate for gate in gates)


@lru_cache(maxsize=4096)
def _port_classes(passages: tuple[Passage, ...], first: int, last: int) -> list[tuple[int, str]]:
    """One port of each class that the sets tell apart, and the class as text."""
    borders = {first, last + 1}
    for span in (span for p in passages for t in (p.sure, p.possible) for lane in t.spans[:2] for span in lane):
        borders |= {border for border in (span[0], span[1] + 1) if first < border <= last}
    found: dict[tuple[bool, ...], tuple[int, str]] = {}
    for start, end in pairwise(sorted(borders)):
        mark = tuple(t.holds(lane, start) for p in passages for t in (p.sure, p.possible) for lane in ("tcp", "udp"))
        said = f"{start}-{end - 1}" if end - 1 > start else str(start)
        found.setdefault(mark, (start, f"{said} of {first}-{last}"))
    return list(found.values())


def _answering(gate: Gate, port: int, said: str) -> Gate:
    """A gate for replies, as what it lets through of the traffic that asked."""
    passage = Passage(answered(gate.passage.sure, port), answered(gate.passage.possible, port))

    def rule(lane: str, number: int) -> str:
        text = gate.said(lane, port if lane in ("tcp", "udp") else number)
        return f"{text}, for replies to port {said}" if said else text

    return replace(gate, passage=passage, said=rule)


def _fixed(direction: str, what: str, where: str, verdict: str, rule: str) -> Gate:
    """A gate that treats all traffic alike."""
    return Gate(direction, what, where, _PASSAGES[verdict], lambda lane, number: rule)


class _Walk:
    """The gates between two addresses."""

    def __init__(self, net: Topology, a: Place, here: Address, b: Place, there: Address) -> None:
        self.net, self.a, self.b, self.here, self.there = net, a, b, here, there
        self.via: tuple[str, str] | None = None

    def shut(self) -> tuple[Gate, ...]:
        """The gates of the security groups, if they let nothing through."""
        sides = [("egress", self.a, self.there, self.b), ("ingress", self.b, self.here, self.a)]
        gates = tuple(self._group(*side) for side in sides if side[1].subnet is not None and side[1].kind != "nat")
        return gates if gates and not reduce(both, (gate.passage for gate in gates), OPEN).possible else ()

    def gates(self) -> Iterator[Gate]:
        a, b = self.a, self.b
        for place in (a, b):
            if place.kind == "nat" and place.subnet is None:
                yield _fixed("there", "NAT gateway", place.label, "no", "it opens and accepts no connections itself")
                return
        if not (a.modelled and b.modelled):
            if a.subnet is not None:
                yield from self._out_of_group()
            if b.subnet is not None:
                yield from self._into_group()
            strange = b if a.modelled else a
            yield _fixed("there", "endpoint", strange.name, "unknown", f"an {strange.kind} is not modelled")
        elif a.subnet is None and b.subnet is None and b.gateway is None:
            yield _fixed("there", "VPC", "", "unknown", "neither side is in a subnet of the inventory")
        elif b.gateway is not None:
            yield from self._through_gateway_endpoint(b.gateway)
        elif a.subnet is not None and b.subnet is not None:
            yield from self._inside(a.subnet, b.subnet)
        elif a.subnet is not None:
            yield from self._outbound(a.subnet)
        elif b.subnet is not None:
            yield from self._inbound(b.subnet)

    # ── the four ways ──

    def _inside(self, near: Row, far: Row) -> Iterator[Gate]:
        for place in (self.a, self.b):
            if place.kind == "nat":
                yield _fixed("there", "NAT gateway", place.label, "no", "it opens and accepts no connections itself")
        if self.a.kind == "interface endpoint":
            yield self._only_replies()
        if self.b.endpoint is not None:
            yield self._private_dns(self.b.endpoint)
        yield from self._out_of_group()
        if near.subnet_id == far.subnet_id:
            yield from self._into_group()
            return
        yield self._acl("there", near, "egress", self.there)
        yield self._local("there", near, far, self.there)
        yield self._acl("there", far, "ingress", self.here)
        yield from self._into_group()
        yield self._acl("back", far, "egress", self.here, "client")
        yield self._local("back", far, near, self.here)
        yield self._acl("back", near, "ingress", self.there, "client")

    def _inbound(self, far: Row) -> Iterator[Gate]:
        if self._unmodelled(far, self.here) is None:
            yield self._public_address(self.b, self.here)
        if self.b.kind == "nat":
            yield _fixed("there", "NAT gateway", self.b.label, "no", "it only carries connections opened from inside")
        yield self._to_internet(far, self.here, "reply: ")
        yield self._acl("there", far, "ingress", self.here)
        yield from self._into_group()
        yield self._acl("back", far, "egress", self.here, "client")

    def _outbound(self, near: Row) -> Iterator[Gate]:
        if self.a.kind == "interface endpoint":
            yield self._only_replies()
        yield from self._out_of_group()
        yield self._acl("there", near, "egress", self.there)
        taken = self.net.taken(near, self.there).route
        if self._unmodelled(near, self.there) is not None:
            yield self._to_internet(near, self.there)
        elif taken is not None and taken.target_type == "nat_gateway" and taken.state != "blackhole":
            yield self._route("there", near, taken, True)
            yield from self._through_nat(near, taken)
        elif taken is not None and taken.target_type == "vpc_endpoint" and taken.state == "active":
            yield self._route("there", near, taken, True)
            yield self._endpoint(self.net.endpoints.get(taken.target_id), str(taken.target))
        else:
            yield self._to_internet(near, self.there)
            yield self._public_address(self.a, self.there)
        yield self._acl("back", near, "ingress", self.there, "client")

    def _through_nat(self, near: Row, taken: Row) -> Iterator[Gate]:
        nat = self.net.nats.get(taken.target_id)
        if nat is None:
            yield _fixed("there", "NAT gateway", str(taken.target), "unknown", "it is not in the inventory")
            return
        self.via = ("nat_gateways", nat.nat_gateway_id)
        private = nat.connectivity == "private"
        has = "private" if private else f"{'with a' if nat.public_ip else 'without'} public address"
        fine = nat.state == "available" and (private or bool(nat.public_ip))
        yield _fixed("there", "NAT gateway", nat.name, _VERDICT[fine], f"{nat.state}, {has}")
        home = self.net.by_subnet.get(nat.subnet_id) if nat.subnet_id else None
        if home is None:
            why = "regional: its own route table" if not nat.subnet_id else "its subnet"
            yield _fixed("there", "NAT gateway", nat.name, "unknown", f"{why} is not in the inventory")
            return
        apart = home.subnet_id != near.subnet_id
        if apart:
            yield self._acl("there", home, "ingress", self.here)
        if private and self._unmodelled(home, self.there) is None:
            yield _fixed("there", "NAT gateway", nat.name, "no", "private: no internet gateway carries its traffic")
        yield self._to_internet(home, self.there)
        yield self._acl("there", home, "egress", self.there)
        yield self._acl("back", home, "ingress", self.there, "nat")
        if apart:
            yield self._acl("back", home, "egress", self.here, "client")
            yield self._local("back", home, near, self.here)
        self.via = ("nat_gateways", nat.nat_gateway_id)

    def _through_gateway_endpoint(self, endpoint: Row) -> Iterator[Gate]:
        near = self.a.subnet
        if near is None:
            why = "it is a route in the VPC; nothing outside can use it"
            yield _fixed("there", "gateway endpoint", endpoint.name, "no", why)
            return
        yield from self._out_of_group()
        yield self._acl("there", near, "egress", self.there)
        taken = self.net.taken(near, self.there).route
        right = taken is not None and taken.target_id == endpoint.endpoint_id and taken.state == "active"
        yield self._route("there", near, taken, right)
        yield self._endpoint(endpoint, str(endpoint.name))
        yield self._acl("back", near, "ingress", self.there, "client")

    # ── the gates ──

    def _only_replies(self) -> Gate:
        why = "it only replies and opens no connections itself"
        return _fixed("there", "interface endpoint", self.a.label, "no", why)

    def _out_of_group(self) -> Iterator[Gate]:
        if self.a.kind != "nat":
            yield self._group("egress", self.a, self.there, self.b)

    def _into_group(self) -> Iterator[Gate]:
        if self.b.kind != "nat":
            yield self._group("ingress", self.b, self.here, self.a)

    def _group(self, direction: str, own: Place, address: Address, peer: Place) -> Gate:
        what = f"security group {'out' if direction == 'egress' else 'in'}"
        net, groups = self.net, own.groups
        if groups is None:
            return _fixed("there", what, own.name, "unknown", _UNKNOWN_GROUPS)

        def rule(lane: str, number: int) -> str:
            rules = net.rules(groups, direction)
            return group_rule(rules, direction, address, peer.groups, net.lists, peer.name, lane, number)

        return Gate(
            "there", what, net.group_names(groups), net.through_groups(groups, direction, address, peer.groups), rule
        )

    def _acl(self, direction: str, subnet: Row, way: str, address: Address, replies: str = "") -> Gate:
        what = f"network ACL {'in' if way == 'ingress' else 'out'}"
        if not subnet.network_acl_id:
            why = "the subnet's network ACL is not in the inventory"
            return _fixed(direction, what, str(subnet.name), "unknown", why)
        net = self.net

        def rule(lane: str, number: int) -> str:
            return acl_rule(net.acl(subnet), way, address, lane, number)

        return Gate(direction, what, str(subnet.network_acl), net.through_acl(subnet, way, address), rule, replies)

    def _route(self, direction: str, subnet: Row, taken: Row | None, right: bool | None, before: str = "") -> Gate:
        if taken is None:
            verdict = "no" if self.net.routes(subnet) else "unknown"
            return _fixed(direction, "route table", str(subnet.route_table), verdict, f"{before}no route")
        dead = " (blackhole)" if taken.state == "blackhole" else ""
        rule = f"{before}{taken.destination} → {taken.target}{dead}"
        return _fixed(direction, "route table", str(subnet.route_table), "no" if dead else _VERDICT[right], rule)

    def _local(self, direction: str, near: Row, far: Row, address: Address) -> Gate:
        if near.vpc_id != far.vpc_id:
            why = "another VPC: peering and transit gateways are not in the inventory"
            return _fixed(direction, "route table", str(near.route_table), "unknown", why)
        taken, unsure = self.net.taken(near, address)
        if unsure:
            return self._unsure(direction, near, address, unsure)
        right = taken is not None and taken.target_type == "local"
        elsewhere = taken is not None and taken.target_type != "local"
        return self._route(direction, near, taken, None if elsewhere else right)

    def _unsure(self, direction: str, near: Row, address: Address, unsure: tuple[Row, ...]) -> Gate:
        names = ", ".join(str(row.destination) for row in unsure)
        why = f"whether {names} contains {address} is not in the inventory"
        return _fixed(direction, "route table", str(near.route_table), "unknown", why)

    def _unmodelled(self, subnet: Row, address: Address) -> Row | None:
        """The route that leads to what is not modelled: a transit gateway, peering, an appliance, an unread list."""
        taken, unsure = self.net.taken(subnet, address)
        if unsure:
            return unsure[0]
        if taken is None or taken.state == "blackhole" or str(taken.target_id).startswith("eigw-"):
            return None
        endpoint = self.net.endpoints.get(taken.target_id) if taken.target_type == "vpc_endpoint" else None
        appliance = taken.target_type == "vpc_endpoint" and (endpoint is None or endpoint.type != "Gateway")
        return taken if appliance or taken.target_type == "other" else None

    def _to_internet(self, subnet: Row, address: Address, before: str = "") -> Gate:
        """The subnet's route to an internet gateway attached to its VPC."""
        taken, unsure = self.net.taken(subnet, address)
        if unsure:
            return self._unsure("there", subnet, address, unsure)
        right: bool | None = False
        if self._unmodelled(subnet, address) is not None:
            right = None
        elif address.ip is not None and not public(address.ip):
            right = False
        elif taken is not None and taken.target_type == "internet_gateway":
            gateway = self.net.gateways.get(taken.target_id)
            right = gateway is not None and gateway.vpc_id == subnet.vpc_id
            self.via = ("internet_gateways", str(taken.target_id))
        elif taken is not None and str(taken.target_id).startswith("eigw-"):
            right = address.version == 6 and not before  # An egress-only internet gateway: out, never in.
        return self._route("there", subnet, taken, right, before)

    def _endpoint(self, endpoint: Row | None, name: str) -> Gate:
        if endpoint is None:
            return _fixed("there", "gateway endpoint", name, "unknown", "it is not in the inventory")
        self.via = ("endpoints", str(endpoint.endpoint_id))
        fine = endpoint.state == "available"
        return _fixed("there", "gateway endpoint", endpoint.name, _VERDICT[fine], str(endpoint.state))

    def _public_address(self, place: Place, other: Address) -> Gate:
        """An internet gateway carries IPv4 only for public addresses; every IPv6 address is public."""
        if other.version == 6:
            has, what = place.ipv6 if any(r.version == 6 for r in place.ranges) else False, "an IPv6 address"
        else:
            has, what = place.public, "a public address"
        said = {
            True: what,
            False: f"no{what[what.index(' ') :]}",
            None: f"whether it has {what} is not in the inventory",
        }
        return _fixed("there", "internet gateway", place.label, _VERDICT[has], said[has])

    def _private_dns(self, endpoint: Row) -> Gate:
        vpc = next((v for v in self.net.vpcs if v.vpc_id == endpoint.vpc_id), None)
        switches = {
            "private DNS": endpoint.private_dns,
            "DNS support": vpc.dns_support if vpc else None,
            "DNS host names": vpc.dns_hostnames if vpc else None,
        }
        off = [name for name, value in switches.items() if not value]
        if endpoint.state != "available":
            return _fixed("there", "private DNS", endpoint.name, "no", f"the endpoint is {endpoint.state}")
        if off:
            verdict = "unknown" if any(switches[name] is None for name in off) else "no"
            why = f"{', '.join(off)} off: the service's name resolves past the endpoint"
            return _fixed("there", "private DNS", endpoint.name, verdict, why)
        return _fixed("there", "private DNS", endpoint.name, "yes", f"{endpoint.service} resolves to the endpoint")
