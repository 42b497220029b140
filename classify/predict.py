"""What new frames show: class, probability, and whether that is sure."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from classify.ahead import over_cores
from classify.device import best_device, inference_precision, place
from classify.fold import folded
from classify.images import SUFFIXES, Pixels
from classify.model import Classifier, ModelConfig, as_batch, load_classifier
from classify.runs import RunError, write_atomic
from classify.stored import prepared
from classify.vehicle import hide, learn_masks

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
COLUMNS = ("image", "task", "class", "probability", "sure")
_GROUP = {"cpu": 1}  # images that go through the network at a time
_GROUP_ELSEWHERE = 16


@dataclass(frozen=True)
class Prediction:
    """What one frame shows.

    Attributes:
        task: "floor" or "elements".
        class_name: the likeliest class, or one of those that are present.
        probability: of the class, calibrated on dives that the classifier was not trained on.
        sure: whether the probability reaches the classifier's threshold.
    """

    task: str
    class_name: str
    probability: float
    sure: bool


class Predictor:
    """A trained classifier that names what images show."""

    def __init__(self, model: Classifier) -> None:
        self.model = model
        place(self.model)
        size = (model.config.height, model.config.width, 3)
        noise = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
        self._trunk = folded(model.trunk, as_batch([noise], best_device()))

    def __call__(
        self,
        paths: list[Path],
        progress: Progress | None = None,
        *,
        dives: Sequence[str | None] | None = None,
    ) -> Iterator[list[Prediction] | None]:
        """Yield the predictions for each path, None where the file cannot be read."""
        for logits in self.logits(paths, progress, dives=dives):
            if logits is None:
                yield None
                continue
            probabilities = self.model.probabilities(torch.from_numpy(logits[None]))[0]
            yield _named(probabilities.numpy(), self.model.config)

    def logits(
        self,
        paths: list[Path],
        progress: Progress | None = None,
        *,
        dives: Sequence[str | None] | None = None,
    ) -> Iterator[npt.NDArray[np.float32] | None]:
        """Yield the logits [classes] for each path, None where the file cannot be read.

        JPEGs are decoded at the scale that is needed; memory does not grow with the number of
        files.

        Args:
            paths: the images.
            progress: called with (images done, images in all).
            dives: the dive of each, for a classifier that hides the vehicle; None takes the folder.
        """
        read = self._reader(paths, dives)
        size = _GROUP.get(best_device().type, _GROUP_ELSEWHERE)
        groups = [range(at, min(at + size, len(paths))) for at in range(0, len(paths), size)]
        done = 0
        for rows in over_cores(partial(self._logits_of, read), groups):
            yield from rows
            done += len(rows)
            if progress:
                progress(done, len(paths))

    def _logits_of(
        self, read: Callable[[int], Pixels | None], rows: Iterable[int]
    ) -> list[npt.NDArray[np.float32] | None]:
        """Return the logits of some rows, None for what cannot be read."""
        images = [read(row) for row in rows]
        sound = [image for image in images if image is not None]
        found = iter(self._forward(sound) if sound else ())
        return [None if image is None else next(found) for image in images]

    def _reader(
        self, paths: list[Path], dives: Sequence[str | None] | None
    ) -> Callable[[int], Pixels | None]:
        """Return what gives the image of a row as the model sees it."""

        def read(row: int) -> Pixels | None:
            return prepared(self.model, paths[row])

        if not self.model.config.hide_vehicle:
            return read
        of_row = [str(path.parent) for path in paths] if dives is None else dives
        masks = learn_masks(read, of_row)

        def read_hidden(row: int) -> Pixels | None:
            image, mask = read(row), masks.get(str(of_row[row]))
            return image if image is None or mask is None else hide(image, mask)

        return read_hidden

    @torch.inference_mode()
    def _forward(self, images: list[Pixels]) -> npt.NDArray[np.float32]:
        with inference_precision():
            features = self._trunk(as_batch(images, best_device()))
        return self.model.classify(features).logits.float().cpu().numpy()


def _named(row: npt.NDArray[np.float32], config: ModelConfig) -> list[Prediction]:
    """Return the likeliest class of each task; with several labels a frame, all that are present.

    A frame on which no class is present has its likeliest one, not sure.
    """
    found = []
    for task in config.heads:
        span = config.span(task)
        part, least = row[span], np.asarray(config.thresholds[span])
        present = np.flatnonzero(part >= least) if config.multilabel else np.zeros(0, int)
        for number in present if len(present) else [part.argmax()]:
            found.append(
                Prediction(
                    task,
                    config.heads[task][number],
                    float(part[number]),
                    bool(part[number] >= least[number]),
                )
            )
    return found


def predict_images(
    run: Path, images: list[Path], *, progress: Progress | None = None
) -> pd.DataFrame:
    """Name what images show.

    Args:
        run: a finished training run.
        images: files, or folders that are searched for images.
        progress: called with (images done, images in all).

    Returns:
        Columns `image, task, class, probability, sure`; an image that cannot be read has a row
        without class.

    Raises:
        RunError: the run is not finished, or there are no images.
    """
    paths = find_images(images)
    rows: list[tuple[Any, ...]] = []
    predictor = Predictor(load_classifier(run))
    for path, found in zip(paths, predictor(paths, progress), strict=True):
        if found is None:
            rows.append((str(path), None, None, None, False))
            continue
        rows += [(str(path), p.task, p.class_name, p.probability, p.sure) for p in found]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_predictions(table: pd.DataFrame, out: Path) -> None:
    """Write predictions as CSV or Parquet, by the ending of `out`.

    Raises:
        RunError: the ending is neither.
    """
    check_ending(out)
    is_csv = out.suffix.lower() == ".csv"
    write_atomic(
        out, table.to_csv(index=False).encode() if is_csv else table.to_parquet(index=False)
    )


def check_ending(out: Path) -> None:
    """Check, before hours of work, that `out` can be written.

    Raises:
        RunError: it ends neither in .csv nor in .parquet.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise RunError(f"--out {out} must end in .csv or .parquet")


def find_images(places: list[Path]) -> list[Path]:
    """Return image files, those in folders included, sorted within each folder."""
    found: list[Path] = []
    for where in places:
        if where.is_dir():
            found += sorted(p for p in where.rglob("*") if p.suffix.lower() in SUFFIXES)
        elif where.is_file():
            found.append(where)
        else:
            raise RunError(f"IMAGES {where} is neither a file nor a folder")
    if not found:
        raise RunError(f"IMAGES {places[0]} holds no images ({', '.join(sorted(SUFFIXES))})")
    return found
