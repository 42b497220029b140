import pandas as pd
import pytest

from app import figures, palette
from app.data import Explorer
from tests.app.survey_on_disk import RUNS


@pytest.mark.parametrize("colour_by", figures.COLOUR_BY)
def test_every_crop_is_on_the_map_once_with_its_id(explorer: Explorer, colour_by: str) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)
    explorer.labels.name(crops["crop_id"].head(4), "can", annotator="mara")
    figure = figures.crop_map(explorer.crops(run), colour_by=colour_by)
    ids = [row[0] for trace in figure.data for row in trace.customdata]
    assert sorted(ids) == sorted(crops["crop_id"])


def test_noise_is_grey_and_small_and_below(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    noise, first = figures.crop_map(explorer.crops(run)).data[:2]
    assert noise.name == "noise"
    assert noise.marker.color == palette.NOISE
    assert noise.marker.size < min(first.marker.size)


def test_a_name_is_text_in_the_legend(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    explorer.labels.name(explorer.crops(run)["crop_id"].head(4), "<b>x</b>", annotator="mara")
    figure = figures.crop_map(explorer.crops(run), colour_by="name")
    assert [t.name for t in figure.data] == ["unnamed", "&lt;b&gt;x&lt;/b&gt;"]


def test_marks_of_many_clusters_differ() -> None:
    marks = [palette.mark(n) for n in range(208)]
    assert len(set(marks)) == 208


def test_bars_add_up(explorer: Explorer) -> None:
    rows = explorer.classes_by_dive()
    figure = figures.classes_by_dive(rows)
    assert sum(sum(trace.x) for trace in figure.data) == rows["crops"].sum() == 150


def test_only_the_richest_dives_have_a_bar() -> None:
    dives = [f"d{n}" for n in range(40)]
    rows = pd.DataFrame({"dive": dives, "class": "waste", "crops": range(1, 41)})
    (trace,) = figures.classes_by_dive(rows).data
    assert len(trace.y) == figures.MOST_DIVES
    assert "d39" in trace.y
