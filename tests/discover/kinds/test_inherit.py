import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from discover.kinds.inherit import inheritance


def _crops(rows: list[tuple[str, str | None, bool, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["frame_id", "burst_id", "keyframe", "score"])


def test_the_keyframe_stands_for_its_burst_and_the_nearest_crop_is_taken_after() -> None:
    crops = _crops([
        ("f1", "b", False, 0.9), ("f2", "b", True, 0.6), ("f2", "b", True, 0.7),
        ("f3", "b", False, 1.0), ("f4", None, False, 0.5),
    ])  # fmt: skip
    vectors = np.array([[0.1, 1], [2, 0], [0, 3], [5, 1], [1, 1]], np.float32)
    assert inheritance(crops, vectors).tolist() == [2, 1, 2, 1, 4]


def test_without_a_crop_on_the_keyframe_the_likeliest_frame_stands() -> None:
    crops = _crops([("f1", "b", False, 0.5), ("f2", "b", False, 0.8), ("f3", "b", False, 0.6)])
    assert inheritance(crops, np.ones((3, 4), np.float32)).tolist() == [1, 1, 1]


@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1)), min_size=1, max_size=30))
def test_who_is_taken_after_stands_for_the_same_burst(rows: list[tuple[int, float]]) -> None:
    crops = _crops([
        (f"f{frame}", f"b{frame // 3}" if frame < 6 else None, frame % 3 == 0, score)
        for frame, score in rows
    ])  # fmt: skip
    vectors = np.random.default_rng(0).normal(size=(len(rows), 3)).astype(np.float32)
    source = inheritance(crops, vectors)
    assert np.array_equal(source[source], source)
    for taker, giver in enumerate(source):
        if taker != giver:
            assert crops["burst_id"][taker] == crops["burst_id"][giver]
    standing = crops[source == np.arange(len(crops))].dropna(subset=["burst_id"])
    assert (standing.groupby("burst_id")["frame_id"].nunique() == 1).all()
