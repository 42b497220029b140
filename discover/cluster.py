"""Clusters of crops that nobody labelled: HDBSCAN on projected embeddings."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.runs import Config, Run, RunError, content_hash, installed_versions, start_run
from discover.density import Clustering, find_clusters
from discover.inherit import inheritance
from discover.project import ProjectConfig, map_positions, reduce_linearly, umap_project
from discover.survey import Survey, SurveyError, concat_rows
from discover.tables import column_to_vectors

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
Stage = Callable[[str], object]

_FEWEST = 12  # crops: below this a neighbourhood says nothing


@dataclass(frozen=True)
class ClusterConfig(Config):
    """How crops are clustered.

    Attributes:
        class_name: the class whose crops are clustered.
        min_score: crops whose class is less probable are left out of this run.
        keyframes: cluster one frame of each burst, the others take after it; where there are no
            bursts yet, every frame is clustered.
        min_size: the smallest group that is a cluster; 0 chooses it by the validity of the result.
        min_samples: how dense a neighbourhood must be; 0 = `min_size`, at most 10.
        components: dimensions kept by PCA.
        dimensions: dimensions that UMAP leaves.
        neighbors: UMAP's neighbourhood.
        seed: seed of PCA and UMAP.
    """

    class_name: str
    min_score: float = 0.5
    keyframes: bool = True
    min_size: int = 0
    min_samples: int = 0
    components: int = 20
    dimensions: int = 8
    neighbors: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.min_size < 0 or self.min_size == 1:
            raise RunError(f"--min-size {self.min_size} must be at least 2, or auto")
        if not 0 <= self.min_score <= 1:
            raise RunError(f"--min-score {self.min_score} must be between 0 and 1")


def cluster(
    survey: Survey,
    config: ClusterConfig,
    *,
    embeddings: str | None = None,
    stage: Stage | None = None,
) -> Run:
    """Cluster the crops of a class and lay them out on a 2-D map.

    Args:
        survey: the survey, with embeddings.
        config: class and settings.
        embeddings: the embeddings run; None takes the latest that has crops of the class.
        stage: called with a line at the start of each stage.

    Returns:
        The run, of which `clusters/<name>`, `maps/<name>` and `trees/<name>` are the tables; its
        `counts` and `clusters` hold the summary. The same input gives the same run, and is not
        clustered twice.

    Raises:
        SurveyError: there are no embeddings, or too few crops of the class.
    """
    say = stage or log.info
    source = _source_run(survey, embeddings, config.class_name)
    bursts = _bursts(survey) if config.keyframes else None
    crops, left_out = _crops_of_class(survey, source, config)
    run_name = _run_name(survey, source, bursts, config)
    folder = survey.run_folder("clusters", run_name)
    known = {run.name: run for run in survey.runs("clusters") if run.is_complete}
    if run_name in known:
        return known[run_name]
    run = start_run(
        folder,
        command="discover cluster",
        config=config.to_dict(),
        seed=config.seed,
        parents={
            "embeddings": source.name,
            "crops": survey.crops_of(source).folder.name,
            **({"bursts": bursts.name} if bursts else {}),
        },
        model_hash=source.info.get("model_hash"),
    )
    vectors = np.stack(crops["vector"].to_list())
    takes_after = np.arange(len(crops))
    if bursts:
        takes_after = inheritance(_with_bursts(survey, bursts, crops), vectors)
    own = np.unique(takes_after)
    if len(own) < _FEWEST:
        raise SurveyError(
            f"{len(crops)} crops of class {config.class_name} come from {len(own)} scenes, at "
            f"least {_FEWEST} are needed: add --all to cluster every frame"
        )
    say(f"projecting {len(own)} crops")
    settings = ProjectConfig(config.components, config.dimensions, config.neighbors, config.seed)
    reduced = reduce_linearly(vectors[own], settings)
    dense = umap_project(reduced, dimensions=config.dimensions, min_dist=0.0, config=settings)
    say("clustering")
    found = find_clusters(dense, min_size=config.min_size, min_samples=config.min_samples)
    say("drawing the map")
    positions = map_positions(reduced, settings)
    place = np.searchsorted(own, takes_after)
    _write(survey, run_name, crops, found, positions, place, own)
    of_scenes = crops.iloc[own].reset_index(drop=True)
    counts = {
        **_summary(of_scenes, found),
        "crops": len(crops),
        "inherited": len(crops) - len(own),
        "below_min_score": left_out,
    }
    run.complete(counts=counts, clusters=_describe(of_scenes, found))
    return run


def _bursts(survey: Survey) -> Run | None:
    """Return the latest finished run of bursts, or None with a word in the log."""
    done = [run for run in survey.runs("bursts") if run.is_complete]
    if not done:
        log.warning(
            "no bursts yet, so that near-duplicates are clustered too: `discover bursts` first"
        )
        return None
    return done[-1]


def _with_bursts(survey: Survey, bursts: Run, crops: pd.DataFrame) -> pd.DataFrame:
    of_frame = survey.table("bursts", bursts.name).read(["frame_id", "burst_id", "keyframe"])
    return crops.merge(of_frame.to_pandas(), on="frame_id", how="left")


def _source_run(survey: Survey, name: str | None, class_name: str) -> Run:
    """Return the embeddings run `name`, or the latest that has enough crops of the class."""
    if name is not None:
        runs = [survey.run("embeddings", name)]
    else:
        survey.run("embeddings")  # raises where there is none at all
        runs = [run for run in reversed(survey.runs("embeddings")) if run.is_complete]
    counted = {run.name: _class_counts(survey, run) for run in runs}
    for run in runs:
        if counted[run.name].get(class_name, 0) >= _FEWEST:
            return run
    have = "; ".join(
        f"{name} has {', '.join(f'{n} {c}' for c, n in counts.items()) or 'no crops'}"
        for name, counts in counted.items()
    )
    raise SurveyError(
        f"--class {class_name}: no embeddings with at least {_FEWEST} crops of this class ({have})"
    )


def _class_counts(survey: Survey, run: Run) -> dict[str, int]:
    counts = survey.sql(
        'select "class", count(*) as n from crops group by 1 order by 2 desc',
        crops=survey.crops_of(run),
    )
    return dict(zip(counts["class"], counts["n"].astype(int), strict=True))


def _crops_of_class(survey: Survey, source: Run, config: ClusterConfig) -> tuple[pd.DataFrame, int]:
    """Return columns `crop_id, frame_id, vector, dive, score`, and how many the score left out.

    Sorted by crop id, so that the order of the shards never matters.
    """
    crops = survey.sql(
        "select crop_id, frame_id, dive, score from crops join frames using (frame_id) "
        'where "class" = ?',
        [config.class_name],
        crops=survey.crops_of(source),
    )
    wanted = crops[crops["score"] >= config.min_score]
    if len(wanted) < _FEWEST:
        raise SurveyError(
            f"--min-score {config.min_score}: {len(wanted)} of the {len(crops)} crops of class "
            f"{config.class_name} reach it, at least {_FEWEST} are needed; lower it"
        )
    table = survey.table("embeddings", source.name).read()
    vectors = pd.DataFrame(
        {"crop_id": table["crop_id"].to_pylist(), "vector": list(column_to_vectors(table))}
    )
    joined = wanted.merge(vectors, on="crop_id").sort_values("crop_id")
    return joined.reset_index(drop=True), len(crops) - len(wanted)


def _run_name(survey: Survey, source: Run, bursts: Run | None, config: ClusterConfig) -> str:
    key = {
        "config": config.to_dict(),
        "embeddings": source.name,
        "bursts": bursts.info["counts"] | {"run": bursts.name} if bursts else None,
        "units": survey.table("embeddings", source.name).units(),
        "versions": installed_versions(),
    }
    return f"{config.class_name}-{content_hash(key)}"


def _write(
    survey: Survey,
    name: str,
    crops: pd.DataFrame,
    found: Clustering,
    positions: Vectors,
    place: npt.NDArray[np.int64],
    own: npt.NDArray[np.int64],
) -> None:
    """Write the tables: crop i has the cluster of the `place[i]`-th of the crops `own`."""
    crop_ids = crops["crop_id"].to_numpy()
    inherits = own[place] != np.arange(len(crops))
    x, y = positions[place].T
    rows = {
        "clusters": {
            "crop_id": crop_ids.tolist(),
            "cluster": found.labels[place].tolist(),
            "probability": found.probabilities[place].tolist(),
            "exemplar": (found.exemplars[place] & ~inherits).tolist(),
            "inherited_from": [
                source if other else None
                for source, other in zip(crop_ids[own[place]], inherits, strict=True)
            ],
        },
        "maps": {"crop_id": crop_ids.tolist(), "x": x.tolist(), "y": y.tolist()},
    }
    for table, columns in rows.items():
        survey.table(table, name).discard("all")  # left by a run that was killed
        survey.table(table, name).write("all", concat_rows(columns, table))
    survey.table("trees", name).discard("all")
    survey.table("trees", name).write("all", found.tree)


def _summary(crops: pd.DataFrame, found: Clustering) -> dict[str, Any]:
    from sklearn.metrics import adjusted_mutual_info_score

    inside = found.labels >= 0
    ami = adjusted_mutual_info_score(crops["dive"][inside], found.labels[inside])
    return {
        "crops": len(crops),
        "dives": int(crops["dive"].nunique()),
        "clusters": len(found.persistence),
        "noise": int((~inside).sum()),
        "largest_share": round(found.largest_share, 4),
        "min_size": found.min_size,
        "validity": round(found.validity, 4),
        "ami_dive": round(float(ami), 4) if inside.any() else None,
    }


def _describe(crops: pd.DataFrame, found: Clustering) -> list[dict[str, Any]]:
    """Return size, dives and persistence of each cluster, the largest first."""
    rows = [
        {
            "cluster": number,
            "size": int((found.labels == number).sum()),
            "dives": int(crops["dive"][found.labels == number].nunique()),
            "persistence": round(persistence, 4),
        }
        for number, persistence in found.persistence.items()
    ]
    return sorted(rows, key=lambda row: -int(row["size"]))
