"""Rows of the crops table: from the regions of a frame, and back."""

from collections.abc import Sequence
from typing import Any

from classify.images import Decoded
from discover.crops import Box, Cut, cut_from_rle, encode_mask
from discover.cutting.regions import Found
from discover.survey import crop_id

Row = dict[str, Any]
_GRID = 384  # cells of a mask along each side: more than any crop shows of its soft edge


def crop_rows(frame_id: str, found: Sequence[Found], frame: Decoded) -> list[Row]:
    """Return a row for each region of a frame; two annotations of one object are one crop."""
    rows: dict[str, Row] = {}
    for region in found:
        row = _row(frame_id, region, frame)
        rows.setdefault(row["crop_id"], row)
    return list(rows.values())


def _row(frame_id: str, found: Found, frame: Decoded) -> Row:
    heat = found.heat
    return {
        "crop_id": crop_id(frame_id, found.class_name, found.cut.box),
        "frame_id": frame_id,
        "class": found.class_name,
        "score": found.score,
        **dict(zip("xywh", found.cut.box, strict=True)),
        "mask": encode_mask(found.cut, frame.width, frame.height),
        "heat": None if heat is None else heat.tobytes(),
        "heat_rows": None if heat is None else heat.shape[0],
        "heat_cols": None if heat is None else heat.shape[1],
    }


def cut_of_row(row: Row, width: int, height: int) -> Cut:
    """Return the region of a row, in a frame of width x height original pixels.

    A mask so fine that no pixel of the frame is in it is its whole box.
    """
    box: Box = (row["x"], row["y"], row["w"], row["h"])
    whole = Cut(box, None, box)
    if row["mask"] is None:
        return whole
    return cut_from_rle(row["mask"], width, height, most=_GRID) or whole


def by_frame(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows by their frame, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["frame_id"], []).append(row)
    return found
