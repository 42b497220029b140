import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from classify.evaluate import score
from classify.model import load_classifier
from classify.runs import list_runs, read_run
from classify.train import TrainConfig, train

SMALL = {"height": 64, "width": 64}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red squares and green discs on noise, in four dives, as a CSV; one file is damaged."""
    folder = tmp_path_factory.mktemp("labels")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(48):
        pixels = rng.integers(60, 120, (96, 96, 3), np.uint8)
        label, dive = ("waste", "fauna")[number % 2], f"d{number % 8 // 2}"
        x, y = rng.integers(0, 56, 2)
        pixels[y : y + 40, x : x + 40, number % 2] = 250
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append((f"{number}.png", label, dive))
    (folder / "5.png").write_bytes(b"damaged")
    pd.DataFrame(rows, columns=["image", "label", "dive"]).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_training_learns_and_leaves_a_whole_run(data: Path, tmp_path: Path) -> None:
    run = train(data, tmp_path / "r", config=TrainConfig(epochs=15), **SMALL)
    assert run.info["counts"]["unreadable"] == 1
    assert run.info["counts"]["validation"]["balanced_accuracy"] > 0.9
    assert read_run(tmp_path / "r").is_complete
    names = {path.name for path in (tmp_path / "r").iterdir()}
    assert names == {"run.json", "model.json", "model.safetensors", "history.csv", "split.csv"}
    split = pd.read_csv(tmp_path / "r" / "split.csv")
    assert not set(split[split["validation"]]["dive"]) & set(split[~split["validation"]]["dive"])
    model = load_classifier(tmp_path / "r")
    assert model.config.classes == ("fauna", "waste")
    image = model.prepare(np.asarray(Image.open(data.parent / "0.png")))
    with torch.inference_mode():
        logits = model(torch.from_numpy(image[None])).logits
    assert model.config.classes[int(logits.argmax())] == "waste"


def test_the_same_seed_gives_the_same_weights(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(data, tmp_path / name, config=TrainConfig(epochs=2, seed=3), **SMALL)
    hashes = [json.loads((tmp_path / n / "model.json").read_text())["weights_sha256"] for n in "ab"]
    assert hashes[0] == hashes[1]
    assert [run.name for run in list_runs(tmp_path)] == ["a", "b"]


def test_scores_of_known_predictions() -> None:
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1])
    result = score(truth, predicted, ("a", "b", "c"))
    assert result["accuracy"] == 0.75
    assert result["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)
    assert result["majority_accuracy"] == 0.75
    assert result["recall"] == {"a": pytest.approx(0.6667), "b": 1.0, "c": None}
    assert result["confusion"] == [[2, 0, 1], [0, 1, 0], [0, 0, 0]]
