"""The loss of one or two tasks, each of which knows the labels of some images only."""

import torch
from torch import Tensor
from torch.nn import functional

from classify.model import ModelConfig


def masked_loss(
    logits: Tensor, targets: Tensor, config: ModelConfig, weights: Tensor | None = None
) -> Tensor:
    """Return the mean loss over images, summed over tasks.

    An image whose label for a task is not known adds nothing to that task's loss, so that two
    half-labelled sets train one network.

    Args:
        logits: [n, classes].
        targets: [n, classes], 1 or 0; nan where the task's label is unknown.
        config: heads, and whether several labels an image are possible.
        weights: [n, classes], see `classify.splits.image_weights`; None weighs all alike.
    """
    total = logits.new_zeros(())
    for task in config.heads:
        span = config.span(task)
        known = ~targets[:, span.start].isnan()
        if not known.any():
            continue
        of_task, wanted = logits[known, span], targets[known, span]
        if config.multilabel:
            losses = functional.binary_cross_entropy_with_logits(of_task, wanted, reduction="none")
            losses = losses if weights is None else losses * weights[known, span]
            losses = losses.mean(dim=1)
        else:
            losses = functional.cross_entropy(of_task, wanted, reduction="none")
            losses = losses if weights is None else losses * weights[known, span.start]
        total = total + losses.sum() / len(logits)
    return torch.as_tensor(total)
