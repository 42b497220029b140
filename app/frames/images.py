"""Whole frames, what lies over them, and proofs that two are one scene. Asked for by id alone."""

import hashlib
import io
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
import numpy.typing as npt
from flask import Flask, Response, abort, request
from PIL import Image

from app.answers import picture
from app.data import Explorer
from app.frames.data import FramesData, frames_data
from app.frames.proofs import Proofs
from app.palette import COLOURS
from classify.images import ImageError, Pixels, read_image, resize
from classify.runs import write_atomic
from discover.crops import decode_mask

log = logging.getLogger(__name__)

SIZES = (160, 240, 320, 640, 960, 1280, 1920)  # of the longer side: few, so that few are kept
_VERSION = "1"  # change it with the drawing: it is part of a picture's name
_ROUTES = ("frame-image", "frame-masks", "frame-heat", "proof", "proof-image")
_HEAT = 640  # pixels of a heat map's longer side: it is coarse
_GROUND, _INK = (12, 27, 36), (160, 178, 188)


class UnknownFrame(Exception):
    """No frame has this id, or no run or class this name."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    Attributes:
        data: its bytes.
        kind: its media type.
        etag: changes whenever the picture would; None where it only says why there is none.
    """

    data: bytes
    kind: str
    etag: str | None


def register(server: Flask, explorer: Explorer) -> None:
    """Serve frames, layers and proofs."""
    data, proofs = frames_data(explorer), Proofs(explorer)

    @server.get(f"/<any({', '.join(map(repr, _ROUTES))}):_route>/<path:other>")
    def no_picture(_route: str, other: str) -> Response:
        abort(404, f"{other!r} is no id")  # else Dash would answer with the page

    @server.get("/frame-image/<frame_id>")
    def frame_image(frame_id: str) -> Response:
        size = request.args.get("size", 320, type=int)
        return _answer(lambda: whole_frame(data, frame_id, size))

    @server.get("/frame-masks/<run>/<frame_id>")
    def frame_masks(run: str, frame_id: str) -> Response:
        return _answer(lambda: masks(explorer, run, frame_id))

    @server.get("/frame-heat/<run>/<frame_id>")
    def frame_heat(run: str, frame_id: str) -> Response:
        return _answer(lambda: heat(explorer, run, frame_id, request.args.get("class", "")))

    @server.get("/proof/<frame_a>/<frame_b>")
    def proof(frame_a: str, frame_b: str) -> Response:
        _check_frames(data, frame_a, frame_b)
        found = proofs.draw(frame_a, frame_b)
        if found is None:
            busy = Response("another proof is being drawn", status=503)
            busy.headers["Retry-After"] = "1"
            return busy
        answer = Response(json.dumps(found), mimetype="application/json")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @server.get("/proof-image/<frame_a>/<frame_b>")
    def proof_image(frame_a: str, frame_b: str) -> Response:
        _check_frames(data, frame_a, frame_b)
        file = proofs.picture(frame_a, frame_b)
        if not file.exists():
            abort(404, f"no proof of {frame_a} and {frame_b} is drawn: ask for /proof first")
        return _answer(lambda: Picture(file.read_bytes(), "image/png", file.stem))


def whole_frame(data: FramesData, frame_id: str, size: int) -> Picture:
    """Return a frame as JPEG, from the cache or newly made.

    Args:
        data: of the survey.
        frame_id: the frame.
        size: the longer side in pixels; the next of `SIZES` is taken, and never more than there is.

    Raises:
        UnknownFrame: there is no such frame.
    """
    if data.frames().place(frame_id) is None:
        raise UnknownFrame(f"frame {frame_id!r} is not in the survey")
    size = next((s for s in SIZES if s >= size), SIZES[-1])

    def draw() -> bytes:
        row = data.frame(frame_id) or {}
        return _jpeg(_fitted(data, str(row["path"]), size))

    try:
        return _kept(data, f"frame/{frame_id}/{size}", "jpg", "image/jpeg", draw)
    except ImageError as error:
        log.warning("frame %s: %s", frame_id, error)
        return Picture(_jpeg(_notice("frame missing or unreadable", size)), "image/jpeg", None)


def masks(explorer: Explorer, run: str, frame_id: str) -> Picture:
    """Return the masks of a frame's crops as SVG, sharp at any size, coloured by class.

    Raises:
        UnknownFrame: there is no such frame or run.
    """
    data = _checked(explorer, run, frame_id)

    def draw() -> bytes:
        width, height = size_of(data, frame_id)
        colours = colours_of(data, run)
        shapes = [
            f'<path d={quoteattr(_outline(row, width, height))} fill="{colours[row["class"]]}" '
            f'fill-opacity="0.34" stroke="{colours[row["class"]]}" stroke-width="2" '
            'fill-rule="evenodd" vector-effect="non-scaling-stroke"/>'
            for row in data.masks_and_heats(run, frame_id)
        ]
        start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        return "".join([start, *shapes, "</svg>"]).encode()

    return _kept(data, f"masks/{run}/{frame_id}", "svg", "image/svg+xml", draw)


def heat(explorer: Explorer, run: str, frame_id: str, class_name: str) -> Picture:
    """Return where a class was seen in a frame as PNG, transparent where it was not.

    Raises:
        UnknownFrame: there is no such frame or run, or the class has no heat map there.
    """
    data = _checked(explorer, run, frame_id)
    rows = data.masks_and_heats(run, frame_id)
    with_heat = [r for r in rows if r["class"] == class_name and r["heat"] is not None]
    if not with_heat:
        raise UnknownFrame(f"frame {frame_id!r} has no heat map of class {class_name!r}")

    def draw() -> bytes:
        width, height = size_of(data, frame_id)
        scale = _HEAT / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = np.maximum.reduce([_spread(row, size) for row in with_heat])
        coloured = cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)
        layer = cv2.merge([*cv2.split(coloured), np.clip(grey * 1.6, 0, 255).astype(np.uint8)])
        return bytes(cv2.imencode(".png", layer)[1])

    return _kept(data, f"heat/{run}/{frame_id}/{class_name}", "png", "image/png", draw)


def colours_of(data: FramesData, run: str) -> dict[str, str]:
    """Return the colour of each class of a run."""
    return {c: COLOURS[n % len(COLOURS)] for n, c in enumerate(data.classes(run))}


def size_of(data: FramesData, frame_id: str) -> tuple[int, int]:
    """Return width and height of a frame as the boxes count them.

    Raises:
        ImageError: the table does not say, and the file cannot be read.
    """
    row = data.frame(frame_id) or {}
    if row.get("width") and row.get("height"):
        return int(row["width"]), int(row["height"])
    frame = read_image(data.survey.frame_path(str(row.get("path"))), min_side=1)
    return frame.width, frame.height


def _answer(make: Callable[[], Picture]) -> Response:
    try:
        made = make()
    except UnknownFrame as error:
        abort(404, str(error))
    except ImageError as error:
        abort(404, f"the frame cannot be read: {error}")
    return picture(made.data, made.kind, made.etag)


def _check_frames(data: FramesData, *frame_ids: str) -> None:
    for frame_id in frame_ids:
        if data.frames().place(frame_id) is None:
            abort(404, f"frame {frame_id!r} is not in the survey")


def _checked(explorer: Explorer, run: str, frame_id: str) -> FramesData:
    data = frames_data(explorer)
    if run not in explorer.crops_runs():
        raise UnknownFrame(f"crops run {run!r} is not in the survey")
    if data.frames().place(frame_id) is None:
        raise UnknownFrame(f"frame {frame_id!r} is not in the survey")
    return data


def _kept(
    data: FramesData, name: str, ending: str, kind: str, draw: Callable[[], bytes]
) -> Picture:
    """Return a picture from the cache, else draw it and keep it; a full disk is no error."""
    etag = hashlib.sha256(f"{_VERSION}/{name}".encode()).hexdigest()[:32]
    file = data.survey.cache / "frame-images" / etag[:2] / f"{etag}.{ending}"
    try:
        return Picture(file.read_bytes(), kind, etag)
    except OSError:
        made = draw()
    try:
        write_atomic(file, made)
    except OSError as error:
        log.warning("picture not cached: %s", error)
    return Picture(made, kind, etag)


def _fitted(data: FramesData, path: str, size: int) -> Pixels:
    file = data.survey.frame_path(path)
    frame = read_image(file, min_side=size)
    scale = min(1.0, size / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    return resize(frame.pixels, width, height)


def _spread(row: dict[str, Any], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the heat map that a crop holds of its whole frame, enlarged to (width, height)."""
    cells = np.frombuffer(row["heat"], np.uint8).reshape(row["heat_rows"], row["heat_cols"])
    return np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _outline(row: dict[str, Any], width: int, height: int) -> str:
    """Return the outline of a crop's mask, else of its box, as an SVG path."""
    x, y, w, h = (int(str(row[side])) for side in "xywh")
    if row["mask"] is None:
        return f"M{x} {y}h{w}v{h}h{-w}z"
    inside = decode_mask(str(row["mask"]), width, height).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parts = []
    for contour in found:
        points = cv2.approxPolyDP(contour, 0.8, True)[:, 0, :] + 0.5
        parts.append("M" + "L".join(f"{px:g} {py:g}" for px, py in points) + "z")
    return "".join(parts)


def _notice(text: str, size: int) -> Pixels:
    tile = np.full((max(90, size * 9 // 16), max(160, size), 3), _GROUND, np.uint8)
    scale = tile.shape[1] / 640
    at = (round(24 * scale), tile.shape[0] // 2)
    font = cv2.FONT_HERSHEY_DUPLEX
    return np.asarray(cv2.putText(tile, text, at, font, scale, _INK, 1, cv2.LINE_AA), np.uint8)


def _jpeg(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
