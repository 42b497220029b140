"""What is wrong with a frame as a picture: measured, and flagged, never hidden."""

import cv2

from classify.images import Pixels, resize

_SIDE = 270  # pixels; sharpness is comparable only at one scale
_INTERLACED_ROWS = 1088  # no more rows were ever recorded as two fields


def side_to_read(width: int, height: int) -> int:
    """Return the shorter side, in pixels, at which a frame is decoded to be measured.

    In full where it may be interlaced: a frame that is decoded at reduced scale shows no combs.
    """
    shorter = min(width, height)
    return shorter if height <= _INTERLACED_ROWS else min(_SIDE, shorter)


def image_statistics(pixels: Pixels) -> dict[str, float]:
    """Return sharpness (variance of the Laplacian) and brightness (mean), of grey values 0..255.

    The image is brought to a shorter side of 270 pixels first, so that frames compare. Sharpness
    after Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".
    """
    height, width = pixels.shape[:2]
    factor = _SIDE / min(height, width)
    small = resize(pixels, max(1, round(width * factor)), max(1, round(height * factor)))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return {
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        "brightness": float(grey.mean()),
    }


def image_flags(statistics: dict[str, float]) -> list[str]:
    """Return what is wrong with one frame, by its `image_statistics` alone: dark."""
    return ["dark"] if statistics["brightness"] < 12 else []
