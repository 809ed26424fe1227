"""Deploys the stack for the tests, once: `python tests/seed.py HOME` prints `checkpoint NAME` as soon as each is saved.

Two steps, so that page 05 gets its own starting point: everything before the service, then the service.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(home: str) -> None:
    os.environ["WORKBOOK_HOME"] = home
    from workbook.emulator import branches
    from workbook.workbook import Workbook

    workbook = Workbook("dev")
    workbook.deploy(*(layer for layer in workbook.layers if layer != "ecs"))
    branches.save("05_ecs", home=Path(home))
    print("checkpoint 05_ecs", flush=True)
    workbook.deploy()
    branches.save("deployed", home=Path(home))
    print("checkpoint deployed", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
