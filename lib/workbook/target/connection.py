"""Where the workbook works: the embedded AWS, an AWS-compatible endpoint, or a real account.

The target is chosen by `WORKBOOK_TARGET`: `embedded` (default), an `http(s)://` address, or `aws`. Terraform's files are the
same for all three; the target is nothing but environment variables and the arguments of a boto3 client.
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
"""`client(service, region=None)` gives a boto3 client; what the inventory reads AWS through."""

EMBEDDED_ACCOUNT = "123456789012"

# Everything by which a shell can lead an AWS client elsewhere: credentials, profiles, endpoints, roles, proxies.
_AWS_VARIABLE = re.compile(r"^(AWS_|BOTO_|TF_VAR_|TF_CLI_ARGS|TF_WORKSPACE$|TF_REATTACH_PROVIDERS$)")
_PROXY_VARIABLE = re.compile(r"^(https?|all|no)_proxy$", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """One place to deploy to.

    Attributes
    ----------
    kind : `embedded`, `endpoint` or `aws`.
    region : AWS region of the stack.
    endpoint_url : address of the AWS-compatible endpoint; None on a real account, and while the embedded AWS is not connected.
    account_id : the account the person named (`WORKBOOK_ACCOUNT_ID`); None where none is needed.
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
        """For a person, on a banner."""
        if self.kind == "embedded":
            return "embedded AWS on this machine (no account, no cost)"
        if self.kind == "aws":
            return f"AWS account {self.account_id} (real, with cost)"
        return f"AWS-compatible endpoint {self.endpoint_url}"

    def connected_to(self, url: str) -> Target:
        """The same target at the address where the embedded AWS answers."""
        return replace(self, endpoint_url=url)

    def environ(self) -> dict[str, str]:
        """The whole environment of a child process such as Terraform.

        Off a real account nothing of the person's AWS configuration is left in it: fake keys replace real ones, and the
        shared configuration files are empty ones.
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
        """A boto3 client of `service`, in the stack's region unless another is named."""
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
        """The endpoint's address; never None off a real account, or a client would fall back to the person's own AWS."""
        if not self.endpoint_url:
            raise WorkbookError(
                "The embedded AWS is not connected.", "Run `make doctor`, then open the workbook again."
            )
        return self.endpoint_url

    def caller_account(self) -> str:
        """Account id the target answers with.

        Raises
        ------
        WorkbookError : the target does not answer, or the credentials are not valid.
        """
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise WorkbookError(
                f"The target does not answer: {error}",
                "Check the credentials and the network (aws sts get-caller-identity), or use WORKBOOK_TARGET=embedded.",
            ) from error

    def check(self) -> None:
        """Refuse to go on unless a real account is the one that the person named.

        Raises
        ------
        WorkbookError : on `aws`, no account was named, or the caller's is another.
        """
        if self.kind != "aws":
            return
        caller = self.caller_account()
        if caller != self.account_id:
            raise WorkbookError(
                f"The credentials belong to account {caller}, but WORKBOOK_ACCOUNT_ID names {self.account_id}.",
                "Nothing was changed. Use the credentials of that account, or name the account you mean.",
            )


@cache
def _session(configuration: str | None) -> Any:
    """A boto3 session: the person's own (None), or one whose configuration files are `configuration` and that has no profile.

    An AWS_PROFILE of the person's must neither be used off a real account nor be an error there.
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
    """The target that `WORKBOOK_TARGET` names; nothing is started or contacted.

    Parameters
    ----------
    region : region of the stack, from `locals.tf`.

    Raises
    ------
    WorkbookError : the value is none of the three, or `aws` is named without `WORKBOOK_ACCOUNT_ID`.
    """
    environ = os.environ if environ is None else environ
    value = environ.get("WORKBOOK_TARGET", "").strip() or "embedded"
    if value == "embedded":
        return Target("embedded", region, None, EMBEDDED_ACCOUNT, dict(environ))
    if re.match(r"^https?://[^/\s]+", value):
        # A bucket name before a host name that is not an address fails; Terraform and boto3 both take the address.
        return Target("endpoint", region, value.rstrip("/").replace("//localhost", "//127.0.0.1"), None, dict(environ))
    if value == "aws":
        account = environ.get("WORKBOOK_ACCOUNT_ID", "").strip()
        if not re.fullmatch(r"\d{12}", account):
            raise WorkbookError(
                "WORKBOOK_TARGET=aws works on a real account and needs its id spelled out.",
                "Set WORKBOOK_ACCOUNT_ID to the 12 digits of the account you mean, or leave WORKBOOK_TARGET unset.",
            )
        return Target("aws", region, None, account, dict(environ))
    raise WorkbookError(
        f"WORKBOOK_TARGET is {value!r}, which is no target.",
        "Use embedded (the default), an address such as http://127.0.0.1:4566, or aws with WORKBOOK_ACCOUNT_ID.",
    )
