"""Where the workbook deploys: embedded AWS, an AWS-compatible endpoint or a real account; and what the embedded AWS
does not do.
"""

from workbook.target.connection import EMBEDDED_ACCOUNT, ClientFactory, Target, choose_target
from workbook.target.limits import LIMITS, LIMITS_BY_ID, Limit

__all__ = ["EMBEDDED_ACCOUNT", "LIMITS", "LIMITS_BY_ID", "ClientFactory", "Limit", "Target", "choose_target"]
