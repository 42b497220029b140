"""The crops of one clustering run as one table in memory, small enough for a million rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from discover.flags import frame_flags
from discover.survey import Survey
from discover.tables import Table

if TYPE_CHECKING:
    from app.data import ClassRun

Rows = npt.NDArray[np.intp]

_CROPS = """
    SELECT k.crop_id, k.cluster, k.probability, k.exemplar, k.novelty, c.frame_id, c.score,
           c.w::bigint * c.h AS area, f.dive, f.index, f.time_utc, f.depth_m,
           m.x AS map_x, m.y AS map_y
    FROM clusters k
    JOIN crops c USING (crop_id)
    LEFT JOIN frames f USING (frame_id)
    LEFT JOIN maps m USING (crop_id)
    ORDER BY f.dive, f.index, k.crop_id
"""
_SUGGESTED = 'SELECT crop_id, name AS suggested, confidence, novelty AS strange, "next" FROM s'
_NUMBERS = {
    "cluster": "int32", "probability": "float32", "score": "float32", "novelty": "float32",
    "depth_m": "float32", "map_x": "float32", "map_y": "float32",
}  # fmt: skip


@dataclass(frozen=True)
class CropTable:
    """The crops of a run, in order of dive and index, with what does not change by a verdict.

    Attributes:
        crops: a row for each crop: `crop_id, cluster, probability, exemplar, novelty, frame_id,
            score, area, dive, index, time_utc, depth_m, map_x, map_y, burst, flags` (of its frame,
            such as "blurred, dark"), `suggested, confidence` (by a head; null where none is), and
            `next` (rank of what to look at first). What is unknown is missing. Texts that repeat
            are categorical.
    """

    crops: pd.DataFrame

    @cached_property
    def ids(self) -> pd.Index:
        """The crops' ids, which find rows."""
        return pd.Index(self.crops["crop_id"], dtype=object)

    def places(self, crop_ids: Iterable[str]) -> Rows:
        """Return the rows of crops, -1 of those that are not in the run."""
        return np.asarray(self.ids.get_indexer(pd.Index(list(crop_ids), dtype=object)))

    @cached_property
    def typical(self) -> Rows:
        """Rows in order of how typical each crop is of its cluster, the most typical first."""
        c = self.crops
        keys = (-c["score"].to_numpy(), -c["probability"].to_numpy(), ~c["exemplar"].to_numpy())
        return np.lexsort(keys)


def read_crops(
    survey: Survey, run: "ClassRun", bursts: Table | None, suggestions: Table | None
) -> CropTable:
    """Read the crops of a run, and what was found out about their frames and by a head."""
    tables = {
        "clusters": survey.table("clusters", run.name),
        "crops": survey.table("crops", run.crops_run),
        "maps": survey.table("maps", run.name),
    }
    crops = survey.sql(_CROPS, (), **tables)
    crops = crops.astype({**_NUMBERS, "crop_id": object, "dive": "category"})
    crops["frame_id"] = _coded(crops["frame_id"])
    crops["exemplar"] = crops["exemplar"].fillna(value=False).astype(bool)
    crops["burst"] = _of_frames(crops, _bursts(survey, bursts))
    crops["flags"] = _of_frames(crops, _flags(survey))
    return CropTable(_with_suggestions(survey, crops, suggestions))


def _of_frames(crops: pd.DataFrame, by_frame: pd.Series) -> pd.Series:
    """Return a value of each crop's frame, looked up once for each frame."""
    values = _coded(by_frame.reindex(crops["frame_id"].cat.categories))
    codes = values.cat.codes.to_numpy()
    of_crop = np.append(codes, -1)[crops["frame_id"].cat.codes.to_numpy()]
    column = pd.Categorical.from_codes(of_crop, values.cat.categories)
    return pd.Series(column, index=crops.index)


def _coded(texts: pd.Series) -> pd.Series:
    """Return texts as numbers, of which Python's own texts are the names: rows are shown fast."""
    codes, known = pd.factorize(texts)
    column = pd.Categorical.from_codes(codes, pd.Index(known, dtype=object))
    return pd.Series(column, index=texts.index)


def _bursts(survey: Survey, bursts: Table | None) -> pd.Series:
    if bursts is None:
        return pd.Series(dtype=object)
    rows = bursts.read(["frame_id", "burst_id"]).to_pandas().drop_duplicates("frame_id")
    return rows.set_index("frame_id")["burst_id"]


def _flags(survey: Survey) -> pd.Series:
    by_frame: dict[str, str] = {}
    flags = frame_flags(survey)
    for frame, flag in zip(flags["frame_id"], flags["flag"], strict=True):
        by_frame[frame] = f"{by_frame[frame]}, {flag}" if frame in by_frame else flag
    return pd.Series(by_frame, dtype=object)


def _with_suggestions(
    survey: Survey, crops: pd.DataFrame, suggestions: Table | None
) -> pd.DataFrame:
    if suggestions is None:
        nothing = pd.Series(np.nan, crops.index, dtype="float32")
        none = pd.Series(pd.Categorical([None] * len(crops), []), index=crops.index)
        return crops.assign(suggested=none, confidence=nothing, next=nothing)
    rows = survey.sql(_SUGGESTED, (), s=suggestions).set_index("crop_id")
    found = crops.join(rows, on="crop_id")
    found["suggested"] = found["suggested"].astype("category")
    found["novelty"] = found["strange"].fillna(found["novelty"]).astype("float32")
    found["confidence"] = found["confidence"].astype("float32")
    return found.drop(columns="strange")
