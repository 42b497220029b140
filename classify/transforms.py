"""The training augmentation of ROV frames: one setting for what changes between dives.

What it changes is what differs between dives and cameras but not between classes: where the object
lies, focus, exposure, colour, water, lamps, particles, the vehicle in view, resolution and
compression. Light: albumentations is imported with the first image.
"""

import math
import os
import random
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np

from classify import effects
from classify.effects import check
from classify.images import Pixels, resize

STRONGEST = 2.0
_GUTTER = 4  # pixels between the images of a contact sheet
_local = threading.local()


class Effect(Protocol):
    """A function of `classify.effects` that draws random numbers."""

    def __call__(self, pixels: Pixels, *, amount: float, rng: np.random.Generator) -> Pixels:
        """Apply it."""


@dataclass(frozen=True)
class Transform:
    """The augmentation of one image, made by `augmentation`.

    It has no state of its own, so threads and processes can share it, and a run that is taken up
    again repeats what was done: the result is decided by the pixels and the seed.
    """

    strength: float
    recording: bool = False

    def __call__(self, pixels: Pixels, *, seed: int) -> Pixels:
        """Return an augmented copy of uint8 RGB [h, w, 3], of the same shape.

        Args:
            pixels: the image; it is not changed.
            seed: 0 or more; another one for each image and epoch.
        """
        if self.strength == 0:
            return pixels.copy()
        composed = _composed(self.strength, self.recording)
        # Not `set_random_seed`: it starts every transform on the same sequence, so that those that
        # are drawn to apply, and how much, would go together.
        composed.set_random_state(np.random.default_rng(seed), random.Random(seed))
        return np.asarray(composed(image=np.ascontiguousarray(pixels).copy())["image"], np.uint8)


def augmentation(strength: float = 1.0, *, recording: bool = False) -> Transform:
    """Return the augmentation of a strength.

    Args:
        strength: scales the probabilities and ranges of all effects: 0 leaves images as they are, 1
            keeps objects recognisable, 2 is the most.
        recording: only what a worse camera, file or water would have made of the same scene:
            resolution, JPEG, focus, haze and brightness, together and often.

    Raises:
        AmountError: `strength` is not in [0, 2].
    """
    check("--augment", strength, 0, STRONGEST)
    return Transform(float(strength), recording)


def contact_sheet(
    images: list[Pixels], strength: float = 1.0, *, columns: int = 6, seed: int = 0
) -> Pixels:
    """Draw images beside their augmentations, and below them each effect alone, with its name.

    Args:
        images: uint8 RGB [h, w, 3]; those after the first are resized to its size.
        strength: of the augmentation.
        columns: images a row; the first is the original.
        seed: of the first augmentation.

    Returns:
        uint8 RGB, with white gutters: a row for each image, then the effects on the first image, as
        strong as `strength` may draw them.

    Raises:
        AmountError: there is no image, too few columns, or a wrong strength.
    """
    check("images", len(images), 1, 500)
    check("columns", columns, 2, 50)
    augment = augmentation(strength)
    height, width = images[0].shape[:2]
    cells = []
    for row, image in enumerate(images):
        image = resize(image, width, height)
        seeds = range(seed + row * columns + 1, seed + (row + 1) * columns)
        cells += [image, *(augment(image, seed=s) for s in seeds)]
    if strength > 0:
        cells += _alone(images[0], strength, seed)
    rows = math.ceil(len(cells) / columns)
    step = np.array([height + _GUTTER, width + _GUTTER])
    sheet = np.full((*(step * (rows, columns) + _GUTTER), 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        top, left = step * divmod(number, columns) + _GUTTER
        sheet[top : top + height, left : left + width] = cell
    return sheet


def _alone(pixels: Pixels, strength: float, seed: int) -> list[Pixels]:
    """Apply each effect alone to `pixels` and write its name into the corner."""
    import cv2

    drawn = []
    for name, effect in _effects(strength).items():
        effect.set_random_state(np.random.default_rng(seed), random.Random(seed))
        cell = effect(image=pixels.copy(), force_apply=True)["image"]
        size = pixels.shape[1] / 650
        cell[-max(1, round(30 * size)) :] //= 3  # so that white is legible on it
        place = (4, pixels.shape[0] - round(8 * size))
        cv2.putText(cell, name, place, 0, size, (255,) * 3, 1, cv2.LINE_AA)
        drawn.append(cell)
    return drawn


def _composed(strength: float, recording: bool) -> Any:  # noqa: ANN401 - albumentations comes late
    """Return the composition for this thread: albumentations keeps what it drew in its objects."""
    made: dict[tuple[float, bool], Any] = _local.__dict__.setdefault("made", {})
    key = strength, recording
    if key not in made:
        made[key] = _compose_recording(strength) if recording else _compose(strength)
    return made[key]


def _compose(strength: float) -> Any:  # noqa: ANN401
    """Put the effects in the order in which they arise: scene, water, vehicle, lens, sensor, file.

    At most one takes away detail and one changes the tone, since together they can hide the object.
    """
    albumentations = _albumentations()
    effect = _effects(strength)

    def one_of(p: float, *names: str) -> Any:  # noqa: ANN401
        return albumentations.OneOf([effect[name] for name in names], p=_chance(p, strength))

    return albumentations.Compose(
        [
            effect["mirror"],
            effect["affine"],
            effect["perspective"],
            effect["turbidity"],
            effect["lamp"],
            effect["snow"],
            effect["ROV frame"],
            one_of(0.35, "defocus", "motion blur", "resolution"),
            one_of(0.5, "brightness, contrast", "gamma"),
            effect["hue, saturation"],
            effect["JPEG"],
        ]
    )


def _compose_recording(strength: float) -> Any:  # noqa: ANN401
    """Put together what changes the recording and leaves the scene, in the order it arises."""
    import cv2

    albumentations, own, s = _albumentations(), _own_effect(), strength
    return albumentations.Compose(
        [
            own(effects.turbidity, 0.0, 0.4 * s, p=_chance(0.5, s)),
            albumentations.GaussianBlur(
                blur_limit=0, sigma_limit=(0.3 * s, 1.5 * s), p=_chance(0.3, s)
            ),
            albumentations.Downscale(
                scale_range=(1 / (1 + 2 * s), 0.95),
                interpolation_pair={"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR},
                p=_chance(0.7, s),
            ),
            albumentations.RandomBrightnessContrast(
                0.3 * s, 0.0, brightness_by_max=False, p=_chance(0.3, s)
            ),
            albumentations.ImageCompression(
                quality_range=(max(5, round(100 * 0.2**s)), 95), p=_chance(0.7, s)
            ),
        ]
    )


def _effects(strength: float) -> dict[str, Any]:
    """Return every effect by name, with its probability and range at a `strength` above 0."""
    import cv2

    albumentations, own = _albumentations(), _own_effect()
    s = strength
    return {
        "mirror": albumentations.HorizontalFlip(p=0.5 * min(1.0, s)),
        # objects are small, so that coming nearer is safer than going away
        "affine": albumentations.Affine(
            scale=(1 - 0.1 * s, 1 + 0.3 * s),
            keep_ratio=True,
            rotate=(-12 * s, 12 * s),
            translate_percent=(-0.06 * s, 0.06 * s),
            border_mode=cv2.BORDER_REFLECT_101,
            p=_chance(0.6, s),
        ),
        "perspective": albumentations.Perspective(scale=(0.01 * s, 0.07 * s), p=_chance(0.2, s)),
        "turbidity": own(effects.turbidity, 0.05 * s, 0.35 * s, p=_chance(0.35, s)),
        "lamp": own(effects.lamp, 0.1 * s, 0.5 * s, p=_chance(0.3, s)),
        "snow": own(effects.snow, 0.02 * s, 0.3 * s, p=_chance(0.25, s)),
        "ROV frame": own(effects.rov_frame, 0.25 * min(1.0, s), min(1.0, s), p=_chance(0.2, s)),
        # a Gaussian, since `Defocus` takes longer than all others together
        "defocus": albumentations.GaussianBlur(blur_limit=0, sigma_limit=(0.3 * s, 1.8 * s), p=1),
        "motion blur": albumentations.MotionBlur((3, 3 + 2 * round(3 * s)), p=1),
        "resolution": albumentations.Downscale(
            scale_range=(1 / (1 + 7 * min(1.0, s)), 1 / (1 + s)),
            interpolation_pair={"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR},
            p=1,
        ),
        "brightness, contrast": albumentations.RandomBrightnessContrast(
            # by the mean, not by 255: most frames are dark, and would go black
            0.25 * s,
            0.25 * s,
            brightness_by_max=False,
            p=1,
        ),
        "gamma": albumentations.RandomGamma((100 / (1 + 0.4 * s), 100 * (1 + 0.4 * s)), p=1),
        "hue, saturation": albumentations.HueSaturationValue(6 * s, 30 * s, 0, p=_chance(0.4, s)),
        "JPEG": albumentations.ImageCompression(
            quality_range=(max(5, round(100 * 0.2**s)), 100), p=_chance(0.4, s)
        ),
    }


@cache
def _own_effect() -> Any:  # noqa: ANN401
    """Return the class that lets albumentations apply a function of `classify.effects`."""
    albumentations = _albumentations()

    class Own(albumentations.ImageOnlyTransform):  # type: ignore[misc, name-defined]
        """Applies `effect` with an amount between `low` and `high`."""

        def __init__(self, effect: Effect, low: float, high: float, p: float) -> None:
            super().__init__(p=p)
            self.effect, self.low, self.high = effect, low, high

        def apply(self, img: Pixels, **params: object) -> Pixels:
            amount = self.random_generator.uniform(self.low, self.high)
            return self.effect(img, amount=amount, rng=self.random_generator)

    return Own


def _chance(p: float, strength: float) -> float:
    """Return a probability that is 0 at strength 0, `p` at 1, and stays below 1."""
    return float(1 - (1 - p) ** strength)


def _albumentations() -> Any:  # noqa: ANN401
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks a server for news otherwise
    import albumentations  # type: ignore[import-untyped]

    return albumentations
