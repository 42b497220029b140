"""What the pages of bursts and frames ask of a survey, indexed once: a request reads one shard.

Light. What is held grows with the survey, by a few bytes a frame; what is answered does not.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from app.data import Explorer
from discover.naming.burst_verdicts import Bursts, Found
from discover.tables import Table

Rows = npt.NDArray[np.intp]
T = TypeVar("T")

_FRAMES = ["frame_id", "dive", "index", "time_utc", "depth_m"]
_CROPS = ["frame_id", "crop_id", "class", "score", "x", "y", "w", "h"]
_PREDICTIONS = ["frame_id", "task", "class", "probability", "sure"]
_BURSTS = ["frame_id", "burst_id", "keyframe", "proof"]
_HEAT = ["crop_id", "mask", "heat", "heat_rows", "heat_cols"]

_of_explorer: WeakKeyDictionary[Explorer, "FramesData"] = WeakKeyDictionary()
_lock = threading.Lock()


@dataclass(frozen=True)
class Frames:
    """All frames, in order of dive and index.

    Attributes:
        table: `frame_id, dive, index, time_utc, depth_m, unit` (its shard); the dive is text.
        starts: the rows of each dive, by dive.
    """

    table: pd.DataFrame
    starts: dict[str, slice]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Frames":
        """Put the rows of the frames table in order."""
        dive = rows["dive"].astype(object).fillna("").astype(str).astype("category")
        rows = rows.assign(dive=dive.cat.reorder_categories(sorted(dive.cat.categories)))
        rows = rows.drop_duplicates("frame_id").sort_values(
            ["dive", "index", "frame_id"], kind="stable", ignore_index=True
        )
        codes, names = rows["dive"].cat.codes.to_numpy(), rows["dive"].cat.categories
        ends = np.searchsorted(codes, np.arange(len(names) + 1))
        starts = {str(d): slice(int(ends[n]), int(ends[n + 1])) for n, d in enumerate(names)}
        return cls(rows, starts)

    @cached_property
    def _ids(self) -> pd.Index:
        return pd.Index(self.table["frame_id"].astype(object))

    def places(self, frame_ids: Sequence[str]) -> Rows:
        """Return the rows of frames; -1 for what is no frame."""
        return np.asarray(self._ids.get_indexer(pd.Index(list(frame_ids), dtype=object)))

    def place(self, frame_id: str) -> int | None:
        """Return the row of a frame, None for what is no frame."""
        row = int(self.places([frame_id])[0])
        return row if row >= 0 else None

    def around(self, row: int, reach: int) -> pd.DataFrame:
        """Return a frame and up to `reach` frames of its dive before and after it."""
        own = self.starts[str(self.table["dive"].iat[row])]
        return self.table.iloc[max(own.start, row - reach) : min(own.stop, row + reach + 1)]


class FramesData:
    """The answers, cached until a shard or an event is added. Make one with `frames_data`."""

    def __init__(self, explorer: Explorer) -> None:
        self.survey, self.labels = explorer.survey, explorer.labels
        self._held: dict[str, tuple[object, Any]] = {}
        self._guard = threading.RLock()

    def frames(self) -> Frames:
        """Return all frames."""
        table = self.survey.frames
        return self._cached("frames", table.units(), lambda: Frames.of(_by_unit(table, _FRAMES)))

    def frame(self, frame_id: str) -> dict[str, Any] | None:
        """Return all that the frames table knows of a frame, None for what is no frame."""
        row = self.frames().place(frame_id)
        if row is None:
            return None
        unit = str(self.frames().table["unit"].iat[row])
        shard = self.survey.frames.read(units=[unit])
        return dict(shard.filter(pc.field("frame_id") == frame_id).to_pylist()[0])

    def crops(self, run: str, frame_id: str) -> pd.DataFrame:
        """Return the crops that a run cut from a frame, without mask and heat map.

        Columns: `crop_id, class, score, x, y, w, h, unit`, the surest first.
        """
        rows = _of_frame(self._crops(run), frame_id)
        return rows.sort_values(["score", "crop_id"], ascending=[False, True])

    def classes(self, run: str) -> list[str]:
        """Return the classes whose crops a run cut, by name."""
        return sorted(str(name) for name in self._crops(run)["class"].cat.categories)

    def masks_and_heats(self, run: str, frame_id: str) -> list[dict[str, Any]]:
        """Return box, `mask, heat, heat_rows, heat_cols` of the crops of a frame."""
        rows = self.crops(run, frame_id)
        units = [str(unit) for unit in rows["unit"].unique()]
        if not units:
            return []
        shards = self.survey.table("crops", run).read(_HEAT, units=units)
        found = shards.filter(pc.field("crop_id").isin(rows["crop_id"].tolist()))
        drawn = {row["crop_id"]: row for row in found.to_pylist()}
        return [
            {str(name): value for name, value in row.items()} | drawn[row["crop_id"]]
            for row in rows.to_dict("records")
        ]

    def frame_of(self, run: str, crop_id: str) -> str | None:
        """Return the frame that a crop was cut from."""
        rows = self._crops(run)
        found = rows.index[rows["crop_id"].to_numpy() == crop_id]
        return str(found[0]) if len(found) else None

    def predictions(self, frame_id: str) -> pd.DataFrame:
        """Return what the latest classifier says of a frame: `task, class, probability, sure`."""
        run = self.survey.latest("predictions")
        if run is None:
            return pd.DataFrame(columns=_PREDICTIONS[1:])
        table = self.survey.table("predictions", run.name)
        stamp = (run.name, table.units())
        rows = self._cached("predictions", stamp, lambda: _indexed(table, _PREDICTIONS))
        return _of_frame(rows, frame_id).sort_values(["task", "probability"], ascending=False)

    def bursts(self) -> Bursts | None:
        """Return the latest bursts as people corrected them; the same until they correct more."""
        run = self.survey.latest("bursts")
        if run is None:
            return None
        found = self.found(run.name)

        def read() -> Bursts:
            with self.labels.read() as reader:
                now = Bursts.on(found, reader)
            before = self._held.get("bursts", (None, None))[1]
            if before is None or before.found is not found:
                return now
            same = (before.moved, before.said) == (now.moved, now.said)
            return before if same else now

        stamp = (self._burst_stamp(run.name), self.labels.last_event_id())
        return self._cached("bursts", stamp, read)

    def found(self, run: str) -> Found:
        """Return the bursts of a run as they were found."""
        stamp = self._burst_stamp(run)
        return self._cached("found", stamp, lambda: Found.read(self.survey, run, _BURSTS))

    def in_bursts(self, bursts: Bursts) -> Rows:
        """Return the row of each frame in the bursts table; -1 where it is in no burst."""

        def ask() -> Rows:
            ids = pd.Index(bursts.found.table["frame_id"].astype(object))
            return np.asarray(ids.get_indexer(self.frames().table["frame_id"].astype(object)))

        return self._cached("aligned", self._burst_stamp(bursts.run), ask)

    def proofs(self, frame_id: str, others: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return `proof, inliers` of the proven pairs of a frame with others, by the other."""
        run = self.survey.latest("pairs")
        if run is None:
            return {}
        table, frames = self.survey.table("pairs", run.name), self.frames()
        of_dive = self._cached("pairs", self._pair_stamp(table), lambda: _dives(table, frames))
        rows = frames.places([frame_id, *others])
        dives = frames.table["dive"].iloc[rows[rows >= 0]].unique()
        units = sorted({unit for dive in dives for unit in of_dive.get(str(dive), ())})
        if not units:
            return {}
        pairs = table.read(["frame_a", "frame_b", "proof", "inliers"], units=units)
        found = {}
        for one, other in (("frame_a", "frame_b"), ("frame_b", "frame_a")):
            mine = pairs.filter(pc.field(one) == frame_id)
            found.update({row[other]: row for row in mine.to_pylist()})
        return {name: found[name] for name in others if name in found}

    def _burst_stamp(self, run: str) -> object:
        return run, self.survey.table("bursts", run).units(), self.survey.frames.units()

    def _pair_stamp(self, table: Table) -> object:
        return table.folder.name, table.units(), self.survey.frames.units()

    def _crops(self, run: str) -> pd.DataFrame:
        table = self.survey.table("crops", run)
        return self._cached(f"crops/{run}", table.units(), lambda: _indexed(table, _CROPS))

    def _cached(self, key: str, stamp: object, make: Callable[[], T]) -> T:
        """Return what `make` made for `key` under the same `stamp`; it is made once at a time."""
        with self._guard:
            held = self._held.get(key)
            if held is None or held[0] != stamp:
                held = self._held[key] = (stamp, make())
            return held[1]


def frames_data(explorer: Explorer) -> FramesData:
    """Return the one `FramesData` of an explorer."""
    with _lock:
        if explorer not in _of_explorer:
            _of_explorer[explorer] = FramesData(explorer)
        return _of_explorer[explorer]


def _by_unit(table: Table, columns: list[str]) -> pd.DataFrame:
    """Return columns of a table, and `unit`, the shard of each row."""
    parts = [table.read(columns, units=[]).to_pandas().assign(unit="")]
    for unit in table.units():
        parts.append(table.read(columns, units=[unit]).to_pandas().assign(unit=unit))
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return rows.astype({name: "category" for name in ("class", "task", "unit") if name in rows})


def _indexed(table: Table, columns: list[str]) -> pd.DataFrame:
    """Return what `_by_unit` does, by frame_id in order, so that a frame's rows are soon found."""
    return _by_unit(table, columns).set_index("frame_id").sort_index(kind="stable")


def _of_frame(rows: pd.DataFrame, frame_id: str) -> pd.DataFrame:
    first, last = (int(rows.index.searchsorted(frame_id, side)) for side in ("left", "right"))
    return rows.iloc[first:last]


def _dives(pairs: Table, frames: Frames) -> dict[str, list[str]]:
    """Return the shards of pairs that hold frames of a dive, by dive."""
    found: dict[str, list[str]] = {}
    for unit in pairs.units():
        places = frames.places(pairs.read(["frame_a"], units=[unit])["frame_a"].to_pylist())
        for dive in frames.table["dive"].iloc[places[places >= 0]].unique():
            found.setdefault(str(dive), []).append(unit)
    return found
