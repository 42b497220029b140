"""`discover add`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify.console import print_json, say, stages
from classify.errors import UserError
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey

if TYPE_CHECKING:
    from discover.footage.video_files import AddedVideo
    from discover.frames import Added

_LINES = 20  # of files and videos, at most


def add(
    *paths: Path,
    every: str = "1s",
    dive_from: str = "auto",
    metadata: Path | None = None,
    navigation: Path | None = None,
    max_gap: float = 60.0,
    time_from: str = "auto",
    utc_offset: str | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Add images and videos, in files and nested folders, to a survey.

    What is in it already adds nothing; a file that cannot be read is named and left out. Frames of
    videos are written into the survey as JPEG, with their number and exact time in the video.

    Example: discover add footage/2024 --every 1s --navigation usbl.csv --survey atoll

    Parameters
    ----------
    paths
        Image and video files, and folders that are searched at any depth.
    every
        Which frames of a video are taken: 1s (every so many seconds), 25f (every so many frames),
        keyframes (the video's own), or scene (looks twice a second, and skips what shows nothing
        new beside the last frame taken).
    dive_from
        How a file's dive is told: auto (a video is a dive, and so is a folder of images), folder
        (the name of the file's folder), a CSV with columns image,dive, or a regular expression
        whose first group, found in the path, is the dive.
    metadata
        BIIGLE's CSV or an iFDO (.json) that describes the files: time, position, depth, distance
        to the ground, area, heading.
    navigation
        CSV log with a time and any of latitude, longitude, depth, altitude and heading, in UTC;
        interpolated to each frame by its time.
    max_gap
        Seconds between two fixes, beyond which nothing is interpolated.
    time_from
        How times are read from file names: auto (a stamp such as 20240131_101530, where nothing
        else can be meant), name (wherever there is just one), or a format such as
        '%d%m%y-%H%M%S'. For images the EXIF comes first; for videos the container does, unless
        you say name or a format.
    utc_offset
        Offset of the clock in EXIF and file names from UTC, such as +02:00.
    """
    from discover.frames import add_footage, footage

    if not paths:
        raise UserError(
            "PATH is missing: name image or video files or folders, as in `discover add footage`"
        )
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
    opened = open_survey(survey, create=True)
    with stages(silent=as_json) as begin:
        added = add_footage(opened, given, scanning=begin("reading (MB)"), progress=begin("adding"))
    if as_json:
        print_json(_as_json(added))
        return
    for line in _lines(added, described=metadata is not None or navigation is not None):
        say(line)


def _lines(added: "Added", *, described: bool) -> list[str]:
    lines = [
        f"{added.new} frames added, {added.known} known before, {len(added.rejected)} unreadable"
    ]
    lines += _at_most(added.rejected, lambda file_and_reason: file_and_reason[1])
    lines += _at_most(added.videos, _video_line)
    counts = added.counts
    if added.absent:
        lines.append(f"  in --metadata, not given here: {len(added.absent)}, as {added.absent[0]}")
    if counts["no_metadata"]:
        lines.append(f"  added, not in --metadata: {counts['no_metadata']}")
    if counts["no_time"]:
        lines.append(
            f"  added, without a time to look up in --navigation: {counts['no_time']} "
            "(file names may tell: --time-from name)"
        )
    if counts["outside"]:
        lines.append(f"  added, outside --navigation or in a gap of it: {counts['outside']}")
    if described and added.known:
        lines.append(f"  known before, so they keep the metadata they had: {added.known}")
    return lines


def _at_most(items: list[Any], line: Any) -> list[str]:  # noqa: ANN401 - a function
    lines = [f"  {line(item)}" for item in items[:_LINES]]
    more = len(items) - _LINES
    return [*lines, f"  and {more} more; --json lists them all"] if more > 0 else lines


def _video_line(video: "AddedVideo") -> str:
    what = f"{video.file.name}: {video.new} new of {video.sampled} sampled from {video.frames}"
    notes = []
    if video.skipped:
        notes.append(f"nothing new in {video.skipped}")
    if video.lost:
        notes.append(f"LOST to damage: {video.lost} (damaged packets: {video.damaged_packets})")
    if not video.whole:
        notes.append(f"the file can be READ ONLY as far as {video.seconds:.0f} s")
    if video.gaps:
        notes.append(f"gaps in its time stamps, where frames seem to be missing: {video.gaps}")
    if video.interlacing.combed:
        notes.append("de-interlaced")
    if video.time.start is not None:
        notes.append(f"starts {video.time.start:%Y-%m-%d %H:%M:%S} UTC by its {video.time.source}")
    if video.time.other:
        notes.append(f"but its {video.time.other}")
    return "; ".join([what, *notes])


def _as_json(added: "Added") -> dict[str, Any]:
    return {
        "new": added.new,
        "known": added.known,
        "rejected": [{"file": str(f), "reason": r} for f, r in added.rejected],
        "videos": [asdict(video) for video in added.videos],
        "not_in_paths": added.absent,
        "frames_without_metadata": added.counts["no_metadata"],
        "frames_without_time": added.counts["no_time"],
        "frames_outside_navigation": added.counts["outside"],
    }
