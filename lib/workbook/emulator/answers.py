"""The latest responses, for a client that lost one and retries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""


class Answers:
    """The responses of one account to the latest calls that may have changed it.

    An SDK gives all attempts of a call the same id. If a call that had succeeded were carried out again, it would be rejected in the
    middle of an apply, as a duplicate or because the resource no longer exists. A copy of the account keeps the responses, since it
    has what they report.
    """

    KEPT = 256
    LONGEST = 64 * 1024  # bytes; anything longer is a list, which can safely be requested twice

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, list[tuple[str, str]], bytes]] = OrderedDict()

    def give(self, environ: dict[str, Any], start_response: Any, application: Application) -> Iterable[bytes]:
        """The response of `application`, or the one it gave to an earlier attempt."""
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        if not invocation or environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
            return application(environ, start_response)
        if invocation in self._kept and not environ.get("HTTP_AMZ_SDK_REQUEST", "").startswith("attempt=1;"):
            status, headers, body = self._kept[invocation]
            start_response(status, headers)
            return [body]
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            started[:] = [(status, headers)]
            return start_response(status, headers, *exc_info)

        parts = application(environ, start)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        if started and started[0][0].startswith("2") and len(body) <= self.LONGEST:
            self._kept[invocation] = (*started[0], body)
            if len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)
        return [body]
