"""What the page asks of the survey, as DataFrames, cached until a shard or a label is added."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from classify.runs import Run
from discover.flags import frame_flags
from discover.labels import Labels, user_name
from discover.survey import Survey
from discover.tables import Table

_CROPS = """
    SELECT k.crop_id, k.cluster, k.probability, k.exemplar, c.frame_id, c.score, c.w, c.h,
           f.dive, f.index, f.path, f.depth_m, m.x AS map_x, m.y AS map_y
    FROM clusters k
    JOIN crops c USING (crop_id)
    LEFT JOIN frames f USING (frame_id)
    LEFT JOIN maps m USING (crop_id)
    ORDER BY f.dive, f.index, k.crop_id
"""
_BOXES = """
    SELECT c.crop_id, c.frame_id, c.class, c.x, c.y, c.w, c.h, f.dive, f.index, f.path,
           f.width, f.height
    FROM crops c LEFT JOIN frames f USING (frame_id)
"""


@dataclass(frozen=True)
class ClassRun:
    """One finished cluster run, which is what a page shows.

    Attributes:
        name: the run's name, as in `?run=`.
        class_name: the class whose crops it clustered.
        crops_run: the run that cut the crops.
        counts: what the run counted, such as crops, clusters and noise.
        persistence: how long each cluster lived in the condensed tree, by cluster.
    """

    name: str
    class_name: str
    crops_run: str
    counts: dict[str, Any]
    persistence: dict[int, float]

    @classmethod
    def of(cls, run: Run, crops_run: str) -> "ClassRun":
        """Take what the page needs from a cluster run."""
        return cls(
            name=run.name,
            class_name=str(run.info["config"].get("class_name", "?")),
            crops_run=crops_run,
            counts=run.info.get("counts", {}),
            persistence={
                int(c["cluster"]): float(c.get("persistence") or 0.0)
                for c in run.info.get("clusters", [])
            },
        )


class Explorer:
    """One survey as the page sees it.

    Args:
        survey: the survey.
        annotator: who names; None takes the name of the operating system's user.
    """

    def __init__(self, survey: Survey, annotator: str | None = None) -> None:
        self.survey = survey
        self.labels = Labels(survey.labels_url)
        self.annotator = annotator or user_name()
        self._cache: dict[tuple[str, ...], tuple[object, pd.DataFrame]] = {}
        self._lock = threading.Lock()

    def class_runs(self) -> list[ClassRun]:
        """Return the finished cluster runs, the earliest first."""
        return [
            ClassRun.of(run, self.survey.crops_of(run).folder.name)
            for run in self.survey.runs("clusters")
            if run.is_complete
        ]

    def class_run(self, name: str | None = None) -> ClassRun | None:
        """Return the run `name`, else the latest; None when there is none."""
        runs = self.class_runs()
        return next((r for r in runs if r.name == name), runs[-1] if runs else None)

    def crops_runs(self) -> list[str]:
        """Return the runs that cut crops, the latest first."""
        made = [self.survey.crops_of(run) for run in self.survey.runs("embeddings")]
        known = list(dict.fromkeys(table.folder.name for table in made))
        folder = self.survey.root / "crops"
        have = {p.name for p in folder.iterdir() if p.is_dir()} if folder.is_dir() else set()
        ordered = [name for name in known if name in have]
        return ordered[::-1] + sorted(have - set(ordered))

    def crops(self, run: ClassRun) -> pd.DataFrame:
        """Return the crops of a cluster run, in order of dive and index.

        Columns: `crop_id, cluster, probability, exemplar, frame_id, score, w, h, dive, index, path,
        depth_m, map_x, map_y, flags` (of its frame, such as "blurred, dark"), `name, origin`; what
        is unknown is missing.
        """
        tables = {
            "clusters": self.survey.table("clusters", run.name),
            "crops": self.survey.table("crops", run.crops_run),
            "maps": self.survey.table("maps", run.name),
        }
        bare, flags = self._query(("crops", run.name), _CROPS, tables), self.flags()

        def join() -> pd.DataFrame:
            names = self.names().set_index("crop_id")[["name", "origin"]]
            return bare.join(flags, on="frame_id").join(names, on="crop_id")

        stamp = (id(bare), id(flags), self.labels.last_event_id())
        return self._cached(("named", run.name), stamp, join)

    def flags(self) -> pd.DataFrame:
        """Return the flags of the frames that have any, as text `flags` by `frame_id`."""
        done = [run.name for run in self.survey.runs("bursts") if run.is_complete]

        def ask() -> pd.DataFrame:
            rows = frame_flags(self.survey).groupby("frame_id")["flag"]
            return rows.agg(", ".join).rename("flags").to_frame()

        return self._cached(("flags",), (self.survey.frames.units(), done), ask)

    def boxes(self, crops_run: str) -> pd.DataFrame:
        """Return the box and the frame of each crop, by `crop_id`.

        Columns: `frame_id, class, x, y, w, h, dive, index, path, width, height`.
        """
        tables = {"crops": self.survey.table("crops", crops_run)}
        return self._query(("boxes", crops_run), _BOXES, tables, index="crop_id")

    def mask_and_heat(self, crops_run: str, crop_id: str) -> dict[str, Any]:
        """Return `mask, heat, heat_rows, heat_cols` of a crop; each may be None."""
        columns = ["mask", "heat", "heat_rows", "heat_cols"]
        table = self.survey.table("crops", crops_run)
        for unit in table.units():
            rows = table.read(["crop_id", *columns], units=[unit])
            found = rows.filter(pc.field("crop_id") == crop_id)
            if len(found):
                return dict(found.select(columns).to_pylist()[0])
        return dict.fromkeys(columns)

    def names(self) -> pd.DataFrame:
        """Return the crops that have a name now: `crop_id, name, origin, event_id`."""
        return self._cached(("names",), self.labels.last_event_id(), self.labels.names)

    def frames_by_dive(self) -> pd.DataFrame:
        """Return `dive, frames`, by dive."""
        query = (
            "SELECT coalesce(dive, '') AS dive, count(*) AS frames FROM frames "
            "GROUP BY ALL ORDER BY dive"
        )
        return self._query(("dives",), query, {})

    def classes_by_dive(self) -> pd.DataFrame:
        """Return `dive, class, crops` of the latest run that cut crops."""
        runs = self.crops_runs()
        if not runs:
            return pd.DataFrame({"dive": [], "class": [], "crops": []})
        boxes = self.boxes(runs[0])
        return boxes.groupby(["dive", "class"], dropna=False).size().rename("crops").reset_index()

    def _query(
        self, key: tuple[str, ...], query: str, tables: dict[str, Table], index: str | None = None
    ) -> pd.DataFrame:
        stamp = [t.units() for t in (self.survey.frames, *tables.values())]

        def ask() -> pd.DataFrame:
            found = self.survey.sql(query, (), **tables)
            if index is None:
                return found
            return found.drop_duplicates(index).set_index(index)

        return self._cached(key, stamp, ask)

    def _cached(
        self, key: tuple[str, ...], stamp: object, make: Callable[[], pd.DataFrame]
    ) -> pd.DataFrame:
        """Return what `make` made for `key` under the same `stamp`; callers do not change it."""
        with self._lock:
            held = self._cache.get(key)
        if held is not None and held[0] == stamp:
            return held[1]
        made = make()
        with self._lock:
            self._cache[key] = (stamp, made)
        return made
