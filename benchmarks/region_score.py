"""Which regions are things? Ways to score them, on dives that the classifier was not trained on.

    python benchmarks/region_score.py frames.csv annotations.json [--per-dive 8] [--keep FOLDER]

Classifiers, maps and folds are those of localisation.py, which `--keep` shares. A region counts as
on an object where it overlaps one of its class by an IoU of 0.1.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from across_dives import folds
from localisation import FOLDS, Set, fitted, read, spread_over
from record import record
from sklearn.metrics import roc_auc_score

from classify.images import Pixels
from classify.model import Classifier, as_batch
from discover.calibrate import overlap
from discover.crops import cut_region, square_around
from discover.cutting.class_maps import ClassMaps
from discover.cutting.overlay import uncovered
from discover.saliency import Mask, SaliencyConfig, find_regions

ELEMENTS = ("waste", "fauna")
ON = 0.1  # IoU
AGAIN = 0.5  # margin round a region that is looked at again, as a share of its longer side
WAYS = {
    "probability": "the frame's probability: the score until now",
    "share": "the class's share in the region, mean over its positions",
    "again": "the region cut out and classified by itself",
    "both": "the frame's probability times the map's peak",
    "peak": "the map's peak in the region: the score now",
}
LEAST = {"probability": 0.5, "peak": 0.4}  # of `discover cluster`, before and now


def regions_of(model: Classifier, data: Set, row: int) -> list[dict[str, object]]:
    """Return a line for each region of a frame."""
    last, finer = (
        torch.from_numpy(np.asarray(part[row : row + 1], np.float32))
        for part in (data.last, data.finer)
    )
    with torch.inference_mode():
        ((probabilities, maps),) = ClassMaps(model, SaliencyConfig()).of_features(last, finer)
        shares = model.classify(last).maps.softmax(1)[0].numpy()
    number = int(probabilities.argmax())
    name = model.config.heads["elements"][number]
    if name not in ELEMENTS:
        return []
    pixels, truths = np.asarray(data.images[row]), data.truths[row].get(name, [])
    size = pixels.shape[1::-1]
    covered = data.overlays.get(data.table["dive"][row])
    peaks, places = (cv2.resize(of, size) for of in (maps[number], shares[number]))
    lines: list[dict[str, object]] = []
    for mask in find_regions(maps[number], pixels, SaliencyConfig(), covered):
        cut = cut_region(mask, (0, 0, *size))
        if covered is not None and uncovered(cut, covered, size) is None:
            continue
        peak = float(peaks[mask].max())
        lines.append({
            "element": name,
            "on": any(overlap(mask, truth) >= ON for truth in truths),
            "probability": float(probabilities[number]),
            "share": float(places[mask].mean()),
            "again": again(model, pixels, mask)[number],
            "both": float(probabilities[number]) * peak,
            "peak": peak,
        })  # fmt: skip
    return lines


@torch.inference_mode()
def again(model: Classifier, pixels: Pixels, mask: Mask) -> npt.NDArray[np.float32]:
    """Return the probabilities of a region that is cut out with some of its surroundings."""
    height, width = pixels.shape[:2]
    x, y, side, _ = square_around(cut_region(mask, (0, 0, width, height)).box, AGAIN)
    inside = pixels[max(0, y) : y + side, max(0, x) : x + side]
    large: Pixels = cv2.resize(inside, (width, height), interpolation=cv2.INTER_CUBIC)
    batch = as_batch([large], torch.device("cpu"))
    return np.asarray(model.probabilities(model(batch).logits)[0].numpy())


def lines_of(found: pd.DataFrame) -> list[list[object]]:
    rows: list[list[object]] = []
    for column, title in WAYS.items():
        cells: list[object] = [title]
        for element in ELEMENTS:
            part = found[found["element"] == element]
            each = [roc_auc_score(fold["on"], fold[column]) for _, fold in part.groupby("fold")]
            cells.append(f"{np.mean(each):.3f} ({min(each):.2f} to {max(each):.2f})")
            kept = part[part[column] >= LEAST[column]] if column in LEAST else part[:0]
            cells.append(f"{len(kept)}, {kept['on'].mean():.0%}" if len(kept) else "")
        rows.append(cells)
    return rows


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--per-dive", type=int, default=8)
    parser.add_argument("--keep", type=Path, help="folder for features and heads, to run again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = args.keep or Path(folder)
        keep.mkdir(parents=True, exist_ok=True)
        data = read(args.frames, args.annotations, keep)
        lines = []
        for fold, (train, test) in enumerate(folds(data.table, "elements", FOLDS)):
            model = fitted(data, train, keep / f"fold{fold}.safetensors")
            for row in spread_over(data.table, test, args.per_dive):
                lines += [{"fold": fold, **line} for line in regions_of(model, data, row)]
    found = pd.DataFrame(lines)
    counts = found.groupby("element")["on"].agg(["size", "mean"])
    shares = ", ".join(f"{n}: {c['size']:.0f}, {c['mean']:.0%}" for n, c in counts.iterrows())
    record("Which regions are things", HEADER, lines_of(found), NOTE.format(shares=shares))


HEADER = ("score", "AUC, waste", "kept by default", "AUC, fauna", "kept by default")
NOTE = (
    "TrashCan, three folds by dive (mean, lowest to highest), class predicted. AUC: that a region "
    "on an object of its class scores above one that is not. Kept by default: how many regions, "
    "and the share of them on an object. All regions, and of them on an object: {shares}."
)


if __name__ == "__main__":
    main()
