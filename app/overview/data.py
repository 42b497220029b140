"""What the overview asks of the survey beside `Explorer`: counts, bounded however large it is."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from app.data import ClassRun, Explorer
from classify.runs import RUN_FILE, Run, list_runs, read_run
from discover.labels import decided_so_far
from discover.survey import Survey, unit_name

MOST_BINS = 48  # of depth or time
_COUNTS = """
    SELECT c.class, {value} AS value, count(*) AS crops
    FROM crops c JOIN frames f USING (frame_id)
    WHERE {column} IS NOT NULL GROUP BY ALL ORDER BY ALL
"""
_NEW = """
    SELECT count(DISTINCT c.crop_id) AS n FROM crops c
    SEMI JOIN vectors USING (crop_id) SEMI JOIN frames USING (frame_id)
    ANTI JOIN clustered USING (crop_id)
    WHERE c.class = ? AND c.score >= ?
"""
_SPANS = """
    SELECT min(depth_m) AS depth_from, max(depth_m) AS depth_to,
           min(time_utc)::TIMESTAMP AS time_from, max(time_utc)::TIMESTAMP AS time_to
    FROM crops JOIN frames USING (frame_id)
"""
_DEPTH_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # metres
_TIME_STEPS = {  # in DuckDB's words
    "10 seconds": 10, "1 minute": 60, "5 minutes": 300, "15 minutes": 900, "1 hour": 3600,
    "6 hours": 21_600, "1 day": 86_400, "7 days": 604_800, "28 days": 2_419_200,
    "364 days": 31_449_600,
}  # fmt: skip


def count_crops(survey: Survey) -> int:
    """Return how many crops all runs have, from the shards' footers; each is read once."""
    return sum(_rows(file) for file in (survey.root / "crops").glob("*/*.parquet"))


def new_crops(explorer: Explorer, run: ClassRun) -> int:
    """Return how many crops were embedded since a run and could be placed on its map.

    They are counted as `discover cluster --place-new` takes them, and anew when a shard was added.
    """
    survey = explorer.survey
    tables = {
        "crops": survey.table("crops", run.crops_run),
        "vectors": survey.table("embeddings", run.embeddings),
        "clustered": survey.table("clusters", run.name),
    }
    least = survey.run("clusters", run.name).info["config"].get("min_score", 0.0)
    units = (unit for table in (survey.frames, *tables.values()) for unit in ("", *table.units()))

    def ask() -> int:
        return int(survey.sql(_NEW, (run.class_name, least), **tables)["n"].iloc[0])

    return explorer.remember(("new crops", run.name, unit_name(units)), ask)


def spans(explorer: Explorer) -> dict[str, tuple[Any, Any]]:
    """Return from where to where the crops of the latest run go: of `depth` and `time`, if known.

    Depth in metres, time as UTC without a zone.
    """
    runs = explorer.crops_runs()
    if not runs:
        return {}
    crops = explorer.survey.table("crops", runs[0])
    row = explorer.survey.sql(_SPANS, crops=crops).iloc[0]
    pairs = {what: (row[f"{what}_from"], row[f"{what}_to"]) for what in ("depth", "time")}
    return {what: pair for what, pair in pairs.items() if pd.notna(pair[0])}


def classes_by_depth(explorer: Explorer, span: tuple[float, float]) -> pd.DataFrame:
    """Return `class, value, crops, step`: crops by depth, `value` the middle of a step, metres."""
    reach = span[1] - span[0]
    step = next((s for s in _DEPTH_STEPS if reach / s < MOST_BINS), reach / MOST_BINS)
    value = f"(floor(f.depth_m / {step}) + 0.5) * {step}"
    return _counts(explorer, "f.depth_m", value).assign(step=step)


def classes_by_time(explorer: Explorer, span: tuple[pd.Timestamp, pd.Timestamp]) -> pd.DataFrame:
    """Return `class, value, crops, step`: crops by time, `value` the start of a step, `step` in s.

    Times without any crop have no row.
    """
    reach = (span[1] - span[0]).total_seconds()
    fits = ((words, s) for words, s in _TIME_STEPS.items() if reach / s < MOST_BINS)
    words, step = next(fits, list(_TIME_STEPS.items())[-1])
    value = f"time_bucket(INTERVAL '{words}', f.time_utc::TIMESTAMP)"
    return _counts(explorer, "f.time_utc", value).assign(step=step)


def burst_counts(survey: Survey) -> dict[str, int] | None:
    """Return `frames, bursts, in_bursts` of the latest run of bursts; None where there is none."""
    run = survey.latest("bursts")
    return None if run is None else run.info["counts"]


def waiting_suggestions(survey: Survey) -> int:
    """Return how many crops have a suggestion of the latest head, and nobody decided on them."""
    run = survey.latest("suggestions")
    if run is None:
        return 0
    table = survey.table("suggestions", run.name).read(["crop_id", "name"]).to_pandas()
    decided = decided_so_far(survey)
    human = set(decided.loc[decided["origin"] == "human", "crop_id"])
    return int((table["name"].notna() & ~table["crop_id"].isin(human)).sum())


def latest_head(survey: Survey) -> Run | None:
    """Return the latest head that `discover learn` made: in the folder `heads`, or elsewhere.

    One elsewhere is known by the suggestions that came with it.
    """
    found = [run for run in list_runs(survey.root / "heads") if run.is_complete]
    suggestions = survey.latest("suggestions")
    if suggestions is not None:
        folder = Path(suggestions.info["config"]["head"])
        if (folder / RUN_FILE).is_file():
            found.append(read_run(folder))
    return max(found, key=lambda run: str(run.info["started"]), default=None)


def _counts(explorer: Explorer, column: str, value: str) -> pd.DataFrame:
    crops = explorer.survey.table("crops", explorer.crops_runs()[0])
    return explorer.survey.sql(_COUNTS.format(column=column, value=value), crops=crops)


@lru_cache(maxsize=65_536)
def _rows(shard: Path) -> int:
    return int(pq.read_metadata(shard).num_rows)
