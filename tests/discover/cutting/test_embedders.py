from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from classify.device import inference_precision
from classify.errors import UserError
from classify.model import load_classifier
from discover.crops import Cut, cut_region
from discover.cutting.embedders import CropEmbedder, EmbedConfig, PooledEmbedder
from discover.cutting.frame_image import FrameImage

SMALL = EmbedConfig(size=64)


@pytest.fixture
def frame(tmp_path: Path) -> FrameImage:
    noise = np.random.default_rng(0).integers(0, 255, (18, 32, 3), np.uint8)
    Image.fromarray(noise).resize((320, 180)).save(tmp_path / "a.png")
    return FrameImage(tmp_path / "a.png")


def _cut(x: int, y: int, w: int, h: int) -> Cut:
    mask = np.zeros((180, 320), bool)
    mask[y : y + h, x : x + w] = True
    return cut_region(mask, (0, 0, 320, 180))


CUTS = [_cut(10, 20, 60, 50), _cut(200, 90, 30, 70), _cut(100, 10, 120, 150)]


@pytest.mark.parametrize("flip", [True, False])
def test_a_vector_does_not_depend_on_what_it_is_computed_with(
    frame: FrameImage, flip: bool
) -> None:
    embedder = CropEmbedder(EmbedConfig(size=64, flip=flip), min_side=180)
    together = embedder(frame, CUTS)
    assert together.shape == (3, embedder.dim) == (3, 1280)
    assert together.dtype == np.float32
    for cut, vector in zip(CUTS, together, strict=True):
        assert np.array_equal(embedder(frame, [cut])[0], vector)
    assert embedder(frame, []).shape == (0, 1280)


def test_the_mirror_image_has_the_same_vector(tmp_path: Path, frame: FrameImage) -> None:
    pixels = frame.at(180).pixels
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "mirrored.png")
    mirrored = FrameImage(tmp_path / "mirrored.png")
    embedder = CropEmbedder(SMALL, min_side=180)
    cut, turned = _cut(100, 40, 60, 60), _cut(160, 40, 60, 60)
    one, other = embedder(frame, [cut])[0], embedder(mirrored, [turned])[0]
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.99


def test_ways_differ_in_what_of_the_region_counts(frame: FrameImage) -> None:
    half = np.zeros((180, 320), bool)
    half[20:70, 10:40] = True
    half[69, 10:70] = True  # the same box as a full one
    ragged, full = cut_region(half, (0, 0, 320, 180)), CUTS[0]
    assert ragged.box == full.box
    found = {
        way: CropEmbedder(EmbedConfig(size=64, way=way), min_side=180)(frame, [ragged, full])
        for way in ("object", "box", "frame")
    }
    assert not np.allclose(*found["object"], atol=1e-2)
    assert np.array_equal(*found["box"])
    assert np.array_equal(*found["frame"])
    assert not np.allclose(found["box"], found["frame"], atol=1e-2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"way": "mask"}, "--way 'mask' is none of object, box, frame"),
        ({"background": "red"}, "--background 'red' is none of surround, blur, mean, keep"),
        ({"size": 8}, "--size 8 must be at least 32"),
        ({"context": -1}, "--context -1 must not be negative"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EmbedConfig(**settings)  # type: ignore[arg-type]


def test_the_pooled_map_is_the_mean_over_the_region(model: Path, frame: FrameImage) -> None:
    classifier = load_classifier(model)
    seen = classifier.prepare(frame.at(classifier.config.min_side).pixels)
    with torch.inference_mode(), inference_precision():
        features = classifier.trunk(torch.from_numpy(seen[None])).float()[0]
    embedder = PooledEmbedder(classifier)
    rows, cols = features.shape[1:]
    left = _cut(0, 0, 320 // cols, 180 // rows)  # about the first position of the map alone
    whole = _cut(0, 0, 320, 180)
    first, mean = embedder(frame, [left, whole])
    assert np.allclose(mean, features.mean(dim=(1, 2)).numpy(), atol=0.05)
    near = features[:, 0, 0].numpy()
    assert first @ near / np.linalg.norm(first) / np.linalg.norm(near) > 0.97
    assert embedder(frame, []).shape == (0, embedder.dim)


def test_the_map_is_made_once_for_the_same_images(model: Path, frame: FrameImage) -> None:
    classifier = load_classifier(model)
    embedder = PooledEmbedder(classifier)
    calls: list[int] = []
    classifier.trunk.get_submodule("trunk").register_forward_hook(lambda *_: calls.append(1))
    seen = torch.from_numpy(classifier.prepare(frame.at(classifier.config.min_side).pixels)[None])
    with torch.inference_mode():
        classifier(seen)
    embedder(frame, CUTS)
    assert len(calls) == 1
    with torch.inference_mode():
        classifier(255 - seen)
    assert len(calls) == 2
