"""`discover embed`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, progress, say
from classify.errors import UserError
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def embed(
    *,
    model: Path | None = None,
    boxes: Path | None = None,
    whole_frame: Annotated[bool, Parameter(negative=())] = False,
    backbone: str = "tf_efficientnet_lite0",
    weights: str = "bundled",
    size: int = 224,
    context: float = 0.05,
    background: str = "surround",
    flip: bool = True,
    percentile: float = 94.0,
    regions: int = 3,
    hide_overlay: bool = True,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Cut out what makes each frame "waste" or "fauna", and turn every crop into a vector.

    Say where the regions come from: --model, --boxes or --whole-frame. A run that was stopped goes
    on where it was, and takes in frames that were added since.

    Example: discover embed --model runs/elements

    Parameters
    ----------
    model
        Run folder of `classify train`: regions are the classifier's own evidence.
    boxes
        COCO file: regions are its segmentations or boxes. Needs no classifier.
    whole_frame
        The whole frame is the one region, of class "frame". Needs no classifier.
    backbone
        Any timm model name, or hf-hub:owner/model.
    weights
        bundled (EfficientNet-Lite0, comes with the install), timm (from the hub), or a file.
    size
        Side of the crop that the backbone sees, pixels.
    context
        Margin round a region, as a share of its longer side.
    background
        Outside a region's mask: surround (its mean colour), blur or keep.
    flip
        Average the vectors of a crop and of its mirror image; takes a third longer.
    percentile
        Share of the frame, in percent, that is below the map's threshold.
    regions
        Regions a frame at most.
    hide_overlay
        Leave out regions that are mostly vehicle or telemetry, which is found in each dive by what
        never moves in the picture. Boxes that were given stay as they are.
    """
    if sum([model is not None, boxes is not None, whole_frame]) != 1:
        raise UserError(
            "say where regions come from, by one of --model RUN, --boxes COCO.json, --whole-frame"
        )
    opened = open_survey(survey)
    from discover.embed import EmbedConfig
    from discover.embed import embed as embed_crops
    from discover.regions import BoxRegions, ClassifierRegions, WholeFrame
    from discover.saliency import SaliencyConfig

    source: BoxRegions | ClassifierRegions | WholeFrame
    if model is not None:
        source = ClassifierRegions(model, SaliencyConfig(percentile=percentile, regions=regions))
    elif boxes is not None:
        source = BoxRegions(boxes)
        named = source.matched(opened.frames.read(["path"])["path"].to_pylist())
        if not named:
            raise UserError(f"--boxes {boxes} names none of the survey's frames by its file_name")
    else:
        source = WholeFrame()
    config = EmbedConfig(backbone, weights, size, context, background, flip, hide_overlay)
    with progress("embedding", silent=as_json) as advance:
        done = embed_crops(opened, source, config=config, progress=advance)
    counts = done.info["counts"]
    if as_json:
        print_json({"run": done.name, **counts, **done.info["timings"]})
        return
    say(f"{counts['crops']} crops from {counts['frames']} frames: embeddings/{done.name}")
    if counts["covered"]:
        say(f"  {counts['covered']} regions were mostly vehicle or telemetry and are left out")
    if counts["unreadable"]:
        say(f"  {counts['unreadable']} frames could not be read and have no crops")
