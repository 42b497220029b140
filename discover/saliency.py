"""Where in a frame the evidence for a class lies: regions from class activation maps."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from classify.runs import Config, RunError

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_FINER = 16  # grid cells per position of the map: fine enough that outlines look smooth


@dataclass(frozen=True)
class SaliencyConfig(Config):
    """How regions are cut out of a class activation map.

    Attributes:
        percentile: share of the frame, in percent, below the threshold. The threshold matters more
            than the method, and percentiles beat fractions of the maximum (Choe et al. 2020,
            arXiv:2001.07437).
        regions: regions a frame at most, the strongest first.
        weakest: a further region's peak must reach this share of the first one's.
    """

    percentile: float = 92.0
    regions: int = 3
    weakest: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise RunError(f"--percentile {self.percentile} must be between 0 and 100")
        if self.regions < 1:
            raise RunError(f"--regions {self.regions} must be at least 1")


@dataclass(frozen=True)
class Region:
    """One region of a map.

    Attributes:
        mask: bool [rows, cols] on the fine grid that covers what the classifier looked at.
        peak: the map's largest value in it, as a share of the map's largest value.
    """

    mask: Mask
    peak: float


def normalise(maps: Map) -> Map:
    """Bring a map [rows, cols] to 0..1; a flat map becomes 0."""
    low, high = float(maps.min()), float(maps.max())
    if high - low < 1e-9:
        return np.zeros_like(maps)
    return (maps - low) / (high - low)


def find_regions(activation: Map, config: SaliencyConfig) -> list[Region]:
    """Cut the strongest connected regions out of a class activation map.

    Args:
        activation: float32 [rows, cols], any scale.
        config: threshold and number of regions.

    Returns:
        Regions on a grid 16 times finer than the map, the strongest first; none for a flat map.
    """
    rows, cols = activation.shape
    fine = cv2.resize(
        normalise(activation), (cols * _FINER, rows * _FINER), interpolation=cv2.INTER_CUBIC
    )
    if fine.max() <= 0:
        return []
    above = fine >= np.percentile(fine, config.percentile)
    numbered, found = ndimage.label(above)
    peaks = ndimage.maximum(fine, numbered, np.arange(1, found + 1))
    order = np.argsort(-peaks)[: config.regions]
    top = float(peaks.max())
    return [
        Region(numbered == number + 1, float(peaks[number] / top))
        for number in order
        if peaks[number] >= config.weakest * top
    ]
