"""Pictures on the map: how dense the crops lie, and thumbnails of exemplars; what is in sight."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from app.crops.selection import Mask, Rows
from app.parts import link

MOST_PICTURES = 30
_PICTURE = 46  # pixels
_MOST_TRIED = 2000  # exemplars that are tried for a place
_CELLS = (640, 480)  # of the picture of density
_DENSITY = (24, 142, 167)
_MARGIN = 0.04


@dataclass(frozen=True)
class Viewport:
    """The part of the map that is in sight.

    Attributes:
        x: least and most.
        y: least and most.
        width: pixels.
        height: pixels.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = 820
    height: int = 520

    @classmethod
    def of(cls, plain: Mapping[str, Any] | None, crops: pd.DataFrame) -> "Viewport":
        """Read what the browser says; of a map that was not moved yet, all is in sight."""
        plain = plain or {}
        x, y = plain.get("x"), plain.get("y")
        return cls(
            (x[0], x[1]) if x else _extent(crops["map_x"]),
            (y[0], y[1]) if y else _extent(crops["map_y"]),
            int(plain.get("width", cls.width)),
            int(plain.get("height", cls.height)),
        )

    def holds(self, crops: pd.DataFrame) -> Mask:
        """Return which crops are in sight."""
        x, y = crops["map_x"].to_numpy(), crops["map_y"].to_numpy()
        (x0, x1), (y0, y1) = self.x, self.y
        return np.asarray((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))


def density(crops: pd.DataFrame, keep: Mask, view: Viewport) -> dict[str, Any]:
    """Draw how many crops lie where, as an image below the points."""
    rows = np.flatnonzero(keep & view.holds(crops))
    counts = _binned(crops, rows, view)
    alpha = np.zeros(counts.shape, np.float32)
    some = counts > 0
    if some.any():
        alpha[some] = 0.15 + 0.75 * np.log1p(counts[some]) / np.log1p(counts.max())
    pixels = np.zeros((*counts.shape, 4), np.uint8)
    pixels[..., :3] = _DENSITY
    pixels[..., 3] = (255 * alpha).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(buffer, "PNG")
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    return {
        "source": source, "xref": "x", "yref": "y", "x": view.x[0], "y": view.y[1],
        "sizex": view.x[1] - view.x[0], "sizey": view.y[1] - view.y[0],
        "sizing": "stretch", "layer": "below", "name": "density",
    }  # fmt: skip


def pictures(
    crops: pd.DataFrame, keep: Mask, view: Viewport, crops_run: str
) -> list[dict[str, Any]]:
    """Return thumbnails of exemplars where the crops lie dense, none over another."""
    rows = np.flatnonzero(keep & view.holds(crops) & crops["exemplar"].to_numpy())
    if not len(rows):
        return []
    shown = _apart(crops, rows, _crowd(crops, keep, rows, view), view)
    x, y = crops["map_x"].to_numpy(), crops["map_y"].to_numpy()
    wide = (view.x[1] - view.x[0]) * _PICTURE / view.width
    high = (view.y[1] - view.y[0]) * _PICTURE / view.height
    return [
        {
            "source": link(
                f"/image/{crops['crop_id'].iat[row]}", kind="crop", size=96, run=crops_run
            ),
            "xref": "x", "yref": "y", "x": float(x[row]), "y": float(y[row]),
            "sizex": wide, "sizey": high,
            "xanchor": "center", "yanchor": "middle", "layer": "above", "name": "picture",
        }
        for row in shown
    ]  # fmt: skip


def _extent(values: pd.Series) -> tuple[float, float]:
    least, most = float(values.min()), float(values.max())
    margin = _MARGIN * (most - least) or 1.0
    return least - margin, most + margin


def _cell(crops: pd.DataFrame, rows: Rows, view: Viewport, columns: int, lines: int) -> Rows:
    x, y = crops["map_x"].to_numpy()[rows], crops["map_y"].to_numpy()[rows]
    i = ((x - view.x[0]) / (view.x[1] - view.x[0]) * columns).clip(0, columns - 1).astype(np.intp)
    j = ((y - view.y[0]) / (view.y[1] - view.y[0]) * lines).clip(0, lines - 1).astype(np.intp)
    return np.asarray(j * columns + i)


def _crowd(crops: pd.DataFrame, keep: Mask, rows: Rows, view: Viewport) -> Rows:
    """Return how many crops lie about each of the rows."""
    columns, lines = (max(1, side // (2 * _PICTURE)) for side in (view.width, view.height))
    inside = np.flatnonzero(keep & view.holds(crops))
    counts = np.bincount(_cell(crops, inside, view, columns, lines), minlength=columns * lines)
    return np.asarray(counts[_cell(crops, rows, view, columns, lines)])


def _apart(crops: pd.DataFrame, rows: Rows, crowd: Rows, view: Viewport) -> list[int]:
    """Return rows of which no two pictures touch, those in the densest places first."""
    x = (crops["map_x"].to_numpy()[rows] - view.x[0]) / (view.x[1] - view.x[0]) * view.width
    y = (crops["map_y"].to_numpy()[rows] - view.y[0]) / (view.y[1] - view.y[0]) * view.height
    chosen: list[int] = []
    for i in np.argsort(-crowd, kind="stable")[:_MOST_TRIED].tolist():
        clear = np.maximum(np.abs(x[chosen] - x[i]), np.abs(y[chosen] - y[i])) > _PICTURE + 3
        if clear.all():
            chosen.append(i)
        if len(chosen) == MOST_PICTURES:
            break
    return [int(row) for row in rows[chosen]]


def _binned(crops: pd.DataFrame, rows: Rows, view: Viewport) -> npt.NDArray[np.float32]:
    columns, lines = _CELLS
    cells = _cell(crops, rows, view, columns, lines)
    counts = np.bincount(cells, minlength=columns * lines)
    return counts.reshape(lines, columns).astype(np.float32)
