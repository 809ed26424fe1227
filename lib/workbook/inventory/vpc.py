"""Reads the network: one call for each kind of resource, filtered by VPC; two more for each VPC's DNS attributes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from workbook.inventory.aws import Aws
from workbook.inventory.interfaces import NETWORK_INTERFACES, network_interface
from workbook.inventory.names import last, name_of, named, tags
from workbook.inventory.rules import acl_entry, group_rule, security_group
from workbook.inventory.schema import (
    ADDRESSES,
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
        "vpc_id": ID, "cidrs": Column(ADDRESSES, "all its ranges, IPv4 and IPv6"),
    }, key="vpc_id"),
    Table("subnets", "vpc", "Subnets", {
        "name": TEXT, "vpc": TEXT, "az": TEXT, "tier": Column(TEXT, "public if its route table leads to an internet gateway, else private"),
        "cidr": TEXT, "free_addresses": INT, "public_ip_on_launch": BOOL, "route_table": TEXT, "network_acl": TEXT,
        "subnet_id": ID, "vpc_id": ID, "route_table_id": ID, "network_acl_id": ID, "ipv6_cidrs": ADDRESSES,
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
        "name": TEXT, "az": Column(TEXT, "None if it is regional"), "subnet": TEXT, "public_ip": TEXT, "state": TEXT,
        "connectivity": Column(TEXT, "public or private"), "nat_gateway_id": ID, "subnet_id": ID, "vpc_id": ID,
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
    Table("prefix_lists", "vpc", "Prefix lists that a rule or a route refers to, and your own", {
        "name": TEXT, "owner": Column(TEXT, "AWS or an account"), "family": Column(TEXT, "IPv4 or IPv6"),
        "entries": Column(LIST, "CIDRs"), "entry_count": Column(INT, "None if the entries were not read"),
        "prefix_list_id": ID,
    }, key="prefix_list_id"),
    NETWORK_INTERFACES,
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


# What AWS tells the members of its lists apart by, if not by the list's name with Id.
_ID = {"SecurityGroups": "GroupId"}


class Network:
    """The answers of EC2 about the environment's VPCs, and the names of their resources. Layers share the calls."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def vpcs(self, tables: Iterable[str]) -> list[Record]:
        prefix = self._aws.scope.prefix
        by_name = [{"Name": "tag:Name", "Values": [prefix, f"{prefix}-*"]}]
        found = await self._aws.all("ec2", "describe_vpcs", "Vpcs", tables=tables, Filters=by_name)
        found = self._aws.identified(found, "VpcId", tables=tables)
        return [vpc for vpc in found if self._aws.scope.owns(name_of(vpc, ""))]

    async def of_vpcs(
        self, operation: str, key: str, tables: Iterable[str], field: str = "vpc-id", parameter: str = "Filters"
    ) -> list[Record]:
        """What `operation` lists in the environment's VPCs."""
        ids = [vpc["VpcId"] for vpc in await self.vpcs(tables)]
        if not ids:
            return []
        found = await self._aws.all(
            "ec2", operation, key, tables=tables, **{parameter: [{"Name": field, "Values": ids}]}
        )
        return self._aws.identified(found, _ID.get(key, f"{key.removesuffix('s')}Id"), tables=tables)

    async def subnets(self, tables: Iterable[str]) -> list[Record]:
        return await self.of_vpcs("describe_subnets", "Subnets", tables)

    async def groups(self, tables: Iterable[str]) -> list[Record]:
        return await self.of_vpcs("describe_security_groups", "SecurityGroups", tables)


def subnet_names(subnets: Iterable[Record]) -> dict[str, str]:
    return {s["SubnetId"]: name_of(s, s["SubnetId"]) for s in subnets}


def group_names(groups: Iterable[Record]) -> dict[str, str]:
    return {g["GroupId"]: name_of(g, g.get("GroupName") or g["GroupId"]) for g in groups}


async def read(aws: Aws) -> dict[str, list[Record]]:
    """Rows of the tables of the layer `vpc`."""
    network = Network(aws)
    every = [table.name for table in TABLES]
    with_subnets = ["subnets", "routes", "nat_gateways", "endpoints", "nacl_entries", "network_interfaces"]

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
        """The lists that something refers to and the account's own, each with its entries (None if refused)."""
        reading = ["prefix_lists", "routes", "security_group_rules"]
        found, tables, rules = await asyncio.gather(
            aws.all("ec2", "describe_managed_prefix_lists", "PrefixLists", tables=reading),
            network.of_vpcs("describe_route_tables", "RouteTables", ["routes", "subnets"]),
            group_rules(),
        )
        used = {route.get("DestinationPrefixListId") for table in tables for route in table.get("Routes") or []}
        used |= {rule.get("PrefixListId") for rule in rules}
        found = aws.identified(found, "PrefixListId", tables=reading)
        listed = [one for one in found if one.get("OwnerId") != "AWS" or one["PrefixListId"] in used]
        entries = await asyncio.gather(
            *(
                aws.get(
                    "ec2",
                    "get_managed_prefix_list_entries",
                    tables=["prefix_lists"],
                    PrefixListId=one["PrefixListId"],
                )
                for one in listed
            )
        )
        return [
            {**one, "Entries": None if answer is None else answer.get("Entries") or []}
            for one, answer in zip(listed, entries, strict=True)
        ]

    async def dns(vpc_id: str, attribute: str) -> bool | None:
        answer = await aws.get("ec2", "describe_vpc_attribute", tables=["vpcs"], VpcId=vpc_id, Attribute=attribute)
        value = ((answer or {}).get(attribute[0].upper() + attribute[1:]) or {}).get("Value")
        return None if value is None else bool(value)

    async def vpc_rows() -> list[Record]:
        found = await network.vpcs(every)
        support = await asyncio.gather(*(dns(v["VpcId"], "enableDnsSupport") for v in found))
        hostnames = await asyncio.gather(*(dns(v["VpcId"], "enableDnsHostnames") for v in found))
        return [
            {
                "name": name_of(v, v["VpcId"]),
                "cidr": v.get("CidrBlock"),
                "dns_support": s,
                "dns_hostnames": h,
                "tags": tags(v),
                "vpc_id": v["VpcId"],
                "cidrs": _cidrs(v),
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
        interfaces,
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
        network.of_vpcs(
            "describe_nat_gateways",
            "NatGateways",
            ["nat_gateways", "routes", "network_interfaces"],
            parameter="Filter",
        ),
        network.of_vpcs(
            "describe_vpc_endpoints",
            "VpcEndpoints",
            ["endpoints", "endpoint_policy_statements", "routes", "network_interfaces"],
        ),
        network.of_vpcs("describe_flow_logs", "FlowLogs", ["flow_logs"], "resource-id", "Filter"),
        network.of_vpcs("describe_network_interfaces", "NetworkInterfaces", ["network_interfaces"]),
    )
    nats = [n for n in nats if n.get("State") != "deleted"]
    endpoints = [e for e in endpoints if str(e.get("State")).lower() != "deleted"]
    vpc_names = {v["vpc_id"]: v["name"] for v in vpcs}
    names = {
        **vpc_names,
        **subnet_names(subnets),
        **group_names(groups),
        **{p["PrefixListId"]: p.get("PrefixListName") or p["PrefixListId"] for p in lists},
        **{i["InternetGatewayId"]: name_of(i, i["InternetGatewayId"]) for i in gateways},
        **{n["NatGatewayId"]: name_of(n, n["NatGatewayId"]) for n in nats},
        **{e["VpcEndpointId"]: name_of(e, _short(e.get("ServiceName"), aws.scope.region)) for e in endpoints},
        **{t["RouteTableId"]: name_of(t, "main" if _is_main(t) else t["RouteTableId"]) for t in route_tables},
        **{a["NetworkAclId"]: name_of(a, "default" if a.get("IsDefault") else a["NetworkAclId"]) for a in acls},
    }
    table_of = _table_of_subnets(subnets, route_tables)
    acl_of = {
        association["SubnetId"]: a["NetworkAclId"]
        for a in acls
        for association in a.get("Associations") or []
        if association.get("SubnetId")
    }
    zone_of = {s["SubnetId"]: s.get("AvailabilityZone") for s in subnets}
    owners = _owners(nats, endpoints)
    return {
        "vpcs": vpcs,
        "subnets": _subnets(subnets, names, table_of, acl_of, _public(route_tables)),
        "internet_gateways": [
            {
                "name": names[i["InternetGatewayId"]],
                "vpc": names.get(a.get("VpcId"), a.get("VpcId")),
                "internet_gateway_id": i["InternetGatewayId"],
                "vpc_id": a.get("VpcId"),
            }
            for i in gateways
            for a in i.get("Attachments") or []
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
            for e in a.get("Entries") or []
        ],
        "security_groups": [security_group(g, names) for g in groups],
        "security_group_rules": [group_rule(r, names) for r in rules],
        "prefix_lists": [_prefix_list(p) for p in lists],
        "network_interfaces": [network_interface(i, names, owners) for i in interfaces],
        "flow_logs": [_flow_log(f, names) for f in flow_logs],
    }


def _cidrs(vpc: Record) -> list[str]:
    blocks = [(b.get("CidrBlock"), b.get("CidrBlockState")) for b in vpc.get("CidrBlockAssociationSet") or []]
    blocks += [
        (b.get("Ipv6CidrBlock"), b.get("Ipv6CidrBlockState")) for b in vpc.get("Ipv6CidrBlockAssociationSet") or []
    ]
    used = {cidr for cidr, state in blocks if cidr and (state or {}).get("State", "associated") == "associated"}
    return sorted(used | ({vpc["CidrBlock"]} if vpc.get("CidrBlock") else set()))


def _owners(nats: Iterable[Record], endpoints: Iterable[Record]) -> dict[str, tuple[str, str]]:
    """Interface id -> type and id of what it belongs to, as NAT gateways and endpoints themselves say."""
    of_nats = {
        address["NetworkInterfaceId"]: ("nat_gateway", nat["NatGatewayId"])
        for nat in nats
        for address in nat.get("NatGatewayAddresses") or []
        if address.get("NetworkInterfaceId")
    }
    of_endpoints = {
        id: ("vpc_endpoint", endpoint["VpcEndpointId"])
        for endpoint in endpoints
        for id in endpoint.get("NetworkInterfaceIds") or []
    }
    return {**of_nats, **of_endpoints}


def _prefix_list(found: Record) -> Record:
    entries = found["Entries"]
    return {
        "name": found.get("PrefixListName") or found["PrefixListId"],
        "owner": found.get("OwnerId"),
        "family": found.get("AddressFamily"),
        "entries": sorted(entry["Cidr"] for entry in entries or [] if entry.get("Cidr")),
        "entry_count": None if entries is None else len(entries),
        "prefix_list_id": found["PrefixListId"],
    }


def _short(service: str | None, region: str) -> str:
    return (service or "").removeprefix(f"com.amazonaws.{region}.")


def _is_main(table: Record) -> bool:
    return any(a.get("Main") for a in table.get("Associations") or [])


def _table_of_subnets(subnets: Iterable[Record], route_tables: Iterable[Record]) -> dict[str, str]:
    """Subnet id -> route table id: its own, or else the main one of its VPC."""
    own = {
        a["SubnetId"]: t["RouteTableId"] for t in route_tables for a in t.get("Associations") or [] if a.get("SubnetId")
    }
    main = {t.get("VpcId"): t["RouteTableId"] for t in route_tables if _is_main(t)}
    return {s["SubnetId"]: table for s in subnets if (table := own.get(s["SubnetId"]) or main.get(s.get("VpcId")))}


def _public(route_tables: Iterable[Record]) -> dict[str, bool]:
    """Route table id -> whether it leads to an internet gateway."""
    return {
        t["RouteTableId"]: any(
            str(r.get("GatewayId", "")).startswith("igw-") and r.get("State") != "blackhole"
            for r in t.get("Routes") or []
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
                "vpc": names.get(s.get("VpcId", ""), s.get("VpcId")),
                "az": s.get("AvailabilityZone"),
                "tier": None if table is None else "public" if public[table] else "private",
                "cidr": s.get("CidrBlock", ""),
                "free_addresses": s.get("AvailableIpAddressCount"),
                "public_ip_on_launch": s.get("MapPublicIpOnLaunch"),
                "route_table": names[table] if table else None,
                "network_acl": names[acl] if acl else None,
                "subnet_id": s["SubnetId"],
                "vpc_id": s.get("VpcId"),
                "route_table_id": table,
                "network_acl_id": acl,
                "ipv6_cidrs": sorted(
                    block["Ipv6CidrBlock"]
                    for block in s.get("Ipv6CidrBlockAssociationSet") or []
                    if block.get("Ipv6CidrBlock")
                    and (block.get("Ipv6CidrBlockState") or {}).get("State", "associated") == "associated"
                ),
            }
        )
    return rows


def _routes(route_tables: Iterable[Record], names: Mapping[str, str], table_of: Mapping[str, str]) -> list[Record]:
    rows = []
    for t in route_tables:
        users = [subnet for subnet, table in table_of.items() if table == t["RouteTableId"]]
        for r in t.get("Routes") or []:
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
                    "vpc_id": t.get("VpcId"),
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


def _nat(nat: Record, names: Mapping[str, str], zone_of: Mapping[str, str | None]) -> Record:
    """A regional NAT gateway is in no subnet: its zone and subnet are None."""
    addresses = [a["PublicIp"] for a in nat.get("NatGatewayAddresses") or [] if a.get("PublicIp")]
    subnet = nat.get("SubnetId")
    return {
        "name": names[nat["NatGatewayId"]],
        "az": zone_of.get(subnet) if subnet else None,
        "subnet": names.get(subnet, subnet) if subnet else None,
        "public_ip": ", ".join(addresses),
        "state": nat.get("State"),
        "connectivity": nat.get("ConnectivityType") or "public",
        "nat_gateway_id": nat["NatGatewayId"],
        "subnet_id": subnet,
        "vpc_id": nat.get("VpcId"),
    }


def _endpoint(endpoint: Record, names: Mapping[str, str], region: str) -> Record:
    group_ids = [g["GroupId"] for g in endpoint.get("Groups") or [] if g.get("GroupId")]
    subnet_ids, table_ids = endpoint.get("SubnetIds") or [], endpoint.get("RouteTableIds") or []
    return {
        "name": names[endpoint["VpcEndpointId"]],
        "service": _short(endpoint.get("ServiceName"), region),
        "type": endpoint.get("VpcEndpointType"),
        "state": str(endpoint.get("State") or "").lower() or None,
        "private_dns": bool(endpoint.get("PrivateDnsEnabled")),
        "subnets": named(names, subnet_ids),
        "route_tables": named(names, table_ids),
        "security_groups": named(names, group_ids),
        "policy_summary": summary(endpoint.get("PolicyDocument")),
        "policy": document(endpoint.get("PolicyDocument")),
        "endpoint_id": endpoint["VpcEndpointId"],
        "vpc_id": endpoint.get("VpcId"),
        "service_name": endpoint.get("ServiceName"),
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
        "resource": names.get(log.get("ResourceId", ""), log.get("ResourceId")),
        "traffic_type": log.get("TrafficType", ""),
        "destination_type": log.get("LogDestinationType", "cloud-watch-logs"),
        "destination": destination,
        "status": log.get("FlowLogStatus"),
        "aggregation_seconds": log.get("MaxAggregationInterval"),
        "role": last(log.get("DeliverLogsPermissionArn")),
        "flow_log_id": log["FlowLogId"],
        "resource_id": log.get("ResourceId"),
    }
