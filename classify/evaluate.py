"""Scores of predictions, with what they are worth: intervals over dives, and calibration."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.calibrate import calibration_error, log_softmax, presence_thresholds, reliability

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.integer]

_RESAMPLES = 1000


def score(truth: Indices, predicted: Indices, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the scores of single-label predictions.

    Args:
        truth: class indices [n].
        predicted: class indices [n].
        classes: names in the order of the indices.

    Returns:
        `images`, `accuracy`, `balanced_accuracy` (mean recall of the classes that occur),
        `majority_accuracy` (of always naming the commonest class: the least to beat), `recall` and
        `precision` by name (None where undefined) and `confusion` [true][predicted].
    """
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(truth, predicted, labels=np.arange(len(classes)))
    images, named, right = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    return {
        "images": len(truth),
        "accuracy": round(float(right.sum() / matrix.sum()), 4),
        "balanced_accuracy": round(float(_balanced(matrix)), 4),
        "majority_accuracy": round(float(images.max() / images.sum()), 4),
        "recall": _shares(right, images, classes),
        "precision": _shares(right, named, classes),
        "confusion": matrix.tolist(),
    }


def score_multilabel(targets: Floats, probabilities: Floats, classes: tuple[str, ...],
                     thresholds: npt.ArrayLike) -> dict[str, Any]:  # fmt: skip
    """Return the scores of predictions with several labels an image.

    Args:
        targets: [n, classes], 0 or 1.
        probabilities: [n, classes].
        classes: names of the columns.
        thresholds: [classes], the probability from which on a class is present.

    Returns:
        `images`, `mean_average_precision` (over the classes that occur), `average_precision`,
        `recall`, `precision` by name, and `exact` (share of images with just the right labels).
    """
    from sklearn.metrics import average_precision_score

    called = probabilities >= np.asarray(thresholds)
    hits = (called & (targets > 0)).sum(axis=0)
    occur = targets.sum(axis=0).astype(int)
    precision = {
        name: round(float(average_precision_score(targets[:, i], probabilities[:, i])), 4)
        if occur[i]
        else None
        for i, name in enumerate(classes)
    }
    return {
        "images": len(targets),
        "mean_average_precision": round(
            float(np.mean([v for v in precision.values() if v is not None])), 4
        ),
        "average_precision": precision,
        "recall": _shares(hits, occur, classes),
        "precision": _shares(hits, called.sum(axis=0), classes),
        "exact": round(float((called == (targets > 0)).all(axis=1).mean()), 4),
    }


def headline(logits: Floats, targets: Floats, *, multilabel: bool) -> float:
    """Return the score by which epochs and settings are chosen: one task's, 0..1.

    Balanced accuracy, or with several labels an image the mean average precision.
    """
    names = tuple(str(i) for i in range(targets.shape[1]))
    if multilabel:
        scores = score_multilabel(targets, logits, names, np.zeros(len(names)))
        return float(scores["mean_average_precision"])
    return float(score(targets.argmax(1), logits.argmax(1), names)["balanced_accuracy"])


def evaluate_task(
    logits: Floats,
    targets: Floats,
    groups: pd.Series,
    classes: tuple[str, ...],
    *,
    multilabel: bool = False,
    thresholds: npt.ArrayLike | None = None,
    temperature: float = 1.0,
) -> dict[str, Any]:
    """Return all that is said of one task's predictions.

    Args:
        logits: [n, classes], of images with a known label.
        targets: [n, classes], 0 or 1.
        groups: [n], the dive of each image; null where unknown.
        classes: names of the columns.
        multilabel: several labels an image.
        thresholds: [classes], with several labels: from which probability on a class is present.
        temperature: that the logits were divided by.

    Returns:
        The scores, `interval` (95 % interval of the headline by resampling dives, None where dives
        are unknown) and `calibration`: the error, the one before the division, and its bins.
    """
    if multilabel:
        probabilities = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
        if thresholds is None:
            thresholds = presence_thresholds(probabilities, targets)
        scores = score_multilabel(targets, probabilities, classes, thresholds)
        return {**scores, "interval": None, "calibration": None}
    truth, predicted = targets.argmax(1), logits.argmax(1)
    return {
        **score(truth, predicted, classes),
        "interval": dive_interval(truth, predicted, groups, len(classes)),
        "calibration": _calibration(logits, truth == predicted, temperature),
    }


def dive_interval(
    truth: Indices, predicted: Indices, groups: pd.Series, classes: int, *, seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95 % interval of balanced accuracy: whole dives are drawn anew, with replacement.

    Frames of a dive resemble one another, so that an interval over frames would be far too narrow.
    """
    if groups.isna().any() or groups.nunique() < 2:
        return None
    codes, _ = pd.factorize(groups)
    per_dive = np.zeros((codes.max() + 1, classes, classes))
    np.add.at(per_dive, (codes, truth, predicted), 1)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(per_dive), (_RESAMPLES, len(per_dive)))
    values = [_balanced(per_dive[rows].sum(axis=0)) for rows in drawn]
    low, high = np.quantile(values, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def _balanced(matrix: npt.NDArray[Any]) -> float:
    images = matrix.sum(axis=1)
    there = images > 0
    return float((matrix.diagonal()[there] / images[there]).mean())


def _shares(
    part: npt.NDArray[Any], whole: npt.NDArray[Any], classes: tuple[str, ...]
) -> dict[str, float | None]:
    return {
        name: round(float(part[i] / whole[i]), 4) if whole[i] else None
        for i, name in enumerate(classes)
    }


def _calibration(
    logits: Floats, right: npt.NDArray[np.bool_], temperature: float
) -> dict[str, Any]:
    after = np.exp(log_softmax(logits)).max(axis=1)
    before = np.exp(log_softmax(np.asarray(logits * temperature, np.float32))).max(axis=1)
    return {
        "error": round(calibration_error(after, right), 4),
        "error_before": round(calibration_error(before, right), 4),
        "bins": [[round(v, 4) for v in row] for row in reliability(after, right)],
    }
