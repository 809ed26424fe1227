"""The target: the embedded AWS, an AWS-compatible endpoint, or a real account.

`WORKBOOK_TARGET` selects it: `embedded` (default), an `http(s)://` address, or `aws`. The Terraform files are the same
for all three; a target is just environment variables and the arguments of a boto3 client.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workbook.errors import WorkbookError

ClientFactory = Callable[..., Any]
"""`client(service, region=None)` returns a boto3 client; the inventory reads AWS through it."""

EMBEDDED_ACCOUNT = "123456789012"

# Everything in a shell that can redirect an AWS client: credentials, profiles, endpoints, roles, proxies.
_AWS_VARIABLE = re.compile(r"^(AWS_|BOTO_|TF_VAR_|TF_CLI_ARGS|TF_WORKSPACE$|TF_REATTACH_PROVIDERS$)")
_PROXY_VARIABLE = re.compile(r"^(https?|all|no)_proxy$", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """One place to deploy to.

    Attributes
    ----------
    kind : `embedded`, `endpoint` or `aws`.
    region : AWS region of the stack.
    endpoint_url : address of the AWS-compatible endpoint; None on a real account, and while the embedded AWS is not
        connected.
    account_id : the account the user named (`WORKBOOK_ACCOUNT_ID`); None where none is needed.
    """

    kind: Literal["embedded", "endpoint", "aws"]
    region: str
    endpoint_url: str | None = None
    account_id: str | None = None
    shell: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False, compare=False)

    @property
    def slug(self) -> str:
        """Part of a directory name: `embedded`, `aws-<account>`, or the endpoint's host and port."""
        if self.kind == "embedded":
            return "embedded"
        if self.kind == "aws":
            return f"aws-{self.account_id}"
        return re.sub(r"[^a-z0-9]+", "-", str(self.endpoint_url).split("://", 1)[1].lower()).strip("-")

    @property
    def label(self) -> str:
        """The target as shown to the user."""
        if self.kind == "embedded":
            return "embedded AWS on this machine (no account, no cost)"
        if self.kind == "aws":
            return f"AWS account {self.account_id} (real, costs money)"
        return f"AWS-compatible endpoint {self.endpoint_url}"

    def connected_to(self, url: str) -> Target:
        """The same target at the address where the embedded AWS answers."""
        return replace(self, endpoint_url=url)

    def environ(self) -> dict[str, str]:
        """The complete environment of a child process such as Terraform.

        Unless the target is a real account, none of the user's AWS configuration is in it: fake keys replace real ones,
        and the shared configuration files are empty.
        """
        if self.kind == "aws":
            kept = {
                k: v
                for k, v in self.shell.items()
                if not re.match(r"^(TF_CLI_ARGS|TF_VAR_|TF_WORKSPACE$|TF_REATTACH_PROVIDERS$)", k)
            }
            kept.pop("AWS_ENDPOINT_URL", None)
            return {**kept, "AWS_REGION": self.region}
        kept = {k: v for k, v in self.shell.items() if not _AWS_VARIABLE.match(k) and not _PROXY_VARIABLE.match(k)}
        endpoint_url = self._endpoint()
        return {
            **kept,
            "AWS_ACCESS_KEY_ID": "embedded",
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client for `service`, in the stack's region by default."""
        options: dict[str, Any] = {} if self.kind == "aws" else {"s3": {"addressing_style": "path"}, "proxies": {}}
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 4, "mode": "standard"},
            max_pool_connections=32,
            **options,
        )
        if self.kind == "aws":
            return _session(None).client(service, region_name=region or self.region, config=config)
        return _session(os.devnull).client(
            service,
            region_name=region or self.region,
            endpoint_url=self._endpoint(),
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",
            config=config,
        )

    def _endpoint(self) -> str:
        """The endpoint's address; never None unless the target is a real account, or a client would fall back to the
        user's own AWS.
        """
        if not self.endpoint_url:
            raise WorkbookError(
                "The embedded AWS is not connected.", "Run `make doctor`, then open the workbook again."
            )
        return self.endpoint_url

    def caller_account(self) -> str:
        """Account id of the caller, as the target reports it.

        Raises
        ------
        WorkbookError : the target does not respond, or the credentials are not valid.
        """
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise WorkbookError(
                f"The target did not respond: {error}",
                "Check the credentials and the network (aws sts get-caller-identity), or use WORKBOOK_TARGET=embedded.",
            ) from error

    def check(self) -> None:
        """Refuse to continue unless a real account is the one the user named.

        Raises
        ------
        WorkbookError : on `aws`, no account was named, or the credentials belong to another one.
        """
        if self.kind != "aws":
            return
        caller = self.caller_account()
        if caller != self.account_id:
            raise WorkbookError(
                f"The credentials belong to account {caller}, but WORKBOOK_ACCOUNT_ID is {self.account_id}.",
                "Nothing was changed. Use credentials for that account, or fix WORKBOOK_ACCOUNT_ID.",
            )


@cache
def _session(configuration: str | None) -> Any:
    """A boto3 session: the user's own (None), or one without a profile whose configuration files are `configuration`.

    Unless the target is a real account, the user's AWS_PROFILE must neither be used nor cause an error.
    """
    if configuration is None:
        return boto3.Session()
    hidden = {
        "profile": (None, None, None, None),
        "config_file": (None, None, configuration, None),
        "credentials_file": (None, None, configuration, None),
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=hidden))


def choose_target(region: str, environ: Mapping[str, str] | None = None) -> Target:
    """The target selected by `WORKBOOK_TARGET`; nothing is started or contacted.

    Parameters
    ----------
    region : region of the stack, from `locals.tf`.

    Raises
    ------
    WorkbookError : the value is none of the three, or is `aws` without `WORKBOOK_ACCOUNT_ID`.
    """
    environ = os.environ if environ is None else environ
    value = environ.get("WORKBOOK_TARGET", "").strip() or "embedded"
    if value == "embedded":
        return Target("embedded", region, None, EMBEDDED_ACCOUNT, dict(environ))
    if re.match(r"^https?://[^/\s]+", value):
        # With a host name, a bucket name would become part of it and fail to resolve; Terraform and boto3 both accept
        # the IP address.
        return Target("endpoint", region, value.rstrip("/").replace("//localhost", "//127.0.0.1"), None, dict(environ))
    if value == "aws":
        account = environ.get("WORKBOOK_ACCOUNT_ID", "").strip()
        if not re.fullmatch(r"\d{12}", account):
            raise WorkbookError(
                "WORKBOOK_TARGET=aws deploys to a real account and needs its id.",
                "Set WORKBOOK_ACCOUNT_ID to the 12-digit id of the account you mean, or leave WORKBOOK_TARGET unset.",
            )
        return Target("aws", region, None, account, dict(environ))
    raise WorkbookError(
        f"WORKBOOK_TARGET={value!r} is not a valid target.",
        "Use embedded (the default), an address such as http://127.0.0.1:4566, or aws with WORKBOOK_ACCOUNT_ID.",
    )
