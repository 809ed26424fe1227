"""Reads a whole environment at once: every layer's reader on one event loop, every call on one pool of threads."""

from __future__ import annotations

import asyncio
import importlib
import queue
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import pandas as pd

from workbook.errors import WorkbookError
from workbook.inventory.aws import Aws
from workbook.inventory.registry import TABLES
from workbook.inventory.schema import Record
from workbook.inventory.scope import Scope
from workbook.inventory.snapshot import Inventory, frame
from workbook.layers import BY_KEY, find
from workbook.target import ClientFactory

Rows = dict[str, list[Record]]


def _reader(layer: str) -> Callable[[Aws], Awaitable[Rows]]:
    """`read` of the module that has the layer's name."""
    read: Callable[[Aws], Awaitable[Rows]] = importlib.import_module(f"workbook.inventory.{layer}").read
    return read


def read_inventory(
    client: ClientFactory,
    scope: Scope,
    layers: Iterable[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    workers: int = 16,
    timeout: float = 120,
) -> Inventory:
    """What an environment has in AWS right now.

    Parameters
    ----------
    client : `client(service, region)` returns a boto3 client; each is created once and shared by the threads.
    scope : which resources belong to the environment.
    layers : layers to read; all of them by default.
    progress : called with (calls done, calls known so far, the call), on the caller's thread.
    workers : number of concurrent calls; 1 makes the same calls one after the other.
    timeout : seconds for the whole reading.

    Returns
    -------
    The inventory. A call that AWS rejected is a row of its `problems`; the tables that depend on it lack its data.

    Raises
    ------
    WorkbookError : no such layer, no response, rejected credentials, or a timeout.
    """
    chosen = [find(layer).key for layer in (BY_KEY if layers is None else layers)]
    taken_at = datetime.now(UTC)
    outcome: Future[tuple[Rows, list[Record]]] = Future()
    events: queue.SimpleQueue[tuple[int, int, str] | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(_read(client, scope, chosen, workers, timeout, events)))
        except BaseException as error:
            outcome.set_exception(error)
        finally:
            events.put(None)

    # A separate event loop on a separate thread, since a notebook's kernel already runs one; the caller's thread stays
    # free to show progress and to be interrupted.
    threading.Thread(target=run, name="inventory", daemon=True).start()
    while (event := events.get()) is not None:
        if progress is not None:
            progress(*event)
    rows, problems = outcome.result()
    tables = {name: frame(table, rows.get(name, [])) for name, table in TABLES.items() if table.layer in chosen}
    problems = [problem for problem in problems if problem["table"] in tables]
    return Inventory(scope, taken_at, tables, [*problems, *_gaps(tables, {p["table"] for p in problems})])


def _gaps(tables: Mapping[str, pd.DataFrame], known: set[str]) -> list[Record]:
    """A problem for each column with a cell that AWS did not return, in tables that no rejected call explains."""
    return [
        {"table": name, "call": f"the column {column}", "error": "AWS did not return it"}
        for name, found in tables.items()
        if name not in known
        for column, of in TABLES[name].columns.items()
        if of.needed and found[column].isna().any()
    ]


async def _rows(aws: Aws, layer: str) -> Rows:
    """The rows of one layer; none, and a problem for each of its tables, if AWS's answers are not what they should be.

    The readers expect every member to be missing at times; this keeps one that does not from costing the others.
    """
    try:
        return await _reader(layer)(aws)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        tables = [table.name for table in TABLES.values() if table.layer == layer]
        aws.report(tables, f"the answers about {layer}", f"not understood: {type(error).__name__}: {error}")
        return {}


async def _read(
    client: ClientFactory,
    scope: Scope,
    layers: list[str],
    workers: int,
    timeout: float,
    events: queue.SimpleQueue[tuple[int, int, str] | None],
) -> tuple[Rows, list[Record]]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="inventory")
    aws = Aws(client, scope, pool, lambda done, known, call: events.put((done, known, call)))
    try:
        async with asyncio.timeout(timeout):
            parts = await asyncio.gather(*(_rows(aws, layer) for layer in layers))
    except TimeoutError as error:
        raise WorkbookError(
            f"Reading AWS took longer than {timeout:g} seconds.", "Check the target and the network, then read again."
        ) from error
    finally:
        # Calls in progress end at their own timeouts; nothing waits for them.
        pool.shutdown(wait=False, cancel_futures=True)
        aws.close()
    problems = [dict(zip(("table", "call", "error"), problem, strict=True)) for problem in sorted(aws.problems)]
    return {table: rows for part in parts for table, rows in part.items()}, problems
