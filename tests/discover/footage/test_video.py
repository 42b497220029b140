"""Frames of videos: each with its exact number and time, whatever the container and the codec."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from discover.footage.sampling import parse_every
from discover.footage.video import VideoError, VideoReader, open_video
from discover.footage.video_index import VideoIndex, index_video, scan_video
from discover.frames import Added, add_frames
from discover.survey import SurveyError
from tests.discover.footage.fields import field_pictures
from tests.discover.footage.made import (
    damaged,
    new_survey,
    rows_of,
    save,
    stamp_of,
    stamps_in,
    write_video,
)

VARIABLE = np.cumsum(np.random.default_rng(3).integers(1, 9, 60)).tolist()  # ticks of 1/90 s
CONSTANT = list(range(60))
TICK = Fraction(1, 90)
FORMATS = {
    "h264.mp4": {},
    "h265.mp4": {"codec": "libx265"},
    "h264.mkv": {},
    "h265.mkv": {"codec": "libx265"},
    "h264.ts": {},
    "late.mov": {"stamps": [n + 37 for n in CONSTANT]},
    "variable_h264.mp4": {"stamps": VARIABLE, "time_base": TICK},
    "variable_h265.mkv": {"stamps": VARIABLE, "time_base": TICK, "codec": "libx265"},
    "open_gop.mkv": {"x264-params": "open-gop=1:scenecut=0"},
    "intra.mov": {"codec": "mjpeg"},
    "reordered.avi": {},  # its packets do not say when they are shown
    "program_stream.mpg": {"codec": "mpeg2video"},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, options in FORMATS.items():
        write_video(folder / name, **options)
    return folder


@pytest.fixture(scope="module")
def indices(videos: Path) -> dict[str, VideoIndex]:
    return {name: scan_video(videos / name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_every_frame_has_its_number_and_its_exact_time(
    videos: Path, indices: dict[str, VideoIndex], name: str
) -> None:
    index = indices[name]
    stamps = FORMATS[name].get("stamps", CONSTANT)
    tick = FORMATS[name].get("time_base", Fraction(1, 25))
    rounding = 0.001 if name.endswith(".mkv") else 1e-9  # Matroska keeps milliseconds
    exact = [float((s - stamps[0]) * tick) for s in stamps]
    assert [float(index.seconds(n)) for n in range(60)] == pytest.approx(exact, abs=rounding)
    assert _stamps(videos / name, index, np.arange(60)) == {n: n for n in range(60)}


def _stamps(path: Path, index: VideoIndex, numbers: np.ndarray) -> dict[int, int | None]:
    with VideoReader(path, index) as reader:
        return {
            number: None if frame is None else stamp_of(frame.to_ndarray(format="rgb24"))
            for number, frame in reader.read(numbers)
        }


def test_frames_are_rows_like_those_of_images(videos: Path, tmp_path: Path) -> None:
    survey = new_survey(tmp_path)
    assert add_frames(survey, [videos / "variable_h264.mp4"], every="9f").new == 7
    rows = rows_of(survey)
    assert stamps_in(survey, rows) == rows["video_frame"].tolist() == list(range(0, 60, 9))
    assert rows["index"].tolist() == list(range(0, 60, 9))
    exact = [(VARIABLE[n] - VARIABLE[0]) / 90 for n in range(0, 60, 9)]
    assert rows["video_s"].tolist() == pytest.approx(exact, abs=1e-12)
    assert rows["dive"].unique().tolist() == ["variable_h264"]
    assert rows["video"].unique().tolist() == [str(videos / "variable_h264.mp4")]
    assert rows["path"][1] == "images/variable_h264/variable_h264_f00000009.jpg"
    copied = new_survey(tmp_path, "copied")
    images = (survey.root / "images").rename(tmp_path / "copies")
    add_frames(copied, [images])
    same = ["frame_id", "sha256", "width", "height", "sharpness", "brightness", "flags"]
    as_images = rows_of(copied)
    pd.testing.assert_frame_equal(as_images[same[1:]], rows[same[1:]])


@settings(max_examples=40)
@given(st.data())
def test_frames_read_one_by_one_are_those_read_all_in_a_row(
    videos: Path, indices: dict[str, VideoIndex], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(list(FORMATS)))
    chosen = data.draw(st.lists(st.integers(0, 59), min_size=1, max_size=6, unique=True))
    numbers = np.array(sorted(chosen))
    with VideoReader(videos / name, indices[name]) as reader:
        found = [
            (number, frame.to_ndarray(format="gray"))
            for number, frame in reader.read(numbers)
            if frame is not None
        ]
    with VideoReader(videos / name, indices[name]) as reader:
        for (number, pixels), (same, frame) in zip(found, _only(reader, numbers), strict=True):
            assert number == same == stamp_of(np.repeat(pixels[:, :, None], 3, 2))
            assert np.array_equal(pixels, frame.to_ndarray(format="gray"))


def _only(reader: VideoReader, numbers: np.ndarray) -> list:
    return [(n, f) for n, f in reader.read(np.arange(60)) if n in numbers]


def test_an_edit_list_cuts_frames_that_are_not_counted(videos: Path, tmp_path: Path) -> None:
    import av

    cut = tmp_path / "cut.mp4"
    with av.open(str(videos / "h264.mp4")) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        offset = int(7 / 25 / source.streams.video[0].time_base)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
                packet.stream = stream
                target.mux(packet)
    survey = new_survey(tmp_path)
    add_frames(survey, [cut], every="4f")
    rows = rows_of(survey)
    assert stamps_in(survey, rows) == list(range(7, 60, 4))
    assert rows["video_frame"].tolist() == list(range(0, 53, 4))
    assert rows["video_s"][1] == pytest.approx(0.16, abs=1e-9)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1s", [0, 25, 50]),
        ("0.5s", [0, 13, 25, 38, 50]),
        ("25f", [0, 25, 50]),
        ("7f", [0, 7, 14, 21, 28, 35, 42, 49, 56]),
        ("keyframes", [0, 20, 40]),
    ],
)
def test_sampling(indices: dict[str, VideoIndex], every: str, expected: list[int]) -> None:
    assert parse_every(every).numbers(indices["h264.mp4"]).tolist() == expected


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=80),
    st.fractions(min_value=Fraction(1, 10), max_value=5, max_denominator=10),
)
def test_seconds_go_by_the_time_stamps_whatever_the_rate(steps: list[int], every: Fraction) -> None:
    pts = np.cumsum(steps)
    index = VideoIndex(pts, pts[:1], Fraction(1, 90))
    chosen = parse_every(f"{float(every)}s").numbers(index).tolist()
    seconds = [index.seconds(n) for n in range(len(index))]
    slots = [int(s // Fraction(str(float(every)))) for s in seconds]
    assert chosen == [slots.index(slot) for slot in sorted(set(slots))]


@pytest.mark.parametrize("every", ["", "s", "0s", "1.5f", "2m", "-1s", "scenes"])
def test_a_sampling_that_is_none_is_refused(every: str) -> None:
    with pytest.raises(SurveyError, match=r"--every .* is no sampling: write 1s"):
        parse_every(every)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_damage_costs_frames_but_gives_no_wrong_ones(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    sound = write_video(tmp_path / f"sound{suffix}", 160, codec=codec)
    broken = damaged(sound, tmp_path / f"broken{suffix}", at=0.4, size=8000)
    whole = _pictures(sound)
    index = scan_video(broken)
    found, lost = {}, 0
    with VideoReader(broken, index) as reader:
        for number, frame in reader.read(np.arange(len(index))):
            if frame is None:
                lost += 1
            else:
                found[int(index.pts[number])] = frame.to_ndarray(format="gray")
    assert len(found) + lost == len(index)
    assert 0 < lost + 160 - len(index) < 80
    assert reader.damaged or len(index.gaps)
    assert max(found) == max(whole)  # it went on behind the damage
    assert all(np.array_equal(whole[pts], pixels) for pts, pixels in found.items())


def _pictures(path: Path) -> dict[int, np.ndarray]:
    with open_video(path) as (container, stream):
        return {f.pts: f.to_ndarray(format="gray") for f in container.decode(stream)}


@settings(max_examples=25)
@given(
    name=st.sampled_from(["h264.mp4", "h265.mkv", "h264.ts", "reordered.avi"]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 3000)), min_size=1, max_size=4),
    step=st.integers(1, 20),
)
def test_whatever_the_damage_each_frame_is_given_or_lost_once(
    videos: Path, name: str, cuts: list[tuple[float, int]], step: int
) -> None:
    path = videos / f"damaged_{name}"
    damaged(videos / name, path, at=0, size=0)
    for at, size in cuts:
        damaged(path, path, at=at, size=size)
    try:
        index = scan_video(path)
    except VideoError:
        return
    numbers = np.arange(0, len(index), step)
    assert (np.diff(index.pts) > 0).all()
    with VideoReader(path, index) as reader:
        assert [number for number, _ in reader.read(numbers)] == numbers.tolist()


def test_what_is_lost_to_damage_is_said(tmp_path: Path) -> None:
    sound = write_video(tmp_path / "sound.mp4", 100)
    broken = damaged(sound, tmp_path / "broken.mp4", size=4000)
    survey = new_survey(tmp_path)
    added = add_frames(survey, [broken], every="4f").videos[0]
    assert (added.frames, added.sampled) == (100, 25)
    assert added.new + added.lost == 25
    assert 0 < added.lost < 15
    assert added.damaged_packets > 0
    rows = rows_of(survey)
    assert stamps_in(survey, rows) == rows["video_frame"].tolist()
    assert rows["video_frame"].tolist()[-1] == 96


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.ts", 100)
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    survey = new_survey(tmp_path)
    added = add_frames(survey, [cut], every="5f").videos[0]
    assert stamps_in(survey, rows_of(survey)) == list(range(0, 5 * added.new, 5))
    assert 8 < added.new < 16


def test_what_is_no_video_is_named_and_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    good = write_video(folder / "good.mp4", 30)
    (folder / "cut_off.mp4").write_bytes(good.read_bytes()[:-3000])  # the index stands at the end
    (folder / "text.mov").write_text("dive log, 3 May")
    (folder / "empty.mkv").write_bytes(b"")
    save(folder / "image.jpg", 1)
    added = add_frames(new_survey(tmp_path), [folder])
    assert added.new == 3
    assert {file.name for file, _ in added.rejected} == {"cut_off.mp4", "text.mov", "empty.mkv"}
    assert all("not a video, or cut off" in reason for _, reason in added.rejected)


def test_a_video_without_pictures_is_refused(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="holds no video"), open_video(tmp_path / "sound.mp4"):
        pass


def test_without_pyav_one_error_says_what_to_do(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", 2)
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from discover.cli import app\nfrom classify.console import run\n"
        f"run(app, ['add', {str(video)!r}, '--survey', {str(tmp_path / 'survey')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "run `pip install 'rov-discover[video]'`" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "survey").exists()


def test_a_picture_that_was_taken_upside_down_is_turned(tmp_path: Path) -> None:
    import av

    plain, turned = write_video(tmp_path / "plain.mp4", 3), tmp_path / "turned.mp4"
    with av.open(str(plain)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    survey = new_survey(tmp_path)
    add_frames(survey, [plain, turned], every="1f")
    rows = rows_of(survey).groupby("dive")[["width", "height"]].first()
    assert rows.loc["turned"].tolist() == rows.loc["plain"].tolist()[::-1]
    first = survey.frame_path("images/turned/turned_f00000002.jpg")
    assert stamp_of(np.rot90(np.asarray(Image.open(first)), -1)) == 2


def test_the_index_is_kept_and_made_again_where_it_is_damaged(videos: Path, tmp_path: Path) -> None:
    made = index_video(videos / "h264.mp4", tmp_path)
    [kept] = tmp_path.glob("*.npz")
    written = kept.stat().st_mtime_ns
    again = index_video(videos / "h264.mp4", tmp_path)
    assert kept.stat().st_mtime_ns == written
    assert (again.pts == made.pts).all()
    assert (again.time_base, again.keys.tolist()) == (made.time_base, made.keys.tolist())
    kept.write_bytes(kept.read_bytes()[:100])
    assert (index_video(videos / "h264.mp4", tmp_path).pts == made.pts).all()


def test_an_added_video_adds_nothing(videos: Path, tmp_path: Path) -> None:
    survey = new_survey(tmp_path)
    first = add_frames(survey, [videos / "h264.mp4"])
    again = add_frames(survey, [videos / "h264.mp4"])
    assert (first.new, again.new, again.known) == (3, 0, 3)
    assert again == Added(known=3, videos=again.videos)


def test_two_packets_of_fields_make_one_frame(tmp_path: Path) -> None:
    import av

    raw, path = tmp_path / "raw.h264", tmp_path / "fields.mts"
    raw.write_bytes(field_pictures(40))
    with av.open(str(raw), format="h264") as source, av.open(str(path), "w", "mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for field, packet in enumerate(p for p in source.demux(video=0) if p.size):
            packet.pts = packet.dts = field
            packet.time_base, packet.stream = Fraction(1, 50), stream
            target.mux(packet)
    index = scan_video(path)
    assert [float(index.seconds(n)) for n in (0, 1, 39)] == pytest.approx([0, 0.04, 1.56])
    assert len(index) == 40
    for numbers in (np.arange(40), np.array([3, 17, 39])):
        with VideoReader(path, index) as reader:
            shown = {n: int(f.to_ndarray()[0, 0]) - 40 for n, f in reader.read(numbers)}
        assert shown == {n: n for n in numbers.tolist()}
