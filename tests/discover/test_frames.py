import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from classify import images
from discover import frames
from discover.frames import Added, add_frames, find_images, natural_key
from discover.survey import Survey, SurveyError, open_survey


def _picture(seed: int, width: int = 32, height: int = 24) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8))


def _save(path: Path, seed: int, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    _picture(seed).save(path, **options)
    return path


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _survey(tmp_path: Path, name: str = "survey") -> Survey:
    return open_survey(tmp_path / name, create=True)


def _rows(survey: Survey) -> pd.DataFrame:
    table = survey.frames.read().to_pandas()
    return table.sort_values(["dive", "index"]).reset_index(drop=True)


def _ids(survey: Survey) -> dict[str, tuple[str, int]]:
    return {r.path: (r.frame_id, r.index) for r in _rows(survey).itertuples(index=False)}


def test_nested_folders_are_added_in_natural_order(tmp_path: Path) -> None:
    footage = tmp_path / "footage"
    for seed, name in enumerate(["10.jpg", "2.jpg", "1.PNG", "deeper/2/4.jpg", ".hidden.jpg"]):
        _save(footage / "dive1" / name, seed)
    (footage / "dive1" / "notes.txt").write_text("not a picture")
    survey = _survey(tmp_path)
    assert add_frames(survey, [footage]) == Added(new=4)
    rows = _rows(survey)
    named = [(r.dive, r.index, Path(r.path).name) for r in rows.itertuples()]
    assert named == [
        ("2", 0, "4.jpg"),
        ("dive1", 0, "1.PNG"),
        ("dive1", 1, "2.jpg"),
        ("dive1", 2, "10.jpg"),
    ]
    assert rows["frame_id"].is_unique
    assert survey.count_frames() == 4


@given(st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_numbers_in_names_sort_as_numbers(numbers: list[int]) -> None:
    paths = [Path(f"/d/frame{n}.jpg") for n in numbers]
    ordered = sorted(paths, key=natural_key)
    assert ordered == [Path(f"/d/frame{n}.jpg") for n in sorted(numbers)]


def test_files_may_be_given_one_by_one_and_twice(tmp_path: Path) -> None:
    file = _save(tmp_path / "d" / "a.jpg", 0)
    assert find_images([file, tmp_path / "d", file]) == [file.resolve()]


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    survey = _survey(tmp_path)
    with pytest.raises(SurveyError, match=r"PATH .*gone does not exist"):
        add_frames(survey, [tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SurveyError, match=r"no image found in .*empty: looked for .*\.jpg"):
        add_frames(survey, [tmp_path / "empty"])


def test_a_path_inside_the_survey_is_kept_relative_and_moves_with_it(tmp_path: Path) -> None:
    survey = _survey(tmp_path)
    _save(survey.root / "images" / "d1" / "1.jpg", 0)
    outside = _save(tmp_path / "elsewhere" / "2.jpg", 1)
    add_frames(survey, [survey.root / "images", outside])
    assert set(_rows(survey)["path"]) == {"images/d1/1.jpg", str(outside.resolve())}
    moved = open_survey(survey.root.rename(tmp_path / "moved"))
    assert all(moved.frame_path(path).is_file() for path in _rows(moved)["path"])


def test_dive_from_an_expression(tmp_path: Path) -> None:
    for name in ("2024_SO1_0001.jpg", "2024_SO2_0001.jpg", "2024_SO2_0002.jpg", "other.jpg"):
        _save(tmp_path / "f" / name, len(name))
    survey = _survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"], dive_from=r"(SO\d+)")
    assert added.new == 3
    assert _rows(survey).groupby("dive").size().to_dict() == {"SO1": 1, "SO2": 2}
    [(file, reason)] = added.rejected
    assert file.name == "other.jpg"
    assert reason.startswith("other.jpg: --dive-from")


def test_dive_from_a_csv_of_names_or_paths(tmp_path: Path) -> None:
    first, second, third = (_save(tmp_path / "f" / f"{n}.jpg", n) for n in range(3))
    listed = tmp_path / "dives.csv"
    listed.write_text(f"image,dive\n{first.name},north\n{second.resolve()},0071\n")
    survey = _survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"], dive_from=str(listed))
    assert _rows(survey)["dive"].tolist() == ["0071", "north"]
    assert added.rejected == [(third.resolve(), f"2.jpg: not in --dive-from {listed}")]


@pytest.mark.parametrize(
    ("rule", "content", "message"),
    [
        ("(dive", None, "is no regular expression"),
        (r"dive\d+", None, r"needs a group that is the dive"),
        ("gone.csv", None, r"--dive-from .*gone\.csv.*No such file"),
        ("empty.csv", "", r"--dive-from .*empty\.csv: "),
        ("odd.csv", "image,video\na.jpg,1\n", "has no column 'dive'"),
    ],
)
def test_a_wrong_dive_rule_is_explained(
    tmp_path: Path, rule: str, content: str | None, message: str
) -> None:
    _save(tmp_path / "f" / "a.jpg", 0)
    if rule.endswith(".csv"):
        if content is not None:
            (tmp_path / rule).write_text(content)
        rule = str(tmp_path / rule)
    survey = _survey(tmp_path)
    with pytest.raises(SurveyError, match=message):
        add_frames(survey, [tmp_path / "f"], dive_from=rule)
    assert survey.count_frames() == 0


def _exif(**more: object) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    for name, value in more.items():
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base[name]] = value
    return exif


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ({"SubsecTimeOriginal": "25"}, datetime(2024, 5, 6, 7, 8, 9, 250_000, tzinfo=UTC)),
        ({"OffsetTimeOriginal": "+02:00"}, datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC)),
        (
            {"SubsecTimeOriginal": "007", "OffsetTimeOriginal": "-09:30"},
            datetime(2024, 5, 6, 16, 38, 9, 7000, tzinfo=UTC),
        ),
        ({"OffsetTimeOriginal": "??"}, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ({"DateTimeOriginal": "0000:00:00 00:00:00"}, None),
    ],
)
def test_exif_time_is_kept_in_utc(
    tmp_path: Path, more: dict[str, str], expected: datetime | None
) -> None:
    _save(tmp_path / "f" / "a.jpg", 0, exif=_exif(**more))
    survey = _survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    assert survey.frames.read()["time_utc"].to_pylist() == [expected]


@pytest.mark.parametrize(("south", "west"), [("N", "E"), ("S", "W")])
def test_exif_position_is_kept_in_degrees(tmp_path: Path, south: str, west: str) -> None:
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = south, west
    gps[ExifTags.GPS.GPSLatitude] = (10.0, 30.0, 36.0)
    gps[ExifTags.GPS.GPSLongitude] = (120.0, 15.0, 0.0)
    _save(tmp_path / "f" / "a.jpg", 0, exif=exif)
    _save(tmp_path / "f" / "b.jpg", 1)
    survey = _survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    rows = survey.frames.read(["lat", "lon"]).to_pylist()
    sign = 1 if south == "N" else -1
    assert rows[0]["lat"] == pytest.approx(sign * 10.51)
    assert rows[0]["lon"] == pytest.approx(sign * 120.25)
    assert rows[1] == {"lat": None, "lon": None}


def _png_declaring(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_bad_files_are_reported_and_good_ones_beside_them_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    upright = _picture(1, 200, 150)
    whole = _bytes(upright, "JPEG")
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16))
    good = {
        "plain.jpg": (whole, 200, 150),
        "cmyk.jpg": (_bytes(_picture(2).convert("CMYK"), "JPEG"), 32, 24),
        "deep.png": (_bytes(deep, "PNG"), 40, 30),
        "grey.jpg": (_bytes(_picture(3).convert("L"), "JPEG"), 32, 24),
        "alpha.png": (_bytes(_picture(4).convert("RGBA"), "PNG"), 32, 24),
        "turned.jpg": (_bytes(upright, "JPEG", exif=turned), 150, 200),
        "odd_metadata.jpg": (_bytes(_picture(5), "JPEG", exif=b"Exif\0\0broken"), 32, 24),
        "one_pixel.png": (_bytes(_picture(6, 1, 1), "PNG"), 1, 1),
        "strip.png": (_bytes(_picture(7, 900, 2), "PNG"), 900, 2),
    }
    bad = {
        "truncated.jpg": (whole[: len(whole) // 2], "truncated or damaged"),
        "text.jpg": (b"dive log, 3 May", "not an image"),
        "zero.jpg": (b"", "the file is empty"),
        "noise.png": (np.random.default_rng(0).bytes(5000), "not an image"),
        "bomb.png": (_png_declaring(60_000, 60_000), "60000 x 60000 is more than 300 megapixels"),
    }
    for name, (data, *_) in {**good, **bad}.items():
        (folder / name).write_bytes(data)
    survey = _survey(tmp_path)
    steps: list[tuple[int, int]] = []
    added = add_frames(survey, [folder], progress=lambda done, total: steps.append((done, total)))
    assert added.new == len(good)
    assert {file.name for file, _ in added.rejected} == set(bad)
    for file, reason in added.rejected:
        assert reason.startswith(f"{file.name}: {bad[file.name][1]}")
        assert "\n" not in reason
    read = {Path(r.path).name: (r.width, r.height) for r in _rows(survey).itertuples()}
    assert read == {name: (width, height) for name, (_, width, height) in good.items()}
    assert steps == [(n + 1, len(good) + len(bad)) for n in range(len(good) + len(bad))]
    assert np.isfinite(_rows(survey)[["sharpness", "brightness"]].to_numpy()).all()


def test_more_pixels_than_allowed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "f" / "a.png", 0)
    (tmp_path / "f" / "b.png").write_bytes(_bytes(_picture(1, 300, 300), "PNG"))
    monkeypatch.setattr(images, "MAX_PIXELS", 10_000)
    added = add_frames(_survey(tmp_path), [tmp_path / "f"])
    assert added.new == 1
    assert [file.name for file, _ in added.rejected] == ["b.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_without_permission_is_reported(tmp_path: Path) -> None:
    _save(tmp_path / "f" / "a.jpg", 0)
    _save(tmp_path / "f" / "b.jpg", 1).chmod(0)
    added = add_frames(_survey(tmp_path), [tmp_path / "f"])
    assert added.new == 1
    assert added.rejected[0][1] == "b.jpg: Permission denied"


def test_a_link_that_leads_nowhere_does_not_stop_the_run(tmp_path: Path) -> None:
    _save(tmp_path / "f" / "a.jpg", 0)
    (tmp_path / "f" / "b.jpg").symlink_to(tmp_path / "gone.jpg")
    assert add_frames(_survey(tmp_path), [tmp_path / "f"]).new == 1


def test_a_sharp_bright_frame_measures_sharper_and_brighter(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    Image.new("RGB", (320, 240), (20, 20, 20)).save(folder / "dark.png")
    Image.fromarray(np.kron(_picture(0), np.ones((10, 10, 1), np.uint8))).save(folder / "noisy.png")
    survey = _survey(tmp_path)
    add_frames(survey, [folder])
    dark, noisy = _rows(survey).itertuples()
    assert dark.sharpness == 0
    assert dark.brightness == pytest.approx(20, abs=0.5)
    assert noisy.sharpness > 100
    assert 100 < noisy.brightness < 150


def test_the_same_input_twice_adds_nothing(tmp_path: Path) -> None:
    for n in range(5):
        _save(tmp_path / "f" / "d" / f"{n}.jpg", n)
    survey = _survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = {p.name: p.stat().st_mtime_ns for p in survey.frames.files()}
    assert add_frames(survey, [tmp_path / "f"]) == Added(known=5)
    assert {p.name: p.stat().st_mtime_ns for p in survey.frames.files()} == before


@pytest.mark.parametrize("seed", range(4))
def test_a_file_that_changed_is_one_more_frame_once(tmp_path: Path, seed: int) -> None:
    file = _save(tmp_path / "f" / "a.png", seed)
    survey = _survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = _ids(survey)[str(file.resolve())]
    _save(file, seed + 100)
    assert add_frames(survey, [tmp_path / "f"]) == Added(new=1)
    assert add_frames(survey, [tmp_path / "f"]) == Added(known=1)
    rows = _rows(survey)
    assert (rows["frame_id"][0], rows["index"][0]) == before
    assert rows["index"].tolist() == [0, 1]


def test_equal_files_are_frames_of_their_own(tmp_path: Path) -> None:
    for name in ("d1/a.jpg", "d2/a.jpg", "d2/b.jpg"):
        _save(tmp_path / "f" / name, 0)
    survey = _survey(tmp_path)
    assert add_frames(survey, [tmp_path / "f"]).new == 3
    rows = _rows(survey)
    assert rows["sha256"].nunique() == 1
    assert rows["frame_id"].nunique() == 3
    assert add_frames(survey, [tmp_path / "f"]).known == 3


def test_frames_added_later_leave_the_known_ones_alone(tmp_path: Path) -> None:
    folder = tmp_path / "f" / "d"
    for n in (2, 4, 6):
        _save(folder / f"{n}.jpg", n)
    survey = _survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = _ids(survey)
    for n in (1, 3, 5, 7, 8):
        _save(folder / f"{n}.jpg", n)
    assert add_frames(survey, [tmp_path / "f"]) == Added(new=5, known=3)
    after = _ids(survey)
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
            _save(tmp_path / part / "d1" / f"{part}{n}.jpg", ord(part) + n)
    survey = _survey(tmp_path)
    for part in order:
        add_frames(survey, [tmp_path / part])
    first = _ids(survey)
    assert sorted(index for _, index in first.values()) == list(range(6))
    assert add_frames(survey, [tmp_path / "a", tmp_path / "b"]) == Added(known=6)
    assert _ids(survey) == first


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
        for n in range(200):
            _save(footage / f"dive{dive}" / f"{n}.jpg", 1000 * dive + n)
    (footage / "dive0" / "55.jpg").write_bytes(b"damaged")
    whole = _survey(tmp_path, "whole")
    add_frames(whole, [footage])
    survey = _survey(tmp_path, "killed")
    process = subprocess.Popen([sys.executable, "-c", _ADD, str(footage), str(survey.root)])
    deadline = time.monotonic() + 60
    while len(survey.frames.files()) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL  # it was still at work
    kept = survey.count_frames()
    assert 0 < kept < 399
    added = add_frames(survey, [footage])
    assert (added.new, added.known, len(added.rejected)) == (399 - kept, kept, 1)
    pd.testing.assert_frame_equal(_rows(survey), _rows(whole))


def test_a_damaged_shard_is_set_aside_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "CHUNK", 4)
    for n in range(12):
        _save(tmp_path / "f" / f"{n}.jpg", n)
    survey = _survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = _rows(survey)
    shards = survey.frames.files()
    assert len(shards) == 3
    shards[1].write_bytes(shards[1].read_bytes()[:200])
    assert add_frames(survey, [tmp_path / "f"]) == Added(new=4, known=8)
    pd.testing.assert_frame_equal(_rows(survey), before)
    assert [p.name for p in survey.root.rglob("*.damaged")] == [shards[1].stem + ".damaged"]
