"""A stand-in for the ECS agent, for a task that runs on this machine: role credentials and task metadata."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from workbook.host.ports import HOST, free_port

_RENEW_BEFORE = timedelta(minutes=10)


class TaskAgent:
    """Serves what the ECS agent serves, on the loopback interface: role credentials and task metadata.

    Parameters
    ----------
    assume : returns the `Credentials` of `sts.assume_role`; called when there are none yet, or when they are about
        to expire.
    role_arn : ARN of the task role.
    task : the document at `${ECS_CONTAINER_METADATA_URI_V4}/task`.
    """

    def __init__(self, assume: Callable[[], Mapping[str, Any]], role_arn: str, task: Mapping[str, Any]) -> None:
        self._assume, self._role_arn, self._task = assume, role_arn, dict(task)
        self._issued: Mapping[str, Any] | None = None
        self._expired = False
        self._lock = threading.Lock()
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                try:
                    document = agent._answer(self.path)
                except Exception as error:  # whatever went wrong, the task gets no credentials
                    self._send(500, {"code": "InternalServerError", "message": type(error).__name__})
                    return
                self._send(200 if document is not None else 404, document or {})

            def _send(self, status: int, document: Mapping[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing: credentials pass through here."""

        self._server = http.server.ThreadingHTTPServer((HOST, free_port()), Handler)
        self._server.daemon_threads = True
        self.address = f"http://{HOST}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """The variables in which ECS passes a container these addresses."""
        return {
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.address}/v4",
            # Fargate uses the relative form, on an address that exists only there.
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.address}/credentials",
        }

    def expire(self) -> None:
        """From now on, hand out expired credentials, as if ECS had stopped renewing them."""
        self._expired = True

    def renew(self) -> None:
        """Hand out valid credentials again."""
        self._expired = False

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path: str) -> Mapping[str, Any] | None:
        if path == "/v4/task":
            return self._task
        if path != "/credentials":
            return None
        now = datetime.now(UTC)
        with self._lock:
            if self._issued is None or self._issued["Expiration"] - now < _RENEW_BEFORE:
                self._issued = self._assume()
            issued = self._issued
        expiration = now - timedelta(minutes=1) if self._expired else issued["Expiration"]
        return {
            "RoleArn": self._role_arn,
            "AccessKeyId": issued["AccessKeyId"],
            "SecretAccessKey": issued["SecretAccessKey"],
            "Token": issued["SessionToken"],
            "Expiration": expiration.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
