"""Copies of the embedded AWS: branches, checkpoints, restores, and what is left when something is killed midway."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from waiting import until
from workbook import emulator
from workbook.emulator import branches, running
from workbook.emulator.branches import branch, drop, fork, listed, restore, save, stop_all
from workbook.errors import WorkbookError
from workbook.host.paths import emulator_dir
from workbook.host.ports import free_port
from workbook.host.run_directory import EMBEDDED, RunDirectory


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Home of an account that is started once, with the services that the tests use; each test gets a copy of it."""
    home = tmp_path_factory.mktemp("template")
    emulator.start(home)
    create_bucket(home, "template")
    client(home, "ec2").describe_vpcs()
    client(home, "sts").get_caller_identity()
    yield home
    stop_all(home)


@pytest.fixture
def home(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Home of a running account of the test's own, and the current one."""
    home = tmp_path / "home"
    fork(home, template)
    monkeypatch.setenv("WORKBOOK_HOME", str(home))
    for variable in ("WORKBOOK_EMBEDDED_PORT", branches.MEMORY_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    yield home
    stop_all(home)


def client(home: Path, service: str, **settings: Any) -> Any:
    found = emulator.find(home)
    assert found is not None, f"nothing runs in {home}"
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=found.url,
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",
        **settings,
    )


def create_bucket(home: Path, name: str) -> None:
    client(home, "s3").create_bucket(Bucket=name)


def buckets(home: Path) -> set[str]:
    return {bucket["Name"] for bucket in client(home, "s3").list_buckets()["Buckets"]} - {"template"}


def pid(home: Path) -> int:
    found = emulator.find(home)
    assert found is not None
    return found.pid


def ended(process: int) -> bool:
    shown = subprocess.run(["ps", "-p", str(process), "-o", "stat="], capture_output=True, text=True, timeout=10)
    return shown.stdout.strip()[:1] in ("", "Z")


def kill(home: Path) -> None:
    process = pid(home)
    os.kill(process, signal.SIGKILL)
    until(lambda: emulator.find(home) is None, f"{process} is killed")


def deployed(home: Path, environment: str, *names: str) -> RunDirectory:
    """A run directory whose state holds resources of these names, as one of the account that runs in `home`."""
    account = emulator.find(home)
    assert account is not None
    run = RunDirectory(home, environment, EMBEDDED)
    run.create()
    run.adopt(account.instance)
    resources = [{"mode": "managed", "type": "aws_s3_bucket", "name": name, "instances": [{}]} for name in names]
    run.state.write_text(json.dumps({"version": 4, "serial": len(names), "resources": resources}))
    (run.path / "terraform.tfstate.backup").write_text(f"before {names}")
    run.forget_deployed()
    for name in names:
        run.mark_deployed(name, f"digest of {name}")
    return run


def names(run: RunDirectory) -> set[str]:
    return {resource["name"] for resource in run.resources()}


# ── isolation ──


def test_a_copy_and_its_original_do_not_see_each_others_changes(home: Path) -> None:
    create_bucket(home, "both")
    with branch(home) as copy:
        assert buckets(copy) == {"both"}
        create_bucket(copy, "in-the-copy")
        create_bucket(home, "in-the-original")
        client(copy, "s3").put_bucket_tagging(Bucket="both", Tagging={"TagSet": [{"Key": "side", "Value": "copy"}]})
        client(home, "s3").put_bucket_tagging(Bucket="both", Tagging={"TagSet": [{"Key": "side", "Value": "original"}]})
        assert buckets(copy) == {"both", "in-the-copy"}
        assert buckets(home) == {"both", "in-the-original"}
        for side, where in (("copy", copy), ("original", home)):
            tags = client(where, "s3").get_bucket_tagging(Bucket="both")["TagSet"]
            assert tags == [{"Key": "side", "Value": side}]


def test_what_is_made_in_original_and_copy_has_different_ids(home: Path) -> None:
    with branch(home) as copy, branch(home) as another:
        vpcs = [client(where, "ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"] for where in (home, copy, another)]
        assert len({vpc["VpcId"] for vpc in vpcs}) == 3


def test_a_copy_is_another_instance_in_a_session_of_its_own_on_a_port_of_its_own(home: Path) -> None:
    original = emulator.find(home)
    with branch(home) as copy:
        found = emulator.find(copy)
        assert original is not None and found is not None
        assert found.instance != original.instance
        assert found.url != original.url
        assert os.getsid(found.pid) != os.getsid(original.pid)
        parent = subprocess.run(
            ["ps", "-o", "ppid=", "-p", str(found.pid)], capture_output=True, text=True, timeout=10, check=True
        )
        assert int(parent.stdout) not in (original.pid, os.getpid())
        assert emulator.start(copy) == found, "it is found like any other"
        with urllib.request.urlopen(f"{found.url}{running.HEALTH_PATH}", timeout=60) as answer:
            assert json.load(answer) == {"instance": found.instance, "pid": found.pid}


def test_fifty_branches_at_once_and_one_that_is_killed(home: Path) -> None:
    create_bucket(home, "everywhere")
    with ExitStack() as opened:
        copies = [opened.enter_context(branch(home)) for _ in range(50)]

        def change(number: int) -> None:
            create_bucket(copies[number], f"only-in-{number}")

        def look(number: int) -> None:
            assert buckets(copies[number]) == {"everywhere", f"only-in-{number}"}

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(change, range(50)))
            processes = [pid(copy) for copy in copies]
            assert len(set(processes)) == 50
            kill(copies[17])
            list(pool.map(look, (number for number in range(50) if number != 17)))
        assert emulator.find(copies[17]) is None
        assert buckets(home) == {"everywhere"}
        with branch(home) as another:
            assert buckets(another) == {"everywhere"}
    until(lambda: all(ended(process) for process in processes), "all copies have ended")
    assert list((home / "branches").iterdir()) == []


def test_a_branch_of_a_branch(home: Path) -> None:
    create_bucket(home, "first")
    with branch(home) as child:
        create_bucket(child, "second")
        with branch(child) as grandchild:
            create_bucket(grandchild, "third")
            assert buckets(grandchild) == {"first", "second", "third"}
            process = pid(grandchild)
        assert ended(process)
        assert buckets(child) == {"first", "second"}
    assert buckets(home) == {"first"}


@pytest.mark.parametrize("end", [emulator.stop, kill])
def test_the_original_ends_and_its_copies_go_on(home: Path, end: Callable[[Path], object]) -> None:
    create_bucket(home, "kept")
    save("kept")
    with branch(home) as copy:
        end(home)
        assert emulator.find(home) is None
        create_bucket(copy, "more")
        assert buckets(copy) == {"kept", "more"}
        assert [checkpoint.alive for checkpoint in listed()] == [True]


def test_clients_of_the_original_notice_its_end_while_a_copy_lives(home: Path) -> None:
    """A copy that kept the original's connections open would leave its clients waiting for an answer."""
    account = emulator.find(home)
    assert account is not None
    with socket.create_connection(("127.0.0.1", int(account.url.rsplit(":", 1)[1])), timeout=60) as waiting:
        assert emulator.find(home) == account, "connections are accepted in turn, so the waiting one was"
        with branch(home):
            kill(home)
            assert waiting.recv(1) == b""


def test_a_large_object_is_read_in_both_while_one_replaces_it(home: Path) -> None:
    before, after = os.urandom(20 * 2**20), os.urandom(12 * 2**20)
    create_bucket(home, "large")
    client(home, "s3").put_object(Bucket="large", Key="object", Body=before)
    with branch(home) as copy:

        def read(where: Path) -> set[str]:
            s3 = client(where, "s3")
            for _ in range(25):
                part = s3.get_object(Bucket="large", Key="object", Range=f"bytes={len(before) - 9}-")["Body"].read()
                assert part == before[-9:]
            bodies = [s3.get_object(Bucket="large", Key="object")["Body"].read() for _ in range(2)]
            return {hashlib.sha256(body).hexdigest() for body in bodies}

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(read, [home, copy, home, copy]))
        assert found == [{hashlib.sha256(before).hexdigest()}] * 4
        client(copy, "s3").put_object(Bucket="large", Key="object", Body=after)
        for where, body in ((home, before), (copy, after)):
            assert client(where, "s3").get_object(Bucket="large", Key="object")["Body"].read() == body


def test_original_and_copy_share_no_open_file(home: Path) -> None:
    """They would share the position in it. By default, moto keeps large objects in temporary files."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not show open files in /proc")
    create_bucket(home, "large")
    client(home, "s3").put_object(Bucket="large", Key="object", Body=os.urandom(20 * 2**20))
    with branch(home) as copy:
        for where in (home, copy):
            opened = {os.readlink(each) for each in Path(f"/proc/{pid(where)}/fd").iterdir() if each.is_symlink()}
            files = {each for each in opened if each.startswith("/") and each != os.devnull}
            assert files == {str(emulator_dir(where) / "emulator.log")}


def test_copies_while_requests_are_under_way(home: Path) -> None:
    create_bucket(home, "busy")
    stop, written, failures = threading.Event(), [[] for _ in range(6)], []

    def write(number: int) -> None:
        s3 = client(home, "s3", config=Config(retries={"total_max_attempts": 1}))
        while not stop.is_set():
            key = f"{number}/{len(written[number])}"
            try:
                s3.put_object(Bucket="busy", Key=key, Body=key.encode() * 1000)
                written[number].append(key)
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    counts = []
    try:
        for _ in range(8):
            least = [len(keys) for keys in written]
            with branch(home) as copy:
                most = [len(keys) + 1 for keys in written]  # The one that was just answered is not counted yet.
                s3 = client(copy, "s3")
                pages = s3.get_paginator("list_objects_v2").paginate(Bucket="busy")
                keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
                counts.append(len(keys))
                for number in range(6):
                    own = sorted(int(key.split("/")[1]) for key in keys if key.startswith(f"{number}/"))
                    assert own == list(range(len(own))), "nothing in between is missing"
                    assert least[number] <= len(own) <= most[number]
                for key in keys[-20:]:
                    assert s3.get_object(Bucket="busy", Key=key)["Body"].read() == key.encode() * 1000
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    assert failures == []
    assert counts == sorted(counts) and counts[-1] > counts[0], "the requests went on all the time"
    pages = client(home, "s3").get_paginator("list_objects_v2").paginate(Bucket="busy")
    assert {each["Key"] for page in pages for each in page["Contents"]} == {key for keys in written for key in keys}


def test_an_answer_given_before_the_copy_is_given_again_by_the_copy(home: Path) -> None:
    sent: list[Any] = []
    ec2 = client(home, "ec2")
    ec2.meta.events.register("before-send.ec2.CreateSecurityGroup", lambda request, **_: sent.append(request))
    group = ec2.create_security_group(GroupName="lost", Description="lost")["GroupId"]
    headers = {**dict(sent[0].headers.items()), "amz-sdk-request": "attempt=2; max=4"}
    with branch(home) as copy:
        account = emulator.find(copy)
        assert account is not None
        again = urllib.request.Request(account.url + "/", sent[0].body.encode(), headers, method="POST")
        with urllib.request.urlopen(again, timeout=60) as answer:
            assert group in answer.read().decode()


# ── the states ──


def test_states_and_stamps_go_with_the_copy(home: Path) -> None:
    deployed(home, "dev", "vpc", "ecr")
    with branch(home) as copy:
        account = emulator.find(copy)
        (run,) = RunDirectory.all(copy, EMBEDDED)
        assert account is not None
        assert (run.environment, names(run), run.instance) == ("dev", {"vpc", "ecr"}, account.instance)
        assert run.deployed_as("vpc") == "digest of vpc"
        assert emulator.start_for(run) == (account, None), "its state is not set aside"
        deployed(copy, "dev", "vpc", "ecr", "iam")
    assert names(RunDirectory(home, "dev", EMBEDDED)) == {"vpc", "ecr"}


def test_a_state_of_another_account_stays_behind(home: Path) -> None:
    deployed(home, "dev", "vpc")
    RunDirectory(home, "other", EMBEDDED).create()
    (deployed(home, "other", "vpc").path / "instance").write_text("a lost account")
    with branch(home) as copy:
        assert [run.environment for run in RunDirectory.all(copy, EMBEDDED)] == ["dev"]


# ── checkpoints ──


def test_a_checkpoint_is_listed_with_what_it_holds(home: Path) -> None:
    assert listed() == []
    deployed(home, "dev", "vpc", "ecr")
    began = time.time()
    saved = save("page-01")
    (found,) = listed()
    assert (found.name, found.resources, found.alive) == ("page-01", 2, True)
    assert began <= found.saved_at <= time.time()
    assert 1e6 < found.memory < 1e9
    assert (saved.checkpoint.name, saved.checkpoint.home, saved.dropped) == ("page-01", found.home, ())
    save("page-02")
    assert [checkpoint.name for checkpoint in listed()] == ["page-01", "page-02"]


def test_restored_the_port_stays_and_open_clients_see_the_other_account(home: Path) -> None:
    s3 = client(home, "s3")
    s3.create_bucket(Bucket="before")
    run = deployed(home, "dev", "before")
    save("start")
    before = emulator.find(home)
    s3.create_bucket(Bucket="after")
    deployed(home, "dev", "before", "after")
    later = deployed(home, "later", "after")
    (run.plans / "1.tfplan").write_text("of the state that is replaced")

    restored = restore("start")
    assert before is not None
    assert restored == emulator.find(home) == emulator.start(home)
    assert (restored.url, restored.restored_from) == (before.url, "start")
    assert restored.instance != before.instance and before.restored_from == ""
    assert ended(before.pid)
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"before", "template"}
    assert (names(run), run.instance, run.deployed_as("before")) == ({"before"}, restored.instance, "digest of before")
    assert (run.path / "terraform.tfstate.backup").read_text() == "before ('before',)"
    assert run.deployed_as("after") == "", "a stamp of the account that is gone"
    assert list(run.plans.iterdir()) == [], "a plan of the account that is gone"
    # An environment that the checkpoint does not have is not deployed in its account.
    assert (names(later), later.instance, later.deployed_as("after")) == (set(), restored.instance, "")
    assert emulator.start_for(run) == (restored, None), "its state is not set aside"
    assert not (home / "restoring").exists()


def test_a_checkpoint_is_restored_any_number_of_times_and_stays_as_it_was(home: Path) -> None:
    create_bucket(home, "saved")
    run = deployed(home, "dev", "saved")
    save("start")
    sleeping = [checkpoint.home for checkpoint in listed()]
    instances = set()
    for turn in range(4):
        instances.add(restore("start").instance)
        assert (buckets(home), names(run)) == ({"saved"}, {"saved"})
        create_bucket(home, f"changed-{turn}")
        client(home, "s3").delete_bucket(Bucket="saved")
        deployed(home, "dev", f"changed-{turn}")
        if turn == 2:
            shutil.rmtree(run.path)
    assert len(instances) == 4
    assert [checkpoint.home for checkpoint in listed()] == sleeping
    assert buckets(sleeping[0]) == {"saved"}


def test_saved_and_restored_in_turns(home: Path) -> None:
    """A checkpoint of a restored account of a checkpoint, and so on."""
    for turn in range(5):
        create_bucket(home, f"turn-{turn}")
        save(f"turn-{turn}")
        create_bucket(home, "thrown-away")
        restore(f"turn-{turn}")
    assert buckets(home) == {f"turn-{turn}" for turn in range(5)}
    restore("turn-1")
    assert buckets(home) == {"turn-0", "turn-1"}


def test_saved_again_it_is_replaced(home: Path) -> None:
    save("start")
    (first,) = listed()
    process = pid(first.home)
    create_bucket(home, "new")
    assert save("start").dropped == ()
    (second,) = listed()
    assert second.home != first.home and not first.home.exists() and ended(process)
    assert buckets(second.home) == {"new"}


def test_dropped_it_is_gone(home: Path) -> None:
    save("one")
    save("two")
    process = pid(listed()[0].home)
    drop("one")
    assert [checkpoint.name for checkpoint in listed()] == ["two"]
    assert ended(process)
    for gone in (drop, restore):
        with pytest.raises(WorkbookError) as raised:
            gone("one")
        assert raised.value.cause == "There is no checkpoint 'one'."
        assert raised.value.next_step == "Checkpoints: two."


def test_a_checkpoint_whose_process_was_killed(home: Path) -> None:
    create_bucket(home, "here")
    save("lost")
    save("kept")
    kill(listed()[0].home)
    assert [(checkpoint.name, checkpoint.alive, checkpoint.memory > 0) for checkpoint in listed()] == [
        ("lost", False, False),
        ("kept", True, True),
    ]
    before = emulator.find(home)
    with pytest.raises(WorkbookError) as raised:
        restore("lost")
    assert raised.value.cause == "The process of checkpoint 'lost' has ended, so its account is lost."
    assert raised.value.next_step == "Checkpoints: kept."
    assert emulator.find(home) == before, "the account that runs is left alone"
    assert save("new").dropped == (), "a dead one is removed without being reported"
    assert [checkpoint.name for checkpoint in listed()] == ["kept", "new"]


def test_without_a_running_account_a_checkpoint_is_restored_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_bucket(home, "saved")
    run = deployed(home, "dev", "saved")
    save("start")
    emulator.stop()
    port = free_port()
    monkeypatch.setenv("WORKBOOK_EMBEDDED_PORT", str(port))
    assert restore("start").url == f"http://127.0.0.1:{port}"
    assert (buckets(home), names(run)) == ({"saved"}, {"saved"})
    kill(home)
    monkeypatch.delenv("WORKBOOK_EMBEDDED_PORT")
    restored = restore("start")
    assert (buckets(home), names(run), run.instance) == ({"saved"}, {"saved"}, restored.instance)


def test_a_port_that_stays_taken_is_not_waited_for_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "impatient"
    with server(home, "server.PORT_SECONDS = 0.3"), socket.create_server(("127.0.0.1", free_port())) as in_the_way:
        create_bucket(home, "saved")
        save("start", home)
        emulator.stop(home)
        port = str(in_the_way.getsockname()[1])
        monkeypatch.setenv("WORKBOOK_EMBEDDED_PORT", port)
        restored = restore("start", home)
        assert not restored.url.endswith(f":{port}")
        assert buckets(home) == {"saved"}


def test_saved_without_a_running_account_it_is_an_empty_one(home: Path) -> None:
    run = deployed(home, "dev", "lost")
    emulator.stop()
    saved = save("empty")
    assert saved.checkpoint.resources == 0, "the state of the lost account is not part of it"
    assert names(run) == {"lost"}
    restored = restore("empty")
    assert (names(run), run.instance) == (set(), restored.instance)


def test_two_kernels_that_restore_at_once_agree(home: Path) -> None:
    for name in ("one", "two"):
        create_bucket(home, name)
        deployed(home, "dev", name)
        save(name)
    code = "import sys; from workbook.emulator import branches; print(branches.restore(sys.argv[1]).instance)"
    both = [
        subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two") * 3
    ]
    instances = [each.communicate(timeout=120)[0].strip() for each in both]
    found = emulator.find(home)
    run = RunDirectory(home, "dev", EMBEDDED)
    assert found is not None and found.instance == run.instance and found.instance in instances
    assert len(set(instances)) == 6
    assert buckets(home) == {"one": {"one"}, "two": {"one", "two"}}[found.restored_from]
    assert names(run) == {found.restored_from}


# ── limits ──


def test_beyond_the_memory_the_oldest_is_dropped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        save(name)
    processes = [pid(checkpoint.home) for checkpoint in listed()]
    together = sum(checkpoint.memory for checkpoint in listed()) // 10**6
    monkeypatch.setenv(branches.MEMORY_VARIABLE, str(together * 10))
    assert save("four").dropped == ()
    monkeypatch.setenv(branches.MEMORY_VARIABLE, "1")
    saved = save("five")
    assert saved.dropped == ("one", "two", "three", "four"), "oldest first, and never the new one"
    assert [checkpoint.name for checkpoint in listed()] == ["five"]
    assert all(ended(process) for process in processes)
    monkeypatch.setenv(branches.MEMORY_VARIABLE, "much")
    with pytest.raises(WorkbookError, match="WORKBOOK_CHECKPOINT_MEMORY is 'much', which is not a number of megabytes"):
        save("six")


def test_beyond_the_number_the_oldest_is_dropped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "MOST", 3)
    dropped = [save(f"{number}").dropped for number in range(5)]
    assert dropped == [(), (), (), ("0",), ("1",)]
    assert [checkpoint.name for checkpoint in listed()] == ["2", "3", "4"]


# ── while Terraform works ──


@contextmanager
def held_by_another_process(run: RunDirectory) -> Iterator[None]:
    code = (
        "import sys; from pathlib import Path; from workbook.host.run_directory import RunDirectory\n"
        "with RunDirectory(Path(sys.argv[1]), sys.argv[2], 'embedded').applying(): print('holds', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(run.home), run.environment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "holds\n"
        yield
    finally:
        holder.kill()
        holder.wait(timeout=10)


def refused(home: Path) -> None:
    """Everything that copies or replaces account and state is refused, and leaves both as they are."""
    before = (emulator.find(home), sorted(checkpoint.home for checkpoint in listed(home)))
    with pytest.raises(WorkbookError, match="Terraform is working on dev right now"):
        save("during", home)
    with pytest.raises(WorkbookError, match="Terraform is working on dev right now"):
        restore("before", home)
    with pytest.raises(WorkbookError, match="Terraform is working on dev right now"), branch(home):
        pytest.fail("branched")
    with pytest.raises(WorkbookError, match="Terraform is working on dev right now"):
        fork(home / "elsewhere", home)
    assert before == (emulator.find(home), sorted(checkpoint.home for checkpoint in listed(home)))
    assert not (home / "restoring").exists() and not (home / "elsewhere").exists()
    assert [path.name for path in (home / "checkpoints").iterdir()] == [before[1][0].name]
    assert list((home / "branches").glob("*")) == []


def test_during_an_apply_of_another_process_everything_is_refused(home: Path) -> None:
    run = deployed(home, "dev", "vpc")
    save("before")
    with held_by_another_process(run):
        assert run.busy()
        refused(home)
    assert not run.busy(), "the holder was killed, and its lock with it"
    save("after")


def test_during_an_apply_of_an_environment_without_a_state_everything_is_refused(home: Path) -> None:
    save("before")
    with held_by_another_process(RunDirectory(home, "dev", EMBEDDED)):
        refused(home)


@pytest.fixture
def terraform(home: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a real Terraform on a root that waits for a file, with the state of dev. It needs no provider download."""
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("no terraform on the PATH")
    root = tmp_path / "root"
    root.mkdir()
    run = deployed(home, "dev")
    run.state.unlink()
    (root / "main.tf").write_text(
        'terraform {\n  backend "local" {}\n}\n'
        'resource "terraform_data" "slow" {\n  provisioner "local-exec" {\n'
        '    command = "touch started; while ! [ -e go ]; do sleep 0.05; done"\n  }\n}\n'
    )
    environ = {**os.environ, "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    subprocess.run(
        [binary, "init", f"-backend-config=path={run.state}"],
        cwd=root,
        env=environ,
        check=True,
        capture_output=True,
        timeout=120,
    )

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [binary, *arguments, "-no-color"],
            cwd=root,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def test_terraforms_own_lock_is_seen_and_respected(
    home: Path, tmp_path: Path, terraform: Callable[..., subprocess.Popen[str]]
) -> None:
    """Nobody watches this apply, as after an interrupt: only Terraform itself holds something."""
    root, run = tmp_path / "root", RunDirectory(home, "dev", EMBEDDED)
    save("before")
    detached = terraform("apply", "-auto-approve")
    until(lambda: (root / "started").exists(), "the apply runs")
    refused(home)
    (root / "go").touch()
    output = detached.communicate(timeout=120)[0]
    assert detached.returncode == 0, output
    assert names(run) == {"slow"}
    save("after")
    with run.at_rest():
        refusal = terraform("plan", "-lock-timeout=0s").communicate(timeout=120)[0]
        assert "Error acquiring the state lock" in refusal
        waiting = terraform("plan", "-lock-timeout=60s")
        time.sleep(2)
        assert waiting.poll() is None
    output = waiting.communicate(timeout=120)[0]
    assert waiting.returncode == 0 and "No changes" in output, output


# ── killed ──


def in_another_process(code: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-c", code, *arguments], timeout=120, check=False).returncode


RESTORE_AND_DIE = """
import linecache, os, sys
from pathlib import Path
from workbook.emulator import branches, restoring
from workbook.host import run_directory

left = 0

def step():
    global left
    left -= 1
    if left == 0:
        os._exit(9)

def audit(event, arguments):
    written = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if written or event in ("os.kill", "os.mkdir", "os.remove", "os.rename", "os.rmdir"):
        step()

def trace(frame, event, argument):
    place = frame.f_code.co_filename, frame.f_code.co_name
    if place not in ((restoring.__file__, "finish"), (run_directory.__file__, "become")):
        return None
    # Between these lines of `become`, the state is half written. The rest of it is seen by `audit`.
    half = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip().startswith("file.")
    if event == "line" and (place[1] == "finish" or half):
        step()
    return trace

for line in sys.stdin:
    number, home = line.split()
    # A process of its own for each, without the time that Python takes to start.
    if (child := os.fork()) == 0:
        left = int(number)
        sys.settrace(trace)
        sys.addaudithook(audit)
        branches.restore("saved", Path(home))
        os._exit(0)
    print({0: "done", 9: "killed"}[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])], flush=True)
"""


def test_a_restore_killed_at_any_step_leaves_account_and_state_in_agreement(home: Path, tmp_path: Path) -> None:
    """The process dies before every change it makes, and before every line that carries a restore to its end."""
    create_bucket(home, "saved")
    deployed(home, "dev", "saved")
    save("saved")
    (checkpoint,) = listed()
    create_bucket(home, "unsaved")
    deployed(home, "dev", "unsaved", "more")
    deployed(home, "new", "unsaved")
    in_the_account = {"saved": {"saved"}, "": {"saved", "unsaved"}}
    in_the_states = {"saved": {"dev": {"saved"}, "new": set()}, "": {"dev": {"unsaved", "more"}, "new": {"unsaved"}}}

    def killed_at(step: int) -> tuple[str, str]:
        """Restore in a copy of all this, killed before a step.

        Returns
        -------
        "killed", or "done" if there are fewer steps; and the name of the checkpoint that the account comes from.
        """
        copy = tmp_path / f"killed-at-{step}"
        fork(copy, home)
        sleeping = copy / "checkpoints" / "saved.0"
        fork(sleeping, checkpoint.home)
        shutil.copy(checkpoint.home / "checkpoint.json", sleeping)
        old = emulator.find(copy)
        assert old is not None
        try:
            print(step, copy, file=restorer.stdin, flush=True)
            said = restorer.stdout.readline().strip()
            found = emulator.find(copy)
            for run in RunDirectory.all(copy, EMBEDDED):
                if found is not None and run.instance == found.instance:
                    assert names(run) == in_the_states[found.restored_from][run.environment], "before any repair"
            account, aside = emulator.start_for(RunDirectory(copy, "dev", EMBEDDED))
            assert aside is None, "nothing is lost: it is carried to its end or taken back"
            which = account.restored_from
            assert account.url == old.url
            assert ended(old.pid) == bool(which)
            assert buckets(copy) == in_the_account[which]
            runs = RunDirectory.all(copy, EMBEDDED)
            assert {run.environment: names(run) for run in runs} == in_the_states[which]
            assert {run.instance for run in runs} == {account.instance}
            for run in runs:
                assert {stamp.name for stamp in (run.path / "deployed").glob("*")} == names(run)
            assert not (copy / "restoring").exists()
            return said, which
        finally:
            stop_all(copy)

    restorer = subprocess.Popen(
        [sys.executable, "-c", RESTORE_AND_DIE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        after = []
        while (outcome := killed_at(len(after) + 1))[0] == "killed":
            after.append(outcome[1])
    finally:
        restorer.kill()
        restorer.wait(timeout=10)
    assert outcome == ("done", "saved")
    assert len(after) > 60
    switched = after.index("saved")
    assert switched > 0 and set(after[:switched]) == {""} and set(after[switched:]) == {"saved"}


@pytest.mark.parametrize("moved", [False, True])
def test_the_new_account_itself_is_killed_in_the_middle_of_a_restore(home: Path, moved: bool) -> None:
    create_bucket(home, "saved")
    run = deployed(home, "dev", "saved")
    save("saved")
    create_bucket(home, "unsaved")
    deployed(home, "dev", "unsaved")
    code = (
        "import os, signal, sys; from workbook.emulator import branches, running, find\n"
        "move = running.move\n"
        "def killed(staging, home, port, name):\n"
        "    process = find(staging).pid\n"
        "    if sys.argv[1] == 'True': move(staging, home, port, name)\n"
        "    os.kill(process, signal.SIGKILL); os._exit(9)\n"
        "running.move = killed\n"
        "branches.restore('saved')"
    )
    assert in_another_process(code, str(moved)) == 9
    until(lambda: emulator.find(home) is None, "it is killed")
    account, aside = emulator.start_for(run)
    assert account.restored_from == "" and buckets(home) == set(), "neither account is there any more"
    assert aside is not None and not run.state.exists() and run.deployed_as("unsaved") == ""
    assert not (home / "restoring").exists()
    restore("saved")
    assert (buckets(home), names(run)) == ({"saved"}, {"saved"})


def test_a_save_that_is_killed_leaves_the_old_checkpoint(home: Path) -> None:
    create_bucket(home, "saved")
    save("start")
    create_bucket(home, "unsaved")
    code = (
        "import os; from workbook.emulator import branches\n"
        "branches._enter = lambda *_: os._exit(9)\n"
        "branches.save('start')"
    )
    assert in_another_process(code) == 9
    (kept,) = listed()
    assert buckets(kept.home) == {"saved"}
    (rest,) = [path for path in (home / "checkpoints").iterdir() if path != kept.home]
    process = pid(rest)
    save("another")
    assert not rest.exists() and ended(process)
    assert {checkpoint.name for checkpoint in listed()} == {"start", "another"}


def test_the_branch_of_a_process_that_was_killed_is_removed_by_the_next(home: Path) -> None:
    code = "from workbook.emulator.branches import branch\nwith branch() as home: print(home, flush=True); input()"
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    left = Path(owner.stdout.readline().strip())
    process = pid(left)
    assert (left / "owner.pid").read_text() == str(owner.pid)
    with branch(home):
        assert pid(left) == process, "its owner lives"
    owner.kill()
    owner.wait(timeout=10)
    assert pid(left) == process, "nothing has removed it yet"
    with branch(home):
        assert not left.exists() and ended(process)


def test_a_branch_ends_with_its_block_however_that_ends(home: Path) -> None:
    with pytest.raises(RuntimeError, match="the body"), branch(home) as copy:
        process = pid(copy)
        raise RuntimeError("the body")
    assert not copy.exists() and ended(process)
    with branch(home) as copy:
        kill(copy)
    assert not copy.exists()
    with branch(home) as copy:
        stop_all(copy)
        shutil.rmtree(copy)
    assert emulator.find(home) is not None


def test_nothing_is_left(home: Path) -> None:
    deployed(home, "dev", "vpc")
    save("one")
    save("two")
    restore("one")
    with ExitStack() as opened:
        copies = [opened.enter_context(branch(home)) for _ in range(2)]
        save("in-a-branch", copies[0])
        homes = [home, *copies, *(c.home for c in listed(home)), *(c.home for c in listed(copies[0]))]
        processes = [pid(each) for each in homes]
        assert len(set(processes)) == 6
        assert stop_all(home) == 6
        assert all(ended(process) for process in processes)
        assert {path.name for path in home.iterdir()} == {"embedded", "dev-embedded"}
        assert {path.name for path in emulator_dir(home).iterdir()} == {"emulator.log", "start.lock"}
        assert stop_all(home) == 0
    shown = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, timeout=10, check=True)
    alive = {int(each) for each in shown.stdout.split() if not ended(int(each))} if shown.stdout else set()
    assert not alive & set(processes)
    assert stop_all(home / "not-there") == 0


def test_a_copy_ends_by_itself_when_its_directory_is_removed(home: Path, tmp_path: Path) -> None:
    """And only then: not because the account that it was copied from ended."""
    other = tmp_path / "quick"
    with server(other, "server.WATCH_SECONDS = 0.1") as original:
        save("kept", other)
        fork(other / "removed", other)
        kept, removed = pid(listed(other)[0].home), pid(other / "removed")
        emulator.stop(other)
        original.wait(timeout=60)
        time.sleep(1)
        assert not ended(kept) and not ended(removed)
        shutil.rmtree(other / "removed")
        until(lambda: ended(removed), "the copy without a home has ended")
        assert not ended(kept)
        drop("kept", other)
        assert ended(kept)


@contextmanager
def server(home: Path, change: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that runs with something changed in it."""
    emulator_dir(home).mkdir(parents=True)
    imports = "import os, sys\nfrom workbook.emulator import server\nfrom workbook.host import ports\n"
    code = f"{imports}{change}\nserver.main(sys.argv[1:])"
    started = subprocess.Popen(
        [sys.executable, "-c", code, "--instance", os.urandom(8).hex()],
        env={**os.environ, "WORKBOOK_HOME": str(home)},
        stdout=(home / "log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        until(lambda: emulator.find(home) is not None, "the server answers")
        yield started
    finally:
        stop_all(home)
        started.kill()
        started.wait(timeout=10)


# ── not available ──

NO_FORK = "def refuse(): raise BlockingIOError(11, 'Resource temporarily unavailable')\nos.fork = refuse"
NO_PORT = (
    "bind, calls = ports.bind, []\n"
    "def once(port=0):\n"
    "    calls.append(port)\n"
    "    if len(calls) > 1: raise OSError(98, 'No port is free')\n"
    "    return bind(port)\n"
    "ports.bind = once"
)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (NO_FORK, "Resource temporarily unavailable"),
        ("del os.fork", "this system has no fork"),
        (NO_PORT, "No port is free"),
    ],
    ids=["refused", "none", "ended"],
)
def test_where_a_process_cannot_be_copied_one_sentence_says_so(tmp_path: Path, change: str, detail: str) -> None:
    home = tmp_path / "home"
    with server(home, change):
        before = emulator.find(home)
        for attempt in (lambda: save("a", home), lambda: branch(home).__enter__(), lambda: fork(home / "b", home)):
            with pytest.raises(emulator.BranchingUnavailable) as raised:
                attempt()
            assert raised.value.cause.startswith("Checkpoints are not available here")
            assert raised.value.cause.count(".") == 1
            assert raised.value.next_step == "Deploy instead."
            assert detail in raised.value.detail
        assert emulator.find(home) == before
        create_bucket(home, "goes-on")
        assert buckets(home) == {"goes-on"}
        for part in ("checkpoints", "branches"):
            assert list((home / part).glob("*")) == []


@pytest.mark.parametrize("path", [running.COPY_PATH, running.MOVE_PATH])
@pytest.mark.parametrize("secret", ["", "wrong", "instance"])
def test_a_request_without_the_secret_of_the_record_is_refused(home: Path, path: str, secret: str) -> None:
    """What a web page can send (no header of its own) and what it can find out (the instance) is not enough."""
    account = emulator.find(home)
    assert account is not None
    body = json.dumps({"home": str(home / "stolen"), "instance": "stolen", "port": 0, "restored_from": ""})
    headers = {running.SECRET_HEADER: account.instance if secret == "instance" else secret} if secret else {}
    for method in ("POST", "GET", "PUT"):
        connection = http.client.HTTPConnection("127.0.0.1", int(account.url.rsplit(":", 1)[1]), timeout=60)
        connection.request(method, path, body, headers)
        assert connection.getresponse().status == 403
        connection.close()
    assert not (home / "stolen").exists()
    assert emulator.find(home) == account
    record = running.record_file(home)
    assert record.stat().st_mode & 0o077 == 0, "only this person reads the secret"


def test_a_copy_needs_a_place_and_an_original(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbookError, match=re.escape(f"Cannot write to {tmp_path / 'file'}")):
        fork(tmp_path / "file", home)
    with pytest.raises(WorkbookError, match="already running"):
        fork(home, home)
    emulator.stop(home)
    with pytest.raises(WorkbookError, match="No embedded AWS is running here"):
        fork(tmp_path / "copy", home)
