"""Free ports on the loopback interface, below those that the system gives away by itself.

A Jupyter kernel is told its ports before it starts. Whoever asks the system for any free port in the meantime may get one of them,
and the kernel then does not start.
"""

from __future__ import annotations

import contextlib
import random
import socket

HOST = "127.0.0.1"
_RANGE = range(20000, 30000)  # Linux gives away 32768 and above, macOS 49152 and above.


def bind() -> socket.socket:
    """A TCP socket of its own, bound to a port that nobody had; it does not listen yet.

    Raises
    ------
    OSError : no port could be had.
    """
    for port in random.sample(_RANGE, min(200, len(_RANGE))):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            bound.bind((HOST, port))
            return bound
        bound.close()
    raise OSError(f"No port between {_RANGE.start} and {_RANGE.stop} is free.")


def free_port() -> int:
    """A port that nobody has at this moment, for a program that binds it by itself."""
    with bind() as bound:
        return int(bound.getsockname()[1])
