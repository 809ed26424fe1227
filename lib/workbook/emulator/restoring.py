"""Replaces the running account by a copy of a checkpoint. A kill at any moment leaves account and state in agreement.

A home has one account (its record, `embedded/emulator.json`) and several states, each with the id of the account it
describes (`instance` in its run directory). A state with the id of another account is set aside by `RunDirectory.adopt`
and never used. The steps of a restore:

1. The checkpoint is copied to `restoring` in the home: the process, under a new id, with its states and stamps.
2. `restoring/journal.json` is written, in one piece. From here on, the restore will be finished.
3. The old account ends, which frees its port.
4. The copy moves in: it binds that port and writes the record of the home.
5. The states are replaced. In each run directory the id is written last.
6. `restoring` is removed.

If this process is killed, the next call that takes the lock of the home (`start` is one) calls `finish` first:

- Before 2, the copy is thrown away. The old account and its states were never touched.
- From 2 on, the remaining steps are carried out. Until then, `find` returns the old account, none, or the restored one;
  the states carry the id of the old account, or they have been replaced.

If the copy itself dies before step 4, the restore is taken back: before step 3 the old account is still there,
afterwards there is none, and the next start sets the old states aside. Hence the order: the old account ends only once
the new one exists, and a state carries the id of the new account only once it describes it.
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
    """Replace the account of `home` by a copy of a checkpoint. The caller holds `held` and `at_rest` of `home`.

    Parameters
    ----------
    checkpoint : home of the sleeping copy.
    name : what the checkpoint is called.
    port : used if no account is running now; 0 for any.
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
    """Finish an interrupted restore, or take it back if its account is gone. The caller holds `held`.

    Repeating steps that were already done does no harm.
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
    # First, so that what a kill leaves of the directory is not taken for a restore that is under way.
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
