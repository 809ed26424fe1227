"""Reads the application: clusters and services in batches, task definitions in use, load balancing, autoscaling, log
groups.

A call each, where AWS offers no batch: task definitions in use, a load balancer's attributes and listeners, a target
group's attributes and health.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from workbook.inventory.aws import Aws
from workbook.inventory.names import key_names, last, named, number, text
from workbook.inventory.schema import BOOL, DICT, FLOAT, ID, IDS, INT, LIST, OPTIONAL_INT, TEXT, Column, Record, Table
from workbook.inventory.vpc import Network, group_names, subnet_names

# fmt: off
TABLES = (
    Table("clusters", "ecs", "ECS clusters", {
        "name": TEXT, "status": TEXT, "container_insights": TEXT, "capacity_providers": LIST, "default_strategy": Column(LIST, "capacity providers of a service that names none"), "running_tasks": INT, "cluster_arn": ID,
    }, key="cluster_arn"),
    Table("services", "ecs", "ECS services", {
        "name": TEXT, "cluster": TEXT, "launch_type": Column(TEXT, "or capacity providers and their weights"), "capacity_providers": LIST, "desired": INT, "running": INT, "task_definition": Column(TEXT, "family:revision"),
        "subnets": LIST, "security_groups": LIST, "public_ip": BOOL, "circuit_breaker": BOOL, "rollback": BOOL,
        "execute_command": BOOL, "target_groups": LIST, "container_port": OPTIONAL_INT,
        "service_arn": ID, "subnet_ids": IDS, "group_ids": IDS, "cluster_arn": ID, "target_group_arns": IDS,
        "resource_id": Column(ID, "for Application Auto Scaling: service/cluster/service"),
    }, key="service_arn"),
    Table("task_definitions", "ecs", "Task definitions", {
        "name": Column(TEXT, "family:revision"), "cpu": Column(INT, "CPU units", optional=True), "memory": Column(INT, "MiB", optional=True), "network_mode": TEXT, "task_role": Column(TEXT, "name"),
        "execution_role": Column(TEXT, "name"), "volumes": LIST, "task_definition_arn": ID,
    }, key="name"),
    Table("containers", "ecs", "Containers", {
        "name": TEXT, "task_definition": TEXT, "image": TEXT, "port": OPTIONAL_INT, "user": TEXT, "read_only_root": BOOL, "privileged": BOOL,
        "health_check": Column(TEXT, "command"), "health_interval": Column(OPTIONAL_INT, "seconds"), "log_driver": TEXT, "log_group": TEXT, "log_mode": Column(TEXT, "blocking, non-blocking, or empty: the account's default"), "log_buffer": TEXT, "entry_point": LIST,
        "environment": DICT, "secrets": Column(LIST, "names"), "dropped_capabilities": LIST, "added_capabilities": LIST, "mount_points": LIST, "definition": DICT,
    }),
    Table("load_balancers", "ecs", "Load balancers", {
        "name": TEXT, "scheme": TEXT, "subnets": LIST, "security_groups": LIST, "drop_invalid_headers": BOOL,
        "access_logs": Column(TEXT, "bucket/prefix, or empty"), "deletion_protection": BOOL, "dns_name": TEXT,
        "load_balancer_arn": ID, "vpc_id": ID, "subnet_ids": IDS, "group_ids": IDS,
    }, key="load_balancer_arn"),
    Table("listeners", "ecs", "Listeners", {
        "load_balancer": TEXT, "port": INT, "protocol": TEXT, "ssl_policy": TEXT, "action": Column(TEXT, "forward, redirect, fixed-response"),
        "target": Column(TEXT, "target groups, or where it redirects to, such as HTTPS:443 HTTP_301"),
        "redirect_protocol": Column(TEXT, "HTTP or HTTPS; empty if it does not redirect"), "listener_arn": ID,
        "load_balancer_arn": ID, "target_group_arns": IDS,
    }, key="listener_arn"),
    Table("listener_rules", "ecs", "Listener rules", {
        "load_balancer": TEXT, "port": Column(INT, "of the listener"), "protocol": Column(TEXT, "of the listener"),
        "priority": Column(TEXT, "a number, or default: for what no other rule matches"), "conditions": Column(LIST, "such as path-pattern /api/*"),
        "action": Column(TEXT, "forward, redirect, fixed-response"), "target": Column(TEXT, "as in listeners"),
        "redirect_protocol": Column(TEXT, "as in listeners"), "rule_arn": ID,
        "listener_arn": ID, "load_balancer_arn": ID, "target_group_arns": IDS,
    }, key="rule_arn"),
    Table("target_groups", "ecs", "Target groups", {
        "name": TEXT, "protocol": TEXT, "port": INT, "target_type": TEXT, "health_path": TEXT, "health_interval": Column(INT, "seconds"),
        "healthy_threshold": INT, "unhealthy_threshold": INT, "matcher": TEXT, "deregistration_delay": Column(INT, "seconds"),
        "healthy": Column(INT, "targets"), "targets": INT, "target_group_arn": ID,
    }, key="target_group_arn"),
    Table("autoscaling", "ecs", "Autoscaling", {
        "service": TEXT, "dimension": TEXT, "minimum": INT, "maximum": INT, "policy": Column(TEXT, "name"), "policy_type": Column(TEXT, "such as TargetTrackingScaling"),
        "metric": Column(TEXT, "name, or an expression of metrics"), "target_value": Column(FLOAT, "of the metric", optional=True),
        "scales_in": Column(BOOL, "whether it also takes tasks away"), "suspended": Column(LIST, "what is suspended, such as scale out"), "resource_id": Column(ID, "as in services"),
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
    listed = await aws.all("ecs", "list_clusters", "clusterArns", tables=every)
    arns = [a for a in listed if aws.scope.owns(last(a))]
    clusters, parts, names = await asyncio.gather(
        aws.in_batches(
            "ecs", "describe_clusters", "clusters", "clusters", arns, 100, tables=["clusters"], include=["SETTINGS"]
        ),
        asyncio.gather(*(_services_of(aws, arn, every[1:]) for arn in arns)),
        _network_names(aws, ["services"]),
    )  # fmt: skip
    services = [s for part in parts for s in part if s.get("status") != "INACTIVE"]
    used = sorted({s["taskDefinition"] for s in services if s.get("taskDefinition")})
    definitions = await asyncio.gather(
        *(
            aws.get(
                "ecs",
                "describe_task_definition",
                tables=["task_definitions", "containers"],
                needs="taskDefinition",
                taskDefinition=arn,
            )
            for arn in used
        )
    )
    definitions_read = [d["taskDefinition"] for d in definitions if d]
    return {
        "clusters": [_cluster(c) for c in clusters if c.get("status") != "INACTIVE"],
        "services": [_service(s, names) for s in services],
        "task_definitions": [_task_definition(d) for d in definitions_read],
        "containers": [_container(c, d) for d in definitions_read for c in d.get("containerDefinitions") or []],
    }


async def _services_of(aws: Aws, cluster: str, tables: Iterable[str]) -> list[Record]:
    arns = await aws.all("ecs", "list_services", "serviceArns", tables=tables, cluster=cluster)
    return await aws.in_batches(
        "ecs", "describe_services", "services", "services", arns, 10, tables=tables, cluster=cluster
    )


def _cluster(cluster: Record) -> Record:
    settings = {s.get("name"): s.get("value", "") for s in cluster.get("settings") or []}
    return {
        "name": text(cluster, "clusterName"),
        "status": cluster.get("status", ""),
        "container_insights": settings.get("containerInsights", ""),
        "capacity_providers": sorted(cluster.get("capacityProviders") or []),
        "default_strategy": _providers(cluster.get("defaultCapacityProviderStrategy")),
        "running_tasks": cluster.get("runningTasksCount"),
        "cluster_arn": text(cluster, "clusterArn"),
    }


def _providers(strategy: Iterable[Record] | None) -> list[str]:
    return sorted(str(item.get("capacityProvider", "")) for item in strategy or [])


def _service(service: Record, names: Mapping[str, str]) -> Record:
    network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    breaker = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    balancers = service.get("loadBalancers") or []
    subnet_ids, group_ids = network.get("subnets") or [], network.get("securityGroups") or []
    target_group_arns = [b["targetGroupArn"] for b in balancers if b.get("targetGroupArn")]
    strategy = service.get("capacityProviderStrategy") or []
    weights = sorted(f"{s.get('capacityProvider', '')} weight {s.get('weight', 0)}" for s in strategy)
    name, cluster, definition = (text(service, key) for key in ("serviceName", "clusterArn", "taskDefinition"))
    return {
        "name": name,
        "cluster": None if cluster is None else last(cluster),
        "launch_type": service.get("launchType") or ", ".join(weights),
        "capacity_providers": _providers(strategy),
        "desired": service.get("desiredCount"),
        "running": service.get("runningCount"),
        "task_definition": None if definition is None else last_revision(definition),
        "subnets": named(names, subnet_ids),
        "security_groups": named(names, group_ids),
        "public_ip": network.get("assignPublicIp") == "ENABLED",
        "circuit_breaker": bool(breaker.get("enable")),
        "rollback": bool(breaker.get("rollback")),
        "execute_command": bool(service.get("enableExecuteCommand")),
        "target_groups": sorted(map(_target_group_name, target_group_arns)),
        "container_port": next((b["containerPort"] for b in balancers if "containerPort" in b), None),
        "service_arn": text(service, "serviceArn"),
        "subnet_ids": sorted(subnet_ids),
        "group_ids": sorted(group_ids),
        "cluster_arn": cluster,
        "target_group_arns": sorted(target_group_arns),
        "resource_id": None if cluster is None or name is None else f"service/{last(cluster)}/{name}",
    }


def last_revision(arn: str) -> str:
    """`family:revision` of a task definition's ARN."""
    return arn.rsplit("/", 1)[-1]


def _revision_of(definition: Record) -> str | None:
    arn = text(definition, "taskDefinitionArn")
    return None if arn is None else last_revision(arn)


def _task_definition(definition: Record) -> Record:
    return {
        "name": _revision_of(definition),
        "cpu": number(definition.get("cpu")),
        "memory": number(definition.get("memory")),
        "network_mode": definition.get("networkMode", ""),
        "task_role": last(definition.get("taskRoleArn")),
        "execution_role": last(definition.get("executionRoleArn")),
        "volumes": sorted(v.get("name", "") for v in definition.get("volumes") or []),
        "task_definition_arn": text(definition, "taskDefinitionArn"),
    }


def _container(container: Record, definition: Record) -> Record:
    health = container.get("healthCheck") or {}
    command = health.get("command") or []
    log = container.get("logConfiguration") or {}
    options = log.get("options") or {}
    capabilities = (container.get("linuxParameters") or {}).get("capabilities") or {}
    mounts = container.get("mountPoints") or []
    return {
        "name": text(container, "name"),
        "task_definition": _revision_of(definition),
        "image": text(container, "image"),
        "port": next((p["containerPort"] for p in container.get("portMappings") or [] if "containerPort" in p), None),
        "user": container.get("user", ""),
        "read_only_root": bool(container.get("readonlyRootFilesystem")),
        "privileged": bool(container.get("privileged")),
        "health_check": " ".join(command[1:] if command[:1] in (["CMD"], ["CMD-SHELL"]) else command),
        "health_interval": health.get("interval"),
        "log_driver": log.get("logDriver", ""),
        "log_group": options.get("awslogs-group", ""),
        "log_mode": options.get("mode", ""),
        "log_buffer": options.get("max-buffer-size", ""),
        "entry_point": container.get("entryPoint") or [],
        "environment": dict(
            sorted((e.get("name", ""), e.get("value", "")) for e in container.get("environment") or [])
        ),
        "secrets": sorted(s.get("name", "") for s in container.get("secrets") or []),
        "dropped_capabilities": sorted(capabilities.get("drop") or []),
        "added_capabilities": sorted(capabilities.get("add") or []),
        "mount_points": sorted(
            f"{m.get('containerPath', '')} ({'read' if m.get('readOnly') else 'write'})" for m in mounts
        ),
        "definition": container,
    }


async def _load_balancers(aws: Aws) -> dict[str, list[Record]]:
    tables = ["load_balancers", "listeners", "listener_rules"]
    found = await aws.all("elbv2", "describe_load_balancers", "LoadBalancers", tables=tables)
    found = aws.ours(found, "LoadBalancerName", tables=tables)
    names, parts = await asyncio.gather(
        _network_names(aws, ["load_balancers"]), asyncio.gather(*(_parts_of(aws, balancer) for balancer in found))
    )
    return {
        "load_balancers": [
            _load_balancer(balancer, attributes, names) for balancer, (attributes, _) in zip(found, parts, strict=True)
        ],
        "listeners": [
            _listener(listener, balancer)
            for balancer, (_, listeners) in zip(found, parts, strict=True)
            for listener, _ in listeners
        ],
        "listener_rules": [
            _listener_rule(rule, listener, balancer)
            for balancer, (_, listeners) in zip(found, parts, strict=True)
            for listener, rules in listeners
            for rule in rules
        ],
    }


async def _parts_of(aws: Aws, balancer: Record) -> tuple[dict[str, str] | None, list[tuple[Record, list[Record]]]]:
    """A load balancer's attributes, and its listeners with their rules."""
    arn = balancer.get("LoadBalancerArn")
    if not arn:
        aws.report(["load_balancers", "listeners", "listener_rules"], "a load balancer", "AWS did not return its ARN")
        return None, []

    async def rules(listener: Record) -> list[Record]:
        if not listener.get("ListenerArn"):
            aws.report(["listeners", "listener_rules"], f"a listener of {arn}", "AWS did not return its ARN")
            return []
        return await aws.all(
            "elbv2", "describe_rules", "Rules", tables=["listener_rules"], ListenerArn=listener["ListenerArn"]
        )

    attributes, listeners = await asyncio.gather(
        aws.get(
            "elbv2",
            "describe_load_balancer_attributes",
            tables=["load_balancers"],
            needs="Attributes",
            LoadBalancerArn=arn,
        ),
        aws.all(
            "elbv2", "describe_listeners", "Listeners", tables=["listeners", "listener_rules"], LoadBalancerArn=arn
        ),
    )
    found = await asyncio.gather(*(rules(listener) for listener in listeners))
    return _attributes(attributes), list(zip(listeners, found, strict=True))


def _attributes(answer: Record | None) -> dict[str, str] | None:
    if answer is None:
        return None
    return {a["Key"]: a.get("Value") or "" for a in answer.get("Attributes") or [] if a.get("Key")}


def _load_balancer(balancer: Record, attributes: Mapping[str, str] | None, names: Mapping[str, str]) -> Record:
    zones = balancer.get("AvailabilityZones") or []
    subnet_ids = [z["SubnetId"] for z in zones if z.get("SubnetId")]
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
        "load_balancer_arn": text(balancer, "LoadBalancerArn"),
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
    return {
        "load_balancer": balancer["LoadBalancerName"],
        "port": listener.get("Port"),
        "protocol": text(listener, "Protocol"),
        "ssl_policy": listener.get("SslPolicy", "") if listener.get("Protocol") in ("HTTPS", "TLS") else "",
        **_action(listener.get("DefaultActions"), listener),
        "listener_arn": text(listener, "ListenerArn"),
        "load_balancer_arn": text(balancer, "LoadBalancerArn"),
    }


def _listener_rule(rule: Record, listener: Record, balancer: Record) -> Record:
    return {
        "load_balancer": balancer["LoadBalancerName"],
        "port": listener.get("Port"),
        "protocol": text(listener, "Protocol"),
        "priority": text(rule, "Priority"),
        "conditions": sorted(map(_condition, rule.get("Conditions") or [])),
        **_action(rule.get("Actions"), listener),
        "rule_arn": text(rule, "RuleArn"),
        "listener_arn": text(listener, "ListenerArn"),
        "load_balancer_arn": text(balancer, "LoadBalancerArn"),
    }


def _condition(condition: Record) -> str:
    settings = [value for key, value in condition.items() if key.endswith("Config")]
    values = condition.get("Values") or [v for setting in settings for v in setting.get("Values") or []]
    return f"{condition.get('Field', '')} {', '.join(map(str, values))}".strip()


def _action(actions: Iterable[Record] | None, listener: Record) -> Record:
    """The columns action, target, redirect_protocol and target_group_arns."""
    # The last action decides; those before it authenticate.
    action = max(actions or [{}], key=lambda a: a.get("Order") or 0)
    groups, protocol = _forwards_to(action), ""
    if redirect := action.get("RedirectConfig"):
        # What a redirect leaves out stays as it was in the request.
        asked = {"Protocol": listener.get("Protocol"), "Port": listener.get("Port"), "Host": "#{host}", **redirect}
        kept = {"#{protocol}": listener.get("Protocol"), "#{port}": listener.get("Port")}
        protocol, port = (str(kept.get(asked[part], asked[part])) for part in ("Protocol", "Port"))
        host = "" if asked["Host"] == "#{host}" else f"//{asked['Host']}:"
        target = f"{protocol}:{host}{port} {asked.get('StatusCode', '')}".strip()
    elif response := action.get("FixedResponseConfig"):
        target = str(response.get("StatusCode", ""))
    else:
        target = ", ".join(sorted(map(_target_group_name, groups)))
    return {
        "action": text(action, "Type"),
        "target": target,
        "redirect_protocol": protocol,
        "target_group_arns": groups,
    }


def _forwards_to(action: Record) -> list[str]:
    """ARNs of the target groups that an action forwards to."""
    groups = [g.get("TargetGroupArn") for g in (action.get("ForwardConfig") or {}).get("TargetGroups") or []] or [
        action.get("TargetGroupArn")
    ]
    return sorted(arn for arn in groups if arn)


def _target_group_name(arn: str) -> str:
    # arn:…:targetgroup/<name>/<id>
    return arn.rsplit("/", 2)[-2] if arn.count("/") > 1 else arn


_HEALTH = "TargetHealthDescriptions"


async def _target_groups(aws: Aws) -> dict[str, list[Record]]:
    tables = ["target_groups"]
    found = await aws.all("elbv2", "describe_target_groups", "TargetGroups", tables=tables)
    found = aws.ours(found, "TargetGroupName", tables=tables)

    async def row(group: Record) -> Record:
        arn, answer, health = text(group, "TargetGroupArn"), None, None
        if arn is not None:
            answer, health = await asyncio.gather(
                aws.get(
                    "elbv2", "describe_target_group_attributes", tables=tables, needs="Attributes", TargetGroupArn=arn
                ),
                aws.get("elbv2", "describe_target_health", tables=tables, needs=_HEALTH, TargetGroupArn=arn),
            )
        attributes = _attributes(answer) or {}
        targets = None if health is None else [(t.get("TargetHealth") or {}).get("State") for t in health[_HEALTH]]
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
            "deregistration_delay": number(attributes.get("deregistration_delay.timeout_seconds")),
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
    # service/<cluster>/<service>
    found = aws.ours(targets, "ResourceId", tables=tables, path=True)
    return {
        "autoscaling": [
            _autoscaling_row(target, policy)
            for target in found
            if target["ResourceId"].count("/") == 2 and aws.scope.owns(target["ResourceId"].split("/")[1])
            for policy in [p for p in policies if p.get("ResourceId") == target["ResourceId"]] or [{}]
        ]
    }


def _autoscaling_row(target: Record, policy: Record) -> Record:
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration") or {}
    suspended = target.get("SuspendedState") or {}
    return {
        "service": last(target["ResourceId"]),
        "dimension": text(target, "ScalableDimension"),
        "minimum": target.get("MinCapacity"),
        "maximum": target.get("MaxCapacity"),
        "policy": policy.get("PolicyName", ""),
        "policy_type": policy.get("PolicyType", ""),
        "metric": _metric(tracking),
        "target_value": tracking.get("TargetValue"),
        "scales_in": not tracking.get("DisableScaleIn"),
        "suspended": sorted(what for key, what in _SUSPENDED.items() if suspended.get(key)),
        "resource_id": target["ResourceId"],
    }


_SUSPENDED = {
    "DynamicScalingInSuspended": "scale in",
    "DynamicScalingOutSuspended": "scale out",
    "ScheduledScalingSuspended": "scheduled scaling",
}


def _metric(tracking: Record) -> str:
    """What a target tracking policy follows: the name of a metric, or an expression with the metrics in it."""
    predefined = tracking.get("PredefinedMetricSpecification") or {}
    customized = tracking.get("CustomizedMetricSpecification") or {}
    queries = customized.get("Metrics") or []
    # AWS gets one value from them: what it uses comes first.
    ordered = sorted(queries, key=lambda query: query.get("ReturnData") is False)
    measured = (
        ((q.get("MetricStat") or {}).get("Metric") or {}).get("MetricName") or q.get("Expression") for q in ordered
    )
    several = ", ".join(str(what) for what in measured if what)
    return str(predefined.get("PredefinedMetricType") or customized.get("MetricName") or several)


async def _log_groups(aws: Aws) -> dict[str, list[Record]]:
    found = await aws.all(
        "logs", "describe_log_groups", "logGroups", tables=["log_groups"], logGroupNamePattern=aws.scope.prefix
    )
    found = aws.ours(found, "logGroupName", tables=["log_groups"], path=True)
    keys = await key_names(aws, (g.get("kmsKeyId") for g in found), aws.scope.region, ["log_groups"])
    return {
        "log_groups": [
            {
                "name": g["logGroupName"],
                "retention_days": g.get("retentionInDays"),
                "kms_key": keys.get(g.get("kmsKeyId", ""), ""),
                "log_group_arn": None if g.get("arn") is None else g["arn"].removesuffix(":*"),
            }
            for g in found
        ]
    }
