"""Training a classifier from labelled images: a linear head on a pretrained, frozen backbone.

The frozen backbone sees each image once; the head is then trained on the stored feature maps, which
takes seconds an epoch on a laptop.
"""

import logging
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from classify import data as labelled
from classify.classes import class_order
from classify.device import best_device, inference_precision, place
from classify.evaluate import score
from classify.images import ImageError, Pixels, read_image
from classify.model import Classifier, ModelConfig, as_batch, pool_map, save_classifier
from classify.runs import Config, Run, start_run, write_atomic

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
_BATCH = 16
_HEAD_BATCH = 256


@dataclass(frozen=True)
class TrainConfig(Config):
    """How the head is trained.

    Attributes:
        split: "dive" keeps each dive on one side; "random" splits images, which inflates scores.
        validation: share of the images that is held out.
        epochs: passes over the training images at most.
        patience: epochs without a better validation score after which training ends.
        learning_rate: of AdamW, on standardised features.
        weight_decay: of AdamW.
        seed: of split, initial weights and order.
    """

    split: str = "dive"
    validation: float = 0.25
    epochs: int = 60
    patience: int = 10
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    seed: int = 0


def train(
    data: Path,
    out: Path,
    *,
    task: str = "elements",
    config: TrainConfig | None = None,
    dive_from: str | None = None,
    progress: Progress | None = None,
    **model_settings: Any,  # noqa: ANN401 - the fields of ModelConfig
) -> Run:
    """Train a classifier and write its run folder.

    Args:
        data: labelled images, see `classify.data.read_labels`.
        out: the run folder to write.
        task: "elements" or "floor".
        config: how to train; None takes the defaults.
        dive_from: regular expression that tells the dive from an image's path.
        progress: called with (images read, images in all).
        model_settings: fields of `ModelConfig` other than `classes` and `task`.

    Returns:
        The finished run; its `counts` hold the validation scores.

    Raises:
        DataError, WeightsError, RunError: an argument is wrong; the message says which.
    """
    config = config or TrainConfig()
    torch.manual_seed(config.seed)
    table = labelled.read_labels(data, task=task, dive_from=dive_from)
    table["validation"] = _split(table, config)
    classes = class_order(table["label"], task)
    model = Classifier(ModelConfig(classes=classes, task=task, **model_settings))
    run = start_run(
        out,
        command=f"classify train {task}",
        config={"train": config.to_dict(), "model": model.config.to_dict(), "data": str(data)},
        seed=config.seed,
    )
    place(model)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        kept, maps = _feature_maps(model, table, Path(folder), progress)
        history = _train_head(model, kept, maps, config)
        scores = _evaluate(model, kept, maps)
        del maps  # a memory map; Windows cannot remove the file while it is open
    write_atomic(out / "history.csv", pd.DataFrame(history).to_csv(index=False).encode())
    write_atomic(out / "split.csv", kept.to_csv(index=False).encode())
    digest = save_classifier(model.cpu(), out)
    run.complete(
        counts={"images": len(kept), "unreadable": len(table) - len(kept), "validation": scores},
        model_hash=digest,
    )
    return run


def _split(table: pd.DataFrame, config: TrainConfig) -> npt.NDArray[np.bool_]:
    how = {"dive": labelled.split_by_dive, "random": labelled.split_randomly}
    if config.split not in how:
        raise labelled.DataError(f"--split {config.split!r} is neither 'dive' nor 'random'")
    if config.split == "random":
        log.warning("random split: frames of one scene on both sides inflate the score")
    return how[config.split](table, validation=config.validation, seed=config.seed)


def _feature_maps(
    model: Classifier, table: pd.DataFrame, folder: Path, progress: Progress | None
) -> tuple[pd.DataFrame, npt.NDArray[np.float16]]:
    """Run the frozen backbone over all images; return the readable rows and their maps.

    The maps, float16 [rows, channels, positions], lie in a file: 5,000 images take about 2 GB.
    """
    maps: npt.NDArray[np.float16] | None = None
    kept: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(table), _BATCH):
            rows = range(start, min(start + _BATCH, len(table)))
            images = list(pool.map(lambda row: _prepared(model, table["path"][row]), rows))
            sound = [
                (row, image) for row, image in zip(rows, images, strict=True) if image is not None
            ]
            if sound:
                features = _frozen_features(model, [image for _, image in sound])
                if maps is None:
                    shape = (len(table), *features.shape[1:])
                    maps = np.memmap(folder / "maps", np.float16, "w+", shape=shape)
                maps[len(kept) : len(kept) + len(sound)] = features
                kept += [row for row, _ in sound]
            if progress:
                progress(rows.stop, len(table))
    if maps is None:
        raise labelled.DataError(f"none of the {len(table)} images can be read")
    return table.iloc[kept].reset_index(drop=True), maps[: len(kept)]


def _prepared(model: Classifier, path: str) -> Pixels | None:
    try:
        side = round(min(model.config.height, model.config.width) / model.config.crop)
        return model.prepare(read_image(Path(path), min_side=side).pixels)
    except ImageError as error:
        log.warning("skipped %s", error)
        return None


@torch.inference_mode()
def _frozen_features(model: Classifier, images: list[Pixels]) -> npt.NDArray[np.float16]:
    with inference_precision():
        features = model.features(as_batch(images, best_device()))
    return features.flatten(2).half().cpu().numpy()


def _train_head(
    model: Classifier, table: pd.DataFrame, maps: npt.NDArray[np.float16], config: TrainConfig
) -> list[dict[str, float]]:
    """Train the head on the stored maps; leave the weights of the best epoch in the model."""
    mean, std = _moments(maps[~table["validation"].to_numpy()])
    head = nn.Linear(*model.head.weight.shape[::-1])
    optimiser = torch.optim.AdamW(
        head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    rng = np.random.default_rng(config.seed)
    rows = np.flatnonzero(~table["validation"].to_numpy())
    weights = labelled.balanced_weights(table["label"][rows], table["dive"][rows])
    weight_of = dict(zip(rows, weights, strict=True))
    targets = _targets(model, table)
    best, best_epoch, best_state = -1.0, 0, head.state_dict()
    history: list[dict[str, float]] = []
    for epoch in range(1, config.epochs + 1):
        losses = []
        for part in np.array_split(rng.permutation(rows), max(1, len(rows) // _HEAD_BATCH)):
            logits = pool_map(_apply(head, maps[part], mean, std), model.config)
            loss = functional.cross_entropy(logits, targets[part], reduction="none")
            loss = (loss * torch.tensor([weight_of[row] for row in part])).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(loss.item())
        _fold_into(model, head, mean, std)
        reached = float(_evaluate(model, table, maps)["balanced_accuracy"])
        history.append(
            {"epoch": epoch, "loss": float(np.mean(losses)), "balanced_accuracy": reached}
        )
        log.info("epoch %d: loss %.3f, validation %.3f", epoch, np.mean(losses), reached)
        if reached > best:
            best, best_epoch = reached, epoch
            best_state = {k: v.clone() for k, v in head.state_dict().items()}
        elif epoch - best_epoch >= config.patience:
            break
    head.load_state_dict(best_state)
    _fold_into(model, head, mean, std)
    return history


def _moments(maps: npt.NDArray[np.float16]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation [channels] over images and positions."""
    sums, squares, count = 0.0, 0.0, 0
    for start in range(0, len(maps), _HEAD_BATCH):
        part = maps[start : start + _HEAD_BATCH].astype(np.float32)
        sums, squares = sums + part.sum((0, 2)), squares + (part**2).sum((0, 2))
        count += part.shape[0] * part.shape[2]
    mean = np.asarray(sums / count, np.float64)
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0)) + 1e-3
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32)


def _apply(head: nn.Linear, maps: npt.NDArray[np.float16], mean: Tensor, std: Tensor) -> Tensor:
    """Return class maps [n, classes, positions, 1] of stored features."""
    features = torch.from_numpy(np.asarray(maps)).float()
    features = (features - mean.view(1, -1, 1)) / std.view(1, -1, 1)
    return head(features.transpose(1, 2)).transpose(1, 2).unsqueeze(3)


@torch.no_grad()
def _fold_into(model: Classifier, head: nn.Linear, mean: Tensor, std: Tensor) -> None:
    """Store a head for standardised features as one for plain features."""
    weight = head.weight / std.view(1, -1)
    model.head.weight.copy_(weight)
    model.head.bias.copy_(head.bias - weight @ mean)


def _targets(model: Classifier, table: pd.DataFrame) -> Tensor:
    number = {name: i for i, name in enumerate(model.config.classes)}
    return torch.tensor([number[label] for label in table["label"]])


@torch.inference_mode()
def _evaluate(
    model: Classifier, table: pd.DataFrame, maps: npt.NDArray[np.float16]
) -> dict[str, Any]:
    rows = np.flatnonzero(table["validation"].to_numpy())
    predicted = []
    for part in np.array_split(rows, max(1, len(rows) // _HEAD_BATCH)):
        features = torch.from_numpy(np.asarray(maps[part])).unsqueeze(3).to(best_device())
        predicted.append(model.classify(features).logits.argmax(1).cpu().numpy())
    truth = _targets(model, table)[rows].numpy()
    return score(truth, np.concatenate(predicted), model.config.classes)
