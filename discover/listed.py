"""Tables that name images by file: matched with the survey's frames, and written. Light."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from classify.runs import write_atomic
from discover.survey import Survey, SurveyError

ENDINGS = (".csv", ".parquet")


def frames_of(
    survey: Survey, names: Sequence[str], folder: Path, dives: Sequence[str | None] | None = None
) -> list[str | None]:
    """Return the frame that each name means, None for what is no frame of the survey.

    Args:
        survey: the survey.
        names: paths as a table has them: absolute, or relative to `folder` or to `images/` in it,
            as `classify train` reads them.
        folder: of the table.
        dives: the dive of each, where known: one file may be a frame of two dives.
    """
    rows = survey.frames.read(["frame_id", "path", "dive"]).to_pylist()
    by_path = {row["path"]: row["frame_id"] for row in rows}
    by_both = {(row["path"], row["dive"]): row["frame_id"] for row in rows}
    found = []
    for name, dive in zip(names, dives or [None] * len(names), strict=True):
        stored = [survey.stored_path(folder / where / name) for where in ("", "images")]
        known = [by_both.get((path, dive), by_path.get(path)) for path in stored]
        found.append(next((frame for frame in known if frame is not None), None))
    return found


def name_from(file: Path, folder: Path) -> str:
    """Return the path that a table in `folder` names `file` by: relative where it lies below."""
    file, folder = file.resolve(), folder.resolve()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write a table as CSV or Parquet, by the ending of `out`.

    Raises:
        SurveyError: the ending is neither.
    """
    check_ending(out)
    if out.suffix.lower() == ".csv":
        write_atomic(out, table.to_csv(index=False).encode())
    else:
        write_atomic(out, table.to_parquet(index=False))


def check_ending(out: Path) -> None:
    """Check, before the work, that `out` can be written.

    Raises:
        SurveyError: it ends neither in .csv nor in .parquet.
    """
    if out.suffix.lower() not in ENDINGS:
        raise SurveyError(f"--out {out} must end in {' or '.join(ENDINGS)}")
