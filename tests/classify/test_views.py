from pathlib import Path

import numpy as np
import pytest
import torch

from classify.head import Features, Supervision
from classify.model import Classifier, ModelConfig
from classify.runs import RunError
from classify.settings import TrainConfig
from classify.train import train
from classify.views import averaged_views, copies, with_views
from tests.classify.conftest import SMALL


def test_a_copy_stays_with_its_image() -> None:
    rng = np.random.default_rng(0)
    averaged = rng.normal(size=(6, 3)).astype(np.float32)
    features = Features(averaged[:, :, None, None].astype(np.float16), "mean")
    targets = np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 0, 1]]
    known = Supervision(
        targets, np.ones_like(targets), np.arange(4), np.array([4, 5]),
        [np.array([0, 1]), np.array([2, 3])],
    )  # fmt: skip
    seen = rng.normal(size=(12, 3)).astype(np.float32)
    more, taught = with_views(features, known, seen)
    assert len(more.averaged) == len(taught.targets) == 18
    assert sorted(taught.training) == sorted(copies(np.arange(4), 6, 3))
    assert not set(taught.training) & {4, 5, 10, 11, 16, 17}  # copies of the held-out images
    for train_rows, test_rows in taught.inner():
        assert not set(train_rows % 6) & set(test_rows % 6)
    assert np.array_equal(more.averaged[6:, :, 0], seen)


def test_views_differ_from_one_another_and_repeat_with_their_seed() -> None:
    torch.manual_seed(0)
    config = ModelConfig(
        {"floor": ("a", "b")}, backbone="mobilenetv3_small_050", weights="none", **SMALL
    )
    model = Classifier(config).eval()
    images = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), np.uint8)
    first, again, other = (
        averaged_views(model, images, views=2, strength=1.0, seed=seed) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[:3], first[3:])


def test_training_with_views_learns_and_the_strongest_positions_refuse_them(
    labels: Path, tmp_path: Path
) -> None:
    config = TrainConfig(strength=0.01, views=1, final=True)
    run = train(labels, tmp_path / "r", config=config, **SMALL)
    assert run.info["counts"]["validation"]["elements"]["balanced_accuracy"] > 0.9
    with pytest.raises(RunError, match="--views 1 needs --pool mean"):
        train(labels, tmp_path / "x", config=config, pool="topk", **SMALL)
