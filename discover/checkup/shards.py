"""Whether the shards of a survey's tables are what was written. Reads only; light."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from discover.checkup.finding import Finding
from discover.survey import Survey
from discover.tables import SCHEMAS, DamagedShard, Table

_QUICK = 256_000_000  # bytes of shards that are read whole without being asked to
_REMADE = {  # by a stage that sets its own damaged shards aside
    "frames": "run `discover add` on the same footage again",
    "crops": "run the same `discover embed` again",
    "embeddings": "run the same `discover embed` again",
    "predictions": "run the same `classify predict` again",
}
_MADE_BY = {
    "pairs": "discover bursts",
    "bursts": "discover bursts",
    "suggestions": "discover predict",
}


def check_shards(survey: Survey, *, deep: bool) -> list[Finding]:
    """Look at every shard: always at its footer, at all pages where they are few or `deep` is set.

    Returns a finding for each kind of table that has damaged shards, or one for all tables, and one
    for what was set aside before.
    """
    tables = _tables(survey)
    shards = [(table, file) for table in tables for file in table.files()]
    whole = deep or sum(file.stat().st_size for _, file in shards) <= _QUICK
    damaged: dict[str, list[Path]] = {}
    for table, file in shards:
        if _is_damaged(table, file, whole=whole):
            damaged.setdefault(table.name, []).append(file)
    depth = "read to the last page" if whole else "footers only: --deep reads all pages"
    found = f"{len(shards):,} shards of {len(tables):,} tables are whole ({depth})"
    sound = [] if damaged else [Finding("tables", "ok", found)]
    return [*sound, *(_finding(survey, *item) for item in damaged.items()), *_aside(survey)]


def _tables(survey: Survey) -> list[Table]:
    found = [survey.frames]
    for name in SCHEMAS:
        if name != "frames":
            runs = sorted(p for p in (survey.root / name).glob("*") if p.is_dir())
            found += [survey.table(name, run.name) for run in runs]
    return found


def _is_damaged(table: Table, file: Path, *, whole: bool) -> bool:
    try:
        if whole:
            table.read(units=[file.stem])
        else:
            pq.read_metadata(file)
    except FileNotFoundError:
        return False  # another process has set it aside
    except (
        DamagedShard,
        pa.ArrowException,
        OSError,
        ValueError,
    ):  # a footer's texts may not decode
        return True
    return False


def _finding(survey: Survey, name: str, files: list[Path]) -> Finding:
    many = "1 shard is" if len(files) == 1 else f"{len(files)} shards are"
    example = files[0].relative_to(survey.root)
    remedy = _REMADE.get(name)
    if remedy is None:
        command = _MADE_BY.get(name, "discover cluster")
        remedy = f"remove {'it' if len(files) == 1 else 'them'} and run the same `{command}` again"
    return Finding(f"table {name}", "fault", f"{many} damaged, such as {example}", remedy)


def _aside(survey: Survey) -> list[Finding]:
    """Return a warning where damaged shards were set aside and nobody removed them."""
    files = [file for table in _tables(survey) for file in sorted(table.folder.glob("*.damaged"))]
    left = [file for file in files if not file.with_suffix(".parquet").exists()]
    if left:
        name = left[0].relative_to(survey.root)
        remedy = _REMADE.get(name.parts[0], "run the step again")
        found = f"{len(left)} set aside as damaged and not made anew, such as {name}"
        return [Finding("tables", "warning", found, remedy)]
    if files:
        name = files[0].relative_to(survey.root)
        found = f"{len(files)} set aside as damaged and made anew, such as {name}"
        return [Finding("tables", "ok", f"{found}; they may be removed")]
    return []
