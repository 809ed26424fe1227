"""The directory of one environment on one target, with its state, stamps, plans, logs and pages.

Nothing else knows its layout.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbook.errors import WorkbookError
from workbook.host.locking import lock
from workbook.host.paths import ENVIRONMENTS
from workbook.host.paths import home as default_home

EMBEDDED = "embedded"
_PLANS_KEPT = 20
_LOGS_KEPT = 80
_APPLY_SECONDS = 10.0  # how long to wait for another apply; long enough for a checkpoint being saved


@dataclass(frozen=True)
class RunDirectory:
    """Where everything a run of one environment on one target writes is kept.

    Attributes
    ----------
    home : the directory of everything that runs write; see `host.paths.home`.
    environment : directory name below terraform/environments, such as dev.
    target : slug of the target, such as embedded or aws-123456789012.
    """

    home: Path
    environment: str
    target: str

    @classmethod
    def all(cls, home: Path | None = None, target: str = "", stateless: bool = False) -> list[RunDirectory]:
        """The run directories below a home that hold a state, sorted by name.

        Parameters
        ----------
        target : only those on this target; empty for every target.
        stateless : also those without a state; only together with `target`, since the name alone does not say which
            directories are run directories.
        """
        base = home or default_home()
        found = [path for path in sorted(base.glob(f"*-{target or '*'}")) if path.is_dir()]
        if not (stateless and target):
            found = [path for path in found if (path / "terraform.tfstate").is_file()]
        if target:
            return [cls(base, path.name.removesuffix(f"-{target}"), target) for path in found]
        return [cls._named(base, path.name) for path in found]

    @classmethod
    def _named(cls, home: Path, name: str) -> RunDirectory:
        """Environment and target names may both contain hyphens: the longest existing environment name wins."""
        known = [path.parent.name for path in ENVIRONMENTS.glob("*/locals.tf")]
        environment = max(
            (known_name for known_name in known if name.startswith(f"{known_name}-")),
            key=len,
            default=name.partition("-")[0],
        )
        return cls(home, environment, name[len(environment) + 1 :])

    @property
    def path(self) -> Path:
        return self.home / f"{self.environment}-{self.target}"

    @property
    def state(self) -> Path:
        return self.path / "terraform.tfstate"

    @property
    def plans(self) -> Path:
        return self.path / "plans"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def pages(self) -> Path:
        return self.path / "pages"

    @property
    def terraform_data(self) -> Path:
        return self.path / "terraform-data"

    def create(self) -> None:
        """Create the directory and its parts, readable only by the current user, since a state may contain secrets.

        Raises
        ------
        WorkbookError : the home is not writable.
        """
        try:
            for part in (self.plans, self.logs):
                part.mkdir(parents=True, exist_ok=True)
            os.chmod(self.path, 0o700)
        except OSError as error:
            raise WorkbookError(
                f"Cannot write to {self.path}: {error.strerror}.",
                "Point WORKBOOK_HOME at a directory you can write to.",
            ) from error

    # ── which account the state describes ──

    @property
    def instance(self) -> str:
        """Id of the embedded AWS that the state describes; empty when none is recorded."""
        record = self.path / "instance"
        return record.read_text() if record.is_file() else ""

    def adopt(self, instance: str) -> Path | None:
        """Record the embedded AWS that this directory works on from now on.

        Returns
        -------
        Where the state of the account before was set aside, because another instance is another, empty account; None
        when the instance is the one recorded, or its state described nothing.
        """
        if self.instance == instance:
            return None
        aside = self._set_aside()
        self._write("instance", instance)
        return aside

    def _set_aside(self) -> Path | None:
        self.forget_deployed()
        if not self.state.is_file():
            return None
        with suppress(WorkbookError):  # A state that cannot be read is set aside too.
            if not self.resources():
                self.state.unlink()
                return None
        aside = self.path / f"terraform.tfstate.{time.strftime('%Y%m%dT%H%M%S')}.aside"
        self.state.rename(aside)
        backup = self.path / "terraform.tfstate.backup"
        if backup.is_file():
            backup.rename(aside.with_suffix(".backup"))
        return aside

    # ── what the state holds ──

    def resources(self) -> list[dict[str, Any]]:
        """The managed resources of the state, as Terraform writes them; empty when there is no state.

        Raises
        ------
        WorkbookError : the state file is not readable.
        """
        return [resource for resource in self._state()["resources"] if resource.get("mode") == "managed"]

    def regions(self) -> set[str]:
        """Regions that the stack in the state is in: that of its output `region`, and those of its buckets.

        Raises
        ------
        WorkbookError : the state file is not readable.
        """
        buckets = [
            instance.get("attributes", {})
            for resource in self.resources()
            if resource["type"] == "aws_s3_bucket"
            for instance in resource.get("instances", [])
        ]
        # `bucket_region` since version 6 of the provider.
        found = {bucket.get("bucket_region") or bucket.get("region") for bucket in buckets}
        if self.resources():
            found.add(self._state().get("outputs", {}).get("region", {}).get("value"))
        return found - {None, ""}

    def _state(self) -> dict[str, Any]:
        try:
            text = self.state.read_text()
            found: dict[str, Any] = json.loads(text) if text.strip() else {"resources": []}
            return found | {"resources": found["resources"]}
        except FileNotFoundError:
            return {"resources": []}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorkbookError(
                f"Could not read the state {self.state}: {error}.",
                "Terraform keeps the previous one as terraform.tfstate.backup.",
            ) from error

    def addresses(self) -> list[str]:
        """Addresses of the managed resources of the state, sorted, one each: `module.vpc.aws_subnet.public[0]`."""
        return sorted(
            ".".join(part for part in (resource.get("module", ""), resource["type"], resource["name"]) if part)
            + ("" if (key := instance.get("index_key")) is None else f"[{json.dumps(key)}]")
            for resource in self.resources()
            for instance in resource.get("instances", [])
        )

    # ── which layers were applied as they are configured ──

    def deployed_as(self, layer: str) -> str:
        """Digest of the configuration a layer was last applied with; empty if it was not, or was destroyed since."""
        stamp = self.path / "deployed" / layer
        return stamp.read_text() if stamp.is_file() else ""

    def mark_deployed(self, layer: str, digest: str) -> None:
        """Record that a layer was applied as configured."""
        (self.path / "deployed").mkdir(parents=True, exist_ok=True)
        self._write(f"deployed/{layer}", digest)

    def forget_deployed(self) -> None:
        """Record that no layer counts as applied any more."""
        shutil.rmtree(self.path / "deployed", ignore_errors=True)

    # ── what `terraform init` left ──

    @contextmanager
    def initializing(self, timeout: float) -> Iterator[None]:
        """Hold this while Terraform's own data change.

        Raises
        ------
        WorkbookError : another process still holds it after `timeout` seconds.
        """
        with lock(self.path / "init.lock", timeout):
            yield

    def initialized_as(self) -> str:
        """What `mark_initialized` recorded; empty if nothing, or if the data lead to another state, as in a directory
        that was moved.
        """
        stamp = self.terraform_data / "initialized"
        try:
            path = json.loads(self._backend.read_text())["backend"]["config"]["path"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""
        return stamp.read_text() if path == str(self.state) and stamp.is_file() else ""

    def mark_initialized(self, fingerprint: str) -> None:
        """Record what Terraform's own data were made from; empty before they change."""
        stamp = self.terraform_data / "initialized"
        if fingerprint:
            stamp.write_text(fingerprint)
        else:
            stamp.unlink(missing_ok=True)

    @property
    def _backend(self) -> Path:
        """Where Terraform keeps the configuration of the backend, with the path of the state."""
        return self.terraform_data / "terraform.tfstate"

    # ── not while Terraform works ──

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Hold this while account and record change together: from before an apply until its stamps are written.

        Not reentrant: a second holder waits for the first, even in the same process.

        Raises
        ------
        WorkbookError : another apply still holds it after 10 seconds.
        """
        self.create()
        with ExitStack() as held:
            try:
                held.enter_context(lock(self._apply_lock, _APPLY_SECONDS))
            except WorkbookError as error:
                raise self._busy() from error
            yield

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Keep Terraform, and every holder of `applying`, away from this directory during the block.

        Terraform locks its local state file (with a POSIX record lock) during every plan, apply and destroy, and the
        kernel releases the lock when Terraform ends, however it ends. So the same lock shows whether any Terraform is
        working here, detached or not. It also makes a Terraform that starts now wait (`-lock-timeout`), provided that a
        note beside the state says who holds it. A process loses such a lock when it closes any file object on the same
        file, so callers read this state last, if at all.

        Raises
        ------
        WorkbookError : an apply, a destroy or a plan is running.
        """
        if not self.path.is_dir():
            yield
            return
        with ExitStack() as held:
            state = held.enter_context(self.state.open("r+b")) if self.state.is_file() else None
            try:
                held.enter_context(lock(self._apply_lock, 0))
                if state is not None:
                    fcntl.lockf(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (WorkbookError, BlockingIOError, PermissionError) as error:
                raise self._busy() from error
            if state is not None:
                note = self.path / f".{self.state.name}.lock.info"
                created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                who = {
                    "ID": f"workbook-{os.getpid()}",
                    "Operation": "checkpoint",
                    "Who": "workbook",
                    "Created": created,
                }
                note.write_text(json.dumps({**who, "Path": str(self.state)}))
                held.callback(note.unlink, missing_ok=True)
            yield

    def busy(self) -> bool:
        """Whether Terraform, or a holder of `applying`, is working in this directory right now."""
        try:
            with self.at_rest():
                return False
        except WorkbookError:
            return True

    @property
    def _apply_lock(self) -> Path:
        return self.path / "apply.lock"

    def _busy(self) -> WorkbookError:
        return WorkbookError(
            f"Terraform is working on {self.environment} right now.",
            "Wait until that plan, apply or destroy has ended, then run this again.",
        )

    # ── copies ──

    def copy_to(self, home: Path, instance: str) -> RunDirectory:
        """Copy state, backup, stamps and Terraform's own data to another home, for a copy of the account that `instance`
        names.

        Plans, logs and pages are not copied: a plan belongs to the state it was made from.
        """
        copy = RunDirectory(home, self.environment, self.target)
        self._copy_initialized(copy)
        copy.become(self, instance)
        return copy

    def _copy_initialized(self, copy: RunDirectory) -> None:
        """Spare the copy its `terraform init`, unless one is running here, or the data hold a provider of 700 MB instead
        of a link to it.
        """
        with suppress(WorkbookError), self.initializing(0):
            fingerprint = self.initialized_as()
            providers = [
                path for path in (self.terraform_data / "providers").glob("*/*/*/*/*") if not path.is_symlink()
            ]
            if not fingerprint or providers:
                return
            copy.create()
            shutil.rmtree(copy.terraform_data, ignore_errors=True)
            shutil.copytree(self.terraform_data, copy.terraform_data, symlinks=True, ignore=lambda *_: ["initialized"])
            backend = json.loads(self._backend.read_text())
            backend["backend"]["config"]["path"] = str(copy.state)
            copy._backend.write_text(json.dumps(backend))
            copy.mark_initialized(fingerprint)

    def become(self, original: RunDirectory | None, instance: str) -> None:
        """Describe another account from now on, with the state, backup and stamps of `original`, or without any.

        Saved plans are removed: Terraform recognizes a stale plan by the serial number of its state, and a restored
        state may reach the same number again with different content. An existing state file is overwritten in place,
        because a Terraform that is waiting for its lock has that file open. `instance` is written last, so that after a
        kill the state counts as that of another account (see `adopt`).
        """
        self.create()
        self.forget_deployed()
        for plan in self.plans.glob("*.tfplan"):
            plan.unlink()
        backup = self.path / "terraform.tfstate.backup"
        backup.unlink(missing_ok=True)
        if original is not None and (original.path / backup.name).is_file():
            shutil.copyfile(original.path / backup.name, backup)
        if original is not None and (original.path / "deployed").is_dir():
            shutil.copytree(original.path / "deployed", self.path / "deployed")
        state = original.state.read_bytes() if original is not None and original.state.is_file() else b""
        if state or self.state.is_file():
            with self.state.open("r+b" if self.state.is_file() else "xb") as file:
                file.truncate()
                file.write(state)
        self._write("instance", instance)

    # ── old plans and logs ──

    def forget_old(self) -> None:
        """Remove all but the latest plans and logs."""
        for path in [
            *sorted(self.plans.glob("*.tfplan"))[:-_PLANS_KEPT],
            *sorted(self.logs.glob("2*.*"))[:-_LOGS_KEPT],
        ]:
            path.unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        """Write a file atomically: a kill leaves the old content or the new."""
        draft = self.path / f"{name}.{os.getpid()}"
        draft.write_text(text)
        draft.replace(self.path / name)
