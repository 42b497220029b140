"""Groups never drift, candidates are whole, evidence rises with the score, order is recovered."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discover.scenes.candidates import Window, distinct, pairs_alike, pairs_in_window
from discover.scenes.evidence import evidence_figure, fit_evidence
from discover.scenes.grouping import keyframe, stars, to_compare
from discover.scenes.order import places, recovered

EDGES = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=60)


def as_links(edges: list[tuple[int, int]]) -> pd.DataFrame:
    pairs = distinct(np.array(edges, np.int64).reshape(-1, 2))
    return pd.DataFrame({"a": pairs[:, 0], "b": pairs[:, 1]})


@given(EDGES)
def test_each_member_is_linked_with_its_centre(edges: list[tuple[int, int]]) -> None:
    links = as_links(edges)
    centre = stars(links, [0.0] * 20)
    linked = {frozenset(p) for p in zip(links["a"], links["b"], strict=True)}
    assert all(centre[c] == c for c in centre)
    assert all(row == c or frozenset((row, c)) in linked for row, c in enumerate(centre))


@given(EDGES)
def test_frames_left_alone_have_no_free_neighbour(edges: list[tuple[int, int]]) -> None:
    links = as_links(edges)
    centre = stars(links, [0.0] * 20)
    alone = {row for row in range(20) if (centre == row).sum() == 1}
    for a, b in zip(links["a"], links["b"], strict=True):
        assert not {a, b} <= alone


def test_a_long_chain_is_cut_where_union_would_drift() -> None:
    chain = as_links([(i, i + 1) for i in range(19)])
    centre = stars(chain, [0.0] * 20)
    assert np.bincount(centre).max() == 3
    assert len(to_compare(chain, centre))


def test_the_keyframe_is_the_sharpest_of_the_well_lit() -> None:
    assert keyframe(np.array([5.0, 9.0, 99.0]), np.array([80.0, 90.0, 10.0])) == 1


def test_window_by_frames_and_by_seconds() -> None:
    time = pd.to_datetime([0, 1, 2, 60], unit="s", utc=True)
    frames = pd.DataFrame({"dive": "d", "index": [0, 1, 2, 3], "time_utc": time})
    assert pairs_in_window(frames, Window(1)).tolist() == [[0, 1], [1, 2], [2, 3]]
    assert pairs_in_window(frames, Window(5, 2.0)).tolist() == [[0, 1], [0, 2], [1, 2]]
    two = frames.assign(dive=["a", "a", "b", "b"])
    assert pairs_in_window(two, Window(3)).tolist() == [[0, 1], [2, 3]]


def test_like_frames_are_candidates_across_dives() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 32)).astype(np.float32)
    vectors[50] = vectors[3]
    dives = ["one"] * 30 + ["two"] * 30
    assert [3, 50] in pairs_alike(vectors, dives, 3).tolist()
    assert pairs_alike(vectors[:1], dives[:1], 3).shape == (0, 2)


def test_evidence_rises_with_the_score_and_separates() -> None:
    rng = np.random.default_rng(1)
    null = np.where(rng.random(500) < 0.5, rng.gumbel(0.02, 0.01, 500).clip(0), 0)
    scores = np.concatenate([rng.gumbel(0.02, 0.01, 400).clip(0), rng.lognormal(-0.6, 0.4, 200)])
    groups = ["near"] * 600
    fitted = fit_evidence(scores, groups, null)
    proof = fitted.probability(np.linspace(0, 2, 50), ["near"] * 50)
    assert (np.diff(proof) >= 0).all()
    assert fitted.share["near"] == pytest.approx(1 / 3, abs=0.06)
    found = fitted.probability(scores, groups) > 0.5
    assert found[:400].mean() < 0.01
    assert found[400:].mean() > 0.98
    table = pd.DataFrame({"score": scores, "group": groups, "proof": found.astype(float)})
    assert "histogram" in {trace.type for trace in evidence_figure(table, null, fitted).data}


def test_a_survey_without_duplicates_has_none() -> None:
    rng = np.random.default_rng(2)
    chance = rng.gumbel(0.0, 0.015, 3000).clip(0)
    fitted = fit_evidence(chance, ["near"] * 3000, rng.gumbel(0.0, 0.015, 800).clip(0))
    assert (fitted.probability(chance, ["near"] * 3000) > 0.5).mean() < 0.002


@pytest.mark.parametrize("seed", range(4))
def test_order_is_recovered_from_what_frames_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = rng.permutation(40)  # the true place of each row
    row = np.argsort(at)
    edges = [(row[i], row[j], 1 - (j - i) / 4) for i in range(40) for j in range(i + 1, 40)
             if j - i < 4]  # fmt: skip
    links = pd.DataFrame(edges, columns=["a", "b", "weight"])
    found = recovered(40, links)
    assert abs(np.corrcoef(found, at)[0, 1]) > 0.99
    frames = pd.DataFrame(
        {"index": range(40), "time_utc": pd.NaT, "video_frame": None,
         "path": [f"{rng.bytes(8).hex()}.jpg" for _ in range(40)]}
    )  # fmt: skip
    np.testing.assert_array_equal(places(frames, links), found)
    few = places(frames, links.head(2))
    assert np.isnan(few).all()
