"""`discover leaks`."""

from pathlib import Path

from classify.console import print_json, say
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey

_SHOWN = 24  # pairs on the contact sheet


def leaks(
    split: Path,
    /,
    *,
    pairs: str | None = None,
    min_proof: float = 0.5,
    out: Path | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Say which images of a split show the same scene on both sides, and show the pairs.

    Needs the pairs that `discover bursts` proves. Writes a CSV of all of them and a contact sheet
    of the surest.

    Example: discover leaks split.csv

    Parameters
    ----------
    split
        Table with columns image and split or fold, as `discover split` writes it; or split.csv of
        a run of `classify train`.
    pairs
        Run of pairs; by default the latest.
    min_proof
        Probability from which on two frames count as one scene.
    out
        Folder for leaks.csv and leaks.jpg; by default beside the table, with -leaks.
    """
    from discover.leaks import find_leaks, leak_lines
    from discover.listed import write_table
    from discover.sheet import save_sheet

    opened = open_survey(survey)
    found = find_leaks(opened, split, pairs=pairs, min_proof=min_proof)
    files = {}
    if len(found.pairs):
        out = out or split.with_name(f"{split.stem}-leaks")
        files = {"table": str(out / "leaks.csv"), "sheet": str(out / "leaks.jpg")}
        write_table(found.pairs.drop(columns=["path_a", "path_b"]), out / "leaks.csv")
        shown = found.pairs.drop_duplicates("image_a").head(_SHOWN)
        rows = [
            [
                (opened.frame_path(row[f"path_{side}"]), f"{row[f'part_{side}']}: {name}")
                for side in "ab"
                for name in [Path(row[f"image_{side}"]).as_posix()]
            ]
            for row in shown.to_dict("records")
        ]
        save_sheet(rows, out / "leaks.jpg")
    if as_json:
        counts = {"held_out": found.held_out, "leaking": found.leaking, "share": found.share}
        print_json({**counts, "pairs": len(found.pairs), "unknown": found.unknown, **files})
        return
    for line in leak_lines(found):
        say(line)
    for what, file in files.items():
        say(f"{what}: {file}")
