from pathlib import Path

import pytest

from discover.frames import add_frames
from discover.survey import SurveyError
from tests.discover.footage.made import new_survey, rows_of, save


def test_dive_from_an_expression(tmp_path: Path) -> None:
    for name in ("2024_SO1_0001.jpg", "2024_SO2_0001.jpg", "2024_SO2_0002.jpg", "other.jpg"):
        save(tmp_path / "f" / name, len(name))
    survey = new_survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"], dive_from=r"(SO\d+)")
    assert added.new == 3
    assert rows_of(survey).groupby("dive").size().to_dict() == {"SO1": 1, "SO2": 2}
    [(file, reason)] = added.rejected
    assert file.name == "other.jpg"
    assert reason.startswith("other.jpg: --dive-from")


def test_dive_from_a_csv_of_names_or_paths(tmp_path: Path) -> None:
    first, second, third = (save(tmp_path / "f" / f"{n}.jpg", n) for n in range(3))
    listed = tmp_path / "dives.csv"
    listed.write_text(f"image,dive\n{first.name},north\n{second.resolve()},0071\n")
    survey = new_survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"], dive_from=str(listed))
    assert rows_of(survey)["dive"].tolist() == ["0071", "north"]
    assert added.rejected == [(third.resolve(), f"2.jpg: not in --dive-from {listed}")]


@pytest.mark.parametrize(
    ("rule", "content", "message"),
    [
        ("(dive", None, "is no regular expression"),
        (r"dive\d+", None, r"needs a group that is the dive"),
        ("gone.csv", None, r"--dive-from .*gone\.csv.*No such file"),
        ("empty.csv", "", r"--dive-from .*empty\.csv: "),
        ("odd.csv", "image,video\na.jpg,1\n", "has no column 'dive'"),
    ],
)
def test_a_wrong_dive_rule_is_explained(
    tmp_path: Path, rule: str, content: str | None, message: str
) -> None:
    save(tmp_path / "f" / "a.jpg", 0)
    if rule.endswith(".csv"):
        if content is not None:
            (tmp_path / rule).write_text(content)
        rule = str(tmp_path / rule)
    survey = new_survey(tmp_path)
    with pytest.raises(SurveyError, match=message):
        add_frames(survey, [tmp_path / "f"], dive_from=rule)
    assert survey.count_frames() == 0
