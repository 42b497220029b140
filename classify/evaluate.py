"""Scores of predictions."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix


def score(
    truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return accuracy, balanced accuracy, recall per class and the confusion matrix.

    Args:
        truth: class indices [n].
        predicted: class indices [n].
        classes: names in the order of the indices.

    Returns:
        `images`, `accuracy`, `balanced_accuracy` (mean recall of the classes that occur),
        `majority_accuracy` (of always naming the commonest class: the least to beat), `recall`
        by name (None where a class has no images) and `confusion` [true][predicted].
    """
    matrix = confusion_matrix(truth, predicted, labels=np.arange(len(classes)))
    images = matrix.sum(axis=1)
    recall = {
        name: round(float(matrix[i, i] / images[i]), 4) if images[i] else None
        for i, name in enumerate(classes)
    }
    present = [value for value in recall.values() if value is not None]
    balanced = (
        balanced_accuracy_score(truth, predicted)
        if set(predicted) <= set(truth)
        else float(np.mean(present))
    )
    return {
        "images": len(truth),
        "accuracy": round(float(accuracy_score(truth, predicted)), 4),
        "balanced_accuracy": round(float(balanced), 4),
        "majority_accuracy": round(float(images.max() / images.sum()), 4),
        "recall": recall,
        "confusion": matrix.tolist(),
    }
