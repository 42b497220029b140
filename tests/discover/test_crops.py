import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classify.errors import UserError
from classify.images import Decoded
from discover.crops import (
    BACKGROUNDS,
    Cut,
    Mask,
    _edges,
    crop_pixels,
    cut_from_rle,
    cut_region,
    decode_mask,
    encode_mask,
    square_around,
)


@st.composite
def _regions(draw: st.DrawFn) -> tuple[Mask, tuple[int, int, int, int], int, int]:
    """A grid mask over a window of a frame: mask, window, width, height."""
    width, height = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    w, h = draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
    rows, cols = draw(st.integers(1, h)), draw(st.integers(1, w))
    mask = draw(hnp.arrays(bool, (rows, cols)).filter(lambda m: m.any()))
    return mask, (x, y, w, h), width, height


def _rebuilt(mask: Mask, window: tuple[int, int, int, int], width: int, height: int) -> Mask:
    """The mask at full size, each grid cell repeated over the pixels it stands for."""
    x, y, w, h = window
    frame = np.zeros((height, width), bool)
    fine = np.repeat(mask, np.diff(_edges(mask.shape[0], y, h)), axis=0)
    frame[y : y + h, x : x + w] = np.repeat(fine, np.diff(_edges(mask.shape[1], x, w)), axis=1)
    return frame


@settings(max_examples=300)
@given(_regions())
def test_an_encoded_mask_is_the_grid_at_full_size(
    region: tuple[Mask, tuple[int, int, int, int], int, int],
) -> None:
    mask, window, width, height = region
    counts = encode_mask(cut_region(mask, window), width, height)
    assert counts is not None
    assert np.array_equal(decode_mask(counts, width, height), _rebuilt(*region))


@settings(max_examples=300)
@given(_regions())
def test_the_box_is_the_bounding_box_of_the_mask(
    region: tuple[Mask, tuple[int, int, int, int], int, int],
) -> None:
    mask, window, width, height = region
    rows, cols = np.nonzero(_rebuilt(*region))
    x, y, w, h = cut_region(mask, window).box
    assert (x, y, x + w - 1, y + h - 1) == (cols.min(), rows.min(), cols.max(), rows.max())
    assert 0 <= x < x + w <= width
    assert 0 <= y < y + h <= height


@given(_regions())
def test_a_cut_survives_being_stored(
    region: tuple[Mask, tuple[int, int, int, int], int, int],
) -> None:
    mask, window, width, height = region
    cut = cut_region(mask, window)
    stored = encode_mask(cut, width, height)
    again = cut_from_rle(stored, width, height)
    assert again is not None
    assert again.box == cut.box
    assert encode_mask(again, width, height) == stored
    x, y, w, h = again.window
    assert again.box == again.window
    assert np.array_equal(again.mask, decode_mask(stored, width, height)[y : y + h, x : x + w])
    coarse = cut_from_rle(stored, width, height, most=7)
    assert coarse is not None
    assert coarse.box == cut.box
    assert coarse.mask is None or max(coarse.mask.shape) <= 7


def test_masks_finer_than_the_frame_still_give_a_box_and_runs_inside_it() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:30, 5:35] = True
    cut = cut_region(mask, (2, 1, 10, 8))
    full = decode_mask(encode_mask(cut, 14, 10), 14, 10)
    assert full.sum() > 0
    x, y, w, h = cut.box
    outside = full.copy()
    outside[y : y + h, x : x + w] = False
    assert not outside.any()


def test_an_empty_mask_cannot_be_cut() -> None:
    with pytest.raises(ValueError, match="it is empty"):
        cut_region(np.zeros((4, 4), bool), (0, 0, 8, 8))
    none = encode_mask(Cut((0, 0, 4, 4), np.zeros((1, 1), bool), (0, 0, 8, 8)), 8, 8)
    assert cut_from_rle(none, 8, 8) is None


def test_a_whole_box_has_no_mask() -> None:
    assert encode_mask(Cut((1, 2, 3, 4), None, (0, 0, 9, 9)), 9, 9) is None


@given(
    st.tuples(*[st.integers(-50, 50)] * 2, *[st.integers(1, 80)] * 2),
    st.floats(0, 1),
)
def test_the_square_holds_the_box_in_its_middle(
    box: tuple[int, int, int, int], context: float
) -> None:
    x, y, w, h = box
    left, top, side, same = square_around(box, context)
    assert side == same >= max(w, h)
    assert left <= x
    assert top <= y
    assert x + w <= left + side
    assert y + h <= top + side
    assert abs((left + side / 2) - (x + w / 2)) <= 1
    assert abs((top + side / 2) - (y + h / 2)) <= 1


def _scene(width: int, height: int) -> np.ndarray:
    """Smooth colours, so that scale changes little."""
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    waves = [127 + 100 * np.sin(4 * x + k) * np.cos(3 * y - k) for k in range(3)]
    return np.stack(waves, axis=2).astype(np.uint8)


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_frame_at_reduced_scale_gives_about_the_same_crop(factor: int, background: str) -> None:
    full = _scene(1280, 960)
    small = full.reshape(960 // factor, factor, 1280 // factor, factor, 3).mean((1, 3))
    yy, xx = np.mgrid[:48, :64]
    cut = cut_region((yy - 20) ** 2 + (xx - 40) ** 2 < 90, (0, 0, 1280, 960))
    crops = [
        crop_pixels(Decoded(pixels, 1280, 960), cut, size=64, background=background).pixels
        for pixels in (full, small.astype(np.uint8))
    ]
    assert np.abs(crops[0].astype(int) - crops[1]).mean() < 3


@settings(max_examples=200)
@given(
    st.integers(1, 90),
    st.integers(1, 70),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([name for name in BACKGROUNDS if name != "mean"]),
    st.booleans(),
    st.data(),
)
def test_any_box_gives_a_crop_of_the_size_asked_for(
    width: int, height: int, factor: int, background: str, masked: bool, data: st.DataObject
) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    pixels = np.full((-(-height // factor), -(-width // factor), 3), (10, 120, 240), np.uint8)
    mask = np.zeros((height, width), bool)
    mask[y : y + h, x : x + w] = True
    whole = (0, 0, width, height)
    cut = cut_region(mask, whole) if masked else Cut((x, y, w, h), None, whole)
    assert cut.box == (x, y, w, h)
    crop = crop_pixels(Decoded(pixels, width, height), cut, size=32, background=background).pixels
    assert crop.shape == (32, 32, 3)
    assert crop.dtype == np.uint8
    # One colour stays one colour: nothing from beyond the border, such as black, comes in.
    assert np.abs(crop.astype(int) - (10, 120, 240)).max() <= 1


def test_a_crop_is_undistorted_and_centred() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[40:60, 80:120] = 255
    cut = Cut((80, 40, 40, 20), None, (0, 0, 200, 100))
    crop = crop_pixels(Decoded(pixels, 200, 100), cut, size=80, context=0.5)
    rows, cols = np.nonzero(crop.pixels[:, :, 0] > 127)
    assert (np.ptp(cols) + 1, np.ptp(rows) + 1) == (40, 20)
    assert cols.mean() == pytest.approx(39.5, abs=1)
    assert rows.mean() == pytest.approx(39.5, abs=1)


@pytest.mark.parametrize("box", [(0, 0, 20, 20), (180, 0, 20, 20), (0, 80, 20, 20)])
def test_what_lies_over_the_border_is_mirrored(box: tuple[int, int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (100, 200, 3), np.uint8)
    cut = Cut(box, None, (0, 0, 200, 100))
    crop = crop_pixels(Decoded(pixels, 200, 100), cut, size=40, context=0.5)
    x, y, w, h = box
    assert np.array_equal(crop.pixels[10:30, 10:30], pixels[y : y + h, x : x + w])
    if x == 0:
        assert np.array_equal(crop.pixels[10:30, 9::-1], crop.pixels[10:30, 10:20])
    else:
        assert np.array_equal(crop.pixels[10:30, 30:], crop.pixels[10:30, 29:19:-1])


def test_outside_the_mask_is_one_colour_and_inside_is_unchanged() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    frame = Decoded(pixels, 160, 120)
    mask = np.zeros((120, 160), bool)
    mask[30:90, 50:110] = True  # box 60 x 60, square 120 with this context: one to one
    cut = cut_region(mask, (0, 0, 160, 120))
    kept = crop_pixels(frame, cut, size=120, context=0.5, background="keep").pixels
    crop = crop_pixels(frame, cut, size=120, context=0.5)
    assert np.array_equal(crop.pixels[45:75, 45:75], kept[45:75, 45:75])
    outside = np.concatenate([crop.pixels[:15].reshape(-1, 3), crop.pixels[-15:].reshape(-1, 3)])
    assert np.ptp(outside, axis=0).max() <= 1
    assert np.abs(outside[0].astype(int) - 127).max() < 12  # the mean of what was there
    blurred = crop_pixels(frame, cut, size=120, context=0.5, background="blur").pixels
    assert np.array_equal(blurred[45:75, 45:75], kept[45:75, 45:75])
    assert blurred[:15].std() < kept[:15].std() / 3


def test_a_mask_that_fills_the_crop_leaves_it_alone() -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (64, 64, 3), np.uint8)
    cut = cut_region(np.ones((4, 4), bool), (0, 0, 64, 64))
    crop = crop_pixels(Decoded(pixels, 64, 64), cut, size=64, context=0)
    assert np.array_equal(crop.pixels[16:-16, 16:-16], pixels[16:-16, 16:-16])


def test_an_unknown_background_is_named() -> None:
    frame = Decoded(np.zeros((8, 8, 3), np.uint8), 8, 8)
    with pytest.raises(
        UserError, match=r"--background 'grey' is none of surround, blur, mean, keep"
    ):
        crop_pixels(frame, Cut((0, 0, 4, 4), None, (0, 0, 8, 8)), size=8, background="grey")
