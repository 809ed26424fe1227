"""The container's own script, running for real, with a stub `aws` that answers as the test requires."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbook.container import Container, Definition
from workbook.container.command import startup_command

SCRIPT = startup_command()

FINE = "echo '                           PRE reports/'; echo '2026-01-01 00:00:00        120 index.csv'"


def definition(command: list[str] | None = None, **environment: str) -> Definition:
    """A container definition in the form that ECS returns."""
    variables = {
        "BUCKET_NAME": "alloy-dev-take-home-data",
        "PORT": "8080",
        "CHECK_INTERVAL": "1",
        "AWS_REGION": "us-east-1",
        **environment,
    }
    container = {
        "name": "dashboard",
        "image": "public.ecr.aws/aws-cli/aws-cli:2.31.21",
        "entryPoint": ["/bin/sh", "-c"],
        "command": command or [SCRIPT],
        "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
        "healthCheck": {
            "command": ["CMD-SHELL", "curl -fsS http://127.0.0.1:8080/health || exit 1"],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 10,
        },
        "mountPoints": [{"sourceVolume": "pages", "containerPath": "/var/dashboard"}],
        "readonlyRootFilesystem": True,
        "user": "65534:65534",
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
    }
    return Definition(
        "alloy-dev-take-home:1", 256, 512, "arn:aws:iam::123456789012:role/alloy-dev-take-home-task", container
    )


class StubbedAws:
    """A directory for PATH whose `aws` runs a shell fragment that can be changed at any time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.says(FINE)
        command = directory / "aws"
        command.write_text(
            '#!/bin/sh\nhere=${0%/*}\nenv > "$here/environment"\necho "$*" >> "$here/calls"\n. "$here/answer"\n'
        )
        command.chmod(0o755)

    @property
    def search_path(self) -> str:
        return os.pathsep.join(
            (str(self.directory), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin")
        )

    def says(self, fragment: str) -> None:
        draft = self.directory / "answer.new"
        draft.write_text(fragment + "\n")
        draft.replace(self.directory / "answer")

    def fails(self, message: str, code: int = 254) -> None:
        """Print `message` on stderr and exit with `code`, as the AWS CLI does."""
        (self.directory / "message").write_text(message + "\n")
        self.says(f'cat "$here/message" >&2; exit {code}')

    @property
    def calls(self) -> list[str]:
        path = self.directory / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def define() -> Callable[..., Definition]:
    """Builds a container definition."""
    return definition


@pytest.fixture(scope="session")
def within() -> Callable[[float, Callable[[], float]], None]:
    """Checks a time limit against the best of five tries, since a busy machine slows each try by a different amount.

    A try is a function that returns the seconds it took.
    """

    def check(seconds: float, attempt: Callable[[], float]) -> None:
        took: list[float] = []
        while len(took) < 5 and (not took or took[-1] >= seconds):
            took.append(attempt())
        assert min(took) < seconds, took

    return check


@pytest.fixture
def aws(tmp_path: Path) -> StubbedAws:
    directory = tmp_path / "bin"
    directory.mkdir()
    return StubbedAws(directory)


@pytest.fixture
def dashboard(aws: StubbedAws) -> Iterator[Callable[..., Container]]:
    """Starts the container with these environment variables; it is stopped at the end of the test."""
    started: list[Container] = []

    def start(**environment: Any) -> Container:
        container = Container(definition(), {k: str(v) for k, v in environment.items()}, search_path=aws.search_path)
        started.append(container)
        return container

    yield start
    for container in started:
        container.stop()
