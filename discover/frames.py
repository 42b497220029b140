"""Images and videos in: the frames table."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timezone
from functools import partial
from pathlib import Path
from typing import Any

from classify.images import ImageError
from discover.footage.dives import DiveOf, dive_rule
from discover.footage.image_files import find_files, frame_row, is_video
from discover.footage.places import KnownFrames, PlannedImage
from discover.footage.sampling import Every, parse_every
from discover.footage.video import import_av
from discover.footage.video_files import AddedVideo, add_video, is_extracted
from discover.footage.when_where import WhenWhere, when_where
from discover.survey import Survey, concat_rows, unit_name

log = logging.getLogger(__name__)

CHUNK = 256  # frames a shard: what a kill can cost at most

Progress = Callable[[int, int], None]
Row = dict[str, Any]


@dataclass
class Added:
    """What `add_frames` did.

    Attributes:
        new: frames added.
        known: frames that were in the survey already.
        rejected: (file, reason) for each that could not be read.
        videos: what was done with each video.
        absent: names in the metadata file that no file has.
        counts: of the frames added, `no_metadata` have no row in the metadata file, `no_time` have
            no time to look up in the navigation log, and `outside` lie outside of it or in a gap.
    """

    new: int = 0
    known: int = 0
    rejected: list[tuple[Path, str]] = field(default_factory=list)
    videos: list[AddedVideo] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Footage:
    """Files that are to be added, and how; made and checked by `footage`."""

    files: list[Path]
    dive_of: DiveOf
    every: Every
    where: WhenWhere


def footage(
    paths: Iterable[str | Path],
    *,
    dive_from: str = "auto",
    every: str = "1s",
    metadata: str | Path | None = None,
    navigation: str | Path | None = None,
    max_gap: float = 60.0,
    time_from: str = "auto",
    utc_offset: str | None = None,
) -> Footage:
    """Find the files and check all that can be wrong with the options; nothing is written.

    Arguments as in `add_frames`.

    Raises:
        UserError: a path or an option is wrong, or a video is among the files and PyAV is missing.
    """
    files = find_files([Path(p) for p in paths])
    if any(map(is_video, files)):
        import_av()
    where = when_where(
        files,
        is_video,
        metadata=None if metadata is None else Path(metadata),
        navigation=None if navigation is None else Path(navigation),
        max_gap=max_gap,
        time_from=time_from,
        utc_offset=utc_offset,
    )
    return Footage(files, dive_rule(dive_from, is_video), parse_every(every), where)


def add_frames(
    survey: Survey,
    paths: Iterable[str | Path],
    *,
    dive_from: str = "auto",
    every: str = "1s",
    metadata: str | Path | None = None,
    navigation: str | Path | None = None,
    max_gap: float = 60.0,
    time_from: str = "auto",
    utc_offset: str | None = None,
    workers: int = 2,
    progress: Progress | None = None,
    scanning: Progress | None = None,
) -> Added:
    """Add the images and videos in `paths` to the survey. What is in it already adds nothing.

    Args:
        survey: the survey to add to.
        paths: image and video files, and folders that are searched at any depth.
        dive_from: how a file's dive is told, see `dive_rule`.
        every: which frames of a video are taken: "1s", "25f", "keyframes" or "scene".
        metadata: BIIGLE's CSV or an iFDO that describes the files.
        navigation: a CSV log of times and positions.
        max_gap: seconds between two fixes, beyond which positions are not interpolated.
        time_from: how times are read from file names: "auto", "name" or a format of strptime.
        utc_offset: offset of the clock in EXIF and file names from UTC, such as "+02:00".
        workers: threads that decode images and write frames.
        progress: called with (frames done, frames in all).
        scanning: called with (megabytes read, in all) while a video's time stamps are read.

    Returns:
        What was added, what was known, and which files could not be read and why.

    Raises:
        UserError: a path or option is wrong, or PyAV is missing. An unreadable file never stops
            the run.
    """
    given = footage(
        paths,
        dive_from=dive_from,
        every=every,
        metadata=metadata,
        navigation=navigation,
        max_gap=max_gap,
        time_from=time_from,
        utc_offset=utc_offset,
    )
    return add_footage(survey, given, workers=workers, progress=progress, scanning=scanning)


def add_footage(
    survey: Survey,
    given: Footage,
    *,
    workers: int = 2,
    progress: Progress | None = None,
    scanning: Progress | None = None,
) -> Added:
    """Add what `footage` found to the survey; arguments as in `add_frames`.

    The rows of frames that are known are not changed, whatever the metadata says now.
    """
    survey.frames.set_aside_damaged()
    result = Added(absent=given.where.absent, counts=given.where.counts)
    images = [f for f in given.files if not is_video(f) and not is_extracted(survey, f)]
    reject = partial(_reject, result)
    known = KnownFrames(survey)
    planned = known.place_images(images, given.dive_of, reject)
    result.known = len(images) - len(planned) - len(result.rejected)
    videos = known.place_videos(filter(is_video, given.files), given.dive_of, reject, scanning)
    total = len(images) + sum(len(given.every.numbers(video.index)) for video in videos)
    done = len(images) - len(planned)

    def advance() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    _add_images(survey, planned, given.where, result, workers, advance)
    for video in videos:
        shards = _Shards(survey)
        try:
            added = add_video(
                survey,
                video,
                every=given.every,
                where=given.where,
                write=shards.write,
                workers=workers,
                advance=advance,
            )
        except ImageError as error:
            _reject(result, video.file, f"{video.file.name}: {error}")
            continue
        result.videos.append(added)
        result.new += added.new
        result.known += added.known
    return result


def _add_images(
    survey: Survey,
    planned: list[PlannedImage],
    where: WhenWhere,
    result: Added,
    workers: int,
    advance: Callable[[], None],
) -> None:
    read = partial(_read_image, zone=where.name_times.zone)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(planned), CHUNK):
            part = planned[start : start + CHUNK]
            shard = _Shards(survey)
            for item, row in zip(part, pool.map(read, part), strict=True):
                advance()
                if isinstance(row, str):
                    _reject(result, item.file, row)
                    continue
                where.fill_image(row, item.file)
                shard.rows.append(row)
            result.new += shard.write([])


def _read_image(item: PlannedImage, zone: timezone) -> Row | str:
    """Return the row of one file, or why it cannot be read."""
    try:
        data = item.file.read_bytes()
        return frame_row(data, stored=item.stored, dive=item.dive, index=item.index, zone=zone)
    except ImageError as error:
        return f"{item.file.name}: {error}"
    except OSError as error:
        return f"{item.file.name}: {error.strerror}"


def _reject(result: Added, file: Path, reason: str) -> None:
    result.rejected.append((file, reason))
    log.warning("skipped %s", reason)


@dataclass
class _Shards:
    """Collects rows, and writes them as soon as they fill a shard."""

    survey: Survey
    rows: list[Row] = field(default_factory=list)

    def write(self, rows: list[Row]) -> int:
        """Take rows and write what fills a shard, or all when there are none; return how many."""
        self.rows += rows
        written = 0
        while len(self.rows) >= CHUNK or (self.rows and not rows):
            part, self.rows = self.rows[:CHUNK], self.rows[CHUNK:]
            columns = {n: [row[n] for row in part] for n in self.survey.frames.schema.names}
            unit = unit_name(columns["frame_id"])
            self.survey.frames.write(unit, concat_rows(columns, "frames"))
            written += len(part)
        return written
