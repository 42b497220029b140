"""Worse recordings of the images, for heads that other cameras and waters do not mislead."""

from collections.abc import Callable
from copy import copy

import numpy as np
import torch

from classify.ahead import made_ahead
from classify.device import best_device, inference_precision
from classify.head import Features, Floats, Rows, Supervision
from classify.images import Pixels
from classify.model import Classifier, as_batch
from classify.transforms import augmentation

Progress = Callable[[int, int], None]
_BATCH = 16


@torch.inference_mode()
def averaged_views(
    model: Classifier,
    images: Pixels,
    *,
    views: int,
    strength: float,
    seed: int,
    progress: Progress | None = None,
) -> Floats:
    """Return the averaged features of copies of all images, each as a worse recording.

    Only the recording changes: copies that are also turned, moved and recoloured cost a head on a
    frozen trunk more than they give (benchmarks/RESULTS.md).

    Args:
        model: its trunk reads them.
        images: uint8 [rows, h, w, 3], prepared.
        views: copies of each image.
        strength: of the augmentation.
        seed: decides all copies.
        progress: called with (copies done, copies in all).

    Returns:
        float32 [views x rows, channels]: the first copy of every image, then the second.
    """
    augment, total = augmentation(strength, recording=True), views * len(images)

    def make(place: int) -> Pixels:
        drawn = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
        return augment(np.array(images[place % len(images)]), seed=drawn)

    found = []
    for batch in made_ahead(make, range(total), batch=_BATCH, workers=1):
        with inference_precision():
            maps = model.trunk(as_batch(batch, best_device()))
        found.append(maps.float().mean(dim=(2, 3)).cpu().numpy())
        if progress:
            progress(min(len(found) * _BATCH, total), total)
    return np.concatenate(found)


def with_views(
    features: Features, known: Supervision, averaged: Floats
) -> tuple[Features, Supervision]:
    """Add copies of all images to features and supervision; a copy stays in its image's part."""
    rows, more = len(features.averaged), copy(features)
    times = 1 + len(averaged) // rows
    more.averaged = np.concatenate([features.averaged, averaged[..., None]])
    more.values = more.averaged
    return more, Supervision(
        np.tile(known.targets, (times, 1)),
        np.tile(known.weights, (times, 1)),
        copies(known.training, rows, times),
        known.held_out,
        [copies(part, rows, times) for part in known.parts],
    )


def copies(rows: Rows, images: int, times: int) -> Rows:
    """Return rows and the places of their copies."""
    return np.concatenate([rows + number * images for number in range(times)])
