"""Where in a frame the evidence for a class lies: regions from class activation maps."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from classify.images import Pixels
from classify.runs import Config, RunError

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_REFINED_SIDE = 96  # pixels: a region is refined at this scale, which bounds the cost
_SURROUND = 0.5  # of a region's longer side, all round: where its background is learned
_LEAST_KEPT = 0.1  # of a region; a refinement that keeps less has found no object


@dataclass(frozen=True)
class SaliencyConfig(Config):
    """How regions are cut out of a class activation map.

    Attributes:
        percentile: share of the frame, in percent, below the threshold. The threshold matters more
            than the method, and percentiles beat fractions of the maximum (Choe et al. 2020,
            arXiv:2001.07437).
        regions: regions a frame at most, the strongest first.
        weakest: a further region's peak must reach this share of the first one's.
        refine: follow the object's edge, see `refine_region`.
    """

    percentile: float = 94.0
    regions: int = 3
    weakest: float = 0.85
    refine: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise RunError(f"--percentile {self.percentile} must be between 0 and 100")
        if self.regions < 1:
            raise RunError(f"--regions {self.regions} must be at least 1")


def normalise(activation: Map) -> Map:
    """Bring a map [rows, cols] to 0..1; a flat map becomes 0."""
    low, high = float(activation.min()), float(activation.max())
    if high - low < 1e-9:
        return np.zeros_like(activation)
    return (activation - low) / (high - low)


def find_regions(activation: Map, pixels: Pixels, config: SaliencyConfig) -> list[Mask]:
    """Cut the strongest connected regions out of a class activation map.

    Args:
        activation: float32 [rows, cols], any scale.
        pixels: what the classifier saw, uint8 RGB [height, width, 3].
        config: threshold, number of regions, refinement.

    Returns:
        Masks, bool [height, width], the strongest first; none for a flat map.
    """
    height, width = pixels.shape[:2]
    fine = cv2.resize(normalise(activation), (width, height), interpolation=cv2.INTER_CUBIC)
    if fine.max() <= 0:
        return []
    above = fine >= np.percentile(fine, config.percentile)
    numbered, found = ndimage.label(above)
    boxes = ndimage.find_objects(numbered)
    peaks = np.zeros(found, np.float32)
    np.maximum.at(peaks, numbered[above] - 1, fine[above])
    chosen = [
        int(number)
        for number in np.argsort(-peaks)[: config.regions]
        if peaks[number] >= config.weakest * peaks.max()
    ]
    masks = [numbered == number + 1 for number in chosen]
    if not config.refine:
        return masks
    return [
        refine_region(pixels, fine, mask, boxes[number])
        for number, mask in zip(chosen, masks, strict=True)
    ]


def refine_region(pixels: Pixels, activation: Map, mask: Mask, box: tuple[slice, slice]) -> Mask:
    """Follow the edge of what stands out from its surroundings within a region.

    The seabed round the region is described by a plane in each channel of CIELAB (lamps make it
    brighter on one side) and by its spread. What differs from that, weighted by the activation, is
    parted from the rest by Otsu's threshold (Otsu 1979). Doubles the overlap with true masks where
    the region lies on an object, at 2 ms a region; GrabCut gains half of that at five times the
    cost.

    Args:
        pixels: uint8 RGB [height, width, 3].
        activation: float32 [height, width], 0..1.
        mask: the region, bool [height, width].
        box: its bounding box, as slices of rows and columns.

    Returns:
        The refined mask; `mask` itself where nothing stands out.
    """
    window = _widened(box, mask.shape)
    rows, cols = mask[window].shape
    scale = _REFINED_SIDE / max(rows, cols)
    size = (max(8, round(cols * scale)), max(8, round(rows * scale)))
    inside = cv2.resize(mask[window].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if (~inside).sum() < 20 or not inside.any():
        return mask
    contrast = _contrast(cv2.resize(pixels[window], size, interpolation=cv2.INTER_AREA), inside)
    evidence = contrast * np.maximum(cv2.resize(activation[window], size), 0)
    if evidence[inside].max() <= 0:
        return mask
    kept = evidence > _otsu(evidence[inside])
    kept &= cv2.dilate(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    closed = cv2.morphologyEx(kept.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    if closed.sum() < _LEAST_KEPT * inside.sum():
        return mask
    refined = np.zeros_like(mask)
    refined[window] = cv2.resize(closed, (cols, rows), interpolation=cv2.INTER_NEAREST) > 0
    return refined if refined.any() else mask


def _widened(box: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    margin = round(_SURROUND * max(side.stop - side.start for side in box))
    rows, cols = (
        slice(max(0, side.start - margin), min(limit, side.stop + margin))
        for side, limit in zip(box, shape, strict=True)
    )
    return rows, cols


def _contrast(pixels: Pixels, inside: Mask) -> Map:
    """Return how many spreads each pixel is off the plane through the background's colours."""
    lab = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1)
    rows, cols = np.mgrid[: inside.shape[0], : inside.shape[1]].astype(np.float32)
    plane = np.stack([np.ones_like(rows), rows, cols], axis=2)
    outside = ~inside
    fitted, *_ = np.linalg.lstsq(plane[outside], lab[outside], rcond=None)
    residual = lab - plane @ fitted
    spread = residual[outside].std(axis=0) + 1  # one grey level: a flat background has no spread
    return np.asarray(np.linalg.norm(residual / spread, axis=2), np.float32)


def _otsu(values: Map) -> float:
    top = float(values.max())
    grey = np.clip(values * (255 / top), 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(grey.reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    return float(threshold) * top / 255
