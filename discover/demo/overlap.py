"""What pairs of rendered frames truly share: from the camera of each, as the renderer knows it."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from discover.demo.camera import Lens, Pose, directions, project

_RAYS = 1 / 30  # of the rows and columns that a ray is sent through
_FARTHEST = 8.0  # metres between cameras that can share any floor
_CAMERA = ["cam_x", "cam_y", "altitude_m", "heading_deg", "tilt_deg"]


def true_overlaps(truth: pd.DataFrame, size: tuple[int, int] = (540, 960)) -> pd.DataFrame:
    """Return the pairs of frames of one dive whose pictures show common floor.

    Rays through a grid of one frame meet the level floor; the overlap is the share of them whose
    places the other frame shows, averaged over both ways round. Measured in the picture, it does
    not favour the far floor as an area in metres would.

    Args:
        truth: the rendered truth, of a floor that never repeats.
        size: height and width of the frames, pixels.

    Returns:
        Columns `path_a, path_b, overlap` (above 0, at most 1); every other pair shares nothing.
    """
    frames = truth.drop_duplicates("path")
    rows = []
    for _, dive in frames.groupby("dive"):
        poses = [Pose(*row) for row in dive[_CAMERA].to_numpy(float).tolist()]
        floor = [_floor(Lens(*size).scaled(_RAYS), pose) for pose in poses]
        paths = dive["path"].tolist()
        for a, pose in enumerate(poses):
            for b in range(a + 1, len(poses)):
                if np.hypot(pose.x - poses[b].x, pose.y - poses[b].y) > _FARTHEST:
                    continue
                ways = ((floor[a], poses[b]), (floor[b], pose))
                shared = float(np.mean([_seen(Lens(*size), points, by) for points, by in ways]))
                if shared > 0:
                    rows.append((paths[a], paths[b], shared))
    return pd.DataFrame(rows, columns=["path_a", "path_b", "overlap"])


def _floor(lens: Lens, pose: Pose) -> npt.NDArray[np.floating]:
    """Return where the rays of a frame meet the floor, world metres [3, n]."""
    rays = directions(lens, pose).reshape(3, -1)
    return np.asarray(pose.position[:, None] + rays * (pose.altitude / np.maximum(-rays[2], 1e-3)))


def _seen(lens: Lens, points: npt.NDArray[np.floating], pose: Pose) -> float:
    column, row, depth = project(lens, pose, points)
    inside = (column >= 0) & (column < lens.width) & (row >= 0) & (row < lens.height)
    return float((inside & (depth > 0.1)).mean())
