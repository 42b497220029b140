"""Crops that came after a clustering: placed on its map and into its clusters, which stay put."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.runs import Run
from discover.kinds import members
from discover.kinds.clustered import ALL, UNLIKE, Clustered, write_clusters
from discover.kinds.landmarks import MOST, spread_over
from discover.kinds.lineage import whole_runs
from discover.kinds.members import read_vectors
from discover.kinds.placing import Landmarks, Placed
from discover.project import Basis, ProjectConfig, fit_basis
from discover.survey import Survey, SurveyError, unit_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Newcomers:
    """What became of new crops.

    Attributes:
        run: the run they were placed in.
        new: how many there were.
        in_clusters: of them, in a cluster.
        unlike: of them, unlike anything that was clustered.
    """

    run: Run
    new: int
    in_clusters: int
    unlike: int


def place_new(
    survey: Survey, name: str | None = None, *, class_name: str | None = None
) -> Newcomers:
    """Place the crops that were embedded since a run; done twice, it adds nothing.

    What the run knew is rebuilt from the stored vectors: the principal components from the same
    crops, and the clusters and the map from the tables. New crops never change where later ones go.

    Args:
        survey: the survey.
        name: the run of clusters; None takes the latest.
        class_name: the latest of this class.

    Raises:
        SurveyError: there is no such run, or it is of one cluster of another run.
    """
    run = survey.run("clusters", name or _latest(survey, class_name), of_class=class_name)
    config = run.info["config"]
    if config.get("within_run"):
        raise SurveyError(
            f"--run {run.name} holds one cluster of {config['within_run']}: place new crops there"
        )
    source = survey.run("embeddings", run.info["parents"]["embeddings"])
    found = members.members(
        survey, source, config["class_name"], min_score=config["min_score"]
    ).crops
    known = survey.table("clusters", run.name).read(["crop_id"])["crop_id"].to_pylist()
    new = found.loc[~found["crop_id"].isin(known), "crop_id"].to_numpy(object)
    if not len(new):
        return Newcomers(run, 0, 0, 0)
    basis, landmarks = _rebuilt(survey, run, source, found)
    placed = landmarks.place(read_vectors(survey, source, new, basis))
    write_clusters(survey, run.name, f"placed-{unit_name(new)}", _rows(new, placed))
    unlike = (placed.labels < 0) & (placed.novelty >= UNLIKE)
    return Newcomers(run, len(new), int((placed.labels >= 0).sum()), int(unlike.sum()))


def _latest(survey: Survey, class_name: str | None) -> str | None:
    """Return the latest run of a whole class; None where there is none."""
    names = [
        run.name
        for run in whole_runs(survey)
        if class_name in (None, run.info["config"].get("class_name"))
    ]
    return names[-1] if names else None


def _rebuilt(survey: Survey, run: Run, source: Run, crops: pd.DataFrame) -> tuple[Basis, Landmarks]:
    """Return the projection that the run used, and the crops that it clustered."""
    config = run.info["config"]
    columns = ["crop_id", "cluster", "inherited_from", "placed"]
    rows = survey.table("clusters", run.name).read(columns, units=[ALL]).to_pandas()
    places = survey.table("maps", run.name).read(units=[ALL]).to_pandas()
    own = rows[rows["inherited_from"].isna()].merge(places, on="crop_id")
    own = own.merge(crops[["crop_id", "dive"]], on="crop_id", how="left").sort_values("crop_id")
    ids = own["crop_id"].to_numpy(object)
    sample = ids[spread_over(own["dive"].to_numpy(object), MOST, config["seed"])]
    basis = fit_basis(read_vectors(survey, source, sample), _projection(config))
    clustered = ~own["placed"].fillna(False).to_numpy(bool)
    reduced = read_vectors(survey, source, ids[clustered], basis)
    labels = own["cluster"].to_numpy(np.int32)[clustered]
    return basis, Landmarks(reduced, labels, own[["x", "y"]].to_numpy(np.float32)[clustered])


def _projection(config: dict[str, Any]) -> ProjectConfig:
    return ProjectConfig(components=config["components"], seed=config["seed"])


def _rows(crop_ids: npt.NDArray[np.object_], placed: Placed) -> Clustered:
    n = len(crop_ids)
    return Clustered(
        crop_ids=crop_ids,
        labels=placed.labels,
        probabilities=placed.probabilities,
        exemplars=np.zeros(n, bool),
        positions=placed.positions,
        novelty=placed.novelty,
        placed=np.ones(n, bool),
        takes_after=np.arange(n),
    )
