"""The modules' READMEs match their code."""

from __future__ import annotations

from pathlib import Path

import pytest

import module_readme
from module_readme import main, modules, render
from workbook.errors import WorkbookError
from workbook.terraform.hcl import relative

MAIN = """# A thing that
# does one job.

# Not part of the purpose.
resource "aws_s3_bucket" "this" {
  bucket = var.name
}

module "inner" {
  source = "./modules/inner"
}
"""
VARIABLES = """variable "name" {
  description = "Name, `a` | `b`."
  type        = string
}

variable "rules" {
  description = "Rules."
  type = list(object({
    id    = string
    days  = optional(number, 30)
    class = optional(string, "STANDARD_IA")
  }))
  default = [{ id = "all", days = 1 }]
}

variable "flag" {
  description = "Flag."
  type        = bool
  default     = false
}

variable "key" {
  description = "Key."
  type        = string
  default     = null
}
"""
OUTPUTS = """# A comment.
output "arn" {
  description = "ARN."
  value       = aws_s3_bucket.this.arn
}
"""
VERSIONS = """terraform {
  required_version = ">= 1.5.7"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}
"""
EXPECTED = """# thing

A thing that does one job.

Used in [environments/dev/main.tf](../../environments/dev/main.tf) (`first`, `second`).

## Requirements

| Name | Version |
| --- | --- |
| Terraform | `>= 1.5.7` |
| provider `aws` | `>= 5.100, < 7.0` |

## Resources

| Name | Kind |
| --- | --- |
| `aws_s3_bucket.this` | resource |
| `module.inner` | module [inner](modules/inner/README.md) |

## Inputs

| Name | Description | Type | Default | Required |
| --- | --- | --- | --- | --- |
| `name` | Name, `a` \\| `b`. | `string` |  | yes |
| `rules` | Rules. | [`list(object({…}))`](variables.tf) | `[{ id = "all", days = 1 }]` | no |
| `flag` | Flag. | `bool` | `false` | no |
| `key` | Key. | `string` | `null` | no |

## Outputs

| Name | Description |
| --- | --- |
| `arn` | ARN. |

Generated from the code by `python scripts/module_readme.py`.
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one module, called twice."""
    environment, thing = tmp_path / "terraform" / "environments" / "dev", tmp_path / "terraform" / "modules" / "thing"
    environment.mkdir(parents=True)
    thing.mkdir(parents=True)
    calls = [f'module "{name}" {{\n  source = "../../modules/thing"\n}}\n' for name in ("first", "second")]
    (environment / "main.tf").write_text("\n".join(calls))
    for name, text in {"main": MAIN, "variables": VARIABLES, "outputs": OUTPUTS, "versions": VERSIONS}.items():
        (thing / f"{name}.tf").write_text(text)
    monkeypatch.setattr(module_readme, "ROOT", tmp_path)
    monkeypatch.setattr(module_readme, "MODULES", thing.parent)
    monkeypatch.setattr(module_readme, "EXAMPLE", environment)
    return thing


def test_the_modules_are_all_there() -> None:
    names = {
        "alb",
        "ecr",
        "ecs",
        "iam-assumable-role",
        "iam-policy",
        "s3-bucket",
        "security-group",
        "vpc",
        "vpc-endpoints",
    }
    assert names <= {module.name for module in modules()}


@pytest.mark.parametrize("module", modules(), ids=relative)
def test_readme_matches_the_code(module: Path) -> None:
    assert (module / "README.md").read_text() == render(module)


def test_render(module: Path) -> None:
    assert render(module) == EXPECTED


def test_check_names_what_is_stale(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 1
    assert "thing/README.md" in capsys.readouterr().err
    assert not (module / "README.md").exists()

    assert main([]) == 0
    assert main(["--check"]) == 0

    (module / "outputs.tf").write_text(OUTPUTS.replace("ARN.", "ARN of the bucket."))
    assert main(["--check"]) == 1


def test_a_module_says_what_it_is_for(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (module / "main.tf").write_text(MAIN.partition("\n\n")[2].partition("\n")[2])
    assert main([]) == 1
    error = capsys.readouterr().err
    assert "main.tf does not say what the module is for" in error and "Traceback" not in error


def test_an_input_has_a_description(module: Path) -> None:
    (module / "variables.tf").write_text('variable "name" {\n  type = string\n}\n')
    with pytest.raises(WorkbookError, match=r"name in .*thing has no description"):
        render(module)


def test_broken_hcl_is_named(module: Path) -> None:
    (module / "variables.tf").write_text('variable "name" {\n')
    with pytest.raises(WorkbookError, match=r"variables\.tf.* is not valid HCL"):
        render(module)
