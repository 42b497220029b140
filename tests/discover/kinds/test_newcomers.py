from pathlib import Path

import numpy as np
import pytest

from discover.cluster import ClusterConfig, cluster
from discover.kinds.clustered import unlike_anything
from discover.kinds.lineage import whole_runs
from discover.kinds.newcomers import place_new
from discover.survey import Survey, SurveyError
from tests.discover.vectors_by_hand import EACH, add_crops, groups, survey_of


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return survey_of(tmp_path, groups()[0])


def _rows(survey: Survey, run: str) -> dict[str, dict[str, object]]:
    return {row["crop_id"]: row for row in survey.table("clusters", run).read().to_pylist()}


def test_new_crops_are_placed_and_nothing_moves(survey: Survey) -> None:
    run = cluster(survey, ClusterConfig("waste", min_score=0))
    before, places = _rows(survey, run.name), survey.table("maps", run.name).read().to_pylist()
    strange = np.random.default_rng(4).normal(size=(9, 32)).astype(np.float32)
    known = groups(seed=8)[0]
    ids = add_crops(survey, np.concatenate([known, strange]), start=1000, unit="v")
    done = place_new(survey)
    after = _rows(survey, run.name)
    assert (done.run.name, done.new) == (run.name, len(ids))
    assert {key: after[key] for key in before} == before
    assert survey.table("maps", run.name).read(units=["all"]).to_pylist() == places
    label = {key // EACH: before[f"c{key:04d}"]["cluster"] for key in range(len(known))}
    placed = [after[crop]["cluster"] for crop in ids[: len(known)]]
    right = [n == label[i // EACH] for i, n in enumerate(placed) if n >= 0]
    assert all(right)
    assert len(right) > 0.8 * len(known)
    assert all(after[crop]["cluster"] == -1 for crop in ids[-9:])
    queue = unlike_anything(survey, run.name)
    assert set(ids[-9:]) <= set(queue.loc[queue["placed"], "crop_id"])
    assert queue["novelty"].is_monotonic_decreasing


def test_placing_twice_adds_nothing_and_in_parts_equals_at_once(survey: Survey) -> None:
    run = cluster(survey, ClusterConfig("waste", min_score=0))
    more = groups(noise=0.6, seed=2)[0][:60]
    add_crops(survey, more[:20], start=1000, unit="v")
    assert place_new(survey).new == 20
    again = place_new(survey)
    assert (again.new, again.in_clusters, again.unlike) == (0, 0, 0)
    add_crops(survey, more[20:], start=1020, unit="w")
    place_new(survey)
    in_parts = _rows(survey, run.name)
    for table in ("clusters", "maps"):
        for unit in set(survey.table(table, run.name).units()) - {"all"}:
            survey.table(table, run.name).discard(unit)
    assert place_new(survey, run.name).new == 60
    at_once = _rows(survey, run.name)
    assert {k: r["cluster"] for k, r in in_parts.items()} == {
        k: r["cluster"] for k, r in at_once.items()
    }


def test_a_look_into_a_cluster_takes_no_new_crops(survey: Survey) -> None:
    whole = cluster(survey, ClusterConfig("waste", min_score=0))
    inside = cluster(
        survey, ClusterConfig("waste", min_score=0, within_run=whole.name, within_cluster=0)
    )
    assert place_new(survey).run.name == whole.name
    with pytest.raises(SurveyError, match=f"{inside.name} holds one cluster of {whole.name}"):
        place_new(survey, inside.name)
    with pytest.raises(SurveyError, match="clusters of class 'fauna'"):
        place_new(survey, class_name="fauna")


def test_a_look_into_a_cluster_does_not_stand_for_its_class(survey: Survey) -> None:
    whole = cluster(survey, ClusterConfig("waste", min_score=0))
    cluster(survey, ClusterConfig("waste", min_score=0, within_run=whole.name, within_cluster=0))
    assert [run.name for run in whole_runs(survey)] == [whole.name]
