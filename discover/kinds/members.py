"""Which crops a clustering is of, and their vectors, read a shard at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from classify.runs import Run
from discover.annotate import undecided
from discover.labels import Labels
from discover.survey import Survey, SurveyError
from discover.tables import Table, column_to_vectors

Vectors = npt.NDArray[np.float32]

FEWEST = 12  # crops: below this a neighbourhood says nothing


@dataclass(frozen=True)
class Members:
    """The crops of a clustering.

    Attributes:
        source: the run of embeddings.
        crops: columns `crop_id, frame_id, dive, score`, sorted by crop id, so that the order of the
            shards never matters.
        left_out: how many crops of the class the score left out.
    """

    source: Run
    crops: pd.DataFrame
    left_out: int


def source_run(survey: Survey, name: str | None, class_name: str) -> Run:
    """Return the embeddings run `name`, or the latest that has enough crops of the class.

    Raises:
        SurveyError: no run has; the message says what the runs do have.
    """
    if name is not None:
        runs = [survey.run("embeddings", name)]
    else:
        survey.run("embeddings")  # raises where there is none at all
        runs = [run for run in reversed(survey.runs("embeddings")) if run.is_complete]
    counted = {run.name: _class_counts(survey, run) for run in runs}
    for run in runs:
        if counted[run.name].get(class_name, 0) >= FEWEST:
            return run
    have = "; ".join(
        f"{name} has {', '.join(f'{n} {c}' for c, n in counts.items()) or 'no crops'}"
        for name, counts in counted.items()
    )
    raise SurveyError(
        f"--class {class_name}: no embeddings with at least {FEWEST} crops of this class ({have})"
    )


def _class_counts(survey: Survey, run: Run) -> dict[str, int]:
    counts = survey.sql(
        'select "class", count(*) as n from crops group by 1 order by 2 desc',
        crops=survey.crops_of(run),
    )
    return dict(zip(counts["class"], counts["n"].astype(int), strict=True))


def members(survey: Survey, source: Run, class_name: str, *, min_score: float) -> Members:
    """Return the crops of a class that have a vector.

    Raises:
        SurveyError: too few reach the score.
    """
    crops = survey.sql(
        "select crop_id, frame_id, dive, score from crops join frames using (frame_id) "
        'join embeddings using (crop_id) where "class" = ? order by crop_id',
        [class_name],
        crops=survey.crops_of(source),
        embeddings=survey.table("embeddings", source.name),
    )
    wanted = crops[crops["score"] >= min_score].reset_index(drop=True)
    if len(wanted) < FEWEST:
        raise SurveyError(
            f"--min-score {min_score}: {len(wanted)} of the {len(crops)} crops of class "
            f"{class_name} reach it, at least {FEWEST} are needed; lower it"
        )
    return Members(source, wanted, len(crops) - len(wanted))


def within(survey: Survey, found: Members, run: Run, cluster: int) -> Members:
    """Keep the crops of one cluster of an earlier run.

    Raises:
        SurveyError: the run has no such cluster, or it is too small to be looked into.
    """
    rows = survey.table("clusters", run.name).read(["crop_id", "cluster"]).to_pandas()
    inside = set(rows.loc[rows["cluster"] == cluster, "crop_id"])
    if not inside:
        numbers = sorted(set(rows["cluster"]))
        raise SurveyError(
            f"--within {cluster}: {run.name} has no such cluster, its clusters are "
            f"{numbers[0]} to {numbers[-1]}"
        )
    crops = found.crops[found.crops["crop_id"].isin(inside)].reset_index(drop=True)
    if len(crops) < FEWEST:
        raise SurveyError(
            f"--within {cluster}: {len(crops)} crops of {run.name}, at least {FEWEST} are needed"
        )
    return Members(found.source, crops, 0)


def unnamed(survey: Survey, found: Members) -> Members:
    """Keep the crops that no person has named, rejected or called indeterminate.

    Raises:
        SurveyError: too few are left.
    """
    labels = Labels(survey.labels_url)
    try:
        left = set(undecided(labels, found.crops["crop_id"]))
    finally:
        labels.close()
    crops = found.crops[found.crops["crop_id"].isin(left)].reset_index(drop=True)
    if len(crops) < FEWEST:
        raise SurveyError(
            f"--unnamed: {len(crops)} of {len(found.crops)} crops have no name yet, at least "
            f"{FEWEST} are needed: name those one by one"
        )
    return Members(found.source, crops, found.left_out)


def read_vectors(
    survey: Survey,
    source: Run,
    crop_ids: npt.NDArray[np.object_],
    change: Callable[[Vectors], Vectors] | None = None,
) -> Vectors:
    """Return the vectors of crops, in their order.

    One shard is in memory at a time, so that with a `change` that makes vectors shorter a survey of
    any size can be read.

    Args:
        survey: the survey.
        source: the run of embeddings.
        crop_ids: n ids, each once.
        change: applied to the vectors of each shard, [m, d] to [m, k].

    Returns:
        float32 [n, d], or [n, k] with a `change`.

    Raises:
        SurveyError: a vector is missing, not finite, or of another length than the others; the
            message names the shard and the remedy.
    """
    table = survey.table("embeddings", source.name)
    index = pd.Index(crop_ids)
    missing = np.ones(len(index), bool)
    out: Vectors | None = None
    dim = 0
    for unit in table.units():
        rows = table.read(units=[unit])
        at = index.get_indexer(rows["crop_id"].to_pandas())
        if not (at >= 0).any():
            continue
        vectors = _sound(rows.filter(pa.array(at >= 0)), table, unit)
        part = vectors if change is None else change(vectors)
        if out is None:
            out, dim = np.zeros((len(index), part.shape[1]), np.float32), vectors.shape[1]
        if vectors.shape[1] != dim:
            raise _damaged(table, unit, f"has {vectors.shape[1]} numbers a vector, others {dim}")
        out[at[at >= 0]], missing[at[at >= 0]] = part, False
    if out is None or missing.any():
        raise SurveyError(
            f"embeddings/{source.name} lacks the vectors of {int(missing.sum())} crops, such as "
            f"{index[missing][0]}: run `discover embed` again"
        )
    return out


def _sound(rows: pa.Table, table: Table, unit: str) -> Vectors:
    """Return the vectors of a shard's rows, of one length and finite."""
    lengths = pc.unique(pc.binary_length(rows["vector"])).to_pylist()
    if len(lengths) != 1:
        raise _damaged(table, unit, "has vectors of several lengths")
    vectors = column_to_vectors(rows)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        what = f"has {len(bad)} vectors that are not finite, such as that of crop "
        raise _damaged(table, unit, what + str(rows["crop_id"][int(bad[0])]))
    return vectors


def _damaged(table: Table, unit: str, what: str) -> SurveyError:
    file = table.folder / f"{unit}.parquet"
    return SurveyError(f"shard {file} {what}: remove it and run `discover embed` again")
