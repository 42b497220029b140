"""Bursts as people corrected them: accepted, split, merged; undo takes each of it back.

A burst is called after its run, "<bursts run>/<burst>"; one that a person split off, after the
event that did so, "<bursts run>/s12". Names are never reused, the bursts of a run stay as they were
found, and corrections hold for the run that they were made in. Light.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from classify.runs import content_hash
from discover.naming.database import LabelError
from discover.naming.eventlog import EventLog, Writer
from discover.naming.events import By, Change, Conflict, Event
from discover.naming.standing import Reader
from discover.survey import Survey

BURST, ACCEPTED = "frame.burst", "burst.accepted"
_WELL_LIT = 0.5  # of the usual brightness of the burst, at least: as `discover bursts` chooses


@dataclass(frozen=True)
class Found:
    """The bursts of a run as they were found, which never change: read once, use often.

    Attributes:
        run: the run.
        table: the rows of the bursts table.
        quality: `sharpness, brightness` by frame_id, which choose the keyframe.
    """

    run: str
    table: pd.DataFrame
    quality: pd.DataFrame

    @classmethod
    def read(
        cls, survey: Survey, run: str | None = None, columns: list[str] | None = None
    ) -> "Found":
        """Read the bursts of a run, by default of the latest finished one.

        Args:
            survey: the survey.
            run: the run's name.
            columns: of the bursts table, `frame_id, burst_id, keyframe, proof` among them; None
                reads all.

        Raises:
            SurveyError: there is no such run.
        """
        name = survey.run("bursts", run).name
        table = survey.table("bursts", name).read(columns).to_pandas()
        frames = survey.frames.read(["frame_id", "sharpness", "brightness"]).to_pandas()
        return cls(name, table, frames.drop_duplicates("frame_id").set_index("frame_id"))


@dataclass(frozen=True)
class Bursts:
    """Which burst each frame is in.

    Attributes:
        found: the bursts as they were found.
        moved: the burst, by frame, of the frames that people put into another than was found.
        said: which frames a burst had when a person accepted it, as a digest, by burst.
    """

    found: Found
    moved: Mapping[str, str]
    said: Mapping[str, str]

    @classmethod
    def read(cls, survey: Survey, run: str | None, reader: Reader) -> "Bursts":
        """Read the bursts of a run (None: the latest) as they stand.

        Raises:
            SurveyError: there is no such run.
        """
        return cls.on(Found.read(survey, run), reader)

    @classmethod
    def on(cls, found: Found, reader: Reader, *, until: int | None = None) -> "Bursts":
        """Read what people changed of bursts that are read already (`until` an event)."""
        start, held = f"{found.run}/", {BURST: dict[str, str](), ACCEPTED: dict[str, str]()}
        for row in reader.rows(["field", "key", "value"], [BURST, ACCEPTED], until=until):
            name = row.value if row.field == BURST else row.key
            if row.value and name.startswith(start):
                held[row.field][row.key.removeprefix(start)] = row.value.removeprefix(start)
        if not held[BURST]:
            return cls(found, {}, held[ACCEPTED])
        rows = found.table[found.table["frame_id"].isin(list(held[BURST]))]
        pairs = zip(rows["frame_id"].astype(str), rows["burst_id"], strict=True)
        moved = {f: held[BURST][f] for f, burst in pairs if held[BURST][f] != burst}
        return cls(found, moved, held[ACCEPTED])

    @property
    def run(self) -> str:
        """The run."""
        return self.found.run

    @cached_property
    def table(self) -> pd.DataFrame:
        """The rows of the bursts table, corrected: the table itself where nothing was changed.

        The keyframe of a changed burst is the sharpest frame left in it. Its `proof` is null: a
        person's word stands in for it.
        """
        if not self.moved:
            return self.found.table
        rows = self.found.table
        new = rows["frame_id"].map(self.moved)
        changed = {*rows.loc[new.notna(), "burst_id"], *self.moved.values()}
        table = rows.assign(burst_id=new.where(new.notna(), rows["burst_id"]))
        touched = table[table["burst_id"].isin(changed)]
        table.loc[touched.index, "keyframe"] = False
        table.loc[touched.index, "proof"] = None
        for _, burst in touched.groupby("burst_id"):
            table.loc[self._sharpest(burst["frame_id"]), "keyframe"] = True
        return table

    def frames(self, burst: str) -> list[str]:
        """Return the frames of a burst, in the order of the table.

        Raises:
            LabelError: the burst has none.
        """
        found = self.table.loc[self.table["burst_id"] == burst, "frame_id"].astype(str).tolist()
        if not found:
            raise LabelError(f"burst {burst!r} is not of run {self.run}: look at the bursts again")
        return found

    def accepted(self, burst: str, frames: Iterable[str]) -> bool:
        """Return whether a person accepted the burst with just these frames."""
        return burst in self.said and self.said[burst] == _digest(frames)

    def _sharpest(self, frames: pd.Series) -> int:
        """Return the row of the sharpest of the frames that are well lit."""
        quality = self.found.quality.reindex(frames).fillna(0.0)
        light = quality["brightness"].to_numpy(float)
        lit = light >= _WELL_LIT * pd.Series(light).median()
        sharpness = quality["sharpness"].where(lit, -1.0).to_numpy(float)
        return int(frames.index[int(sharpness.argmax())])


def bursts_so_far(survey: Survey, run: str | None = None) -> Bursts:
    """Return the bursts of a run (None: the latest); makes no file where nothing was decided yet.

    Raises:
        SurveyError: there is no such run.
    """
    found = Found.read(survey, run)
    address = sa.make_url(survey.labels_url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").exists():
        return Bursts(found, {}, {})
    log = EventLog(survey.labels_url)
    try:
        with log.read() as reader:
            return Bursts.on(found, reader)
    finally:
        log.close()


def corrected_bursts(survey: Survey, run: str | None = None) -> pd.DataFrame:
    """Return the rows of the bursts table, as people corrected them; see `Bursts.table`.

    Raises:
        SurveyError: there is no such run.
    """
    return bursts_so_far(survey, run).table


def accept(writer: Writer, bursts: Bursts, burst: str, by: By) -> Event | None:
    """Say that a burst is right as it is; a later change of its frames ends that.

    Args:
        writer: of the events.
        bursts: as they stand, read in the same transaction.
        burst: its name.
        by: who decides, having seen which event.

    Returns:
        The event, or None when nothing would change.

    Raises:
        LabelError: there is no such burst.
        Conflict: somebody else changed its frames since `by.seen`.
    """
    frames = bursts.frames(burst)
    _refuse_what_changed(writer, bursts, [burst], by)
    change = Change(ACCEPTED, f"{bursts.run}/{burst}", _digest(frames))
    return writer.append(
        "accept burst", [change], _seen(by, bursts, burst), detail=_count(len(frames))
    )


def split(
    writer: Writer, bursts: Bursts, burst: str, frames: Iterable[str], by: By
) -> Event | None:
    """Make some frames of a burst a burst of their own. Arguments and errors as of `accept`.

    Raises:
        LabelError: the frames are none, all, or not of the burst.
        Conflict: somebody else changed its frames since `by.seen`.
    """
    have, chosen = bursts.frames(burst), set(frames)
    _refuse_what_changed(writer, bursts, [burst], by)
    if not chosen <= set(have):
        other = min(chosen - set(have))
        raise LabelError(f"frame {other!r} is not in burst {burst!r}: look at the burst again")
    if not chosen or len(chosen) == len(have):
        raise LabelError(
            f"{len(chosen)} of the {_count(len(have))} of burst {burst!r} are to be split off: "
            "choose some of them, not all"
        )
    name = f"{bursts.run}/s{writer.last_event_id() + 1}"
    changes = [Change(BURST, frame, name) for frame in have if frame in chosen]
    detail = f"{len(chosen)} of {_count(len(have))}"
    return writer.append("split burst", changes, _seen(by, bursts, burst), detail=detail)


def merge(writer: Writer, bursts: Bursts, burst: str, into: str, by: By) -> Event | None:
    """Put all frames of a burst into another. Arguments and errors as of `accept`.

    Raises:
        LabelError: one of the bursts is not there, or both are one.
        Conflict: somebody else changed their frames since `by.seen`.
    """
    if burst == into:
        raise LabelError(f"burst {burst!r} cannot be merged into itself: choose another")
    moving, there = bursts.frames(burst), bursts.frames(into)
    _refuse_what_changed(writer, bursts, [burst, into], by)
    changes = [Change(BURST, frame, f"{bursts.run}/{into}") for frame in moving]
    detail = f"{_count(len(moving))} into one of {_count(len(there))}"
    return writer.append("merge bursts", changes, _seen(by, bursts, burst), detail=detail)


def _refuse_what_changed(writer: Writer, bursts: Bursts, names: list[str], by: By) -> None:
    """Refuse a verdict on bursts that hold other frames than the person saw."""
    if by.seen is None:
        return
    then = Bursts.on(bursts.found, writer, until=by.seen)
    moved = {frame for name in names for frame in _held(then, name) ^ _held(bursts, name)}
    if not moved:
        return
    rows = writer.rows(["changed"], [BURST], moved, since=by.seen)
    last = {row.changed for row in rows}  # of a frame whose change was undone, there is none
    since = writer.events(range(by.seen + 1, writer.last_event_id() + 1)).values()
    moving = [e for e in since if e.event_id in last or e.action in ("undo", "redo")]
    others = sorted({event.annotator for event in moving} - {by.annotator})
    if others:  # else they are the person's own changes, which the page is yet to show
        who = ", ".join(others)
        raise Conflict(f"{who} changed this burst since you looked: look again, then decide", [])


def _held(bursts: Bursts, burst: str) -> set[str]:
    table = bursts.found.table
    found = set(table.loc[table["burst_id"] == burst, "frame_id"])
    return found - set(bursts.moved) | {f for f, to in bursts.moved.items() if to == burst}


def _seen(by: By, bursts: Bursts, burst: str) -> By:
    return replace(by, based_on=f"{bursts.run}/{burst}")


def _digest(frames: Iterable[str]) -> str:
    return content_hash(sorted(frames))


def _count(frames: int) -> str:
    return f"{frames:,} frame{'' if frames == 1 else 's'}"
