"""When and where each frame was taken: from its own file, metadata files and navigation logs."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

from discover.footage.metadata import Described, matched, read_metadata
from discover.footage.navigation import Track, read_navigation
from discover.footage.times import NameTimes, clock_time, parse_offset
from discover.survey import SurveyError

_EPOCH = datetime.fromtimestamp(0, UTC)  # for what holds at any time


@dataclass(frozen=True)
class VideoTime:
    """When a video starts.

    Attributes:
        start: in UTC; None where unknown.
        source: what says so: "metadata", "name" or "container".
        other: what another source says, where it differs by more than two seconds.
    """

    start: datetime | None = None
    source: str = ""
    other: str = ""

    def at(self, seconds: Fraction) -> datetime | None:
        """Return the time of a frame, `seconds` after the first."""
        if self.start is None:
            return None
        return self.start + timedelta(microseconds=round(seconds * 1_000_000))


@dataclass
class WhenWhere:
    """Fills in time and position of the frames' rows, and counts what it could not.

    Attributes:
        described: what the metadata file says of the files.
        navigation: the log, or None.
        name_times: reads times from file names.
        max_gap: seconds between two fixes, beyond which nothing is interpolated.
        absent: names in the metadata file that no file has.
        has_metadata: whether there is a metadata file.
        counts: of the frames filled in, `no_metadata` are not described, `no_time` have no time
            to look up in the log, and `outside` lie outside of the log or in a gap.
    """

    described: Mapping[Path, Described] = field(default_factory=dict)
    navigation: Track | None = None
    name_times: NameTimes = field(default_factory=NameTimes)
    max_gap: float = 60.0
    absent: list[str] = field(default_factory=list)
    has_metadata: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def fill_image(self, row: dict[str, Any], file: Path) -> None:
        """Fill in an image's row, which holds what its EXIF says."""
        said = self.described.get(file)
        time = (said.start if said else None) or row["time_utc"] or self.name_times(file)
        self._fill(row, file, time)

    def video_time(self, file: Path, container: str | None) -> VideoTime:
        """Return when a video starts; `container` is its creation time as written in it."""
        said = self.described.get(file)
        named, written = self.name_times(file), clock_time(container)
        if said and said.start:
            return VideoTime(said.start, "metadata")
        sources = [("name", named), ("container", written)]
        if not self.name_times.asked:
            sources.reverse()
        known = [(source, time) for source, time in sources if time is not None]
        if not known:
            return VideoTime()
        (source, start), *rest = known
        other = next((f"{s} says {t:%Y-%m-%d %H:%M:%S}" for s, t in rest if _differ(t, start)), "")
        return VideoTime(start, source, other)

    def fill_video_frame(self, row: dict[str, Any], file: Path, time: datetime | None) -> None:
        """Fill in the row of a frame of the video `file`."""
        self._fill(row, file, time)

    def _fill(self, row: dict[str, Any], file: Path, time: datetime | None) -> None:
        row["time_utc"] = time
        if self.navigation is not None:
            found = self.navigation.at(time, self.max_gap) if time else {}
            if not found:
                self.counts["outside" if time else "no_time"] += 1
            row |= found
        said = self.described.get(file)
        if said is not None:
            row |= said.track.at(time or _EPOCH, self.max_gap)
        elif self.has_metadata:
            self.counts["no_metadata"] += 1


def _differ(one: datetime, other: datetime) -> bool:
    return abs(one - other) > timedelta(seconds=2)


def when_where(
    files: Iterable[Path],
    is_video: Callable[[Path], bool],
    *,
    metadata: Path | None = None,
    navigation: Path | None = None,
    max_gap: float = 60.0,
    time_from: str = "auto",
    utc_offset: str | None = None,
) -> WhenWhere:
    """Read and check the sources that were named; nothing is written.

    Args:
        files: that are to be added.
        is_video: tells the videos among them.
        metadata: BIIGLE's CSV or an iFDO, see `read_metadata`.
        navigation: a log, see `read_navigation`.
        max_gap: seconds between two fixes, beyond which nothing is interpolated.
        time_from: how times are read from file names, see `NameTimes`.
        utc_offset: offset of the clock in EXIF and file names, such as +02:00.

    Raises:
        SurveyError: one of the sources or options is wrong.
    """
    if not max_gap > 0:
        raise SurveyError(f"--max-gap {max_gap:g} is no time: give seconds above 0, such as 60")
    zone: timezone = parse_offset(utc_offset) if utc_offset else UTC
    described: dict[Path, Described] = {}
    absent: list[str] = []
    if metadata is not None:
        described, absent = matched(read_metadata(metadata), files, is_video)
    return WhenWhere(
        described,
        None if navigation is None else read_navigation(navigation),
        NameTimes(time_from, zone),
        max_gap,
        absent,
        metadata is not None,
    )
