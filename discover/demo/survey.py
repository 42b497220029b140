"""Render a synthetic ROV survey: frames in folders, and a table of what is truly in them."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from discover.demo.layout import Layout
from discover.demo.render import DiveRenderer

_LOG = logging.getLogger(__name__)
_VERSION = 2  # of the renderer; an older survey is rendered anew
_CHUNK = 30  # frames per task
_META = b"discover.demo"

TRUTH_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("dive", pa.string()),
        ("index", pa.int32()),
        ("time_s", pa.float64()),
        ("floor", pa.string()),
        ("element", pa.string()),
        ("object_id", pa.string()),
        ("class", pa.string()),
        ("kind", pa.string()),
        ("x", pa.int32()),
        ("y", pa.int32()),
        ("w", pa.int32()),
        ("h", pa.int32()),
        ("mask", pa.string()),
        ("area", pa.int32()),
        ("visible", pa.float32()),
        ("cam_x", pa.float64()),
        ("cam_y", pa.float64()),
        ("altitude_m", pa.float64()),
        ("heading_deg", pa.float64()),
        ("tilt_deg", pa.float64()),
        ("footprint", pa.list_(pa.float64())),
    ]
)


def render_survey(
    out: Path,
    *,
    seed: int = 0,
    dives: int = 8,
    frames_per_dive: int = 90,
    size: tuple[int, int] = (540, 960),
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Render frames to ``out/<dive>/<dive>_000000.jpg`` and their truth to ``out/truth.parquet``.

    The frames depend on ``seed`` and the sizes alone, not on ``workers`` (None: one per core).
    ``size`` is (height, width) in pixels; ``progress`` is told frames done and frames in all.
    A survey that is already complete with the same settings is left as it is. Returns ``out``.
    """
    settings = {
        "version": _VERSION,
        "seed": seed,
        "dives": dives,
        "frames_per_dive": frames_per_dive,
        "size": list(size),
    }
    truth = out / "truth.parquet"
    if _settings_of(truth) == settings:
        _LOG.info("%s is already rendered", out)
        return out
    truth.unlink(missing_ok=True)
    layout = Layout.plan(seed, dives, frames_per_dive, size)
    for dive in layout.dives:
        (out / dive.name).mkdir(parents=True, exist_ok=True)
    tasks = [
        (number, start, min(start + _CHUNK, frames_per_dive))
        for number in range(dives)
        for start in range(0, frames_per_dive, _CHUNK)
    ]
    settings_key = (seed, dives, frames_per_dive, size)
    rows: list[dict[str, Any]] = []
    done = 0
    for task, part in zip(tasks, _run(out, settings_key, tasks, workers), strict=True):
        rows += part
        done += task[2] - task[1]
        if progress is not None:
            progress(done, dives * frames_per_dive)
    _write_truth(truth, rows, settings)
    return out


def _settings_of(truth: Path) -> dict[str, Any] | None:
    """Settings that a complete survey was rendered with, or None."""
    if not truth.exists():
        return None
    try:
        stored = (pq.read_schema(truth).metadata or {}).get(_META, b"null")
    except pa.ArrowInvalid:
        return None
    settings: dict[str, Any] | None = json.loads(stored)
    return settings


def _write_truth(truth: Path, rows: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    """Write the table under another name first: its presence says that all frames are there."""
    schema = TRUTH_SCHEMA.with_metadata({_META: json.dumps(settings).encode()})
    partial = truth.with_suffix(".partial")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial)
    partial.replace(truth)


_Key = tuple[int, int, int, tuple[int, int]]


def _run(
    out: Path, key: _Key, tasks: list[tuple[int, int, int]], workers: int | None
) -> Iterator[list[dict[str, Any]]]:
    """Render all tasks, here or in ``workers`` processes; results come in order."""
    count = min(workers or os.cpu_count() or 1, len(tasks))
    work = functools.partial(_render_chunk, out, key)
    if count == 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool_of = functools.partial(ProcessPoolExecutor, mp_context=context, initializer=_start_worker)
    with _single_threaded(), pool_of(count) as pool:
        # A process that keeps to one dive makes its textures but once.
        together = max(len(tasks) // max(key[1], 1), 1) if key[1] >= 2 * count else 1
        yield from pool.map(work, tasks, chunksize=together)


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Let the processes started here multiply matrices on one thread each.

    The libraries read these variables when they are loaded, so a worker could not set them itself.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start_worker() -> None:
    """One thread per process: the frames are the unit of parallel work."""
    cv2.setNumThreads(1)


@functools.lru_cache(maxsize=1)
def _layout(key: _Key) -> Layout:
    """The plan, made once per process."""
    return Layout.plan(*key)


@functools.lru_cache(maxsize=1)
def _renderer(key: _Key, number: int) -> DiveRenderer:
    """The renderer of a dive, kept for the dive's next frames."""
    return DiveRenderer(_layout(key).dives[number])


def _render_chunk(out: Path, key: _Key, task: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Render frames ``start`` to ``stop`` of a dive and return their truth."""
    number, start, stop = task
    renderer = _renderer(key, number)
    rows: list[dict[str, Any]] = []
    for index in range(start, stop):
        frame, truth = renderer.frame(index)
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        path = str(out / truth[0]["path"])
        if not cv2.imwrite(path, bgr, [cv2.IMWRITE_JPEG_QUALITY, renderer.dive.quality]):
            raise OSError(f"cannot write {path}")
        rows += truth
    return rows
