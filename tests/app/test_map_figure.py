"""The map sends a bounded payload at any size, and shows what it says."""

import base64
import json

import numpy as np
import pandas as pd
import pytest

from app import palette
from app.data import Explorer
from app.figures import map as map_figure
from app.figures import map_pictures
from app.figures.histogram import histogram, offered
from app.figures.map import MOST_POINTS
from app.figures.map_pictures import Viewport
from app.pages.map import find
from tests.app.survey_on_disk import RUNS


def _many(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = rng.integers(-1, 300, n)
    centre = rng.normal(0, 10, (301, 2))[group]
    return pd.DataFrame(
        {
            "crop_id": [f"{i:016x}" for i in range(n)],
            "group": group.astype(np.int32),
            "map_x": (centre[:, 0] + rng.normal(0, 1, n)).astype(np.float32),
            "map_y": (centre[:, 1] + rng.normal(0, 1, n)).astype(np.float32),
            "exemplar": rng.random(n) < 0.005,
            "score": rng.random(n).astype(np.float32),
            "dive": pd.Categorical(rng.integers(0, 9, n).astype(str)),
        }
    )


def _drawn(figure: dict) -> np.ndarray:
    x = figure["data"][0]["x"]
    return np.frombuffer(base64.b64decode(x["bdata"]), np.float32)


@pytest.mark.parametrize("colour", ["group", "dive", "score"])
@pytest.mark.parametrize("n", [500, 200_000])
def test_the_payload_is_bounded(n: int, colour: str) -> None:
    crops = _many(n)
    everything = np.ones(n, bool)
    view = Viewport.of(None, crops)
    figure = map_figure.crop_map(crops, everything, view, colour_by=colour)
    figure["layout"]["images"] += map_pictures.pictures(crops, everything, view, "run")
    assert len(json.dumps(figure)) < 3_000_000
    assert len(_drawn(figure)) == min(n, MOST_POINTS)
    assert len(figure["data"][0]["customdata"]) == min(n, MOST_POINTS)
    density = [image for image in figure["layout"]["images"] if image["name"] == "density"]
    assert bool(density) == (n > MOST_POINTS)


def test_exemplars_are_always_drawn_and_nearer_all_are() -> None:
    crops = _many(200_000)
    everything = np.ones(len(crops), bool)
    view = Viewport.of(None, crops)
    rows, whole = map_figure.drawn_rows(crops, everything, view)
    assert not whole
    assert set(np.flatnonzero(crops["exemplar"])) <= set(rows)
    assert rows.tolist() == map_figure.drawn_rows(crops, everything, view)[0].tolist()
    near = Viewport((-1.0, 1.0), (-1.0, 1.0))
    rows, whole = map_figure.drawn_rows(crops, everything, near)
    assert whole
    assert set(rows) == set(np.flatnonzero(near.holds(crops)))


def test_density_counts_what_the_filters_leave() -> None:
    crops = _many(50_000)
    view = Viewport.of(None, crops)
    none = np.zeros(len(crops), bool)
    left = crops["map_x"].to_numpy() < 0
    pictures = [map_pictures.density(crops, keep, view)["source"] for keep in (none, left, ~none)]
    assert len(set(pictures)) == 3
    assert len(pictures[0]) < len(pictures[1]) < len(pictures[2])


def test_no_two_pictures_touch() -> None:
    crops = _many(40_000)
    view = Viewport.of(None, crops)
    images = map_pictures.pictures(crops, np.ones(len(crops), bool), view, "run")
    assert 5 < len(images) <= map_pictures.MOST_PICTURES
    for i, a in enumerate(images):
        for b in images[:i]:
            apart = abs(a["x"] - b["x"]) >= a["sizex"] or abs(a["y"] - b["y"]) >= a["sizey"]
            assert apart


def test_a_group_keeps_its_mark_whatever_is_hidden() -> None:
    crops = _many(2_000)
    view = Viewport.of(None, crops)

    def mark(keep: np.ndarray, crop: str) -> tuple[int, str]:
        trace = map_figure.crop_map(crops, keep, view)["data"][0]
        at = trace["customdata"].index(crop)
        colour = base64.b64decode(trace["marker"]["color"]["bdata"])[at]
        return colour, trace["marker"]["symbol"][at]

    crop = crops.loc[crops["group"] == 77, "crop_id"].iloc[0]
    everything = np.ones(len(crops), bool)
    assert mark(everything, crop) == mark((crops["group"] > 50).to_numpy(), crop)
    number = 1 + palette.COLOURS.index(palette.mark(77)[0])
    assert mark(everything, crop) == (number, palette.mark(77)[1])


def test_the_legend_is_of_all_groups_with_the_largest_first(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    rows = map_figure.legend(explorer.crops(run), "group")
    assert sorted(row[0] for row in rows) == ["-1", "0", "1", "2"]
    assert rows[-1][0] == "-1"
    assert sum(row[3] for row in rows) == run.counts["crops"]
    assert map_figure.legend(explorer.crops(run), "score") == []
    assert [row[0] for row in map_figure.legend(explorer.crops(run), "name")] == [""]


def test_histograms_count_what_is_kept(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)
    assert offered(crops)[:2] == ["score", "probability"]
    keep = (crops["group"] == 0).to_numpy()
    for column in offered(crops):
        every, kept = histogram(crops, keep, column)["data"]
        assert sum(every["y"]) == len(crops)
        assert sum(kept["y"]) == keep.sum()
        assert all(k <= e for k, e in zip(kept["y"], every["y"], strict=True))


def test_a_search_finds_crops_clusters_and_names(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crop = explorer.crops(run)["crop_id"].iloc[3]
    explorer.labels.name([crop], "Drinks can", annotator="mara")
    assert find(explorer, run, crop) == {"like": crop}
    assert find(explorer, run, "1") == {"group": "1"}
    assert find(explorer, run, "drinks CAN") == {"name": "Drinks can"}
    for text in ("", "99", "<script>", "s12", "x" * 300):
        assert find(explorer, run, text) is None
