"""A network that can fail, between the container and the AWS endpoint.

microburst, the closest library, accepts every connection before it answers with AWS's errors, delays or resets. What
the container has to survive happens before that too: refused connections, on a port that no other process may take in
the meantime. Hence this TCP forwarder, which can also hang, and answer with an S3 error that the embedded AWS never
returns.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import Any
from xml.sax.saxutils import escape

from workbook.host.ports import HOST, bind


class FaultProxy:
    """A TCP forwarder to `host`:`port` that fails on request, so that the endpoint behind it does not have to."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._mode = "forward"
        self._reply = b""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = bind()
        self.port = int(self._listener.getsockname()[1])
        self._listen()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def heal(self) -> None:
        """Forward again."""
        was, self._mode = self._mode, "forward"
        if was == "refuse":
            self._listen()
        else:
            self._cut()

    def refuse(self) -> None:
        """Refuse every connection, as if the endpoint did not exist."""
        if self._mode == "refuse":
            return
        self._mode = "refuse"
        # Wakes the thread waiting in accept(); close() alone would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()
        # Bound but not listening: the port stays reserved, and every connection is refused.
        self._listener = bind(self.port)

    def hang(self) -> None:
        """Accept connections and never answer, as if a firewall dropped the packets."""
        self.heal()
        self._mode = "hang"
        self._cut()

    def answer(self, status: int, code: str, message: str) -> None:
        """Answer every request with an S3 error, such as 503 `SlowDown`, that the embedded AWS does not return by
        itself.
        """
        self.heal()
        body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>'
        head = f"HTTP/1.1 {status} Error\r\nContent-Type: application/xml\r\nContent-Length: {len(body.encode())}\r\nConnection: close\r\n\r\n"
        self._reply = (head + body).encode()
        self._mode = "answer"
        self._cut()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()

    def _listen(self) -> None:
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._kept(connection), contextlib.suppress(OSError):
            connection.settimeout(60)
            if self._mode == "hang":
                while connection.recv(65536):
                    pass
            elif self._mode == "answer":
                seen = b""
                while b"\r\n\r\n" not in seen and (chunk := connection.recv(65536)):
                    seen += chunk
                connection.sendall(self._reply)
                connection.shutdown(socket.SHUT_WR)
            else:
                with socket.create_connection(self._upstream, timeout=5) as upstream, self._kept(upstream):
                    _pump(connection, upstream)

    @contextlib.contextmanager
    def _kept(self, connection: socket.socket) -> Any:
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _cut(self) -> None:
        """Close the open connections, so that a change takes effect at once."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Copy in both directions until either side closes, or nothing has arrived for a minute."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while ready := selector.select(60):
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                chunk = key.fileobj.recv(65536)
                if not chunk:
                    return
                key.data.sendall(chunk)
