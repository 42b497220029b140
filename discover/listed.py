"""Tables that name images by file: matched with the survey's frames, and written. Light."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from classify.runs import write_atomic
from discover.survey import Survey, SurveyError

ENDINGS = (".csv", ".parquet")


def frames_of(
    survey: Survey, names: Sequence[str], folder: Path, dives: Sequence[str | None] | None = None
) -> list[str | None]:
    """Return the frame that each name means, None for what is no frame of the survey.

    Where a survey has moved since, a path still means the frame whose path in the survey it ends
    with, or the one of its dive that has its file name.

    Args:
        survey: the survey.
        names: paths as a table has them: absolute, or relative to `folder` or to `images/` in it,
            as `classify train` reads them.
        folder: of the table.
        dives: the dive of each, where known: one file may be a frame of two dives.

    Raises:
        SurveyError: no frame has that path, and several of the dive have that file name.
    """
    frames = _Frames(survey)
    found = []
    for name, dive in zip(names, dives or [None] * len(names), strict=True):
        stored = [survey.stored_path(folder / where / name) for where in ("", "images")]
        found.append(
            frames.first(stored, dive) or frames.by_end(name, dive) or frames.by_name(name, dive)
        )
    return found


class _Frames:
    """The frames of a survey, found by path, by the end of one, or by file name and dive."""

    def __init__(self, survey: Survey) -> None:
        rows = survey.frames.read(["frame_id", "path", "dive"]).to_pylist()
        self._by_path = {row["path"]: row["frame_id"] for row in rows}
        self._by_both = {(row["path"], row["dive"]): row["frame_id"] for row in rows}
        self._by_name: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        for path, dive in self._by_both:
            self._by_name[PurePosixPath(path).name, dive].append(path)

    def first(self, paths: Iterable[str], dive: str | None) -> str | None:
        """Return the frame of the first of the paths that is one."""
        known = (self._by_both.get((p, dive), self._by_path.get(p)) for p in paths)
        return next((frame for frame in known if frame is not None), None)

    def by_end(self, name: str, dive: str | None) -> str | None:
        """Return the frame whose path is the end of `name`; a file name alone is no such end."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        return self.first(("/".join(parts[n:]) for n in range(1, len(parts) - 1)), dive)

    def by_name(self, name: str, dive: str | None) -> str | None:
        """Return the frame of the dive that has the file name of `name`."""
        paths = self._by_name.get((PurePosixPath(name.replace("\\", "/")).name, dive), [])
        if dive is None or not paths:
            return None
        if len(paths) > 1:
            raise SurveyError(
                f"image {name!r} may be {paths[0]} or {paths[1]} of dive {dive!r}: give its path "
                "as it is in the survey"
            )
        return self._by_both[paths[0], dive]


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
