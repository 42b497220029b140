"""One stretch of decoding a video, from a key frame on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from discover.footage.damage import Damage

if TYPE_CHECKING:
    from av import Packet, VideoCodecContext, VideoFrame
    from av.video.stream import VideoStream

    from discover.footage.video_index import VideoIndex

    VideoPacket = Packet[VideoStream]

THREADS = 2  # of the decoder; it reports an error up to as many packets late
_DELAY = 20  # packets that a decoder may hold back: 16 to bring them into order, and its threads
_AHEAD = 2  # packets looked at behind a frame, since damage shows late

Numbers = npt.NDArray[np.int64]


class Run:
    """Decodes packets one by one, and gives out the frames that are asked for.

    A frame is held back until the packets that it may depend on have come out of the decoder, or
    have not.

    Args:
        context: of the decoder, fresh or flushed.
        packets: from a key frame on.
        index: of the video.
        wanted: numbers of the frames to hold on to, increasing.
        damaged: takes the time stamps of the packets that are found damaged.

    Attributes:
        ended: whether all packets were read.
        drained: whether the decoder has given out everything.
        position: the highest number of a frame whose packet was read.
    """

    def __init__(
        self,
        context: VideoCodecContext,
        packets: Iterator[VideoPacket],
        index: VideoIndex,
        wanted: Numbers,
        damaged: set[int],
    ) -> None:
        self.ended = self.drained = False
        self.position = -1
        self._context = context
        self._packets = packets
        self._index = index
        self._wanted = wanted
        self._damaged = damaged
        self._damage = Damage()
        self._fed = 0  # packets, so far
        self._shown = -1  # the highest number that came out
        self._pending: dict[int, int] = {}  # ordinals by time stamp, of packets not yet come out
        self._fed_at: dict[int, int] = {}  # ordinals by number
        self._held: dict[int, tuple[int, VideoFrame]] = {}  # (ordinal, frame) by number
        self._first: int | None = None  # time stamp of the key frame that the run begins with
        self._gaps = index.gaps.tolist()

    def take(self, number: int, *, last: bool) -> VideoFrame | None:
        """Return a frame, or None where it is lost or depends on damaged packets.

        Args:
            number: of a wanted frame; higher than in the call before.
            last: whether none of the frames soon after it is wanted, so that the decoder may be
                drained for it.
        """
        while not self.drained and not self._settled(number):
            if last and self._may_drain(number):
                self._drain()
            else:
                self._feed()
        held = self._held.pop(number, None)
        for passed in [n for n in self._held if n < number]:
            del self._held[passed]
        if held is None:
            return None
        ordinal, frame = held
        return None if self._damage.touches(ordinal, frame.pts or 0) else frame

    def _settled(self, number: int) -> bool:
        if number in self._held:
            return self._fed >= self._held[number][0] + _DELAY + _AHEAD
        return self._shown >= number

    def _may_drain(self, number: int) -> bool:
        fed_at = self._fed_at.get(number)
        if fed_at is None:
            return self.position > number + _DELAY
        return self._fed >= fed_at + _AHEAD

    def _feed(self) -> None:
        packet = next(self._packets, None)
        if packet is None:
            self.ended = True
            self._drain()
            return
        self._fed += 1
        if packet.pts is not None:
            self._note(packet, packet.pts)
        if packet.is_corrupt:
            self._found_damage(self._fed, packet.pts)
        self._absorb(self._decoded(packet))
        for pts, ordinal in list(self._pending.items()):
            if ordinal > self._fed - _DELAY:
                break
            self._missing(pts, ordinal)

    def _note(self, packet: VideoPacket, pts: int) -> None:
        number = self._index.number(pts)
        if packet.is_keyframe:
            self._damage.key(self._fed, pts)
            self._first = pts if self._first is None else self._first
        if number is None:
            return
        self._step_over_gaps(number)
        self.position = max(self.position, number)
        self._fed_at[number] = self._fed
        self._fed_at.pop(number - 8 * _DELAY, None)
        if self._first is None or pts >= self._first:
            self._pending[pts] = self._fed

    def _step_over_gaps(self, number: int) -> None:
        """Note packets that seem to be missing between the ones read before and this one."""
        while self._gaps and self._gaps[0] <= number:
            if self._gaps.pop(0) > self.position >= 0:
                self._found_damage(self._fed - 1, None)

    def _decoded(self, packet: VideoPacket | None) -> list[VideoFrame]:
        from av.error import FFmpegError

        try:
            return self._context.decode(packet)
        except FFmpegError:
            if not self._index.packet_is_frame:
                self._found_damage(self._fed - THREADS, None)
            return []

    def _absorb(self, frames: list[VideoFrame]) -> None:
        for frame in frames:
            number = self._shown + 1 if self._index.counted else self._index.number(frame.pts)
            if number is None:
                continue
            ordinal = (
                self._pending.pop(frame.pts, self._fed) if frame.pts is not None else self._fed
            )
            if frame.is_corrupt:
                self._found_damage(ordinal, frame.pts)
            self._shown = max(self._shown, number)
            place = int(np.searchsorted(self._wanted, number))
            if place < len(self._wanted) and self._wanted[place] == number:
                self._held[number] = (ordinal, frame)

    def _drain(self) -> None:
        self._absorb(self._decoded(None))
        for pts, ordinal in list(self._pending.items()):
            self._missing(pts, ordinal)
        self.drained = True

    def _missing(self, pts: int, ordinal: int) -> None:
        """Note that no frame came out of a packet; where one packet makes one frame, it is lost."""
        del self._pending[pts]
        if self._index.packet_is_frame and not self._damage.touches(ordinal, pts):
            self._found_damage(ordinal, pts)

    def _found_damage(self, ordinal: int, pts: int | None) -> None:
        self._damage.hit(ordinal)
        if pts is not None:
            self._damaged.add(pts)
