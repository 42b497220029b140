import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from classify.runs import start_run
from discover import doctor
from discover.checkup import computer, contents, packages, shards
from discover.checkup.finding import Finding
from discover.labels import Labels
from discover.survey import Survey, open_survey
from tests.app.survey_on_disk import EMBED_RUN, RUNS, build


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    made = build(tmp_path / "reef")
    labels = Labels(made.labels_url)
    crops = made.table("crops", EMBED_RUN).read(["crop_id"])["crop_id"].to_pylist()
    for number in range(7):
        labels.name(crops[number::7], f"kind {number}", annotator="mara")
    labels.close()
    return made


def wrong(found: list[Finding]) -> dict[str, Finding]:
    """Return what is not in order, by check; no check says two things here."""
    bad = [finding for finding in found if finding.state != "ok"]
    assert len({finding.check for finding in bad}) == len(bad)
    assert all(finding.remedy for finding in bad)
    return {finding.check: finding for finding in bad}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_sound_survey_is_found_sound_and_left_alone(survey: Survey) -> None:
    before = snapshot(survey.root)
    assert not wrong(doctor.examine_survey(survey, deep=True))
    assert snapshot(survey.root) == before


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def flip(file: Path) -> None:
    """Change the last byte of the first column's pages, which the footer does not tell."""
    column = pq.read_metadata(file).row_group(0).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(file.read_bytes())
    data[start + column.total_compressed_size - 1] ^= 0xFF
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_shard_is_named_and_stays(survey: Survey, damage: Callable[[Path], None]) -> None:
    file = survey.table("crops", EMBED_RUN).files()[1]
    damage(file)
    before = snapshot(survey.root)
    found = wrong(doctor.examine_survey(survey))
    assert list(found) == ["table crops"]
    assert found["table crops"].state == "fault"
    assert f"1 shard is damaged, such as crops/{EMBED_RUN}/b.parquet" in found["table crops"].found
    assert "discover embed" in found["table crops"].remedy
    assert snapshot(survey.root) == before


def test_of_many_shards_the_footers_are_read_and_the_pages_where_asked(
    survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_QUICK", 0)
    flip(survey.table("maps", RUNS["waste"]).files()[0])
    (sound,) = shards.check_shards(survey, deep=False)
    assert sound.state == "ok"
    assert "footers only" in sound.found
    assert "table maps" in wrong(shards.check_shards(survey, deep=True))
    cut(survey.table("crops", EMBED_RUN).files()[0])
    assert list(wrong(shards.check_shards(survey, deep=False))) == ["table crops"]


def test_what_was_set_aside_is_told_until_it_is_removed(survey: Survey) -> None:
    table = survey.table("crops", EMBED_RUN)
    cut(table.files()[0])
    table.set_aside_damaged()
    found = wrong(doctor.examine_survey(survey))
    assert found["tables"].state == "warning"
    assert "a.damaged" in found["tables"].found
    table.write("a", table.read())
    _, aside = shards.check_shards(survey, deep=True)
    assert aside.state == "ok"
    assert "may be removed" in aside.found


def test_missing_frames_are_counted(survey: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(survey.frames.read(["path"])["path"][3])
    survey.frame_path(path).unlink()
    missing = wrong(doctor.examine_survey(survey))["frames"]
    assert (missing.state, missing.found) == ("fault", f"missing: 1 of 60 files, such as {path}")
    monkeypatch.setattr(contents, "_SAMPLE", 8)
    assert "of them looked for" in contents.check_frames(build(survey.root / "b"), deep=False).found
    assert contents.check_frames(survey, deep=True) == missing


def test_frames_are_looked_for_beside_a_damaged_shard(survey: Survey) -> None:
    rows = survey.frames.read()
    survey.frames.write("more", rows.slice(0, 5))
    cut(survey.frames.folder / "all.parquet")
    assert list(wrong(doctor.examine_survey(survey))) == ["table frames"]
    assert contents.check_frames(survey, deep=True).found == "5 files, all there"


def overwrite(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def spoil_pages(file: Path) -> None:
    """Put other bytes in the place of some pages in the middle: the file still opens."""
    data = bytearray(file.read_bytes())
    half = len(data) // 2 // 4096 * 4096
    data[half : half + 8192] = b"\x0d" + b"\xff" * 8191
    file.write_bytes(data)
    with sqlite3.connect(file) as connection:
        assert connection.execute("select count(*) from sqlite_master").fetchone()[0]


@pytest.mark.parametrize("damage", [overwrite, spoil_pages])
def test_damaged_labels_are_found(survey: Survey, damage: Callable[[Path], None]) -> None:
    damage(survey.root / "labels.sqlite")
    found = wrong(doctor.examine_survey(survey))
    assert found["labels"].state == "fault"
    assert "labels.sqlite is damaged" in found["labels"].found


def test_labels_in_use_are_read_with_what_is_not_yet_in_the_file(survey: Survey) -> None:
    labels = Labels(survey.labels_url)
    labels.name(["c1"], "can", annotator="mara")
    assert (survey.root / "labels.sqlite-wal").exists()
    assert contents.check_labels(survey).state == "ok"
    labels.close()


def test_labels_where_they_cannot_be_kept(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(contents, "network_drive", lambda _: "nfs4")
        assert "network drive (nfs4)" in contents.check_labels(survey).found
    for url in ("mysql://ana:secret@server/atoll", "nonsense"):
        monkeypatch.setenv("DISCOVER_LABELS_URL", url)
        finding = contents.check_labels(survey)
        assert finding.state == "fault"
        assert "secret" not in finding.found
        assert "DISCOVER_LABELS_URL" in finding.remedy
    monkeypatch.delenv("DISCOVER_LABELS_URL")
    new = open_survey(tmp_path / "new", create=True)
    assert contents.check_labels(new).found == "nothing was decided yet"
    assert not (new.root / "labels.sqlite").exists()


def test_a_half_run_is_a_warning_with_its_command(survey: Survey) -> None:
    start_run(survey.run_folder("bursts", "b-1"), command="discover bursts", config={})
    found = wrong(doctor.examine_survey(survey))
    assert list(found) == ["runs"]
    assert found["runs"].state == "warning"
    assert "bursts/b-1 was started and is not finished" in found["runs"].found
    assert "discover bursts" in found["runs"].remedy


@pytest.mark.parametrize("all_of_it", [True, False])
def test_clusters_whose_vectors_are_gone_are_named(survey: Survey, all_of_it: bool) -> None:
    folder = survey.run_folder("embeddings", EMBED_RUN)
    if all_of_it:
        os.rename(folder, survey.root.parent / "elsewhere")
    else:
        (folder / "all.parquet").unlink()
    found = [f for f in doctor.examine_survey(survey) if f.state == "fault"]
    told = [f"clusters/{run} was made from embeddings/{EMBED_RUN}" for run in RUNS.values()]
    assert sorted(f.found.split(",")[0] for f in found) == sorted(told)


def test_what_was_made_from_crops_that_are_gone_is_named(survey: Survey) -> None:
    os.rename(survey.run_folder("crops", EMBED_RUN), survey.root.parent / "elsewhere")
    found = [f for f in doctor.examine_survey(survey) if f.state == "fault"]
    assert len(found) == len(RUNS) + 1
    assert all(f"was made from crops/{EMBED_RUN}, which is gone" in f.found for f in found)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_run_hides_no_other(survey: Survey, text: str) -> None:
    (survey.run_folder("clusters", RUNS["waste"]) / "run.json").write_text(text)
    found = wrong(doctor.examine_survey(survey))
    assert list(found) == ["runs"]
    assert f"clusters/{RUNS['waste']}/run.json is damaged" in found["runs"].found


def test_settings_that_do_not_read_are_one_fault(survey: Survey) -> None:
    (survey.root / "survey.toml").write_bytes(b"[cluster]\nmin_size = \xff")
    found = wrong(doctor.examine_survey(survey))
    assert list(found) == ["settings"]
    (survey.root / "survey.toml").write_text("[cluster\n")
    assert "line 1" in wrong(doctor.examine_survey(survey))["settings"].found


def test_an_empty_survey_says_how_to_begin(tmp_path: Path) -> None:
    found = wrong(doctor.examine_survey(open_survey(tmp_path / "new", create=True)))
    assert found["frames"].remedy == "discover add FOLDER"


def test_a_large_cache_is_told(survey: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    (survey.cache / "thumbnails").mkdir(parents=True)
    (survey.cache / "thumbnails" / "a.jpg").write_bytes(bytes(3000))
    assert contents.check_cache(survey).found.startswith("3 kB")
    monkeypatch.setattr(contents, "_LARGE_CACHE", 2000)
    assert contents.check_cache(survey).state == "warning"


def test_packages_that_are_missing_or_old_are_named() -> None:
    assert packages.check_packages()[0].state == "ok"
    needed = ["numpy>=99", "no-such-thing>=1", "pytest>=1", 'neither>=2; extra == "video"']
    old, missing = packages.check_packages(needed)
    assert (old.state, missing.state) == ("fault", "fault")
    assert old.found.endswith("is not >=99")
    assert old.remedy == "pip install 'numpy>=99'"
    assert missing.found == "no-such-thing>=1 is not installed"


def test_an_extra_that_is_too_old_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        packages, "_own", lambda: ['pytest>=99; extra == "video"', 'no-such-thing; extra == "ray"']
    )
    warning, extras = packages.check_extras()
    assert (warning.check, warning.state) == ("extra video", "warning")
    assert warning.remedy == "pip install 'rov-discover[video]'"
    assert "not: ray, video" in extras.found


def test_python_is_compared_with_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.check_python().state == "ok"
    monkeypatch.setattr("platform.python_version", lambda: "3.9.2")
    assert packages.check_python().state == "fault"


def probe(**facts: object) -> tuple[str, ...]:
    sound = {
        "torch": "2.9", "torchvision": "0.24", "device": "cpu", "threads": 4, "onednn": True,
        "bfloat16": False, "weights": "w.pth", "lacking": None,
    }  # fmt: skip
    return sys.executable, "-c", f"print('hello'); print({json.dumps({**sound, **facts})!r})"


def test_torch_that_does_not_fit_is_a_fault_with_its_reason() -> None:
    failing = "raise RuntimeError('operator torchvision::nms does not exist')"
    (finding,) = computer.check_torch((sys.executable, "-c", failing))
    assert finding.state == "fault"
    assert "operator torchvision::nms does not exist" in finding.found
    (finding,) = computer.check_torch((sys.executable, "-c", "import os; os._exit(3)"))
    assert "ended with 3" in finding.found


def test_torch_that_could_do_better_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer, "usable_processors", lambda: 8)
    assert not wrong(computer.check_torch(probe()))
    found = wrong(computer.check_torch(probe(threads=1, onednn=False, lacking="w.pth is missing")))
    assert {check: f.state for check, f in found.items()} == {
        "threads": "warning", "device": "warning", "weights": "fault",
    }  # fmt: skip
    assert "OMP_NUM_THREADS" in found["threads"].remedy
    assert not wrong(computer.check_torch(probe(device="cuda", threads=1)))


def test_little_memory_and_disk_are_told(tmp_path: Path) -> None:
    assert computer.check_memory(None).state == "ok"
    assert computer.check_memory(10**9).state == "warning"
    assert computer.check_memory(10**10).found == "10.0 GB free"
    states = [computer.check_disk(tmp_path / "new", n).state for n in (10**10, 10**9, 10**7)]
    assert states == ["ok", "warning", "fault"]


def test_the_command_ends_with_1_where_there_is_a_fault(survey: Survey) -> None:
    cut(survey.table("embeddings", EMBED_RUN).files()[0])
    (survey.root / "survey.toml").write_text("[cluster\n")
    code = "from discover.cli import main; main()"
    command = [sys.executable, "-c", code, "doctor", "--json", "--survey", str(survey.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    faults = {row["check"] for row in result["checks"] if row["state"] == "fault"}
    assert {"settings", "table embeddings"} <= faults
    assert result["faults"] == len([r for r in result["checks"] if r["state"] == "fault"])
    torch = next(row for row in result["checks"] if row["check"] == "torch")
    assert torch["state"] == "ok"  # the real one, in a process of its own


def test_the_current_folder_need_not_be_a_survey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "examine_computer", lambda _: [])
    (finding,) = doctor.examine(Path())
    assert finding.state == "ok"
    (finding,) = doctor.examine(Path("nowhere"))
    assert finding.state == "fault"
    assert "nowhere" in finding.found


def test_the_lines_line_up_and_sum_up() -> None:
    sound = Finding("disk", "ok", "12.0 GB free")
    old = Finding("packages", "fault", "numpy 1 is not >=2", "pip install 'numpy>=2'")
    assert doctor.finding_lines([sound])[-1] == "all is well"
    assert doctor.finding_lines([sound, old]) == [
        "ok       disk      12.0 GB free",
        "fault    packages  numpy 1 is not >=2: pip install 'numpy>=2'",
        "1 fault",
    ]
