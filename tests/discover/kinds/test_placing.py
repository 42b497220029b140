import numpy as np
import pytest

from discover.kinds.landmarks import choose_landmarks, spread_over
from discover.kinds.placing import Landmarks
from discover.project import ProjectConfig, fit_basis
from tests.discover.vectors_by_hand import EACH, KINDS, groups


@pytest.fixture(scope="module")
def known() -> tuple[Landmarks, object]:
    vectors, truth = groups()
    basis = fit_basis(vectors, ProjectConfig(components=10))
    positions = np.stack([truth, -truth], axis=1).astype(np.float32)
    return Landmarks(basis(vectors), truth.astype(np.int32), positions), basis


def test_members_of_known_kinds_join_them(known: tuple) -> None:
    landmarks, basis = known
    vectors, truth = groups(seed=5)
    placed = landmarks.place(basis(vectors))
    assert (placed.labels == truth)[placed.labels >= 0].all()
    assert (placed.labels >= 0).mean() > 0.85
    inside = placed.labels >= 0
    assert np.allclose(placed.positions[inside, 0], truth[inside], atol=0.01)
    assert (placed.probabilities[inside] > 0.9).all()


def test_what_fits_nowhere_is_new_and_in_no_cluster(known: tuple) -> None:
    landmarks, basis = known
    strange = np.random.default_rng(9).normal(size=(20, 32)).astype(np.float32)
    placed = landmarks.place(basis(strange))
    assert (placed.novelty > 0.95).all()
    assert (placed.labels == -1).all()
    assert np.isfinite(placed.positions).all()


def test_each_is_placed_for_itself(known: tuple) -> None:
    landmarks, basis = known
    vectors = basis(groups(noise=0.6, seed=3)[0])
    together, alone = landmarks.place(vectors), landmarks.place(vectors[7:8])
    assert together.labels[7] == alone.labels[0]
    assert together.novelty[7] == pytest.approx(alone.novelty[0])
    assert together.positions[7] == pytest.approx(alone.positions[0])


def test_novelty_of_members_is_spread_from_none_to_all(known: tuple) -> None:
    novelty = np.sort(known[0].novelty)
    assert novelty[0] == 0
    assert novelty[-1] == pytest.approx(1, abs=0.01)
    assert np.median(novelty) == pytest.approx(0.5, abs=0.05)


def test_landmarks_follow_the_dives_and_reach_what_is_rare() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(5000, 3)) * 0.1
    rare = rng.normal(size=(12, 3)) * 0.01 + 20
    reduced = np.concatenate([common, rare]).astype(np.float32)
    dives = np.array(["a"] * 1000 + ["b"] * 4012, object)
    rows = choose_landmarks(reduced, dives, seed=0, count=200)
    assert len(set(rows.tolist())) == 200
    assert (rows >= 5000).sum() >= 6
    random = spread_over(dives, 100, 0)
    assert abs((dives[random] == "a").sum() - 20) <= 1
    assert np.array_equal(rows, choose_landmarks(reduced, dives, seed=0, count=200))


def test_few_crops_are_all_landmarks() -> None:
    reduced = groups()[0]
    dives = np.array(["d"] * KINDS * EACH, object)
    assert choose_landmarks(reduced, dives, seed=0).tolist() == list(range(KINDS * EACH))
