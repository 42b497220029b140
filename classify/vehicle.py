"""The part of the picture that never changes within a dive: the vehicle, and burned-in text.

It tells dives apart, which is just what a classifier must not learn.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.images import Pixels, resize

Mask = npt.NDArray[np.bool_]

FEWEST = 12  # frames of a dive; of fewer, what never changed says nothing
_SAMPLE = 48  # frames of a dive that are compared, at most
_SIDE = 96  # rows of the images that are compared
_STILL = 0.25  # of the change that is usual in the dive
_MOVES = 4.0  # grey values: below this the whole picture hardly changed, and nothing is known
_MOST = 0.5  # of the picture; more is a scene that stood still
_LEAST = 0.004  # of the picture; smaller spots are chance


def static_mask(images: Pixels) -> Mask:
    """Return what never changes in the frames of one dive.

    A pixel is static where its median deviation from its median is below a quarter of what is usual
    in the dive. Only static regions that reach the border count: a vehicle enters from there.

    Args:
        images: uint8 [n, h, w, 3], all of one size.

    Returns:
        bool [h, w]; all False where too few frames or too little movement tell nothing.
    """
    import cv2

    height, width = images.shape[1:3]
    nothing = np.zeros((height, width), bool)
    if len(images) < FEWEST:
        return nothing
    columns = max(1, round(_SIDE * width / height))
    grey = np.stack([resize(image, columns, _SIDE).mean(axis=2) for image in images])
    change = np.median(np.abs(grey - np.median(grey, axis=0)), axis=0)
    usual = float(np.median(change))
    still = change < _STILL * usual
    if usual < _MOVES or still.mean() > _MOST:
        return nothing
    kept = _reaching_border(cv2.morphologyEx(still.astype(np.uint8), cv2.MORPH_CLOSE, _disc(3)))
    wide = cv2.dilate(kept, _disc(5))  # what lies beside an edge of the vehicle changes little
    return np.asarray(cv2.resize(wide, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


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


def _disc(size: int) -> npt.NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)


def _reaching_border(still: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    import cv2

    number, regions, described, _ = cv2.connectedComponentsWithStats(still)
    border = set(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]).tolist())
    large = {n for n in range(1, number) if described[n, cv2.CC_STAT_AREA] >= _LEAST * still.size}
    return np.isin(regions, list(large & border)).astype(np.uint8)
