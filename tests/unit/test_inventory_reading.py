"""Reading AWS: concurrency, pages, denied calls, dead endpoints, call counts. AWS is local moto or canned replies."""

from __future__ import annotations

import copy
import functools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ProfileNotFound
from moto import mock_aws

from workbook.errors import WorkbookError
from workbook.host.ports import free_port
from workbook.inventory import TABLES, Inventory, Scope, read_inventory
from workbook.layers import BY_KEY
from workbook.target import Target

SCOPE = Scope("alloy-test-shop", "us-east-1", "us-west-2")
Answer = Callable[[str, str, dict[str, Any]], dict[str, Any] | None]


@functools.cache
def shared(service: str, region: str) -> Any:
    """A client shared by the whole module, since creating one takes longer than most tests."""
    config = Config(retries={"max_attempts": 1})
    return boto3.client(
        service, region_name=region, config=config, aws_access_key_id="test", aws_secret_access_key="test"
    )


def moto(service: str) -> Any:
    return shared(service, SCOPE.region)


def client_of(service: str, region: str | None) -> Any:
    """A copy of a shared client with its own event handlers."""
    original = shared(service, region or SCOPE.region)
    client = object.__new__(type(original))
    client.__dict__.update(original.__dict__)
    client.meta = copy.copy(original.meta)
    client.meta.events = copy.copy(client.meta.events)
    return client


class Factory:
    """A client factory that records every call and answers those for which `answer` has a reply."""

    def __init__(self, answer: Answer = lambda service, operation, params: None) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.created: list[tuple[str, str | None]] = []
        self._answer = answer

    def client(self, service: str, region: str | None = None) -> Any:
        self.created.append((service, region))
        client = client_of(service, region)
        given: dict[int, dict[str, Any]] = {}

        def remember(params: dict[str, Any], **_: Any) -> None:
            given[threading.get_ident()] = dict(params)

        def note(model: Any, **_: Any) -> Any:
            params = given[threading.get_ident()]
            self.calls.append((service, model.name, f"{region} {json.dumps(params, sort_keys=True)}"))
            answer = self._answer(service, model.name, params)
            return None if answer is None else (AWSResponse("", 200, HTTPHeaders(), None), answer)

        client.meta.events.register("provide-client-params", remember)
        client.meta.events.register("before-call", note)
        return client

    def count(self) -> dict[str, int]:
        operations = [f"{service}:{operation}" for service, operation, _ in self.calls]
        return {operation: operations.count(operation) for operation in sorted(set(operations))}


def refuse(*operations: str, code: str = "AccessDenied") -> Answer:
    def answer(service: str, operation: str, params: dict[str, Any]) -> None:
        if f"{service}:{operation}" in operations:
            raise ClientError({"Error": {"Code": code, "Message": f"not allowed to {operation}"}}, operation)

    return answer


def same(left: Inventory, right: Inventory) -> bool:
    return json.loads(left.to_json())["tables"] == json.loads(right.to_json())["tables"]


def named(name: str, kind: str) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]}


def deploy(size: int, prefix: str = SCOPE.prefix) -> None:
    """A small environment on moto: `size` of everything that can occur more than once."""
    ec2 = moto("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **named(f"{prefix}-vpc", "vpc"))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway(**named(f"{prefix}-igw", "internet-gateway"))["InternetGateway"][
        "InternetGatewayId"
    ]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    public = ec2.create_route_table(VpcId=vpc, **named(f"{prefix}-public", "route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    group = ec2.create_security_group(GroupName=f"{prefix}-alb", Description="alb", VpcId=vpc)["GroupId"]
    for n in range(size):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", **named(f"{prefix}-subnet-{n}", "subnet"))[
            "Subnet"
        ]["SubnetId"]
        if n == 0:
            ec2.associate_route_table(RouteTableId=public, SubnetId=subnet)
        task = ec2.create_security_group(GroupName=f"{prefix}-task-{n}", Description="task", VpcId=vpc)["GroupId"]
        from_alb = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": group}]}
        ec2.authorize_security_group_ingress(GroupId=task, IpPermissions=[from_alb])

    iam = moto("iam")
    allow = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
    )
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
                }
            ],
        }
    )
    boundary = iam.create_policy(PolicyName=f"{prefix}-boundary", PolicyDocument=allow)["Policy"]["Arn"]
    for n in range(size):
        iam.create_role(RoleName=f"{prefix}-role-{n}", AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)
        iam.put_role_policy(RoleName=f"{prefix}-role-{n}", PolicyName="list", PolicyDocument=allow)
        policy = iam.create_policy(PolicyName=f"{prefix}-policy-{n}", PolicyDocument=allow)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=f"{prefix}-role-{n}", PolicyArn=policy)

    logs = moto("logs")
    for n in range(size):
        logs.create_log_group(logGroupName=f"/ecs/{prefix}-{n}")

    ecs = moto("ecs")
    ecs.create_cluster(clusterName=f"{prefix}-cluster")
    ecs.register_task_definition(
        family=f"{prefix}-app", containerDefinitions=[{"name": "app", "image": "public.ecr.aws/x:1", "memory": 64}]
    )
    for n in range(size):
        ecs.create_service(
            cluster=f"{prefix}-cluster", serviceName=f"{prefix}-app-{n}", taskDefinition=f"{prefix}-app", desiredCount=1
        )

    s3 = moto("s3")
    s3.create_bucket(Bucket=f"{prefix}-data")
    s3.create_bucket(Bucket=f"{prefix}-replica", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_versioning(Bucket=f"{prefix}-data", VersioningConfiguration={"Status": "Enabled"})


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield


@pytest.mark.slow
def test_reads_what_is_there() -> None:
    deploy(2)
    inventory = read_inventory(Factory().client, SCOPE)
    assert inventory.problems.empty
    subnets = {row.name: row for row in inventory.rows("subnets")}
    assert {name: row.tier for name, row in subnets.items()} == {
        "alloy-test-shop-subnet-0": "public",
        "alloy-test-shop-subnet-1": "private",
    }
    assert subnets["alloy-test-shop-subnet-0"].route_table == "alloy-test-shop-public"
    assert subnets["alloy-test-shop-subnet-1"].route_table == "main"
    rule = next(
        r
        for r in inventory.rows("security_group_rules")
        if r.security_group == "alloy-test-shop-task-1" and r.direction == "ingress"
    )
    assert (rule.peer, rule.peer_type, rule.ports) == ("alloy-test-shop-alb", "security_group", "8080")
    role = inventory.rows("roles")[1]
    assert role.name == "alloy-test-shop-role-1"
    assert role.trusted == ["Service: ecs-tasks.amazonaws.com"]
    assert role.trust_conditions == ["aws:SourceAccount StringEquals 123456789012"]
    assert role.boundary == "alloy-test-shop-boundary"
    assert role.attached_policies == ["alloy-test-shop-policy-1"]
    assert role.inline_policies == ["list"]
    buckets = {row.name: row for row in inventory.rows("buckets")}
    assert [(b.region, b.versioning) for b in buckets.values()] == [("us-east-1", "Enabled"), ("us-west-2", "")]
    assert [row.name for row in inventory.rows("log_groups")] == [
        "/ecs/alloy-test-shop-0",
        "/ecs/alloy-test-shop-1",
    ]


@pytest.mark.slow
def test_another_environment_is_not_read() -> None:
    deploy(1)
    before = read_inventory(Factory().client, SCOPE)
    deploy(1, prefix="alloy-test-shop2")
    assert same(before, read_inventory(Factory().client, SCOPE))


def test_nothing_deployed_is_empty_tables_and_no_problem() -> None:
    inventory = read_inventory(Factory().client, SCOPE)
    assert inventory.problems.empty
    assert {name: len(inventory[name]) for name in TABLES} == dict.fromkeys(TABLES, 0)


def test_one_after_the_other_gives_the_same_as_all_at_once() -> None:
    deploy(3)
    concurrent, sequential = Factory(), Factory()
    assert same(read_inventory(concurrent.client, SCOPE), read_inventory(sequential.client, SCOPE, workers=1))
    assert sorted(concurrent.calls) == sorted(sequential.calls)


def test_one_worker_makes_one_call_at_a_time() -> None:
    deploy(2)
    assert busiest(workers=1) == 1
    assert busiest(workers=16) > 4


def busiest(workers: int) -> int:
    """The largest number of calls in flight at once."""
    running, most, lock = 0, 0, threading.Lock()

    def create(service: str, region: str | None = None) -> Any:
        client = client_of(service, region)

        def enter(**_: Any) -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.01)

        def leave(**_: Any) -> None:
            nonlocal running
            with lock:
                running -= 1

        client.meta.events.register("before-call", enter)
        client.meta.events.register("after-call", leave)
        client.meta.events.register("after-call-error", leave)
        return client

    read_inventory(create, SCOPE, workers=workers)
    return most


# ── number of calls ──

PER_BUCKET = {
    "GetBucketLocation", "GetBucketEncryption", "GetBucketVersioning", "GetBucketOwnershipControls", "GetPublicAccessBlock",
    "GetBucketLogging", "GetBucketLifecycleConfiguration", "GetBucketReplication", "GetBucketPolicy", "GetBucketTagging",
}  # fmt: skip


def test_more_rows_do_not_make_more_calls() -> None:
    deploy(2)
    few = Factory()
    read_inventory(few.client, SCOPE)
    deploy_more = 8
    ec2 = moto("ec2")
    vpc = read_inventory(Factory().client, SCOPE, ["vpc"]).rows("vpcs")[0].vpc_id
    for n in range(100, 100 + deploy_more):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")
        ec2.create_security_group(GroupName=f"more-{n}", Description="more", VpcId=vpc)
        moto("iam").create_role(RoleName=f"{SCOPE.prefix}-more-{n}", AssumeRolePolicyDocument="{}")
        moto("logs").create_log_group(logGroupName=f"/ecs/{SCOPE.prefix}-more-{n}")
    many = Factory()
    inventory = read_inventory(many.client, SCOPE)
    assert len(inventory["subnets"]) == len(inventory["roles"]) == 2 + deploy_more
    assert many.count() == few.count()


def test_no_call_is_made_twice() -> None:
    deploy(2)
    factory = Factory()
    read_inventory(factory.client, SCOPE)
    assert len(factory.calls) == len(set(factory.calls))


def test_only_what_has_no_batch_call_is_asked_for_one_by_one() -> None:
    deploy(3)
    factory = Factory()
    read_inventory(factory.client, SCOPE)
    repeated = {operation.split(":")[1] for operation, calls in factory.count().items() if calls > 1}
    assert repeated == PER_BUCKET | {"DescribeVpcAttribute"}


def test_services_are_described_ten_at_a_time() -> None:
    deploy(23)
    factory = Factory()
    assert len(read_inventory(factory.client, SCOPE, ["ecs"])["services"]) == 23
    assert factory.count()["ecs:DescribeServices"] == 3


def test_each_client_is_created_once() -> None:
    factory = Factory()
    read_inventory(factory.client, SCOPE)
    assert len(factory.created) == len(set(factory.created))


def test_only_the_layers_asked_for_are_read() -> None:
    deploy(1)
    factory = Factory()
    inventory = read_inventory(factory.client, SCOPE, ["s3"])
    assert {service for service, _, _ in factory.calls} == {"s3"}
    assert list(inventory) == [name for name, table in TABLES.items() if table.layer == "s3"]
    with pytest.raises(WorkbookError, match="belongs to the layer iam"):
        inventory["roles"]
    with pytest.raises(WorkbookError, match="no layer named 'lambda'"):
        read_inventory(factory.client, SCOPE, ["lambda"])


def test_progress_ends_with_every_call_done() -> None:
    deploy(1)
    seen: list[tuple[int, int, str]] = []
    factory = Factory()
    read_inventory(factory.client, SCOPE, progress=lambda *step: seen.append(step))
    done, known, _ = seen[-1]
    assert done == known == len(factory.calls)
    assert [step[0] for step in seen] == sorted(step[0] for step in seen)


# ── pages ──


def test_every_page_is_read() -> None:
    def pages(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if operation == "DescribeRepositories":
            page = int(params.get("nextToken", 0))
            repository = {"repositoryName": f"{SCOPE.prefix}-{page}", "repositoryUri": "uri", "repositoryArn": "arn"}
            return {"repositories": [repository], **({"nextToken": str(page + 1)} if page < 2 else {})}
        if operation == "ListImages":
            page = int(params.get("nextToken", 0))
            return {"imageIds": [{"imageDigest": f"sha256:{page}"}], **({"nextToken": "1"} if page == 0 else {})}
        return {}

    inventory = read_inventory(Factory(pages).client, SCOPE, ["ecr"])
    assert [(r.name, r.images) for r in inventory.rows("repositories")] == [
        (f"{SCOPE.prefix}-{n}", 2) for n in range(3)
    ]


def test_both_lists_of_a_paged_answer_are_joined() -> None:
    def pages(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any] | None:
        if operation != "GetAccountAuthorizationDetails":
            return {}
        role = {"RoleName": f"{SCOPE.prefix}-{params.get('Marker', 'a')}", "Arn": "arn:aws:iam::1:role/r", "Path": "/"}
        policy = {"Arn": f"arn:aws:iam::1:policy/{SCOPE.prefix}-{params.get('Marker', 'a')}", "PolicyVersionList": []}
        more = {"IsTruncated": True, "Marker": "b"} if "Marker" not in params else {"IsTruncated": False}
        return {"RoleDetailList": [role], "Policies": [policy], **more}

    inventory = read_inventory(Factory(pages).client, SCOPE, ["iam"])
    assert list(inventory["roles"]["name"]) == [f"{SCOPE.prefix}-a", f"{SCOPE.prefix}-b"]
    assert list(inventory["policies"]["name"]) == [f"{SCOPE.prefix}-a", f"{SCOPE.prefix}-b"]


# ── denied calls ──


def test_a_refused_call_is_a_problem_and_leaves_the_rest() -> None:
    deploy(2)
    whole = read_inventory(Factory().client, SCOPE)
    inventory = read_inventory(Factory(refuse("ec2:DescribeNetworkAcls")).client, SCOPE)
    assert set(inventory.problems["table"]) == {"nacl_entries", "subnets"}
    assert set(inventory.problems["call"]) == {"ec2 describe_network_acls"}
    assert set(inventory.problems["error"]) == {"AccessDenied: not allowed to DescribeNetworkAcls"}
    assert inventory["nacl_entries"].empty
    assert [row.network_acl for row in inventory.rows("subnets")] == [None, None]
    untouched = [name for name in TABLES if name not in ("nacl_entries", "subnets")]
    assert [inventory.rows(name) for name in untouched] == [whole.rows(name) for name in untouched]


def test_an_unread_setting_is_none_and_an_unset_one_is_empty() -> None:
    deploy(1)
    inventory = read_inventory(Factory(refuse("s3:GetBucketEncryption", "s3:GetBucketPolicy")).client, SCOPE, ["s3"])
    row = inventory.rows("buckets")[0]
    assert (row.encryption, row.kms_key, row.policy_statements) == (None, None, None)
    assert (row.logging_bucket, row.lifecycle_rules, row.block_public_acls) == ("", 0, False)
    assert set(inventory.problems["table"]) == {"buckets", "bucket_policy_statements"}
    assert "s3 get_bucket_policy alloy-test-shop-data" in set(inventory.problems["call"])


@pytest.mark.parametrize("layer", BY_KEY)
def test_an_account_that_allows_nothing_gives_empty_tables_that_say_so(layer: str) -> None:
    deploy(1)

    def nothing(service: str, operation: str, params: dict[str, Any]) -> None:
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}, operation)

    inventory = read_inventory(Factory(nothing).client, SCOPE, [layer])
    assert all(inventory[name].empty for name in inventory)
    assert set(inventory.problems["table"]) == set(inventory)


ANY_ONE = [
    "ec2:DescribeVpcAttribute", "ec2:DescribeSecurityGroupRules", "ec2:DescribeRouteTables", "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups", "iam:ListRoles", "iam:GetAccountAuthorizationDetails", "s3:ListBuckets", "s3:GetBucketLocation",
    "s3:GetPublicAccessBlock", "s3:GetBucketReplication", "ecs:ListServices", "ecs:DescribeServices", "ecs:DescribeTaskDefinition",
    "ecs:DescribeClusters", "logs:DescribeLogGroups",
]  # fmt: skip


@pytest.mark.slow
def test_any_one_call_may_be_refused() -> None:
    deploy(1)
    layer_of = {"ec2": "vpc", "iam": "iam", "s3": "s3", "ecs": "ecs", "logs": "ecs"}
    for operation in ANY_ONE:
        inventory = read_inventory(Factory(refuse(operation)).client, SCOPE, [layer_of[operation.split(":")[0]]])
        assert {error.split(" ")[-1] for error in inventory.problems["error"]} == {operation.split(":")[1]}
        assert set(inventory.problems["table"]) <= set(TABLES)
        assert Inventory.from_json(inventory.to_json()).to_json() == inventory.to_json()


def test_refused_credentials_are_one_error() -> None:
    with pytest.raises(WorkbookError, match="AWS rejected these credentials"):
        read_inventory(Factory(refuse("iam:ListRoles", code="ExpiredToken")).client, SCOPE)


def test_a_profile_that_does_not_exist_is_one_error() -> None:
    def client(service: str, region: str | None = None) -> Any:
        raise ProfileNotFound(profile="nobody")

    with pytest.raises(WorkbookError, match=r"profile \(nobody\) could not be found"):
        read_inventory(client, SCOPE)


# ── endpoints that do not answer ──


def at(port: int) -> Callable[..., Any]:
    return Target("endpoint", SCOPE.region, f"http://127.0.0.1:{port}").client


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server


def test_a_dead_endpoint_is_one_error_and_quick(
    listener: socket.socket, capfd: pytest.CaptureFixture[str], within: Callable[..., None]
) -> None:
    port = listener.getsockname()[1]
    listener.close()
    client = at(port)
    with pytest.raises(WorkbookError, match="AWS is not responding") as caught:
        read_inventory(client, SCOPE)
    assert str(port) in caught.value.cause
    assert "then read again" in caught.value.next_step

    # Again, with the session's data already loaded, to time only the answer.
    def read() -> float:
        began = time.monotonic()
        with pytest.raises(WorkbookError, match="AWS is not responding"):
            read_inventory(client, SCOPE)
        return time.monotonic() - began

    within(2, read)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_an_endpoint_that_never_answers_ends_at_the_time_limit(
    listener: socket.socket, capfd: pytest.CaptureFixture[str], within: Callable[..., None]
) -> None:
    def read() -> float:
        began = time.monotonic()
        with pytest.raises(WorkbookError, match="took longer than 1 seconds"):
            read_inventory(at(listener.getsockname()[1]), SCOPE, timeout=1)
        return time.monotonic() - began

    within(5, read)
    listener.close()
    assert capfd.readouterr().err == ""
