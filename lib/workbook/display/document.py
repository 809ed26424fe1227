"""A rendered object as its own page, to send to someone."""

from __future__ import annotations

import html

from workbook.display import Rendered


def page(title: str, lead: str, body: Rendered) -> str:
    """A complete HTML document around a rendered object."""
    style = "body{font-family:system-ui,sans-serif;max-width:80em;margin:2em auto;padding:0 1em;color:#1f2328;background:#fff}h1{font-size:1.4em}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{style}</style></head>\n'
        f"<body><h1>{html.escape(title)}</h1><p>{html.escape(lead)}</p>\n{body.html}\n</body></html>\n"
    )
