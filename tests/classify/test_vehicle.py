import numpy as np

from classify.vehicle import FEWEST, hide, learn_masks, static_mask


def _dive(frames: int = 20, vehicle: bool = True) -> np.ndarray:
    """Draw noise that changes from frame to frame, and a bar at the left that does not."""
    images = np.random.default_rng(0).integers(0, 255, (frames, 96, 128, 3), np.uint8)
    if vehicle:
        images[:, :, :25] = (200, 180, 20)
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


def test_hiding_leaves_the_rest_and_puts_its_mean_in_place() -> None:
    image = _dive(1)[0]
    mask = np.zeros(image.shape[:2], bool)
    mask[:, :25] = True
    hidden = hide(image, mask)
    assert np.array_equal(hidden[:, 25:], image[:, 25:])
    assert np.abs(hidden[0, 0].astype(float) - image[:, 25:].mean(axis=(0, 1))).max() <= 1
    assert image[0, 0].tolist() == [200, 180, 20]


def test_each_dive_has_its_own_mask_and_unknown_dives_have_none() -> None:
    images = np.concatenate([_dive(), _dive(vehicle=False), _dive()])
    dives = ["a"] * 20 + ["b"] * 20 + [None] * 20
    assert list(learn_masks(lambda row: images[row], dives)) == ["a"]
    assert learn_masks(lambda row: None, dives) == {}
