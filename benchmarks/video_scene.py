"""What `discover add --every scene` leaves out of a video, and what is missed by that.

Dives are rendered twice a second as videos, with the truth of where the camera looks and which
objects it sees. The frames that `scene` takes are compared with as many taken at even times: the
share of objects that a taken frame shows at 0.7 or more of their largest area, and the share of the
ground that was in view which the taken frames show.

    python benchmarks/video_scene.py [--dives 3] [--frames 90]
"""

import argparse
import dataclasses
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
from record import record

from discover.demo.camera import Pose
from discover.demo.layout import Dive, Layout
from discover.demo.render import DiveRenderer
from discover.frames import add_frames
from discover.survey import open_survey

BETWEEN = 4  # the layout plans a frame every two seconds
METRE = 20  # cells of the map of the ground
SIZE = (270, 480)


def denser(dive: Dive) -> Dive:
    """Return the dive with frames every half second."""
    poses = np.array([dataclasses.astuple(pose) for pose in dive.poses])
    at = np.arange((len(poses) - 1) * BETWEEN + 1) / BETWEEN
    columns = [np.interp(at, np.arange(len(poses)), column) for column in poses.T]
    paused = tuple(bool(dive.paused[int(np.ceil(place))]) for place in at)
    moved = tuple(Pose(*map(float, pose)) for pose in np.stack(columns, axis=1))
    return dataclasses.replace(dive, poses=moved, paused=paused)


def render_video(dive: Dive, path: Path) -> pd.DataFrame:
    """Render a dive as a video; return the truth of its frames."""
    renderer, truth = DiveRenderer(dive), []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2, options={"crf": "20", "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(len(dive.poses)):
            pixels, rows = renderer.frame(index)
            frame = av.VideoFrame.from_ndarray(pixels).reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 2)
            container.mux(stream.encode(frame))
            truth += rows
        container.mux(stream.encode())
    return pd.DataFrame(truth)


def ground(truth: pd.DataFrame) -> np.ndarray:
    """Return which cells of the ground each frame shows, bool [frames, rows, columns]."""
    views = truth.drop_duplicates("index").sort_values("index")["footprint"]
    corners = np.stack(views.to_numpy()).reshape(-1, 4, 2)
    corners = ((corners - corners.min(axis=(0, 1))) * METRE).astype(np.int32)
    width, height = corners.max(axis=(0, 1)) + 1
    maps = np.zeros((len(corners), height, width), np.uint8)
    for cells, quad in zip(maps, corners, strict=True):
        cv2.fillPoly(cells, [quad], 1)
    return maps.astype(bool)


def seen(truth: pd.DataFrame, taken: list[int]) -> tuple[int, int]:
    """Return how many objects a taken frame shows well, and how many there are."""
    objects = truth.dropna(subset=["object_id"])
    best = objects.groupby("object_id")["area"].max()
    best = best[best >= 150]
    shown = objects[objects["index"].isin(taken)].groupby("object_id")["area"].max()
    return int((shown.reindex(best.index).fillna(0) >= 0.7 * best).sum()), len(best)


def main() -> None:
    """Print and record the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dives", type=int, default=3)
    parser.add_argument("--frames", type=int, default=90)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rows: dict[str, list[np.ndarray]] = {"scene": [], "even times": []}
    looked = still = still_taken = 0
    for dive in map(denser, Layout.plan(5, arguments.dives, arguments.frames, SIZE).dives):
        with tempfile.TemporaryDirectory() as name:
            truth = render_video(dive, Path(name) / "dive.mp4")
            survey = open_survey(Path(name) / "survey", create=True)
            add_frames(survey, [Path(name) / "dive.mp4"], every="scene")
            taken = survey.frames.read(["video_frame"])["video_frame"].to_pylist()
        even = np.linspace(0, len(dive.poses) - 1, len(taken)).round().astype(int).tolist()
        maps = ground(truth)
        for label, chosen in (("scene", taken), ("even times", even)):
            covered = maps[chosen].any(axis=0).sum(), maps.any(axis=0).sum()
            rows[label].append(np.array([len(chosen), *seen(truth, chosen), *covered]))
        looked += len(dive.poses)
        still += sum(dive.paused)
        still_taken += sum(dive.paused[n] for n in taken)
    table = []
    for label, parts in rows.items():
        taken, good, objects, covered, whole = np.sum(parts, axis=0)
        table.append(
            [label, f"{taken} of {looked}", f"{good / objects:.1%}", f"{covered / whole:.1%}"]
        )
    record(
        "What `--every scene` leaves out",
        ["sampling", "frames taken", "objects seen", "ground seen"],
        table,
        f"{arguments.dives} rendered dives, looked at twice a second. Of {still} frames in which "
        f"the vehicle hung still, {still_taken} were taken.",
    )


if __name__ == "__main__":
    main()
