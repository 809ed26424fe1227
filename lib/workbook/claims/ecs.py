"""Claims about the service: where tasks run, what they run, and as which user. The load balancer is in ecs_alb.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workbook.claims.buckets import data_buckets
from workbook.claims.engine import Evidence, View, accepted, cannot_tell, claims_of, evidence, not_applicable
from workbook.claims.health import fails_with
from workbook.claims.secret_values import looks_random, secret_in

claim = claims_of("ecs")

AWS_REGISTRY = "public.ecr.aws/aws-cli/"
# What containers can do that drop nothing, on Fargate and elsewhere.
DEFAULT_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
S3_ACCESS = re.compile(r"\bs3(api)?\b.*\b(ls|head-bucket|head-object|list-objects|list-objects-v2|get-object)\b")
OWN_HEALTH = re.compile(r"/health\b")


def application(view: View) -> list[Any]:
    """The containers that listen on a port, as opposed to init containers."""
    return [container for container in view["containers"] if container.port]


def startup(container: Any) -> str:
    """The startup command as one text."""
    return "\n".join(container.definition.get("command") or [])


def tag_of(image: str) -> str:
    """The tag of an image name; empty if it has none."""
    _, _, tag = image.rpartition("/")[2].partition(":")
    return tag


# ── where ──


@claim("ECS-FARGATE", "high", "Tasks run on Fargate, so we have no instances to patch.")
def fargate(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        # Capacity providers take the place of the launch type.
        fine = set(service.capacity_providers) <= {"FARGATE", "FARGATE_SPOT"} and bool(service.capacity_providers)
        yield evidence(service.name, service.launch_type or "no launch type", fine or service.launch_type == "FARGATE")


@claim("ECS-PRIVATE-SUBNETS", "critical", "Tasks run in private subnets, which have no route to the internet gateway.")
def private_subnets(view: View) -> Iterator[Evidence]:
    known = view.by_key("subnets")
    for service in view["services"]:
        found = [(known[id].name, known[id].tier) if id in known else (id, None) for id in service.subnet_ids]
        for name, tier in sorted(found, key=lambda subnet: str(subnet[0])):
            yield evidence(service.name, f"{name}: {tier or 'unknown'}", tier == "private")


@claim("ECS-NO-PUBLIC-IP", "critical", "Tasks have no public address.")
def no_public_ip(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        yield evidence(
            service.name, f"public address: {'yes' if service.public_ip else 'no'}", service.public_ip is False
        )


@claim(
    "ECS-MULTI-AZ",
    "high",
    "At least two tasks run, in subnets across at least three zones, so the service survives the loss of one.",
)
def multi_az(view: View) -> Iterator[Evidence]:
    zones = {subnet.subnet_id: subnet.az for subnet in view["subnets"]}
    for service in view["services"]:
        spread = {zones[id] for id in service.subnet_ids if id in zones}
        yield evidence(
            service.name,
            f"{service.desired} tasks across {len(spread)} zones",
            len(spread) >= 3 and (service.desired or 0) >= 2,
        )


@claim("ECS-RUNNING", "high", "The desired number of tasks is running.", limit="ecs-simulated", visible_on_aws=True)
def running(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        yield evidence(
            service.name,
            f"{service.running} of {service.desired} running",
            service.desired and (service.running or 0) >= service.desired,
        )


@claim("ECS-AUTOSCALING", "medium", "The number of tasks follows the load, within limits.")
def autoscaling(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        rules = view.rows("autoscaling", resource_id=service.resource_id)
        what = ", ".join(_scaling(rule) for rule in rules) or "fixed"
        within = [rule for rule in rules if 2 <= rule.minimum < rule.maximum and not rule.suspended]
        if any(rule.metric and rule.scales_in for rule in within):
            yield evidence(service.name, what, True)
        elif [rule for rule in within if rule.policy and not rule.metric]:
            yield cannot_tell(service.name, f"{what}: what sets it off is an alarm or a forecast, which was not read")
        else:
            yield evidence(service.name, what, False)


def _scaling(rule: Any) -> str:
    but = [*(f"{part} suspended" for part in rule.suspended), *([] if rule.scales_in else ["never scales in"])]
    by = rule.metric or rule.policy_type or "nothing"
    return f"{rule.minimum} to {rule.maximum} by {by}{''.join(f', {part}' for part in but)}"


@claim(
    "ECS-CIRCUIT-BREAKER",
    "medium",
    "A release that fails to start is rolled back automatically; only a service's first deployment has nothing to "
    "roll back to.",
)
def circuit_breaker(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        what = f"circuit breaker {'on' if service.circuit_breaker else 'off'}, rollback {'on' if service.rollback else 'off'}"
        yield evidence(service.name, what, service.circuit_breaker and service.rollback)


@claim("ECS-EXEC-OFF", "high", "Nobody can open a shell in a running task.")
def exec_off(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        yield evidence(
            service.name, f"ECS Exec {'on' if service.execute_command else 'off'}", service.execute_command is False
        )


@claim("ECS-INSIGHTS", "low", "Container Insights monitors the cluster.")
def insights(view: View) -> Iterator[Evidence]:
    for cluster in view["clusters"]:
        yield evidence(
            cluster.name,
            f"Container Insights {cluster.container_insights or 'disabled'}",
            cluster.container_insights in ("enabled", "enhanced"),
        )


# ── what ──


@claim("ECS-IMAGE-OFFICIAL", "high", "Containers run AWS's official CLI image, with nothing of ours built in.")
def image_official(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        yield evidence(container.name, container.image, container.image.startswith(AWS_REGISTRY))


@claim("ECS-IMAGE-PINNED", "medium", "The image is pinned, so what runs is what was tested.")
def image_pinned(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        if "@sha256:" not in container.image and re.fullmatch(r"\d+\.\d+\.\d+", tag_of(container.image)):
            reason = (
                "The image has a full version tag, as in the take-home; only a digest "
                "would rule out AWS moving the tag."
            )
            yield accepted(container.name, container.image, reason)
        else:
            yield evidence(container.name, container.image, "@sha256:" in container.image)


@claim("ECS-IMAGE-PATH", "medium", "Images come from the account's own registry, through the ECR endpoints.")
def image_path(view: View) -> Iterator[Evidence]:
    registries = [repository.uri for repository in view["repositories"]]
    for container in view["containers"]:
        if container.image.startswith(AWS_REGISTRY):
            yield accepted(
                container.name,
                container.image,
                "The take-home runs AWS's public image; the endpoints serve only "
                "private registries, so it is pulled through NAT.",
            )
        else:
            # A repository's name may be the beginning of another's.
            ours = any(f"{container.image}:".startswith((f"{uri}:", f"{uri}@")) for uri in registries)
            yield evidence(container.name, container.image, ours)


@claim("ECS-S3-CHECK", "medium", "The startup command checks the data bucket with aws s3 ls.")
def s3_check(view: View) -> Iterator[Evidence]:
    data = {bucket.name for bucket in data_buckets(view)}
    for container in application(view):
        bucket = container.environment.get("BUCKET_NAME", "")
        calls = "aws s3 ls" in startup(container)
        yield evidence(
            container.name,
            f"{'aws s3 ls' if calls else 'no aws s3 ls'} on {bucket or 'no bucket'}",
            calls and bucket in data,
        )


@claim(
    "ECS-PAGE",
    "low",
    "The container writes a page of its findings and serves it with Python's "
    "built-in HTTP server; it installs no packages.",
)
def page(view: View) -> Iterator[Evidence]:
    for container in application(view):
        script = startup(container)
        installs = [word for word in ("pip install", "yum install", "dnf install", "apt-get") if word in script]
        missing = [word for word in ("http.server", "index.html") if word not in script]
        what = (
            ", ".join([*(f"no {word}" for word in missing), *installs])
            or "http.server and index.html, nothing installed"
        )
        yield evidence(container.name, what, not missing and not installs)


@claim(
    "ECS-FEATURES",
    "low",
    "The page shows which protections are configured: the list comes from Terraform, not from the page itself.",
)
def features(view: View) -> Iterator[Evidence]:
    for container in application(view):
        lines = container.environment.get("SECURITY_FEATURES", "").splitlines()
        titles = [line.partition(":")[0] for line in lines if line.partition(":")[2].strip()]
        yield evidence(container.name, ", ".join(titles) or "none", len(titles) >= 5)


@claim("ECS-PORT", "medium", "Container, service and target group use the same port.")
def port(view: View) -> Iterator[Evidence]:
    groups = {arn: group.port for arn, group in view.by_key("target_groups").items()}
    for service in view["services"]:
        own = [
            container.port for container in application(view) if container.task_definition == service.task_definition
        ]
        ports = {*own, service.container_port, *(groups.get(arn) for arn in service.target_group_arns)}
        yield evidence(
            service.name, ", ".join(sorted(map(str, ports))), own and service.target_groups and len(ports) == 1
        )


@claim("ECS-HEALTH-CHECK", "medium", "A container health check verifies access to S3.")
def health_check(view: View) -> Iterator[Evidence]:
    for container in application(view):
        check = container.health_check
        on_s3, on_itself = (fails_with(check, part) for part in (S3_ACCESS, OWN_HEALTH))
        if check and on_s3 is None:
            yield cannot_tell(container.name, f"{check}: more than a list of commands")
        elif on_itself and not on_s3:
            reason = (
                "Liveness only, on purpose: if it depended on S3, an S3 outage would restart every task for nothing. "
                "The page shows the bucket's state."
            )
            yield accepted(container.name, check, reason)
        else:
            ignored = "" if on_s3 or not S3_ACCESS.search(check) else " succeeds without S3"
            yield evidence(container.name, f"{check}{ignored}" or "no health check", on_s3)


@claim("ECS-HEALTH-INTERVAL", "low", "Container health and bucket access are checked every 30 seconds.")
def health_interval(view: View) -> Iterator[Evidence]:
    for container in application(view):
        again = container.environment.get("CHECK_INTERVAL", "")
        yield evidence(
            container.name,
            f"health every {container.health_interval} s, bucket every {again or '?'} s",
            container.health_interval == 30 and again == "30",
        )


# ── as whom ──


@claim("ECS-SEPARATE-ROLES", "high", "ECS starts a task with one role; the application runs with another.")
def separate_roles(view: View) -> Iterator[Evidence]:
    for task in view["task_definitions"]:
        what = f"execution {task.execution_role or 'none'}, task {task.task_role or 'none'}"
        yield evidence(
            task.name, what, task.execution_role and task.task_role and task.execution_role != task.task_role
        )


@claim("ECS-NON-ROOT", "high", "Containers do not run as root.")
def non_root(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        user = container.user.split(":")[0]
        root = user in ("", "root") or (user.isdecimal() and int(user) == 0)
        harmless = not container.port and container.definition.get("essential") is False and not capabilities(container)
        if not user and not container.image.startswith(AWS_REGISTRY):
            yield cannot_tell(container.name, f"user of the image {container.image}")
        elif root and user and harmless:
            reason = (
                "A Fargate volume belongs to root, so one container opens it up for the application; it has no "
                "capabilities and exits before the application starts."
            )
            yield accepted(container.name, f"user {container.user}", reason)
        else:
            yield evidence(container.name, f"user {container.user or 'of the image, root'}", not root)


@claim("ECS-READ-ONLY-ROOT", "medium", "Root file systems are read-only.")
def read_only_root(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        yield evidence(
            container.name, "read-only" if container.read_only_root else "writable", container.read_only_root
        )


def capabilities(container: Any) -> list[str]:
    """The Linux capabilities that a container has."""
    if container.privileged:
        return ["ALL"]
    dropped, added = set(container.dropped_capabilities), set(container.added_capabilities)
    kept = set() if "ALL" in dropped else DEFAULT_CAPABILITIES - dropped
    return sorted(kept | added)


@claim("ECS-NO-CAPABILITIES", "medium", "Containers have no Linux capabilities.")
def no_capabilities(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        found = capabilities(container)
        yield evidence(container.name, f"has {', '.join(found) or 'none'}", not found)


@claim("ECS-NOT-PRIVILEGED", "high", "No container is privileged, and none shares the host's network.")
def not_privileged(view: View) -> Iterator[Evidence]:
    modes = {task.name: task.network_mode for task in view["task_definitions"]}
    for container in view["containers"]:
        mode = modes.get(container.task_definition, "")
        yield evidence(
            container.name,
            f"{'privileged' if container.privileged else 'not privileged'}, network {mode}",
            container.privileged is False and mode == "awsvpc",
        )


@claim("ECS-NO-SECRETS", "high", "No environment variable holds a secret.")
def no_secrets(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        variables = container.environment
        # Never the value.
        found = [f"{name}: {kind}" for name, value in variables.items() if (kind := secret_in(name, value))]
        unsure = [f"{name} looks random" for name, value in variables.items() if looks_random(value)]
        files = len(container.definition.get("environmentFiles") or [])
        unsure += [f"{files} environment files, which were not read"] if files else []
        if unsure and not found:
            yield cannot_tell(container.name, ", ".join(unsure))
        else:
            what = ", ".join(found) or f"{len(variables)} variables, none holds a secret"
            yield evidence(container.name, what, not found)


@claim("ECS-LOGS", "high", "Every container logs to an existing CloudWatch log group.")
def logs(view: View) -> Iterator[Evidence]:
    groups = view.by_key("log_groups")
    for container in view["containers"]:
        yield evidence(container.name, container.log_group or "no log", container.log_group in groups)


@claim("ECS-LOG-MODE", "medium", "A container keeps running while its log cannot be delivered.")
def log_mode(view: View) -> Iterator[Evidence]:
    for container in view["containers"]:
        what = (
            f"{container.log_driver} {container.log_mode}{container.log_buffer and f', {container.log_buffer} buffer'}"
        )
        if not container.log_driver:
            yield not_applicable(container.name, "no log", "There is no log that it could wait for.")
        elif not container.log_mode:
            yield cannot_tell(container.name, f"{container.log_driver}: the mode is the account's default, not read")
        else:
            yield evidence(container.name, what, container.log_mode == "non-blocking")
