"""Growing: a few answers take in many crops, and the address restores where one was."""

import re

from playwright.sync_api import Page, expect

from tests.app.survey_on_disk import RUNS
from tests.browser.steps import name


def test_grow_a_cluster_and_take_an_answer_back(page: Page) -> None:
    page.goto(f"/cluster?run={RUNS['waste']}&group=0")
    expect(page.locator(".tile").first).to_be_visible()
    size = page.locator(".tile").count()
    name(page, "can")
    expect(page.get_by_text(f"Named {size} crops “can”")).to_be_visible()
    expect(page).not_to_have_url(re.compile("group=0"))  # the next comes by itself
    page.goto(f"/cluster?run={RUNS['waste']}&group=0")
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("g")
    expect(page).to_have_url(re.compile("/grow"))
    expect(page.locator(".tile")).to_have_count(18)
    expect(page.locator(".reference-grid img").first).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("18 crops joined cluster 0")).to_be_visible()
    page.keyboard.press("x")
    expect(page.get_by_text("Closing in on where it ends")).to_be_visible()
    page.keyboard.press("x")
    expect(page.get_by_text("Mark those that do not belong")).to_be_visible()
    page.locator(".tile").nth(0).click()
    page.locator(".tile").nth(2).click()
    shown = page.locator(".tile").count()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{shown - 2} crops joined")).to_be_visible()
    expect(page.get_by_text(f"holds {size + 18 + shown - 2:,} crops")).to_be_visible()
    page.reload()  # the address restores it
    expect(page.get_by_text("4 looks so far")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.get_by_text(f"holds {size + 18:,} crops")).to_be_visible()
    page.get_by_role("link", name="Back to the cluster").click()
    expect(page.locator("#cluster-facts")).to_contain_text(f"{size + 18} crops")
    expect(page.locator("#cluster-names .name")).to_have_text("can")
