"""Replaces the running account with a copy of a checkpoint, so that a kill at any moment leaves account and state consistent.

A home has one account (its record, `embedded/emulator.json`) and states, each with the id of the account it describes
(`instance` in its run directory). A state with a different id from the running account's is set aside by `RunDirectory.adopt` and never
used. The steps of a restore, and what a kill (of this process, at any point) leaves behind:

1. The checkpoint is copied to the directory `restoring` in the home: process, states, stamps, under a new id.
   Killed here: the old account and its states are untouched; the copy is thrown away by the next command.
2. `restoring/journal.json` is written, atomically. From here on, the restore is finished by the next command: starting,
   saving, restoring and branching all call `finish` first.
3. The old account is ended, which frees its port.
4. The copy moves in: it binds that port and writes the record of the home.
5. The states are replaced; in each run directory the id is written last.
6. `restoring` is removed.

Killed between 3 and 6: until something calls `start`, `find` returns no account, or the restored one while the states still have the
id of the old one, which counts as set aside. If the copy itself dies before step 4, the restore is undone: before step 3 nothing has
happened to the old account; after it, neither account is left and the next start sets the states aside. The order matters: the old
account is ended only once the new one exists, and no state has the id of the new account before it is that account's state.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from workbook.emulator import running
from workbook.errors import WorkbookError
from workbook.host.run_directory import EMBEDDED, RunDirectory

_JOURNAL = "journal.json"


def restore(home: Path, checkpoint: Path, name: str, port: int) -> None:
    """Replace the account of `home` with a copy of the checkpoint. The caller holds `held` and `at_rest` of `home`.

    Parameters
    ----------
    checkpoint : home of the checkpoint.
    name : name of the checkpoint.
    port : the port to use if no account is running; 0 for any.
    """
    staging = _staging(home)
    record = running.Record.read(home)
    if record is not None and running.find(home) is not None:
        port = record.port
    try:
        copied = running.copy(checkpoint, staging)
        journal = {"instance": copied.instance, "port": port, "name": name}
        draft = staging / f"journal.{os.getpid()}"
        draft.write_text(json.dumps(journal))
        draft.replace(staging / _JOURNAL)
    except BaseException:
        _take_back(staging)
        raise
    finish(home)
    if running.find(home) is None:
        raise WorkbookError(f"The account restored from {name!r} ended at once.", "Restore it again, or deploy.")


def finish(home: Path) -> None:
    """Finish an interrupted restore, or undo it if its account is gone. The caller holds `held`.

    It may repeat steps that were already done; each is safe to repeat.
    """
    staging = _staging(home)
    if not staging.is_dir():
        return
    try:
        journal = json.loads((staging / _JOURNAL).read_text())
        instance, port, name = str(journal["instance"]), int(journal["port"]), str(journal["name"])
    except (OSError, ValueError, KeyError, TypeError):
        _take_back(staging)
        return
    if not _runs(home, instance):
        if not _runs(staging, instance):
            _take_back(staging)
            return
        running.stop(home)
        running.move(staging, home, port, name)
    for run in RunDirectory.all(home, EMBEDDED):
        # An environment that the checkpoint lacks is not deployed in its account.
        run.become(_state_of(staging, run.environment), instance)
    for restored in RunDirectory.all(staging, EMBEDDED):
        run = RunDirectory(home, restored.environment, EMBEDDED)
        if run.instance != instance:
            run.become(restored, instance)
    # These two first, so that a directory half removed by a kill is not taken for a restore in progress.
    running.record_file(staging).unlink(missing_ok=True)
    (staging / _JOURNAL).unlink()
    shutil.rmtree(staging)


def _take_back(staging: Path) -> None:
    running.stop(staging)
    shutil.rmtree(staging, ignore_errors=True)


def _runs(home: Path, instance: str) -> bool:
    found = running.find(home)
    return found is not None and found.instance == instance


def _state_of(home: Path, environment: str) -> RunDirectory | None:
    run = RunDirectory(home, environment, EMBEDDED)
    return run if run.state.is_file() else None


def _staging(home: Path) -> Path:
    return home / "restoring"
