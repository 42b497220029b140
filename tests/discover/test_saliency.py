import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.errors import UserError
from classify.runs import RunError, file_hash
from discover.saliency import (
    CALIBRATION_FILE,
    SaliencyConfig,
    choose_config,
    find_regions,
    normalise,
    rarity,
    without_rivals,
)


def _scene(bright: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A disc on noisy sediment that is lit from one side, its true mask, and a coarse map."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:176, :256]
    sediment = 90 + cols * 0.3 + rng.normal(0, 5, rows.shape)
    truth = (rows - 90) ** 2 + (cols - 130) ** 2 < 20**2
    grey = np.where(truth, 220 if bright else 25, sediment)
    pixels = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
    coarse = np.exp(-((np.mgrid[:11, :16][0] - 5) ** 2 + (np.mgrid[:11, :16][1] - 8) ** 2) / 6.0)
    return pixels, truth, coarse.astype(np.float32)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("bright", [True, False])
def test_refinement_follows_the_objects_edge(bright: bool) -> None:
    pixels, truth, coarse = _scene(bright)
    plain = find_regions(coarse, pixels, SaliencyConfig(refine=False))[0]
    refined = find_regions(coarse, pixels, SaliencyConfig())[0]
    assert _iou(refined, truth) > max(0.7, _iou(plain, truth))


def test_sediment_without_an_object_gives_a_region_in_the_same_place() -> None:
    pixels, _, coarse = _scene(bright=True)
    pixels[:] = 90
    plain = find_regions(coarse, pixels, SaliencyConfig(refine=False))[0]
    assert np.array_equal(find_regions(coarse, pixels, SaliencyConfig())[0], plain)


def test_a_flat_map_gives_no_region() -> None:
    pixels, _, _ = _scene(bright=True)
    assert find_regions(np.full((11, 16), 3.0, np.float32), pixels, SaliencyConfig()) == []


def test_strongest_first_and_weak_ones_left_out() -> None:
    coarse = np.zeros((11, 16), np.float32)
    coarse[2, 2], coarse[8, 13], coarse[2, 13] = 1.0, 0.9, 0.3
    pixels = np.full((176, 256, 3), 90, np.uint8)
    config = SaliencyConfig(percentile=96, regions=5, weakest=0.7, refine=False)
    found = find_regions(coarse, pixels, config)
    assert [mask[40, 40] for mask in found] == [True, False]
    assert [mask[136, 216] for mask in found] == [False, True]
    assert len(find_regions(coarse, pixels, SaliencyConfig(regions=1, refine=False))) == 1


@given(st.integers(0, 1000), st.sampled_from([(7, 7), (11, 16), (1, 5)]), st.floats(50, 99))
def test_regions_are_masks_of_the_image_and_do_not_overlap(
    seed: int, shape: tuple[int, int], percentile: float
) -> None:
    activation = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), np.uint8)
    config = SaliencyConfig(percentile=percentile, refine=False)
    masks = find_regions(activation, pixels, config)
    assert 1 <= len(masks) <= config.regions
    assert all(mask.shape == (60, 80) and mask.any() for mask in masks)
    assert np.sum(masks, axis=0).max() == 1
    refined = find_regions(activation, pixels, SaliencyConfig(percentile=percentile))
    assert all(mask.any() for mask in refined)


def test_normalise_spans_zero_to_one() -> None:
    scaled = normalise(cv2.resize(np.eye(4, dtype=np.float32) * 9 - 3, (9, 9)))
    assert (scaled.min(), scaled.max()) == (0, 1)


def test_the_peak_decides_how_large_a_region_is_and_a_percentile_goes_before_it() -> None:
    pixels, _, coarse = _scene(bright=True)
    sizes = [
        find_regions(coarse, pixels, SaliencyConfig(refine=False, **given))[0].mean()
        for given in ({"peak": 0.3}, {"peak": 0.8}, {"peak": 0.3, "percentile": 99})
    ]
    assert sizes[0] > sizes[1]
    assert sizes[2] == pytest.approx(0.01, rel=0.1)


def test_no_region_is_where_something_lies_over_the_scene() -> None:
    pixels, truth, coarse = _scene(bright=True)
    config = SaliencyConfig(refine=False)
    covered = np.zeros(truth.shape, bool)
    covered[:, 100:170] = True  # over the peak
    for region in find_regions(coarse, pixels, config, covered):
        assert not (region & covered).any()
    assert find_regions(coarse, pixels, config, np.ones_like(covered)) == []


def test_what_is_rare_in_the_frame_stands_out_whatever_the_scale_of_the_channels() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 22, 32)).astype(np.float32)
    features[3, 9:12, 20:23] += 6
    found = rarity(features)
    assert found.shape == (22, 32)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 9 <= row <= 11
    assert 20 <= column <= 22
    assert np.allclose(rarity(features * 50 + 7), found, atol=1e-3)


def test_the_weight_towards_the_middle_can_be_left_out() -> None:
    features = np.random.default_rng(0).normal(size=(8, 22, 32)).astype(np.float32)
    features[:, 0, 0] += 20  # as padding makes the corner
    assert rarity(features, centre=0).argmax() == 0
    assert rarity(features, centre=0.2).argmax() != 0
    assert not rarity(np.ones((8, 22, 32), np.float32)).any()


def test_one_place_has_one_class() -> None:
    left, right = np.zeros((2, 40, 60), bool)
    left[10:20, 5:20], right[10:20, 40:55] = True, True
    fish, bag = np.zeros((2, 40, 60), np.float32)
    fish[left], fish[right], bag[right] = 0.9, 0.3, 0.8
    found = [(0, left), (0, right), (1, right)]
    kept = without_rivals(found, {0: fish, 1: bag})
    assert [number for number, _ in kept] == [0, 1]
    assert kept[0][1] is left
    assert without_rivals(found, {0: fish}) == found  # regions of one class are not rivals


def test_what_is_given_goes_before_what_was_calibrated(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert choose_config(tmp_path) == SaliencyConfig()
    stored = {"saliency": SaliencyConfig(peak=0.7, regions=2).to_dict()}
    stored["model_hash"] = file_hash(tmp_path / "model.safetensors")
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(stored))
    assert choose_config(tmp_path) == SaliencyConfig(peak=0.7, regions=2)
    assert choose_config(tmp_path, regions=5, peak=None) == SaliencyConfig(peak=0.7, regions=5)
    assert choose_config(tmp_path, method="cam") == SaliencyConfig.of_method("cam")
    (tmp_path / "model.safetensors").write_bytes(b"others")
    with pytest.raises(RunError, match="made for other weights: run `discover calibrate` again"):
        choose_config(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"percentile": 100},
        {"regions": 0},
        {"peak": 0},
        {"classes": "0"},
        {"classes": "few"},
        {"input_scale": ()},
        {"input_scale": (9,)},
    ],
)
def test_wrong_settings_name_the_option(wrong: dict[str, Any]) -> None:
    option = next(iter(wrong)).replace("_", "-")
    with pytest.raises(UserError, match=f"--{option}"):
        SaliencyConfig(**wrong)
