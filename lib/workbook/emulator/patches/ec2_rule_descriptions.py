"""A security group rule keeps its description whatever its peer, and modifying it can change peer and description.

moto keeps a rule's description only if the peer is an address range. A rule for a security group or a prefix list reads
back without one, so every Terraform plan writes it again; ModifySecurityGroupRules cannot change a peer that is a
group, a prefix list or an IPv6 range; and two rules for one group that differ only in their description count as two.
AWS has one description per rule, and a rule with the same peer, protocol and ports is a duplicate.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "ec2"


def apply() -> None:
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.security_groups import SecurityGroupRule

    init = SecurityGroupRule.__init__
    equal = SecurityGroupRule.__eq__
    modify = EC2Backend.modify_security_group_rules
    update_description = EC2Backend._sg_update_description

    def rule_init(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        # Preceded by backend, protocol, group, two ports, range and source group.
        prefix_list = kwargs.get("prefix_list_id") or (args[7] if len(args) > 7 else None)
        self.prefix_list = dict(prefix_list) if prefix_list else {}

    def peer(rule: Any) -> dict[str, Any]:
        """The part of a rule that identifies its peer and holds its description."""
        part: dict[str, Any] = rule.source_group or rule.prefix_list or rule.ip_range
        return part

    def rule_equal(self: Any, other: Any) -> bool:
        both = (self.source_group, other.source_group)
        self.source_group, other.source_group = ({k: v for k, v in each.items() if k != "Description"} for each in both)
        try:
            return bool(equal(self, other))
        finally:
            self.source_group, other.source_group = both

    def sg_update_description(self: Any, security_rule: Any, rule: Any) -> None:
        update_description(self, security_rule, rule)
        if "Description" in peer(security_rule):
            peer(rule)["Description"] = peer(security_rule)["Description"]

    def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        modify(self, group_id, rules)
        for rule_id, written in rules.items():
            rule = self.get_security_group_by_name_or_id(group_id).get_rule(rule_id)
            description = written.get("Description")
            if "ReferencedGroupId" in written:
                group = {"GroupId": written["ReferencedGroupId"], "OwnerId": self.account_id, "UserId": self.account_id}
                rule.source_group, rule.ip_range, rule.prefix_list, rule.prefix_list_id = group, {}, {}, None
            elif "PrefixListId" in written:
                rule.prefix_list, rule.prefix_list_id = (
                    {"PrefixListId": written["PrefixListId"]},
                    written["PrefixListId"],
                )
                rule.source_group, rule.ip_range = {}, {}
            else:
                key, value = (
                    ("CidrIp", written.get("CidrIpv4"))
                    if "CidrIpv4" in written
                    else ("CidrIpv6", written.get("CidrIpv6"))
                )
                rule.ip_range, rule.source_group, rule.prefix_list, rule.prefix_list_id = {key: value}, {}, {}, None
            if description is not None:
                peer(rule)["Description"] = description

    override(
        SecurityGroupRule,
        __init__=rule_init,
        __eq__=rule_equal,
        description=property(lambda self: peer(self).get("Description")),
    )
    override(
        EC2Backend,
        _sg_update_description=sg_update_description,
        modify_security_group_rules=modify_security_group_rules,
    )
