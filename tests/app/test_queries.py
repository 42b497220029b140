import numpy as np
import pytest

from app.crops import queue as queries
from app.data import ClassRun, Explorer
from tests.app.survey_on_disk import EMBED_RUN, RUNS


@pytest.fixture
def run(explorer: Explorer) -> ClassRun:
    found = explorer.class_run(RUNS["waste"])
    assert found is not None
    return found


def _queue(explorer: Explorer, run: ClassRun, sort: str = "gain") -> list[dict]:
    typical = explorer.crop_table(run).typical
    return queries.queue(explorer.crops(run), typical, run.persistence, sort=sort)


def test_crops_join_all_tables_and_see_new_names(explorer: Explorer, run: ClassRun) -> None:
    assert (run.class_name, run.crops_run) == ("waste", EMBED_RUN)
    crops = explorer.crops(run)
    assert len(crops) == run.counts["crops"]
    assert crops["crop_id"].is_unique
    assert not crops[["dive", "frame_id", "map_x", "depth_m"]].isna().any().any()
    assert crops["name"].isna().all()
    explorer.labels.name(crops["crop_id"].head(3), "can", annotator="mara")
    assert explorer.crops(run)["name"].notna().sum() == 3
    assert crops["name"].isna().all()  # what was handed out does not change


def test_the_latest_run_is_taken_when_none_or_an_unknown_one_is_named(explorer: Explorer) -> None:
    latest = explorer.class_run()
    assert latest is not None
    assert latest.name == RUNS["fauna"]
    assert explorer.class_run("../../etc") == latest


def test_the_queue_counts_every_crop_once(explorer: Explorer, run: ClassRun) -> None:
    rows = _queue(explorer, run)
    groups = [row for row in rows if row["group"] is not None]
    assert sum(row["size"] for row in groups) == run.counts["crops"]
    crops = explorer.crops(run)
    for row in groups:
        own = crops[crops["cluster"] == int(row["group"])]
        assert row["size"] == row["open"] == len(own)
        assert row["dives"] == own["dive"].nunique()
        assert row["doubt"] == pytest.approx(1 - own["probability"].mean(), abs=1e-3)
        assert set(row["exemplars"]) <= set(own["crop_id"])
        assert 1 <= len(row["exemplars"]) <= 6
        best = own.sort_values(["exemplar", "probability", "score"], ascending=False)
        assert row["exemplars"] == best["crop_id"].head(6).tolist()


def test_noise_and_what_is_unlike_anything_come_last(explorer: Explorer, run: ClassRun) -> None:
    rows = _queue(explorer, run)
    assert [row["title"] for row in rows[-2:]] == ["Noise", "Unlike anything named"]
    assert rows[-1]["show"] == "unlike"
    explorer.labels.name(explorer.crops(run)["crop_id"], "x", annotator="mara")
    assert [row["title"] for row in _queue(explorer, run)][-1] == "Noise"


def test_what_is_decided_goes_down(explorer: Explorer, run: ClassRun) -> None:
    first = _queue(explorer, run)[0]
    crops = explorer.crops(run)
    own = crops.loc[crops["cluster"] == int(first["group"]), "crop_id"]
    explorer.labels.name(own, "can", annotator="mara")
    after = {row["group"]: row for row in _queue(explorer, run)}[first["group"]]
    assert after["open"] == 0
    assert after["names"] == [("can", first["size"], "human")]
    line = [row["group"] for row in _queue(explorer, run) if row["group"] not in (None, "-1")]
    assert line[-1] == first["group"]
    counts = queries.progress(explorer.crops(run))
    assert counts == {"crops": len(crops), "named": len(own), "decided": len(own)}


@pytest.mark.parametrize("sort", queries.SORTS)
def test_each_sort_has_all_rows(explorer: Explorer, run: ClassRun, sort: str) -> None:
    rows = [row for row in _queue(explorer, run, sort) if row["group"] not in (None, "-1")]
    assert sorted(row["group"] for row in rows) == ["0", "1", "2"]
    key = {"size": "size", "doubt": "doubt", "dives": "dives", "stable": "stable"}.get(sort)
    if key:
        values = [row[key] for row in rows]
        assert values == sorted(values, reverse=True)


def test_the_line_is_that_of_the_queue(explorer: Explorer, run: ClassRun) -> None:
    crops = explorer.crops(run)
    explorer.labels.name(crops.loc[crops["cluster"] == 1, "crop_id"], "x", annotator="mara")
    queue = [row for row in _queue(explorer, run, "size") if row["group"] is not None]
    line = queries.line(explorer.crops(run))
    assert line == [{key: row[key] for key in ("group", "size", "open")} for row in queue]
    assert {row["group"] for row in line if not row["open"]} == {"1"}


def test_the_next_that_waits_is_found_around_the_end(explorer: Explorer, run: ClassRun) -> None:
    rows = _queue(explorer, run, "size")
    line = [row["group"] for row in rows if row["group"] is not None]
    assert queries.following(rows, line[0]) == (None, line[1], line[1])
    assert queries.following(rows, line[2])[2] == line[0]
    crops = explorer.crops(run)
    own = crops.loc[crops["cluster"] == int(line[1]), "crop_id"]
    explorer.labels.name(own, "x", annotator="mara")
    rows = _queue(explorer, run, "size")
    assert queries.following(rows, line[0]) == (None, line[1], line[2])
    assert queries.following(rows, "s77") == (None, None, line[0])


def test_a_machines_name_stays_one_until_a_person_gives_it(
    explorer: Explorer, run: ClassRun
) -> None:
    ids = explorer.crops(run)["crop_id"].tolist()
    explorer.labels.name(ids[:5], "can", annotator="head", origin="machine")
    assert queries.names_of(explorer.crops(run)) == [("can", 5, "machine")]
    explorer.labels.name(ids[5:6], "can", annotator="mara")
    assert queries.names_of(explorer.crops(run)) == [("can", 6, "human")]


def test_typical_crops_are_ordered_once(explorer: Explorer, run: ClassRun) -> None:
    table = explorer.crop_table(run)
    assert table is explorer.crop_table(run)
    order = table.crops.iloc[table.typical]
    key = (~order["exemplar"]).astype(int) * 10 - order["probability"]
    assert np.all(np.diff(key) >= -1e-6)
