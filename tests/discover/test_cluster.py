from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from classify.runs import RunError, start_run
from discover.cluster import ClusterConfig, cluster
from discover.density import candidate_sizes, find_clusters
from discover.project import ProjectConfig, reduce_linearly, umap_project
from discover.survey import Survey, SurveyError, concat_rows, open_survey
from discover.tables import vectors_to_column

KINDS, EACH = 6, 30


def _vectors(noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(KINDS), EACH)
    centres = rng.normal(size=(KINDS, 32))
    vectors = centres[truth] + rng.normal(scale=noise, size=(len(truth), 32))
    return vectors.astype(np.float32), truth


def _survey(folder: Path, vectors: np.ndarray, class_name: str = "waste") -> Survey:
    """A survey in which crop i, of score 1 or (every tenth) 0.3, has vector i; two dives."""
    survey = open_survey(folder, create=True)
    count = len(vectors)
    frames = {name: [None] * count for name in survey.frames.schema.names}
    frames |= {
        "frame_id": [f"f{i:04d}" for i in range(count)],
        "path": [f"{i}.jpg" for i in range(count)],
        "dive": [f"d{i % 2}" for i in range(count)],
        "index": list(range(count)),
    }
    survey.frames.write("u", concat_rows(frames, "frames"))
    crop_ids = [f"c{i:04d}" for i in range(count)]
    crops = {name: [None] * count for name in survey.table("crops", "r").schema.names}
    crops |= {
        "crop_id": crop_ids,
        "frame_id": frames["frame_id"],
        "class": [class_name] * count,
        "score": [0.3 if i % 10 == 0 else 1.0 for i in range(count)],
    }
    survey.table("crops", "r").write("u", concat_rows(crops, "crops"))
    column, described = vectors_to_column(vectors)
    rows = pa.table({"crop_id": crop_ids, "vector": column}).replace_schema_metadata(described)
    survey.table("embeddings", "r").write("u", rows)
    start_run(survey.run_folder("embeddings", "r"), command="embed", config={}).complete(counts={})
    return survey


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return _survey(tmp_path_factory.mktemp("clusters"), _vectors()[0])


def _found(survey: Survey, run_name: str, table: str) -> list[dict[str, object]]:
    return survey.table(table, run_name).read().to_pylist()


def test_groups_that_are_apart_are_found(survey: Survey) -> None:
    run = cluster(survey, ClusterConfig("waste", min_score=0))
    rows = _found(survey, run.name, "clusters")
    kinds = [int(str(row["crop_id"])[1:]) // EACH for row in rows]
    assert adjusted_mutual_info_score(kinds, [row["cluster"] for row in rows]) > 0.95
    assert run.info["counts"]["crops"] == KINDS * EACH
    assert abs(run.info["counts"]["ami_dive"]) < 0.1


def test_tables_are_complete_and_exemplars_are_members(survey: Survey) -> None:
    run = cluster(survey, ClusterConfig("waste"))
    clusters, positions = (_found(survey, run.name, name) for name in ("clusters", "maps"))
    assert [r["crop_id"] for r in clusters] == [r["crop_id"] for r in positions]
    assert all(np.isfinite([r["x"], r["y"]]).all() for r in positions)
    numbers = {r["cluster"] for r in clusters} - {-1}
    assert {r["cluster"] for r in clusters if r["exemplar"]} == numbers
    assert {r["cluster"] for r in run.info["clusters"]} == numbers
    assert sum(r["size"] for r in run.info["clusters"]) + run.info["counts"]["noise"] == len(
        clusters
    )
    nodes = {r["cluster"] for r in _found(survey, run.name, "trees")} - {None}
    assert nodes == numbers
    assert run.info["counts"]["below_min_score"] == KINDS * EACH // 10


def test_the_same_input_is_clustered_once(survey: Survey) -> None:
    first = cluster(survey, ClusterConfig("waste", seed=3))
    file = survey.table("clusters", first.name).files()[0]
    before = file.stat().st_mtime_ns
    again = cluster(survey, ClusterConfig("waste", seed=3))
    assert (again.name, file.stat().st_mtime_ns) == (first.name, before)
    assert cluster(survey, ClusterConfig("waste", seed=4)).name != first.name


def test_the_same_seed_gives_the_same_clusters() -> None:
    config = ProjectConfig(seed=7)
    reduced = reduce_linearly(_vectors(noise=0.8)[0], config)
    labels = [
        find_clusters(umap_project(reduced, dimensions=5, min_dist=0.0, config=config)).labels
        for _ in range(2)
    ]
    assert np.array_equal(*labels)


def test_points_far_from_all_groups_stay_noise() -> None:
    rng = np.random.default_rng(1)
    groups = np.concatenate([rng.normal(c, 0.05, (30, 2)) for c in (0, 5, 10)])
    strays = np.array([[50.0, -50.0], [-60.0, 40.0], [90.0, 90.0]])
    found = find_clusters(np.concatenate([groups, strays]).astype(np.float32), min_size=10)
    assert (found.labels[-3:] == -1).all()
    assert (found.probabilities[-3:] == 0).all()


def test_auto_opens_a_cluster_that_would_swallow_most() -> None:
    rng = np.random.default_rng(2)
    near = [rng.normal((x, 0), 0.15, (25, 2)) for x in range(8)]
    far = rng.normal((100, 100), 0.15, (25, 2))
    vectors = np.concatenate([*near, far]).astype(np.float32)
    assert find_clusters(vectors).largest_share <= 0.2
    assert candidate_sizes(len(vectors))[0] == 4


def test_too_few_crops_say_what_there_is(survey: Survey, tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"--class fauna.*r has 180 waste"):
        cluster(survey, ClusterConfig("fauna"))
    few = _survey(tmp_path, _vectors()[0][:13])
    with pytest.raises(SurveyError, match=r"--min-score 0\.5: 11 of the 13 crops.*lower it"):
        cluster(few, ClusterConfig("waste"))
    with pytest.raises(SurveyError, match="there are: r"):
        cluster(few, ClusterConfig("waste"), embeddings="none-such")


@pytest.mark.parametrize("wrong", [{"min_size": 1}, {"min_size": -3}, {"min_score": 1.5}])
def test_wrong_settings_name_the_option(wrong: dict[str, float]) -> None:
    with pytest.raises(RunError, match=f"--{next(iter(wrong)).replace('_', '-')}"):
        ClusterConfig("waste", **wrong)


def test_identical_vectors_are_one_group_or_noise(tmp_path: Path) -> None:
    run = cluster(_survey(tmp_path, np.ones((40, 16), np.float32)), ClusterConfig("waste"))
    assert run.is_complete
    assert run.info["counts"]["clusters"] <= 1


def test_equal_vectors_share_one_position() -> None:
    distinct = reduce_linearly(_vectors()[0], ProjectConfig())
    twice = np.concatenate([distinct, distinct[:50]])
    projected = umap_project(twice, dimensions=3, min_dist=0.0, config=ProjectConfig())
    assert np.array_equal(projected[-50:], projected[:50])
    two = np.repeat(np.eye(2, 20, dtype=np.float32), 10, axis=0)
    placed = umap_project(two, dimensions=2, min_dist=0.0, config=ProjectConfig())
    assert len(np.unique(placed, axis=0)) == 2


def test_vectors_that_are_not_finite_are_refused() -> None:
    vectors = _vectors()[0]
    vectors[3, 4] = np.nan
    with pytest.raises(ValueError, match="1 of 180 are not finite"):
        reduce_linearly(vectors, ProjectConfig())


def test_one_frame_of_a_burst_is_clustered_and_the_others_take_after_it(tmp_path: Path) -> None:
    vectors, _ = _vectors()
    survey = _survey(tmp_path, np.repeat(vectors, 2, axis=0))
    frames = [f"f{i:04d}" for i in range(2 * len(vectors))]
    rows = {
        "frame_id": frames,
        "burst_id": [f"b{i // 2}" for i in range(len(frames))],
        "keyframe": [i % 2 == 1 for i in range(len(frames))],
        "proof": [1.0] * len(frames),
        "order": list(range(len(frames))),
        "flags": [[] for _ in frames],
    }
    survey.table("bursts", "r").write("u", concat_rows(rows, "bursts"))
    start_run(survey.run_folder("bursts", "r"), command="bursts", config={}).complete(counts={})
    run = cluster(survey, ClusterConfig("waste", min_score=0))
    table = survey.table("clusters", run.name).read().to_pandas()
    assert run.info["counts"]["inherited"] == len(vectors)
    assert run.info["parents"]["bursts"] == "r"
    assert sum(r["size"] for r in run.info["clusters"]) + run.info["counts"]["noise"] == len(
        vectors
    )
    taker = table[table["inherited_from"].notna()].set_index("crop_id")
    giver = table.set_index("crop_id").loc[taker["inherited_from"]]
    assert (taker["cluster"].to_numpy() == giver["cluster"].to_numpy()).all()
    assert not taker["exemplar"].any()
    every = cluster(survey, ClusterConfig("waste", min_score=0, keyframes=False))
    assert every.info["counts"]["inherited"] == 0
    assert every.name != run.name
