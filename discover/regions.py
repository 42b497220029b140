"""Where the regions of a frame come from: a classifier's maps, given boxes, or the whole frame."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from classify.classes import standard_name
from classify.device import best_device, inference_precision, place
from classify.images import Decoded, Pixels
from classify.model import Classifier, as_batch, load_classifier
from classify.runs import file_hash
from classify.stored import prepared
from classify.vehicle import hide, learn_masks
from discover.crops import Cut, cut_from_rle, cut_region
from discover.saliency import SaliencyConfig, find_regions, normalise
from discover.survey import SurveyError

WHOLE_FRAME = "frame"  # the class of crops that are whole frames


@dataclass(frozen=True)
class Found:
    """A region of one frame and what it is taken for.

    Attributes:
        class_name: the class.
        score: probability of the class, or the box's own score; 1 for a person's box.
        cut: where it is.
        heat: class activation map over the whole frame, uint8 [rows, cols], or None.
    """

    class_name: str
    score: float
    cut: Cut
    heat: npt.NDArray[np.uint8] | None = None


class RegionSource(Protocol):
    """What `embed` asks for the regions of frames; `find` is called from several threads at a time.

    Attributes:
        mode: a short name that runs are called by.
        min_side: shorter side, in pixels, at which the frames are to be decoded.
        key: what decides the regions, as plain values; part of the run's identity.
        model_hash: SHA-256 of the weights, where a model decides.
        given: whether the regions were given, so that none of them is doubted.
    """

    @property
    def mode(self) -> str: ...  # noqa: D102
    @property
    def min_side(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def model_hash(self) -> str | None: ...  # noqa: D102
    @property
    def given(self) -> bool: ...  # noqa: D102

    def begin(self, files: list[Path], paths: list[str], dives: list[str]) -> None:
        """Look at a unit of frames before any of them is asked for."""

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Return the regions of each frame; `paths` are the frames' stored paths."""


class ClassifierRegions:
    """Regions of the predicted class, from the class activation map of the same forward pass."""

    mode = "cam"
    given = False

    def __init__(self, model: Path, config: SaliencyConfig | None = None) -> None:
        self._config = config or SaliencyConfig()
        self._model: Classifier = load_classifier(model)
        place(self._model)
        self.min_side = self._model.config.min_side
        self.model_hash: str | None = file_hash(model / "model.safetensors")
        self._vehicles: dict[str, npt.NDArray[np.bool_]] = {}
        self.key: dict[str, Any] = {"model": self.model_hash, "saliency": self._config.to_dict()}

    @property
    def classifier(self) -> Classifier:
        """The classifier whose maps these are."""
        return self._model

    def begin(self, files: list[Path], paths: list[str], dives: list[str]) -> None:
        """Learn the vehicle of each dive, for a classifier that hides it."""
        if self._model.config.hide_vehicle:
            masks = learn_masks(lambda row: prepared(self._model, files[row]), dives)
            found = ((path, masks.get(dive)) for path, dive in zip(paths, dives, strict=True))
            self._vehicles = {path: mask for path, mask in found if mask is not None}

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Classify the frames and cut out the evidence for the class of each."""
        seen = [self._model.prepare(frame.pixels) for frame in frames]
        seen = [
            hide(image, self._vehicles[path]) if path in self._vehicles else image
            for path, image in zip(paths, seen, strict=True)
        ]
        maps, probabilities = self._forward(seen)
        return [
            self._regions(frame, pixels, maps[i], probabilities[i])
            for i, (frame, pixels) in enumerate(zip(frames, seen, strict=True))
        ]

    @torch.inference_mode()
    def _forward(
        self, seen: list[Pixels]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        with inference_precision():
            features = self._model.trunk(as_batch(seen, best_device()))
        output = self._model.classify(features)
        span = self._model.config.span(self._model.config.main_task)
        probabilities = self._model.probabilities(output.logits)
        return output.maps[:, span].cpu().numpy(), probabilities[:, span].cpu().numpy()

    def _regions(
        self,
        frame: Decoded,
        pixels: Pixels,
        maps: npt.NDArray[np.float32],
        probabilities: npt.NDArray[np.float32],
    ) -> list[Found]:
        window = self._model.window(frame.width, frame.height)
        classes = self._model.config.heads[self._model.config.main_task]
        found = []
        for number in self._present(probabilities):
            heat = _over_frame((normalise(maps[number]) * 255).astype(np.uint8), window, frame)
            found += [
                Found(classes[number], float(probabilities[number]), cut_region(mask, window), heat)
                for mask in find_regions(maps[number], pixels, self._config)
            ]
        return found

    def _present(self, probabilities: npt.NDArray[np.float32]) -> list[int]:
        """Return the likeliest class; of a classifier with several labels a frame, all present."""
        config = self._model.config
        if config.multilabel:
            thresholds = np.asarray(config.thresholds[config.span(config.main_task)])
            return [int(i) for i in np.flatnonzero(probabilities >= thresholds)]
        return [int(probabilities.argmax())]


def _over_frame(
    heat: npt.NDArray[np.uint8], window: tuple[int, int, int, int], frame: Decoded
) -> npt.NDArray[np.uint8]:
    """Pad a map of the window that was looked at to one of the whole frame."""
    x, y, w, h = window
    rows, cols = round(heat.shape[0] * y / h), round(heat.shape[1] * x / w)
    below = round(heat.shape[0] * (frame.height - y - h) / h)
    right = round(heat.shape[1] * (frame.width - x - w) / w)
    return np.pad(heat, ((rows, below), (cols, right)))


class BoxRegions:
    """Regions from a COCO file: segmentation where given, else the box."""

    mode = "boxes"
    given = True
    model_hash = None

    def __init__(self, coco: Path, *, min_side: int = 512) -> None:
        self.min_side = min_side
        data = _read_coco(coco)
        self.key: dict[str, Any] = {"boxes": file_hash(coco)}
        categories = {c["id"]: _class_of(c) for c in data["categories"]}
        self._size = {i["id"]: (int(i["width"]), int(i["height"])) for i in data["images"]}
        self._images: dict[str, list[tuple[PurePosixPath, Any]]] = defaultdict(list)
        for image in data["images"]:
            path = PurePosixPath(str(image["file_name"]).replace("\\", "/"))
            self._images[path.name].append((path, image["id"]))
        self._objects: dict[Any, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for annotation in data["annotations"]:
            name = categories.get(annotation["category_id"])
            if name is None:
                raise SurveyError(
                    f"--boxes {coco}: annotation {annotation.get('id')} has the unknown category "
                    f"{annotation['category_id']}"
                )
            self._objects[annotation["image_id"]].append((name, annotation))

    def begin(self, files: list[Path], paths: list[str], dives: list[str]) -> None:
        """Need nothing beforehand."""

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Return what the file says of each frame; a frame that it does not name has no regions."""
        return [self._of_frame(path, frame) for path, frame in zip(paths, frames, strict=True)]

    def matched(self, paths: list[str]) -> int:
        """Return how many of the stored paths the file names."""
        return sum(self._image_id(path) is not None for path in paths)

    def _image_id(self, stored: str) -> Any | None:  # noqa: ANN401 - ids are the file's own
        """Match by the longest common tail of the paths: equal names in two folders differ."""
        path = PurePosixPath(stored.replace("\\", "/"))
        ends = [
            (len(candidate.parts), image)
            for candidate, image in self._images.get(path.name, ())
            if path.parts[-len(candidate.parts) :] == candidate.parts
            or candidate.is_absolute()
            or len(candidate.parts) == 1
        ]
        return max(ends, key=lambda end: end[0])[1] if ends else None

    def _of_frame(self, path: str, frame: Decoded) -> list[Found]:
        image = self._image_id(path)
        if image is None:
            return []
        if self._size[image] != (frame.width, frame.height):
            raise SurveyError(
                f"--boxes: {path} is {frame.width} x {frame.height} pixels, but the file says "
                f"{self._size[image][0]} x {self._size[image][1]}"
            )
        found = []
        for name, annotation in self._objects[image]:
            cut = _cut_of(annotation, frame.width, frame.height)
            if cut is not None:
                found.append(Found(name, float(annotation.get("score", 1.0)), cut))
        return found


class WholeFrame:
    """The whole frame as one region, of class "frame"."""

    mode = "frame"
    given = False
    model_hash = None

    def __init__(self, *, min_side: int = 224) -> None:
        self.min_side = min_side
        self.key: dict[str, Any] = {}

    def begin(self, files: list[Path], paths: list[str], dives: list[str]) -> None:
        """Need nothing beforehand."""

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Return one region for each frame."""
        return [
            [
                Found(
                    WHOLE_FRAME,
                    1.0,
                    Cut((0, 0, f.width, f.height), None, (0, 0, f.width, f.height)),
                )
            ]
            for f in frames
        ]


def _read_coco(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SurveyError(f"--boxes {path} cannot be read as JSON: {error}") from None
    missing = [k for k in ("images", "annotations", "categories") if k not in data]
    if missing:
        raise SurveyError(f"--boxes {path} is not a COCO file: {missing[0]!r} is missing")
    return dict(data)


def _class_of(category: dict[str, Any]) -> str:
    """Return the supercategory, which holds the element, or the name where there is none."""
    return standard_name(str(category.get("supercategory") or category["name"]))


def _cut_of(annotation: dict[str, Any], width: int, height: int) -> Cut | None:
    from pycocotools import mask as coco

    shape = annotation.get("segmentation")
    if isinstance(shape, list) and shape:
        counts = coco.merge(coco.frPyObjects(shape, height, width))["counts"].decode()
        return cut_from_rle(counts, width, height)
    if isinstance(shape, dict):
        counts = shape["counts"]
        if isinstance(counts, list):
            counts = coco.frPyObjects(shape, height, width)["counts"].decode()
        return cut_from_rle(counts, width, height)
    x, y, w, h = (round(float(v)) for v in annotation["bbox"])
    x, y, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if right <= x or bottom <= y:
        return None
    return Cut((x, y, right - x, bottom - y), None, (0, 0, width, height))
