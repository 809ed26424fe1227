"""The interfaces of NAT gateways, interface endpoints and tasks say what they belong to, and lie in their subnets.

moto gives them addresses outside their subnets, the VPC's default security group, and no sign of their owner. On AWS an
interface has an address of its subnet, an endpoint's has the endpoint's security groups, a NAT gateway's has none, and
type and description name the owner.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html,
https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html (endpoint network interfaces),
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking-awsvpc.html (task attachments).
"""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from workbook.emulator.patches import override

SERVICE = "ec2"


def apply() -> None:
    from moto.ec2.models import EC2Backend

    new_interface, new_endpoint, new_nat = (
        getattr(EC2Backend, name) for name in ("create_network_interface", "create_vpc_endpoint", "create_nat_gateway")
    )

    def create_network_interface(
        self: Any, subnet: Any, private_ip_address: Any = None, *args: Any, **more: Any
    ) -> Any:
        found = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
        asked = private_ip_address if isinstance(private_ip_address, str) else ""
        if asked and ipaddress.ip_address(asked) not in ipaddress.ip_network(found.cidr_block):
            private_ip_address = None
        interface = new_interface(self, found, private_ip_address, *args, **more)
        if interface.description == "moto ECS":
            owner = f"arn:aws:ecs:{self.region_name}:{self.account_id}"
            interface.description = f"{owner}:attachment/{uuid.uuid4()}"
        return interface

    def create_vpc_endpoint(self: Any, *args: Any, **more: Any) -> Any:
        endpoint = new_endpoint(self, *args, **more)
        groups = [self.get_security_group_from_id(id) for id in endpoint.security_group_ids or []]
        for id in endpoint.network_interface_ids or []:
            owned(self.get_network_interface(id), "vpc_endpoint", f"VPC Endpoint Interface {endpoint.id}", groups)
        return endpoint

    def create_nat_gateway(self: Any, *args: Any, **more: Any) -> Any:
        nat = new_nat(self, *args, **more)
        owned(nat._eni, "nat_gateway", f"Interface for NAT Gateway {nat.id}", [])
        return nat

    override(
        EC2Backend,
        create_network_interface=create_network_interface,
        create_vpc_endpoint=create_vpc_endpoint,
        create_nat_gateway=create_nat_gateway,
    )


def owned(interface: Any, kind: str, description: str, groups: list[Any]) -> None:
    """Marks an interface as that of a service."""
    interface.interface_type, interface.description, interface.status = kind, description, "in-use"
    interface._group_set, interface.requester_managed = groups, True
