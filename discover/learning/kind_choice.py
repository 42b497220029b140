"""Which head is best on dives that it was not taught, and how right it is there."""

import logging

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.calibrate import calibration_error, fit_temperature, log_softmax
from discover.learning.kind_head import WAYS, fit_head
from discover.learning.named import Named
from discover.survey import SurveyError

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

_FOLDS = 5
_LEAST = 1e-3  # probability, of a kind that a fold's training crops do not show
_SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)  # of the named scenes, for the learning curve
_REPEATS = 3


def _folds(named: Named, seed: int) -> list[tuple[Numbers, Numbers]]:
    from sklearn.model_selection import StratifiedGroupKFold

    groups = named.dives if named.held_out_by == "dive" else named.scenes
    count = min(_FOLDS, len(np.unique(groups)), int(np.bincount(named.numbers).max()))
    if count < 2:
        raise SurveyError("all names are of one scene: name crops of others too")
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(folds.split(named.vectors, named.numbers, groups))


def _unseen(named: Named, way: str, amount: float, seed: int) -> Vectors:
    """Return logits [n, kinds] of each crop by a head that had not seen its dive."""
    logits = np.zeros((len(named.numbers), len(named.kinds)), np.float32)
    for known, asked in _folds(named, seed):
        part = named.at(known)
        head = fit_head(part.vectors, part.numbers, part.scenes, part.kinds, way, amount)
        logits[asked] = head.logits(named.vectors[asked])
    return logits


def choose(named: Named, seed: int) -> tuple[tuple[str, float], Vectors]:
    """Return the way with the least loss on other dives, each at its best temperature.

    Returns:
        The way with its amount; and logits, float32 [n, kinds], of each crop by a head of that way
        that had not seen its dive.

    Raises:
        SurveyError: all names are of one scene.
    """
    targets = np.eye(len(named.kinds), dtype=np.float32)[named.numbers]
    best: tuple[float, tuple[str, float], Vectors] | None = None
    for way, amount in WAYS:
        logits = _unseen(named, way, amount, seed)
        likelihood = np.exp(log_softmax(logits / fit_temperature(logits, targets)))
        of_true = (likelihood * targets).sum(axis=1)
        loss = float(-(_weights(named) * np.log(np.maximum(of_true, _LEAST))).sum())
        log.info("%s %g: loss %.3f on other dives", way, amount, loss)
        if best is None or loss < best[0]:
            best = loss, (way, amount), logits
    assert best is not None
    return best[1], best[2]


def _weights(named: Named) -> Vectors:
    """Return weights [n] that sum to 1, by which kinds count alike."""
    counts = np.bincount(named.numbers, minlength=len(named.kinds))
    return np.asarray(1 / (counts[named.numbers] * len(named.kinds)), np.float32)


def scores_of(logits: Vectors, named: Named) -> dict[str, float]:
    """Return accuracy, balanced accuracy (kinds count alike) and calibration error, 0..1.

    Args:
        logits: float32 [n, kinds] of heads that had not seen the crops' dives, as calibrated.
        named: the crops.
    """
    probabilities = np.exp(log_softmax(logits))
    right = probabilities.argmax(axis=1) == named.numbers
    return {
        "accuracy": round(float(right.mean()), 4),
        "balanced_accuracy": round(float((_weights(named) * right).sum()), 4),
        "calibration_error": round(calibration_error(probabilities.max(axis=1), right), 4),
    }


def confusion_of(logits: Vectors, named: Named) -> list[list[int]]:
    """Return how many crops of each kind (row) were taken for which (column), kinds as named.

    Args:
        logits: float32 [n, kinds] of heads that had not seen the crops' dives.
        named: the crops.
    """
    size = len(named.kinds)
    cells = named.numbers * size + logits.argmax(axis=1)
    return np.bincount(cells, minlength=size * size).reshape(size, size).tolist()


def learning_curve(named: Named, way: str, amount: float, seed: int) -> pd.DataFrame:
    """Return columns `share, named, balanced_accuracy`, of heads taught a part of the names."""
    rows = []
    for share in _SHARES:
        for repeat in range(1 if share == 1 else _REPEATS):
            rng = np.random.default_rng([seed, repeat])
            right = np.zeros(len(named.numbers), bool)
            used = []
            for known, asked in _folds(named, seed):
                scenes = np.unique(named.scenes[known])
                kept = rng.choice(scenes, max(2, round(share * len(scenes))), replace=False)
                part = named.at(known[np.isin(named.scenes[known], kept)])
                head = fit_head(part.vectors, part.numbers, part.scenes, part.kinds, way, amount)
                said = head.logits(named.vectors[asked]).argmax(axis=1)
                right[asked] = said == named.numbers[asked]
                used.append(len(part.numbers))
            score = float((_weights(named) * right).sum())
            rows.append({"share": share, "named": float(np.mean(used)), "balanced_accuracy": score})
    return pd.DataFrame(rows)
