"""Where the regions of a frame come from: a classifier's maps, given boxes, or the whole frame."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from classify.device import place
from classify.images import Decoded, Pixels, resize
from classify.model import Classifier, load_classifier
from classify.runs import file_hash
from classify.stored import prepared
from classify.vehicle import hide, learn_masks
from discover.crops import Cut, cut_region
from discover.cutting.class_maps import ClassMaps, Seen, input_size
from discover.cutting.coco_boxes import class_of, cut_of, read_coco
from discover.cutting.overlay import within
from discover.saliency import (
    RARITY,
    Map,
    Mask,
    SaliencyConfig,
    find_regions,
    normalise,
    read_calibration,
    without_rivals,
)
from discover.survey import SurveyError

Overlays = Mapping[str, Mask]  # by dive: bool [rows, cols], a grid over the frame
WHOLE_FRAME = "frame"  # the class of crops that are whole frames


@dataclass(frozen=True)
class Found:
    """A region of one frame and what it is taken for.

    Attributes:
        class_name: the class.
        score: how strong the evidence for the class is there, 0..1, or the box's own score; 1 for a
            person's box.
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

    def begin(
        self, files: list[Path], paths: list[str], dives: list[str], overlays: Overlays
    ) -> None:
        """Look at a unit of frames before any of them is asked for.

        Args:
            files: the frames.
            paths: their stored paths.
            dives: their dives.
            overlays: what is known to lie over the scene: a source that searches leaves it out.
        """

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Return the regions of each frame; `paths` are the frames' stored paths."""


class ClassifierRegions:
    """Regions of the classes that a classifier sees, from maps of the same forward pass."""

    mode = "cam"
    given = False

    def __init__(self, model: Path, config: SaliencyConfig | None = None) -> None:
        """Load the run `model`; None takes what `discover calibrate` stored, or the defaults."""
        self._config = config or read_calibration(model)
        self._model: Classifier = load_classifier(model)
        place(self._model)
        self._class_maps = ClassMaps(self._model, self._config)
        self.min_side = round(self._model.config.min_side * max(1.0, *self._config.input_scale))
        self.model_hash: str | None = file_hash(model / "model.safetensors")
        self._vehicles: dict[str, Mask] = {}
        self._overlays: dict[str, Mask] = {}
        self.key: dict[str, Any] = {
            "model": self.model_hash, "saliency": self._config.to_dict(), "score": "peak",
        }  # fmt: skip

    @property
    def classifier(self) -> Classifier:
        """The classifier whose maps these are."""
        return self._model

    def begin(
        self, files: list[Path], paths: list[str], dives: list[str], overlays: Overlays
    ) -> None:
        """Learn the vehicle of each dive, for a classifier that hides it."""
        of_paths = zip(paths, dives, strict=True)
        self._overlays = {path: overlays[dive] for path, dive in of_paths if dive in overlays}
        if self._model.config.hide_vehicle:
            masks = learn_masks(lambda row: prepared(self._model, files[row]), dives)
            found = ((path, masks.get(dive)) for path, dive in zip(paths, dives, strict=True))
            self._vehicles = {path: mask for path, mask in found if mask is not None}

    def find(self, paths: list[str], frames: list[Decoded]) -> list[list[Found]]:
        """Classify the frames and cut out the evidence for their classes."""
        pixels = self.seen(paths, frames)
        return [
            self._regions(*of)
            for of in zip(paths, frames, pixels, self.maps(paths, frames), strict=True)
        ]

    def maps(self, paths: list[str], frames: list[Decoded]) -> list[Seen]:
        """Return probabilities and maps of the frames, see `ClassMaps`."""
        return self._class_maps(lambda scale: self.seen(paths, frames, scale))

    def seen(self, paths: list[str], frames: list[Decoded], scale: float = 1.0) -> list[Pixels]:
        """Return the frames as the classifier sees them, at so many times its input size."""
        return [
            self._seen(frame.pixels, self._vehicles.get(path), scale)
            for path, frame in zip(paths, frames, strict=True)
        ]

    def _seen(self, pixels: Pixels, vehicle: Mask | None, scale: float) -> Pixels:
        x, y, w, h = self._model.window(pixels.shape[1], pixels.shape[0])
        width, height = input_size(self._model.config.width, self._model.config.height, scale)
        image = resize(pixels[y : y + h, x : x + w], width, height)
        if vehicle is None:
            return image
        mask = cv2.resize(
            vehicle.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
        )
        return hide(image, mask > 0)

    def _regions(self, path: str, frame: Decoded, pixels: Pixels, seen: Seen) -> list[Found]:
        probabilities, maps = seen
        window = self._model.window(frame.width, frame.height)
        covered = None
        if path in self._overlays:
            size = (frame.width, frame.height)
            covered = within(self._overlays[path], window, size, pixels.shape[:2])
        classes = self._model.config.heads[self._model.config.main_task]
        found = [
            (number, mask)
            for number, of_class in maps.items()
            for mask in find_regions(of_class, pixels, self._config, covered)
        ]
        heats = {
            number: _over_frame((normalise(of_class) * 255).astype(np.uint8), window, frame)
            for number, of_class in maps.items()
        }
        return [
            Found(
                classes[i],
                self._score(float(probabilities[i]), maps[i], mask),
                cut_region(mask, window),
                heats[i],
            )
            for i, mask in without_rivals(found, maps)
        ]

    def _score(self, probability: float, of_class: Map, mask: Mask) -> float:
        """Return how strong the evidence in a region is: the map's peak there.

        It tells things from nothing better than the class's probability, which is of the whole
        frame. Only the maps of rarity have a height of their own; others all reach 1.
        """
        fine = cv2.resize(of_class, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        peak = float(fine[mask].max())
        return peak if self._config.method == RARITY else probability * peak


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

    def __init__(self, coco: Path, *, min_side: int = 512, option: str = "--boxes") -> None:
        """Read the file; `option` is what errors call it."""
        self.min_side = min_side
        self._option = option
        data = read_coco(coco, option)
        self.key: dict[str, Any] = {"boxes": file_hash(coco)}
        categories = {c["id"]: class_of(c) for c in data["categories"]}
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
                    f"{option} {coco}: annotation {annotation.get('id')} has the unknown category "
                    f"{annotation['category_id']}"
                )
            self._objects[annotation["image_id"]].append((name, annotation))

    def begin(
        self, files: list[Path], paths: list[str], dives: list[str], overlays: Overlays
    ) -> None:
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
                f"{self._option}: {path} is {frame.width} x {frame.height} pixels, but the file "
                f"says {self._size[image][0]} x {self._size[image][1]}"
            )
        found = []
        for name, annotation in self._objects[image]:
            cut = cut_of(annotation, frame.width, frame.height)
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

    def begin(
        self, files: list[Path], paths: list[str], dives: list[str], overlays: Overlays
    ) -> None:
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
