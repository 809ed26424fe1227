"""Walk through a secure AWS infrastructure take-home, live."""

from typing import TYPE_CHECKING, Any

from workbook.errors import WorkbookError

if TYPE_CHECKING:
    from workbook.workbook import Workbook, open_workbook

__all__ = ["Workbook", "WorkbookError", "open_workbook"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: the embedded AWS is a process of this package too, and starts without pandas.
    if name in ("Workbook", "open_workbook"):
        from workbook import workbook

        return getattr(workbook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
