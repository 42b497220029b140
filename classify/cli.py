"""The command `classify`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from classify.console import configure, print_json, progress, run, say

app = App(
    name="classify",
    help="Train and use classifiers of what floor and which element a frame shows.",
    version_flags=["--version"],
)
configure(app, "classify.toml", "CLASSIFY_")

Json = Annotated[bool, Parameter(name="--json", negative=())]


@app.command
def train(
    task: Literal["floor", "elements"],
    data: Path,
    /,
    *,
    out: Path | None = None,
    backbone: str = "tf_efficientnet_lite0",
    weights: str = "bundled",
    size: tuple[int, int] = (352, 512),
    crop: float = 1.0,
    pool: Literal["topk", "mean"] = "topk",
    split: Literal["dive", "random"] = "dive",
    dive_from: str | None = None,
    validation: float = 0.25,
    epochs: int = 60,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Train a classifier from images that have one label each.

    Example: classify train elements labels.csv --out runs/elements

    Parameters
    ----------
    task
        What the labels are: floor (sandy, muddy, muddy-sand, reef) or elements (ripples, fauna,
        algae, waste, rocks). Other class names are taken as they are.
    data
        A CSV with columns image, label and perhaps dive; or a folder with one folder per class.
    out
        Run folder to write; by default runs/<task>.
    backbone
        Any timm model name, or hf-hub:owner/model.
    weights
        bundled (EfficientNet-Lite0, comes with the install), timm (from the hub), none, or a file.
    size
        Rows and columns of the input, pixels.
    crop
        Share of the frame, from its centre, that is looked at: 0.67 hides a vehicle at the sides.
    pool
        topk averages the strongest positions of the map and finds small objects better; mean is
        the usual global average.
    split
        dive keeps each dive on one side. random inflates the score, by how much nobody knows.
    dive_from
        Regular expression whose first group, found in an image's path, is its dive.
    validation
        Share of the images that is held out.
    epochs
        Passes over the training images at most.
    seed
        Of split, initial weights and order.
    as_json
        Print the result for machines.
    """
    from classify.train import TrainConfig
    from classify.train import train as train_classifier

    out = out or Path("runs") / task
    with progress("features", silent=as_json) as advance:
        done = train_classifier(
            data,
            out,
            task=task,
            config=TrainConfig(split=split, validation=validation, epochs=epochs, seed=seed),
            dive_from=dive_from,
            progress=advance,
            backbone=backbone,
            weights=weights,
            height=size[0],
            width=size[1],
            crop=crop,
            pool=pool,
        )
    if as_json:
        print_json({"run": str(out), **done.info["counts"]})
        return
    scores = done.info["counts"]["validation"]
    other = "dives that it was not trained on" if split == "dive" else "RANDOM images: inflated"
    say(f"{done.info['counts']['images']} images; {scores['images']} held out ({other})")
    say(f"  balanced accuracy  {scores['balanced_accuracy']:.3f}")
    say(f"  accuracy           {scores['accuracy']:.3f}")
    say(f"  always the commonest class would give {scores['majority_accuracy']:.3f}")
    for name, recall in scores["recall"].items():
        say(
            f"  recall of {name:<12} "
            + ("no images held out" if recall is None else f"{recall:.3f}")
        )
    say(f"run folder: {out}")


def main() -> None:
    """Run the command line."""
    run(app)
