"""How AWS decides about packets: network ACLs, security groups, route tables. Nothing here knows about paths.

Each decision is about all traffic between two addresses at once. It has two sets: what surely passes, and what may pass,
which differ where the inventory cannot tell, as for a prefix list whose entries were not read.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from workbook.inventory import Row
from workbook.network.traffic import ALL, NOTHING, Traffic, of, ports

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not routed on the internet: "this network", private (RFC 1918, RFC 6598, RFC 4193), loopback, link-local, multicast,
# reserved.
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/3", "4000::/2", "8000::/1"),
    )
)

Lists = Mapping[str, tuple[str, ...] | None]
"""Prefix list id -> its entries (CIDRs); None, or no such id, if they were not read."""


@dataclass(frozen=True)
class Address:
    """Where a packet comes from or goes to: `ip`, or any address of the unread prefix list with the id `prefix_list`."""

    ip: IP | None = None
    prefix_list: str = ""
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.ip)

    @property
    def version(self) -> int:
        return self.ip.version if self.ip else 4


class Passage(NamedTuple):
    """What gets through: `sure` does, `possible` may; the rest does not."""

    sure: Traffic
    possible: Traffic

    def verdict(self, lane: str, number: int) -> str:
        """yes, no or unknown."""
        return "yes" if self.sure.holds(lane, number) else "unknown" if self.possible.holds(lane, number) else "no"


OPEN, SHUT, UNSURE = Passage(ALL, ALL), Passage(NOTHING, NOTHING), Passage(NOTHING, ALL)


def both(one: Passage, other: Passage) -> Passage:
    """What gets through one after the other."""
    return Passage(one.sure & other.sure, one.possible & other.possible)


network = functools.lru_cache(maxsize=4096)(functools.partial(ipaddress.ip_network, strict=False))


def within(address: Address, cidr: str) -> bool | None:
    """Whether `cidr` contains the address. For a prefix list: yes for everything, no for ranges that are not public."""
    found = network(cidr)
    if address.ip is not None:
        return address.ip.version == found.version and address.ip in found
    if found.version != 4 or found.prefixlen == 0:
        return bool(found.version == 4)
    return False if any(found.version == other.version and found.subnet_of(other) for other in NOT_PUBLIC) else None


def listed(address: Address, id: str, name: str, lists: Lists) -> bool | None:
    """Whether a prefix list contains the address; AWS's own lists hold public addresses only."""
    if address.ip is None:
        return True if address.prefix_list == id else None
    entries = lists.get(id)
    if entries is not None:
        return any(within(address, cidr) for cidr in entries)
    return False if name.startswith("com.amazonaws.") and not public(address.ip) else None


def public(ip: IP) -> bool:
    """Whether the internet routes packets to `ip`."""
    return not any(ip.version == found.version and ip in found for found in NOT_PUBLIC)


def _says(rule: Row) -> str:
    return "all" if rule.protocol == "all" else f"{rule.protocol} {rule.ports or 'all'}"


# ── network ACLs ──


def ordered(entries: Iterable[Row], direction: str) -> list[Row]:
    """The entries of one network ACL in one direction, in the order they are tried."""
    return sorted((entry for entry in entries if entry.direction == direction), key=lambda e: int(e.rule_number))


def acl(entries: Iterable[Row], direction: str, address: Address) -> Passage:
    """What the entries of one network ACL allow from or to an address: the lowest number that matches decides."""
    left, sure, possible = ALL, NOTHING, NOTHING
    for entry in ordered(entries, direction):
        inside = within(address, entry.cidr)
        if inside is False:
            continue
        decided = left & of(entry)
        if inside is None:
            possible |= decided
        elif entry.action == "allow":
            sure, possible = sure | decided, possible | decided
        left -= decided
    return Passage(sure, possible)


def acl_rule(entries: Iterable[Row], direction: str, address: Address, lane: str, number: int) -> str:
    """The entry that decides about one packet, as text."""
    for entry in ordered(entries, direction):
        inside = within(address, entry.cidr)
        if inside is False or not of(entry).holds(lane, number):
            continue
        text = f"rule {entry.rule_number}: {entry.action} {_says(entry)} {entry.cidr}"
        return text if inside else f"{text}; whether it contains the addresses of {address} is not in the inventory"
    return "no rule matches: denied"


# ICMP requests, with the type of the reply: echo, timestamp, information, address mask; and echo in IPv6.
_REPLIES = {"icmp": {8: 0, 13: 14, 15: 16, 17: 18}, "icmpv6": {128: 129}}


@functools.lru_cache(maxsize=4096)
def answered(back: Traffic, client_port: int) -> Traffic:
    """The traffic whose replies, to this port of the client, are among what is allowed `back`."""
    found = ALL
    for lane in ("tcp", "udp"):
        if not back.holds(lane, client_port):
            found -= ports(lane)
    for lane, replies in _REPLIES.items():
        for request, reply in replies.items():
            if not back.holds(lane, reply << 8):
                found -= ports(lane, request)
    # Other protocols have no ports: a reply has the same number.
    return Traffic((*found.spans[:4], back.spans[4]))


# ── security groups ──


def _matches(rule: Row, address: Address, peer_groups: Iterable[str] | None, lists: Lists) -> bool | None:
    if rule.peer_type == "cidr":
        return within(address, rule.peer)
    if rule.peer_type == "security_group":
        return None if peer_groups is None else rule.peer_id in set(peer_groups)
    return listed(address, str(rule.peer_id), str(rule.peer), lists)


def group(rules: Iterable[Row], address: Address, peer_groups: Iterable[str] | None, lists: Lists) -> Passage:
    """What the rules (of one direction) of all security groups of one network interface allow together.

    `peer_groups` are ids of the other side's groups, None if unknown.
    """
    sure, possible = NOTHING, NOTHING
    for rule in rules:
        matches = _matches(rule, address, peer_groups, lists)
        if matches is not False:
            possible |= of(rule)
        if matches:
            sure |= of(rule)
    return Passage(sure, possible)


def group_rule(
    rules: Iterable[Row],
    direction: str,
    address: Address,
    peer_groups: Iterable[str] | None,
    lists: Lists,
    peer_name: str,
    lane: str,
    number: int,
) -> str:
    """The rule that decides about one packet, as text; `peer_name` is what to call the other side."""
    towards, undecided = "to" if direction == "egress" else "from", ""
    for rule in rules:
        if not of(rule).holds(lane, number):
            continue
        matches, text = _matches(rule, address, peer_groups, lists), f"{_says(rule)} {towards} {rule.peer}"
        if matches:
            return f"{text} ({rule.security_group})"
        if matches is None:
            undecided = f"{text}: whether {peer_name or address} belongs to it is not in the inventory"
    return undecided or f"no rule for {lane} {number} {towards} {peer_name or address}"


# ── routes ──


class Choice(NamedTuple):
    """The route that a packet takes: `route`, None if there is none; `unsure` are others that may take it instead."""

    route: Row | None
    unsure: tuple[Row, ...]


def route(routes: Iterable[Row], address: Address, lists: Lists) -> Choice:
    """Of the routes that contain the address, the one with the longest prefix; a CIDR before a prefix list of its
    length, as AWS prefers static routes."""
    best: tuple[int, int, Row] | None = None
    unsure = []
    for row in routes:
        destination = str(row.destination_id)
        if destination.startswith("pl-"):
            inside, rank = listed(address, destination, str(row.destination), lists), 0
            # The addresses of an unread list are taken to be in entries narrower than any CIDR route.
            length = 33 if address.ip is None else _longest(address, lists.get(destination) or ())
        else:
            inside, rank = within(address, destination), 1
            length = network(destination).prefixlen
        if inside is None and address.ip is not None:
            unsure.append(row)
        if inside and (best is None or (length, rank) > best[:2]):
            best = (length, rank, row)
    taken = best[2] if best else None
    return Choice(taken, tuple(row for row in unsure if taken is None or row.target_id != taken.target_id))


def _longest(address: Address, entries: Iterable[str]) -> int:
    return max((network(cidr).prefixlen for cidr in entries if within(address, cidr)), default=-1)
