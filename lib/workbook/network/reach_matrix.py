"""The connections people ask about first, decided in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from workbook.display import Rendered, table
from workbook.inventory import Inventory, Row
from workbook.network.answer import MARKS, Reach
from workbook.network.topology import Topology
from workbook.network.walk import reach

COLUMNS = ["source", "target", "port", "from_subnet", "to_subnet", "verdict", "reason"]


def questions(inventory: Inventory) -> list[tuple[str, str, int, str, str]]:
    """(source, target, port, source subnet, target subnet), for all endpoints, subnets and default groups read."""
    service = next(iter(inventory.rows("services") if "services" in inventory else ()), None)
    container = (service.container_port if service else None) or 8080
    endpoints = _called(inventory.rows("endpoints"), "service", "endpoint_id")
    interface = [endpoints[row.endpoint_id] for row in inventory.rows("endpoints", type="Interface")]
    groups = _called(inventory.rows("security_groups"), "name", "group_id")
    default = [groups[row.group_id] for row in inventory.rows("security_groups", is_default=True)]
    asked: list[tuple[str, str, int]] = []
    if service is not None:
        asked += [("internet", "alb", 80), ("internet", "alb", 443), ("internet", "alb", 22)]
        asked += [("::/0", "alb", 80)]
        asked += [("internet", "task", container), ("internet", "task", 22), ("internet", "task", 443)]
        asked += [("alb", "task", container), ("alb", "task", 22), ("alb", "task", 443), ("alb", "internet", 443)]
        asked += [("task", name, 443) for name in endpoints.values()]
        asked += [
            ("task", "internet", 443),
            ("task", "internet", 80),
            ("task", "internet", 22),
            ("task", "task", container),
        ]
        nats = list(_called(inventory.rows("nat_gateways"), "name", "nat_gateway_id").values())
        asked += [("task", "alb", 80)]
        for nat in ["nat"] if len(nats) == 1 else nats:
            asked += [(nat, "task", container), ("internet", nat, 443)]
        asked += [("alb", name, 443) for name in endpoints.values()]
        asked += [("task", name, 443) for name in default]
    asked += [("internet", name, 443) for name in endpoints.values()]
    asked += [(name, "internet", 443) for name in interface]
    asked += [
        pair for name in default for pair in ((name, "internet", 443), ("internet", name, 443), (name, name, 443))
    ]
    across: list[tuple[str, str, int, str, str]] = []
    if service is not None and interface:
        subnets = _called(inventory.rows("subnets"), "name", "subnet_id")
        one, *others = sorted(subnets[id] for id in service.subnet_ids if id in subnets)
        across = [("task", interface[0], 443, *pair) for other in others for pair in ((one, other), (other, one))]
    return [*((source, target, port, "", "") for source, target, port in asked), *across]


def _called(rows: Sequence[Row], name: str, id: str) -> dict[str, str]:
    """id -> what to call each of `rows` in a question: its name, or the id where several share that name."""
    counted = Counter(getattr(row, name) for row in rows)
    return {
        getattr(row, id): getattr(row, name) if counted[getattr(row, name)] == 1 else getattr(row, id) for row in rows
    }


def decide(inventory: Inventory) -> list[Reach]:
    """The answer to each of `questions`, in order."""
    net = Topology(inventory)
    return [reach(net, s, t, p, source_subnet=near, target_subnet=far) for s, t, p, near, far in questions(inventory)]


def matrix(inventory: Inventory) -> pd.DataFrame:
    """One row per question, with the columns `COLUMNS`. An empty subnet means all; verdicts: yes, no, partly, unknown."""
    answers = zip(questions(inventory), decide(inventory), strict=True)
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
