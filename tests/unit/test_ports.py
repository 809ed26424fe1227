"""Free ports are free, and outside the range from which the system hands out ports to others."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from workbook.host import ports


def test_two_ports_differ_and_are_below_the_ephemeral_range() -> None:
    with ports.bind() as first, ports.bind() as second:
        both = {first.getsockname()[1], second.getsockname()[1], ports.free_port()}
    assert len(both) == 3
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given.read_text().split()[0]) if given.exists() else 32768
    assert max(both) < lowest


def test_no_free_port_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with ports.bind() as taken:
        monkeypatch.setattr(ports, "RANGE", range(taken.getsockname()[1], taken.getsockname()[1] + 1))
        with pytest.raises(OSError, match="No port between"):
            ports.bind()


def test_a_given_port_can_be_reused_unless_something_listens_on_it() -> None:
    with ports.bind() as first:
        first.listen()
        address = first.getsockname()
        with pytest.raises(OSError, match="in use"):
            ports.bind(address[1])
        with socket.create_connection(address) as client:
            first.accept()[0].close()
            client.recv(1)
    # The closed connection lingers.
    with ports.bind(address[1]) as again:
        assert again.getsockname() == address
