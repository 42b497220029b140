import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit
from sklearn.metrics import f1_score

from classify.calibrate import (
    calibration_error,
    fit_temperature,
    log_softmax,
    presence_thresholds,
    reliability,
    sure_threshold,
)

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def _drawn(
    factor: float, *, images: int = 600, multilabel: bool = False, seed: int = 0
) -> tuple[Floats, Floats]:
    """Return logits that are `factor` times the true ones, and targets drawn by the true ones."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 1.5, (images, 3)).astype(np.float32)
    if multilabel:
        targets = rng.random(true.shape) < expit(true)
    else:
        shares = np.exp(log_softmax(true)).cumsum(axis=1)
        drawn = (rng.random((images, 1)) > shares[:, :2]).sum(axis=1)
        targets = np.eye(3)[drawn] > 0
    return np.asarray(factor * true, np.float32), targets.astype(np.float32)


def _likelihood(logits: Floats, targets: Floats) -> float:
    return float((log_softmax(logits) * targets).sum(axis=1).mean())


def test_overconfident_logits_are_cooled_to_likelier_ones() -> None:
    logits, targets = _drawn(4.0)
    temperature = fit_temperature(logits, targets)
    assert temperature == pytest.approx(4.0, rel=0.2)
    assert _likelihood(logits / temperature, targets) > _likelihood(logits, targets)


def test_several_labels_an_image_have_a_temperature_too() -> None:
    logits, targets = _drawn(0.5, multilabel=True)
    assert fit_temperature(logits, targets, multilabel=True) == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("multilabel", [False, True])
@given(factor=st.floats(0.3, 4.0), seed=st.integers(0, 20))
@settings(max_examples=15)
def test_the_temperature_undoes_any_scale_of_the_logits(
    multilabel: bool, factor: float, seed: int
) -> None:
    logits, targets = _drawn(1.0, images=300, multilabel=multilabel, seed=seed)
    plain = fit_temperature(logits, targets, multilabel=multilabel)
    scaled = fit_temperature(factor * logits, targets, multilabel=multilabel)
    assert scaled == pytest.approx(factor * plain, rel=0.01)


def test_the_softmax_of_huge_logits_is_finite() -> None:
    found = np.exp(log_softmax(np.array([[1e4, -1e4, 0.0]], np.float32)))
    assert found.tolist() == [[1.0, 0.0, 0.0]]


def test_a_bin_that_is_right_as_often_as_it_says_has_no_error() -> None:
    confidence = np.repeat(np.array([0.25, 0.75], np.float32), 4)
    right = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert calibration_error(confidence, right) == 0
    assert calibration_error(confidence, ~right) == pytest.approx(0.5)


confidences = arrays.arrays(
    np.float32, st.integers(1, 40), elements=st.floats(0, 1, width=32, allow_subnormal=False)
)


@given(confidence=confidences, seed=st.integers(0, 99), bins=st.integers(1, 15))
def test_the_calibration_error_is_a_share(confidence: Floats, seed: int, bins: int) -> None:
    right = np.random.default_rng(seed).random(len(confidence)) < 0.5
    rows = reliability(confidence, right, bins)
    assert sum(share for _, share, _, _ in rows) == pytest.approx(1)
    assert sum(n * c for _, n, c, _ in rows) == pytest.approx(confidence.mean(), abs=1e-5)
    assert sum(n * r for _, n, _, r in rows) == pytest.approx(right.mean())
    assert 0 <= calibration_error(confidence, right, bins) <= 1 + 1e-6


@given(confidence=confidences, seed=st.integers(0, 99), wanted=st.floats(0.5, 1.0))
def test_of_what_is_sure_enough_is_right_or_little_is_sure(
    confidence: Floats, seed: int, wanted: float
) -> None:
    right = np.random.default_rng(seed).random(len(confidence)) < confidence
    least = sure_threshold(confidence, right, wanted=wanted)
    sure = confidence >= least
    few = max(1, len(confidence) // 10)
    more = np.sort(confidence)[::-1][few - 1]  # a tenth, and whatever is as confident
    assert right[sure].mean() >= wanted or np.array_equal(sure, confidence >= more)


@given(confidence=confidences, seed=st.integers(0, 99))
def test_no_lower_threshold_would_do(confidence: Floats, seed: int) -> None:
    right = np.random.default_rng(seed).random(len(confidence)) < confidence
    least = sure_threshold(confidence, right, wanted=0.75)
    lower = [value for value in set(confidence.tolist()) if value < least]
    assert all(right[confidence >= value].mean() < 0.75 for value in lower)


def test_the_most_confident_tenth_is_sure_where_nothing_is_reliable() -> None:
    confidence = np.linspace(0.3, 0.99, 50).astype(np.float32)
    right = np.zeros(50, bool)
    assert (confidence >= sure_threshold(confidence, right)).sum() == 5


def test_presence_thresholds_have_the_best_f1() -> None:
    probabilities, targets = _drawn(1.0, images=80, multilabel=True)
    probabilities = np.asarray(expit(probabilities), np.float32)
    targets[:, 2] = 0
    found = presence_thresholds(probabilities, targets)
    for column in range(2):
        wanted, given_ = targets[:, column], probabilities[:, column]
        best = max(f1_score(wanted, given_ >= level) for level in given_)
        assert f1_score(wanted, given_ >= found[column]) == pytest.approx(best)
    assert found[2] == 0.5
