"""YOLO: a text file of boxes beside each image, and `data.yaml`; for training detectors."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from classify.images import open_image
from classify.runs import write_atomic
from discover.export.records import Records, plain_name
from discover.export.rows import LabelRow, number
from discover.naming.database import LabelError
from discover.survey import SurveyError

_NAMES = "data.yaml"


def write_yolo(records: Records, out: Path) -> list[str]:
    """Write `images/`, `labels/` and `data.yaml` into the folder `out`; images are copied.

    Boxes are `class cx cy w h` as shares of the image's sides. There is no division into training
    and test: make it by dive (`discover split`).
    """
    rows = records.rows()
    names = sorted({row["label"] for row in rows})
    by_image: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_image.setdefault(row["image"], []).append(row)
    _refuse_twins(list(by_image))
    for image, of_image in by_image.items():
        copy = out / "images" / plain_name(image)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(records.survey.frame_path(of_image[0]["file"]), copy)
        lines = [f"{names.index(row['label'])} {_box(row)}" for row in of_image]
        label = out / "labels" / copy.with_suffix(".txt").name
        write_atomic(label, ("\n".join(lines) + "\n").encode())
    about = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(names))}
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
    write_atomic(out / _NAMES, text.encode())
    beware = "train and val are the same images: divide them by dive before you train"
    return [*records.left_out(), beware]


def read_yolo(folder: Path) -> Iterator[LabelRow]:
    """Yield the labels of a folder as `write_yolo` makes it.

    Raises:
        LabelError: the folder or a row is wrong; the message names it.
    """
    names = _read_names(folder / _NAMES)
    images = {p.stem: p for p in sorted((folder / "images").glob("*"))}
    for file in sorted((folder / "labels").glob("*.txt")):
        if file.stem not in images:
            raise LabelError(f"FILE {file}: images/ has no image of that name")
        image = images[file.stem]
        width, height = open_image(image).size
        for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            place = f"FILE {file}: row {n}"
            values = [number(v, "value", place) for v in line.split()]
            if len(values) != 5 or values[0] not in names:
                raise LabelError(f"{place}: {line!r} is not CLASS CX CY W H of {_NAMES}")
            cx, cy, w, h = (v or 0.0 for v in values[1:])
            box = ((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height)
            yield LabelRow(place, names[values[0]], image=image.name, box=box)


def _box(row: dict[str, Any]) -> str:
    width, height = row["image_width"], row["image_height"]
    cx, cy = (row["x"] + row["w"] / 2) / width, (row["y"] + row["h"] / 2) / height
    return f"{cx:.8f} {cy:.8f} {row['w'] / width:.8f} {row['h'] / height:.8f}"


def _read_names(file: Path) -> dict[float | None, str]:
    """Return the classes by number; YOLO has them as a list or as numbers with names."""
    try:
        names = yaml.safe_load(file.read_text(encoding="utf-8"))["names"]
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {float(n): str(name) for n, name in pairs}
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise LabelError(f"FILE {file} does not name the classes under names: {error}") from error


def _refuse_twins(images: list[str]) -> None:
    """Refuse two images whose text files would have one name."""
    seen: dict[str, str] = {}
    for image in images:
        stem = Path(plain_name(image)).stem
        if stem in seen:
            raise SurveyError(
                f"{seen[stem]} and {image} differ in their endings alone, which YOLO cannot tell "
                "apart: rename one"
            )
        seen[stem] = image
