"""Objects of a COCO file, as regions of frames."""

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from classify.classes import standard_name
from discover.crops import Cut, cut_from_rle
from discover.survey import SurveyError


def read_coco(path: Path, option: str) -> dict[str, Any]:
    """Return a COCO file.

    Args:
        path: the file.
        option: what errors call it.

    Raises:
        SurveyError: it is no JSON, or no COCO file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SurveyError(f"{option} {path} cannot be read as JSON: {error}") from None
    missing = [k for k in ("images", "annotations", "categories") if k not in data]
    if missing:
        raise SurveyError(f"{option} {path} is not a COCO file: {missing[0]!r} is missing")
    return dict(data)


class ImageFiles:
    """The files of the images that a COCO file names.

    A `file_name` is a path in one of the folders, or its end, as a name alone is, of one file that
    lies anywhere below the last of them.

    Args:
        folders: where to look, in this order.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def find(self, name: str) -> Path | None:
        """Return the file of a `file_name`, None where there is none.

        Raises:
            SurveyError: several files may be meant.
        """
        direct = next((f / name for f in self._folders if (f / name).is_file()), None)
        if direct is not None:
            return direct
        parts = PurePosixPath(name).parts
        ends = [f for f in self._below.get(parts[-1], ()) if f.parts[-len(parts) :] == parts]
        if len(ends) > 1:
            raise SurveyError(
                f"file_name {name!r} may be {ends[0]} or {ends[1]}: write it with the folder that "
                "tells them apart, or give a folder by --images that holds one of them"
            )
        return ends[0] if ends else None

    @cached_property
    def _below(self) -> dict[str, list[Path]]:
        """All files below the last folder, by their names."""
        found: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(self._folders[-1].rglob("*")):
            found[file.name].append(file)
        return found


def class_of(category: dict[str, Any]) -> str:
    """Return the supercategory, which holds the element, or the name where there is none."""
    return standard_name(str(category.get("supercategory") or category["name"]))


def cut_of(annotation: dict[str, Any], width: int, height: int) -> Cut | None:
    """Return where an annotation is: its segmentation where given, else its box; None if empty."""
    from pycocotools import mask as coco

    shape = annotation.get("segmentation")
    if isinstance(shape, list) and shape:
        counts = coco.merge(coco.frPyObjects(shape, height, width))["counts"].decode()
        return cut_from_rle(counts, width, height)
    if isinstance(shape, dict):
        counts = shape["counts"]
        if isinstance(counts, list):
            counts = coco.frPyObjects(shape, height, width)["counts"].decode()
        return cut_from_rle(counts, width, height)
    x, y, w, h = (round(float(v)) for v in annotation["bbox"])
    x, y, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if right <= x or bottom <= y:
        return None
    return Cut((x, y, right - x, bottom - y), None, (0, 0, width, height))
