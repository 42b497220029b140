"""The classifier: preprocessing, backbone and a linear head at every position of the map.

With a linear head on every position, the class activation map (Zhou et al. 2016,
arXiv:1512.04150) is the head's own output: one forward pass gives logits, map and features.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from classify.backbones import BUNDLED, feature_map, load_backbone, normalisation
from classify.device import batch_size
from classify.images import Pixels, resize
from classify.runs import Config, RunError, file_hash, read_run, write_atomic

MODEL_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class ModelConfig(Config):
    """What a classifier is, besides its weights.

    Attributes:
        classes: names, in the order of the logits.
        task: "floor" or "elements".
        backbone: a timm model name.
        weights: where the backbone's weights came from: timm, bundled, none or a file.
        height: rows of the input, pixels.
        width: columns of the input, pixels.
        crop: share of the frame's width and height that is looked at, from its centre.
        pool: "mean" over the positions of the map, or "topk": the mean of the strongest ones,
            which suits objects that are small in the frame.
        top: share of the positions that "topk" averages.
    """

    classes: tuple[str, ...]
    task: str = "elements"
    backbone: str = BUNDLED
    weights: str = "bundled"
    height: int = 352
    width: int = 512
    crop: float = 1.0
    pool: str = "topk"
    top: float = 0.085

    def __post_init__(self) -> None:
        if self.pool not in ("mean", "topk"):
            raise RunError(f"--pool {self.pool!r} is neither 'mean' nor 'topk'")
        if not 0 < self.crop <= 1:
            raise RunError(f"--crop {self.crop} must be above 0 and at most 1")


class Output(NamedTuple):
    """What one forward pass gives.

    Attributes:
        logits: [n, classes].
        maps: class activation maps, [n, classes, rows, cols]; their pool is the logits.
        features: the backbone's last map, [n, channels, rows, cols].
    """

    logits: Tensor
    maps: Tensor
    features: Tensor


class Classifier(nn.Module):
    """Backbone and linear head; `prepare` and the normalisation are part of it."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, backbone: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone or load_backbone(config.backbone, config.weights)
        self.head = nn.Linear(int(self.backbone.num_features), len(config.classes))  # type: ignore[arg-type]
        mean, std = normalisation(self.backbone)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def prepare(self, pixels: Pixels) -> Pixels:
        """Cut the centre of a frame of any size and bring it to the input size, uint8 RGB."""
        left, top, width, height = self.window(pixels.shape[1], pixels.shape[0])
        return resize(
            pixels[top : top + height, left : left + width], self.config.width, self.config.height
        )

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the part of a frame that is looked at: x, y, w, h in pixels."""
        w, h = max(1, round(width * self.config.crop)), max(1, round(height * self.config.crop))
        return (width - w) // 2, (height - h) // 2, w, h

    def features(self, images: Tensor) -> Tensor:
        """Return the backbone's last map of prepared uint8 images [n, h, w, 3]."""
        parts = torch.split(images, batch_size(self.config.height, self.config.width))
        return torch.cat([feature_map(self.backbone, self._normalised(part)) for part in parts])

    def _normalised(self, images: Tensor) -> Tensor:
        return (images.permute(0, 3, 1, 2).float().div(255.0) - self.mean) / self.std

    def classify(self, features: Tensor) -> Output:
        """Apply the head to feature maps [n, channels, rows, cols]."""
        maps = torch.einsum("nchw,kc->nkhw", features.float(), self.head.weight)
        maps = maps + self.head.bias.view(1, -1, 1, 1)
        return Output(pool_map(maps, self.config), maps, features)

    def forward(self, images: Tensor) -> Output:
        """Classify prepared images, uint8 [n, h, w, 3]."""
        return self.classify(self.features(images))


def pool_map(maps: Tensor, config: ModelConfig) -> Tensor:
    """Return the logits [n, classes] of maps [n, classes, rows, cols]."""
    flat = maps.flatten(2)
    if config.pool == "mean":
        return flat.mean(dim=2)
    strongest = max(1, round(config.top * flat.shape[2]))
    return flat.topk(strongest, dim=2).values.mean(dim=2)


def save_classifier(model: Classifier, folder: Path) -> str:
    """Write weights (safetensors) and description (JSON) into a run folder; return the hash."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{WEIGHTS_FILE}.tmp"
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, temporary)
    temporary.replace(folder / WEIGHTS_FILE)
    digest = file_hash(folder / WEIGHTS_FILE)
    described = {"model": model.config.to_dict(), "weights_sha256": digest}
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
    model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    return model.eval()


def as_batch(images: list[Pixels], device: torch.device) -> Tensor:
    """Stack prepared images into a uint8 tensor [n, h, w, 3] on `device`."""
    return torch.from_numpy(np.stack(images)).to(device, non_blocking=True)
