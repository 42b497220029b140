"""Surveys of embeddings that are made up, for the tests of what comes after `discover embed`."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from classify.runs import start_run
from discover.survey import Survey, concat_rows, open_survey
from discover.tables import SCHEMAS, vectors_to_column

KINDS, EACH = 6, 30


def groups(noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors [180, 32] of six kinds, and the kinds; `seed` draws members, not kinds."""
    centres = np.random.default_rng(0).normal(size=(KINDS, 32))
    truth = np.repeat(np.arange(KINDS), EACH)
    spread = np.random.default_rng(seed).normal(scale=noise, size=(len(truth), 32))
    return (centres[truth] + spread).astype(np.float32), truth


def survey_of(folder: Path, vectors: np.ndarray, class_name: str = "waste") -> Survey:
    """A survey in which crop i, of score 1 or (every tenth) 0.3, has vector i; two dives."""
    survey = open_survey(folder, create=True)
    add_crops(survey, vectors, class_name)
    start_run(survey.run_folder("embeddings", "r"), command="embed", config={}).complete(counts={})
    return survey


def add_crops(
    survey: Survey, vectors: np.ndarray, class_name: str = "waste", start: int = 0, unit: str = "u"
) -> list[str]:
    """Add frames, crops and vectors, numbered from `start`; return the ids of the crops."""
    numbers = range(start, start + len(vectors))
    frame_ids = [f"f{i:04d}" for i in numbers]
    crop_ids = [f"c{i:04d}" for i in numbers]
    frames = {
        "frame_id": frame_ids,
        "path": [f"{i}.jpg" for i in numbers],
        "dive": [f"d{i % 2}" for i in numbers],
        "index": list(numbers),
    }
    crops = {
        "crop_id": crop_ids,
        "frame_id": frame_ids,
        "class": [class_name] * len(vectors),
        "score": [0.3 if i % 10 == 0 else 1.0 for i in numbers],
    }
    survey.frames.write(unit, _rows("frames", frames))
    survey.table("crops", "r").write(unit, _rows("crops", crops))
    column, described = vectors_to_column(vectors)
    rows = pa.table({"crop_id": crop_ids, "vector": column}).replace_schema_metadata(described)
    survey.table("embeddings", "r").write(unit, rows)
    return crop_ids


def add_bursts(survey: Survey, count: int, each: int) -> None:
    """Say that of the first frames each `each` are one scene, with the last as keyframe."""
    rows = {
        "frame_id": [f"f{i:04d}" for i in range(count)],
        "burst_id": [f"b{i // each}" for i in range(count)],
        "keyframe": [i % each == each - 1 for i in range(count)],
        "proof": [1.0] * count,
        "order": list(range(count)),
        "flags": [[] for _ in range(count)],
    }
    survey.table("bursts", "r").write("u", _rows("bursts", rows))
    start_run(survey.run_folder("bursts", "r"), command="bursts", config={}).complete(counts={})


def _rows(name: str, given: dict[str, list[object]]) -> pa.Table:
    count = len(next(iter(given.values())))
    return concat_rows({c: given.get(c, [None] * count) for c in SCHEMAS[name].names}, name)
