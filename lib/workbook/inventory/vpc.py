"""Reads the network: one call for each kind of resource, filtered by VPC; two more for each VPC's DNS attributes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from workbook.inventory.aws import Aws
from workbook.inventory.names import last, name_of, named, tags
from workbook.inventory.rules import acl_entry, group_rule, security_group
from workbook.inventory.schema import (
    BOOL,
    DICT,
    ID,
    IDS,
    INT,
    LIST,
    OPTIONAL_INT,
    STATEMENT,
    TEXT,
    Column,
    Record,
    Table,
)
from workbook.inventory.statements import document, statements, summary

# fmt: off
TABLES = (
    Table("vpcs", "vpc", "VPCs", {
        "name": TEXT, "cidr": TEXT, "dns_support": BOOL, "dns_hostnames": BOOL, "tags": DICT,
        "vpc_id": ID,
    }, key="vpc_id"),
    Table("subnets", "vpc", "Subnets", {
        "name": TEXT, "vpc": TEXT, "az": TEXT, "tier": Column(TEXT, "public if its route table leads to an internet gateway, else private"),
        "cidr": TEXT, "free_addresses": INT, "public_ip_on_launch": BOOL, "route_table": TEXT, "network_acl": TEXT,
        "subnet_id": ID, "vpc_id": ID, "route_table_id": ID, "network_acl_id": ID,
    }, key="subnet_id"),
    Table("internet_gateways", "vpc", "Internet gateways", {
        "name": TEXT, "vpc": TEXT, "internet_gateway_id": ID, "vpc_id": ID,
    }, key="internet_gateway_id"),
    Table("routes", "vpc", "Routes, by route table", {
        "route_table": TEXT, "subnets": Column(LIST, "names of the subnets that use the table"), "main": BOOL,
        "destination": Column(TEXT, "CIDR or prefix list name"), "target": Column(TEXT, "name of the target, or local"),
        "target_type": Column(TEXT, "local, internet_gateway, nat_gateway, vpc_endpoint, other"), "state": TEXT,
        "route_table_id": ID, "vpc_id": ID, "destination_id": Column(ID, "CIDR or prefix list id"), "target_id": ID,
        "subnet_ids": IDS,
    }),
    Table("nat_gateways", "vpc", "NAT gateways", {
        "name": TEXT, "az": TEXT, "subnet": TEXT, "public_ip": TEXT, "state": TEXT,
        "nat_gateway_id": ID, "subnet_id": ID, "vpc_id": ID,
    }, key="nat_gateway_id"),
    Table("endpoints", "vpc", "VPC endpoints", {
        "name": TEXT, "service": Column(TEXT, "short name, such as ecr.api"), "type": Column(TEXT, "Gateway or Interface"), "state": TEXT,
        "private_dns": BOOL, "subnets": LIST, "route_tables": LIST, "security_groups": LIST,
        "policy_summary": Column(TEXT, "one line: who may do what on what"), "policy": DICT,
        "endpoint_id": ID, "vpc_id": ID, "service_name": TEXT, "subnet_ids": IDS, "route_table_ids": IDS, "group_ids": IDS,
    }, key="endpoint_id"),
    Table("endpoint_policy_statements", "vpc", "VPC endpoint policies, by statement", {
        "endpoint": TEXT, **STATEMENT, "endpoint_id": ID,
    }),
    Table("nacl_entries", "vpc", "Network ACL entries, in the order they are tried", {
        "network_acl": TEXT, "subnets": LIST, "is_default": BOOL, "direction": Column(TEXT, "ingress or egress"),
        "rule_number": Column(INT, "32767 is the closing deny"), "action": Column(TEXT, "allow or deny"), "protocol": Column(TEXT, "tcp, udp, icmp, all or a number"),
        "ports": Column(TEXT, "such as 443, 1024-65535 or all"), "cidr": Column(TEXT, "IPv4 or IPv6"), "from_port": OPTIONAL_INT, "to_port": OPTIONAL_INT,
        "network_acl_id": ID, "vpc_id": ID, "subnet_ids": IDS,
    }),
    Table("security_groups", "vpc", "Security groups", {
        "name": TEXT, "description": TEXT, "is_default": BOOL, "ingress_rules": INT, "egress_rules": INT,
        "group_id": ID, "vpc_id": ID,
    }, key="group_id"),
    Table("security_group_rules", "vpc", "Security group rules", {
        "security_group": TEXT, "direction": Column(TEXT, "ingress or egress"), "protocol": TEXT, "ports": TEXT,
        "peer": Column(TEXT, "CIDR, or name of the security group or prefix list"), "peer_type": Column(TEXT, "cidr, security_group or prefix_list"),
        "description": TEXT, "from_port": OPTIONAL_INT, "to_port": OPTIONAL_INT,
        "group_id": ID, "peer_id": Column(ID, "CIDR or id"), "rule_id": ID,
    }, key="rule_id"),
    Table("flow_logs", "vpc", "VPC flow logs", {
        "name": TEXT, "resource": Column(TEXT, "name of the VPC"), "traffic_type": TEXT, "destination_type": TEXT, "destination": Column(TEXT, "log group name"),
        "status": TEXT, "aggregation_seconds": INT, "role": TEXT, "flow_log_id": ID, "resource_id": ID,
    }, key="flow_log_id"),
)
# fmt: on

_TARGETS = {
    "NatGatewayId": "nat_gateway",
    "EgressOnlyInternetGatewayId": "other",
    "TransitGatewayId": "other",
    "VpcPeeringConnectionId": "other",
    "LocalGatewayId": "other",
    "CarrierGatewayId": "other",
    "CoreNetworkArn": "other",
    "InstanceId": "other",
    "NetworkInterfaceId": "other",
}


class Network:
    """The answers of EC2 about the environment's VPCs, and the names of their resources. Layers share the calls."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def vpcs(self, tables: Iterable[str]) -> list[Record]:
        prefix = self._aws.scope.prefix
        by_name = [{"Name": "tag:Name", "Values": [prefix, f"{prefix}-*"]}]
        found = await self._aws.all("ec2", "describe_vpcs", "Vpcs", tables=tables, Filters=by_name)
        return [vpc for vpc in found if self._aws.scope.owns(name_of(vpc, ""))]

    async def of_vpcs(
        self, operation: str, key: str, tables: Iterable[str], field: str = "vpc-id", parameter: str = "Filters"
    ) -> list[Record]:
        """What `operation` lists in the environment's VPCs."""
        ids = [vpc["VpcId"] for vpc in await self.vpcs(tables)]
        if not ids:
            return []
        return await self._aws.all(
            "ec2", operation, key, tables=tables, **{parameter: [{"Name": field, "Values": ids}]}
        )

    async def subnets(self, tables: Iterable[str]) -> list[Record]:
        return await self.of_vpcs("describe_subnets", "Subnets", tables)

    async def groups(self, tables: Iterable[str]) -> list[Record]:
        return await self.of_vpcs("describe_security_groups", "SecurityGroups", tables)


def subnet_names(subnets: Iterable[Record]) -> dict[str, str]:
    return {s["SubnetId"]: name_of(s, s["SubnetId"]) for s in subnets}


def group_names(groups: Iterable[Record]) -> dict[str, str]:
    return {g["GroupId"]: name_of(g, g["GroupName"]) for g in groups}


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `vpc`."""
    network = Network(aws)
    every = [table.name for table in TABLES]
    with_subnets = ["subnets", "routes", "nat_gateways", "endpoints", "nacl_entries"]

    async def group_rules() -> list[Record]:
        ids = sorted(
            g["GroupId"] for g in await network.groups(["security_groups", "security_group_rules", "endpoints"])
        )
        pages = await asyncio.gather(
            *(
                aws.all(
                    "ec2",
                    "describe_security_group_rules",
                    "SecurityGroupRules",
                    tables=["security_group_rules"],
                    Filters=[{"Name": "group-id", "Values": ids[start : start + 200]}],  # the most a filter takes
                )
                for start in range(0, len(ids), 200)
            )
        )
        return [rule for page in pages for rule in page]

    async def prefix_lists() -> list[Record]:
        # Only needed if something refers to one, and only for names.
        tables, rules = await asyncio.gather(
            network.of_vpcs("describe_route_tables", "RouteTables", ["routes", "subnets"]), group_rules()
        )
        used = any(r.get("DestinationPrefixListId") for t in tables for r in t["Routes"]) or any(
            r.get("PrefixListId") for r in rules
        )
        if not used:
            return []
        return await aws.all(
            "ec2", "describe_managed_prefix_lists", "PrefixLists", tables=["routes", "security_group_rules"]
        )

    async def dns(vpc_id: str, attribute: str) -> bool | None:
        answer = await aws.get("ec2", "describe_vpc_attribute", tables=["vpcs"], VpcId=vpc_id, Attribute=attribute)
        return None if answer is None else bool(answer[attribute[0].upper() + attribute[1:]]["Value"])

    async def vpc_rows() -> list[Record]:
        found = await network.vpcs(every)
        support = await asyncio.gather(*(dns(v["VpcId"], "enableDnsSupport") for v in found))
        hostnames = await asyncio.gather(*(dns(v["VpcId"], "enableDnsHostnames") for v in found))
        return [
            {
                "name": name_of(v, v["VpcId"]),
                "cidr": v["CidrBlock"],
                "dns_support": s,
                "dns_hostnames": h,
                "tags": tags(v),
                "vpc_id": v["VpcId"],
            }
            for v, s, h in zip(found, support, hostnames, strict=True)
        ]

    (
        vpcs,
        subnets,
        groups,
        rules,
        lists,
        route_tables,
        acls,
        gateways,
        nats,
        endpoints,
        flow_logs,
    ) = await asyncio.gather(
        vpc_rows(),
        network.subnets(with_subnets),
        network.groups(["security_groups", "security_group_rules", "endpoints"]),
        group_rules(),
        prefix_lists(),
        network.of_vpcs("describe_route_tables", "RouteTables", ["routes", "subnets", "endpoints"]),
        network.of_vpcs("describe_network_acls", "NetworkAcls", ["nacl_entries", "subnets"]),
        network.of_vpcs(
            "describe_internet_gateways", "InternetGateways", ["internet_gateways", "routes"], "attachment.vpc-id"
        ),
        network.of_vpcs("describe_nat_gateways", "NatGateways", ["nat_gateways", "routes"], parameter="Filter"),
        network.of_vpcs(
            "describe_vpc_endpoints", "VpcEndpoints", ["endpoints", "endpoint_policy_statements", "routes"]
        ),
        network.of_vpcs("describe_flow_logs", "FlowLogs", ["flow_logs"], "resource-id", "Filter"),
    )
    nats = [n for n in nats if n["State"] != "deleted"]
    endpoints = [e for e in endpoints if e["State"].lower() != "deleted"]
    vpc_names = {v["vpc_id"]: v["name"] for v in vpcs}
    names = {
        **vpc_names,
        **subnet_names(subnets),
        **group_names(groups),
        **{p["PrefixListId"]: p["PrefixListName"] for p in lists},
        **{i["InternetGatewayId"]: name_of(i, i["InternetGatewayId"]) for i in gateways},
        **{n["NatGatewayId"]: name_of(n, n["NatGatewayId"]) for n in nats},
        **{e["VpcEndpointId"]: name_of(e, _short(e["ServiceName"], aws.scope.region)) for e in endpoints},
        **{t["RouteTableId"]: name_of(t, "main" if _is_main(t) else t["RouteTableId"]) for t in route_tables},
        **{a["NetworkAclId"]: name_of(a, "default" if a["IsDefault"] else a["NetworkAclId"]) for a in acls},
    }
    table_of = _table_of_subnets(subnets, route_tables)
    acl_of = {association["SubnetId"]: a["NetworkAclId"] for a in acls for association in a.get("Associations", [])}
    zone_of = {s["SubnetId"]: s["AvailabilityZone"] for s in subnets}
    return {
        "vpcs": vpcs,
        "subnets": _subnets(subnets, names, table_of, acl_of, _public(route_tables)),
        "internet_gateways": [
            {
                "name": names[i["InternetGatewayId"]],
                "vpc": names.get(a["VpcId"], a["VpcId"]),
                "internet_gateway_id": i["InternetGatewayId"],
                "vpc_id": a["VpcId"],
            }
            for i in gateways
            for a in i["Attachments"]
        ],
        "routes": _routes(route_tables, names, table_of),
        "nat_gateways": [_nat(n, names, zone_of) for n in nats],
        "endpoints": [_endpoint(e, names, aws.scope.region) for e in endpoints],
        "endpoint_policy_statements": [
            {"endpoint": names[e["VpcEndpointId"]], **s, "endpoint_id": e["VpcEndpointId"]}
            for e in endpoints
            for s in statements(e.get("PolicyDocument"))
        ],
        "nacl_entries": [
            acl_entry(e, a, names, [s for s, acl in acl_of.items() if acl == a["NetworkAclId"]])
            for a in acls
            for e in a["Entries"]
        ],
        "security_groups": [security_group(g, names) for g in groups],
        "security_group_rules": [group_rule(r, names) for r in rules],
        "flow_logs": [_flow_log(f, names) for f in flow_logs],
    }


def _short(service: str, region: str) -> str:
    return service.removeprefix(f"com.amazonaws.{region}.")


def _is_main(table: Record) -> bool:
    return any(a.get("Main") for a in table.get("Associations", []))


def _table_of_subnets(subnets: Iterable[Record], route_tables: Iterable[Record]) -> dict[str, str]:
    """Subnet id -> route table id: its own, or else the main one of its VPC."""
    own = {
        a["SubnetId"]: t["RouteTableId"] for t in route_tables for a in t.get("Associations", []) if a.get("SubnetId")
    }
    main = {t["VpcId"]: t["RouteTableId"] for t in route_tables if _is_main(t)}
    return {s["SubnetId"]: table for s in subnets if (table := own.get(s["SubnetId"]) or main.get(s["VpcId"]))}


def _public(route_tables: Iterable[Record]) -> dict[str, bool]:
    """Route table id -> whether it leads to an internet gateway."""
    return {
        t["RouteTableId"]: any(
            str(r.get("GatewayId", "")).startswith("igw-") and r.get("State") != "blackhole" for r in t["Routes"]
        )
        for t in route_tables
    }


def _subnets(
    subnets: Iterable[Record],
    names: Mapping[str, str],
    table_of: Mapping[str, str],
    acl_of: Mapping[str, str],
    public: Mapping[str, bool],
) -> list[Record]:
    rows = []
    for s in subnets:
        table, acl = table_of.get(s["SubnetId"]), acl_of.get(s["SubnetId"])
        rows.append(
            {
                "name": names[s["SubnetId"]],
                "vpc": names.get(s["VpcId"], s["VpcId"]),
                "az": s["AvailabilityZone"],
                "tier": None if table is None else "public" if public[table] else "private",
                "cidr": s.get("CidrBlock", ""),
                "free_addresses": s["AvailableIpAddressCount"],
                "public_ip_on_launch": s.get("MapPublicIpOnLaunch"),
                "route_table": names[table] if table else None,
                "network_acl": names[acl] if acl else None,
                "subnet_id": s["SubnetId"],
                "vpc_id": s["VpcId"],
                "route_table_id": table,
                "network_acl_id": acl,
            }
        )
    return rows


def _routes(route_tables: Iterable[Record], names: Mapping[str, str], table_of: Mapping[str, str]) -> list[Record]:
    rows = []
    for t in route_tables:
        users = [subnet for subnet, table in table_of.items() if table == t["RouteTableId"]]
        for r in t["Routes"]:
            destination = (
                r.get("DestinationCidrBlock")
                or r.get("DestinationIpv6CidrBlock")
                or r.get("DestinationPrefixListId")
                or ""
            )
            target, kind = _target(r)
            rows.append(
                {
                    "route_table": names[t["RouteTableId"]],
                    "subnets": named(names, users),
                    "main": _is_main(t),
                    "destination": names.get(destination, destination),
                    "target": names.get(target, target),
                    "target_type": kind,
                    "state": r.get("State", ""),
                    "route_table_id": t["RouteTableId"],
                    "vpc_id": t["VpcId"],
                    "destination_id": destination,
                    "target_id": target,
                    "subnet_ids": sorted(users),
                }
            )
    return rows


def _target(route: Record) -> tuple[str, str]:
    gateway = str(route.get("GatewayId") or "")
    if gateway:
        kinds = {"local": "local", "igw": "internet_gateway", "vpce": "vpc_endpoint"}
        return gateway, kinds.get(gateway.split("-", 1)[0], "other")
    return next(((str(route[key]), kind) for key, kind in _TARGETS.items() if route.get(key)), ("", "other"))


def _nat(nat: Record, names: Mapping[str, str], zone_of: Mapping[str, str]) -> Record:
    addresses = [a["PublicIp"] for a in nat.get("NatGatewayAddresses", []) if a.get("PublicIp")]
    return {
        "name": names[nat["NatGatewayId"]],
        "az": zone_of.get(nat["SubnetId"]),
        "subnet": names.get(nat["SubnetId"], nat["SubnetId"]),
        "public_ip": ", ".join(addresses),
        "state": nat["State"],
        "nat_gateway_id": nat["NatGatewayId"],
        "subnet_id": nat["SubnetId"],
        "vpc_id": nat["VpcId"],
    }


def _endpoint(endpoint: Record, names: Mapping[str, str], region: str) -> Record:
    group_ids = [g["GroupId"] for g in endpoint.get("Groups") or []]
    subnet_ids, table_ids = endpoint.get("SubnetIds") or [], endpoint.get("RouteTableIds") or []
    return {
        "name": names[endpoint["VpcEndpointId"]],
        "service": _short(endpoint["ServiceName"], region),
        "type": endpoint["VpcEndpointType"],
        "state": endpoint["State"],
        "private_dns": bool(endpoint.get("PrivateDnsEnabled")),
        "subnets": named(names, subnet_ids),
        "route_tables": named(names, table_ids),
        "security_groups": named(names, group_ids),
        "policy_summary": summary(endpoint.get("PolicyDocument")),
        "policy": document(endpoint.get("PolicyDocument")),
        "endpoint_id": endpoint["VpcEndpointId"],
        "vpc_id": endpoint["VpcId"],
        "service_name": endpoint["ServiceName"],
        "subnet_ids": sorted(subnet_ids),
        "route_table_ids": sorted(table_ids),
        "group_ids": sorted(group_ids),
    }


def _flow_log(log: Record, names: Mapping[str, str]) -> Record:
    destination = log.get("LogGroupName") or log.get("LogDestination") or ""
    if ":log-group:" in destination:
        destination = destination.split(":log-group:", 1)[1].removesuffix(":*")
    return {
        "name": name_of(log, log["FlowLogId"]),
        "resource": names.get(log["ResourceId"], log["ResourceId"]),
        "traffic_type": log.get("TrafficType", ""),
        "destination_type": log.get("LogDestinationType", "cloud-watch-logs"),
        "destination": destination,
        "status": log["FlowLogStatus"],
        "aggregation_seconds": log.get("MaxAggregationInterval"),
        "role": last(log.get("DeliverLogsPermissionArn")),
        "flow_log_id": log["FlowLogId"],
        "resource_id": log["ResourceId"],
    }
