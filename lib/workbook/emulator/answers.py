"""The latest answers, for a client that did not receive one and asks again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""A WSGI application."""


class Answers:
    """The responses of one account to the latest calls that may have changed it.

    An SDK marks all attempts of a call with one id. If a call that had succeeded were carried out again, it would be
    refused, as a duplicate or because the thing no longer exists, in the middle of an apply. A copy of the account
    keeps these answers, since it contains what they report.
    """

    KEPT = 256
    LONGEST = 64 * 1024  # bytes; a longer answer is a list, and asking for it twice does no harm

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
