"""What the network claims share: who has which security group, and what comes from the internet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from workbook.claims.engine import Evidence, View, cannot_tell, evidence
from workbook.network.packets import Address, Passage
from workbook.network.places import unclaimed
from workbook.network.topology import Topology
from workbook.network.traffic import NOTHING, Traffic, ports

# SSH, and RDP over TCP and UDP.
ADMIN = ports("tcp", 22) | ports("tcp", 3389) | ports("udp", 3389)
EPHEMERAL = ports("tcp", 1024, 65535) | ports("udp", 1024, 65535)


def strangers(view: View) -> list[Any]:
    """The network interfaces that belong to no service, load balancer, endpoint or NAT gateway of the inventory."""
    others = {name: view[name] for name in ("services", "load_balancers", "endpoints", "nat_gateways")}
    return unclaimed(view["network_interfaces"], others)


def members(view: View) -> dict[str, dict[str, set[str]]]:
    """Security group id -> table -> names of what has the group; interfaces that belong to nothing known apart."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = {name: view[name] for name in ("services", "load_balancers", "endpoints")}
    for table, those in {**rows, "network_interfaces": strangers(view)}.items():
        for row in those:
            for group in row.group_ids or ():
                found[group][table].add(str(row.name))
    return found


def only(having: dict[str, set[str]], table: str) -> bool:
    """Whether a security group is that of rows of this table, and of nothing else."""
    return set(having) == {table}


def others(having: dict[str, set[str]], table: str) -> str:
    """What else has the group, as text to add to an observation."""
    names = sorted(name for kind, those in having.items() if kind != table for name in those)
    return f", which {', '.join(names)} has too" if names else ""


def over(addresses: Iterable[tuple[Address, str]], passage: Callable[[Address], Passage]) -> Passage:
    """What passes for any of some addresses."""
    sure, possible = NOTHING, NOTHING
    for address, _ in addresses:
        one = passage(address)
        sure, possible = sure | one.sure, possible | one.possible
    return Passage(sure, possible)


def internet(net: Topology, outward: bool = False) -> list[tuple[Address, str]]:
    """The internet's addresses, IPv4 and IPv6, in classes; `outward` as in `Topology.internet`."""
    return [*net.internet(4, outward), *net.internet(6, outward)]


def within(resource: str, found: Passage, fine: Traffic, nothing: str, where: str = "") -> Iterator[Evidence]:
    """Evidence that what passes is in `fine`; `nothing` is what to say if nothing passes, `where` follows the traffic."""
    if bad := found.sure - fine:
        yield evidence(resource, f"{bad}{where}", False)
    elif unsure := found.possible - fine:
        yield cannot_tell(resource, f"{unsure}{where}: a prefix list was not read")
    else:
        yield evidence(resource, f"{found.sure}{where}" if found.sure else nothing, True)
