from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from discover.footage.times import NameTimes, clock_time, parse_offset, parse_time
from discover.frames import add_frames
from discover.survey import SurveyError
from tests.discover.footage.made import new_survey, rows_of, save

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(
    lambda t: t.replace(microsecond=0, tzinfo=UTC)
)
FORMS = ["%Y%m%d_%H%M%S", "%Y-%m-%dT%H-%M-%SZ", "%Y_%m_%d_%H-%M-%S", "%Y%m%d%H%M%S"]


@given(MOMENTS, st.sampled_from(FORMS), st.sampled_from(["", "HD1_", "dive 7 ", "GOPR0012-"]))
def test_stamps_in_names_are_read(moment: datetime, form: str, prefix: str) -> None:
    file = Path(f"{prefix}{moment.strftime(form)}.mp4")
    assert NameTimes()(file) == NameTimes("name")(file) == moment


@given(MOMENTS, st.timedeltas(timedelta(hours=-12), timedelta(hours=12)))
def test_a_time_is_the_same_in_every_zone(moment: datetime, offset: timedelta) -> None:
    zone = timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    local = moment.astimezone(zone)
    assert parse_time(local.isoformat()) == moment
    assert parse_time(local.strftime("%Y:%m:%d %H:%M:%S"), zone) == moment
    assert parse_time(f"{moment.timestamp():.1f}") == moment


@pytest.mark.parametrize(
    "name",
    [
        "frame_000123",
        "20240131",
        "20240231_101530",  # no such day
        "20240131_251530",  # no such hour
        "20240131_101530_000123",  # a stamp of the video, not of its frame 123
        "20240131_101530_20240131_111530",
        "120240131_1015300",
    ],
)
def test_what_may_be_no_time_is_not_read_unasked(name: str) -> None:
    assert NameTimes()(Path(f"{name}.jpg")) is None


@pytest.mark.parametrize("text", ["2024-01-31", "31/01/2024 10:15", "noon", "", "12"])
def test_what_is_no_point_in_time_is_none(text: str) -> None:
    assert parse_time(text) is None


def test_a_clock_that_was_never_set_says_nothing() -> None:
    assert clock_time("1904-01-01T00:00:00.000000Z") is None
    assert clock_time(None) is None
    assert clock_time("2024-01-31T10:15:30.000000Z") == datetime(
        2024, 1, 31, 10, 15, 30, tzinfo=UTC
    )


@pytest.mark.parametrize("rule", ["%Y", "%Y%m%d", "%H%M%S", "%Y%m%d_%H%M%Q", "(?P<year>....)"])
def test_a_format_without_a_whole_time_is_refused(rule: str) -> None:
    with pytest.raises(SurveyError, match=r"--time-from .*; write auto, name, or a format"):
        NameTimes(rule)


@pytest.mark.parametrize("offset", ["2", "+2", "+25:00", "UTC", "+02:75"])
def test_an_offset_that_is_none_is_refused(offset: str) -> None:
    with pytest.raises(SurveyError, match=r"--utc-offset .* write it as \+02:00"):
        parse_offset(offset)


@pytest.mark.parametrize(
    ("options", "hours"), [({}, [7, 8, None]), ({"time_from": "name"}, [7, 8, 9])]
)
def test_exif_comes_before_the_name_of_an_image(
    tmp_path: Path, options: dict[str, str], hours: list[int | None]
) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:00:00"
    save(tmp_path / "f" / "a_20240506_060000.jpg", 0, exif=exif)
    save(tmp_path / "f" / "b_20240506_080000.jpg", 1)
    save(tmp_path / "f" / "c_20240506_090000_0001.jpg", 2)
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"], **options)
    times = [None if t != t else t.hour for t in rows_of(survey)["time_utc"]]
    assert times == hours


def test_the_offset_is_that_of_cameras_alone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:00:00"
    save(tmp_path / "f" / "a.jpg", 0, exif=exif)
    save(tmp_path / "f" / "b.jpg", 1)
    (tmp_path / "m.csv").write_text("filename,taken_at\nb.jpg,2024-05-06 07:00:00\n")
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"], utc_offset="-03:00", metadata=tmp_path / "m.csv")
    assert [t.hour for t in rows_of(survey)["time_utc"]] == [10, 7]
