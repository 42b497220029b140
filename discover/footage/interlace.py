"""Interlaced video: told by its combs, and turned into whole frames.

Footage is often flagged wrongly, either way, so the pixels judge: where something moves, the two
fields of an interlaced frame show it in two places, and neighbouring lines differ more than lines
of one field do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from discover.footage.video import VideoReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import VideoFrame

    from discover.footage.decoding import Numbers
    from discover.footage.video_index import VideoIndex

_ROWS = 1088  # no more rows were ever recorded as two fields
_SPOTS, _LENGTH = 8, 5  # stretches of the video that are looked at, and frames in each
_STEP = 8  # grey values between frames, from which on a pixel moves
_MOVING = 0.02  # share of the frame that must move for it to tell
_COMBED = 1.04  # neighbouring lines differ that many times as much as those of one field
_COMBED_FLAGGED = 0.92  # the same where the stream says that it is interlaced
_FLAGS = {2, 3, 4, 5}  # FFmpeg's AVFieldOrder: top or bottom field first

Luma = npt.NDArray[np.int16]
if TYPE_CHECKING:
    Around = tuple[VideoFrame | None, VideoFrame | None, VideoFrame | None]
    Shot = tuple[int, Around]  # a frame's number; the frame before, the frame, the frame after


@dataclass(frozen=True)
class Interlacing:
    """What was found out about a video.

    Attributes:
        combed: whether it is to be de-interlaced.
        top_first: whether the top field was taken first.
        flagged: whether the stream says that it is interlaced.
        ratio: how many times as much as the lines of one field neighbouring lines differ, where
            something moves (upper quartile over frames); None where too little moved to tell.
    """

    combed: bool = False
    top_first: bool = True
    flagged: bool = False
    ratio: float | None = None


def find_interlacing(path: Path, index: VideoIndex) -> Interlacing:
    """Look at short stretches of a video, and judge whether it is interlaced.

    Where too little moves to tell, the stream is believed.
    """
    ratios, earlier, flags = [], [], []
    with VideoReader(path, index) as reader:
        if reader.height > _ROWS:
            return Interlacing()
        before: tuple[int, Luma] | None = None
        for number, frame in reader.read(_spots(index)):
            if frame is None:
                continue
            flags.append(frame.interlaced_frame)
            luma = _luma(frame)
            if before is not None and before[0] == number - 1 and before[1].shape == luma.shape:
                moving, ratio = comb_ratio(before[1], luma)
                if moving >= _MOVING:
                    ratios.append(ratio)
                    earlier.append(top_field_lead(before[1], luma))
            before = number, luma
        order = reader.field_order
    flagged = order in _FLAGS or sum(flags) * 2 > len(flags)
    if not ratios:
        return Interlacing(flagged, order != 3, flagged)
    ratio = float(np.percentile(ratios, 75))
    lead = float(np.median(earlier))
    top_first = lead > 0 if abs(lead) > 0.02 else order != 3
    combed = ratio > (_COMBED_FLAGGED if flagged else _COMBED)
    return Interlacing(combed, top_first, flagged, ratio)


def comb_ratio(before: Luma, frame: Luma) -> tuple[float, float]:
    """Return the share of pixels that moved, and how combed they are.

    The second is the sum of differences from the lines above and below, over that of differences
    from the next lines of the same field: below 1 in a progressive frame, above it in combs.

    Args:
        before: luma [height, width] of the frame before.
        frame: luma likewise.
    """
    middle = frame[2:-2]
    moved = np.abs(middle - before[2:-2]) > _STEP
    near = np.abs(2 * middle - frame[1:-3] - frame[3:-1])[moved].sum(dtype=np.int64)
    far = np.abs(2 * middle - frame[:-4] - frame[4:])[moved].sum(dtype=np.int64)
    return float(moved.mean()), float(near / max(far, 1))


def top_field_lead(before: Luma, frame: Luma) -> float:
    """Return whether the top field was taken first: above 0 if so, below 0 if the bottom field.

    The field that was taken first is closer in time to the second field of the frame before, so
    the two of them woven together show less combs.
    """
    top, bottom = before.copy(), before.copy()
    top[::2] = frame[::2]
    bottom[1::2] = frame[1::2]
    one, other = (
        float(np.abs(2 * f[1:-1] - f[:-2] - f[2:]).sum(dtype=np.int64)) for f in (top, bottom)
    )
    return (other - one) / max(other + one, 1.0)


def with_neighbours(reader: VideoReader, wanted: Numbers, frames: int) -> Iterator[Shot]:
    """Yield the wanted frames with those before and after each, as de-interlacing needs them.

    Args:
        reader: of the video.
        wanted: numbers, increasing.
        frames: in the video.
    """
    around = np.unique(wanted[:, None] + np.array([-1, 0, 1]))
    around = around[(around >= 0) & (around < frames)]
    left = iter(wanted.tolist())
    number = next(left)
    recent: dict[int, VideoFrame | None] = {}
    for at, frame in reader.read(around):
        recent[at] = frame
        while number is not None and at >= min(number + 1, frames - 1):
            yield number, (recent.get(number - 1), recent[number], recent.get(number + 1))
            number = next(left, None)
        recent = {n: f for n, f in recent.items() if n >= at - 1}


def deinterlaced(around: Around, *, top_first: bool) -> VideoFrame:
    """Return the middle of three frames, de-interlaced by FFmpeg's bwdif.

    A graph of its own for each frame makes the result independent of where decoding began.

    Args:
        around: the frame before, the frame itself, the frame after; None for one that is lost.
        top_first: whether the top field was taken first.
    """
    from av.filter import Graph

    before, frame, after = around
    assert frame is not None
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    order = "tff" if top_first else "bff"
    bwdif = graph.add("bwdif", f"mode=send_frame:parity={order}:deint=all")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    given = [f for f in (before, frame, after) if f is not None and _shape(f) == _shape(frame)]
    for one in given:
        graph.vpush(one)
    graph.vpush(None)
    return [graph.vpull() for _ in given][given.index(frame)]


def _spots(index: VideoIndex) -> Numbers:
    """Return the numbers of the frames to look at: behind key frames, all over the video."""
    if index.counted or not len(index.keys):
        return np.arange(min(len(index), 300))
    firsts = np.unique(index.keys[np.linspace(0, len(index.keys) - 1, _SPOTS).astype(int)])
    starts = np.searchsorted(index.pts, firsts)
    numbers = (starts[:, None] + np.arange(_LENGTH)).ravel()
    return np.unique(numbers[numbers < len(index)])


def _luma(frame: VideoFrame) -> Luma:
    return frame.reformat(format="gray", threads=1).to_ndarray().astype(np.int16)


def _shape(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
