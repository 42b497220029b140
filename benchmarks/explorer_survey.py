"""A survey of any number of crops, by chance, with all that the explorer page reads of one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from PIL import Image

from classify.runs import start_run
from discover.labels import Labels
from discover.survey import Survey, open_survey
from discover.tables import SCHEMAS, Table, vectors_to_column

RUN, CROPS_RUN = "waste-benchmark", "benchmark"
CLUSTERS = {10_000: 60, 100_000: 300, 1_000_000: 1500}
PICTURES, WIDTH, HEIGHT = 2000, 320, 180
DIVES, NOISE, EXEMPLARS, LABELLED, SHARD, DIM = 12, 0.1, 0.005, 0.2, 20_000, 32

Numbers = npt.NDArray[np.int64]


def write_survey(folder: Path, crops: int) -> Survey:
    """Write a survey: two crops a frame, two frames a burst of which the second takes after.

    A fifth of the crops is labelled, the smallest clusters first, one event a cluster.
    """
    rng = np.random.default_rng(0)
    survey = open_survey(folder, create=True)
    _draw_pictures(folder, rng)
    cluster = _clusters(crops, rng)
    ids = np.array([f"{i:016x}" for i in rng.permutation(crops)], object)
    _write_frames(survey, crops // 2, rng)
    _write_crops(survey, ids, rng)
    _write_vectors(survey, ids, cluster, rng)
    _write_clusters(survey, ids, cluster, rng)
    _write_suggestions(survey, ids, cluster, rng)
    _label(survey, ids, cluster)
    return survey


def _draw_pictures(folder: Path, rng: np.random.Generator) -> None:
    """Draw sand with two discs, where the two crops of each frame lie."""
    (folder / "images").mkdir()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for number in range(PICTURES):
        pixels = rng.normal(100, 8, (HEIGHT, WIDTH, 3))
        for centre in (80, 240):
            pixels[(x - centre) ** 2 + (y - 90) ** 2 < 30**2] = rng.integers(40, 255, 3)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / "images" / f"{number}.jpg", quality=85)


def _clusters(crops: int, rng: np.random.Generator) -> Numbers:
    """Return the cluster of each crop; 0 is the largest, and followers are as their keyframe's."""
    count = CLUSTERS.get(crops, max(2, int(1.5 * crops**0.5)))
    shares = 1 / np.arange(3, count + 3) ** 0.8
    cluster = rng.choice(count, crops, p=shares / shares.sum())
    cluster[rng.random(crops) < NOISE] = -1
    return cluster[_source(crops)]


def _source(crops: int) -> Numbers:
    """Return the crop of the keyframe that each takes after: of four in a burst, 2 and 3 do."""
    number = np.arange(crops)
    return np.where(number % 4 < 2, number, number - 2)


def _write(table: Table, columns: dict[str, Any], *, shard: int = SHARD, about: Any = None) -> None:  # noqa: ANN401
    """Write rows in shards, or, where `shard` is 0, in one."""
    n = len(next(iter(columns.values())))
    full = {name: columns.get(name, pa.nulls(n)) for name in SCHEMAS[table.name].names}
    arrays = [pa.array(full[field.name], field.type) for field in table.schema]
    rows = pa.table(arrays, schema=table.schema.with_metadata(about))
    for number, start in enumerate(range(0, n, shard or n)):
        unit = f"{number:05d}" if shard else "all"
        table.write(unit, rows.slice(start, shard or n))


def _frame_ids(frames: int) -> list[str]:
    return [f"f{i:015x}" for i in range(frames)]


def _write_frames(survey: Survey, frames: int, rng: np.random.Generator) -> None:
    number = np.arange(frames)
    a_dive = -(-frames // DIVES)
    begin = datetime(2024, 5, 1, tzinfo=UTC)
    flags = [["dark"] if dark else [] for dark in rng.random(frames) < 0.03]
    columns = {
        "frame_id": _frame_ids(frames),
        "path": [f"images/{i % PICTURES}.jpg" for i in range(frames)],
        "sha256": _frame_ids(frames),
        "dive": [f"dive-{i // a_dive + 1:02d}" for i in range(frames)],
        "index": number % a_dive,
        "time_utc": [begin + timedelta(seconds=i) for i in range(frames)],
        "width": np.full(frames, WIDTH),
        "height": np.full(frames, HEIGHT),
        "depth_m": 300 + 50 * np.sin(number / 5000) + rng.normal(0, 1, frames),
        "flags": flags,
    }
    _write(survey.frames, columns)
    run = start_run(survey.run_folder("bursts", "b"), command="discover bursts", config={})
    bursts = {
        "frame_id": _frame_ids(frames),
        "burst_id": [f"b{i // 2:015x}" for i in range(frames)],
        "keyframe": number % 2 == 0,
        "order": number % a_dive,
    }
    _write(survey.table("bursts", "b"), bursts)
    run.complete(counts={})


def _write_crops(survey: Survey, ids: npt.NDArray[np.object_], rng: np.random.Generator) -> None:
    n = len(ids)
    size = rng.integers(40, 62, (2, n))
    columns = {
        "crop_id": ids,
        "frame_id": np.repeat(np.array(_frame_ids(n // 2), object), 2),
        "class": ["waste"] * n,
        "score": rng.uniform(0.5, 1, n).astype(np.float32),
        "x": np.where(np.arange(n) % 2, 240, 80) - size[0] // 2,
        "y": 90 - size[1] // 2,
        "w": size[0],
        "h": size[1],
    }
    _write(survey.table("crops", CROPS_RUN), columns)


def _write_vectors(
    survey: Survey, ids: npt.NDArray[np.object_], cluster: Numbers, rng: np.random.Generator
) -> None:
    centres = rng.normal(size=(cluster.max() + 2, DIM)).astype(np.float32)
    vectors = centres[cluster] + rng.normal(0, 0.3, (len(ids), DIM)).astype(np.float32)
    column, about = vectors_to_column(vectors)
    run = start_run(survey.run_folder("embeddings", CROPS_RUN), command="discover embed", config={})
    table = survey.table("embeddings", CROPS_RUN)
    _write(table, {"crop_id": ids, "vector": column}, about=about)
    run.complete(counts={"crops": len(ids)})


def _write_clusters(
    survey: Survey, ids: npt.NDArray[np.object_], cluster: Numbers, rng: np.random.Generator
) -> None:
    n, count = len(ids), int(cluster.max()) + 1
    config, parents = {"class_name": "waste"}, {"embeddings": CROPS_RUN}
    folder = survey.run_folder("clusters", RUN)
    run = start_run(folder, command="discover cluster", config=config, parents=parents)
    source, in_one = _source(n), cluster >= 0
    columns = {
        "crop_id": ids,
        "cluster": cluster,
        "probability": np.where(in_one, rng.uniform(0.4, 1, n), 0).astype(np.float32),
        "exemplar": in_one & (rng.random(n) < EXEMPLARS),
        "inherited_from": pd.Series(ids[source]).mask(source == np.arange(n)),
        "novelty": np.where(in_one, rng.uniform(0, 0.97, n), 0.99).astype(np.float32),
    }
    _write(survey.table("clusters", RUN), columns, shard=0)
    angle, radius = rng.uniform(0, 6.3, count + 1), 40 * rng.random(count + 1) ** 0.5
    centres = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    spread = np.where(in_one, 0.8, 18)[:, None]
    places = np.where(in_one[:, None], centres[cluster], 0) + rng.normal(size=(n, 2)) * spread
    x, y = places.astype(np.float32).T
    _write(survey.table("maps", RUN), {"crop_id": ids, "x": x, "y": y}, shard=0)
    _write(survey.table("trees", RUN), _tree(cluster[source == np.arange(n)], count), shard=0)
    sizes = np.bincount(cluster[in_one], minlength=count).tolist()
    clusters = [{"cluster": i, "size": s, "persistence": 0.3} for i, s in enumerate(sizes)]
    run.complete(counts={"crops": n, "clusters": count, "ami_dive": 0.2}, clusters=clusters)


def _tree(cluster: Numbers, count: int) -> dict[str, Any]:
    """Return a condensed tree in which cluster 0 falls into two parts."""
    n = len(cluster)
    inner = np.arange(count) + n + 1
    parts = np.array([n + count + 1, n + count + 2])
    leaf = np.where(cluster < 0, n, n + 1 + cluster)
    own = np.flatnonzero(cluster == 0)
    leaf[own] = parts[np.arange(len(own)) % 3 // 2]
    parent = np.concatenate([np.full(count, n), [n + 1, n + 1], leaf])
    named = pd.array([*range(count), *[None] * (2 + n)], dtype="Int32")
    return {
        "parent": parent,
        "child": np.concatenate([inner, parts, np.arange(n)]),
        "lambda": np.repeat([0.1, 0.5, 1.0], [count, 2, n]),
        "size": np.ones(len(parent), np.int64),
        "cluster": named,
    }


def _write_suggestions(
    survey: Survey, ids: npt.NDArray[np.object_], cluster: Numbers, rng: np.random.Generator
) -> None:
    """Let a head suggest names for a third of the crops."""
    some = np.flatnonzero((rng.random(len(ids)) < 1 / 3) & (cluster >= 0))
    config = {"class_name": "waste"}
    run = start_run(
        survey.run_folder("suggestions", "head"), command="discover predict", config=config
    )
    columns = {
        "crop_id": ids[some],
        "name": [_kind(int(number)) for number in cluster[some]],
        "confidence": rng.uniform(0.3, 1, len(some)).astype(np.float32),
        "novelty": rng.random(len(some)).astype(np.float32),
        "next": pd.array([*range(100), *[None] * (len(some) - 100)], dtype="Int32"),
    }
    _write(survey.table("suggestions", "head"), columns)
    run.complete(counts={})


def _kind(cluster: int) -> str:
    return f"kind {cluster % 40}"


def _label(survey: Survey, ids: npt.NDArray[np.object_], cluster: Numbers) -> None:
    labels = Labels(survey.labels_url)
    left = int(LABELLED * len(ids))
    order = np.argsort(cluster, kind="stable")
    starts = np.searchsorted(cluster[order], np.arange(int(cluster.max()) + 2))
    for number in range(int(cluster.max()), -1, -1):
        own = order[starts[number] : starts[number + 1]]
        if left <= 0:
            break
        labels.name(ids[own].tolist(), _kind(number), annotator="eva", based_on=f"{RUN}/{number}")
        left -= len(own)
    labels.close()
