"""The connections people ask about first, decided in one table."""

from __future__ import annotations

import pandas as pd

from workbook.display import Rendered, table
from workbook.inventory import Inventory
from workbook.network.answer import MARKS, Reach
from workbook.network.places import Names
from workbook.network.reachability import reach

COLUMNS = ["source", "target", "port", "from_subnet", "to_subnet", "verdict", "reason"]


def questions(inventory: Inventory | Names) -> list[tuple[str, str, int, str, str]]:
    """(source, target, port, source subnet, target subnet), for all load balancers, services, endpoints, NAT gateways,
    other interfaces, subnets and default groups read; by id where several resources share a name."""
    net = inventory if isinstance(inventory, Names) else Names(inventory)
    inventory = net.inventory
    services = inventory.rows("services") if "services" in inventory else ()
    tasks = [(net.called["services"][row.service_arn], row.container_port or 8080) for row in services]
    balancers, nats, endpoints = (
        list(net.called[table].values()) for table in ("load_balancers", "nat_gateways", "endpoints")
    )
    interface = inventory.rows("endpoints", type="Interface")
    default = [
        net.called["security_groups"][row.group_id] for row in inventory.rows("security_groups", is_default=True)
    ]
    asked: list[tuple[str, str, int]] = []
    if tasks:
        asked += [("internet", alb, port) for alb in balancers for port in (80, 443, 22)]
        asked += [("::/0", alb, 80) for alb in balancers]
        asked += [("internet", task, port) for task, own in tasks for port in (own, 22, 443)]
        asked += [(alb, task, port) for alb in balancers for task, own in tasks for port in (own, 22, 443)]
        asked += [(alb, "internet", 443) for alb in balancers]
        asked += [(task, endpoint, 443) for task, _ in tasks for endpoint in endpoints]
        asked += [(task, "internet", port) for task, _ in tasks for port in (443, 80, 22)]
        asked += [(task, other, port) for task, _ in tasks for other, port in tasks]
        asked += [(task, alb, 80) for task, _ in tasks for alb in balancers]
        for nat in nats:
            asked += [*((nat, task, own) for task, own in tasks), ("internet", nat, 443)]
        asked += [(alb, endpoint, 443) for alb in balancers for endpoint in endpoints]
        asked += [(task, group, 443) for task, _ in tasks for group in default]
    asked += [("internet", endpoint, 443) for endpoint in endpoints]
    asked += [(net.called["endpoints"][row.endpoint_id], "internet", 443) for row in interface]
    asked += [
        pair for name in default for pair in ((name, "internet", 443), ("internet", name, 443), (name, name, 443))
    ]
    for stranger in net.called["network_interfaces"].values():
        asked += [*(("internet", stranger, port) for port in (22, 443)), (stranger, "internet", 443)]
        asked += [(stranger, task, own) for task, own in tasks]
    across: list[tuple[str, str, int, str, str]] = []
    for (task, _), service in zip(tasks, services, strict=True):
        near = [row for row in interface if set(service.subnet_ids) <= set(row.subnet_ids)]
        subnets = sorted(net.called["subnets"][id] for id in service.subnet_ids if id in net.called["subnets"])
        for other in subnets[1:] if near else ():
            target = net.called["endpoints"][near[0].endpoint_id]
            across += [(task, target, 443, *pair) for pair in ((subnets[0], other), (other, subnets[0]))]
    return [*((source, target, port, "", "") for source, target, port in asked), *across]


def decide(inventory: Inventory | Names) -> list[Reach]:
    """The answer to each of `questions`, in order."""
    net = inventory if isinstance(inventory, Names) else Names(inventory)
    return [reach(net, s, t, p, source_subnet=near, target_subnet=far) for s, t, p, near, far in questions(net)]


def matrix(inventory: Inventory) -> pd.DataFrame:
    """One row per question, with the columns `COLUMNS`. An empty subnet means all; verdicts: yes, no, partly, unknown."""
    net = Names(inventory)
    answers = zip(questions(net), decide(net), strict=True)
    rows = [(s, t, p, near, far, answer.verdict, answer.reason) for (s, t, p, near, far), answer in answers]
    return pd.DataFrame(rows, columns=COLUMNS)


def rendered(frame: pd.DataFrame, prefix: str = "") -> Rendered:
    """The matrix as displayed, with a named subnet next to its source or target; `prefix` as in `display.table`."""

    def placed(who: str, subnet: str) -> list[list[str]]:
        return [
            [name, f"in {where}"] if where else [name] for name, where in zip(frame[who], frame[subnet], strict=True)
        ]

    seen = frame.drop(columns=["from_subnet", "to_subnet"])
    seen["source"], seen["target"] = placed("source", "from_subnet"), placed("target", "to_subnet")
    return table(seen, "What can reach what", marks=MARKS, prefix=prefix)
