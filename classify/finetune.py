"""The whole network, trained at a small rate; a run that was killed goes on to the same result.

Everything random is drawn from (seed, epoch, place), never from a generator whose state runs on, so
that what is stored at the end of an epoch is all that a resumed run needs.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from timm.optim import param_groups_layer_decay
from timm.scheduler import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from classify.ahead import made_ahead
from classify.device import batch_size, best_device, training_precision
from classify.head import History, Rows, Supervision, task_score
from classify.images import Pixels
from classify.losses import masked_loss
from classify.model import Classifier, as_batch
from classify.runs import publish
from classify.settings import TrainConfig
from classify.stored import logits_of_images
from classify.transforms import augmentation

log = logging.getLogger(__name__)

Advance = Callable[[int, int], None]


@dataclass
class Standing:
    """Where tuning stands at the end of an epoch.

    Attributes:
        epoch: epochs done; 0 = the heads alone.
        best: the best score so far, that of the heads alone included.
        best_epoch: the epoch that reached it.
        history: loss and score by epoch.
    """

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    history: History = field(default_factory=list)


def finetune(
    model: Classifier,
    images: Pixels,
    known: Supervision,
    config: TrainConfig,
    *,
    rows: Rows,
    judged_by: Rows,
    checkpoint: Path,
    progress: Advance | None = None,
) -> tuple[History, int]:
    """Train trunk and heads, leave the averaged weights of the best epoch in `model`.

    Batch norms keep the statistics of their pretraining: batches are small, and dives differ.

    Args:
        model: with trained heads, on the best device.
        images: uint8 [rows, height, width, 3], prepared.
        known: targets and weights.
        config: rates, epochs, batch, augmentation, seed.
        rows: the images to learn from, drawn by their weights.
        judged_by: other images, by whose score the epoch is chosen; without any, the last one is.
        checkpoint: file for the state at the end of each epoch; taken up where it exists.
        progress: called with (images seen, images in all).

    Returns:
        Loss and score by epoch, and the best epoch; 0 where tuning never helped.
    """
    loop = _Loop(model, images, known, config, rows, judged_by)
    if checkpoint.is_file():
        loop.load(checkpoint)
    else:
        loop.judge()
    while not loop.is_over:
        loop.run_epoch(progress)
        loop.judge()
        loop.save(checkpoint)
    model.load_state_dict(loop.kept)
    model.eval()
    return loop.standing.history, loop.standing.best_epoch


class _Loop:
    """Network, optimiser, schedule, running average and standing: what a checkpoint holds."""

    def __init__(
        self,
        model: Classifier,
        images: Pixels,
        known: Supervision,
        config: TrainConfig,
        rows: Rows,
        judged_by: Rows,
    ) -> None:
        self.model = model
        self.average = ModelEmaV3(model, decay=config.average, use_warmup=True)
        self.standing = Standing()
        self.kept = _copy(model.state_dict())
        self._images = images
        self._known = known
        self._config = config
        self._rows = rows
        self._judged_by = judged_by
        self._steps = max(1, len(rows) // config.batch)
        groups = param_groups_layer_decay(
            model.trunk.backbone, config.weight_decay, layer_decay=config.layer_decay
        )
        groups.append({"params": list(model.head.parameters()), "lr_scale": 1.0})
        self._optimiser = torch.optim.AdamW(
            groups, lr=config.tune_rate, weight_decay=config.weight_decay
        )
        total = self._steps * config.tune_epochs
        self._schedule = CosineLRScheduler(
            self._optimiser,
            t_initial=total,
            warmup_t=round(config.warm_up * total),
            warmup_lr_init=0.0,
            t_in_epochs=False,
        )
        self._augment = augmentation(config.augment)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or the last ones brought nothing."""
        standing = self.standing
        return (
            standing.epoch >= self._config.tune_epochs
            or standing.epoch - standing.best_epoch >= self._config.tune_patience
        )

    def judge(self) -> None:
        """Keep the averaged weights where they are the best so far, or where nothing judges."""
        standing = self.standing
        if len(self._judged_by):
            score = self._score()
            if standing.history:
                standing.history[-1]["score"] = score
            if score <= standing.best:
                return
            standing.best = score
        standing.best_epoch = standing.epoch
        self.kept = _copy(self.average.module.state_dict())

    def _score(self) -> float:
        averaged: Classifier = self.average.module
        logits = np.full(self._known.targets.shape, np.nan, np.float32)
        logits[self._judged_by] = logits_of_images(averaged, self._images[self._judged_by])
        score = task_score(logits, self._known, self._judged_by, self.model.config)
        log.info("whole network, epoch %d: score %.3f", self.standing.epoch, score)
        return score

    def run_epoch(self, progress: Advance | None) -> None:
        """Train for one epoch."""
        epoch, size = self.standing.epoch, self._config.batch
        torch.manual_seed(_seed(self._config.seed, epoch))  # dropout
        rows = self._drawn(epoch)
        self.model.train()
        for layer in self.model.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.eval()
        losses = []
        for step, (part, pixels) in enumerate(self._batches(rows, epoch)):
            self._schedule.step_update(epoch * self._steps + step)
            losses.append(self._step(part, pixels))
            self.average.update(self.model, step=epoch * self._steps + step + 1)
            if progress:
                progress(epoch * len(rows) + (step + 1) * size, self._schedule.t_initial * size)
        self.model.eval()
        self.standing.epoch += 1
        mean = float(np.mean(losses))
        self.standing.history.append({"epoch": self.standing.epoch, "loss": mean})

    def _drawn(self, epoch: int) -> Rows:
        """Draw the rows of an epoch, so that classes come up alike and, in each, dives."""
        weights = self._known.weights[self._rows].sum(axis=1).astype(np.float64)
        rng = np.random.default_rng([self._config.seed, epoch])
        number = self._steps * self._config.batch
        return rng.choice(self._rows, number, p=weights / weights.sum())

    def _batches(self, rows: Rows, epoch: int) -> Iterator[tuple[Rows, list[Pixels]]]:
        """Yield rows and their augmented images."""

        def make(place: int) -> Pixels:
            seed = _seed(self._config.seed, epoch, place)
            return self._augment(np.array(self._images[rows[place]]), seed=seed)

        size = self._config.batch
        made = made_ahead(make, range(len(rows)), batch=size, workers=1)
        for start, pixels in zip(range(0, len(rows), size), made, strict=True):
            yield rows[start : start + size], pixels

    def _step(self, rows: Rows, pixels: list[Pixels]) -> float:
        """Take one optimiser step; gradients are summed over as many images as fit at a time."""
        targets = torch.from_numpy(self._known.targets[rows]).to(best_device())
        size = max(2, batch_size(*pixels[0].shape[:2]))
        total = 0.0
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            with training_precision():
                features = self.model.trunk(as_batch(pixels[part], best_device()))
            logits = self.model.classify(features).logits
            loss = masked_loss(logits, targets[part], self.model.config)
            share = len(logits) / len(rows)
            (loss * share).backward()  # type: ignore[no-untyped-call]
            total += loss.item() * share
        self._optimiser.step()
        self._optimiser.zero_grad()
        return total

    def save(self, path: Path) -> None:
        """Write all that the next epoch needs."""
        tensors = {
            **_named("model", self.model.state_dict()),
            **_named("average", self.average.module.state_dict()),
            **_named("kept", self.kept),
        }
        for number, state in self._optimiser.state_dict()["state"].items():
            tensors |= _named(f"optimiser/{number}", state)
        temporary = path.with_suffix(".tmp")
        save_file(tensors, temporary, {"standing": json.dumps(asdict(self.standing))})
        publish(temporary, path)

    def load(self, path: Path) -> None:
        """Go back to what `save` wrote."""
        with safe_open(path, "pt") as stored:
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
            self.standing = Standing(**json.loads(stored.metadata()["standing"]))
        self.model.load_state_dict(_under("model", tensors))
        self.average.module.load_state_dict(_under("average", tensors))
        self.kept = _under("kept", tensors)
        described: dict[str, Any] = self._optimiser.state_dict()
        numbers = [number for group in described["param_groups"] for number in group["params"]]
        states = {n: _under(f"optimiser/{n}", tensors) for n in numbers}
        described["state"] = {number: state for number, state in states.items() if state}
        self._optimiser.load_state_dict(described)


def _seed(*parts: int) -> int:
    """Return a seed that is another one for each tuple of numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.detach().clone() for key, value in state.items()}


def _named(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses tensors that share memory: the copies do not
    return {f"{prefix}/{key}": v.detach().contiguous().clone() for key, v in state.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
