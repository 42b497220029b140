import json
import os
from pathlib import Path

import pandas as pd
import pytest

from classify.predict import Predictor
from classify.runs import Run
from classify.settings import TrainConfig
from classify.train import train
from discover import frames
from discover.frames import add_frames
from discover.predictions import predict_frames
from discover.survey import Survey, SurveyError, open_survey
from discover.tables import Table
from tests.classify.conftest import SMALL, draw_labelled

IMAGES = 20


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of both tasks."""
    folder = tmp_path_factory.mktemp("both")
    draw_labelled(folder).to_csv(folder / "t.csv", index=False)
    config = TrainConfig(strength=0.01)
    return train(folder / "t.csv", folder / "run", task="both", config=config, **SMALL).path


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Survey:
    """A survey of 20 frames in shards of 8; its footage has a file that is none."""
    monkeypatch.setattr(frames, "CHUNK", 8)
    draw_labelled(tmp_path / "footage", images=IMAGES, seed=3)
    (tmp_path / "footage" / "torn.png").write_bytes(b"torn")
    survey = open_survey(tmp_path / "survey", create=True)
    add_frames(survey, [tmp_path / "footage"])
    return survey


def _table(survey: Survey, run: Run) -> Table:
    return survey.table("predictions", run.name)


def _named(survey: Survey, run: Run, task: str) -> dict[str, str]:
    """Return the class by the name of the file."""
    found = survey.sql(
        "SELECT parse_filename(path) AS image, class FROM frames JOIN predictions USING (frame_id) "
        "WHERE task = ?",
        [task],
        predictions=_table(survey, run),
    )
    return dict(zip(found["image"], found["class"], strict=True))


def test_every_frame_gets_a_row_for_each_task(drawn: Survey, classifier: Path) -> None:
    steps: list[tuple[int, int]] = []
    run = predict_frames(drawn, classifier, progress=lambda done, of: steps.append((done, of)))
    assert run.is_complete
    assert run.info["counts"] == {"frames": IMAGES, "unreadable": 0}
    rows = _table(drawn, run).read().to_pandas()
    assert set(rows.groupby("frame_id")["task"].agg(",".join)) == {"floor,elements"}
    assert set(rows["frame_id"]) == set(drawn.frames.read(["frame_id"])["frame_id"].to_pylist())
    assert rows["probability"].between(0.5, 1).all()
    named = _named(drawn, run, "elements")
    assert named == {f"{n}.png": ("waste", "fauna")[n % 2] for n in range(IMAGES)}
    assert set(_named(drawn, run, "floor").values()) == {"sandy", "muddy"}
    assert steps == sorted(steps)
    assert steps[-1] == (IMAGES, IMAGES)


def _shards(survey: Survey, run: Run) -> dict[str, int]:
    return {path.name: os.stat(path).st_ino for path in _table(survey, run).files()}


def test_the_same_again_adds_nothing_and_new_frames_are_taken_in(
    drawn: Survey, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = predict_frames(drawn, classifier)
    before = _shards(drawn, run)
    assert len(before) == 3
    with monkeypatch.context() as patched:
        patched.setattr(Predictor, "__call__", None)  # nothing is predicted again
        again = predict_frames(drawn, classifier)
    assert again.path == run.path
    assert _shards(drawn, run) == before
    draw_labelled(tmp_path / "more", images=4, seed=9)
    add_frames(drawn, [tmp_path / "more"])
    more = predict_frames(drawn, classifier)
    after = _shards(drawn, run)
    assert more.info["counts"]["frames"] == IMAGES + 4
    assert after.items() > before.items()
    rows = _table(drawn, run).read(["frame_id", "task"]).to_pandas()
    assert len(rows) == 2 * (IMAGES + 4)
    assert not rows.duplicated().any()


def test_a_run_that_was_stopped_goes_on(drawn: Survey, classifier: Path) -> None:
    def stop(done: int, _of: int) -> None:
        if done > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_frames(drawn, classifier, progress=stop)
    (folder,) = (drawn.root / "predictions").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "started"
    stopped = Run(folder)
    first = _shards(drawn, stopped)
    assert len(first) == 1
    run = predict_frames(drawn, classifier)
    assert run.is_complete
    assert _shards(drawn, run).items() > first.items()
    assert len(_table(drawn, run).read()) == 2 * IMAGES


def test_a_damaged_shard_is_made_again(drawn: Survey, classifier: Path) -> None:
    run = predict_frames(drawn, classifier)
    table = _table(drawn, run)
    rows = table.read().to_pandas()
    table.files()[1].write_bytes(b"damaged")
    predict_frames(drawn, classifier)
    pd.testing.assert_frame_equal(table.read().to_pandas(), rows, rtol=1e-3)


def test_a_frame_whose_file_went_bad_is_counted_and_has_no_row(
    drawn: Survey, classifier: Path, tmp_path: Path
) -> None:
    (tmp_path / "footage" / "3.png").write_bytes(b"torn")
    (tmp_path / "footage" / "4.png").unlink()
    run = predict_frames(drawn, classifier)
    assert run.info["counts"] == {"frames": IMAGES, "unreadable": 2}
    named = _named(drawn, run, "elements")
    assert set(named) == {f"{n}.png" for n in range(IMAGES)} - {"3.png", "4.png"}


def test_a_survey_without_frames_says_what_to_do(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="has no frames: run `discover add FOLDER` first"):
        predict_frames(open_survey(tmp_path / "s", create=True), classifier)
