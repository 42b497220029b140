import json
from pathlib import Path

import pytest
from plotly.utils import PlotlyJSONEncoder

from app.data import Explorer
from app.pages import PAGES
from tests.app.survey_on_disk import RUNS, build


def _text(explorer: Explorer, page: str, **query: str) -> str:
    return json.dumps(PAGES[page](explorer, query).to_plotly_json(), cls=PlotlyJSONEncoder)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_a_layout_for_any_query(explorer: Explorer, page: str) -> None:
    strange = {
        "run": "nothing",
        "group": "x",
        "view": "?",
        "order": "?",
        "part": "-4",
        "since": "a",
    }
    for query in ({}, strange, {"like": "x"}, {"name": "x"}, {"show": "x"}, {"frame": "x"}):
        assert _text(explorer, page, **query)
    assert _text(explorer, page, run=RUNS["waste"], group="1", view="mask")


@pytest.mark.parametrize("page", ["/queue", "/cluster", "/grow", "/map"])
def test_an_empty_page_says_what_to_run(tmp_path: Path, page: str) -> None:
    bare = Explorer(build(tmp_path / "a", crops=False))
    assert "discover embed" in _text(bare, page)
    unclustered = Explorer(build(tmp_path / "b", clusters=False))
    assert "discover cluster --class" in _text(unclustered, page)
