"""Metadata files and navigation logs reach the frames they belong to, and no others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discover.footage.navigation import Track, read_navigation, track_of
from discover.frames import add_frames
from discover.survey import SurveyError
from tests.discover.footage.made import new_survey, rows_of, save, write_video

START = datetime(2024, 5, 6, 7, 0, 0, tzinfo=UTC)
HEADER = "filename,taken_at,lng,lat,gps_altitude,distance_to_ground,area,yaw\n"


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_biigles_csv_describes_images(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / "f" / f"{n}.jpg", n)
    listed = _write(
        tmp_path / "m.csv",
        HEADER
        + "0.jpg,2024-05-06 07:00:00,-15.5,28.1,-30.5,1.5,2.25,-10\n"
        + '"f/1.jpg",2024-05-06T09:00:01.250+02:00,,,,,,-90\n'
        + "other.jpg,,,,,,,\n",
    )
    survey = new_survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"], metadata=listed)
    first, second, third = rows_of(survey).to_dict("records")
    assert first["time_utc"] == START
    position = [first[n] for n in ("lat", "lon", "depth_m", "altitude_m", "area_m2", "yaw_deg")]
    assert position == [28.1, -15.5, 30.5, 1.5, 2.25, 350]
    assert (second["time_utc"], second["yaw_deg"]) == (_at(1.25), 270)
    assert rows_of(survey)[["lat", "depth_m"]].isna().all(axis=1).tolist() == [False, True, True]
    assert third["time_utc"] != third["time_utc"]  # not a time
    assert added.absent == ["other.jpg"]
    assert added.counts == {"no_metadata": 1}


def test_a_video_in_several_rows_has_a_track(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 125, metadata={"creation_time": "2020-01-01T00:00:00Z"})
    listed = _write(
        tmp_path / "m.csv",
        HEADER
        + "a.mp4,2024-05-06 07:00:04,-15.0,28.4,-14,,,10\n"  # in any order
        + "a.mp4,2024-05-06 07:00:00,-15.4,28.0,-10,2,,350\n",
    )
    survey = new_survey(tmp_path)
    add_frames(survey, [video], metadata=listed)
    rows = rows_of(survey)
    assert rows["time_utc"].tolist() == [_at(n) for n in range(5)]
    assert rows["lat"].tolist() == pytest.approx([28.0, 28.1, 28.2, 28.3, 28.4])
    assert rows["depth_m"].tolist() == pytest.approx([10, 11, 12, 13, 14])
    assert rows["yaw_deg"].tolist() == pytest.approx([350, 355, 0, 5, 10])
    assert rows["altitude_m"].tolist() == [2] * 5  # said once, so it holds throughout


IFDO = {
    "image-set-header": {
        "image-set-name": "SO268",
        "image-area-square-meter": 5,
        "image-altitude-meters": -100,
    },
    "image-set-items": {
        "0.jpg": {
            "image-datetime": "2024-05-06 07:00:00.500000",
            "image-latitude": 11.5,
            "image-longitude": 243.0,
            "image-altitude-meters": -4094.5,
            "image-meters-above-ground": 2,
            "image-camera-yaw-degrees": 20,
        },
        "1.jpg": [{"image-datetime": "2024-05-06 07:00:01.000000", "image-depth": 12.5}],
        "2.jpg": {"image-altitude": -7, "image-area-square-meters": 3},
        "a.mp4": [
            {"image-datetime": "2024-05-06 07:00:10.000000", "image-latitude": 1.0},
            {"image-datetime": "2024-05-06 07:00:12.000000", "image-latitude": 3.0},
        ],
    },
}


def test_ifdo_of_both_versions_describes_images_and_videos(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / "f" / f"{n}.jpg", n)
    write_video(tmp_path / "f" / "a.mp4", 75)
    listed = _write(tmp_path / "ifdo.json", json.dumps(IFDO))
    survey = new_survey(tmp_path)
    assert add_frames(survey, [tmp_path / "f"], metadata=listed).counts == {}
    rows = rows_of(survey)
    images = rows[rows["dive"] == "f"]
    assert images["depth_m"].tolist() == [4094.5, 12.5, 7]
    assert images["area_m2"].tolist() == [5, 5, 3]
    assert images["lon"].tolist()[0] == pytest.approx(-117)
    assert images["altitude_m"].tolist()[0] == 2
    assert images["yaw_deg"].tolist()[0] == 20
    assert images["time_utc"].tolist()[:2] == [_at(0.5), _at(1)]
    video = rows[rows["dive"] == "a"]
    assert video["time_utc"].tolist() == [_at(10), _at(11), _at(12)]
    assert video["lat"].tolist() == [1, 2, 3]
    assert video["depth_m"].tolist() == [100] * 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, r"--metadata .*gone\.csv: No such file"),
        ("m.csv", "image,lat\n0.jpg,1\n", r"row 2 names no file: needs BIIGLE's columns filename"),
        ("m.csv", HEADER + "0.jpg,,x,,,,,\n", r"row 2: lon 'x' is not a number from -180 to 360"),
        ("m.csv", HEADER + "\n0.jpg,,,91,,,,\n", r"row 3: lat '91' is not a number from -90 to 90"),
        ("m.csv", HEADER + "0.jpg,06/05/2024,,,,,,\n", r"row 2: '06/05/2024' is no point in time"),
        ("m.csv", HEADER + "0.jpg,1,2\n", r"row 2: 3 values, but the header names 8"),
        ("m.csv", HEADER + "0.jpg,,,,,,,\n" * 2, r"row 3: 0.jpg stands in several rows"),
        (
            "m.csv",
            HEADER + "".join(f"0.jpg,2024-05-06 07:00:0{n},,,,,,\n" for n in range(2)),
            r"the image 0.jpg has more than one row",
        ),
        ("m.csv", "filename,lat,latitude\n", r"two columns of the header .* give lat"),
        ("m.csv", "filename,lat\n\xff\n".encode("latin-1"), r"row 2 is not UTF-8: save the file"),
        ("m.json", "{", r"m\.json is no JSON"),
        ("m.json", "[]", r"is no iFDO: it has no image-set-items"),
        (
            "m.json",
            '{"image-set-items": {"0.jpg": {"image-latitude": "north"}}}',
            r"m\.json: 0.jpg: lat 'north' is not a number",
        ),
        (
            "m.json",
            '{"image-set-items": {"a.mp4": [{}, {"image-latitude": 1}]}}',
            r"a.mp4: entry 2 has no image-datetime",
        ),
    ],
)
def test_a_wrong_metadata_file_is_explained_and_nothing_written(
    tmp_path: Path, name: str, content: str | bytes | None, message: str
) -> None:
    save(tmp_path / "f" / "0.jpg", 0)
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
    survey = new_survey(tmp_path)
    with pytest.raises(SurveyError, match=message):
        add_frames(survey, [tmp_path / "f"], metadata=tmp_path / name)
    assert survey.count_frames() == 0


def test_a_name_that_fits_two_files_needs_its_folder(tmp_path: Path) -> None:
    for dive in ("d1", "d2"):
        save(tmp_path / "f" / dive / "0.jpg", 0)
    listed = _write(tmp_path / "m.csv", "filename,lat\n0.jpg,1\n")
    survey = new_survey(tmp_path)
    with pytest.raises(SurveyError, match=r"2 files are named 0.jpg.*: write the folder before"):
        add_frames(survey, [tmp_path / "f"], metadata=listed)
    _write(listed, "filename,lat\nd1/0.jpg,1\nd2/0.jpg,2\n")
    add_frames(survey, [tmp_path / "f"], metadata=listed)
    assert rows_of(survey)["lat"].tolist() == [1, 2]


def test_known_frames_keep_what_they_have(tmp_path: Path) -> None:
    save(tmp_path / "f" / "0.jpg", 0)
    survey = new_survey(tmp_path)
    add_frames(survey, [tmp_path / "f"])
    before = rows_of(survey)
    save(tmp_path / "f" / "1.jpg", 1)
    listed = _write(tmp_path / "m.csv", "filename,lat\n0.jpg,1\n1.jpg,2\n")
    added = add_frames(survey, [tmp_path / "f"], metadata=listed)
    assert (added.new, added.known) == (1, 1)
    assert rows_of(survey)["lat"].isna().tolist() == [True, False]
    assert rows_of(survey)["frame_id"][0] == before["frame_id"][0]


LOG = """Date;Time (UTC);ROV Latitude [deg];ROV Longitude [deg];ROV Depth (m);Altitude;Heading
2024/05/06;07:00:00;28.0;179.9;100;2.0;350
2024/05/06;07:00:10;28.1;-179.9;110;;10
2024/05/06;07:05:00;29.0;-179.0;200;3.0;90
"""


def test_a_navigation_log_is_interpolated_to_each_frame(tmp_path: Path) -> None:
    seconds = (0, 5, 10, 40, 300, 301)
    for second in seconds:
        stamp = _at(second).strftime("%Y%m%d_%H%M%S")
        save(tmp_path / "f" / f"{stamp}.jpg", second)
    save(tmp_path / "f" / "undated.jpg", 99)
    log = _write(tmp_path / "nav.csv", LOG)
    survey = new_survey(tmp_path)
    added = add_frames(survey, [tmp_path / "f"], navigation=log)
    rows = rows_of(survey)
    assert rows["time_utc"].tolist()[:6] == [_at(s) for s in seconds]
    assert rows["lat"].round(6).tolist()[:3] == [28.0, 28.05, 28.1]
    assert abs(rows["lon"][1]) == pytest.approx(180)
    assert rows["yaw_deg"].tolist()[:3] == [350, 0, 10]
    assert rows["depth_m"].tolist()[:3] == [100, 105, 110]
    known = rows["lat"].notna().tolist()
    assert known == [True, True, True, False, True, False, False]  # the gap, and behind the log
    assert rows["altitude_m"].notna().tolist() == [True, False, False, False, True, False, False]
    assert added.counts == {"outside": 2, "no_time": 1}
    wide = new_survey(tmp_path, "wide")
    add_frames(wide, [tmp_path / "f"], navigation=log, max_gap=300)
    assert rows_of(wide)["lat"].notna().sum() == 5


def test_metadata_comes_before_navigation(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 60, metadata={"creation_time": "2024-05-06T07:00:00Z"})
    log = _write(tmp_path / "nav.csv", LOG)
    listed = _write(tmp_path / "m.csv", "filename,gps_altitude\na.mp4,-7\n")
    survey = new_survey(tmp_path)
    add_frames(survey, [video], navigation=log, metadata=listed)
    rows = rows_of(survey)
    assert rows["lat"].tolist() == pytest.approx([28.0, 28.01, 28.02])
    assert rows["depth_m"].tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lat,lon\n1,2\n", r"row 2: no column is the time"),
        ("time,speed\n2024-05-06 07:00:00,1\n", r"says nothing of position"),
        ("time,lat\n", r"has no rows"),
        ("time,lat\n2024-05-06 07:00:00,28 06.5 N\n", r"row 2: lat '28 06.5 N' is not a number"),
        ("time,depth\n2024-05-06 07:00:00,-99999\n", r"row 2: depth_m '-99999' is not a number"),
        ("time,lat\nnoon,1\n", r"row 2: 'noon' is no point in time"),
        ("time,lat\n,1\n", r"row 2: the time is empty"),
        ("time,depth,ROV depth\n", r"two columns of the header .* give depth_m"),
    ],
)
def test_a_wrong_log_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SurveyError, match=f"--navigation .*{message}"):
        read_navigation(_write(tmp_path / "nav.csv", text))


def test_depths_that_are_all_negative_are_elevations(tmp_path: Path) -> None:
    log = _write(tmp_path / "nav.csv", "epoch,depth\n1714978800,-10\n1714978810.0,-20\n")
    assert read_navigation(log).at(START + timedelta(seconds=5), 60) == {"depth_m": 15}


@given(
    st.lists(st.tuples(st.integers(0, 500), st.floats(0, 359.9)), min_size=1, max_size=12),
    st.floats(-10, 510),
    st.integers(1, 100),
)
def test_headings_turn_the_short_way_between_near_fixes(
    fixes: list[tuple[int, float]], at: float, gap: int
) -> None:
    track = track_of((_at(s), {"yaw_deg": v}) for s, v in fixes)
    found = track.at(_at(at), gap).get("yaw_deg")
    values = dict(reversed(fixes))  # of two at one time the first counts
    when = (_at(at) - START).total_seconds()
    before = max((s for s in values if s <= when), default=None)
    after = min((s for s in values if s >= when), default=None)
    near = before is not None and after is not None and (after - before <= gap or before == after)
    assert (found is not None) == near
    if found is not None:
        turn = abs((values[after] - values[before] + 180) % 360 - 180)
        for end in (before, after):
            assert abs((found - values[end] + 180) % 360 - 180) <= turn + 1e-6
        assert 0 <= found < 360


def test_nothing_is_known_outside_of_a_track() -> None:
    track = track_of([(_at(0), {"lat": 1.0}), (_at(10), {"lat": 2.0})])
    assert [track.at(_at(s), 60) for s in (-0.001, 0, 10, 10.001)] == [
        {},
        {"lat": 1.0},
        {"lat": 2.0},
        {},
    ]
    assert Track({}).at(START, 60) == {}
