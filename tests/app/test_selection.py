import numpy as np
import pandas as pd
import pytest

from app.crops import selection
from app.crops.listing import listing, selected, title_of
from app.data import ClassRun, Explorer
from classify.errors import UserError
from tests.app.survey_on_disk import RUNS


@pytest.fixture
def run(explorer: Explorer) -> ClassRun:
    found = explorer.class_run(RUNS["waste"])
    assert found is not None
    return found


def _ids(explorer: Explorer, run: ClassRun, **what: object) -> set[str]:
    crops, rows = selected(explorer, run, what)
    return set(crops["crop_id"].iloc[rows])


def test_inside_follows_a_concave_outline() -> None:
    outline_x, outline_y = [0, 4, 4, 2, 0], [0, 0, 4, 1, 4]  # a notch from above
    x, y = np.array([1.0, 2.0, 3.0, 5.0, np.nan]), np.array([1.0, 3.0, 1.0, 1.0, 1.0])
    found = selection.inside(x, y, outline_x, outline_y)
    assert found.tolist() == [True, False, True, False, False]


def test_groups_and_their_complement_are_all(explorer: Explorer, run: ClassRun) -> None:
    groups = [_ids(explorer, run, group=g) for g in ("-1", "0", "1", "2")]
    assert set.union(*groups) == _ids(explorer, run) == _ids(explorer, run, show="all")
    assert sum(map(len, groups)) == len(_ids(explorer, run))
    with pytest.raises(ValueError, match="invalid literal"):
        _ids(explorer, run, group="../x")


def test_what_is_decided_leaves_the_open_ones(explorer: Explorer, run: ClassRun) -> None:
    crops = explorer.crops(run)["crop_id"].tolist()
    explorer.labels.name(crops[:4], "can", annotator="mara")
    explorer.labels.name(crops[4:6], "bag", annotator="head", origin="machine")
    assert _ids(explorer, run, state="done") == set(crops[:4])
    assert _ids(explorer, run, state="open") == set(crops[4:])  # a machine decides nothing
    assert _ids(explorer, run, name="can") == set(crops[:4])
    assert _ids(explorer, run, name="nothing") == set()


def test_strange_crops_are_an_entry_until_they_are_decided(
    explorer: Explorer, run: ClassRun
) -> None:
    strange = _ids(explorer, run, show="unlike")
    assert strange == _ids(explorer, run, group="-1")
    explorer.labels.name(strange, "odd", annotator="mara")
    assert not _ids(explorer, run, show="unlike")
    with pytest.raises(ValueError, match="show: 'x' is none of"):
        _ids(explorer, run, show="x")


def test_ranges_and_hidden_groups_narrow(explorer: Explorer, run: ClassRun) -> None:
    crops = explorer.crops(run)
    deep = _ids(explorer, run, ranges={"depth_m": [420, 430]})
    assert deep == set(crops["crop_id"][crops["depth_m"].between(420, 430)])
    shown = _ids(explorer, run, without={"column": "group", "values": ["0", "-1"]})
    assert shown == _ids(explorer, run, group="1") | _ids(explorer, run, group="2")
    dive = _ids(explorer, run, without={"column": "dive", "values": ["dive-1"]})
    assert dive == set(crops["crop_id"][crops["dive"] != "dive-1"])
    named = _ids(explorer, run, without={"column": "name", "values": [""]})
    assert named == set()  # none has a name yet
    with pytest.raises(ValueError, match="ranges: 'path' is none of"):
        _ids(explorer, run, ranges={"path": [0, 1]})
    with pytest.raises(ValueError, match="without: 'path' is none of"):
        _ids(explorer, run, without={"column": "path", "values": ["a"]})


def test_crops_are_chosen_by_the_flags_of_their_frames() -> None:
    flags = pd.Categorical(["dark", None, "blurred, dark", None])
    crops = pd.DataFrame({"crop_id": list("abcd"), "flags": flags})
    assert selection.flags_of(crops) == {"dark": 2, "blurred": 1}
    chosen = {which: "".join(crops["crop_id"][selection.has_flag(crops, which)]) for which in
              ("none", "dark", "blurred", "unheard of")}  # fmt: skip
    assert chosen == {"none": "bd", "dark": "ac", "blurred": "c", "unheard of": ""}


@pytest.mark.parametrize("order", [*selection.ORDERS, "unknown"])
def test_an_order_only_reorders(explorer: Explorer, run: ClassRun, order: str) -> None:
    found = listing(explorer, run, {"group": "0"}, order)
    crops = explorer.crops(run).iloc[found.rows]
    assert sorted(crops["crop_id"]) == sorted(_ids(explorer, run, group="0"))
    if order == "typical":
        assert crops["exemplar"].iloc[0]
        own = crops[crops["exemplar"]]
        assert own["probability"].is_monotonic_decreasing
    if order == "outlier":
        assert crops["probability"].is_monotonic_increasing
    if order == "size":
        assert crops["area"].is_monotonic_decreasing


def test_the_like_of_a_crop_come_first(explorer: Explorer, run: ClassRun) -> None:
    crops = explorer.crops(run)
    pinned = crops.loc[crops["cluster"] == 1, "crop_id"].iloc[0]
    found = listing(explorer, run, {"show": "all"}, "pinned", pinned)
    line = crops["crop_id"].to_numpy()[found.rows].tolist()
    assert line[0] == pinned
    assert sorted(line) == sorted(crops["crop_id"])
    like = listing(explorer, run, {"like": pinned}, "typical")
    assert crops["crop_id"].to_numpy()[like.rows][0] == pinned
    with pytest.raises(UserError, match="none of the 1 reference crops"):
        listing(explorer, run, {"like": "nothing"}, "typical")


def test_a_cluster_falls_into_its_parts(explorer: Explorer, run: ClassRun) -> None:
    parts = [_ids(explorer, run, group="0", part=number) for number in (0, 1)]
    assert len(parts[0]) >= len(parts[1]) > 0
    assert set.union(*parts) == _ids(explorer, run, group="0")
    assert not parts[0] & parts[1]
    with pytest.raises(UserError, match="part 2: cluster 0 has 2 parts"):
        _ids(explorer, run, group="0", part=2)
    assert title_of({"group": "0", "part": 1}) == "Cluster 0, part 2"
