"""One frame's file, read once and decoded at the scales that are asked for."""

import math
from pathlib import Path

from classify.images import Decoded, read_image


class FrameImage:
    """A frame whose pixels at a scale do not depend on who else asked for which scale.

    So the crops of a frame are the same whether a classifier has looked at it before or not.

    Args:
        path: the file; it is read at once.

    Raises:
        OSError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._made: list[tuple[int, Decoded]] = []

    def at(self, side: int) -> Decoded:
        """Return the frame, its shorter side of `side` pixels at least where the file has them.

        Raises:
            ImageError: the file is no image, or damaged.
        """
        for asked, made in self._made:
            # the coarsest scale for a smaller side that will do for this one is its coarsest too
            if asked <= side and _will_do(made, side):
                return made
        made = read_image(self._data, min_side=side)
        self._made.append((side, made))
        return made


def _will_do(made: Decoded, side: int) -> bool:
    """Whether the decoder would take the scale of `made` for `side`, by its own arithmetic."""
    shrunk = round(1 / made.scale)
    share = min(1.0, side / min(made.width, made.height))
    return shrunk == 1 or all(math.ceil(n * share) * shrunk <= n for n in (made.width, made.height))
