"""The one exception users see: what happened and what to do next, without a traceback."""

from __future__ import annotations


class WorkbookError(Exception):
    """A failure with a known cause.

    Parameters
    ----------
    cause : what happened, one sentence.
    next_step : what the user can do about it, one sentence.
    detail : further lines, such as Terraform's diagnostics with file and line; may be empty.
    """

    def __init__(self, cause: str, next_step: str = "", detail: str = "") -> None:
        self.cause = cause
        self.next_step = next_step
        self.detail = detail
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(part for part in (self.cause, self.detail, self.next_step) if part)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [str(self)]
