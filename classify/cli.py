"""The command `classify`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from classify.console import configure, print_json, run, say, stages

app = App(
    name="classify",
    help="Train and use classifiers of what floor and which element a frame shows.",
    version_flags=["--version"],
)
configure(app, "classify.toml", "CLASSIFY_")

Json = Annotated[bool, Parameter(name="--json", negative=())]
Flag = Annotated[bool, Parameter(negative=())]


@app.command
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


@app.command
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


@app.command
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


@app.command
def predict(
    images: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    model: Path,
    out: Path = Path("predictions.csv"),
    as_json: Json = False,
) -> None:
    """Name what frames show; "not sure" where the probability is too low to rely on.

    Example: classify predict dive12/ --model runs/elements --out dive12.csv

    Parameters
    ----------
    images
        Images, folders of images, or a survey, into which the predictions are then written.
    model
        A finished run of `classify train`.
    out
        CSV or Parquet file for the predictions of images.
    as_json
        Print the result for machines.
    """
    from classify.printed import prediction_lines

    with stages(silent=as_json) as begin:
        if len(images) == 1 and (images[0] / "survey.toml").is_file():
            from discover.predictions import predict_frames
            from discover.survey import open_survey

            survey = open_survey(images[0])
            done = predict_frames(survey, model, progress=begin("predicting"))
            table = survey.table("predictions", done.name).read().to_pandas()
            where = f"{survey.root / 'predictions' / done.name}"
        else:
            from classify.predict import check_ending, predict_images, write_predictions

            check_ending(out)
            table = predict_images(model, images, progress=begin("predicting"))
            write_predictions(table, out)
            where = str(out)
    if as_json:
        print_json({"predictions": where, "rows": len(table)})
        return
    for line in prediction_lines(table):
        say(line)
    say(f"predictions: {where}")


@app.command
def explain(
    model: Path,
    images: Annotated[list[Path], Parameter(consume_multiple=True)],
    /,
    *,
    out: Path = Path("explained"),
    method: str = "cam",
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    augmentations: Flag = False,
    augment: float = 1.0,
    as_json: Json = False,
) -> None:
    """Show what made a frame "waste": the saliency map laid over it.

    Example: classify explain runs/elements dive12/frame_0007.jpg --method grad-cam

    Parameters
    ----------
    model
        A finished run of `classify train`.
    images
        Images, or folders of images.
    out
        Folder for the pictures.
    method
        cam (exact for these classifiers, and fast), locator (the map by which crops are cut), or
        one of pytorch-grad-cam: grad-cam, grad-cam++, hires-cam, layer-cam, eigen-cam,
        eigen-grad-cam, xgrad-cam, ablation-cam, score-cam.
    class_name
        The class to explain; by default the likeliest of each image.
    augmentations
        Save a contact sheet of the training augmentation instead.
    augment
        Strength of the augmentation on the sheet, 0 to 2.
    as_json
        Print the result for machines.
    """
    from classify.explain import explain_images, save_contact_sheet
    from classify.predict import find_images

    paths = find_images(images)
    if augmentations:
        sheet = save_contact_sheet(model, paths, out, strength=augment)
        if as_json:
            print_json({"sheet": str(sheet)})
        else:
            say(f"contact sheet: {sheet}")
        return
    with stages(silent=as_json) as begin:
        written = explain_images(
            model, paths, out, method=method, class_name=class_name, progress=begin("explaining")
        )
    if as_json:
        print_json([{"picture": str(p), "class": c, "probability": q} for p, c, q in written])
        return
    for target, name, probability in written[:20]:
        say(f"{target}  {name} {probability:.2f}")
    say(f"{len(written)} picture{'s' * (len(written) != 1)} in {out}")


@app.command
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


def main() -> None:
    """Run the command line."""
    run(app)
