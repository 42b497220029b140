"""Image and video files: found below paths, and images read into rows of the frames table."""

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from classify.images import SUFFIXES, open_image, read_image
from discover.footage.times import in_utc
from discover.quality import image_flags, image_statistics, side_to_read
from discover.survey import SurveyError, frame_id
from discover.tables import SCHEMAS

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg"}
    | {".mxf", ".wmv", ".asf", ".vob", ".flv", ".3gp", ".dv"}
)


def is_video(path: Path) -> bool:
    """Tell a video by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the image and video files among and below `paths`, in natural order.

    In natural order frame 2 comes before frame 10.

    Raises:
        SurveyError: a path does not exist, or nothing is an image or a video by its suffix.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found.update(p for p in path.rglob("*") if p.is_file() and _is_footage(p))
        elif path.is_file():
            found.add(path)
        else:
            raise SurveyError(f"PATH {path} does not exist")
    if not found:
        suffixes = ", ".join([*sorted(SUFFIXES), *sorted(VIDEO_SUFFIXES)])
        raise SurveyError(
            f"no image or video found in {', '.join(map(str, paths))}: looked for {suffixes}"
        )
    return sorted((p.resolve() for p in found), key=natural_key)


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key in which digits compare as numbers."""
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]


def frame_row(
    data: bytes, *, stored: str, dive: str, index: int, zone: timezone = UTC
) -> dict[str, Any]:
    """Read an image into its row of the frames table; columns that it does not know are None.

    Args:
        data: the file's bytes.
        stored: what the `path` column holds.
        dive: the dive.
        index: the place in the dive.
        zone: of an EXIF time that does not say its own.

    Raises:
        ImageError: the file is no image, too large, truncated or damaged.
    """
    image = open_image(data)
    exif = read_exif(image, zone)
    decoded = read_image(data, min_side=side_to_read(*image.size))
    statistics = image_statistics(decoded.pixels)
    digest = hashlib.sha256(data).hexdigest()
    return {
        **dict.fromkeys(SCHEMAS["frames"].names),
        "frame_id": frame_id(digest, dive, index),
        "path": stored,
        "sha256": digest,
        "dive": dive,
        "index": index,
        "width": decoded.width,
        "height": decoded.height,
        "flags": image_flags(statistics),
        **exif,
        **statistics,
    }


def read_exif(image: Image.Image, zone: timezone = UTC) -> dict[str, Any]:
    """Return `time_utc`, `lat` and `lon` from an image's EXIF; None where it does not say.

    Args:
        image: opened, not yet decoded.
        zone: of a time that does not say its own; survey cameras are set to UTC.
    """
    empty: dict[str, Any] = {"time_utc": None, "lat": None, "lon": None}
    try:
        exif = image.getexif()
        detail = exif.get_ifd(ExifTags.IFD.Exif)
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError):
        return empty  # damaged metadata beside sound pixels
    return {
        "time_utc": _exif_time(detail, exif.get(ExifTags.Base.DateTime), zone),
        "lat": _exif_angle(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "S"),
        "lon": _exif_angle(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "W"),
    }


def _exif_time(detail: dict[int, Any], fallback: object, zone: timezone) -> datetime | None:
    text = detail.get(ExifTags.Base.DateTimeOriginal) or fallback
    if not isinstance(text, str):
        return None
    fraction = str(detail.get(ExifTags.Base.SubsecTimeOriginal) or "0").strip()
    offset = str(detail.get(ExifTags.Base.OffsetTimeOriginal) or "").strip()
    stamp = f"{text.strip()}.{fraction if fraction.isdigit() else '0'}"[:26]
    for value, form in (
        (stamp + offset, "%Y:%m:%d %H:%M:%S.%f%z"),
        (stamp, "%Y:%m:%d %H:%M:%S.%f"),
    ):
        try:
            return in_utc(datetime.strptime(value, form), zone)
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


def _is_footage(path: Path) -> bool:
    suffix = path.suffix.lower()
    return (suffix in SUFFIXES or suffix in VIDEO_SUFFIXES) and not path.name.startswith(".")
