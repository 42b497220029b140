import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from classify.data import DataError
from classify.model import load_classifier
from classify.runs import Run, RunError, list_runs, read_run
from classify.settings import TrainConfig
from classify.train import train
from tests.classify.conftest import SMALL, draw_labelled

TINY = {"backbone": "mobilenetv3_small_050", "weights": "none", **SMALL}
TUNING = TrainConfig(strength=100.0, tune_epochs=3, batch=8, tune_patience=3, tune_rate=3e-3)


def _hash(folder: Path) -> str:
    return str(json.loads((folder / "model.json").read_text())["weights_sha256"])


def test_training_learns_and_leaves_a_whole_run(elements_run: Run) -> None:
    folder, counts = elements_run.path, elements_run.info["counts"]
    assert read_run(folder).is_complete
    assert counts["unreadable"] == 1
    assert counts["validation"]["elements"]["balanced_accuracy"] > 0.9
    assert not (folder / "work").exists()
    split = pd.read_csv(folder / "split.csv")
    assert not set(split[split["validation"]]["dive"]) & set(split[~split["validation"]]["dive"])
    history = pd.read_csv(folder / "history.csv")
    assert counts["strengths"]["elements"] == history.loc[history["loss"].idxmin(), "strength"]


def test_a_trained_classifier_names_an_image_of_its_data(elements_run: Run, labels: Path) -> None:
    model = load_classifier(elements_run.path)
    image = model.prepare(np.asarray(Image.open(labels.parent / "0.png")))
    with torch.inference_mode():
        output = model(torch.from_numpy(image[None]))
    assert model.config.classes[int(output.logits.argmax())] == "waste"
    assert torch.allclose(model.probabilities(output.logits).sum(), torch.ones(()))


def test_the_locator_points_at_the_square(elements_run: Run) -> None:
    model = load_classifier(elements_run.path)
    pixels = np.random.default_rng(0).integers(60, 120, (96, 96, 3), np.uint8)
    pixels[56:, 56:] = (250, 30, 30)
    with torch.inference_mode():
        maps = model(torch.from_numpy(pixels[None])).maps[0]
    row, column = divmod(int(maps[model.config.classes.index("waste")].argmax()), 3)
    assert row >= 1
    assert column >= 1


def test_both_tasks_share_one_trunk(both_run: Run) -> None:
    scores = both_run.info["counts"]["validation"]
    assert scores["elements"]["balanced_accuracy"] > 0.9
    assert scores["floor"]["balanced_accuracy"] > 0.9
    assert load_classifier(both_run.path).config.classes == ("sandy", "muddy", "fauna", "waste")


def test_half_labelled_tables_train_both_tasks(labels: Path, tmp_path: Path) -> None:
    table = pd.read_csv(labels)
    table["image"] = [str(labels.parent / name) for name in table["image"]]
    table.loc[::2, ["image", "floor", "dive"]].to_csv(tmp_path / "floor.csv", index=False)
    table.loc[1::2, ["image", "element", "dive"]].assign(element=["waste", "fauna"] * 12).to_csv(
        tmp_path / "elements.csv", index=False
    )
    run = train(
        [tmp_path / "floor.csv", tmp_path / "elements.csv"],
        tmp_path / "both",
        task="both",
        config=TrainConfig(strength=0.01),
        **SMALL,
    )
    scores = run.info["counts"]["validation"]
    assert scores["floor"]["images"] + scores["elements"]["images"] == len(
        pd.read_csv(run.path / "validation.csv")
    )


def test_several_labels_a_frame(tmp_path: Path) -> None:
    table = draw_labelled(tmp_path)
    bright = table["floor"] == "sandy"
    table["element"] = np.where(bright, table["element"] + "|ripples", table["element"])
    table.to_csv(tmp_path / "t.csv", index=False)
    run = train(
        tmp_path / "t.csv", tmp_path / "m", config=TrainConfig(strength=0.003), multilabel=True,
        **SMALL,
    )  # fmt: skip
    scores = run.info["counts"]["validation"]["elements"]
    assert scores["mean_average_precision"] > 0.9
    assert scores["exact"] > 0.5


def test_the_same_seed_gives_the_same_weights_and_a_finished_run_stays(
    labels: Path, tmp_path: Path
) -> None:
    config = TrainConfig(strength=0.01, seed=3)
    for name in "ab":
        train(labels, tmp_path / name, config=config, **SMALL)
    assert _hash(tmp_path / "a") == _hash(tmp_path / "b")
    assert [run.name for run in list_runs(tmp_path)] == ["a", "b"]
    before = (tmp_path / "a" / "run.json").read_bytes()
    train(labels, tmp_path / "a", config=config, **SMALL)
    assert (tmp_path / "a" / "run.json").read_bytes() == before
    with pytest.raises(RunError, match=r"--out .*a holds a run with other settings"):
        train(labels, tmp_path / "a", config=TrainConfig(strength=0.02, seed=3), **SMALL)


_CHILD = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.classify.test_train import TINY, TUNING
from classify.train import train
train(Path(sys.argv[1]), Path(sys.argv[2]), config=TUNING, **TINY)
"""


def test_a_killed_run_goes_on_to_the_same_weights(labels: Path, tmp_path: Path) -> None:
    whole = train(labels, tmp_path / "whole", config=TUNING, **TINY)
    killed = tmp_path / "killed"
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(labels), str(killed)])
    checkpoint = killed / "work" / "tuning.safetensors"
    for _ in range(600):
        if checkpoint.exists() or child.poll() is not None:
            break
        time.sleep(0.1)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert read_run(killed).info["status"] == "started"
    with pytest.raises(RunError, match="was not finished"):
        load_classifier(killed)
    train(labels, killed, config=TUNING, **TINY)
    assert whole.info["counts"]["tuned_epochs"] > 0
    assert _hash(killed) == _hash(tmp_path / "whole")


def test_a_final_fit_sees_all_images_and_keeps_the_honest_scores(
    labels: Path, tmp_path: Path
) -> None:
    runs = {
        final: train(
            labels, tmp_path / str(final), config=TrainConfig(strength=0.01, final=final), **SMALL
        )
        for final in (False, True)
    }
    honest, final = (runs[key].info["counts"]["validation"]["elements"] for key in (False, True))
    assert honest["confusion"] == final["confusion"]
    assert _hash(tmp_path / "False") != _hash(tmp_path / "True")


def test_a_run_starts_from_the_trunk_of_another(labels: Path, tmp_path: Path) -> None:
    first = train(labels, tmp_path / "floor", task="floor", config=TUNING, **TINY)
    second = train(
        labels,
        tmp_path / "elements",
        config=TrainConfig(strength=0.01),
        init_from=first.path,
        **TINY,
    )
    floor, elements = load_classifier(first.path), load_classifier(second.path)
    assert torch.equal(
        floor.trunk.backbone.conv_stem.weight, elements.trunk.backbone.conv_stem.weight
    )
    with pytest.raises(RunError, match=r"--init-from .* give --backbone mobilenetv3_small_050"):
        train(labels, tmp_path / "x", init_from=first.path, **SMALL)


def test_nothing_is_written_where_the_data_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        train(tmp_path / "none.csv", tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "option"),
    [({"batch": 0}, "--batch"), ({"augment": 3.0}, "--augment"), ({"average": 1.0}, "--average")],
)
def test_wrong_settings_name_the_option(wrong: dict[str, float], option: str) -> None:
    with pytest.raises(Exception, match=option):
        TrainConfig(**wrong)
