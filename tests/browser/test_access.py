"""Everybody can use the page: names, contrast and focus, in light and in dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import RUNS

WASTE = RUNS["waste"]
PAGES = {
    "/": ".steps",
    f"/queue?run={WASTE}": ".queue-row",
    f"/cluster?run={WASTE}&group=0": ".tile .marks",
    f"/grow?run={WASTE}&group=0": ".tile",
    f"/map?run={WASTE}&group=0": ".tile",
    "/subcategories": ".ag-row",
    "/bursts": ".empty h1",
}


@pytest.fixture
def named(survey: Survey) -> Survey:
    """The survey with names and a suggestion, so that badges show."""
    explorer = Explorer(survey)
    run = explorer.class_run(WASTE)
    assert run is not None
    crops = explorer.crops(run)["crop_id"].tolist()
    explorer.labels.name(crops[:20], "drinks can", annotator="mara")
    explorer.labels.name(crops[20:40], "bag", annotator="head", origin="machine")
    explorer.labels.close()
    return survey


def _flaws(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    return [f"{v['id']}: {n['html'][:200]}" for v in serious for n in v["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_is_found(named: Survey, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    faults = {}
    for address, there in PAGES.items():
        page.goto(address)
        expect(page.locator(there).first).to_be_visible()
        faults[address] = _flaws(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_timeout(400)  # it fades in
    faults["help"] = _flaws(page)
    assert {address: found for address, found in faults.items() if found} == {}


def test_every_control_of_the_queue_is_reached_and_its_focus_seen(page: Page) -> None:
    page.goto(f"/queue?run={WASTE}")
    expect(page.locator(".queue-row").first).to_be_visible()
    reached, seen = [], set()
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (at === document.body) return ['', true];
                const style = getComputedStyle(at);
                const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
                return [at.textContent || at.ariaLabel || at.id, ring || style.boxShadow !== 'none'
                    || at.matches('input')];
            }"""
        )
        if at[0] in seen and at[0].startswith("Approve"):
            break
        seen.add(at[0])
        reached.append(at)
    names = " ".join(name for name, _ in reached)
    for wanted in ("Approve", "Name", "Undo", "Queue", "Order", "Jobs"):
        assert wanted in names
    assert [name for name, ring in reached if not ring and name.strip()] == []
