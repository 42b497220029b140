"""`discover label`: verdicts without the page, undo and redo, the history."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from classify.console import print_json, say
from discover.commands.label_tree import tree
from discover.commands.labelling import Annotator, line, opened_labels, plain
from discover.commands.options import HERE, Json, SurveyDir
from discover.labels import user_name
from discover.naming.database import LabelError
from discover.naming.events import By, Event
from discover.survey import open_survey

label = App(name="label", help="Name crops without the page: verdicts, undo, history, the tree.")
label.command(tree)


@label.command
def apply(
    file: Path,
    *,
    run: str | None = None,
    annotator: Annotator = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Carry out the verdicts of a table; after an error in any row nothing of it is kept.

    Columns: action (validate, reject, indeterminate, name, clear, move, merge, split, flag,
    unflag), crop or group, to (a group), name, note, confidence (0 to 1), annotator. A group is the
    number of a cluster, with --run.

    Example: discover label apply verdicts.csv --run waste-1a2b3c4d

    Parameters
    ----------
    file
        CSV with a header.
    run
        Clustering run that the groups are of; crops of its bursts then follow their keyframe.
    """
    from discover.naming.verdict_file import apply_file

    opened = open_survey(survey)
    with opened_labels(opened) as labels, labels.write() as writer:
        events = apply_file(writer, opened, file, By(annotator or user_name()), run=run)
    crops = sum(event.crops for event in events)
    if as_json:
        print_json({"events": [plain(event) for event in events], "crops": crops})
        return
    say(f"{len(events)} events changed {crops} crops; discover label undo takes back the last")


@label.command
def undo(
    *,
    times: int = 1,
    annotator: Annotator = None,
    machine: bool = False,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Take back the last event, or several; what others changed since stays as it is.

    Example: discover label undo --times 3

    Parameters
    ----------
    times
        How many events.
    machine
        Take back what a machine of that name suggested.
    """
    _turn("undo", times, annotator, machine, survey, as_json)


@label.command
def redo(
    *,
    times: int = 1,
    annotator: Annotator = None,
    machine: bool = False,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Do again what was undone last.

    Example: discover label redo

    Parameters
    ----------
    times
        How many events.
    machine
        Do again what a machine of that name suggested.
    """
    _turn("redo", times, annotator, machine, survey, as_json)


@label.command
def log(
    *,
    crop: str | None = None,
    limit: int = 20,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Say who decided what when, the latest first.

    Example: discover label log --crop 1f2e3d4c5b6a7988

    Parameters
    ----------
    crop
        Only the history of this crop.
    limit
        How many events.
    """
    with opened_labels(open_survey(survey)) as labels:
        events = labels.history(limit, crop_id=crop)
    if as_json:
        print_json([plain(event) for event in events])
        return
    for event in events:
        say(f"{event.event_id:>6}  {event.time_utc:%Y-%m-%d %H:%M:%S}  {line(event)}")
    if not events:
        say("nothing was decided yet" if crop is None else f"nothing was decided on crop {crop}")


@label.command(name="import")
def bring(
    file: Path,
    *,
    format: str | None = None,
    annotator: Annotator = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Bring in labels from a file that `discover export` or another tool wrote.

    Crops are found by their id, or by image and box. What a person decided here stays; after an
    error in any row nothing of the file is kept.

    Example: discover label import annotations.csv --format biigle

    Parameters
    ----------
    file
        The file, or the folder.
    format
        csv, parquet, coco, yolo, ifdo, biigle, coralnet, fathomnet, darwin-core or folders; by
        default told from the file.
    annotator
        Who decided, where the file does not say; by default the user.
    overwrite
        Let the file win over what a person decided here.
    """
    from discover.export import format_of
    from discover.naming.label_import import import_labels

    opened, chosen = open_survey(survey), format_of(file, format)
    by = By(annotator or user_name(), based_on=file.name)
    with opened_labels(opened) as labels, labels.write() as writer:
        done = import_labels(writer, opened, chosen.read(file), by, overwrite=overwrite)
    crops = sum(event.crops for event in done.events)
    if as_json:
        print_json({"rows": done.rows, "crops": crops, "events": len(done.events),
                    "kept": done.kept})  # fmt: skip
        return
    say(f"{done.rows:,} labels read, {crops:,} crops changed")
    if done.kept:
        say(f"{len(done.kept):,} crops keep what a person decided here: --overwrite changes them")


def _turn(
    action: str, times: int, annotator: str | None, machine: bool, survey: Path, as_json: bool
) -> None:
    if times < 1:
        raise LabelError(f"--times {times} must be at least 1")
    who, origin = annotator or user_name(), "machine" if machine else "human"
    events: list[Event] = []
    with opened_labels(open_survey(survey)) as labels:
        turn = labels.undo if action == "undo" else labels.redo
        while len(events) < times and (event := turn(annotator=who, origin=origin)):
            events.append(event)
            if not as_json:
                say(line(event))
    if as_json:
        print_json([plain(event) for event in events])
    elif len(events) < times:
        say(f"nothing {'more ' if events else ''}to {action} for {who}")
