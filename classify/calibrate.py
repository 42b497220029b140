"""Probabilities that mean what they say, and when to say "not sure"."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_HOTTEST = 20.0


def fit_temperature(logits: Floats, targets: Floats, *, multilabel: bool = False) -> float:
    """Return the temperature by which dividing the logits makes the targets likeliest.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599. The targets are
    softened by one imagined image of unknown class, as in Platt 1999 ("Probabilistic Outputs for
    Support Vector Machines"): that all images were right is no proof that all will be.

    Args:
        logits: [n, classes] of images that the classifier was not trained on.
        targets: [n, classes], 0 or 1.
        multilabel: each class has a probability of its own.
    """
    from scipy.optimize import minimize_scalar

    images, classes = targets.shape
    targets = (targets * images + 1 / (2 if multilabel else classes)) / (images + 1)

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        if multilabel:
            return float(np.mean(np.logaddexp(0, scaled) - targets * scaled))
        return float(-np.mean((log_softmax(scaled) * targets).sum(axis=1)))

    limit = float(np.log(_HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x))


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithm of the softmax along axis 1."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float32)


def calibration_error(confidence: Floats, right: Bools, bins: int = 10) -> float:
    """Return the expected calibration error, 0..1 (Naeini et al. 2015; Guo et al. 2017).

    Args:
        confidence: [n], probability of the predicted class.
        right: [n], whether the prediction is right.
        bins: number of bins of equal width.
    """
    return float(sum(n * abs(c - r) for _, n, c, r in reliability(confidence, right, bins)))


def reliability(
    confidence: Floats, right: Bools, bins: int = 10
) -> list[tuple[float, float, float, float]]:
    """Return for each bin that is not empty: middle, share of all, mean confidence, share right."""
    place = np.clip((confidence * bins).astype(int), 0, bins - 1)
    return [
        (
            (b + 0.5) / bins,
            float((place == b).mean()),
            float(confidence[place == b].mean()),
            float(right[place == b].mean()),
        )
        for b in range(bins)
        if (place == b).any()
    ]


def sure_threshold(confidence: Floats, right: Bools, *, wanted: float = 0.9) -> float:
    """Return the least confidence from which on at least the share `wanted` is right.

    Where that share is never reached the most confident tenth alone is sure; where it is
    reached by all, `wanted` itself is confidence enough.
    """
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    share[:-1][np.diff(confidence[order]) == 0] = 0  # images as confident are sure together
    few = max(1, len(order) // 10)  # of fewer than a tenth, the share is chance
    enough = np.flatnonzero(share[few - 1 :] >= wanted)
    last = few - 1 + (int(enough[-1]) if len(enough) else 0)
    least = float(confidence[order[last]])
    return min(least, wanted) if len(enough) and last == len(order) - 1 else least


def presence_thresholds(probabilities: Floats, targets: Floats) -> tuple[float, ...]:
    """Return for each class the probability from which on calling it present has the best F1.

    Args:
        probabilities: [n, classes].
        targets: [n, classes], 0 or 1.
    """
    from sklearn.metrics import precision_recall_curve

    best = []
    for column in range(targets.shape[1]):
        if not targets[:, column].any():
            best.append(0.5)
            continue
        precision, recall, levels = precision_recall_curve(
            targets[:, column], probabilities[:, column]
        )
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
        best.append(float(levels[int(f1[:-1].argmax())]))
    return tuple(best)
