"""Surveys of tables alone, written as the stages would, for the tests that only read them."""

from pathlib import Path

from classify.runs import start_run
from discover.survey import Survey, concat_rows, open_survey


def make_survey(folder: Path, dives: dict[str, int], **columns: list[object]) -> Survey:
    """Make a survey of `dives`: names and numbers of frames; frame "d1/03" is `d1/03.jpg`."""
    survey = open_survey(folder, create=True)
    places = [(dive, n) for dive, frames in dives.items() for n in range(frames)]
    names = [f"{dive}/{n:02d}" for dive, n in places]
    given: dict[str, list[object]] = {
        "frame_id": list(names),
        "path": [f"{name}.jpg" for name in names],
        "sha256": [f"sha of {name}" for name in names],
        "dive": [dive for dive, _ in places],
        "index": [n for _, n in places],
        **columns,
    }
    survey.frames.write("u", _rows("frames", survey.frames.schema.names, given))
    return survey


def add_run(
    survey: Survey,
    stage: str,
    name: str = "r",
    parents: dict[str, str] | None = None,
    **columns: list[object],
) -> None:
    """Write one finished run of a stage whose table has `columns`; the others are null."""
    run = start_run(survey.run_folder(stage, name), command=stage, config={}, parents=parents)
    table = survey.table(stage, name)
    table.write("u", _rows(stage, table.schema.names, columns))
    run.complete(counts={})


def _rows(name: str, columns: list[str], given: dict[str, list[object]]) -> object:
    count = len(next(iter(given.values())))
    return concat_rows({c: given.get(c, [None] * count) for c in columns}, name)
