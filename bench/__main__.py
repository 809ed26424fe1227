"""Benchmarks: the driver against bare Terraform, the inventory against sequential calls, drawing, the walkthrough.

`python -m bench [--pairs N] [driver inventory drawing walkthrough tests]`. Both sides of a pair are measured in turn on
the same machine; the output gives medians and the median of the per-pair ratios. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from workbook import emulator
from workbook.diagram import render
from workbook.errors import WorkbookError
from workbook.host.paths import DIAGRAMS, ROOT
from workbook.inventory import Scope, read_inventory
from workbook.workbook import Workbook

PARTS = ("driver", "inventory", "drawing", "walkthrough", "tests")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "part", nargs="*", default=list(PARTS), choices=[*PARTS, []], help="what to measure (default: all)"
    )
    parser.add_argument(
        "--pairs", type=int, default=1, help="number of pairs for the driver and the walkthrough (default: 1)"
    )
    options = parser.parse_args()
    os.environ.pop("WORKBOOK_TARGET", None)
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, embedded AWS")
    for part in options.part:
        print(f"\n{part}", flush=True)
        {"driver": driver, "inventory": inventory, "drawing": pictures, "walkthrough": walkthrough, "tests": tests}[
            part
        ](options.pairs)
    return 0


@contextmanager
def fresh_home() -> Iterator[Path]:
    """A home directory with its own empty embedded AWS."""
    with tempfile.TemporaryDirectory(prefix="workbook-bench-") as name:
        os.environ["WORKBOOK_HOME"] = name
        try:
            yield Path(name)
        finally:
            emulator.stop()
            os.environ.pop("WORKBOOK_HOME", None)


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def seconds_of(command: list[str], directory: Path = ROOT, environ: Mapping[str, str] | None = None) -> float:
    """Wall-clock seconds of a command that must succeed.

    Raises
    ------
    WorkbookError : it failed; carries the end of its output.
    """
    began = time.perf_counter()
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        raise WorkbookError(
            f"{' '.join(command[:2])} failed, so there is no measurement.",
            "Run the benchmark again.",
            (done.stdout + done.stderr).strip()[-3000:],
        )
    return time.perf_counter() - began


def row(name: str, ours: list[float], other: list[float], ours_name: str, other_name: str) -> None:
    ratio = statistics.median(a / b for a, b in zip(ours, other, strict=True))
    print(
        f"  {name:<14} {ours_name} {statistics.median(ours):7.2f} s   {other_name} {statistics.median(other):7.2f} s   ratio {ratio:5.2f}",
        flush=True,
    )


def driver(pairs: int) -> None:
    """plan, apply, no-op plan, destroy: through the driver and by the same commands in a shell, on empty accounts."""
    steps = ("plan", "apply", "no-op plan", "destroy")
    ours: dict[str, list[float]] = {step: [] for step in steps}
    bare: dict[str, list[float]] = {step: [] for step in steps}
    for n in range(pairs):
        # The order alternates, so that neither side always goes first.
        for run in (through_driver, in_a_shell) if n % 2 == 0 else (in_a_shell, through_driver):
            with fresh_home():
                for step, seconds in run().items():
                    (ours if run is through_driver else bare)[step].append(seconds)
    for step in steps:
        row(step, ours[step], bare[step], "driver", "terraform")


def through_driver() -> dict[str, float]:
    driver = Workbook("dev").deployment.terraform()
    driver.prepare()
    plans = []
    seconds = {"plan": timed(lambda: plans.append(driver.make_plan()))}
    seconds["apply"] = timed(lambda: driver.apply_plan(plans[0]))
    seconds["no-op plan"] = timed(driver.make_plan)
    seconds["destroy"] = timed(lambda: driver.apply_plan(driver.make_plan(destroy=True)))
    return seconds


def in_a_shell() -> dict[str, float]:
    driver = Workbook("dev").deployment.terraform()
    driver.prepare()
    plan = str(driver.run_directory.plans / "bench.tfplan")

    def terraform(*arguments: str) -> float:
        return seconds_of([driver.terraform_bin_path, *arguments, "-no-color"], driver.directory, driver.environ)

    return {
        "plan": terraform("plan", "-input=false", f"-out={plan}"),
        "apply": terraform("apply", "-input=false", plan),
        "no-op plan": terraform("plan", "-input=false", f"-out={plan}"),
        "destroy": terraform("plan", "-destroy", "-input=false", f"-out={plan}")
        + terraform("apply", "-input=false", plan),
    }


def inventory(pairs: int) -> None:
    """Concurrent against sequential calls, on the embedded AWS as is and with a realistic latency to a region."""
    with fresh_home():
        wb = Workbook("dev")
        wb.deploy()
        scope = Scope(wb.settings.prefix, wb.settings.region, wb.settings.replica_region)
        read_inventory(wb.client, scope)
        for name, latency in (("embedded", 0.0), ("+ 50 ms/call", 0.05)):
            client = wb.client if not latency else with_latency(wb.client, latency)
            together, in_sequence = [], []
            for _ in range(3):
                together.append(timed(lambda client=client: read_inventory(client, scope)))
                in_sequence.append(timed(lambda client=client: read_inventory(client, scope, workers=1)))
            row(name, in_sequence, together, "sequence", "concurrent")


def with_latency(client: Callable[..., object], seconds: float) -> Callable[..., object]:
    """A client factory that delays every request by `seconds`: the latency to a region, which loopback lacks."""

    def factory(service: str, region: str | None = None) -> object:
        made = client(service, region)
        made.meta.events.register("before-send.*.*", lambda **_: time.sleep(seconds))
        return made

    return factory


def pictures(pairs: int) -> None:
    """Every diagram, from one inventory."""
    from workbook.inventory import Inventory

    read = Inventory.from_json((ROOT / "tests" / "unit" / "fixtures" / "inventory_dev.json").read_text())
    for path in sorted(DIAGRAMS.glob("*.py")):
        print(
            f"  {path.stem:<14} {statistics.median(timed(lambda name=path.stem: render.draw(name, read)) for _ in range(3)):7.2f} s",
            flush=True,
        )


def walkthrough(pairs: int) -> None:
    """All notebooks, from an empty account, against the total of the Terraform commands they ran."""
    whole, commands = [], []
    for _ in range(pairs):
        with fresh_home() as home:
            command = [shutil.which("workbook") or str(Path(sys.executable).parent / "workbook"), "walkthrough"]
            whole.append(seconds_of(command))
            # One record per environment: dev and the first version next to it.
            lines = [line for record in home.glob("*/logs/commands.jsonl") for line in record.read_text().splitlines()]
            commands.append(sum(json.loads(line)["seconds"] for line in lines))
    row("all notebooks", whole, commands, "walkthrough", "its terraform")


def tests(pairs: int) -> None:
    """Every suite of `make test`: wall-clock and processor seconds, as reported by the runner."""
    for _ in range(pairs):
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "test.py")], cwd=ROOT, capture_output=True, text=True, timeout=5400
        )
        summary = done.stdout.rstrip().rpartition("\n\n")[2]
        print("\n".join(f"  {line}" for line in summary.splitlines()), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WorkbookError as error:
        sys.exit(str(error))
