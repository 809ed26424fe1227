"""The take-home's own sentences, each shown or refuted on the live inventory. Pure: nothing here calls AWS."""

# Importing a layer's file registers its claims; this order is the one they are shown in.
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
