"""What a person does on several pages."""

from playwright.sync_api import Locator, Page


def name(page: Page, text: str, *, choose: int = 0) -> None:
    """Name what is in the ring or selected; `choose` is how far down the list that exists."""
    page.keyboard.press("n")
    page.get_by_role("combobox", name="Subcategory").fill(text)
    if choose:
        page.get_by_role("dialog").get_by_role("option", name=text).first.wait_for()
    for _ in range(choose):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def row(page: Page, key: str) -> Locator:
    """Return a row of the queue, by group and part."""
    return page.locator(f'.queue-row[data-key="{key}"]')


def drag_around(page: Page, corners: list[tuple[float, float]]) -> None:
    """Draw a lasso on the map; corners are shares of its width and height."""
    box = page.locator(".map .nsewdrag").first.bounding_box()
    assert box is not None
    points = [(box["x"] + fx * box["width"], box["y"] + fy * box["height"]) for fx, fy in corners]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in [*points[1:], points[0]]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()
