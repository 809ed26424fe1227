"""Rows about network interfaces: everything in a VPC that has an address, whoever made it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from workbook.inventory.names import named, tags
from workbook.inventory.schema import ADDRESSES, BOOL, ID, IDS, LIST, TEXT, Column, Record, Table

# fmt: off
NETWORK_INTERFACES = Table("network_interfaces", "vpc", "Network interfaces: what has an address in the VPC", {
    "name": Column(TEXT, "the Name tag, else what it belongs to"),
    "type": Column(TEXT, "nat_gateway, vpc_endpoint, load_balancer, task, instance, lambda, or AWS's own word"),
    "subnet": TEXT, "security_groups": LIST, "public": Column(BOOL, "whether it has a public IPv4 address"), "status": TEXT,
    "network_interface_id": ID, "subnet_id": ID, "vpc_id": ID, "group_ids": IDS,
    "owner_id": Column(ID, "id or ARN of what it belongs to, where AWS says it"),
    "private_ips": ADDRESSES, "public_ips": ADDRESSES, "ipv6_addresses": ADDRESSES,
}, key="network_interface_id")
# fmt: on

# How AWS's services describe the interfaces that they make.
_DESCRIPTIONS = (
    ("load_balancer", re.compile(r"ELB (?P<owner>\S+)")),
    ("task", re.compile(r"(?P<owner>arn:[^:]+:ecs:[^:]*:\d*:attachment/\S+)")),
    ("vpc_endpoint", re.compile(r"VPC Endpoint Interface (?P<owner>vpce-\S+)")),
    ("nat_gateway", re.compile(r"Interface for NAT Gateway (?P<owner>nat-\S+)")),
    ("lambda", re.compile(r"AWS Lambda VPC ENI-?(?P<owner>\S*)")),
)


def network_interface(found: Record, names: Mapping[str, str], owners: Mapping[str, tuple[str, str]]) -> Record:
    """A row of `network_interfaces`; `owners` says which NAT gateway or endpoint an interface (id) belongs to."""
    id = found["NetworkInterfaceId"]
    kind, owner = owners.get(id) or _owner(found)
    addresses = found.get("PrivateIpAddresses") or []
    associations = [found.get("Association") or {}, *(address.get("Association") or {} for address in addresses)]
    public = sorted({a["PublicIp"] for a in associations if a.get("PublicIp")})
    private = {a["PrivateIpAddress"] for a in (found, *addresses) if a.get("PrivateIpAddress")}
    group_ids = sorted(group["GroupId"] for group in found.get("Groups") or [] if group.get("GroupId"))
    subnet = found.get("SubnetId")
    return {
        "name": tags(found, "TagSet").get("Name") or _called(kind, owner, names) or id,
        "type": kind,
        "subnet": names.get(subnet, subnet) if subnet else None,
        "security_groups": named(names, group_ids),
        "public": bool(public),
        "status": found.get("Status"),
        "network_interface_id": id,
        "subnet_id": subnet,
        "vpc_id": found.get("VpcId"),
        "group_ids": group_ids,
        "owner_id": owner,
        "private_ips": sorted(private),
        "public_ips": public,
        "ipv6_addresses": sorted(a["Ipv6Address"] for a in found.get("Ipv6Addresses") or [] if a.get("Ipv6Address")),
    }


def _owner(found: Record) -> tuple[str, str]:
    """Type and id of what an interface belongs to; the id is "" where AWS does not say."""
    if instance := (found.get("Attachment") or {}).get("InstanceId"):
        return "instance", str(instance)
    for kind, pattern in _DESCRIPTIONS:
        if match := pattern.match(found.get("Description") or ""):
            return kind, match["owner"]
    return str(found.get("InterfaceType") or "interface"), ""


def _called(kind: str, owner: str, names: Mapping[str, str]) -> str:
    if kind == "task":
        return "ECS task"
    return names.get(owner) or (owner.split("/")[1] if kind == "load_balancer" and "/" in owner else owner)
