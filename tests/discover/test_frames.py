import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from discover import frames
from discover.frames import Added, add_frames
from discover.survey import open_survey
from tests.discover.footage.made import ids_of, new_survey, rows_of, save


def test_nested_folders_are_added_in_natural_order(tmp_path: Path) -> None:
    footage = tmp_path / "footage"
    for seed, name in enumerate(["10.jpg", "2.jpg", "1.PNG", "deeper/2/4.jpg", ".hidden.jpg"]):
        save(footage / "dive1" / name, seed)
    (footage / "dive1" / "notes.txt").write_text("not a picture")
    survey = new_survey(tmp_path)
    assert add_frames(survey, [footage]) == Added(new=4)
    rows = rows_of(survey)
    named = [(r.dive, r.index, Path(r.path).name) for r in rows.itertuples()]
    assert named == [
        ("2", 0, "4.jpg"),
        ("dive1", 0, "1.PNG"),
        ("dive1", 1, "2.jpg"),
        ("dive1", 2, "10.jpg"),
    ]
    assert rows["frame_id"].is_unique
    assert survey.count_frames() == 4


def test_a_path_inside_the_survey_is_kept_relative_and_moves_with_it(tmp_path: Path) -> None:
    survey = new_survey(tmp_path)
    save(survey.root / "images" / "d1" / "1.jpg", 0)
    outside = save(tmp_path / "elsewhere" / "2.jpg", 1)
    add_frames(survey, [survey.root / "images", outside])
    assert set(rows_of(survey)["path"]) == {"images/d1/1.jpg", str(outside.resolve())}
    moved = open_survey(survey.root.rename(tmp_path / "moved"))
    assert all(moved.frame_path(path).is_file() for path in rows_of(moved)["path"])


def test_the_same_input_twice_adds_nothing(tmp_path: Path) -> None:
    for n in range(5):
        save(tmp_path / "f" / "d" / f"{n}.jpg", n)
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = {p.name: p.stat().st_mtime_ns for p in survey.frames.files()}
    assert add_frames(survey, [tmp_path / "f"]) == Added(known=5)
    assert {p.name: p.stat().st_mtime_ns for p in survey.frames.files()} == before


@pytest.mark.parametrize("seed", range(4))
def test_a_file_that_changed_is_one_more_frame_once(tmp_path: Path, seed: int) -> None:
    file = save(tmp_path / "f" / "a.png", seed)
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = ids_of(survey)[str(file.resolve())]
    save(file, seed + 100)
    assert add_frames(survey, [tmp_path / "f"]) == Added(new=1)
    assert add_frames(survey, [tmp_path / "f"]) == Added(known=1)
    rows = rows_of(survey)
    assert (rows["frame_id"][0], rows["index"][0]) == before
    assert rows["index"].tolist() == [0, 1]


def test_equal_files_are_frames_of_their_own(tmp_path: Path) -> None:
    for name in ("d1/a.jpg", "d2/a.jpg", "d2/b.jpg"):
        save(tmp_path / "f" / name, 0)
    survey = new_survey(tmp_path)
    assert add_frames(survey, [tmp_path / "f"]).new == 3
    rows = rows_of(survey)
    assert rows["sha256"].nunique() == 1
    assert rows["frame_id"].nunique() == 3
    assert add_frames(survey, [tmp_path / "f"]).known == 3


def test_frames_added_later_leave_the_known_ones_alone(tmp_path: Path) -> None:
    folder = tmp_path / "f" / "d"
    for n in (2, 4, 6):
        save(folder / f"{n}.jpg", n)
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = ids_of(survey)
    for n in (1, 3, 5, 7, 8):
        save(folder / f"{n}.jpg", n)
    assert add_frames(survey, [tmp_path / "f"]) == Added(new=5, known=3)
    after = ids_of(survey)
    assert {path: after[path] for path in before} == before
    assert len({i for i, _ in after.values()}) == 8
    assert len({index for _, index in after.values()}) == 8
    assert add_frames(survey, [tmp_path / "f"]) == Added(known=8)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_folders_of_one_dive_may_be_added_one_after_the_other(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    for part in "ab":
        for n in range(3):
            save(tmp_path / part / "d1" / f"{part}{n}.jpg", ord(part) + n)
    survey = new_survey(tmp_path)
    for part in order:
        add_frames(survey, [tmp_path / part])
    first = ids_of(survey)
    assert sorted(index for _, index in first.values()) == list(range(6))
    assert add_frames(survey, [tmp_path / "a", tmp_path / "b"]) == Added(known=6)
    assert ids_of(survey) == first


_ADD = """
import sys
from discover import frames
from discover.survey import open_survey
frames.CHUNK = 8
frames.add_frames(open_survey(sys.argv[2], create=True), [sys.argv[1]])
"""


def test_a_killed_run_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    footage = tmp_path / "footage"
    for dive in range(2):
        for n in range(100):
            save(footage / f"dive{dive}" / f"{n}.jpg", 1000 * dive + n)
    (footage / "dive0" / "55.jpg").write_bytes(b"damaged")
    whole = new_survey(tmp_path, "whole")
    add_frames(whole, [footage])
    survey = new_survey(tmp_path, "killed")
    process = subprocess.Popen([sys.executable, "-c", _ADD, str(footage), str(survey.root)])
    deadline = time.monotonic() + 60
    while len(survey.frames.files()) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL  # it was still at work
    kept = survey.count_frames()
    assert 0 < kept < 199
    added = add_frames(survey, [footage])
    assert (added.new, added.known, len(added.rejected)) == (199 - kept, kept, 1)
    pd.testing.assert_frame_equal(rows_of(survey), rows_of(whole))


def test_a_damaged_shard_is_set_aside_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "CHUNK", 4)
    for n in range(12):
        save(tmp_path / "f" / f"{n}.jpg", n)
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = rows_of(survey)
    shards = survey.frames.files()
    assert len(shards) == 3
    shards[1].write_bytes(shards[1].read_bytes()[:200])
    assert add_frames(survey, [tmp_path / "f"]) == Added(new=4, known=8)
    pd.testing.assert_frame_equal(rows_of(survey), before)
    assert [p.name for p in survey.root.rglob("*.damaged")] == [shards[1].stem + ".damaged"]
