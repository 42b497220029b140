"""What the page asks of the survey, as DataFrames, cached until a shard or a label is added."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
import pyarrow.compute as pc

from app.crops.state import Standing
from app.crops.table import CropTable, read_crops
from classify.runs import Run
from discover.labels import Labels, user_name
from discover.naming.groups import Found
from discover.survey import Survey
from discover.tables import Table

T = TypeVar("T")

_BOXES = """
    SELECT c.crop_id, c.frame_id, c.class, c.x, c.y, c.w, c.h, f.dive, f.index, f.path,
           f.width, f.height
    FROM crops c LEFT JOIN frames f USING (frame_id)
"""
_LARGE = 100_000  # crops
_REPEATED = ["frame_id", "class", "dive", "path"]  # texts that many crops share


@dataclass(frozen=True)
class ClassRun:
    """One finished cluster run, which is what a page shows.

    Attributes:
        name: the run's name, as in `?run=`.
        class_name: the class whose crops it clustered.
        crops_run: the run that cut the crops.
        embeddings: the run of vectors that it clustered.
        counts: what the run counted, such as crops, clusters and noise.
        persistence: how long each cluster lived in the condensed tree, by cluster.
        part: which part of the class it clustered, such as "within 3" or "unnamed"; "" is all.
    """

    name: str
    class_name: str
    crops_run: str
    embeddings: str
    counts: dict[str, Any]
    persistence: dict[int, float]
    part: str = ""

    @property
    def whole(self) -> bool:
        """Whether it clustered all of its class, not only one cluster or what had no name."""
        return not self.part

    @classmethod
    def of(cls, run: Run, crops_run: str) -> "ClassRun":
        """Take what the page needs from a cluster run."""
        return cls(
            name=run.name,
            class_name=str(run.info["config"].get("class_name", "?")),
            crops_run=crops_run,
            embeddings=str(run.info["parents"].get("embeddings")),
            counts=run.info.get("counts", {}),
            persistence={
                int(c["cluster"]): float(c.get("persistence") or 0.0)
                for c in run.info.get("clusters", [])
            },
            part=_part_of(run.info["config"]),
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
        self._cache: dict[tuple[str, ...], tuple[object, Any]] = {}
        self._locks: dict[tuple[str, ...], threading.RLock] = {}
        self._lock = threading.Lock()

    def class_runs(self) -> list[ClassRun]:
        """Return the finished cluster runs, the earliest first."""
        return [
            ClassRun.of(run, self.survey.crops_of(run).folder.name)
            for run in self.survey.runs("clusters")
            if run.is_complete
        ]

    def class_run(self, name: str | None = None) -> ClassRun | None:
        """Return the run `name`, else the latest of a whole class; None when there is none.

        Where no run is of a whole class, it is the latest of all.
        """
        runs = self.class_runs()
        latest = next((r for r in reversed(runs) if r.whole), runs[-1] if runs else None)
        return next((r for r in runs if r.name == name), latest)

    def latest_runs(self) -> dict[str, ClassRun]:
        """Return the latest run of each class, by class; one of the whole class comes first."""
        found: dict[str, ClassRun] = {}
        for run in self.class_runs():
            if run.whole or run.class_name not in found or not found[run.class_name].whole:
                found[run.class_name] = run
        return found

    def crops_runs(self) -> list[str]:
        """Return the runs that cut crops, the latest first.

        One that is under way stands behind those that are done or have clusters: the crops that it
        has so far do not stand for the survey.
        """
        made = self.survey.runs("embeddings")
        known = list(dict.fromkeys(self.survey.crops_of(run).folder.name for run in made))
        if not all(run.is_complete for run in made):
            done = {self.survey.crops_of(run).folder.name for run in made if run.is_complete}
            used = {run.crops_run for run in self.class_runs()}
            known.sort(key=lambda name: name in done | used)
        folder = self.survey.root / "crops"
        have = {p.name for p in folder.iterdir() if p.is_dir()} if folder.is_dir() else set()
        ordered = [name for name in known if name in have]
        return ordered[::-1] + sorted(have - set(ordered))

    def crop_table(self, run: ClassRun) -> CropTable:
        """Return what of a run's crops no verdict changes."""
        bursts, suggestions = self.survey.latest("bursts"), self._suggestions(run.class_name)
        tables = {
            "clusters": self.survey.table("clusters", run.name),
            "crops": self.survey.table("crops", run.crops_run),
            "maps": self.survey.table("maps", run.name),
        }
        of_bursts = self.survey.table("bursts", bursts.name) if bursts else None
        suggested = self.survey.table("suggestions", suggestions.name) if suggestions else None
        stamp = [
            [t.units() for t in (self.survey.frames, *tables.values())],
            bursts and bursts.name,
            suggestions and suggestions.name,
        ]
        return self._cached(
            ("table", run.name), stamp, lambda: read_crops(self.survey, run, of_bursts, suggested)
        )

    def crops(self, run: ClassRun) -> pd.DataFrame:
        """Return the crops of a cluster run as they stand, in order of dive and index.

        The columns of `CropTable.crops` and of `State`. Callers do not change it.
        """
        table = self.crop_table(run)
        state = self._standing(run, table).now(self.labels)
        return self._cached(
            ("crops", run.name),
            (id(table), state.event),
            lambda: pd.concat([table.crops, pd.DataFrame(dict(state.columns))], axis=1),
        )

    def crops_after(self, run: ClassRun, event: int) -> pd.DataFrame:
        """Return what `crops` returned after an event."""
        table = self.crop_table(run)
        state = Standing(run.name, table.ids, table.crops["cluster"].to_numpy())
        columns = pd.DataFrame(dict(state.after(self.labels, event).columns))
        return pd.concat([table.crops, columns], axis=1)

    def remember(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """Return what `make` made for `key` once, as long as the page is served."""
        return self._cached(("remembered", *key), None, make)

    def standing(self, run: ClassRun) -> Standing:
        """Return what follows the verdicts on a run's crops."""
        return self._standing(run, self.crop_table(run))

    def _standing(self, run: ClassRun, table: CropTable) -> Standing:
        return self._cached(
            ("standing", run.name),
            id(table),
            lambda: Standing(run.name, table.ids, table.crops["cluster"].to_numpy()),
        )

    def prepare(self, run: ClassRun) -> None:
        """Read what the first verdict needs before it comes, where that takes a second or more."""
        if len(self.crop_table(run).crops) >= _LARGE and ("found", run.name) not in self._cache:
            threading.Thread(target=self.found, args=(run,), daemon=True).start()

    def found(self, run: ClassRun) -> Found:
        """Return the clusters of a run as they were found, for verdicts on them."""
        units = self.survey.table("clusters", run.name).units()
        return self._cached(("found", run.name), units, lambda: Found.read(self.survey, run.name))

    def _suggestions(self, class_name: str) -> Run | None:
        """Return the latest run that suggested names for crops of a class, or of all."""
        runs = [r for r in self.survey.runs("suggestions") if r.is_complete]
        of_class = (class_name, None)
        fitting = [r for r in runs if r.info["config"].get("class_name") in of_class]
        return fitting[-1] if fitting else None

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
        unit = self._units(table).get(crop_id)
        if unit is not None:
            rows = table.read(["crop_id", *columns], units=[unit])
            found = rows.filter(pc.field("crop_id") == crop_id)
            return dict(found.select(columns).to_pylist()[0])
        return dict.fromkeys(columns)

    def _units(self, table: Table) -> pd.Series:
        """Return the shard that each crop is in."""

        def ask() -> pd.Series:
            parts = [
                pd.Series(unit, table.read(["crop_id"], units=[unit])["crop_id"].to_pylist())
                for unit in table.units()
            ]
            found = pd.concat([pd.Series(dtype=object), *parts])
            return found[~found.index.duplicated()].astype("category")

        return self._cached(("units", table.folder.name), table.units(), ask)

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
            found = found.astype({c: "category" for c in _REPEATED if c in found})
            found.index = pd.Index(found.pop(index), dtype=object)
            return found if found.index.is_unique else found[~found.index.duplicated()]

        return self._cached(key, stamp, ask)

    def _cached(self, key: tuple[str, ...], stamp: object, make: Callable[[], T]) -> T:
        """Return what `make` made for `key` under the same `stamp`; callers do not change it.

        Whoever asks while it is being made waits for it: a large table is read once.
        """
        with self._lock:
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            held = self._cache.get(key)
            if held is None or held[0] != stamp:
                held = self._cache[key] = (stamp, make())
            return held[1]


def _part_of(config: dict[str, Any]) -> str:
    """Return which part of its class a run clustered, "" where it is all of it."""
    within = f"within {config['within_cluster']}" if config.get("within_run") else ""
    return ", ".join(filter(None, (within, "unnamed" if config.get("unnamed") else "")))
