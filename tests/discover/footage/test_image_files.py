import os
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from classify import images
from discover.footage.image_files import find_files, natural_key
from discover.frames import add_frames
from discover.survey import SurveyError
from tests.discover.footage.made import encoded, new_survey, picture, rows_of, save


@given(st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_numbers_in_names_sort_as_numbers(numbers: list[int]) -> None:
    paths = [Path(f"/d/frame{n}.jpg") for n in numbers]
    ordered = sorted(paths, key=natural_key)
    assert ordered == [Path(f"/d/frame{n}.jpg") for n in sorted(numbers)]


def test_files_may_be_given_one_by_one_and_twice(tmp_path: Path) -> None:
    file = save(tmp_path / "d" / "a.jpg", 0)
    assert find_files([file, tmp_path / "d", file]) == [file.resolve()]


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    survey = new_survey(tmp_path)
    with pytest.raises(SurveyError, match=r"PATH .*gone does not exist"):
        add_frames(survey, [tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SurveyError, match=r"no image or video found in .*empty"):
        add_frames(survey, [tmp_path / "empty"])


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
    save(tmp_path / "f" / "a.jpg", 0, exif=_exif(**more))
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    assert survey.frames.read()["time_utc"].to_pylist() == [expected]


@pytest.mark.parametrize(("south", "west"), [("N", "E"), ("S", "W")])
def test_exif_position_is_kept_in_degrees(tmp_path: Path, south: str, west: str) -> None:
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = south, west
    gps[ExifTags.GPS.GPSLatitude] = (10.0, 30.0, 36.0)
    gps[ExifTags.GPS.GPSLongitude] = (120.0, 15.0, 0.0)
    save(tmp_path / "f" / "a.jpg", 0, exif=exif)
    save(tmp_path / "f" / "b.jpg", 1)
    survey = new_survey(tmp_path)
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
    upright = picture(1, 200, 150)
    whole = encoded(upright, "JPEG")
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16))
    good = {
        "plain.jpg": (whole, 200, 150),
        "cmyk.jpg": (encoded(picture(2).convert("CMYK"), "JPEG"), 32, 24),
        "deep.png": (encoded(deep, "PNG"), 40, 30),
        "grey.jpg": (encoded(picture(3).convert("L"), "JPEG"), 32, 24),
        "alpha.png": (encoded(picture(4).convert("RGBA"), "PNG"), 32, 24),
        "turned.jpg": (encoded(upright, "JPEG", exif=turned), 150, 200),
        "odd_metadata.jpg": (encoded(picture(5), "JPEG", exif=b"Exif\0\0broken"), 32, 24),
        "one_pixel.png": (encoded(picture(6, 1, 1), "PNG"), 1, 1),
        "strip.png": (encoded(picture(7, 90, 2), "PNG"), 90, 2),
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
    survey = new_survey(tmp_path)
    steps: list[tuple[int, int]] = []
    added = add_frames(survey, [folder], progress=lambda done, total: steps.append((done, total)))
    assert added.new == len(good)
    assert {file.name for file, _ in added.rejected} == set(bad)
    for file, reason in added.rejected:
        assert reason.startswith(f"{file.name}: {bad[file.name][1]}")
        assert "\n" not in reason
    read = {Path(r.path).name: (r.width, r.height) for r in rows_of(survey).itertuples()}
    assert read == {name: (width, height) for name, (_, width, height) in good.items()}
    assert steps == [(n + 1, len(good) + len(bad)) for n in range(len(good) + len(bad))]
    assert np.isfinite(rows_of(survey)[["sharpness", "brightness"]].to_numpy()).all()


def test_more_pixels_than_allowed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "f" / "a.png", 0)
    (tmp_path / "f" / "b.png").write_bytes(encoded(picture(1, 300, 300), "PNG"))
    monkeypatch.setattr(images, "MAX_PIXELS", 10_000)
    added = add_frames(new_survey(tmp_path), [tmp_path / "f"])
    assert added.new == 1
    assert [file.name for file, _ in added.rejected] == ["b.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_file_without_permission_is_reported(tmp_path: Path) -> None:
    save(tmp_path / "f" / "a.jpg", 0)
    save(tmp_path / "f" / "b.jpg", 1).chmod(0)
    added = add_frames(new_survey(tmp_path), [tmp_path / "f"])
    assert added.new == 1
    assert added.rejected[0][1] == "b.jpg: Permission denied"


def test_a_link_that_leads_nowhere_does_not_stop_the_run(tmp_path: Path) -> None:
    save(tmp_path / "f" / "a.jpg", 0)
    (tmp_path / "f" / "b.jpg").symlink_to(tmp_path / "gone.jpg")
    assert add_frames(new_survey(tmp_path), [tmp_path / "f"]).new == 1


def test_a_sharp_bright_frame_measures_sharper_and_brighter(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    Image.new("RGB", (320, 240), (20, 20, 20)).save(folder / "dark.png")
    Image.fromarray(np.kron(picture(0), np.ones((10, 10, 1), np.uint8))).save(folder / "noisy.png")
    survey = new_survey(tmp_path)
    add_frames(survey, [folder])
    dark, noisy = rows_of(survey).itertuples()
    assert dark.sharpness == 0
    assert dark.brightness == pytest.approx(20, abs=0.5)
    assert noisy.sharpness > 100
    assert 100 < noisy.brightness < 150
