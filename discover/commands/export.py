"""`discover export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from classify.console import print_json, say
from discover.commands.options import HERE, Json, SurveyDir
from discover.export import FORMATS
from discover.naming.database import LabelError
from discover.survey import open_survey

if TYPE_CHECKING:
    from discover.export.records import Records


def export(
    format: Literal[
        "csv",
        "parquet",
        "coco",
        "yolo",
        "ifdo",
        "biigle",
        "coralnet",
        "fathomnet",
        "darwin-core",
        "folders",
    ],
    *,
    out: Path,
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    people_only: Annotated[bool, Parameter(negative=())] = False,
    encounters: Annotated[bool, Parameter(negative=())] = False,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Write the labels for another tool; `discover label import` reads each format again.

    Boxes and masks are in pixels of the original images.

    Example: discover export coco --out labels.json

    Parameters
    ----------
    format
        csv, parquet: everything known of each crop. coco, yolo: for training detectors. folders:
        crops as files. ifdo, biigle, coralnet, fathomnet: for those tools. darwin-core: fauna for
        OBIS, an occurrence a keyframe.
    out
        File to write; a folder for yolo, biigle, coralnet and folders.
    class_name
        Only crops of this class.
    people_only
        Leave out what only a machine suggested.
    encounters
        For darwin-core: an occurrence an encounter, with the number of individuals.
    """  # fmt: skip
    from discover.export.records import read_records

    opened, chosen = open_survey(survey), FORMATS[format]
    check_out(out, chosen.ending)
    if encounters and format != "darwin-core":
        raise LabelError(f"--encounters is for darwin-core, not for {format}")
    records = read_records(opened, class_name=class_name, people=people_only)
    notes = chosen.write(records, out, **({"encounters": True} if encounters else {}))
    what, count, images = _held(format, records, encounters)
    if as_json:
        print_json({"out": str(out), what: count, "images": images, "notes": notes})
        return
    for note in notes:
        say(f"note: {note}")
    say(f"{count:,} {what} of {images:,} images: {out}")


def _held(name: str, records: "Records", encounters: bool) -> tuple[str, int, int]:
    """Return what a file of a format holds: labels or occurrences, how many, of how many images."""
    if name == "darwin-core":
        from discover.export.darwin_core import occurrences

        found = occurrences(records, encounters=encounters)
        return "occurrences", len(found), len({row["image"] for row in found})
    table = records.table if FORMATS[name].marks else records.named()
    return "labels", len(table), table["image"].nunique()


def check_out(out: Path, ending: str) -> None:
    """Check, before the work, that `out` is what the format writes.

    Raises:
        LabelError: it has another ending, or is a file where a folder is written, or not empty.
    """
    if ending and out.suffix.lower() != ending:
        raise LabelError(f"--out {out} must end in {ending}")
    if not ending and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LabelError(f"--out {out} must be a new or empty folder")
