"""Running the tools, all offline: checkov on the HCL and on the plan, parliament on the live policies."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.environment import DIRECTORY
from audit.reconcile import Finding
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT

SECONDS = 300


@dataclass(frozen=True)
class Scan:
    """What one tool found.

    Attributes
    ----------
    view : hcl, plan or policies.
    passed : how often each check passed, by id; for parliament, the number of policies without a finding.
    findings : what did not pass.
    """

    view: str
    passed: Counter[str]
    findings: list[Finding]


def scan_hcl(python: Path, directory: Path) -> Scan:
    """checkov on a root and the modules it calls, as written."""
    return _checkov(python, "hcl", "terraform", ["--directory", str(directory.relative_to(ROOT))])


def scan_plan(python: Path, plan: Path) -> Scan:
    """checkov on a plan in `terraform show -json` form, where every expression is resolved."""
    return _checkov(python, "plan", "terraform_plan", ["--file", str(plan)])


def scan_policies(python: Path, policies: Iterable[tuple[str, dict[str, Any]]]) -> Scan:
    """parliament, with its community auditors, on policy documents by name."""
    documents = list(policies)
    if not documents:
        raise WorkbookError("There are no policies to check.", "Deploy the stack, then run this again.")
    told = json.loads(
        _run([str(python), str(ROOT / "audit" / "lint_policies.py")], "parliament", json.dumps(documents))
    )
    findings = {Finding("policies", f["check"], f["resource"], f["title"], f["detail"]): None for f in told}
    clean = len(documents) - len({finding.resource for finding in findings})
    return Scan("policies", Counter({"policies": clean}), list(findings))


def _checkov(python: Path, view: str, framework: str, of: list[str]) -> Scan:
    # Without an API key, and with downloads and update checks off, checkov makes no network calls.
    command = [
        str(python),
        "-m",
        "checkov.main",
        "--framework",
        framework,
        *of,
        "--skip-download",
        "--compact",
        "--soft-fail",
    ]
    told = json.loads(_run([*command, "--output", "json"], f"checkov on the {view}"))
    if "results" not in told or told["summary"]["parsing_errors"]:
        raise WorkbookError(
            f"checkov could not read the {view}.",
            "Run `terraform validate`; a file that is not read would pass unnoticed.",
        )
    results = told["results"]
    return Scan(
        view,
        Counter(check["check_id"] for check in results["passed_checks"]),
        [
            Finding(view, check["check_id"], check["resource"], check["check_name"], _where(check))
            for check in results["failed_checks"]
        ],
    )


def _where(check: dict[str, Any]) -> str:
    path, line = Path(check.get("file_abs_path") or ""), check["file_line_range"][0]
    return f"{path.relative_to(ROOT)}, line {line}" if path.suffix == ".tf" and path.is_relative_to(ROOT) else ""


def _run(command: list[str], name: str, text: str = "") -> str:
    """Standard output of a tool that gets neither the user's settings nor their credentials."""
    settings = {
        "HOME": str(DIRECTORY),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
    }
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT, env=settings
        )
    except subprocess.TimeoutExpired:
        raise WorkbookError(
            f"{name} did not finish within {SECONDS} s and was stopped.", "Run this again on a less busy machine."
        ) from None
    if done.returncode != 0 or not done.stdout.strip():
        raise WorkbookError(
            f"{name} failed.", f"Remove {DIRECTORY.relative_to(ROOT)} and run this again.", done.stderr.strip()[-600:]
        )
    return done.stdout
