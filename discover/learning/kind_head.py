"""A small head on embeddings that knows the kinds that people named.

Two ways, of which the better one on other dives is taken: the nearest named crops, which suffice
where a kind has few names, and a regularised linear head, which is better where it has many.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from classify.calibrate import log_softmax
from classify.runs import write_atomic
from discover.project import nearest

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

HEAD_FILE, WEIGHTS_FILE = "head.json", "head.safetensors"
WAYS = (
    ("neighbours", 1), ("neighbours", 3), ("neighbours", 10),
    ("linear", 0.03), ("linear", 0.3), ("linear", 3.0),
)  # fmt: skip
_SHARPNESS = 20.0  # of the weight of a neighbour, by cosine
_UNSEEN = 3.0  # log weight below the least of a kind that has a neighbour
_CLOSEST = 3  # named crops that tell how far a crop is from anything named


@dataclass(frozen=True)
class KindHead:
    """What was learned.

    Attributes:
        kinds: names, in the order of the probabilities.
        way: "neighbours" or "linear".
        amount: how many neighbours vote, or the inverse of the penalty (scikit-learn's C).
        mean: float32 [d], subtracted from vectors of length 1.
        weights: float32 [k, d] of the linear head, or the named vectors [n, d].
        bias: float32 [k], or the numbers [n] of the named vectors' kinds.
        temperature: by which logits are divided.
        own: float32 [n], sorted: distances of named vectors to the nearest ones of other scenes.
        named: float32 [n, d], the named vectors, by which novelty is told.
    """

    kinds: tuple[str, ...]
    way: str
    amount: float
    mean: Vectors
    weights: Vectors
    bias: npt.NDArray[np.float32]
    temperature: float
    own: Vectors
    named: Vectors

    def logits(self, vectors: Vectors) -> Vectors:
        """Return the logits [n, kinds] of embeddings [n, d], not yet divided by the temperature."""
        unit = _centred(vectors, self.mean)
        if self.way == "linear":
            return np.asarray(unit @ self.weights.T + self.bias, np.float32)
        return _votes(unit, self.weights, self.bias.astype(int), int(self.amount), len(self.kinds))

    def probabilities(self, vectors: Vectors) -> Vectors:
        """Return the calibrated probabilities [n, kinds] of embeddings [n, d]."""
        return np.exp(log_softmax(self.logits(vectors) / self.temperature))

    def novelty(self, vectors: Vectors) -> Vectors:
        """Return how unlike anything named embeddings are, [n] in 0..1.

        The share of the named crops that are nearer to named crops of other scenes than this one
        is: 0.99 is farther away than all but one in a hundred.
        """
        unit = _centred(vectors, self.mean)
        _, distances = nearest(self.named, unit, _CLOSEST)
        below = np.searchsorted(self.own, distances.mean(axis=1), side="left")
        return np.asarray(below / len(self.own), np.float32)

    def save(self, folder: Path, **about: Any) -> None:  # noqa: ANN401 - JSON
        """Write `head.json` and `head.safetensors`; `about` goes into the former."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in ("mean", "weights", "bias", "own", "named")}
        temporary = folder / f".{WEIGHTS_FILE}.tmp"
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)
        temporary.replace(folder / WEIGHTS_FILE)
        plain = {name: getattr(self, name) for name in ("kinds", "way", "amount", "temperature")}
        write_atomic(folder / HEAD_FILE, json.dumps({**plain, **about}, indent=2).encode())


def load_head(folder: Path) -> tuple[KindHead, dict[str, Any]]:
    """Return a head that was saved, and what was said about it."""
    about = json.loads((folder / HEAD_FILE).read_text(encoding="utf-8"))
    said = {name: about.pop(name) for name in ("kinds", "way", "amount", "temperature")}
    fields: dict[str, Any] = {**said, "kinds": tuple(said["kinds"])}
    fields |= load_file(folder / WEIGHTS_FILE)
    return KindHead(**fields), about


def fit_head(
    vectors: Vectors, numbers: Numbers, scenes: Numbers, kinds: tuple[str, ...], way: str,
    amount: float, temperature: float = 1.0,
) -> KindHead:  # fmt: skip
    """Fit a head on named crops.

    Args:
        vectors: float32 [n, d].
        numbers: int64 [n], the kind of each.
        scenes: int64 [n], the burst of each: crops of one scene say nothing of how far kinds reach.
        kinds: names.
        way: one of `WAYS`, with its amount.
        amount: see `way`.
        temperature: of the probabilities.
    """
    unit = normalised(vectors)
    mean = unit.mean(axis=0)
    unit = _centred(vectors, mean)
    if way == "linear":
        weights, bias = _linear(unit, numbers, len(kinds), amount)
    else:
        weights, bias = unit, numbers.astype(np.float32)
    own = np.sort(_distances_to_other_scenes(unit, scenes))
    return KindHead(kinds, way, amount, mean, weights, bias, temperature, own, unit)


def normalised(vectors: Vectors) -> Vectors:
    """Return vectors [n, d] of length 1."""
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.asarray(vectors / length, np.float32)


def _centred(vectors: Vectors, mean: Vectors) -> Vectors:
    return normalised(normalised(vectors) - mean)


def _linear(
    unit: Vectors, numbers: Numbers, kinds: int, amount: float
) -> tuple[Vectors, npt.NDArray[np.float32]]:
    """Return weights and bias of a head for which all kinds count alike; unseen ones are rare."""
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((kinds, unit.shape[1]), np.float32)
    bias = np.full(kinds, -20.0, np.float32)
    known = np.unique(numbers)
    if len(known) == 1:
        bias[known] = 0.0
        return weights, bias
    model = LogisticRegression(C=amount, class_weight="balanced", max_iter=500)
    model.fit(unit.astype(np.float64), numbers)
    if len(known) == 2:  # scikit-learn keeps one row for two kinds
        weights[known[1]], bias[known[1]] = model.coef_[0], model.intercept_[0]
        bias[known[0]] = 0.0
    else:
        weights[known], bias[known] = model.coef_, model.intercept_
    return weights, bias


def _votes(unit: Vectors, named: Vectors, numbers: Numbers, count: int, kinds: int) -> Vectors:
    rows, distances = nearest(named, unit, count)
    weight = np.exp(_SHARPNESS * (1 - distances**2 / 2))  # 1 - d²/2 is the cosine
    votes = np.zeros((len(unit), kinds))
    np.add.at(votes, (np.arange(len(unit))[:, None], numbers[rows]), weight)
    logits = np.log(np.maximum(votes, 1e-30))
    least = np.where(votes > 0, logits, np.inf).min(axis=1, keepdims=True)
    return np.asarray(np.where(votes > 0, logits, least - _UNSEEN), np.float32)


def _distances_to_other_scenes(unit: Vectors, scenes: Numbers) -> Vectors:
    """Return the mean distance of each vector to the nearest ones of other scenes."""
    found = np.full(len(unit), 2.0, np.float32)  # the farthest that vectors of length 1 can be
    rows, distances = nearest(unit, unit, min(len(unit), 64))
    for at in range(len(unit)):
        elsewhere = distances[at][scenes[rows[at]] != scenes[at]]
        if len(elsewhere):
            found[at] = elsewhere[:_CLOSEST].mean()
    return found
