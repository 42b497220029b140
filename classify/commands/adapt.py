"""`classify adapt`."""

from pathlib import Path

from classify.commands.options import Json
from classify.console import print_json, say, stages


def adapt(
    model: Path,
    /,
    *,
    labels: Path,
    out: Path | None = None,
    dive_from: str | None = None,
    as_json: Json = False,
) -> None:
    """Make a classifier right for new dives, from a few labelled frames of them.

    Example: classify adapt runs/elements --labels dive12.csv --out runs/elements-dive12

    Parameters
    ----------
    model
        A finished run of `classify train`.
    labels
        Labelled images of the new dives, as for `classify train`; one frame of each of a few
        scenes a dive is enough to begin with.
    out
        Run folder to write; by default the model's, with -adapted.
    dive_from
        Regular expression whose first group, found in an image's path, is its dive.
    as_json
        Print the result for machines.
    """
    from classify.adapt import adapt as adapt_classifier

    out = out or model.with_name(f"{model.name}-adapted")
    with stages(silent=as_json) as begin:
        done = adapt_classifier(model, labels, out, dive_from=dive_from, progress=begin)
    counts = done.info["counts"]
    if as_json:
        print_json({"run": str(out), **counts})
        return
    say(f"{counts['images']} labelled images of {counts['dives']} dives taken in")
    say(f"  right on them before  {counts['right_before']:.3f}")
    say(f"  right on them now     {counts['right_after']:.3f}   (they were trained on)")
    say(f"run folder: {out}")
