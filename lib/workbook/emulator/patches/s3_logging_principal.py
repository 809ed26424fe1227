"""Access logging can be turned on even if a statement of the log bucket's policy says `"Principal": "*"`.

moto looks for the logging service in every statement and crashes on a principal that is a string (`str` has no `get`).
On AWS `"*"` is a principal like any other, and the usual TLS-only statement uses it.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from workbook.emulator.patches import override

SERVICE = "s3"


def apply() -> None:
    from moto.s3.models import FakeBucket

    original = FakeBucket._log_permissions_enabled_policy

    def enabled(target_bucket: Any, target_prefix: str | None) -> bool:
        if not target_bucket.policy:
            return False
        policy = json.loads(target_bucket.policy.decode())
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        # A statement for everyone does not matter here: the grant looked for must name the service.
        policy["Statement"] = [each for each in statements if isinstance(each.get("Principal"), dict)]
        view = SimpleNamespace(
            policy=json.dumps(policy).encode(), partition=target_bucket.partition, name=target_bucket.name
        )
        return bool(original(view, target_prefix))  # type: ignore[arg-type]

    override(FakeBucket, _log_permissions_enabled_policy=staticmethod(enabled))
