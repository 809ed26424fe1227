"""Runs in the audit environment: [[name, document], ...] on standard input, parliament's findings as JSON on output.

parliament handles only policies with a Resource. Trust and repository policies have none, since the resource is what
they are attached to: they get `*` for the check, and what parliament then reports about that `*` is dropped.
"""

import contextlib
import json
import sys
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # parliament uses pkg_resources.
    import parliament

ABOUT_RESOURCES = {"RESOURCE_STAR", "RESOURCE_EFFECTIVELY_STAR", "RESOURCE_MISMATCH"}


def lint(name, document):
    lent = False
    for statement in document["Statement"]:
        if "Principal" in statement and not {"Resource", "NotResource"} & set(statement):
            statement["Resource"] = "*"
            lent = True
    found = parliament.analyze_policy_string(json.dumps(document), include_community_auditors=True)
    for finding in map(parliament.enhance_finding, found.findings):
        if not (lent and finding.issue in ABOUT_RESOURCES):
            detail = finding.detail or finding.location.get("actions", "")
            text = detail if isinstance(detail, str) else json.dumps(detail, default=str)
            yield {"check": finding.issue, "resource": name, "title": finding.title.strip(), "detail": text}


parliament.override_config(str(Path(parliament.__file__).parent / "community_auditors" / "config_override.yaml"))
with contextlib.redirect_stdout(sys.stderr):
    findings = [finding for name, document in json.load(sys.stdin) for finding in lint(name, document)]
print(json.dumps(findings))
