"""Lint, then every test suite, two at a time; ends with a one-line summary.

`python scripts/test.py` runs everything; `python scripts/test.py lint unit` runs only the named parts.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Suite:
    """pytest arguments, seconds allowed per test, and seconds allowed for the whole suite."""

    arguments: list[str]
    test_seconds: int
    seconds: int


RUNNING: list[subprocess.Popen[str]] = []
NBVAL = [
    "--nbval",
    "--nbval-current-env",
    "--nbval-cell-timeout=600",
    "--nbval-kernel-startup-timeout=300",
    "--nbval-sanitize-with=tests/notebooks/sanitize.cfg",
]
# The limits are there to catch hangs, even on a machine with only a fifth of its power to spare; they say nothing about
# expected speed.
SUITES = {
    "unit": Suite(["tests/unit"], 400, 3000),
    "stack": Suite(["tests/stack"], 1200, 6000),
    "notebooks": Suite(["tests/notebooks", "notebooks", *NBVAL], 660, 6000),
    "browser": Suite(["tests/browser"], 1800, 3600),
}


# Two at a time, one per processor: each suite has its own account and home directory, and spends much of its time
# waiting.
LANES = (("stack", "browser"), ("unit", "notebooks"))


def main(names: list[str]) -> int:
    unknown = set(names) - {"lint", *SUITES}
    if unknown:
        print(f"Unknown suite: {', '.join(sorted(unknown))}. Suites: lint, {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    counts: Counter[str] = Counter()
    took: dict[str, float] = {}
    causes: list[str] = []

    def run(name: str) -> None:
        started = time.monotonic()
        print(f"━━ {name} ━━", flush=True)
        found, said = lint() if name == "lint" else run_suite(name, SUITES[name])
        causes.extend(f"FAILED {name}: {cause}" for cause in said)
        took[name] = time.monotonic() - started
        print(
            f"━━ {name}: {', '.join(f'{n} {what}' for what, n in found.items()) or 'clean'}, {took[name]:.0f} s ━━",
            flush=True,
        )
        counts.update(found)

    def lane(suites: tuple[str, ...]) -> None:
        for name in suites:
            if not names or name in names:
                run(name)

    if not names or "lint" in names:
        run("lint")
    with ThreadPoolExecutor(len(LANES)) as pool:
        for done in [pool.submit(lane, suites) for suites in LANES]:
            done.result()
    # Repeated at the end: the suites' output is interleaved, and often only the end of a long log is kept.
    print("\n" + "".join(f"{cause}\n" for cause in causes), end="")
    print(", ".join(f"{name} {seconds:.0f} s" for name, seconds in took.items()))
    if names == ["lint"]:
        print("lint failed" if counts["failed"] else "lint is clean")
    else:
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return int(counts["failed"] > 0 or (names != ["lint"] and counts["passed"] == 0))


def lint() -> tuple[Counter[str], list[str]]:
    """Run every linter; each one that complains counts as one failure and is named."""
    shell = [
        str(path.relative_to(ROOT))
        for pattern in ("scripts/*.sh", "container/*.sh", ".ci/run")
        for path in sorted(ROOT.glob(pattern))
    ]
    terraform = shutil.which("terraform") or shutil.which("terraform", path=str(ROOT / ".workbook" / "bin"))
    commands = [
        [str(BIN / "ruff"), "check", "--output-format=concise", "."],
        [str(BIN / "ruff"), "format", "--check", "."],
        [str(BIN / "mypy")],
        [terraform or "terraform", "fmt", "-check", "-diff", "-recursive", "terraform"],
        ["shellcheck", *shell],
    ]
    failed: list[str] = []
    for command in commands:
        label = " ".join([Path(command[0]).name, *command[1:]])
        if shutil.which(command[0]) is None:
            # In CI nobody is watching, so a missing linter counts as a failure.
            if os.environ.get("CI"):
                failed.append(f"{label}: not installed")
            print(f"NOT RUN  {label}: {Path(command[0]).name} is not installed", flush=True)
            continue
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        print(f"{'ok' if done.returncode == 0 else 'FAILED':<8} {label}", flush=True)
        if done.returncode:
            failed.append(label)
            lines = (done.stdout + done.stderr).splitlines()
            print(
                "\n".join([*lines[:60], *([f"… {len(lines) - 60} more lines: {label}"] if len(lines) > 60 else [])]),
                flush=True,
            )
    return Counter(failed=len(failed)), failed


def run_suite(name: str, suite: Suite) -> tuple[Counter[str], list[str]]:
    """Run pytest in its own process group and count from its report; a suite that ran nothing has failed.

    Returns the counts and, for each failure, a line with the test and the cause.
    """
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith("WORKBOOK_")}
    with tempfile.TemporaryDirectory(prefix="workbook-tests-") as scratch:
        report = Path(scratch) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            *suite.arguments,
            "--durations=5",
            f"--timeout={suite.test_seconds}",
            f"--junitxml={report}",
        ]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**kept, "WORKBOOK_TARGET": "embedded"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            text=True,
            errors="replace",
        )
        RUNNING.append(process)
        over = threading.Timer(suite.seconds, _end, (process,))
        over.daemon = True
        over.start()
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{name:<9} {line}", end="", flush=True)
        code = process.wait()
        over.cancel()
        counts, causes = _read(report) if report.is_file() else (Counter(), [])
    if not causes and (code != 0 or not counts):
        counts["failed"] += 1
        causes = [
            f"pytest exited with {code} {'and' if code else 'but'} reported no {'failed ' if counts['passed'] else ''}tests"
        ]
        print(causes[0], flush=True)
    return counts, causes


def _read(report: Path) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    causes = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        failures = [*case.iter("failure"), *case.iter("error")]
        counts["failed" if failures else "skipped" if case.find("skipped") is not None else "passed"] += 1
        for failure in failures[:1]:
            message, last = (
                " ".join(_words(failure.get("message") or "")),
                (failure.text or "").strip().rpartition("\n")[2],
            )
            causes.append(f"{case.get('classname')}::{case.get('name')}: {message[:400]} … {' '.join(_words(last))}")
    return counts, causes


def _words(text: str) -> list[str]:
    return re.sub(r"(\x1b|#x1B)\[[0-9;]*m", "", text).split()


def _end(process: subprocess.Popen[str]) -> int:
    if process.poll() is None:
        print("A suite took too long or was interrupted; stopping it.", flush=True)
    for number, seconds in ((signal.SIGINT, 120), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            return process.wait(seconds) or 1
        except subprocess.TimeoutExpired:
            continue
    return 1


if __name__ == "__main__":
    # A shell starts its background jobs with SIGINT ignored, and every test process would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        for running in RUNNING:
            _end(running)
        sys.exit(130)
