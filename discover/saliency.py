"""Where in a frame the evidence for a class lies: what is rare in it, and regions of maps."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from classify.effects import check
from classify.images import Pixels
from classify.runs import Config, RunError, file_hash
from discover.cutting.refine import refine_region

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

RARITY = "rarity"
CALIBRATION_FILE = "saliency.json"  # in the folder of a classifier's run
_SHRINKAGE = 0.3  # of the covariance towards the same variance in all directions
_SMOOTH = 0.055  # of the rows: objects are larger than one position
_SAME_PLACE = 0.5  # overlap from which two regions are one thing


@dataclass(frozen=True)
class SaliencyConfig(Config):
    """How regions are found in a frame.

    The threshold matters more than the method (Choe et al. 2020, arXiv:2001.07437).

    Attributes:
        method: "rarity": what is rare in the frame, weighed by the class; else a method of
            `classify.explain`.
        classes: "top" (the likeliest), "all" that reach `least`, or a number of classes a frame.
        least: probability of a class that "all" takes.
        input_scale: the maps are made at so many times the classifier's input size; of several, the
            mean. Five times the work at 2.
        flip: average the map with that of the mirror image.
        centre: spread of the weight towards the middle, as a share of each side: pilots keep what
            they look at off the border, where the padding of the network's layers looks rare. 0
            weighs all places alike. Of "rarity" only.
        peak: share of the map's peak that a region reaches, unless `percentile` is given.
        percentile: share of the frame, in percent, below the threshold; 0 takes `peak`.
        regions: regions of a class at most, the strongest first.
        weakest: a further region's peak must reach this share of the first one's.
        refine: follow the object's edge, see `discover.cutting.refine`.
    """

    method: str = RARITY
    classes: str = "top"
    least: float = 0.2
    input_scale: tuple[float, ...] = (1.0,)
    flip: bool = False
    centre: float = 0.45
    peak: float = 0.55
    percentile: float = 0.0
    regions: int = 3
    weakest: float = 0.85
    refine: bool = True

    def __post_init__(self) -> None:
        check("--percentile", self.percentile, 0, 99.99)
        check("--peak", self.peak, 0.01, 0.99)
        check("--least", self.least, 0, 1)
        check("--centre", self.centre, 0, 10)
        check("--regions", self.regions, 1, 1000)
        if not self.input_scale:
            raise RunError("--input-scale: give at least one number, such as 1")
        for scale in self.input_scale:
            check("--input-scale", scale, 0.25, 4)
        if self.classes not in ("top", "all") and not (
            self.classes.isdecimal() and int(self.classes)
        ):
            raise RunError(f"--classes {self.classes!r} is none of top, all, or a number from 1")

    @classmethod
    def of_method(cls, method: str) -> Self:
        """Return the defaults of a method: maps of the classifier alone want a percentile."""
        return cls(method=method, percentile=0.0 if method == RARITY else 94.0)


def read_calibration(model: Path) -> SaliencyConfig:
    """Return what `discover calibrate` stored in the run folder `model`, else the defaults.

    Raises:
        RunError: it was made for other weights.
    """
    file = model / CALIBRATION_FILE
    if not file.is_file():
        return SaliencyConfig()
    stored = json.loads(file.read_text(encoding="utf-8"))
    if stored["model_hash"] != file_hash(model / "model.safetensors"):
        raise RunError(
            f"--model {model}: {CALIBRATION_FILE} was made for other weights: run "
            "`discover calibrate` again, or remove it"
        )
    return SaliencyConfig.from_dict(stored["saliency"])


def choose_config(model: Path, *, method: str | None = None, **given: Any) -> SaliencyConfig:  # noqa: ANN401 - the fields of SaliencyConfig
    """Return the settings for a classifier: what is given, else its calibration, else the defaults.

    Args:
        model: the run folder.
        method: another method than the calibrated one has its own defaults.
        given: fields of `SaliencyConfig`; None leaves a field as it is.
    """
    config = read_calibration(model)
    if method is not None and method != config.method:
        config = SaliencyConfig.of_method(method)
    return replace(config, **{name: v for name, v in given.items() if v is not None})


def normalise(activation: Map) -> Map:
    """Bring a map [rows, cols] to 0..1; a flat map becomes 0."""
    low, high = float(activation.min()), float(activation.max())
    if high - low < 1e-9:
        return np.zeros_like(activation)
    return (activation - low) / (high - low)


def rarity(features: Map, *, centre: float = SaliencyConfig.centre) -> Map:
    """Return how unlike the rest of its frame each position is.

    An object is what is rare on the seabed round it. Measured by the Mahalanobis distance of each
    position's features to those of the whole frame (the RX detector of Reed and Yu 1990,
    doi 10.1109/29.60107), smoothed. It needs no labels, and so nothing that ties it to the dives
    that a classifier was trained on.

    Args:
        features: [channels, rows, cols] of one frame, from a middle stage of a network.
        centre: spread of the weight towards the middle, as a share of each side; 0 for none.

    Returns:
        float32 [rows, cols] in 0..1.
    """
    channels, rows, cols = features.shape
    flat = features.reshape(channels, -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    covariance = flat @ flat.T / flat.shape[1]
    variance = float(np.trace(covariance)) / channels
    if variance < 1e-9:
        return np.zeros((rows, cols), np.float32)
    covariance[np.diag_indices(channels)] += _SHRINKAGE * variance
    squared = (flat * np.linalg.solve(covariance, flat)).sum(axis=0)
    distance = np.sqrt(np.maximum(squared, 0)).reshape(rows, cols)
    smooth = normalise(cv2.GaussianBlur(distance, (0, 0), max(0.3, _SMOOTH * rows)))
    return smooth * _towards_centre(rows, cols, centre) if centre else smooth


def _towards_centre(rows: int, cols: int, spread: float) -> Map:
    down, across = (
        np.exp(-0.5 * ((np.arange(cells) + 0.5) / cells - 0.5) ** 2 / spread**2)
        for cells in (rows, cols)
    )
    return np.outer(down, across).astype(np.float32)


def find_regions(
    activation: Map, pixels: Pixels, config: SaliencyConfig, covered: Mask | None = None
) -> list[Mask]:
    """Cut the strongest connected regions out of a class activation map.

    Args:
        activation: float32 [rows, cols], any scale.
        pixels: what the classifier saw, uint8 RGB [height, width, 3].
        config: threshold, number of regions, refinement.
        covered: bool [height, width], where vehicle or telemetry lies over the scene: no region is
            there.

    Returns:
        Masks, bool [height, width], the strongest first; none for a flat map.
    """
    height, width = pixels.shape[:2]
    fine = cv2.resize(normalise(activation), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = np.maximum(fine, 0)  # cubic interpolation swings below
    if covered is not None:
        fine[covered] = 0
    if fine.max() <= 0:
        return []
    level = (
        np.percentile(fine, config.percentile) if config.percentile else config.peak * fine.max()
    )
    above = fine >= level
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


def without_rivals(found: list[tuple[int, Mask]], maps: dict[int, Map]) -> list[tuple[int, Mask]]:
    """Leave one region of those that different classes have in the same place.

    Args:
        found: class and mask, bool [height, width], of each region of a frame.
        maps: of each class.

    Returns:
        Those of `found`, in their order, that no region of a class with a stronger map there
        overlaps by half.
    """
    if len(maps) < 2:
        return found
    strength = []
    for number, mask in found:
        fine = cv2.resize(maps[number], mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        strength.append(float(fine[mask].mean()))
    kept: list[int] = []
    for i in np.argsort(-np.array(strength), kind="stable"):
        number, mask = found[i]
        if all(number == found[k][0] or _overlap(mask, found[k][1]) < _SAME_PLACE for k in kept):
            kept.append(int(i))
    return [found[i] for i in sorted(kept)]


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())
