"""Whether the value of an environment variable is a secret: by what it looks like (detect-secrets) and by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

# A reference to a secret is none: reading it takes a permission.
_REFERENCE = re.compile(r"arn:aws[\w-]*:(secretsmanager|ssm):\S+")
_SECRET_NAME = re.compile(
    r"PASS(WORD|WD|PHRASE)|PWD|SECRET|TOKEN(?!S)|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY|CREDENTIAL", re.IGNORECASE
)
# What such a name says of a secret without being it.
_ABOUT_ONE = re.compile(
    r"_?(ARN|NAME|ID|FILE|PATH|DIR|URL|URI|ENDPOINT|HOST|ISSUER|REGION|TTL|SECONDS|MINUTES|EXPIRY|LENGTH|LIMIT|TYPE|VERSION"
    r"|MODE|POLICY|ALGORITHM|ENABLED|REQUIRED)",
    re.IGNORECASE,
)
_SWITCH = re.compile(r"true|false|yes|no|on|off|none|null|enabled|disabled", re.IGNORECASE)
_IN_A_LIST = re.compile(r"(?:^|[;&?\s])(?:password|passwd|pwd|secret|token|api[_-]?key)\s*=\s*[^;&\s$]", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f-]+", re.IGNORECASE)
_RANDOM = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_BITS = 4.5
"""Shannon entropy per character from which detect-secrets takes base64 for random."""


@cache
def _detectors() -> tuple[Any, ...]:
    """detect-secrets' detectors of values with a form of their own, such as an access key or a private key."""
    # Imported when first needed: it takes longer than all claims together.
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    detectors: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    # An address is no secret; the others need a keyword before the value.
    return tuple(
        each() for each in detectors if issubclass(each, RegexBasedDetector) and each.__name__ != "IPPublicDetector"
    )


def secret_in(name: str, value: str) -> str:
    """What kind of secret a variable holds; empty if none."""
    if not value or _REFERENCE.fullmatch(value):
        return ""
    found = next((each.secret_type for each in _detectors() if any(each.analyze_string(value))), "")
    if found:
        return str(found)
    if _password_in_url(value) or _IN_A_LIST.search(value):
        return "Password in a connection string"
    if list(_named_secrets(name)) and not _SWITCH.fullmatch(value):
        return "Named like a secret"
    return ""


def looks_random(value: str) -> bool:
    """Whether a value could be a secret by its randomness alone; a hash in hexadecimal digits is not."""
    if not _RANDOM.fullmatch(value) or _HEX.fullmatch(value):
        return False
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString

    return bool(Base64HighEntropyString(_BITS).calculate_shannon_entropy(value) > _BITS)


def _named_secrets(name: str) -> Iterator[str]:
    """The parts of a variable's name that say it is a secret, unless the rest of the name is about one."""
    for match in _SECRET_NAME.finditer(name):
        if not _ABOUT_ONE.fullmatch(name[match.end() :].removeprefix("S").removeprefix("s")):
            yield match.group()


def _password_in_url(value: str) -> bool:
    try:
        return bool(urlsplit(value).password)
    except ValueError:
        return False
