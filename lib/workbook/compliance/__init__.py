"""Which framework controls the claims support, and where the gaps are: evidence for an auditor, not certification."""

from workbook.compliance.control_matrix import matrix, rendered, status, to_html, totals
from workbook.compliance.frameworks import CONTROLS, Control, references_of

__all__ = ["CONTROLS", "Control", "matrix", "references_of", "rendered", "status", "to_html", "totals"]
