"""Each patch of the embedded AWS: plain moto still has the gap, and the patched server does not.

A probe makes the same calls against both servers and returns what it saw. If a test fails on its first assertion, moto
no longer needs the patch: delete the patch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from workbook import emulator
from workbook.drills import push_image
from workbook.emulator.patches import by_service
from workbook.emulator.patches.s3_bucket_policy import Caller, decision
from workbook.emulator.server import SETTINGS
from workbook.host.ports import free_port

Client = Callable[..., Any]
ACCOUNT = "123456789012"
CALLER = f"arn:aws:sts::{ACCOUNT}:user/moto"


def factory(url: str) -> Client:
    """`client(service, region=..., credentials=...)` for one server, without retries: the first answer counts."""

    def client(service: str, region: str = "us-east-1", credentials: dict[str, str] | None = None) -> Any:
        keys = credentials or {"AccessKeyId": "embedded", "SecretAccessKey": "embedded", "SessionToken": None}
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(
                retries={"total_max_attempts": 1}, read_timeout=200, s3={"addressing_style": "path"}, proxies={}
            ),
        )

    client.url = url  # type: ignore[attr-defined]
    return client


@pytest.fixture(scope="module")
def moto() -> Iterator[Client]:
    """Plain moto's server, with the settings of the embedded AWS but none of its patches."""
    port = free_port()
    environ = {**os.environ, **SETTINGS}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/data.json", timeout=10).close()
                break
            except OSError:
                assert time.monotonic() < deadline and process.poll() is None, "moto's server does not start"
                time.sleep(0.1)
        yield factory(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBOOK_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("WORKBOOK_EMBEDDED_PORT", raising=False)
        yield factory(emulator.start().url)
        emulator.stop()


def code(call: Callable[..., Any], **arguments: Any) -> str:
    """Error code of a call, preceded by the HTTP status if it is 5xx; `ok` if the call succeeds."""
    try:
        call(**arguments)
    except ResponseParserError:
        return "500 without an error code"  # moto's HTML page
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {error.response['Error']['Code']}" if status >= 500 else str(error.response["Error"]["Code"])
    return "ok"


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def test_every_patch_has_a_test() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {name for names in by_service().values() for name in names} <= tested


# ── unimplemented ──


def test_unimplemented(moto: Client, embedded: Client) -> None:
    def probe(client: Client) -> list[str]:
        return [
            code(
                client("iam").simulate_principal_policy,
                PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/x",
                ActionNames=["s3:GetObject"],
            ),
            code(client("ec2").describe_aggregate_id_format),
            code(client("cloudtrail").lookup_events),
            code(client("accessanalyzer").list_analyzers),
        ]

    gaps = probe(moto)
    assert all(gap.startswith("500") for gap in gaps), gaps
    assert probe(embedded) == ["501 NotImplemented"] * 4


def test_an_unimplemented_operation_is_named_and_not_retried(embedded: Client) -> None:
    client = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url=embedded.url,  # type: ignore[attr-defined]
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",
        config=Config(retries={"max_attempts": 8, "mode": "standard"}),
    )
    with pytest.raises(ClientError) as raised:
        client.describe_aggregate_id_format()
    assert "ec2 DescribeAggregateIdFormat" in str(raised.value)
    assert raised.value.response["ResponseMetadata"]["RetryAttempts"] == 0


# ── ec2 ──


def test_ec2_network_acl_errors(moto: Client, embedded: Client) -> None:
    def probe(client: Client) -> tuple[str, str]:
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        return (
            code(ec2.describe_network_acls, NetworkAclIds=["acl-0123456789abcdef0"]),
            code(ec2.delete_network_acl_entry, NetworkAclId=acl, RuleNumber=7, Egress=False),
        )

    gap = probe(moto)
    assert gap[0] == "InvalidRouteTableID.NotFound"
    assert gap[1].startswith("500")
    assert probe(embedded) == ("InvalidNetworkAclID.NotFound", "InvalidNetworkAclEntry.NotFound")


def test_ec2_network_acl_closing_rule(moto: Client, embedded: Client) -> None:
    def probe(client: Client) -> list[tuple[int, str, str, str, bool]]:
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        entries = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        return [(e["RuleNumber"], e["RuleAction"], e["Protocol"], e["CidrBlock"], e["Egress"]) for e in entries]

    assert probe(moto) == []
    assert sorted(probe(embedded)) == [(32767, "deny", "-1", "0.0.0.0/0", egress) for egress in (False, True)]


def test_ec2_managed_interfaces(moto: Client, embedded: Client) -> None:
    def probe(client: Client) -> set[tuple[str, bool, int]]:
        """Type, whether the address is in its subnet, and how many groups, of a NAT gateway's and an endpoint's."""
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="172.20.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="172.20.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="own", Description="own", VpcId=vpc)["GroupId"]
        ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
        ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName="com.amazonaws.us-east-1.sts",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            SecurityGroupIds=[group],
        )
        found = ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkInterfaces"]
        return {
            (
                i["InterfaceType"],
                i["PrivateIpAddress"].startswith("172.20.0."),
                sum(g["GroupId"] == group for g in i["Groups"]),
            )
            for i in found
        }

    assert ("interface", False, 0) in probe(moto)
    assert probe(embedded) == {("nat_gateway", True, 0), ("vpc_endpoint", True, 1)}


def test_ec2_rule_descriptions(moto: Client, embedded: Client) -> None:
    def setup(client: Client) -> tuple[Any, str, str, str]:
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        first, second = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in "ab"
        )
        lists = ec2.describe_managed_prefix_lists(
            Filters=[{"Name": "prefix-list-name", "Values": ["com.amazonaws.us-east-1.s3"]}]
        )
        return ec2, first, second, lists["PrefixLists"][0]["PrefixListId"]

    def rule(**peer: Any) -> list[dict[str, Any]]:
        return [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **peer}]

    def descriptions(ec2: Any, group: str) -> set[str | None]:
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])[
            "SecurityGroupRules"
        ]
        return {each.get("Description") for each in rules if each["IpProtocol"] == "tcp"}

    def probe(client: Client) -> set[str | None]:
        ec2, group, peer, prefix_list = setup(client)
        pair = {"GroupId": peer, "Description": "group"}
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rule(UserIdGroupPairs=[pair]))
        listed = {"PrefixListId": prefix_list, "Description": "list"}
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=rule(PrefixListIds=[listed]))
        return descriptions(ec2, group)

    assert probe(moto) == {None}
    assert probe(embedded) == {"group", "list"}

    ec2, group, peer, prefix_list = setup(embedded)
    first = {"GroupId": peer, "Description": "first"}
    added = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule(UserIdGroupPairs=[first]))
    again = {"GroupId": peer, "Description": "again"}
    duplicate = code(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=rule(UserIdGroupPairs=[again]))
    assert duplicate == "InvalidPermission.Duplicate"
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=rule(UserIdGroupPairs=[again]))
    assert descriptions(ec2, group) == {"again"}
    changed = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListId": prefix_list, "Description": "third"}
    rule_id = added["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": changed}]
    )
    (read,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"]
    assert {name: read.get(name) for name in changed} == changed and "ReferencedGroupInfo" not in read


# ── application-autoscaling ──


def cluster_with_service(client: Client, **service: Any) -> tuple[str, dict[str, Any]]:
    """A Fargate service with two tasks in two subnets behind a target group; returns cluster name and service."""
    ec2, ecs, elbv2 = client("ec2"), client("ecs"), client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for index, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName=unique("tasks"), Description="tasks", VpcId=vpc)["GroupId"]
    targets = elbv2.create_target_group(Name=unique("tg"), Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
    name = unique("cluster")
    ecs.create_cluster(clusterName=name, defaultCapacityProviderStrategy=service.pop("default_strategy", []))
    definition = ecs.register_task_definition(
        family=unique("family"),
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "app", "image": "app", "portMappings": [{"containerPort": 8080}]}],
    )["taskDefinition"]["taskDefinitionArn"]
    created = ecs.create_service(
        cluster=name,
        serviceName="app",
        taskDefinition=definition,
        desiredCount=2,
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": subnets[::-1], "securityGroups": [group], "assignPublicIp": "DISABLED"}
        },
        loadBalancers=[
            {
                "targetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"],
                "containerName": "app",
                "containerPort": 8080,
            }
        ],
        **service,
    )["service"]
    return name, created


def test_appautoscaling_tags(moto: Client, embedded: Client) -> None:
    def register(client: Client) -> str:
        cluster, _ = cluster_with_service(client, launchType="FARGATE")
        scaling = client("application-autoscaling")
        arn = scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{cluster}/app",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=1,
            MaxCapacity=2,
            Tags={"Owner": "alloy"},
        )["ScalableTargetARN"]
        return str(arn)

    gap = code(moto("application-autoscaling").list_tags_for_resource, ResourceARN=register(moto))
    assert gap.startswith("500")
    arn, scaling = register(embedded), embedded("application-autoscaling")
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Owner": "alloy"}
    scaling.tag_resource(ResourceARN=arn, Tags={"Layer": "ecs"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["Owner"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Layer": "ecs"}
    assert code(scaling.list_tags_for_resource, ResourceARN=arn + "x") == "ResourceNotFoundException"


def test_appautoscaling_capacity(moto: Client, embedded: Client) -> None:
    """A service with two tasks, whose limits become 3 to 4, then 0 to 1, then 0 to 4."""

    def probe(client: Client) -> list[tuple[int, int]]:
        cluster, _ = cluster_with_service(client, launchType="FARGATE")
        seen = []
        for low, high in ((3, 4), (0, 1), (0, 4)):
            client("application-autoscaling").register_scalable_target(
                ServiceNamespace="ecs",
                ResourceId=f"service/{cluster}/app",
                ScalableDimension="ecs:service:DesiredCount",
                MinCapacity=low,
                MaxCapacity=high,
            )
            (service,) = client("ecs").describe_services(cluster=cluster, services=["app"])["services"]
            seen.append((service["desiredCount"], service["runningCount"]))
        return seen

    assert {desired for desired, _ in probe(moto)} == {2}
    assert probe(embedded) == [(3, 3), (1, 1), (1, 1)]


# ── ecs ──


def test_ecs_service_fields(moto: Client, embedded: Client) -> None:
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 1}]
    given = {
        "capacityProviderStrategy": strategy,
        "healthCheckGracePeriodSeconds": 60,
        "availabilityZoneRebalancing": "ENABLED",
        "enableExecuteCommand": True,
        "enableECSManagedTags": True,
        "deploymentConfiguration": {
            "maximumPercent": 200,
            "minimumHealthyPercent": 50,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
    }

    def probe(client: Client) -> dict[str, Any]:
        cluster, _ = cluster_with_service(client, **given)
        read = client("ecs").describe_services(cluster=cluster, services=["app"])["services"][0]
        return {name: read.get(name) for name in (*given, "launchType", "platformVersion")}

    gap, right = probe(moto), probe(embedded)
    assert [name for name in given if gap[name] == given[name]] == []
    assert (gap["launchType"], gap["platformVersion"]) == ("EC2", None)
    assert right == {**given, "launchType": None, "platformVersion": "LATEST"}


def test_a_service_without_launch_type_uses_its_cluster_s_strategy(embedded: Client) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]
    _, service = cluster_with_service(embedded, default_strategy=strategy)
    assert service["capacityProviderStrategy"] == strategy
    assert "launchType" not in service


def seen(client: Client, cluster: str, service: dict[str, Any]) -> dict[str, Any]:
    """Counts, tasks, interfaces and targets of a service, as the three APIs report them."""
    ecs, ec2 = client("ecs"), client("ec2")
    read = ecs.describe_services(cluster=cluster, services=["app"])["services"][0]
    arns = ecs.list_tasks(cluster=cluster, serviceName="app")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    details = [{each["name"]: each.get("value") for each in task["attachments"][0]["details"]} for task in tasks]
    interfaces = [each["networkInterfaceId"] for each in details]
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=interfaces)["NetworkInterfaces"] if interfaces else []
    health = client("elbv2").describe_target_health(TargetGroupArn=service["loadBalancers"][0]["targetGroupArn"])
    return {
        "running": read["runningCount"],
        "tasks": sorted(arns),
        "states": {task["lastStatus"] for task in tasks},
        "definitions": {task["taskDefinitionArn"] for task in tasks},
        "zones": sorted(task.get("availabilityZone", "") for task in tasks),
        "subnets": {each["SubnetId"] for each in found},
        "addresses": sorted(each["PrivateIpAddress"] for each in found),
        "targets": sorted(each["Target"]["Id"] for each in health["TargetHealthDescriptions"]),
        "health": {each["TargetHealth"]["State"] for each in health["TargetHealthDescriptions"]},
        "container_health": {container["healthStatus"] for task in tasks for container in task["containers"]},
    }


def test_ecs_service_tasks(moto: Client, embedded: Client) -> None:
    gap = seen(moto, *cluster_with_service(moto, launchType="FARGATE"))
    assert (gap["running"], gap["tasks"], gap["targets"]) == (0, [], [])

    cluster, service = cluster_with_service(embedded, launchType="FARGATE")
    ecs, ec2 = embedded("ecs"), embedded("ec2")
    first = seen(embedded, cluster, service)
    assert (first["running"], len(first["tasks"]), first["states"], first["health"]) == (2, 2, {"RUNNING"}, {"healthy"})
    assert first["zones"] == ["us-east-1a", "us-east-1b"]
    assert first["targets"] == first["addresses"]
    assert [address.rsplit(".", 1)[0] for address in first["addresses"]] == ["10.0.0", "10.0.1"]
    assert first["container_health"] == {"UNKNOWN"}
    # Tasks stay the same no matter how often they are read.
    assert seen(embedded, cluster, service) == first

    ecs.stop_task(cluster=cluster, task=first["tasks"][0])
    second = seen(embedded, cluster, service)
    assert second["running"] == 2 and first["tasks"][0] not in second["tasks"]
    assert second["targets"] == second["addresses"]

    ecs.update_service(cluster=cluster, service="app", desiredCount=3)
    third = seen(embedded, cluster, service)
    assert third["running"] == 3 and set(second["tasks"]) < set(third["tasks"])
    assert ecs.describe_clusters(clusters=[cluster])["clusters"][0]["runningTasksCount"] == 3

    family = service["taskDefinition"].rsplit("/", 1)[-1].split(":")[0]
    newer = ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "newer"}],
    )["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=cluster, service="app", taskDefinition=newer)
    fourth = seen(embedded, cluster, service)
    assert fourth["definitions"] == {newer} and not set(third["tasks"]) & set(fourth["tasks"])
    assert (
        ecs.describe_services(cluster=cluster, services=["app"])["services"][0]["deployments"][0]["taskDefinition"]
        == newer
    )
    assert seen(embedded, cluster, service) == fourth

    ecs.update_service(cluster=cluster, service="app", forceNewDeployment=True)
    fifth = seen(embedded, cluster, service)
    assert not set(fourth["tasks"]) & set(fifth["tasks"]) and fifth["running"] == 3

    ecs.delete_service(cluster=cluster, service="app", force=True)
    last = seen(embedded, cluster, service)
    assert (last["running"], last["tasks"], last["targets"]) == (0, [], [])
    subnets = service["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
    left = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": subnets}])["NetworkInterfaces"]
    assert left == []


# ── ecr ──


def test_ecr_immutable_tag(moto: Client, embedded: Client) -> None:
    for factory, expected in ((moto, "ImageAlreadyExistsException"), (embedded, "ImageTagAlreadyExistsException")):
        ecr, repository = factory("ecr"), unique("immutable")
        ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
        assert push_image(ecr, repository, "a", "v1") == "accepted"
        assert push_image(ecr, repository, "b", "v1") == f"refused: {expected}"
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="MUTABLE")
    assert push_image(ecr, repository, "b", "v1") == "accepted"


def test_ecr_pull_through_cache(moto: Client, embedded: Client) -> None:
    rule = {"ecrRepositoryPrefix": unique("public"), "upstreamRegistryUrl": "public.ecr.aws"}
    assert code(moto("ecr").create_pull_through_cache_rule, **rule).startswith("500")
    ecr = embedded("ecr")
    ecr.create_pull_through_cache_rule(**rule)
    assert code(ecr.create_pull_through_cache_rule, **rule) == "PullThroughCacheRuleAlreadyExistsException"
    read = ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=[rule["ecrRepositoryPrefix"]])[
        "pullThroughCacheRules"
    ]
    assert [{name: each[name] for name in rule} for each in read] == [rule]
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix=rule["ecrRepositoryPrefix"])
    assert (
        code(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=[rule["ecrRepositoryPrefix"]])
        == "PullThroughCacheRuleNotFoundException"
    )


# ── budgets ──


def test_budgets_reads(moto: Client, embedded: Client) -> None:
    notification = {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": 80.0,
        "ThresholdType": "PERCENTAGE",
    }
    subscriber = {"SubscriptionType": "EMAIL", "Address": "someone@example.com"}

    def create(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
        name = unique("budget")
        client("budgets").create_budget(
            AccountId=ACCOUNT,
            Budget={
                "BudgetName": name,
                "BudgetLimit": {"Amount": "10", "Unit": "USD"},
                "TimeUnit": "MONTHLY",
                "BudgetType": "COST",
            },
            NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": [subscriber]}],
            ResourceTags=[{"Key": "Owner", "Value": "alloy"}],
        )
        return (
            {"ResourceARN": f"arn:aws:budgets::{ACCOUNT}:budget/{name}"},
            {"AccountId": ACCOUNT, "BudgetName": name, "Notification": notification},
        )

    tags, subscribers = create(moto)
    assert code(moto("budgets").list_tags_for_resource, **tags).startswith("500")
    assert code(moto("budgets").describe_subscribers_for_notification, **subscribers).startswith("500")
    tags, subscribers = create(embedded)
    budgets = embedded("budgets")
    assert budgets.list_tags_for_resource(**tags)["ResourceTags"] == [{"Key": "Owner", "Value": "alloy"}]
    assert budgets.describe_subscribers_for_notification(**subscribers)["Subscribers"] == [subscriber]


# ── s3 ──


def bucket(client: Client, *objects: str) -> str:
    name = unique("bucket")
    client("s3").create_bucket(Bucket=name)
    for key in objects:
        client("s3").put_object(Bucket=name, Key=key, Body=b"x")
    return name


def with_policy(client: Client, *statements: dict[str, Any]) -> str:
    name = bucket(client, "key")
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}).replace("BUCKET", name)
    client("s3").put_bucket_policy(Bucket=name, Policy=text)
    return name


def deny(action: str | list[str], **more: Any) -> dict[str, Any]:
    both = ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"]
    return {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": both, **more}


def test_s3_bucket_policy(moto: Client, embedded: Client) -> None:
    def get(client: Client, statement: dict[str, Any]) -> str:
        return code(client("s3").get_object, Bucket=with_policy(client, statement), Key="key")

    tls_only = deny("s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    vpc_only = deny(
        "s3:*", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}, "ArnNotEquals": {"aws:PrincipalArn": "x"}}
    )
    exempt = deny("s3:*", Condition={"ArnNotLike": {"aws:PrincipalArn": [CALLER]}})
    another = deny("s3:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"})
    for statement in (tls_only, vpc_only, exempt, another):
        assert get(moto, statement) != "ok", statement
        assert get(embedded, statement) == "ok", statement
    for statement in (deny("s3:GetObject"), deny("s3:Get*", Condition={"ArnNotEquals": {"aws:PrincipalArn": "x"}})):
        assert get(embedded, statement) == "AccessDenied", statement

    def listing(client: Client) -> str:
        return code(client("s3").list_objects_v2, Bucket=with_policy(client, deny("s3:ListBucket")))

    assert (listing(moto), listing(embedded)) == ("ok", "AccessDenied")


def test_a_bucket_policy_names_the_caller_of_a_role_session(embedded: Client) -> None:
    role = unique("role")
    arn = embedded("iam").create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )["Role"]["Arn"]
    session = embedded("sts").assume_role(RoleArn=arn, RoleSessionName="task")["Credentials"]
    name = with_policy(embedded, deny(["s3:ListBucket", "s3:GetObject"], Principal={"AWS": arn}))
    assert code(embedded("s3", credentials=session).list_objects_v2, Bucket=name) == "AccessDenied"
    assert code(embedded("s3", credentials=session).get_object, Bucket=name, Key="key") == "AccessDenied"
    assert code(embedded("s3").list_objects_v2, Bucket=name) == "ok"
    # The bucket's configuration stays readable: only what the policy names is denied.
    assert code(embedded("s3", credentials=session).get_bucket_encryption, Bucket=name) in (
        "ok",
        "ServerSideEncryptionConfigurationNotFoundError",
    )


def test_an_upload_without_the_encryption_that_a_policy_requires_is_denied(embedded: Client) -> None:
    wrong = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    name = with_policy(embedded, deny("s3:PutObject", Condition=wrong))
    s3 = embedded("s3")
    assert code(s3.put_object, Bucket=name, Key="new", Body=b"x") == "AccessDenied"
    assert code(s3.put_object, Bucket=name, Key="new", Body=b"x", ServerSideEncryption="aws:kms") == "ok"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Effect": "Allow", "Principal": "*"}, "Allow"),
        ({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}}, "Allow"),
        ({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}}, None),
        ({"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}}, None),
        ({"Effect": "Deny", "NotPrincipal": {"AWS": CALLER}}, None),
        ({"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::999999999999:root"}}, "Deny"),
        ({"Effect": "Deny", "Principal": "*", "Condition": {"Null": {"aws:PrincipalArn": "true"}}}, None),
        (
            {
                "Effect": "Deny",
                "Principal": "*",
                "Condition": {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, "1"]}},
            },
            "Deny",
        ),
        (
            {"Effect": "Deny", "Principal": "*", "Condition": {"StringEqualsIfExists": {"s3:x-amz-acl": "private"}}},
            "Deny",
        ),
        ({"Effect": "Deny", "Principal": "*", "Condition": {"StringEquals": {"s3:x-amz-acl": "private"}}}, None),
        ({"Effect": "Deny", "Principal": "*", "Condition": {"StringNotEquals": {"s3:x-amz-acl": "private"}}}, "Deny"),
        ({"Effect": "Deny", "Principal": "*", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}, None),
        ({"Effect": "Deny", "Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}}, None),
        ({"Effect": "Deny", "Principal": "*", "Resource": "arn:aws:s3:::b/${aws:username}/*"}, None),
    ],
)
def test_decision_of_a_policy(statement: dict[str, Any], expected: str | None) -> None:
    context = {"aws:principalarn": [CALLER], "aws:principalaccount": [ACCOUNT], "s3:x-amz-acl": []}
    policy = {"Statement": {"Action": "s3:getobject", "Resource": "arn:aws:s3:::b/k?y", **statement}}
    assert decision(policy, Caller(CALLER, ACCOUNT), "s3:GetObject", "arn:aws:s3:::b/key", context) == expected


def test_an_anonymous_caller_matches_no_principal() -> None:
    policy = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*", "Resource": "*"}]}
    assert decision(policy, Caller(None, None), "s3:GetObject", "arn:aws:s3:::b/key", {}) is None


def test_s3_logging_principal(moto: Client, embedded: Client) -> None:
    def probe(client: Client) -> str:
        log_delivery = {
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::BUCKET/*",
        }
        tls_only = deny("s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})
        logs = with_policy(client, tls_only, log_delivery)
        status = {"LoggingEnabled": {"TargetBucket": logs, "TargetPrefix": "data/"}}
        return code(client("s3").put_bucket_logging, Bucket=bucket(client), BucketLoggingStatus=status)

    assert probe(moto).startswith("500")
    assert probe(embedded) == "ok"


def test_s3_replication(moto: Client, embedded: Client) -> None:
    rule = {
        "ID": "all",
        "Priority": 3,
        "Status": "Enabled",
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Filter": {"Prefix": "keep/"},
        "Destination": {
            "Bucket": "arn:aws:s3:::replica",
            "StorageClass": "STANDARD_IA",
            "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
            "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
        },
        "SourceSelectionCriteria": {"ReplicaModifications": {"Status": "Enabled"}},
    }

    def probe(client: Client) -> dict[str, Any]:
        s3, name = client("s3"), bucket(client)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        replication = {"Role": f"arn:aws:iam::{ACCOUNT}:role/replication", "Rules": [rule]}
        s3.put_bucket_replication(Bucket=name, ReplicationConfiguration=replication)
        found: dict[str, Any] = s3.get_bucket_replication(Bucket=name)["ReplicationConfiguration"]["Rules"][0]
        return found

    try:
        gap = probe(moto)["DeleteMarkerReplication"]
    except Exception as error:
        gap = str(error)
    assert gap != {"Status": "Enabled"}
    assert probe(embedded) == rule


def test_s3_intelligent_tiering(moto: Client, embedded: Client) -> None:
    tiering = {"Id": "archive", "Status": "Enabled", "Tierings": [{"Days": 125, "AccessTier": "ARCHIVE_ACCESS"}]}

    def probe(client: Client) -> tuple[bool, bool]:
        s3, name = client("s3"), bucket(client)
        s3.put_bucket_intelligent_tiering_configuration(
            Bucket=name, Id="archive", IntelligentTieringConfiguration=tiering
        )
        kept = s3.get_bucket_intelligent_tiering_configuration(Bucket=name, Id="archive")
        s3.delete_bucket_intelligent_tiering_configuration(Bucket=name, Id="archive")
        return kept.get("IntelligentTieringConfiguration") == tiering, code(s3.head_bucket, Bucket=name) == "ok"

    assert probe(moto) == (False, False)
    assert probe(embedded) == (True, True)
    s3, name = embedded("s3"), bucket(embedded)
    assert code(s3.get_bucket_intelligent_tiering_configuration, Bucket=name, Id="archive") == "NoSuchConfiguration"
    s3.put_bucket_intelligent_tiering_configuration(Bucket=name, Id="archive", IntelligentTieringConfiguration=tiering)
    assert s3.list_bucket_intelligent_tiering_configurations(Bucket=name)["IntelligentTieringConfigurationList"] == [
        tiering
    ]


def test_s3_subresources(moto: Client, embedded: Client) -> None:
    def probe(client: Client) -> tuple[str, bool]:
        s3, name = client("s3"), bucket(client)
        answer = code(s3.delete_bucket_analytics_configuration, Bucket=name, Id="all")
        return answer, code(s3.head_bucket, Bucket=name) == "ok"

    assert probe(moto) == ("ok", False)
    assert probe(embedded) == ("501 NotImplemented", True)
