import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from classify.data import DataError
from classify.model import load_classifier
from classify.runs import Run
from classify.scoring import score_run, unseen_images
from classify.settings import TrainConfig
from classify.train import train
from tests.classify.conftest import SMALL, draw_labelled

TINY: dict[str, Any] = {"backbone": "mobilenetv3_small_050", "weights": "none", **SMALL}


def _plain(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the scores as JSON gives them back."""
    return dict(json.loads(json.dumps(scores)))


def _fresh(folder: Path, dive: str = "new") -> Path:
    """Return a table of eight images that no classifier was trained on."""
    draw_labelled(folder, images=8, seed=7).assign(dive=dive).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_without_data_the_scores_are_those_of_the_training(both_run: Run) -> None:
    assert _plain(score_run(both_run.path)) == _plain(both_run.info["counts"]["validation"])


def test_names_that_look_like_numbers_stay_as_they_were_written(tmp_path: Path) -> None:
    table = draw_labelled(tmp_path, images=24)
    table["element"] = table["element"].map({"waste": "01", "fauna": "2.50"})
    table["dive"] = table["dive"].str.replace("d", "00")
    table.to_csv(tmp_path / "t.csv", index=False)
    run = train(tmp_path / "t.csv", tmp_path / "run", config=TrainConfig(strength=0.01), **TINY)
    assert _plain(score_run(run.path)) == _plain(run.info["counts"]["validation"])


def test_images_that_were_trained_on_are_left_out(
    elements_run: Run, labels: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split = pd.read_csv(elements_run.path / "split.csv")
    found = score_run(elements_run.path, labels)["elements"]
    assert found["images"] == split["validation"].sum()
    assert found["confusion"] == elements_run.info["counts"]["validation"]["elements"]["confusion"]
    trained = (~split["validation"]).sum()
    assert f"{trained} of 48 images were trained on, and are left out" in caplog.text


def test_images_that_were_all_trained_on_are_refused(elements_run: Run, tmp_path: Path) -> None:
    split = pd.read_csv(elements_run.path / "split.csv")
    trained = split[~split["validation"]].rename(columns={"path": "image"})
    trained.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"DATA .*t\.csv: the classifier was trained on all its"):
        score_run(elements_run.path, tmp_path / "t.csv")


def test_after_a_final_fit_no_image_of_the_training_is_left(tmp_path: Path) -> None:
    draw_labelled(tmp_path, images=24).to_csv(tmp_path / "t.csv", index=False)
    config = TrainConfig(strength=0.01, final=True)
    run = train(tmp_path / "t.csv", tmp_path / "run", config=config, **TINY)
    with pytest.raises(DataError, match="the classifier was trained on all its images"):
        score_run(run.path, tmp_path / "t.csv")
    assert _plain(score_run(run.path)) == _plain(run.info["counts"]["validation"])


@pytest.mark.parametrize("dive", ["new", "d0"])
def test_new_images_are_all_scored_and_a_dive_that_is_known_is_named(
    dive: str, elements_run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split = pd.read_csv(elements_run.path / "split.csv")
    trained_on = dive in set(split.loc[~split["validation"], "dive"])
    found = score_run(elements_run.path, _fresh(tmp_path, dive))["elements"]
    assert found["images"] == 8
    assert found["accuracy"] == 1
    assert found["interval"] is None  # of a single dive
    assert (f"dives that were trained on: {dive}" in caplog.text) == trained_on


def test_an_unknown_label_is_refused_before_any_image_is_read(
    elements_run: Run, tmp_path: Path
) -> None:
    table = pd.read_csv(_fresh(tmp_path))
    table.loc[3, "element"] = "kelp"
    table.to_csv(tmp_path / "t.csv", index=False)
    begun: list[str] = []
    with pytest.raises(DataError, match=r"elements has the label 'kelp', .* knows fauna, waste"):
        score_run(elements_run.path, tmp_path / "t.csv", progress=begun.append)  # type: ignore[arg-type]
    assert begun == []


def test_each_task_is_scored_on_the_images_whose_label_is_known(
    both_run: Run, tmp_path: Path
) -> None:
    table = pd.read_csv(_fresh(tmp_path))
    table.loc[:1, "floor"] = None
    table.loc[5:, "element"] = None
    table.to_csv(tmp_path / "t.csv", index=False)
    found = score_run(both_run.path, tmp_path / "t.csv")
    assert {task: scores["images"] for task, scores in found.items()} == {"floor": 6, "elements": 5}


def test_a_damaged_file_is_not_counted_and_damaged_files_alone_are_refused(
    elements_run: Run, tmp_path: Path
) -> None:
    table = pd.read_csv(_fresh(tmp_path))
    (tmp_path / "0.png").write_bytes(b"torn")
    assert score_run(elements_run.path, tmp_path / "t.csv")["elements"]["images"] == 7
    table[:1].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="none of the 1 images can be read"):
        score_run(elements_run.path, tmp_path / "t.csv")


def test_the_dive_can_be_told_from_the_path(elements_run: Run, tmp_path: Path) -> None:
    table = pd.read_csv(_fresh(tmp_path)).drop(columns="dive")
    table.to_csv(tmp_path / "t.csv", index=False)
    config = load_classifier(elements_run.path).config
    found = unseen_images(elements_run.path, config, tmp_path / "t.csv", r"/(\d)\.png$")
    assert found["dive"].tolist() == list("01234567")
