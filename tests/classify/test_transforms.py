import hashlib
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from classify.errors import UserError
from classify.transforms import augmentation, contact_sheet


def _frame(height: int = 96, width: int = 144) -> np.ndarray:
    """A bright disc on a slope with noise: uint8 RGB."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(7).integers(0, 25, (height, width))
    grey = 50 + 60 * y // height + noise
    grey[(y - height // 2) ** 2 + (x - width // 2) ** 2 < (height // 5) ** 2] = 210
    return np.stack([grey * 0.6, grey, grey * 0.9], 2).astype(np.uint8)


def _digest(strength: float, seeds: range) -> str:
    """Hash of several augmented frames; at the top level so that another process can run it."""
    augment, frame = augmentation(strength), _frame()
    return hashlib.sha256(b"".join(augment(frame, seed=s).tobytes() for s in seeds)).hexdigest()


def test_strength_0_changes_nothing() -> None:
    frame = _frame()
    for seed in range(5):
        made = augmentation(0)(frame, seed=seed)
        assert np.array_equal(made, frame)
        assert not np.shares_memory(made, frame)


@pytest.mark.parametrize("shape", [(37, 53), (270, 480), (16, 16), (65, 40)])
@pytest.mark.parametrize("strength", [0.1, 1.0, 2.0])
def test_shape_type_and_input_are_kept(shape: tuple[int, int], strength: float) -> None:
    frame = _frame(*shape)
    before = frame.copy()
    frame.flags.writeable = False
    augment = augmentation(strength)
    for seed in range(12):
        made = augment(frame, seed=seed)
        assert made.dtype == np.uint8
        assert made.shape == frame.shape
        assert made.flags.c_contiguous
        assert not np.shares_memory(made, frame)
    assert np.array_equal(frame, before)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_grey_and_uniform_frames_pass(value: int) -> None:
    grey = np.full((48, 64, 3), value, np.uint8)
    for seed in range(20):
        assert augmentation(2)(grey, seed=seed).shape == grey.shape


def test_views_pass() -> None:
    frame = _frame()
    augment = augmentation()
    for seed in range(10):
        made = augment(frame[::-1, ::-1], seed=seed)
        assert np.array_equal(made, augment(frame[::-1, ::-1].copy(), seed=seed))


def test_the_seed_decides_whatever_was_done_before() -> None:
    frame = _frame()
    first = [augmentation()(frame, seed=seed) for seed in range(12)]
    again = [augmentation()(frame, seed=seed) for seed in reversed(range(12))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({made.tobytes() for made in first}) >= 11


def test_effects_are_drawn_independently() -> None:
    # mirrored and darkened frames must not be the same ones
    frame = np.full((32, 48, 3), 100, np.uint8)
    frame[:, 24:] = 160
    augment = augmentation()
    made = [augment(frame, seed=seed).astype(int) for seed in range(300)]
    mirrored = np.array([m[:, :12].mean() > m[:, -12:].mean() for m in made])
    changed = np.array([abs(m.mean() - 130) > 8 for m in made])
    assert 0.35 < mirrored.mean() < 0.65
    assert abs(np.corrcoef(mirrored, changed)[0, 1]) < 0.25


def test_threads_give_what_one_gives() -> None:
    frame, augment = _frame(), augmentation()
    alone = [augment(frame, seed=seed) for seed in range(60)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: augment(frame, seed=seed), range(60)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_pickling_keeps_it() -> None:
    frame, augment = _frame(), augmentation(1.5)
    augment(frame, seed=0)  # the composition that it now holds must not be in the way
    copy = pickle.loads(pickle.dumps(augment))
    assert copy == augment
    assert np.array_equal(copy(frame, seed=4), augment(frame, seed=4))


def test_a_new_process_gives_the_same() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert pool.submit(_digest, 1.0, range(15)).result() == _digest(1.0, range(15))


def test_a_stronger_one_changes_more() -> None:
    frame = _frame()
    change = [
        np.mean(
            [
                np.abs(augmentation(strength)(frame, seed=seed).astype(int) - frame).mean()
                for seed in range(60)
            ]
        )
        for strength in (0.1, 0.5, 1.0, 2.0)
    ]
    assert all(more > 1.1 * less for less, more in pairwise(change))


@pytest.mark.parametrize("strength", [-0.1, 2.01, float("nan"), float("inf")])
def test_a_wrong_strength_is_named(strength: float) -> None:
    with pytest.raises(UserError, match=rf"--augment {strength} .* from 0 to 2"):
        augmentation(strength)


def test_a_contact_sheet_shows_originals_augmentations_and_single_effects() -> None:
    frames = [_frame(), _frame(60, 80)]
    sheet = contact_sheet(frames, columns=4)
    rows = 2 + 4  # fourteen effects in rows of four
    assert sheet.shape == (rows * 100 + 4, 4 * 148 + 4, 3)
    assert np.array_equal(sheet[4:100, 4:148], frames[0])
    assert (sheet[:4] == 255).all()
    assert not np.array_equal(sheet[4:100, 152:296], frames[0])
    assert np.array_equal(sheet, contact_sheet(frames, columns=4))
    assert not np.array_equal(sheet, contact_sheet(frames, columns=4, seed=1))
    assert contact_sheet(frames, 0, columns=3).shape == (204, 3 * 148 + 4, 3)
    for wrong in ({"images": []}, {"columns": 1}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            contact_sheet(**{"images": frames, **wrong})


def test_importing_is_light() -> None:
    code = (
        "import sys, classify.transforms; "
        "print({'albumentations', 'torch', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_worse_recording_leaves_the_scene_where_it_is() -> None:
    frame = _frame()
    middle = np.mean(np.argwhere(frame[..., 1] == 210), axis=0)
    augment = augmentation(1.0, recording=True)
    made = [augment(frame, seed=seed) for seed in range(20)]
    for image in made:
        grey = image[..., 1].astype(float)
        bright = np.argwhere(grey > (grey.min() + grey.max()) / 2)
        assert np.abs(bright.mean(axis=0) - middle).max() < 5
    assert len({image.tobytes() for image in made}) > 15
    assert not np.array_equal(made[0], augmentation(1.0)(frame, seed=0))
