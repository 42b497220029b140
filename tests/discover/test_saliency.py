import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.runs import RunError
from discover.saliency import SaliencyConfig, find_regions, normalise


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


@pytest.mark.parametrize("wrong", [{"percentile": 0}, {"percentile": 100}, {"regions": 0}])
def test_wrong_settings_name_the_option(wrong: dict[str, int]) -> None:
    with pytest.raises(RunError, match=f"--{next(iter(wrong))}"):
        SaliencyConfig(**wrong)
