"""A cluster: crops are selected, decided on, looked at in four ways, and nothing moves."""

import re

from playwright.sync_api import Page, expect

from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import RUNS
from tests.browser.steps import name

WASTE = RUNS["waste"]
HOLD_GROUPS = """() => {
  const free = new Promise((resolve) => (window.letGo = resolve));
  const plain = window.fetch;
  window.fetch = async (...asked) => {
    if (String(asked[0]).startsWith("/data/groups")) await free;
    return plain(...asked);
  };
}"""


def test_a_verdict_brings_the_next_cluster(page: Page) -> None:
    page.goto(f"/cluster?run={WASTE}&group=0")
    tiles = page.locator(".tile")
    expect(tiles.first.locator("img")).to_have_js_property("complete", True)
    count = tiles.count()
    name(page, "drinks can")
    expect(page.get_by_text(f"Named {count} crops “drinks can”")).to_be_visible()
    expect(page).not_to_have_url(re.compile("group=0"))
    page.go_back()
    expect(page.locator("#cluster-names .name")).to_have_text("drinks can")
    expect(page.locator(".tile .name")).to_have_count(count)
    page.keyboard.press("Control+z")
    expect(page.locator(".tile .name")).to_have_count(0)
    page.keyboard.press("k")
    expect(page.locator("h1")).to_contain_text("Cluster 2")
    expect(tiles).to_have_count(30)  # keys rest until the crops are there
    page.keyboard.press("j")
    expect(page.locator("h1")).to_contain_text("Cluster 0")


def test_select_decide_and_restore_the_view(page: Page) -> None:
    page.goto(f"/cluster?run={WASTE}&group=0")
    tiles = page.locator(".tile")
    tiles.nth(1).click()
    tiles.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text("3 selected")
    before = tiles.nth(2).get_attribute("style")
    name(page, "<img src=x onerror=alert(1)>")
    expect(page.locator(".tile .name")).to_have_count(3)
    expect(page.locator(".tile .name").first).to_have_text("<img src=x onerror=alert(1)>")
    assert tiles.nth(2).get_attribute("style") == before
    expect(page.locator(".tile.ring")).to_have_attribute("data-place", "4")  # the next
    page.keyboard.press("x")  # nothing is selected: that would be the whole cluster
    expect(page.get_by_text(re.compile(r"^Rejected \d+ crops"))).to_be_visible()
    page.keyboard.press("Control+z")
    page.goto(f"/cluster?run={WASTE}&group=0")
    expect(tiles.first).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("f")
    expect(page.locator(".tile .second")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.keyboard.press("f")  # again: the second look is done
    expect(page.locator(".tile .second")).to_have_count(0)
    page.keyboard.press("Control+a")
    expect(page.locator("#selected")).to_have_text(re.compile(r"\d+ selected"))
    page.keyboard.press("Escape")
    expect(page.locator("#selected")).to_be_empty()
    page.keyboard.press("3")
    expect(tiles.first.locator("img")).to_have_attribute("src", re.compile("kind=heat"))
    expect(page).to_have_url(re.compile("view=heat"))
    page.reload()
    expect(tiles.first.locator("img")).to_have_attribute("src", re.compile("kind=heat"))


def test_no_verdict_is_lost_however_fast_the_keys_come(page: Page, survey: Survey) -> None:
    page.goto(f"/cluster?run={WASTE}&group=2")
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    for _ in range(8):
        page.keyboard.press("Space")
        page.keyboard.press("f")
    expect(page.locator(".tile .second")).to_have_count(8)
    explorer = Explorer(survey)
    assert [event.action for event in explorer.labels.history()] == ["flag"] * 8
    for _ in range(12):
        page.keyboard.press("Control+z")
    expect(page.get_by_text("Nothing to undo").first).to_be_visible()
    expect(page.locator(".tile .second")).to_have_count(0)
    assert [event.action for event in explorer.labels.history()].count("undo") == 8
    explorer.labels.close()


def test_merge_and_pin(page: Page, survey: Survey) -> None:
    page.goto(f"/cluster?run={WASTE}&group=1")
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="pinned crop")).to_be_visible()
    page.evaluate(HOLD_GROUPS)  # what there is to choose from comes only after Enter was pressed
    page.keyboard.press("m")
    page.get_by_role("combobox", name="Cluster").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Put cluster 1")).to_be_visible()
    page.evaluate("() => window.letGo()")
    expect(page.get_by_text("Merged")).to_be_visible()
    expect(page.get_by_role("button", name="pinned crop")).to_be_visible()  # wherever one goes
    explorer = Explorer(survey)
    run = explorer.class_run(WASTE)
    assert run is not None
    assert not (explorer.crops(run)["group"] == 1).any()
    explorer.labels.close()
    page.goto(f"/cluster?run={WASTE}&group=2")
    page.get_by_role("textbox", name="Order").click()
    page.get_by_role("option", name="Like the pinned crop").click()
    pinned = page.get_by_role("button", name="pinned crop").locator("img")
    crop = re.search(r"/image/(\w+)", pinned.get_attribute("src") or "")
    assert crop is not None
    expect(page.locator(".tile").first.locator("img")).to_have_attribute(
        "src", re.compile(crop.group(1))
    )


def test_only_the_tiles_in_sight_exist(page: Page) -> None:
    page.set_viewport_size({"width": 500, "height": 420})
    page.goto(f"/cluster?run={WASTE}&show=all")
    expect(page.locator(".tile").first).to_be_visible()
    assert page.locator(".tile").count() < 60
    page.mouse.wheel(0, 30_000)
    expect(page.locator('.tile[data-place="0"]')).to_have_count(0)
    expect(page.locator('.tile[aria-posinset="90"]')).to_be_visible()
