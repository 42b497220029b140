"""`classify robustness`."""

from pathlib import Path

from classify.commands.options import Json
from classify.console import print_json, say, stages


def robustness(
    model: Path, data: Path | None = None, /, *, dive_from: str | None = None, as_json: Json = False
) -> None:
    """Score a classifier on its held-out images as other cameras and waters would show them.

    Resolution, JPEG compression, blur, haze, brightness, rotation, parts of the vehicle. Writes
    robustness.csv and robustness.html into the run folder.

    Example: classify robustness runs/elements

    Parameters
    ----------
    model
        A finished run of `classify train`.
    data
        Other labelled images; without them, the images that were held out in training.
    dive_from
        Regular expression whose first group, found in an image's path, is its dive.
    as_json
        Print the result for machines.
    """
    from classify.robustness import measure_robustness, robustness_lines

    with stages(silent=as_json) as begin:
        table = measure_robustness(model, data, dive_from=dive_from, progress=begin)
    if as_json:
        print_json(table.to_dict("records"))
        return
    for line in robustness_lines(table):
        say(line)
    say(f"figure: {model / 'robustness.html'}")
