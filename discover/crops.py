"""From a region of a frame to a crop: box, mask, and pixels without the background."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from classify.errors import UserError
from classify.images import Decoded, Pixels

Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]  # x, y, w, h in original pixels

BACKGROUNDS = ("surround", "blur", "mean", "keep")
_MID_GREY = 127  # about what the normalisation of every backbone takes for nothing


@dataclass(frozen=True)
class Cut:
    """A region in original pixels.

    Attributes:
        box: bounding box of the mask: x, y, w, h.
        mask: bool [rows, cols], a grid over `window`; None = the whole box.
        window: the part of the frame that the grid covers: x, y, w, h.
    """

    box: Box
    mask: Mask | None
    window: Box


def cut_region(mask: Mask, window: Box) -> Cut:
    """Return the region that `mask`, a grid over `window`, covers in the frame.

    Raises:
        ValueError: the mask is empty.
    """
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ValueError("mask: it is empty, so there is nothing to cut")
    tops, lefts = (
        _edges(mask.shape[0], window[1], window[3]),
        _edges(mask.shape[1], window[0], window[2]),
    )
    x, y = int(lefts[cols[0]]), int(tops[rows[0]])
    return Cut((x, y, int(lefts[cols[-1] + 1]) - x, int(tops[rows[-1] + 1]) - y), mask, window)


def encode_mask(cut: Cut, width: int, height: int) -> str | None:
    """Return the mask as COCO compressed RLE counts of a width x height frame; None without mask.

    The runs are worked out on the grid, so that a 4K frame costs no more than a small one.
    """
    if cut.mask is None:
        return None
    x0, y0, w, h = cut.window
    tops, lefts = _edges(cut.mask.shape[0], y0, h), _edges(cut.mask.shape[1], x0, w)
    padded = np.pad(cut.mask, ((1, 1), (0, 0))).astype(np.int8)
    col_of_start, row_of_start = np.nonzero(np.diff(padded, axis=0).T == 1)
    _, row_of_end = np.nonzero(np.diff(padded, axis=0).T == -1)
    repeats = np.diff(lefts)[col_of_start]  # a grid column stands for several frame columns
    run = np.repeat(np.arange(len(col_of_start)), repeats)
    within = np.arange(len(run)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    column = lefts[col_of_start][run] + within
    starts, ends = (
        column * height + tops[row_of_start][run],
        column * height + tops[row_of_end][run],
    )
    order = np.argsort(starts, kind="stable")
    bounds = np.stack([starts[order], ends[order]], axis=1).ravel()
    counts = np.diff(np.concatenate([[0], bounds, [width * height]]))
    encoded = coco.frPyObjects({"counts": _merged(counts), "size": [height, width]}, height, width)
    return str(encoded["counts"].decode())


def decode_mask(counts: str, width: int, height: int) -> Mask:
    """Return COCO compressed RLE counts as bool [height, width]."""
    return coco.decode({"size": [height, width], "counts": counts.encode()}).astype(bool)


def cut_from_rle(counts: str, width: int, height: int, *, most: int | None = None) -> Cut | None:
    """Return the region of an RLE mask; None for an empty mask.

    Args:
        counts: COCO compressed RLE counts.
        width: of the frame, original pixels.
        height: likewise.
        most: rows and columns of the region's grid at most: a backbone sees no more of a mask than
            a few hundred. None keeps every pixel.
    """
    bounds = np.cumsum(_run_lengths(counts))
    starts, ends = bounds[: len(bounds) - len(bounds) % 2 : 2], bounds[1::2]
    starts, lasts = starts[ends > starts], ends[ends > starts] - 1
    if not len(starts):
        return None
    x, right = int(starts[0]) // height, int(lasts[-1]) // height + 1
    within = (starts // height == lasts // height).all()  # else a run fills columns to their ends
    y = int((starts % height).min()) if within else 0
    bottom = int((lasts % height).max()) + 1 if within else height
    box = (x, y, right - x, bottom - y)
    cols, rows = (_middles(start, length, most) for start, length in (box[::2], box[1::2]))
    pixels = cols[:, None] * height + rows
    # of the runs, those of the mask are every second one
    mask = (np.searchsorted(bounds, pixels.ravel(), side="right") % 2 == 1).reshape(pixels.shape).T
    return Cut(box, mask, box) if mask.any() else Cut(box, None, box)


def _middles(start: int, length: int, most: int | None) -> npt.NDArray[np.int64]:
    """Return the pixels in the middle of the cells of a grid over `length` pixels."""
    cells = length if most is None else min(length, most)
    return start + ((np.arange(cells) + 0.5) * (length / cells)).astype(np.int64)


def _run_lengths(counts: str) -> npt.NDArray[np.int64]:
    """Return the run lengths of compressed RLE counts, of background and mask by turns.

    The format is that of COCO's `rleFrString`: five bits a character, the lowest first; from the
    fourth run on, what is told is the difference to the run two before.
    """
    codes = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    last = np.flatnonzero((codes & 32) == 0)  # of each number's characters
    first = np.concatenate([[0], last[:-1] + 1])
    place = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((codes & 31) << (5 * place), first)
    negative = (codes[last] & 16) > 0
    values[negative] -= np.int64(1) << (5 * (last - first + 1)[negative])
    for parity in (1, 2):
        values[parity::2] = np.cumsum(values[parity::2])
    return np.asarray(values, np.int64)


def square_around(box: Box, context: float) -> Box:
    """Return the square with the box in its middle and `context` of the longer side all round.

    It may reach over the frame's edge.
    """
    x, y, w, h = box
    side = max(2, round(max(w, h) * (1 + 2 * context)))
    return x + (w - side) // 2, y + (h - side) // 2, side, side


@dataclass(frozen=True)
class Crop:
    """What a backbone sees of a region.

    Attributes:
        pixels: uint8 RGB [size, size, 3].
        mask: float32 [size, size] in 0..1, soft at the region's edge.
    """

    pixels: Pixels
    mask: npt.NDArray[np.float32]


def crop_pixels(
    frame: Decoded, cut: Cut, *, size: int, context: float = 0.05, background: str = "surround"
) -> Crop:
    """Cut a region out of a frame.

    Args:
        frame: the frame, perhaps decoded at reduced scale.
        cut: the region, in original pixels.
        size: side of the crop, pixels.
        context: margin round the box, as a share of its longer side.
        background: what stands outside the mask: "surround" (the mean colour of what lies outside
            the mask within the crop), "blur" (Gaussian), "mean" (mid grey), or "keep".

    Raises:
        UserError: `background` is none of these.
    """
    if background not in BACKGROUNDS:
        raise UserError(f"--background {background!r} is none of {', '.join(BACKGROUNDS)}")
    square = square_around(cut.box, context)
    pixels = _sample(frame.pixels, square, frame.scale, size)
    mask = _soft_mask(cut, square, size)
    if background == "keep" or cut.mask is None:
        return Crop(pixels, mask)
    soft = mask[:, :, None]
    if background == "blur":
        behind = cv2.GaussianBlur(pixels, (0, 0), size / 16).astype(np.float32)
    elif background == "mean":
        behind = np.full_like(pixels, _MID_GREY, dtype=np.float32)
    else:
        share = (1 - soft).sum()
        mean = ((1 - soft) * pixels).sum(axis=(0, 1)) / share if share > 1 else pixels.mean((0, 1))
        behind = np.full_like(pixels, mean, dtype=np.float32)
    return Crop(np.rint(soft * pixels + (1 - soft) * behind).astype(np.uint8), mask)


def _edges(cells: int, start: int, length: int) -> npt.NDArray[np.int64]:
    """Return the original pixels at which `cells` grid cells over a window begin and end."""
    return start + np.rint(np.arange(cells + 1) * (length / cells)).astype(np.int64)


def _merged(counts: npt.NDArray[np.int64]) -> list[int]:
    """Join runs that touch: in run lengths, a zero between two runs."""
    merged = [int(counts[0])]
    values = counts[1:].tolist()
    position = 0
    while position < len(values):
        if values[position] == 0 and position + 1 < len(values) and position > 0:
            merged[-1] += values[position + 1]
            position += 2
        else:
            merged.append(values[position])
            position += 1
    return merged


def _sample(pixels: Pixels, square: Box, scale: float, size: int) -> Pixels:
    """Cut a square, given in original pixels, out of a scaled frame; mirror what lies outside."""
    left, top, side, _ = (round(v * scale) for v in square)
    side = max(side, 1)
    height, width = pixels.shape[:2]
    left, top = min(left, width - 1), min(top, height - 1)  # rounded up beyond the last pixel
    inside = pixels[max(top, 0) : max(top + side, 1), max(left, 0) : max(left + side, 1)]
    inside = cv2.copyMakeBorder(
        inside,
        min(max(-top, 0), side - 1),
        min(max(top + side - height, 0), side - 1),
        min(max(-left, 0), side - 1),
        min(max(left + side - width, 0), side - 1),
        cv2.BORDER_REFLECT if min(inside.shape[:2]) > 1 else cv2.BORDER_REPLICATE,
    )
    method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inside, (size, size), interpolation=method), np.uint8)


def _soft_mask(cut: Cut, square: Box, size: int) -> npt.NDArray[np.float32]:
    """Return the mask within the square, blurred at its edge, float32 [size, size] in 0..1."""
    hard = mask_within(cut, square, size, size)
    return np.asarray(cv2.GaussianBlur(hard, (0, 0), size / 40), np.float32)


def mask_within(cut: Cut, window: Box, rows: int, cols: int) -> npt.NDArray[np.float32]:
    """Return the mask on another grid, over `window` in original pixels: float32 [rows, cols]."""
    x0, y0, w, h = cut.window if cut.mask is not None else cut.box
    grid = cut.mask if cut.mask is not None else np.ones((1, 1), bool)
    step_x, step_y = window[2] / cols, window[3] / rows
    # cell of the new grid -> original pixel -> cell of the mask's grid, as one affine map
    to_cols, to_rows = grid.shape[1] / w, grid.shape[0] / h
    matrix = np.array(
        [
            [step_x * to_cols, 0, (window[0] + step_x / 2 - x0) * to_cols - 0.5],
            [0, step_y * to_rows, (window[1] + step_y / 2 - y0) * to_rows - 0.5],
        ]
    )
    return np.asarray(
        cv2.warpAffine(
            grid.astype(np.float32),
            matrix,
            (cols, rows),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT if cut.mask is not None else cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )
