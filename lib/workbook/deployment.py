"""One environment on one target: plan it, apply it, destroy it, and find out which parts are deployed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbook import emulator
from workbook.display import note
from workbook.display.progress import ApplyProgress, Progress
from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.host import paths
from workbook.host.run_directory import RunDirectory
from workbook.inventory import Inventory
from workbook.layers import BY_KEY
from workbook.target import Target, choose_target
from workbook.terraform.driver import Applied, Terraform
from workbook.terraform.hcl import configuration_digest, layer_addresses, layers_of, root_address
from workbook.terraform.plan import Plan
from workbook.terraform.settings import read_settings

OTHER = "other"
"""Name under which `resources` counts what belongs to no layer."""


class Deployment:
    """One environment on one target. Creating a deployment starts nothing and contacts nothing; the first call that
    needs the target does.

    Parameters
    ----------
    environment : directory below terraform/environments.
    home : directory of everything that runs write; see `host.paths.home`.
    target : where to deploy; the one that `WORKBOOK_TARGET` names unless given.

    Attributes
    ----------
    settings : names and regions from locals.tf.
    layers : keys of the layers of this environment, in deployment order.
    target : where it is deployed; connected as soon as something needs it.
    run : the directory of its state, plans, logs and pages.
    version : increases whenever something was changed through this object, or the account turned out to be a
        different one.

    Raises
    ------
    WorkbookError : no such environment, broken locals.tf, or a target that does not exist.
    """

    def __init__(self, environment: str, home: Path | None = None, target: Target | None = None) -> None:
        self.environment = environment
        self.settings = read_settings(environment)
        self.layers = layers_of(self.settings.directory)
        self.target = target or choose_target(self.settings.region)
        self.run = RunDirectory(home or paths.home(), environment, self.target.slug)
        self.version = 0
        self._terraform: Terraform | None = None
        self._instance = ""

    # ── changing ──

    def plan(self, *layers: str, progress: Progress | None = None, destroy: bool = False, details: bool = True) -> Plan:
        """Plan the named layers, or everything; nothing is changed.

        Raises
        ------
        WorkbookError : no such layer, Terraform rejects the configuration, another plan or apply is running, or the
            stack is deployed in another region.
        """
        driver = self.terraform()
        self._check_regions()
        targets = sorted({address for layer in layers for address in layer_addresses(self.settings.directory, layer)})
        with self._watched(driver, ApplyProgress(progress) if progress else None):
            plan = driver.make_plan(targets, destroy=destroy, details=details)
        if plan.empty and not destroy:
            with self.run.applying():
                # A checkpoint restored in the meantime is another account, which this plan says nothing about.
                if self.run.instance == self._instance:
                    self._mark_deployed(plan)
        return plan

    def apply(self, plan: Plan, progress: Progress | None = None) -> Applied:
        """Apply a saved plan.

        Raises
        ------
        WorkbookError : the plan is stale, Terraform failed, or the target is gone; the state has what was done
            until then.
        """
        # Taken before connecting, so that no checkpoint is restored between the check of the account and the apply.
        with self.run.applying():
            if self.connect():
                raise WorkbookError(
                    "This plan was made for a different account.",
                    "Plan again, then apply. Nothing was changed.",
                )
            self.target.check()
            self.version += 1
            driver = self._driver()
            on_event = ApplyProgress(progress, total=sum(plan.counts.values())) if progress else None
            with self._watched(driver, on_event):
                if plan.destroy:
                    self.run.forget_deployed()
                applied = driver.apply_plan(plan)
                self._mark_deployed(plan)
        return applied

    def outputs(self) -> dict[str, Any]:
        """Terraform's outputs by name; sensitive ones masked."""
        return self.terraform().outputs()

    # ── knowing ──

    def resources(self) -> dict[str, int]:
        """Number of resources in the state, by layer, in deployment order; what belongs to no layer is counted as
        `other`.
        """
        return count_by_layer(self.run, self.settings.directory)

    def absent(self, inventory: Inventory) -> list[str]:
        """The layers that are not deployed: neither the account nor the state has any of their resources.

        What someone deleted without Terraform is still in the state, so it is missing rather than absent.
        """
        missing = [layer for layer in BY_KEY if not inventory.deployed(layer)]
        # Counting parses the Terraform files, which the usual case, everything deployed, does without.
        counts = self.resources() if missing else {}
        return [layer for layer in missing if not counts.get(layer)]

    def is_current(self, *layers: str) -> bool:
        """Whether the named layers (or all) were applied exactly as they are configured now, and not destroyed since."""
        digest = configuration_digest(self.settings.directory)
        return all(self.run.deployed_as(layer) == digest for layer in layers or self.layers)

    # ── copies of the account ──

    def checkpoint(self, name: str) -> branches.Saved:
        """Save the account, with the states of all its environments, under a name.

        Raises
        ------
        WorkbookError : not the embedded AWS, an apply is running, or this machine cannot copy a process.
        """
        self._only_embedded()
        self.connect()
        return branches.save(name, self.run.home)

    def restore(self, name: str) -> None:
        """Bring account and states back to a checkpoint, which is kept.

        Raises
        ------
        WorkbookError : not the embedded AWS, no such checkpoint, or an apply is running.
        """
        self._only_embedded()
        restored = branches.restore(name, self.run.home)
        self.target = self.target.connected_to(restored.url)
        self._instance = restored.instance
        self.version += 1

    def checkpoints(self) -> list[branches.Checkpoint]:
        """The checkpoints of this account, oldest first."""
        self._only_embedded()
        return branches.listed(self.run.home)

    def drop(self, name: str) -> None:
        """Remove a checkpoint."""
        self._only_embedded()
        branches.drop(name, self.run.home)

    @contextmanager
    def branch(self) -> Iterator[Deployment]:
        """A copy of the account, with the same environment deployed, to change and throw away."""
        self._only_embedded()
        self.connect()
        with branches.branch(self.run.home) as home:
            yield Deployment(self.environment, home)

    def _only_embedded(self) -> None:
        if self.target.kind != "embedded":
            raise WorkbookError(
                f"Checkpoints and branches only work on the embedded AWS; this is {self.target.label}.",
                "Unset WORKBOOK_TARGET to use the embedded AWS.",
            )

    # ── the target ──

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client on the target."""
        self.connect()
        return self.target.client(service, region)

    def connect(self) -> bool:
        """Find the target; the embedded AWS is started if it is not running.

        Returns
        -------
        Whether the account differs from the one at the last call (or in the last process): a new, empty embedded AWS,
        or a restored checkpoint.
        """
        self.run.create()
        if self.target.kind != "embedded":
            return False
        known = self._instance or self.run.instance
        running, aside = emulator.start_for(self.run)
        self.target = self.target.connected_to(running.url)
        self._instance = running.instance
        changed = bool(known) and known != running.instance
        if changed:
            self.version += 1
            if running.restored_from:
                _say(f"The account was restored to the checkpoint {running.restored_from}.")
        if aside is not None:
            _say(
                "The embedded AWS is a new, empty one. "
                f"The old state was set aside as {aside.name}; deploying starts from scratch."
            )
        return changed

    def terraform(self) -> Terraform:
        """Terraform on the target as it is now."""
        self.connect()
        return self._driver()

    # ── plumbing ──

    def _check_regions(self) -> None:
        """Terraform would look for what the state names in the new region, not find it, and forget it."""
        elsewhere = sorted(self.run.regions() - {self.settings.region, self.settings.replica_region})
        if elsewhere:
            raise WorkbookError(
                f"{self.environment} is deployed in {' and '.join(elsewhere)}, which locals.tf no longer names.",
                "A stack does not move: set the regions back, destroy, then change them and deploy.",
            )

    def _driver(self) -> Terraform:
        environ = self.target.environ()
        if self._terraform is None or self._terraform.target_environ != environ:
            self._terraform = Terraform(self.settings.directory, self.run, environ)
        return self._terraform

    @contextmanager
    def _watched(self, driver: Terraform, on_event: ApplyProgress | None) -> Iterator[None]:
        driver.on_event = on_event
        driver.alive = self._gone if self.target.kind == "embedded" else None
        try:
            yield
        finally:
            driver.on_event = driver.alive = None

    def _gone(self) -> str | None:
        running = emulator.find(self.run.home)
        if running is not None and running.url == self.target.endpoint_url:
            return None
        return f"The embedded AWS stopped (its log: {paths.emulator_dir(self.run.home) / 'emulator.log'})."

    def _mark_deployed(self, plan: Plan) -> None:
        if plan.destroy:
            return
        digest = configuration_digest(self.settings.directory)
        for layer in self.layers:
            if not plan.targets or set(layer_addresses(self.settings.directory, layer)) <= set(plan.targets):
                self.run.mark_deployed(layer, digest)


def count_by_layer(run: RunDirectory, environment: Path) -> dict[str, int]:
    """Number of resources in the state of a run, by layer of an environment's directory; what belongs to no layer is
    `other`.

    Raises
    ------
    WorkbookError : the state cannot be read.
    """
    layers = layers_of(environment)
    owner = {address: layer for layer in layers for address in layer_addresses(environment, layer)}
    counts = dict.fromkeys(layers, 0)
    for address in run.addresses():
        layer = owner.get(root_address(address), OTHER)
        counts[layer] = counts.get(layer, 0) + 1
    return counts


def _say(text: str) -> None:
    Progress("Embedded AWS").finish(note(text, "warn"))
