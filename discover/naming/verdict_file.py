"""Verdicts from a table: a CSV whose rows are decided in one transaction, all or none. Light."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from discover.annotate import MOVES, Verdict, decide
from discover.footage.tabular import read_rows
from discover.naming.database import LabelError
from discover.naming.eventlog import Writer
from discover.naming.events import By, Event
from discover.naming.groups import Groups, known_crops
from discover.survey import Survey

COLUMNS = ("action", "crop", "group", "to", "name", "note", "confidence", "annotator")
_ALIASES = {**{name: name for name in COLUMNS}, "crop_id": "crop", "cluster": "group"}


@dataclass(frozen=True)
class _Row:
    """A row: where it stands, the verdict without crops, who decides, and on what."""

    place: str
    verdict: Verdict
    annotator: str
    crop: str
    group: str

    @property
    def decision(self) -> tuple[Verdict, str]:
        return self.verdict, self.annotator


def apply_file(
    writer: Writer, survey: Survey, file: Path, by: By, *, run: str | None = None
) -> list[Event]:
    """Decide what a table says, row by row; neighbouring rows of one verdict are one event.

    Args:
        writer: of the events; after an error nothing of the file is kept.
        survey: the survey.
        file: CSV with the columns action (see `annotate.ACTIONS`), crop or group, and where the
            action needs it to, name, note, confidence (0..1), annotator.
        by: who decides, where a row does not say.
        run: the clustering run that the groups are of; None: crops are decided one by one, and
            there are no groups.

    Returns:
        The events; what changed nothing is none.

    Raises:
        LabelError: a row cannot be; the message names it.
    """
    groups = None if run is None else Groups.read(survey, run, writer)
    known = known_crops(survey)
    events = []
    for _, same in groupby(read_verdicts(file), key=lambda row: row.decision):
        rows = list(same)
        first = rows[0]
        crops = tuple(crop for row in rows for crop in _crops(row, groups, known))
        verdict = replace(first.verdict, crops=crops, each_seen=all(row.crop for row in rows))
        seen = {groups.full_name(row.group) for row in rows if groups and row.group}
        grounds = ", ".join(sorted(seen)) or file.name
        who = replace(by, annotator=first.annotator or by.annotator, based_on=grounds)
        try:
            event = decide(writer, verdict, who, groups=groups)
        except LabelError as error:
            raise _at(first.place, error) from error
        if event is not None:
            events.append(event)
        if groups is not None and verdict.action in MOVES:
            groups = Groups.read(survey, groups.run, writer)
    return events


def read_verdicts(file: Path) -> Iterator[_Row]:
    """Yield the rows of a table of verdicts.

    Raises:
        LabelError: a row is no verdict; the message names it.
        SurveyError: the file is no CSV.
    """
    for source, values in read_rows(file, "FILE", _ALIASES):
        if "action" not in values:
            raise LabelError(f"FILE {file} has no column action: it takes {', '.join(COLUMNS)}")
        if bool(values.get("crop")) == bool(values.get("group")):
            raise LabelError(f"{source.place}: give either a crop or a group")
        try:
            yield _Row(
                source.place,
                Verdict(
                    values["action"].lower(),
                    (),
                    name=values.get("name") or None,
                    to=values.get("to") or None,
                    note=values.get("note") or None,
                    confidence=_confidence(values.get("confidence")),
                ),
                values.get("annotator", ""),
                values.get("crop", ""),
                values.get("group", ""),
            )
        except LabelError as error:
            raise _at(source.place, error) from error


def _confidence(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise LabelError(f"confidence {text!r} is no number from 0 to 1") from None


def _crops(row: _Row, groups: Groups | None, known: set[str]) -> list[str]:
    if row.crop and row.crop not in known:
        raise LabelError(f"{row.place}: crop {row.crop!r} is not in the survey: check its id")
    if row.crop:
        return [row.crop]
    if groups is None:
        raise LabelError(f"{row.place}: group {row.group!r} needs a clustering: add --run NAME")
    try:
        return groups.crops(row.group)
    except LabelError as error:
        raise _at(row.place, error) from error


def _at(place: str, error: LabelError) -> LabelError:
    """Return the error with the row that it is of."""
    error.args = (f"{place}: {error}",)
    return error
