"""Which frames of a video are taken."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from discover.survey import SurveyError

if TYPE_CHECKING:
    from discover.footage.decoding import Numbers
    from discover.footage.video_index import VideoIndex

_SCENE_STEP = Fraction(1, 2)  # seconds between the frames that `scene` looks at


@dataclass(frozen=True)
class Every:
    """A way of sampling.

    Attributes:
        text: as it was written, such as "1s".
        kind: "seconds", "frames", "keyframes" or "scene".
        step: seconds or frames from one to the next.
    """

    text: str
    kind: str
    step: Fraction = Fraction(1)

    def numbers(self, index: "VideoIndex") -> "Numbers":
        """Return the numbers of the frames to take; with "scene", of those to look at.

        Every N seconds means the first frame at or after each whole multiple of N seconds, by the
        frames' own time stamps, whatever their rate. The choice depends on nothing else, so that a
        run that was stopped goes on with the same frames.
        """
        if self.kind == "frames":
            return np.arange(0, len(index), int(self.step))
        if self.kind == "keyframes":
            places = np.searchsorted(index.pts, index.keys)
            inside = places < len(index)
            return np.unique(places[inside][index.pts[places[inside]] == index.keys[inside]])
        step = self.step / index.time_base  # units of the time stamps
        slots = (index.pts - index.pts[0]) * step.denominator // step.numerator
        return np.flatnonzero(np.diff(slots, prepend=-1))


def parse_every(text: str) -> Every:
    """Read the option `--every`: 1s, 0.5s, 25f, keyframes or scene.

    Raises:
        SurveyError: it is none of these.
    """
    if text == "keyframes":
        return Every(text, text)
    if text == "scene":
        return Every(text, text, _SCENE_STEP)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|f)", text)
    step = Fraction(match[1]) if match else Fraction(0)
    if match is None or step <= 0 or (match[2] == "f" and step.denominator != 1):
        raise SurveyError(
            f"--every {text!r} is no sampling: write 1s (seconds), 25f (frames), keyframes or scene"
        )
    return Every(text, "seconds" if match[2] == "s" else "frames", step)
