"""Where to draw the line on a classifier's maps, learned from a few objects that a person boxed."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classify.classes import standard_name
from classify.errors import UserError
from classify.images import Decoded, Pixels, read_image
from classify.runs import file_hash, write_atomic
from discover.crops import Cut, decode_mask, encode_mask
from discover.cutting.class_maps import takes_any_size
from discover.cutting.coco_boxes import ImageFiles
from discover.cutting.regions import BoxRegions, ClassifierRegions, Found
from discover.saliency import CALIBRATION_FILE, Map, Mask, SaliencyConfig, find_regions

Progress = Callable[[int, int], None]
FEWEST = 10  # objects; of fewer, the best setting is chance
_MOST = 300  # frames that are looked at
_PARTS = 5  # that the dives are dealt into
_PEAKS = (0.35, 0.45, 0.55, 0.65, 0.75)
_PERCENTILES = (90.0, 94.0, 97.0)
_SCALES = ((1.0,), (1.0, 2.0))
_CENTRES = (0.45, 0.8)
_WORTH = 0.01  # of IoU; a smaller gain is no reason to leave the defaults


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes:
        config: what was stored.
        frames: frames with boxes that were looked at.
        objects: objects in them.
        dives: dives that they are of.
        before: mean IoU of the defaults; dives count alike.
        left_out: mean IoU of objects whose dives had no say in the choice; of one dive alone, of
            frames that had none.
        after: mean IoU of `config` on all, which it was chosen by: kinder than `left_out`.
    """

    config: SaliencyConfig
    frames: int
    objects: int
    dives: int
    before: float
    left_out: float
    after: float


@dataclass(frozen=True)
class Sample:
    """The objects of one class in one frame.

    Attributes:
        dive: of the frame.
        pixels: the frame as the classifier sees it.
        truths: masks of the objects on the same pixels, and whether each is a mere box.
        maps: of the class, one for each way of making them.
    """

    dive: str
    pixels: Pixels
    truths: list[tuple[Mask, bool]]
    maps: list[Map]


def calibrate(
    model: Path, coco: Path, *, images: Path | None = None, progress: Progress | None = None
) -> Calibration:
    """Choose threshold, scale and refinement by boxed objects, and store them with the classifier.

    The strongest region of an object's class in its frame is compared with the object that it
    overlaps most: mask with mask, box with box. Dives count alike. The choice is stored where it is
    better than the defaults on dives that had no say in it; else the defaults are.

    Args:
        model: run folder of `classify train`.
        coco: COCO file with boxes or masks; the category, or its supercategory, is the class. The
            dive of an image is its `dive` or `video`, else the folder of its file.
        images: folder of the images, or of their folders; None looks beside `coco`, and in and
            below `images/` there.
        progress: called with (frames done, frames in all).

    Returns:
        What was chosen, and its IoU. `ClassifierRegions` reads it from `saliency.json` in `model`.

    Raises:
        UserError: there are too few objects of classes that the classifier knows, or images are
            missing, or several may be meant by one name.
    """
    frames = _boxed_frames(coco, images)
    ways = ways_for(ClassifierRegions(model, SaliencyConfig()).classifier)
    samples = _samples(model, coco, frames, ways, progress)
    objects = sum(len(sample.truths) for sample in samples)
    if objects < FEWEST:
        raise UserError(
            f"COCO {coco} has {objects} objects of the classifier's classes: box {FEWEST} at "
            "least, better 30, of several dives"
        )
    settings = [(number, replace(way, **cut)) for number, way in enumerate(ways) for cut in _cuts()]
    scores = np.array([[_score(s, n, config) for n, config in settings] for s in samples])
    found = _choose(scores, [sample.dive for sample in samples], settings)
    config, before, left_out, after = found
    dives = len({sample.dive for sample in samples})
    done = Calibration(config, len(frames), objects, dives, before, left_out, after)
    _store(model, coco, done)
    return done


def ways_for(classifier: Any) -> list[SaliencyConfig]:  # noqa: ANN401 - torch is not imported here
    """Return the ways of making maps; the first are the defaults."""
    scales = _SCALES if takes_any_size(classifier) else _SCALES[:1]
    return [
        SaliencyConfig(input_scale=scale, centre=centre)
        for scale, centre in product(scales, _CENTRES)
    ]


def choose(
    samples: Sequence[Sample], ways: Sequence[SaliencyConfig]
) -> tuple[SaliencyConfig, float, float, float]:
    """Return the best setting, and the mean IoU before, on dives left out, and after.

    Args:
        samples: objects, with a map by each of `ways`.
        ways: of making maps; the first are the defaults.
    """
    settings = [(way, replace(ways[way], **cut)) for way in range(len(ways)) for cut in _cuts()]
    scores = np.array([[_score(s, way, config) for way, config in settings] for s in samples])
    return _choose(scores, [sample.dive for sample in samples], settings)


def _cuts() -> Iterator[dict[str, Any]]:
    for refine in (True, False):
        yield from ({"peak": peak, "refine": refine} for peak in _PEAKS)
        yield from ({"percentile": level, "refine": refine} for level in _PERCENTILES)


def _boxed_frames(coco: Path, images: Path | None) -> list[tuple[Path, str, str]]:
    """Return file, `file_name` and dive of the images that have annotations."""
    BoxRegions(coco, option="COCO")  # says what is wrong with the file
    data = json.loads(coco.read_text(encoding="utf-8"))
    boxed = {annotation["image_id"] for annotation in data["annotations"]}
    listed = sorted((i for i in data["images"] if i["id"] in boxed), key=lambda i: i["file_name"])
    spread = np.linspace(0, len(listed) - 1, min(len(listed), _MOST)).round().astype(int)
    folders = [images] if images is not None else [coco.parent, coco.parent / "images"]
    files, found, missing = ImageFiles(folders), [], []
    for image in (listed[row] for row in spread):
        name = str(image["file_name"]).replace("\\", "/")
        file = files.find(name)
        if file is None:
            missing.append(name)
            continue
        dive = image.get("dive") or image.get("video") or str(file.parent)
        found.append((file, name, str(dive)))
    if missing:
        raise UserError(
            f"COCO {coco}: {len(missing)} of {len(spread)} images are not in {folders[0]}, such as "
            f"{missing[0]}: give their folder by --images"
        )
    return found


def _samples(
    model: Path,
    coco: Path,
    frames: Sequence[tuple[Path, str, str]],
    ways: Sequence[SaliencyConfig],
    progress: Progress | None,
) -> list[Sample]:
    everything = [replace(way, classes="all", least=0.0) for way in ways]
    sources = [ClassifierRegions(model, way) for way in everything]
    boxes = BoxRegions(coco, option="COCO")
    files, names, dives = (list(column) for column in zip(*frames, strict=True))
    for source in sources:
        source.begin(files, names, dives, {})
    samples = []
    for done, (file, name, dive) in enumerate(frames, 1):
        frame = read_image(file, min_side=max(source.min_side for source in sources))
        found = boxes.find([name], [frame])[0]
        maps = [source.maps([name], [frame])[0][1] for source in sources]
        pixels = sources[0].seen([name], [frame])[0]
        config = sources[0].classifier.config
        window = sources[0].classifier.window(frame.width, frame.height)
        for number, known in enumerate(config.heads[config.main_task]):
            of_class = [f for f in found if standard_name(f.class_name) == known]
            truths = [
                t for f in of_class if (t := _on_pixels(f, frame, window, pixels)) is not None
            ]
            if truths:
                samples.append(Sample(dive, pixels, truths, [m[number] for m in maps]))
        if progress:
            progress(done, len(frames))
    return samples


def _on_pixels(
    found: Found, frame: Decoded, window: tuple[int, int, int, int], pixels: Pixels
) -> tuple[Mask, bool] | None:
    """Return an object's mask on the classifier's pixels, and whether it is a box; None outside."""
    import cv2

    cut, (x, y, w, h) = found.cut, window
    boxed = cut.mask is None
    filled = Cut(cut.box, np.ones((1, 1), bool), cut.box) if boxed else cut
    counts = encode_mask(filled, frame.width, frame.height)
    assert counts is not None  # it has a mask
    whole = decode_mask(counts, frame.width, frame.height)[y : y + h, x : x + w]
    size = (pixels.shape[1], pixels.shape[0])
    small = cv2.resize(whole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return (small, boxed) if small.any() else None


def _score(sample: Sample, way: int, config: SaliencyConfig) -> float:
    """Return the IoU of the strongest region with the object that it overlaps most."""
    regions = find_regions(sample.maps[way], sample.pixels, replace(config, regions=1))
    if not regions:
        return 0.0
    return max(
        overlap(box_of(regions[0]) if boxed else regions[0], truth)
        for truth, boxed in sample.truths
    )


def overlap(one: Mask, other: Mask) -> float:
    """Return the intersection over the union of two masks of one shape."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def box_of(mask: Mask) -> Mask:
    """Return the bounding box of a mask, filled."""
    return np.outer(mask.any(axis=1), mask.any(axis=0))


def _choose(
    scores: npt.NDArray[np.float64], dives: list[str], settings: list[tuple[int, SaliencyConfig]]
) -> tuple[SaliencyConfig, float, float, float]:
    """Return the setting that is best, and the mean IoU before, on dives left out, and after."""
    weights = _alike(dives)
    default = [config for _, config in settings].index(SaliencyConfig())
    parts = _parts(dives)
    left_out = sum(
        weights[part] @ scores[part, _best(scores, weights, np.setdiff1d(range(len(dives)), part))]
        for part in parts
    )
    means = weights @ scores
    chosen = int(means.argmax()) if left_out > means[default] + _WORTH else default
    return settings[chosen][1], float(means[default]), float(left_out), float(means[chosen])


def _best(
    scores: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], rows: npt.NDArray[Any]
) -> int:
    return int((weights[rows] @ scores[rows]).argmax())


def _alike(dives: list[str]) -> npt.NDArray[np.float64]:
    """Return weights that sum to 1, by which dives count alike."""
    _, number, count = np.unique(dives, return_inverse=True, return_counts=True)
    return np.asarray(1 / count[number] / len(count), np.float64)


def _parts(dives: list[str]) -> list[npt.NDArray[Any]]:
    """Deal the rows into parts that share no dive; of one dive, by single rows."""
    names = sorted(set(dives))
    if len(names) < 2:
        return [p for p in np.array_split(np.arange(len(dives)), _PARTS) if len(p)]
    part_of = {name: number % _PARTS for number, name in enumerate(names)}
    numbers = np.array([part_of[dive] for dive in dives])
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers)]


def _store(model: Path, coco: Path, done: Calibration) -> None:
    about = {
        "model_hash": file_hash(model / "model.safetensors"),
        "boxes": file_hash(coco),
        "saliency": done.config.to_dict(),
        "objects": done.objects,
        "dives": done.dives,
        "iou": {"before": done.before, "left_out": done.left_out, "after": done.after},
    }
    write_atomic(model / CALIBRATION_FILE, json.dumps(about, indent=2).encode())
