"""A whole session at the page, and all of it taken back."""

import re

import pandas as pd
from playwright.sync_api import Page, expect

from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import RUNS
from tests.browser.steps import drag_around, name, row

WASTE = RUNS["waste"]
STANDING = ["crop_id", "group", "label", "origin", "validated", "flag"]


def _standing(survey: Survey) -> pd.DataFrame:
    explorer = Explorer(survey)
    run = explorer.class_run(WASTE)
    assert run is not None
    found = explorer.crops(run)[STANDING].astype(object)
    explorer.labels.close()
    return found.where(found.notna(), None)


def test_everything_can_be_taken_back(page: Page, survey: Survey) -> None:
    before = _standing(survey)
    page.goto(f"/queue?run={WASTE}")
    expect(page.locator(".queue-row")).to_have_count(5)
    rows = [line.strip() for line in page.locator(".queue-row").all_inner_texts()]
    groups = [page.locator(".queue-row").nth(i).get_attribute("data-key") or "" for i in range(3)]
    for group, text in zip(groups, ("can", "bag", "rope"), strict=True):
        name(page, text)
        expect(row(page, group).locator(".name")).to_have_text(text)

    page.keyboard.press("g")  # the ring is on the noise, which cannot grow
    expect(page.get_by_text("Open the cluster that is to grow first")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("g")
    expect(page.locator("h1")).to_contain_text("Grow cluster")
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("x")
    expect(page.get_by_text("Mark those that do not belong")).to_be_visible()
    page.keyboard.press("Enter")  # the noise is all that nobody has decided on
    expect(page.get_by_text("There is nothing left that is like it")).to_be_visible()

    page.goto(f"/map?run={WASTE}")
    page.locator(".map .nsewdrag").first.wait_for()
    drag_around(page, [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)])
    expect(page.locator("#map-heading")).to_contain_text("90 crops")
    page.keyboard.press("s")
    expect(page.get_by_text("Split 90 crops off")).to_be_visible()
    after = _standing(survey)
    assert after["label"].notna().all()
    assert after["group"].nunique() == 1

    for _ in range(5):  # three names, the growing, the split
        page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.get_by_text("Nothing to undo")).to_be_visible()
    page.goto(f"/queue?run={WASTE}")
    expect(page.locator(".queue-row")).to_have_count(5)
    expect(page.locator("#queue-progress")).to_have_text(re.compile("^0 of 3 clusters and 0 of 90"))
    assert [line.strip() for line in page.locator(".queue-row").all_inner_texts()] == rows
    assert _standing(survey).equals(before)
