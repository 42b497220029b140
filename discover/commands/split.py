"""`discover split`."""

from pathlib import Path
from typing import Literal

from classify.console import print_json, say
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def split(
    *,
    by: Literal["dive", "burst"] = "dive",
    folds: int = 0,
    test: float = 0.2,
    labels: Path | None = None,
    task: Literal["floor", "elements"] = "elements",
    out: Path = Path("split.csv"),
    seed: int = 0,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Divide the frames into training and test images that share no dive, or no burst.

    Writes a table for `classify train --split table`. `discover leaks` checks it.

    Example: discover split --labels labels.csv --folds 4 --out folds.csv

    Parameters
    ----------
    by
        What is kept on one side: dive; or burst, where dives are few, after `discover bursts`.
    folds
        Parts to hold out in turn, numbered from 0 in a column fold; 0 makes one test set.
    test
        Share of the frames for testing, where there are no folds.
    labels
        CSV with columns image and label, or anything else that `classify train` takes: the split
        is balanced by class, and only labelled frames are in it. predictions balances all frames by
        the survey's latest predictions.
    task
        Which labels those are.
    out
        Table to write: CSV or Parquet.
    seed
        Of the shuffle.
    """
    from discover.listed import check_ending, write_table
    from discover.splits import SplitConfig, split_frames

    opened = open_survey(survey)
    check_ending(out)
    config = SplitConfig(by, folds, test, seed)
    done = split_frames(opened, config, labels=labels, task=task, folder=out.parent)
    write_table(done.table, out)
    part = "fold" if folds else "split"
    sizes = done.table.groupby(part).agg(frames=("image", "size"), dives=("dive", "nunique"))
    if as_json:
        parts = {str(name): row for name, row in sizes.to_dict("index").items()}
        print_json({"table": str(out), "parts": parts, "notes": done.notes})
        return
    for name, row in sizes.to_dict("index").items():
        share = row["frames"] / len(done.table)
        dives = f"{row['dives']} dive{'s' * (row['dives'] != 1)}"
        say(f"{part} {name}: {row['frames']} frames ({share:.0%}) of {dives}")
    for note in done.notes:
        say(f"beware: {note}")
    say(f"table: {out}")
    say(f"next: discover leaks {out}; classify train {task} {out} --split table")
