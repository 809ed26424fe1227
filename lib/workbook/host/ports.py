"""Free ports on the loopback interface, below the range the system assigns from.

A Jupyter kernel is given its ports before it starts. A process that asks the system for a free port in the meantime may
get one of them, and then the kernel cannot start.
"""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
RANGE = range(20000, 30000)  # Linux assigns from 32768, macOS from 49152.


def bind(port: int = 0) -> socket.socket:
    """A TCP socket, bound and not yet listening.

    Parameters
    ----------
    port : the port to bind; 0 for any free one.

    Raises
    ------
    OSError : the port is taken, or none is free.
    """
    for candidate in [port] if port else random.sample(RANGE, len(RANGE)):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Connections of the last holder may linger: fine for a port that was asked for, but a free one must have none.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(bool(port)))
        try:
            bound.bind((HOST, candidate))
        except OSError:
            bound.close()
            if port:
                raise
            continue
        # And connections that linger after this socket must not block its successor.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return bound
    raise OSError(f"No port between {RANGE.start} and {RANGE.stop} is free.")


def free_port() -> int:
    """A port that is free right now, for a program that binds it itself."""
    with bind() as bound:
        return int(bound.getsockname()[1])
