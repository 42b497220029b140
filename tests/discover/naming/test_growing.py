import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discover.labels import LabelError
from discover.naming.growing import Growth, joined_changes
from discover.naming.nearness import nearest
from discover.survey import Survey, SurveyError
from discover.tables import vectors_to_column
from tests.discover.tables_by_hand import make_survey


def _grow(belongs: list[bool], **settings: int) -> tuple[Growth, set[int], list[range]]:
    growth, joined, shown = Growth(len(belongs), **settings), set(), []
    while not growth.done:
        shown.append(growth.shown)
        growth, new = growth.answer([place for place in growth.shown if belongs[place]])
        assert not joined & set(new)
        joined |= set(new)
    return growth, joined, shown


def test_pages_double_while_all_is_well() -> None:
    _, joined, shown = _grow([True] * 1000, page=10)
    assert [pages.start // 10 for pages in shown] == [0, 2, 6, 14, 30, 62, 99]
    assert joined == set(range(1000))


def test_a_miss_is_closed_in_on_by_halves_and_then_each_crop_is_decided() -> None:
    line = [place < 234 or place in (237, 245) for place in range(1000)]
    growth, joined, shown = _grow(line, page=10)
    assert joined == {*range(234), 237, 245}
    pages = [p.start // 10 for p in shown]
    assert pages == [0, 2, 6, 14, 30, 22, 26, 24, 23, 23, 24]
    assert growth.looks == len(shown)
    assert growth.one_by_one
    assert len(_grow(line, page=10, least=0.1)[2]) == 12  # page 24 has one: it goes on to 25
    with pytest.raises(LabelError, match="least 2 must be between 0 and 1"):
        Growth(10, least=2)


@given(st.integers(0, 300), st.integers(1, 60), st.integers(1, 40), st.integers(1, 3))
def test_a_clean_border_is_found_whatever_the_pages(
    border: int, page: int, beyond: int, patience: int
) -> None:
    line = [place < border for place in range(border + beyond)]
    growth, joined, shown = _grow(line, page=page, patience=patience)
    assert joined == set(range(border))
    assert all(place < len(line) for pages in shown for place in pages)
    assert growth.looks <= 2 * np.ceil(np.log2(len(line) / page + 2)) + patience + 3


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 7), st.integers(1, 4))
def test_it_ends_whatever_is_answered(answers: list[bool], page: int, patience: int) -> None:
    growth, joined = Growth(40, page=page, patience=patience), set()
    for right in answers + [False] * 60:
        if growth.done:
            break
        assert len(growth.shown) > 0
        growth, new = growth.answer(right)
        assert not joined & set(new)
        joined |= set(new)
    assert growth.done
    assert Growth.from_dict(growth.to_dict()) == growth
    with pytest.raises(LabelError, match="growing is done"):
        growth.answer(True)


def test_only_what_was_shown_can_be_answered() -> None:
    with pytest.raises(LabelError, match="place 20 was not shown: 0 to 19 were"):
        Growth(100).answer([3, 20])


def test_what_was_not_shown_says_that_it_came_by_trust() -> None:
    line = [f"c{n}" for n in range(40)]
    growth = Growth(40, page=10)
    growth, _ = growth.answer(True)
    shown = growth.shown
    _, joined = growth.answer(True)
    changes = joined_changes(line, joined, shown, "waste-1/3", "abc")
    grounds = {c.key: c.based_on for c in changes if c.field == "crop.group"}
    assert grounds == {**dict.fromkeys(line[10:20], "grow"), **dict.fromkeys(line[20:30])}
    assert {c.value for c in changes if c.field == "crop.label"} == {"abc"}


def test_nothing_in_line_is_done_at_once() -> None:
    assert Growth(0).done
    assert list(Growth(0).shown) == []
    with pytest.raises(LabelError, match="page 0 must be at least 1"):
        Growth(5, page=0)


def _vectors(survey: Survey, **given: list[float]) -> None:
    for unit, name in enumerate(given):
        column, about = vectors_to_column(np.array([given[name]], np.float32))
        table = survey.table("embeddings", "r")
        rows = pa.table({"crop_id": [name], "vector": column}).replace_schema_metadata(about)
        table.write(str(unit), rows)


def test_the_most_alike_come_first_whatever_their_length(tmp_path) -> None:  # noqa: ANN001
    survey = make_survey(tmp_path, {"d": 1})
    _vectors(survey, a=[1, 0], b=[5, 1], c=[0, 2], d=[-1, 0], e=[0, 0])
    line = nearest(survey, "r", ["a"], among=["a", "b", "c", "d", "e"])
    assert line["crop_id"].tolist() == ["b", "c", "e", "d"]
    assert line["similarity"].tolist() == pytest.approx([0.9806, 0, 0, -1], abs=1e-3)
    of_two = nearest(survey, "r", ["a", "c"], among=["b", "d"])
    assert of_two["similarity"].tolist() == pytest.approx([0.832, -0.707], abs=1e-3)
    assert nearest(survey, "r", ["a"], among=[]).empty
    with pytest.raises(SurveyError, match="none of the 1 reference crops is in embeddings run r"):
        nearest(survey, "r", ["z"], among=["a"])
