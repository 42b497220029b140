"""What a frame looks like, kept so that no file is read twice: small picture, points, vector.

Nothing here depends on other frames. A shard of the frames table is a folder of arrays in the
survey's cache; they are mapped, so that memory does not grow with the survey.
"""

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from classify.ahead import made_ahead
from classify.backbones import BUNDLED, Trunk, load_backbone
from classify.device import best_device, inference_precision, place
from classify.images import ImageError, Pixels, read_image, resize
from discover.survey import Survey

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Grey = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

SIDE = 400  # pixels of the longer side; finer pictures held more noise and no more matches
DIM = 256  # of the vector
VERSION = 1  # of what is kept: another is made anew
_POINTS = 1000  # keypoints at most, the strongest
_LEAST_CONTRAST = 0.01  # of SIFT; the strongest are taken anyway
_BLUR, _ROUND = 0.8, SIDE / 40  # pixels: noise below, shading above
_STEADY = 1.5  # grey values: contrast below it is noise, and is not raised
_GAIN = 40.0
_INPUT = (160, 256)  # rows, columns that the network sees
_GRID = (2, 3)  # of the map, pooled
_BATCH = 16
_ARRAYS = ("ids", "sizes", "grey", "counts", "points", "descriptors", "vectors")


@dataclass(frozen=True)
class Look:
    """One frame.

    Attributes:
        grey: uint8 [h, w], the longer side 400 pixels.
        flat: float32 [h, w], `flattened(grey)`.
        points: float32 [n, 2], column and row of the keypoints in `grey`.
        descriptors: float32 [n, 128], RootSIFT of length 1 (Arandjelovic & Zisserman 2012).
    """

    grey: Grey
    flat: Floats
    points: Floats
    descriptors: Floats


def flattened(grey: Grey) -> Floats:
    """Return the picture with its local mean removed and its local contrast made even.

    Light that falls off towards the border, haze and a fixed vignette go; the texture of the floor
    stays. Against subtracting the dive's median frame this finds half as many pairs again: the
    median of few frames holds a trace of each.
    """
    rough = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR)
    rough -= cv2.GaussianBlur(rough, (0, 0), _ROUND)
    spread = np.sqrt(cv2.GaussianBlur(rough * rough, (0, 0), _ROUND)) + _STEADY
    return np.asarray(_GAIN * rough / spread, np.float32)


def keypoints(flat: Floats) -> tuple[Floats, Grey]:
    """Return points float32 [n, 2] and RootSIFT descriptors uint8 [n, 128] of a flattened frame."""
    picture = np.clip(flat + 128, 0, 255).astype(np.uint8)
    sift = cv2.SIFT.create(contrastThreshold=_LEAST_CONTRAST)
    found = sorted(sift.detect(picture, None), key=lambda p: (-p.response, p.pt))[:_POINTS]
    strongest, described = sift.compute(picture, found)
    if described is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8)
    root = np.sqrt(described / np.maximum(described.sum(axis=1, keepdims=True), 1e-6))
    points = np.array([p.pt for p in strongest], np.float32)
    return points, np.clip(512 * root, 0, 255).astype(np.uint8)


class Looks:
    """The looks of a survey's frames, in its cache."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self.folder = survey.cache / f"looks-{VERSION}"
        self._where: dict[str, tuple[str, int]] = {}
        self._open = lru_cache(maxsize=64)(self._map)
        self.get = lru_cache(maxsize=256)(self._get)

    def make(self, progress: Progress | None = None) -> int:
        """Read the frames whose looks are not kept yet; return how many cannot be read."""
        encoder: Encoder | None = None
        total, done, failed = self._survey.count_frames(), 0, 0
        for unit in self._survey.frames.units():
            frames = self._survey.frames.read(["frame_id", "path"], units=[unit])
            if not (self.folder / unit).is_dir():
                encoder = encoder or Encoder()
                self._write(unit, self._read(frames, encoder, done, total, progress))
            ids = np.load(self.folder / unit / "ids.npy")
            self._where |= {str(name): (unit, row) for row, name in enumerate(ids)}
            failed += len(frames) - len(ids)
            done += len(frames)
            if progress:
                progress(done, total)
        return failed

    def __contains__(self, frame_id: str) -> bool:
        return frame_id in self._where

    def vectors(self, frame_ids: list[str]) -> Floats:
        """Return float32 [n, 256] of frames that can be read."""
        rows = [self._where[name] for name in frame_ids]
        vectors = np.zeros((len(rows), DIM), np.float32)
        for n, (unit, row) in enumerate(rows):
            vectors[n] = self._open(unit)["vectors"][row]
        return vectors

    def grey(self, frame_id: str) -> Grey:
        """Return the small picture of a frame, uint8 [h, w]."""
        unit, row = self._where[frame_id]
        arrays = self._open(unit)
        height, width = arrays["sizes"][row]
        start = arrays["grey_starts"][row]
        return np.array(arrays["grey"][start : start + height * width]).reshape(height, width)

    def _get(self, frame_id: str) -> Look:
        unit, row = self._where[frame_id]
        arrays = self._open(unit)
        part = slice(arrays["point_starts"][row], arrays["point_starts"][row + 1])
        described = arrays["descriptors"][part].astype(np.float32)
        described /= np.maximum(np.linalg.norm(described, axis=1, keepdims=True), 1e-6)
        grey = self.grey(frame_id)
        return Look(grey, flattened(grey), np.array(arrays["points"][part]), described)

    def _map(self, unit: str) -> dict[str, npt.NDArray[np.generic]]:
        arrays = {name: np.load(self.folder / unit / f"{name}.npy", "r") for name in _ARRAYS}
        areas = arrays["sizes"].astype(np.int64).prod(axis=1)
        arrays["grey_starts"] = np.concatenate([[0], np.cumsum(areas)])
        arrays["point_starts"] = np.concatenate([[0], np.cumsum(arrays["counts"])])
        return arrays

    def _read(
        self, frames: pa.Table, encoder: "Encoder", done: int, total: int, progress: Progress | None
    ) -> dict[str, npt.NDArray[np.generic]]:
        ids, greys, points, described = [], [], [], []
        vectors = [np.zeros((0, DIM), np.float32)]
        for batch in made_ahead(self._read_one, frames.to_pylist(), batch=_BATCH):
            sound = [item for item in batch if item is not None]
            if sound:
                vectors.append(encoder([item[2] for item in sound]))
            for frame_id, grey, _, (at, description) in sound:
                ids.append(frame_id)
                greys.append(grey)
                points.append(at)
                described.append(description)
            done += len(batch)
            if progress:
                progress(done, total)
        return {
            "ids": np.array(ids, "U16"),
            "sizes": np.array([g.shape for g in greys], np.int32).reshape(-1, 2),
            "grey": np.concatenate([np.zeros(0, np.uint8), *(g.ravel() for g in greys)]),
            "counts": np.array([len(p) for p in points], np.int64),
            "points": np.concatenate([np.zeros((0, 2), np.float32), *points]),
            "descriptors": np.concatenate([np.zeros((0, 128), np.uint8), *described]),
            "vectors": np.concatenate(vectors).astype(np.float16),
        }

    def _read_one(
        self, frame: dict[str, str]
    ) -> tuple[str, Grey, Pixels, tuple[Floats, Grey]] | None:
        path = self._survey.frame_path(frame["path"])
        try:
            pixels = read_image(path, min_side=SIDE * 3 // 4).pixels
        except (ImageError, OSError) as error:
            log.warning("skipped %s: %s", path, error)
            return None
        height, width = pixels.shape[:2]
        scale = SIDE / max(height, width)
        small = resize(pixels, max(16, round(width * scale)), max(16, round(height * scale)))
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        seen = resize(small, _INPUT[1], _INPUT[0])
        return frame["frame_id"], grey, seen, keypoints(flattened(grey))

    def _write(self, unit: str, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Publish a shard whole: a folder under another name, then renamed."""
        partial = self.folder / f".{unit}.{os.getpid()}.tmp"
        partial.mkdir(parents=True, exist_ok=True)
        for name, array in arrays.items():
            np.save(partial / f"{name}.npy", array, allow_pickle=False)
        try:
            os.replace(partial, self.folder / unit)
        except OSError:  # another process made the same shard meanwhile
            shutil.rmtree(partial)


class Encoder:
    """The last map of the bundled network on a coarse grid, projected at random to 256 numbers.

    The projection keeps distances (Johnson & Lindenstrauss 1984) and commutes with means, so that a
    dive's mean can be taken off later.
    """

    def __init__(self) -> None:
        self._trunk = Trunk(load_backbone(BUNDLED, "bundled"))
        place(self._trunk)
        rng = np.random.default_rng(0)
        size = (self._trunk.channels * _GRID[0] * _GRID[1], DIM)
        self._project = torch.from_numpy(rng.standard_normal(size, np.float32) / DIM**0.5)

    @torch.inference_mode()
    def __call__(self, images: list[Pixels]) -> Floats:
        """Return float32 [n, 256] of images, uint8 RGB [160, 256, 3] each."""
        batch = torch.from_numpy(np.stack(images)).to(best_device())
        with inference_precision():
            maps = self._trunk(batch)
        pooled = torch.nn.functional.adaptive_avg_pool2d(maps.float(), _GRID).flatten(1).cpu()
        return np.asarray((pooled @ self._project).numpy(), np.float32)
