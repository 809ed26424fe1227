"""The workbook: plan, deploy and look, for one environment on one target. What a notebook imports."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workbook import access, compliance, emulator
from workbook import network as reach
from workbook.access import Decision, access_matrix
from workbook.claims import Results, judge
from workbook.comparison.cost import monthly, on_top
from workbook.comparison.versions import compare
from workbook.diagram import render
from workbook.display import Rendered, fold, note, pairs, stack, table
from workbook.display.progress import ApplyProgress, Progress
from workbook.errors import WorkbookError
from workbook.host.paths import home, run_dir
from workbook.inventory import Inventory, Scope, read_inventory
from workbook.inventory.schema import TABLES
from workbook.network import Reach
from workbook.target import LIMITS, Target, choose_target
from workbook.terraform.driver import Applied, Terraform
from workbook.terraform.hcl import configuration_digest, layer_addresses, layers_of, root_address
from workbook.terraform.plan import Plan
from workbook.terraform.settings import read_settings

# A snapshot of the live account is good for this long; what the workbook itself changes makes it old at once.
_SNAPSHOT_SECONDS = 30.0


def open_workbook(environment: str | None = None) -> Workbook:
    """Open the workbook on the target that `WORKBOOK_TARGET` names.

    Parameters
    ----------
    environment : directory below terraform/environments; `WORKBOOK_ENVIRONMENT`, or dev.

    Raises
    ------
    WorkbookError : no such environment, broken locals.tf, no terraform, or a target that is not what it was named.
    """
    return Workbook(environment or os.environ.get("WORKBOOK_ENVIRONMENT") or "dev")


class Workbook:
    """One environment on one target.

    Attributes
    ----------
    settings : names and regions from locals.tf.
    target : where it is deployed.
    layers : names of the layers in the order in which they are deployed.
    """

    def __init__(self, environment: str) -> None:
        self.environment = environment
        self.settings = read_settings(environment)
        self.layers = layers_of(self.settings.directory)
        self.target: Target
        self._terraform: Terraform | None = None
        self._snapshot: tuple[float, Inventory] | None = None
        self._connect()

    # ── deploying ──

    def plan(self, *layers: str) -> Plan:
        """Plan the named layers, or everything; returns the saved plan, which shows itself as a table.

        Nothing is changed.
        """
        driver = self.driver()
        progress = Progress(f"Planning {', '.join(layers) or 'everything'}")
        plan = self._make_plan(driver, progress, layers)
        progress.finish(note("The plan is made and saved."))
        if plan.empty:
            self._mark_deployed(plan)
        return plan

    def apply(self, plan: Plan) -> Applied:
        """Apply a saved plan, with live progress.

        Raises
        ------
        WorkbookError : the plan is stale, Terraform failed, or the target is gone; the state holds what was done.
        """
        if self._connect():
            raise WorkbookError(
                "The embedded AWS is a new, empty one, and this plan was made for the old one.",
                "Plan again, then apply.",
            )
        self.target.check()
        progress = Progress("Destroying" if plan.destroy else "Applying")
        applied = self._apply_plan(self._driver(), progress, plan)
        self._mark_deployed(plan)
        progress.finish(note(_applied_text(applied, plan.destroy), "good"))
        return applied

    def deploy(self, *layers: str) -> None:
        """Make sure that the named layers (or all) are deployed as configured; quick when they are."""
        driver = self.driver()
        wanted = layers or tuple(self.layers)
        done = f"Deployed: {', '.join(wanted)}."
        progress = Progress(f"Deploying {', '.join(wanted)}")
        if all(self._is_deployed(layer) for layer in wanted):
            progress.finish(note(done, "good"))
            return
        plan = self._make_plan(driver, progress, layers)
        if not plan.empty:
            self.target.check()
            self._apply_plan(driver, progress, plan)
        self._mark_deployed(plan)
        progress.finish(note(done, "good"))

    def destroy(self) -> Applied:
        """Destroy everything that the state holds; the plan for it is saved and applied like any other."""
        driver = self.driver(change=True)
        progress = Progress("Planning the destruction")
        plan = self._make_plan(driver, progress, destroy=True)
        for layer in self.layers:
            self._stamp(layer).unlink(missing_ok=True)
        progress.title = "Destroying"
        applied = self._apply_plan(driver, progress, plan)
        left = driver.addresses()
        if left:
            raise WorkbookError(
                f"{len(left)} resources are still in the state: {', '.join(left[:3])}.", "Destroy again."
            )
        progress.finish(note(_applied_text(applied, destroyed=True), "good"))
        return applied

    def outputs(self) -> dict[str, Any]:
        """Terraform's outputs by name; sensitive ones masked."""
        return self.driver().outputs()

    def deployed(self) -> dict[str, int]:
        """Layer -> number of resources in the state; a layer with none is 0."""
        addresses = self.driver().addresses()
        owner = {address: layer for layer in self.layers for address in layer_addresses(self.settings.directory, layer)}
        counts = dict.fromkeys(self.layers, 0)
        for address in addresses:
            layer = owner.get(root_address(address))
            if layer is not None:
                counts[layer] += 1
        return counts

    # ── looking ──

    def inventory(self, fresh: bool = False) -> Inventory:
        """Snapshot of the live account; read again when it is older than 30 s, when something was applied, or when `fresh`."""
        self._connect()
        if not fresh and self._snapshot is not None and time.monotonic() - self._snapshot[0] < _SNAPSHOT_SECONDS:
            return self._snapshot[1]
        scope = Scope(self.settings.prefix, self.settings.region, self.settings.replica_region)
        read = read_inventory(self.client, scope)
        self._snapshot = (time.monotonic(), read)
        return read

    def tables(self, layer: str) -> Rendered:
        """All tables of a layer, as they are on the live account now."""
        inventory = self.inventory()
        names = [name for name, known in TABLES.items() if known.layer == layer]
        if not names:
            raise WorkbookError(f"There is no layer {layer!r}.", f"Layers: {', '.join(self.layers)}.")
        shown = [self.table(name) for name in names]
        problems = inventory.problems
        if len(problems):
            shown.append(table(problems, "Could not be read"))
        return stack(*shown)

    def table(self, name: str, columns: list[str] | None = None, where: pd.Series | None = None) -> Rendered:
        """One table of the live account.

        Parameters
        ----------
        columns : which to show, in order; without it all that a person reads.
        where : a condition on the rows, as pandas takes it.
        """
        frame = self.inventory()[name]
        return self._table(frame if where is None else frame[where], TABLES[name].caption, columns)

    def diagram(self, name: str) -> render.Drawing:
        """Picture of a layer, or of the whole `architecture`, drawn from the live account."""
        return render.draw(name, self.inventory())

    def versions(self, layer: str) -> Rendered:
        """First version of a layer against the improved one, as the live account shows it."""
        return self._table(compare(layer, self.inventory()), "First version and improved version")

    def claims(self, *layers: str) -> Results:
        """What the take-home says of the layers (or of everything), judged on the live account.

        Claims that look at a layer which is not deployed yet are set aside: they are neither true nor false.
        """
        inventory = self.inventory()
        first = {table.layer: name for name, table in reversed(TABLES.items())}
        absent = [layer for layer, name in first.items() if not len(inventory[name])]
        return judge(inventory, layers or None, self.target.kind).without_layers(absent)

    def reach(self, source: str, target: str, port: int, protocol: str = "tcp", **subnets: str) -> Reach:
        """Whether `source` can open a connection to `target`, hop by hop; the names are those of `workbook.network.reach`."""
        return reach.reach(self.inventory(), source, target, port, protocol, **subnets)

    def reach_matrix(self) -> Rendered:
        """Who reaches whom, on which port."""
        return reach.rendered(reach.matrix(self.inventory()), self.settings.prefix)

    def can(self, principal: str, action: str, resource: str = "*", **circumstances: Any) -> Decision:
        """Whether a principal may do something, and which statement decides; `circumstances` are those of `workbook.access.can`."""
        return access.can(self.inventory(), principal, action, resource, **circumstances)

    def access_matrix(self) -> Rendered:
        """Who may do what: every question of the author, with his answer and the decision."""
        return access_matrix.rendered(access_matrix.matrix(self.inventory()), self.settings.prefix)

    def compliance(self, framework: str | None = None) -> Rendered:
        """Which controls the claims support, on the live account: evidence for an auditor, not a certificate.

        Parameters
        ----------
        framework : such as CIS AWS or SOC 2; without it all.
        """
        return compliance.rendered(judge(self.inventory(), None, self.target.kind), framework)

    def cost(self, layer: str) -> Rendered:
        """What a layer costs a month while nobody uses it, and what comes on top."""
        inventory = self.inventory()
        top, standing = note(f"On top: {on_top(layer, inventory)}"), monthly(layer, inventory)
        return (
            stack(table(standing, "Cost of standing there, list prices of us-east-1, 2025"), top)
            if len(standing)
            else top
        )

    def limits(self) -> Rendered:
        """What the embedded AWS does not do, and what would show it; on another target there is nothing to list."""
        if self.target.kind != "embedded":
            return note(f"These are limits of the embedded AWS; this workbook works on {self.target.label}.")
        rows = pd.DataFrame(
            [(limit.service, limit.what, limit.shown_by) for limit in LIMITS], columns=["service", "limit", "shown by"]
        )
        return fold("What the embedded AWS does not do", table(rows, "Not done by the embedded AWS"))

    def banner(self) -> Rendered:
        """Where this workbook works, for the top of a page."""
        region, replica = self.settings.region, self.settings.replica_region
        rows = [
            ("Environment", self.environment),
            ("Target", self.target.label),
            ("Region", region if replica == region else f"{region}, replica in {replica}"),
            ("Names start with", self.settings.prefix),
        ]
        return pairs("This workbook works on", rows)

    def _table(self, frame: pd.DataFrame, caption: str, columns: list[str] | None = None) -> Rendered:
        return table(frame, caption, columns, prefix=self.settings.prefix, names_of=names_of_ids(self.inventory()))

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client on the target."""
        return self.target.client(service, region)

    # ── plumbing ──

    @property
    def directory(self) -> Path:
        """Where this environment's state, plans, logs and pages are kept."""
        return run_dir(self.environment, self.target.slug)

    def _connect(self) -> bool:
        """Find or start the target; True when the embedded AWS is a new one, so that an old state describes an account that is gone."""
        running: emulator.Emulator | None = None

        def embedded() -> str:
            nonlocal running
            running = emulator.start()
            return running.url

        self.target = choose_target(self.settings.region, embedded)
        self.directory.mkdir(parents=True, exist_ok=True)
        if running is None:
            return False
        record = self.directory / "instance"
        if record.is_file() and record.read_text() == running.instance:
            return False
        aside = _set_aside(self.directory)
        record.write_text(running.instance)
        self._snapshot = None
        if aside is not None:
            Progress("Embedded AWS").finish(
                note(
                    f"The embedded AWS is a new, empty one. The state of the old one was set aside as {aside.name}; deploying starts afresh.",
                    "warn",
                )
            )
        return True

    def driver(self, change: bool = False) -> Terraform:
        """Terraform on the target as it is now; with `change`, refused on a real account that is not the one named."""
        self._connect()
        if change:
            self.target.check()
        return self._driver()

    def _driver(self) -> Terraform:
        environ = self.target.environ()
        if (
            self._terraform is None
            or self._terraform.target_environ != environ
            or self._terraform.run_dir != self.directory
        ):
            self._terraform = Terraform(self.settings.directory, self.directory, environ)
        return self._terraform

    def _make_plan(
        self, driver: Terraform, progress: Progress, layers: tuple[str, ...] = (), destroy: bool = False
    ) -> Plan:
        targets = sorted({address for layer in layers for address in layer_addresses(self.settings.directory, layer)})
        with self._watched(driver, ApplyProgress(progress)):
            return driver.make_plan(targets, destroy=destroy)

    def _apply_plan(self, driver: Terraform, progress: Progress, plan: Plan) -> Applied:
        self._snapshot = None
        with self._watched(driver, ApplyProgress(progress, total=len(plan.actions))):
            return driver.apply_plan(plan)

    @contextmanager
    def _watched(self, driver: Terraform, on_event: ApplyProgress) -> Iterator[None]:
        driver.on_event = on_event
        driver.alive = self._gone if self.target.kind == "embedded" else None
        try:
            yield
        finally:
            driver.on_event = driver.alive = None

    def _gone(self) -> str | None:
        running = emulator.find()
        if running is not None and running.url == self.target.endpoint_url:
            return None
        return f"The embedded AWS stopped (its log: {(home() / 'embedded' / 'emulator.log')})."

    def _stamp(self, layer: str) -> Path:
        return self.directory / "deployed" / layer

    def _is_deployed(self, layer: str) -> bool:
        """Whether this very configuration of the layer was applied and nothing was destroyed since."""
        stamp = self._stamp(layer)
        return stamp.is_file() and stamp.read_text() == configuration_digest(self.settings.directory)

    def _mark_deployed(self, plan: Plan) -> None:
        if plan.destroy:
            return
        for layer in self.layers:
            if not plan.targets or set(layer_addresses(self.settings.directory, layer)) <= set(plan.targets):
                self._stamp(layer).parent.mkdir(exist_ok=True)
                self._stamp(layer).write_text(configuration_digest(self.settings.directory))


def names_of_ids(inventory: Inventory) -> dict[str, str]:
    """AWS's id -> name, of everything in the inventory that has both in its own row."""
    own = {
        "vpcs": "vpc_id",
        "subnets": "subnet_id",
        "nat_gateways": "nat_gateway_id",
        "endpoints": "endpoint_id",
        "security_groups": "group_id",
    }
    return {
        row_id: name
        for table, column in own.items()
        for row_id, name in zip(inventory[table][column], inventory[table]["name"], strict=True)
    }


def _set_aside(directory: Path) -> Path | None:
    """Move a state that describes a lost account out of the way; nothing is deleted."""
    state = directory / "terraform.tfstate"
    for stamp in (directory / "deployed").glob("*"):
        stamp.unlink()
    if not state.is_file():
        return None
    text = state.read_text().strip()
    if not text or not json.loads(text).get("resources"):
        state.unlink()  # It describes nothing.
        return None
    aside = directory / f"terraform.tfstate.{time.strftime('%Y%m%dT%H%M%S')}.aside"
    state.rename(aside)
    with contextlib.suppress(FileNotFoundError):
        (directory / "terraform.tfstate.backup").rename(aside.with_suffix(".backup"))
    return aside


def _applied_text(applied: Applied, destroyed: bool = False) -> str:
    if destroyed:
        return f"Destroyed: {applied.destroyed} resources. Nothing is left in the state."
    return f"Applied: {applied.added} added, {applied.changed} changed, {applied.destroyed} destroyed."
