"""The take-home's own statements, each proved or disproved on the live inventory. Pure: nothing here calls AWS."""

# Importing a layer's file registers its claims; this is also their display order.
from workbook.claims import vpc, vpc_rules, ecr, iam, s3, ecs, ecs_alb, general  # noqa: F401, I001
from workbook.claims.bullets import BULLETS, Bullet
from workbook.claims.engine import CLAIMS, GROUPS, SEVERITIES, Claim, Result, Evidence, Verdict
from workbook.claims.results import Results, judge

__all__ = [
    "BULLETS",
    "CLAIMS",
    "GROUPS",
    "SEVERITIES",
    "Bullet",
    "Claim",
    "Evidence",
    "Result",
    "Results",
    "Verdict",
    "judge",
]
