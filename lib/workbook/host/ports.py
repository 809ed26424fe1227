"""Free ports on the loopback interface, below those that the system gives away by itself.

A Jupyter kernel is told its ports before it starts. Whoever asks the system for any free port in the meantime may get one of them,
and the kernel then does not start.
"""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
_RANGE = range(20000, 30000)  # Linux gives away 32768 and above, macOS 49152 and above.


def bind(port: int = 0) -> socket.socket:
    """A TCP socket of its own, bound and not yet listening.

    Parameters
    ----------
    port : the port it needs; 0 for any that nobody has.

    Raises
    ------
    OSError : somebody else has the port, or none is free.
    """
    for candidate in [port] if port else random.sample(_RANGE, len(_RANGE)):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Connections of the last holder may linger, which is no reason to refuse a port that is wanted; a free one has none.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(bool(port)))
        try:
            bound.bind((HOST, candidate))
        except OSError:
            bound.close()
            if port:
                raise
            continue
        # What lingers of this one's connections keeps nobody from the port either.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return bound
    raise OSError(f"No port between {_RANGE.start} and {_RANGE.stop} is free.")


def free_port() -> int:
    """A port that nobody has at this moment, for a program that binds it by itself."""
    with bind() as bound:
        return int(bound.getsockname()[1])
