"""What is wrong with a frame as a picture: measured, and flagged, never hidden.

`image_flags` judges one frame alone; `dive_flags` says what only the dive's other frames tell.
The limits stand where `benchmarks/quality_flags.py` found few real frames beyond them.
"""

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.images import Pixels, resize
from classify.vehicle import lit_rows, static_mask

_SIDE = 270  # pixels; sharpness is comparable only at one scale
_LONGEST = 8192  # pixels; a strip is not made larger than that
_INTERLACED_ROWS = 1088  # no more rows were ever recorded as two fields
_FINE, _COARSE = 0.8, 4.0  # pixels: the two scales of detail that are compared
_STROKE = 70  # grey values by which burned-in text stands out from what is round it

_DARK = 40.0  # grey value that a tenth of the picture exceeds
_CLIPPED = 0.06  # of the picture
_BLURRED = 0.15  # `fineness`
_COMBED = 0.25  # `combing`; white noise has 1/6
_CAST = 40.0  # CIELAB
_CHANGED = 4  # grey values, from which on a pixel of a thumbnail is another
_FROZEN = 0.01  # share of a thumbnail's pixels that are others: a clock's digits, no more
_SOFT = 0.65  # of the `fineness` that is usual round the frame
_NEARBY = 31  # frames round a frame that say what is usual
_VEHICLE = 0.35  # of the picture
_THICK = 0.15  # of the picture's height: lettering is thinner
_LIKE = 25  # grey values from the median, up to which a pixel shows what the dive usually shows
_SAMPLE = 48  # frames that the vehicle is learned from, at most

Floats = npt.NDArray[np.float32]


def side_to_read(width: int, height: int) -> int:
    """Return the shorter side, in pixels, at which a frame is decoded to be measured.

    In full where it may be interlaced: a frame that is decoded at reduced scale shows no combs.
    """
    shorter = min(width, height)
    return shorter if height <= _INTERLACED_ROWS else min(_SIDE, shorter)


def image_statistics(pixels: Pixels) -> dict[str, float]:
    """Measure one frame, uint8 RGB [height, width, 3].

    All but `combing` are measured at a shorter side of 270 pixels, so that frames compare, and all
    but the first two without black bars above and below.

    Returns:
        `sharpness`: variance of the Laplacian, grey values 0..255 (Pech-Pacheco et al. 2000,
        "Diatom autofocusing in brightfield microscopy").
        `brightness`: mean grey value.
        `light`: grey value that a tenth of the picture exceeds.
        `clipped`: share of the picture where two colours or all are at their limit.
        `fineness`: fine detail as a share of coarse detail, the lesser of along and across: low
        where the picture is out of focus, moved, or seen through haze.
        `cast`: distance of the mean colour from grey, in units of CIELAB.
        `combing`: how far rows agree with the second next rather than the next, -1 to 1.
    """
    height, width = pixels.shape[:2]
    factor = min(_SIDE / min(height, width), _LONGEST / max(height, width))
    small = resize(pixels, max(1, round(width * factor)), max(1, round(height * factor)))
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    rows = lit_rows(grey)
    light = float(np.percentile(grey[rows], 90))
    return {
        "sharpness": float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        "brightness": float(grey.mean()),
        "light": light,
        "clipped": float((np.sort(small[rows], axis=2)[..., 1] >= 250).mean()),
        "fineness": _fineness(grey[rows]),
        "cast": _cast(small[rows]),
        "combing": _combing(pixels),
    }


def image_flags(statistics: dict[str, float]) -> list[str]:
    """Return what is wrong with one frame, by its `image_statistics` alone.

    Any of "dark", "over-exposed", "blurred", "interlaced", "colour-cast".
    """
    found = {
        "dark": statistics["light"] < _DARK,
        "over-exposed": statistics["clipped"] > _CLIPPED,
        "blurred": statistics["fineness"] < _BLURRED,
        "interlaced": statistics["combing"] > _COMBED,
        "colour-cast": statistics["cast"] > _CAST,
    }
    return [flag for flag, holds in found.items() if holds]


def dive_flags(frames: pd.DataFrame, thumbnails: Pixels) -> list[list[str]]:
    """Return what is wrong with frames as only the dive's other frames tell.

    "frozen": the frame repeats an earlier one, up to the digits of a clock; the first one is not
    flagged. "blurred": much less fine than the frames round it. "mostly-vehicle": more than a third
    of it is vehicle that never moves in the picture, so that a moving arm does not count.

    Args:
        frames: the frames of one dive in order, with the column `fineness` of the frames table;
            where it is null nothing is said of blur.
        thumbnails: uint8 RGB [n, h, w, 3] of the same frames, at least 90 rows.

    Returns:
        A list for each frame, empty for most.

    Raises:
        ValueError: `frames` and `thumbnails` are not of one length.
    """
    if len(frames) != len(thumbnails):
        raise ValueError(f"thumbnails: {len(thumbnails)} for {len(frames)} frames")
    if not len(frames):
        return []
    grey = np.stack([cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY) for thumbnail in thumbnails])
    found = {
        "frozen": _frozen(grey),
        "blurred": _soft(frames["fineness"]),
        "mostly-vehicle": _vehicle_share(thumbnails, grey) > _VEHICLE,
    }
    return [[flag for flag, holds in found.items() if holds[n]] for n in range(len(frames))]


def _frozen(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Compare each frame with the last that was new, so that a slow drift is no standstill."""
    found = np.zeros(len(grey), bool)
    last = grey[0]
    for n in range(1, len(grey)):
        found[n] = (cv2.absdiff(grey[n], last) > _CHANGED).mean() < _FROZEN
        if not found[n]:
            last = grey[n]
    return found


def _soft(fineness: pd.Series) -> npt.NDArray[np.bool_]:
    values = fineness.astype(float).reset_index(drop=True)
    usual = values.rolling(_NEARBY, center=True, min_periods=8).median()
    return np.asarray(values < _SOFT * usual)


def _vehicle_share(thumbnails: Pixels, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the share of each picture that lies on a thick part of the vehicle and shows it."""
    spread = np.linspace(0, len(grey) - 1, min(len(grey), _SAMPLE)).round().astype(int)
    usual = np.median(grey[spread], axis=0)
    rows = lit_rows(usual)
    mask = static_mask(thumbnails[spread])[rows].astype(np.uint8)
    side = max(1, round(_THICK * grey.shape[1]))
    padded = np.pad(mask, side, mode="edge")
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    thick = opened[side:-side, side:-side] > 0
    return np.array([(thick & (np.abs(g[rows] - usual[rows]) < _LIKE)).mean() for g in grey])


def _fineness(grey: npt.NDArray[np.uint8]) -> float:
    """Return the ratio of two band-passes along rows or columns, whichever is less.

    Blur takes fine detail and leaves coarse; motion takes it in its own direction alone. The 80th
    percentile passes over text that was burned in, which stays sharp, and so does the mask.
    """
    plain = ~_strokes(grey)
    values = grey.astype(np.float32)
    ratios = []
    for along in (True, False):
        fine, coarse = (np.abs(_band(values, scale, along))[plain] for scale in (_FINE, _COARSE))
        ratios.append(np.percentile(fine, 80) / (np.percentile(coarse, 80) + 1))
    return float(min(ratios))


def _strokes(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where thin bright strokes are, and what their edges touch."""
    thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((7, 7), np.uint8)) > _STROKE
    wide = cv2.dilate(thin.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.asarray(wide if wide.mean() < 0.5 else np.zeros_like(wide))


def _band(values: Floats, scale: float, along: bool) -> Floats:
    """Return what lies between `scale` and twice that, along the rows or down the columns."""
    levels = []
    for sigma in (scale, 2 * scale):
        kernel = cv2.getGaussianKernel(int(6 * sigma) | 1, sigma)
        one = np.ones((1, 1))
        pair = (kernel, one) if along else (one, kernel)
        levels.append(cv2.sepFilter2D(values, -1, *pair))
    return np.asarray(levels[0] - levels[1], np.float32)


def _cast(pixels: Pixels) -> float:
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return float(np.hypot(*lab[..., 1:].mean(axis=(0, 1))))


def _combing(pixels: Pixels) -> float:
    """Return the autocorrelation, two rows apart, of the second difference down the columns.

    Two fields of a moving scene make it near 1, white noise 1/6, and a picture's own detail less.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(pixels[:, ::4]), cv2.COLOR_RGB2GRAY)
    if len(grey) < 8:
        return 0.0
    bend = np.diff(grey.astype(np.float32), n=2, axis=0)
    return float((bend[2:] * bend[:-2]).mean() / ((bend**2).mean() + 1))
