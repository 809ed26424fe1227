"""The tables of the inventory: which there are, to which layer each belongs, what each column holds.

An empty table has its columns too, so whoever reads one never asks whether it is there. Resources refer to each other by
name: the Name tag, else the name AWS knows the resource by (`default`, `main`, a group's or a service's name), else the id.
Columns that end in `_id`, `_ids` or `_arn` hold AWS's own identifiers, for joins; they differ from run to run and stay out of
the display.

A column's description begins with its type: `bool`, `int` and `float` are pandas' nullable types; `int or None`, `list`, `dict`
and text (no type named) are Python objects. A cell that AWS did not let us read is None (a list or dict is empty), and the
inventory's `problems` name its table; a setting that is not set is "", an empty list or False.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """One table: its layer, a caption for people, and column -> what it holds (with units where there are any)."""

    name: str
    layer: str
    caption: str
    columns: dict[str, str]

    def dtype(self, column: str) -> str:
        """The pandas type of a column: boolean, Int64, Float64 or object."""
        return {"bool": "boolean", "int": "Int64", "float": "Float64"}.get(self._kind(column), "object")

    def default(self, column: str) -> Any:
        """What a row that does not name `column` holds there."""
        kind = self._kind(column)
        return {"list": [], "dict": {}, "text": ""}.get(kind)

    def _kind(self, column: str) -> str:
        found = re.match(r"int or None|(?:bool|int|float|list|dict)\b", self.columns[column])
        return found.group() if found else "text"

    @property
    def order(self) -> list[str]:
        """The columns that rows are sorted by: what people read, in its order. A policy's statements keep their own."""
        columns = list(self.columns)
        if "statement" in columns:
            return columns[: columns.index("sid")]
        return [c for c in columns if self._kind(c) != "dict" and not c.endswith(("_id", "_ids", "_arn"))]


# One row for each statement of a policy; the same columns wherever a policy is shown.
STATEMENT = {
    "sid": "statement id, or its position from 1",
    "effect": "Allow or Deny",
    "principals": "list of str, such as Service: ecs-tasks.amazonaws.com or *; empty in identity policies",
    "actions": "list of str; with a leading ! where the policy says NotAction",
    "resources": "list of str; with a leading ! where the policy says NotResource",
    "conditions": "list of str, such as aws:SecureTransport Bool false",
    "statement": "dict: the statement as AWS returned it",
}

# fmt: off
_ALL = [
    # ── vpc ──
    Table("vpcs", "vpc", "VPCs", {
        "name": "", "cidr": "", "dns_support": "bool", "dns_hostnames": "bool", "tags": "dict",
        "vpc_id": "",
    }),
    Table("subnets", "vpc", "Subnets", {
        "name": "", "vpc": "", "az": "", "tier": "public if its route table leads to an internet gateway, else private",
        "cidr": "", "free_addresses": "int", "public_ip_on_launch": "bool", "route_table": "", "network_acl": "",
        "subnet_id": "", "vpc_id": "", "route_table_id": "", "network_acl_id": "",
    }),
    Table("internet_gateways", "vpc", "Internet gateways", {
        "name": "", "vpc": "", "internet_gateway_id": "", "vpc_id": "",
    }),
    Table("routes", "vpc", "Routes, by route table", {
        "route_table": "", "subnets": "list of subnet names that use the table", "main": "bool",
        "destination": "CIDR or prefix list name", "target": "name of the target, or local",
        "target_type": "local, internet_gateway, nat_gateway, vpc_endpoint, other", "state": "",
        "route_table_id": "", "vpc_id": "", "destination_id": "CIDR or prefix list id", "target_id": "",
    }),
    Table("nat_gateways", "vpc", "NAT gateways", {
        "name": "", "az": "", "subnet": "", "public_ip": "", "state": "",
        "nat_gateway_id": "", "subnet_id": "", "vpc_id": "",
    }),
    Table("endpoints", "vpc", "VPC endpoints", {
        "name": "", "service": "short name, such as ecr.api", "type": "Gateway or Interface", "state": "",
        "private_dns": "bool", "subnets": "list", "route_tables": "list", "security_groups": "list",
        "policy_summary": "one line: who may do what on what", "policy": "dict",
        "endpoint_id": "", "vpc_id": "", "service_name": "", "subnet_ids": "list", "route_table_ids": "list", "group_ids": "list",
    }),
    Table("endpoint_policy_statements", "vpc", "VPC endpoint policies, by statement", {"endpoint": "", **STATEMENT}),
    Table("nacl_entries", "vpc", "Network ACL entries, in the order they are tried", {
        "network_acl": "", "subnets": "list", "is_default": "bool", "direction": "ingress or egress",
        "rule_number": "int; 32767 is the closing deny", "action": "allow or deny", "protocol": "tcp, udp, icmp, all or a number",
        "ports": "such as 443, 1024-65535 or all", "cidr": "IPv4 or IPv6", "from_port": "int or None", "to_port": "int or None",
        "network_acl_id": "", "vpc_id": "",
    }),
    Table("security_groups", "vpc", "Security groups", {
        "name": "", "description": "", "is_default": "bool", "ingress_rules": "int", "egress_rules": "int",
        "group_id": "", "vpc_id": "",
    }),
    Table("security_group_rules", "vpc", "Security group rules", {
        "security_group": "", "direction": "ingress or egress", "protocol": "", "ports": "",
        "peer": "CIDR, or name of the security group or prefix list", "peer_type": "cidr, security_group or prefix_list",
        "description": "", "from_port": "int or None", "to_port": "int or None",
        "group_id": "", "peer_id": "CIDR or id", "rule_id": "",
    }),
    Table("flow_logs", "vpc", "VPC flow logs", {
        "name": "", "resource": "name of the VPC", "traffic_type": "", "destination_type": "", "destination": "log group name",
        "status": "", "aggregation_seconds": "int", "role": "", "flow_log_id": "", "resource_id": "",
    }),
    # ── ecr ──
    Table("repositories", "ecr", "Repositories", {
        "name": "", "tag_mutability": "", "scan_on_push": "bool", "encryption": "AES256 or KMS", "kms_key": "alias or ARN, or empty",
        "lifecycle_rules": "int", "policy_statements": "int", "images": "int", "uri": "", "repository_arn": "",
    }),
    Table("repository_lifecycle_rules", "ecr", "Repository lifecycle rules", {
        "repository": "", "priority": "int", "description": "", "tag_status": "", "tag_patterns": "list",
        "count_type": "", "count_number": "int, images or days", "action": "",
    }),
    Table("repository_policy_statements", "ecr", "Repository policies, by statement", {"repository": "", **STATEMENT}),
    # ── iam ──
    Table("roles", "iam", "Roles", {
        "name": "", "trusted": "list of principals", "trust_conditions": "list of str", "boundary": "policy name, or empty",
        "attached_policies": "list of names", "inline_policies": "list of names", "instance_profiles": "list of names",
        "max_session_hours": "float", "path": "", "description": "", "tags": "dict", "role_arn": "", "boundary_arn": "",
    }),
    Table("role_trust_statements", "iam", "Trust policies, by statement", {"role": "", **STATEMENT}),
    Table("policies", "iam", "Managed policies", {
        "name": "", "managed_by": "customer or aws", "attached_to": "list of roles", "boundary_of": "list of roles",
        "statements": "int", "document": "dict", "policy_arn": "",
    }),
    Table("iam_statements", "iam", "What the policies say, one statement a row", {
        "policy": "", "kind": "attached, inline, boundary, or unattached", "roles": "list of role names it applies to", **STATEMENT,
    }),
    Table("instance_profiles", "iam", "Instance profiles", {"name": "", "roles": "list", "instance_profile_arn": ""}),
    # ── s3 ──
    Table("buckets", "s3", "Buckets", {
        "name": "", "region": "", "encryption": "AES256 or aws:kms", "kms_key": "alias or ARN, or empty",
        "versioning": "Enabled, Suspended or empty", "mfa_delete": "bool",
        "ownership": "", "block_public_acls": "bool", "ignore_public_acls": "bool", "block_public_policy": "bool",
        "restrict_public_buckets": "bool", "logging_bucket": "", "logging_prefix": "", "lifecycle_rules": "int",
        "replicates_to": "list of bucket names", "policy_statements": "int", "tags": "dict", "bucket_arn": "",
    }),
    Table("bucket_lifecycle_rules", "s3", "Bucket lifecycle rules", {
        "bucket": "", "rule": "", "status": "", "prefix": "", "transitions": "list, such as STANDARD_IA after 30 days",
        "expiration_days": "int or None", "noncurrent_expiration_days": "int or None", "abort_multipart_days": "int or None",
    }),
    Table("bucket_replication_rules", "s3", "Replication rules", {
        "bucket": "", "rule": "", "status": "", "destination": "bucket name", "storage_class": "", "delete_markers": "",
        "role": "name",
    }),
    Table("bucket_policy_statements", "s3", "Bucket policies, by statement", {"bucket": "", **STATEMENT}),
    # ── ecs ──
    Table("clusters", "ecs", "ECS clusters", {
        "name": "", "status": "", "container_insights": "", "capacity_providers": "list", "running_tasks": "int", "cluster_arn": "",
    }),
    Table("services", "ecs", "ECS services", {
        "name": "", "cluster": "", "launch_type": "", "desired": "int", "running": "int", "task_definition": "family:revision",
        "subnets": "list", "security_groups": "list", "public_ip": "bool", "circuit_breaker": "bool", "rollback": "bool",
        "execute_command": "bool", "target_groups": "list", "container_port": "int or None",
        "service_arn": "", "subnet_ids": "list", "group_ids": "list",
    }),
    Table("task_definitions", "ecs", "Task definitions", {
        "name": "family:revision", "cpu": "int, CPU units", "memory": "int, MiB", "network_mode": "", "task_role": "name",
        "execution_role": "name", "volumes": "list", "task_definition_arn": "",
    }),
    Table("containers", "ecs", "Containers", {
        "name": "", "task_definition": "", "image": "", "port": "int or None", "user": "", "read_only_root": "bool", "privileged": "bool",
        "health_check": "command", "health_interval": "int or None, seconds", "log_group": "", "entry_point": "list",
        "environment": "dict", "secrets": "list of names", "dropped_capabilities": "list", "mount_points": "list", "definition": "dict",
    }),
    Table("load_balancers", "ecs", "Load balancers", {
        "name": "", "scheme": "", "subnets": "list", "security_groups": "list", "drop_invalid_headers": "bool",
        "access_logs": "bucket/prefix, or empty", "deletion_protection": "bool", "dns_name": "",
        "load_balancer_arn": "", "vpc_id": "", "subnet_ids": "list", "group_ids": "list",
    }),
    Table("listeners", "ecs", "Listeners", {
        "load_balancer": "", "port": "int", "protocol": "", "ssl_policy": "", "action": "forward, redirect, fixed-response",
        "target": "target group name, or where it redirects to", "listener_arn": "",
    }),
    Table("target_groups", "ecs", "Target groups", {
        "name": "", "protocol": "", "port": "int", "target_type": "", "health_path": "", "health_interval": "int, seconds",
        "healthy_threshold": "int", "unhealthy_threshold": "int", "matcher": "", "deregistration_delay": "int, seconds",
        "healthy": "int, targets", "targets": "int", "target_group_arn": "",
    }),
    Table("autoscaling", "ecs", "Autoscaling", {
        "service": "", "dimension": "", "minimum": "int", "maximum": "int", "policy": "name", "metric": "",
        "target_value": "float, percent",
    }),
    Table("log_groups", "ecs", "Log groups", {
        "name": "", "retention_days": "int, or None for ever", "kms_key": "", "log_group_arn": "",
    }),
]
# fmt: on

TABLES: dict[str, Table] = {table.name: table for table in _ALL}
