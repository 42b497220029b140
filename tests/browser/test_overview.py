"""The overview in a real browser: first steps, what is left to do, a job from start to end."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from discover.survey import Survey
from tests.app.survey_on_disk import EMBED_RUN

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")


def flaws(page: "playwright.Page", part: str = "main") -> list[str]:
    """Return what keeps somebody from using a part of the page."""
    found = axe.Axe().run(page, context=part).response["violations"]
    return [f"{v['id']}: {n['html'][:160]}" for v in found for n in v["nodes"]]


def test_the_first_visit_is_led_and_then_left_alone(page: "playwright.Page") -> None:
    expect = playwright.expect
    page.goto("/")
    strip = page.get_by_label("First steps")
    expect(strip).to_be_visible()
    expect(strip.get_by_role("link")).to_have_count(3)
    expect(page.locator(".js-plotly-plot .bars").first).to_be_attached()
    assert flaws(page) == []
    page.get_by_role("button", name="Got it").click()
    expect(strip).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", name="What is left to do")).to_be_visible()
    expect(strip).to_be_hidden()
    page.get_by_text("Depth", exact=True).click()
    expect(page.locator(".ytitle")).to_have_text("depth (m)")


def test_a_job_runs_while_the_page_is_used(
    page: "playwright.Page", survey: Survey, tmp_path: Path
) -> None:
    expect = playwright.expect
    page.goto("/")
    page.get_by_role("button", name="Find bursts").click()
    expect(page.get_by_text("Started: Find bursts")).to_be_visible()
    button = page.get_by_role("button", name="Jobs")
    expect(page.locator(".jobs-ring")).to_be_visible()
    button.click()
    expect(page.get_by_role("progressbar", name="Find bursts")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Find bursts").click()  # the same is not started twice
    expect(page.get_by_text("runs already, started by mara")).to_be_visible()
    page.get_by_role("link", name="Queue", exact=True).click()  # the page is there meanwhile
    expect(page.locator(".queue-row").first).to_be_visible()
    page.reload()
    toast = page.get_by_text("Find bursts is done")
    expect(toast).to_be_visible(timeout=120_000)
    expect(page.locator(".jobs-ring")).to_have_count(0)
    (command,) = (survey.cache / "jobs").glob("*/command.json")
    assert json.loads(command.read_text())["tokens"] == ["bursts"]
    assert survey.latest("bursts") is not None
    page.goto("/")
    expect(page.get_by_text("of the frames share one")).to_be_visible()
    expect(page.get_by_role("button", name="Find bursts")).to_have_count(0)
    button.click()
    expect(page.locator(".job-done")).to_contain_text("done")
    assert flaws(page, ".jobs") + flaws(page, ".jobs-panel") == []


def test_new_crops_come_with_a_notice(page: "playwright.Page", survey: Survey) -> None:
    expect = playwright.expect
    page.goto("/")
    expect(page.locator(".steps")).to_be_visible()
    until(lambda: page.evaluate("Boolean(document.querySelector('.jobs-list, .jobs-panel .note'))"))
    table = survey.table("crops", EMBED_RUN)
    rows = table.read().slice(0, 9)
    ids = pa.array([f"new-{number}" for number in range(len(rows))])
    table.write("more", rows.set_column(rows.schema.get_field_index("crop_id"), "crop_id", ids))
    page.evaluate("dash_clientside.set_props('jobs-poll', {n_intervals: 99})")
    expect(page.get_by_text("9 new crops")).to_be_visible()
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("heading", name="What is left to do")).to_be_visible()
    expect(page.get_by_text("9 new crops")).to_have_count(0)


def until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.05)
