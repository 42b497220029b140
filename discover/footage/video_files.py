"""Frames of videos into the survey: sampled, written as JPEG, and put into the frames table."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from classify.ahead import made_ahead
from classify.images import Pixels
from classify.runs import write_atomic
from discover.footage.image_files import frame_row
from discover.footage.interlace import Interlacing, deinterlaced, find_interlacing, with_neighbours
from discover.footage.sampling import Every
from discover.footage.scene import Scene
from discover.footage.video import VideoError, VideoReader
from discover.footage.video_index import VideoIndex
from discover.footage.when_where import VideoTime, WhenWhere
from discover.survey import Survey, SurveyError

if TYPE_CHECKING:
    from discover.footage.decoding import Numbers
    from discover.footage.interlace import Around, Shot

_QUALITY = 95  # of the JPEGs
_BATCH = 4  # frames that are written while the next are decoded
_EXTRACTED = re.compile(r".*_f\d{8}\.jpg")

Row = dict[str, Any]
Advance = Callable[[], None]


@dataclass
class AddedVideo:
    """What was done with one video.

    Attributes:
        file: the video.
        dive: its dive.
        frames: in the video.
        seconds: from its first frame to its last.
        sampled: frames that the sampling asks for, or that `scene` looked at.
        new: frames added.
        known: of the sampled frames, those that were in the survey.
        lost: of the sampled frames, those that cannot be decoded, or only from damaged data.
        skipped: frames that `scene` looked at and that show nothing new.
        damaged_packets: found damaged on the way.
        gaps: in its time stamps, where packets seem to be missing.
        whole: whether the file could be read to its end.
        interlacing: whether it was de-interlaced, and why.
        time: when it starts, and what says so.
    """

    file: Path
    dive: str
    frames: int = 0
    seconds: float = 0.0
    sampled: int = 0
    new: int = 0
    known: int = 0
    lost: int = 0
    skipped: int = 0
    damaged_packets: int = 0
    gaps: int = 0
    whole: bool = True
    interlacing: Interlacing = field(default_factory=Interlacing)
    time: VideoTime = field(default_factory=VideoTime)


@dataclass(frozen=True)
class Video:
    """A video that is to be added.

    Attributes:
        file: the video.
        stored: what the `video` column holds for it.
        dive: its dive.
        index: of its frames.
        first: index in the dive of its first frame.
        known: time stamps in seconds of its frames that the survey has, by number.
    """

    file: Path
    stored: str
    dive: str
    index: VideoIndex
    first: int
    known: dict[int, float]


def frame_prefix(dive: str, video: Path) -> str:
    """Return where a video's frames are kept in the survey, up to their number."""
    folder = re.sub(r"[^\w .()+,=@-]", "_", dive).strip(" .") or "_"
    return f"images/{folder}/{video.stem}_f"


def is_extracted(survey: Survey, file: Path) -> bool:
    """Return whether `file` is a frame of a video, which is no image to be added by itself."""
    images = (survey.root / "images").resolve()
    return file.is_relative_to(images) and _EXTRACTED.fullmatch(file.name) is not None


def add_video(
    survey: Survey,
    video: Video,
    *,
    every: Every,
    where: WhenWhere,
    write: Callable[[list[Row]], int],
    workers: int,
    advance: Advance,
) -> AddedVideo:
    """Add the frames of a video that the sampling asks for and that the survey does not have.

    Args:
        survey: the survey.
        video: the video.
        every: the sampling.
        where: fills in time and position.
        write: takes rows, writes those that fill a shard, or all when there are none; returns how
            many it wrote.
        workers: threads that write frames.
        advance: called for each sampled frame.

    Raises:
        VideoError: the survey's frames of this file have other time stamps: it is another file.
        SurveyError: a frame cannot be written.
    """
    index = video.index
    _check_same(video)
    numbers = every.numbers(index)
    added = AddedVideo(video.file, video.dive, len(index), float(index.seconds(len(index) - 1)))
    added.time = where.video_time(video.file, index.created)
    added.sampled, added.gaps, added.whole = len(numbers), len(index.gaps), index.whole
    wanted = _still_wanted(numbers, video, every)
    added.known = len(video.known) if every.kind == "scene" else len(numbers) - len(wanted)
    for _ in range(len(numbers) - len(wanted)):
        advance()
    if not len(wanted):
        return added
    added.interlacing = find_interlacing(video.file, index)
    with VideoReader(video.file, index) as reader:
        shots = _shots(reader, wanted, added)
        chosen = _chosen(shots, video, every, added, advance)
        make = partial(_write_frame, survey, video, added.interlacing)
        for rows in made_ahead(make, chosen, batch=_BATCH, workers=workers):
            for row in rows:
                time = added.time.at(index.seconds(row["video_frame"]))
                where.fill_video_frame(row, video.file, time)
            added.new += write(rows)
        added.damaged_packets = index.damaged + len(reader.damaged)
    added.new += write([])
    return added


def _check_same(video: Video) -> None:
    index = video.index
    for number, seconds in video.known.items():
        if number >= len(index) and not index.whole:
            continue
        if number >= len(index) or float(index.seconds(number)) != seconds:
            raise VideoError(
                f"frame {number} was at {seconds:g} s when its frames were added, and is not now: "
                "it is another file; give it another name"
            )


def _still_wanted(numbers: Numbers, video: Video, every: Every) -> Numbers:
    """Return the sampled frames that the survey does not have.

    A frame shows something new or not beside the last one that was taken, so `scene` goes on from
    the last that is known, which is decoded again for that.
    """
    if every.kind == "scene" and video.known:
        last = max(video.known)
        return np.append(last, numbers[numbers > last])
    return np.array([n for n in numbers.tolist() if n not in video.known], np.int64)


def _shots(reader: VideoReader, wanted: Numbers, added: AddedVideo) -> Iterator[Shot]:
    if added.interlacing.combed:
        return with_neighbours(reader, wanted, added.frames)
    return ((number, (None, frame, None)) for number, frame in reader.read(wanted))


def _chosen(
    shots: Iterator[Shot], video: Video, every: Every, added: AddedVideo, advance: Advance
) -> Iterator[Shot]:
    """Yield the frames to add; count those that are lost, or that show nothing new."""
    scene = Scene() if every.kind == "scene" else None
    for number, around in shots:
        advance()
        frame = around[1]
        if frame is None:
            added.lost += 1
        elif scene is not None and not scene.is_new(frame):
            added.skipped += 1
        elif number not in video.known:
            yield number, around


def _write_frame(survey: Survey, video: Video, interlacing: Interlacing, shot: Shot) -> Row:
    """Write a frame as JPEG; return its row, which is read from the file's bytes as any image's."""
    number, around = shot
    buffer = io.BytesIO()
    Image.fromarray(_upright(around, interlacing)).save(buffer, "JPEG", quality=_QUALITY)
    data = buffer.getvalue()
    stored = f"{frame_prefix(video.dive, video.file)}{number:08d}.jpg"
    try:
        write_atomic(survey.root / stored, data)
    except OSError as error:
        raise SurveyError(f"{survey.root / stored} cannot be written: {error.strerror}") from None
    row = frame_row(data, stored=stored, dive=video.dive, index=video.first + number)
    row["video"], row["video_frame"] = video.stored, number
    row["video_s"] = float(video.index.seconds(number))
    if interlacing.combed:
        row["flags"] = [*row["flags"], "deinterlaced"]
    return row


def _upright(around: Around, interlacing: Interlacing) -> Pixels:
    from av.error import FFmpegError
    from av.video.reformatter import VideoReformatter

    frame = around[1]
    assert frame is not None
    turns = frame.rotation // 90
    try:
        if interlacing.combed:
            frame = deinterlaced(around, top_first=interlacing.top_first)
        # One converter a frame, freed with it: those that frames hold on to take megabytes each.
        rgb = VideoReformatter().reformat(frame, format="rgb24", interpolation="BICUBIC", threads=1)
    except FFmpegError as error:
        raise VideoError(f"its pictures ({frame.format.name}) cannot be used: {error}") from None
    return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), turns))
