"""Whether the frames that `discover add` takes from videos have their exact number and time.

Ten-minute videos are generated whose pictures carry their number, as sixteen black or white cells.
Of every frame that was added the number, the time stamp and the row's number are compared with what
the picture says; and, where the program ffmpeg is installed, with the order in which it gives the
frames out. Damaged copies have three stretches overwritten.

    python benchmarks/video_frames.py [--minutes 10]
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image
from record import record

from discover.frames import add_frames
from discover.survey import open_survey

BITS, CELL = 16, 12
WIDTH, HEIGHT = BITS * CELL, 112
RATE = 25
TEXTURE = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(40, 220, (40, 500), np.uint8)).resize(
        (2000, HEIGHT), Image.Resampling.BICUBIC
    )
)
ENCODERS = {
    "libx264": {"preset": "veryfast", "bf": "3", "g": "50", "threads": "2"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "bframes=3:keyint=50:pools=2:log-level=none",
    },
}


@dataclass(frozen=True)
class Case:
    """A video, and how it is sampled."""

    label: str
    file: str
    codec: str
    every: str
    variable: bool = False
    damaged: bool = False


CASES = [
    Case("H.264, MP4", "h264.mp4", "libx264", "1s"),
    Case("H.265, MP4", "h265.mp4", "libx265", "1s"),
    Case("H.264, transport stream", "h264.ts", "libx264", "1s"),
    Case("H.264, MP4", "h264.mp4", "libx264", "keyframes"),
    Case("H.265, MP4", "h265.mp4", "libx265", "10s"),
    Case("H.264, MP4, variable rate", "h264_variable.mp4", "libx264", "1s", variable=True),
    Case("H.265, Matroska, variable rate", "h265_variable.mkv", "libx265", "1s", variable=True),
    Case("H.264, MP4, damaged", "h264.mp4", "libx264", "4f", damaged=True),
    Case("H.265, MP4, damaged", "h265.mp4", "libx265", "4f", damaged=True),
    Case("H.264, transport stream, damaged", "h264.ts", "libx264", "4f", damaged=True),
]


def picture(number: int) -> np.ndarray:
    """Return grey values that carry `number`; below it a texture moves by a pixel a frame."""
    pixels = TEXTURE[:, number % 1800 :][:, :WIDTH].copy()
    pixels[:CELL] = np.repeat(((number >> np.arange(BITS)) & 1) * 255, CELL)
    return pixels


def stamps(strips: np.ndarray) -> np.ndarray:
    """Return the numbers that pictures carry: grey values [pictures, rows, columns]."""
    cells = strips[:, 3 : CELL - 3, :WIDTH].mean(axis=1).reshape(len(strips), BITS, CELL)
    return (cells[:, :, 3:-3].mean(axis=2) > 128) @ (1 << np.arange(BITS))


def ticks(frames: int, *, variable: bool) -> tuple[Sequence[int], Fraction]:
    """Return the frames' time stamps and their unit."""
    if not variable:
        return range(frames), Fraction(1, RATE)
    steps = np.random.default_rng(1).choice([1, 2, 3, 30], frames, p=[0.4, 0.3, 0.29, 0.01])
    return (np.cumsum(steps) - steps[0]).tolist(), Fraction(1, 50)


def make_video(path: Path, codec: str, frames: int, *, variable: bool) -> None:
    """Encode a video of numbered pictures, with B-frames."""
    times, unit = ticks(frames, variable=variable)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=ENCODERS[codec])
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = unit
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), "gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = times[number], unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def damage(source: Path, target: Path) -> None:
    """Copy a file with three stretches of 20 kB overwritten by noise."""
    data = bytearray(source.read_bytes())
    for part in (0.25, 0.5, 0.75):
        start = int(len(data) * part)
        data[start : start + 20_000] = np.random.default_rng(2).bytes(20_000)
    target.write_bytes(data)


def ffmpeg_numbers(path: Path) -> np.ndarray | None:
    """Return what each frame carries, in the order in which ffmpeg gives them out."""
    if shutil.which("ffmpeg") is None:
        return None
    options = ["-fps_mode", "passthrough", "-vf", f"crop={WIDTH}:{CELL}:0:0", "-pix_fmt", "gray"]
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), *options, "-f", "rawvideo", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return stamps(np.frombuffer(data, np.uint8).reshape(-1, CELL, WIDTH))


def measure(case: Case, folder: Path, frames: int) -> list[object]:
    """Add one video, and return its row of the table."""
    sound = folder / case.file
    if not sound.exists():
        make_video(sound, case.codec, frames, variable=case.variable)
    path = sound
    if case.damaged:
        path = folder / f"damaged_{case.file}"
        damage(sound, path)
    survey = open_survey(folder / f"{path.name}-{case.every}", create=True)
    start = time.perf_counter()
    added = add_frames(survey, [path], every=case.every).videos[0]
    seconds = time.perf_counter() - start
    rows = survey.frames.read(["path", "video_frame", "video_s"]).to_pylist()
    images = [np.asarray(Image.open(survey.root / r["path"]).convert("L"))[:CELL] for r in rows]
    shown = stamps(np.stack(images))
    numbers = np.array([r["video_frame"] for r in rows])
    times, unit = ticks(frames, variable=case.variable)
    exact = np.array([float(times[n] * unit) for n in shown])
    given = np.array([r["video_s"] for r in rows])
    rounding = 0.0011 if path.suffix == ".mkv" else 1e-9  # Matroska keeps milliseconds
    right_time = np.abs(given - exact) <= rounding
    right_number = numbers == shown
    ffmpeg = ffmpeg_numbers(path)
    inside = [] if ffmpeg is None else numbers < len(ffmpeg)
    agree = "-" if ffmpeg is None else int((ffmpeg[numbers[inside]] == shown[inside]).sum())
    return [
        case.label,
        case.every,
        added.sampled,
        added.new,
        int(right_time.sum()),
        int(right_number.sum()),
        agree,
        f"{added.lost} ({added.damaged_packets})",
        f"{added.frames / seconds:.0f}",
    ]


def peak_megabytes(path: Path, survey: Path) -> float:
    """Return the peak resident memory of a process that adds a video."""
    command = [sys.executable, __file__, "--add", str(path), str(survey)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print and record the table."""
    if sys.argv[1:2] == ["--add"]:
        add_frames(open_survey(sys.argv[3], create=True), [sys.argv[2]])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=10)
    frames = parser.parse_args().minutes * 60 * RATE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [measure(case, folder, frames) for case in CASES]
        make_video(folder / "short.mp4", "libx264", frames // 10, variable=False)
        memory = [
            round(peak_megabytes(folder / file, folder / f"memory-{file}"))
            for file in ("short.mp4", "h264.mp4")
        ]
    record(
        "Frames of videos: numbers, times and damage",
        [
            "video",
            "`--every`",
            "sampled",
            "added",
            "time right",
            "number right",
            "number as ffmpeg's",
            "lost and said (packets)",
            "video frames/s",
        ],
        rows,
        f"Each {frames} frames of {WIDTH}x{HEIGHT} pixels with B-frames. Frames of damaged videos "
        "have three stretches of 20 kB overwritten. Behind the damage of an MP4 ffmpeg counts on "
        "without the frames it could not decode; here they keep their numbers. A transport stream "
        "loses packets without a trace, and its frames are counted without them. Peak memory "
        f"{memory[0]} MB for {frames // 10} frames, {memory[1]} MB for {frames}.",
    )


if __name__ == "__main__":
    main()
