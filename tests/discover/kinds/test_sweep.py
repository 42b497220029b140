import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from discover.kinds.density import Clustering
from discover.kinds.sweep import agreement, candidate_sizes, sweep
from discover.kinds.sweep_figure import sweep_figure
from discover.survey import concat_rows
from discover.tables import SCHEMAS


def _clustering(labels: np.ndarray, size: int, validity: float) -> Clustering:
    empty = concat_rows({name: [] for name in SCHEMAS["trees"].names}, "trees")
    ones = np.ones(len(labels), np.float32)
    found = dict.fromkeys(sorted(set(labels.tolist()) - {-1}), 1.0)
    return Clustering(labels, ones, ones > 0, found, empty, validity, size)


def _of(size: int, validity: float = 0.5, seed: int | None = None) -> Clustering:
    labels = np.repeat(np.arange(8), 8) // max(1, size // 8)
    if seed is not None and size > 20:  # at large sizes seeds disagree
        labels = np.random.default_rng(seed).permutation(labels)
    return _clustering(labels.astype(np.int32), size, validity)


@given(st.integers(12, 300_000))
def test_sizes_ascend_and_leave_room_for_several_clusters(crops: int) -> None:
    sizes = candidate_sizes(crops)
    assert sizes[0] == 4
    assert sizes == sorted(set(sizes))
    assert all(size <= min(max(6, crops / 60), 200) for size in sizes)


def test_what_seeds_agree_on_is_taken() -> None:
    sizes = [8, 10, 12, 14, 30, 34, 38, 44]
    best, curve = sweep(
        lambda s: _of(s, 0.5 + s / 1000),
        [lambda s: _of(s, seed=1), lambda s: _of(s, seed=2)],
        sizes,
    )
    rows = curve.to_pandas().set_index("min_size")
    assert best.min_size < 20
    assert rows.loc[best.min_size, "chosen"]
    assert rows.loc[10, "seeds_agree"] == 1
    assert rows.loc[38, "seeds_agree"] < 0.3


def test_a_single_cluster_is_taken_only_where_nothing_else_is_there() -> None:
    one = np.zeros(20, np.int32)
    two = np.repeat(np.arange(2, dtype=np.int32), 10)
    best, _ = sweep(lambda s: _clustering(one if s < 6 else two, s, 0.9 - s / 10), [], [4, 5, 6])
    assert len(best.persistence) == 2
    best, curve = sweep(lambda s: _clustering(one, s, 0.0), [], [4])
    assert len(best.persistence) == 1
    assert curve["stability"].null_count == 1


def test_agreement_counts_noise() -> None:
    labels = np.repeat(np.arange(4, dtype=np.int32), 10)
    assert agreement(labels, labels) == 1
    assert agreement(labels, np.where(labels == 0, -1, labels)) == 1
    assert agreement(labels, np.where(np.arange(40) % 2, labels, -1)) < 0.7


def test_the_figure_shows_what_was_taken() -> None:
    _, curve = sweep(_of, [lambda s: _of(s, seed=1), lambda s: _of(s, seed=2)], [8, 16, 32])
    table: pd.DataFrame = curve.to_pandas()
    figure = sweep_figure(table)
    taken = int(table.loc[table["chosen"], "min_size"].iloc[0])
    assert f"taken: {taken}" in figure.to_json()
    assert len(figure.data) == 6
