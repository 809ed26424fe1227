"""Reads the application: clusters and services in batches, task definitions in use, load balancing, autoscaling, log
groups.

A call each, where AWS offers no batch: task definitions in use, a load balancer's attributes and listeners, a target
group's attributes and health.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from workbook.inventory.aws import Aws
from workbook.inventory.names import key_names, last, named
from workbook.inventory.schema import BOOL, DICT, FLOAT, ID, IDS, INT, LIST, OPTIONAL_INT, TEXT, Column, Record, Table
from workbook.inventory.vpc import Network, group_names, subnet_names

# fmt: off
TABLES = (
    Table("clusters", "ecs", "ECS clusters", {
        "name": TEXT, "status": TEXT, "container_insights": TEXT, "capacity_providers": LIST, "running_tasks": INT, "cluster_arn": ID,
    }, key="cluster_arn"),
    Table("services", "ecs", "ECS services", {
        "name": TEXT, "cluster": TEXT, "launch_type": TEXT, "desired": INT, "running": INT, "task_definition": Column(TEXT, "family:revision"),
        "subnets": LIST, "security_groups": LIST, "public_ip": BOOL, "circuit_breaker": BOOL, "rollback": BOOL,
        "execute_command": BOOL, "target_groups": LIST, "container_port": OPTIONAL_INT,
        "service_arn": ID, "subnet_ids": IDS, "group_ids": IDS, "cluster_arn": ID, "target_group_arns": IDS,
        "resource_id": Column(ID, "for Application Auto Scaling: service/cluster/service"),
    }, key="service_arn"),
    Table("task_definitions", "ecs", "Task definitions", {
        "name": Column(TEXT, "family:revision"), "cpu": Column(INT, "CPU units"), "memory": Column(INT, "MiB"), "network_mode": TEXT, "task_role": Column(TEXT, "name"),
        "execution_role": Column(TEXT, "name"), "volumes": LIST, "task_definition_arn": ID,
    }, key="name"),
    Table("containers", "ecs", "Containers", {
        "name": TEXT, "task_definition": TEXT, "image": TEXT, "port": OPTIONAL_INT, "user": TEXT, "read_only_root": BOOL, "privileged": BOOL,
        "health_check": Column(TEXT, "command"), "health_interval": Column(OPTIONAL_INT, "seconds"), "log_group": TEXT, "entry_point": LIST,
        "environment": DICT, "secrets": Column(LIST, "names"), "dropped_capabilities": LIST, "mount_points": LIST, "definition": DICT,
    }),
    Table("load_balancers", "ecs", "Load balancers", {
        "name": TEXT, "scheme": TEXT, "subnets": LIST, "security_groups": LIST, "drop_invalid_headers": BOOL,
        "access_logs": Column(TEXT, "bucket/prefix, or empty"), "deletion_protection": BOOL, "dns_name": TEXT,
        "load_balancer_arn": ID, "vpc_id": ID, "subnet_ids": IDS, "group_ids": IDS,
    }, key="load_balancer_arn"),
    Table("listeners", "ecs", "Listeners", {
        "load_balancer": TEXT, "port": INT, "protocol": TEXT, "ssl_policy": TEXT, "action": Column(TEXT, "forward, redirect, fixed-response"),
        "target": Column(TEXT, "target group name, or where it redirects to"), "listener_arn": ID,
        "load_balancer_arn": ID, "target_group_arns": IDS,
    }, key="listener_arn"),
    Table("target_groups", "ecs", "Target groups", {
        "name": TEXT, "protocol": TEXT, "port": INT, "target_type": TEXT, "health_path": TEXT, "health_interval": Column(INT, "seconds"),
        "healthy_threshold": INT, "unhealthy_threshold": INT, "matcher": TEXT, "deregistration_delay": Column(INT, "seconds"),
        "healthy": Column(INT, "targets"), "targets": INT, "target_group_arn": ID,
    }, key="target_group_arn"),
    Table("autoscaling", "ecs", "Autoscaling", {
        "service": TEXT, "dimension": TEXT, "minimum": INT, "maximum": INT, "policy": Column(TEXT, "name"), "metric": TEXT,
        "target_value": Column(FLOAT, "percent"), "resource_id": Column(ID, "as in services"),
    }),
    Table("log_groups", "ecs", "Log groups", {
        "name": TEXT, "retention_days": Column(OPTIONAL_INT, "None: forever"), "kms_key": TEXT, "log_group_arn": ID,
    }, key="name"),
)
# fmt: on


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `ecs`."""
    parts = await asyncio.gather(
        _containers(aws), _load_balancers(aws), _target_groups(aws), _autoscaling(aws), _log_groups(aws)
    )
    return {table: rows for part in parts for table, rows in part.items()}


async def _network_names(aws: Aws, tables: Iterable[str]) -> dict[str, str]:
    network = Network(aws)
    subnets, groups = await asyncio.gather(network.subnets(tables), network.groups(tables))
    return {**subnet_names(subnets), **group_names(groups)}


async def _containers(aws: Aws) -> dict[str, list[Record]]:
    every = ["clusters", "services", "task_definitions", "containers"]
    arns = [a for a in await aws.all("ecs", "list_clusters", "clusterArns", tables=every) if aws.scope.owns(last(a))]
    clusters, parts, names = await asyncio.gather(
        aws.in_batches(
            "ecs", "describe_clusters", "clusters", "clusters", arns, 100, tables=["clusters"], include=["SETTINGS"]
        ),
        asyncio.gather(*(_services_of(aws, arn, every[1:]) for arn in arns)),
        _network_names(aws, ["services"]),
    )  # fmt: skip
    services = [s for part in parts for s in part if s.get("status") != "INACTIVE"]
    used = sorted({s["taskDefinition"] for s in services})
    definitions = await asyncio.gather(
        *(
            aws.get("ecs", "describe_task_definition", tables=["task_definitions", "containers"], taskDefinition=arn)
            for arn in used
        )
    )
    definitions_read = [d["taskDefinition"] for d in definitions if d]
    return {
        "clusters": [_cluster(c) for c in clusters if c.get("status") != "INACTIVE"],
        "services": [_service(s, names) for s in services],
        "task_definitions": [_task_definition(d) for d in definitions_read],
        "containers": [_container(c, d) for d in definitions_read for c in d["containerDefinitions"]],
    }


async def _services_of(aws: Aws, cluster: str, tables: Iterable[str]) -> list[Record]:
    arns = await aws.all("ecs", "list_services", "serviceArns", tables=tables, cluster=cluster)
    return await aws.in_batches(
        "ecs", "describe_services", "services", "services", arns, 10, tables=tables, cluster=cluster
    )


def _cluster(cluster: Record) -> Record:
    settings = {s["name"]: s["value"] for s in cluster.get("settings", [])}
    return {
        "name": cluster["clusterName"],
        "status": cluster.get("status", ""),
        "container_insights": settings.get("containerInsights", ""),
        "capacity_providers": sorted(cluster.get("capacityProviders") or []),
        "running_tasks": cluster.get("runningTasksCount"),
        "cluster_arn": cluster["clusterArn"],
    }


def _service(service: Record, names: Mapping[str, str]) -> Record:
    network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    breaker = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    balancers = service.get("loadBalancers") or []
    subnet_ids, group_ids = network.get("subnets") or [], network.get("securityGroups") or []
    target_group_arns = [b["targetGroupArn"] for b in balancers if b.get("targetGroupArn")]
    strategy = [
        f"{s['capacityProvider']} weight {s.get('weight', 0)}" for s in service.get("capacityProviderStrategy") or []
    ]
    return {
        "name": service["serviceName"],
        "cluster": last(service["clusterArn"]),
        "launch_type": service.get("launchType") or ", ".join(strategy),
        "desired": service.get("desiredCount"),
        "running": service.get("runningCount"),
        "task_definition": last_revision(service["taskDefinition"]),
        "subnets": named(names, subnet_ids),
        "security_groups": named(names, group_ids),
        "public_ip": network.get("assignPublicIp") == "ENABLED",
        "circuit_breaker": bool(breaker.get("enable")),
        "rollback": bool(breaker.get("rollback")),
        "execute_command": bool(service.get("enableExecuteCommand")),
        "target_groups": sorted(map(_target_group_name, target_group_arns)),
        "container_port": next((b["containerPort"] for b in balancers if "containerPort" in b), None),
        "service_arn": service["serviceArn"],
        "subnet_ids": sorted(subnet_ids),
        "group_ids": sorted(group_ids),
        "cluster_arn": service["clusterArn"],
        "target_group_arns": sorted(target_group_arns),
        "resource_id": f"service/{last(service['clusterArn'])}/{service['serviceName']}",
    }


def last_revision(arn: str) -> str:
    """`family:revision` of a task definition's ARN."""
    return arn.rsplit("/", 1)[-1]


def _task_definition(definition: Record) -> Record:
    return {
        "name": last_revision(definition["taskDefinitionArn"]),
        "cpu": _number(definition.get("cpu")),
        "memory": _number(definition.get("memory")),
        "network_mode": definition.get("networkMode", ""),
        "task_role": last(definition.get("taskRoleArn")),
        "execution_role": last(definition.get("executionRoleArn")),
        "volumes": sorted(v["name"] for v in definition.get("volumes") or []),
        "task_definition_arn": definition["taskDefinitionArn"],
    }


def _container(container: Record, definition: Record) -> Record:
    health = container.get("healthCheck") or {}
    command = health.get("command") or []
    logs = (container.get("logConfiguration") or {}).get("options") or {}
    capabilities = (container.get("linuxParameters") or {}).get("capabilities") or {}
    mounts = container.get("mountPoints") or []
    return {
        "name": container["name"],
        "task_definition": last_revision(definition["taskDefinitionArn"]),
        "image": container["image"],
        "port": next((p["containerPort"] for p in container.get("portMappings") or [] if "containerPort" in p), None),
        "user": container.get("user", ""),
        "read_only_root": bool(container.get("readonlyRootFilesystem")),
        "privileged": bool(container.get("privileged")),
        "health_check": " ".join(command[1:] if command[:1] in (["CMD"], ["CMD-SHELL"]) else command),
        "health_interval": health.get("interval"),
        "log_group": logs.get("awslogs-group", ""),
        "entry_point": container.get("entryPoint") or [],
        "environment": {
            e["name"]: e["value"] for e in sorted(container.get("environment") or [], key=lambda e: str(e["name"]))
        },
        "secrets": sorted(s["name"] for s in container.get("secrets") or []),
        "dropped_capabilities": sorted(capabilities.get("drop") or []),
        "mount_points": sorted(f"{m['containerPath']} ({'read' if m.get('readOnly') else 'write'})" for m in mounts),
        "definition": container,
    }


async def _load_balancers(aws: Aws) -> dict[str, list[Record]]:
    found = await aws.all("elbv2", "describe_load_balancers", "LoadBalancers", tables=["load_balancers", "listeners"])
    found = [b for b in found if aws.scope.owns(b["LoadBalancerName"])]
    names, attributes, listeners = await asyncio.gather(
        _network_names(aws, ["load_balancers"]),
        asyncio.gather(
            *(
                aws.get(
                    "elbv2",
                    "describe_load_balancer_attributes",
                    tables=["load_balancers"],
                    LoadBalancerArn=b["LoadBalancerArn"],
                )
                for b in found
            )
        ),
        asyncio.gather(
            *(
                aws.all(
                    "elbv2",
                    "describe_listeners",
                    "Listeners",
                    tables=["listeners"],
                    LoadBalancerArn=b["LoadBalancerArn"],
                )
                for b in found
            )
        ),
    )
    return {
        "load_balancers": [_load_balancer(b, _attributes(a), names) for b, a in zip(found, attributes, strict=True)],
        "listeners": [_listener(listener, b) for b, part in zip(found, listeners, strict=True) for listener in part],
    }


def _attributes(answer: Record | None) -> dict[str, str] | None:
    return None if answer is None else {a["Key"]: a.get("Value", "") for a in answer.get("Attributes", [])}


def _load_balancer(balancer: Record, attributes: Mapping[str, str] | None, names: Mapping[str, str]) -> Record:
    subnet_ids = [z["SubnetId"] for z in balancer.get("AvailabilityZones") or []]
    group_ids = balancer.get("SecurityGroups") or []
    return {
        "name": balancer["LoadBalancerName"],
        # AWS's default, which not every endpoint returns.
        "scheme": balancer.get("Scheme") or "internet-facing",
        "subnets": named(names, subnet_ids),
        "security_groups": named(names, group_ids),
        "drop_invalid_headers": _flag(attributes, "routing.http.drop_invalid_header_fields.enabled"),
        "access_logs": _access_logs(attributes),
        "deletion_protection": _flag(attributes, "deletion_protection.enabled"),
        "dns_name": balancer.get("DNSName", ""),
        "load_balancer_arn": balancer["LoadBalancerArn"],
        "vpc_id": balancer.get("VpcId", ""),
        "subnet_ids": sorted(subnet_ids),
        "group_ids": sorted(group_ids),
    }


def _flag(attributes: Mapping[str, str] | None, key: str) -> bool | None:
    return None if attributes is None else attributes.get(key) == "true"


def _access_logs(attributes: Mapping[str, str] | None) -> str | None:
    if attributes is None:
        return None
    if attributes.get("access_logs.s3.enabled") != "true":
        return ""
    return "/".join(
        part for part in (attributes.get("access_logs.s3.bucket"), attributes.get("access_logs.s3.prefix")) if part
    )


def _listener(listener: Record, balancer: Record) -> Record:
    # The last action decides; those before it authenticate.
    action = max(listener.get("DefaultActions") or [{}], key=lambda a: a.get("Order", 0))
    return {
        "load_balancer": balancer["LoadBalancerName"],
        "port": listener.get("Port"),
        "protocol": listener.get("Protocol", ""),
        "ssl_policy": listener.get("SslPolicy", "") if listener.get("Protocol") in ("HTTPS", "TLS") else "",
        "action": action.get("Type", ""),
        "target": _action_target(action),
        "listener_arn": listener["ListenerArn"],
        "load_balancer_arn": balancer["LoadBalancerArn"],
        "target_group_arns": _forwards_to(action),
    }


def _action_target(action: Record) -> str:
    if redirect := action.get("RedirectConfig"):
        return f"{redirect.get('Protocol', '')}:{redirect.get('Port', '')}"
    if response := action.get("FixedResponseConfig"):
        return str(response.get("StatusCode", ""))
    return ", ".join(sorted(map(_target_group_name, _forwards_to(action))))


def _forwards_to(action: Record) -> list[str]:
    """ARNs of the target groups that an action forwards to."""
    groups = [g["TargetGroupArn"] for g in (action.get("ForwardConfig") or {}).get("TargetGroups", [])] or [
        action.get("TargetGroupArn")
    ]
    return sorted(arn for arn in groups if arn)


def _target_group_name(arn: str) -> str:
    # arn:…:targetgroup/<name>/<id>
    return arn.rsplit("/", 2)[-2]


async def _target_groups(aws: Aws) -> dict[str, list[Record]]:
    tables = ["target_groups"]
    found = await aws.all("elbv2", "describe_target_groups", "TargetGroups", tables=tables)
    found = [g for g in found if aws.scope.owns(g["TargetGroupName"])]

    async def row(group: Record) -> Record:
        arn = group["TargetGroupArn"]
        answer, health = await asyncio.gather(
            aws.get("elbv2", "describe_target_group_attributes", tables=tables, TargetGroupArn=arn),
            aws.get("elbv2", "describe_target_health", tables=tables, TargetGroupArn=arn),
        )
        attributes = _attributes(answer) or {}
        targets = (
            None if health is None else [t["TargetHealth"]["State"] for t in health.get("TargetHealthDescriptions", [])]
        )
        return {
            "name": group["TargetGroupName"],
            "protocol": group.get("Protocol", ""),
            "port": group.get("Port"),
            "target_type": group.get("TargetType", ""),
            "health_path": group.get("HealthCheckPath", ""),
            "health_interval": group.get("HealthCheckIntervalSeconds"),
            "healthy_threshold": group.get("HealthyThresholdCount"),
            "unhealthy_threshold": group.get("UnhealthyThresholdCount"),
            "matcher": (group.get("Matcher") or {}).get("HttpCode", ""),
            "deregistration_delay": _number(attributes.get("deregistration_delay.timeout_seconds")),
            "healthy": None if targets is None else targets.count("healthy"),
            "targets": None if targets is None else len(targets),
            "target_group_arn": arn,
        }

    return {"target_groups": list(await asyncio.gather(*(row(g) for g in found)))}


async def _autoscaling(aws: Aws) -> dict[str, list[Record]]:
    tables = ["autoscaling"]
    targets, policies = await asyncio.gather(
        aws.all(
            "application-autoscaling",
            "describe_scalable_targets",
            "ScalableTargets",
            tables=tables,
            ServiceNamespace="ecs",
        ),
        aws.all(
            "application-autoscaling",
            "describe_scaling_policies",
            "ScalingPolicies",
            tables=tables,
            ServiceNamespace="ecs",
        ),
    )
    rows = []
    for target in targets:
        _, cluster, service = target["ResourceId"].split("/")  # service/<cluster>/<service>
        if not aws.scope.owns(cluster):
            continue
        of_target = [p for p in policies if p["ResourceId"] == target["ResourceId"]]
        for policy in of_target or [{}]:
            tracking = policy.get("TargetTrackingScalingPolicyConfiguration") or {}
            metric = (
                tracking.get("PredefinedMetricSpecification") or tracking.get("CustomizedMetricSpecification") or {}
            )
            rows.append(
                {
                    "service": service,
                    "dimension": target["ScalableDimension"],
                    "minimum": target["MinCapacity"],
                    "maximum": target["MaxCapacity"],
                    "policy": policy.get("PolicyName", ""),
                    "metric": metric.get("PredefinedMetricType") or metric.get("MetricName") or "",
                    "target_value": tracking.get("TargetValue"),
                    "resource_id": target["ResourceId"],
                }
            )
    return {"autoscaling": rows}


async def _log_groups(aws: Aws) -> dict[str, list[Record]]:
    found = await aws.all(
        "logs", "describe_log_groups", "logGroups", tables=["log_groups"], logGroupNamePattern=aws.scope.prefix
    )
    found = [g for g in found if aws.scope.within(g["logGroupName"])]
    keys = await key_names(aws, (g.get("kmsKeyId") for g in found), aws.scope.region, ["log_groups"])
    return {
        "log_groups": [
            {
                "name": g["logGroupName"],
                "retention_days": g.get("retentionInDays"),
                "kms_key": keys.get(g.get("kmsKeyId", ""), ""),
                "log_group_arn": g["arn"].removesuffix(":*"),
            }
            for g in found
        ]
    }


def _number(value: Any) -> int | None:
    return None if value in (None, "") else int(value)
