"""Verdicts: what a person decides about crops, as label events.

The loop is that of MorphoCluster (Schroeder et al. 2020, Sensors 20: 3060): validate a cluster,
grow it, name it, and cluster anew what has no name yet. The page, the command line and a simulator
decide through the same `decide`. Light.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from discover.labels import Labels, in_words, name_changes
from discover.naming.database import LabelError
from discover.naming.eventlog import Writer
from discover.naming.events import By, Change, Event
from discover.naming.groups import FLAG, GROUP, VALIDATED, Groups
from discover.naming.standing import Reader
from discover.naming.tree import INDETERMINATE, LABEL, REJECTED, Tree

ACTIONS = {
    "validate": "they belong together",
    "reject": "no such thing is there",
    "indeterminate": "nobody can tell what it is",
    "name": "they are of a subcategory",
    "clear": "take the label away",
    "move": "put them into another group",
    "merge": "put a whole group into another",
    "split": "make them a group of their own",
    "flag": "ask for a second look",
    "unflag": "the second look is done",
}
MOVES = ("move", "merge", "split")  # after these the groups are others
_MARKS = {"reject": REJECTED, "indeterminate": INDETERMINATE}
BURST = "burst/"  # + the keyframe's crop: grounds of what a label was taken over from


@dataclass(frozen=True)
class Verdict:
    """What is decided about crops.

    Attributes:
        action: one of `ACTIONS`.
        crops: the crops.
        name: the subcategory, for "name".
        to: the group, for "move" and "merge".
        note: why, for "flag".
        confidence: 0..1, how sure; None = not given.
        each_seen: whether every crop was looked at by itself. Else a crop that takes after the
            keyframe of its burst is recorded as labelled by it.
    """

    action: str
    crops: tuple[str, ...]
    name: str | None = None
    to: str | None = None
    note: str | None = None
    confidence: float | None = None
    each_seen: bool = False

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise LabelError(f"action {self.action!r} is none of {', '.join(ACTIONS)}")
        if self.action == "name" and not self.name:
            raise LabelError("action 'name' needs a name")
        if self.action in ("move", "merge") and not self.to:
            raise LabelError(f"action {self.action!r} needs the group that the crops go to")
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise LabelError(f"confidence {self.confidence} must be between 0 and 1")


def decide(
    writer: Writer, verdict: Verdict, by: By, *, groups: Groups | None = None
) -> Event | None:
    """Write a verdict as one event.

    Args:
        writer: of the events.
        verdict: what is decided.
        by: who decides, on what grounds, having seen which event.
        groups: of the clustering run that was looked at, read in the same transaction. The verdict
            on a crop then holds for the crops of its burst that take after it, but for those that a
            person labelled by themselves; and each of them says what it was taken over from.

    Returns:
        The event, or None when nothing would change.

    Raises:
        LabelError: the verdict needs a group that is not there.
        Conflict: somebody else decided otherwise since `by.seen`.
    """
    if groups is None and verdict.action in ("validate", *MOVES):
        raise LabelError(f"action {verdict.action!r} needs the clustering run that was looked at")
    changes = _changes(writer, verdict, groups)
    if groups is not None and verdict.action not in ("flag", "unflag"):
        changes = _with_bursts(writer, changes, groups, verdict.each_seen)
    event = writer.append(verdict.action, changes, by, detail=verdict.name or verdict.note)
    return in_words(event, Tree.read(writer))


def undecided(labels: Labels, crop_ids: Iterable[str]) -> list[str]:
    """Return the crops that no person has labelled, rejected or called indeterminate, in order."""
    decided = labels.decided()
    known = set(decided.loc[decided["origin"] == "human", "crop_id"])
    return [crop for crop in crop_ids if crop not in known]


def states(reader: Reader, groups: Groups) -> pd.DataFrame:
    """Return what was decided on the crops of a run, beside their labels.

    Returns:
        By crop_id: `group, cluster, source`, `validated` (a person said that it belongs to the
        group that it is in now) and `flag` (the note; null = none).
    """
    held = {
        name: pd.Series(
            {r.key: r.value for r in reader.rows(["key", "value"], [name])}, dtype=object
        )
        for name in (VALIDATED, FLAG)
    }
    index = groups.table.index
    validated = held[VALIDATED].reindex(index) == groups.table["group"]
    return groups.table.assign(validated=validated, flag=held[FLAG].reindex(index))


def _changes(writer: Writer, verdict: Verdict, groups: Groups | None) -> list[Change]:
    action, sure = verdict.action, verdict.confidence
    if action in ("name", "clear"):
        return name_changes(writer, verdict.crops, verdict.name, confidence=sure)
    if action in _MARKS:
        return [Change(LABEL, crop, _MARKS[action], confidence=sure) for crop in verdict.crops]
    if action in ("flag", "unflag"):
        value = (verdict.note or "look again") if action == "flag" else None
        return [Change(FLAG, crop, value) for crop in verdict.crops]
    assert groups is not None  # checked by `decide`
    own = {crop: groups.of(crop) for crop in verdict.crops}
    if action == "validate":
        return [Change(VALIDATED, crop, group, confidence=sure) for crop, group in own.items()]
    to = _new_group(writer, groups) if action == "split" else _group(groups, verdict.to or "")
    return [Change(GROUP, crop, to) for crop, group in own.items() if group != to]


def _group(groups: Groups, name: str) -> str:
    """Return the full name of a group that crops can go to: one that has some, or the noise."""
    full = groups.full_name(name)
    if full != groups.full_name("-1"):
        groups.crops(name)
    return full


def _new_group(writer: Writer, groups: Groups) -> str:
    return groups.full_name(f"s{writer.last_event_id() + 1}")


def _with_bursts(
    writer: Writer, changes: list[Change], groups: Groups, each_seen: bool
) -> list[Change]:
    """Let the crops of a burst follow the one that stands for it."""
    by_crop = {c.key: c for c in changes if c.field.startswith("crop.")}
    if not by_crop:
        return changes
    following = groups.followers(by_crop)
    field = next(iter(by_crop.values())).field
    given = set(by_crop)
    own = {s.key for s in writer.standing([field], set(following) - given) if s.is_direct}
    for crop, source in following.items():
        if crop not in own and not (crop in given and each_seen):
            by_crop[crop] = replace(by_crop[source], key=crop, based_on=BURST + source)
    return [c for c in changes if not c.field.startswith("crop.")] + list(by_crop.values())
