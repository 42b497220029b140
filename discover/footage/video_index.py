"""The index of a video: the time stamp of each of its frames, made once.

A frame's number is its rank among the time stamps, so it survives a seek: whatever frame the
decoder gives out, its stamp tells its number. The stamps stand in the packets, which are read
without being decoded, at the speed of the disk. Old containers (AVI, MPEG program streams) do not
keep them, or not all; such a video is decoded once for its index, and its frames are counted.
"""

from __future__ import annotations

import io
import json
import zipfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from classify.runs import content_hash, write_atomic
from discover.footage.decoding import Numbers
from discover.footage.video import VideoError, open_video, read_packets

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PROBE = 16  # frames that are decoded to see whether the packets' stamps are those of the frames
_DISORDER = 64  # places; more means that the stamps jump, since decoders reorder 16 at most
_UNKNOWN = np.iinfo(np.int64).min
_NONE = np.zeros(0, np.int64)
_VERSION = 1  # of the file in the cache

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VideoIndex:
    """The frames of a video, in the order in which they are shown.

    Attributes:
        pts: int64 [frames], their time stamps in `time_base`, increasing.
        keys: int64 [keys], time stamps of the packets that decoding can begin with, increasing.
        time_base: seconds a unit.
        packet_is_frame: whether each packet makes one frame.
        counted: whether frames are told by counting, since their own stamps cannot be trusted.
        damaged: reads that failed, and packets without a stamp or that cannot be decoded at the
            start of the file.
        created: the container's creation time as it is written there, or None.
        gaps: int64 [gaps], numbers of the frames before which packets seem to be missing.
        whole: whether the file could be read to its end.
    """

    pts: Numbers
    keys: Numbers
    time_base: Fraction
    packet_is_frame: bool = True
    counted: bool = False
    damaged: int = 0
    created: str | None = None
    gaps: Numbers = field(default_factory=lambda: _NONE)
    whole: bool = True

    def __len__(self) -> int:
        return len(self.pts)

    def seconds(self, number: int) -> Fraction:
        """Return the time of a frame after the first one, exactly."""
        return int(self.pts[number] - self.pts[0]) * self.time_base

    def number(self, pts: int | None) -> int | None:
        """Return the number of the frame with a time stamp, or None where there is none."""
        if pts is None:
            return None
        place = self.place(pts)
        return place if place < len(self.pts) and self.pts[place] == pts else None

    def place(self, pts: int) -> int:
        """Return the number of the first frame that is shown at a time stamp or after it."""
        return int(np.searchsorted(self.pts, pts))

    def key_before(self, number: int, *, skip: int = 0) -> int | None:
        """Return the stamp of the key frame to decode a frame from; None = the file's start.

        Args:
            number: of the frame.
            skip: key frames to go back beyond the nearest.
        """
        if self.counted:
            return None
        place = int(np.searchsorted(self.keys, self.pts[number], side="right")) - 1 - skip
        return int(self.keys[place]) if place >= 0 else None


def index_video(path: Path, cache: Path, progress: Progress | None = None) -> VideoIndex:
    """Return the index of a video, from the cache where it is there.

    Args:
        path: the video.
        cache: folder that may be emptied at any time.
        progress: called with (megabytes read, megabytes in all).

    Raises:
        VideoError: the file is no video, or nothing in it can be decoded.
    """
    state = path.stat()
    name = content_hash([str(path), state.st_size, state.st_mtime_ns, _VERSION], 16)
    kept = cache / f"{name}.npz"
    if kept.is_file():
        try:
            return _from_bytes(kept.read_bytes())
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            pass  # it is made again
    index = scan_video(path, progress)
    if index.whole:
        write_atomic(kept, _as_bytes(index))
    return index


def scan_video(path: Path, progress: Progress | None = None) -> VideoIndex:
    """Make the index of a video; arguments and errors as in `index_video`."""
    read = _read_stamps(path, progress)
    pts, keys = np.sort(read.pts), np.sort(read.keys)
    if len(pts) and (np.diff(pts) > 0).all() and _disorder(read.pts) < _DISORDER:
        silent = _silent_at_start(path, pts, keys)
        if silent is not None:
            shown = pts[silent:]
            return VideoIndex(
                shown,
                keys,
                read.time_base,
                damaged=read.damaged + silent,
                created=read.created,
                gaps=_gaps(shown) if read.resyncs else _NONE,
                whole=read.whole,
            )
    decoded = _decoded_stamps(path)
    if not len(decoded):
        raise VideoError("no frame of it can be decoded")
    if (decoded == _UNKNOWN).all():
        raise VideoError("its frames have no time stamps: write it anew as .mp4 or .mkv")
    counted = not (np.diff(decoded[:, 0]) > 0).all()
    stamps = _in_order(decoded) if counted else decoded[:, 0]
    return VideoIndex(
        stamps,
        np.intersect1d(keys, stamps),
        read.time_base,
        packet_is_frame=False,
        counted=counted,
        damaged=read.damaged,
        created=read.created,
        whole=read.whole,
    )


@dataclass
class _Stamps:
    """What the packets of a video say."""

    pts: Numbers  # in the order of decoding, of the packets that are shown
    keys: Numbers
    damaged: int
    whole: bool
    time_base: Fraction
    created: str | None
    resyncs: bool  # a damaged part is passed over, so that packets vanish without a trace


def _read_stamps(path: Path, progress: Progress | None) -> _Stamps:
    pts, keys, bad = array("q"), array("q"), []
    size, whole = path.stat().st_size, True
    with open_video(path) as (container, stream):
        created = container.metadata.get("creation_time") or stream.metadata.get("creation_time")
        time_base = stream.time_base
        resyncs = "mp4" not in container.format.name  # which lists its packets
        try:
            for packet in read_packets(container, stream, lambda: bad.append(1)):
                if packet.pts is None:
                    bad.append(1)
                    continue
                if not packet.is_discard:  # cut out by an edit list
                    pts.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if progress and packet.pos and len(pts) % 512 == 0:
                    progress(packet.pos // 1_000_000, size // 1_000_000)
        except VideoError:
            whole = False
    if not time_base:
        raise VideoError("its frames have no time stamps")
    exact = Fraction(time_base.numerator, time_base.denominator)
    stamps = np.array(pts, np.int64), np.array(keys, np.int64)
    return _Stamps(*stamps, len(bad), whole, exact, created, resyncs)


def _gaps(pts: Numbers) -> Numbers:
    """Return the frames that follow a gap in a video of constant rate, if there are but a few.

    Where frames are missing here and there throughout, the camera left them out.
    """
    steps = np.diff(pts)
    if not len(steps):
        return _NONE
    usual = np.median(steps)
    after = np.flatnonzero(steps >= 1.5 * usual) + 1
    uneven = (np.abs(steps - usual) > 0.1 * usual).sum() - len(after)
    few = len(after) <= max(3, len(pts) // 2000) and uneven <= len(pts) // 100
    return after if few else _NONE


def _disorder(pts: Numbers) -> int:
    """Return how many places the order of decoding lies from that of showing, at most."""
    ranks = np.argsort(np.argsort(pts, kind="stable"), kind="stable")
    return int(np.abs(ranks - np.arange(len(pts))).max())


def _silent_at_start(path: Path, pts: Numbers, keys: Numbers) -> int | None:
    """Return how many packets at the start show nothing, as where a recording was cut.

    None means that packets and frames do not correspond one to one: frames that were decoded, at
    the start or (where it is damaged) from a later key frame on, do not follow one another in the
    packets' stamps.
    """
    later = [int(keys[len(keys) * part // 5]) for part in range(1, 5)] if len(keys) else []
    for start in (None, *later):
        with open_video(path) as (container, stream):
            if start is not None:
                container.seek(start, stream=stream)
            frames = islice(_decoded(container, stream), _PROBE)
            shown = [
                f.pts for f in frames if f.pts is not None and (start is None or f.pts >= start)
            ]
        if shown:
            place = int(np.searchsorted(pts, shown[0]))
            if pts[place : place + len(shown)].tolist() == shown:
                return place if start is None else 0
    return None


def _decoded_stamps(path: Path) -> Numbers:
    """Decode a whole video; return [frames, 2], the frames' own stamps and those of decoding."""
    with open_video(path) as (container, stream):
        stamps = [(frame.pts, frame.dts) for frame in _decoded(container, stream)]
    missing = _UNKNOWN
    rows = [(missing if p is None else p, missing if d is None else d) for p, d in stamps]
    return np.array(rows, np.int64).reshape(-1, 2)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    from av.error import FFmpegError

    with suppress(VideoError):
        for packet in chain(read_packets(container, stream, lambda: None), [None]):
            with suppress(FFmpegError):
                yield from stream.codec_context.decode(packet)


def _in_order(shown: Numbers) -> Numbers:
    """Return increasing stamps of frames whose own are not.

    Of the two kinds of stamps the one that increases more often is taken. A stamp that does not
    increase is taken as one step after the last; when the next does not either, time has started
    anew, and goes on from there.
    """
    rising = (np.diff(np.maximum(shown, -1), axis=0) > 0).sum(axis=0)
    stamps = shown[:, int(rising[1] > rising[0])]
    known = np.flatnonzero(stamps != _UNKNOWN)
    steps = np.diff(stamps[known])
    step = int(np.median(steps[steps > 0])) if (steps > 0).any() else 1
    last = int(stamps[known[0]] - (known[0] + 1) * step) if len(known) else -step
    ordered, offset, stuck = array("q"), 0, False
    for raw in stamps.tolist():
        later = [s for s in (raw, raw + offset) if s > last and raw != _UNKNOWN]
        if not later and stuck and raw != _UNKNOWN:
            offset = last + step - raw
        stuck = not later and not stuck
        last = min(later, default=last + step)
        ordered.append(last)
    return np.array(ordered, np.int64)


def _as_bytes(index: VideoIndex) -> bytes:
    facts = {
        "time_base": [index.time_base.numerator, index.time_base.denominator],
        "packet_is_frame": index.packet_is_frame,
        "counted": index.counted,
        "damaged": index.damaged,
        "created": index.created,
    }
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, pts=index.pts, keys=index.keys, gaps=index.gaps, facts=text)
    return buffer.getvalue()


def _from_bytes(data: bytes) -> VideoIndex:
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        facts = json.loads(kept["facts"].tobytes())
        time_base = Fraction(*facts.pop("time_base"))
        return VideoIndex(kept["pts"], kept["keys"], time_base, gaps=kept["gaps"], **facts)
