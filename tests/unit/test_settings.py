"""Names and regions from locals.tf; layers and their addresses from the .tf files."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbook.errors import WorkbookError
from workbook.terraform import settings
from workbook.terraform.hcl import configuration_digest, layer_addresses, layers_of, root_address
from workbook.terraform.settings import read_settings


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "terraform" / "environments"
    (path / "dev").mkdir(parents=True)
    monkeypatch.setattr(settings, "ENVIRONMENTS", path)
    return path


def write(path: Path, text: str) -> None:
    (path / "dev" / "locals.tf").write_text(text)


def test_settings_of_dev() -> None:
    dev = read_settings("dev")
    assert (dev.prefix, dev.region, dev.replica_region) == ("alloy-dev-take-home", "us-east-1", "us-west-2")
    assert layers_of(dev.directory) == ["vpc", "ecr", "iam", "s3", "ecs"]


def test_an_unknown_environment_lists_the_known_ones(environments: Path) -> None:
    write(environments, "locals {}")
    with pytest.raises(WorkbookError, match="WORKBOOK_ENVIRONMENT can be: dev"):
        read_settings("production")


def test_broken_hcl_names_file_line_and_cause(environments: Path) -> None:
    write(environments, 'locals {\n  environment = "dev"\n  region = = "x"\n}\n')
    with pytest.raises(WorkbookError, match=r"locals\.tf, line 3 is not valid HCL"):
        read_settings("dev")


def test_a_missing_literal_is_named(environments: Path) -> None:
    write(environments, 'locals {\n  environment = "dev"\n  region = "us-east-1"\n}\n')
    with pytest.raises(WorkbookError, match="does not set project_name"):
        read_settings("dev")


def test_addresses_of_a_layer_come_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "vpc.tf").write_text(
        'module "vpc" {\n  source = "./x"\n}\nresource "aws_eip" "nat" {\n  for_each = {}\n}\ndata "aws_region" "r" {}\nlocals {\n  a = 1\n}\n'
    )
    assert layer_addresses(tmp_path, "vpc") == ["aws_eip.nat", "module.vpc"]
    with pytest.raises(WorkbookError, match="Layers here: vpc"):
        layer_addresses(tmp_path, "network")


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("module.vpc.aws_subnet.public[0]", "module.vpc"),
        ('module.ecs.module.service["app"].aws_ecs_service.this[0]', "module.ecs"),
        ('aws_vpc_security_group_ingress_rule.task["alb"]', "aws_vpc_security_group_ingress_rule.task"),
        ("module.many[0].aws_eip.nat", "module.many"),
    ],
)
def test_root_address(address: str, root: str) -> None:
    assert root_address(address) == root


def test_the_digest_changes_with_every_relevant_file(tmp_path: Path) -> None:
    directory = tmp_path / "terraform" / "environments" / "dev"
    module = tmp_path / "terraform" / "modules" / "vpc"
    container = tmp_path / "container"
    for path in (directory, module, container):
        path.mkdir(parents=True)
    seen = {configuration_digest(directory)}
    for path in (directory / "vpc.tf", module / "main.tf", container / "startup.sh", container / "dashboard.py"):
        path.write_text("a")
        seen.add(configuration_digest(directory))
        path.write_text("b")
        seen.add(configuration_digest(directory))
    assert len(seen) == 9
