"""The workbook: what a notebook imports. A façade: each method asks the part responsible and returns what is displayed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workbook import access, compliance, layers, network
from workbook.access import Decision, access_matrix, escalation_matrix, who
from workbook.access.escalation import escalations
from workbook.claims import Results, judge
from workbook.comparison.cost import monthly, on_top
from workbook.comparison.versions import compare
from workbook.deployment import Deployment
from workbook.diagram import render
from workbook.display import Rendered, fold, note, pairs, stack, table
from workbook.display.progress import Progress
from workbook.errors import WorkbookError
from workbook.host.run_directory import RunDirectory
from workbook.inventory import TABLES, Inventory, Scope, read_inventory
from workbook.network import Reach
from workbook.notebooks import contents
from workbook.target import LIMITS, Target
from workbook.terraform.driver import Applied
from workbook.terraform.plan import Plan
from workbook.terraform.settings import Settings

# How long a snapshot of the live account is reused. Any change by the workbook itself makes it stale at once.
_SNAPSHOT_SECONDS = 30.0


def open_workbook(environment: str | None = None) -> Workbook:
    """Open the workbook on the target that `WORKBOOK_TARGET` names. Nothing is started until something needs the
    target.

    Parameters
    ----------
    environment : directory below terraform/environments; `WORKBOOK_ENVIRONMENT`, or dev.

    Raises
    ------
    WorkbookError : no such environment, broken locals.tf, or a target that does not exist.
    """
    return Workbook(environment or os.environ.get("WORKBOOK_ENVIRONMENT") or "dev")


class Workbook:
    """One environment on one target.

    Attributes
    ----------
    deployment : plans, applies and destroys the environment.
    """

    def __init__(self, environment: str, home: Path | None = None) -> None:
        self.deployment = Deployment(environment, home)
        self._snapshot: tuple[float, int, Inventory] | None = None

    @property
    def settings(self) -> Settings:
        """Names and regions from locals.tf."""
        return self.deployment.settings

    @property
    def layers(self) -> list[str]:
        """Keys of the layers of this environment, in deployment order."""
        return self.deployment.layers

    @property
    def target(self) -> Target:
        """Where it is deployed."""
        return self.deployment.target

    @property
    def run(self) -> RunDirectory:
        """Where state, plans, logs and pages of this environment on this target are kept."""
        return self.deployment.run

    # ── deploying ──

    def plan(self, *layers: str) -> Plan:
        """Plan the named layers, or everything; returns the saved plan, which shows itself as a table. Nothing is
        changed.
        """
        progress = Progress(f"Planning {', '.join(layers) or 'everything'}")
        plan = self.deployment.plan(*layers, progress=progress)
        progress.finish(note("The plan is saved."))
        return plan

    def apply(self, plan: Plan) -> Applied:
        """Apply a saved plan, with live progress.

        Raises
        ------
        WorkbookError : the plan is stale, Terraform failed, or the target is gone; the state has what was done
            until then.
        """
        progress = Progress("Destroying" if plan.destroy else "Applying")
        applied = self.deployment.apply(plan, progress)
        progress.finish(note(_applied_text(applied, plan.destroy), "good"))
        return applied

    def deploy(self, *layers: str) -> None:
        """Make sure that the named layers (or all) are deployed as configured; fast if they already are."""
        wanted = layers or tuple(self.layers)
        progress = Progress(f"Deploying {', '.join(wanted)}")
        self.deployment.connect()
        if not self.deployment.is_current(*wanted):
            self.deployment.apply(self.deployment.plan(*layers, progress=progress, details=False), progress)
        progress.finish(note(f"Deployed: {', '.join(wanted)}.", "good"))

    def destroy(self) -> Applied:
        """Destroy everything in the state; the plan for this is saved and applied like any other."""
        self.target.check()
        progress = Progress("Planning the destruction")
        plan = self.deployment.plan(progress=progress, destroy=True, details=False)
        progress.title = "Destroying"
        applied = self.deployment.apply(plan, progress)
        left = self.run.addresses()
        if left:
            raise WorkbookError(
                f"{len(left)} resources are still in the state: {', '.join(left[:3])}.", "Destroy again."
            )
        progress.finish(note(_applied_text(applied, destroyed=True), "good"))
        return applied

    def outputs(self) -> dict[str, Any]:
        """Terraform's outputs by name; sensitive ones masked."""
        return self.deployment.outputs()

    def deployed(self) -> dict[str, int]:
        """Layer -> number of resources in the state; a layer with none is 0."""
        self.deployment.connect()
        return self.deployment.resources()

    def remaining(self) -> Rendered:
        """What the live account still has of each layer, whatever the state says."""
        inventory = self.inventory(fresh=True)
        rows = [
            (layer.title, [TABLES[name].caption for name in inventory.occupied(layer.key)] or "nothing")
            for layer in layers.LAYERS
        ]
        return table(pd.DataFrame(rows, columns=["layer", "still there"]), "What is left")

    # ── copies of the account ──

    def checkpoint(self, name: str) -> Rendered:
        """Save the account as it is now, under a name, for `restore`. Embedded AWS only."""
        saved = self.deployment.checkpoint(name)
        dropped = f" To make room, dropped: {', '.join(saved.dropped)}." if saved.dropped else ""
        return note(f"Checkpoint {name} saved, with {saved.checkpoint.resources} resources.{dropped}", "good")

    def restore(self, name: str) -> Rendered:
        """Bring account, state and tables back to a checkpoint, as often as you like. Embedded AWS only."""
        self.deployment.restore(name)
        return note(f"Restored {name}: {sum(self.deployment.resources().values())} resources deployed.", "good")

    def checkpoints(self) -> Rendered:
        """The checkpoints that can be restored."""
        rows = [
            (
                kept.name,
                kept.resources,
                f"{kept.memory / 10**6:.0f} MB",
                "yes" if kept.alive else "no, its process has ended",
            )
            for kept in self.deployment.checkpoints()
        ]
        return table(pd.DataFrame(rows, columns=["name", "resources", "memory", "can be restored"]), "Checkpoints")

    @contextmanager
    def branch(self) -> Iterator[Workbook]:
        """A workbook on a copy of the account, to change and throw away: `with wb.branch() as other: …`. Embedded AWS
        only.
        """
        with self.deployment.branch() as deployment:
            yield Workbook(deployment.environment, deployment.run.home)

    # ── looking ──

    def inventory(self, fresh: bool = False) -> Inventory:
        """Snapshot of the live account; read again when it is older than 30 s, when something was applied, or when
        `fresh`.
        """
        self.deployment.connect()
        if not fresh and self._snapshot is not None:
            taken_at, version, kept = self._snapshot
            if version == self.deployment.version and time.monotonic() - taken_at < _SNAPSHOT_SECONDS:
                return kept
        scope = Scope(self.settings.prefix, self.settings.region, self.settings.replica_region)
        read = read_inventory(self.client, scope)
        self._snapshot = (time.monotonic(), self.deployment.version, read)
        return read

    def tables(self, layer: str) -> Rendered:
        """All tables of a layer, as they are on the live account now."""
        inventory = self.inventory()
        parts = [self.table(name) for name in inventory.layer(layer)]
        if len(inventory.problems):
            parts.append(table(inventory.problems, "Could not be read"))
        return stack(*parts)

    def table(self, name: str, columns: list[str] | None = None, where: pd.Series | None = None) -> Rendered:
        """One table of the live account.

        Parameters
        ----------
        columns : which to show, in order; without it, all that are meant for people.
        where : a boolean condition on the rows, as in pandas.
        """
        frame = self.inventory()[name]
        return self._table(frame if where is None else frame[where], TABLES[name].caption, columns)

    def diagram(self, name: str) -> render.Drawing:
        """Diagram of a layer, or of the whole `architecture`, drawn from the live account."""
        return render.draw(name, self.inventory())

    def comparison(self, layer: str) -> Rendered:
        """First version of a layer compared with the improved one, as seen in the live account."""
        return self._table(compare(layer, self.inventory()), "First version and improved version")

    def claims(self, *layers: str) -> Results:
        """What the take-home says about the layers (or about everything), judged on the live account.

        Claims that need a layer that is not deployed yet are set aside: they are neither true nor false.
        """
        inventory = self.inventory()
        return judge(inventory, layers or None, self.target.kind).without_layers(self.deployment.absent(inventory))

    def reach(self, source: str, target: str, port: int, protocol: str = "tcp", **subnets: str) -> Reach:
        """Whether `source` can open a connection to `target`, hop by hop; the names are those of
        `workbook.network.reach`.
        """
        return network.reach(self.inventory(), source, target, port, protocol, **subnets)

    def reach_matrix(self) -> Rendered:
        """Who reaches whom, on which port."""
        return network.rendered(network.matrix(self.inventory()), self.settings.prefix)

    def can(self, principal: str, action: str, resource: str = "*", **circumstances: Any) -> Decision:
        """Whether a principal may do something, and which statement decides; `circumstances` are those of
        `workbook.access.can`.
        """
        return access.can(self.inventory(), principal, action, resource, **circumstances)

    def access_matrix(self) -> Rendered:
        """Who may do what: each of the author's questions, with the expected answer and the decision."""
        return access_matrix.rendered(access_matrix.matrix(self.inventory()), self.settings.prefix)

    def who_can(self, action: str, resource: str) -> Rendered:
        """Who can do `action` (such as s3:GetObject) on `resource` (such as data/*), over all requests: in which
        circumstances, and through which statement.
        """
        return who.rendered_who(self.inventory(), action, resource)

    def what_can(self, principal: str) -> Rendered:
        """What a role can do, by statement, and what keeps it from the rest."""
        return who.rendered_what(self.inventory(), principal)

    def prove(
        self,
        action: str,
        resource: str,
        where: Mapping[str, Mapping[str, object]] | None = None,
        but: Iterable[str] = (),
    ) -> Rendered:
        """Whether nobody can do `action` on `resource`: PROVEN for all requests, REFUTED by one, or CANNOT TELL.

        Parameters
        ----------
        where : only requests for which these conditions hold, written as in a policy.
        but : names or ARNs of principals that may; `deployer` is the operator named in the bucket policies.
        """
        return who.rendered_proof(self.inventory(), action, resource, where, but)

    def escalation(self) -> Rendered:
        """Who could get more permissions than it was given: every known path, with what stops it."""
        return escalation_matrix.rendered(escalations(self.inventory()), self.settings.prefix)

    def compliance(self, framework: str | None = None) -> Rendered:
        """Which controls the claims support, on the live account: evidence for an auditor, not a certificate.

        Parameters
        ----------
        framework : such as CIS AWS or SOC 2; without it, all.
        """
        return compliance.rendered(self.claims(), framework)

    def cost(self, layer: str) -> Rendered:
        """What a layer costs per month without traffic, and what is billed by use."""
        inventory = self.inventory()
        top, standing = note(f"On top: {on_top(layer, inventory)}"), monthly(layer, inventory)
        return (
            stack(table(standing, "Cost per month without traffic, us-east-1 list prices, 2025"), top)
            if len(standing)
            else top
        )

    def limits(self) -> Rendered:
        """What the embedded AWS does not do, and how to check it; on another target there is nothing to list."""
        if self.target.kind != "embedded":
            return note(f"These are limits of the embedded AWS; this workbook works on {self.target.label}.")
        rows = pd.DataFrame(
            [(limit.service, limit.what, limit.shown_by) for limit in LIMITS],
            columns=["service", "limit", "how to check"],
        )
        return fold("What the embedded AWS does not do", table(rows, "Not done by the embedded AWS"))

    def banner(self) -> Rendered:
        """What this workbook works on, for the top of a page."""
        region, replica = self.settings.region, self.settings.replica_region
        rows = [
            ("Environment", self.deployment.environment),
            ("Target", self.target.label),
            ("Region", region if replica == region else f"{region}, replica in {replica}"),
            ("Names start with", self.settings.prefix),
        ]
        return pairs("This workbook works on", rows)

    def _table(self, frame: pd.DataFrame, caption: str, columns: list[str] | None = None) -> Rendered:
        return table(frame, caption, columns, prefix=self.settings.prefix, names_of=names_of_ids(self.inventory()))

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client on the target."""
        return self.deployment.client(service, region)

    # ── navigation ──

    def contents(self) -> Rendered:
        """The pages of the workbook, with the question that each answers."""
        return contents.contents()

    def navigation(self, page: str) -> Rendered:
        """Links from a page, named by its layer's key or by its own name, to its neighbours."""
        return contents.navigation(page)


def names_of_ids(inventory: Inventory) -> dict[str, str]:
    """AWS's id -> name, for everything in the inventory that has both in its own row."""
    return {
        getattr(row, table.key): row.name
        for name, table in TABLES.items()
        if name in inventory and "name" in table.columns and table.key.endswith("_id")
        for row in inventory.rows(name)
    }


def _applied_text(applied: Applied, destroyed: bool = False) -> str:
    if destroyed:
        return f"Destroyed: {applied.destroyed} resources. Nothing is left in the state."
    return f"Applied: {applied.added} added, {applied.changed} changed, {applied.destroyed} destroyed."
