"""Metadata files: what BIIGLE's CSV and iFDO say of the images and videos they name."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from discover.footage.navigation import POSITION, Fix, Track, normalised, track_of
from discover.footage.tabular import Source, read_rows
from discover.survey import SurveyError

# BIIGLE's columns, and the synonyms that it takes itself.
_BIIGLE = {
    **dict.fromkeys(("filename", "file"), "filename"),
    **dict.fromkeys(("taken_at", "sub_datetime"), "time"),
    **dict.fromkeys(("lat", "latitude", "sub_latitude"), "lat"),
    **dict.fromkeys(("lng", "lon", "longitude", "sub_longitude"), "lon"),
    **dict.fromkeys(("gps_altitude", "sub_altitude"), "gps_altitude"),
    **dict.fromkeys(("distance_to_ground", "sub_distance"), "altitude_m"),
    "area": "area_m2",
    **dict.fromkeys(("yaw", "heading", "sub_heading"), "yaw_deg"),
}
# iFDO's fields; where there are several, the first is that of version 2, the others are older.
_IFDO = {
    "image-latitude": "lat",
    "image-longitude": "lon",
    "image-altitude-meters": "gps_altitude",
    "image-altitude": "gps_altitude",
    "image-depth": "depth_m",
    "image-meters-above-ground": "altitude_m",
    "image-area-square-meters": "area_m2",
    "image-area-square-meter": "area_m2",
    "image-camera-yaw-degrees": "yaw_deg",
}


@dataclass
class Described:
    """What a metadata file says of one file.

    Attributes:
        source: where, for error messages.
        fixes: values with a time.
        constant: values without one.
    """

    source: Source
    fixes: list[Fix] = field(default_factory=list)
    constant: dict[str, float] = field(default_factory=dict)

    @property
    def start(self) -> datetime | None:
        """The time of an image; of a video, the time of its first frame."""
        return min((time for time, _ in self.fixes), default=None)

    @cached_property
    def track(self) -> Track:
        """The values over time; a column with one value has it throughout."""
        series = {name: ([0.0], [value]) for name, value in self.constant.items()}
        return Track(series | track_of(self.fixes).series, holds=True)


def read_metadata(path: Path) -> dict[str, Described]:
    """Read a metadata file: what it says, by the file names it uses.

    A `.json` file is taken as iFDO (versions 1 and 2), any other as BIIGLE's CSV:
    `filename,taken_at,lng,lat,gps_altitude,distance_to_ground,area,yaw`. Altitudes above the sea,
    negative below it, become depths. A video that stands in several rows (or, in iFDO, holds a
    list) has a track.

    Raises:
        SurveyError: the file is neither, or a value is wrong; the message names row and value.
    """
    return _read_ifdo(path) if path.suffix.lower() == ".json" else _read_biigle(path)


def _read_biigle(path: Path) -> dict[str, Described]:
    described: dict[str, Described] = {}
    for source, row in read_rows(path, "--metadata", _BIIGLE):
        name = row.get("filename", "").replace("\\", "/")
        if not name:
            raise SurveyError(
                f"{source.place} names no file: needs BIIGLE's columns filename,taken_at,lng,lat,"
                "gps_altitude,distance_to_ground,area,yaw, or an iFDO as .json"
            )
        time = source.time(row.get("time"))
        if name in described and (time is None or not described[name].fixes):
            raise SurveyError(
                f"{source.place}: {name} stands in several rows: each of them needs its taken_at"
            )
        _add(described.setdefault(name, Described(source)), time, _position(source, row))
    return described


def _read_ifdo(path: Path) -> dict[str, Described]:
    place = f"--metadata {path}"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SurveyError(f"{place}: {error.strerror}") from None
    except ValueError as error:
        raise SurveyError(f"{place} is no JSON: {error}") from None
    items = content.get("image-set-items") if isinstance(content, dict) else None
    if not isinstance(items, dict):
        raise SurveyError(f"{place} is no iFDO: it has no image-set-items by file name")
    header = content.get("image-set-header") or {}
    return {
        name.replace("\\", "/"): _ifdo_item(f"{place}: {name}", header, item)
        for name, item in items.items()
    }


def _ifdo_item(place: str, header: Mapping[str, Any], item: object) -> Described:
    """Read one item; what only the header says holds for all of it."""
    described = Described(Source(place))
    entries = item if isinstance(item, list) else [item or {}]
    said: set[str] = set()
    for number, entry in enumerate(entries):
        source = Source(f"{place}: entry {number + 1}" if len(entries) > 1 else place)
        if not isinstance(entry, dict):
            raise SurveyError(f"{source.place}: {entry!r} is not an object of iFDO fields")
        text = entry.get("image-datetime", None if number else header.get("image-datetime"))
        form = entry.get("image-datetime-format", header.get("image-datetime-format"))
        values = _position(source, _known_fields(entry))
        said |= set(values)
        time = _formatted(source, text, form) if form else source.time(text)
        if time is None and number:
            raise SurveyError(f"{source.place} has no image-datetime: needs it from the second on")
        _add(described, time, values)
    defaults = _position(Source(f"{place}: image-set-header"), _known_fields(header))
    described.constant |= {n: v for n, v in defaults.items() if n not in said}
    return described


def _known_fields(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for theirs, ours in _IFDO.items():
        if entry.get(theirs) is not None:
            found.setdefault(ours, entry[theirs])
    return found


def _formatted(source: Source, text: object, form: str) -> datetime:
    try:
        return datetime.strptime(str(text), form).replace(tzinfo=UTC)
    except ValueError:
        raise SurveyError(
            f"{source.place}: {text!r} does not have its image-datetime-format {form!r}"
        ) from None


def _position(source: Source, row: Mapping[str, Any]) -> dict[str, float]:
    values = {n: source.number(n, row[n]) for n in (*POSITION, "gps_altitude") if n in row}
    known = {n: normalised(n, v) for n, v in values.items() if v is not None}
    if "gps_altitude" in known:
        known.setdefault("depth_m", 0.0 - known["gps_altitude"])
        del known["gps_altitude"]
    return known


def _add(described: Described, time: datetime | None, values: dict[str, float]) -> None:
    if time is None:
        described.constant |= values
    else:
        described.fixes.append((time, values))


def matched(
    described: Mapping[str, Described], files: Iterable[Path], is_video: Callable[[Path], bool]
) -> tuple[dict[Path, Described], list[str]]:
    """Return what is said of each of `files`, and the names that none of them has.

    A name may hold folders: it is the end of the file's path.

    Raises:
        SurveyError: a name fits several of the files, or an image stands in several rows.
    """
    found: dict[Path, Described] = {}
    named: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        parts = file.parts
        ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
        names = [file.as_posix(), *ends]
        name = next((name for name in names if name in described), None)
        if name is not None:
            named[name].append(file)
            found[file] = described[name]
            if len(described[name].fixes) > 1 and not is_video(file):
                raise SurveyError(
                    f"{described[name].source.place}: the image {name} has more than one row"
                )
    for name, group in named.items():
        if len(group) > 1:
            raise SurveyError(
                f"{described[name].source.place}: {len(group)} files are named {name}, such as "
                f"{group[0]} and {group[1]}: write the folder before the name"
            )
    return found, [name for name in described if name not in named]
