"""Proof on textures whose motion is known, and on what must not count as proof."""

import cv2
import numpy as np
import pytest

from discover.scenes.background import fixed_part
from discover.scenes.looks import Look, flattened, keypoints
from discover.scenes.matching import overlap_of, prove

H, W = 225, 400


def texture(seed: int, size: tuple[int, int] = (600, 900)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rough = sum(
        cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), s) * s
        for s in (1.5, 4, 9)
    )
    return np.clip(110 + 25 * rough / rough.std(), 0, 255).astype(np.uint8)


def look(grey: np.ndarray) -> Look:
    flat = flattened(grey)
    points, described = keypoints(flat)
    unit = described.astype(np.float32)
    return Look(grey, flat, points, unit / np.linalg.norm(unit, axis=1, keepdims=True))


NONE = np.zeros((H, W), bool)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (60, 0), (-90, 40)])
def test_a_shift_is_found_with_its_overlap(x: int, y: int) -> None:
    floor = texture(1)
    a = look(floor[150 : 150 + H, 200 : 200 + W])
    b = look(floor[150 + y : 150 + y + H, 200 + x : 200 + x + W])
    proof = prove(a, b, NONE, NONE)
    assert proof.motion is not None
    np.testing.assert_allclose(proof.motion @ [W / 2, H / 2, 1], [W / 2 - x, H / 2 - y, 1], atol=1)
    true = (1 - abs(x) / W) * (1 - abs(y) / H)
    assert proof.overlap == pytest.approx(true, abs=0.05)
    assert proof.score > 0.5


def test_proof_is_the_same_both_ways_round() -> None:
    floor = texture(2)
    a, b = look(floor[:H, :W]), look(floor[40 : 40 + H, 70 : 70 + W])
    there, back = prove(a, b, NONE, NONE), prove(b, a, NONE, NONE)
    assert there.overlap == pytest.approx(back.overlap_back, abs=0.03)
    assert there.score == pytest.approx(back.score, rel=0.15)


def test_unlike_floors_prove_nothing() -> None:
    scores = [
        prove(look(texture(s)[:H, :W]), look(texture(s + 50)[:H, :W]), NONE, NONE).score
        for s in range(3, 8)
    ]
    assert max(scores) < 0.05


def with_vehicle(grey: np.ndarray, vehicle: np.ndarray) -> np.ndarray:
    framed = grey.copy()
    framed[150:, :150] = vehicle[:75, :150]
    return framed


def test_the_fixed_part_is_found_and_proves_nothing() -> None:
    vehicle, floor = texture(90), texture(91, (900, 1600))
    rng = np.random.default_rng(0)
    starts = rng.integers(0, [900 - H, 1600 - W], (20, 2))
    frames = [with_vehicle(floor[y : y + H, x : x + W], vehicle) for y, x in starts]
    part = fixed_part(frames)
    assert part.known
    assert part.mask[160:, :140].mean() > 0.95
    assert part.mask[:130].mean() < 0.05
    a = look(with_vehicle(texture(92)[:H, :W], vehicle))
    b = look(with_vehicle(texture(93)[:H, :W], vehicle))
    assert prove(a, b, part.mask, part.mask).score < 0.05
    assert prove(a, b, NONE, NONE, still_counts=False).score == 0  # a vehicle that nobody knows of


def test_a_scene_that_stands_still_is_no_vehicle() -> None:
    still = texture(7)[:H, :W]
    rng = np.random.default_rng(0)
    frames = [np.clip(still + rng.normal(0, 2, still.shape), 0, 255).astype(np.uint8)] * 8
    part = fixed_part(frames)
    assert not part.known
    assert not part.mask.any()


def test_overlap_of_known_motions() -> None:
    half = np.array([[1, 0, W / 2], [0, 1, 0], [0, 0, 1]], float)
    assert overlap_of(np.eye(3), (H, W), (H, W)) == 1
    assert overlap_of(half, (H, W), (H, W)) == 0.5
