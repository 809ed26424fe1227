"""What is where in the network: turns a name into subnets, addresses and security groups."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from workbook.errors import WorkbookError
from workbook.inventory import TABLES, Inventory, Row
from workbook.network.packets import NOT_PUBLIC, Address, Network, cut

INTERNET = "internet"

# Ports on the client's side of a connection. Linux: net.ipv4.ip_local_port_range, as on Fargate. Load balancers, NAT
# gateways and unknown clients can use any port above 1023.
LINUX_PORTS = (32768, 60999)
ANY_CLIENT_PORTS = (1024, 65535)


@dataclass(frozen=True)
class Place:
    """One party in one subnet, or outside the VPC if `subnet` is None.

    Attributes
    ----------
    ranges : the addresses it can have.
    groups : ids of its security groups; None if it is unknown what is there.
    public : whether it has a public IPv4 address.
    client_ports : the ports it opens connections from, first and last.
    gateway : the row of the gateway endpoint, which has no address itself.
    """

    name: str
    kind: str
    subnet: Row | None
    ranges: tuple[Network, ...]
    groups: tuple[str, ...] | None
    public: bool = False
    client_ports: tuple[int, int] = ANY_CLIENT_PORTS
    gateway: Row | None = field(default=None, compare=False)
    endpoint: Row | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        return f"{self.name} in {self.subnet.name}" if self.subnet else self.name


class Topology:
    """The network tables of an inventory, indexed for looking up a packet's path."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.subnets = inventory.rows("subnets")
        self.vpcs = inventory.rows("vpcs")
        self.endpoints = inventory.rows("endpoints")
        self.nats = inventory.by_key("nat_gateways")
        self.gateways = inventory.by_key("internet_gateways")
        self._groups = inventory.by_key("security_groups")
        self._parties = {table: inventory.rows(table) if table in inventory else () for table in _SHORT}
        self.called = self._called()
        self._acls: dict[str, list[Row]] = defaultdict(list)
        for row in inventory.rows("nacl_entries"):
            self._acls[row.network_acl_id].append(row)
        self._tables: dict[str, list[Row]] = defaultdict(list)
        for row in inventory.rows("routes"):
            self._tables[row.route_table_id].append(row)
        self._rules: dict[str, list[Row]] = defaultdict(list)
        for row in inventory.rows("security_group_rules"):
            self._rules[row.group_id].append(row)
        self.cidrs = sorted(
            {r.cidr for entries in self._acls.values() for r in entries}
            | {r.peer for rules in self._rules.values() for r in rules if r.peer_type == "cidr"}
            | {d for routes in self._tables.values() for r in routes if "/" in (d := str(r.destination_id))}
        )

    def acl(self, subnet: Row) -> list[Row]:
        return self._acls.get(subnet.network_acl_id, [])

    def routes(self, subnet: Row) -> list[Row]:
        return self._tables.get(subnet.route_table_id, [])

    def rules(self, groups: Iterable[str]) -> list[Row]:
        return [rule for group in groups for rule in self._rules.get(group, [])]

    def group_names(self, groups: Iterable[str]) -> str:
        return ", ".join(self._groups[g].name if g in self._groups else g for g in groups) or "none"

    def _called(self) -> dict[str, dict[str, str]]:
        """Table -> id -> what to ask for a resource by: `task` for the only service, its name (an endpoint's service),
        or its id where another resource, of whatever kind, has that name too."""
        prefix = self.inventory.scope.prefix
        names = Counter(_SHORT.values())
        names.update(
            name for table, rows in self._parties.items() for row in rows for name in _names(table, row, prefix)
        )

        def called(table: str, row: Row) -> str:
            if _SHORT[table] and len(self._parties[table]) == 1:
                return _SHORT[table]
            own = [row.service, row.name] if table == "endpoints" else [row.name]
            return next((str(name) for name in own if names[name] == 1), _id(table, row))

        return {table: {_id(table, row): called(table, row) for row in rows} for table, rows in self._parties.items()}

    def subnet(self, name: str) -> Row:
        """The subnet with this id or name.

        Raises
        ------
        WorkbookError : there is none, or there are several of that name.
        """
        found = [row for row in self.subnets if name in (row.name, row.subnet_id)]
        if not found:
            raise WorkbookError(
                f"There is no subnet {name!r}.",
                f"Subnets: {', '.join(row.name for row in self.subnets) or 'none'}.",
            )
        return _only(name, [("subnets", row) for row in found])[1]

    def pieces(self, place: Place) -> list[tuple[Address, str]]:
        """One address for each piece of the place's ranges that rules can distinguish, with the piece's name."""
        if place.gateway is not None:
            destinations = [
                str(r.destination_id)
                for t in self._tables.values()
                for r in t
                if r.target_id == place.gateway.endpoint_id
            ]
            return [(Address(None, destinations[0] if destinations else "pl-", place.name), place.name)]
        outside = (
            ()
            if place.kind != INTERNET
            else (*NOT_PUBLIC, *(ipaddress.ip_network(v.cidr) for v in self.vpcs if v.cidr))
        )
        return [
            (Address(first), f"{first}-{last}" if first != last else str(first))
            for first, last in cut(place.ranges, self.cidrs, outside)
        ]

    # ── names ──

    def places(self, name: str, subnet: str = "") -> list[Place]:
        """Where the party called `name` is, in all its subnets or in the one called `subnet`.

        Raises
        ------
        WorkbookError : nothing has that name, several resources do, or it neither sends nor receives packets.
        """
        found = self._outside(name) or self._address(name) or self._resource(name)
        if subnet:
            wanted = self.subnet(subnet).subnet_id
            found = [place for place in found if place.subnet and place.subnet.subnet_id == wanted]
            if not found:
                raise WorkbookError(
                    f"{name} is not in the subnet {subnet}.", "Leave the subnet out, or name one it is in."
                )
        return found

    def _outside(self, name: str) -> list[Place]:
        if name.lower() in (INTERNET, "0.0.0.0/0", "::/0"):
            version = 6 if name == "::/0" else 4
            return [
                Place(
                    "internet" if version == 4 else "internet (IPv6)",
                    INTERNET,
                    None,
                    (ipaddress.ip_network("0.0.0.0/0" if version == 4 else "::/0"),),
                    (),
                    public=True,
                )
            ]
        return []

    def _address(self, name: str) -> list[Place]:
        try:
            network = ipaddress.ip_network(name, strict=False)
        except ValueError:
            return []
        inside = [
            (s, n)
            for s in self.subnets
            if s.cidr and (n := ipaddress.ip_network(s.cidr)).version == network.version and network.overlaps(n)
        ]
        if not inside:
            return [Place(name, "address", None, (network,), (), public=True)]
        narrow = [(s, network if network.prefixlen >= n.prefixlen else n) for s, n in inside]
        return [Place(name, "address", subnet, (part,), None) for subnet, part in narrow]

    def _resource(self, name: str) -> list[Place]:
        every = [(table, row) for table, rows in self._parties.items() for row in rows]
        short = [(table, row) for table, row in every if _SHORT[table] == name]
        found = [(table, row) for table, row in every if name in _names(table, row, self.inventory.scope.prefix)]
        found = short if len(short) == 1 else found or short
        if not found:
            known = sorted({INTERNET, *filter(None, _SHORT.values()), *(row.service for row in self.endpoints)})
            raise WorkbookError(
                f"There is nothing called {name!r} in the network.",
                f"Names: {', '.join(known)}, an IP address or CIDR, or the name of a load balancer, service, endpoint, "
                "security group or subnet.",
            )
        table, row = _only(name, found)
        called = self.called[table][_id(table, row)]
        return self._standing(table, called if name == _id(table, row) or called == _SHORT[table] else name, row)

    def _standing(self, table: str, short: str, row: Row) -> list[Place]:
        if table == "subnets":
            return [Place(short, "subnet", row, self._range(row), None)]
        if table == "security_groups":
            inside = [s for s in self.subnets if not row.vpc_id or s.vpc_id == row.vpc_id]
            name = self.called[table][row.group_id]
            return [Place(name, "group", subnet, self._range(subnet), (row.group_id,)) for subnet in inside]
        if table == "nat_gateways":
            subnet = self.subnet(row.subnet_id)
            return [Place(short, "nat", subnet, self._range(subnet), (), public=bool(row.public_ip))]
        if table == "endpoints" and row.type == "Gateway":
            return [Place(short, "gateway endpoint", None, (), (), gateway=row, endpoint=row)]
        if table == "endpoints" and row.type != "Interface":
            raise WorkbookError(
                f"{row.name} is an endpoint of type {row.type}.",
                "Only gateway and interface endpoints are supported.",
            )
        groups, subnets = tuple(row.group_ids), [self.subnet(id) for id in row.subnet_ids]
        if not subnets:
            raise WorkbookError(
                f"The inventory has no subnet for {row.name}.", "Read the inventory again once it is deployed."
            )
        exposed = (
            bool(row.public_ip)
            if table == "services"
            else table == "load_balancers" and row.scheme == "internet-facing"
        )
        ports = LINUX_PORTS if table == "services" else ANY_CLIENT_PORTS
        endpoint = row if table == "endpoints" else None
        return [
            Place(short, _KINDS[table], subnet, self._range(subnet), groups, exposed, ports, endpoint=endpoint)
            for subnet in sorted(subnets, key=lambda s: str(s.name))
        ]

    def _range(self, subnet: Row) -> tuple[Network, ...]:
        return (ipaddress.ip_network(subnet.cidr),) if subnet.cidr else ()


_KINDS = {"load_balancers": "load balancer", "services": "service", "endpoints": "interface endpoint"}
# Tables of what can open or accept a connection, with what to ask for the row by where there is one.
_SHORT = {
    "load_balancers": "alb",
    "services": "task",
    "endpoints": "",
    "nat_gateways": "nat",
    "security_groups": "",
    "subnets": "",
}


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
