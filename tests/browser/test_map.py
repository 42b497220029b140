"""The map: what is drawn around shows beside it, filters narrow it, searches find in it."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from app.crops import likeness
from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import RUNS
from tests.browser.steps import drag_around, name

WASTE = RUNS["waste"]
EVERYTHING = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]


def test_split_by_lasso_and_take_it_back(page: Page, survey: Survey) -> None:
    page.goto(f"/cluster?run={WASTE}&group=0")
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("s")  # nothing is selected: the map opens with the cluster ringed
    expect(page).to_have_url(re.compile(r"/map\?.*group=0"))
    expect(page.locator("#map-heading")).to_contain_text("Cluster 0")
    drag_around(page, EVERYTHING)
    expect(page.locator("#map-heading")).to_contain_text("Selection · 90 crops")
    page.keyboard.press("s")
    expect(page.get_by_text("Split 90 crops off as cluster s1")).to_be_visible()
    expect(page.get_by_role("button", name="s1 90")).to_be_visible()  # in the legend
    explorer = Explorer(survey)
    run = explorer.class_run(WASTE)
    assert run is not None
    assert (explorer.crops(run)["group"] == -2).all()
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name=re.compile("^● 0"))).to_be_visible()
    assert (explorer.crops(run)["group"] == explorer.crops(run)["cluster"]).all()
    explorer.labels.close()


def test_a_lasso_holds_what_the_filters_leave(page: Page) -> None:
    page.goto(f"/map?run={WASTE}")
    expect(page.locator("#map-note")).to_have_text("90 crops")
    page.locator(".map .nsewdrag").first.wait_for()
    at = page.evaluate(
        """() => {
            const graph = document.querySelector('.map .js-plotly-plot');
            const {xaxis, yaxis} = graph._fullLayout, points = graph._fullData[0];
            const box = graph.querySelector('.nsewdrag').getBoundingClientRect();
            return [box.left + xaxis.d2p(points.x[0]), box.top + yaxis.d2p(points.y[0])];
        }"""
    )
    page.mouse.move(at[0] - 40, at[1])
    page.mouse.move(*at, steps=5)
    expect(page.locator(".hover-ring")).to_be_visible()
    expect(page.locator(".card.shown")).to_contain_text("dive dive-")
    drag_around(page, EVERYTHING)
    expect(page.locator("#map-heading")).to_contain_text("90 crops")
    page.mouse.move(*at, steps=5)
    expect(page.locator(".hover-ring")).to_be_visible()
    page.mouse.down()
    page.mouse.up()  # a click shows the point's cluster, in the outline's place
    expect(page.locator("#map-heading")).to_have_text(re.compile(r"^(Cluster \d|Noise) · "))
    expect(page.locator(".map .shapelayer path")).to_have_count(0)
    drag_around(page, EVERYTHING)
    expect(page.locator("#map-heading")).to_contain_text("90 crops")
    noise = page.get_by_role("button", name="noise")
    noise.click()
    expect(noise).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#map-note")).to_contain_text("of 90 crops")
    expect(page.locator("#map-heading")).not_to_contain_text("90 crops")
    bars = page.locator(".histogram .nsewdrag").first.bounding_box()
    assert bars is not None
    middle = bars["y"] + bars["height"] / 2
    page.mouse.move(bars["x"] + 5, middle)
    page.mouse.down()
    page.mouse.move(bars["x"] + bars["width"] / 2, middle, steps=6)
    page.mouse.up()
    expect(page.locator("#map-note")).to_have_text(re.compile(r"^\d\d of 90 crops"))
    name(page, "thing")
    expect(page.locator(".tile .name").first).to_have_text("thing")
    expect(page.locator("#map-heading")).to_contain_text("crops")  # the lasso is still there


def test_search_by_name_and_by_image(
    page: Page, survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = Explorer(survey)
    run = explorer.class_run(WASTE)
    assert run is not None
    crops = explorer.crops(run)["crop_id"].tolist()
    explorer.labels.name(crops[:2], "drinks can", annotator="mara")
    explorer.labels.close()
    page.goto(f"/map?run={WASTE}")
    search = page.get_by_role("textbox", name="Search")
    search.fill("Drinks Can")
    search.press("Enter")
    expect(page.locator("#map-heading")).to_contain_text("drinks can · 2 crops")
    search.fill("nowhere")
    search.press("Enter")
    expect(page.get_by_text("Nothing is called 'nowhere'")).to_be_visible()
    # A survey made by hand has no network that its vectors are of: the answer is given here.
    found = f'[{{"crop_id": "{crops[7]}"}}, {{"crop_id": "{crops[3]}"}}]'
    monkeypatch.setattr(likeness, "_ask", lambda *_: found)
    page.evaluate(
        """async (bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], 'bottle.png', {type: 'image/png'}));
            for (const kind of ['dragenter', 'dragover', 'drop']) {
                document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true,
                    cancelable: true}));
            }
        }""",
        list(_png()),
    )
    expect(page).to_have_url(re.compile("/cluster.*like=p"))
    expect(page.locator("h1")).to_contain_text("Like a picture")
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator(".tile img").first).to_have_attribute("src", re.compile(crops[7]))
    expect(page.get_by_role("img", name="what was searched by")).to_be_visible()
    page.reload()
    expect(page.locator(".tile")).to_have_count(2)
    page.keyboard.press("n")  # what a search found is no one thing
    expect(page.get_by_text("Nothing to decide on here")).to_be_visible()
    page.keyboard.press("Control+a")
    name(page, "bottle")
    expect(page.get_by_text("Named 2 crops “bottle”")).to_be_visible()


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((60, 80, 3), 120, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
