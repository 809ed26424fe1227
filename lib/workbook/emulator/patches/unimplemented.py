"""An operation that moto lacks fails with an error that clients do not retry.

moto answers 500 with an HTML page. Every AWS SDK treats a 500 as transient and retries with pauses of up to 20 seconds:
with the provider's `max_retries = 8` that is a minute of silence that looks like a hang. Retrying cannot help, so the
response is 501 with code NotImplemented and a message that names the operation, in the protocol of the service. A crash
inside moto gets the same response, since the same request would crash again. The exception is a table that changed
while another thread read it (a RuntimeError): that is transient, and stays a 500 so that the SDK's retry succeeds.

Sources: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html (what is retried),
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (NotImplemented, 501).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from workbook.emulator.patches import override

SERVICE = "core"

log = logging.getLogger("embedded")


def apply() -> None:
    from moto.core.utils import convert_to_flask_response

    original = convert_to_flask_response.__call__

    def call(self: Any, args: Any = None, **kwargs: Any) -> Any:
        from flask import Response, request

        try:
            return original(self, args, **kwargs)
        except Exception as error:
            service, protocol = _service(self.callback)
            operation = _operation(request)
            missing = isinstance(error, NotImplementedError)
            if not missing:
                log.exception("%s %s", service, operation)
            passing = isinstance(error, RuntimeError) and not missing
            code = "InternalError" if passing else "NotImplemented"
            message = f"The embedded AWS does not implement {service} {operation}."
            if not missing:
                message = (
                    f"The embedded AWS failed on {service} {operation}: {type(error).__name__}: {str(error)[:300]}"
                )
            body, content_type = _error(protocol, code, message)
            return Response(body, 500 if passing else 501, {"Content-Type": content_type, "x-amzn-ErrorType": code})

    override(convert_to_flask_response, __call__=call)


def unknown_service(environ: dict[str, Any], start_response: Any, error: Exception) -> Iterable[bytes]:
    """The WSGI response to a request for a service that moto does not implement at all."""
    scope = str(environ.get("HTTP_AUTHORIZATION", "")).split("Credential=")[-1].split(",")[0].split("/")
    service = scope[3] if len(scope) > 3 else "this service"
    code = "NotImplemented"
    body, content_type = _error(
        "json", code, f"The embedded AWS does not implement {service} ({type(error).__name__})."
    )
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", code)]
    start_response("501 Not Implemented", headers)
    return [body]


def _service(callback: Any) -> tuple[str, str]:
    """Service name and protocol (as botocore's model names them) of a moto handler."""
    from moto.core.utils import get_service_model

    try:
        owner = callback.__self__
        name = (owner() if isinstance(owner, type) else owner).boto3_service_name
        return name, str(get_service_model(name).metadata["protocol"])
    except Exception:  # An unusual handler: the name of its module is close enough.
        return callback.__module__.split(".")[1], "json"


def _operation(request: Any) -> str:
    target = request.headers.get("X-Amz-Target")
    if target:
        return str(target).rsplit(".", 1)[-1]
    action = request.values.get("Action")
    return str(action) if action else f"{request.method} {request.full_path.rstrip('?')}"


def _error(protocol: str, code: str, message: str) -> tuple[bytes, str]:
    fields = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        return (
            f"<Response><Errors><Error>{fields}</Error></Errors><RequestID>embedded</RequestID></Response>".encode(),
            "text/xml",
        )
    if protocol == "query":
        text = f"<ErrorResponse><Error><Type>Receiver</Type>{fields}</Error><RequestId>embedded</RequestId></ErrorResponse>"
        return text.encode(), "text/xml"
    if protocol == "rest-xml":
        return f"<Error>{fields}<RequestId>embedded</RequestId></Error>".encode(), "application/xml"
    return json.dumps({"__type": code, "message": message}).encode(), "application/x-amz-json-1.1"
