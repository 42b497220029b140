from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify import effects
from classify.images import Pixels, read_image, resize
from discover.quality import dive_flags, image_flags, image_statistics, side_to_read


@pytest.fixture(scope="module")
def dive(footage: Path) -> Pixels:
    """The frames of one dive, uint8 [24, 180, 320, 3]."""
    folder = sorted(path for path in footage.iterdir() if path.is_dir())[0]
    return np.stack([read_image(path).pixels for path in sorted(folder.glob("*.jpg"))])


def _flags(pixels: Pixels) -> list[str]:
    return image_flags(image_statistics(pixels))


def _woven(pixels: Pixels, shift: int) -> Pixels:
    """Weave two fields, the second taken when the scene had moved on."""
    woven = pixels.copy()
    woven[1::2] = np.roll(pixels[1::2], shift, axis=1)
    return woven


def _tinted(pixels: Pixels) -> Pixels:
    return (pixels * np.array([0.1, 0.9, 0.5])).astype(np.uint8)


def test_a_usual_frame_has_no_flags(dive: Pixels) -> None:
    flags = [flag for frame in dive for flag in _flags(frame)]
    assert len(flags) <= 1


@pytest.mark.parametrize(
    ("flag", "degrade"),
    [
        ("dark", lambda p: effects.brightness(p, 0.1)),
        ("over-exposed", lambda p: effects.brightness(p, 4.0)),
        ("blurred", lambda p: effects.blur(p, 3.0)),
        ("interlaced", lambda p: _woven(p, 6)),
        ("colour-cast", _tinted),
    ],
)
def test_each_degradation_is_flagged_as_what_it_is(dive: Pixels, flag: str, degrade) -> None:  # noqa: ANN001
    found = [_flags(degrade(frame)) for frame in dive[::6]]
    assert all(flag in flags for flags in found), found


def test_text_that_stays_sharp_does_not_hide_blur(dive: Pixels) -> None:
    frame = effects.blur(dive[3], 4.0)
    assert "blurred" in _flags(frame)
    frame[5:17:3, 20:150] = 250
    frame[5:17, 20:150:4] = 250
    assert "blurred" in _flags(frame)


def test_bars_above_and_below_change_no_flag(dive: Pixels) -> None:
    frame = dive[10]
    assert _flags(np.pad(frame, ((30, 30), (0, 0), (0, 0)))) == _flags(frame)


def test_a_sharper_and_brighter_frame_measures_so() -> None:
    rng = np.random.default_rng(0)
    noisy = np.kron(rng.integers(0, 255, (24, 32, 3), np.uint8), np.ones((10, 10, 1), np.uint8))
    plain, other = image_statistics(np.full_like(noisy, 20)), image_statistics(noisy)
    assert plain["sharpness"] == 0
    assert plain["brightness"] == pytest.approx(20, abs=0.5)
    assert other["sharpness"] > 100
    assert 100 < other["brightness"] < 150


@settings(max_examples=25)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    value=st.sampled_from([0, 128, 255]),
    seed=st.none() | st.integers(0, 9),
)
def test_any_picture_can_be_measured(height: int, width: int, value: int, seed: int | None) -> None:
    pixels = np.full((height, width, 3), value, np.uint8)
    if seed is not None:
        pixels = np.random.default_rng(seed).integers(0, 255, pixels.shape, np.uint8)
    assert all(np.isfinite(v) for v in image_statistics(pixels).values())


def test_what_may_be_interlaced_is_read_in_full() -> None:
    assert side_to_read(1920, 1080) == 1080
    assert side_to_read(3840, 2160) == 270
    assert side_to_read(720, 576) == 576
    assert side_to_read(100, 3000) == 100


def _table(fineness: float | None, frames: int) -> pd.DataFrame:
    return pd.DataFrame({"fineness": [fineness] * frames})


def test_a_standstill_is_flagged_but_for_its_first_frame(dive: Pixels) -> None:
    thumbnails = np.stack([resize(frame, 171, 96) for frame in dive[:8]])
    still = np.insert(thumbnails, [4] * 5, thumbnails[3], axis=0)
    still[6, 2:6, 2:8] = 255  # a digit of the clock
    flags = dive_flags(_table(None, len(still)), still)
    assert [n for n, found in enumerate(flags) if "frozen" in found] == [4, 5, 6, 7, 8]


def test_a_slow_drift_is_no_standstill() -> None:
    rng = np.random.default_rng(0)
    floor = effects.blur(rng.integers(0, 255, (96, 400, 3), np.uint8), 6.0)
    slid = np.stack([floor[:, n : n + 171] for n in range(60)])
    frozen = ["frozen" in found for found in dive_flags(_table(None, len(slid)), slid)]
    assert not frozen[0]
    assert sum(frozen) < len(frozen) - 5


def test_blur_is_told_by_the_frames_around(dive: Pixels) -> None:
    thumbnails = np.stack([resize(frame, 171, 96) for frame in dive])
    table = _table(0.4, len(dive))
    table.loc[[3, 20], "fineness"] = 0.2
    flags = dive_flags(table, thumbnails)
    assert [n for n, found in enumerate(flags) if "blurred" in found] == [3, 20]
    assert not any("blurred" in found for found in dive_flags(_table(None, len(dive)), thumbnails))


def test_frames_that_the_vehicle_fills_are_flagged() -> None:
    rng = np.random.default_rng(0)
    floor = effects.blur(rng.integers(0, 255, (96, 171 + 400, 3), np.uint8), 2.0)
    vehicle = rng.integers(0, 2, (96, 70, 1), np.uint8).repeat(3, axis=2) * 200
    frames = np.stack([floor[:, 10 * n : 10 * n + 171] for n in range(40)])
    hidden = frames.copy()
    hidden[:30, :, :70] = vehicle
    mostly = ["mostly-vehicle" in found for found in dive_flags(_table(None, 40), hidden)]
    assert mostly == [True] * 30 + [False] * 10
    assert not any(dive_flags(_table(None, 40), frames))


def test_few_frames_or_none_say_nothing(dive: Pixels) -> None:
    assert dive_flags(_table(0.3, 0), dive[:0]) == []
    assert dive_flags(_table(0.3, 1), dive[:1]) == [[]]
    with pytest.raises(ValueError, match="thumbnails: 2 for 3 frames"):
        dive_flags(_table(0.3, 3), dive[:2])
