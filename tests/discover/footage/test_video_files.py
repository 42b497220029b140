"""Videos into a survey: resumed, sampled anew, beside others; interlaced ones; times."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from classify.images import Pixels
from discover import frames
from discover.footage.interlace import comb_ratio, find_interlacing
from discover.footage.video_index import scan_video
from discover.frames import add_frames
from discover.survey import Survey, open_survey
from tests.discover.footage.made import (
    new_survey,
    rows_of,
    save,
    stamped,
    stamps_in,
    write_video,
)

_ADD = """
import sys
from discover import frames
from discover.survey import open_survey
frames.CHUNK = 8
frames.add_frames(open_survey(sys.argv[2], create=True), [sys.argv[1]], every=sys.argv[3])
"""


def test_a_killed_run_goes_on_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "f" / "a.mp4", 400)
    monkeypatch.setattr(frames, "CHUNK", 8)
    survey = new_survey(tmp_path, "killed")
    process = subprocess.Popen([sys.executable, "-c", _ADD, str(video), str(survey.root), "5f"])
    deadline = time.monotonic() + 60
    while len(survey.frames.files()) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL  # it was still at work
    kept = survey.count_frames()
    assert 0 < kept < 80
    before = {p.name: p.stat().st_mtime_ns for p in survey.frames.files()}
    added = add_frames(survey, [video], every="5f")
    assert (added.new, added.known) == (80 - kept, kept)
    assert before.items() <= {p.name: p.stat().st_mtime_ns for p in survey.frames.files()}.items()
    whole = new_survey(tmp_path, "whole")
    add_frames(whole, [video], every="5f")
    pd.testing.assert_frame_equal(rows_of(survey), rows_of(whole))
    assert stamps_in(survey, rows_of(survey)) == list(range(0, 400, 5))


@pytest.mark.parametrize(
    ("name", "every"), [("a.mp4", "1s"), ("a.ts", "1s"), ("a.avi", "1s"), ("a.mp4", "scene")]
)
def test_from_any_shard_on_a_run_goes_on_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, every: str
) -> None:
    monkeypatch.setattr(frames, "CHUNK", 2)
    video = write_video(tmp_path / name, 150, picture_of=lambda n: stamped(n * (n % 80 > 30)))
    survey = new_survey(tmp_path)
    add_frames(survey, [video], every=every)
    whole = rows_of(survey)
    shards = sorted(survey.frames.files(), key=lambda p: pd.read_parquet(p)["index"].min())
    assert len(shards) >= 3
    for shard in shards[1:]:
        shard.unlink()
    added = add_frames(survey, [video], every=every)
    assert added.new == len(whole) - 2
    pd.testing.assert_frame_equal(rows_of(survey), whole)


def test_a_denser_sampling_later_puts_frames_between_those_that_are_known(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 60)
    survey = new_survey(tmp_path)
    add_frames(survey, [video], every="20f")
    before = rows_of(survey).set_index("video_frame")["frame_id"]
    added = add_frames(survey, [video], every="10f")
    rows = rows_of(survey)
    assert (added.new, added.known) == (3, 3)
    assert stamps_in(survey, rows) == [0, 10, 20, 30, 40, 50]
    assert rows.set_index("video_frame")["frame_id"][before.index].tolist() == before.tolist()


def test_videos_of_one_dive_follow_one_another_behind_its_images(tmp_path: Path) -> None:
    folder = tmp_path / "dive7"
    for name in ("part2.mp4", "part10.mp4"):
        write_video(folder / name, 30)
    for n in range(2):
        save(folder / f"{n}.jpg", n)
    survey = new_survey(tmp_path)
    add_frames(survey, [folder], dive_from="folder", every="10f")
    rows = rows_of(survey)
    assert rows["dive"].unique().tolist() == ["dive7"]
    assert rows["video"].isna().tolist() == [True] * 2 + [False] * 6
    assert rows["video"].dropna().map(lambda v: Path(v).name).tolist() == (
        ["part2.mp4"] * 3 + ["part10.mp4"] * 3
    )
    assert rows["index"].is_unique
    add_frames(survey, [folder], dive_from="folder", every="5f")
    again = rows_of(survey)
    assert again["video"].dropna().map(lambda v: Path(v).name).tolist() == (
        ["part2.mp4"] * 6 + ["part10.mp4"] * 6
    )


def test_videos_of_one_name_need_dives_that_differ(tmp_path: Path) -> None:
    for day in ("day1", "day2"):
        write_video(tmp_path / "f" / day / "GX01.mp4", 10)
    survey = new_survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"])
    assert added.new == 1
    [(file, reason)] = added.rejected
    assert file == tmp_path / "f" / "day2" / "GX01.mp4"
    assert "dive 'GX01' has a video of that name" in reason
    assert "--dive-from" in reason
    other = new_survey(tmp_path, "other")
    assert add_frames(other, [tmp_path / "f"], dive_from="folder").new == 2


def test_extracted_frames_are_not_added_as_images(tmp_path: Path) -> None:
    survey = open_survey(tmp_path, create=True)
    write_video(tmp_path / "a.mp4", 30)
    save(tmp_path / "b" / "own.jpg", 1)
    assert add_frames(survey, [tmp_path], every="10f").new == 4
    again = add_frames(survey, [tmp_path], every="10f")
    assert (again.new, again.known) == (0, 4)


def test_another_file_of_the_same_name_is_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 60)
    survey = new_survey(tmp_path)
    add_frames(survey, [video], every="20f")
    write_video(video, 30)
    [(_, reason)] = add_frames(survey, [video], every="20f").rejected
    assert "frame 40 was at 1.6 s when its frames were added" in reason
    assert survey.count_frames() == 3


def test_a_dive_may_have_any_name(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 2)
    (tmp_path / "dives.csv").write_text("image,dive\na.mp4,../so: 12/b\n")
    survey = new_survey(tmp_path)
    add_frames(survey, [video], dive_from=str(tmp_path / "dives.csv"))
    [row] = rows_of(survey).to_dict("records")
    assert row["dive"] == "../so: 12/b"
    assert survey.frame_path(row["path"]).resolve().is_relative_to(survey.root / "images")
    assert survey.frame_path(row["path"]).is_file()


def _interlaced(number: int, *, top_first: bool, step: int = 3) -> Pixels:
    """Weave two fields, of which the second was taken half a frame later."""
    early, late = _smooth(2 * number * step), _smooth((2 * number + 1) * step)
    woven = early.copy()
    second = slice(1, None, 2) if top_first else slice(0, None, 2)
    woven[second] = late[second]
    woven[:16] = stamped(number)[:16]
    return woven


def _smooth(shift: int) -> Pixels:
    x, y = np.meshgrid(np.arange(192) + shift, np.arange(112))
    grey = 120 + 60 * np.sin(x / 9) * np.cos(y / 11) + 30 * np.sin(x / 5 + y / 7)
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, 2)


@pytest.mark.parametrize(
    ("flag", "truth", "combed"),
    [
        ("tff", "tff", True),
        ("bff", "bff", True),
        (None, "tff", True),
        ("tff", None, False),
        (None, None, False),
    ],
)
def test_interlaced_video_is_told_by_its_pixels(
    tmp_path: Path, flag: str | None, truth: str | None, combed: bool
) -> None:
    def picture(number: int) -> Pixels:
        if truth is None:
            return np.concatenate([stamped(number)[:16], _smooth(6 * number)[16:]])
        return _interlaced(number, top_first=truth == "tff")

    options = {"x264-params": f"{flag}=1"} if flag else {}
    video = write_video(tmp_path / "a.mp4", 60, picture_of=picture, **options)
    found = find_interlacing(video, scan_video(video))
    assert found.combed == combed
    assert found.flagged == (flag is not None)
    if combed:
        assert found.top_first == (truth == "tff")
    survey = new_survey(tmp_path)
    add_frames(survey, [video], every="13f")
    rows = rows_of(survey)
    numbers = list(range(0, 60, 13))
    assert stamps_in(survey, rows) == rows["video_frame"].tolist() == numbers
    assert rows["video_s"].tolist() == pytest.approx([n / 25 for n in numbers])
    assert all(("deinterlaced" in flags) == combed for flags in rows["flags"])
    for number, path in zip(numbers[1:-1], rows["path"][1:-1], strict=True):
        ratio = _combs(survey, path)
        assert ratio < 0.7
        if combed:  # the first field's moment is what is kept
            moment = _smooth(6 * number)[20:, :, 1].astype(float)
            shown = np.asarray(Image.open(survey.frame_path(path)).convert("L"), float)[20:]
            assert np.abs(shown - moment).mean() < 6


def _combs(survey: Survey, path: str) -> float:
    grey = np.asarray(Image.open(survey.frame_path(path)).convert("L")).astype(np.int16)[20:]
    return comb_ratio(grey - 100, grey)[1]  # everything counts as moving


def test_a_scene_is_taken_once_until_something_new_comes_into_view(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def picture(number: int) -> Pixels:
        pixels = np.repeat(_smooth(0), 2, axis=0)[:200].astype(int)
        pixels += rng.normal(0, 4, pixels.shape).astype(int)
        if number >= 75:  # an animal
            pixels[80:140, 60:120] = 20 + 60 * (np.indices((60, 60)).sum(0) // 6 % 2)[..., None]
        return np.clip(pixels, 0, 255).astype(np.uint8)

    video = write_video(tmp_path / "a.mp4", 150, picture_of=picture)
    survey = new_survey(tmp_path)
    added = add_frames(survey, [video], every="scene").videos[0]
    assert rows_of(survey)["video_frame"].tolist() == [0, 75]
    assert (added.sampled, added.new, added.skipped) == (12, 2, 10)
    again = add_frames(survey, [video], every="scene")
    assert (again.new, again.known) == (0, 2)


START = datetime(2024, 1, 31, 10, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "created", "options", "expected", "source"),
    [
        ("a.mp4", "2024-01-31T10:15:30.000000Z", {}, START, "container"),
        ("HD1_20240131_101530.mp4", None, {}, START, "name"),
        ("2024-01-31T10-15-30Z.mkv", None, {}, START, "name"),
        ("2024_01_31_10-15-30.mp4", None, {}, START, "name"),
        ("20240131_101530_part2.mp4", None, {}, None, ""),
        ("20240131_101530_part2.mp4", None, {"time_from": "name"}, START, "name"),
        ("d310124-101530.mp4", None, {"time_from": "%d%m%y-%H%M%S"}, START, "name"),
        (
            "20240131_121530.mp4",
            None,
            {"utc_offset": "+02:00"},
            START,
            "name",
        ),
        (
            "20240131_101530.mp4",
            "2024-01-31T08:15:30.000000Z",
            {},
            START - timedelta(hours=2),
            "container",
        ),
        (
            "20240131_101530.mp4",
            "2024-01-31T08:15:30.000000Z",
            {"time_from": "name"},
            START,
            "name",
        ),
        ("a.mp4", "1970-01-01T00:00:00.000000Z", {}, None, ""),
        ("a.mp4", None, {}, None, ""),
    ],
)
def test_the_start_of_a_video_is_found(
    tmp_path: Path,
    name: str,
    created: str | None,
    options: dict[str, str],
    expected: datetime | None,
    source: str,
) -> None:
    metadata = {} if created is None else {"creation_time": created}
    video = write_video(tmp_path / name, 40, metadata=metadata)
    survey = new_survey(tmp_path)
    added = add_frames(survey, [video], every="13f", **options).videos[0]
    assert (added.time.start, added.time.source) == (expected, source)
    times = survey.frames.read(["index", "time_utc"]).sort_by("index")["time_utc"].to_pylist()
    if expected is None:
        assert times == [None] * 4
    else:
        assert times == [expected + timedelta(milliseconds=520) * n for n in range(4)]
    if created and name.startswith("2024"):
        assert added.time.other.split()[0] == ({"container", "name"} - {source}).pop()
