"""Claims about the load balancer, the only part that faces the internet. It belongs to the ecs layer."""

from __future__ import annotations

from collections.abc import Iterator

from workbook.access.proofs import Answer
from workbook.access.requests import service_caller
from workbook.claims.buckets import LOAD_BALANCER_LOGS
from workbook.claims.engine import Evidence, View, accepted, claims_of, evidence, not_applicable

claim = claims_of("ecs")

# Policies that reject everything below TLS 1.2.
MODERN_TLS = (
    "ELBSecurityPolicy-TLS13-1-2-",
    "ELBSecurityPolicy-TLS13-1-3-",
    "ELBSecurityPolicy-TLS-1-2-",
    "ELBSecurityPolicy-FS-1-2-",
)


@claim("ALB-SUBNETS", "high", "The load balancer runs in public subnets of at least two zones.")
def subnets(view: View) -> Iterator[Evidence]:
    known = view.by_key("subnets")
    for balancer in view["load_balancers"]:
        found = [known[id] for id in balancer.subnet_ids if id in known]
        zones = {subnet.az for subnet in found}
        fine = (
            found
            and len(found) == len(balancer.subnet_ids)
            and all(s.tier == "public" for s in found)
            and len(zones) >= 2
        )
        yield evidence(balancer.name, ", ".join(sorted(f"{s.tier} {s.az}" for s in found)) or "no known subnet", fine)


@claim("ALB-HTTPS", "high", "Clients reach the application only over HTTPS.")
def https(view: View) -> Iterator[Evidence]:
    encrypted = {listener.load_balancer_arn for listener in view["listeners"] if listener.protocol == "HTTPS"}
    # A listener's own action is its default; its other rules decide before it.
    rules = [rule for rule in view["listener_rules"] if rule.priority != "default"]
    for entry in [*view["listeners"], *rules]:
        by = f" by {', '.join(entry.conditions) or 'any request'}" if entry in rules else ""
        what = f"{entry.protocol} {entry.port}: {entry.action} {entry.target}{by}"
        if entry.protocol in ("HTTPS", "TLS"):
            yield evidence(entry.load_balancer, what, True)
        elif entry.action in ("redirect", "fixed-response"):
            # A redirect to HTTP leads to another listener in plain text, or to nothing.
            yield evidence(
                entry.load_balancer, what, entry.action == "fixed-response" or entry.redirect_protocol == "HTTPS"
            )
        elif entry.protocol == "HTTP" and entry.port == 80 and entry.load_balancer_arn not in encrypted:
            reason = (
                "A certificate needs a domain, and the take-home has none; setting certificate_arn in locals.tf adds "
                "HTTPS and redirects HTTP to it."
            )
            yield accepted(entry.load_balancer, what, reason)
        else:
            yield evidence(entry.load_balancer, what, False)


@claim("ALB-TLS-POLICY", "high", "HTTPS listeners reject everything below TLS 1.2.")
def tls_policy(view: View) -> Iterator[Evidence]:
    https = any(listener.protocol == "HTTPS" for listener in view["listeners"])
    for listener in view["listeners"]:
        if listener.protocol == "HTTPS":
            yield evidence(
                listener.load_balancer, listener.ssl_policy or "none", listener.ssl_policy.startswith(MODERN_TLS)
            )
        else:
            yield not_applicable(
                listener.load_balancer,
                f"{listener.protocol} {listener.port}",
                "It has no TLS; ALB-HTTPS judges it."
                if https
                else "There is no HTTPS listener until a certificate is set.",
            )


@claim("ALB-DROP-HEADERS", "medium", "Invalid HTTP headers are dropped before they reach a task.")
def drop_headers(view: View) -> Iterator[Evidence]:
    for balancer in view["load_balancers"]:
        yield evidence(
            balancer.name,
            f"invalid headers {'dropped' if balancer.drop_invalid_headers else 'passed on'}",
            balancer.drop_invalid_headers,
        )


@claim(
    "ALB-ACCESS-LOGS",
    "medium",
    "The load balancer logs requests to the log bucket, whose policy allows it; delivery is best effort.",
)
def access_logs(view: View) -> Iterator[Evidence]:
    policies = view.policies
    for balancer in view["load_balancers"]:
        bucket, _, prefix = balancer.access_logs.partition("/")
        path = f"arn:aws:s3:::{bucket}/{prefix + '/' if prefix else ''}AWSLogs/{policies.account.id}/x"
        refused = policies.prove(("s3:PutObject",), [path], [service_caller(LOAD_BALANCER_LOGS)])
        takes = bool(bucket) and refused.answer is Answer.REFUTED
        what = f"to {balancer.access_logs or 'nowhere'}{'' if takes or not bucket else ', which does not accept them'}"
        yield evidence(balancer.name, what, takes)


@claim("ALB-LOGS-ARRIVE", "medium", "The load balancer's access logs arrive in the bucket.", limit="elb-simulated")
def logs_arrive(view: View) -> Iterator[Evidence]:
    buckets = view.by_key("buckets")
    for balancer in view["load_balancers"]:
        bucket = buckets.get(balancer.access_logs.partition("/")[0])
        yield evidence(
            balancer.name, f"to {balancer.access_logs or 'nowhere'}", bucket and bucket.encryption == "AES256"
        )


@claim("ALB-DELETION-PROTECTION", "low", "The load balancer cannot be deleted by mistake.")
def deletion_protection(view: View) -> Iterator[Evidence]:
    for balancer in view["load_balancers"]:
        if not balancer.deletion_protection and "-dev-" in balancer.name:
            yield accepted(
                balancer.name,
                "off",
                "dev is torn down at the end of the day; force_destroy = false in locals.tf turns protection on.",
            )
        else:
            yield evidence(balancer.name, "on" if balancer.deletion_protection else "off", balancer.deletion_protection)


@claim(
    "ALB-HEALTH-PATH", "medium", "The load balancer checks /health and sends requests only to tasks that return 200."
)
def health_path(view: View) -> Iterator[Evidence]:
    for group in view["target_groups"]:
        yield evidence(
            group.name,
            f"{group.health_path} expects {group.matcher} every {group.health_interval} s",
            group.health_path == "/health" and group.matcher == "200",
        )


@claim("ALB-TARGETS", "medium", "Requests go straight to the tasks' IP addresses.")
def targets(view: View) -> Iterator[Evidence]:
    for group in view["target_groups"]:
        yield evidence(group.name, f"target type {group.target_type}", group.target_type == "ip")


@claim("ALB-HEALTHY", "high", "Every registered task is healthy.", limit="elb-simulated", visible_on_aws=True)
def healthy(view: View) -> Iterator[Evidence]:
    for group in view["target_groups"]:
        yield evidence(
            group.name, f"{group.healthy} of {group.targets} healthy", group.targets and group.healthy == group.targets
        )
