"""Rows of the CSV files that people and instruments write; a wrong value names its row."""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from discover.footage.times import parse_time
from discover.survey import SurveyError

# Where a value must lie to be believed: a sentinel such as -999 is no measurement.
_RANGES = {
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 360.0),
    "depth_m": (-12_000.0, 12_000.0),
    "gps_altitude": (-12_000.0, 12_000.0),
    "altitude_m": (0.0, 12_000.0),
    "area_m2": (0.0, 1e6),
    "yaw_deg": (-360.0, 360.0),
}


@dataclass(frozen=True)
class Source:
    """Where a value stands, for error messages: "--metadata dive.csv: row 7"."""

    place: str

    def number(self, column: str, value: object) -> float | None:
        """Return a value as a number, or None where it is empty.

        Raises:
            SurveyError: it is no number, or lies outside what `column` can hold.
        """
        if value is None or str(value).strip().lower() in ("", "nan", "na", "null"):
            return None
        low, high = _RANGES[column]
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise SurveyError(
                f"{self.place}: {column} {str(value)!r} is not a number from {low:g} to {high:g}: "
                "write plain decimals, and leave what is not known empty"
            )
        return number

    def time(self, value: object) -> datetime | None:
        """Return a value as a point in time, or None where it is empty.

        Raises:
            SurveyError: it is none that can be told for sure.
        """
        if value is None or not str(value).strip():
            return None
        time = parse_time(str(value))
        if time is None:
            raise SurveyError(
                f"{self.place}: {str(value)!r} is no point in time: "
                "write it as 2024-01-31 10:15:30, in UTC"
            )
        return time


def read_rows(
    path: Path, option: str, aliases: Mapping[str, str]
) -> Iterator[tuple[Source, dict[str, str]]]:
    """Yield the rows of a CSV: where each stands, and its values by our names of the columns.

    Args:
        path: a file with a header; commas, semicolons or tabs between the values.
        option: of the command line, for error messages.
        aliases: our name of a column, by its name in the file as `plain` gives it. Other columns
            are left out.

    Raises:
        SurveyError: the file cannot be read, two columns mean the same, or a row has another
            number of values than the header.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            header = handle.readline()
            delimiter = max(",;\t", key=header.count)
            handle.seek(0)
            rows = csv.reader(handle, delimiter=delimiter)
            names = [aliases.get(plain(name)) for name in next(rows, [])]
            _check_names(names, header, f"{option} {path}")
            for row in rows:
                if not any(value.strip() for value in row):
                    continue
                source = Source(f"{option} {path}: row {rows.line_num}")
                if len(row) != len(names):
                    raise SurveyError(
                        f"{source.place}: {len(row)} values, but the header names {len(names)}: "
                        "quote values that hold the delimiter"
                    )
                yield source, {n: v.strip() for n, v in zip(names, row, strict=True) if n}
    except OSError as error:
        raise SurveyError(f"{option} {path}: {error.strerror}") from None
    except csv.Error as error:
        raise SurveyError(f"{option} {path} is no CSV: {error}") from None
    except UnicodeDecodeError:
        raise SurveyError(
            f"{option} {path}: row {_undecodable_row(path)} is not UTF-8: save the file as "
            '"CSV UTF-8"'
        ) from None


def _undecodable_row(path: Path) -> int:
    data = path.read_bytes()
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def plain(name: str) -> str:
    """Return a column's name in small letters, without unit or vehicle: "ROV Depth (m)" = depth."""
    name = re.sub(r"\(.*?\)|\[.*?\]", "", name.lower())
    name = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
    name = re.sub(r"^(rov|auv|vehicle)_", "", name)
    return re.sub(r"_(m|deg|degrees|dd|utc)$", "", name)


def _check_names(names: list[str | None], header: str, place: str) -> None:
    for name in names:
        if name is not None and names.count(name) > 1:
            raise SurveyError(
                f"{place}: two columns of the header {header.strip()!r} give {name}: leave one"
            )
