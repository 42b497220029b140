from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classify.images import Decoded, Pixels
from classify.model import Classifier, ModelConfig, load_classifier
from classify.runs import RunError
from discover.cutting.class_maps import ClassMaps, input_size
from discover.cutting.regions import ClassifierRegions
from discover.saliency import SaliencyConfig


@pytest.fixture(scope="module")
def images() -> list[Pixels]:
    """Two frames of noise, each with a square that is unlike the rest."""
    pixels = np.random.default_rng(0).integers(60, 120, (2, 96, 160, 3), np.uint8)
    pixels[0, 30:60, 90:120] = (250, 30, 30)
    pixels[1, 40:70, 40:70] = (30, 250, 30)
    return list(pixels)


def _resized(images: list[Pixels]) -> object:
    import cv2

    def at(scale: float) -> list[Pixels]:
        size = input_size(160, 96, scale)
        return [np.asarray(cv2.resize(image, size), np.uint8) for image in images]

    return at


def _maps(model: Path, images: list[Pixels], **settings: object) -> list[np.ndarray]:
    found = ClassMaps(load_classifier(model), SaliencyConfig(**settings))(_resized(images))
    return [maps[number] for probabilities, maps in found for number in (probabilities.argmax(),)]


def test_what_is_rare_is_found_without_having_been_learned(
    model: Path, images: list[Pixels]
) -> None:
    first, second = _maps(model, images)
    assert first.shape == (6, 10)  # twice as fine as the last map
    row, column = np.unravel_index(first.argmax(), first.shape)
    assert (1 <= row <= 4) & (5 <= column <= 7)
    row, column = np.unravel_index(second.argmax(), second.shape)
    assert (2 <= row <= 4) & (2 <= column <= 4)


@pytest.mark.parametrize("method", ["rarity", "locator", "cam", "grad-cam", "eigen-cam"])
def test_the_map_of_a_frame_is_the_same_in_any_batch(
    method: str, model: Path, images: list[Pixels]
) -> None:
    both = _maps(model, images, method=method)
    alone = [_maps(model, [image], method=method)[0] for image in images]
    for one, other in zip(both, alone, strict=True):
        assert np.allclose(one, other, atol=0.03)  # bfloat16, where the CPU has it
        assert 0 <= one.min() <= one.max() <= 1


def test_flips_and_scales_are_averaged_on_the_finest_grid(
    model: Path, images: list[Pixels]
) -> None:
    (averaged,) = _maps(model, images[:1], input_scale=(1.0, 2.0), flip=True)
    assert averaged.shape == (12, 20)
    mirrored = [np.ascontiguousarray(images[0][:, ::-1])]
    (flipped,) = _maps(model, mirrored, flip=True)
    (plain,) = _maps(model, images[:1], flip=True)
    assert np.allclose(flipped[:, ::-1], plain, atol=0.03)


def test_classes_of_a_frame(model: Path) -> None:
    network = load_classifier(model)
    count = len(network.config.classes)
    probabilities = np.linspace(0.1, 0.7, count).astype(np.float32)

    def present(**settings: object) -> list[int]:
        return ClassMaps(network, SaliencyConfig(**settings)).present(probabilities)

    order = list(range(count))[::-1]
    assert present() == order[:1]
    assert present(classes="2") == order[:2]
    assert present(classes="99") == order
    assert present(classes="all", least=0.0) == order
    assert present(classes="all", least=0.69) == order[:1]
    assert present(classes="all", least=0.9) == []
    several = replace(network.config, multilabel=True, thresholds=(0.09,) + (0.9,) * (count - 1))
    network.config = several
    assert present() == [0]


def test_a_frame_of_no_class_has_no_regions(model: Path, images: list[Pixels]) -> None:
    source = ClassifierRegions(model, SaliencyConfig(classes="all", least=1.0))
    frames = [Decoded(image, 160, 96) for image in images]
    assert source.find(["a", "b"], frames) == [[], []]


def test_regions_keep_off_what_is_known_to_lie_over_the_scene(
    model: Path, images: list[Pixels]
) -> None:
    source = ClassifierRegions(model, SaliencyConfig(refine=False))
    frames = [Decoded(images[0], 160, 96)]
    overlay = np.zeros((48, 80), bool)
    overlay[:, 40:64] = True  # over the square
    source.begin([Path("a")], ["a"], ["dive"], {"dive": overlay})
    (found,) = source.find(["a"], frames)
    for region in found:
        assert not region.cut.mask[:, 80:128].any()
    source.begin([Path("a")], ["a"], ["dive"], {})
    (found,) = source.find(["a"], frames)
    assert found[0].cut.mask[30:60, 90:120].any()


def test_a_region_scores_by_the_evidence_in_it(model: Path, images: list[Pixels]) -> None:
    frames = [Decoded(images[0], 160, 96)]
    source = ClassifierRegions(model, SaliencyConfig(regions=3, weakest=0.1, refine=False))
    (found,) = source.find(["a"], frames)
    ((probabilities, maps),) = source.maps(["a"], frames)
    (of_class,) = maps.values()
    scores = [region.score for region in found]
    assert scores[0] == pytest.approx(of_class.max(), abs=0.02)
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)  # not the frame's probability, which they share
    by_locator = ClassifierRegions(model, SaliencyConfig(method="locator", refine=False))
    (found,) = by_locator.find(["a"], frames)
    assert found[0].score == pytest.approx(probabilities.max(), abs=0.02)


@pytest.mark.parametrize("method", ["rarity", "locator", "grad-cam"])
def test_regions_of_several_classes_do_not_share_a_place(
    method: str, model: Path, images: list[Pixels]
) -> None:
    source = ClassifierRegions(model, SaliencyConfig(method=method, classes="2"))
    (found,) = source.find(["a"], [Decoded(images[0], 160, 96)])
    assert found
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            if one.class_name != other.class_name:
                both = one.cut.mask & other.cut.mask
                assert both.sum() < 0.5 * (one.cut.mask | other.cut.mask).sum()


def test_settings_decide_the_key_of_the_run(model: Path) -> None:
    keys = [
        ClassifierRegions(model, SaliencyConfig(**settings)).key
        for settings in ({}, {"method": "cam"}, {"input_scale": (2.0,)}, {"classes": "all"})
    ]
    assert len({str(key) for key in keys}) == len(keys)


def test_an_unknown_method_and_a_scale_that_the_backbone_cannot_take_are_refused(
    model: Path,
) -> None:
    network = load_classifier(model)
    with pytest.raises(RunError, match="--method 'gradcam' is none of rarity, cam, locator"):
        ClassMaps(network, SaliencyConfig(method="gradcam"))
    config = ModelConfig(
        {"elements": ("fauna", "waste")},
        backbone="vit_tiny_patch16_224",
        weights="none",
        height=96,
        width=160,
    )
    transformer = Classifier(config).eval()
    with pytest.raises(RunError, match="--input-scale 2: vit_tiny_patch16_224 takes images"):
        ClassMaps(transformer, SaliencyConfig(input_scale=(2.0,)))
    (seen,) = ClassMaps(transformer, SaliencyConfig())(lambda _: [np.zeros((96, 160, 3), np.uint8)])
    assert all(found.shape == (6, 10) for found in seen[1].values())


def test_inputs_of_other_scales_lie_on_the_trunks_grid() -> None:
    assert input_size(512, 352, 2) == (1024, 704)
    assert input_size(500, 350, 1) == (500, 350)
    assert input_size(500, 350, 0.5) == (256, 160)
