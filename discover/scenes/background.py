"""The part of a dive's pictures that is fixed to the camera: vehicle, telemetry, laser dots.

What stands at the same place of every frame proves nothing about the scene.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from discover.scenes.looks import SIDE, Grey, flattened

Mask = npt.NDArray[np.bool_]

SAMPLE = 48  # frames of a dive that are compared, at most
_FEWEST = 4
_ALIKE = 0.4  # of the gradients, from which on a place is fixed
_CHANCE = 2.0  # times what gradients of n unrelated frames have in common
_FAINT = 5.0  # length of gradients that noise has
_MOST = 0.5  # of the picture; more is a scene that stood still
_FINE, _WIDE = SIDE / 430, SIDE / 160  # pixels: of the gradients, and of the places compared
_BESIDE = 5  # pixels: what lies beside an edge of the vehicle shows it too


@dataclass(frozen=True)
class FixedPart:
    """What never changes in a dive.

    Attributes:
        mask: bool [h, w]; all False where nothing is known.
        known: False where too few frames or too little movement tell nothing.
        key: changes with the mask.
    """

    mask: Mask
    known: bool

    @property
    def key(self) -> str:
        """Eight hex digits that tell masks apart."""
        data = np.packbits(self.mask).tobytes() + bytes([self.known])
        return hashlib.sha256(data).hexdigest()[:8]

    def fitted(self, shape: tuple[int, ...]) -> Mask:
        """Return the mask for a picture of `shape` (height, width)."""
        if self.mask.shape == shape[:2]:
            return self.mask
        size = (shape[1], shape[0])
        scaled = cv2.resize(self.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(scaled > 0)


def fixed_parts(
    greys: Callable[[str], Grey], frame_ids: Sequence[str], dives: Sequence[str]
) -> dict[str, FixedPart]:
    """Return the fixed part of each dive.

    Where a dive stands still, scene and vehicle are one. What is alike in all dives of one picture
    size, as telemetry is, is fixed for these dives too.

    Args:
        greys: gives the small picture of a frame.
        frame_ids: the frames, in order within a dive.
        dives: the dive of each.
    """
    of_dive: dict[str, list[str]] = {}
    for frame_id, dive in zip(frame_ids, dives, strict=True):
        of_dive.setdefault(dive, []).append(frame_id)
    own = {dive: fixed_part([greys(f) for f in _spread(ids)]) for dive, ids in of_dive.items()}
    by_shape: dict[tuple[int, ...], list[str]] = {}
    for dive, part in own.items():
        by_shape.setdefault(part.mask.shape, []).append(dive)
    for shape, alike in by_shape.items():
        middle = [of_dive[dive][len(of_dive[dive]) // 2] for dive in _spread(sorted(alike))]
        frames = [frame for frame in map(greys, middle) if frame.shape == shape]
        if not frames:  # dives whose pictures change their size
            continue
        shared = fixed_part(frames)
        for dive in alike:
            own[dive] = FixedPart(own[dive].mask | shared.mask, own[dive].known)
    return own


def _spread(items: Sequence[str]) -> list[str]:
    """Return as many of the items as are compared, evenly spread."""
    at = np.linspace(0, len(items) - 1, min(len(items), SAMPLE)).round().astype(int)
    return [items[i] for i in at]


def fixed_part(frames: Sequence[Grey]) -> FixedPart:
    """Tell the fixed part of a dive by how far its gradients agree from frame to frame.

    At each place, the length of the mean gradient over the mean length: 1 where an edge stands
    still, 1/sqrt(n) where n unrelated scenes pass by. Smooth light is flattened first; a vehicle
    that shakes by a pixel and digits that change still agree for the most part.

    Args:
        frames: uint8 [h, w] each; those of another size than the first are left out.
    """
    shape = frames[0].shape
    alike = [frame for frame in frames if frame.shape == shape]
    total, length = np.zeros((2, *shape), np.float32), np.zeros(shape, np.float32)
    for frame in alike:
        smooth = cv2.GaussianBlur(flattened(frame), (0, 0), _FINE)
        gradient = np.stack(
            [cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)]
        )
        total += gradient
        length += np.hypot(*gradient)
    common = cv2.GaussianBlur(np.hypot(*total), (0, 0), _WIDE)
    usual = cv2.GaussianBlur(length, (0, 0), _WIDE) + _FAINT * len(alike)
    fixed = common / usual > max(_ALIKE, _CHANCE / len(alike) ** 0.5)
    if len(alike) < _FEWEST or fixed.mean() > _MOST:
        return FixedPart(np.zeros(shape, bool), False)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_BESIDE, _BESIDE))
    return FixedPart(cv2.dilate(fixed.astype(np.uint8), disc) > 0, True)
