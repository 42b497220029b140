"""Where objects are, on dives that the classifier was not trained on: masks, boxes and the peak.

The classifier is trained in folds by dive as `classify train elements` does, frozen; its maps are
compared with true masks on held-out frames, at most so many of each dive, since the frames of a run
are nearly the same. Boxes are used by the calibration alone, and are of the training dives.

    python benchmarks/localisation.py frames.csv annotations.json [--per-dive 8] [--only PATTERN]
"""

import argparse
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from across_dives import folds, supervise
from pycocotools import mask as coco
from record import record
from safetensors.torch import load_file, save_file

from classify import data as labelled
from classify.device import place
from classify.head import Features, choose_strengths, fit_head
from classify.images import Pixels
from classify.model import Classifier, ModelConfig
from classify.stored import Maps, feature_maps, prepare_images
from classify.vehicle import learn_masks
from discover.calibrate import Sample, box_of, choose, overlap
from discover.cutting.class_maps import ClassMaps
from discover.saliency import Map, Mask, SaliencyConfig, find_regions

FOLDS = 3
BOXED = 30  # objects for the calibration, of as many training dives
SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # of the peak: the baseline gets the best of them
CLASSES = ("class given", "class predicted")


@dataclass
class Set:
    """Frames, features and truth.

    Attributes:
        table: columns `path, dive, elements`.
        images: uint8 [rows, h, w, 3], as the classifier sees them.
        last: float16, the trunk's map of each image.
        finer: float16, that of the stage before.
        truths: for each image the masks of its objects on these pixels, by class.
        overlays: what never moves in a dive, on these pixels, of the dives where it is known.
    """

    table: pd.DataFrame
    model: Classifier
    images: Pixels
    last: Maps
    finer: Maps
    truths: list[dict[str, list[Mask]]]
    overlays: dict[str, Mask]


def read(frames: Path, annotations: Path, keep: Path) -> Set:
    """Read all images once; the features stay in `keep`."""
    table = labelled.read_labels(frames, tasks=("elements",))
    model = Classifier(ModelConfig(labelled.class_names(table, ("elements",)))).eval()
    place(model)
    table, images = prepare_images(model, table, keep)
    shape = (len(images), *_map_shape(model))
    if (keep / "last").is_file():
        last = np.memmap(keep / "last", np.float16, "r", shape=shape)
    else:
        last = feature_maps(model, images, keep / "last")
    finer = _finer_maps(model, images, keep / "finer")
    truths = _truths(table, annotations, images.shape[1:3])
    overlays = learn_masks(lambda row: np.asarray(images[row]), table["dive"].tolist())
    return Set(table, model, images, last, finer, truths, overlays)


def _map_shape(model: Classifier) -> tuple[int, ...]:
    with torch.inference_mode():
        image = torch.zeros(1, model.config.height, model.config.width, 3, dtype=torch.uint8)
        return tuple(model.trunk(image).shape[1:])


@torch.inference_mode()
def _finer_maps(model: Classifier, images: Pixels, file: Path) -> Maps:
    first = model.trunk.both_maps(torch.from_numpy(np.array(images[:1])))[1]
    shape = (len(images), *first.shape[1:])
    if file.is_file():
        return np.memmap(file, np.float16, "r", shape=shape)
    maps: Maps = np.memmap(file, np.float16, "w+", shape=shape)
    for row in range(len(images)):
        found = model.trunk.both_maps(torch.from_numpy(np.array(images[row : row + 1])))[1]
        maps[row] = found[0].half().numpy()
    return maps


def _truths(
    table: pd.DataFrame, annotations: Path, shape: tuple[int, ...]
) -> list[dict[str, list[Mask]]]:
    found = json.loads(annotations.read_text())
    classes = {c["id"]: c["supercategory"] for c in found["categories"]}
    of_file: dict[str, dict[str, list[Mask]]] = {}
    names = {i["id"]: Path(i["file_name"]).name for i in found["images"]}
    for annotation in found["annotations"]:
        rle = annotation["segmentation"]
        rle = {"size": rle["size"], "counts": rle["counts"].encode()}
        small = cv2.resize(coco.decode(rle), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        if small.any():
            of_image = of_file.setdefault(names[annotation["image_id"]], {})
            of_image.setdefault(classes[annotation["category_id"]], []).append(small)
    return [of_file.get(Path(path).name, {}) for path in table["path"]]


def fitted(data: Set, train: np.ndarray, file: Path) -> Classifier:
    """Fit head and locator as `classify train` does; they stay in `file`."""
    model, config = data.model, data.model.config
    if file.is_file():
        model.load_state_dict(load_file(file), strict=False)
        return model
    features, known = Features(data.last, "mean"), supervise(data.table, config, train)
    strengths = choose_strengths(features, known, config)[0]
    fit_head(model.head, features, known.training, known, config, strengths)
    pooled = replace(config, pool="topk")
    positions = Features(data.last, "topk")
    fit_head(model.locator, positions, known.training, known, pooled, strengths)
    heads = {k: v for k, v in model.state_dict().items() if k.startswith(("head", "locator"))}
    save_file({k: v.contiguous() for k, v in heads.items()}, file)
    return model


def spread_over(table: pd.DataFrame, rows: np.ndarray, per_dive: int) -> np.ndarray:
    """Return rows, at most so many of each dive, evenly spread."""
    chosen = []
    for _, of_dive in table.iloc[rows].groupby("dive"):
        even = np.linspace(0, len(of_dive) - 1, min(len(of_dive), per_dive)).round().astype(int)
        chosen.append(of_dive.index.to_numpy()[even])
    return np.sort(np.concatenate(chosen))


def maps_of(model: Classifier, data: Set, row: int, config: SaliencyConfig) -> dict[str, Map]:
    """Return the maps of a frame: of the true class and of the predicted one."""
    names = model.config.heads["elements"]
    features = [
        torch.from_numpy(np.asarray(part[row : row + 1], np.float32))
        for part in (data.last, data.finer)
    ]
    every = replace(config, classes=str(len(names)))
    with torch.inference_mode():
        ((probabilities, maps),) = ClassMaps(model, every).of_features(*features)
    given = maps[names.index(data.table["elements"][row])]
    return dict(zip(CLASSES, (given, maps[int(probabilities.argmax())]), strict=True))


def scored(
    regions: list[Mask], map_: Map, truths: list[Mask], covered: Mask | None
) -> dict[str, float]:
    """Return what one frame scores."""
    union = np.any(truths, axis=0)
    fine = cv2.resize(map_, union.shape[::-1], interpolation=cv2.INTER_CUBIC)
    if covered is not None:
        fine[covered] = fine.min()
    boxes = [overlap(box_of(r), box_of(t)) for r in regions[:1] for t in truths] or [0.0]
    return {
        "strongest": max((overlap(r, union) for r in regions[:1]), default=0.0),
        "best": max((overlap(r, union) for r in regions), default=0.0),
        "object": float(
            np.mean([max((overlap(r, t) for r in regions), default=0) for t in truths])
        ),
        "corloc 0.3": max(boxes) >= 0.3,
        "corloc 0.5": max(boxes) >= 0.5,
        "pointing": bool(union.flat[fine.argmax()]),
    }


Cutter = Callable[[Map, Pixels], list[Mask]]


def strongest_above(share: float) -> Cutter:
    """Return what cuts the region round the peak, at a share of the map's range."""

    def cut(map_: Map, pixels: Pixels) -> list[Mask]:
        config = SaliencyConfig(peak=share, regions=1, refine=False)
        return find_regions(map_, pixels, config)

    return cut


def measure(
    model: Classifier,
    data: Set,
    rows: np.ndarray,
    config: SaliencyConfig,
    cut: Cutter | None,
    overlays: dict[str, Mask],
) -> pd.DataFrame:
    """Return a line for each frame and way of naming the class."""
    found = []
    for row in rows:
        truths = data.truths[row].get(data.table["elements"][row], [])
        if not truths:
            continue
        for named, map_ in maps_of(model, data, row, config).items():
            pixels = np.asarray(data.images[row])
            covered = overlays.get(data.table["dive"][row])
            regions = cut(map_, pixels) if cut else find_regions(map_, pixels, config, covered)
            found.append({"named": named, **scored(regions, map_, truths, covered)})
    return pd.DataFrame(found)


def calibrated(model: Classifier, data: Set, rows: np.ndarray, seed: int) -> SaliencyConfig:
    """Return what `discover calibrate` chooses by the boxes of a few objects of other dives."""
    rng = np.random.default_rng(seed)
    dives = rng.permutation(data.table["dive"].iloc[rows].unique())
    ways = [SaliencyConfig(centre=centre) for centre in (0.45, 0.8)]
    samples = []
    for dive in dives:
        row = int(rng.choice(rows[data.table["dive"].iloc[rows] == dive]))
        truths = data.truths[row].get(data.table["elements"][row], [])
        if truths and len(samples) < BOXED:
            maps = [maps_of(model, data, row, way)[CLASSES[0]] for way in ways]
            boxed = [(box_of(truths[0]), True)]
            samples.append(Sample(dive, np.asarray(data.images[row]), boxed, maps))
    return choose(samples, ways)[0]


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--per-dive", type=int, default=8)
    parser.add_argument("--only", default="", help="pattern of the lines to measure")
    parser.add_argument("--keep", type=Path, help="folder for features and heads, to run again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = args.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        data = read(args.frames, args.annotations, keep)
        results: dict[str, list[pd.DataFrame]] = {}
        for number, (train, test) in enumerate(folds(data.table, "elements", FOLDS)):
            model = fitted(data, train, keep / f"fold{number}.safetensors")
            rows = spread_over(data.table, test, args.per_dive)
            for name, (config, cut) in ways(model, data, train, number).items():
                if not re.search(args.only, name):
                    continue
                overlays = data.overlays if name.startswith(DEFAULT) else {}
                part = measure(model, data, rows, config, cut, overlays)
                results.setdefault(name, []).append(part)
                print(number, name, part.groupby("named").mean().round(3), flush=True)
    lines = _best_baseline(results)
    frames = sum(len(part) for part in next(iter(results.values()))) // len(CLASSES)
    record("Where objects are, on other dives", HEADER, lines, NOTE.format(frames=frames))


BASELINE = "head's own map (cam), best fixed share of the peak"
RARITY = "rarity weighed by the class"
DEFAULT = "`discover embed`: the same, off the vehicle and telemetry of dives where they are known"


def ways(
    model: Classifier, data: Set, train: np.ndarray, seed: int
) -> dict[str, tuple[SaliencyConfig, Cutter | None]]:
    """Return the lines of the table."""
    cam, locator = SaliencyConfig.of_method("cam"), SaliencyConfig.of_method("locator")
    found: dict[str, tuple[SaliencyConfig, Cutter | None]] = {
        f"{BASELINE} {share}": (cam, strongest_above(share)) for share in SHARES
    }
    return found | {
        "cam, 94th percentile, refined": (cam, None),
        "locator, 94th percentile, refined: the default until now": (locator, None),
        "rarity, without the weight towards the middle": (SaliencyConfig(centre=0), None),
        "rarity, 97th percentile, refined": (SaliencyConfig(percentile=97), None),
        "rarity, not refined": (SaliencyConfig(refine=False), None),
        RARITY: (SaliencyConfig(), None),
        f"the same, calibrated on {BOXED} boxes": (calibrated(model, data, train, seed), None),
        DEFAULT: (SaliencyConfig(), None),
    }


def _best_baseline(results: dict[str, list[pd.DataFrame]]) -> list[list[str]]:
    """Return the lines, of the baseline's thresholds the best alone."""
    means = {
        name: pd.concat(parts).query("named == @CLASSES[0]")["strongest"].mean()
        for name, parts in results.items()
    }
    baselines = [name for name in results if name.startswith(BASELINE)]
    best = max(baselines, key=lambda name: means[name], default="")
    return [
        [name, named, *(_over_folds(parts, named, column) for column in COLUMNS)]
        for name, parts in results.items()
        for named in CLASSES
        if not name.startswith(BASELINE) or name == best
    ]


COLUMNS = ("strongest", "best", "object", "corloc 0.3", "corloc 0.5", "pointing")


def _over_folds(parts: list[pd.DataFrame], named: str, column: str) -> str:
    each = [part.loc[part["named"] == named, column].mean() for part in parts]
    return f"{np.mean(each):.3f} ({min(each):.2f} to {max(each):.2f})"


HEADER = (
    "map",
    "class",
    "IoU, strongest region",
    "IoU, best of 3 regions",
    "IoU an object",
    "CorLoc 0.3",
    "CorLoc 0.5",
    "pointing game",
)
NOTE = (
    "TrashCan, three folds by dive (mean, lowest to highest), {frames} held-out frames; "
    "EfficientNet-Lite0, frozen, 512x352. IoU of a region with all objects of the frame's main "
    "element together, and of each such object with the region that fits it best; CorLoc by the "
    "boxes of the strongest region and of any such object; pointing: the map's peak lies in one."
)


if __name__ == "__main__":
    main()
