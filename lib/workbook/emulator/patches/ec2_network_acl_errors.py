"""A network ACL or ACL entry that no longer exists is reported as not found.

moto answers DescribeNetworkAcls for an unknown id with InvalidRouteTableID.NotFound, so Terraform treats a deleted ACL
as a failure and can neither plan nor destroy; deleting an entry that does not exist crashes inside moto. AWS returns
InvalidNetworkAclID.NotFound and InvalidNetworkAclEntry.NotFound.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from typing import Any

from workbook.emulator.patches import override

SERVICE = "ec2"


def apply() -> None:
    from moto.ec2.exceptions import EC2ClientError, InvalidNetworkAclIdError, InvalidRouteTableIdError
    from moto.ec2.models import EC2Backend

    describe = EC2Backend.describe_network_acls
    delete = EC2Backend.delete_network_acl_entry

    def describe_network_acls(self: Any, network_acl_ids: list[str] | None = None, filters: Any = None) -> Any:
        try:
            return describe(self, network_acl_ids, filters)
        except InvalidRouteTableIdError:
            unknown = next(acl for acl in network_acl_ids or [] if acl not in self.network_acls)
            raise InvalidNetworkAclIdError(unknown) from None

    def delete_network_acl_entry(self: Any, network_acl_id: str, rule_number: int, egress: bool) -> Any:
        try:
            return delete(self, network_acl_id, rule_number, egress)
        except StopIteration:
            raise EC2ClientError(
                "InvalidNetworkAclEntry.NotFound", f"The network acl {network_acl_id} has no entry {rule_number}."
            ) from None

    override(EC2Backend, describe_network_acls=describe_network_acls, delete_network_acl_entry=delete_network_acl_entry)
