"""Contact sheets: pictures side by side, each with a caption."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from classify.images import ImageError, read_image
from classify.runs import write_atomic

_HEIGHT = 180  # pixels of a picture
_WIDTH = 320
_CAPTION = 22
_GAP = 8
_INK, _PAPER, _MISSING = (30, 34, 38), (255, 255, 255), (225, 228, 231)

Cell = tuple[Path, str]  # picture, caption


def save_sheet(rows: Sequence[Sequence[Cell]], out: Path, *, across: int = 2) -> Path:
    """Write groups of pictures as one JPEG; a picture that cannot be read stays grey.

    Args:
        rows: the groups; the pictures of a group stand side by side and touch.
        out: the file to write.
        across: groups in a row of the sheet.
    """
    size = max(map(len, rows))
    width, height = size * _WIDTH + _GAP, _HEIGHT + _CAPTION + _GAP
    lines = -(-len(rows) // across)
    sheet = Image.new("RGB", (across * width + _GAP, lines * height + _GAP), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, row in enumerate(rows):
        left, top = _GAP + number % across * width, _GAP + number // across * height
        for place, (file, caption) in enumerate(row):
            x = left + place * _WIDTH
            sheet.paste(_thumbnail(file), (x, top))
            draw.text((x + 3, top + _HEIGHT + 2), _fitted(caption, draw, font), _INK, font)
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=88)
    write_atomic(out, data.getvalue())
    return out


def _thumbnail(file: Path) -> Image.Image:
    """Return the picture within its cell, on grey."""
    cell = Image.new("RGB", (_WIDTH - 2, _HEIGHT), _MISSING)
    try:
        picture = Image.fromarray(np.asarray(read_image(file, min_side=_HEIGHT).pixels))
    except (ImageError, OSError):
        return cell
    picture.thumbnail(cell.size)
    cell.paste(picture, ((cell.width - picture.width) // 2, (cell.height - picture.height) // 2))
    return cell


def _fitted(
    caption: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """Shorten a caption at its beginning: the end of a path tells most."""
    if draw.textlength(caption, font) <= _WIDTH - 8:
        return caption
    while len(caption) > 1 and draw.textlength(f"…{caption}", font) > _WIDTH - 8:
        caption = caption[1:]
    return f"…{caption}"
