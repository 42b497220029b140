import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify.evaluate import dive_interval, evaluate_task, headline, score, score_multilabel

Indices = npt.NDArray[np.integer]


def _dives(number: int, images: int) -> pd.Series:
    return pd.Series(np.repeat([f"d{i}" for i in range(number)], images))


def _balanced(truth: Indices, predicted: Indices) -> float:
    return float(score(truth, predicted, ("a", "b"))["balanced_accuracy"])


def test_scores_of_known_predictions() -> None:
    found = score(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1]), ("a", "b", "c"))
    assert found == {
        "images": 4,
        "accuracy": 0.75,
        "balanced_accuracy": round((2 / 3 + 1) / 2, 4),  # c does not occur
        "majority_accuracy": 0.75,
        "recall": {"a": 0.6667, "b": 1.0, "c": None},
        "precision": {"a": 1.0, "b": 1.0, "c": 0.0},
        "confusion": [[2, 0, 1], [0, 1, 0], [0, 0, 0]],
    }
    assert score(np.array([0]), np.array([0]), ("a", "b"))["precision"]["b"] is None


@given(pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_scores_agree_with_one_another_whatever_is_predicted(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = np.array(pairs).T
    found = score(truth, predicted, tuple("abcd"))
    recalls = [value for value in found["recall"].values() if value is not None]
    assert len(recalls) == len(set(truth))
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls), abs=1e-4)
    assert found["accuracy"] == pytest.approx((truth == predicted).mean(), abs=1e-4)
    assert found["majority_accuracy"] == pytest.approx(
        np.bincount(truth).max() / len(truth), abs=1e-4
    )
    assert np.sum(found["confusion"]) == found["images"] == len(pairs)


def test_an_interval_needs_two_known_dives() -> None:
    truth = predicted = np.array([0, 1, 0, 1])
    assert dive_interval(truth, predicted, pd.Series(["d", "d", "d", None]), 2) is None
    assert dive_interval(truth, predicted, pd.Series(["d"] * 4), 2) is None
    assert dive_interval(truth, predicted, _dives(2, 2), 2) == (1.0, 1.0)
    assert dive_interval(truth, np.array([0, 1, 1, 0]), _dives(2, 2), 2) == (0.0, 1.0)


@given(seed=st.integers(0, 50))
def test_the_score_lies_in_its_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 120)
    predicted = np.where(rng.random(120) < 0.8, truth, 1 - truth)
    low, high = dive_interval(truth, predicted, _dives(12, 10), 2) or (1, 0)
    assert low <= _balanced(truth, predicted) <= high


def test_errors_that_cluster_by_dive_make_the_interval_wider() -> None:
    truth = np.tile([0, 1], 60)
    wrong = {"clustered": np.arange(120) < 30, "spread": np.arange(120) % 8 < 2}
    found = {}
    for kind, where in wrong.items():
        predicted = np.where(where, 1 - truth, truth)
        assert _balanced(truth, predicted) == 0.75
        found[kind] = dive_interval(truth, predicted, _dives(12, 10), 2) or (0, 0)
    assert np.diff(found["clustered"]) > 2 * np.diff(found["spread"])


def test_the_interval_is_the_same_every_time_and_whatever_the_dives_are_called() -> None:
    truth, predicted = np.tile([0, 1], 20), np.tile([0, 1, 1, 0, 0], 8)
    named = _dives(4, 10)
    renamed = pd.Series(
        named.map({"d0": 7, "d1": 3, "d2": 5, "d3": 1}).to_numpy(), index=range(9, 49)
    )
    assert dive_interval(truth, predicted, named, 2) == dive_interval(truth, predicted, renamed, 2)


def test_scores_of_several_labels_an_image() -> None:
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], np.float32)
    probabilities = np.array(
        [[0.9, 0.1, 0.4], [0.8, 0.2, 0.1], [0.1, 0.7, 0.1], [0.3, 0.6, 0.1]], np.float32
    )
    found = score_multilabel(targets, probabilities, ("a", "b", "c"), (0.5, 0.5, 0.3))
    assert found["average_precision"] == {"a": 1.0, "b": pytest.approx(0.8333), "c": None}
    assert found["mean_average_precision"] == pytest.approx(0.9167, abs=1e-4)
    assert found["recall"] == {"a": 1.0, "b": 0.5, "c": None}
    assert found["precision"] == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert found["exact"] == 0.25  # the third image alone


def test_the_headline_is_of_the_kind_of_labels() -> None:
    targets = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    logits = np.array([[2, 1], [2, 1], [1, 2], [0, 3]], np.float32)
    assert headline(logits, targets, multilabel=False) == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)
    assert headline(logits, targets, multilabel=True) == 1.0  # every class ranks its images first


def test_calibration_is_reported_after_and_before_the_temperature() -> None:
    rng = np.random.default_rng(0)
    targets = np.eye(2, dtype=np.float32)[rng.integers(0, 2, 100)]
    right = np.arange(100) % 4 > 0
    calibrated = np.log(3) * np.where(right[:, None], targets, 1 - targets)  # 0.75 for the class
    found = evaluate_task(
        np.asarray(calibrated, np.float32),
        targets,
        _dives(10, 10),
        ("a", "b"),
        temperature=10.0,
    )
    assert found["accuracy"] == 0.75
    assert found["interval"] is not None
    assert found["calibration"]["error"] == pytest.approx(0, abs=1e-3)
    assert found["calibration"]["error_before"] == pytest.approx(0.25, abs=1e-3)
    assert found["calibration"]["bins"] == [[0.75, 1.0, 0.75, 0.75]]


def test_several_labels_an_image_are_called_present_by_the_thresholds_of_the_classifier() -> None:
    targets = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    logits = np.array([[1, -1], [-1, 1], [1, 1]], np.float32)
    groups = pd.Series(["d0", "d1", "d2"])
    exact = {
        least: evaluate_task(
            logits, targets, groups, ("a", "b"), multilabel=True, thresholds=(least, least)
        )["exact"]
        for least in (0.1, 0.5)
    }
    assert exact == {0.1: pytest.approx(1 / 3, abs=1e-4), 0.5: 1.0}
