"""COCO: boxes and masks for training detectors, with whose label each is.

What COCO has no field for stands under `attributes` of an annotation, and `path`, `codes` of a
category.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from classify.runs import write_atomic
from discover.export.records import Records
from discover.export.rows import LabelRow, box, time
from discover.export.shapes import box_corners
from discover.naming.database import LabelError

_ATTRIBUTES = ("crop_id", "status", "annotator", "created_at", "confidence", "based_on",
               "cluster", "burst_id", "model_hash")  # fmt: skip


def write_coco(records: Records, out: Path) -> list[str]:
    """Write the named crops as COCO; masks as compressed RLE, boxes as polygons."""
    rows = records.rows()
    names = sorted({row["label"] for row in rows})
    images = {name: n for n, name in enumerate(dict.fromkeys(row["image"] for row in rows), 1)}
    data = {
        "info": {"description": f"labels of the survey {records.name}"},
        "images": [_image(images[row["image"]], row) for row in _first_of_each(rows, "image")],
        "categories": [
            _category(names.index(row["label"]) + 1, row)
            for row in sorted(_first_of_each(rows, "label"), key=lambda r: str(r["label"]))
        ],
        "annotations": [
            _annotation(n, images[row["image"]], names.index(row["label"]) + 1, row)
            for n, row in enumerate(rows, 1)
        ],
    }
    write_atomic(out, json.dumps(data, ensure_ascii=False, default=str).encode())
    return records.left_out()


def read_coco(file: Path) -> Iterator[LabelRow]:
    """Yield the labels of a COCO file.

    Raises:
        LabelError: it is no COCO file, or an annotation is of an unknown image or category.
    """
    data = read_json(file)
    try:
        images = {i["id"]: i["file_name"] for i in data["images"]}
        categories = {c["id"]: c for c in data["categories"]}
        annotations = data["annotations"]
    except (KeyError, TypeError) as error:
        raise LabelError(
            f"FILE {file} is no COCO file: it lacks {error}; it needs images, categories and "
            "annotations"
        ) from error
    for number, given in enumerate(annotations, 1):
        place = f"FILE {file}: annotation {given.get('id', number)}"
        for key, known in (("image_id", images), ("category_id", categories)):
            if given.get(key) not in known:
                raise LabelError(f"{place}: {key} {given.get(key)!r} is not in the file")
        more = given.get("attributes") or {}
        category = categories[given["category_id"]]
        corners = given.get("bbox") or [None] * 4
        crop = more.get("crop_id")
        yield LabelRow(
            place,
            category.get("path") or category["name"],
            crop,
            images[given["image_id"]],
            None if crop else box([None if v is None else str(v) for v in corners], place),
            annotator=more.get("annotator"),
            origin=more.get("status"),
            time=time(more.get("created_at"), place),
            confidence=more.get("confidence"),
            based_on=more.get("based_on"),
            codes=category.get("codes") or {},
        )


def read_json(file: Path) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read a JSON file.

    Raises:
        LabelError: it cannot be read, or is none.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LabelError(f"FILE {file}: {error.strerror}") from error
    except ValueError as error:
        raise LabelError(f"FILE {file} is no JSON in UTF-8: {error}") from error


def known(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those values of a row that are known."""
    return {name: row[name] for name in names if row[name] is not None}


def _first_of_each(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return list({row[key]: row for row in reversed(rows)}.values())[::-1]


def _image(number: int, row: dict[str, Any]) -> dict[str, Any]:
    more = known(row, ("sha256", "dive", "lat", "lon", "depth_m"))
    taken = {"date_captured": row["time_utc"].isoformat()} if row["time_utc"] else {}
    size = {"width": int(row["image_width"]), "height": int(row["image_height"])}
    return {"id": number, "file_name": row["image"], **size, **taken, **more}


def _category(number: int, row: dict[str, Any]) -> dict[str, Any]:
    codes = {"codes": json.loads(row["codes"])} if row["codes"] else {}
    name = {"name": row["label"], "supercategory": row["class"], "path": row["path"]}
    return {"id": number, **name, **codes}


def _annotation(number: int, image: int, category: int, row: dict[str, Any]) -> dict[str, Any]:
    corners = [int(row[name]) for name in "xywh"]
    segmentation: Any = [box_corners(row)]
    area = corners[2] * corners[3]
    if row["mask"]:
        from pycocotools import mask as coco

        size = [int(row["image_height"]), int(row["image_width"])]
        segmentation = {"size": size, "counts": row["mask"]}
        area = int(coco.area({"size": size, "counts": row["mask"].encode()}))
    return {
        "id": number, "image_id": image, "category_id": category, "bbox": corners, "area": area,
        "segmentation": segmentation, "iscrowd": 0, "score": float(row["score"]),
        "attributes": known(row, _ATTRIBUTES),
    }  # fmt: skip
