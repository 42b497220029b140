"""Crops as files in folders named by subcategory, for training classifiers and for looking.

What is moved to another folder by hand imports with the label of that folder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from PIL import Image

from classify.images import read_image
from discover.export.records import Records
from discover.export.rows import LabelRow
from discover.naming.database import LabelError
from discover.naming.tree import SEPARATOR

_MARGIN = 0.1  # of the longer side, around the box
_SAFE = " ()[]{}&'+,;=@$!~^#" + "éèêëàâäáåçñíìîïóòôöõúùûüßøæ"
_DIGITS = set("0123456789abcdef")


def write_folders(records: Records, out: Path) -> list[str]:
    """Write each named crop as `A/B/<crop id>.jpg` below the folder `out`, with a little margin."""
    by_file: dict[str, list[dict[str, Any]]] = {}
    for row in records.rows():
        by_file.setdefault(row["file"], []).append(row)
    for file, rows in by_file.items():
        pixels = read_image(records.survey.frame_path(file)).pixels
        for row in rows:
            folder = out.joinpath(*map(_folder, row["path"].split(SEPARATOR)))
            folder.mkdir(parents=True, exist_ok=True)
            cut = Image.fromarray(pixels[_window(row)])
            cut.save(folder / f"{row['crop_id']}.jpg", quality=95)
    return records.left_out()


def read_folders(folder: Path) -> Iterator[LabelRow]:
    """Yield the labels of crops in folders: the folder is the label, the file's name the crop.

    Raises:
        LabelError: a file is not named by a crop, or lies in no folder.
    """
    for file in sorted(folder.rglob("*.jpg")):
        above = file.relative_to(folder).parts[:-1]
        place = f"FILE {file}"
        if not above:
            raise LabelError(f"{place} lies in no folder: the folder is its label")
        if not set(file.stem) <= _DIGITS:
            raise LabelError(f"{place} is not named by the id of a crop")
        yield LabelRow(place, SEPARATOR.join(map(unquote, above)), file.stem)


def _folder(name: str) -> str:
    """Return a name that every file system takes; `unquote` undoes it."""
    kept = quote(name, safe=_SAFE)
    return kept.replace(".", "%2E") if not name.strip(".") or name.endswith(".") else kept


def _window(row: dict[str, Any]) -> tuple[slice, slice]:
    margin = round(_MARGIN * max(row["w"], row["h"]))
    top, left = max(0, row["y"] - margin), max(0, row["x"] - margin)
    return slice(top, row["y"] + row["h"] + margin), slice(left, row["x"] + row["w"] + margin)
