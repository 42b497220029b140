"""`classify train`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from classify.commands.options import Flag, Json
from classify.console import print_json, say, stages


def train(
    task: Literal["floor", "elements", "both"],
    data: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    out: Path | None = None,
    backbone: str | None = None,
    weights: str = "timm",
    init_from: Path | None = None,
    size: tuple[int, int] = (352, 512),
    crop: float = 1.0,
    crop_width: float | None = None,
    hide_vehicle: Flag = False,
    pool: Literal["mean", "topk"] = "mean",
    levels: Literal[1, 2] | None = None,
    multilabel: Flag = False,
    split: Literal["dive", "burst", "random", "table"] = "dive",
    validation: float = 0.25,
    fold: int = 0,
    dive_from: str | None = None,
    aliases: Path | None = None,
    strength: float = 0.0,
    tune_epochs: int = 0,
    tune_rate: float = 3e-4,
    batch: int = 16,
    augment: float = 1.0,
    views: int = 0,
    final: Flag = False,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Train a classifier from labelled images. A run that was stopped goes on.

    Example: classify train elements labels.csv --weights bundled --out runs/elements

    Parameters
    ----------
    task
        What the labels are: floor (sandy, muddy, muddy-sand, reef), elements (ripples, fauna,
        algae, waste, rocks), or both in one network. Other class names are taken as they are.
    data
        A CSV or Parquet table with columns image, label and perhaps dive, burst, and split or fold,
        as `discover split` writes it; or a folder with one folder per class. For both: one of each,
        or a table with columns floor and element.
    out
        Run folder to write; by default runs/<task>.
    backbone
        Any timm model name, or hf-hub:owner/model; by default resnet34, or the one whose weights
        come with the install.
    weights
        timm (from the hub), bundled (EfficientNet-Lite0, comes with the install), none, or a file.
    init_from
        A finished run whose tuned trunk this one starts from.
    size
        Rows and columns of the input, pixels.
    crop
        Share of the frame, from its centre, that is looked at: 0.67 hides a vehicle at the sides.
    crop_width
        The same for the width alone.
    hide_vehicle
        Put the mean colour in place of what never changes within a dive.
    pool
        mean is the usual global average; topk averages the strongest positions of the map.
    levels
        1 looks at the last map of the backbone alone, 2 also at that of the stage before, which
        knows texture. By default 2 for floor, 1 for elements and both.
    multilabel
        Several labels an image: parted by "|" in a table, or the same file in several folders.
    split
        dive and burst keep each on one side. table takes the column split (train, test) or fold of
        DATA. random inflates the score.
    validation
        Share of the images that is held out.
    fold
        Which share: 0.25 makes the folds 0 to 3; or which fold of the table.
    dive_from
        Regular expression whose first group, found in an image's path, is its dive.
    aliases
        CSV with columns alias and name: further names of the classes.
    strength
        Of the penalty on the heads' weights; 0 chooses it by dives of the training images.
    tune_epochs
        Passes of the whole network over the images once the heads are fitted, at most; 0 leaves the
        trunk as it is.
    tune_rate
        Learning rate of the whole network.
    batch
        Images a step of the whole network.
    augment
        Strength of the augmentation, 0 to 2.
    views
        Copies of each image that the heads learn from too, as a worse camera, file or water would
        have recorded it: steadier under those, and slower.
    final
        Train once more on all images, for the number of epochs that was best.
    seed
        Of split, initial weights, order and augmentation.
    as_json
        Print the result for machines.
    """
    from classify.printed import training_lines
    from classify.settings import TrainConfig
    from classify.train import train as train_classifier

    bundled = weights == "bundled"
    out = out or Path("runs") / task
    with stages(silent=as_json) as begin:
        done = train_classifier(
            data,
            out,
            task=task,
            config=TrainConfig(
                split=split,
                validation=validation,
                fold=fold,
                final=final,
                seed=seed,
                strength=strength,
                tune_epochs=tune_epochs,
                tune_rate=tune_rate,
                batch=batch,
                augment=augment,
                views=views,
            ),
            dive_from=dive_from,
            aliases=aliases,
            init_from=init_from,
            progress=begin,
            backbone=backbone or ("tf_efficientnet_lite0" if bundled else "resnet34"),
            weights=weights,
            height=size[0],
            width=size[1],
            crop_width=crop_width or crop,
            crop_height=crop,
            hide_vehicle=hide_vehicle,
            pool=pool,
            locator=task != "floor" and pool == "mean",
            levels=levels or (2 if task == "floor" else 1),
            multilabel=multilabel,
        )
    if as_json:
        print_json({"run": str(out), **done.info["counts"]})
        return
    for line in training_lines(done.info["counts"], split):
        say(line)
    say(f"report: {out / 'report.html'}")
