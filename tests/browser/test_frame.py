"""A person looks at one whole frame, in a real browser."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.data import Explorer
from app.frames.data import frames_data
from discover.survey import Survey
from tests.app.survey_on_disk import EMBED_RUN


def flaws(page: Page) -> list[str]:
    """Return what keeps somebody from using the page."""
    found = Axe().run(page, context="main").response["violations"]
    return [f"{v['id']}: {n['html'][:200]}" for v in found for n in v["nodes"]]


def test_look_at_a_frame_its_layers_and_its_neighbours(page: Page, survey: Survey) -> None:
    explorer = Explorer(survey, "mara")
    table = frames_data(explorer).frames().table
    frame, after = table["frame_id"].iloc[20:22]
    crops = frames_data(explorer).crops(EMBED_RUN, frame)
    explorer.labels.close()

    page.goto(f"/frame?frame={frame}")
    boxes, rows = page.locator(".box"), page.locator(".frame-crop")
    expect(boxes).to_have_count(len(crops))
    expect(rows).to_have_count(len(crops))
    shown = "image => image.complete && image.naturalWidth > 0"
    for picture in (".frame-picture", ".masks"):
        page.wait_for_function(f"() => ({shown})(document.querySelector('{picture}'))")

    boxes.first.click()
    expect(page.locator(".box.chosen")).to_have_count(1)
    expect(page.locator(".frame-crop.chosen")).to_have_count(1)
    expect(page).to_have_url(re.compile("crop="))
    page.reload()
    expect(page.locator(".frame-crop.chosen")).to_have_count(1)

    assert flaws(page) == []
    expect(page.locator(".heat")).not_to_be_visible()
    page.keyboard.press("h")
    expect(page.locator(".heat")).to_be_visible()
    page.wait_for_function(f"() => ({shown})(document.querySelector('.heat'))")
    page.keyboard.press("b")
    expect(boxes.first).not_to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(".masks")).not_to_be_visible()
    expect(page.get_by_role("checkbox", name="Masks (M)")).not_to_be_checked()

    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(f"frame={after}"))
    expect(page.locator("h1")).to_contain_text("Frame 6 of dive-2")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("h1")).to_contain_text("Frame 5 of dive-2")
