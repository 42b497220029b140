"""Whether a video frame shows anything that the last one taken does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av import VideoFrame

_ROWS = 135  # frames are compared at this height
_CELL = 17  # pixels; what is compared
_ALIKE = 0.5  # correlation of a cell with what lies there in the other frame
_PLAIN = 5.0  # grey values (standard deviation) of a cell below which it shows nothing
_NEW = 0.45  # share of the picture that is new, from which on a frame is taken
_NEW_STILL = 0.03  # the same where the vehicle hangs still: something came into view
_STILL = 0.01  # motion, as a share of the frame's height

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Scene:
    """Remembers the last frame taken, and takes the next one that differs enough.

    The new frame is laid over the last one by dense optical flow (Kroeger et al. 2016, "Fast
    optical flow using dense inverse search"), so that what only moved through the picture is not
    new; what flow cannot lay over, or what comes in from outside, is.
    """

    def __init__(self) -> None:
        self._last: Grey | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._levels = cv2.createCLAHE(3.0, (4, 4))

    def is_new(self, frame: VideoFrame) -> bool:
        """Return whether to take a frame; if so it is the last one taken from now on.

        The first frame is always taken.
        """
        width = max(16, round(frame.width * _ROWS / frame.height))
        small = frame.reformat(width, _ROWS, "gray", interpolation="AREA", threads=1)
        return self.is_new_picture(np.asarray(small.to_ndarray(), np.uint8))

    def is_new_picture(self, grey: Grey) -> bool:
        """Return the same for grey values, uint8 [135, width]."""
        picture = self._levels.apply(grey)
        if self._last is not None and picture.shape == self._last.shape:
            share, motion = self._new_share(picture)
            if share < (_NEW_STILL if motion < _STILL else _NEW):
                return False
        self._last = picture
        return True

    def _new_share(self, picture: Grey) -> tuple[float, float]:
        """Return the share of a picture that is new, and how far it moved, in heights."""
        assert self._last is not None
        flow = self._flow.calc(picture, self._last, None)
        rows, columns = np.indices(picture.shape, np.float32)
        laid = cv2.remap(
            self._last.astype(np.float32),
            columns + flow[..., 0],
            rows + flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=-1,
        )
        seen = picture.astype(np.float32)
        outside = laid < 0
        old, new = _detail(np.where(outside, seen, laid)), _detail(seen)
        contrast = _mean(new * new)
        alike = cv2.blur(old * new, (_CELL, _CELL)) / (np.sqrt(_mean(old * old) * contrast) + 4)
        unlike = ((alike < _ALIKE) | outside) & (contrast > _PLAIN**2)
        motion = float(np.median(np.hypot(flow[..., 0], flow[..., 1])) / len(picture))
        return float(unlike.mean()), motion


def _detail(values: Floats) -> Floats:
    return np.asarray(values - cv2.GaussianBlur(values, (0, 0), _ROWS / 25), np.float32)


def _mean(values: Floats) -> Floats:
    return np.maximum(cv2.blur(values, (_CELL, _CELL)), 0)
