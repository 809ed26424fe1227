"""Terraform for a machine without it: the official release, checksum verified, in `.workbook/bin`.

`python -m workbook.terraform.binary` prints which Terraform will be used, and downloads one if there is none.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

from workbook.errors import WorkbookError
from workbook.host.paths import ROOT

VERSION = "1.11.4"
"""The release that is downloaded when Terraform is not installed."""
MINIMUM = (1, 10)
"""The oldest Terraform that works with the stack; the same as the roots' `required_version`."""
RELEASES = "https://releases.hashicorp.com/terraform"

_BIN = ROOT / ".workbook" / "bin"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_INSTALL = (
    f"Install Terraform {'.'.join(map(str, MINIMUM))} or newer (https://developer.hashicorp.com/terraform/install), "
    "or run `make setup` to download it."
)
_TIMEOUT = 60  # seconds without a response or a byte


@dataclass(frozen=True)
class Binary:
    """An installed Terraform; `version` is empty when the program does not report one."""

    path: Path
    version: str

    @property
    def usable(self) -> bool:
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return numbers >= MINIMUM


def locate(search_path: str | None = None, own: Path = _BIN) -> Path:
    """Path of the Terraform that is used: the one on the PATH, else the one that the setup downloaded.

    Parameters
    ----------
    search_path : directories to search; the PATH by default.
    own : directory that `fetch` writes to.

    Raises
    ------
    WorkbookError : there is none.
    """
    found = shutil.which("terraform", path=search_path) or shutil.which("terraform", path=str(own))
    if found is None:
        raise WorkbookError("Terraform is not installed.", _INSTALL)
    return Path(found)


def require(search_path: str | None = None, own: Path = _BIN) -> Binary:
    """The Terraform that is used, if it is new enough.

    Raises
    ------
    WorkbookError : there is none, or it is too old.
    """
    binary = installed(search_path, own)
    if binary is None:
        raise WorkbookError("Terraform is not installed.", _INSTALL)
    if not binary.usable:
        version = binary.version or "of an unknown version"
        raise WorkbookError(
            f"{binary.path} is Terraform {version}; the stack needs {'.'.join(map(str, MINIMUM))} or newer.", _INSTALL
        )
    return binary


def installed(search_path: str | None = None, own: Path = _BIN) -> Binary | None:
    """The Terraform that `locate` finds, with its version; None where there is none."""
    try:
        found = locate(search_path, own)
    except WorkbookError:
        return None
    try:
        answer = subprocess.run(
            [found, "version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return Binary(found, "")
    match = re.search(r"Terraform v(\d+\.\d+\.\d+)", answer.stdout)
    return Binary(found, match.group(1) if match else "")


def archive_name(version: str = VERSION) -> str:
    """Name of the release archive for this machine, such as `terraform_1.11.4_linux_amd64.zip`.

    Raises
    ------
    WorkbookError : there is no release for this platform.
    """
    system, machine = platform.system().lower(), platform.machine().lower()
    if system not in ("linux", "darwin") or machine not in _ARCHITECTURES:
        raise WorkbookError(f"There is no Terraform release for {system} on {machine}.", _INSTALL)
    return f"terraform_{version}_{system}_{_ARCHITECTURES[machine]}.zip"


def fetch(directory: Path = _BIN, base_url: str = RELEASES, version: str = VERSION) -> Path:
    """Download the release, verify it against the release's SHA256SUMS, and unpack the binary.

    Nothing is written until the checksum matches.

    Returns
    -------
    Path of the binary.

    Raises
    ------
    WorkbookError : no network, no such release, or the checksum differs.
    """
    name = archive_name(version)
    sums = _download(f"{base_url}/{version}/terraform_{version}_SHA256SUMS").decode()
    expected = next((line.split()[0] for line in sums.splitlines() if line.split()[1:] == [name]), None)
    if expected is None:
        raise WorkbookError(f"The checksums of Terraform {version} do not list {name}.", _INSTALL)
    archive = _download(f"{base_url}/{version}/{name}")
    actual = hashlib.sha256(archive).hexdigest()
    if actual != expected:
        raise WorkbookError(
            f"Discarded the download of {name}: its checksum is {actual[:12]}…, not {expected[:12]}… as published.",
            f"Try again; if it keeps happening, something on the network alters downloads. {_INSTALL}",
        )
    directory.mkdir(parents=True, exist_ok=True)
    binary = directory / "terraform"
    partial = directory / f"terraform.{os.getpid()}"
    with zipfile.ZipFile(io.BytesIO(archive)) as unpacked:
        partial.write_bytes(unpacked.read("terraform"))
    partial.chmod(0o755)
    partial.replace(binary)
    return binary


def _download(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise WorkbookError(
            f"Terraform is not installed, and {url.rsplit('/', 1)[-1]} could not be downloaded: {reason}.",
            _INSTALL,
        ) from error


def main() -> int:
    try:
        if installed() is None:
            fetch()
        binary = require()
    except WorkbookError as error:
        print(f"setup: {error.cause} {error.next_step}", file=sys.stderr)
        return 1
    print(f"setup: Terraform {binary.version} ({binary.path})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
