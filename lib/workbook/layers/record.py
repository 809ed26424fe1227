"""What a layer is: the record that everything about layers is read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # The record comes before the inventory; its functions are called with one later.
    from workbook.inventory import Inventory


@dataclass(frozen=True)
class Step:
    """One improvement of a layer over its first version.

    Attributes
    ----------
    aspect : what is improved, such as Availability.
    first, improved : the two versions in the take-home's words.
    observe : what the inventory shows of the improved version; empty where it shows nothing.
    """

    aspect: str
    first: str
    improved: str
    observe: Callable[[Inventory], str]


@dataclass(frozen=True)
class Price:
    """One thing that is billed by the hour: `count` reads how many there are; `hourly` is US dollars for one of them."""

    what: str
    hourly: float
    count: Callable[[Inventory], float]


@dataclass(frozen=True)
class Layer:
    """A layer is one name across the tree: its Terraform file, notebook, reader, claims, diagram and tests carry the
    key.

    Attributes
    ----------
    key : such as vpc; the name of `<key>.tf`, `inventory/<key>.py`, `claims/<key>.py`, `diagrams/<key>.py` and the
        notebook.
    order : position in the deployment, and number of its notebook.
    title : for people, such as The network.
    question : the question that its page answers.
    core_table : inventory table that has rows only if the layer is deployed.
    steps : the improvements over the first version.
    prices : what is billed by the hour.
    usage : what is billed by use, in US dollars, as a sentence.
    """

    key: str
    order: int
    title: str
    question: str
    core_table: str
    steps: tuple[Step, ...] = ()
    prices: tuple[Price, ...] = ()
    usage: Callable[[Inventory], str] = lambda inventory: "nothing."

    @property
    def page(self) -> str:
        """Stem of its notebook, such as 01_vpc."""
        return f"{self.order:02d}_{self.key}"


def count(number: int, what: str) -> str:
    """`1 role`, `7 roles`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def last(principal: str) -> str:
    """The name at the end of a principal, such as `Service: ecs-tasks.amazonaws.com`."""
    return principal.rsplit("/", 1)[-1].split(": ", 1)[-1]
