"""Trunks for embedding: a backbone by name, or what one's own training made of it."""

import json
from pathlib import Path
from typing import Any

import timm
from torch import nn

from classify.backbones import Trunk, WeightsError, load_backbone, packaged_weights
from classify.model import MODEL_FILE, WEIGHTS_FILE, load_classifier
from classify.runs import RUN_FILE, file_hash, read_run

BACKBONE_FILE = "backbone.json"  # {"backbone": timm name}, of a run that tuned a backbone alone
BACKBONE_WEIGHTS = "backbone.safetensors"
_USUAL_SIZE = 224


def load_trunk(backbone: str, weights: str, *, size: int) -> Trunk:
    """Make a trunk that takes square images.

    Args:
        backbone: a timm model name, `hf-hub:owner/model`, or the folder of a finished run: a
            classifier's, or one with `backbone.json` and `backbone.safetensors`.
        weights: see `load_backbone`; a run brings its own.
        size: side of the images, pixels.

    Raises:
        WeightsError: the weights cannot be had, or the folder is no finished run.
        RunError: the classifier's training was not finished, or its file was changed.
    """
    folder = _run_folder(backbone)
    if folder is None:
        return Trunk(load_backbone(backbone, weights), size=(size, size))
    if (folder / BACKBONE_FILE).is_file():
        if not read_run(folder).is_complete:
            raise WeightsError(f"--backbone {folder}: the run was not finished; run it again")
        tuned = load_backbone(_described(folder)["backbone"], str(folder / BACKBONE_WEIGHTS))
        return Trunk(tuned, size=(size, size))
    classifier = load_classifier(folder)
    learned: nn.Module = classifier.trunk.backbone
    return Trunk(learned, levels=classifier.config.levels, size=(size, size)).eval()


def architecture(backbone: str) -> str:
    """Return the timm name of a backbone that is given by name or by the folder of a run.

    Raises:
        WeightsError: it is a folder, but not of a run that holds a backbone.
    """
    folder = _run_folder(backbone)
    if folder is None:
        return backbone
    if (folder / BACKBONE_FILE).is_file():
        return str(_described(folder)["backbone"])
    return str(_described(folder, MODEL_FILE)["model"]["backbone"])


def short_name(backbone: str) -> str:
    """Return what runs are called by: "lite0" for "tf_efficientnet_lite0"."""
    name = architecture(backbone).split("/")[-1].split(".")[0]
    return name.removeprefix("tf_").removeprefix("efficientnet_")


def usual_size(backbone: str) -> int:
    """Return the side of the images that a backbone was pretrained on, pixels; 224 if unknown."""
    try:
        config = timm.get_pretrained_cfg(architecture(backbone))
    except (RuntimeError, ValueError):
        config = None  # a name that timm does not know has its own error, from `load_backbone`
    return int(config.input_size[-1]) if config is not None else _USUAL_SIZE


def weights_hash(backbone: str, weights: str) -> str | None:
    """Return the SHA-256 of the weights; None where a name says which they are.

    Raises:
        WeightsError: there is no such file.
    """
    folder = _run_folder(backbone)
    if folder is not None:
        tuned = folder / BACKBONE_WEIGHTS
        return file_hash(tuned if tuned.is_file() else folder / WEIGHTS_FILE)
    if weights == "bundled":
        return file_hash(packaged_weights(backbone))
    if weights in ("timm", "none"):
        return None
    if not Path(weights).is_file():
        raise WeightsError(f"--weights {weights} is none of timm, bundled, none, nor a file")
    return file_hash(Path(weights))


def _run_folder(backbone: str) -> Path | None:
    folder = Path(backbone)
    if not folder.is_dir() or timm.is_model(backbone.split(".")[0]):
        return None
    if not (folder / RUN_FILE).is_file():
        raise WeightsError(
            f"--backbone {backbone} is a folder, but not of a run: name the folder that "
            "`classify train` wrote, or a timm model"
        )
    return folder


def _described(folder: Path, name: str = BACKBONE_FILE) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / name).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WeightsError(f"--backbone {folder} holds no backbone: {name} is missing") from None
