"""`discover adapt`."""

from pathlib import Path

from classify.console import print_json, say, stages
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def adapt(
    *,
    out: Path,
    embeddings: str | None = None,
    backbone: str = "tf_efficientnet_lite0",
    weights: str = "bundled",
    size: int = 144,
    background: str = "surround",
    epochs: int = 3,
    batch: int = 64,
    rate: float = 1e-4,
    strength: float = 1.0,
    seed: int = 0,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Fine-tune a backbone on the survey's own crops; no label is needed.

    It learns that two frames of one burst show the same object, whatever the light and the water.
    Embed with it afterwards, beside the embedding that there is, and compare.

    Example: discover adapt --out runs/adapted
    Then: discover embed --crops latest --backbone runs/adapted

    Parameters
    ----------
    out
        Folder of the run.
    embeddings
        Embeddings run whose crops are learned from; by default the latest.
    backbone
        What is adapted: any timm model name, hf-hub:owner/model, or a run folder.
    weights
        bundled (EfficientNet-Lite0, comes with the install), timm (from the hub), or a file.
    size
        Side of the crops while it learns, pixels.
    background
        Outside a region's mask: surround (its mean colour), blur, mean (grey) or keep.
    epochs
        Times that each object is seen.
    batch
        Objects that are told apart at a time.
    rate
        Learning rate of the last layer; earlier ones learn more slowly.
    strength
        Of the augmentation, 0 to 2.
    seed
        The same seed gives the same backbone.
    """
    opened = open_survey(survey)
    from discover.adapt import AdaptConfig
    from discover.adapt import adapt as adapt_backbone

    config = AdaptConfig(
        backbone,
        weights,
        size=size,
        background=background,
        epochs=epochs,
        batch=batch,
        rate=rate,
        strength=strength,
        seed=seed,
    )
    with stages(silent=as_json) as begin:
        run = adapt_backbone(opened, out, config=config, embeddings=embeddings, stage=begin)
    counts = run.info["counts"]
    if as_json:
        print_json({"run": str(out), **counts, **run.info["timings"]})
        return
    say(
        f"{counts['crops']} crops of {counts['objects']} objects, {counts['in_several_frames']} of "
        f"them in several frames; loss {' -> '.join(f'{loss:.2f}' for loss in counts['loss'])}"
    )
    say(f"next: discover embed --crops latest --backbone {out}")
