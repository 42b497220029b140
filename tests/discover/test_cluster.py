from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from classify.runs import RunError
from discover import cluster as cluster_module
from discover.cluster import ClusterConfig, cluster
from discover.kinds import landmarks
from discover.kinds.lineage import whole_runs
from discover.kinds.methods import METHODS
from discover.kinds.sweep import STABLE
from discover.kinds.sweep_figure import SWEEP_FILE
from discover.labels import Labels
from discover.survey import Survey, SurveyError
from tests.discover.vectors_by_hand import EACH, KINDS, add_bursts, groups, survey_of


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey_of(tmp_path_factory.mktemp("clusters"), groups()[0])


def _found(survey: Survey, run_name: str, table: str) -> list[dict[str, object]]:
    return survey.table(table, run_name).read().to_pylist()


def _kinds(rows: list[dict[str, object]]) -> list[int]:
    return [int(str(row["crop_id"])[1:]) // EACH for row in rows]


@pytest.mark.parametrize("method", METHODS)
def test_groups_that_are_apart_are_found(survey: Survey, method: str) -> None:
    run = cluster(survey, ClusterConfig("waste", min_score=0, method=method))
    rows = _found(survey, run.name, "clusters")
    truth, labels = _kinds(rows), [row["cluster"] for row in rows]
    assert adjusted_mutual_info_score(truth, labels) > (0.8 if method == "pca-kmeans" else 0.95)
    assert run.info["counts"]["crops"] == KINDS * EACH
    assert abs(run.info["counts"]["ami_dive"]) < 0.1


def test_what_is_stable_is_said_to_be(survey: Survey) -> None:
    counts = cluster(survey, ClusterConfig("waste", min_score=0)).info["counts"]
    assert counts["seeds_agree"] > STABLE
    curve = survey.table("sweeps", cluster(survey, ClusterConfig("waste", min_score=0)).name).read()
    assert sum(curve["chosen"].to_pylist()) == 1


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
    assert all(0 <= r["novelty"] <= 1 and not r["placed"] for r in clusters)
    assert run.info["counts"]["below_min_score"] == KINDS * EACH // 10
    assert (run.path / SWEEP_FILE).is_file()


def test_the_same_input_is_clustered_once(survey: Survey) -> None:
    first = cluster(survey, ClusterConfig("waste", seed=3))
    file = survey.table("clusters", first.name).files()[0]
    before = file.stat().st_mtime_ns
    again = cluster(survey, ClusterConfig("waste", seed=3))
    assert (again.name, file.stat().st_mtime_ns) == (first.name, before)
    assert cluster(survey, ClusterConfig("waste", seed=4)).name != first.name


def test_too_few_crops_say_what_there_is(survey: Survey, tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"--class fauna.*r has 180 waste"):
        cluster(survey, ClusterConfig("fauna"))
    few = survey_of(tmp_path / "few", groups()[0][:13])
    with pytest.raises(SurveyError, match=r"--min-score 0\.4: 11 of the 13 crops.*lower it"):
        cluster(few, ClusterConfig("waste"))
    with pytest.raises(SurveyError, match="there are: r"):
        cluster(few, ClusterConfig("waste"), embeddings="none-such")
    one = survey_of(tmp_path / "one", groups()[0][:1])
    with pytest.raises(SurveyError, match=r"at least 12 crops of this class \(r has 1 waste"):
        cluster(one, ClusterConfig("waste", min_score=0))


@pytest.mark.parametrize(
    "wrong",
    [{"min_size": 1}, {"min_size": -3}, {"min_score": 1.5}, {"method": "tsne"}, {"neighbors": 1}],
)
def test_wrong_settings_name_the_option(wrong: dict[str, float]) -> None:
    with pytest.raises(RunError, match=f"--{next(iter(wrong)).replace('_', '-')}"):
        ClusterConfig("waste", **wrong)


@pytest.mark.parametrize("method", METHODS)
def test_identical_vectors_are_one_group_or_noise(tmp_path: Path, method: str) -> None:
    survey = survey_of(tmp_path, np.ones((40, 16), np.float32))
    run = cluster(survey, ClusterConfig("waste", method=method))
    assert run.is_complete
    assert run.info["counts"]["clusters"] <= 1


def test_one_frame_of_a_burst_is_clustered_and_the_others_take_after_it(tmp_path: Path) -> None:
    vectors, _ = groups()
    survey = survey_of(tmp_path, np.repeat(vectors, 2, axis=0))
    add_bursts(survey, 2 * len(vectors), each=2)
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


def test_of_very_many_some_are_clustered_and_the_others_placed(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(reduced: np.ndarray, dives: np.ndarray, *, seed: int) -> np.ndarray:
        return landmarks.choose_landmarks(reduced, dives, seed=seed, count=90)

    monkeypatch.setattr(cluster_module, "choose_landmarks", few)
    run = cluster(survey, ClusterConfig("waste", min_score=0, seed=9))
    rows = _found(survey, run.name, "clusters")
    assert run.info["counts"]["placed"] == sum(bool(row["placed"]) for row in rows) == 90
    assert adjusted_mutual_info_score(_kinds(rows), [row["cluster"] for row in rows]) > 0.9


def test_a_cluster_is_looked_into_and_its_run_says_whose_it_is(survey: Survey) -> None:
    whole = cluster(survey, ClusterConfig("waste", min_score=0))
    inside = whole.info["clusters"][0]
    config = ClusterConfig(
        "waste", min_score=0, within_run=whole.name, within_cluster=inside["cluster"]
    )
    run = cluster(survey, config)
    ids = {r["crop_id"] for r in _found(survey, run.name, "clusters")}
    of_cluster = [
        r for r in _found(survey, whole.name, "clusters") if r["cluster"] == inside["cluster"]
    ]
    assert ids == {r["crop_id"] for r in of_cluster}
    assert run.info["parents"]["clusters"] == whole.name
    assert run.info["counts"]["earlier_run"] is None
    with pytest.raises(SurveyError, match="--within 99"):
        cluster(survey, ClusterConfig("waste", within_run=whole.name, within_cluster=99))


def test_a_second_run_carries_lineages_on(tmp_path: Path) -> None:
    survey = survey_of(tmp_path, groups()[0])
    first = cluster(survey, ClusterConfig("waste", min_score=0))
    second = cluster(survey, ClusterConfig("waste", min_score=0, seed=1))
    assert second.info["counts"]["earlier_run"] == first.name
    assert second.info["counts"]["changes"] == {"kept": KINDS}
    assert {c["lineage"] for c in second.info["clusters"]} == {
        f"{first.name}/{c['cluster']}" for c in first.info["clusters"]
    }


def test_only_what_has_no_name_is_clustered_anew(tmp_path: Path) -> None:
    survey = survey_of(tmp_path, groups()[0])
    everything = cluster(survey, ClusterConfig("waste", min_score=0))
    ids = [str(row["crop_id"]) for row in _found(survey, everything.name, "clusters")]
    labels = Labels(survey.labels_url)
    labels.name(ids[: 2 * EACH], "rope", annotator="eva")
    labels.name(ids[-EACH:], "bag", annotator="head-1", origin="machine")  # a suggestion
    rest = cluster(survey, ClusterConfig("waste", min_score=0, unnamed=True))
    assert [r["crop_id"] for r in _found(survey, rest.name, "clusters")] == ids[2 * EACH :]
    assert cluster(survey, ClusterConfig("waste", min_score=0, unnamed=True)).name == rest.name
    assert [run.name for run in whole_runs(survey)] == [everything.name]
    labels.name(ids[2 * EACH : 3 * EACH], "net", annotator="eva")
    assert cluster(survey, ClusterConfig("waste", min_score=0, unnamed=True)).name != rest.name
    labels.name(ids[5:], "all", annotator="eva")
    with pytest.raises(SurveyError, match="--unnamed: 0 of 180 crops have no name yet"):
        cluster(survey, ClusterConfig("waste", min_score=0, unnamed=True))
    labels.close()
