"""What lies over the scene in every frame of a dive: the vehicle, and burned-in telemetry.

It tells dives apart, which is just what a classifier must not learn; and it is no find.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.images import Pixels, resize

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

FEWEST = 12  # frames of a dive; of fewer, what never changed says nothing
_SAMPLE = 48  # frames of a dive that are compared, at most
_ROWS = 192  # of the images that are compared: lettering is still legible
_WINDOW = 9  # pixels across which detail is measured
_STAYS = 0.7  # share of the detail that survives the median
_DETAIL = 4.0  # grey values: less is noise
_LETTERING = 10.0  # grey values: telemetry is made to be read
_MOVES = 0.55  # usual share that survives, above which the scene itself stood still
_BAR = 16  # grey value up to which a row is a bar above or below the picture
_LEAST = 0.004  # of the picture; smaller parts of a vehicle are chance
_MOST = 0.5  # of the picture; more is a scene that stood still
_TALLEST = 0.1  # of the picture; a line of lettering is lower


def static_mask(images: Pixels) -> Mask:
    """Return what lies over the scene in the frames of one dive.

    A scene that moves past leaves no detail in the median of the frames; what is fixed to the
    camera leaves all of it. So the detail of the median, as a share of the detail of the frames, is
    near 1 on the vehicle, and on lettering even where its digits change. (Dekel et al. 2017, "On
    the effectiveness of visible watermarks", find watermarks by gradients that stay.)

    Args:
        images: uint8 RGB [n, h, w, 3], all of one size.

    Returns:
        bool [h, w]: parts of the vehicle that reach into the picture, boxes of telemetry, and black
        bars above and below. All False where too few frames or too little movement tell nothing.
    """
    import cv2

    height, width = images.shape[1:3]
    nothing = np.zeros((height, width), bool)
    if len(images) < FEWEST:
        return nothing
    columns = max(1, round(_ROWS * width / height))
    grey = np.stack([_grey(image, columns) for image in images])
    median = np.median(grey, axis=0).astype(np.float32)
    rows = lit_rows(median)
    detail = np.median([_detail(frame[rows]) for frame in grey], axis=0)
    stays = _detail(median[rows]) / (detail + 1)
    fixed = (stays > _STAYS) & (detail > _DETAIL)
    if np.median(stays) > _MOVES or fixed.mean() > _MOST:
        return nothing
    found = np.ones(median.shape, np.uint8)
    moving = (stays < _MOVES) & (detail > _DETAIL / 2)
    lettering = _lettering(fixed & (detail > _LETTERING))
    found[rows] = _without_holes(lettering | _reaching_in(fixed), moving)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def learn_masks(
    read: Callable[[int], Pixels | None], dives: Sequence[str | None]
) -> dict[str, Mask]:
    """Return the static mask of each dive that has one.

    Args:
        read: gives the image of a row, None where it cannot be read; called for some rows only,
            spread over the dive.
        dives: the dive of each row; None has no mask.
    """
    table = pd.DataFrame({"dive": list(dives)}, dtype=object)
    found = {}
    for dive, of_dive in table.groupby("dive"):
        spread = np.linspace(0, len(of_dive) - 1, min(len(of_dive), _SAMPLE)).round().astype(int)
        images = [image for row in of_dive.index[spread] if (image := read(row)) is not None]
        mask = static_mask(np.stack(images)) if images else np.zeros((0, 0), bool)
        if mask.any():
            found[str(dive)] = mask
    return found


def hide(image: Pixels, mask: Mask) -> Pixels:
    """Return uint8 [h, w, 3] with the mean colour of the rest in place of the masked part."""
    hidden = image.copy()
    if mask.any() and not mask.all():
        hidden[mask] = image[~mask].mean(axis=0).astype(np.uint8)
    return hidden


def lit_rows(grey: npt.NDArray[Any]) -> slice:
    """Return the rows of a grey picture [h, w] between black bars above and below it.

    All rows where less than a third would be left: that is a dark picture.
    """
    lit = np.flatnonzero(np.percentile(grey, 80, axis=1) > _BAR)  # a bar may hold telemetry
    if len(lit) == 0 or lit[-1] - lit[0] < len(grey) / 3:
        return slice(None)
    return slice(int(lit[0]), int(lit[-1]) + 1)


def _grey(image: Pixels, columns: int) -> Floats:
    return np.asarray(resize(image, columns, _ROWS).mean(axis=2), np.float32)


def _detail(grey: Floats) -> Floats:
    """Return how far the pixels round each one differ from a smooth picture (root mean square).

    Smooth light stays in every median, and says nothing.
    """
    import cv2

    window = (_WINDOW, _WINDOW)
    rough = grey - cv2.blur(grey, window)
    return np.asarray(np.sqrt(np.maximum(cv2.blur(rough * rough, window), 0)), np.float32)


def _lettering(fixed: Mask) -> Mask:
    """Return the boxes round fixed regions that are filled and low, as lines of lettering are."""
    import cv2

    _, _, described, _ = cv2.connectedComponentsWithStats(fixed.astype(np.uint8))
    boxes = np.zeros(fixed.shape, bool)
    for x, y, w, h, area in described[1:]:
        letters = h - _WINDOW + 1  # detail is seen from half a window off
        low = 1 <= letters <= _TALLEST * len(fixed) and w >= h / 2
        if low and area >= 0.6 * w * h:
            boxes[y : y + h, x : x + w] = True
    return boxes


def _reaching_in(fixed: Mask) -> Mask:
    """Return the fixed regions that reach the border, without gaps: a vehicle enters from there."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_WINDOW, _WINDOW))
    padded = np.pad(fixed.astype(np.uint8), _WINDOW, mode="edge")
    inner = slice(_WINDOW, -_WINDOW)
    closed = np.ascontiguousarray(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[inner, inner])
    number, regions, described, _ = cv2.connectedComponentsWithStats(closed)
    border = set(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]).tolist())
    large = {n for n in range(1, number) if described[n, cv2.CC_STAT_AREA] >= _LEAST * fixed.size}
    return np.isin(regions, list(large & border))


def _without_holes(found: Mask, moving: Mask) -> Mask:
    """Return the mask with what it cuts off from the scene and does not move: a hull's plain side.

    The scene is the largest part that is left.
    """
    import cv2

    number, regions, described, _ = cv2.connectedComponentsWithStats((~found).astype(np.uint8))
    scene = described[1:, cv2.CC_STAT_AREA].argmax() + 1 if number > 1 else 0
    filled = found.copy()
    for region in set(range(1, number)) - {scene}:
        inside = regions == region
        if moving[inside].mean() < 0.5:
            filled |= inside
    return filled
