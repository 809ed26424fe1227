"""What a layer costs while it stands and nobody uses it, counted on the live account.

Prices are AWS's list prices for us-east-1 as published in 2025, in US dollars; traffic, storage and requests come on top and
are named, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from workbook.errors import WorkbookError
from workbook.inventory import Inventory
from workbook.terraform.hcl import LAYERS

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Price:
    """One thing that is paid by the hour: `count` reads how many there are; `hourly` is US dollars for one of them."""

    layer: str
    what: str
    hourly: float
    count: Callable[[Inventory], float]


def _interface_addresses(inventory: Inventory) -> float:
    endpoints = inventory["endpoints"]
    return float(sum(len(subnets) for subnets in endpoints.loc[endpoints["type"] == "Interface", "subnets"]))


def _running(inventory: Inventory, column: str, unit: float) -> float:
    """Desired tasks times what each reserves, in units of `unit`."""
    tasks = inventory["services"].merge(inventory["task_definitions"], left_on="task_definition", right_on="name")
    return float((tasks["desired"] * tasks[column].astype(float) / unit).sum())


PRICES = (
    Price("vpc", "NAT gateway", 0.045, lambda inventory: float(len(inventory["nat_gateways"]))),
    Price(
        "vpc", "public IPv4 address of a NAT gateway", 0.005, lambda inventory: float(len(inventory["nat_gateways"]))
    ),
    Price("vpc", "interface endpoint, for each zone", 0.01, _interface_addresses),
    Price("ecs", "load balancer", 0.0225, lambda inventory: float(len(inventory["load_balancers"]))),
    Price(
        "ecs",
        "public IPv4 address of the load balancer, for each zone",
        0.005,
        lambda inventory: float(sum(map(len, inventory["load_balancers"]["subnets"]))),
    ),
    Price("ecs", "Fargate vCPU", 0.04048, lambda inventory: _running(inventory, "cpu", 1024)),
    Price("ecs", "Fargate GB of memory", 0.004445, lambda inventory: _running(inventory, "memory", 1024)),
)

_ON_TOP = {
    "ecr": "0.10 a month for each GB of images; basic scanning is free.",
    "iam": "nothing: IAM is free.",
    "s3": "0.023 a month for each GB in Standard, the replica the same again, and 0.02 for each GB that crosses regions.",
    "ecs": "0.008 for each load balancer capacity unit and hour, 0.50 for each GB of container logs.",
}


def on_top(layer: str, inventory: Inventory) -> str:
    """What is paid by use, in US dollars, as a sentence. Of a network, what it has: a first version has neither NAT nor flow logs.

    Raises
    ------
    WorkbookError : no such layer.
    """
    _check(layer)
    if layer != "vpc":
        return _ON_TOP[layer]
    types = set(inventory["endpoints"]["type"])
    charges = [
        (len(inventory["nat_gateways"]) > 0, "0.045 for each GB through NAT"),
        ("Interface" in types, "0.01 for each GB through an interface endpoint"),
        (len(inventory["flow_logs"]) > 0, "0.50 for each GB of flow logs"),
        (
            bool(inventory["subnets"]["public_ip_on_launch"].fillna(False).any()),
            "0.005 an hour for each public address handed out on launch",
        ),
    ]
    said = ", ".join(text for there, text in charges if there) or "nothing"
    return f"{said}. The S3 gateway endpoint is free." if "Gateway" in types else f"{said}."


def monthly(layer: str, inventory: Inventory) -> pd.DataFrame:
    """what, how many, hourly price of one, price a month of all, in US dollars; the last row sums. Empty where nothing stands by the hour.

    Raises
    ------
    WorkbookError : no such layer.
    """
    _check(layer)
    counted = [(price, price.count(inventory)) for price in PRICES if price.layer == layer]
    totals = [(price, n, price.hourly * n * HOURS_A_MONTH) for price, n in counted if n]
    rows = [(price.what, f"{n:g}", f"{price.hourly:g}", f"{total:.2f}") for price, n, total in totals]
    if rows:
        rows.append(("together", "", "", f"{sum(total for _, _, total in totals):.2f}"))
    return pd.DataFrame(rows, columns=["what", "how many", "USD an hour, each", "USD a month"])


def _check(layer: str) -> None:
    if layer not in LAYERS:
        raise WorkbookError(f"There are no prices for {layer!r}.", f"Layers: {', '.join(LAYERS)}.")
