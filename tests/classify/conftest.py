"""Small labelled images on which a classifier can really learn something."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from classify.runs import Run
from classify.settings import TrainConfig
from classify.train import train

SMALL: dict[str, Any] = {"height": 64, "width": 64}


def draw_labelled(folder: Path, *, images: int = 48, seed: int = 0) -> pd.DataFrame:
    """Draw bright squares on noise: red is waste, green fauna; bright ground is sandy, else muddy.

    Returns columns `image, element, floor, dive`: eight dives, both classes of each task in all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(images):
        bright = number // 2 % 2
        pixels = rng.integers(60 + 80 * bright, 120 + 80 * bright, (96, 96, 3), np.uint8)
        x, y = rng.integers(0, 56, 2)
        pixels[y : y + 40, x : x + 40] = (250, 30, 30) if number % 2 == 0 else (30, 250, 30)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        element, floor = ("waste", "fauna")[number % 2], ("muddy", "sandy")[bright]
        rows.append((f"{number}.png", element, floor, f"d{number // 6}"))
    return pd.DataFrame(rows, columns=["image", "element", "floor", "dive"])


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of both tasks; one of its files is damaged."""
    folder = tmp_path_factory.mktemp("labels")
    draw_labelled(folder).to_csv(folder / "t.csv", index=False)
    (folder / "5.png").write_bytes(b"damaged")
    return folder / "t.csv"


@pytest.fixture(scope="session")
def elements_run(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained classifier of elements."""
    out = tmp_path_factory.mktemp("runs") / "elements"
    return train(labels, out, config=TrainConfig(), height=96, width=96)


@pytest.fixture(scope="session")
def both_run(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trained classifier of both tasks."""
    out = tmp_path_factory.mktemp("runs") / "both"
    return train(labels, out, task="both", config=TrainConfig(strength=0.01), **SMALL)
