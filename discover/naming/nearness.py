"""How like crops are to one another, by the cosine of their vectors. Light: numpy only."""

from collections.abc import Collection, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from discover.survey import Survey, SurveyError
from discover.tables import column_to_vectors


def nearest(
    survey: Survey, embeddings: str, to: Collection[str], *, among: Collection[str]
) -> pd.DataFrame:
    """Return crops by their likeness to a reference, the most alike first.

    Reads the vectors a shard at a time, so that memory holds one shard whatever the survey's size.

    Args:
        survey: the survey.
        embeddings: the embeddings run.
        to: the reference: one crop, such as one that is pinned, or the crops of a group, of which
            the mean direction counts.
        among: the crops to put in order; the reference itself is left out.

    Returns:
        `crop_id, similarity` (cosine, -1..1).

    Raises:
        SurveyError: none of the reference crops has a vector in that run.
    """
    wanted: set[str] = set(to)
    reference: npt.NDArray[np.float32] | float = 0.0
    for ids, unit in _unit_vectors(survey, embeddings):
        reference = reference + unit[np.isin(ids, list(wanted))].sum(axis=0)
    length = float(np.linalg.norm(reference))
    if length == 0:
        raise SurveyError(
            f"none of the {len(wanted)} reference crops is in embeddings run {embeddings}: give "
            "crops of that run"
        )
    unit = np.asarray(reference / length, np.float32)
    return nearest_to(survey, embeddings, unit, among=set(among) - wanted)


def nearest_to(
    survey: Survey,
    embeddings: str,
    reference: npt.NDArray[np.float32],
    *,
    among: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return crops by their likeness to a vector of length 1, float32 [d], as `nearest` does.

    Args:
        survey: the survey.
        embeddings: the embeddings run, which the vector fits.
        reference: the vector.
        among: the crops to put in order; None takes all.
    """
    chosen = None if among is None else set(among)
    parts = [pd.DataFrame({"crop_id": [], "similarity": []})]
    for ids, unit in _unit_vectors(survey, embeddings):
        keep = np.array([chosen is None or i in chosen for i in ids], bool)
        likeness = unit[keep] @ reference
        parts.append(pd.DataFrame({"crop_id": ids[keep], "similarity": likeness}))
    line = pd.concat(parts, ignore_index=True)
    return line.sort_values(["similarity", "crop_id"], ascending=[False, True], ignore_index=True)


def _unit_vectors(
    survey: Survey, embeddings: str
) -> Iterator[tuple[npt.NDArray[np.object_], npt.NDArray[np.float32]]]:
    table = survey.table("embeddings", embeddings)
    for unit in table.units():
        rows = table.read(["crop_id", "vector"], units=[unit])
        vectors = column_to_vectors(rows)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        yield np.array(rows["crop_id"].to_pylist(), object), vectors
