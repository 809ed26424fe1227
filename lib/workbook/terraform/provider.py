"""Where Terraform gets the AWS provider from: a mirror on this machine first, then the registry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from workbook.host.paths import ROOT

# Terraform looks for mirrors in the user's and the system's data directories on its own, but not in the add-on
# directory.
_ADD_ON_DIRECTORY = Path("/opt")


def cli_configuration(environ: Mapping[str, str], run_dir: Path) -> dict[str, str]:
    """Environment variables that give Terraform a CLI configuration.

    The user's own configuration is honoured. Without one, the workbook writes one: the mirror it found for the AWS
    provider, the registry for everything else, and a cache so that the provider is downloaded once.
    """
    own = environ.get("TF_CLI_CONFIG_FILE")
    if own and Path(own).is_file():
        return {}
    if not own and (Path(environ.get("HOME", "/")) / ".terraformrc").is_file():
        return {}
    # The provider is about 700 MB: every home of this project shares one cache.
    cache = ROOT / ".workbook" / "provider-cache"
    cache.mkdir(parents=True, exist_ok=True)
    path = run_dir / "terraform.tfrc"
    blocks = [f'plugin_cache_dir = "{cache}"', ""]
    mirror = find_mirror(environ)
    if mirror is not None:
        blocks += [
            "provider_installation {",
            f'  filesystem_mirror {{\n    path    = "{mirror}"\n    include = ["hashicorp/aws"]\n  }}',
            # Without the exclusion Terraform also asks the registry for versions, and fails without a network.
            '  direct {\n    exclude = ["hashicorp/aws"]\n  }',
            "}",
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(blocks) + "\n"
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    return {"TF_CLI_CONFIG_FILE": str(path)}


def find_mirror(environ: Mapping[str, str]) -> Path | None:
    """A filesystem mirror with `<host>/hashicorp/aws`: `WORKBOOK_PROVIDER_MIRROR`, or one in the add-on directory."""
    named = environ.get("WORKBOOK_PROVIDER_MIRROR")
    candidates = (
        [Path(named)] if named else sorted(p for p in _ADD_ON_DIRECTORY.glob("*") if os.access(p, os.R_OK | os.X_OK))
    )
    return next((path for path in candidates if any(path.glob("*/hashicorp/aws"))), None)
