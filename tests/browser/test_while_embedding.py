"""A real `discover embed` is under way while the page is used: nothing is lost on either side."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect

from app.data import Explorer
from app.frames.data import frames_data
from discover.survey import Survey
from discover.tables import column_to_vectors
from tests.app.survey_on_disk import EMBED_RUN, RUNS, build
from tests.browser.steps import name, row

WASTE = RUNS["waste"]
EMBED = [sys.executable, "-P", "-c", "from discover.cli import main; main()", "embed"]
SHARD = 6  # frames in a unit of the work
TAKES = 3  # times that the footage is there while it is embedded in a terminal


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Build the survey with more footage, in shards that are small, so that the work lasts."""
    return in_shards(build(tmp_path / "Reef 7"), takes=TAKES)


def in_shards(survey: Survey, *, takes: int = 1) -> Survey:
    rows = survey.frames.read()
    ids, index = (rows.schema.get_field_index(column) for column in ("frame_id", "index"))
    for take in range(takes):
        own = [f"{frame}{take or ''}" for frame in rows["frame_id"].to_pylist()]
        later = [number + 15 * take for number in rows["index"].to_pylist()]
        taken = rows.set_column(ids, rows.schema.field(ids), pa.array(own))
        number = pa.array(later, rows.schema.field(index).type)
        taken = taken.set_column(index, rows.schema.field(index), number)
        for start in range(0, len(rows), SHARD):
            survey.frames.write(f"take{take}-{start:02}", taken.slice(start, SHARD))
    survey.frames.discard("all")
    return survey


@contextmanager
def embedding(survey: Survey) -> Iterator[subprocess.Popen[bytes]]:
    """Embed whole frames in a process of its own, which is held after the first shard."""
    command = [*EMBED, "--whole-frame", f"--survey={survey.root}", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        until(lambda: process.poll() is not None or shards(survey, "crops"))
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def shards(survey: Survey, table: str) -> list[Path]:
    """Return the shards that the embedding has written."""
    old = {EMBED_RUN}
    return [f for f in (survey.root / table).glob("*/*.parquet") if f.parent.name not in old]


def until(true: Callable[[], object]) -> None:
    while not true():
        time.sleep(0.02)


def check_whole(survey: Survey) -> None:
    """Check that every frame has its crop, and every crop a vector in the shard of its unit."""
    (run,) = [run for run in survey.runs("embeddings") if run.name != EMBED_RUN]
    assert run.is_complete
    frames, crops = survey.frames, survey.crops_of(run)
    vectors = survey.table("embeddings", run.name)
    assert crops.units() == vectors.units() == frames.units()
    for unit in frames.units():
        of_unit = crops.read(["frame_id", "crop_id"], units=[unit]).to_pydict()
        (frame_ids,) = frames.read(["frame_id"], units=[unit]).to_pydict().values()
        (with_vector,) = vectors.read(["crop_id"], units=[unit]).to_pydict().values()
        assert (of_unit["frame_id"], of_unit["crop_id"]) == (frame_ids, with_vector)
    found = column_to_vectors(vectors.read())
    assert found.shape == (len(frames.read(["frame_id"])), 1280)
    assert np.isfinite(found).all()


def test_name_and_look_around_while_an_embed_runs(page: Page, survey: Survey) -> None:
    explorer = Explorer(survey, "mara")
    frame = frames_data(explorer).frames().table["frame_id"].iloc[0]
    boxes = len(frames_data(explorer).crops(EMBED_RUN, frame))
    with embedding(survey) as process:
        (started,) = [run for run in survey.runs("embeddings") if not run.is_complete]
        assert 0 < len(survey.crops_of(started).units()) < len(survey.frames.units())
        had = len(survey.crops_of(started).read(["crop_id"]))
        page.goto(f"/frame?frame={frame}")
        expect(page.locator(".box")).to_have_count(boxes)  # of the run that has clusters
        until(lambda: page.evaluate("Boolean(document.querySelector('.jobs-panel .note'))"))
        os.killpg(process.pid, signal.SIGCONT)

        page.get_by_role("link", name="Queue", exact=True).click()
        expect(page.locator(".queue-row").first).to_be_visible()
        key = page.locator(".queue-row").first.get_attribute("data-key") or ""
        name(page, "crab")
        expect(row(page, key).locator(".name")).to_have_text("crab")
        page.get_by_role("link", name="Map", exact=True).click()
        expect(page.locator("#map-note")).to_have_text(re.compile(r"^\d+ crops$"))

        notice = page.locator(".jobs-notice")
        expect(notice).to_contain_text("new crops")
        assert process.wait() == 0
    check_whole(survey)
    page.evaluate("dash_clientside.set_props('jobs-poll', {n_intervals: 99})")
    expect(notice).to_contain_text(f"{60 * TAKES - had} new crops")
    notice.get_by_role("button", name="Reload").click()
    expect(page.locator("#map-note")).to_be_visible()
    expect(notice).to_be_empty()
    page.get_by_role("link", name="Queue", exact=True).click()
    expect(row(page, key).locator(".name")).to_have_text("crab")

    (event,) = explorer.labels.history()
    run = explorer.class_run()
    assert run is not None
    crops = explorer.crops(run)
    named = crops.loc[crops["name"] == "crab", "crop_id"]
    assert (event.annotator, event.name, event.crops) == ("mara", "crab", len(named))
    assert set(named) == set(crops.loc[crops["group"] == crops["group"][named.index[0]], "crop_id"])
    explorer.labels.close()


def test_an_embed_that_the_page_starts_ends_while_it_is_used(
    tmp_path: Path, serve: Callable[..., str], open_page: Callable[[str], Page]
) -> None:
    bare = in_shards(build(tmp_path / "bare", crops=False))
    page = open_page(serve(bare))
    page.goto("/")
    page.get_by_role("button", name="Embed whole frames").click()
    expect(page.locator(".jobs-ring")).to_be_visible()
    page.get_by_role("link", name="Bursts", exact=True).click()
    expect(page.locator(".jobs-notice")).to_contain_text("new crops")
    expect(page.get_by_text("Embed whole frames is done")).to_be_visible()
    expect(page.locator(".jobs-notice")).to_contain_text("60 new crops")
    check_whole(bare)
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("button", name="Cluster frame")).to_be_visible()
