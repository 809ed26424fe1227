"""The process of the embedded AWS: moto's server with this project's patches, on the loopback interface only.

Run by `workbook.emulator.start` as `python -m workbook.emulator.server --port N --instance ID`.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from workbook.emulator.process import HEALTH_PATH, PORT_TAKEN
from workbook.host import paths, ports

SETTINGS = {
    # Policies such as AmazonECSTaskExecutionRolePolicy exist, as they do on AWS.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # Nothing here starts an instance from an image, and loading the images takes a second.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # A web page in the person's browser must not read this server.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # A certificate is issued as soon as one looks at it, not after a minute.
    "MOTO_ACM_VALIDATION_WAIT": "0",
}
LOG_LIMIT = 2_000_000  # bytes; a longer log starts anew
WATCH_SECONDS = 10.0
IDLE_SECONDS = 60  # a connection that sends nothing for so long is closed, so that none holds a thread for ever

log = logging.getLogger("embedded")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m workbook.emulator.server")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--instance", required=True)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)

    try:
        listener = ports.bind(args.port)
    except OSError as error:
        print(f"cannot bind {ports.HOST}:{args.port}: {error}", flush=True)
        sys.exit(PORT_TAKEN)
    port = listener.getsockname()[1]
    # moto reads these when it is imported.
    os.environ.update(SETTINGS, MOTO_PORT=str(port))
    serve(listener, args.instance)


def serve(listener: socket.socket, instance: str) -> None:
    """Answer on `listener` until the process is told to end or its record names another instance."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from workbook.emulator import patches

    class Handler(MotoRequestHandler):  # type: ignore[misc, unused-ignore]  # Any to mypy without namespace packages
        timeout = IDLE_SECONDS

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """One line for each request would be megabytes for each apply."""

        def log_error(self, format: str, *args: Any) -> None:
            """That a connection was idle and is closed is no error: clients keep theirs for the next request."""
            if not format.startswith("Request timed out"):
                super().log_error(format, *args)

    def create_patched_app(service: Any) -> Any:
        # A service is patched when it is first asked for: loading them all would cost seconds at the start.
        patches.apply(service)
        return create_backend_app(service)

    patches.apply("core")
    host, port = listener.getsockname()
    listener.listen(128)
    application = _with_health(DomainDispatcherApplication(create_patched_app), instance)
    server = make_server(host, port, application, threaded=True, request_handler=Handler, fd=listener.fileno())

    _write_record(port, instance)

    def end(*_: object) -> None:
        _remove_record(instance)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threading.Thread(target=_watch, args=(instance,), daemon=True).start()
    server.serve_forever()


Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _with_health(application: Application, instance: str) -> Application:
    """`application` with a route that says which instance answers, and an answer for services that moto does not have."""
    from workbook.emulator.patches.unimplemented import unknown_service

    # moto's tables are plain dictionaries: two calls at once, one of them walking over what the other adds, now and then end in
    # a fault that no AWS account would show, in the middle of an apply. One Python process gains nothing from two at once.
    one_at_a_time = threading.Lock()
    answers = _Answers()
    health = json.dumps({"instance": instance, "pid": os.getpid()}).encode()

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == HEALTH_PATH:
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(health)))])
            return [health]
        _read_body(environ)
        try:
            with one_at_a_time:
                return answers.give(environ, start_response, application)
        except Exception as error:
            log.exception("no service for %s %s", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            return unknown_service(environ, start_response, error)

    return call


class _Answers:
    """The latest answers, for a client that did not get the one it was sent and asks again.

    An SDK marks its attempts with one id. Carried out twice, an attempt that had succeeded would be refused, as a duplicate or as
    a thing that is no longer there, in the middle of an apply.
    """

    KEPT = 256
    LONGEST = 64 * 1024  # bytes; what is longer is a list, and asking twice for it does no harm

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, list[tuple[str, str]], bytes]] = OrderedDict()

    def give(self, environ: dict[str, Any], start_response: Any, application: Application) -> Iterable[bytes]:
        """The answer of `application`, or the one it gave to an earlier attempt."""
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


def _read_body(environ: dict[str, Any]) -> None:
    """Take the whole body before the call waits for its turn, so that a client that sends slowly holds nobody up."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))


def _write_record(port: int, instance: str) -> None:
    record = {"pid": os.getpid(), "port": port, "instance": instance, "project": str(paths.ROOT)}
    path = paths.emulator_dir() / "emulator.json"
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(record))
    draft.replace(path)


def _recorded_instance() -> str | None:
    try:
        return str(json.loads((paths.emulator_dir() / "emulator.json").read_text())["instance"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remove_record(instance: str) -> None:
    if _recorded_instance() == instance:
        (paths.emulator_dir() / "emulator.json").unlink(missing_ok=True)


def _watch(instance: str) -> None:
    """End this process once nobody can find it any more, such as after its home was deleted; keep its log short."""
    missed = 0
    while missed < 2:
        time.sleep(WATCH_SECONDS)
        missed = 0 if _recorded_instance() == instance else missed + 1
        if os.fstat(1).st_size > LOG_LIMIT:
            os.ftruncate(1, 0)
    os._exit(0)


if __name__ == "__main__":
    main()
