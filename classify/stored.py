"""What training reads again and again, on disk: prepared images, and frozen feature maps.

Every file is decoded once. 5,000 images of 352 x 512 take 2.7 GB, their maps about 2 GB.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from classify.ahead import made_ahead, over_cores
from classify.data import DataError
from classify.device import best_device, inference_precision
from classify.images import ImageError, Pixels, read_image
from classify.model import Classifier
from classify.vehicle import hide, learn_masks

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Maps = npt.NDArray[np.float16]
_BATCH = 16


def prepare_images(
    model: Classifier, table: pd.DataFrame, folder: Path, progress: Progress | None = None
) -> tuple[pd.DataFrame, Pixels]:
    """Decode the images of `table`, cut and resize them as the model sees them.

    Returns:
        The rows whose files can be read, and their images: uint8 [rows, height, width, 3], a
        memory map in `folder`.

    Raises:
        DataError: no file can be read.
    """
    shape = (len(table), model.config.height, model.config.width, 3)
    images: Pixels = np.memmap(folder / "images", np.uint8, "w+", shape=shape)
    kept: list[int] = []
    seen = 0
    for found in made_ahead(partial(prepared, model), table["path"], batch=_BATCH):
        for row, image in enumerate(found, seen):
            if image is not None:
                images[len(kept)] = image
                kept.append(row)
        seen += len(found)
        if progress:
            progress(seen, len(table))
    if not kept:
        raise DataError(f"none of the {len(table)} images can be read, such as {table['path'][0]}")
    table, images = table.iloc[kept].reset_index(drop=True), images[: len(kept)]
    if model.config.hide_vehicle:
        dives = table["dive"].where(table["dive"].notna(), None).tolist()
        masks = learn_masks(lambda row: np.asarray(images[row]), dives)
        for row, dive in enumerate(dives):
            if dive in masks:
                images[row] = hide(images[row], masks[dive])
    return table, images


def prepared(model: Classifier, path: str | Path) -> Pixels | None:
    """Return the image as the model sees it, or None, with a line in the log, if unreadable.

    What hides the vehicle is not yet in it: that takes the other frames of the dive.
    """
    try:
        return model.prepare(read_image(Path(path), min_side=model.config.min_side).pixels)
    except ImageError as error:
        log.warning("skipped %s", error)
        return None


@torch.inference_mode()
def feature_maps(
    model: Classifier,
    images: Pixels,
    file: Path,
    progress: Progress | None = None,
) -> Maps:
    """Run the trunk over images [rows, h, w, 3].

    Returns:
        float16 [rows, channels, map rows, map cols], a memory map of `file`.
    """
    maps: Maps | None = None
    done = 0
    for features in _trunk_over(model, images):
        if maps is None:
            shape = (len(images), *features.shape[1:])
            maps = np.memmap(file, np.float16, "w+", shape=shape)
        maps[done : done + len(features)] = features.half().cpu().numpy()
        done += len(features)
        if progress:
            progress(done, len(images))
    assert maps is not None  # `prepare_images` gives one image at least
    return maps


@torch.inference_mode()
def logits_of_images(
    model: Classifier, images: Pixels, progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """Return the logits [rows, classes] of images [rows, h, w, 3]."""
    found, done = [], 0
    for features in _trunk_over(model, images):
        found.append(model.classify(features).logits.cpu().numpy())
        done += len(features)
        if progress:
            progress(done, len(images))
    return np.concatenate(found)


def _trunk_over(model: Classifier, images: Pixels) -> Iterator[Tensor]:
    """Yield the feature maps of images [rows, h, w, 3], a few at a time."""

    def forward(start: int) -> Tensor:
        # inference mode and precision are each thread's own
        with torch.inference_mode(), inference_precision():
            batch = torch.from_numpy(np.array(images[start : start + _BATCH])).to(best_device())
            return model.trunk(batch)

    return over_cores(forward, range(0, len(images), _BATCH))


@torch.inference_mode()
def logits_of_maps(model: Classifier, maps: Maps) -> npt.NDArray[np.float32]:
    """Return the logits [rows, classes] of stored maps [rows, channels, map rows, map cols]."""
    found = []
    for start in range(0, len(maps), 8 * _BATCH):
        part = torch.from_numpy(np.asarray(maps[start : start + 8 * _BATCH])).to(best_device())
        found.append(model.classify(part).logits.cpu().numpy())
    return np.concatenate(found)
