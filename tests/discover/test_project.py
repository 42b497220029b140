import numpy as np
import pytest

from discover.project import NeighbourGraph, ProjectConfig, fit_basis, nearest, reduce_linearly
from tests.discover.vectors_by_hand import groups


def test_equal_vectors_share_one_position() -> None:
    distinct = reduce_linearly(groups()[0], ProjectConfig())
    twice = np.concatenate([distinct, distinct[:50]])
    projected = NeighbourGraph(twice, ProjectConfig()).layout(dimensions=3, min_dist=0.0, seed=0)
    assert np.array_equal(projected[-50:], projected[:50])
    two = np.repeat(np.eye(2, 20, dtype=np.float32), 10, axis=0)
    placed = NeighbourGraph(two, ProjectConfig()).map_positions(0)
    assert len(np.unique(placed, axis=0)) == 2


def test_the_same_seed_gives_the_same_layout_and_another_does_not() -> None:
    reduced = reduce_linearly(groups(noise=0.8)[0], ProjectConfig())
    graph = NeighbourGraph(reduced, ProjectConfig())
    first, again, other = (graph.map_positions(seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_vectors_that_are_not_finite_are_refused() -> None:
    vectors = groups()[0]
    vectors[3, 4] = np.nan
    with pytest.raises(ValueError, match="1 of 180 are not finite"):
        reduce_linearly(vectors, ProjectConfig())


def test_later_vectors_land_in_the_same_space() -> None:
    vectors = groups()[0]
    basis = fit_basis(vectors, ProjectConfig(components=8))
    assert basis(vectors).shape == (len(vectors), 8)
    assert np.allclose(np.linalg.norm(basis(vectors), axis=1), 1, atol=1e-5)
    assert np.allclose(basis(3 * vectors[5:6]), basis(vectors)[5:6], atol=1e-5)
    equal = np.ones((20, 8), np.float32)
    assert not fit_basis(equal, ProjectConfig())(equal).any()


def test_nearest_are_sorted_and_no_more_than_there_are() -> None:
    reference = np.array([[0.0], [1.0], [3.0]], np.float32)
    rows, distances = nearest(reference, np.array([[0.9]], np.float32), 9)
    assert rows.tolist() == [[1, 0, 2]]
    assert np.allclose(distances, [[0.1, 0.9, 2.1]], atol=1e-3)
