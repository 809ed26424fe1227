"""Claims about the firewall rules: network ACLs around subnets, security groups around resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from workbook.claims.engine import Evidence, View, accepted, claims_of, evidence
from workbook.claims.vpc import internet, meant_private

claim = claims_of("vpc")

ADMIN_PORTS = (22, 3389)
FIRST_EPHEMERAL_PORT = 1024


def covers(rule: Any, port: int) -> bool:
    """Whether a rule covers a TCP port; None as a limit means every port."""
    low, high = rule.from_port, rule.to_port
    return rule.protocol in ("tcp", "all", "6") and (low is None or low <= port) and (high is None or port <= high)


def entries(view: View, acl: str, direction: str) -> list[Any]:
    """The entries of a network ACL in one direction, without the final deny that every ACL has."""
    return [
        e
        for e in view["nacl_entries"]
        if e.network_acl_id == acl and e.direction == direction and e.rule_number < 32767
    ]


def acls_of(subnets: Iterable[Any]) -> list[tuple[str, str]]:
    """Ids and names of the network ACLs of some subnets, by name."""
    found = {(subnet.network_acl_id, subnet.network_acl) for subnet in subnets}
    return sorted(found, key=lambda acl: (str(acl[1]), str(acl[0])))


def rules_of(view: View, groups: Iterable[str], direction: str) -> list[Any]:
    """The rules of some security groups (ids) in one direction."""
    return [rule for rule in view.rows("security_group_rules", direction=direction) if rule.group_id in set(groups)]


def from_internet(rule: Any) -> bool:
    """Whether the peer of a security group's rule holds addresses of the internet."""
    return rule.peer_type == "cidr" and internet(rule.peer)


def groups_of(rows: Iterable[Any]) -> list[str]:
    """Ids of the security groups of services, load balancers or endpoints."""
    return sorted({group for row in rows for group in row.group_ids})


def ports_of(rule: Any) -> str:
    """Such as tcp 443, or all."""
    return rule.protocol if rule.ports == rule.protocol else f"{rule.protocol} {rule.ports}"


# ── network ACLs ──


@claim("VPC-NACL-DEDICATED", "medium", "Public and private subnets each have their own network ACL.")
def nacl_dedicated(view: View) -> Iterator[Evidence]:
    default = {entry.network_acl_id for entry in view["nacl_entries"] if entry.is_default}
    for subnet in view["subnets"]:
        tiers = {other.tier for other in view["subnets"] if other.network_acl_id == subnet.network_acl_id}
        yield evidence(
            subnet.name,
            subnet.network_acl or "none",
            subnet.network_acl_id and subnet.network_acl_id not in default and len(tiers) == 1,
        )


@claim("VPC-NACL-DEFAULT", "medium", "The default network ACL denies everything, so a forgotten subnet is cut off.")
def nacl_default(view: View) -> Iterator[Evidence]:
    for entry in view["nacl_entries"]:
        if entry.is_default:
            yield evidence(
                entry.network_acl,
                f"{entry.direction} {entry.rule_number}: {entry.action} {entry.cidr}",
                entry.action == "deny",
            )


@claim(
    "VPC-NACL-PRIVATE-IN",
    "high",
    "From the internet, private subnets accept only return traffic: ephemeral ports, except the containers' own.",
)
def nacl_private_in(view: View) -> Iterator[Evidence]:
    ports = [service.container_port for service in view["services"] if service.container_port]
    for acl, name in acls_of(meant_private(view)):
        tried = entries(view, acl, "ingress")
        for entry in tried:
            if entry.action == "allow" and internet(entry.cidr):
                whole = "::/0" if ":" in entry.cidr else "0.0.0.0/0"
                before = [
                    e
                    for e in tried
                    if e.action == "deny" and e.rule_number < entry.rule_number and e.cidr in (entry.cidr, whole)
                ]
                reached = [
                    port for port in ports if covers(entry, port) and not any(covers(deny, port) for deny in before)
                ]
                what = f"{entry.rule_number}: {ports_of(entry)} from {entry.cidr}" + (
                    f", port {reached[0]} open" if reached else ""
                )
                yield evidence(name, what, ports and not reached and (entry.from_port or 0) >= FIRST_EPHEMERAL_PORT)


@claim("VPC-NACL-PRIVATE-OUT", "medium", "Private subnets can reach the internet only over HTTPS.")
def nacl_private_out(view: View) -> Iterator[Evidence]:
    for acl, name in acls_of(meant_private(view)):
        for entry in entries(view, acl, "egress"):
            if entry.action == "allow" and internet(entry.cidr):
                yield evidence(name, f"{entry.rule_number}: {ports_of(entry)} to {entry.cidr}", entry.ports == "443")


@claim(
    "VPC-NACL-PUBLIC-IN",
    "medium",
    "From the internet, public subnets accept only the load balancer's ports and return traffic.",
)
def nacl_public_in(view: View) -> Iterator[Evidence]:
    listening = {listener.port for listener in view["listeners"]}
    for acl, name in acls_of(subnet for subnet in view["subnets"] if subnet.tier == "public"):
        for entry in entries(view, acl, "ingress"):
            if entry.action == "allow" and internet(entry.cidr):
                one_port = entry.from_port == entry.to_port and entry.from_port in listening
                yield evidence(
                    name,
                    f"{entry.rule_number}: {ports_of(entry)} from {entry.cidr}",
                    one_port or (entry.from_port or 0) >= FIRST_EPHEMERAL_PORT,
                )


@claim("VPC-NACL-ADMIN-PORTS", "high", "No network ACL lets the internet reach SSH or RDP.")
def nacl_admin_ports(view: View) -> Iterator[Evidence]:
    opened = any(
        rule.direction == "ingress" and from_internet(rule) and covers(rule, 3389)
        for rule in view["security_group_rules"]
    )
    for entry in view["nacl_entries"]:
        if entry.direction == "ingress" and entry.action == "allow" and internet(entry.cidr):
            reached = [port for port in ADMIN_PORTS if covers(entry, port)]
            what = f"{entry.rule_number}: {ports_of(entry)} from {entry.cidr}"
            if reached == [3389] and entry.from_port >= FIRST_EPHEMERAL_PORT and not opened:
                reason = (
                    "3389 is one of the ephemeral ports for return traffic, which a "
                    "stateless ACL must leave open; no security group opens it."
                )
                yield accepted(entry.network_acl, what, reason)
            else:
                yield evidence(entry.network_acl, what, not reached)


# ── security groups ──


@claim(
    "VPC-SG-DEFAULT",
    "medium",
    "The default security group has no rules, so forgetting to choose a group grants no access.",
)
def sg_default(view: View) -> Iterator[Evidence]:
    for group in view["security_groups"]:
        if group.is_default:
            rules = view.rows("security_group_rules", group_id=group.group_id)
            yield evidence(
                group.name, "; ".join(f"{r.direction} {ports_of(r)} {r.peer}" for r in rules) or "no rules", not rules
            )


@claim(
    "VPC-SG-WORLD",
    "critical",
    "Only the load balancer accepts connections from the internet, and only on the ports it listens on.",
)
def sg_world(view: View) -> Iterator[Evidence]:
    balancers = groups_of(view["load_balancers"])
    listening = {listener.port for listener in view["listeners"]}
    for group in view["security_groups"]:
        world = [rule for rule in rules_of(view, [group.group_id], "ingress") if from_internet(rule)]
        fine = all(
            group.group_id in balancers and rule.from_port == rule.to_port and rule.from_port in listening
            for rule in world
        )
        yield evidence(
            group.name,
            ", ".join(f"{ports_of(rule)} from {rule.peer}" for rule in world) or "closed to the internet",
            fine,
        )


@claim("VPC-SG-ADMIN-PORTS", "critical", "No security group opens SSH or RDP to the internet.")
def sg_admin_ports(view: View) -> Iterator[Evidence]:
    for group in view["security_groups"]:
        reached = {
            port
            for rule in rules_of(view, [group.group_id], "ingress")
            if from_internet(rule)
            for port in ADMIN_PORTS
            if covers(rule, port)
        }
        yield evidence(
            group.name,
            f"port {', '.join(map(str, sorted(reached)))} open" if reached else "neither 22 nor 3389",
            not reached,
        )


@claim(
    "VPC-SG-TASK-IN",
    "critical",
    "Tasks accept connections only from the load balancer, and only on the container's port.",
)
def sg_task_in(view: View) -> Iterator[Evidence]:
    balancers = groups_of(view["load_balancers"])
    for service in view["services"]:
        for rule in rules_of(view, service.group_ids, "ingress"):
            one_port = rule.from_port == rule.to_port == service.container_port
            yield evidence(
                rule.security_group, f"{ports_of(rule)} from {rule.peer}", rule.peer_id in balancers and one_port
            )


@claim("VPC-SG-TASK-OUT", "high", "Tasks can connect only to AWS's endpoints, and only on port 443.")
def sg_task_out(view: View) -> Iterator[Evidence]:
    endpoints = groups_of(view["endpoints"])
    public_image = any(container.image.startswith("public.ecr.aws/") for container in view["containers"])
    for rule in rules_of(view, groups_of(view["services"]), "egress"):
        https = rule.protocol == "tcp" and rule.ports == "443"
        what = f"{ports_of(rule)} to {rule.peer}"
        if https and rule.peer == "0.0.0.0/0" and public_image:
            reason = (
                "The image is in public.ecr.aws, which no endpoint serves, so tasks can reach any address on 443 "
                "through NAT; such connections can only start from the task."
            )
            yield accepted(rule.security_group, what, reason)
        else:
            yield evidence(
                rule.security_group, what, https and (rule.peer_id in endpoints or rule.peer_type == "prefix_list")
            )


@claim("VPC-SG-ALB-OUT", "high", "The load balancer can connect only to the tasks, and only on the container's port.")
def sg_alb_out(view: View) -> Iterator[Evidence]:
    tasks = groups_of(view["services"])
    ports = {service.container_port for service in view["services"]}
    for rule in rules_of(view, groups_of(view["load_balancers"]), "egress"):
        yield evidence(
            rule.security_group,
            f"{ports_of(rule)} to {rule.peer}",
            rule.peer_id in tasks and rule.from_port == rule.to_port and rule.from_port in ports,
        )


@claim("VPC-SG-ENDPOINT-IN", "high", "Endpoints accept only HTTPS, and only from the tasks.")
def sg_endpoint_in(view: View) -> Iterator[Evidence]:
    tasks = groups_of(view["services"])
    for endpoint in view["endpoints"]:
        if endpoint.type == "Interface":
            rules = rules_of(view, endpoint.group_ids, "ingress")
            fine = rules and all(
                rule.peer_id in tasks and rule.protocol == "tcp" and rule.ports == "443" for rule in rules
            )
            yield evidence(
                endpoint.name,
                ", ".join(f"{ports_of(rule)} from {rule.peer}" for rule in rules) or "no inbound rules",
                fine,
            )


@claim("VPC-RULES-ENFORCED", "high", "Traffic that the rules do not allow is blocked.", limit="endpoint-policies")
def rules_enforced(view: View) -> Iterator[Evidence]:
    default = {group.group_id for group in view["security_groups"] if group.is_default}
    for row in (*view["services"], *view["load_balancers"]):
        yield evidence(
            row.name,
            f"behind {', '.join(row.security_groups) or 'no security group'}",
            row.group_ids and not default & set(row.group_ids),
        )
