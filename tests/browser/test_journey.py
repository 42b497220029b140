"""A person's way through the page, in a real browser."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import create_app
from app.server import bind
from tests.app.survey_on_disk import RUNS, build

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=20_000)  # a loaded machine is no failure


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    server = bind(create_app(build(tmp_path / "Reef 7"), annotator="mara"), port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


@pytest.fixture
def page(address: str) -> Iterator["playwright.Page"]:
    """Open a page on which an error, or a request that leaves this computer, fails the test."""
    problems: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, base_url=address)
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None if r.url.startswith((address, "data:", "blob:")) else problems.append(r.url)
            ),
        )
        yield page
        browser.close()
    assert problems == []


def _name(page: "playwright.Page", name: str) -> None:
    page.keyboard.press("n")
    page.get_by_role("textbox", name="Subcategory").fill(name)
    page.keyboard.press("Enter")


def test_name_a_cluster_and_take_it_back(page: "playwright.Page") -> None:
    expect = playwright.expect
    page.goto(f"/queue?run={RUNS['waste']}")
    expect(page.locator(".queue-row[data-cluster]")).to_have_count(4)
    expect(page.locator(".strip img").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Cluster")
    tiles = page.locator(".tile")
    expect(tiles.first).to_be_visible()
    count = tiles.count()

    _name(page, "drinks can")
    expect(page.get_by_text(f"Named {count} crops “drinks can”")).to_be_visible()
    expect(page.locator(".tile .name")).to_have_count(count)
    page.reload()
    expect(page.locator(".tile .name")).to_have_count(count)
    expect(page.locator("#cluster-names .name")).to_have_text("drinks can")
    page.keyboard.press("Control+z")
    expect(page.locator(".tile .name")).to_have_count(0)
    page.keyboard.press("Control+y")
    expect(page.locator(".tile .name")).to_have_count(count)


def test_select_crops_switch_the_view_and_restore_it(page: "playwright.Page") -> None:
    expect = playwright.expect
    page.goto(f"/cluster?run={RUNS['waste']}&cluster=0")
    tiles = page.locator(".tile")
    tiles.nth(1).click()
    tiles.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text("3 selected")
    _name(page, "<img src=x onerror=alert(1)>")
    expect(page.locator(".tile .name")).to_have_count(3)
    expect(page.locator(".tile .name").first).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#selected")).to_have_text("3 selected")  # a verdict moves nothing
    page.keyboard.press("Escape")
    expect(page.locator("#selected")).to_be_empty()
    page.keyboard.press("3")
    expect(tiles.first.locator("img")).to_have_attribute("src", re.compile("kind=heat"))
    expect(page).to_have_url(re.compile("view=heat"))
    page.reload()
    expect(tiles.first.locator("img")).to_have_attribute("src", re.compile("kind=heat"))


def test_name_along_the_queue(page: "playwright.Page") -> None:
    expect = playwright.expect
    page.goto(f"/queue?run={RUNS['waste']}")
    rows = page.locator(".queue-row[data-cluster]")
    expect(rows).to_have_count(4)
    _name(page, "can")
    expect(rows.nth(0).locator(".name")).to_have_text("can")
    expect(page.locator(".queue-row.ring")).to_have_attribute(
        "data-cluster", rows.nth(1).get_attribute("data-cluster") or ""
    )
    page.keyboard.press("n")
    page.get_by_role("textbox", name="Subcategory").fill("c")
    page.keyboard.press("ArrowDown")  # the name that exists
    page.keyboard.press("Enter")
    expect(rows.nth(1).locator(".name")).to_have_text("can")
    page.get_by_role("link", name="Labels").click()
    expect(page.locator("#label-names tr")).to_have_count(1)
    expect(page.locator("#label-history tr")).to_have_count(2)


def test_a_box_on_the_map_fills_the_gallery(page: "playwright.Page") -> None:
    expect = playwright.expect
    page.goto(f"/map?run={RUNS['waste']}")
    box = page.locator(".map .nsewdrag").first.bounding_box()
    assert box is not None
    page.locator('.modebar-btn[data-title="Box Select"]').click()
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4, steps=8)
    page.mouse.up()
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.locator("#map-heading")).to_contain_text("crops")
    _name(page, "thing")
    expect(page.locator(".tile .name").first).to_have_text("thing")
