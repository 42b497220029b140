"""The queue: clusters are named by key, open into their parts, and everything can be taken back."""

import re

from playwright.sync_api import Page, expect

from tests.app.survey_on_disk import RUNS
from tests.browser.steps import name, row


def test_name_three_clusters_and_take_all_of_it_back(page: Page) -> None:
    page.goto(f"/queue?run={RUNS['waste']}")
    rows = page.locator(".queue-row")
    expect(rows).to_have_count(5)  # three clusters, noise, and what is unlike anything
    expect(page.locator(".strip img").first).to_be_visible()
    groups = [rows.nth(i).get_attribute("data-key") or "" for i in range(3)]
    name(page, "can")
    expect(row(page, groups[0]).locator(".name")).to_have_text("can")
    expect(row(page, groups[1])).to_have_class(re.compile(r"\bring\b"))  # the next comes by itself
    name(page, "bag")
    name(page, "c", choose=1)  # of those that exist, the first that begins so
    expect(row(page, groups[2]).locator(".name")).to_have_text("can")
    expect(page.locator("#queue-progress")).to_contain_text("3 of 3 clusters")
    order = [rows.nth(i).get_attribute("data-key") for i in range(3)]
    assert order == groups  # a verdict moves nothing
    page.reload()
    expect(page.locator(".queue-row .name:text-is('can')")).to_have_count(2)
    for left in (2, 1, 0):
        page.keyboard.press("Control+z")
        expect(page.locator("#queue-progress")).to_contain_text(f"{left} of 3 clusters")
    page.reload()
    expect(page.locator(".queue-row .name.none")).to_have_count(5)
    page.keyboard.press("Control+y")
    expect(row(page, groups[0]).locator(".name")).to_have_text("can")


def test_a_cluster_opens_into_its_parts(page: Page) -> None:
    page.goto(f"/queue?run={RUNS['waste']}&sort=size")
    row(page, "0/").locator(".unfold").click()
    parts = page.locator(".queue-row.part")
    expect(parts).to_have_count(2)
    expect(page).to_have_url(re.compile("/queue"))  # the row did not open the page
    page.keyboard.press("ArrowDown")
    page.keyboard.press("s")  # the part becomes a cluster of its own
    expect(page.get_by_text("as cluster s1")).to_be_visible()
    expect(row(page, "s1/")).to_be_visible()


def test_sorting_stays_in_the_address(page: Page) -> None:
    page.goto(f"/queue?run={RUNS['waste']}")
    page.get_by_role("textbox", name="Order").click()
    page.get_by_role("option", name="Most doubtful").click()
    expect(page).to_have_url(re.compile("sort=doubt"))
    expect(page.locator(".queue-row").first).to_have_attribute("data-key", "0/")
    page.reload()
    expect(page.locator(".queue-row").first).to_have_attribute("data-key", "0/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("open a cluster into its parts")
