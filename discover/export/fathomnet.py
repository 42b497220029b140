"""FathomNet: a CSV of boxes with their concepts."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from classify.runs import write_atomic
from discover.export.records import Records
from discover.export.rows import LabelRow, box, number
from discover.export.tables import csv_rows, csv_text

NEEDED = ("concept", "image", "x", "y", "width", "height")


def write_fathomnet(records: Records, out: Path) -> list[str]:
    """Write the named crops; `observer`, `timestamp` and places where they are known."""
    made = [
        {
            "concept": row["label"], "image": row["image"], "x": row["x"], "y": row["y"],
            "width": row["w"], "height": row["h"], "observer": row["annotator"],
            "timestamp": row["time_utc"].isoformat() if row["time_utc"] else None,
            "latitude": row["lat"], "longitude": row["lon"], "depth": row["depth_m"],
        }
        for row in records.rows()
    ]  # fmt: skip
    write_atomic(out, csv_text(pd.DataFrame(made)).encode())
    return records.left_out()


def read_fathomnet(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of a FathomNet CSV.

    Raises:
        LabelError: the file is wrong; the message names the row.
    """
    for place, row in csv_rows(file, NEEDED):
        corners = box([row["x"], row["y"], row["width"], row["height"]], place)
        yield LabelRow(
            place,
            row["concept"],
            image=row["image"],
            box=corners,
            annotator=row.get("observer") or None,
            confidence=number(row.get("confidence"), "confidence", place),
        )
