from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco

from discover.demo import Layout, render_survey
from discover.demo.kinds import KINDS
from discover.demo.terrain import FLOORS

SIZE = (180, 320)
ELEMENTS = {"ripples", "fauna", "algae", "waste", "rocks"}


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("survey")
    return render_survey(out, dives=2, frames_per_dive=8, size=SIZE, workers=1)


@pytest.fixture(scope="module")
def truth(survey: Path) -> pd.DataFrame:
    return pd.read_parquet(survey / "truth.parquet")


def test_every_frame_is_written_and_listed(survey: Path, truth: pd.DataFrame) -> None:
    assert truth["path"].nunique() == 16
    assert sorted(truth["path"].unique()) == sorted(
        p.relative_to(survey).as_posix() for p in survey.rglob("*.jpg")
    )
    image = cv2.imread(str(survey / truth["path"].iloc[0]))
    assert image is not None
    assert image.shape == (*SIZE, 3)
    assert image.std() > 8


def test_pictures_do_not_depend_on_workers(survey: Path, tmp_path: Path) -> None:
    again = render_survey(tmp_path / "s", dives=2, frames_per_dive=8, size=SIZE, workers=2)
    for path in survey.rglob("*.jpg"):
        assert path.read_bytes() == (again / path.relative_to(survey)).read_bytes()
    pd.testing.assert_frame_equal(
        pd.read_parquet(survey / "truth.parquet"), pd.read_parquet(again / "truth.parquet")
    )


def test_a_complete_survey_is_left_alone(survey: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in survey.rglob("*.*")}
    calls: list[tuple[int, int]] = []
    render_survey(
        survey,
        dives=2,
        frames_per_dive=8,
        size=SIZE,
        workers=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == []
    assert before == {p: p.stat().st_mtime_ns for p in survey.rglob("*.*")}


def test_other_settings_are_rendered_anew(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    for seed in (0, 1):
        render_survey(
            tmp_path,
            seed=seed,
            dives=1,
            frames_per_dive=1,
            size=(90, 160),
            workers=1,
            progress=lambda done, total: calls.append((done, total)),
        )
    assert calls == [(1, 1), (1, 1)]


def test_boxes_and_areas_are_those_of_the_masks(truth: pd.DataFrame) -> None:
    objects = truth.dropna(subset=["object_id"])
    assert len(objects) > 0
    for row in objects.to_dict("records"):
        shown = coco.decode({"size": list(SIZE), "counts": str(row["mask"]).encode()})
        assert int(shown.sum()) == row["area"] > 0
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        assert (row["x"], row["y"]) == (columns[0], rows[0])
        assert row["x"] + row["w"] - 1 == columns[-1] < SIZE[1]
        assert row["y"] + row["h"] - 1 == rows[-1] < SIZE[0]
        assert 0 < row["visible"] <= 1
        assert KINDS[str(row["kind"])].group == row["class"]


def test_words(truth: pd.DataFrame) -> None:
    assert set(truth["floor"]) <= set(FLOORS)
    assert set(truth["element"].dropna()) <= ELEMENTS
    empty = truth[truth["object_id"].isna()]
    assert set(empty["element"].dropna()) <= {"ripples"}
    assert truth.groupby("path")["element"].nunique(dropna=False).eq(1).all()


def test_consecutive_frames_overlap(truth: pd.DataFrame) -> None:
    frames = truth.drop_duplicates("path").sort_values(["dive", "index"])
    for _, dive in frames.groupby("dive"):
        corners = [np.array(f, np.float32).reshape(4, 2) for f in dive["footprint"]]
        for one, two in pairwise(corners):
            assert cv2.intersectConvexConvex(one, two)[0] > 0


def test_kinds_are_many_and_spread_over_the_dives() -> None:
    layout = Layout.plan(0, 8, 90, (540, 960))
    counts: Counter[str] = Counter()
    dives: defaultdict[str, set[str]] = defaultdict(set)
    for dive in layout.dives:
        for thing in dive.things:
            counts[thing.kind] += 1
            dives[thing.kind].add(dive.name)
    assert set(counts) == set(KINDS)
    least = {"waste": 14, "fauna": 10, "algae": 8, "rocks": 8}
    for name, kind in KINDS.items():
        assert counts[name] >= least[kind.group]
        assert len(dives[name]) >= 6
    assert len({t.object_id for d in layout.dives for t in d.things}) == sum(counts.values())
    assert {zone.floor for dive in layout.dives for zone in dive.zones} == set(FLOORS)


def test_a_plan_is_a_function_of_its_settings() -> None:
    one, same, other = (Layout.plan(seed, 2, 30, SIZE).dives[1].things for seed in (3, 3, 4))
    assert one == same
    assert one != other
