"""The stages of a training: features, heads, the whole network, calibration, final fit.

Nothing is chosen by the held-out images: the heads' penalty, the network's epoch, the temperature
and the thresholds come from the training images, by dives that were left out of the fit in turn.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from classify import data as labelled
from classify.calibrate import fit_temperature, log_softmax, presence_thresholds, sure_threshold
from classify.device import place
from classify.finetune import finetune
from classify.head import (
    Features,
    Floats,
    History,
    Rows,
    Supervision,
    choose_strengths,
    fit_head,
    moments,
    task_score,
    unseen_logits,
)
from classify.images import Pixels
from classify.model import Classifier, ModelConfig
from classify.settings import TrainConfig
from classify.splits import image_weights, inner_parts, split
from classify.stored import Maps, feature_maps, logits_of_images, logits_of_maps, prepare_images
from classify.views import averaged_views, copies, with_views

log = logging.getLogger(__name__)

Stage = Callable[[str], Callable[[int, int], None] | None]


@dataclass(frozen=True)
class Fitted:
    """What came of a training, besides the model.

    Attributes:
        table: the images that could be read.
        logits: [held-out rows, classes], calibrated; from before any final fit.
        history: what was tried, and the epochs of the network.
        strengths: by task, of the penalty on the head's weights.
        head_alone: score of heads on averages of the frozen trunk's maps, on the held-out images.
        on_a_random_split: the same, had the images been split at random.
        tuned_epochs: epochs of the whole network that are in the model.
        temperature: by class, that the logits were divided by.
    """

    table: pd.DataFrame
    logits: Floats
    history: list[dict[str, Any]]
    strengths: dict[str, float]
    head_alone: float
    on_a_random_split: float
    tuned_epochs: int
    temperature: dict[str, float]


def fit(
    model: Classifier, table: pd.DataFrame, config: TrainConfig, work: Path, stage: Stage
) -> Fitted:
    """Train `model`.

    Args:
        model: heads not trained yet.
        table: labelled images, with the column `validation`.
        config: how to train.
        work: folder for what is needed meanwhile.
        stage: called with the name of each stage; returns what is called with (done, total).
    """
    place(model)
    table, images = prepare_images(model, table, work, stage("reading"))
    maps = feature_maps(model, images, work / "maps", stage("features"))
    features, known = Features(maps, model.config.pool), _supervision(table, model.config, config)
    taught, teaching = features, known
    if config.views:
        seen = averaged_views(
            model,
            images,
            views=config.views,
            strength=config.augment,
            seed=config.seed,
            progress=stage("views"),
        )
        taught, teaching = with_views(features, known, seen)
    strengths, history = dict.fromkeys(model.config.heads, config.strength), []
    if not config.strength:
        strengths, tried = choose_strengths(taught, teaching, model.config)
        history = [{"phase": "head", **row} for row in tried]
    at_random = _randomly_split(table, model.config, config)
    flattered = _on_averages(features, at_random, model.config, strengths)
    alone = _on_averages(features, known, model.config, strengths)
    fit_head(model.head, taught, teaching.training, teaching, model.config, strengths)
    mean, deviation = moments(features, known.training)
    model.feature_mean.copy_(mean)
    model.feature_deviation.copy_(deviation)
    unseen = unseen_logits(taught, teaching, model.config, strengths)[: len(table)]
    network = _Network(model, images, taught, known, teaching, config, strengths, work, stage)
    tuned = 0
    if config.tune_epochs:
        epochs, tuned = network.tune()
        history += [{"phase": "network", **row} for row in epochs]
    if tuned:
        unseen, maps = network.judged_logits(), network.maps()
    temperatures = _calibrate(model, unseen, known)
    held_out = logits_of_maps(model, maps[known.held_out])
    rows = known.training
    if config.final:
        rows = np.arange(len(table))
        network.refit(rows, tuned)
        maps = network.maps() if tuned else maps
        _divide_head(model, temperatures)
    if model.locator is not None:
        pooled = replace(model.config, pool="topk")
        fit_head(model.locator, Features(maps, "topk"), rows, known, pooled, strengths)
    return Fitted(
        table,
        held_out,
        history,
        strengths,
        alone,
        flattered,
        tuned,
        dict(zip(model.config.classes, temperatures.round(4).tolist(), strict=True)),
    )


class _Network:
    """The tuning of the whole network, on top of heads for the frozen trunk."""

    def __init__(
        self,
        model: Classifier,
        images: Pixels,
        features: Features,
        known: Supervision,
        teaching: Supervision,
        config: TrainConfig,
        strengths: dict[str, float],
        work: Path,
        stage: Stage,
    ) -> None:
        self._model = model
        self._images = images
        self._features = features  # of the trunk as it is before tuning
        self._known = known
        self._teaching = teaching  # the same, with the copies that `features` has
        self._config = config
        self._strengths = strengths
        self._work = work
        self._stage = stage
        self._start = {key: value.clone() for key, value in model.state_dict().items()}

    def tune(self) -> tuple[History, int]:
        """Tune on all parts but the first, which judges; return the epochs and the best one.

        Where tuning brings nothing the model stays as it was.
        """
        rows, judged_by = next(self._known.inner())
        self._fit_head(rows)
        history, best = self._finetune(rows, judged_by, self._config, "tuning")
        if not best:
            log.warning("tuning the whole network brought nothing: the trunk stays as it was")
            self._model.load_state_dict(self._start)
        return history, best

    def judged_logits(self) -> Floats:
        """Return logits [rows, classes] of the part that judged; nan elsewhere."""
        unseen = np.full(self._known.targets.shape, np.nan, np.float32)
        rows = self._known.parts[0]
        unseen[rows] = logits_of_images(self._model, self._images[rows])
        return unseen

    def refit(self, rows: Rows, epochs: int) -> None:
        """Train once more from the start on `rows`, for so many epochs of the whole network."""
        self._model.load_state_dict(self._start)
        self._fit_head(rows)
        if epochs:
            config = replace(self._config, tune_epochs=epochs)
            self._finetune(rows, rows[:0], config, "final fit")

    def maps(self) -> Maps:
        """Return the feature maps of the trunk as it is now."""
        file = self._work / "tuned-maps"
        return feature_maps(self._model, self._images, file, self._stage("features"))

    def _fit_head(self, rows: Rows) -> None:
        config, images = self._model.config, len(self._images)
        rows = copies(rows, images, len(self._features.averaged) // images)
        fit_head(self._model.head, self._features, rows, self._teaching, config, self._strengths)

    def _finetune(
        self, rows: Rows, judged_by: Rows, config: TrainConfig, name: str
    ) -> tuple[History, int]:
        return finetune(
            self._model,
            self._images,
            self._known,
            config,
            rows=rows,
            judged_by=judged_by,
            checkpoint=self._work / f"{name.replace(' ', '-')}.safetensors",
            progress=self._stage(name),
        )


def _supervision(
    table: pd.DataFrame, config: ModelConfig, how: TrainConfig, *, by: str | None = None
) -> Supervision:
    by = by or how.split
    held_out = table["validation"].to_numpy(bool)
    training = np.flatnonzero(~held_out)
    parts = inner_parts(table.iloc[training], tuple(config.heads), by=by, seed=how.seed)
    return Supervision(
        labelled.targets(table, config.heads),
        image_weights(table, config.heads, multilabel=config.multilabel),
        training,
        np.flatnonzero(held_out),
        [training[part] for part in parts],
    )


def _on_averages(
    features: Features, known: Supervision, config: ModelConfig, strengths: dict[str, float]
) -> float:
    """Return the held-out score of heads on the averaged features: the same for any pooling."""
    config = replace(config, pool="mean")
    head = nn.Linear(features.averaged.shape[1], len(config.classes))
    fit_head(head, features.averages(), known.training, known, config, strengths)
    logits = np.full(known.targets.shape, np.nan, np.float32)
    with torch.no_grad():
        held_out = torch.from_numpy(features.averaged[known.held_out, :, 0])
        logits[known.held_out] = head(held_out).numpy()
    return task_score(logits, known, known.held_out, config)


def _randomly_split(table: pd.DataFrame, config: ModelConfig, how: TrainConfig) -> Supervision:
    """Return the supervision, had the images been split at random: it shows what that leaks."""
    tasks = tuple(config.heads)
    side = split(table, tasks, by="random", validation=how.validation, seed=how.seed)
    return _supervision(table.assign(validation=side), config, how, by="random")


def _calibrate(model: Classifier, unseen: Floats, known: Supervision) -> Floats:
    """Divide each task's head by a temperature; set the thresholds.

    Args:
        model: its head is changed, and the thresholds of its config.
        unseen: [rows, classes], logits of images whose dives the fit had not seen; nan elsewhere.
        known: targets.

    Returns:
        The temperature of each class, [classes].
    """
    config = model.config
    temperatures = np.ones(len(config.classes), np.float32)
    thresholds: list[float] = []
    for task in config.heads:
        span = config.span(task)
        rows = ~np.isnan(known.targets[:, span.start]) & ~np.isnan(unseen[:, span.start])
        logits, wanted = unseen[rows, span], known.targets[rows, span]
        temperature = fit_temperature(logits, wanted, multilabel=config.multilabel)
        temperatures[span] = temperature
        scaled = np.asarray(logits / temperature, np.float32)
        if config.multilabel:
            probabilities = np.asarray(1 / (1 + np.exp(-scaled)), np.float32)
            thresholds += presence_thresholds(probabilities, wanted)
        else:
            confidence = np.exp(log_softmax(scaled)).max(axis=1)
            right = scaled.argmax(1) == wanted.argmax(1)
            thresholds += [sure_threshold(confidence, right)] * wanted.shape[1]
    _divide_head(model, temperatures)
    model.config = replace(config, thresholds=tuple(math.floor(t * 1e4) / 1e4 for t in thresholds))
    return temperatures


@torch.no_grad()
def _divide_head(model: Classifier, temperatures: Floats) -> None:
    """Make the logits of each class smaller by its temperature."""
    divisor = torch.from_numpy(temperatures).to(model.head.weight.device)
    model.head.weight.div_(divisor.view(-1, 1))
    model.head.bias.div_(divisor)
