from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from classify import effects
from classify.effects import AmountError

DRAWN = (effects.turbidity, effects.lamp, effects.snow, effects.rov_frame)


def _scene(height: int = 120, width: int = 180) -> np.ndarray:
    """Blobs of all sizes in three channels, about as dark as a frame of the sea floor."""
    rng = np.random.default_rng(5)
    scene = np.zeros((height, width, 3), np.float32)
    for size in (40, 12, 4, 1):
        small = rng.uniform(0, 1, (height // size + 1, width // size + 1, 3)).astype(np.float32)
        scene += cv2.resize(small, (width, height))
    return (scene * 50 + 10).astype(np.uint8)


def _contrast(pixels: np.ndarray) -> float:
    return float(pixels.std(axis=(0, 1)).mean())


def _light(pixels: np.ndarray) -> np.ndarray:
    return np.square(pixels.astype(float))


def _detail(pixels: np.ndarray) -> float:
    return float(np.abs(np.diff(pixels.astype(int), axis=1)).mean())


def _change(pixels: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(pixels.astype(int) - other).mean())


@pytest.mark.parametrize("effect", DRAWN)
@pytest.mark.parametrize("shape", [(37, 53), (1, 1), (3, 200), (270, 480)])
def test_drawn_effects_keep_shape_and_input(effect: Callable, shape: tuple[int, int]) -> None:
    pixels = _scene(*shape)
    before = pixels.copy()
    pixels.flags.writeable = False
    for amount in (0.0, 0.4, 1.0):
        made = effect(pixels, amount=amount, rng=np.random.default_rng(1))
        assert made.dtype == np.uint8
        assert made.shape == (*shape, 3)
        assert not np.shares_memory(made, pixels)
        if amount == 0:
            assert np.array_equal(made, before)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("effect", DRAWN)
def test_drawn_effects_repeat_with_the_generator_and_grow_with_the_amount(effect: Callable) -> None:
    pixels = _scene()
    first, again = (effect(pixels, amount=0.6, rng=np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    mean = {
        amount: np.mean(
            [
                _change(pixels, effect(pixels, amount=amount, rng=np.random.default_rng(k)))
                for k in range(20)
            ]
        )
        for amount in (0.2, 0.5, 1.0)
    }
    assert 0 < mean[0.2] < mean[0.5] < mean[1.0]


def test_turbidity_takes_contrast_more_at_the_top_and_red_first() -> None:
    pixels = _scene()
    left = [_contrast(effects.haze(pixels, amount)) for amount in (0, 0.2, 0.5, 1)]
    assert all(later < earlier for earlier, later in pairwise(left))
    for seed in range(5):
        made = effects.turbidity(pixels, amount=0.5, rng=np.random.default_rng(seed))
        assert _contrast(made[:30]) / _contrast(pixels[:30]) < 0.8 * (
            _contrast(made[-30:]) / _contrast(pixels[-30:])
        )
        red, green, blue = _light(made[:60]).std(axis=(0, 1)) / _light(pixels[:60]).std(axis=(0, 1))
        assert red < max(green, blue)


def test_turbidity_turns_grey_into_the_colour_of_water() -> None:
    grey = np.full((60, 80, 3), 90, np.uint8)
    for seed in range(5):
        red, green, blue = effects.turbidity(
            grey, amount=0.6, rng=np.random.default_rng(seed)
        ).mean(axis=(0, 1))
        assert red < max(green, blue)
        assert 30 < green < 160


def test_a_lamp_is_uneven_but_keeps_the_light() -> None:
    grey = np.full((90, 120, 3), 70, np.uint8)
    made = effects.lamp(grey, amount=0.8, rng=np.random.default_rng(2))
    assert made.max() > 90
    assert made.min() < 50
    assert np.square(made / 70.0).mean() == pytest.approx(1, abs=0.05)


def test_snow_only_brightens_and_leaves_most_of_the_frame() -> None:
    pixels = _scene(240, 360)
    made = effects.snow(pixels, amount=0.5, rng=np.random.default_rng(0))
    assert (made >= pixels).all()
    assert (made > pixels.astype(int) + 40).any()
    assert (made.astype(int) - pixels < 20).mean() > 0.8


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_the_vehicle_stays_at_the_sides(seed: int, amount: float) -> None:
    pixels = _scene(180, 250)
    made = effects.rov_frame(pixels, amount=amount, rng=np.random.default_rng(seed))
    reach = int(250 * effects.SIDE * amount)
    assert np.array_equal(made[:, reach:-reach], pixels[:, reach:-reach])
    assert not np.array_equal(made, pixels)


def test_less_resolution_takes_detail_away() -> None:
    pixels = _scene()
    left = [_detail(effects.reduce_resolution(pixels, factor)) for factor in (1, 2, 4, 8)]
    assert left[0] == _detail(pixels)
    assert all(later < 0.8 * earlier for earlier, later in pairwise(left))
    assert abs(effects.reduce_resolution(pixels, 8).mean() - pixels.mean()) < 2
    assert effects.reduce_resolution(pixels, 64).shape == pixels.shape


def test_jpeg_loses_more_at_lower_quality_and_keeps_colours() -> None:
    pixels = _scene()
    lost = [_change(pixels, effects.jpeg(pixels, quality)) for quality in (100, 80, 50, 20, 5)]
    assert all(later > earlier for earlier, later in pairwise(lost))
    orange = np.full((16, 16, 3), (220, 120, 20), np.uint8)
    assert _change(orange, effects.jpeg(orange, 95)) < 3


def test_blur_lowers_detail_and_0_is_none() -> None:
    pixels = _scene()
    left = [_detail(effects.blur(pixels, sigma)) for sigma in (0, 0.7, 1.5, 4)]
    assert left[0] == _detail(pixels)
    assert all(later < earlier for earlier, later in pairwise(left))


def test_brightness_multiplies_and_clips() -> None:
    pixels = np.full((4, 4, 3), 100, np.uint8)
    values = [int(effects.brightness(pixels, gain)[0, 0, 0]) for gain in (0, 0.5, 1, 2, 9)]
    assert values == [0, 50, 100, 200, 255]


def test_rotation_turns_counter_clockwise_about_the_centre() -> None:
    pixels = np.zeros((41, 41, 3), np.uint8)
    pixels[18:23, 33:38] = 200  # to the right of the centre
    assert np.array_equal(effects.rotate(pixels, 0), pixels)
    assert effects.rotate(pixels, 90)[5, 20].tolist() == [200, 200, 200]
    assert (effects.rotate(np.full((30, 50, 3), 80, np.uint8), 33) == 80).all()  # no black corners


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda p: effects.haze(p, 1.5), "amount 1.5"),
        (lambda p: effects.haze(p, float("nan")), "amount nan"),
        (lambda p: effects.snow(p, amount=-1, rng=np.random.default_rng(0)), "amount -1"),
        (lambda p: effects.lamp(p, amount=2, rng=np.random.default_rng(0)), "amount 2"),
        (lambda p: effects.rov_frame(p, amount=2, rng=np.random.default_rng(0)), "amount 2"),
        (lambda p: effects.reduce_resolution(p, 0), "factor 0 .* from 1 to 64"),
        (lambda p: effects.jpeg(p, 101), "quality 101"),
        (lambda p: effects.blur(p, -1), "sigma -1"),
        (lambda p: effects.brightness(p, -0.1), "gain -0.1"),
        (lambda p: effects.rotate(p, float("inf")), "degrees inf"),
    ],
)
def test_wrong_amounts_are_named(call: Callable, named: str) -> None:
    with pytest.raises(AmountError, match=named):
        call(_scene())
