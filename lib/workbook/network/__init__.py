"""Network proofs: what can reach what, decided from the routes, network ACLs and security groups of an inventory."""

from workbook.network.answer import Hop, Path, Reach
from workbook.network.reach_matrix import matrix, questions, rendered
from workbook.network.reachability import Through, reach, traffic
from workbook.network.traffic import Traffic

__all__ = ["Hop", "Path", "Reach", "Through", "Traffic", "matrix", "questions", "reach", "rendered", "traffic"]
