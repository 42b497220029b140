"""Frames of a video by their numbers; what damage costs is counted, never passed over.

PyAV brings FFmpeg's libraries along. It is imported when a video is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from classify.errors import UserError
from classify.images import ImageError
from discover.footage.decoding import THREADS, Numbers, Run

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from discover.footage.decoding import VideoPacket
    from discover.footage.video_index import VideoIndex

_FAILURES = 100  # reads that fail one after the other, before the rest counts as unreadable
_JUMP = 8  # frames: it pays to leave out what lies before a key frame that is farther ahead
_NEAR = 300  # frames: packets are skipped up to a key frame no farther ahead; beyond it one seeks


class VideoError(ImageError):
    """A video that cannot be read; the message gives the file and the reason."""


def import_av() -> ModuleType:
    """Return PyAV.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise UserError(
            "videos need PyAV: run `pip install 'rov-discover[video]'`, or name only images"
        ) from None
    return av


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and its first video stream.

    Raises:
        VideoError: it is no video, or holds none that can be decoded.
        UserError: PyAV is not installed.
    """
    av = import_av()
    try:
        container = av.open(str(path))
    except (av.error.InvalidDataError, ValueError):
        raise VideoError("not a video, or cut off before its index was written") from None
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(getattr(error, "strerror", None) or str(error)) from None
    with container:
        cover = av.stream.Disposition.attached_pic
        for stream in container.streams.video:
            if stream.codec_context is not None and not stream.disposition & cover:
                stream.codec_context.thread_type = "AUTO"
                stream.codec_context.thread_count = THREADS
                yield container, stream
                return
        raise VideoError("it holds no video that can be decoded")


def read_packets(
    container: InputContainer, stream: VideoStream, failed: Callable[[], None]
) -> Iterator[VideoPacket]:
    """Yield the stream's packets from where the container stands; damaged reads are passed over.

    Args:
        container: opened.
        stream: of it.
        failed: called for each read that fails.

    Raises:
        VideoError: a hundred reads in a row failed: the rest of the file cannot be read.
    """
    from av.error import FFmpegError

    failures = 0
    while True:
        try:
            for packet in container.demux(stream):
                failures = 0
                if packet.size:
                    yield packet
            return
        except IndexError:
            return  # the end, where damage made the demuxer see streams that PyAV has no place for
        except FFmpegError as error:
            failures += 1
            failed()
            if failures >= _FAILURES:
                raise VideoError(f"the rest of it cannot be read ({error})") from None


class VideoReader:
    """Reads frames of one video; a context manager.

    Frames are numbered in the order in which they are shown, from 0.

    Attributes:
        damaged: time stamps of the packets that were met and found damaged.
        height: of the picture, pixels.
        field_order: FFmpeg's AVFieldOrder, as the stream says.
    """

    def __init__(self, path: Path, index: VideoIndex) -> None:
        self.damaged: set[int] = set()
        self._path = path
        self._index = index
        self._open()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)

    def read(self, numbers: Numbers) -> Iterator[tuple[int, VideoFrame | None]]:
        """Yield the frames `numbers` (increasing); None for one that is lost to damage.

        What lies between them is decoded only where it must be: from the key frame before.
        """
        run: Run | None = None
        keys = [self._index.key_before(number) for number in numbers.tolist()]
        for place, number in enumerate(numbers.tolist()):
            key = keys[place]
            following = keys[place + 1] if place + 1 < len(keys) else None
            last = following is not None and self._index.place(following) >= number + _JUMP
            fresh = run is None or self._must_start(run, key)
            if run is None or fresh:
                run = self._start(key, numbers)
            frame = run.take(number, last=last)
            if frame is None and fresh and key is not None:
                # That key frame may not do, as where a camera refreshes its picture bit by bit.
                run = self._start(self._index.key_before(number, skip=1), numbers)
                frame = run.take(number, last=last)
            yield number, frame

    def _must_start(self, run: Run, key: int | None) -> bool:
        """Return whether to leave the run for another that begins with `key`."""
        if self._index.counted or key is None:
            return False
        ahead = self._index.place(key) - run.position
        if run.ended:
            return ahead > 0  # only where reading failed is there anything behind
        return run.drained or ahead > _JUMP

    def _start(self, key: int | None, numbers: Numbers) -> Run:
        """Return a run from the key frame with time stamp `key`, or from the start of the file."""
        packets = self._packets_from(key)
        context = self._stream.codec_context
        return Run(context, packets, self._index, numbers, self.damaged)

    def _packets_from(self, key: int | None) -> Iterator[VideoPacket]:
        if key is not None:
            ahead = self._index.place(key) - self._at
            if 0 < ahead <= _NEAR and (found := self._skipped_to(key)):
                self._stream.codec_context.flush_buffers()
                return found
            for skip in (0, 1, 8):  # a seek may land behind its aim
                earlier = self._index.key_before(self._index.place(key), skip=skip)
                if earlier is not None and self._seek(earlier) and (found := self._skipped_to(key)):
                    return found
        self.__exit__()
        self._open()
        found = None if key is None else self._skipped_to(key)
        return found or self._packets

    def _skipped_to(self, key: int) -> Iterator[VideoPacket] | None:
        """Return the packets from that key frame on, or None where they do not come to it."""
        for packet in self._packets:
            if packet.is_keyframe and packet.pts is not None and packet.pts >= key:
                return chain([packet], self._packets) if packet.pts == key else None
        return None

    def _seek(self, pts: int) -> bool:
        from av.error import FFmpegError

        try:
            self._container.seek(pts, stream=self._stream)
        except FFmpegError:
            return False
        self._packets = self._from_here()
        return True

    def _open(self) -> None:
        self._opened = open_video(self._path)
        self._container, self._stream = self._opened.__enter__()
        self.height = self._stream.codec_context.height
        self.field_order = self._stream.codec_context.field_order
        self._packets = self._from_here()

    def _from_here(self) -> Iterator[VideoPacket]:
        """Return the packets from where the container stands; `_at` follows them."""
        self._at = -1
        return self._followed()

    def _followed(self) -> Iterator[VideoPacket]:
        try:
            for packet in read_packets(self._container, self._stream, lambda: None):
                if packet.pts is not None:
                    self._at = max(self._at, self._index.place(packet.pts))
                yield packet
        except VideoError:
            return  # what is missing for that is reported as lost, frame by frame
