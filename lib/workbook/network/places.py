"""What is where in the network: turns a resource or a name into subnets, addresses and security groups."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory, Row
from workbook.network.packets import Address, Network, network
from workbook.network.topology import ANY_CLIENT_PORTS, LINUX_PORTS, Topology

INTERNET = "internet"


@dataclass(frozen=True)
class Place:
    """One party in one subnet, or outside the VPC if `subnet` is None.

    Attributes
    ----------
    ranges : the addresses it can have.
    groups : ids of its security groups; None if it is unknown what is there.
    public : whether it has a public IPv4 address; None if unknown.
    ipv6 : whether it has an IPv6 address; None if unknown.
    client_ports : the ports it opens connections from, first and last.
    modelled : False for what the engine cannot follow packets to, such as an endpoint of a gateway load balancer.
    gateway : the row of the gateway endpoint, which has no address itself.
    """

    name: str
    kind: str
    subnet: Row | None
    ranges: tuple[Network, ...]
    groups: tuple[str, ...] | None
    public: bool | None = False
    ipv6: bool | None = None
    client_ports: tuple[int, int] = ANY_CLIENT_PORTS
    modelled: bool = True
    gateway: Row | None = field(default=None, compare=False)
    endpoint: Row | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        return f"{self.name} in {self.subnet.name}" if self.subnet else self.name


KINDS = {"load_balancers": "load balancer", "services": "service", "endpoints": "interface endpoint"}


def internet(version: int = 4) -> Place:
    """Everything outside the VPCs that has a public address."""
    whole = network("0.0.0.0/0" if version == 4 else "::/0")
    return Place(INTERNET if version == 4 else "internet (IPv6)", INTERNET, None, (whole,), (), public=True, ipv6=True)


def ranges(subnet: Row) -> tuple[Network, ...]:
    return tuple(network(cidr) for cidr in ([subnet.cidr] if subnet.cidr else []) + list(subnet.ipv6_cidrs or []))


def pieces(net: Topology, place: Place, target: bool = False) -> list[tuple[Address, str]]:
    """One address for each class of the place's addresses that rules can tell apart, with the class's name."""
    if place.kind == INTERNET:
        return net.internet(place.ranges[0].version, outward=target)
    if not place.modelled:
        return [(Address(None, "", place.name), place.name)]
    if place.gateway is None:
        return net.classes(place.ranges)
    lists = [
        str(row.destination_id)
        for row in net.inventory.rows("routes")
        if row.target_id == place.gateway.endpoint_id and str(row.destination_id).startswith("pl-")
    ]
    entries = net.lists.get(lists[0]) if lists else None
    if not entries:
        return [(Address(None, lists[0] if lists else "pl-", place.name), place.name)]
    known = net.classes(tuple(network(cidr) for cidr in entries), (), place.name)
    return [(Address(address.ip, "", place.name), said) for address, said in known]


def unclaimed(interfaces: Iterable[Row], others: Mapping[str, Iterable[Row]]) -> list[Row]:
    """The interfaces that belong to none of the `others`: services, load balancers, endpoints and NAT gateways.

    A service's tasks have its groups, its subnets, and no public address unless it says so; a task that someone ran by
    hand with the same settings is no different to a packet.
    """
    owners = {_owner(table, row) for table, rows in others.items() for row in rows}
    tasks = [(set(row.group_ids), set(row.subnet_ids), bool(row.public_ip)) for row in others.get("services", ())]
    return [
        row
        for row in interfaces
        if row.owner_id not in owners
        and not (
            row.type == "task"
            and any(
                set(row.group_ids) == groups and row.subnet_id in subnets and bool(row.public) <= public
                for groups, subnets, public in tasks
            )
        )
    ]


def _owner(table: str, row: Row) -> str:
    """What the interfaces of a resource name as their owner."""
    return str(row.load_balancer_arn).partition("loadbalancer/")[2] if table == "load_balancers" else _id(table, row)


def standing(net: Topology, table: str, row: Row, name: str = "") -> list[Place]:
    """Where a resource is, a place for each of its subnets; `name` is what to call it.

    Raises
    ------
    WorkbookError : it neither sends nor receives packets, or its subnets are not in the inventory.
    """
    name = name or str(row.name)
    if table == "subnets":
        return [Place(name, "subnet", row, ranges(row), None, public=None)]
    if table == "security_groups":
        inside = [s for s in net.subnets if not row.vpc_id or s.vpc_id == row.vpc_id]
        return [Place(name, "group", subnet, ranges(subnet), (row.group_id,), public=None) for subnet in inside]
    if table == "nat_gateways":
        subnet = net.by_subnet.get(row.subnet_id) if row.subnet_id else None
        where = ranges(subnet) if subnet else tuple(network(ip) for ip in _addresses(row.public_ip))
        return [Place(name, "nat", subnet, where, (), public=bool(row.public_ip), ipv6=False)]
    if table == "network_interfaces":
        found = net.by_subnet.get(row.subnet_id)
        addresses = tuple(network(ip) for ip in (*row.private_ips, *row.ipv6_addresses))
        groups, six = tuple(row.group_ids), bool(row.ipv6_addresses)
        return [Place(name, "interface", found, addresses, groups, bool(row.public), six)]
    if table == "endpoints" and row.type == "Gateway":
        return [Place(name, "gateway endpoint", None, (), (), gateway=row, endpoint=row)]
    subnets = [net.by_subnet[id] for id in row.subnet_ids or () if id in net.by_subnet]
    if table == "endpoints" and row.type != "Interface":
        return [Place(name, f"endpoint of type {row.type}", None, (), None, modelled=False)]
    if not subnets:
        raise WorkbookError(
            f"The inventory has no subnet for {row.name}.", "Read the inventory again once it is deployed."
        )
    exposed = bool(row.public_ip) if table == "services" else getattr(row, "scheme", "") == "internet-facing"
    client = LINUX_PORTS if table == "services" else ANY_CLIENT_PORTS
    version_6, groups = _six(net, table, row, subnets), tuple(row.group_ids) or _default(net, subnets)
    endpoint = row if table == "endpoints" else None
    return [
        Place(name, KINDS[table], subnet, ranges(subnet), groups, exposed, version_6, client, endpoint=endpoint)
        for subnet in sorted(subnets, key=lambda s: str(s.name))
    ]


def _default(net: Topology, subnets: list[Row]) -> tuple[str, ...]:
    """The default group of the VPC, which AWS takes where none is named."""
    return tuple(id for id, row in net.groups.items() if row.is_default and row.vpc_id == subnets[0].vpc_id)


def _addresses(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _six(net: Topology, table: str, row: Row, subnets: Iterable[Row]) -> bool | None:
    """Whether a resource has IPv6 addresses: not in subnets without, else as its interfaces say, if AWS shows any."""
    if not any(subnet.ipv6_cidrs for subnet in subnets):
        return False
    own = [i for i in net.inventory.rows("network_interfaces") if i.owner_id == _owner(table, row)]
    if table == "services":
        own = [
            i for i in net.inventory.rows("network_interfaces", type="task") if set(i.group_ids) == set(row.group_ids)
        ]
    return any(i.ipv6_addresses for i in own) if own else None


# ── names ──

# Tables of what can open or accept a connection, with what to ask for the row by where there is one.
_SHORT = {
    "load_balancers": "alb",
    "services": "task",
    "endpoints": "",
    "nat_gateways": "nat",
    "network_interfaces": "",
    "security_groups": "",
    "subnets": "",
}


class Names:
    """What the resources of a network are called, and which one a name means."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory, self.net = inventory, Topology(inventory)

    @cached_property
    def parties(self) -> dict[str, tuple[Row, ...]]:
        """Table -> its rows; of the interfaces those that belong to none of the others."""
        found = {table: self.inventory.rows(table) if table in self.inventory else () for table in _SHORT}
        others = {table: found[table] for table in ("load_balancers", "services", "endpoints", "nat_gateways")}
        found["network_interfaces"] = tuple(unclaimed(found["network_interfaces"], others))
        return found

    @cached_property
    def called(self) -> dict[str, dict[str, str]]:
        """Table -> id -> what to ask for a resource by: `task` for the only service, its name (an endpoint's service),
        or its id where another resource, of whatever kind, has that name too."""
        prefix = self.inventory.scope.prefix
        names = Counter(_SHORT.values())
        names.update(
            name for table, rows in self.parties.items() for row in rows for name in _names(table, row, prefix)
        )

        def called(table: str, row: Row) -> str:
            if _SHORT[table] and len(self.parties[table]) == 1:
                return _SHORT[table]
            own = [row.service, row.name] if table == "endpoints" else [row.name]
            return next((str(name) for name in own if names[name] == 1), _id(table, row))

        return {table: {_id(table, row): called(table, row) for row in rows} for table, rows in self.parties.items()}

    def subnet(self, name: str) -> Row:
        """The subnet with this id or name.

        Raises
        ------
        WorkbookError : there is none, or there are several of that name.
        """
        found = [row for row in self.net.subnets if name in (row.name, row.subnet_id)]
        if not found:
            raise WorkbookError(
                f"There is no subnet {name!r}.",
                f"Subnets: {', '.join(row.name for row in self.net.subnets) or 'none'}.",
            )
        return _only(name, [("subnets", row) for row in found])[1]

    def places(self, name: str, subnet: str = "") -> list[Place]:
        """Where the party called `name` is, in all its subnets or in the one called `subnet`.

        Raises
        ------
        WorkbookError : nothing has that name, several resources do, or it neither sends nor receives packets.
        """
        if name.lower() in (INTERNET, "0.0.0.0/0", "::/0"):
            found = [internet(6 if name == "::/0" else 4)]
        else:
            found = self._address(name) or self._resource(name)
        if subnet:
            wanted = self.subnet(subnet).subnet_id
            found = [place for place in found if place.subnet and place.subnet.subnet_id == wanted]
            if not found:
                raise WorkbookError(
                    f"{name} is not in the subnet {subnet}.", "Leave the subnet out, or name one it is in."
                )
        return found

    def _address(self, name: str) -> list[Place]:
        try:
            asked = ipaddress.ip_network(name, strict=False)
        except ValueError:
            return []
        for row in self.parties["network_interfaces"]:
            if str(asked.network_address) in (*row.private_ips, *row.ipv6_addresses) and asked.num_addresses == 1:
                return standing(self.net, "network_interfaces", row, name)
        inside = [(s, n) for s in self.net.subnets for n in ranges(s) if n.overlaps(asked)]
        if not inside:
            return [Place(name, "address", None, (asked,), (), public=True, ipv6=True)]
        narrow = [(s, asked if asked.prefixlen >= n.prefixlen else n) for s, n in inside]
        return [Place(name, "address", subnet, (part,), None, public=None) for subnet, part in narrow]

    def _resource(self, name: str) -> list[Place]:
        every = [(table, row) for table, rows in self.parties.items() for row in rows]
        short = [(table, row) for table, row in every if _SHORT[table] == name]
        found = [(table, row) for table, row in every if name in _names(table, row, self.inventory.scope.prefix)]
        found = short if len(short) == 1 else found or short
        if not found:
            services = [row.service for row in self.parties["endpoints"]]
            known = sorted({INTERNET, *filter(None, _SHORT.values()), *services})
            raise WorkbookError(
                f"There is nothing called {name!r} in the network.",
                f"Names: {', '.join(known)}, an IP address or CIDR, or the name of a load balancer, service, endpoint, "
                "instance, security group or subnet.",
            )
        table, row = _only(name, found)
        called = self.called[table][_id(table, row)]
        by_id = name == _id(table, row) or called == _SHORT[table] or table == "security_groups"
        return standing(self.net, table, row, called if by_id else name)


def _names(table: str, row: Row, prefix: str) -> set[str]:
    """What one may call a resource: its id or ARN, its name with or without the common prefix, an endpoint's service."""
    names = {_id(table, row), str(row.name), str(row.name).removeprefix(f"{prefix}-")}
    return names | {row.service} if table == "endpoints" else names


def _id(table: str, row: Row) -> str:
    return str(getattr(row, TABLES[table].key))


def _only(name: str, found: Sequence[tuple[str, Row]]) -> tuple[str, Row]:
    """The one resource (with its table) that `name` means; nothing makes a Name tag unique, not even among kinds."""
    if len(found) > 1:
        raise WorkbookError(
            f"{name} is more than one: {', '.join(row.name for _, row in found)}.",
            f"Ask for one of them by its name, or by its id: {', '.join(_id(table, row) for table, row in found)}.",
        )
    return found[0]
