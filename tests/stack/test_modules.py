"""The modules' own Terraform tests: what each validation rejects and what each switch creates."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from workbook.host.paths import ROOT
from workbook.target import Target
from workbook.terraform import binary
from workbook.terraform.driver import SPARING
from workbook.terraform.provider import cli_configuration

MODULES = sorted(path.parent.parent for path in (ROOT / "terraform" / "modules").glob("*/tests/*.tftest.hcl"))


def terraform(directory: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary.locate(environ.get("PATH"))), *arguments, "-no-color"],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing listens at this address: a test that bypasses its mocks fails.

    The provider is downloaded and verified once, not for each module.
    """
    directory = tmp_path_factory.mktemp("terraform")
    target = Target("embedded", "us-east-1", "http://127.0.0.1:9").environ()
    shutil.copy(ROOT / "terraform" / "modules" / "iam-policy" / "versions.tf", directory)
    done = terraform(directory, {**target, **cli_configuration(target, directory)}, "init", "-input=false")
    assert done.returncode == 0, done.stderr
    (package,) = directory.glob(".terraform/providers/*/hashicorp/aws/*/*")
    configuration = directory / "overrides.tfrc"
    configuration.write_text(
        f'provider_installation {{\n  dev_overrides {{\n    "hashicorp/aws" = "{package.resolve()}"\n  }}\n  direct {{}}\n}}\n'
    )
    return {**SPARING, **target, "TF_CLI_CONFIG_FILE": str(configuration)}


@pytest.mark.parametrize("module", sorted(set(MODULES)), ids=lambda path: path.name)
def test_module(module: Path, environ: dict[str, str], tmp_path: Path) -> None:
    # A copy: `get` writes beside the module, and a module may call a sibling.
    shutil.copytree(ROOT / "terraform" / "modules", tmp_path / "modules", ignore=shutil.ignore_patterns(".terraform*"))
    directory = tmp_path / "modules" / module.name
    done = terraform(directory, environ, "get")
    assert done.returncode == 0, done.stderr
    done = terraform(directory, environ, "test")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed, 0 failed", done.stdout)
    assert passed and int(passed[1]) > 0, done.stdout
