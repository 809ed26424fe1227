"""The definition of an inventory table: its layer, and the type and meaning of each column.

A layer's tables are declared beside its reader, as `TABLES` of `inventory/<layer>.py`; `registry.TABLES` holds them
all.

An empty table has its columns too, so code that reads one never has to check for them. Resources refer to each other by
name, for people: the Name tag, else the name that AWS has for the resource (`default`, `main`, a group's or a service's
name), else the id. Name tags are not unique, so next to such a name there is a column of type ID or IDS, which joins
use.

A cell that could not be read is None (a list or dict is empty), and the inventory's `problems` name its table; a
setting that is not set is "", an empty list or False. Where None is a value, the column is optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Record = dict[str, Any]
"""A row before it is in a table, or a response from AWS: column or key -> value."""


class Type(Enum):
    """The types of columns; each has the pandas type of its cells."""

    TEXT = "text", "object"
    BOOL = "bool", "boolean"
    INT = "int", "Int64"
    OPTIONAL_INT = "int or None", "object"
    """None is a value here, such as all ports, and not a gap."""
    FLOAT = "float", "Float64"
    LIST = "list", "object"
    DICT = "dict", "object"
    ID = "id", "object"
    """One of AWS's own identifiers: it differs from run to run, is used in joins and is not displayed."""
    IDS = "ids", "object"
    """A list of them."""
    ADDRESSES = "addresses", "object"
    """A list of IP addresses or CIDRs for code: not displayed, and no identifiers either."""

    @property
    def dtype(self) -> str:
        """The pandas type: boolean, Int64, Float64 or object."""
        return str(self.value[1])

    def default(self) -> Any:
        """The value of a column of this type in a row that does not mention it."""
        if self in (Type.LIST, Type.IDS, Type.ADDRESSES):
            return []
        if self is Type.DICT:
            return {}
        return "" if self in (Type.TEXT, Type.ID) else None


TEXT, BOOL, INT, OPTIONAL_INT, FLOAT = Type.TEXT, Type.BOOL, Type.INT, Type.OPTIONAL_INT, Type.FLOAT
LIST, DICT, ID, IDS, ADDRESSES = Type.LIST, Type.DICT, Type.ID, Type.IDS, Type.ADDRESSES


@dataclass(frozen=True)
class Column:
    """One column: its type, and what it contains, with units if any; `optional` if None is a value in it."""

    type: Type
    about: str = ""
    optional: bool = False

    @property
    def needed(self) -> bool:
        """Whether None is a gap."""
        return not self.optional and self.type is not OPTIONAL_INT


class Table:
    """One table.

    Attributes
    ----------
    name, layer : its own name, and the key of its layer.
    caption : for people.
    columns : by name.
    key : the column that identifies a row in AWS: an id, an ARN, or a unique name; empty if there is none.
    """

    def __init__(
        self, name: str, layer: str, caption: str, columns: Mapping[str, Type | Column], key: str = ""
    ) -> None:
        self.name, self.layer, self.caption, self.key = name, layer, caption, key
        self.columns = {column: Column(of) if isinstance(of, Type) else of for column, of in columns.items()}

    def __repr__(self) -> str:
        return f"<Table {self.name} of {self.layer}: {', '.join(self.columns)}>"

    @property
    def hidden(self) -> list[str]:
        """The columns that are there for joins and for code, and are not displayed."""
        kinds = (DICT, ADDRESSES)
        return [*self.identifiers, *(name for name, column in self.columns.items() if column.type in kinds)]

    @property
    def identifiers(self) -> list[str]:
        """The columns that hold AWS's identifiers."""
        return [name for name, column in self.columns.items() if column.type in (ID, IDS)]

    @property
    def order(self) -> list[str]:
        """The columns that rows are sorted by: what people read, in its order. A policy's statements keep their own.

        Rows that read alike are sorted by their identifiers, so that AWS's order of listing does not show.
        """
        columns = list(self.columns)
        if "statement" in columns:
            return columns[: columns.index("sid")]
        return [name for name in columns if name not in self.hidden]


# One row for each statement of a policy; the same columns wherever a policy is shown.
STATEMENT: dict[str, Type | Column] = {
    "sid": Column(TEXT, "statement id, or its position from 1"),
    "effect": Column(TEXT, "Allow or Deny"),
    "principals": Column(LIST, "such as Service: ecs-tasks.amazonaws.com or *; empty in identity policies"),
    "actions": Column(LIST, "with a leading ! where the policy says NotAction"),
    "resources": Column(LIST, "with a leading ! where the policy says NotResource"),
    "conditions": Column(LIST, "such as aws:SecureTransport Bool false"),
    "statement": Column(DICT, "the statement as AWS returned it"),
    "version": Column(ID, "version of the policy's language; 2008-10-17 if the policy names none"),
}
