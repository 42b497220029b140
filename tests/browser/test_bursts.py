"""A person's way through the bursts of a dive, in a real browser."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.frames import proofs
from discover.survey import Survey
from tests.app.bursts_on_disk import add_bursts

# Stands in for the comparison, which is tested by itself: it draws at once, and says so.
_DRAWN = (
    "import json, sys; from PIL import Image; out = sys.argv[sys.argv.index('--out') + 1]; "
    "Image.new('RGB', (64, 18)).save(out); "
    "print(json.dumps({'verdict': 'one scene', 'probability': 1, 'inliers': 9}))"
)


def flaws(page: Page) -> list[str]:
    """Return what keeps somebody from using the page."""
    found = Axe().run(page, context="main").response["violations"]
    return [f"{v['id']}: {n['html'][:200]}" for v in found for n in v["nodes"]]


@pytest.fixture
def survey(survey: Survey) -> Survey:
    return add_bursts(survey)


def test_look_through_a_dive_and_mend_its_bursts(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "DISCOVER", [proofs.DISCOVER[0], "-c", _DRAWN])
    page.goto("/bursts?dive=dive-2")
    stacks, frames = page.locator(".stack"), page.locator(".burst-frame")
    expect(stacks).to_have_count(5)
    expect(page.locator("#bursts-facts")).to_contain_text("15 frames in 5 bursts")
    stacks.nth(1).click()
    expect(frames).to_have_count(3)
    expect(page).to_have_url(re.compile("burst="))

    assert flaws(page) == []
    page.locator("[data-proof]").first.click()
    expect(page.locator("#proof-said")).to_have_text("one scene")
    expect(page.locator("#proof-picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#proof-dialog")).not_to_be_visible()

    frames.nth(1).click()
    frames.nth(2).click(modifiers=["Shift"])
    expect(page.locator("#burst-selected")).to_have_text("2 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#burst-selected")).to_be_empty()
    frames.nth(1).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#burst-selected")).to_have_text("2 selected")
    page.keyboard.press("s")
    expect(page.get_by_text("Split off 2 of 3 frames")).to_be_visible()
    expect(frames).to_have_count(1)
    expect(page.locator("#bursts-facts")).to_contain_text("in 6 bursts")
    page.keyboard.press("Control+z")
    expect(frames).to_have_count(3)

    page.keyboard.press("m")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Merged 3 frames")).to_be_visible()
    expect(frames).to_have_count(6)
    expect(stacks).to_have_count(4)
    page.reload()  # the address restores it
    expect(frames).to_have_count(6)
    page.keyboard.press("a")
    expect(page.get_by_text("Accepted the burst of 6 frames")).to_be_visible()
    expect(page.locator("#bursts-facts")).to_contain_text("1 accepted")
    expect(frames).to_have_count(3)  # the next one comes by itself
    page.get_by_text("To check", exact=True).click()
    expect(stacks).to_have_count(3)


def test_the_dive_is_chosen_and_a_bar_opens_its_burst(page: Page, survey: Survey) -> None:
    frames = survey.frames.read(["frame_id", "dive", "index"]).to_pandas()
    first = frames.query("dive == 'dive-3' and index < 3")["frame_id"].min()  # names its burst
    page.goto("/bursts")
    expect(page.locator(".stack")).to_have_count(5)
    page.get_by_role("textbox", name="Dive").click()
    page.get_by_role("option", name="dive-3").click()
    expect(page).to_have_url(re.compile("dive=dive-3"))
    expect(page.locator(".stack").first).to_have_attribute("data-burst", first)
    bars = page.locator("#bursts-line .bars .point path")
    expect(bars).to_have_count(5)
    box = bars.nth(2).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".stack.opened")).to_have_count(1)
    expect(page.locator(".burst-frame")).to_have_count(3)
    expect(page.locator("[data-open]")).to_contain_text("6 to 8")
