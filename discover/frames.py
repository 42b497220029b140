"""Images in nested folders in: the frames table."""

import hashlib
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import ExifTags, Image

from classify.images import SUFFIXES, ImageError, open_image, read_image
from classify.runs import file_hash
from discover.quality import image_flags, image_statistics, side_to_read
from discover.survey import Survey, SurveyError, concat_rows, frame_id, unit_name

log = logging.getLogger(__name__)

CHUNK = 256  # files a shard: what a kill can cost at most
_ELSEWHERE = ("depth_m", "video", "video_frame", "video_s", "altitude_m", "area_m2", "yaw_deg")

Progress = Callable[[int, int], None]
DiveOf = Callable[[Path], str]


@dataclass
class Added:
    """What `add_frames` did.

    Attributes:
        new: frames added.
        known: files that were in the survey already.
        rejected: (file, reason) for each that could not be read.
    """

    new: int = 0
    known: int = 0
    rejected: list[tuple[Path, str]] = field(default_factory=list)


def find_images(paths: Iterable[Path]) -> list[Path]:
    """Return the image files among and below `paths`, in natural order (frame 2 before frame 10).

    Raises:
        SurveyError: a path does not exist, or nothing is an image by its suffix.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(p for p in path.rglob("*") if p.is_file() and _is_image(p))
        elif path.is_file():
            found.add(path)
        else:
            raise SurveyError(f"PATH {path} does not exist")
    if not found:
        suffixes = ", ".join(sorted(SUFFIXES))
        raise SurveyError(f"no image found in {', '.join(map(str, paths))}: looked for {suffixes}")
    return sorted((p.resolve() for p in found), key=natural_key)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key in which digits compare as numbers."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]


def dive_rule(dive_from: str) -> DiveOf:
    """Return the function that tells a file's dive.

    Args:
        dive_from: `folder` (the name of the file's folder), a CSV with columns `image,dive`
            (file name or path), or a regular expression whose first group, found in the file's
            path, is the dive.

    Raises:
        SurveyError: the CSV lacks a column, or the expression is invalid or has no group.
    """
    if dive_from == "folder":
        return lambda path: path.parent.name
    if dive_from.lower().endswith(".csv"):
        return _dive_from_csv(Path(dive_from))
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


def add_frames(
    survey: Survey,
    paths: Iterable[str | Path],
    *,
    dive_from: str = "folder",
    workers: int = 2,
    progress: Progress | None = None,
) -> Added:
    """Add the images in `paths` to the survey. Files that are in it already add nothing.

    Args:
        survey: the survey to add to.
        paths: image files, and folders that are searched at any depth.
        dive_from: how a file's dive is told, see `dive_rule`.
        workers: decoding threads (the decoder releases the interpreter lock).
        progress: called with (files done, files in all).

    Returns:
        What was added, what was known, and which files could not be read and why.

    Raises:
        SurveyError: a path or `dive_from` is wrong. An unreadable file never stops the run.
    """
    files = find_images([Path(p) for p in paths])
    dive_of = dive_rule(dive_from)
    survey.frames.set_aside_damaged()
    planned, result = _plan(survey, files, dive_of)
    done = len(files) - len(planned)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(planned), CHUNK):
            part = planned[start : start + CHUNK]
            rows = []
            for row in pool.map(_read_frame, part):
                done += 1
                if progress:
                    progress(done, len(files))
                if isinstance(row, dict):
                    rows.append(row)
                else:
                    result.rejected.append(row)
                    log.warning("skipped %s", row[1])
            result.new += _write(survey, rows)
    return result


@dataclass(frozen=True)
class _Planned:
    file: Path
    stored: str
    dive: str
    index: int


def _plan(survey: Survey, files: list[Path], dive_of: DiveOf) -> tuple[list[_Planned], Added]:
    """Give each new file its dive and its place there.

    A file's index is its rank among the files given for its dive. A file added later whose rank is
    taken goes behind the dive's last, so that no frame that is known ever changes its id.
    """
    result = Added()
    known = survey.frames.read(["path", "dive", "index", "sha256"]).to_pylist()
    hashes_of: dict[tuple[str, str], set[str]] = defaultdict(set)  # a file may have changed since
    taken: dict[str, set[int]] = defaultdict(set)
    for row in known:
        taken[row["dive"]].add(row["index"])
        hashes_of[row["path"], row["dive"]].add(row["sha256"])
    rank: dict[str, int] = defaultdict(int)
    planned, later = [], []
    for file in files:
        try:
            dive = dive_of(file)
        except ImageError as error:
            result.rejected.append((file, str(error)))
            continue
        index = rank[dive]
        rank[dive] += 1
        stored = survey.stored_path(file)
        if (stored, dive) in hashes_of and file_hash(file) in hashes_of[stored, dive]:
            result.known += 1
        elif index in taken[dive]:
            later.append((file, stored, dive))
        else:
            planned.append(_Planned(file, stored, dive, index))
    for file, stored, dive in later:
        index = max(max(taken[dive]), rank[dive] - 1) + 1
        taken[dive].add(index)
        planned.append(_Planned(file, stored, dive, index))
    return planned, result


def _read_frame(item: _Planned) -> dict[str, Any] | tuple[Path, str]:
    """Return the row of one file, or the file and why it cannot be read."""
    try:
        data = item.file.read_bytes()
        image = open_image(data)
        exif = read_exif(image)
        decoded = read_image(data, min_side=side_to_read(*image.size))
    except ImageError as error:
        return item.file, f"{item.file.name}: {error}"
    except OSError as error:
        return item.file, f"{item.file.name}: {error.strerror}"
    digest = hashlib.sha256(data).hexdigest()
    statistics = image_statistics(decoded.pixels)
    return {
        "frame_id": frame_id(digest, item.dive, item.index),
        "path": item.stored,
        "sha256": digest,
        "dive": item.dive,
        "index": item.index,
        "width": decoded.width,
        "height": decoded.height,
        **dict.fromkeys(_ELSEWHERE),
        "flags": image_flags(statistics),
        **exif,
        **statistics,
    }


def read_exif(image: Image.Image) -> dict[str, Any]:
    """Return `time_utc`, `lat` and `lon` from an image's EXIF; None where it does not say.

    A time without an offset is taken as UTC, which survey cameras are set to.
    """
    empty: dict[str, Any] = {"time_utc": None, "lat": None, "lon": None}
    try:
        exif = image.getexif()
        detail = exif.get_ifd(ExifTags.IFD.Exif)
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError):
        return empty  # damaged metadata beside sound pixels
    return {
        "time_utc": _exif_time(detail, exif.get(ExifTags.Base.DateTime)),
        "lat": _exif_angle(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S"),
        "lon": _exif_angle(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W"),
    }


def _exif_time(detail: dict[int, Any], fallback: object) -> datetime | None:
    text = detail.get(ExifTags.Base.DateTimeOriginal) or fallback
    if not isinstance(text, str):
        return None
    fraction = str(detail.get(ExifTags.Base.SubsecTimeOriginal) or "0").strip()
    offset = str(detail.get(ExifTags.Base.OffsetTimeOriginal) or "+00:00").strip()
    stamp = f"{text.strip()}.{fraction if fraction.isdigit() else '0'}"
    for zone in (offset, "+00:00"):
        try:
            moment = datetime.strptime(f"{stamp[:26]}{zone}", "%Y:%m:%d %H:%M:%S.%f%z")
            return moment.astimezone(UTC)
        except ValueError:
            continue
    return None


def _exif_angle(gps: dict[int, Any], value: int, reference: int, negative: str) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in gps[value])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    angle = degrees + minutes / 60 + seconds / 3600
    if not np.isfinite(angle):
        return None
    return -angle if str(gps.get(reference, "")).upper().startswith(negative) else angle


def _write(survey: Survey, rows: list[dict[str, Any]]) -> int:
    if not rows:
        return 0
    columns = {name: [row[name] for row in rows] for name in survey.frames.schema.names}
    survey.frames.write(unit_name(columns["frame_id"]), concat_rows(columns, "frames"))
    return len(rows)


def _dive_from_csv(path: Path) -> DiveOf:
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


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
