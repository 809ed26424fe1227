"""The network tables of an inventory, indexed for following a packet, with what each filter lets through."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

from workbook.inventory import Row, Scope
from workbook.network.packets import IP, NOT_PUBLIC, Address, Choice, Network, Passage, acl, group, network, route

# Ports on the client's side of a connection. Linux: net.ipv4.ip_local_port_range, as on Fargate. Load balancers, NAT
# gateways and unknown clients can use any port above 1023.
LINUX_PORTS = (32768, 60999)
ANY_CLIENT_PORTS = (1024, 65535)


FILTERS = ("nacl_entries", "security_group_rules", "routes")


class Source(Protocol):
    """An inventory, or what a claim sees of one."""

    scope: Scope

    def rows(self, table: str, **where: Any) -> tuple[Row, ...]: ...
    def by_key(self, table: str) -> dict[str, Row]: ...


class Topology:
    """The network of an inventory. A table is read when it is first needed, and each decision is made once.

    `filters` are the tables whose ranges tell addresses apart: fewer, for a question about some filters only.
    """

    def __init__(self, inventory: Source, filters: tuple[str, ...] = FILTERS) -> None:
        self.inventory, self.filters = inventory, filters
        self._decided: dict[tuple[Any, ...], Passage] = {}
        self._taken: dict[tuple[Any, ...], Choice] = {}
        self._classes: dict[tuple[Any, ...], list[tuple[Address, str]]] = {}

    # ── tables ──

    @cached_property
    def subnets(self) -> tuple[Row, ...]:
        return self.inventory.rows("subnets")

    @cached_property
    def by_subnet(self) -> dict[str, Row]:
        return {row.subnet_id: row for row in self.subnets}

    @cached_property
    def vpcs(self) -> tuple[Row, ...]:
        return self.inventory.rows("vpcs")

    @cached_property
    def nats(self) -> dict[str, Row]:
        return self.inventory.by_key("nat_gateways")

    @cached_property
    def gateways(self) -> dict[str, Row]:
        return self.inventory.by_key("internet_gateways")

    @cached_property
    def endpoints(self) -> dict[str, Row]:
        return self.inventory.by_key("endpoints")

    @cached_property
    def groups(self) -> dict[str, Row]:
        return self.inventory.by_key("security_groups")

    @cached_property
    def lists(self) -> Mapping[str, tuple[str, ...] | None]:
        return {
            row.prefix_list_id: None if row.entry_count is None else tuple(row.entries)
            for row in self.inventory.rows("prefix_lists")
        }

    @cached_property
    def _acls(self) -> dict[str, list[Row]]:
        return _grouped(self.inventory.rows("nacl_entries"), "network_acl_id")

    @cached_property
    def _tables(self) -> dict[str, list[Row]]:
        return _grouped(self.inventory.rows("routes"), "route_table_id")

    @cached_property
    def _rules(self) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.inventory.rows("security_group_rules"):
            found[row.group_id, row.direction].append(row)
        return found

    def acl(self, subnet: Row) -> list[Row]:
        return self._acls.get(subnet.network_acl_id, [])

    def routes(self, subnet: Row) -> list[Row]:
        return self._tables.get(subnet.route_table_id, [])

    def rules(self, groups: Iterable[str], direction: str) -> list[Row]:
        return [rule for group in groups for rule in self._rules.get((group, direction), [])]

    def group_names(self, groups: Iterable[str]) -> str:
        return ", ".join(self.groups[g].name if g in self.groups else g for g in groups) or "none"

    # ── decisions ──

    def through_acl(self, subnet: Row, direction: str, address: Address) -> Passage:
        key = ("acl", subnet.network_acl_id, direction, address)
        if key not in self._decided:
            self._decided[key] = acl(self.acl(subnet), direction, address)
        return self._decided[key]

    def through_groups(
        self, groups: tuple[str, ...], direction: str, address: Address, peer_groups: tuple[str, ...] | None
    ) -> Passage:
        key = ("group", groups, direction, address, peer_groups)
        if key not in self._decided:
            self._decided[key] = group(self.rules(groups, direction), address, peer_groups, self.lists)
        return self._decided[key]

    def taken(self, subnet: Row, address: Address) -> Choice:
        """The route that a packet from `subnet` takes."""
        key = (subnet.route_table_id, address)
        if key not in self._taken:
            self._taken[key] = route(self.routes(subnet), address, self.lists)
        return self._taken[key]

    # ── addresses ──

    @cached_property
    def _cidrs(self) -> list[tuple[Any, ...]]:
        """(version, first, last, name) of every range that a rule, a route or a prefix list names."""
        named, used = set(), set()
        if "nacl_entries" in self.filters:
            named |= {row.cidr for entries in self._acls.values() for row in entries}
        if "security_group_rules" in self.filters:
            named |= {r.peer for rules in self._rules.values() for r in rules if r.peer_type == "cidr"}
        if "routes" in self.filters:
            destinations = {str(row.destination_id) for routes in self._tables.values() for row in routes}
            named |= {destination for destination in destinations if "/" in destination}
            used = destinations & set(self.lists)
        found = [(*_bounds(network(cidr)), cidr) for cidr in named if cidr]
        # Where longest prefixes do not matter, the entries of a list need not be told apart; a route to it needs them.
        for id, entries in self.lists.items() if self.filters != ("nacl_entries",) else ():
            for cidr in entries or ():
                found.append((*_bounds(network(cidr)), (id, network(cidr).prefixlen if id in used else 0)))
        return found

    def classes(
        self, ranges: tuple[Network, ...], without: tuple[Network, ...] = (), name: str = ""
    ) -> list[tuple[Address, str]]:
        """The addresses of `ranges`, but not of `without`, in classes that no rule, route or prefix list tells apart.

        Returns one address of each class, with the class's ranges as text (`name` if there is only one class).
        """
        key = (ranges, without, name)
        if key not in self._classes:
            self._classes[key] = self._classified(ranges, without, name)
        return self._classes[key]

    def _classified(
        self, ranges: tuple[Network, ...], without: tuple[Network, ...], name: str
    ) -> list[tuple[Address, str]]:
        found: dict[tuple[Any, ...], list[tuple[IP, IP]]] = {}
        for whole in ranges:
            version, low, high = _bounds(whole)
            marks = [mark for mark in self._cidrs if mark[0] == version and mark[1] <= high and mark[2] >= low]
            cuts = [_bounds(other) for other in without if other.version == version]
            borders = {low, high + 1}
            for _, first, last in (*((v, f, t) for v, f, t, _ in marks), *cuts):
                borders |= {border for border in (first, last + 1) if low < border <= high}
            make = type(whole.network_address)
            for start, end in pairwise(sorted(borders)):
                if any(first <= start <= last for _, first, last in cuts):
                    continue
                mark = frozenset(key for _, first, last, key in marks if first <= start <= last)
                found.setdefault((version, mark), []).append((make(start), make(end - 1)))
        if len(found) == 1 and name:
            return [(Address(pieces[0][0]), name) for pieces in found.values()]
        return [(Address(pieces[0][0]), _said(pieces)) for pieces in found.values()]

    @cached_property
    def inside(self) -> tuple[Network, ...]:
        """The ranges of the VPCs."""
        return tuple(
            network(cidr)
            for vpc in self.vpcs
            for cidr in dict.fromkeys((*([vpc.cidr] if vpc.cidr else []), *vpc.cidrs))
        )

    def public_part(self, cidr: str) -> bool:
        """Whether a range holds addresses that the internet routes."""
        return bool(self.classes((network(cidr),), NOT_PUBLIC))

    def everywhere(self, version: int) -> list[tuple[Address, str]]:
        """Every address there is."""
        return self.classes((network("0.0.0.0/0" if version == 4 else "::/0"),))

    def internet(self, version: int, outward: bool = False) -> list[tuple[Address, str]]:
        """The addresses of the internet: all public ones that are not the VPCs' own. `outward`, as targets, also without
        those of services behind a gateway endpoint, which have names of their own."""
        whole = network("0.0.0.0/0" if version == 4 else "::/0")
        served: tuple[Network, ...] = ()
        if outward:
            lists = {
                str(r.destination_id)
                for routes in self._tables.values()
                for r in routes
                if r.target_type == "vpc_endpoint" and r.state == "active"
            }
            served = tuple(network(cidr) for id in sorted(lists) for cidr in self.lists.get(id) or ())
        return self.classes((whole,), (*NOT_PUBLIC, *self.inside, *served), "internet")


def _grouped(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[getattr(row, column)].append(row)
    return found


def _bounds(found: Network) -> tuple[int, int, int]:
    return found.version, int(found.network_address), int(found.broadcast_address)


def _said(pieces: list[tuple[IP, IP]]) -> str:
    joined: list[list[IP]] = []
    for first, last in sorted(pieces, key=lambda piece: int(piece[0])):
        if joined and int(first) == int(joined[-1][1]) + 1:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    first, last = joined[0]
    more = f" and {len(joined) - 1} more range{'s' if len(joined) > 2 else ''}" if len(joined) > 1 else ""
    exact = list(ipaddress.summarize_address_range(first, last))
    whole = str(exact[0]).removesuffix("/32").removesuffix("/128") if len(exact) == 1 else f"{first}-{last}"
    return whole + more
