import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classify import splits
from classify.data import DataError

_TABLES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 5)), min_size=12, max_size=60
).map(
    lambda rows: pd.DataFrame(rows, columns=["elements", "dive"]).assign(
        dive=lambda t: t["dive"].astype(str), burst=None
    )
)
TASKS = ("elements",)


@pytest.mark.filterwarnings("ignore:The least populated class")
@given(_TABLES, st.integers(0, 3))
def test_no_dive_is_on_both_sides(table: pd.DataFrame, seed: int) -> None:
    try:
        side = splits.split(table, TASKS, seed=seed)
    except DataError:
        return  # one dive only, or a class that one dive holds: refused with its own message
    assert side.any()
    assert not set(table["dive"][side]) & set(table["dive"][~side])
    assert set(table["elements"][~side]) == set(table["elements"])


@pytest.mark.filterwarnings("ignore:The least populated class")
@given(_TABLES)
def test_inner_parts_cover_all_rows_once_and_share_no_dive(table: pd.DataFrame) -> None:
    parts = splits.inner_parts(table, TASKS, by="dive", seed=0)
    assert sorted(np.concatenate(parts)) == list(range(len(table)))
    if table["dive"].nunique() > 1:
        of_dive = [set(table["dive"].iloc[part]) for part in parts]
        assert sum(map(len, of_dive)) == table["dive"].nunique()


def _table(dives: list[str | None], bursts: list[str | None] | None = None) -> pd.DataFrame:
    labels = ["waste", "fauna"] * (len(dives) // 2)
    return pd.DataFrame(
        {"elements": labels, "dive": dives, "burst": bursts or [None] * len(dives)}, dtype=object
    )


def test_the_folds_cover_every_dive_once() -> None:
    table = _table([str(i // 6) for i in range(72)])
    sides = [splits.split(table, TASKS, validation=1 / 3, fold=fold) for fold in range(3)]
    assert (np.stack(sides).sum(axis=0) == 1).all()


def test_bursts_are_kept_together_and_stand_in_for_unknown_dives() -> None:
    bursts = [str(i // 4) for i in range(48)]
    table = _table([None] * 48, bursts)
    for by in ("burst", "dive"):
        side = splits.split(table, TASKS, by=by)
        assert not set(table["burst"][side]) & set(table["burst"][~side])


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        (_table([None] * 8), {}, "no dives.*--dive-from.*--split random"),
        (_table(["d"] * 8), {}, "one dive only"),
        (_table(["d"] * 8), {"by": "week"}, "--split 'week' is none of dive, burst, random"),
        (_table(["d"] * 8), {"fold": 4}, "--fold 4.*0 to 3"),
        (_table(["d"] * 8), {"validation": 0.9}, "--validation 0.9"),
    ],
)
def test_what_cannot_be_split_says_why(
    table: pd.DataFrame, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        splits.split(table, TASKS, **settings)


def test_a_class_of_one_dive_is_refused_where_it_would_not_be_trained_on() -> None:
    table = _table([str(i // 6) for i in range(72)])
    table.loc[table["dive"] == "3", "elements"] = "algae"
    messages = []
    for fold in range(4):
        try:
            splits.split(table, TASKS, fold=fold)
        except DataError as error:
            messages.append(str(error))
    assert len(messages) == 1
    assert "class 'algae' is seen in one dive only, which fell to validation" in messages[0]


@given(_TABLES)
def test_classes_weigh_alike_and_dives_weigh_alike_within_a_class(table: pd.DataFrame) -> None:
    weights = splits.balanced_weights(table["elements"], table["dive"])
    sums = table.assign(w=weights).groupby("elements")["w"].sum()
    assert np.allclose(sums, sums.iloc[0], rtol=1e-4)
    for _, part in table.assign(w=weights).groupby("elements"):
        per_dive = part.groupby("dive")["w"].sum()
        assert np.allclose(per_dive, per_dive.iloc[0], rtol=1e-4)


def test_an_unlabelled_row_weighs_nothing() -> None:
    labels = pd.Series(["waste", None, "fauna"], dtype=object)
    weights = splits.balanced_weights(labels, pd.Series(["a", "a", "b"]))
    assert weights[1] == 0
    assert weights[0] == weights[2] > 0
