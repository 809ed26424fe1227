"""The process of the embedded AWS: moto's server with this project's patches, on the loopback interface only.

Run by `workbook.emulator.start` as `python -m workbook.emulator.server --port N --instance ID`.
"""

from __future__ import annotations

import argparse
import hmac
import io
import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from workbook.emulator import forking
from workbook.emulator.answers import Answers, Application
from workbook.emulator.process import PORT_TAKEN
from workbook.emulator.running import COPY_PATH, HEALTH_PATH, MOVE_PATH, SECRET_HEADER, Record, record_file
from workbook.host import paths, ports

SETTINGS = {
    # Policies such as AmazonECSTaskExecutionRolePolicy exist, as they do on AWS.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # Nothing here starts an instance from an image, and loading the images takes a second.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # A web page in the user's browser must not read from this server.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # A certificate is issued the first time it is described, not after a minute.
    "MOTO_ACM_VALIDATION_WAIT": "0",
    # Objects of any size stay in memory: a copy of the account would share the position in a temporary file.
    "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "0",
}
LOG_LIMIT = 2_000_000  # bytes; a longer log is truncated
WATCH_SECONDS = 10.0
IDLE_SECONDS = 60  # a connection that sends nothing for so long is closed, so that none holds a thread forever
COPY_SECONDS = 30.0  # until a copy is reachable
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
PORT_SECONDS = 5.0  # until the port of the previous account is free

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
    # moto reads these when it is imported.
    os.environ.update(SETTINGS, MOTO_PORT=str(listener.getsockname()[1]))
    Server(_moto(), paths.home(), args.instance).serve(listener)


def _moto() -> Application:
    """moto's server as an application. A service is loaded and patched on its first request: all take seconds."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from workbook.emulator import patches

    def create_patched_app(service: Any) -> Any:
        patches.apply(service)
        return create_backend_app(service)

    patches.apply("core")
    application: Application = DomainDispatcherApplication(create_patched_app)
    return application


class Server:
    """One account: handles its requests one at a time, copies itself on request, moves to another home on request.

    Parameters
    ----------
    application : answers the requests of AWS clients.
    home : where its record and log are.
    instance : its id.
    """

    def __init__(self, application: Application, home: Path, instance: str) -> None:
        self.home = home
        self.instance = instance
        self._application = application
        self._launched = instance
        self._restored_from = ""
        self._secret = secrets.token_hex(16)
        # moto's tables are plain dictionaries. A call that iterates over one while another call adds to it now and then
        # fails in a way that AWS never does, in the middle of an apply. One Python process would gain nothing from two
        # at once.
        self._one_at_a_time = threading.Lock()
        self._answers = Answers()
        self._accepting: Any = None

    # ── requests ──

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """WSGI: the requests of AWS clients, and those of `workbook.emulator.running`."""
        path = environ.get("PATH_INFO")
        if path == HEALTH_PATH:
            return _json(start_response, "200 OK", {"instance": self.instance, "pid": os.getpid()})
        _read_body(environ)
        if path in (COPY_PATH, MOVE_PATH):
            return self._control(environ, start_response, self._copy if path == COPY_PATH else self._move)
        try:
            with self._one_at_a_time:
                return self._answers.give(environ, start_response, self._application)
        except Exception as error:
            from workbook.emulator.patches.unimplemented import unknown_service

            log.exception("no service for %s %s", environ.get("REQUEST_METHOD"), path)
            return unknown_service(environ, start_response, error)

    def _control(
        self, environ: dict[str, Any], start_response: Any, act: Callable[[dict[str, Any]], None]
    ) -> Iterable[bytes]:
        """Copy or move, for a caller that can read the record. Web pages and other users of this machine cannot."""
        header = "HTTP_" + SECRET_HEADER.upper().replace("-", "_")
        if environ.get("REQUEST_METHOD") != "POST" or not hmac.compare_digest(
            str(environ.get(header, "")), self._secret
        ):
            return _json(start_response, "403 Forbidden", "the secret of the record is missing")
        try:
            act(json.loads(environ["wsgi.input"].read()))
        except forking.CannotCopy as error:
            return _json(start_response, "503 Service Unavailable", str(error))
        except (OSError, ValueError, KeyError, TypeError) as error:
            return _json(start_response, "400 Bad Request", f"{type(error).__name__}: {error}")
        return _json(start_response, "200 OK", "done")

    # ── the process ──

    def serve(self, listener: socket.socket, reachable: Callable[[], None] = lambda: None) -> NoReturn:
        """Answer on `listener` until a signal ends the process, or its record names another instance."""
        # Blocked in every thread and waited for in this one: a handler would leave a gap just before the wait begins.
        signal.pthread_sigmask(signal.SIG_BLOCK, END_SIGNALS)
        self._accept(listener)
        self._write_record()
        threading.Thread(target=self._watch, daemon=True).start()
        reachable()
        signal.sigwait(END_SIGNALS)
        self._remove_record()
        os._exit(0)

    def _accept(self, listener: socket.socket) -> None:
        """Accept connections on `listener` from now on, instead of the previous one."""
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Handler(MotoRequestHandler):  # type: ignore[misc, unused-ignore]  # Any to mypy without namespace packages
            timeout = IDLE_SECONDS

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Logs nothing: one line per request would be megabytes per apply."""

            def log_error(self, format: str, *args: Any) -> None:
                """Closing an idle connection is not an error: clients keep theirs open for the next request."""
                if not format.startswith("Request timed out"):
                    super().log_error(format, *args)

        host, port = listener.getsockname()
        listener.listen(128)
        server = make_server(host, port, self, threaded=True, request_handler=Handler, fd=listener.fileno())
        listener.close()  # The server has its own descriptor of it.
        before, self._accepting = self._accepting, server

        def accept() -> None:
            server.serve_forever()
            if self._accepting is server:
                os._exit(1)

        threading.Thread(target=accept, daemon=True).start()
        if before is not None:
            threading.Thread(target=before.shutdown, daemon=True).start()

    # ── copies ──

    def _copy(self, wanted: dict[str, Any]) -> None:
        """Copy the account to the home `wanted["home"]` as `wanted["instance"]`; returns once the copy is reachable.

        No request is in progress at that moment, so moto holds no lock and nothing is half done. The copy lacks any
        thread that moto has started; only services outside this stack start any (Step Functions, SWF, Batch, DynamoDB
        exports).
        """
        home, instance = Path(wanted["home"]), str(wanted["instance"])
        with self._one_at_a_time:
            reader = forking.fork(lambda report: self._become(home, instance, report))
        forking.wait(reader, COPY_SECONDS)

    def _become(self, home: Path, instance: str, report: forking.Report) -> NoReturn:
        """In the new process: become a separate account."""
        from moto.moto_api._internal import mock_random

        self._one_at_a_time = threading.Lock()
        self._accepting = None
        self.home, self.instance, self._restored_from = home, instance, ""
        self._secret = secrets.token_hex(16)
        self._use_home()
        # Otherwise original and copy would give the same id to different things.
        mock_random.seed()
        listener = ports.bind()
        os.environ["MOTO_PORT"] = str(listener.getsockname()[1])
        self.serve(listener, report)

    def _move(self, wanted: dict[str, Any]) -> None:
        """Become the account of the home `wanted["home"]`, on `wanted["port"]` (0: any) if that becomes free in time."""
        home, port = Path(wanted["home"]), int(wanted["port"])
        with self._one_at_a_time:
            listener = _bind_once_free(port) if port else None
            if listener is not None:
                self._accept(listener)
            left = record_file(self.home)
            self._restored_from = str(wanted["restored_from"])
            self.home = home
            self._use_home()
            self._write_record()
            left.unlink(missing_ok=True)

    def _use_home(self) -> None:
        """Work and log in the directory of this home."""
        directory = paths.emulator_dir(self.home)
        os.environ["WORKBOOK_HOME"] = str(self.home)
        os.chdir(directory)
        output = os.open("emulator.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        # New objects: in a copy, a thread that no longer exists may hold the lock inside an old one.
        sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1, closefd=False) for stream in (1, 2))
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.stream = sys.stdout

    # ── the record ──

    def _write_record(self) -> None:
        record = {
            "pid": os.getpid(),
            "port": self._accepting.port,
            "instance": self.instance,
            "launched": self._launched,
            "restored_from": self._restored_from,
            "secret": self._secret,
            "project": str(paths.ROOT),
        }
        path = record_file(self.home)
        draft = path.with_suffix(f".{os.getpid()}")
        with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(record, file)
        draft.replace(path)

    def _recorded(self) -> bool:
        record = Record.read(self.home)
        return record is not None and record.emulator.instance == self.instance

    def _remove_record(self) -> None:
        if self._recorded():
            record_file(self.home).unlink(missing_ok=True)

    def _watch(self) -> None:
        """End this process once it can no longer be found, as when its home was deleted; keep its log short."""
        missed = 0
        while missed < 2:
            time.sleep(WATCH_SECONDS)
            missed = 0 if self._recorded() else missed + 1
            if os.fstat(1).st_size > LOG_LIMIT:
                os.ftruncate(1, 0)
        os._exit(0)


def _json(start_response: Any, status: str, value: object) -> list[bytes]:
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _read_body(environ: dict[str, Any]) -> None:
    """Read the whole body before the call waits for its turn, so that a slow client does not hold up the others."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length:
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))


def _bind_once_free(port: int) -> socket.socket | None:
    """A socket on `port` as soon as it is free; None if it stays taken."""
    deadline = time.monotonic() + PORT_SECONDS
    while time.monotonic() < deadline:
        try:
            return ports.bind(port)
        except OSError:
            time.sleep(0.02)
    return None


if __name__ == "__main__":
    main()
