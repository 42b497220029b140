import numpy as np

from discover.kinds.centres import centre_clusters
from discover.kinds.density import DensityTree
from tests.discover.vectors_by_hand import EACH, KINDS, groups


def _blobs(strays: list[list[float]]) -> np.ndarray:
    rng = np.random.default_rng(1)
    near = np.concatenate([rng.normal(c, 0.05, (30, 2)) for c in (0, 5, 10)])
    return np.concatenate([near, np.array(strays)]).astype(np.float32)


def test_points_far_from_all_groups_stay_noise() -> None:
    found = DensityTree(_blobs([[50, -50], [-60, 40], [90, 90]]), 5).cut(10)
    assert (found.labels[-3:] == -1).all()
    assert (found.probabilities[-3:] == 0).all()
    assert not found.exemplars[-3:].any()
    assert found.validity > 0.5


def test_a_cap_opens_a_cluster_that_would_swallow_most() -> None:
    rng = np.random.default_rng(2)
    near = [rng.normal((x * 0.6, 0), 0.15, (25, 2)) for x in range(8)]
    vectors = np.concatenate([*near, rng.normal((100, 100), 0.15, (25, 2))]).astype(np.float32)
    tree = DensityTree(vectors, 5)
    assert tree.cut(6).largest_share > 0.5
    capped = tree.cut(6, max_share=0.2)
    assert capped.largest_share <= 0.2
    assert len(capped.persistence) > 2


def test_each_cluster_has_exemplars_and_a_place_in_the_tree() -> None:
    found = DensityTree(groups(noise=0.6)[0], 3).cut(5)
    numbers = set(range(len(found.persistence)))
    assert set(found.labels[found.exemplars]) == numbers
    assert {n for n in found.tree["cluster"].to_pylist() if n is not None} == numbers


def test_k_means_leaves_no_noise_and_marks_who_is_near_a_centre() -> None:
    vectors, truth = groups()
    found = centre_clusters(vectors, EACH // 4, seed=0)
    assert len(found.persistence) in (KINDS - 1, KINDS, KINDS + 1)
    assert (found.labels >= 0).all()
    assert found.coverage == 1
    assert set(found.labels[found.exemplars]) == set(found.labels)
    assert (found.probabilities[found.exemplars] > 0.5).all()
    assert len(truth) == len(found.labels)
