"""AMI of clusters with types nobody showed them: `discover cluster` beside its rivals.

python benchmarks/cluster_kinds.py ../shared/data --work FOLDER    # embeds once, then reuses

Sets: objects of TrashCan cut out by their true masks, one frame a scene and every frame; and
fish4knowledge, whose folders are species and whose crops are one a track.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from clusterings import OURS, clusterings, ours, score
from record import record

from classify.runs import Run
from discover.bursts import find_bursts
from discover.cutting.regions import BoxRegions, WholeFrame
from discover.embed import embed
from discover.frames import add_frames
from discover.kinds.inherit import standing
from discover.kinds.members import read_vectors
from discover.kinds.sweep import agreement
from discover.survey import Survey, open_survey

CLASSES = ("waste", "fauna")
UNTYPED = "unnamed"
COVERAGES = (1.0, 0.9, 0.8)
SEEDS = 4
HEADER = ("set", "way", "clusters", "coverage", "AMI type", "AMI dive")


@dataclass(frozen=True)
class Kinds:
    """A set to cluster: vectors [n, d], types [n] (None = unknown), dives [n] or None."""

    name: str
    vectors: npt.NDArray[np.float32]
    types: npt.NDArray[np.object_]
    dives: npt.NDArray[np.object_] | None


def trashcan(data: Path, work: Path) -> Iterator[Kinds]:
    """Yield waste and fauna, one frame a scene, and the waste of every frame."""
    survey = open_survey(work / "trashcan", create=True)
    work.mkdir(parents=True, exist_ok=True)
    dives = work / "dives.csv"
    frames = pd.read_csv(data / "frames.csv", dtype=str).rename(columns={"video": "dive"})
    frames[["image", "dive"]].to_csv(dives, index=False)
    if not survey.frames.units():
        add_frames(survey, [data / "images"], dive_from=str(dives))
    run = embed(survey, BoxRegions(_typed_boxes(data, work)))
    bursts = survey.table("bursts", find_bursts(survey).name)
    of_frame = bursts.read(["frame_id", "burst_id", "keyframe"]).to_pandas()
    for name in CLASSES:
        crops = _crops(survey, run, name).merge(of_frame, on="frame_id", how="left")
        yield _kinds(survey, run, f"TrashCan {name}, one frame a scene", crops[standing(crops)])
        if name == "waste":
            yield _kinds(survey, run, "TrashCan waste, every frame", crops)


def fish(data: Path, work: Path) -> Kinds:
    """Return fish4knowledge; the dives of its survey are its folders, which are the species."""
    survey = open_survey(work / "fish", create=True)
    if not survey.frames.units():
        add_frames(survey, [data], dive_from="folder")
    run = embed(survey, WholeFrame())
    crops = _crops(survey, run, "")
    vectors = read_vectors(survey, run, crops["crop_id"].to_numpy(object))
    return Kinds("fish4knowledge", vectors, crops["dive"].to_numpy(object), None)


def _typed_boxes(data: Path, work: Path) -> Path:
    """Write the annotations of waste and fauna with the type in the class: "waste:bag"."""
    coco: dict[str, Any] = json.loads((data / "annotations.json").read_text())
    wanted = {c["id"] for c in coco["categories"] if c["supercategory"] in CLASSES}
    for category in coco["categories"]:
        category["supercategory"] += f":{category['name']}"
    coco["annotations"] = [a for a in coco["annotations"] if a["category_id"] in wanted]
    file = work / "boxes.json"
    file.write_text(json.dumps(coco))
    return file


def _crops(survey: Survey, run: Run, prefix: str) -> pd.DataFrame:
    return survey.sql(
        'select crop_id, frame_id, dive, score, "class" from crops join frames using (frame_id) '
        'where starts_with("class", ?) order by crop_id',
        [prefix],
        crops=survey.crops_of(run),
    )


def _kinds(survey: Survey, run: Run, name: str, crops: pd.DataFrame) -> Kinds:
    types = crops["class"].str.partition(":")[2].to_numpy(object)
    return Kinds(
        name,
        read_vectors(survey, run, crops["crop_id"].to_numpy(object)),
        np.where(types == UNTYPED, None, types),
        crops["dive"].to_numpy(object),
    )


def rows_of(kinds: Kinds) -> list[list[str]]:
    """Return the scores of each way, a row each; ours is the mean of several seeds."""
    rows = []
    seeds = [ours(kinds.vectors, seed=seed) for seed in range(SEEDS)]
    for name, labels in {OURS: seeds, **clusterings(kinds.vectors)}.items():
        several = seeds if name == OURS else [labels]
        scored = pd.DataFrame(
            [
                score(kinds.vectors, one, kinds.types, kinds.dives, coverages=COVERAGES)
                for one in several
            ]
        ).mean()
        cells = [f"{scored['clusters']:.0f}"] + [f"{v:.2f}" for v in scored.iloc[1:4]]
        rows.append([kinds.name, name, *cells, *(f"{v:.3f}" for v in scored.iloc[4:])])
    pairs = [agreement(a, b) for a, b in combinations(seeds, 2)]
    print(f"{kinds.name}: two seeds agree {np.mean(pairs):.2f} ({min(pairs):.2f} at least)")
    rows[0][1] += f" (two seeds: {np.mean(pairs):.2f}, {min(pairs):.2f} at least)"
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="keeps the surveys")
    options = parser.parse_args()
    sets = [*trashcan(options.data / "trashcan", options.work)]
    sets.append(fish(options.data / "fish4knowledge", options.work))
    record(
        "Clusters against types nobody showed them",
        [*HEADER, *(f"AMI at {coverage:.0%}" for coverage in COVERAGES)],
        [row for kinds in sets for row in rows_of(kinds)],
        "EfficientNet-Lite0, true masks. 'AMI at 90 %': of the typed crops that the way is most "
        f"certain of, by one rule for all; noise comes last. Ours: mean of {SEEDS} seeds, with the "
        "AMI between two of them.",
    )


if __name__ == "__main__":
    main()
