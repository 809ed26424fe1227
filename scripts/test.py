"""Lint and every test suite, several jobs at a time; ends with a one-line summary.

`python scripts/test.py` runs everything; `python scripts/test.py lint unit` runs only the named suites, and
`python scripts/test.py quick` runs lint and the unit tests and cases that take less than a second, on every processor.

The stack is deployed once (`tests/seed.py`), with a checkpoint before page 05 and one when all of it is up. Suites and
notebooks that need a deployed stack start from copies of these checkpoints as soon as they exist; the pages before 05
run one after the other in an account of their own. Most of the time that Terraform's provider spends waiting is used by
other jobs.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from workbook.emulator import branches
from workbook.errors import WorkbookError
from workbook.terraform import binary

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

SUITES = ("unit", "stack", "notebooks", "browser")
# More jobs than processors, since a deployment mostly waits; but each needs memory for Terraform and its provider.
AT_ONCE = max(2, min(6, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1500 * 10**6)))
NBVAL = (
    "--nbval",
    "--nbval-current-env",
    "--nbval-cell-timeout=600",
    "--nbval-kernel-startup-timeout=300",
    "--nbval-sanitize-with=tests/notebooks/sanitize.cfg",
    "-p",
    "tests.notebooks.conftest",
    # Cells after a failed one fail because of it and hide the cause.
    "--exitfirst",
)
APART_SECONDS = 1.5  # between the starts of two jobs
SEED_SECONDS = 6000
BEFORE_ECS, DEPLOYED = "05_ecs", "deployed"


@dataclass(eq=False)
class Job:
    """One pytest process.

    Attributes
    ----------
    suite : suite the job belongs to.
    name : prefix of its output lines.
    arguments : arguments for pytest.
    test_seconds, seconds : limits for one test and for the whole job. They are there to catch hangs, even on a machine
        with only a fifth of its power to spare, and say nothing about expected speed.
    checkpoint : checkpoint of the seed that the job's account is copied from; empty for none.
    account : name of the account it shares with other jobs; empty for one of its own, or for none (no checkpoint).
    after : job that must be done before, since this one continues in its account.
    """

    suite: str
    name: str
    arguments: Sequence[str]
    test_seconds: int = 660
    seconds: int = 7200
    checkpoint: str = ""
    account: str = ""
    after: str = ""


@dataclass
class Outcome:
    """Result of a suite's jobs. `cpu`: processor seconds of its processes that have ended."""

    counts: Counter[str] = field(default_factory=Counter)
    causes: list[str] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    cpu: float = 0.0

    def __str__(self) -> str:
        found = ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()) if n) or "clean"
        return f"{found}, {self.ended - self.began:.0f} s, {self.cpu:.0f} s CPU"


def jobs() -> list[Job]:
    """Every job, in order of priority."""
    pages = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    notebook = {
        name: Job(
            "notebooks", name, (f"notebooks/{name}.ipynb", *NBVAL), checkpoint="" if name < BEFORE_ECS else DEPLOYED
        )
        for name in pages
    }
    notebook[BEFORE_ECS].checkpoint = BEFORE_ECS
    chain = [name for name in pages if name < BEFORE_ECS]
    for name in chain:
        notebook[name].account = chain[0]
    for before, name in itertools.pairwise(chain):
        notebook[name].after = before
    emulator = [f"tests/stack/test_{name}.py" for name in ("branches", "emulator", "emulator_patches")]
    checkpoints, examples, faults, modules, switches = (
        f"tests/stack/test_{name}.py" for name in ("checkpoints", "contributing", "faults", "modules", "switches")
    )
    lab = "tests/browser/test_jupyterlab.py"
    rest = [f"--ignore={path}" for path in (*emulator, checkpoints, examples, faults, modules, switches)]
    first = (*chain, BEFORE_ECS, "06_container")
    # Those first that wait longest once they can start; the last ones fill the gaps.
    return [
        *(notebook.pop(name) for name in first),
        Job("stack", "stack", ("tests/stack", *rest), 1200, checkpoint=DEPLOYED),
        Job("stack", "checkpoints", (checkpoints,), 1200, checkpoint=DEPLOYED),
        Job("stack", "contributing", (examples,), 1200, checkpoint=DEPLOYED),
        Job("stack", "switches", (switches,), 1200, checkpoint=DEPLOYED),
        *(notebook[name] for name in sorted(notebook)),
        Job("stack", "faults", (faults,), 1200),
        Job("browser", "browser", ("tests/browser", f"--ignore={lab}"), 1800),
        Job("browser", "lab", (lab,), 1800, checkpoint=BEFORE_ECS),
        Job("stack", "emulator", emulator, 1200),
        Job("stack", "modules", (modules,), 1200),
        Job("unit", "unit", ("tests/unit", "tests/cases")),
        Job("notebooks", "saved", ("tests/notebooks/test_saved.py",)),
    ]


class Run:
    """All jobs of one run and the accounts they use.

    Parameters
    ----------
    scratch : directory for the accounts and the reports; removed by the caller.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.seed_home = scratch / "seed"
        self.outcomes: dict[str, Outcome] = {}
        self._ready: set[str] = set()
        self._failed_seed = ""
        self._running: dict[threading.Thread, Job] = {}
        self._processes: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()

    def run(self, wanted: list[Job]) -> None:
        """Run the jobs; returns when all are finished."""
        waiting, done, next_start = list(wanted), set[str](), 0.0
        names = {job.name for job in wanted}
        seed = None
        if any(job.checkpoint for job in wanted):
            seed = threading.Thread(target=self._seed)
            seed.start()
        while waiting or self._running:
            for thread in [thread for thread in self._running if not thread.is_alive()]:
                thread.join()
                done.add(self._running.pop(thread).name)
            ready = [
                job
                for job in waiting
                if (not job.checkpoint or job.checkpoint in self._ready or self._failed_seed)
                and (job.after not in names or job.after in done)
            ]
            if ready and len(self._running) < AT_ONCE and time.monotonic() > next_start:
                waiting.remove(ready[0])
                thread = threading.Thread(target=self._job, args=(ready[0],))
                self._running[thread] = ready[0]
                thread.start()
                # Not all at once: on a fresh clone, each would compile what the first one is about to.
                next_start = time.monotonic() + APART_SECONDS
            time.sleep(0.1)
        if seed is not None:
            seed.join()

    def end(self) -> None:
        """Stop every process of every job, as Ctrl-C would."""
        for process in self._processes:
            _end(process)

    def _seed(self) -> None:
        """Deploy the stack, and announce each checkpoint to the jobs as soon as it is saved."""
        command = [sys.executable, "-u", str(ROOT / "tests" / "seed.py"), str(self.seed_home)]
        last = "no output"
        try:
            for line in self._lines(command, "seed", SEED_SECONDS, {}):
                if line.startswith("checkpoint "):
                    self._ready.add(line.split()[1])
                last = line
        finally:
            # Whatever ended it, the jobs that wait for a checkpoint must learn that none will come.
            if DEPLOYED not in self._ready:
                self._failed_seed = last

    def _job(self, job: Job) -> None:
        with self._lock:
            outcome = self.outcomes.setdefault(job.suite, Outcome(began=time.monotonic()))
        before = time.monotonic()
        counts, causes, cpu = Counter(failed=1), [], 0.0
        try:
            counts, causes, cpu = self._pytest(job, self._account(job))
        except Exception as error:  # A thread that ends with an exception tells nobody: it is this job's failure.
            causes = [f"{type(error).__name__}: {error}"]
        print(f"━━ {job.name}: {_said(counts)}, {time.monotonic() - before:.0f} s ━━", flush=True)
        with self._lock:
            outcome.counts.update(counts)
            outcome.causes.extend(f"{job.name}: {cause}" for cause in causes)
            outcome.cpu += cpu
            outcome.ended = time.monotonic()

    def _account(self, job: Job) -> dict[str, str]:
        """Variables that lead a job to its account, which is copied from the seed if the job starts from a checkpoint.

        Raises
        ------
        WorkbookError : the stack was not deployed, its checkpoint was dropped, or it cannot be copied.
        """
        if not (job.checkpoint or job.account):
            return {}
        if job.checkpoint and self._failed_seed:
            raise WorkbookError(f"Deploying the stack it needs failed: {self._failed_seed}")
        home = self.scratch / (job.account or job.name)
        if job.checkpoint:
            kept = {kept.name: kept.home for kept in branches.listed(self.seed_home)}
            if job.checkpoint not in kept:
                raise WorkbookError(f"The seed has no checkpoint {job.checkpoint}.")
            branches.fork(home, home=kept[job.checkpoint])
        return {"WORKBOOK_HOME": str(home), "WORKBOOK_TEST_ACCOUNT": "1", "WORKBOOK_TEARDOWN": "1"}

    def _pytest(self, job: Job, environ: dict[str, str]) -> tuple[Counter[str], list[str], float]:
        """Run pytest in its own process group and count from its report; a job that ran no tests has failed."""
        report = self.scratch / f"{job.name}.xml"
        command = [sys.executable, "-m", "pytest", *job.arguments, "--durations=5", f"--timeout={job.test_seconds}"]
        if "--nbval" not in job.arguments:
            command += ["-p", "no:nbval"]
        process_cpu: list[float] = []
        for _ in self._lines([*command, f"--junitxml={report}"], job.name, job.seconds, environ, process_cpu):
            pass
        code = int(process_cpu[1])
        counts, causes = _read(report) if report.is_file() else (Counter(), [])
        if not causes and (code != 0 or not counts):
            counts["failed"] += 1
            said = f"{'and' if code else 'but'} reported no {'failed ' if counts['passed'] else ''}tests"
            causes = [f"pytest exited with {code} {said}"]
            print(causes[0], flush=True)
        return counts, causes, process_cpu[0]

    def _lines(
        self, command: list[str], name: str, seconds: int, environ: dict[str, str], used: list[float] | None = None
    ) -> Iterator[str]:
        """A command's output lines, also printed with its name; `used` receives processor seconds and exit code."""
        # Without cached bytecode, every kernel, server and test process would compile its imports again: 1.4 s of
        # processor time for `from workbook import open_workbook`.
        kept = {
            variable: value
            for variable, value in os.environ.items()
            if not variable.startswith("WORKBOOK_") and variable != "PYTHONDONTWRITEBYTECODE"
        }
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**kept, "WORKBOOK_TARGET": "embedded", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            text=True,
            errors="replace",
        )
        self._processes.append(process)
        over = threading.Timer(seconds, _end, (process,))
        over.daemon = True
        over.start()
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{name:<13} {line}", end="", flush=True)
            yield line.rstrip("\n")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        over.cancel()
        if used is not None:
            used[:] = [usage.ru_utime + usage.ru_stime, process.returncode]


def main(names: list[str]) -> int:
    unknown = set(names) - {"lint", *SUITES} if names != ["quick"] else set()
    if unknown:
        print(f"Unknown suite: {', '.join(sorted(unknown))}. Suites: lint, {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    began = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    quick = names == ["quick"]
    wanted = [job for job in jobs() if not names or job.suite in names]
    if quick:
        wanted = [
            Job(
                "unit",
                "unit",
                ("tests/unit", "tests/cases", "-m", "not slow and not long", "-n", "auto", "--dist", "loadfile"),
            )
        ]
    pool = ThreadPoolExecutor(1)
    linter = pool.submit(lint) if not names or quick or "lint" in names else None
    scratch = Path(tempfile.mkdtemp(prefix="workbook-tests-"))
    run = Run(scratch)
    try:
        run.run(wanted)
    except KeyboardInterrupt:
        run.end()
        return 130
    finally:
        for home in (path for path in scratch.iterdir() if path.is_dir()):
            branches.stop_all(home)
        shutil.rmtree(scratch, ignore_errors=True)
    if linter is not None:
        outcomes["lint"] = linter.result()
    outcomes |= {suite: run.outcomes[suite] for suite in SUITES if suite in run.outcomes}
    # Repeated at the end: the jobs' output is interleaved, and often only the end of a long log is kept.
    print()
    for suite, outcome in outcomes.items():
        for cause in outcome.causes:
            print(f"FAILED {suite}: {cause}")
    for suite, outcome in outcomes.items():
        print(f"{suite:<10} {outcome}")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"all        {time.monotonic() - began:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s CPU")
    counts: Counter[str] = sum((outcome.counts for outcome in outcomes.values()), Counter())
    if names == ["lint"]:
        print("lint failed" if counts["failed"] else "lint is clean")
    else:
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return int(counts["failed"] > 0 or (names != ["lint"] and counts["passed"] == 0))


def lint() -> Outcome:
    """Run every linter; each one that complains counts as one failure and is named."""
    outcome = Outcome(began=time.monotonic())
    shell = [
        str(path.relative_to(ROOT))
        for pattern in ("scripts/*.sh", "container/*.sh", ".ci/run")
        for path in sorted(ROOT.glob(pattern))
    ]
    terraform = binary.installed()
    commands = [
        [str(BIN / "ruff"), "check", "--output-format=concise", "."],
        [str(BIN / "ruff"), "format", "--check", "."],
        [str(BIN / "mypy")],
        # The container runs Python 3.9; this is the oldest version that mypy knows. A unit test runs it on 3.9.
        [str(BIN / "mypy"), "--python-version=3.10", "container"],
        [str(BIN / "lint-imports"), "--no-cache"],
        [sys.executable, "scripts/module_readme.py", "--check"],
        [str(terraform.path) if terraform else "terraform", "fmt", "-check", "-diff", "-recursive", "terraform"],
        ["shellcheck", *shell],
    ]
    for command in commands:
        label = " ".join([Path(command[0]).name, *command[1:]])
        if shutil.which(command[0]) is None:
            # In CI nobody is watching, so a missing linter counts as a failure.
            if os.environ.get("CI"):
                outcome.causes.append(f"{label}: not installed")
            print(f"NOT RUN  {label}: {Path(command[0]).name} is not installed", flush=True)
            continue
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        print(f"{'ok' if done.returncode == 0 else 'FAILED':<8} {label}", flush=True)
        if done.returncode:
            outcome.causes.append(label)
            lines = (done.stdout + done.stderr).splitlines()
            more = [f"… {len(lines) - 60} more lines: {label}"] if len(lines) > 60 else []
            print("\n".join([*lines[:60], *more]), flush=True)
    outcome.counts["failed"] = len(outcome.causes)
    outcome.ended = time.monotonic()
    return outcome


def _read(report: Path) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    causes = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        failures = [*case.iter("failure"), *case.iter("error")]
        counts["failed" if failures else "skipped" if case.find("skipped") is not None else "passed"] += 1
        for failure in failures[:1]:
            message = " ".join(_words(failure.get("message") or ""))
            last = (failure.text or "").strip().rpartition("\n")[2]
            causes.append(f"{case.get('classname')}::{case.get('name')}: {message[:400]} … {' '.join(_words(last))}")
    return counts, causes


def _said(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {what}" for what, n in sorted(counts.items()) if n) or "nothing ran"


def _words(text: str) -> list[str]:
    return re.sub(r"(\x1b|#x1B)\[[0-9;]*m", "", text).split()


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        print("A job took too long or was interrupted; stopping it.", flush=True)
    for number, seconds in ((signal.SIGINT, 120), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


if __name__ == "__main__":
    # A shell starts its background jobs with SIGINT ignored, and every test process would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
