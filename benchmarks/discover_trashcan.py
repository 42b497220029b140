"""Do crops of one kind lie together, across videos? Objects of TrashCan and of Fish4Knowledge.

`oracle` cuts objects out by their true masks: it measures crop, embedding and clustering alone.
`full` finds them by a classifier that was trained on other videos, fold by fold. `fish` is a
second set, one crop a track. Nearest neighbours are sought among the other videos only: 97 % of the
nearest of all are the same thing a second later.

    python benchmarks/discover_trashcan.py [oracle full fish] [--work FOLDER] [--seeds 2]

Embeddings are kept in the surveys below `--work`, so that a second run takes minutes.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from clusterings import clusterings, score
from pycocotools import mask as coco
from record import record
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.preprocessing import normalize

from classify.model import Classifier, ModelConfig
from classify.runs import Run
from classify.settings import TrainConfig
from classify.train import train
from discover.adapt import AdaptConfig, adapt
from discover.bursts import find_bursts
from discover.cutting.crop_rows import by_frame, cut_of_row
from discover.cutting.embedders import PooledEmbedder
from discover.cutting.frame_image import FrameImage
from discover.cutting.regions import BoxRegions, ClassifierRegions, WholeFrame
from discover.cutting.stored_regions import StoredRegions
from discover.embed import EmbedConfig, embed
from discover.frames import add_frames
from discover.kinds.kind_scores import kinds_of_truth
from discover.survey import Survey, crop_id, open_survey
from discover.tables import column_to_vectors

DATA = Path(__file__).parents[2] / "shared" / "data"
TRASHCAN = DATA / "trashcan"
ELEMENTS = ("waste", "fauna")
FOLDS = 3

Vectors = npt.NDArray[np.float32]

BEST = EmbedConfig(background="blur")
WAYS = {
    "whole frame": EmbedConfig(way="frame"),
    "box": EmbedConfig(way="box"),
    "object, mean fill": EmbedConfig(background="mean"),
    "object, surround": EmbedConfig(),
    "object, blur": BEST,
    "object, blur, no flip": replace(BEST, flip=False),
    "object, blur, lite1": replace(BEST, backbone="tf_efficientnet_lite1"),
    "object, blur, lite2": replace(BEST, backbone="tf_efficientnet_lite2"),
}


@dataclass(frozen=True)
class Objects:
    """Objects with a type, and their vectors in one order.

    Attributes:
        table: columns `crop_id, element, type, video, burst`.
        vectors: float32 [n, d].
    """

    table: pd.DataFrame
    vectors: Vectors


def oracle_survey(work: Path) -> tuple[Survey, Path, pd.DataFrame]:
    """Return a survey of all frames, a COCO file of the objects with a type, and those types."""
    truth = json.loads((TRASHCAN / "annotations.json").read_text())
    category = {c["id"]: c for c in truth["categories"]}
    video = pd.read_csv(TRASHCAN / "frames.csv", dtype={"video": str}).set_index("image")["video"]
    kept = [
        a
        for a in truth["annotations"]
        if category[a["category_id"]]["supercategory"] in ELEMENTS
        and category[a["category_id"]]["name"] != "unnamed"
    ]
    boxes = work / "objects.json"
    boxes.write_text(json.dumps({**truth, "annotations": kept}))
    dives = work / "dives.csv"
    video.rename("dive").reset_index().to_csv(dives, index=False)
    survey = open_survey(work / "oracle", create=True)
    add_frames(survey, [TRASHCAN / "images"], dive_from=str(dives))
    return survey, boxes, _types(survey, boxes)


def _types(survey: Survey, boxes: Path) -> pd.DataFrame:
    """Return the type of each crop that the file's objects will give, by its box."""
    truth = json.loads(boxes.read_text())
    names = {c["id"]: (c["supercategory"], c["name"]) for c in truth["categories"]}
    frames = survey.frames.read(["frame_id", "path", "dive"]).to_pylist()
    frame = {Path(row["path"]).name: row for row in frames}
    images = {i["id"]: Path(i["file_name"]).name for i in truth["images"]}
    rows = []
    for annotation in truth["annotations"]:
        element, kind = names[annotation["category_id"]]
        row = frame[images[annotation["image_id"]]]
        x, y, w, h = map(int, coco.toBbox(annotation["segmentation"]))
        name = crop_id(row["frame_id"], element, (x, y, w, h))
        rows.append((name, row["frame_id"], element, kind, row["dive"]))
    table = pd.DataFrame(rows, columns=["crop_id", "frame_id", "element", "type", "video"])
    return table.drop_duplicates("crop_id").sort_values("crop_id", ignore_index=True)


def vectors_of(survey: Survey, run: Run, types: pd.DataFrame) -> Objects:
    rows = survey.table("embeddings", run.name).read()
    place = {name: at for at, name in enumerate(rows["crop_id"].to_pylist())}
    table = types[types["crop_id"].isin(place)].reset_index(drop=True)
    return Objects(table, column_to_vectors(rows)[[place[name] for name in table["crop_id"]]])


def pooled(survey: Survey, crops: Run, types: pd.DataFrame) -> Objects:
    """The map of the whole frame, averaged over each object."""
    embedder = PooledEmbedder(Classifier(ModelConfig({"elements": ELEMENTS})).eval())
    rows = by_frame(survey.table("crops", crops.name).read().to_pylist())
    paths = dict(zip(*survey.frames.read(["frame_id", "path"]).to_pydict().values(), strict=True))
    found: dict[str, npt.NDArray[np.float32]] = {}
    for frame, of_frame in rows.items():
        image = FrameImage(survey.frame_path(paths[frame]))
        decoded = image.at(512)
        cuts = [cut_of_row(row, decoded.width, decoded.height) for row in of_frame]
        vectors = embedder(image, cuts)
        found |= {row["crop_id"]: vector for row, vector in zip(of_frame, vectors, strict=True)}
    table = types[types["crop_id"].isin(found)].reset_index(drop=True)
    return Objects(table, np.stack([found[name] for name in table["crop_id"]]))


def neighbour_scores(objects: Objects, elements: Sequence[str]) -> tuple[float, float, list[float]]:
    """Share of objects whose nearest in another video has their type: accuracy, balanced, folds.

    Types that a single video shows are left out of the queries: nothing could be right for them.
    """
    mine = objects.table["element"].isin(elements).to_numpy()
    table = objects.table[mine]
    kind, video = table["type"].to_numpy(), table["video"].to_numpy()
    vectors = objects.vectors[mine].astype(np.float64)
    unit = normalize(vectors - vectors.mean(axis=0))
    likeness = unit @ unit.T
    likeness[video[:, None] == video[None]] = -2
    right = kind[likeness.argmax(axis=1)] == kind
    fair = table.groupby("type")["video"].transform("nunique").to_numpy() > 1
    balanced = pd.Series(right[fair]).groupby(kind[fair]).mean().mean()
    numbers = np.zeros(len(table), int)
    for fold, (_, rows) in enumerate(GroupKFold(FOLDS).split(unit, groups=video)):
        numbers[rows] = fold
    folds = [float(right[fair & (numbers == fold)].mean()) for fold in range(FOLDS)]
    return float(right[fair].mean()), float(balanced), folds


def ceiling(objects: Objects, element: str) -> tuple[float, float]:
    """Accuracy and balanced accuracy of a linear head that was taught the types of other videos."""
    mine = (objects.table["element"] == element).to_numpy()
    table, vectors = objects.table[mine], objects.vectors[mine]
    unit = 10 * normalize(vectors - vectors.mean(axis=0))
    kind, video = table["type"].to_numpy(), table["video"].to_numpy()
    said = np.empty(len(kind), object)
    for known, asked in GroupKFold(8).split(unit, groups=video):
        head = LogisticRegression(C=0.1, class_weight="balanced", max_iter=300)
        said[asked] = head.fit(unit[known], kind[known]).predict(unit[asked])
    right = said == kind
    return float(right.mean()), float(pd.Series(right).groupby(kind).mean().mean())


def row_of(name: str, objects: Objects) -> list[object]:
    cells: list[object] = [name]
    for elements in (("waste",), ("fauna",), ELEMENTS):
        accuracy, balanced, folds = neighbour_scores(objects, elements)
        cells += [f"{accuracy:.3f} ({min(folds):.2f}-{max(folds):.2f})", f"{balanced:.3f}"]
    return cells


def oracle(work: Path, seeds: int) -> None:
    survey, boxes, types = oracle_survey(work)
    rows, kept = [], {}
    for name, config in WAYS.items():
        run = embed(survey, BoxRegions(boxes), config=config)
        kept[name] = vectors_of(survey, run, types)
        rows.append(row_of(name, kept[name]))
    crops = survey.run("crops", run.info["parents"]["crops"])
    rows.append(row_of("map of the frame, pooled", pooled(survey, crops, types)))
    bursts = find_bursts(survey)
    first = embed(survey, BoxRegions(boxes), config=BEST)
    for seed in range(seeds):
        folder = work / f"adapted-{seed}"
        if not (folder / "backbone.safetensors").exists():
            adapt(
                survey,
                folder,
                config=AdaptConfig(background=BEST.background, seed=seed),
                embeddings=first.name,
            )
        config = replace(BEST, backbone=str(folder))
        run = embed(survey, StoredRegions(survey, crops.name), config=config)
        kept[f"adapted, seed {seed}"] = vectors_of(survey, run, types)
        rows.append(
            row_of(f"object, blur, discover adapt, seed {seed}", kept[f"adapted, seed {seed}"])
        )
    taught = [ceiling(kept["object, blur"], element) for element in ELEMENTS]
    rows.append(
        ["(a head taught the types, other videos)"]
        + [f"{value:.3f}" for pair in taught for value in pair]
        + ["", ""]
    )
    types_of = types.groupby("element")["type"].nunique()
    record(
        "True masks: the nearest in another video has the same type",
        HEADER,
        rows,
        f"{(types['element'] == 'waste').sum()} waste objects of {types_of['waste']} types, "
        f"{(types['element'] == 'fauna').sum()} fauna of {types_of['fauna']}. EfficientNet-Lite0 "
        "unless said. Range: the videos asked from, in three folds.",
    )
    _clusters("TrashCan waste, true masks, one crop a scene", kept, survey, bursts, seeds)


def _clusters(
    title: str, kept: dict[str, Objects], survey: Survey, bursts: Run, seeds: int
) -> None:
    """Print how clusters of one crop a scene agree with types, beside rival clusterings."""
    of_frame = survey.table("bursts", bursts.name).read(["frame_id", "burst_id"]).to_pandas()
    rows = []
    for name in ("object, blur", "adapted, seed 0"):
        objects = kept[name]
        table = objects.table.merge(of_frame, on="frame_id", how="left")
        waste = table[table["element"] == "waste"]
        scenes = waste.drop_duplicates(["burst_id", "type"]).index.to_numpy()
        vectors, part = objects.vectors[scenes], table.loc[scenes]
        rows += cluster_rows(name, vectors, part["type"], part["video"], seeds)
    record(title, CLUSTER_HEADER, rows, CLUSTER_NOTE)


HEADER = ["what is embedded", "waste", "waste, balanced", "fauna", "fauna, balanced", "both",
          "both, balanced"]  # fmt: skip
CLUSTER_HEADER = ["vectors", "clustering", "clusters", "coverage", "AMI type", "AMI video",
                  "at 100 %", "at 90 %", "at 80 %"]  # fmt: skip
CLUSTER_NOTE = (
    "Mean over the seeds (range). AMI of what is clustered; then of the most certain share, noise "
    "put to its nearest cluster, by one rule for all."
)


def cluster_rows(
    name: str, vectors: Vectors, types: pd.Series, videos: pd.Series | None, seeds: int
) -> list[list[object]]:
    kinds = types.to_numpy(object)
    dives = None if videos is None else videos.to_numpy(object)
    tried: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        for method, labels in clusterings(vectors, seed=seed).items():
            tried.setdefault(method, []).append(score(vectors, labels, kinds, dives))
    columns = ["clusters", "coverage", "type", "dive", "at 1.0", "at 0.9", "at 0.8"]
    rows: list[list[object]] = []
    for method, scores in tried.items():
        cells: list[object] = [name, method]
        for column in columns:
            values = [s[column] for s in scores]
            digits = ".0f" if column == "clusters" else ".2f"
            spread = f" ({min(values):{digits}}-{max(values):{digits}})"
            cells.append(f"{np.mean(values):{digits}}" + (spread if np.ptp(values) else ""))
        rows.append(cells)
    return rows


def full(work: Path, seeds: int) -> None:
    """Find the objects too: by a classifier of the other folds' videos and its own maps."""
    _, boxes, _ = oracle_survey(work)
    frames = pd.read_csv(TRASHCAN / "frames.csv", dtype={"video": str})
    frames["path"] = [str(TRASHCAN / "images" / name) for name in frames["image"]]
    labelled = frames.dropna(subset=["element"])
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    found, counts = [], []
    for fold, (known, _) in enumerate(
        parts.split(labelled, labelled["element"], labelled["video"])
    ):
        others = labelled.iloc[known]
        model = _trained(work / f"fold{fold}", others)
        asked = frames[~frames["video"].isin(others["video"])]
        objects, cut = _found_in(work / f"fold{fold}", model, asked, boxes)
        counts.append((cut, len(objects.table)))
        found.append(objects)
    everything = Objects(
        pd.concat([o.table for o in found], ignore_index=True),
        np.concatenate([o.vectors for o in found]),
    )
    on_object = [f"{matched / cut:.2f}" for cut, matched in counts]
    record(
        "Own maps: the nearest in another video has the same type",
        HEADER,
        [row_of("object by the classifier's own map", everything)],
        f"Classifiers of the other folds' videos. {len(everything.table)} of "
        f"{sum(cut for cut, _ in counts)} crops lie on an object with a type (IoU >= 0.1), "
        f"by fold {', '.join(on_object)}. Range: the videos asked from, in three folds.",
    )
    rows = []
    for element in ELEMENTS:
        table = everything.table[everything.table["element"] == element]
        vectors = everything.vectors[table.index.to_numpy()]
        rows += cluster_rows(element, vectors, table["type"], table["video"], seeds)
    record("TrashCan, own maps, every crop on an object", CLUSTER_HEADER, rows, CLUSTER_NOTE)


def _trained(folder: Path, labelled: pd.DataFrame) -> Path:
    """Train a classifier as `classify train elements` does."""
    run = folder / "elements"
    if not (run / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        labels = folder / "labels.csv"
        columns = {"path": "image", "element": "label", "video": "dive"}
        labelled[list(columns)].rename(columns=columns).to_csv(labels, index=False)
        train(labels, run, config=TrainConfig(final=True))
    return run


def _found_in(folder: Path, model: Path, frames: pd.DataFrame, boxes: Path) -> tuple[Objects, int]:
    """Return the crops of frames that lie on an object with a type, and how many there are."""
    survey = open_survey(folder / "survey", create=True)
    dives = folder / "dives.csv"
    frames[["image", "video"]].rename(columns={"video": "dive"}).to_csv(dives, index=False)
    add_frames(survey, [Path(path) for path in frames["path"]], dive_from=str(dives))
    run = embed(survey, ClassifierRegions(model), config=BEST)
    crops = survey.sql(
        'select crop_id, frame_id, "class" as element, dive as video, path, width, height, x, y, '
        "w, h, mask from crops join frames using (frame_id) where \"class\" in ('waste', 'fauna')",
        crops=survey.crops_of(run),
    )
    kinds = kinds_of_truth(crops, boxes).rename("type")
    table = crops.merge(kinds, left_on="crop_id", right_index=True)
    return vectors_of(survey, run, table.sort_values("crop_id", ignore_index=True)), len(crops)


def fish(work: Path, seeds: int) -> None:
    survey = open_survey(work / "fish", create=True)
    add_frames(survey, [DATA / "fish4knowledge"])
    run = embed(survey, WholeFrame())
    stored = survey.table("embeddings", run.name).read()
    crops = survey.crops_of(run).read(["crop_id", "frame_id"]).to_pandas()
    frames = survey.frames.read(["frame_id", "path"]).to_pandas()
    species = crops.merge(frames, on="frame_id").set_index("crop_id")["path"]
    kinds = pd.Series([Path(species[name]).parent.name for name in stored["crop_id"].to_pylist()])
    rows = cluster_rows("whole crop", column_to_vectors(stored), kinds, None, seeds)
    record("Fish4Knowledge, one crop a track", CLUSTER_HEADER, rows, CLUSTER_NOTE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts: dict[str, Callable[[Path, int], None]] = {
        "oracle": oracle,
        "full": full,
        "fish": fish,
    }
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--work", type=Path, help="keeps surveys and embeddings")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for part in options.parts or parts:
            parts[part](work, options.seeds)


if __name__ == "__main__":
    main()
