"""The switches of `locals.tf`: what each sets, which verdicts it turns, and configurations that hold every pair of them.

What is deployed under a configuration is compared with the values of its `locals.tf`, so only the verdicts that turn
are listed here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from workbook.claims import Verdict
from workbook.host.paths import ROOT
from workbook.terraform.hcl import parse_hcl

COPIED = ("terraform", "container")
# What `terraform init` leaves next to the files, and what is being written there right now.
LEFT_OUT = (".terraform", "__pycache__", "*.tmp")


@dataclass(frozen=True)
class Switch:
    """One thing that someone may change in `locals.tf`.

    Attributes
    ----------
    sets : name in `locals.tf` -> its new value, in HCL.
    turns : claim -> the verdict it gets where it differs from that of the unchanged environment.
    in_place : False if the stack must be deployed anew.
    prepares : creates what the new value refers to, given `client(service, region)`; returns more for `sets`.
    """

    sets: Mapping[str, str] = field(default_factory=dict)
    turns: Mapping[str, Verdict] = field(default_factory=dict)
    in_place: bool = True
    and_back: bool = True
    prepares: Callable[[Callable[..., Any], str], dict[str, str]] | None = None


def _certificate(client: Callable[..., Any], region: str) -> dict[str, str]:
    arn = client("acm", region).request_certificate(DomainName="app.example.com")["CertificateArn"]
    return {"certificate_arn": f'"{arn}"'}


SWITCHES = {
    "nat-per-zone": Switch({"one_nat_gateway_per_az": "true"}, {"VPC-NAT-PER-AZ": Verdict.PASS}),
    "exec": Switch(
        {"enable_execute_command": "true"},
        # The role may open session channels, and the agent for the shell needs a writable file system.
        {"ECS-EXEC-OFF": Verdict.FAIL, "ECS-READ-ONLY-ROOT": Verdict.FAIL, "IAM-TASK-ROLE": Verdict.FAIL},
    ),
    "port": Switch({"container_port": "9090"}),
    "two-zones": Switch(
        {
            "availability_zones": '["{region}a", "{region}b"]',
            "public_subnets": '["10.0.0.0/24", "10.0.1.0/24"]',
            "private_subnets": '["10.0.10.0/23", "10.0.12.0/23"]',
        },
        # Both sentences say three.
        {"VPC-MULTI-AZ": Verdict.FAIL, "ECS-MULTI-AZ": Verdict.FAIL},
        # moto adds no route for a route table that a gateway endpoint gets later; AWS does.
        and_back=False,
    ),
    "three-tasks": Switch({"desired_count": "3"}),
    "ranges": Switch({"allowed_cidrs": '["198.51.100.0/24", "203.0.113.0/24"]'}),
    "region": Switch(
        {
            "region": '"eu-west-1"',
            "replica_region": '"eu-central-1"',
            "availability_zones": '["{region}a", "{region}b", "{region}c"]',
        },
        in_place=False,
    ),
    "certificate": Switch(turns={"ALB-HTTPS": Verdict.PASS, "ALB-TLS-POLICY": Verdict.PASS}, prepares=_certificate),
    "keep-data": Switch({"force_destroy": "false"}, {"ALB-DELETION-PROTECTION": Verdict.PASS}),
    "deployers": Switch({"deployer_arns": '["arn:aws:iam::123456789012:role/pipeline"]'}),
    "short-logs": Switch({"log_retention_days": "7"}, {"GEN-LOG-RETENTION": Verdict.FAIL}),
    "slow-check": Switch({"check_interval": "60"}, {"ECS-HEALTH-INTERVAL": Verdict.FAIL}),
    "larger-tasks": Switch({"container_cpu": "512", "container_memory": "1024"}),
    "loose-image": Switch(
        {"container_image": '"public.ecr.aws/aws-cli/aws-cli:2.31"'}, {"ECS-IMAGE-PINNED": Verdict.FAIL}
    ),
    "more-tasks-at-most": Switch({"autoscaling_max": "10"}),
}

IN_PLACE = tuple(name for name, switch in SWITCHES.items() if switch.in_place)


def configurations(names: Collection[str]) -> list[tuple[str, ...]]:
    """Configurations that, with the unchanged environment, hold every pair of switches in all four positions.

    Each switch is on in four of six rows, and no two in the same four: any two are then both on somewhere, and each is
    on somewhere without the other. Both are off where nothing is changed. Six rows have room for 15 switches (Kleitman
    and Spencer, "Families of k-independent sets", 1973).

    Raises
    ------
    ValueError : there are more than 15.
    """
    places = [*combinations(range(6), 4)]
    on = dict(zip(names, places, strict=False))
    if left := [*names][len(places) :]:
        raise ValueError(f"no room for {', '.join(left)}")
    return [tuple(name for name in names if row in on[name]) for row in range(6)]


def turned(names: Iterable[str]) -> dict[str, Verdict]:
    """The verdicts that differ from those of the unchanged environment where these switches are on."""
    return {claim: verdict for name in names for claim, verdict in SWITCHES[name].turns.items()}


# ── the files ──


def copy(project: Path, environment: str = "dev") -> Path:
    """Copy what Terraform reads to the directory `project`, and dev to an `environment` of another name; returns the
    directory of the environments there.
    """
    for name in COPIED:
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    environments = project / "terraform" / "environments"
    if environment != "dev":
        shutil.copytree(environments / "dev", environments / environment)
        edit(environments / environment, {"environment": f'"{environment}"'})
    return environments


def flip(environment: Path, names: Iterable[str], client: Callable[..., Any]) -> None:
    """Set switches in the `locals.tf` of an environment's directory."""
    edits: dict[str, str] = {}
    for name in names:
        switch = SWITCHES[name]
        # Two zones of another region: both switches name the zones, and the later one must not undo the earlier one.
        edits |= {key: value for key, value in switch.sets.items() if key not in edits}
    region = edits.get("region", '"us-east-1"').strip('"')
    for name in names:
        if prepares := SWITCHES[name].prepares:
            edits |= prepares(client, region)
    edit(environment, {key: value.replace("{region}", region) for key, value in edits.items()})


def edit(environment: Path, values: Mapping[str, str]) -> None:
    """Replace values, each on one line, in `locals.tf`; each must be there once."""
    path = environment / "locals.tf"
    text = path.read_text()
    for name, value in values.items():
        text, found = re.subn(rf"(?m)^(  {name} += ).*$", lambda match, value=value: match[1] + value, text)
        assert found == 1, f"locals.tf sets {name} {found} times"
    path.write_text(text)


def values(environment: Path) -> dict[str, Any]:
    """The literal values of `locals.tf`: text, numbers, booleans and lists of text."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.strip('"') if isinstance(value, str) else value

    return {
        name: plain(value) for block in parse_hcl(environment / "locals.tf")["locals"] for name, value in block.items()
    }
