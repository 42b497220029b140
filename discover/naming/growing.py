"""Growing a group: which of the nearest crops outside belong to it, in few looks.

The crops outside stand in order of likeness. A person looks at pages of them: the pages looked at
lie twice as far apart as long as all is well, a miss is closed in on by halves (MorphoCluster:
Schroeder et al. 2020, Sensors 20: 3060), and from the page where it begins each crop of each page
is decided, until a page has few that belong. Light.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from classify.runs import Config
from discover.naming.database import LabelError
from discover.naming.events import Change
from discover.naming.groups import GROUP

GROWN = "grow"  # grounds of what was taken in without a look, since what lies beyond it was right


@dataclass(frozen=True)
class Growth(Config):
    """How far a group has grown; plain values, so that a page can hold it.

    Attributes:
        total: how many crops stand in line.
        page: crops of a page.
        patience: poor pages in a row at which it ends.
        least: share of a page that belongs, below which the page is poor.
        good: pages from the start that belong to the group.
        step: pages that the next look is ahead, before the first miss.
        miss: the first page known to have a crop that does not belong; None before the first miss.
        single: pages, from `miss` on, of which each crop was decided.
        wrong: how many of the last of them in a row were poor.
        looks: answers so far.
    """

    total: int
    page: int = 20
    patience: int = 1
    least: float = 0.5
    good: int = 0
    step: int = 1
    miss: int | None = None
    single: int = 0
    wrong: int = 0
    looks: int = 0

    def __post_init__(self) -> None:
        for name in ("page", "patience"):
            if getattr(self, name) < 1:
                raise LabelError(f"{name} {getattr(self, name)} must be at least 1")
        if not 0 <= self.least <= 1:
            raise LabelError(f"least {self.least} must be between 0 and 1")

    @property
    def one_by_one(self) -> bool:
        """Whether each crop that is shown is to be decided; else all of them as one."""
        return self.miss is not None and self.good >= self.miss

    @property
    def done(self) -> bool:
        """Whether there is nothing left to show."""
        return self.wrong >= self.patience or self._first * self.page >= self.total

    @property
    def shown(self) -> range:
        """Places in line of the crops to look at now."""
        if self.done:
            return range(0)
        return self._page(self._first if self.one_by_one else self._asked)

    def answer(self, right: bool | Collection[int]) -> tuple["Growth", list[int]]:
        """Take in which of the crops that are shown belong to the group.

        Args:
            right: whether all of them do; or, where each is decided, the places of those that do.

        Returns:
            The growth from here, and the places of the crops that have joined the group by this
            answer. Those of them that were not shown are taken on trust.

        Raises:
            LabelError: it is done, or a place was not shown.
        """
        if self.done:
            raise LabelError("growing is done: there is nothing to answer")
        shown, after = self.shown, replace(self, looks=self.looks + 1)
        if self.one_by_one:
            joined = _chosen(right, shown)
            poor = len(joined) < self.least * len(shown)
            wrong = self.wrong + 1 if poor else 0
            return replace(after, single=self.single + 1, wrong=wrong), joined
        if len(_chosen(right, shown)) < len(shown):
            return replace(after, miss=self._asked), []
        step = self.step * 2 if self.miss is None else self.step
        joined = list(range(self.good * self.page, shown.stop))
        return replace(after, good=self._asked + 1, step=step), joined

    @property
    def _first(self) -> int:
        """The first page that has not joined or been decided."""
        return self.good + self.single

    @property
    def _asked(self) -> int:
        last = (self.total - 1) // self.page
        if self.miss is None:
            return min(self.good + self.step - 1, last)
        return (self.good + self.miss) // 2

    def _page(self, number: int) -> range:
        return range(number * self.page, min((number + 1) * self.page, self.total))


def _chosen(right: bool | Collection[int], shown: range) -> list[int]:
    if isinstance(right, bool):
        return list(shown) if right else []
    strange = sorted(set(right) - set(shown))
    if strange:
        raise LabelError(
            f"place {strange[0]} was not shown: {shown.start} to {shown.stop - 1} were"
        )
    return sorted(right)


def joined_changes(
    line: list[str], joined: Collection[int], shown: range, group: str, label: str | None
) -> list[Change]:
    """Return the changes that take crops into a group.

    Args:
        line: the crops in order of likeness.
        joined: places of those that join.
        shown: places of those that a person looked at; the others say that they came by trust.
        group: full name of the group.
        label: value of the group's label, where it has one.
    """
    changes = []
    for place in joined:
        grounds = None if place in shown else GROWN
        changes.append(Change(GROUP, line[place], group, based_on=grounds))
        if label is not None:
            changes.append(Change("crop.label", line[place], label, based_on=grounds))
    return changes
