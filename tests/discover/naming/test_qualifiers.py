import pytest
from hypothesis import given
from hypothesis import strategies as st

from discover.naming.qualifiers import QUALIFIERS, split_qualifier, with_qualifier


@pytest.mark.parametrize(
    ("text", "name", "qualifier"),
    [
        ("Asterias rubens", "Asterias rubens", None),
        ("Asterias cf. rubens", "Asterias rubens", "cf."),
        ("cf. Asterias", "Asterias", "cf."),
        ("Asterias sp.", "Asterias", "sp."),
        ("Asterias sp. inc.", "Asterias", "sp. inc."),
        ("Asteroidea indet.", "Asteroidea", "indet."),
        ("Asterias sp. 1", "Asterias sp. 1", None),  # a morphospecies is a name of its own
        ("cf. Asterias rubens", "cf. Asterias rubens", None),
        ("indet.", "indet.", None),
        ("Asterias  cf.  rubens", "Asterias  cf.  rubens", None),
    ],
)
def test_a_qualifier_is_told_from_the_name(text: str, name: str, qualifier: str | None) -> None:
    assert split_qualifier(text) == (name, qualifier)


@given(st.lists(st.sampled_from(["Asterias", "rubens", "sp.", "cf.", "1", "inc.", ""]), max_size=5))
def test_splitting_loses_nothing(words: list[str]) -> None:
    text = " ".join(words)
    assert with_qualifier(*split_qualifier(text)) == text


@given(st.sampled_from(["Asterias", "Asterias rubens", "plastic bag"]), st.sampled_from(QUALIFIERS))
def test_what_is_put_together_is_told_apart(name: str, qualifier: str) -> None:
    assert split_qualifier(with_qualifier(name, qualifier)) == (name, qualifier)
