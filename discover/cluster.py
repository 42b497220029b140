"""Clusters of crops that nobody labelled, and the map they are shown on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from classify.runs import Config, Run, RunError, content_hash, installed_versions, start_run
from discover.kinds import members
from discover.kinds.clustered import Clustered, write_tables
from discover.kinds.density import Clustering
from discover.kinds.inherit import inheritance, standing
from discover.kinds.landmarks import MOST, choose_landmarks, spread_over
from discover.kinds.lineage import count_changes, earlier_run, trace
from discover.kinds.members import FEWEST, Members, read_vectors
from discover.kinds.methods import METHODS, finders
from discover.kinds.outcome import agreements, describe, summarise
from discover.kinds.placing import Landmarks
from discover.kinds.sweep import candidate_sizes, sweep
from discover.kinds.sweep_figure import write_sweep
from discover.naming.burst_verdicts import Bursts, bursts_so_far
from discover.project import NeighbourGraph, ProjectConfig, Vectors, fit_basis
from discover.survey import Survey, SurveyError

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.int64]
Stage = Callable[[str], object]

_LEAST = {"components": 1, "dimensions": 2, "neighbors": 2, "min_samples": 1}


@dataclass(frozen=True)
class ClusterConfig(Config):
    """How crops are clustered.

    Attributes:
        class_name: the class whose crops are clustered.
        min_score: crops with a lower score are left out of this run.
        keyframes: cluster one frame of each burst, the others take after it; where there are no
            bursts yet, every frame is clustered.
        min_size: the smallest group that is a cluster; 0 chooses it by a sweep.
        min_samples: how dense a neighbourhood must be.
        method: `umap` (a consensus of UMAP layouts, then HDBSCAN), or the plainer `pca-hdbscan` and
            `pca-kmeans`, to compare with.
        components: dimensions kept by PCA.
        dimensions: dimensions of each UMAP layout.
        neighbors: UMAP's neighbourhood.
        seed: seed of UMAP, k-means and the draw of landmarks.
        within_run: only crops of one cluster of this earlier run; None takes all of the class.
        within_cluster: number of that cluster.
        unnamed: only crops that no person has named, rejected or called indeterminate.
    """

    class_name: str
    min_score: float = 0.4
    keyframes: bool = True
    min_size: int = 0
    min_samples: int = 3
    method: str = "umap"
    components: int = 50
    dimensions: int = 8
    neighbors: int = 10
    seed: int = 0
    within_run: str | None = None
    within_cluster: int | None = None
    unnamed: bool = False

    def __post_init__(self) -> None:
        if self.min_size < 0 or self.min_size == 1:
            raise RunError(f"--min-size {self.min_size} must be at least 2, or auto")
        if not 0 <= self.min_score <= 1:
            raise RunError(f"--min-score {self.min_score} must be between 0 and 1")
        if self.method not in METHODS:
            raise RunError(f"--method {self.method} must be one of {', '.join(METHODS)}")
        for name, least in _LEAST.items():
            if (value := getattr(self, name)) < least:
                raise RunError(f"--{name.replace('_', '-')} {value} must be at least {least}")

    @property
    def projection(self) -> ProjectConfig:
        """How vectors are projected."""
        return ProjectConfig(self.components, self.dimensions, self.neighbors, self.seed)


def cluster(
    survey: Survey,
    config: ClusterConfig,
    *,
    embeddings: str | None = None,
    stage: Stage | None = None,
) -> Run:
    """Cluster the crops of a class and lay them out on a 2-D map.

    Of very many crops, some are clustered and the others are placed among them.

    Args:
        survey: the survey, with embeddings.
        config: class and settings.
        embeddings: the embeddings run; None takes the latest that has crops of the class.
        stage: called with a line at the start of each stage.

    Returns:
        The run, of which `clusters/<name>`, `maps/<name>`, `trees/<name>`, `sweeps/<name>` and
        `lineages/<name>` are the tables; its `counts` and `clusters` hold the summary. The same
        input gives the same run, and is not clustered twice.

    Raises:
        SurveyError: there are no embeddings, too few crops of the class, or a damaged vector.
    """
    say = stage or log.info
    found = _members(survey, config, embeddings)
    bursts = _bursts(survey) if config.keyframes else None
    run_name = _run_name(survey, found, bursts, config)
    for known in survey.runs("clusters"):
        if known.name == run_name and known.is_complete:
            return known
    run = _start(survey, run_name, found, bursts, config)
    say("reading vectors")
    space = _space(survey, found, bursts, config)
    say(f"projecting {len(space.chosen)} crops")
    graph = NeighbourGraph(space.reduced[space.chosen], config.projection)
    ways = finders(
        config.method,
        space.reduced[space.chosen],
        graph,
        config.projection,
        min_samples=config.min_samples,
        cap=not config.min_size,
    )
    say("clustering")
    sizes = [config.min_size] if config.min_size else candidate_sizes(len(space.chosen))
    best, curve = sweep(ways.find, ways.repeats, sizes)
    say("drawing the map")
    result = _everywhere(space, best, graph.map_positions(config.seed))
    write_tables(survey, run_name, result, best.tree, curve)
    _complete(survey, run, space, result, best, curve, found.left_out)
    return run


@dataclass(frozen=True)
class _Space:
    """The crops as points.

    Attributes:
        crops: as in `Members`.
        reduced: float32 [n, k].
        takes_after: int64 [n], the crop whose cluster each takes: itself, where it stands for its
            burst.
        own: rows of the crops that take after themselves.
        chosen: rows of those of them that are clustered; the others are placed.
    """

    crops: pd.DataFrame
    reduced: Vectors
    takes_after: Rows
    own: Rows
    chosen: Rows


def _members(survey: Survey, config: ClusterConfig, embeddings: str | None) -> Members:
    inside = None
    if config.within_run is not None:
        inside = survey.run("clusters", config.within_run)
        embeddings = embeddings or inside.info["parents"]["embeddings"]
    source = members.source_run(survey, embeddings, config.class_name)
    found = members.members(survey, source, config.class_name, min_score=config.min_score)
    if inside is not None and config.within_cluster is not None:
        found = members.within(survey, found, inside, config.within_cluster)
    return members.unnamed(survey, found) if config.unnamed else found


def _bursts(survey: Survey) -> Bursts | None:
    """Return the latest bursts as people corrected them, or None with a word in the log."""
    if survey.latest("bursts") is None:
        log.warning(
            "no bursts yet, so that near-duplicates are clustered too: `discover bursts` first"
        )
        return None
    return bursts_so_far(survey)


def _key_of(survey: Survey, bursts: Bursts) -> dict[str, object]:
    """Return what tells bursts apart: their run, and what people corrected."""
    corrected = {"corrected": content_hash(sorted(bursts.moved.items()))} if bursts.moved else {}
    return survey.run("bursts", bursts.run).info["counts"] | {"run": bursts.run} | corrected


def _run_name(survey: Survey, found: Members, bursts: Bursts | None, config: ClusterConfig) -> str:
    key = {
        "config": config.to_dict(),
        "embeddings": found.source.name,
        "bursts": _key_of(survey, bursts) if bursts else None,
        "units": survey.table("embeddings", found.source.name).units(),
        "versions": installed_versions(),
        "unnamed": content_hash(found.crops["crop_id"].tolist()) if config.unnamed else None,
    }
    return f"{config.class_name}-{content_hash(key)}"


def _start(
    survey: Survey, name: str, found: Members, bursts: Bursts | None, config: ClusterConfig
) -> Run:
    parents = {
        "embeddings": found.source.name,
        "crops": survey.crops_of(found.source).folder.name,
        **({"bursts": bursts.run} if bursts else {}),
        **({"clusters": config.within_run} if config.within_run else {}),
    }
    return start_run(
        survey.run_folder("clusters", name),
        command="discover cluster",
        config=config.to_dict(),
        seed=config.seed,
        parents=parents,
        model_hash=found.source.info.get("model_hash"),
    )


def _space(survey: Survey, found: Members, bursts: Bursts | None, config: ClusterConfig) -> _Space:
    crops = found.crops
    stands = np.ones(len(crops), bool)
    if bursts:
        of_frame = bursts.table[["frame_id", "burst_id", "keyframe"]]
        crops = crops.merge(of_frame, on="frame_id", how="left")
        stands = standing(crops)
    own = np.flatnonzero(stands)
    if len(own) < FEWEST:
        raise SurveyError(
            f"{len(crops)} crops of class {config.class_name} come from {len(own)} scenes, at "
            f"least {FEWEST} are needed: add --all to cluster every frame"
        )
    ids, dives = crops["crop_id"].to_numpy(object), crops["dive"].to_numpy(object)
    sample = own[spread_over(dives[own], MOST, config.seed)]
    basis = fit_basis(read_vectors(survey, found.source, ids[sample]), config.projection)
    reduced = read_vectors(survey, found.source, ids, basis)
    takes_after = inheritance(crops, reduced) if bursts else np.arange(len(crops))
    chosen = own[choose_landmarks(reduced[own], dives[own], seed=config.seed)]
    return _Space(crops, reduced, takes_after, own, chosen)


def _everywhere(space: _Space, best: Clustering, positions: Vectors) -> Clustered:
    """Return the clusters of all crops: found, placed, or taken after another."""
    known = Landmarks(space.reduced[space.chosen], best.labels, positions)
    n = len(space.crops)
    out = Clustered(
        crop_ids=space.crops["crop_id"].to_numpy(),
        labels=np.full(n, -1, np.int32),
        probabilities=np.zeros(n, np.float32),
        exemplars=np.zeros(n, bool),
        positions=np.zeros((n, 2), np.float32),
        novelty=np.zeros(n, np.float32),
        placed=np.zeros(n, bool),
        takes_after=space.takes_after,
    )
    out.put(space.chosen, best.labels, best.probabilities, positions, known.novelty)
    out.exemplars[space.chosen] = best.exemplars
    rest = np.setdiff1d(space.own, space.chosen)
    if len(rest):
        put = known.place(space.reduced[rest])
        out.put(rest, put.labels, put.probabilities, put.positions, put.novelty)
        out.placed[rest] = True
    return out.inherited()


def _complete(
    survey: Survey,
    run: Run,
    space: _Space,
    result: Clustered,
    best: Clustering,
    curve: pa.Table,
    left_out: int,
) -> None:
    write_sweep(curve.to_pandas(), run.path)
    traced = trace(result.table(), earlier_run(survey, run), run.name)
    survey.table("lineages", run.name).discard("all")
    survey.table("lineages", run.name).write("all", traced)
    of_scenes = space.crops.iloc[space.own].reset_index(drop=True)
    labels = result.labels[space.own]
    against = traced["earlier_run"].drop_null()
    counts = {
        **summarise(of_scenes, labels, best),
        **agreements(curve),
        "crops": len(space.crops),
        "inherited": len(space.crops) - len(space.own),
        "placed": len(space.own) - len(space.chosen),
        "below_min_score": left_out,
        "earlier_run": against[0].as_py() if len(against) else None,
        "changes": count_changes(traced),
    }
    run.complete(counts=counts, clusters=describe(of_scenes, labels, best, traced))
