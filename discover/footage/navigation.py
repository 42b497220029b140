"""Navigation logs: where the vehicle was, at any time between two fixes that are not far apart."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from discover.footage.tabular import Source, read_rows
from discover.survey import SurveyError

POSITION = ("lat", "lon", "depth_m", "altitude_m", "area_m2", "yaw_deg")
_CIRCULAR = {"lon", "yaw_deg"}  # 359 is next to 1
_ALIASES = {
    **dict.fromkeys(("time", "timestamp", "datetime", "date_time", "utc", "taken_at"), "time"),
    **dict.fromkeys(("unixtime", "unix_time", "posix_time", "epoch", "gps_time"), "time"),
    **dict.fromkeys(("date", "utc_date", "day"), "date"),
    **dict.fromkeys(("lat", "latitude"), "lat"),
    **dict.fromkeys(("lon", "lng", "long", "longitude"), "lon"),
    "depth": "depth_m",
    **dict.fromkeys(("altitude", "alt", "distance_to_ground", "height_above_bottom"), "altitude_m"),
    **dict.fromkeys(("height_above_seafloor", "range_to_bottom", "dvl_altitude"), "altitude_m"),
    **dict.fromkeys(("heading", "hdg", "yaw"), "yaw_deg"),
}

Fix = tuple[datetime, dict[str, float]]


@dataclass(frozen=True)
class Track:
    """Values over time.

    Attributes:
        series: for each column the times (seconds since 1970, increasing) and its values there.
        holds: whether a column with one value has it at every time.
    """

    series: dict[str, tuple[list[float], list[float]]]
    holds: bool = False

    def at(self, time: datetime, max_gap: float) -> dict[str, float]:
        """Return the columns' values at `time`.

        Between two fixes they are interpolated: headings and longitudes the short way round.

        Args:
            time: in UTC.
            max_gap: seconds; between fixes farther apart nothing is said, nor outside the track.
        """
        found = {}
        for name, (times, values) in self.series.items():
            if self.holds and len(values) == 1:
                found[name] = values[0]
                continue
            value = _interpolated(times, values, time.timestamp(), max_gap, name in _CIRCULAR)
            if value is not None:
                found[name] = normalised(name, value)
        return found


def track_of(fixes: Iterable[Fix], *, holds: bool = False) -> Track:
    """Return the track through `fixes`, in any order; of two at one time the first counts."""
    series: dict[str, dict[float, float]] = {}
    for time, values in fixes:
        for name, value in values.items():
            series.setdefault(name, {}).setdefault(time.timestamp(), value)
    return Track(
        {n: (sorted(points), [points[t] for t in sorted(points)]) for n, points in series.items()},
        holds,
    )


def normalised(name: str, value: float) -> float:
    """Return a longitude within -180..180 and a heading within 0..360; others as they are."""
    if name == "lon":
        return (value + 180) % 360 - 180
    return value % 360 if name == "yaw_deg" else value


def read_navigation(path: Path) -> Track:
    """Read a log: a CSV with a time and any of position, depth, altitude and heading.

    Columns go by their usual names, such as `timestamp,latitude,longitude,depth,altitude,heading`,
    with units or without; date and time of day may stand apart. Times are UTC unless they say
    otherwise. Depths that are all negative are elevations, and change their sign.

    Raises:
        SurveyError: a column is missing or a value is wrong; the message names row and value.
    """
    fixes = [_fix(source, row) for source, row in read_rows(path, "--navigation", _ALIASES)]
    if not fixes:
        raise SurveyError(f"--navigation {path} has no rows")
    track = track_of(fix for fix in fixes if fix is not None)
    if not track.series:
        raise SurveyError(
            f"--navigation {path} says nothing of position: needs columns such as "
            "time,lat,lon,depth,altitude,heading"
        )
    times, depths = track.series.get("depth_m", ([], []))
    if depths and max(depths) <= 0:
        track.series["depth_m"] = (times, [-depth for depth in depths])
    return track


def _fix(source: Source, row: dict[str, str]) -> Fix | None:
    if "time" not in row:
        raise SurveyError(
            f"{source.place}: no column is the time: name one time, timestamp or datetime"
        )
    text = f"{row['date']} {row['time']}" if row.get("date") else row["time"]
    time = source.time(text)
    values = {n: source.number(n, row[n]) for n in POSITION if n in row}
    known = {n: v for n, v in values.items() if v is not None}
    if time is None and known:
        raise SurveyError(f"{source.place}: the time is empty: fill it in, or remove the row")
    return None if time is None else (time, known)


def _interpolated(
    times: list[float], values: list[float], at: float, max_gap: float, circular: bool
) -> float | None:
    place = bisect_left(times, at)
    if place < len(times) and times[place] == at:
        return values[place]
    if place in (0, len(times)) or times[place] - times[place - 1] > max_gap:
        return None
    before, after = times[place - 1], times[place]
    step = values[place] - values[place - 1]
    if circular:
        step = (step + 180) % 360 - 180
    return values[place - 1] + step * (at - before) / (after - before)
