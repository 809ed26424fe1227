"""No real account by accident: what each target passes on and what it refuses."""

from __future__ import annotations

import pytest

from workbook.errors import WorkbookError
from workbook.target import Target, choose_target

SHELL = {
    "PATH": "/usr/bin",
    "HOME": "/home/person",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real-secret",
    "AWS_SESSION_TOKEN": "real-token",
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL_S3": "https://s3.example",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/admin",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_CA_BUNDLE": "/bundle.pem",
    "HTTPS_PROXY": "http://proxy:3128",
    "no_proxy": "localhost",
    "TF_VAR_region": "eu-west-1",
}


def choose(**environ: str) -> Target:
    return choose_target("us-east-1", {**SHELL, **environ})


def test_embedded_is_the_default_and_passes_on_nothing_of_the_user_s() -> None:
    environ = choose().connected_to("http://127.0.0.1:5000").environ()
    assert "real" not in " ".join(environ.values()) and "AKIAREAL" not in environ.values()
    assert {k for k in environ if k.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
        "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    }  # fmt: skip
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5000"
    assert environ["HOME"] == "/home/person"
    assert not {"HTTPS_PROXY", "no_proxy", "TF_VAR_region"} & environ.keys()


def test_without_an_address_nothing_falls_back_to_the_user_s_aws() -> None:
    target = choose()
    with pytest.raises(WorkbookError, match="not connected"):
        target.environ()
    with pytest.raises(WorkbookError, match="not connected"):
        target.client("sts")


def test_the_embedded_client_cannot_see_the_user_s_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    client = choose().connected_to("http://127.0.0.1:5000").client("s3", "us-west-2")
    assert client.meta.endpoint_url == "http://127.0.0.1:5000"
    assert client.meta.region_name == "us-west-2"
    signed = client.generate_presigned_url("list_buckets")
    assert "AWSAccessKeyId=embedded&" in signed or "X-Amz-Credential=embedded%2F" in signed
    assert "security-token" not in signed.lower()


def test_a_url_is_an_endpoint_and_localhost_becomes_the_ip() -> None:
    target = choose(WORKBOOK_TARGET="http://localhost:4566/")
    assert (target.kind, target.endpoint_url, target.slug) == ("endpoint", "http://127.0.0.1:4566", "127-0-0-1-4566")
    assert target.environ()["AWS_SECRET_ACCESS_KEY"] == "embedded"


@pytest.mark.parametrize("account", ["", "12345678901", "abcdefghijkl"])
def test_a_real_account_must_be_spelled_out(account: str) -> None:
    with pytest.raises(WorkbookError, match="needs its id"):
        choose(WORKBOOK_TARGET="aws", WORKBOOK_ACCOUNT_ID=account)


def test_the_wrong_real_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    target = choose(WORKBOOK_TARGET="aws", WORKBOOK_ACCOUNT_ID="111111111111")
    monkeypatch.setattr(Target, "caller_account", lambda self: "999999999999")
    with pytest.raises(WorkbookError, match="belong to account 999999999999, but WORKBOOK_ACCOUNT_ID is 111111111111"):
        target.check()
    monkeypatch.setattr(Target, "caller_account", lambda self: "111111111111")
    target.check()


def test_a_real_account_keeps_the_user_s_credentials_but_no_endpoint() -> None:
    environ = choose(
        WORKBOOK_TARGET="aws", WORKBOOK_ACCOUNT_ID="111111111111", AWS_ENDPOINT_URL="http://127.0.0.1:5000"
    ).environ()
    assert environ["AWS_PROFILE"] == "production"
    assert "AWS_ENDPOINT_URL" not in environ and "TF_VAR_region" not in environ


def test_an_invalid_target_names_the_valid_ones() -> None:
    with pytest.raises(WorkbookError, match="Use embedded"):
        choose(WORKBOOK_TARGET="prod")


def test_an_endpoint_that_does_not_answer_is_one_message() -> None:
    target = Target("endpoint", "us-east-1", "http://127.0.0.1:9")
    with pytest.raises(WorkbookError, match="did not respond"):
        target.caller_account()
