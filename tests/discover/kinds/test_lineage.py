import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from discover.kinds.lineage import Earlier, count_changes, trace


def _table(clusters: dict[int, str]) -> pd.DataFrame:
    rows = [(crop, number) for number, crops in clusters.items() for crop in crops]
    return pd.DataFrame(rows, columns=["crop_id", "cluster"])


def _trace(old: dict[int, str], new: dict[int, str]) -> pa.Table:
    names = {number: f"first/{number}" for number in old if number >= 0}
    return trace(_table(new), Earlier("old", _table(old), names), "new")


def _rows(table: pa.Table) -> set[tuple[int | None, int | None, str, str]]:
    return {(r["cluster"], r["earlier"], r["change"], r["lineage"]) for r in table.to_pylist()}


def test_a_cluster_under_another_number_is_kept() -> None:
    assert _rows(_trace({0: "abcd", 1: "efgh"}, {5: "efghx", 7: "abc", -1: "d"})) == {
        (5, 1, "kept", "first/1"),
        (7, 0, "kept", "first/0"),
    }


def test_the_larger_piece_carries_the_lineage_on() -> None:
    traced = _trace({0: "abcdefghij"}, {0: "abc", 1: "defghij"})
    assert _rows(traced) == {(0, 0, "split", "new/0"), (1, 0, "split", "first/0")}
    assert count_changes(traced) == {"split": 2}


def test_the_larger_part_gives_the_lineage() -> None:
    traced = _trace({3: "abcd", 4: "efghij"}, {0: "abcdefghij"})
    assert _rows(traced) == {(0, 3, "merged", "first/4"), (0, 4, "merged", "first/4")}
    shares = {r["earlier"]: (r["shared"], round(r["of_cluster"], 2)) for r in traced.to_pylist()}
    assert shares == {3: (4, 0.4), 4: (6, 0.6)}
    assert count_changes(traced) == {"merged": 1}


def test_what_comes_from_noise_appears_and_what_goes_there_vanishes() -> None:
    traced = _trace({0: "abcd", -1: "efgh"}, {0: "efgh", -1: "abcd"})
    assert _rows(traced) == {(0, None, "appeared", "new/0"), (None, 0, "vanished", "first/0")}
    assert count_changes(traced) == {"appeared": 1, "vanished": 1}


def test_a_few_strays_relate_nothing() -> None:
    traced = _trace({0: "abcdefghij", 1: "klmnopqrst"}, {0: "abcdefghik", 1: "jlmnopqrst"})
    assert {r[2] for r in _rows(traced)} == {"kept"}


def test_the_first_run_founds_every_lineage() -> None:
    assert _rows(trace(_table({0: "ab", -1: "c"}), None, "new")) == {(0, None, "appeared", "new/0")}


_labels = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=60)


@given(_labels)
def test_every_cluster_is_told_of_and_no_lineage_is_shared(pairs: list[tuple[int, int]]) -> None:
    frame = pd.DataFrame(pairs, columns=["old", "cluster"]).reset_index(names="crop_id")
    old = frame[["crop_id", "old"]].rename(columns={"old": "cluster"})
    earlier = Earlier("old", old, {n: f"old/{n}" for n in set(old["cluster"]) - {-1}})
    table = trace(frame[["crop_id", "cluster"]], earlier, "new").to_pandas()
    new = table.dropna(subset=["cluster"])
    assert set(new["cluster"]) == set(frame["cluster"]) - {-1}
    assert set(table["earlier"].dropna()) == set(frame["old"]) - {-1}
    lineages = new.groupby("cluster")["lineage"].unique()
    assert all(len(names) == 1 for names in lineages)
    assert len({names[0] for names in lineages}) == len(lineages)
