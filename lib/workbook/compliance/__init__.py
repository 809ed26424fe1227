"""Which controls of which frameworks the claims support, and where there is a gap: evidence for an auditor, not certification."""

from workbook.compliance.frameworks import CONTROLS, Control, references_of
from workbook.compliance.matrix import matrix, shown, status, to_html, totals

__all__ = ["CONTROLS", "Control", "matrix", "references_of", "shown", "status", "to_html", "totals"]
