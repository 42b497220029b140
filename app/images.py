"""Thumbnails of crops: cut, drawn, cached. Asked for by id, never by path."""

import hashlib
import io
import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from app.data import Explorer
from classify.images import Decoded, ImageError, Pixels, open_image, read_image, resize
from discover.crops import decode_mask

log = logging.getLogger(__name__)

KINDS = ("crop", "mask", "heat", "frame")
SIZES = (96, 160, 240, 360, 640, 1280)  # few, so that the cache holds few versions of a crop
_CONTEXT = 1.35  # side of the square by the longer side of the box
_SMALLEST = 32  # pixels of the frame that a thumbnail shows at least
_SURROUND = (12, 27, 36)
_LINE = (255, 196, 0)
_VERSION = "1"  # change it with the drawing: it is part of a thumbnail's name


class UnknownCrop(Exception):
    """No crop has this id, or no run this name."""


@dataclass(frozen=True)
class Thumbnail:
    """An encoded picture.

    Attributes:
        data: the JPEG.
        etag: changes whenever the picture would.
        placeholder: whether it only says why there is no picture.
    """

    data: bytes
    etag: str
    placeholder: bool = False


@dataclass(frozen=True)
class Region:
    """A rectangle of a frame, in original pixels; it may reach past the frame's edge."""

    x: float
    y: float
    width: float
    height: float


def thumbnail(
    explorer: Explorer, crop_id: str, *, kind: str = "crop", size: int = 160, run: str | None = None
) -> Thumbnail:
    """Return the picture of a crop, from the cache or newly drawn.

    Args:
        explorer: the survey.
        crop_id: the crop.
        kind: one of `KINDS`.
        size: the longer side in pixels; the next of `SIZES` is taken.
        run: the run that cut the crop; None searches, the latest first.

    Raises:
        UnknownCrop: there is no such crop, run or kind.
    """
    if kind not in KINDS:
        raise UnknownCrop(f"kind {kind!r} is none of {', '.join(KINDS)}")
    run, row = _find(explorer, crop_id, run)
    size = next((s for s in SIZES if s >= size), SIZES[-1])
    etag = hashlib.sha256(f"{_VERSION}/{run}/{crop_id}/{kind}/{size}".encode()).hexdigest()[:32]
    file = explorer.survey.cache / "thumbnails" / etag[:2] / f"{etag}.jpg"
    try:
        return Thumbnail(file.read_bytes(), etag)
    except OSError:
        pass  # not drawn yet
    try:
        pixels = _draw(explorer, run, crop_id, row, kind, size)
    except ImageError as error:
        log.warning("crop %s: %s", crop_id, error)
        gone = "missing" if not _frame_file(explorer, row).exists() else "unreadable"
        return Thumbnail(_encode(_placeholder(f"frame {gone}", size)), f"{etag}-{gone}", True)
    data = _encode(pixels)
    _keep(file, data)
    return Thumbnail(data, etag)


def _find(explorer: Explorer, crop_id: str, run: str | None) -> tuple[str, dict[str, Any]]:
    runs = explorer.crops_runs()
    for name in [r for r in runs if run in (None, r)]:
        boxes = explorer.boxes(name)
        if crop_id in boxes.index:
            return name, {str(k): value for k, value in boxes.loc[crop_id].items()}
    raise UnknownCrop(
        f"crop {crop_id!r} is in no run" if run is None else f"no such crop in {run!r}"
    )


def _frame_file(explorer: Explorer, row: dict[str, Any]) -> Path:
    path = row["path"]
    return explorer.survey.frame_path(path) if isinstance(path, str) else Path("missing")


def _draw(
    explorer: Explorer, run: str, crop_id: str, row: dict[str, Any], kind: str, size: int
) -> Pixels:
    file = _frame_file(explorer, row)
    width, height = _upright_size(file, row)
    if kind == "frame":
        frame = read_image(file, min_side=math.ceil(size * min(width, height) / max(width, height)))
        region = Region(0, 0, frame.width, frame.height)
        return _with_box(_cut(frame, region, size), region, row)
    region = _square(row, width, height)
    # `min_side` is of the whole frame: what makes the region `size` pixels wide.
    frame = read_image(file, min_side=math.ceil(min(width, height) * size / region.width))
    pixels = _cut(frame, region, size)
    if kind == "crop":
        return pixels
    stored = explorer.mask_and_heat(run, crop_id)
    inside = _mask(stored["mask"], row, frame, region, size)
    if kind == "mask":
        return _with_mask(pixels, inside)
    if stored["heat"] is None:
        return _with_fill(pixels, inside)
    return _with_heat(pixels, _heat(stored, frame, region, size))


def _upright_size(file: Path, row: dict[str, Any]) -> tuple[int, int]:
    """Return the frame's size after EXIF rotation, as the boxes count it."""
    if row["width"] == row["width"] and row["width"]:  # nan is not itself
        return int(row["width"]), int(row["height"])
    return open_image(file).size


def _square(row: dict[str, Any], width: int, height: int) -> Region:
    """Return a square with context around a box, moved into the frame where it fits."""
    longer = max(row["w"], row["h"])
    side = max(_SMALLEST, longer, min(_CONTEXT * longer, width, height))
    x = _moved(row["x"] + row["w"] / 2 - side / 2, side, width)
    y = _moved(row["y"] + row["h"] / 2 - side / 2, side, height)
    return Region(x, y, side, side)


def _moved(start: float, side: float, end: int) -> float:
    if side > end:
        return (end - side) / 2  # an equal margin on either side
    return min(max(start, 0), end - side)


def _warp(
    image: npt.NDArray[np.uint8],
    scale: tuple[float, float],
    region: Region,
    size: tuple[int, int],
    fill: tuple[int, ...],
) -> npt.NDArray[np.uint8]:
    """Cut a region out of an image of which `scale` pixels (x, y) are one of the frame."""
    height, width = image.shape[:2]
    left, top = round(region.x * scale[0]), round(region.y * scale[1])
    right = max(left + 1, round((region.x + region.width) * scale[0]))
    bottom = max(top + 1, round((region.y + region.height) * scale[1]))
    part = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not part.size:
        part = np.full((1, 1, *image.shape[2:]), fill[0], np.uint8)
    else:
        edges = (max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width))
        part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_CONSTANT, value=fill)
    return resize(np.ascontiguousarray(part), *size)


def _cut(frame: Decoded, region: Region, size: int) -> Pixels:
    longer = max(region.width, region.height)
    width, height = (max(1, round(size * side / longer)) for side in (region.width, region.height))
    return _warp(frame.pixels, (frame.scale, frame.scale), region, (width, height), _SURROUND)


def _mask(
    counts: str | None, row: dict[str, Any], frame: Decoded, region: Region, size: int
) -> npt.NDArray[np.bool_]:
    whole = np.zeros((frame.height, frame.width), np.uint8)
    if counts is None:
        whole[row["y"] : row["y"] + row["h"], row["x"] : row["x"] + row["w"]] = 255
    else:
        try:
            decoded = decode_mask(counts, frame.width, frame.height)
        except ValueError as error:
            raise ImageError(f"mask of another size than the frame ({error})") from error
        whole = np.asarray(decoded, np.uint8) * 255
    cut = _warp(whole, (1.0, 1.0), region, (size, size), (0,))
    return np.asarray(cut > 127)


def _heat(stored: dict[str, Any], frame: Decoded, region: Region, size: int) -> Pixels:
    cells = np.frombuffer(stored["heat"], np.uint8)
    cells = cells.reshape(stored["heat_rows"], stored["heat_cols"])
    # The map is coarse: enlarge it smoothly before the region is cut out of it.
    longer = max(frame.width, frame.height)
    width, height = (max(1, round(512 * side / longer)) for side in (frame.width, frame.height))
    smooth = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    scale = (width / frame.width, height / frame.height)
    return _warp(np.asarray(smooth, np.uint8), scale, region, (size, size), (0,))


def _with_mask(pixels: Pixels, inside: npt.NDArray[np.bool_]) -> Pixels:
    dimmed = (pixels * 0.35).astype(np.uint8)
    drawn = np.where(inside[:, :, None], pixels, dimmed)
    outlines, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    line = max(1, pixels.shape[0] // 120)
    return np.asarray(cv2.drawContours(drawn, outlines, -1, _LINE, line, cv2.LINE_AA), np.uint8)


def _with_fill(pixels: Pixels, inside: npt.NDArray[np.bool_]) -> Pixels:
    filled = pixels * 0.45 + np.array(_LINE) * 0.55
    return np.where(inside[:, :, None], filled, pixels).astype(np.uint8)


def _with_heat(pixels: Pixels, heat: Pixels) -> Pixels:
    colours = cv2.cvtColor(cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    weight = (0.25 + 0.5 * heat.astype(np.float32) / 255)[:, :, None]
    return np.asarray(pixels * (1 - weight) + colours * weight, np.uint8)


def _with_box(pixels: Pixels, region: Region, row: dict[str, Any]) -> Pixels:
    scale = pixels.shape[1] / region.width
    corners = (row["x"], row["y"], row["x"] + row["w"], row["y"] + row["h"])
    x0, y0, x1, y1 = (round(v * scale) for v in corners)
    line = max(1, pixels.shape[1] // 160)
    return np.asarray(cv2.rectangle(pixels.copy(), (x0, y0), (x1, y1), _LINE, line), np.uint8)


def _placeholder(text: str, size: int) -> Pixels:
    tile = np.full((size, size, 3), _SURROUND, np.uint8)
    scale = size / 260
    for number, word in enumerate(text.split()):
        (width, height), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, scale, 1)
        at = ((size - width) // 2, size // 2 + round((number - 0.1) * height * 1.9))
        cv2.putText(tile, word, at, cv2.FONT_HERSHEY_DUPLEX, scale, (160, 178, 188), 1, cv2.LINE_AA)
    return tile


def _encode(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=86)
    return buffer.getvalue()


def _keep(file: Path, data: bytes) -> None:
    """Put a thumbnail into the cache, whole or not at all; a full or read-only disk is no error."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, file)
    except OSError as error:
        log.warning("thumbnail not cached: %s", error)
