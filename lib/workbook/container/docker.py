"""Docker or Podman: the command line that gives a container what Fargate gives it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping

from workbook.container.definition import Definition

_PULL_SECONDS = 300.0


def engine_command(engine: str, name: str, definition: Definition, environment: Mapping[str, str]) -> list[str]:
    """The `docker run` command that applies the task definition as Fargate does.

    It uses the host network, because the stand-ins for AWS listen on the loopback interface.
    """
    container = definition.container
    user = str(container.get("user") or "")
    line = [engine, "run", "--rm", "--name", name, "--network", "host", "--pull", "never"]
    line += ["--cpus", f"{definition.cpu / 1024:g}", "--memory", f"{definition.memory}m", "--pids-limit", "512"]
    line += ["--security-opt", "no-new-privileges"]
    for capability in container.get("linuxParameters", {}).get("capabilities", {}).get("drop", []):
        line += ["--cap-drop", capability]
    if user:
        line += ["--user", user]
    if container.get("readonlyRootFilesystem"):
        line += ["--read-only"]
    uid, _, gid = user.partition(":")
    for mount in container.get("mountPoints", []):
        owner = f",uid={uid},gid={gid or uid}" if uid.isdecimal() else ""
        line += ["--tmpfs", f"{mount['containerPath']}:rw,size=64m,mode=0700{owner}"]
    for key, value in environment.items():
        line += ["--env", f"{key}={value}"]
    entry_point, *arguments = definition.command
    return [*line, "--entrypoint", entry_point, str(container["image"]), *arguments]


def find_engine() -> str | None:
    """`docker` or `podman`, the first that responds; None if neither does.

    None on anything but Linux too, because only there can a container use the host network.
    """
    if sys.platform != "linux":
        return None
    for engine in ("docker", "podman"):
        if shutil.which(engine) and call([engine, "info"], 10):
            return engine
    return None


def has_image(engine: str, image: str) -> bool:
    """Whether the engine has the image, or was able to pull it."""
    return call([engine, "image", "inspect", image], 20) or call([engine, "pull", image], _PULL_SECONDS)


def call(command: list[str], timeout: float) -> bool:
    """Run a short engine command; whether it exited with 0 within `timeout` seconds."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout).returncode == 0
    except (subprocess.TimeoutExpired, OSError):
        return False
