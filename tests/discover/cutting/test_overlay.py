from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.runs import Run
from discover.crops import Cut, decode_mask
from discover.cutting.overlay import Overlays, uncovered
from discover.cutting.regions import BoxRegions, ClassifierRegions, WholeFrame
from discover.embed import EmbedConfig, embed
from discover.survey import Survey

SIZE = (320, 180)
SMALL = EmbedConfig(size=64, flip=False)


@pytest.fixture
def poles() -> np.ndarray:
    """An overlay over the left fifth of the frame."""
    overlay = np.zeros((192, 341), bool)
    overlay[:, :68] = True
    return overlay


def _cut(x: int, width: int) -> Cut:
    """A region of the right half of a frame and more: columns x to x + width of a 64 x 36 grid."""
    mask = np.zeros((36, 64), bool)
    mask[10:20, x : x + width] = True
    return Cut((x * 5, 50, width * 5, 50), mask, (0, 0, *SIZE))


def test_a_region_that_is_mostly_overlay_is_left_out(poles: np.ndarray) -> None:
    assert uncovered(_cut(2, 10), poles, SIZE) is None
    assert uncovered(_cut(0, 30), poles, SIZE) is not None


def test_what_is_covered_of_a_region_becomes_background(poles: np.ndarray) -> None:
    found = uncovered(_cut(8, 20), poles, SIZE)
    assert found is not None
    assert found.box[0] == pytest.approx(64, abs=5)
    assert found.box[0] + found.box[2] == 140
    assert found.mask is not None
    assert not found.mask[:, :12].any()


def test_a_region_in_sight_stays_as_it_is(poles: np.ndarray) -> None:
    cut = _cut(30, 20)
    found = uncovered(cut, poles, SIZE)
    assert found is not None
    assert found.box == cut.box
    assert np.array_equal(np.asarray(found.mask), np.asarray(cut.mask))


def test_a_box_is_never_left_out(poles: np.ndarray) -> None:
    whole = Cut((0, 0, *SIZE), None, (0, 0, *SIZE))
    found = uncovered(whole, poles, SIZE)
    assert found is not None
    assert found.box == whole.box
    assert found.mask is not None
    assert found.mask.mean() == pytest.approx(0.8, abs=0.01)
    inside = Cut((2, 2, 30, 30), None, (0, 0, *SIZE))
    assert uncovered(inside, poles, SIZE) is inside  # nothing would be left


@given(
    x=st.integers(0, 300),
    y=st.integers(0, 170),
    w=st.integers(1, 320),
    h=st.integers(1, 180),
    seed=st.integers(0, 9),
)
def test_a_region_only_ever_shrinks(x: int, y: int, w: int, h: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, h = min(w, SIZE[0] - x), min(h, SIZE[1] - y)
    overlay = np.kron(rng.random((6, 8)) < 0.4, np.ones((8, 8))) > 0
    mask = rng.random((max(1, h // 4), max(1, w // 4))) < 0.6
    mask[0, 0] = True
    found = uncovered(Cut((x, y, w, h), mask, (x, y, w, h)), overlay, SIZE)
    if found is not None:
        assert found.mask is not None
        assert found.mask.sum() >= mask.sum() / 2
        assert not (found.mask & ~mask).any()
        assert x <= found.box[0] <= found.box[0] + found.box[2] <= x + w


def test_a_dive_is_looked_at_once_and_an_unknown_one_has_none(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlays = Overlays(survey)
    dives = survey.sql("select distinct dive from frames order by dive")["dive"]
    first = [overlays.of(dive) for dive in dives]
    assert any(mask is not None and mask.any() for mask in first)
    monkeypatch.setattr(survey, "sql", None)
    assert all(overlays.of(dive) is mask for dive, mask in zip(dives, first, strict=True))
    monkeypatch.undo()
    assert Overlays(survey).of("never dived") is None


def test_no_crop_lies_on_the_overlay_unless_it_is_asked_for(
    survey: Survey, model: Path, boxes: Path
) -> None:
    run = embed(survey, ClassifierRegions(model), config=SMALL)
    kept = embed(survey, ClassifierRegions(model), config=SMALL, hide_overlay=False)
    assert kept.info["counts"]["covered"] == 0
    assert max(_shares_on_overlay(survey, run)) < 0.2
    assert max(_shares_on_overlay(survey, kept)) > 0.5
    given_boxes = embed(survey, BoxRegions(boxes), config=SMALL)
    assert given_boxes.info["counts"]["covered"] == 0


def _shares_on_overlay(survey: Survey, run: Run) -> list[float]:
    """Return how much of each crop lies on the overlay of its dive."""
    overlays, shares = Overlays(survey), [0.0]
    for row in _crops(survey, run).to_dict("records"):
        overlay = overlays.of(row["dive"])
        if overlay is not None:
            mask = decode_mask(row["mask"], row["width"], row["height"])
            rows, cols = (np.flatnonzero(mask.any(axis=a)) for a in (1, 0))
            ys, xs = rows * overlay.shape[0] // mask.shape[0], cols * overlay.shape[1] // SIZE[0]
            covered = mask[np.ix_(rows, cols)] & overlay[np.ix_(ys, xs)]
            shares.append(float(covered.sum() / mask.sum()))
    return shares


def test_whole_frames_stay_and_lose_the_overlay(survey: Survey) -> None:
    run = embed(survey, WholeFrame(), config=SMALL)
    crops = _crops(survey, run)
    assert len(crops) == 72
    assert crops["mask"].notna().any()
    assert (crops["w"] == SIZE[0]).all()


def _crops(survey: Survey, run: Run) -> pd.DataFrame:
    return survey.sql(
        "select crops.*, dive, width, height from crops join frames using (frame_id)",
        crops=survey.crops_of(run),
    )
