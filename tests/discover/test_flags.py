from pathlib import Path

import pytest

from classify.runs import start_run
from discover.flags import count_flags, frame_flags
from discover.summary import status_lines, survey_status
from discover.survey import Survey, concat_rows, open_survey


def _rows(name: str, survey: Survey, **columns: list[object]) -> object:
    count = len(next(iter(columns.values())))
    schema = survey.frames.schema if name == "frames" else survey.table(name, "r").schema
    return concat_rows({c: columns.get(c, [None] * count) for c in schema.names}, name)


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Three frames; the first is dark, the last tinted."""
    opened = open_survey(tmp_path, create=True)
    opened.frames.write(
        "u",
        _rows(
            "frames",
            opened,
            frame_id=["a", "b", "c"],
            path=["a.jpg", "b.jpg", "c.jpg"],
            dive=["d"] * 3,
            index=[0, 1, 2],
            flags=[["dark"], None, ["colour-cast"]],
        ),
    )
    return opened


def _bursts(survey: Survey, name: str, flags: list[list[str] | None], *, done: bool = True) -> None:
    run = start_run(survey.run_folder("bursts", name), command="discover bursts", config={})
    ids = ["a", "b", "c"]
    rows = _rows("bursts", survey, frame_id=ids, burst_id=ids, order=[0, 1, 2], flags=flags)
    survey.table("bursts", name).write("d", rows)
    if done:
        run.complete(counts={})


def _found(survey: Survey) -> list[tuple[str, str]]:
    table = frame_flags(survey)
    return list(zip(table["frame_id"], table["flag"], strict=True))


def test_flags_of_both_sources_are_joined_and_each_counts_once(survey: Survey) -> None:
    assert _found(survey) == [("a", "dark"), ("c", "colour-cast")]
    _bursts(survey, "one", [["dark"], ["frozen"], None])
    assert _found(survey) == [("a", "dark"), ("b", "frozen"), ("c", "colour-cast")]
    assert count_flags(survey) == {"dark": 1, "colour-cast": 1, "frozen": 1}


def test_the_latest_finished_run_holds(survey: Survey) -> None:
    _bursts(survey, "one", [None, ["frozen"], None])
    _bursts(survey, "two", [None, None, ["blurred"]])
    _bursts(survey, "three", [["frozen"]] * 3, done=False)
    assert _found(survey) == [("a", "dark"), ("c", "blurred"), ("c", "colour-cast")]


def test_status_counts_flags_and_is_silent_without_any(survey: Survey, tmp_path: Path) -> None:
    status = survey_status(survey)
    assert status["flags"] == {"dark": 1, "colour-cast": 1}
    assert "  flagged: 1 dark, 1 colour-cast" in status_lines(status)
    empty = survey_status(open_survey(tmp_path / "empty", create=True))
    assert not any("flagged" in line for line in status_lines(empty))
