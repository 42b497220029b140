"""The classifier: preprocessing, one trunk, and a linear head a task at every position of the map.

With a linear head on every position, the class activation map (Zhou et al. 2016,
arXiv:1512.04150) is the head's own output: one forward pass gives logits, map and features.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from classify.backbones import BUNDLED, Trunk, load_backbone
from classify.images import Pixels, resize
from classify.runs import Config, RunError, file_hash, read_run, write_atomic

MODEL_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class ModelConfig(Config):
    """What a classifier is, besides its weights.

    Attributes:
        heads: the classes of each task, such as {"elements": ("waste", "fauna")}; in the order of
            the logits.
        multilabel: a frame may show several classes of a task, or none.
        backbone: a timm model name.
        weights: where the backbone's weights came from: timm, bundled, none or a file.
        levels: 1 looks at the trunk's last map alone; 2 also at that of the stage before, which
            knows texture: better for floors.
        height: rows of the input, pixels.
        width: columns of the input, pixels.
        crop_width: share of the frame's width that is looked at, from its centre.
        crop_height: share of its height likewise.
        hide_vehicle: put the mean colour in place of what never changes within a dive.
        pool: "mean" over the positions of the map, or "topk": the mean of the strongest ones.
        top: share of the positions that "topk" averages.
        locator: a second head, pooled by "topk", whose maps say where; it has no say in what. The
            mean carries over to other dives better, the strongest positions lie on objects better.
        thresholds: by class: with one label a frame, the least probability of a sure prediction;
            with several, the least probability at which the class is present.
    """

    heads: dict[str, tuple[str, ...]]
    multilabel: bool = False
    backbone: str = BUNDLED
    weights: str = "bundled"
    levels: int = 1
    height: int = 352
    width: int = 512
    crop_width: float = 1.0
    crop_height: float = 1.0
    hide_vehicle: bool = False
    pool: str = "mean"
    top: float = 0.085
    locator: bool = True
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        heads = {task: tuple(names) for task, names in self.heads.items()}  # lists, read from JSON
        object.__setattr__(self, "heads", heads)
        if self.pool not in ("mean", "topk"):
            raise RunError(f"--pool {self.pool!r} is neither 'mean' nor 'topk'")
        if self.levels not in (1, 2):
            raise RunError(f"--levels {self.levels} is neither 1 nor 2")
        for share in (self.crop_width, self.crop_height):
            if not 0 < share <= 1:
                raise RunError(f"--crop {share} must be above 0 and at most 1")
        if not self.thresholds:
            object.__setattr__(self, "thresholds", (0.5,) * len(self.classes))

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes, in the order of the logits."""
        return tuple(name for names in self.heads.values() for name in names)

    @property
    def main_task(self) -> str:
        """The task whose classes are cut out: elements where there are any."""
        return "elements" if "elements" in self.heads else next(iter(self.heads))

    def span(self, task: str) -> slice:
        """Return which logits are the task's."""
        start = 0
        for name, classes in self.heads.items():
            if name == task:
                return slice(start, start + len(classes))
            start += len(classes)
        raise RunError(f"the classifier knows {', '.join(self.heads)}, not {task!r}")

    @property
    def min_side(self) -> int:
        """The shorter side at which a frame must be decoded, pixels."""
        return round(max(self.height / self.crop_height, self.width / self.crop_width * 9 / 16))


class Output(NamedTuple):
    """What one forward pass gives.

    Attributes:
        logits: [n, classes].
        maps: where each class is, [n, classes, rows, cols]: the locator's maps, or, without one,
            the class activation maps whose pool is the logits.
        features: the backbone's last map, [n, channels, rows, cols].
    """

    logits: Tensor
    maps: Tensor
    features: Tensor


class Classifier(nn.Module):
    """Trunk and linear heads; `prepare` and the normalisation are part of it.

    Attributes:
        trunk: backbone from images to maps.
        head: what decides.
        locator: what says where, or None.
        feature_mean: [channels], of the averaged features that the head was fitted on.
        feature_deviation: [channels], likewise.
    """

    feature_mean: Tensor
    feature_deviation: Tensor

    def __init__(self, config: ModelConfig, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.trunk = Trunk(
            backbone or load_backbone(config.backbone, config.weights),
            levels=config.levels,
            size=(config.height, config.width),
        )
        self.head = nn.Linear(self.trunk.channels, len(config.classes))
        self.locator = (
            nn.Linear(self.trunk.channels, len(config.classes)) if config.locator else None
        )
        self.register_buffer("feature_mean", torch.zeros(self.trunk.channels))
        self.register_buffer("feature_deviation", torch.ones(self.trunk.channels))

    def prepare(self, pixels: Pixels) -> Pixels:
        """Cut the centre of a frame of any size and bring it to the input size, uint8 RGB."""
        left, top, width, height = self.window(pixels.shape[1], pixels.shape[0])
        return resize(
            pixels[top : top + height, left : left + width], self.config.width, self.config.height
        )

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the part of a frame that is looked at: x, y, w, h in pixels."""
        w = max(1, round(width * self.config.crop_width))
        h = max(1, round(height * self.config.crop_height))
        return (width - w) // 2, (height - h) // 2, w, h

    def classify(self, features: Tensor) -> Output:
        """Apply the heads to feature maps [n, channels, rows, cols]."""
        maps = class_maps(features, self.head)
        logits = pool_map(maps, self.config)
        return Output(
            logits,
            maps if self.locator is None else class_maps(features, self.locator),
            features,
        )

    def forward(self, images: Tensor) -> Output:
        """Classify prepared images, uint8 [n, h, w, 3]."""
        return self.classify(self.trunk(images))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities [n, classes] of logits; each task's sum to 1.

        With several labels a frame each class has a probability of its own.
        """
        if self.config.multilabel:
            return logits.float().sigmoid()
        spans = [self.config.span(task) for task in self.config.heads]
        return torch.cat([logits[:, span].float().softmax(1) for span in spans], dim=1)


def class_maps(features: Tensor, head: nn.Linear) -> Tensor:
    """Return a head's output at every position, [n, classes, rows, cols]."""
    return torch.einsum("nchw,kc->nkhw", features.float(), head.weight) + head.bias.view(
        1, -1, 1, 1
    )


def pool_map(maps: Tensor, config: ModelConfig) -> Tensor:
    """Return the logits [n, classes] of maps [n, classes, rows, cols]."""
    flat = maps.flatten(2)
    if config.pool == "mean":
        return flat.mean(dim=2)
    strongest = max(1, round(config.top * flat.shape[2]))
    return flat.topk(strongest, dim=2).values.mean(dim=2)


def save_classifier(model: Classifier, folder: Path, **about: Any) -> str:  # noqa: ANN401 - JSON
    """Write weights (safetensors) and description (JSON) into a run folder; return the hash."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{WEIGHTS_FILE}.tmp"
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)
    temporary.replace(folder / WEIGHTS_FILE)
    digest = file_hash(folder / WEIGHTS_FILE)
    described = {"model": model.config.to_dict(), "weights_sha256": digest, **about}
    write_atomic(folder / MODEL_FILE, json.dumps(described, indent=2).encode())
    return digest


def load_classifier(folder: Path) -> Classifier:
    """Load a finished training run, in evaluation mode.

    Raises:
        RunError: the folder is no run, is not finished, or its weights were changed.
    """
    if not read_run(folder).is_complete:
        raise RunError(f"--model {folder}: the training was not finished; run it again")
    described = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    if file_hash(folder / WEIGHTS_FILE) != described["weights_sha256"]:
        raise RunError(f"--model {folder}: {WEIGHTS_FILE} is not the file that was written")
    config = ModelConfig.from_dict(described["model"])
    model = Classifier(config, load_backbone(config.backbone, "none"))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except RuntimeError as error:
        raise RunError(
            f"--model {folder} was written by another version of this software: train it again "
            f"({str(error).splitlines()[0]})"
        ) from error
    return model.eval()


def as_batch(images: list[Pixels], device: torch.device) -> Tensor:
    """Stack prepared images into a uint8 tensor [n, h, w, 3] on `device`."""
    return torch.from_numpy(np.stack(images)).to(device, non_blocking=True)
