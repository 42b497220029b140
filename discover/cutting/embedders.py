"""From the regions of frames to vectors: crops through a backbone, or a classifier's own map."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from classify.backbones import BUNDLED, Trunk
from classify.device import best_device, inference_precision, place
from classify.errors import UserError
from classify.fold import folded
from classify.model import Classifier, as_batch
from classify.runs import Config
from classify.trunks import load_trunk, usual_size
from discover.crops import BACKGROUNDS, Crop, Cut, crop_pixels, mask_within, square_around
from discover.cutting.frame_image import FrameImage

WAYS = ("object", "box", "frame")
Vectors = npt.NDArray[np.float32]

_ENOUGH = 0.5  # pixels of the frame per pixel of the crop: a coarser frame is decoded finer
_REMEMBERED = 4  # maps: of the frame's own size, and of the larger and mirrored ones after it
_FINER = 8  # cells of the mask for each cell of the map, along each side


@dataclass(frozen=True)
class EmbedConfig(Config):
    """How crops are turned into vectors.

    Attributes:
        backbone: a timm model name, `hf-hub:owner/model`, or the folder of a run that trained one.
        weights: `bundled`, `timm`, or a file; a run brings its own.
        size: side of the crop that the backbone sees, pixels; None takes what it was pretrained on.
        context: margin round the region's box, as a share of its longer side.
        background: outside the mask: "surround" (its mean colour), "blur", "mean" (grey) or "keep".
        flip: average the vectors of the crop and of its mirror image.
        way: what of a region is looked at: "object" (what its mask covers), "box" (all of its box),
            or "frame" (the whole frame, whatever the region); the last two to compare with.
    """

    backbone: str = BUNDLED
    weights: str = "bundled"
    size: int | None = None
    context: float = 0.05
    background: str = "surround"
    flip: bool = True
    way: str = "object"

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise UserError(f"--way {self.way!r} is none of {', '.join(WAYS)}")
        if self.background not in BACKGROUNDS:
            raise UserError(f"--background {self.background!r} is none of {', '.join(BACKGROUNDS)}")
        if self.size is not None and self.size < 32:
            raise UserError(f"--size {self.size} must be at least 32 pixels")
        if self.context < 0:
            raise UserError(f"--context {self.context} must not be negative")

    @property
    def side(self) -> int:
        """Side of the crop, pixels."""
        return self.size or usual_size(self.backbone)


class Embedder(Protocol):
    """Turns the regions of frames into vectors. It may be called from several threads at a time.

    Attributes:
        dim: numbers in a vector.
    """

    @property
    def dim(self) -> int: ...  # noqa: D102

    def __call__(self, frame: FrameImage, cuts: Sequence[Cut]) -> Vectors:
        """Return the vectors [n, dim] of regions of a frame."""


def cut_out(
    frame: FrameImage, cuts: Sequence[Cut], config: EmbedConfig, min_side: int
) -> list[Crop]:
    """Cut regions out of a frame that is decoded finely enough for the smallest of them.

    Args:
        frame: the frame.
        cuts: the regions, one at least.
        config: size, context and background.
        min_side: shorter side at which the frame is decoded at least, pixels.
    """
    size = config.side
    decoded = frame.at(min_side)
    smallest = min(square_around(cut.box, config.context)[2] for cut in cuts)
    needed = min(1.0, _ENOUGH * size / smallest)  # scale at which that one is sharp
    decoded = frame.at(max(min_side, round(needed * min(decoded.width, decoded.height))))
    return [
        crop_pixels(decoded, cut, size=size, context=config.context, background=config.background)
        for cut in cuts
    ]


class CropEmbedder:
    """A backbone whose last feature map of a crop is averaged over the region's mask.

    Args:
        config: what is cut out, and what looks at it.
        min_side: shorter side at which frames are decoded at least, pixels.
    """

    def __init__(self, config: EmbedConfig, *, min_side: int) -> None:
        self._config = config
        self._size = config.side
        self._min_side = max(min_side, self._size)
        trunk = load_trunk(config.backbone, config.weights, size=self._size)
        place(trunk)
        self.dim = trunk.channels
        noise = np.random.default_rng(0).integers(0, 256, (self._size, self._size, 3), np.uint8)
        self._trunk = folded(trunk, as_batch([noise], best_device()))

    def __call__(self, frame: FrameImage, cuts: Sequence[Cut]) -> Vectors:
        """Cut the regions out of a frame and return their vectors, float32 [n, dim]."""
        if not cuts:
            return np.zeros((0, self.dim), np.float32)
        crops = self._cut(frame, cuts)
        # On a CPU each crop goes with its mirror image alone, so that no vector depends on others.
        step = 1 if best_device().type == "cpu" else len(crops)
        return np.concatenate(
            [self._vectors(crops[at : at + step]) for at in range(0, len(crops), step)]
        )

    def _cut(self, frame: FrameImage, cuts: Sequence[Cut]) -> list[Crop]:
        config = self._config
        if config.way == "frame":
            decoded = frame.at(self._min_side)
            whole = (0, 0, decoded.width, decoded.height)
            return cut_out(frame, [Cut(whole, None, whole)], config, self._min_side) * len(cuts)
        if config.way == "box":
            cuts = [Cut(cut.box, None, cut.box) for cut in cuts]
        return cut_out(frame, cuts, config, self._min_side)

    @torch.inference_mode()
    def _vectors(self, crops: Sequence[Crop]) -> Vectors:
        pixels = as_batch([crop.pixels for crop in crops], best_device())
        masks = torch.from_numpy(np.stack([crop.mask for crop in crops])).to(best_device())
        if self._config.flip:
            pixels = torch.cat([pixels, pixels.flip(2)])
            masks = torch.cat([masks, masks.flip(2)])
        with inference_precision():
            features = self._trunk(pixels)
        vectors = _masked_mean(features.float(), masks, least=1e-3)
        if self._config.flip:
            vectors = vectors.view(2, len(crops), -1).mean(dim=0)
        return vectors.cpu().numpy()


class PooledEmbedder:
    """A classifier's last map of the frame, averaged over each region: nearly free.

    The classifier has made the map to find the regions; where it has not, it is made here. As the
    map is of the whole frame, what lies round an object is in its vector.

    Args:
        classifier: the one that found the regions; its trunk is changed to one that remembers.
    """

    def __init__(self, classifier: Classifier) -> None:
        if not isinstance(classifier.trunk, Remembering):
            classifier.trunk = Remembering(classifier.trunk)  # type: ignore[assignment]
        self._model = classifier
        self.dim = int(classifier.trunk.channels)

    @torch.inference_mode()
    def __call__(self, frame: FrameImage, cuts: Sequence[Cut]) -> Vectors:
        """Return the vectors of regions of a frame, float32 [n, dim]."""
        if not cuts:
            return np.zeros((0, self.dim), np.float32)
        decoded = frame.at(self._model.config.min_side)
        with inference_precision():
            features = self._model.trunk(
                as_batch([self._model.prepare(decoded.pixels)], best_device())
            )
        rows, cols = (_FINER * n for n in features.shape[2:])
        window = self._model.window(decoded.width, decoded.height)
        masks = np.stack([mask_within(_with_mask(cut), window, rows, cols) for cut in cuts])
        vectors = _masked_mean(
            features.float(), torch.from_numpy(masks).to(best_device()), least=1e-6
        )
        return vectors.cpu().numpy()


class Remembering(nn.Module):
    """A trunk that knows the maps that each thread asked for last, and is else the same.

    Only of inference: what is to be differentiated is computed anew.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self._of_thread = threading.local()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the trunk has
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("trunk"), name)

    def forward(self, images: Tensor) -> Tensor:
        """Return the map of images, made anew only where they are not among the last."""
        for seen, features in self._last():
            if torch.is_inference_mode_enabled() and torch.equal(seen, images):
                return features
        return self._kept(images, self.trunk(images))

    def both_maps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of images, which is remembered, and the finer one, which is not."""
        last, finer = self.trunk.both_maps(images)
        return self._kept(images, last), finer

    def _last(self) -> deque[tuple[Tensor, Tensor]]:
        if not hasattr(self._of_thread, "last"):
            self._of_thread.last = deque(maxlen=_REMEMBERED)
        return self._of_thread.last

    def _kept(self, images: Tensor, features: Tensor) -> Tensor:
        if torch.is_inference_mode_enabled():
            self._last().append((images, features))
        return features


def _masked_mean(features: Tensor, masks: Tensor, *, least: float) -> Tensor:
    """Average maps [n or 1, c, h, w] over masks [n, rows, cols] in 0..1: [n, c]."""
    weights = functional.interpolate(masks[:, None], features.shape[2:], mode="area") + least
    return (features * weights).sum(dim=(2, 3)) / weights.sum(dim=(2, 3))


def _with_mask(cut: Cut) -> Cut:
    return cut if cut.mask is not None else Cut(cut.box, np.ones((1, 1), bool), cut.box)
