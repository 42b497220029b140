"""What lies over the scene, the vehicle and telemetry, kept out of the regions of frames."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from classify.images import ImageError, Pixels, read_image, resize
from classify.vehicle import learn_masks
from discover.crops import Cut, cut_region
from discover.survey import Survey

Mask = npt.NDArray[np.bool_]

_ROWS = 192  # of the masks
_LEAST = 0.5  # of a region that must be uncovered: else it is the vehicle's


class Overlays:
    """The overlay of each dive, learned from frames all over it when it is first asked for."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._known: dict[str, Mask | None] = {}

    def of(self, dive: str) -> Mask | None:
        """Return bool [rows, cols], a grid over the frame; None where nothing is known."""
        if dive not in self._known:
            self._known[dive] = self._learn(dive)
        return self._known[dive]

    def _learn(self, dive: str) -> Mask | None:
        frames = self._survey.sql(
            'select path, width, height from frames where dive = ? order by "index"', [dive]
        )
        if frames.empty:
            return None
        columns = max(1, round(_ROWS * frames["width"][0] / frames["height"][0]))

        def read(row: int) -> Pixels | None:
            path = self._survey.frame_path(frames["path"][row])
            try:
                return resize(read_image(path, min_side=_ROWS).pixels, columns, _ROWS)
            except (ImageError, OSError):
                return None  # whoever embeds the frame says so

        return learn_masks(read, [dive] * len(frames)).get(dive)


def uncovered(cut: Cut, overlay: Mask, size: Sequence[int]) -> Cut | None:
    """Return a region without what an overlay covers; None where that is most of it.

    A region that is a box, without a shape of its own, is never left out.

    Args:
        cut: the region.
        overlay: bool [rows, cols], a grid over the frame.
        size: width and height of the frame, original pixels.
    """
    window = cut.window if cut.mask is not None else cut.box
    covered = within(overlay, window, size, cut.mask.shape if cut.mask is not None else None)
    if cut.mask is None:
        return Cut(cut.box, ~covered, cut.box) if covered.any() and not covered.all() else cut
    left = cut.mask & ~covered
    if left.sum() < _LEAST * cut.mask.sum():
        return None
    return cut_region(left, window)


def within(
    overlay: Mask,
    window: tuple[int, int, int, int],
    size: Sequence[int],
    shape: tuple[int, ...] | None,
) -> Mask:
    """Return the overlay on a grid over a window of the frame; by default as fine as it is.

    Args:
        overlay: bool [rows, cols], a grid over the frame.
        window: x, y, w, h in original pixels.
        size: width and height of the frame, original pixels.
        shape: rows and columns of the grid that is wanted.
    """
    index = []
    for axis in (1, 0):  # rows, then columns
        cells, start, length = overlay.shape[1 - axis], window[axis], window[axis + 2]
        count = max(1, round(cells * length / size[axis])) if shape is None else shape[1 - axis]
        middle = start + (np.arange(count) + 0.5) * (length / count)
        index.append(np.clip(middle / size[axis] * cells, 0, cells - 1).astype(int))
    return overlay[np.ix_(*index)]
