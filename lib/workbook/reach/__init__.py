"""Network proofs: who reaches whom, decided from the routes, network ACLs and security groups of an inventory."""

from workbook.reach.answer import Hop, Path, Reach
from workbook.reach.matrix import matrix, questions, shown
from workbook.reach.path import reach

__all__ = ["Hop", "Path", "Reach", "matrix", "questions", "reach", "shown"]
