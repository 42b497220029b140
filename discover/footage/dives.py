"""Which dive a file belongs to."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from classify.images import ImageError
from discover.survey import SurveyError

DiveOf = Callable[[Path], str]


def dive_rule(dive_from: str, is_video: Callable[[Path], bool]) -> DiveOf:
    """Return the function that tells a file's dive.

    Args:
        dive_from: `auto` (an image's folder; a video's own name), `folder` (the name of the
            file's folder), a CSV with columns `image,dive` (file name or path), or a regular
            expression whose first group, found in the file's path, is the dive.
        is_video: tells the videos.

    Raises:
        SurveyError: the CSV lacks a column, or the expression is invalid or has no group.
    """
    if dive_from == "auto":
        return lambda path: path.stem if is_video(path) else path.parent.name
    if dive_from == "folder":
        return lambda path: path.parent.name
    if dive_from.lower().endswith(".csv"):
        return _from_csv(Path(dive_from))
    try:
        pattern = re.compile(dive_from)
    except re.error as error:
        raise SurveyError(f"--dive-from {dive_from!r} is no regular expression: {error}") from None
    if pattern.groups < 1:
        raise SurveyError(
            f"--dive-from {dive_from!r} needs a group that is the dive, such as '(dive\\d+)'"
        )

    def dive_of(path: Path) -> str:
        match = pattern.search(path.as_posix())
        if match is None or not match.group(1):
            raise ImageError(f"{path.name}: --dive-from {dive_from!r} does not match its path")
        return match.group(1)

    return dive_of


def _from_csv(path: Path) -> DiveOf:
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, ValueError) as error:
        raise SurveyError(f"--dive-from {path}: {error}") from None
    missing = [c for c in ("image", "dive") if c not in table.columns]
    if missing:
        raise SurveyError(f"--dive-from {path} has no column {missing[0]!r}: needs image,dive")
    dives = dict(zip(table["image"], table["dive"], strict=True))

    def dive_of(file: Path) -> str:
        for key in (file.name, str(file), file.as_posix()):
            if isinstance(dives.get(key), str):
                return dives[key]
        raise ImageError(f"{file.name}: not in --dive-from {path}")

    return dive_of
