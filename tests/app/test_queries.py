import numpy as np
import pandas as pd
import pytest

from app import queries
from app.data import Explorer
from app.verdicts import crops_of
from classify.runs import start_run
from discover.survey import concat_rows
from tests.app.survey_on_disk import EMBED_RUN, RUNS


def test_crops_join_all_tables_and_see_new_names(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    assert (run.class_name, run.crops_run) == ("waste", EMBED_RUN)
    crops = explorer.crops(run)
    assert len(crops) == run.counts["crops"]
    assert crops["crop_id"].is_unique
    assert not crops[["dive", "path", "map_x", "depth_m"]].isna().any().any()
    assert crops["name"].isna().all()
    explorer.labels.name(crops["crop_id"].head(3), "can", annotator="mara")
    assert explorer.crops(run)["name"].notna().sum() == 3


def test_the_latest_run_is_taken_when_none_or_an_unknown_one_is_named(explorer: Explorer) -> None:
    latest = explorer.class_run()
    assert latest is not None
    assert latest.name == RUNS["fauna"]
    assert explorer.class_run("../../etc") == latest


def test_queue_puts_unnamed_and_large_first_and_noise_last(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    before = queries.queue(explorer.crops(run))
    assert [r["cluster"] for r in before][-1] == -1
    sizes = [r["size"] for r in before[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(r["size"] for r in before) == run.counts["crops"]
    assert all(1 <= len(r["exemplars"]) <= 6 for r in before)
    first = before[0]["cluster"]
    crops = explorer.crops(run)
    explorer.labels.name(crops.loc[crops["cluster"] == first, "crop_id"], "can", annotator="mara")
    after = queries.queue(explorer.crops(run))
    assert after[-2]["cluster"] == first
    assert after[-2]["names"] == [("can", before[0]["size"], "human")]
    assert queries.share_named(explorer.crops(run)) == (before[0]["size"], run.counts["crops"])


def test_a_machines_name_stays_one_until_a_person_gives_it(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    ids = explorer.crops(run)["crop_id"].tolist()
    explorer.labels.name(ids[:5], "can", annotator="head", origin="machine")
    assert queries.names_of(explorer.crops(run)) == [("can", 5, "machine")]
    explorer.labels.name(ids[5:6], "can", annotator="mara")
    assert queries.names_of(explorer.crops(run)) == [("can", 6, "human")]


@pytest.mark.parametrize("order", queries.ORDERS)
def test_an_order_only_reorders(explorer: Explorer, order: str) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)
    rows = queries.ordered(crops, order)
    assert sorted(rows["crop_id"]) == sorted(crops["crop_id"])
    if order == "typical":
        assert rows["exemplar"].iloc[0]
    if order == "outlier":
        assert rows["probability"].is_monotonic_increasing
    if order == "size":
        assert (rows["w"] * rows["h"]).is_monotonic_decreasing


def test_neighbours_do_not_change_with_names(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)
    line = [row["cluster"] for row in queries.queue(crops)]
    assert queries.neighbours(crops, line[0]) == (None, line[1])
    assert queries.neighbours(crops, -1) == (line[-2], None)
    explorer.labels.name(crops["crop_id"][crops["cluster"] == line[0]], "x", annotator="mara")
    assert queries.neighbours(explorer.crops(run), line[0]) == (None, line[1])


def test_inside_follows_a_concave_outline() -> None:
    outline_x, outline_y = [0, 4, 4, 2, 0], [0, 0, 4, 1, 4]  # a notch from above
    x, y = np.array([1.0, 2.0, 3.0, 5.0, np.nan]), np.array([1.0, 3.0, 1.0, 1.0, 1.0])
    assert queries.inside(x, y, outline_x, outline_y).tolist() == [True, False, True, False, False]


def test_sample_keeps_exemplars_and_does_not_flicker() -> None:
    crops = pd.DataFrame({"crop_id": range(1000), "exemplar": [i % 50 == 0 for i in range(1000)]})
    some = queries.sample(crops, 100)
    assert len(some) == 100
    assert some["exemplar"].sum() == 20
    assert some.equals(queries.sample(crops, 100))
    assert queries.sample(crops, 5000) is crops


def test_crops_are_chosen_by_the_flags_of_their_frames() -> None:
    crops = pd.DataFrame({"crop_id": list("abcd"), "flags": ["dark", None, "blurred, dark", None]})
    assert queries.flags_of(crops) == {"dark": 2, "blurred": 1}
    chosen = {which: "".join(queries.by_flag(crops, which)["crop_id"]) for which in
              ("all", "none", "dark", "blurred", "unheard of")}  # fmt: skip
    assert chosen == {
        "all": "abcd", "none": "bd", "dark": "ac", "blurred": "c", "unheard of": "abcd"
    }  # fmt: skip
    assert queries.flags_of(crops.assign(flags=None)) == {}
    assert len(queries.by_flag(crops.assign(flags=float("nan")), "none")) == 4


def test_crops_have_the_flags_of_their_frames_and_see_a_new_bursts_run(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    assert explorer.crops(run)["flags"].isna().all()
    frame = explorer.crops(run)["frame_id"].iloc[0]
    made = start_run(explorer.survey.run_folder("bursts", "b"), command="bursts", config={})
    table = explorer.survey.table("bursts", "b")
    row = {"frame_id": [frame], "burst_id": ["0"], "flags": [["frozen", "dark"]]}
    columns = {name: row.get(name, [None]) for name in table.schema.names}
    table.write("d", concat_rows(columns, "bursts"))
    made.complete(counts={})
    flags = explorer.crops(run).set_index("frame_id")["flags"]
    assert set(flags[[frame]]) == {"dark, frozen"}
    assert flags.drop(frame).isna().all()


def test_a_verdict_on_a_filtered_cluster_leaves_what_is_not_shown(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)
    cluster = int(crops["cluster"].iloc[0])
    whole = set(crops.loc[crops["cluster"] == cluster, "crop_id"])
    target = {"run": run.name, "cluster": cluster}
    assert set(crops_of(explorer, {**target, "flags": "all"})[0]) == whole
    crops.loc[crops["crop_id"] == min(whole), "flags"] = "dark"
    assert set(crops_of(explorer, {**target, "flags": "dark"})[0]) == {min(whole)}
    assert set(crops_of(explorer, {**target, "flags": "none"})[0]) == whole - {min(whole)}
