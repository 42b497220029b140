"""BIIGLE: the label tree as its ZIP, and the annotations as the CSV of its reports."""

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from classify.runs import write_atomic
from discover.export.coco import known
from discover.export.records import Records
from discover.export.rows import LabelRow, box, time
from discover.export.shapes import box_of, outline
from discover.export.tables import csv_rows, csv_text
from discover.naming.tree import Tree

_CREATED = datetime(2000, 1, 1, tzinfo=UTC)  # the same tree gives the same file
_COLOUR = "0099ff"  # BIIGLE's own default
_RECTANGLE, _POLYGON = ("5", "Rectangle"), ("3", "Polygon")
_KEPT = ("crop_id", "status", "confidence", "based_on", "score", "cluster", "burst_id")
_TREE, _ANNOTATIONS = "label_tree.zip", "annotations.csv"
_NEEDED = ("label_hierarchy", "filename", "shape_name", "points")


def write_biigle(records: Records, out: Path) -> list[str]:
    """Write `label_tree.zip` and `annotations.csv` into the folder `out`.

    An annotation is the outline of the crop's mask, or its box. What BIIGLE has no column for
    stands in `attributes`.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / _TREE, label_tree(records.tree, records.name))
    number = {node.id: n for n, node in enumerate(records.tree.walk(), 1)}
    rows = [_annotation(n, number, row) for n, row in enumerate(records.rows(), 1)]
    write_atomic(out / _ANNOTATIONS, csv_text(pd.DataFrame(rows)).encode())
    return records.left_out()


def read_biigle(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of BIIGLE's annotation CSV (or of the folder that `write` made).

    Raises:
        LabelError: the file is wrong; the message names the row.
    """
    file = file / _ANNOTATIONS if file.is_dir() else file
    for place, row in csv_rows(file, _NEEDED):
        more = _attributes(row.get("attributes"))
        crop = more.get("crop_id")
        name = " ".join(filter(None, (row.get("firstname"), row.get("lastname"))))
        yield LabelRow(
            place,
            row["label_hierarchy"],
            crop,
            row["filename"],
            None if crop else _box(row, place),
            annotator=name or None,
            origin=more.get("status"),
            time=time(row.get("created_at"), place),
            confidence=more.get("confidence"),
            based_on=more.get("based_on"),
        )


def label_tree(tree: Tree, name: str) -> bytes:
    """Return a label tree as BIIGLE's ZIP: `label_tree.json` and `labels.csv`."""
    nodes = tree.walk()
    number = {node.id: n for n, node in enumerate(nodes, 1)}
    rows = [
        {
            "id": number[node.id], "name": node.name,
            "parent_id": number.get(node.parent or ""),
            "color": (node.colour or "").removeprefix("#") or _COLOUR,
            "label_tree_id": 1, "source_id": node.codes.get("AphiaID", ""),
        }
        for node in nodes
    ]  # fmt: skip
    columns = ["id", "name", "parent_id", "color", "label_tree_id", "source_id"]
    table = pd.DataFrame(rows, columns=columns).astype({"parent_id": "Int64"})
    about = {
        "id": 1, "name": name, "description": "subcategories", "created_at": _CREATED.isoformat(),
        "updated_at": _CREATED.isoformat(),
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "version": None,
    }  # fmt: skip
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in (("label_tree.json", json.dumps(about)), ("labels.csv", csv_text(table))):
            archive.writestr(zipfile.ZipInfo(part, _CREATED.timetuple()[:6]), text)
    return held.getvalue()


def _annotation(n: int, number: dict[str, int], row: dict[str, Any]) -> dict[str, Any]:
    shape = _POLYGON if row["mask"] else _RECTANGLE
    return {
        "annotation_label_id": n, "label_id": number[row["subcategory"]],
        "label_name": row["label"], "label_hierarchy": row["path"], "user_id": "",
        "firstname": row["annotator"], "lastname": "", "image_id": "",
        "filename": row["image"], "image_longitude": row["lon"],
        "image_latitude": row["lat"], "shape_id": shape[0], "shape_name": shape[1],
        "points": json.dumps(outline(row)),
        "attributes": json.dumps(
            {"width": row["image_width"], "height": row["image_height"], **known(row, _KEPT)},
            default=str,
        ),
        "annotation_id": n, "created_at": row["created_at"],
    }  # fmt: skip


def _attributes(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}  # BIIGLE's own attributes are of the image, and not needed
    return found if isinstance(found, dict) else {}


def _box(row: dict[str, str], place: str) -> tuple[float, float, float, float]:
    try:
        points = [float(p) for p in json.loads(row["points"])]
    except (ValueError, TypeError):
        points = []
    if row["shape_name"] == "Circle" and len(points) == 3:
        x, y, radius = points
        return x - radius, y - radius, 2 * radius, 2 * radius
    if len(points) < 4:
        return box([None] * 4, f"{place}: {row['shape_name']} {row['points']!r}")
    return box_of(points, pixels=row["shape_name"] == _POLYGON[1])
