"""A small survey on disk: drawn frames, two classes, clusters, map."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from PIL import Image
from pycocotools import mask as coco

from classify.runs import file_hash, start_run
from discover.survey import Survey, concat_rows, crop_id, frame_id, open_survey
from discover.tables import SCHEMAS, vectors_to_column

EMBED_RUN = "lite0-0a1b2c3d"
RUNS = {"waste": "waste-11112222", "fauna": "fauna-33334444"}
WIDTH, HEIGHT = 320, 180
KINDS = {  # class -> kind -> (colour, is it round); the kind's place is its cluster
    "waste": {
        "can": ((210, 60, 50), False),
        "bag": ((235, 235, 230), True),
        "rope": ((40, 170, 90), False),
    },
    "fauna": {"starfish": ((240, 150, 40), True), "crab": ((170, 70, 160), True)},
}


def build(root: Path, *, clusters: bool = True, crops: bool = True) -> Survey:
    """Build a survey of 60 frames in 4 dives with 150 crops."""
    shutil.copytree(_built(clusters, crops), root, dirs_exist_ok=True)
    return open_survey(root)


@cache
def _built(clusters: bool, crops: bool) -> Path:
    """Return where such a survey lies, built once for all tests of a process."""
    folder = tempfile.mkdtemp(prefix="survey-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _build(Path(folder), clusters=clusters, crops=crops)
    return Path(folder)


def _build(root: Path, *, clusters: bool, crops: bool) -> None:
    survey = open_survey(root, create=True)
    rng = np.random.default_rng(7)
    frames: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for number in range(60):
        dive, index = f"dive-{number // 15 + 1}", number % 15
        frame, regions = _frame(root, dive, index, number, rng)
        frames.append(frame)
        found.extend(regions)
    survey.frames.write("all", _rows(frames, "frames"))
    if crops:
        _write_crops(survey, found)
    if crops and clusters:
        for class_name in KINDS:
            _write_clusters(survey, class_name, found, rng)


def _frame(
    root: Path, dive: str, index: int, number: int, rng: np.random.Generator
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    sand = rng.normal(0, 6, (HEIGHT, WIDTH, 1)) + np.array([90, 110, 105])
    pixels = np.clip(sand, 0, 255).astype(np.uint8)
    boxes = []
    for part in range(3 if number % 2 else 2):
        class_name = "waste" if (number + part) % 5 < 3 else "fauna"
        kind = list(KINDS[class_name])[int(rng.integers(len(KINDS[class_name])))]
        boxes.append((class_name, kind, *_draw(pixels, class_name, kind, part, rng)))
    path = root / "images" / dive / f"{index:04d}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=90)
    sha = file_hash(path)
    this = frame_id(sha, dive, index)
    frame = {
        "frame_id": this, "path": str(path.relative_to(root)), "sha256": sha, "dive": dive,
        "index": index, "width": WIDTH, "height": HEIGHT, "depth_m": 400.0 + number,
        "sharpness": 1.0, "brightness": 100.0, "flags": [],
    }  # fmt: skip
    return frame, [_crop(this, *box, rng) for box in boxes]


def _draw(
    pixels: np.ndarray, class_name: str, kind: str, part: int, rng: np.random.Generator
) -> tuple[tuple[int, int, int, int], np.ndarray]:
    colour, is_round = KINDS[class_name][kind]
    w, h = int(rng.integers(24, 60)), int(rng.integers(20, 44))
    x, y = 8 + part * 104 + int(rng.integers(30)), int(rng.integers(5, HEIGHT - h - 5))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if is_round:
        cv2.ellipse(mask, (x + w // 2, y + h // 2), (w // 2, h // 2), 0, 0, 360, 1, -1)
    else:
        cv2.rectangle(mask, (x, y), (x + w - 1, y + h - 1), 1, -1)
    pixels[mask > 0] = colour
    return (x, y, w, h), mask


def _crop(
    frame: str, class_name: str, kind: str, box: tuple[int, int, int, int], mask: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    x, y, w, h = box
    heat = cv2.resize(mask * 255, (20, 11), interpolation=cv2.INTER_AREA)
    return {
        "crop_id": crop_id(frame, class_name, box), "frame_id": frame, "class": class_name,
        "score": float(rng.uniform(0.5, 1)), "x": x, "y": y, "w": w, "h": h, "kind": kind,
        "mask": coco.encode(np.asfortranarray(mask))["counts"].decode(),
        "heat": heat.tobytes(), "heat_rows": 11, "heat_cols": 20,
    }  # fmt: skip


def _rows(rows: list[dict[str, Any]], name: str) -> pa.Table:
    return concat_rows({c: [r.get(c) for r in rows] for c in SCHEMAS[name].names}, name)


def _write_crops(survey: Survey, found: list[dict[str, Any]]) -> None:
    found[0] |= {"heat": None, "heat_rows": None, "heat_cols": None}
    found[1]["mask"] = None
    for stage in ("crops", "embeddings"):
        run = start_run(survey.run_folder(stage, EMBED_RUN), command="discover embed", config={})
        run.complete(counts={"crops": len(found)})
    _write_vectors(survey, found)
    half = len(found) // 2
    table = survey.table("crops", EMBED_RUN)
    table.write("a", _rows(found[:half], "crops"))
    table.write("b", _rows(found[half:], "crops"))


def _write_vectors(survey: Survey, found: list[dict[str, Any]]) -> None:
    """Write vectors that are near one another within a kind."""
    rng = np.random.default_rng(3)
    kinds = [kind for of_class in KINDS.values() for kind in of_class]
    vectors = np.eye(len(kinds), 8)[[kinds.index(row["kind"]) for row in found]]
    column, about = vectors_to_column(vectors + rng.normal(0, 0.05, vectors.shape))
    schema = SCHEMAS["embeddings"].with_metadata(about)
    ids = [row["crop_id"] for row in found]
    rows = pa.table({"crop_id": ids, "vector": column}, schema=schema)
    survey.table("embeddings", EMBED_RUN).write("all", rows)


def _tree(numbers: list[int], kinds: int) -> dict[str, list[Any]]:
    """Return a condensed tree in which cluster 0 falls into two parts."""
    n = len(numbers)
    parts = (n + kinds + 1, n + kinds + 2)
    edges = [(n, n + 1 + c, 0.1, c) for c in range(kinds)]
    edges += [(n + 1, part, 0.5, None) for part in parts]
    own = [i for i, number in enumerate(numbers) if number == 0]
    leaf = {i: parts[k % 3 == 0] for k, i in enumerate(own)}
    edges += [(leaf.get(i, n if c < 0 else n + 1 + c), i, 1.0, None) for i, c in enumerate(numbers)]
    columns = [list(column) for column in zip(*edges, strict=True)]
    return {
        "parent": columns[0], "child": columns[1], "lambda": columns[2],
        "size": [1] * len(edges), "cluster": columns[3],
    }  # fmt: skip


def _write_clusters(
    survey: Survey, class_name: str, found: list[dict[str, Any]], rng: np.random.Generator
) -> None:
    kinds = list(KINDS[class_name])
    mine = [row for row in found if row["class"] == class_name]
    clusters, places = [], []
    for row in mine:
        number = -1 if rng.random() < 0.1 else kinds.index(row["kind"])
        centre = (10.0 * number, 5.0 * (number % 2)) if number >= 0 else (5.0, 12.0)
        x, y = rng.normal(centre, 1.0)
        places.append({"crop_id": row["crop_id"], "x": x, "y": y})
        clusters.append(
            {
                "crop_id": row["crop_id"],
                "cluster": number,
                "probability": 0.0 if number < 0 else float(rng.uniform(0.4, 1)),
                "exemplar": number >= 0 and bool(rng.random() < 0.2),
                "novelty": 0.99 if number < 0 else float(rng.uniform(0, 0.9)),
            }
        )
    name = RUNS[class_name]
    run = start_run(
        survey.run_folder("clusters", name),
        command="discover cluster",
        config={"class_name": class_name},
        parents={"embeddings": EMBED_RUN},
    )
    survey.table("clusters", name).write("all", _rows(clusters, "clusters"))
    survey.table("maps", name).write("all", _rows(places, "maps"))
    numbers = [row["cluster"] for row in clusters]
    survey.table("trees", name).write("all", concat_rows(_tree(numbers, len(kinds)), "trees"))
    run.complete(
        counts={
            "crops": len(mine),
            "clusters": len(kinds),
            "noise": numbers.count(-1),
            "ami_dive": 0.2,
        },
        clusters=[
            {"cluster": n, "size": numbers.count(n), "persistence": 0.3} for n in range(len(kinds))
        ],
    )
