"""Names of resources: the Name tag, or the part of an ARN that is a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbook.inventory.aws import Aws


def tags(resource: Mapping[str, Any], key: str = "Tags") -> dict[str, str]:
    """Tags as a dict, sorted by key, from AWS's list of Key and Value."""
    found = {str(tag["Key"]): str(tag.get("Value") or "") for tag in resource.get(key) or [] if tag.get("Key")}
    return dict(sorted(found.items()))


def name_of(resource: Mapping[str, Any], fallback: str) -> str:
    """The Name tag, else `fallback`."""
    return tags(resource).get("Name") or fallback


def last(arn: str | None) -> str:
    """The name at the end of an ARN (`…:role/path/name`, `…:::bucket`); "" without an ARN."""
    return (arn or "").rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def named(names: Mapping[str, str], ids: Iterable[str]) -> list[str]:
    """Names for ids, sorted; an id without a name is kept as it is."""
    return sorted(names.get(i, i) for i in ids)


def text(record: Mapping[str, Any], key: str) -> str | None:
    """A value that AWS always returns, as text; None if it is missing, which makes it a gap."""
    return None if record.get(key) is None else str(record[key])


def number(value: Any) -> int | None:
    """A number that AWS may write as text; None if it is none."""
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


async def key_names(aws: Aws, keys: Iterable[str | None], region: str, tables: Iterable[str]) -> dict[str, str]:
    """KMS keys (ARN, id or alias) -> alias, or the key as given if it has none. AWS is called only if there is a key."""
    given = {key for key in keys if key}
    unnamed = {key for key in given if "alias/" not in key}
    found = await aws.all("kms", "list_aliases", "Aliases", region=region, tables=tables) if unnamed else []
    aliases = {a["TargetKeyId"]: a["AliasName"] for a in found if a.get("TargetKeyId") and a.get("AliasName")}
    return {
        key: f"alias/{key.split('alias/', 1)[1]}" if key not in unnamed else aliases.get(last(key), key)
        for key in given
    }
