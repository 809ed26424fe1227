"""The driver, on real Terraform with its built-in `terraform_data`: no provider, no AWS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from workbook.errors import WorkbookError
from workbook.host.paths import ENVIRONMENTS
from workbook.host.run_directory import RunDirectory
from workbook.terraform import binary, driver
from workbook.terraform.diagnostics import TerraformError
from workbook.terraform.driver import Terraform
from workbook.terraform.hcl import parse_hcl

MAIN = """
terraform {
  backend "local" {}
}
"""

TWO = 'resource "terraform_data" "a" { input = "one" }\nresource "terraform_data" "b" { input = sensitive("hush") }\n'

# Created as soon as a test allows it, by writing a file named go.
SLOW = """
resource "terraform_data" "slow" {
  input = "slow"
  provisioner "local-exec" {
    command = "for i in $(seq 300); do [ -e ${path.module}/go ] && exit 0; sleep 0.2; done; exit 1"
  }
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "project" / "terraform" / "environments" / "dev"
    directory.mkdir(parents=True)
    (directory / "main.tf").write_text(MAIN)
    (directory / "vpc.tf").write_text(TWO)
    return directory


def make(root: Path, **options) -> Terraform:
    return Terraform(
        root, RunDirectory(root.parents[3], "dev", "run"), dict(os.environ, TF_CLI_CONFIG_FILE=""), **options
    )


def commands(run: RunDirectory) -> list[str]:
    return [json.loads(line)["command"] for line in (run.logs / "commands.jsonl").read_text().splitlines()]


def test_plan_apply_second_plan_destroy(root: Path) -> None:
    tf = make(root)
    plan = tf.make_plan()
    assert plan.summary == "Plan: 2 to add, 0 to change, 0 to destroy."
    assert [c.address for c in plan.changes] == ["terraform_data.a", "terraform_data.b"]
    assert tf.apply_plan(plan).added == 2
    assert tf.run_directory.addresses() == ["terraform_data.a", "terraform_data.b"]
    assert tf.make_plan().empty
    gone = tf.make_plan(destroy=True)
    assert tf.apply_plan(gone).destroyed == 2
    assert tf.run_directory.addresses() == []


def test_a_copy_needs_no_init_and_a_moved_directory_does(root: Path, tmp_path: Path) -> None:
    def at(home: Path) -> Terraform:
        return Terraform(root, RunDirectory(home, "dev", "run"), dict(os.environ, TF_CLI_CONFIG_FILE=""))

    tf = at(tmp_path / "one")
    tf.apply_plan(tf.make_plan())
    copy = at(tf.run_directory.copy_to(tmp_path / "two", "instance").home)
    assert copy.make_plan(details=False).empty
    assert commands(copy.run_directory) == ["plan"]
    copy.apply_plan(copy.make_plan(destroy=True))
    assert (copy.run_directory.addresses(), len(tf.run_directory.addresses())) == ([], 2)

    # Its data still lead to the state where it was.
    (tmp_path / "one").rename(tmp_path / "moved")
    moved = at(tmp_path / "moved")
    assert moved.make_plan(details=False).empty
    assert commands(moved.run_directory)[-2:] == ["init", "plan"]
    assert not (tmp_path / "one").exists()


def test_data_that_an_init_left_half_changed_are_not_used(root: Path) -> None:
    tf = make(root)
    tf.prepare()
    (root / "vpc.tf").write_text(TWO + 'module "missing" { source = "./missing" }\n')
    with pytest.raises(TerraformError, match="missing"):
        tf.prepare()
    assert tf.run_directory.initialized_as() == ""
    (root / "vpc.tf").write_text(TWO)
    assert len(tf.make_plan().changes) == 2


def test_a_changed_or_missing_lock_file_needs_an_init(root: Path) -> None:
    tf, lock_file = make(root), root / ".terraform.lock.hcl"
    tf.prepare()
    tf.prepare()
    lock_file.write_text("# Another notebook's init wrote this.\n")
    tf.prepare()
    lock_file.unlink()
    tf.prepare()
    assert commands(tf.run_directory) == ["init"] * 3


def test_targets_restrict_the_plan(root: Path) -> None:
    assert list(make(root).make_plan(["terraform_data.a"]).actions) == ["terraform_data.a"]


def test_a_change_names_the_attribute_and_masks_sensitive_values(root: Path) -> None:
    tf = make(root)
    tf.apply_plan(tf.make_plan())
    (root / "vpc.tf").write_text(TWO.replace("one", "two").replace("hush", "secret"))
    plan = tf.make_plan()
    a, b = plan.changes
    assert (a.action, a.what[0]) == ("update", "input: one → two")
    assert b.what[0] == "input: (sensitive)"
    shown = plan.rendered()
    assert "hush" not in shown.text + shown.html and "secret" not in shown.text + shown.html


def test_a_syntax_error_names_file_and_line(root: Path) -> None:
    (root / "locals.tf").write_text('locals {\n  region = "us-east-1\n}\n')
    with pytest.raises(TerraformError) as caught:
        make(root).make_plan()
    assert "locals.tf, line 2" in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_an_interrupted_apply_finishes_on_its_own_and_the_second_try_works(root: Path) -> None:
    (root / "vpc.tf").write_text(SLOW + 'resource "terraform_data" "after" { input = terraform_data.slow.output }\n')
    tf = make(root)
    plan = tf.make_plan()
    tf.on_event = interrupt_at_first_apply()
    with pytest.raises(WorkbookError, match="continues in the background"):
        tf.apply_plan(plan)
    events = []

    def go(event) -> None:
        events.append(event["type"])
        (root / "go").touch()

    tf.on_event = go
    # Stopping in the middle would lose what is being created, so the next command waits instead.
    assert tf.make_plan().empty
    assert events[0] == "waiting"
    assert tf.run_directory.addresses() == ["terraform_data.after", "terraform_data.slow"]


def interrupt_at_first_apply():
    armed = [True]

    def on_event(event) -> None:
        if event.get("type") == "apply_start" and armed.pop():
            raise KeyboardInterrupt

    return on_event


def test_terraform_killed_in_an_apply_leaves_no_process_and_the_second_try_works(root: Path) -> None:
    (root / "vpc.tf").write_text(TWO + SLOW)
    tf = make(root)
    plan = tf.make_plan()

    def kill(event) -> None:
        if event.get("type") == "apply_start" and "slow" in event["hook"]["resource"]["addr"]:
            subprocess.run(["pkill", "-KILL", "-f", str(plan.path)], check=True, timeout=10)

    tf.on_event = kill
    with pytest.raises(TerraformError):
        tf.apply_plan(plan)
    tf.on_event = None
    assert subprocess.run(["pgrep", "-f", str(plan.path)], timeout=10).returncode == 1
    (root / "go").touch()
    tf.apply_plan(tf.make_plan())
    assert len(tf.run_directory.addresses()) == 3
    assert tf.make_plan().empty


@pytest.mark.slow
def test_an_apply_outlives_the_kernel_that_started_it(root: Path) -> None:
    (root / "vpc.tf").write_text(SLOW)
    code = f"""
        import os, sys
        from pathlib import Path
        from workbook.host.run_directory import RunDirectory
        from workbook.terraform.driver import Terraform
        root = Path({str(root)!r})
        tf = Terraform(root, RunDirectory(root.parents[3], "dev", "run"), dict(os.environ, TF_CLI_CONFIG_FILE=""))
        plan = tf.make_plan()
        tf.on_event = lambda event: print(event.get("type"), flush=True)
        tf.apply_plan(plan)
    """
    kernel = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    assert any(line.strip() == "apply_start" for line in kernel.stdout)
    kernel.send_signal(signal.SIGKILL)
    kernel.wait(10)
    (root / "go").touch()
    tf = make(root)
    deadline = time.monotonic() + 60
    while not tf.run_directory.addresses() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert tf.make_plan().empty


def test_one_of_two_concurrent_applies_is_refused_and_works_afterwards(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LOCK_SECONDS", 0)
    (root / "vpc.tf").write_text(SLOW)
    first, second = make(root), make(root)
    plan = first.make_plan()
    started = threading.Event()
    first.on_event = lambda event: started.set() if event.get("type") == "apply_start" else None
    runner = threading.Thread(target=first.apply_plan, args=(plan,))
    runner.start()
    assert started.wait(60)
    with pytest.raises(TerraformError, match="Another plan or apply is running"):
        second.make_plan()
    (root / "go").touch()
    runner.join(60)
    assert second.make_plan().empty


def test_a_stale_plan_is_refused(root: Path) -> None:
    tf = make(root)
    old = tf.make_plan()
    tf.apply_plan(tf.make_plan())
    with pytest.raises(TerraformError, match="This plan is stale"):
        tf.apply_plan(old)
    assert len(tf.run_directory.addresses()) == 2


@pytest.mark.slow
def test_a_target_that_is_gone_stops_the_command_quickly(root: Path) -> None:
    (root / "vpc.tf").write_text(SLOW)
    tf = make(root)
    plan = tf.make_plan()
    tf.alive = lambda: "The embedded AWS stopped."
    began = time.monotonic()
    with pytest.raises(WorkbookError, match="embedded AWS stopped"):
        tf.apply_plan(plan)
    assert time.monotonic() - began < 50


@pytest.mark.slow
def test_a_command_that_takes_too_long_is_stopped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "vpc.tf").write_text(SLOW)
    monkeypatch.setitem(driver.TIMEOUT, "apply", 2.0)
    monkeypatch.setattr(driver, "STOP_SECONDS", 1.0)
    tf = make(root)
    with pytest.raises(WorkbookError, match="had not finished after 2 s"):
        tf.apply_plan(tf.make_plan())


def test_no_terraform_is_one_message(root: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkbookError, match="Terraform is not installed"):
        binary.locate(str(tmp_path), own=tmp_path)


def test_an_old_terraform_is_refused(root: Path, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "terraform"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "Terraform v1.4.9"\n')
    fake.chmod(0o755)
    tf = Terraform(root, RunDirectory(tmp_path, "dev", "run"), {"PATH": str(fake.parent)})
    with pytest.raises(WorkbookError, match=r"Terraform 1\.4\.9; the stack needs 1\.10"):
        tf.make_plan()


def test_the_roots_need_the_same_terraform_as_the_workbook() -> None:
    wanted = f">= {'.'.join(map(str, binary.MINIMUM))}"
    roots = sorted(ENVIRONMENTS.glob("*/main.tf"))
    assert len(roots) >= 2
    assert {path.parent.name: parse_hcl(path)["terraform"][0]["required_version"].strip('"') for path in roots} == {
        path.parent.name: wanted for path in roots
    }


def test_an_unavailable_provider_is_one_message(root: Path, tmp_path: Path) -> None:
    (root / "main.tf").write_text(
        MAIN.replace(
            "backend", 'required_providers {\n    aws = { source = "example.invalid/hashicorp/aws" }\n  }\n  backend'
        )
    )
    (root / "vpc.tf").write_text('data "aws_region" "current" {}\n')
    with pytest.raises(WorkbookError, match="Could not download the AWS provider"):
        make(root).make_plan()


def test_the_user_s_cli_arguments_do_not_reach_terraform(root: Path) -> None:
    from workbook.target import Target

    shell = {
        **os.environ,
        "TF_CLI_ARGS": "-bogus",
        "TF_VAR_x": "1",
        "AWS_PROFILE": "prod",
        "AWS_SECRET_ACCESS_KEY": "real",
        "HTTPS_PROXY": "http://p",
    }
    environ = Target("embedded", "us-east-1", "http://127.0.0.1:1", shell=shell).environ()
    assert not {"TF_CLI_ARGS", "TF_VAR_x", "AWS_PROFILE", "HTTPS_PROXY"} & environ.keys()
    assert environ["AWS_SECRET_ACCESS_KEY"] == "embedded"
    assert Terraform(root, RunDirectory(root.parents[3], "dev", "run"), environ).make_plan().counts["add"] == 2
