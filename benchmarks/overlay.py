"""The mask of vehicle and telemetry: crops off any object on the demo, and pixels on real frames.

    discover demo --no-serve
    python benchmarks/overlay.py demo-survey --coco annotations.json --images IMAGES --dives CSV

The COCO file marks parts of the vehicle by the supercategory "rov"; the CSV has the columns image,
video, frame. Embed with --no-hide-overlay: the crops are judged before and after.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from pycocotools import mask as coco
from record import record

from classify.images import read_image, resize
from classify.vehicle import FEWEST, lit_rows, static_mask
from discover.crops import cut_from_rle
from discover.cutting.overlay import Overlays, uncovered
from discover.demo.score import match_crops
from discover.survey import open_survey

ROWS = 192


def on_demo(folder: Path) -> None:
    survey = open_survey(folder)
    truth = pd.read_parquet(folder / "footage" / "truth.parquet")
    run = survey.runs("embeddings")[-1]
    crops = survey.sql(
        "select crop_id, score, dive, mask, width, height from crops join frames using (frame_id)",
        crops=survey.crops_of(run),
    )
    found = match_crops(survey, run, truth, folder / "footage")
    crops = crops.merge(found[["crop_id", "class", "kind", "sighting"]], on="crop_id")
    overlays = Overlays(survey)
    crops["kept"] = [
        (overlay := overlays.of(row["dive"])) is None
        or uncovered(cut_from_rle(row["mask"], *size), overlay, size) is not None
        for row in crops.to_dict("records")
        for size in [(row["width"], row["height"])]
    ]
    rows = []
    for name in ("waste", "fauna"):
        for least in (0.0, 0.5):
            before = crops[(crops["class"] == name) & (crops["score"] >= least)]
            row = [f"{name}, score {least} and more"]
            for part in (before, before[before["kept"]]):
                off = part["kind"].isna().mean()
                row += [len(part), f"{off:.1%}", part["sighting"].nunique()]
            rows.append(row)
    record(
        "Regions on the vehicle or telemetry, left out",
        ["crops of the demo", "before", "off any object", "sightings with a crop",
         "after", "off any object", "sightings with a crop"],
        rows,
        "Objects are the renderer's own; none is ever on the vehicle.",
    )  # fmt: skip


def on_real(annotations: Path, images: Path, dives: Path) -> None:
    data = json.loads(annotations.read_text())
    what = {c["id"]: c["supercategory"] for c in data["categories"]}
    files = {i["id"]: i["file_name"] for i in data["images"]}
    shapes = defaultdict(list)
    for shape in data["annotations"]:
        shapes[files[shape["image_id"]]].append((what[shape["category_id"]], shape["segmentation"]))
    table = pd.read_csv(dives, dtype={"video": str})
    sums: dict[str, float] = defaultdict(float)
    for _, frames in table.groupby("video"):
        if len(frames) < FEWEST:
            continue
        names = frames.sort_values("frame")["image"]
        pictures = [read_image(images / name).pixels for name in names]
        columns = round(ROWS * pictures[0].shape[1] / pictures[0].shape[0])
        small = np.stack([resize(p, columns, ROWS) for p in pictures])
        mask = static_mask(small)
        bars = np.ones(mask.shape, bool)
        bars[lit_rows(np.median(small.mean(axis=3), axis=0))] = False
        sums["dives"] += 1
        sums["with"] += bool(mask.any())
        sums["masked"] += (mask & ~bars).mean() * len(names)
        sums["frames"] += len(names)
        for name in names:
            for kind, shape in shapes[name]:
                area = coco.decode({**shape, "counts": shape["counts"].encode()}).astype(np.uint8)
                shown = resize(np.repeat(area[..., None] * 255, 3, 2), columns, ROWS)[..., 0] > 127
                if kind == "rov":
                    sums["rov"] += shown.sum()
                    sums["rov masked"] += (shown & mask).sum()
                elif kind in ("waste", "fauna", "algae") and shown.any():
                    sums["objects"] += 1
                    sums["hidden"] += (shown & mask).sum() > shown.sum() / 2
    record(
        "The mask of vehicle and telemetry on real dives",
        ["dives", "with a mask", "of the picture", "vehicle pixels found", "objects mostly hidden"],
        [[int(sums["dives"]), int(sums["with"]), f"{sums['masked'] / sums['frames']:.1%}",
          f"{sums['rov masked'] / sums['rov']:.1%}", f"{sums['hidden'] / sums['objects']:.1%}"]],
        f"Dives of {FEWEST} frames and more, most of them short, some of a vehicle at rest. Arms "
        "that move are vehicle too, and cannot be found so. Telemetry is not annotated, so that "
        "precision is not known; by eye its boxes are all but complete.",
    )  # fmt: skip


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("survey", type=Path)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--dives", type=Path)
    args = parser.parse_args()
    on_demo(args.survey)
    if args.coco is not None:
        on_real(args.coco, args.images, args.dives)


if __name__ == "__main__":
    main()
