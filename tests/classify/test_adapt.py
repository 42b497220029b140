from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from classify.adapt import adapt
from classify.data import DataError
from classify.model import load_classifier
from classify.runs import Run, RunError, read_run
from classify.scoring import score_run, unseen_images
from classify.settings import TrainConfig
from classify.train import train
from tests.classify.conftest import draw_labelled


def _draw_swapped(folder: Path, *, images: int, seed: int) -> Path:
    """Return a table of images of new dives, where red is fauna and green waste."""
    table = draw_labelled(folder, images=images, seed=seed)
    table["element"] = table["element"].map({"waste": "fauna", "fauna": "waste"})
    table["dive"] = f"new-{seed}-" + table["dive"]
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A classifier that is not too sure: every fifth label of its training is wrong."""
    folder = tmp_path_factory.mktemp("source")
    table = draw_labelled(folder)
    swapped = table["element"].map({"waste": "fauna", "fauna": "waste"})
    table["element"] = table["element"].where(table.index % 5 != 3, swapped)
    table.to_csv(folder / "t.csv", index=False)
    config = TrainConfig(strength=0.01)
    return train(folder / "t.csv", folder / "run", config=config, height=96, width=96)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _draw_swapped(tmp_path_factory.mktemp("few"), images=24, seed=11)


@pytest.fixture(scope="module")
def further(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _draw_swapped(tmp_path_factory.mktemp("further"), images=24, seed=12)


@pytest.fixture(scope="module")
def adapted(source: Run, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return adapt(source.path, few, tmp_path_factory.mktemp("adapted") / "run")


def test_a_few_labels_make_a_classifier_right_on_further_images_of_the_new_dives(
    source: Run, adapted: Run, further: Path
) -> None:
    assert score_run(source.path, further)["elements"]["accuracy"] < 0.25
    assert score_run(adapted.path, further)["elements"]["accuracy"] > 0.75


def test_the_run_says_how_right_it_was_before_and_is_now(adapted: Run, source: Run) -> None:
    info = read_run(adapted.path).info
    assert info["status"] == "complete"
    assert info["parents"] == {"model": source.path.name}
    assert (info["counts"]["images"], info["counts"]["dives"]) == (24, 4)
    assert info["counts"]["right_before"] < 0.25
    assert info["counts"]["right_after"] > 0.9


def test_the_head_alone_is_moved(adapted: Run, source: Run) -> None:
    before = load_classifier(source.path)
    after = load_classifier(adapted.path)
    assert before.config == after.config
    moved = {
        name
        for name, values in after.state_dict().items()
        if not torch.equal(values, before.state_dict()[name])
    }
    assert moved == {"head.weight", "head.bias"}


def test_a_head_that_is_held_fast_stays(elements_run: Run, few: Path, tmp_path: Path) -> None:
    run = adapt(elements_run.path, few, tmp_path / "run", strength=1e6)
    counts = run.info["counts"]
    assert counts["right_after"] == counts["right_before"]


def test_an_adapted_run_has_no_scores_of_its_own(adapted: Run) -> None:
    with pytest.raises(RunError, match=r"MODEL .* was adapted: give DATA .* not seen"):
        score_run(adapted.path)


def test_what_was_adapted_to_is_not_scored_on(
    adapted: Run, elements_run: Run, few: Path, labels: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="was trained on all its images"):
        score_run(adapted.path, few)
    everything = pd.read_csv(labels)
    held_out = everything["dive"].isin(_held_out_dives(elements_run))
    part = everything[held_out].assign(image=lambda t: str(labels.parent) + "/" + t["image"])
    part[:6].to_csv(tmp_path / "t.csv", index=False)
    run = adapt(elements_run.path, tmp_path / "t.csv", tmp_path / "run")
    config = load_classifier(run.path).config
    left = unseen_images(run.path, config, None)
    assert len(left) == held_out.sum() - 6
    assert not set(left["path"]) & set(part["image"][:6])


def _held_out_dives(run: Run) -> set[str]:
    split = pd.read_csv(run.path / "split.csv")
    return set(split.loc[split["validation"], "dive"])


def test_an_adapted_classifier_can_be_adapted_again(
    adapted: Run, few: Path, tmp_path: Path
) -> None:
    back = draw_labelled(tmp_path / "back", images=12, seed=13)
    back.assign(dive="back").to_csv(tmp_path / "back" / "t.csv", index=False)
    run = adapt(adapted.path, tmp_path / "back" / "t.csv", tmp_path / "run")
    assert run.info["counts"]["right_before"] < 0.25
    assert run.info["counts"]["right_after"] > 0.9
    seen = pd.read_csv(run.path / "split.csv")["path"]
    assert not seen.duplicated().any()
    assert {str(few.parent / "0.png"), str(tmp_path / "back" / "0.png")} <= set(seen)


def test_both_tasks_are_adapted_at_once(both_run: Run, few: Path, tmp_path: Path) -> None:
    table = pd.read_csv(few)
    table["image"] = str(few.parent) + "/" + table["image"]
    table.loc[::3, "floor"] = None
    table["floor"] = table["floor"].map({"sandy": "muddy", "muddy": "sandy"})
    table.to_csv(tmp_path / "t.csv", index=False)
    run = adapt(both_run.path, tmp_path / "t.csv", tmp_path / "run")
    assert run.info["counts"]["right_before"] < 0.3
    assert run.info["counts"]["right_after"] > 0.9


def test_a_damaged_file_is_left_out(elements_run: Run, few: Path, tmp_path: Path) -> None:
    table = pd.read_csv(few)
    table["image"] = str(few.parent) + "/" + table["image"]
    (tmp_path / "torn.png").write_bytes(b"torn")
    table.loc[0, "image"] = str(tmp_path / "torn.png")
    table.to_csv(tmp_path / "t.csv", index=False)
    run = adapt(elements_run.path, tmp_path / "t.csv", tmp_path / "run")
    assert run.info["counts"]["images"] == 23


def test_a_folder_that_exists_is_not_written_over(
    elements_run: Run, few: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunError, match=r"--out .*mine exists already: give another folder"):
        adapt(elements_run.path, few, tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_an_unknown_class_is_refused_before_anything_is_written(
    elements_run: Run, few: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(few)
    table["image"] = str(few.parent) + "/" + table["image"]
    table["element"] = np.where(table.index == 5, "kelp", table["element"])
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="'kelp', which the classifier does not know"):
        adapt(elements_run.path, tmp_path / "t.csv", tmp_path / "run")
    assert not (tmp_path / "run").exists()
