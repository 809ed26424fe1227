"""The connections people ask about first, decided in one table."""

from __future__ import annotations

import pandas as pd

from workbook.display import Rendered, table
from workbook.inventory import Inventory
from workbook.network.answer import MARKS, Reach
from workbook.network.topology import Topology
from workbook.network.walk import reach

COLUMNS = ["source", "target", "port", "from_subnet", "to_subnet", "verdict", "reason"]


def questions(inventory: Inventory) -> list[tuple[str, str, int, str, str]]:
    """(source, target, port, source subnet, target subnet), for all endpoints, subnets and default groups read."""
    service = inventory.records("services")[0] if "services" in inventory and len(inventory["services"]) else None
    container = (service or {}).get("container_port") or 8080
    endpoints = inventory.records("endpoints")
    interface = [row for row in endpoints if row["type"] == "Interface"]
    default = [row["name"] for row in inventory.records("security_groups") if row["is_default"]]
    asked: list[tuple[str, str, int]] = []
    if service is not None:
        asked += [("internet", "alb", 80), ("internet", "alb", 443), ("internet", "alb", 22)]
        asked += [("::/0", "alb", 80)]
        asked += [("internet", "task", container), ("internet", "task", 22), ("internet", "task", 443)]
        asked += [("alb", "task", container), ("alb", "task", 22), ("alb", "task", 443), ("alb", "internet", 443)]
        asked += [("task", row["service"], 443) for row in endpoints]
        asked += [
            ("task", "internet", 443),
            ("task", "internet", 80),
            ("task", "internet", 22),
            ("task", "task", container),
        ]
        asked += [("task", "alb", 80), ("nat", "task", container), ("internet", "nat", 443)]
        asked += [("alb", row["service"], 443) for row in endpoints]
        asked += [("task", name, 443) for name in default]
    asked += [("internet", row["service"], 443) for row in endpoints]
    asked += [(row["service"], "internet", 443) for row in interface]
    asked += [
        pair for name in default for pair in ((name, "internet", 443), ("internet", name, 443), (name, name, 443))
    ]
    across: list[tuple[str, str, int, str, str]] = []
    if service is not None and interface:
        one, *others = sorted(service["subnets"])
        across = [
            ("task", interface[0]["service"], 443, *pair) for other in others for pair in ((one, other), (other, one))
        ]
    return [*((source, target, port, "", "") for source, target, port in asked), *across]


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
