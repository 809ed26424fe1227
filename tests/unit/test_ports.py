"""Free ports are free, and none that the system could have told a kernel to take."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from workbook.host import ports


def test_two_have_different_ports_which_the_system_does_not_give_away() -> None:
    with ports.bind() as first, ports.bind() as second:
        both = {first.getsockname()[1], second.getsockname()[1], ports.free_port()}
    assert len(both) == 3
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given.read_text().split()[0]) if given.exists() else 32768
    assert max(both) < lowest


def test_where_none_is_free_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with ports.bind() as taken:
        monkeypatch.setattr(ports, "_RANGE", range(taken.getsockname()[1], taken.getsockname()[1] + 1))
        with pytest.raises(OSError, match="No port between"):
            ports.bind()


def test_a_port_that_is_needed_can_be_had_again_and_not_from_somebody_who_listens() -> None:
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
