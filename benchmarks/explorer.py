"""How fast is the explorer page: first paint, lasso to gallery, key to next item, bytes, memory.

Beside it, on the same crops: a plain plotly map of all points in a minimal Dash application, whose
lasso sends the points back. Both run in a process of their own; a real Chromium looks at them.

    python benchmarks/explorer.py 10000 100000 1000000
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from explorer_survey import RUN, write_survey
from playwright.sync_api import Error, Page, Request, Response, sync_playwright
from record import record

from app.crops.queue import queue
from app.data import Explorer
from discover.survey import Survey, open_survey

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
LIMIT = 180  # seconds after which something did not finish
SHOWN = 60  # pictures in the gallery of the plain map
NOT_FINISHED = f"did not finish in {LIMIT} s"

# What is waited for, in the browser.
SCRIPT = """
window.seen = (selector) => [...document.querySelectorAll(selector)]
  .some((image) => image.complete && image.naturalWidth > 0);
window.plot = () => document.querySelector(".js-plotly-plot");
window.drawn = () => {
  const at = window.plot();
  const points = at?._fullData?.[0]?.x?.length > 0;
  return points && at.querySelector(".gl-canvas") && !at._promises?.length;
};
for (const kind of ["mouseup", "keydown"]) {
  document.addEventListener(kind, () => (window[kind] = performance.now()), true);
}
"""
PAINTED = {
    "queue": 'seen(".queue-row img")',
    "cluster": 'seen("#gallery .tile img")',
    "map": "drawn()",
}


@dataclass
class Served:
    """A server in a process of its own."""

    address: str
    pid: int
    seconds: float  # from start to its first answer

    def memory(self) -> str:
        """Say what it holds now, and held at most."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8").splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Vm")}
        return f"{kib['VmRSS'] / 2**20:.1f}, {kib['VmHWM'] / 2**20:.1f} GiB"


@contextmanager
def served(what: str, folder: Path) -> Iterator[Served]:
    """Serve the explorer ("page") or the plain map ("plain") of a survey."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, "--serve", what, "--survey", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        urllib.request.urlopen(address, timeout=LIMIT).read()
        yield Served(address, process.pid, time.perf_counter() - begin)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def serve(what: str, folder: Path) -> None:
    """Serve until killed; print the address first."""
    import waitress

    from app.server import create_app

    survey = open_survey(folder)
    if what == "page":
        app = create_app(survey, annotator="mara")
    else:
        from explorer_plain import plain_app

        app = plain_app(survey, SHOWN)
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=8)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


@contextmanager
def browser() -> Iterator[Page]:
    """Open a page in Chromium, which draws by software."""
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = chromium.new_context(
            viewport={"width": 1280, "height": 800}, reduced_motion="reduce"
        )
        page = context.new_page()
        page.set_default_timeout(1000 * LIMIT)
        page.add_init_script(SCRIPT)
        yield page
        chromium.close()


class Traffic:
    """The callbacks that a page asks for: milliseconds and bytes of each answer."""

    def __init__(self, page: Page) -> None:
        self._finished: list[Request] = []
        page.on("requestfinished", lambda request: self._finished.append(request))

    def answers(self, output: str) -> list[tuple[float, int]]:
        """Return milliseconds and bytes of the answers with an output since `forget`."""
        found = []
        for request in self._finished:
            asked = request.post_data if "_dash-update-component" in request.url else None
            if asked and output in json.loads(asked)["output"]:
                size = request.sizes()["responseBodySize"]
                found.append((request.timing["responseEnd"], size))
        return found

    def forget(self) -> None:
        """Forget what was asked so far."""
        self._finished.clear()


def when(page: Page, condition: str) -> float:
    """Return the browser's clock, in milliseconds, at the first frame where something is so."""
    return float(page.wait_for_function(f"() => ({condition}) && performance.now()").json_value())


def navigate(page: Page, address: str, kind: str) -> float:
    """Return the milliseconds from asking for a page until its first content is seen."""
    page.goto(address, wait_until="commit")
    return when(page, PAINTED[kind])


def settle(page: Page) -> None:
    """Let what a page asks for beside come to an end."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)


def lasso(page: Page, tile: str) -> float:
    """Draw around the middle of the map; return the milliseconds from mouse up to a picture."""
    box = page.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    turn = np.linspace(0, 2 * np.pi, 9)
    x = box["x"] + box["width"] * (0.5 + 0.18 * np.cos(turn))
    y = box["y"] + box["height"] * (0.5 + 0.25 * np.sin(turn))
    page.mouse.move(x[0], y[0])
    page.mouse.down()
    for at in zip(x[1:].tolist(), y[1:].tolist(), strict=True):
        page.mouse.move(*at)
    page.mouse.up()
    return when(page, f'window.mouseup && seen("{tile}")') - page.evaluate("window.mouseup")


def key(page: Page, name: str | None) -> float:
    """Approve the cluster that is shown, or name it; return the milliseconds to the next one."""
    page.evaluate("() => { window.before = explorer.gallery.listing; }")
    if name is None:
        page.keyboard.press("a")
    else:
        page.keyboard.press("n")
        page.get_by_role("combobox", name="Subcategory").fill(name)
        page.keyboard.press("Enter")
    there = "explorer.gallery.listing && explorer.gallery.listing !== before"
    shown = when(page, f'{there} && seen("#gallery .tile img")')
    return shown - float(page.evaluate("window.keydown"))


def keys(page: Page, traffic: Traffic, name: str | None, times: int) -> tuple[str, str, str]:
    """Return medians of key to next item, and of the answers to the verdict and for the next."""
    shown, verdicts, layouts = [], [], []
    for number in range(times):
        traffic.forget()
        shown.append(key(page, name and f"{name} {number}"))
        settle(page)
        layouts.append(traffic.answers("page.children")[-1][0])
        verdicts.append(traffic.answers("event.data...toasts")[-1][0])
    return middle(shown), middle(verdicts), middle(layouts)


def brush(page: Page) -> float:
    """Keep a range of a histogram; return the milliseconds until the map is drawn."""
    return float(
        page.evaluate(
            """() => new Promise((resolve) => {
                const begin = performance.now();
                plot().once("plotly_afterplot", () => resolve(performance.now() - begin));
                const data = { score: [0.6 + 0.01 * Math.random(), 0.8] };
                window.dash_clientside.set_props("map-ranges", { data });
            })"""
        )
    )


def middle(found: list[float]) -> str:
    """Return the median of milliseconds, in words."""
    return f"{statistics.median(found):,.0f} ms"


def of_page(survey: Survey, times: int) -> dict[str, str]:
    """Measure the explorer page."""
    found: dict[str, str] = {}
    largest, ordinary = _groups(survey)
    with served("page", survey.root) as server, browser() as page:
        traffic = Traffic(page)
        found["start to first answer"] = f"{server.seconds:.1f} s"
        at = {
            "queue": f"{server.address}/queue?run={RUN}",
            "map": f"{server.address}/map?run={RUN}",
            "cluster": f"{server.address}/cluster?run={RUN}&group={largest}",
        }
        cold = navigate(page, at["queue"], "queue")
        found["first paint of /queue, cold"] = f"{cold / 1000:.1f} s"
        for kind, address in at.items():
            navigate(page, address, kind)  # the thumbnails are made
            settle(page)
            paints = []
            for _ in range(times):
                paints.append(navigate(page, address, kind))
                settle(page)
            found[f"first paint of /{kind}, warm"] = middle(paints)
        traffic.forget()
        navigate(page, at["map"], "map")
        settle(page)
        most = max(size for _, size in traffic.answers("map-graph.figure"))
        found["bytes of the map"] = f"{most / 2**20:.2f} MB"
        found["histogram to map"] = middle([brush(page) for _ in range(times)])
        lassos = []
        for _ in range(times):
            navigate(page, at["map"], "map")
            settle(page)
            lassos.append(lasso(page, "#gallery .tile img"))
        found["lasso to gallery"] = middle(lassos)
        navigate(page, f"{server.address}/cluster?run={RUN}&group={ordinary}", "cluster")
        settle(page)
        for title, name in (("A", None), ("N", "a new kind")):
            shown, verdict, layout = keys(page, traffic, name, times)
            found[f"{title} to next item"] = shown
            found[f"of it the server: verdict of {title}"] = verdict
            found[f"of it the server: next after {title}"] = layout
        found["memory, at most"] = server.memory()
    return found


def _groups(survey: Survey) -> tuple[str, str]:
    """Return the largest cluster, and one of median size of those that wait."""
    explorer = Explorer(survey)
    run = explorer.class_run(RUN)
    assert run is not None
    crops, typical = explorer.crops(run), explorer.crop_table(run).typical
    rows = [r for r in queue(crops, typical, run.persistence, sort="size") if r["group"]]
    waiting = [r["group"] for r in rows if r["open"] and r["group"] != "-1"]
    explorer.labels.close()
    return str(waiting[0]), str(waiting[len(waiting) // 2])


def direct(survey: Survey, times: int) -> dict[str, str]:
    """Measure what the page asks of Python, in this process."""
    from app.crops.selection import inside
    from app.crops.verdicts import decide
    from app.pages import cluster

    explorer = Explorer(survey, "jon")
    run = explorer.class_run(RUN)
    assert run is not None
    largest, ordinary = _groups(survey)
    found = {}
    for group, which in ((ordinary, "median cluster"), (largest, "largest cluster")):
        verdicts: list[float] = []
        pages: list[float] = []
        for _ in range(times + 1):
            verdict = {"action": "validate", "target": {"run": RUN, "group": group},
                       "seen": explorer.labels.last_event_id()}  # fmt: skip
            verdicts.append(timed(lambda v=verdict: decide(explorer, v)))  # type: ignore[misc]
            pages.append(timed(lambda: cluster.layout(explorer, {"group": ordinary})))
            explorer.labels.undo(annotator="jon")
        # The first reads tables.
        found[f"in Python: verdict on the {which}"] = middle(verdicts[1:])
        found[f"in Python: the next page after the {which}"] = middle(pages[1:])
    crops = explorer.crops(run)
    turn = np.linspace(0, 2 * np.pi, 100)
    x, y = (15 * np.cos(turn)).tolist(), (15 * np.sin(turn)).tolist()
    lassos = [timed(lambda: inside(crops["map_x"], crops["map_y"], x, y)) for _ in range(times)]
    explorer.labels.close()
    return {**found, "in Python: points in a lasso of 100 corners": middle(lassos)}


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that something takes."""
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)


def of_plain(survey: Survey, times: int) -> dict[str, str]:
    """Measure the plain map."""
    names = ["start to first answer", "first paint", "bytes of the map", "lasso to gallery"]
    found = dict.fromkeys((f"plain map: {name}" for name in names), NOT_FINISHED)
    with served("plain", survey.root) as server, browser() as page:
        sizes: list[int] = []
        page.on("response", lambda r: sizes.append(_size(r)) if "_dash-layout" in r.url else None)
        found[f"plain map: {names[0]}"] = f"{server.seconds:.1f} s"
        try:
            paints = [navigate(page, server.address, "map") for _ in range(times)]
            found[f"plain map: {names[1]}"] = middle(paints)
            found[f"plain map: {names[2]}"] = f"{sizes[-1] / 2**20:.2f} MB"
            lassos = []
            for _ in range(times):
                navigate(page, server.address, "map")
                page.wait_for_timeout(1000)
                lassos.append(lasso(page, "#beside img"))
            found[f"plain map: {names[3]}"] = middle(lassos)
        except Error as error:  # too slow, or more than the browser bears: the table says so
            print(error, flush=True)
        found["plain map: memory, at most"] = server.memory()
    return found


def _size(response: Response) -> int:
    return int(response.headers.get("content-length", 0))


def measure(crops: int) -> dict[str, str]:
    """Measure both on a survey of this many crops."""
    times = 5 if crops < 100_000 else 2
    with tempfile.TemporaryDirectory() as folder:
        survey = write_survey(Path(folder), crops)
        found = of_page(survey, times)
        found |= direct(survey, times)
        found |= of_plain(survey, times)
    print(json.dumps({"crops": crops, **found}, indent=1), flush=True)
    return {**found, "load of the machine after it": f"{os.getloadavg()[1]:.1f}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crops", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--survey", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.survey)
        return
    columns: list[dict[str, Any]] = [measure(crops) for crops in options.crops]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    record(
        "The explorer page",
        ["measure", *(f"{crops:,} crops" for crops in options.crops)],
        rows,
        "Chromium, drawing by software on the same cores as the server; median of 5, of 2 from a "
        "hundred thousand on. A fifth of the crops is labelled, half take after a keyframe. A "
        "paint counts from asking for the address to the first row, point or tile with its "
        "picture; a key from being pressed to the first picture of the next cluster, which is one "
        "of median size.",
    )


if __name__ == "__main__":
    main()
