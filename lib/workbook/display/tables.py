"""Tables and notes in a notebook: captioned HTML with a plain-text twin, the same on every run."""

from __future__ import annotations

import html
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# Identifiers change from run to run and tell a reader nothing; dictionaries are for code.
_ID_ENDINGS = ("_id", "_ids", "_arn", "_arns")
_VOLATILE = frozenset({"public_ip", "dns_name", "images", "problems"})

# Lines up to this many characters are never broken.
_SHORT = 32

# Longer words may be broken: after these characters, and before a capital letter.
_LONG_WORD = 20
_BREAK = re.compile(r"(?<=[/:,.])(?=[^/:,.]{3})|(?<=[a-z])(?=[A-Z])")

# An EC2 id, such as vpce-0a1b2c3d4e5f67890.
_ID = re.compile(r"\b[a-z]{2,8}-[0-9a-f]{8,17}\b")

_STYLE = """
<style>
.wb{font-size:13px;line-height:1.45;margin:.4em 0 1em;max-width:100%;overflow-x:auto}
.wb table{border-collapse:collapse;margin:0;min-width:40%}
.wb caption{caption-side:top;text-align:left;font-weight:600;padding:0 0 .35em;color:inherit}
.wb th,.wb td{text-align:left!important;vertical-align:top;padding:.3em .7em .3em 0;border:0;border-bottom:1px solid rgba(128,128,128,.28);max-width:40em;overflow-wrap:break-word;white-space:normal}
.wb th{font-weight:600;border-bottom:2px solid rgba(128,128,128,.5);white-space:nowrap}
.wb thead th{white-space:normal;vertical-align:bottom}
.wb td.s{white-space:nowrap}
.wb td.n{text-align:right!important;font-variant-numeric:tabular-nums}
.wb td div{margin:0}
.wb .mark{font-weight:600}
.wb .good{color:#1a7f37}.wb .bad{color:#c4321c}.wb .warn{color:#9a6700}.wb .quiet{opacity:.7}
.wb details{margin:.3em 0}.wb summary{cursor:pointer}
</style>
""".strip().replace("\n", "")


class Rendered:
    """Something to display: `html` for the notebook, `text` for a terminal, a screen reader and a diff."""

    def __init__(self, html_body: str, text: str) -> None:
        self.html = f'{_STYLE}<div class="wb">{html_body}</div>'
        self.text = text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def table(
    frame: pd.DataFrame,
    caption: str,
    columns: Sequence[str] | None = None,
    marks: dict[str, dict[str, str]] | None = None,
    prefix: str = "",
    names_of: Mapping[str, str] | None = None,
) -> Rendered:
    """A table as displayed.

    Parameters
    ----------
    frame : any table of the inventory, or one derived from it.
    columns : which to show, in order; by default all except identifiers, dictionaries and values that change from run
        to run.
    marks : column -> value -> `good`, `bad`, `warn` or `quiet`: how a cell is coloured, on top of its text.
    prefix : what all names begin with; shown as `…`, since repeating it in every cell adds nothing.
    names_of : AWS id -> name, for ids inside a text, such as in a policy's condition.
    """
    names = list(columns) if columns is not None else readable_columns(frame)
    cells = [
        [[_shorten(line, prefix, names_of or {}) for line in cell_lines(value)] for value in row]
        for row in frame[names].itertuples(index=False, name=None)
    ]
    heads = [name.replace("_", " ") for name in names]
    count = f" ({len(cells)})" if cells else ""
    body = [f"<table><caption>{html.escape(caption)}{count}</caption><thead><tr>"]
    body += [f'<th scope="col">{html.escape(head)}</th>' for head in heads]
    body.append("</tr></thead><tbody>")
    for row, values in zip(cells, frame[names].itertuples(index=False, name=None), strict=True):
        body.append("<tr>")
        for name, lines, value in zip(names, row, values, strict=True):
            mark = (marks or {}).get(name, {}).get(str(value), "")
            classes = [
                "n" if isinstance(value, numbers.Number) and not isinstance(value, bool | np.bool_) else "",
                # A short name is easier to read unbroken than wrapped in a narrow column.
                "s" if all(len(line) <= _SHORT for line in lines) else "",
                f"mark {mark}" if mark else "",
            ]
            attribute = f' class="{" ".join(filter(None, classes))}"' if any(classes) else ""
            inner = (
                _breakable(lines[0]) if len(lines) == 1 else "".join(f"<div>{_breakable(line)}</div>" for line in lines)
            )
            body.append(f"<td{attribute}>{inner}</td>")
        body.append("</tr>")
    body.append("</tbody></table>")
    if not cells:
        return note(f"{caption}: none.")
    return Rendered("".join(body), text_table(heads, cells, f"{caption}{count}"))


def readable_columns(frame: pd.DataFrame) -> list[str]:
    """Columns worth reading: no identifiers, no dictionaries, nothing that changes from run to run.

    A table of the inventory says which are identifiers (`attrs["hidden"]`); any other frame is judged by its column
    names.
    """
    hidden = frame.attrs.get("hidden")
    if hidden is None:
        hidden = [name for name in map(str, frame.columns) if name.endswith(_ID_ENDINGS)]
    return [
        name
        for name in map(str, frame.columns)
        if name not in hidden
        and not (name in _VOLATILE and not pd.api.types.is_bool_dtype(frame[name]))
        and not any(isinstance(value, dict) for value in frame[name])
    ]


def note(text: str, mark: str = "") -> Rendered:
    """One or a few lines of text; `mark` colours it (`good`, `bad`, `warn`, `quiet`)."""
    inner = "<br>".join(html.escape(line) for line in text.splitlines())
    return Rendered(f'<div class="mark {mark}">{inner}</div>' if mark else f"<div>{inner}</div>", text)


def fold(summary: str, inside: Rendered) -> Rendered:
    """A line that unfolds to more; the text twin has both."""
    return Rendered(
        f"<details><summary>{html.escape(summary)}</summary>{_body(inside)}</details>", f"{summary}\n{inside.text}"
    )


def stack(*parts: Rendered) -> Rendered:
    """Several outputs, one below the other."""
    return Rendered("".join(map(_body, parts)), "\n\n".join(part.text for part in parts))


def pairs(caption: str, rows: Iterable[tuple[str, str]]) -> Rendered:
    """Names and values, one line each."""
    rows = list(rows)
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>' for name, value in rows
    )
    width = max((len(name) for name, _ in rows), default=0)
    text = "\n".join([caption, *(f"  {name.ljust(width)}  {value}" for name, value in rows)])
    return Rendered(f"<table><caption>{html.escape(caption)}</caption><tbody>{body}</tbody></table>", text)


def cell_lines(value: Any) -> list[str]:
    """A cell as lines of text: lists one item per line, booleans as yes and no, missing values as a dash."""
    if isinstance(value, list | tuple):
        return [line for item in value for line in cell_lines(item)] or ["–"]
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)) or value == "":
        return ["–"]
    if isinstance(value, bool | np.bool_):
        return ["yes" if value else "no"]
    if isinstance(value, float) and value.is_integer():
        return [str(int(value))]
    return str(value).splitlines()


def _breakable(line: str) -> str:
    """Escaped, with line-break opportunities in words longer than a column, such as an ARN or a host name."""
    if len(line) <= _SHORT:
        return html.escape(line)
    return "".join(
        "<wbr>".join(map(html.escape, _BREAK.split(word))) if len(word) > _LONG_WORD else html.escape(word)
        for word in re.split(r"(\s+)", line)
    )


def _shorten(line: str, prefix: str, names_of: Mapping[str, str]) -> str:
    line = _ID.sub(lambda found: names_of.get(found[0], found[0]), line) if names_of else line
    return re.sub(rf"(?<![\w/:.-]){re.escape(prefix)}-", "…-", line) if prefix else line


def text_table(heads: Sequence[str], cells: Sequence[Sequence[Sequence[str]]], caption: str, limit: int = 60) -> str:
    """The plain-text twin: padded columns; a cell with several lines takes several rows."""
    rows = [
        [list(heads_lines) for heads_lines in ([head] for head in heads)],
        *[[list(cell) for cell in row] for row in cells],
    ]
    clipped = [
        [[line if len(line) <= limit else line[: limit - 1] + "…" for line in cell] for cell in row] for row in rows
    ]
    widths = [max(len(line) for row in clipped for line in row[i]) for i in range(len(heads))]
    out = [caption]
    for row in clipped:
        for n in range(max(len(cell) for cell in row)):
            line = "  ".join(
                (cell[n] if n < len(cell) else "").ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            out.append(f"  {line}".rstrip())
    return "\n".join(out)


def _body(shown: Rendered) -> str:
    return shown.html.removeprefix(_STYLE)
