"""The page of subcategories in a real browser: the tree is edited, exported, undone."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.data import Explorer
from discover.survey import Survey
from tests.app.test_overview import add_suggestions
from tests.browser.test_overview import flaws

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def address(survey: Survey, serve: Callable[..., str]) -> str:
    """Serve a survey with some names and a head."""
    explorer = Explorer(survey, "mara")
    crops = explorer.crops(explorer.class_runs()[0])["crop_id"].tolist()
    explorer.labels.name(crops[:6], "plastic > bag", annotator="mara")
    explorer.labels.name(crops[6:10], "plastic > bottle", annotator="mara")
    explorer.labels.name(crops[10:13], EVIL, annotator="mara")
    explorer.labels.close()
    add_suggestions(survey, crops[20:22])
    return serve(survey)


def row(page: "playwright.Page", name: str) -> "playwright.Locator":
    return page.locator(".ag-center-cols-container .ag-row", has_text=name)


def edit(page: "playwright.Page", name: str, column: str, value: str) -> None:
    row(page, name).locator(f"[col-id={column}]").dblclick()
    page.locator(".ag-cell-editor input").fill(value)
    page.keyboard.press("Enter")


def test_the_tree_is_edited_and_taken_back(page: "playwright.Page") -> None:
    expect = playwright.expect
    page.goto("/subcategories")
    rows = page.locator(".ag-center-cols-container .ag-row")
    expect(rows).to_have_count(4)
    expect(row(page, EVIL).locator(".tree-name")).to_have_text(EVIL)  # text, never HTML
    expect(row(page, "bag").locator(".tree-name")).to_have_attribute(
        "href", re.compile(r"/cluster\?name=\w+")
    )
    expect(page.locator("#subcategories-confusion .js-plotly-plot")).to_be_visible()
    assert flaws(page) == []

    row(page, "bag").get_by_role("button", name="Rename bag").click(force=True)
    page.locator(".ag-cell-editor input").fill("sack")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Renamed — Ctrl-Z undoes it")).to_be_visible()
    expect(row(page, "sack")).to_be_visible()
    edit(page, "sack", "codes", "AphiaID: 12")
    expect(page.get_by_text("Codes changed")).to_be_visible()
    edit(page, "sack", "codes", "twelve")
    expect(page.get_by_text("is not one such as")).to_be_visible()
    expect(row(page, "sack").locator("[col-id=codes]")).to_have_text("AphiaID: 12")

    row(page, "sack").locator("[col-id=crops]").click()
    expect(page.locator("#subcategories-chosen")).to_have_text("plastic > sack")
    page.get_by_role("combobox", name="The other subcategory").or_(
        page.get_by_role("textbox", name="The other subcategory")
    ).click()
    page.get_by_role("option", name="plastic > bottle").click()
    page.get_by_role("button", name="Merge into").click()
    expect(page.get_by_text("Merged — Ctrl-Z undoes it")).to_be_visible()
    expect(row(page, "sack")).to_have_count(0)
    expect(row(page, "bottle").locator("[col-id=crops]")).to_have_text("10")
    page.get_by_role("textbox", name="Name of a new subcategory").fill("rope > thick")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(row(page, "thick")).to_be_visible()
    for _ in range(2):
        page.get_by_role("button", name="Undo").first.click()
    expect(row(page, "thick")).to_have_count(0)
    expect(row(page, "sack").locator("[col-id=crops]")).to_have_text("6")
    expect(page.locator("#subcategories-history tr").first).to_contain_text("undid")


def test_an_export_runs_and_is_downloaded(page: "playwright.Page", tmp_path: Path) -> None:
    expect = playwright.expect
    page.goto("/subcategories")
    formats = page.locator(".exports tr")
    expect(formats).to_have_count(10)
    formats.filter(has_text="Folders").get_by_role("button").click()
    finished = page.locator(".finished li")
    expect(finished).to_contain_text("13 labels", timeout=120_000)
    with page.expect_download() as download:
        finished.get_by_role("link", name="Download").click()
    target = tmp_path / "out.zip"
    download.value.save_as(target)
    names = zipfile.ZipFile(target).namelist()
    assert sum(name.endswith(".jpg") for name in names) == 13
