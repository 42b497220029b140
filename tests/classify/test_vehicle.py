import cv2
import numpy as np

from classify.vehicle import FEWEST, hide, learn_masks, lit_rows, static_mask


def _dive(frames: int = 20, vehicle: bool = True) -> np.ndarray:
    """Draw noise that changes from frame to frame, and a dark bar at the left that does not."""
    images = np.random.default_rng(0).integers(60, 255, (frames, 96, 128, 3), np.uint8)
    if vehicle:
        images[:, :, :25] = (40, 30, 20)
    return images


def test_what_never_changes_at_the_border_is_found() -> None:
    mask = static_mask(_dive())
    assert mask[:, :22].all()
    assert not mask[:, 34:].any()


def test_without_a_vehicle_few_frames_or_movement_nothing_is_hidden() -> None:
    assert not static_mask(_dive(vehicle=False)).any()
    assert not static_mask(_dive(frames=FEWEST - 1)).any()
    assert not static_mask(np.repeat(_dive(1), 20, axis=0)).any()


def test_a_still_spot_in_the_middle_is_no_vehicle() -> None:
    images = _dive(vehicle=False)
    images[:, 40:60, 50:80] = 90
    assert not static_mask(images).any()


def _drift(frames: int = 20) -> np.ndarray:
    """Draw a floor that slides past, 270 x 480 pixels, under a lamp that does not."""
    rng = np.random.default_rng(1)
    floor = cv2.GaussianBlur(rng.normal(110, 90, (270, 480 + 20 * frames)), (0, 0), 2)
    lamp = np.exp(-(np.linspace(-1, 1, 480) ** 2))
    slid = [floor[:, 20 * n : 20 * n + 480] * lamp for n in range(frames)]
    return np.repeat(np.clip(slid, 0, 255).astype(np.uint8)[..., None], 3, axis=3)


def test_a_floor_under_a_steady_lamp_is_no_vehicle() -> None:
    assert not static_mask(_drift()).any()


def test_telemetry_is_found_where_its_digits_change() -> None:
    images = _drift()
    rng = np.random.default_rng(2)
    written = np.zeros(images.shape[1:3], bool)
    for image in images:
        before = image.copy()
        text = f"{rng.integers(1000, 9999)} m {rng.integers(100, 999)}"
        cv2.putText(image, text, (150, 200), cv2.FONT_HERSHEY_DUPLEX, 0.7, (255,) * 3, 1)
        written |= (image != before).any(axis=2)
    mask = static_mask(images)
    assert mask[written].mean() > 0.95
    assert mask[:150].mean() < 0.01
    assert mask.mean() < 0.06


def test_black_bars_are_hidden_and_a_dark_picture_is_not() -> None:
    images = _drift()
    images[:, :40] = images[:, -40:] = 0
    mask = static_mask(images)
    assert mask[:38].all()
    assert mask[-38:].all()
    assert not mask[60:-60].any()
    assert lit_rows(np.full((90, 160), 5)) == slice(None)


def test_what_a_vehicle_cuts_off_is_hidden_only_if_it_does_not_move() -> None:
    images = _drift()
    stripes = np.where(np.arange(270) // 15 % 2, 220, 20)[None, :, None, None]
    images[:, :, 100:130] = stripes  # a pole, with the floor to both sides
    mask = static_mask(images)
    assert mask[:, 104:126].all()
    assert not mask[:, :80].any()
    images[:, :, :100] = 40  # a plain hull up to the border
    assert static_mask(images)[:, :126].all()


def test_hiding_leaves_the_rest_and_puts_its_mean_in_place() -> None:
    image = _dive(1)[0]
    mask = np.zeros(image.shape[:2], bool)
    mask[:, :25] = True
    hidden = hide(image, mask)
    assert np.array_equal(hidden[:, 25:], image[:, 25:])
    assert np.abs(hidden[0, 0].astype(float) - image[:, 25:].mean(axis=(0, 1))).max() <= 1
    assert image[0, 0].tolist() == [40, 30, 20]


def test_each_dive_has_its_own_mask_and_unknown_dives_have_none() -> None:
    images = np.concatenate([_dive(), _dive(vehicle=False), _dive()])
    dives = ["a"] * 20 + ["b"] * 20 + [None] * 20
    assert list(learn_masks(lambda row: images[row], dives)) == ["a"]
    assert learn_masks(lambda row: None, dives) == {}
