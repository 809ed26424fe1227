"""The one engine: what gets from one party to another. Claims, `reach`, the matrix and the pictures all ask it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from workbook.errors import WorkbookError
from workbook.inventory import Inventory
from workbook.network.answer import Path, Reach
from workbook.network.places import Names, Place
from workbook.network.topology import LINUX_PORTS, Topology
from workbook.network.traffic import ALL, NOTHING, Traffic
from workbook.network.walk import Way, ways


class Through(NamedTuple):
    """What gets from one party to another, whatever opens the connection.

    Attributes
    ----------
    always : gets through between all their addresses, in all their subnets.
    sometimes : gets through between some of them; contains `always`.
    unknown : may get through: something on the way was not read or is not modelled.
    """

    always: Traffic
    sometimes: Traffic
    unknown: Traffic

    def __str__(self) -> str:
        parts = [
            ("", self.always),
            ("between some addresses: ", self.sometimes - self.always),
            ("cannot tell: ", self.unknown),
        ]
        return "; ".join(f"{said}{set}" for said, set in parts if set) or "nothing"


def through(found: Iterable[Way]) -> Through:
    """What gets through over some ways together."""
    always, sometimes, possible, any_way = ALL, NOTHING, NOTHING, False
    for way in found:
        any_way = True
        always, sometimes = always & way.passage.sure, sometimes | way.passage.sure
        possible |= way.passage.possible
    return Through(always, sometimes, possible - sometimes) if any_way else Through(NOTHING, NOTHING, NOTHING)


def between(net: Topology, sources: Iterable[Place], targets: Iterable[Place]) -> Through:
    """What gets from any of some places to any of others."""
    targets = list(targets)
    return through(way for a in sources for b in targets for way in ways(net, a, b, brief=True))


def traffic(
    inventory: Inventory | Names, source: str, target: str, *, source_subnet: str = "", target_subnet: str = ""
) -> Through:
    """The exact traffic that gets from `source` to `target`: protocols, and their ports or types. Names as in `reach`."""
    names = inventory if isinstance(inventory, Names) else Names(inventory)
    return between(names.net, names.places(source, source_subnet), names.places(target, target_subnet))


def reach(
    inventory: Inventory | Names,
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
        `s3`, an IP address or CIDR, or the name of a load balancer, service, endpoint, NAT gateway, instance, security
        group or subnet, with or without the common prefix; or its id, where several share the name.
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
    names = inventory if isinstance(inventory, Names) else Names(inventory)
    sources, targets = names.places(source, source_subnet), names.places(target, target_subnet)
    if any(place.gateway for place in sources):
        raise WorkbookError(
            f"{source} is a gateway endpoint: a route, which opens no connections.", "Use it as the target."
        )
    found = [way for a in sources for b in targets for way in ways(names.net, a, b)]
    if not found:
        raise WorkbookError(
            f"Neither {source} nor {target} contains a usable address.", "Use an address that something can have."
        )
    paths = tuple(
        Path(
            way.source.label,
            way.target.label,
            way.source_range,
            way.target_range,
            tuple(gate.hop(protocol, int(port)) for gate in way.gates),
        )
        for way in found
    )
    first, last = sources[0].client_ports
    system = "Linux" if (first, last) == LINUX_PORTS else "any client"
    ports = f"Replies go to the client's ports {first}-{last} ({system})."
    return Reach(source, target, int(port), protocol, paths, ports, names.inventory.scope.prefix)
