"""`classify evaluate`."""

from pathlib import Path
from typing import Literal

from classify.commands.options import Json
from classify.console import print_json, say, stages


def evaluate(
    model: Path,
    data: Path | None = None,
    /,
    *,
    split: Literal["all", "table"] = "all",
    fold: int = 0,
    dive_from: str | None = None,
    as_json: Json = False,
) -> None:
    """Say how good a classifier is on dives that it was not trained on.

    Example: classify evaluate runs/elements

    Parameters
    ----------
    model
        A finished run of `classify train`.
    data
        Other labelled images; without them, the images that were held out in training.
    split
        Of DATA: all images, or those that its column split (test) or fold holds out.
    fold
        The fold of the table that is held out.
    dive_from
        Regular expression whose first group, found in an image's path, is its dive.
    as_json
        Print the result for machines.
    """
    from classify.printed import leak_lines, score_lines
    from classify.runs import read_run
    from classify.scoring import score_run

    with stages(silent=as_json) as begin:
        scores = score_run(model, data, split=split, fold=fold, dive_from=dive_from, progress=begin)
    if as_json:
        print_json(scores)
        return
    for task, of_task in scores.items():
        for line in score_lines(task, of_task):
            say(line)
    info = read_run(model).info
    if data is None and info["config"]["train"]["split"] != "random":
        for line in leak_lines(info["counts"]):
            say(line)
