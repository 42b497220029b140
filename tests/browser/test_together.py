"""Two people at once: a conflict is shown, and nothing is lost."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import RUNS
from tests.browser.steps import name, row

WASTE = RUNS["waste"]


def test_a_conflict_is_shown_and_nothing_is_lost(
    survey: Survey, serve: Callable[..., str], open_page: Callable[[str], Page]
) -> None:
    mara, jon = (open_page(serve(survey, who)) for who in ("mara", "jon"))
    for page in (mara, jon):
        page.clock.install()  # the five seconds until one sees what the other did can wait
        page.goto(f"/queue?run={WASTE}&sort=size")
        expect(page.locator(".queue-row")).to_have_count(5)
    key = mara.locator(".queue-row").first.get_attribute("data-key") or ""
    name(mara, "can")
    expect(row(mara, key).locator(".name")).to_have_text("can")
    name(jon, "bag")
    expect(jon.get_by_text("mara changed")).to_be_visible()
    jon.clock.run_for(6_000)
    expect(row(jon, key).locator(".name")).to_have_text("can")
    jon.keyboard.press("ArrowUp")
    name(jon, "bag")  # now that it was seen
    expect(row(jon, key).locator(".name")).to_have_text("bag")
    mara.clock.run_for(6_000)
    expect(row(mara, key).locator(".name")).to_have_text("bag")
    explorer = Explorer(survey)
    told = [(event.annotator, event.name) for event in explorer.labels.history()]
    explorer.labels.close()
    assert told == [("jon", "bag"), ("mara", "can")]
