"""The linear heads, fitted on the features of a frozen trunk.

A strong penalty is what carries a head to dives that it has not seen: without it the weights learn
each dive's own look. How strong is chosen by dives too, from the training images alone.
"""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from classify.calibrate import log_softmax
from classify.device import one_thread
from classify.evaluate import headline
from classify.losses import masked_loss
from classify.model import Classifier, ModelConfig, pool_map
from classify.stored import Maps

log = logging.getLogger(__name__)

Rows = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
History = list[dict[str, float]]
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of the penalty, on features of variance 1
_PATH = (10.0, 1.0, 0.1)  # times the strength; the strongest first: each is a start for the next
_CHUNK = 128  # images whose maps are in memory as float32
_STEPS = 200  # of L-BFGS on averaged features, where a step is cheap
_STEPS_ON_MAPS = 12  # starting from the solution for averaged features


@dataclass(frozen=True)
class Supervision:
    """What is known of the images, and which of them are for what.

    Attributes:
        targets: [rows, classes], 1 or 0, nan where a task's label is unknown.
        weights: [rows, classes], by which dives and classes count alike.
        training: rows to learn from.
        held_out: rows that nothing is chosen by, and that scores are for.
        parts: the training rows again, in parts that share no dive.
    """

    targets: Floats
    weights: Floats
    training: Rows
    held_out: Rows
    parts: list[Rows]

    def inner(self) -> Iterator[tuple[Rows, Rows]]:
        """Yield each part with the rows of all the others before it: (train, test)."""
        for part in self.parts:
            yield np.setdiff1d(self.training, part), part

    def of(self, span: slice) -> "Supervision":
        """Return what is known of one task, whose classes are `span`: its labelled rows alone."""
        labelled = ~np.isnan(self.targets[:, span.start])
        parts = [part[labelled[part]] for part in self.parts if labelled[part].any()]
        training = self.training[labelled[self.training]]
        if len(parts) < 2:  # of one dive alone nothing can be learned about others
            parts = np.array_split(training, 2)
        return Supervision(
            self.targets[:, span],
            self.weights[:, span],
            training,
            self.held_out[labelled[self.held_out]],
            parts,
        )


class Features:
    """The features that heads are fitted on: [rows, channels, positions].

    With "mean" pooling the average over positions is all that the head sees. With "topk" all
    positions count, and the averages give the start.
    """

    def __init__(self, maps: Maps, pool: str) -> None:
        chunks = (maps[i : i + _CHUNK] for i in range(0, len(maps), _CHUNK))
        averaged = [np.asarray(chunk, np.float32).mean(axis=(2, 3)) for chunk in chunks]
        self.averaged = np.concatenate(averaged)[..., None]
        self.on_positions = pool != "mean"
        self.values = maps.reshape(*maps.shape[:2], -1) if self.on_positions else self.averaged

    def averages(self) -> "Features":
        """Return the features without the positions."""
        alone = copy(self)
        alone.values, alone.on_positions = self.averaged, False
        return alone


def choose_strengths(
    features: Features, known: Supervision, config: ModelConfig
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return for each task the penalty whose loss is least on dives that were left out of the fit.

    Chosen by the loss, weighted so that classes and dives count alike: the score of a class that a
    few dives show jumps too much to choose by. On averaged features, whatever the pooling. Each
    task by itself, as all of the heads: on a frozen trunk two tasks do not disturb one another.

    Returns:
        The strengths by task; and for each one tried its task, loss and score.
    """
    chosen, history = {}, []
    for task, of_task, alone in _tasks(known, config):
        tried = list(_try_strengths(features.averaged, of_task, alone))
        chosen[task] = float(min(tried, key=lambda row: row["loss"])["strength"])
        history += [{"task": task, **row} for row in tried]
    return chosen, history


def unseen_logits(
    features: Features, known: Supervision, config: ModelConfig, strengths: dict[str, float]
) -> Floats:
    """Return logits [rows, classes] of each training row by a fit that had not seen its dive.

    Rows that are not for training, or not labelled for a task, are nan.
    """
    unseen = np.full(known.targets.shape, np.nan, np.float32)
    for task, of_task, alone in _tasks(known, config):
        for train, test in of_task.inner():
            fitted = _fit(features, train, of_task, alone, strengths[task])
            unseen[test, config.span(task)] = fitted.logits(features.values, test, alone)
    return unseen


def fit_head(
    head: nn.Linear,
    features: Features,
    rows: Rows,
    known: Supervision,
    config: ModelConfig,
    strengths: dict[str, float],
) -> None:
    """Set `head` to what fits `rows` best, each task by its labelled rows.

    The loss is cross-entropy, weighted so that classes and dives count alike, plus
    strength x channels / 2 x |W|^2 on standardised features; L-BFGS finds its minimum.
    """
    for task, of_task, alone in _tasks(replace(known, training=rows), config):
        weights, bias = _fit(features, of_task.training, of_task, alone, strengths[task]).plain()
        with torch.no_grad():
            head.weight[config.span(task)] = weights.to(head.weight.device)
            head.bias[config.span(task)] = bias.to(head.bias.device)


def adapt_head(model: Classifier, features: Features, known: Supervision, strength: float) -> None:
    """Move the head of `model` no further than the labels of a few new images ask for.

    The loss is that of `fit_head` with |W - W0|^2 in place of |W|^2, W0 being the head as it is: a
    Gaussian prior round what other dives taught.
    """
    mean, deviation = model.feature_mean.cpu(), model.feature_deviation.cpu()
    weights = model.head.weight.detach().cpu() * deviation
    bias = model.head.bias.detach().cpu() + model.head.weight.detach().cpu() @ mean
    start = _Linear(torch.cat([weights, bias[:, None]], dim=1), mean, deviation)
    rows = known.training
    moved = _minimise(
        start, features.values, rows, known, model.config, strength, _STEPS, towards=start.weights
    )
    with torch.no_grad():
        weights, bias = moved.plain()
        model.head.weight.copy_(weights)
        model.head.bias.copy_(bias)


def moments(features: Features, rows: Rows) -> tuple[Tensor, Tensor]:
    """Return mean and deviation [channels] of the averaged features of `rows`."""
    flat = _floats(features.averaged, rows)[..., 0]
    return flat.mean(0), flat.std(0) + 1e-3


def _tasks(
    known: Supervision, config: ModelConfig
) -> Iterator[tuple[str, Supervision, ModelConfig]]:
    """Yield each task with what is known of it, and the model as if it had no other."""
    for task, classes in config.heads.items():
        alone = replace(config, heads={task: classes}, thresholds=())
        yield task, known.of(config.span(task)), alone


def _try_strengths(
    averaged: Floats, known: Supervision, config: ModelConfig
) -> Iterator[dict[str, float]]:
    """Yield each strength with loss and score of training rows by fits that had not seen them."""
    starts: dict[int, _Linear] = {}
    for strength in reversed(STRENGTHS):  # the strongest first: each is a start for the next
        unseen = np.full(known.targets.shape, np.nan, np.float32)
        for number, (train, test) in enumerate(known.inner()):
            start = starts.get(number) or _standardised(averaged, train, known)
            fitted = _minimise(start, averaged, train, known, config, strength, _STEPS)
            unseen[test] = fitted.logits(averaged, test, config)
            starts[number] = fitted
        loss = _weighted_loss(unseen, known, config)
        score = task_score(unseen, known, known.training, config)
        log.info("head, strength %g: loss %.3f, score %.3f", strength, loss, score)
        yield {"strength": strength, "loss": loss, "score": score}


def task_score(logits: Floats, known: Supervision, rows: Rows, config: ModelConfig) -> float:
    """Return the mean over tasks of the headline score of `rows`; `logits` has all rows."""
    scores = []
    for task in config.heads:
        span = config.span(task)
        labelled = rows[~np.isnan(known.targets[rows, span.start])]
        if len(labelled):
            found, wanted = logits[labelled, span], known.targets[labelled, span]
            scores.append(headline(found, wanted, multilabel=config.multilabel))
    return float(np.mean(scores))


@dataclass(frozen=True)
class _Linear:
    """Weights [classes, channels + 1] for features that are standardised by mean and deviation."""

    weights: Tensor
    mean: Tensor
    deviation: Tensor

    def plain(self) -> tuple[Tensor, Tensor]:
        """Return weights and bias for plain features."""
        weights = self.weights[:, :-1] / self.deviation
        return weights, self.weights[:, -1] - weights @ self.mean

    @torch.no_grad()
    def logits(self, features: Maps | Floats, rows: Rows, config: ModelConfig) -> Floats:
        """Return the logits [rows, classes] of features [all rows, channels, positions]."""
        parts = (rows[i : i + _CHUNK] for i in range(0, len(rows), _CHUNK))
        found = [_pooled(_floats(features, part), *self.plain(), config) for part in parts]
        return torch.cat(found).numpy()


def _weighted_loss(unseen: Floats, known: Supervision, config: ModelConfig) -> float:
    """Return the weighted loss of the training rows, summed over tasks."""
    rows, total = known.training, 0.0
    for task in config.heads:
        span = config.span(task)
        logits, targets = unseen[rows, span], known.targets[rows, span]
        if config.multilabel:
            each = np.logaddexp(0, logits) - targets * logits
            losses = (each * known.weights[rows, span]).mean(axis=1)
        else:
            losses = -(log_softmax(logits) * targets).sum(axis=1) * known.weights[rows, span.start]
        total += float(np.nansum(losses) / len(rows))
    return total


def _fit(
    features: Features, rows: Rows, known: Supervision, config: ModelConfig, strength: float
) -> _Linear:
    """Return the heads for `rows`.

    On averaged features the mean of three: at a tenth, at one and at ten times the strength, each
    scaled to logits of deviation 1. No single strength is best on all dives, and which is best on
    the next one cannot be known; the mean of linear heads is again one. On the positions themselves
    one strength, from the solution for averaged features on.
    """
    start = _standardised(features.averaged, rows, known)
    if features.on_positions:
        start = _minimise(start, features.averaged, rows, known, config, strength, _STEPS)
        return _minimise(start, features.values, rows, known, config, strength, _STEPS_ON_MAPS)
    total = torch.zeros_like(start.weights)
    for factor in _PATH:
        start = _minimise(start, features.averaged, rows, known, config, factor * strength, _STEPS)
        total += _scaled(start, features.averaged, rows, config) / len(_PATH)
    return _Linear(total, start.mean, start.deviation)


def _scaled(fitted: _Linear, averaged: Floats, rows: Rows, config: ModelConfig) -> Tensor:
    """Return the weights, divided by task so that the logits of `rows` have the deviation 1."""
    logits, weights = fitted.logits(averaged, rows, config), fitted.weights.clone()
    for task in config.heads:
        span = config.span(task)
        of_task = logits[:, span]
        if not config.multilabel:  # a softmax sees differences between classes only
            of_task = of_task - of_task.mean(axis=1, keepdims=True)
        weights[span] /= float(of_task.std()) + 1e-6
    return weights


def _standardised(averaged: Floats, rows: Rows, known: Supervision) -> _Linear:
    """Return heads without weights yet, with the mean and deviation of the rows' features."""
    flat = _floats(averaged, rows)[..., 0]
    zeros = torch.zeros(known.targets.shape[1], flat.shape[1] + 1)
    return _Linear(zeros, flat.mean(0), flat.std(0) + 1e-3)


def _minimise(
    start: _Linear,
    features: Maps | Floats,
    rows: Rows,
    known: Supervision,
    config: ModelConfig,
    strength: float,
    steps: int,
    *,
    towards: Tensor | None = None,
) -> _Linear:
    """Return the weights of least loss, penalised for their distance from `towards`, or from 0."""
    centre = torch.zeros_like(start.weights) if towards is None else towards
    weights = start.weights.clone().requires_grad_(True)
    fitted = _Linear(weights, start.mean, start.deviation)
    chunk = len(rows) if features.shape[2] == 1 else _CHUNK
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=steps, tolerance_grad=1e-4, line_search_fn="strong_wolfe"
    )
    targets, weight_of = torch.from_numpy(known.targets), torch.from_numpy(known.weights)
    whole = _floats(features, rows) if chunk == len(rows) else None

    def closure() -> Tensor:
        optimiser.zero_grad()
        penalty = strength * features.shape[1] / 2 * (weights - centre)[:, :-1].square().sum()
        penalty.backward()
        total = penalty.detach()
        for begin in range(0, len(rows), chunk):
            part = rows[begin : begin + chunk]
            values = _floats(features, part) if whole is None else whole
            logits = _pooled(values, *fitted.plain(), config)
            loss = masked_loss(logits, targets[part], config, weight_of[part])
            loss = loss * (len(part) / len(rows))
            loss.backward()  # type: ignore[no-untyped-call]
            total = total + loss.detach()
        return total

    with one_thread() if whole is not None else nullcontext():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    return _Linear(weights.detach(), start.mean, start.deviation)


def _pooled(values: Tensor, weights: Tensor, bias: Tensor, config: ModelConfig) -> Tensor:
    """Return logits [n, classes] of features [n, channels, positions]."""
    maps = torch.einsum("ncp,kc->nkp", values, weights) + bias.view(1, -1, 1)
    return pool_map(maps.unsqueeze(3), config)


def _floats(features: Maps | Floats, rows: Rows) -> Tensor:
    return torch.from_numpy(np.asarray(features[rows], np.float32))
