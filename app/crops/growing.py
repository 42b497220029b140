"""Growing a cluster on the page: the line of crops outside it, and a person's answers.

The answers are the state: `Growth` is played through them again, so that an address restores the
page, and the last one can be taken back. The line is that of the moment when growing began: the
crops outside the cluster by their likeness to it, those that people decided on left out.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from app.auth import current_user
from app.crops.selection import is_value, mask, open_crops
from app.data import ClassRun, Explorer
from discover.labels import By, Event, LabelError
from discover.naming.growing import Growth, joined_changes
from discover.naming.nearness import nearest
from discover.naming.tree import LABEL

PAGE = 18  # crops that are seen at a glance, without scrolling
MOST = 20_000  # crops of a line: more than anybody looks through
_YES, _NO = "y", "n"


@dataclass(frozen=True)
class Answer:
    """What a person said of the crops that were shown.

    Attributes:
        right: True or False for all of them as one; else the places in line of those that belong.
        event: the event that took them in; None where nothing was to write.
    """

    right: bool | tuple[int, ...]
    event: int | None = None

    def text(self) -> str:
        """Return it as it stands in an address, as in "y12", "n" or "x3-7@16"."""
        if isinstance(self.right, bool):
            return (_YES if self.right else _NO) + (str(self.event) if self.event else "")
        return "x" + "-".join(map(str, self.right)) + (f"@{self.event}" if self.event else "")

    @classmethod
    def of(cls, text: str) -> "Answer":
        """Read what `text` wrote.

        Raises:
            LabelError: it is no answer.
        """
        try:
            if text[:1] in (_YES, _NO):
                return cls(text[0] == _YES, int(text[1:]) if text[1:] else None)
            places, _, event = text.removeprefix("x").partition("@")
            right = tuple(int(p) for p in places.split("-") if p)
            return cls(right, int(event) if event else None)
        except ValueError:
            raise LabelError(f"answer {text!r} is none that growing gives") from None


@dataclass(frozen=True)
class Session:
    """Growing one cluster, as far as it went.

    Attributes:
        run: the clustering run.
        group: the cluster, as in "7".
        since: the event after which it began.
        answers: so far.
    """

    run: str
    group: str
    since: int
    answers: tuple[Answer, ...] = ()

    @classmethod
    def of(cls, plain: dict[str, str]) -> "Session":
        """Read it from an address.

        Raises:
            LabelError: an answer is none.
        """
        texts = [text for text in plain.get("answers", "").split(".") if text]
        since = int(plain.get("since", "0"))
        return cls(plain["run"], plain["group"], since, tuple(Answer.of(t) for t in texts))

    def plain(self) -> dict[str, str]:
        """Return it as an address holds it."""
        answers = ".".join(answer.text() for answer in self.answers)
        return {
            "run": self.run, "group": self.group, "since": str(self.since), "answers": answers,
        }  # fmt: skip

    def growth(self, line: list[str]) -> Growth:
        """Play the answers through again."""
        growth = Growth(total=len(line), page=PAGE)
        for answer in self.answers:
            growth, _ = growth.answer(answer.right)
        return growth


def line_of(explorer: Explorer, run: ClassRun, session: Session) -> list[str]:
    """Return the crops outside a cluster as growing began, the most like it first.

    Raises:
        LabelError: the cluster had no crops then.
    """
    return explorer.remember(
        ("line", run.name, session.group, str(session.since)), lambda: _line(explorer, run, session)
    )


def _line(explorer: Explorer, run: ClassRun, session: Session) -> list[str]:
    crops = explorer.crops_after(run, session.since)
    inside = mask(crops, {"group": session.group})
    names = crops["crop_id"].to_numpy()
    if not inside.any():
        raise LabelError(f"cluster {session.group} of run {run.name} holds no crops")
    outside = names[open_crops(crops) & ~inside]
    line = nearest(explorer.survey, run.embeddings, names[inside], among=outside)
    return [str(crop) for crop in line["crop_id"].head(MOST)]


def answer(
    explorer: Explorer, run: ClassRun, session: Session, right: bool | Collection[int]
) -> tuple[Session, Event | None]:
    """Take in an answer, and put into the cluster what joins it by it.

    Args:
        explorer: the survey.
        run: the clustering run.
        session: growing, as far as it went.
        right: see `Growth.answer`.

    Returns:
        Growing from here, and the event, where crops joined.

    Raises:
        LabelError: it is done, or a place was not shown.
        Conflict: somebody else decided on one of the crops since growing began.
    """
    line = line_of(explorer, run, session)
    growth = session.growth(line)
    shown = growth.shown
    _, joined = growth.answer(right)
    user = current_user(explorer)
    own = [a.event for a in session.answers if a.event]
    by = By(user.name, based_on=f"{run.name}/{session.group}", seen=max([session.since, *own]))
    with explorer.labels.write() as writer:
        label = _label(explorer, run, session)
        full = f"{run.name}/{session.group}"
        changes = joined_changes(line, joined, shown, full, label)
        event = writer.append("grow", changes, by) if changes else None
    said = right if isinstance(right, bool) else tuple(sorted(right))
    made = Answer(said, event.event_id if event else None)
    answers = (*session.answers, made)
    return Session(run.name, session.group, session.since, answers), event


def take_back(explorer: Explorer, session: Session) -> Session:
    """Take the last answer back, with what joined by it.

    Raises:
        LabelError: there is none, or something else was decided since.
    """
    if not session.answers:
        raise LabelError("there is no answer to take back")
    last = session.answers[-1]
    if last.event is not None:
        by = By(current_user(explorer).name)
        with explorer.labels.write() as writer:
            if writer.undoable(by) != last.event:
                raise LabelError("something else was decided since: undo that first, on its page")
            writer.invert("undo", by)
    return Session(session.run, session.group, session.since, session.answers[:-1])


def _label(explorer: Explorer, run: ClassRun, session: Session) -> str | None:
    """Return the value of the label that people gave all of the cluster that has one, or None."""
    crops = explorer.crops(run)
    inside = mask(crops, {"group": session.group}) & is_value(crops["origin"], "human")
    names = crops["name"][inside].dropna()
    if names.empty or names.nunique() > 1:
        return None
    one = crops["crop_id"].to_numpy()[np.flatnonzero(inside)[0]]
    with explorer.labels.read() as reader:
        standing = reader.standing([LABEL], [one])
    return standing[0].value if standing else None
