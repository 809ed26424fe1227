"""A second opinion on dev, as deployed on the embedded AWS: checkov, parliament, and where they differ from the claims;
and on the policy engine: the policy simulator, on random requests.

Deploys whatever is missing, since it checks live policies. Fails on a finding without a waiver in audit/waivers.toml
and on a waiver without a finding, and where engine and simulator disagree.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from audit import engine_agreement, environment, proof_soundness
from audit.agreement import compare, read_pairs
from audit.policies import documents
from audit.reconcile import read_waivers, reconcile
from audit.report import report
from audit.scans import Scan, scan_hcl, scan_plan, scan_policies
from workbook.claims import Results, judge
from workbook.display import note
from workbook.display.progress import Progress
from workbook.errors import WorkbookError
from workbook.host.paths import ROOT
from workbook.terraform.plan import Plan
from workbook.workbook import Workbook, open_workbook

HERE = ROOT / "audit"
PAIRS, ACCOUNTS = 20_000, 1_000


def main() -> int:
    argparse.ArgumentParser(
        prog="python -m audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    # The waivers apply to this environment on this target.
    os.environ["WORKBOOK_TARGET"] = "embedded"
    started = time.monotonic()
    try:
        waivers, pairs = read_waivers(HERE / "waivers.toml"), read_pairs(HERE / "agreement.toml")
        scans, claims = look(open_workbook("dev"))
        reconciled = reconcile([finding for scan in scans for finding in scan.findings], waivers)
        plan = next(scan for scan in scans if scan.view == "plan")
        progress = Progress("The policy engine and the simulator")
        seed = engine_agreement.chosen_seed()
        said, agree = engine_agreement.run(seed, PAIRS)
        wrong, answers = proof_soundness.run(seed, ACCOUNTS)
        said.append(proof_soundness.said(seed, wrong, answers))
        agree = agree and not wrong
        progress.finish(note("Compared the policy engine with the simulator.\n"))
        lines = list(report(scans, reconciled, compare(pairs, plan, reconciled, claims)))
    except WorkbookError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nThe audit was interrupted before it reached a verdict.", file=sys.stderr)
        return 130
    print("\n".join([*lines, "", *said]))
    verdict = (
        "Every finding is explained, and every waiver is needed." if reconciled.clean and agree else "The audit failed."
    )
    print(f"\n{verdict} {time.monotonic() - started:.0f} s.")
    return 0 if reconciled.clean and agree else 1


def look(wb: Workbook) -> tuple[list[Scan], Results]:
    """All three scans and the claims, from one state of the live account."""
    python = environment.python()
    with ThreadPoolExecutor(max_workers=1) as pool:
        hcl = pool.submit(scan_hcl, python, wb.settings.directory)
        plan = _settled_plan(wb)
        told = wb.run.plans / "audit.json"
        told.write_text(json.dumps(wb.deployment.terraform().show(plan.path)))
        inventory = wb.inventory(fresh=True)
        progress = Progress("checkov and parliament")
        scans = [hcl.result(), scan_plan(python, told), scan_policies(python, documents(inventory))]
        progress.finish(note("Checked by checkov and parliament.\n"))
    return scans, judge(inventory, target=wb.target.kind)


def _settled_plan(wb: Workbook) -> Plan:
    """A plan with no changes: every value in it is known, and the live account matches the code."""
    plan = wb.plan()
    if not plan.empty:
        wb.apply(plan)
        plan = wb.plan()
    if not plan.empty:
        raise WorkbookError(
            "The stack does not converge: a plan right after an apply shows changes.",
            "Run `workbook plan` to see them.",
        )
    return plan


if __name__ == "__main__":
    sys.exit(main())
