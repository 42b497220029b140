"""The unit of work of `discover embed`: the frames of one shard, to crops and vectors.

What a unit gives is decided by its frames and the settings alone, so that any process or machine
may do it, again or at the same time as another.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from classify.ahead import over_cores
from classify.images import Decoded, ImageError
from discover.cutting.crop_rows import by_frame, crop_rows, cut_of_row
from discover.cutting.embedders import CropEmbedder, EmbedConfig, Embedder, PooledEmbedder, Vectors
from discover.cutting.frame_image import FrameImage
from discover.cutting.overlay import Overlays, uncovered
from discover.cutting.regions import ClassifierRegions, Found, RegionSource
from discover.survey import Survey, SurveyError, concat_rows
from discover.tables import SCHEMAS, Table, vectors_to_column

log = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What a worker needs to know; it can be sent to another process.

    Attributes:
        root: the survey's folder.
        regions: where regions come from that are not stored yet.
        hide_overlay: leave out what lies over the scene.
        crops: name of the run of crops.
        embeddings: by name of the run, how its vectors are made; None is the classifier's own map.
    """

    root: Path
    regions: RegionSource
    hide_overlay: bool
    crops: str
    embeddings: dict[str, EmbedConfig | None]


@dataclass(frozen=True)
class Todo:
    """What is to be made of a unit.

    Attributes:
        crops: whether its regions are to be found.
        embeddings: runs whose vectors are to be made.
    """

    crops: bool
    embeddings: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.crops or bool(self.embeddings)


def todo(survey: Survey, job: Job, unit: str) -> Todo:
    """Return what of a unit is missing, or was made while a file could not be read that now can."""
    found = survey.table("crops", job.crops).about(unit)
    if found is None or _readable_again(survey, unit, found[1]):
        return Todo(True, tuple(job.embeddings))
    missing = []
    for name in job.embeddings:
        table = survey.table("embeddings", name)
        made = table.about(unit)
        if (
            made is None
            or not has_vectors(table, unit, crops=found[0])
            or _readable_again(survey, unit, made[1])
        ):
            missing.append(name)
    return Todo(False, tuple(missing))


def has_vectors(table: Table, unit: str, *, crops: int) -> bool:
    """Whether there is a shard of a unit that was made of as many crops as there are."""
    found = table.about(unit)
    return found is not None and int(found[1].get("crops", found[0])) == crops


def unreadable(notes: dict[str, str]) -> list[str]:
    """Return the ids of the frames that could not be read when a shard was made."""
    return list(json.loads(notes.get("unreadable", "[]")))


def _readable_again(survey: Survey, unit: str, notes: dict[str, str]) -> bool:
    lost = set(unreadable(notes))
    if not lost:
        return False
    frames = survey.frames.read(["frame_id", "path"], units=[unit]).to_pylist()
    return any(
        _read(survey.frame_path(row["path"]), side=1, quiet=True) is not None
        for row in frames
        if row["frame_id"] in lost
    )


def _read(path: Path, *, side: int, quiet: bool = False) -> FrameImage | None:
    """Read and decode a frame; None, with a line in the log, where that cannot be done."""
    try:
        image = FrameImage(path)
        image.at(side)
    except (ImageError, OSError) as error:
        if not quiet:
            log.warning("skipped %s: %s", path, error)
        return None
    return image


@dataclass(frozen=True)
class _OfFrame:
    """What one frame gave: rows of crops, and vectors for each embedding."""

    rows: list[Row]
    vectors: list[Vectors]
    covered: int = 0


class UnitWorker:
    """Makes the tables of units.

    Raises:
        WeightsError: a backbone's weights cannot be had.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._survey = Survey(job.root)
        self._overlays = Overlays(self._survey) if job.hide_overlay else None
        self._embedders = {name: self._embedder(c) for name, c in job.embeddings.items()}

    def run(self, unit: str, advance: Callable[[int], None] | None = None) -> int:
        """Make what is missing of a unit and write it; return how many frames the unit has.

        Raises:
            SurveyError: most of its files cannot be read.
        """
        frames = self._survey.frames.read(["frame_id", "path", "dive"], units=[unit]).to_pylist()
        missing = todo(self._survey, self._job, unit)  # another process may have been here
        if missing.crops:
            self._look_at_all(frames)
            self._make(unit, missing, frames, None, advance)
        elif missing:
            crops = self._survey.table("crops", self._job.crops).read(units=[unit])
            stored = by_frame(crops.to_pylist())
            frames_with = [frame for frame in frames if frame["frame_id"] in stored]
            self._make(unit, missing, frames_with, stored, advance)
        return len(frames)

    def _make(
        self,
        unit: str,
        missing: Todo,
        frames: list[Row],
        stored: dict[str, list[Row]] | None,
        advance: Callable[[int], None] | None,
    ) -> None:
        """Look at frames and write what is missing, the crops first."""
        embedders = [self._embedders[name] for name in missing.embeddings]
        look = partial(self._of_frame, stored=stored, embedders=embedders)
        results: list[_OfFrame | None] = []
        for result in over_cores(look, frames):
            results.append(result)
            if advance:
                advance(len(results))
        lost = [f["frame_id"] for f, r in zip(frames, results, strict=True) if r is None]
        _check_read(frames, len(lost))
        seen = [result for result in results if result is not None]
        rows = [row for result in seen for row in result.rows]
        crops = self._survey.table("crops", self._job.crops)
        if stored is None:
            covered = sum(result.covered for result in seen)
            crops.write(unit, _crops_table(rows, lost, covered), replace=True)
        made_of = {"crops": str(len(rows) if stored is None else sum(map(len, stored.values())))}
        if stored is not None:
            made_of["unreadable"] = json.dumps(lost)
        for number, (name, embedder) in enumerate(zip(missing.embeddings, embedders, strict=True)):
            parts = [np.zeros((0, embedder.dim), np.float32), *(r.vectors[number] for r in seen)]
            table = _vectors_table(rows, np.concatenate(parts), made_of)
            self._survey.table("embeddings", name).write(unit, table, replace=True)

    def _of_frame(
        self, frame: Row, *, stored: dict[str, list[Row]] | None, embedders: Sequence[Embedder]
    ) -> _OfFrame | None:
        """Find the regions of a frame, or take those that are stored, and embed them.

        The crops are cut by their rows alone, so that both ways they are the same.
        """
        image = _read(self._survey.frame_path(frame["path"]), side=self._job.regions.min_side)
        if image is None:
            return None
        decoded, covered = image.at(self._job.regions.min_side), 0
        if stored is None:
            (found,) = self._job.regions.find([frame["path"]], [decoded])
            in_sight = self._in_sight(frame["dive"], decoded, found)
            covered = len(found) - len(in_sight)
            rows = crop_rows(frame["frame_id"], in_sight, decoded)
        else:
            rows = stored[frame["frame_id"]]
        cuts = [cut_of_row(row, decoded.width, decoded.height) for row in rows]
        return _OfFrame(rows, [embedder(image, cuts) for embedder in embedders], covered)

    def _in_sight(self, dive: str, frame: Decoded, found: list[Found]) -> list[Found]:
        """Return the regions without what lies over the scene."""
        overlay = self._overlays.of(dive) if self._overlays is not None else None
        if overlay is None:
            return found
        cuts = [uncovered(f.cut, overlay, (frame.width, frame.height)) for f in found]
        return [replace(f, cut=c) for f, c in zip(found, cuts, strict=True) if c is not None]

    def _look_at_all(self, frames: list[Row]) -> None:
        """Learn from the unit as a whole, before its frames are asked for in threads."""
        paths, dives = [f["path"] for f in frames], [f["dive"] for f in frames]
        known = {}
        if self._overlays is not None:
            learned = {dive: self._overlays.of(dive) for dive in set(dives)}
            known = {dive: mask for dive, mask in learned.items() if mask is not None}
        files = [self._survey.frame_path(path) for path in paths]
        self._job.regions.begin(files, paths, dives, known)

    def _embedder(self, config: EmbedConfig | None) -> Embedder:
        regions = self._job.regions
        if config is not None:
            return CropEmbedder(config, min_side=regions.min_side)
        if isinstance(regions, ClassifierRegions):
            return PooledEmbedder(regions.classifier)
        raise SurveyError("--pooled needs --model: it is the map of the classifier that is named")


def _check_read(frames: list[Row], lost: int) -> None:
    if lost > len(frames) / 2:
        raise SurveyError(
            f"{lost} of {len(frames)} frames cannot be read, such as {frames[0]['path']}: "
            "are the images still where they were added from?"
        )


def _crops_table(rows: list[Row], lost: list[str], covered: int) -> pa.Table:
    columns = {name: [row[name] for row in rows] for name in SCHEMAS["crops"].names}
    notes = {"unreadable": json.dumps(lost), "covered": str(covered)}
    return concat_rows(columns, "crops").replace_schema_metadata(notes)


def _vectors_table(rows: list[Row], vectors: Vectors, notes: dict[str, str]) -> pa.Table:
    column, described = vectors_to_column(vectors)
    table = pa.table({"crop_id": [row["crop_id"] for row in rows], "vector": column})
    return table.replace_schema_metadata({**described, **notes})
