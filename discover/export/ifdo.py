"""iFDO, the FAIR description of an image set: what each image is, and its annotations, as JSON.

See https://marine-imaging.com/fair. It stays incomplete where the survey does not know: a handle,
for one, does not exist before the set is published. What is missing is said.
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from classify.runs import write_atomic
from discover.export.coco import read_json
from discover.export.records import Records
from discover.export.rows import LabelRow, time
from discover.export.shapes import box_of, outline
from discover.naming.database import LabelError

VERSION = "v2.1.0"
_MACHINE = "machine:"  # before the name of a machine among the creators
_REQUIRED = {
    "image-datetime": "time_utc", "image-latitude": "lat", "image-longitude": "lon",
    "image-altitude-meters": "depth_m",
}  # fmt: skip
_HEADER = (
    "image-context", "image-project", "image-event", "image-platform", "image-sensor", "image-pi",
    "image-creators", "image-license", "image-copyright", "image-abstract",
)  # fmt: skip


def write_ifdo(records: Records, out: Path) -> list[str]:
    """Write the frames that have labels, with the outlines of their crops."""
    rows = records.rows()
    by_image: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_image.setdefault(row["image"], []).append(row)
    labels = {_label_id(row): row for row in rows}
    people = sorted({_creator(row) for row in rows})
    data = {
        "image-set-header": {
            "image-set-name": records.name,
            "image-set-uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, records.name)),
            "image-set-handle": "",
            "image-set-ifdo-version": VERSION,
            "image-coordinate-reference-system": "EPSG:4326",
            "image-annotation-labels": [_label(i, labels[i]) for i in sorted(labels)],
            "image-annotation-creators": [{"id": p, "name": p} for p in people],
        },
        "image-set-items": {name: _item(of_image) for name, of_image in by_image.items()},
    }
    write_atomic(out, json.dumps(data, ensure_ascii=False, indent=1).encode())
    return [*records.left_out(), *_missing(by_image)]


def read_ifdo(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of an iFDO in JSON; annotations of videos' frames are left out.

    Raises:
        LabelError: it is none, or an annotation is wrong; the message names it.
    """
    data = read_json(file)
    try:
        header, items = data["image-set-header"], data["image-set-items"]
        listed = header.get("image-annotation-labels") or []
        labels = {label["id"]: label for label in listed}
    except (KeyError, TypeError, AttributeError) as error:
        raise LabelError(f"FILE {file} is no iFDO: it lacks {error}") from error
    for image, item in items.items():
        entries = item if isinstance(item, list) else [item]
        for entry in entries:
            own = {la["id"]: la for la in entry.get("image-annotation-labels") or []}
            for n, annotation in enumerate(entry.get("image-annotations") or [], 1):
                place = f"FILE {file}: annotation {n} of {image}"
                yield from _rows(annotation, {**labels, **own}, image, place)


def _rows(
    annotation: dict[str, Any], labels: dict[str, Any], image: str, place: str
) -> Iterator[LabelRow]:
    try:
        coordinates = annotation["coordinates"]
        ring = coordinates[0] if isinstance(coordinates[0], list) else coordinates
        box = box_of([float(v) for v in ring], pixels=annotation.get("shape") == "polygon")
        given = annotation["labels"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise LabelError(f"{place} has no coordinates or labels: {error}") from error
    for said in given:
        if said.get("label") not in labels:
            raise LabelError(f"{place}: label {said.get('label')!r} is not among the file's labels")
        label, who = labels[said["label"]], str(said.get("annotator") or "")
        yield LabelRow(
            place,
            label["name"],
            image=image,
            box=box,
            annotator=who.removeprefix(_MACHINE) or None,
            origin="machine" if who.startswith(_MACHINE) else "human",
            time=time(said.get("created-at"), place),
            confidence=said.get("confidence"),
        )


def _label_id(row: dict[str, Any]) -> str:
    return " ".join(filter(None, (row["subcategory"], row["qualifier"])))


def _label(label_id: str, row: dict[str, Any]) -> dict[str, str]:
    return {"id": label_id, "name": row["path"], "info": row["codes"] or ""}


def _creator(row: dict[str, Any]) -> str:
    return (_MACHINE if row["status"] == "machine" else "") + str(row["annotator"])


def _item(rows: list[dict[str, Any]]) -> dict[str, Any]:
    first = rows[0]
    item = {
        "image-uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{first['sha256']}/{first['frame_id']}")),
        "image-hash-sha256": first["sha256"],
        "image-datetime": first["time_utc"] and f"{first['time_utc']:%Y-%m-%d %H:%M:%S.%f}",
        "image-latitude": first["lat"],
        "image-longitude": first["lon"],
        "image-altitude-meters": None if first["depth_m"] is None else -first["depth_m"],
        "image-event": {"name": first["dive"]} if first["dive"] else None,
        "image-annotations": [_annotation(row) for row in rows],
    }
    return {name: value for name, value in item.items() if value is not None}


def _annotation(row: dict[str, Any]) -> dict[str, Any]:
    ring = outline(row)
    polygon = bool(row["mask"])
    said = {
        "label": _label_id(row), "annotator": _creator(row), "created-at": row["created_at"],
        "confidence": row["confidence"],
    }  # fmt: skip
    return {
        "shape": "polygon" if polygon else "rectangle",
        "coordinates": [[*ring, *ring[:2]] if polygon else ring],  # a polygon is closed
        "labels": [{name: value for name, value in said.items() if value is not None}],
    }


def _missing(by_image: dict[str, list[dict[str, Any]]]) -> list[str]:
    notes = [f"incomplete until you add image-set-handle, {', '.join(_HEADER)}"]
    for name, column in _REQUIRED.items():
        count = sum(rows[0][column] is None for rows in by_image.values())
        if count:
            notes.append(f"{count} of {len(by_image)} images lack {name}")
    return notes
