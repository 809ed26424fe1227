"""The modules' own Terraform tests: what each validation rejects and what each switch creates.

`terraform test` in a module's directory runs them one module at a time, and loads the provider's schema for each. Here
they all run in one go, from a root that contains nothing but the modules.
"""

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

FILES = {path.parent.parent.name: path for path in (ROOT / "terraform" / "modules").glob("*/tests/*.tftest.hcl")}
RUN = re.compile(r'^run "(\w+)" \{$', re.MULTILINE)


def terraform(directory: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary.locate(environ.get("PATH"))), *arguments, "-no-color"],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Nothing listens at this address: a test that bypasses its mocks fails.

    The provider is downloaded and verified once, not by each command.
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


@pytest.fixture(scope="module")
def said(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `terraform test` prints: for each file, its runs and a verdict."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(ROOT / "terraform" / "modules", root / "modules", ignore=shutil.ignore_patterns(".terraform*"))
    shutil.copy(ROOT / "terraform" / "modules" / "iam-policy" / "versions.tf", root)
    (root / "tests").mkdir()
    for module, path in FILES.items():
        text = RUN.sub(f'\\g<0>\n  module {{\n    source = "./modules/{module}"\n  }}', path.read_text())
        (root / "tests" / f"{module}.tftest.hcl").write_text(text)
    done = terraform(root, environ, "get")
    assert done.returncode == 0, done.stderr
    done = terraform(root, environ, "test")
    return done.stdout + done.stderr


@pytest.mark.parametrize("module", sorted(FILES))
def test_module(module: str, said: str) -> None:
    runs = RUN.findall(FILES[module].read_text())
    section = said.partition(f"tests/{module}.tftest.hcl... in progress")[2].partition(
        f"{module}.tftest.hcl... tearing"
    )
    assert runs and section[1], said
    assert re.findall(r'run "(\w+)"\.\.\. pass$', section[0], re.MULTILINE) == runs, section[0] + said[-3000:]
    assert f"tests/{module}.tftest.hcl... pass" in said


def test_each_module_has_tests() -> None:
    assert set(FILES) == {path.parent.name for path in (ROOT / "terraform" / "modules").glob("*/main.tf")}
