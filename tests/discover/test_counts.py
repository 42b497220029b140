from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discover.counts import CountConfig, count_kinds, count_sightings, over_dives
from discover.labels import Labels
from discover.survey import Survey, SurveyError
from tests.discover.tables_by_hand import add_run, make_survey

Seen = tuple[int, int]  # frame, cluster


def _survey(
    folder: Path,
    seen: dict[str, Sequence[Seen]],
    *,
    frames: int = 12,
    burst: int = 3,
    seconds: float | None = None,
) -> Survey:
    """Make dives of `frames` in bursts of `burst`; `seen` has a crop of a cluster in a frame."""
    start = datetime(2024, 5, 1, tzinfo=UTC)
    times = [
        None if seconds is None else start + timedelta(seconds=seconds * n) for n in range(frames)
    ]
    survey = make_survey(folder, dict.fromkeys(seen, frames), time_utc=times * len(seen))
    rows = survey.frames.read(["frame_id", "dive", "index"]).to_pylist()
    add_run(
        survey,
        "bursts",
        frame_id=[row["frame_id"] for row in rows],
        burst_id=[f"{row['dive']}-{row['index'] // burst}" for row in rows],
        order=[row["index"] for row in rows],
    )
    crops = [
        (f"{dive}-{n}", f"{dive}/{frame:02d}", cluster)
        for dive, of_dive in seen.items()
        for n, (frame, cluster) in enumerate(of_dive)
    ]
    ids, where, clusters = ([crop[i] for crop in crops] for i in range(3))
    add_run(survey, "crops", crop_id=ids, frame_id=where, **{"class": ["fauna"] * len(ids)})
    add_run(survey, "clusters", crop_id=ids, cluster=clusters)
    return survey


def _row(table: pd.DataFrame, **which: str) -> dict[str, object]:
    rows = table[(table[list(which)] == pd.Series(which)).all(axis=1)]
    assert len(rows) == 1
    return dict(rows.iloc[0])


def test_one_animal_filmed_for_long_is_one(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"d": [(n, 0) for n in range(12)]})
    row = _row(count_kinds(survey), subcategory="cluster 0")
    assert (row["crops"], row["frames"], row["bursts"]) == (12, 12, 4)
    assert (row["encounters"], row["individuals"], row["max_n"]) == (1, 1, 1)


def test_the_most_in_one_frame_are_individuals(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"d": [(0, 0), (0, 0), (1, 0), (1, 0), (1, 0), (2, 0), (11, 0)]})
    row = _row(count_kinds(survey), dive="d")
    assert (row["encounters"], row["individuals"], row["max_n"]) == (2, 4, 3)
    assert row["frames"] == 4


def test_another_kind_in_between_parts_nothing(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"d": [(0, 0), (2, 1), (4, 0), (5, 1), (7, 0)]}, burst=1)
    table = count_kinds(survey, CountConfig(gap_frames=3))
    assert table["encounters"].tolist() == [1, 1]
    table = count_kinds(survey, CountConfig(gap_frames=2))
    assert table["encounters"].tolist() == [2, 1]  # three frames lie between the first two


def test_seconds_count_where_frames_have_times(tmp_path: Path) -> None:
    seen = {"d": [(0, 0), (4, 0), (11, 0)]}
    slow = _survey(tmp_path / "slow", seen, burst=1, seconds=10)
    assert count_kinds(slow, CountConfig(gap_s=40))["encounters"].tolist() == [2]
    assert count_kinds(slow, CountConfig(gap_s=39))["encounters"].tolist() == [3]
    fast = _survey(tmp_path / "fast", seen, burst=1, seconds=0.1)
    assert count_kinds(fast, CountConfig(gap_frames=0))["encounters"].tolist() == [1]


def test_names_of_persons_replace_clusters_and_noise_stays(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"d": [(0, 0), (1, 0), (6, 1), (11, -1)]})
    labels = Labels(survey.labels_url)
    labels.name(["d-0", "d-2"], "starfish", annotator="me")
    labels.name(["d-1"], "crab", annotator="net", origin="machine")
    labels.close()
    table = count_kinds(survey)
    assert table["subcategory"].tolist() == ["cluster 0", "noise", "starfish"]
    assert table["named"].tolist() == [False, False, True]
    assert _row(table, subcategory="starfish")["individuals"] == 2


def test_dives_are_counted_apart_and_summed(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"a": [(0, 0), (0, 0)], "b": [(0, 0), (11, 0)]})
    table = count_kinds(survey)
    assert table["individuals"].tolist() == [2, 2]
    together = over_dives(table).iloc[0]
    assert (together["dives"], together["individuals"], together["max_n"]) == (2, 4, 2)


@settings(max_examples=30)
@given(
    seen=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2)), max_size=40),
    gap=st.integers(0, 12),
)
def test_no_count_exceeds_another(seen: list[Seen], gap: int) -> None:
    rows = [
        ("d", "fauna", f"cluster {kind}", False, n, frame, frame // 3, frame, None)
        for n, (frame, kind) in enumerate(seen)
    ]
    columns = ["dive", "class", "subcategory", "named", "crop_id", "frame_id", "burst", "place"]
    crops = pd.DataFrame(rows, columns=[*columns, "second"])
    crops["second"] = crops["second"].astype(float)
    table = count_sightings(crops, CountConfig(gap_frames=gap))
    assert table["crops"].sum() == len(seen)
    for row in table.to_dict("records"):
        assert row["encounters"] <= row["bursts"] <= row["frames"] <= row["crops"]
        assert row["max_n"] <= row["individuals"] <= row["crops"]
        assert row["encounters"] <= row["individuals"]
    assert (count_sightings(crops, CountConfig(gap_frames=12))["encounters"] == 1).all()


def test_the_latest_run_of_each_class_is_counted_or_the_one_named(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"d": [(0, 0), (1, 0)]})
    parents = {"embeddings": "r"}
    add_run(survey, "clusters", "later", parents=parents, crop_id=["d-0"], cluster=[5])
    assert count_kinds(survey)["subcategory"].tolist() == ["cluster 5"]
    counted = count_kinds(survey, clusters="r")
    assert counted["crops"].tolist() == [2]


def test_what_is_missing_names_the_command(tmp_path: Path) -> None:
    survey = make_survey(tmp_path, {"d": 2})
    with pytest.raises(SurveyError, match="has no bursts: run `discover bursts` first"):
        count_kinds(survey)
    add_run(survey, "bursts", frame_id=["d/00"], burst_id=["0"], order=[0])
    with pytest.raises(SurveyError, match="has no clusters: run `discover cluster"):
        count_kinds(survey)
    add_run(survey, "crops", crop_id=["c"], frame_id=["d/01"], **{"class": ["fauna"]})
    add_run(survey, "clusters", crop_id=["c"], cluster=[0])
    with pytest.raises(SurveyError, match="1 frames are in no burst: run `discover bursts` again"):
        count_kinds(survey)
    for wrong, name in (({"gap_s": -1}, "--gap-seconds -1"), ({"gap_frames": -1}, "--gap-fram")):
        with pytest.raises(SurveyError, match=name):
            CountConfig(**wrong)


def test_nothing_found_is_an_empty_table(tmp_path: Path) -> None:
    survey = _survey(tmp_path, {"d": []})
    table = count_kinds(survey)
    assert table.empty
    assert {"individuals", "max_n"} <= set(table.columns)
