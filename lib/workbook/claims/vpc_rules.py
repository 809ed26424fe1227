"""Claims about the firewall rules: network ACLs around subnets, security groups around resources.

Each asks the packet engine what a filter lets through, of all protocols and ports, and compares the sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from workbook.claims.engine import Evidence, View, accepted, cannot_tell, claims_of, evidence
from workbook.claims.parties import ADMIN, EPHEMERAL, internet, members, only, others, over, strangers, within
from workbook.claims.vpc import meant_private
from workbook.network.packets import Address, Passage
from workbook.network.topology import Topology
from workbook.network.traffic import NOTHING, Traffic, of, ports, union

claim = claims_of("vpc")


def acls_of(rows: Iterable[Any]) -> list[Any]:
    """One row (of a subnet, or an entry) for each network ACL that some rows name, by name."""
    found = {row.network_acl_id: row for row in rows if row.network_acl_id}
    return sorted(found.values(), key=lambda row: (str(row.network_acl), row.network_acl_id))


def through_acls(view: View, rows: Iterable[Any], direction: str) -> Iterator[tuple[str, Passage]]:
    """Name of each ACL, and what it lets through from or to the internet."""
    net = Topology(view, ("nacl_entries",))
    for row in acls_of(rows):
        yield row.network_acl, over(internet(net), lambda address, row=row: net.through_acl(row, direction, address))  # type: ignore[misc]


def rules_of(view: View, groups: Iterable[str], direction: str) -> list[Any]:
    """The rules of some security groups (ids) in one direction."""
    return [rule for rule in view.rows("security_group_rules", direction=direction) if rule.group_id in set(groups)]


def groups_of(rows: Iterable[Any]) -> list[str]:
    """Ids of the security groups of services, load balancers or endpoints."""
    return sorted({group for row in rows for group in row.group_ids})


def ports_of(rule: Any) -> str:
    """Such as tcp 443, or all."""
    return rule.protocol if rule.ports == rule.protocol else f"{rule.protocol} {rule.ports}"


def container_ports(view: View) -> Traffic:
    return union(ports("tcp", service.container_port) for service in view["services"] if service.container_port)


def listening(view: View, balancers: Iterable[Any]) -> Traffic:
    arns = {balancer.load_balancer_arn for balancer in balancers}
    return union(ports("tcp", row.port) for row in view["listeners"] if row.load_balancer_arn in arns and row.port)


def towards(view: View, rule: Any, table: str, fine: Traffic) -> Evidence:
    """Evidence that a rule is about `fine` traffic only, and about nothing but the rows of one table."""
    what = f"{ports_of(rule)} {'from' if rule.direction == 'ingress' else 'to'} {rule.peer}"
    if rule.peer_type == "security_group":
        having = members(view)[rule.peer_id]
        return evidence(rule.security_group, what + others(having, table), only(having, table) and of(rule) <= fine)
    if rule.peer_type == "prefix_list":
        entries = Topology(view).lists.get(rule.peer_id)
        if entries is None and of(rule) <= fine:
            return cannot_tell(rule.security_group, f"{what}: its entries were not read")
        return evidence(rule.security_group, what, entries is not None and not entries)
    return evidence(rule.security_group, what, False)


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
    net = Topology(view, ("nacl_entries",))
    everywhere = [*net.everywhere(4), *net.everywhere(6)]
    for acl in acls_of(view.rows("nacl_entries", is_default=True)):
        for way in ("ingress", "egress"):
            found = over(everywhere, lambda address, acl=acl, way=way: net.through_acl(acl, way, address))  # type: ignore[misc]
            yield from within(acl.network_acl, found, NOTHING, f"{way}: denies everything", f" allowed, {way}")


@claim(
    "VPC-NACL-PRIVATE-IN",
    "high",
    "From the internet, private subnets accept only return traffic: ephemeral ports, except the containers' own.",
)
def nacl_private_in(view: View) -> Iterator[Evidence]:
    own = {service.container_port for service in view["services"]} - {None}
    closed = union(ports(protocol, port) for port in own for protocol in ("tcp", "udp"))
    for name, found in through_acls(view, meant_private(view), "ingress"):
        if not own:
            yield evidence(name, "no container port is known", False)
        else:
            yield from within(name, found, EPHEMERAL - closed, "nothing from the internet", " from the internet")


@claim("VPC-NACL-PRIVATE-OUT", "medium", "Private subnets can reach the internet only over HTTPS.")
def nacl_private_out(view: View) -> Iterator[Evidence]:
    for name, found in through_acls(view, meant_private(view), "egress"):
        yield from within(name, found, ports("tcp", 443), "nothing to the internet", " to the internet")


@claim(
    "VPC-NACL-PUBLIC-IN",
    "medium",
    "From the internet, public subnets accept only the load balancer's ports and return traffic.",
)
def nacl_public_in(view: View) -> Iterator[Evidence]:
    fine = listening(view, view["load_balancers"]) | EPHEMERAL
    for name, found in through_acls(view, view.rows("subnets", tier="public"), "ingress"):
        yield from within(name, found, fine, "nothing from the internet", " from the internet")


@claim("VPC-NACL-ADMIN-PORTS", "high", "No network ACL lets the internet reach SSH or RDP.")
def nacl_admin_ports(view: View) -> Iterator[Evidence]:
    net = Topology(view, ("security_group_rules",))
    opened = over(internet(net), lambda address: through_rules(net, list(net.groups), address)).possible
    for name, found in through_acls(view, view["nacl_entries"], "ingress"):
        reached, rdp = found.possible & ADMIN, ports("tcp", 3389) | ports("udp", 3389)
        spans = [span for lane in found.possible.spans[:2] for span in lane if span[0] <= 3389 <= span[1]]
        if (
            reached
            and reached <= rdp
            and all(first >= 1024 and last > 3389 for first, last in spans)
            and not opened & rdp
        ):
            reason = (
                "3389 is one of the ephemeral ports for return traffic, which a "
                "stateless ACL must leave open; no security group opens it."
            )
            yield accepted(name, f"{found.possible} from the internet", reason)
        else:
            yield from within(
                name, Passage(found.sure & ADMIN, reached), NOTHING, "neither 22 nor 3389", " from the internet"
            )


# ── security groups ──


def through_rules(net: Topology, groups: Iterable[str], address: Address) -> Passage:
    """What the ingress rules of some groups together let in from an address outside the VPC."""
    return net.through_groups(tuple(groups), "ingress", address, ())


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
    net, having = Topology(view, ("security_group_rules",)), members(view)
    for group in view["security_groups"]:
        found = over(internet(net), lambda address, id=group.group_id: through_rules(net, [id], address))  # type: ignore[misc]
        own = [row for row in view["load_balancers"] if group.group_id in row.group_ids]
        fine = listening(view, own) if only(having[group.group_id], "load_balancers") else NOTHING
        also = others(having[group.group_id], "load_balancers") if own and found.possible else ""
        yield from within(group.name, found, fine, "closed to the internet", f" from the internet{also}")


@claim("VPC-SG-ADMIN-PORTS", "critical", "No security group opens SSH or RDP to the internet.")
def sg_admin_ports(view: View) -> Iterator[Evidence]:
    net = Topology(view, ("security_group_rules",))
    for group in view["security_groups"]:
        found = over(internet(net), lambda address, id=group.group_id: through_rules(net, [id], address))  # type: ignore[misc]
        reached = Passage(found.sure & ADMIN, found.possible & ADMIN)
        yield from within(group.name, reached, NOTHING, "neither 22 nor 3389", " open")


@claim(
    "VPC-SG-TASK-IN",
    "critical",
    "Tasks accept connections only from the load balancer, and only on the container's port.",
)
def sg_task_in(view: View) -> Iterator[Evidence]:
    for service in view["services"]:
        fine = ports("tcp", service.container_port) if service.container_port else NOTHING
        for rule in rules_of(view, service.group_ids, "ingress"):
            yield towards(view, rule, "load_balancers", fine)
    for task in strangers(view):
        if task.type == "task":
            for rule in rules_of(view, task.group_ids, "ingress"):
                yield evidence(task.name, f"of no service, accepts {ports_of(rule)} from {rule.peer}", False)


@claim("VPC-SG-TASK-OUT", "high", "Tasks can connect only to AWS's endpoints, and only on port 443.")
def sg_task_out(view: View) -> Iterator[Evidence]:
    public_image = any(container.image.startswith("public.ecr.aws/") for container in view["containers"])
    gateways = {row.endpoint_id for row in view["endpoints"] if row.type == "Gateway"}
    served = {route.destination_id for route in view["routes"] if route.target_id in gateways}
    lists = view.by_key("prefix_lists")
    for rule in rules_of(view, groups_of(view["services"]), "egress"):
        https, what = of(rule) <= ports("tcp", 443), f"{ports_of(rule)} to {rule.peer}"
        if https and rule.peer_type == "cidr" and ":" not in rule.peer and public_image:
            reason = (
                "The image is in public.ecr.aws, which no endpoint serves, so tasks can reach any address on 443 "
                "through NAT; such connections can only start from the task."
            )
            yield accepted(rule.security_group, what, reason)
        elif rule.peer_type == "prefix_list" and rule.peer_id in served:
            yield evidence(rule.security_group, what, https)
        elif https and rule.peer_type == "prefix_list" and rule.peer_id not in lists:
            yield cannot_tell(rule.security_group, f"{what}: what it lists was not read")
        else:
            yield towards(view, rule, "endpoints", ports("tcp", 443))


@claim("VPC-SG-ALB-OUT", "high", "The load balancer can connect only to the tasks, and only on the container's port.")
def sg_alb_out(view: View) -> Iterator[Evidence]:
    for rule in rules_of(view, groups_of(view["load_balancers"]), "egress"):
        yield towards(view, rule, "services", container_ports(view))


@claim("VPC-SG-ENDPOINT-IN", "high", "Endpoints accept only HTTPS, and only from the tasks.")
def sg_endpoint_in(view: View) -> Iterator[Evidence]:
    for endpoint in view.rows("endpoints", type="Interface"):
        rules = rules_of(view, endpoint.group_ids, "ingress")
        judged = [towards(view, rule, "services", ports("tcp", 443)) for rule in rules]
        what = ", ".join(line.observed for line in judged) or "no inbound rules"
        if judged and not any(line.against for line in judged) and not all(line.known for line in judged):
            yield cannot_tell(endpoint.name, what)
        else:
            yield evidence(endpoint.name, what, judged and all(line.ok for line in judged))


@claim(
    "VPC-NOTHING-ELSE",
    "medium",
    "Everything with an address in the VPC belongs to the load balancer, the tasks, an endpoint or a NAT gateway.",
)
def nothing_else(view: View) -> Iterator[Evidence]:
    unknown = {row.network_interface_id for row in strangers(view)}
    for row in view["network_interfaces"]:
        what = f"{row.type} {row.status} in {row.subnet or 'no subnet'}"
        yield evidence(row.name, what, row.network_interface_id not in unknown)


@claim("VPC-RULES-ENFORCED", "high", "Traffic that the rules do not allow is blocked.", limit="endpoint-policies")
def rules_enforced(view: View) -> Iterator[Evidence]:
    default = {group.group_id for group in view["security_groups"] if group.is_default}
    for row in (*view["services"], *view["load_balancers"]):
        yield evidence(
            row.name,
            f"behind {', '.join(row.security_groups) or 'no security group'}",
            row.group_ids and not default & set(row.group_ids),
        )
