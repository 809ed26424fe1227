"""Rows about traffic filters: entries of network ACLs, security groups and their rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbook.inventory.names import named
from workbook.inventory.schema import Record

PROTOCOLS: dict[str, str] = {"-1": "all", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}


def protocol_name(protocol: Any) -> str | None:
    """`tcp`, `udp`, `icmp`, `icmpv6`, `all`, or another protocol's number; None if AWS did not say."""
    return None if protocol is None else PROTOCOLS.get(str(protocol).lower(), str(protocol).lower())


def acl_entry(entry: Record, acl: Record, names: Mapping[str, str], subnet_ids: Iterable[str]) -> Record:
    """A row of `nacl_entries`; `subnet_ids` are the subnets that the ACL is associated with."""
    ports, icmp = entry.get("PortRange") or {}, entry.get("IcmpTypeCode") or {}
    protocol = protocol_name(entry.get("Protocol"))
    return {
        "network_acl": names[acl["NetworkAclId"]],
        "subnets": named(names, subnet_ids),
        "is_default": acl.get("IsDefault"),
        "direction": "egress" if entry.get("Egress") else "ingress",
        "rule_number": entry.get("RuleNumber"),
        "action": entry.get("RuleAction"),
        "protocol": protocol,
        **_ports(protocol, ports.get("From", icmp.get("Type")), ports.get("To", icmp.get("Code"))),
        "cidr": entry.get("CidrBlock") or entry.get("Ipv6CidrBlock") or "",
        "network_acl_id": acl["NetworkAclId"],
        "vpc_id": acl.get("VpcId"),
        "subnet_ids": sorted(subnet_ids),
    }


def _ports(protocol: str | None, start: int | None, end: int | None) -> Record:
    """The columns ports, from_port and to_port. For ICMP the two are type and code; -1 and None mean all."""
    if (
        protocol not in ("tcp", "udp", "icmp", "icmpv6")
        or start in (None, -1)
        or (protocol in ("tcp", "udp") and (start, end) == (0, 65535))
    ):
        return {"ports": "all", "from_port": None, "to_port": None}
    if protocol in ("icmp", "icmpv6"):
        return {"ports": f"type {start}", "from_port": start, "to_port": end}
    return {"ports": str(start) if start == end else f"{start}-{end}", "from_port": start, "to_port": end}


def security_group(group: Record, names: Mapping[str, str]) -> Record:
    """A row of `security_groups`."""
    return {
        "name": names[group["GroupId"]],
        "description": group.get("Description", ""),
        "is_default": group.get("GroupName") == "default",
        "ingress_rules": _count(group.get("IpPermissions") or []),
        "egress_rules": _count(group.get("IpPermissionsEgress") or []),
        "group_id": group["GroupId"],
        "vpc_id": group.get("VpcId"),
    }


def _count(permissions: Iterable[Record]) -> int:
    # A permission is a port range; each of its peers is a rule.
    return sum(
        len(p.get(key) or [])
        for p in permissions
        for key in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    )


def group_rule(rule: Record, names: Mapping[str, str]) -> Record:
    """A row of `security_group_rules`."""
    peers: list[tuple[Any, str]] = [
        (rule.get("CidrIpv4") or rule.get("CidrIpv6"), "cidr"),
        ((rule.get("ReferencedGroupInfo") or {}).get("GroupId"), "security_group"),
        (rule.get("PrefixListId"), "prefix_list"),
    ]
    peer, kind = next(((str(value), kind) for value, kind in peers if value), ("", ""))
    protocol = protocol_name(rule.get("IpProtocol"))
    return {
        "security_group": names.get(rule.get("GroupId", ""), rule.get("GroupId")),
        "direction": "egress" if rule.get("IsEgress") else "ingress",
        "protocol": protocol,
        **_ports(protocol, rule.get("FromPort"), rule.get("ToPort")),
        "peer": names.get(peer, peer),
        "peer_type": kind,
        "description": rule.get("Description", ""),
        "group_id": rule.get("GroupId"),
        "peer_id": peer,
        "rule_id": rule["SecurityGroupRuleId"],
    }
