"""Labels for other tools, and from them: one module a format.

Light: a format is imported when it is asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from discover.naming.database import LabelError


@dataclass(frozen=True)
class Format:
    """A format that labels are written in and read from.

    Attributes:
        module: where its functions are; they are `write_` and `read_`, then `verb`.
        ending: of the file; "" = a folder.
        what: a line for the help.
        marks: whether it holds crops that are rejected or indeterminate too.
    """

    module: str
    verb: str
    ending: str
    what: str
    marks: bool = False

    @property
    def write(self) -> Callable[..., list[str]]:
        """The function that writes: (records, out) -> notes on what is left out or missing."""
        return self._function("write_")

    @property
    def read(self) -> Callable[[Path], Iterator[Any]]:
        """The function that reads: (file) -> rows of labels."""
        return self._function("read_")

    def _function(self, kind: str) -> Any:  # noqa: ANN401 - the module's own
        return getattr(import_module(f"discover.export.{self.module}"), kind + self.verb)


FORMATS = {
    "csv": Format("tables", "csv", ".csv", "everything known of each crop, a row each", True),
    "parquet": Format("tables", "parquet", ".parquet", "the same, for pandas, DuckDB and R", True),
    "coco": Format("coco", "coco", ".json", "boxes and masks, for training detectors"),
    "yolo": Format("yolo", "yolo", "", "images with text files of boxes, for training detectors"),
    "ifdo": Format("ifdo", "ifdo", ".json", "the FAIR description of the images, with annotations"),
    "biigle": Format("biigle", "biigle", "", "label tree and annotations"),
    "coralnet": Format("coralnet", "coralnet", "", "points and labelset"),
    "fathomnet": Format("fathomnet", "fathomnet", ".csv", "boxes with concepts"),
    "darwin-core": Format("darwin_core", "darwin_core", ".zip", "occurrences of fauna, for OBIS"),
    "folders": Format("folders", "folders", "", "crops as files in folders, for training"),
}


def format_of(file: Path, name: str | None) -> Format:
    """Return the format `name`, else the one that a file is in by its ending or what it holds.

    Raises:
        LabelError: there is no such format, or it cannot be told.
    """
    if name is not None:
        if name not in FORMATS:
            raise LabelError(f"--format {name!r} is none of {', '.join(FORMATS)}")
        return FORMATS[name]
    if file.is_dir():
        for known, mark in (("biigle", "label_tree.zip"), ("coralnet", "labelset.csv"),
                            ("yolo", "data.yaml")):  # fmt: skip
            if (file / mark).exists():
                return FORMATS[known]
        return FORMATS["folders"]
    ending = file.suffix.lower()
    if ending == ".csv":
        return FORMATS[_of_header(file)]
    if ending == ".json":
        head = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
        return FORMATS["ifdo" if '"image-set-items"' in head else "coco"]
    for known in ("parquet", "darwin-core"):
        if ending == FORMATS[known].ending:
            return FORMATS[known]
    raise LabelError(f"FILE {file}: the format cannot be told: add --format, {', '.join(FORMATS)}")


def _of_header(file: Path) -> str:
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    header = {name.strip(' "\ufeff') for name in text.partition("\n")[0].split(",")}
    for known, columns in (
        ("fathomnet", {"concept", "image"}),
        ("coralnet", {"Name", "Row", "Column"}),
        ("biigle", {"label_hierarchy", "filename"}),
    ):
        if columns <= header:
            return known
    return "csv"
