"""Whether a survey's settings, runs, frames and labels are in order. Reads only; light."""

import random
import sqlite3
import tomllib
from pathlib import Path

import sqlalchemy as sa

from classify.runs import RUN_FILE, Run, RunError, read_run
from discover.checkup.finding import Finding, size_in_words
from discover.naming.database import LabelError, engine_of
from discover.naming.drives import network_drive
from discover.survey import SETTINGS_FILE, Survey
from discover.tables import DamagedShard

_SAMPLE = 1000  # frames whose files are looked for
_LARGE_CACHE = 20e9  # bytes


def check_settings(survey: Survey) -> Finding:
    """Read survey.toml."""
    try:
        tomllib.loads((survey.root / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        found = f"{SETTINGS_FILE} cannot be read: {error}"
        return Finding("settings", "fault", found, "mend that line, or the file")
    return Finding("settings", "ok", f"{SETTINGS_FILE} reads")


def check_runs(survey: Survey) -> list[Finding]:
    """Read every run.json, and find runs that were never finished or lack what they came from."""
    runs, found = [], []
    for file in sorted(survey.root.glob(f"*/*/{RUN_FILE}")):
        run = _read(file.parent)
        if run is not None:
            runs.append(run)
        else:
            what = f"{file.relative_to(survey.root)} is damaged"
            remedy = "bring it back from a copy, or remove its folder and make the run again"
            found.append(Finding("runs", "fault", what, remedy))
    for run in runs:
        name = f"{run.path.parent.name}/{run.name}"
        if not run.is_complete:  # whether it runs now, nobody can tell from the folder
            what = f"{name} was started and is not finished"
            remedy = f"unless it is running now, the same `{run.info.get('command')}` goes on"
            found.append(Finding("runs", "warning", what, remedy))
        gone = _gone(survey, run)
        if gone:
            what = f"{name} was made from {gone}, which is gone"
            remedy = "bring that folder back from a copy, or remove the run that lacks it"
            found.append(Finding("runs", "fault", what, remedy))
    return found or [Finding("runs", "ok", f"{len(runs)} runs, all finished")]


def _read(folder: Path) -> Run | None:
    """Return a run, None where its run.json is damaged."""
    try:
        run = read_run(folder)
    except (RunError, UnicodeDecodeError, OSError):
        return None
    sound = isinstance(run.info, dict) and {"status", "parents", "started"} <= set(run.info)
    return run if sound else None


def _gone(survey: Survey, run: Run) -> str | None:
    """Return the run of crops or embeddings that a run needs and that is not there."""
    if run.path.parent.name not in ("clusters", "embeddings"):
        return None
    needed = {"crops": survey.crops_of(run).folder.name}
    if run.path.parent.name == "clusters":
        needed["embeddings"] = run.info["parents"].get("embeddings", run.name)
    if not run.info.get("counts", {}).get("crops"):
        return None  # it was not finished, or there was nothing to be made from
    for stage, name in needed.items():
        if not survey.table(stage, name).files():
            return f"{stage}/{name}"
    return None


def check_frames(survey: Survey, *, deep: bool) -> Finding:
    """Look for the files of a sample of the frames, of all where `deep` is set."""
    paths = _paths(survey)
    if not paths:
        return Finding("frames", "warning", "there are none", "discover add FOLDER")
    sample = paths if deep else random.Random(0).sample(paths, min(_SAMPLE, len(paths)))
    missing = [path for path in sample if not survey.frame_path(path).is_file()]
    if missing:
        found = f"missing: {len(missing):,} of {len(sample):,} files, such as {missing[0]}"
        return Finding("frames", "fault", found, "put them back, or connect the drive they are on")
    of_all = "all" if len(sample) == len(paths) else f"{len(sample):,} of them looked for, all"
    return Finding("frames", "ok", f"{len(paths):,} files, {of_all} there")


def _paths(survey: Survey) -> list[str]:
    """Return the files of the frames, but for shards that are damaged, which `shards` tells."""
    paths: set[str] = set()
    for unit in survey.frames.units():
        try:
            paths.update(survey.frames.read(["path"], units=[unit])["path"].to_pylist())
        except (DamagedShard, FileNotFoundError):
            continue
    return sorted(paths)


def check_labels(survey: Survey) -> Finding:
    """Open the labels, and let SQLite check its file."""
    try:
        address = sa.make_url(survey.labels_url)
        if address.get_backend_name() == "sqlite":
            return _sqlite(Path(address.database or ""))
        with engine_of(survey.labels_url).connect() as connection:
            connection.execute(sa.text("select 1"))
    except (LabelError, sa.exc.SQLAlchemyError) as error:
        what = str(error).splitlines()[0]
        remedy = "mend DISCOVER_LABELS_URL, or url of [labels] in survey.toml"
        return Finding("labels", "fault", what, remedy)
    return Finding("labels", "ok", f"{address!r} answers")


def _sqlite(file: Path) -> Finding:
    kind = network_drive(file)
    if kind is not None:
        found = f"{file} is on a network drive ({kind}), where SQLite can lose labels"
        remedy = "keep the survey on a local disk, or give PostgreSQL in DISCOVER_LABELS_URL"
        return Finding("labels", "fault", found, remedy)
    if not file.exists():
        return Finding("labels", "ok", "nothing was decided yet")
    wrong = _damage(file)
    if wrong is None:
        return Finding("labels", "ok", f"{file.name} is whole ({size_in_words(_size(file))})")
    remedy = "stop the page, keep a copy of it and its -wal file, and bring back a sound copy"
    return Finding("labels", "fault", f"{file} is damaged: {wrong}", remedy)


def _damage(file: Path) -> str | None:
    """Return the first thing that SQLite finds wrong with a file, None where it is whole."""
    busy = file.with_name(f"{file.name}-wal").exists()
    how = "mode=ro" if busy else "immutable=1"  # which makes no files beside it
    try:
        connection = sqlite3.connect(f"{file.resolve().as_uri()}?{how}", uri=True, timeout=60)
        try:
            (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if first == "ok" else str(first).splitlines()[-1]


def check_cache(survey: Survey) -> Finding:
    """Add up what the cache holds."""
    size = sum(_size(file) for file in survey.cache.rglob("*"))
    found = f"{size_in_words(size)} that can be made again"
    if size > _LARGE_CACHE:
        return Finding("cache", "warning", found, f"remove {survey.cache} where room is short")
    return Finding("cache", "ok", found)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except FileNotFoundError:  # replaced meanwhile
        return 0
