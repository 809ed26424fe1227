"""Claims about the network: subnets, routes out, paths to AWS, flow logs. Firewall rules are in vpc_rules.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from workbook.access.requests import strangers
from workbook.claims.actions import WRITE_LOGS
from workbook.claims.engine import Evidence, View, accepted, cannot_tell, claims_of, evidence, proved
from workbook.claims.parties import internet as world
from workbook.claims.policy_statements import Reach, allowed, on_everything, wildcard_actions
from workbook.network.packets import Address, network
from workbook.network.topology import Topology

claim = claims_of("vpc")

# What a task needs from AWS: its bucket, its image, its logs.
NEEDED_ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "s3")
# The bucket where ECR itself keeps image layers.
LAYER_BUCKET = "arn:aws:s3:::prod-{region}-starport-layer-bucket/*"


def meant_private(view: View) -> list[Any]:
    """The subnets named private: whether their routes make them so is what the claims check."""
    return [subnet for subnet in view["subnets"] if "private" in subnet.name.split("-")]


def vpcs_of(rows: Iterable[Any]) -> list[str]:
    """Ids of the VPCs that some resources are in."""
    return list(dict.fromkeys(row.vpc_id for row in rows))


@claim("VPC-OWN", "high", "The system runs in its own VPC, with private addresses.")
def own(view: View) -> Iterator[Evidence]:
    net = Topology(view, ())
    for vpc in view["vpcs"]:
        ranges = list(dict.fromkeys((vpc.cidr, *(cidr for cidr in vpc.cidrs if ":" not in cidr))))
        yield evidence(
            vpc.name, ", ".join(ranges), view.scope.owns(vpc.name) and not any(net.public_part(cidr) for cidr in ranges)
        )


@claim("VPC-MULTI-AZ", "high", "Public and private subnets each span at least three Availability Zones.")
def multi_az(view: View) -> Iterator[Evidence]:
    for vpc in vpcs_of(view["subnets"]):
        for tier in ("public", "private"):
            zones = sorted({subnet.az for subnet in view.rows("subnets", vpc_id=vpc, tier=tier)})
            yield evidence(f"{tier} subnets", ", ".join(zones) or "none", len(zones) >= 3)


@claim("VPC-TIERS", "high", "Every zone has both a public and a private subnet.")
def tiers(view: View) -> Iterator[Evidence]:
    for vpc in vpcs_of(view["subnets"]):
        for az in sorted({subnet.az for subnet in view.rows("subnets", vpc_id=vpc)}):
            found = sorted(subnet.tier for subnet in view.rows("subnets", vpc_id=vpc, az=az))
            yield evidence(az, ", ".join(found), {"public", "private"} == set(found))


@claim("VPC-PRIVATE-NO-IGW", "critical", "No private subnet has a route to the internet gateway.")
def private_no_igw(view: View) -> Iterator[Evidence]:
    for subnet in meant_private(view):
        routes = [route for route in view["routes"] if route.route_table_id == subnet.route_table_id]
        ways = [f"{route.destination} to {route.target_type}" for route in routes]
        yield evidence(
            subnet.name,
            ", ".join(ways) or "no route",
            routes and all(r.target_type != "internet_gateway" for r in routes),
        )


@claim("VPC-NO-AUTO-PUBLIC-IP", "high", "No subnet assigns public addresses automatically.")
def no_auto_public_ip(view: View) -> Iterator[Evidence]:
    for subnet in view["subnets"]:
        on = subnet.public_ip_on_launch
        yield evidence(subnet.name, f"public address on launch: {'yes' if on else 'no'}", on is False)


def ways_out(net: Topology, subnet: Any) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """The routes that packets from a subnet to the internet take, by destination and target; and which may take another,
    because a prefix list was not read."""
    choices = [net.taken(subnet, address) for address, _ in world(net, outward=True)]
    taken = {(c.route.destination, c.route.target_id): c.route for c in choices if c.route is not None}
    unsure = sorted({str(row.destination) for choice in choices for row in choice.unsure})
    return {key: row for key, row in taken.items() if row.state != "blackhole" and row.target_type != "local"}, unsure


@claim(
    "VPC-NAT",
    "high",
    "Private subnets reach the internet only through a NAT gateway in a public subnet.",
)
def nat(view: View) -> Iterator[Evidence]:
    net, subnets = Topology(view, ("routes",)), view.by_key("subnets")
    for subnet in meant_private(view):
        out, unsure = ways_out(net, subnet)
        what = ", ".join(dict.fromkeys(str(route.target) for route in out.values())) or "no way out"
        good = bool(out)
        for route in out.values():
            gateway = net.nats.get(route.target_id)
            home = subnets.get(gateway.subnet_id) if gateway else None
            fine = gateway and gateway.state == "available" and gateway.connectivity != "private"
            good = bool(good and fine and home and home.tier == "public")
        elsewhere = [r.target for r in out.values() if r.target_type == "other" and not r.target_id.startswith("eigw-")]
        if unsure or elsewhere:
            yield cannot_tell(subnet.name, f"{what}: where {', '.join((*unsure, *elsewhere))} leads is not modelled")
        else:
            yield evidence(subnet.name, what, good)


@claim("VPC-NAT-PER-AZ", "medium", "Each zone has its own NAT gateway, so losing a zone does not cut off the others.")
def nat_per_az(view: View) -> Iterator[Evidence]:
    net = Topology(view, ("routes",))
    for vpc in vpcs_of(view["nat_gateways"]):
        gateways = view.rows("nat_gateways", state="available", vpc_id=vpc)
        private = [subnet for subnet in meant_private(view) if subnet.vpc_id == vpc]
        in_dev = "-dev-" in view.scope.prefix
        if in_dev and len(gateways) == 1 and {subnet.az for subnet in private} - {gateways[0].az}:
            reason = (
                "In dev one NAT gateway serves all zones to save cost; "
                "one_nat_gateway_per_az in locals.tf gives each zone its own."
            )
            yield accepted(gateways[0].name, f"the only one, in {gateways[0].az}", reason)
            continue
        for subnet in private:
            used = [net.nats.get(route.target_id) for route in ways_out(net, subnet)[0].values()]
            what = ", ".join(f"{nat.name} in {nat.az}" if nat else "no NAT gateway" for nat in used) or "no way out"
            if any(nat and not nat.subnet_id for nat in used):
                yield cannot_tell(subnet.name, f"{what}: it is regional, and its addresses' zones are not read")
            else:
                good = used and all(nat and nat.state == "available" and nat.az == subnet.az for nat in used)
                yield evidence(subnet.name, f"in {subnet.az}, leaves by {what}", good)


@claim("VPC-ROUTE-TABLES", "low", "Each subnet uses a route table for its tier, never the VPC's main one.")
def route_tables(view: View) -> Iterator[Evidence]:
    main = {route.route_table_id for route in view["routes"] if route.main}
    for subnet in view["subnets"]:
        shared = {other.tier for other in view["subnets"] if other.route_table_id == subnet.route_table_id}
        yield evidence(
            subnet.name,
            f"{subnet.route_table}, used by {' and '.join(sorted(shared))} subnets",
            subnet.route_table_id not in main and len(shared) == 1,
        )


@claim(
    "VPC-MAIN-ROUTE-TABLE",
    "medium",
    "The main route table leads nowhere, so a subnet that nobody assigned to a table is cut off, not exposed.",
)
def main_route_table(view: View) -> Iterator[Evidence]:
    for route in view["routes"]:
        if route.main:
            yield evidence(route.route_table, f"{route.destination} to {route.target}", route.target_type == "local")


@claim(
    "VPC-ENDPOINTS",
    "high",
    "The VPC has endpoints for S3, CloudWatch Logs and both parts of ECR (API and Docker registry).",
)
def endpoints(view: View) -> Iterator[Evidence]:
    for vpc in view["vpcs"]:
        for service in NEEDED_ENDPOINTS:
            found = view.rows("endpoints", vpc_id=vpc.vpc_id, service=service)
            available = [endpoint for endpoint in found if endpoint.state == "available"]
            for endpoint in available or found:
                what = f"{endpoint.type} endpoint, {endpoint.state}"
                yield evidence(endpoint.name, what, endpoint in available)
            if not found:
                yield evidence(service, f"no endpoint for {service}", False)


@claim(
    "VPC-S3-ROUTE", "high", "Traffic from private subnets to S3 goes through the gateway endpoint, not the internet."
)
def s3_route(view: View) -> Iterator[Evidence]:
    net = Topology(view, ("routes",))
    gateways = {e.endpoint_id: e for e in view["endpoints"] if e.service == "s3" and e.type == "Gateway"}
    lists = {route.destination_id: route.destination for route in view["routes"] if route.target_id in gateways}
    to_s3 = [address for id, name in lists.items() for address in addresses_of(net, id, str(name))]
    for subnet in meant_private(view):
        taken = [net.taken(subnet, address).route for address in to_s3]
        ways = sorted({f"{route.destination} to {route.target}" for route in taken if route is not None})
        good = taken and all(
            route is not None
            and route.state == "active"
            and route.target_id in gateways
            and gateways[route.target_id].state == "available"
            for route in taken
        )
        yield evidence(subnet.name, ", ".join(ways) or "no route to an S3 endpoint", good)


def addresses_of(net: Topology, prefix_list: str, name: str) -> list[Address]:
    """One address of each class of a prefix list's; if its entries were not read, the list as a whole."""
    entries = net.lists.get(prefix_list)
    if not entries:
        return [Address(None, prefix_list, name)]
    return [address for address, _ in net.classes(tuple(network(cidr) for cidr in entries))]


@claim("VPC-ENDPOINT-SUBNETS", "medium", "Each interface endpoint has an address in every private subnet.")
def endpoint_subnets(view: View) -> Iterator[Evidence]:
    for endpoint in view.rows("endpoints", type="Interface"):
        private = {subnet.subnet_id for subnet in meant_private(view) if subnet.vpc_id == endpoint.vpc_id}
        yield evidence(
            endpoint.name,
            f"in {len(endpoint.subnet_ids)} of {len(private)} private subnets",
            private and private <= set(endpoint.subnet_ids),
        )


@claim(
    "VPC-ENDPOINT-DNS",
    "medium",
    "AWS's standard host names resolve to the endpoints: private DNS is on, and so is the VPC's DNS.",
)
def endpoint_dns(view: View) -> Iterator[Evidence]:
    for vpc in view["vpcs"]:
        yield evidence(
            vpc.name,
            f"DNS support {vpc.dns_support}, host names {vpc.dns_hostnames}",
            vpc.dns_support and vpc.dns_hostnames,
        )
    for endpoint in view["endpoints"]:
        if endpoint.type == "Interface":
            yield evidence(
                endpoint.name, f"private DNS {'on' if endpoint.private_dns else 'off'}", endpoint.private_dns
            )


@claim(
    "VPC-ENDPOINT-POLICY",
    "high",
    "Every endpoint has a policy that lists the actions and resources it allows.",
)
def endpoint_policy(view: View) -> Iterator[Evidence]:
    account = view.policies.account
    for endpoint in view["endpoints"]:
        statements = allowed(view.rows("endpoint_policy_statements", endpoint_id=endpoint.endpoint_id))
        if not statements:
            yield evidence(endpoint.name, "no Allow statement", False)
        for s in statements:
            what = f"{s.sid}: {', '.join(s.actions)} on {', '.join(s.resources)}"
            found = on_everything(s.statement, account.id)
            if found == Reach.ONLY_POSSIBLE and not wildcard_actions(s):
                yield accepted(
                    endpoint.name,
                    what,
                    "Registry tokens, session channels and GetCallerIdentity have no "
                    "resource-level permissions: AWS supports only *.",
                )
            else:
                yield evidence(endpoint.name, what, not wildcard_actions(s) and found == Reach.SOME)


@claim(
    "VPC-ENDPOINT-ACCOUNT",
    "high",
    "Endpoints serve only this account's principals: another account's credentials get nothing in or out through them.",
)
def endpoint_account(view: View) -> Iterator[Evidence]:
    policies = view.policies
    layers = [(("s3:GetObject",), [LAYER_BUCKET.format(region=view.scope.region)])]
    for endpoint in policies.account.endpoints:
        others = list(strangers(policies.account, endpoint.policy.statements or ()))
        actions = [f"{endpoint.service.split('.')[0]}:*"]
        proof = policies.prove(actions, None, others, but=layers, alone=endpoint.policy)
        yield proved(endpoint.name, "only principals of this account", proof)
        if proof.proven and not policies.prove(*layers[0], others, alone=endpoint.policy).proven:
            yield accepted(
                endpoint.name,
                f"{layers[0][1][0]}: any principal",
                "ECR serves image layers from its own bucket, through URLs that it signs itself.",
            )


@claim(
    "VPC-FLOW-LOGS",
    "high",
    "Flow logs record the VPC's accepted and rejected traffic, except what AWS never logs, such as its DNS resolver "
    "and instance metadata.",
)
def flow_logs(view: View) -> Iterator[Evidence]:
    for vpc in view["vpcs"]:
        logs = [log for log in view["flow_logs"] if log.resource_id == vpc.vpc_id and log.status == "ACTIVE"]
        yield evidence(
            vpc.name,
            ", ".join(f"{log.traffic_type} to {log.destination}" for log in logs) or "no active flow log",
            "ALL" in {log.traffic_type for log in logs} or {"ACCEPT", "REJECT"} <= {log.traffic_type for log in logs},
        )


@claim(
    "VPC-FLOW-LOG-GROUP",
    "medium",
    "Flow logs go to an existing log group, through a role that can write only to that group.",
)
def flow_log_group(view: View) -> Iterator[Evidence]:
    groups = view.by_key("log_groups")
    for log in view["flow_logs"]:
        there = log.destination in groups
        yield evidence(log.name, f"{log.destination}{'' if there else ' (no such log group)'}", there)
        policies = view.policies
        roles = policies.account.role(log.role)
        if not roles:
            yield evidence(log.name, f"with role {log.role or 'none'}", False)
            continue
        own = f"arn:aws:logs:{view.scope.region}:{policies.account.id}:log-group:{log.destination}"
        proof = policies.prove(WRITE_LOGS, None, roles, but=[(WRITE_LOGS, [own, f"{own}:*"])])
        yield proved(log.name, f"the role can write only to {log.destination}", proof)


@claim("VPC-FLOW-RECORDS", "medium", "Flow log records arrive in the log group.", limit="flow-logs-delivery")
def flow_records(view: View) -> Iterator[Evidence]:
    for log in view["flow_logs"]:
        yield evidence(
            log.name,
            f"{log.status}, to {log.destination or 'nowhere'} with role {log.role or 'none'}",
            log.status == "ACTIVE" and log.destination and log.role,
        )
