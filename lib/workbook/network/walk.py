"""What can reach what: the path of a connection through the VPC, hop by hop, there and back.

Pure functions of the inventory, so a what-if is an inventory with other rows (`Inventory.replace`). The rules:

- Security groups are stateful: the side that opens the connection needs an egress rule, the other an ingress rule;
  replies need none.
- Network ACLs are stateless and apply at a subnet's border: both directions are checked, replies with the client's
  ports (Linux 32768-60999 for a task, otherwise 1024-65535). They do not apply within a subnet.
- The route with the longest prefix wins. A NAT gateway only carries connections opened from inside, an internet gateway
  only those of a public address; a private subnet has no way in.
- Every piece of an address range that some rule distinguishes is decided separately, so "the internet cannot" means
  that no address on it can.

AWS's Reachability Analyzer does this in an account, for a fee; Batfish needs a server, raw API responses and instances,
and does not know Fargate tasks. Neither works on an inventory, hence this small one.

Not covered: peering and transit gateways, firewalls, prefix list entries, and what a load balancer or a container does
with the connection. A path that involves them is `unknown`, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbook.errors import WorkbookError
from workbook.inventory import Inventory, Row
from workbook.network.answer import Hop, Path, Reach
from workbook.network.packets import Address, Ruling, acl, group, lists, public, route
from workbook.network.topology import ANY_CLIENT_PORTS, LINUX_PORTS, Place, Topology

_UNKNOWN_GROUPS = "what has this address, and therefore its security groups, is not in the inventory"
_VERDICT = {True: "yes", False: "no", None: "unknown"}


def reach(
    inventory: Inventory | Topology,
    source: str,
    target: str,
    port: int,
    protocol: str = "tcp",
    *,
    source_subnet: str = "",
    target_subnet: str = "",
) -> Reach:
    """Whether `source` can open a connection to `target` on `port`, which way it takes, and what blocks it if not.

    Parameters
    ----------
    inventory : with the layers vpc and, for `alb` and `task`, ecs.
    source, target : `internet` (`::/0` for IPv6), `alb`, `task`, `nat`, an endpoint's service such as `ecr.api` or
        `s3`, an IP address or CIDR, or the name of a load balancer, service, endpoint, NAT gateway, security group or
        subnet, with or without the common prefix; or its id, where several share the name.
    port : 1 to 65535.
    protocol : tcp or udp.
    source_subnet, target_subnet : only from or to this subnet (name or id), for questions about zones.

    Raises
    ------
    WorkbookError : the name, port or protocol is unknown, or several resources have the name.
    """
    if protocol not in ("tcp", "udp"):
        raise WorkbookError(f"The network proofs support tcp and udp, not {protocol!r}.", "Use one of these.")
    if not 1 <= int(port) <= 65535:
        raise WorkbookError(f"There is no port {port}.", "A port is between 1 and 65535.")
    net = inventory if isinstance(inventory, Topology) else Topology(inventory)
    sources, targets = net.places(source, source_subnet), net.places(target, target_subnet)
    if any(place.gateway for place in sources):
        raise WorkbookError(
            f"{source} is a gateway endpoint: a route, which opens no connections.", "Use it as the target."
        )
    paths = tuple(
        Path(a.label, b.label, here_name, there_name, tuple(_Walk(net, a, here, b, there, protocol, int(port)).hops()))
        for a in sources
        for b in targets
        for here, here_name in net.pieces(a)
        for there, there_name in net.pieces(b)
    )
    if not paths:
        raise WorkbookError(
            f"Neither {source} nor {target} contains a usable address.", "Use an address that something can have."
        )
    first, last = sources[0].client_ports
    system = "Linux" if (first, last) == LINUX_PORTS else "any client"
    ports = f"Replies go to the client's ports {first}-{last} ({system})."
    return Reach(source, target, int(port), protocol, paths, ports, net.inventory.scope.prefix)


class _Walk:
    """The hops of one connection between two addresses."""

    def __init__(
        self, net: Topology, a: Place, here: Address, b: Place, there: Address, protocol: str, port: int
    ) -> None:
        self.net, self.a, self.b, self.here, self.there = net, a, b, here, there
        self.protocol, self.port = protocol, port
        self.ports = (port, port)

    def hops(self) -> Iterator[Hop]:
        a, b = self.a, self.b
        if a.subnet is None and b.subnet is None and b.gateway is None:
            yield Hop("there", "VPC", "", "unknown", "neither side is in a subnet of the inventory")
        elif b.gateway is not None:
            yield from self._through_gateway_endpoint(b.gateway)
        elif a.subnet is not None and b.subnet is not None:
            yield from self._inside(a.subnet, b.subnet)
        elif a.subnet is not None:
            yield from self._outbound(a.subnet)
        elif b.subnet is not None:
            yield from self._inbound(b.subnet)

    # ── the four ways ──

    def _inside(self, near: Row, far: Row) -> Iterator[Hop]:
        if self.a.kind == "nat" or self.b.kind == "nat":
            yield Hop(
                "there",
                "NAT gateway",
                (self.a if self.a.kind == "nat" else self.b).label,
                "no",
                "it opens and accepts no connections itself",
            )
        if self.b.endpoint is not None:
            yield self._private_dns(self.b.endpoint, near)
        yield from self._out_of_group()
        if near.subnet_id == far.subnet_id:
            yield from self._into_group()
            return
        yield self._acl("there", near, "egress", self.ports, self.there)
        yield self._local("there", near, far, self.there)
        yield self._acl("there", far, "ingress", self.ports, self.here)
        yield from self._into_group()
        yield self._acl("back", far, "egress", self.a.client_ports, self.here)
        yield self._local("back", far, near, self.here)
        yield self._acl("back", near, "ingress", self.a.client_ports, self.there)

    def _inbound(self, far: Row) -> Iterator[Hop]:
        yield self._public_address(self.b, self.here)
        if self.b.kind == "nat":
            yield Hop("there", "NAT gateway", self.b.label, "no", "it only carries connections opened from inside")
        yield self._to_internet(far, self.here, "reply: ")
        yield self._acl("there", far, "ingress", self.ports, self.here)
        yield from self._into_group()
        yield self._acl("back", far, "egress", self.a.client_ports, self.here)

    def _outbound(self, near: Row) -> Iterator[Hop]:
        if self.a.kind == "interface endpoint":
            yield Hop(
                "there", "interface endpoint", self.a.label, "no", "it only replies and opens no connections itself"
            )
        yield from self._out_of_group()
        yield self._acl("there", near, "egress", self.ports, self.there)
        taken = route(self.net.routes(near), self.there)
        if taken is not None and taken.target_type == "nat_gateway" and taken.state != "blackhole":
            yield self._route_hop("there", near, taken, True)
            yield from self._through_nat(near, taken)
        else:
            yield self._to_internet(near, self.there)
            yield self._public_address(self.a, self.there)
        yield self._acl("back", near, "ingress", self.a.client_ports, self.there)

    def _through_nat(self, near: Row, taken: Row) -> Iterator[Hop]:
        nat = self.net.nats.get(taken.target_id)
        if nat is None:
            yield Hop("there", "NAT gateway", str(taken.target), "unknown", "it is not in the inventory")
            return
        fine = nat.state == "available" and bool(nat.public_ip)
        yield Hop(
            "there",
            "NAT gateway",
            nat.name,
            _VERDICT[fine],
            f"{nat.state}, {'with a' if nat.public_ip else 'without'} public address",
        )
        home = self.net.subnet(nat.subnet_id)
        apart = home.subnet_id != near.subnet_id
        if apart:
            yield self._acl("there", home, "ingress", self.ports, self.here)
        yield self._to_internet(home, self.there)
        yield self._acl("there", home, "egress", self.ports, self.there)
        yield self._acl("back", home, "ingress", ANY_CLIENT_PORTS, self.there)
        if apart:
            yield self._acl("back", home, "egress", self.a.client_ports, self.here)
            yield self._local("back", home, near, self.here)

    def _through_gateway_endpoint(self, endpoint: Row) -> Iterator[Hop]:
        near = self.a.subnet
        if near is None:
            yield Hop(
                "there",
                "gateway endpoint",
                endpoint.name,
                "no",
                "it is a route in the VPC; nothing outside can use it",
            )
            return
        yield from self._out_of_group()
        yield self._acl("there", near, "egress", self.ports, self.there)
        taken = route(self.net.routes(near), self.there)
        right = taken is not None and taken.target_id == endpoint.endpoint_id and taken.state == "active"
        yield self._route_hop("there", near, taken, right)
        yield Hop(
            "there",
            "gateway endpoint",
            endpoint.name,
            _VERDICT[endpoint.state == "available"],
            str(endpoint.state),
        )
        yield self._acl("back", near, "ingress", self.a.client_ports, self.there)

    # ── the hops ──

    def _hop(self, direction: str, what: str, where: str, ruling: Ruling) -> Hop:
        return Hop(direction, what, where, _VERDICT[ruling.allowed], ruling.rule)

    def _out_of_group(self) -> Iterator[Hop]:
        groups, peer_lists = self.a.groups, (self.there.prefix_list,) if self.there.prefix_list else ()
        if groups is None:
            yield Hop("there", "security group out", self.a.name, "unknown", _UNKNOWN_GROUPS)
        elif self.a.kind != "nat":
            rules = self.net.rules(groups)
            ruling = group(
                rules, "egress", self.protocol, self.port, self.there, self.b.groups, peer_lists, self.b.name
            )
            yield self._hop("there", "security group out", self.net.group_names(groups), ruling)

    def _into_group(self) -> Iterator[Hop]:
        groups = self.b.groups
        if groups is None:
            yield Hop("there", "security group in", self.b.name, "unknown", _UNKNOWN_GROUPS)
        elif self.b.kind != "nat":
            rules = self.net.rules(groups)
            ruling = group(rules, "ingress", self.protocol, self.port, self.here, self.a.groups, (), self.a.name)
            yield self._hop("there", "security group in", self.net.group_names(groups), ruling)

    def _acl(self, direction: str, subnet: Row, way: str, ports: tuple[int, int], address: Address) -> Hop:
        what = f"network ACL {'in' if way == 'ingress' else 'out'}"
        if not subnet.network_acl_id:
            return Hop(
                direction,
                what,
                str(subnet.name),
                "unknown",
                "the subnet's network ACL is not in the inventory",
            )
        return self._hop(
            direction, what, str(subnet.network_acl), acl(self.net.acl(subnet), way, self.protocol, ports, address)
        )

    def _route_hop(self, direction: str, subnet: Row, taken: Row | None, right: bool | None, before: str = "") -> Hop:
        if taken is None:
            return Hop(
                direction,
                "route table",
                str(subnet.route_table),
                "no" if self.net.routes(subnet) else "unknown",
                f"{before}no route",
            )
        dead = " (blackhole)" if taken.state == "blackhole" else ""
        verdict = "no" if dead else _VERDICT[right]
        return Hop(
            direction,
            "route table",
            str(subnet.route_table),
            verdict,
            f"{before}{taken.destination} → {taken.target}{dead}",
        )

    def _local(self, direction: str, near: Row, far: Row, address: Address) -> Hop:
        taken = route(self.net.routes(near), address)
        if near.vpc_id != far.vpc_id:
            return Hop(
                direction,
                "route table",
                str(near.route_table),
                "unknown",
                "another VPC: peering and transit gateways are not in the inventory",
            )
        if unsure := lists(self.net.routes(near), address):
            return Hop(
                direction,
                "route table",
                str(near.route_table),
                "unknown",
                f"whether {', '.join(unsure)} contains {address} is not in the inventory",
            )
        right = (
            None
            if taken is not None and taken.target_type in ("other", "vpc_endpoint")
            else taken is not None and taken.target_type == "local"
        )
        return self._route_hop(direction, near, taken, right)

    def _to_internet(self, subnet: Row, address: Address, before: str = "") -> Hop:
        """The subnet's route to an internet gateway attached to its VPC."""
        taken = route(self.net.routes(subnet), address)
        if address.ip is not None and not public(address.ip):
            right: bool | None = None if taken is not None and taken.target_type == "other" else False
        elif taken is not None and taken.target_type == "internet_gateway":
            gateway = self.net.gateways.get(taken.target_id)
            right = gateway is not None and gateway.vpc_id == subnet.vpc_id
        elif taken is not None and str(taken.target_id).startswith("eigw-"):
            right = address.version == 6 and not before  # An egress-only internet gateway: out, never in.
        else:
            right = None if taken is not None and taken.target_type == "other" else False
        return self._route_hop("there", subnet, taken, right, before)

    def _public_address(self, place: Place, other: Address) -> Hop:
        """An internet gateway carries IPv4 only for public addresses; every IPv6 address is public."""
        versions = {network.version for network in place.ranges}
        if other.version == 6:
            return (
                Hop("there", "internet gateway", place.label, "yes", "an IPv6 address")
                if 6 in versions
                else Hop(
                    "there",
                    "internet gateway",
                    place.label,
                    "unknown",
                    "whether it has an IPv6 address is not in the inventory",
                )
            )
        if place.kind in ("address", "group", "subnet"):
            return Hop(
                "there",
                "internet gateway",
                place.label,
                "unknown",
                "whether it has a public address is not in the inventory",
            )
        return Hop(
            "there",
            "internet gateway",
            place.label,
            _VERDICT[place.public],
            "a public address" if place.public else "no public address",
        )

    def _private_dns(self, endpoint: Row, near: Row) -> Hop:
        vpc = next((v for v in self.net.vpcs if v.vpc_id == endpoint.vpc_id), None)
        switches = {
            "private DNS": endpoint.private_dns,
            "DNS support": vpc.dns_support if vpc else None,
            "DNS host names": vpc.dns_hostnames if vpc else None,
        }
        off = [name for name, value in switches.items() if not value]
        if endpoint.state != "available":
            return Hop("there", "private DNS", endpoint.name, "no", f"the endpoint is {endpoint.state}")
        if off:
            verdict = "unknown" if any(switches[name] is None for name in off) else "no"
            return Hop(
                "there",
                "private DNS",
                endpoint.name,
                verdict,
                f"{', '.join(off)} off: the service's name resolves past the endpoint",
            )
        return Hop("there", "private DNS", endpoint.name, "yes", f"{endpoint.service} resolves to the endpoint")
