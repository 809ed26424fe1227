"""How AWS decides about one packet: network ACLs, security groups, route tables. Nothing here knows about paths.

An address is one IP address, or the unlisted addresses of an AWS prefix list (S3's, say), whose ranges are not in the
inventory. So a question about an address has three answers: True, False, and None for unknown.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from workbook.inventory import Row

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANY_PORT = (0, 65535)

# Not routed on the internet: "this network", private (RFC 1918, RFC 6598, RFC 4193), loopback, link-local, multicast,
# reserved.
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        *(
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
        *("224.0.0.0/4", "240.0.0.0/4", "::/3", "4000::/2", "8000::/1"),
    )
)


@dataclass(frozen=True)
class Address:
    """Where a packet comes from or goes to: `ip`, or any address of the prefix list with the id `prefix_list`."""

    ip: IP | None = None
    prefix_list: str = ""
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.ip)

    @property
    def version(self) -> int:
        return self.ip.version if self.ip else 4


@dataclass(frozen=True)
class Ruling:
    """What was decided, and by which rule. `allowed` is None if unknown."""

    allowed: bool | None
    rule: str


_network = functools.lru_cache(maxsize=4096)(functools.partial(ipaddress.ip_network, strict=False))


def within(address: Address, cidr: str) -> bool | None:
    """Whether `cidr` contains the address. For a prefix list: yes for everything, no for ranges that are not public."""
    network = _network(cidr)
    if address.ip is not None:
        return address.ip.version == network.version and address.ip in network
    if network.version != 4 or network.prefixlen == 0:
        return network.version == 4
    return False if any(network.version == other.version and network.subnet_of(other) for other in NOT_PUBLIC) else None


def public(ip: IP) -> bool:
    """Whether the internet routes packets to `ip`."""
    return not any(ip.version == network.version and ip in network for network in NOT_PUBLIC)


def cut(ranges: Iterable[Network], cidrs: Iterable[str], without: Iterable[Network] = ()) -> Iterator[tuple[IP, IP]]:
    """`ranges` minus `without`, cut at the borders of `cidrs`: first and last address of each piece.

    No rule distinguishes the addresses within a piece, so one of them stands for all.
    """
    excluded = list(without)
    for whole in ranges:
        borders = {int(whole.network_address), int(whole.broadcast_address) + 1}
        for network in (*excluded, *map(_network, cidrs)):
            if network.version == whole.version:
                borders |= {int(network.network_address), int(network.broadcast_address) + 1}
        make = ipaddress.IPv4Address if whole.version == 4 else ipaddress.IPv6Address
        inside = sorted(b for b in borders if int(whole.network_address) <= b <= int(whole.broadcast_address) + 1)
        for start, end in pairwise(inside):
            first = make(start)
            if not any(first.version == network.version and first in network for network in excluded):
                yield first, make(end - 1)


def span(rule: Row) -> tuple[int, int]:
    """First and last port of a rule or an entry; all of them where it names none."""
    first, last = rule.from_port, rule.to_port
    return ANY_PORT if first is None or first < 0 else (int(first), int(last))


def _says(rule: Row) -> str:
    ports = "" if rule.protocol == "all" else f" {rule.ports or 'all'}"
    return f"{rule.protocol}{ports}"


def acl(entries: Iterable[Row], direction: str, protocol: str, ports: tuple[int, int], address: Address) -> Ruling:
    """The entries of one network ACL, lowest rule number first; no match means the final deny.

    `ports` is a range that must be open from end to end, since a client can use any port in it.
    """
    numbered = sorted((e for e in entries if e.direction == direction), key=lambda e: int(e.rule_number))
    matching = [(entry, within(address, entry.cidr)) for entry in numbered if entry.protocol in (protocol, "all")]
    borders = {
        ports[0],
        ports[1] + 1,
        *(edge for e, _ in matching for edge in (span(e)[0], span(e)[1] + 1) if ports[0] < edge <= ports[1]),
    }
    rulings: list[tuple[Ruling, int]] = []
    for start in sorted(borders)[:-1]:
        rulings.append((_first(matching, start, address), start))
    refused = next((r for r in rulings if r[0].allowed is False), None) or next(
        (r for r in rulings if r[0].allowed is None), None
    )
    if refused is None:
        return Ruling(True, "; ".join(dict.fromkeys(ruling.rule for ruling, _ in rulings)))
    ruling, start = refused
    return Ruling(
        ruling.allowed,
        ruling.rule if len(rulings) == 1 else f"{ruling.rule}, as for port {start} of {ports[0]}-{ports[1]}",
    )


def _first(matching: list[tuple[Row, bool | None]], port: int, address: Address) -> Ruling:
    for entry, inside in matching:
        first, last = span(entry)
        if inside is False or not first <= port <= last:
            continue
        text = f"rule {entry.rule_number}: {entry.action} {_says(entry)} {entry.cidr}"
        if inside is None:
            return Ruling(None, f"{text}; whether it contains the addresses of {address} is not in the inventory")
        return Ruling(entry.action == "allow", text)
    return Ruling(False, "no rule matches: denied")


def group(
    rules: Iterable[Row],
    direction: str,
    protocol: str,
    port: int,
    address: Address,
    peer_groups: Iterable[str] | None,
    peer_lists: Iterable[str] = (),
    peer_name: str = "",
) -> Ruling:
    """The rules of all security groups of one network interface together: one that allows is enough.

    `peer_groups` are ids of the other side's groups, None if unknown; `peer_lists` ids of prefix lists that
    contain its address; `peer_name` is what to call it.
    """
    towards = f"{'to' if direction == 'egress' else 'from'}"
    undecided = ""
    for rule in rules:
        first, last = span(rule)
        if rule.direction != direction or rule.protocol not in (protocol, "all") or not first <= port <= last:
            continue
        text = f"{_says(rule)} {towards} {rule.peer}"
        if rule.peer_type == "cidr":
            matches = within(address, rule.peer)
        elif rule.peer_type == "security_group":
            matches = None if peer_groups is None else rule.peer_id in set(peer_groups)
        else:
            matches = rule.peer_id in set(peer_lists) if address.prefix_list else _listed(rule.peer, address)
        if matches:
            return Ruling(True, f"{text} ({rule.security_group})")
        if matches is None:
            undecided = f"{text}: whether {peer_name or address} belongs to it is not in the inventory"
    if undecided:
        return Ruling(None, undecided)
    return Ruling(False, f"no rule for {protocol} {port} {towards} {peer_name or address}")


def _listed(prefix_list: str, address: Address) -> bool | None:
    """Whether a prefix list contains an IP address. The inventory has no entries; AWS's own lists are all public."""
    aws = prefix_list.startswith("com.amazonaws.")
    return False if aws and address.ip is not None and not public(address.ip) else None


def route(routes: Iterable[Row], address: Address) -> Row | None:
    """The route that a packet to `address` takes: of those that contain it, the one with the longest prefix.

    Only a prefix list's own addresses take a route to that list; an IP address is assumed not to be one of them (see
    `lists`).
    """
    best: tuple[int, Row] | None = None
    for row in routes:
        destination = str(row.destination_id)
        if destination.startswith("pl-"):
            # AWS prefers a prefix list to every CIDR that is not more specific than its entries; those are never /0.
            length = 33 if address.prefix_list == destination else -1
        else:
            length = _network(destination).prefixlen if within(address, destination) else -1
        if length >= 0 and (best is None or length > best[0]):
            best = (length, row)
    return best[1] if best else None


def lists(routes: Iterable[Row], address: Address) -> list[str]:
    """Names of the prefix lists among the routes that might contain an IP address; the inventory cannot tell."""
    named = [str(r.destination) for r in routes if str(r.destination_id).startswith("pl-")]
    return [] if address.prefix_list else [name for name in named if _listed(name, address) is None]
