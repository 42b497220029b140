"""What a clustering says of each crop, and the tables that hold it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from discover.survey import Survey, concat_rows

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
ALL = "all"  # the shard of the crops that a run began with
UNLIKE = 0.95  # novelty from which a crop is in no cluster


@dataclass(frozen=True)
class Clustered:
    """A row for each crop.

    Attributes:
        crop_ids: [n].
        labels: int32 [n], -1 = noise.
        probabilities: float32 [n].
        exemplars: bool [n].
        positions: float32 [n, 2].
        novelty: float32 [n].
        placed: bool [n], put among the clusters, which it had no part in making.
        takes_after: int64 [n], row of the crop whose cluster each takes.
    """

    crop_ids: npt.NDArray[np.object_]
    labels: npt.NDArray[np.int32]
    probabilities: Floats
    exemplars: npt.NDArray[np.bool_]
    positions: Floats
    novelty: Floats
    placed: npt.NDArray[np.bool_]
    takes_after: Rows

    def put(
        self,
        rows: Rows,
        labels: npt.NDArray[np.int32],
        probabilities: Floats,
        positions: Floats,
        novelty: Floats,
    ) -> None:
        """Fill in what is known of some rows."""
        self.labels[rows], self.probabilities[rows] = labels, probabilities
        self.positions[rows], self.novelty[rows] = positions, novelty

    def inherited(self) -> "Clustered":
        """Return the same with each crop as the one that it takes after; it is no exemplar."""
        at = self.takes_after
        itself = at == np.arange(len(at))
        return Clustered(
            self.crop_ids,
            self.labels[at],
            self.probabilities[at],
            self.exemplars & itself,
            self.positions[at],
            self.novelty[at],
            self.placed[at],
            at,
        )

    def table(self) -> pd.DataFrame:
        """Return columns `crop_id, cluster`."""
        return pd.DataFrame({"crop_id": self.crop_ids, "cluster": self.labels})


def write_clusters(survey: Survey, run: str, unit: str, rows: Clustered) -> None:
    """Write a shard of the tables `clusters` and `maps`; the map first, which nobody misses."""
    ids = rows.crop_ids
    after = [None if i == at else ids[at] for i, at in enumerate(rows.takes_after)]
    x, y = rows.positions.T
    tables = {
        "maps": {"crop_id": ids.tolist(), "x": x.tolist(), "y": y.tolist()},
        "clusters": {
            "crop_id": ids.tolist(),
            "cluster": rows.labels.tolist(),
            "probability": rows.probabilities.tolist(),
            "exemplar": rows.exemplars.tolist(),
            "inherited_from": after,
            "novelty": rows.novelty.tolist(),
            "placed": rows.placed.tolist(),
        },
    }
    for name, columns in tables.items():
        survey.table(name, run).write(unit, concat_rows(columns, name))


def write_tables(
    survey: Survey, run: str, rows: Clustered, tree: pa.Table, curve: pa.Table
) -> None:
    """Write all tables of a new run, in the place of what a run that was killed has left."""
    for name in ("clusters", "maps", "trees", "sweeps"):
        survey.table(name, run).discard(ALL)
    write_clusters(survey, run, ALL, rows)
    survey.table("trees", run).write(ALL, tree)
    survey.table("sweeps", run).write(ALL, curve)


def unlike_anything(survey: Survey, run: str) -> pd.DataFrame:
    """Return the crops of a run that are like none of its clusters, the strangest first.

    Columns `crop_id, novelty, placed`: in no cluster, and farther from everything clustered than 95
    in 100 clustered crops are from their like.
    """
    return survey.sql(
        "select crop_id, novelty, coalesce(placed, false) as placed from clusters "
        "where cluster < 0 and novelty >= ? order by novelty desc, crop_id",
        [UNLIKE],
        clusters=survey.table("clusters", run),
    )
