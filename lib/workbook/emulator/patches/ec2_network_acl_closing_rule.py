"""Every network ACL ends with a rule that denies everything else.

moto gives rule 32767, which the console shows as an asterisk, only to a VPC's default ACL. AWS gives it to every ACL,
once per direction, and it cannot be removed.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAcl.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "ec2"


def apply() -> None:
    from moto.ec2.models import EC2Backend

    create = EC2Backend.create_network_acl

    def create_network_acl(
        self: Any, vpc_id: str, tags: list[dict[str, str]] | None = None, default: bool = False
    ) -> Any:
        acl = create(self, vpc_id, tags, default)
        for egress in () if default else (True, False):
            self.create_network_acl_entry(
                acl.id, 32767, "-1", "deny", egress, "0.0.0.0/0", None, None, None, None, None
            )
        return acl

    override(EC2Backend, create_network_acl=create_network_acl)
