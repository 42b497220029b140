"""Where each class of a frame is: maps from the classifier, and from what is rare in the frame."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from classify.device import best_device, inference_precision
from classify.explain import METHODS, maps_by
from classify.images import Pixels
from classify.model import Classifier, Output, as_batch
from classify.runs import RunError
from discover.saliency import RARITY, Map, SaliencyConfig, normalise, rarity

Seen = tuple[npt.NDArray[np.float32], dict[int, Map]]  # probabilities; a map for each class
_GRID = 32  # pixels: inputs of other sizes are whole numbers of a trunk's steps


class ClassMaps:
    """A classifier and the way its frames are mapped; calls do not disturb one another.

    Args:
        model: the classifier, placed and in evaluation mode.
        config: method, classes, scales.

    Raises:
        RunError: the method or the classes are unknown, or the backbone takes one size only.
    """

    def __init__(self, model: Classifier, config: SaliencyConfig) -> None:
        if config.method not in (RARITY, *METHODS):
            known = ", ".join((RARITY, *METHODS))
            raise RunError(f"--method {config.method!r} is none of {known}")
        if not takes_any_size(model) and any(scale != 1 for scale in config.input_scale):
            raise RunError(
                f"--input-scale {max(config.input_scale):g}: {model.config.backbone} takes images "
                "of the size that it was trained with only: leave --input-scale at 1"
            )
        self._model = model
        self._config = config
        self._span = model.config.span(model.config.main_task)

    def __call__(self, images: Callable[[float], list[Pixels]]) -> list[Seen]:
        """Map a few frames.

        Args:
            images: gives the frames as the classifier sees them, at so many times its input size.

        Returns:
            For each frame the probabilities [classes of the main task], decided at the classifier's
            own size, and a map, float32 [rows, cols] in 0..1, of each class that it is taken
            to show.
        """
        own = self._forward(images(1.0), flipped=False)

        def views(pairs: Sequence[tuple[int, int]]) -> Iterator[list[Map]]:
            for scale in self._config.input_scale:
                for flipped in (False, True)[: 1 + self._config.flip]:
                    plain = scale == 1 and not flipped
                    seen = own if plain else self._forward(images(scale), flipped=flipped)
                    yield [m[:, ::-1] if flipped else m for m in self._maps(seen, pairs)]

        return self._averaged(own.output, views)

    def of_features(self, last: Tensor, finer: Tensor) -> list[Seen]:
        """Map frames whose features are known, float32 [n, channels, rows, cols]; one view alone.

        Not by the methods of pytorch-grad-cam, which need the images.
        """
        seen = _Forward(last, self._model.classify(last), finer)
        return self._averaged(seen.output, lambda pairs: [self._maps(seen, pairs)])

    def _averaged(
        self, output: Output, views: Callable[[Sequence[tuple[int, int]]], Iterable[list[Map]]]
    ) -> list[Seen]:
        """Return probabilities and the mean map of each class that a frame is taken to show."""
        probabilities = self._model.probabilities(output.logits)[:, self._span].cpu().numpy()
        classes = [self.present(of_frame) for of_frame in probabilities]
        pairs = [(row, number) for row, numbers in enumerate(classes) for number in numbers]
        maps: list[dict[int, Map]] = [{} for _ in classes]
        if pairs:
            for (row, number), *of_pair in zip(pairs, *views(pairs), strict=True):
                maps[row][number] = _mean(of_pair)
        return list(zip(probabilities, maps, strict=True))

    def present(self, probabilities: npt.NDArray[np.float32]) -> list[int]:
        """Return which classes a frame is taken to show, the likeliest first.

        "top" is the likeliest one, or all that are present by a classifier with several labels a
        frame; "all" those that reach `least`; a number, so many.
        """
        order = [int(number) for number in np.argsort(-probabilities, kind="stable")]
        wanted, config = self._config.classes, self._model.config
        if wanted == "all":
            return [n for n in order if probabilities[n] >= self._config.least]
        if wanted == "top" and config.multilabel:
            thresholds = config.thresholds[self._span]
            return [n for n in order if probabilities[n] >= thresholds[n]]
        return order[: 1 if wanted == "top" else int(wanted)]

    @torch.inference_mode()
    def _forward(self, images: list[Pixels], *, flipped: bool) -> "_Forward":
        batch = as_batch(images, best_device())
        batch = batch.flip(2) if flipped else batch
        with inference_precision():
            last, finer = self._model.trunk.both_maps(batch)
        return _Forward(batch, self._model.classify(last), finer)

    def _maps(self, seen: "_Forward", pairs: Sequence[tuple[int, int]]) -> list[Map]:
        """Return the map of each pair of a frame and a class, in 0..1."""
        if self._config.method == RARITY:
            rare = [
                rarity(of_frame, centre=self._config.centre)
                for of_frame in seen.finer.float().cpu().numpy()
            ]
            shares = self._shares(seen.output.maps).cpu().numpy()
            return [_weighed(rare[row], shares[row, number]) for row, number in pairs]
        rows = torch.tensor([row for row, _ in pairs], device=seen.batch.device)
        with torch.inference_mode(False):
            chosen = Output(*(part[rows].clone() for part in seen.output))
            numbers = [self._span.start + number for _, number in pairs]
            found = maps_by(
                self._config.method, self._model, seen.batch[rows].clone(), chosen, numbers
            )
        return [normalise(of_class) for of_class in found]

    @torch.inference_mode()
    def _shares(self, maps: Tensor) -> Tensor:
        """Return how likely each class is at each position, [n, classes, rows, cols]."""
        own = maps[:, self._span].float()
        return own.sigmoid() if self._model.config.multilabel else own.softmax(1)


class _Forward(NamedTuple):
    """What one pass over prepared images gives."""

    batch: Tensor
    output: Output
    finer: Tensor  # the map of the stage before the last, [n, channels, rows, cols]


def takes_any_size(model: Classifier) -> bool:
    """Whether the backbone takes images of other sizes than its own; transformers do not."""
    return not hasattr(model.trunk.backbone, "set_input_size")


def input_size(width: int, height: int, scale: float) -> tuple[int, int]:
    """Return width and height of the input at `scale` times its size, on the trunk's grid."""
    if scale == 1:
        return width, height
    wide, high = (max(_GRID, round(side * scale / _GRID) * _GRID) for side in (width, height))
    return wide, high


def _weighed(rare: Map, share: Map) -> Map:
    """Weigh what is rare by how likely it is the class, mildly: the square root."""
    fine = cv2.resize(share, rare.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(rare * np.sqrt(np.clip(fine, 0, 1)), np.float32)


def _mean(views: list[Map]) -> Map:
    """Average maps of several sizes on the finest grid."""
    if len(views) == 1:
        return np.ascontiguousarray(views[0])
    rows, cols = max(view.shape for view in views)
    resized = [cv2.resize(np.ascontiguousarray(view), (cols, rows)) for view in views]
    return np.asarray(np.mean(resized, axis=0), np.float32)
