"""The camera: a pinhole over the sea floor, level in roll, looking ahead and down.

World axes in metres: x east, y north, z up, the mean sea floor at z = 0. Headings run clockwise
from north; a tilt of 90 degrees looks straight down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from discover.demo.fields import Array

MAX_RANGE = 9.0  # metres; beyond this the water shows nothing but itself


@dataclass(frozen=True)
class Lens:
    """Image size in pixels and the horizontal field of view in degrees."""

    height: int
    width: int
    fov_deg: float = 60.0

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return float(self.width / 2 / np.tan(np.radians(self.fov_deg) / 2))

    @cached_property
    def plane(self) -> tuple[Array, Array]:
        """Tangents to the right ``(1, width)`` and upward ``(height, 1)`` of every pixel."""
        right = (np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.focal
        up = (self.height / 2 - np.arange(self.height, dtype=np.float32) - 0.5) / self.focal
        return right[None, :].astype(np.float32), up[:, None].astype(np.float32)

    def scaled(self, factor: float) -> Lens:
        """The same view at another resolution."""
        return Lens(
            max(round(self.height * factor), 2), max(round(self.width * factor), 2), self.fov_deg
        )


@dataclass(frozen=True)
class Pose:
    """Where the camera is (metres) and looks (degrees)."""

    x: float
    y: float
    altitude: float
    heading: float
    tilt: float

    @property
    def position(self) -> Array:
        """Camera centre, ``(3,)`` float32 metres."""
        return np.array([self.x, self.y, self.altitude], np.float32)

    @property
    def axes(self) -> Array:
        """Rows right, up, forward in world axes: ``(3, 3)`` float32."""
        h, t = np.radians(self.heading), np.radians(self.tilt)
        right = [np.cos(h), -np.sin(h), 0]
        up = [np.sin(h) * np.sin(t), np.cos(h) * np.sin(t), np.cos(t)]
        forward = [np.sin(h) * np.cos(t), np.cos(h) * np.cos(t), -np.sin(t)]
        return np.array([right, up, forward], np.float32)


def directions(lens: Lens, pose: Pose) -> Array:
    """Viewing directions ``(3, height, width)``, scaled to unit depth along the axis."""
    right, up = lens.plane
    r, u, f = pose.axes
    return np.stack([f[i] + r[i] * right + u[i] * up for i in range(3)])


def ranges(lens: Lens) -> Array:
    """Metres of path per metre of depth, ``(height, width)`` float32."""
    right, up = lens.plane
    return np.sqrt(1 + right * right + up * up)


def project(lens: Lens, pose: Pose, points: Array) -> Array:
    """Pixel columns, rows and depths ``(3, N)`` of world ``points`` ``(3, N)``.

    Depths are held above 5 cm so that points behind the camera stay finite.
    """
    right, up, depth = pose.axes @ (points - pose.position[:, None])
    depth = np.maximum(depth, 0.05)
    column = right / depth * lens.focal + lens.width / 2
    row = lens.height / 2 - up / depth * lens.focal
    return np.stack([column, row, depth]).astype(np.float32)


def footprint(lens: Lens, pose: Pose, reach: float = MAX_RANGE) -> list[float]:
    """Ground corners x0, y0, ..., x3, y3 (metres) of the frame, counter-clockwise from near left.

    Rays that meet the ground beyond ``reach`` metres, or never, end at that distance.
    """
    half_w, half_h = lens.width / 2 / lens.focal, lens.height / 2 / lens.focal
    corners: list[float] = []
    for right, up in ((-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h)):
        ray = pose.axes.T @ np.array([right, up, 1], np.float32)
        ray /= np.linalg.norm(ray)
        distance = min(pose.altitude / max(-float(ray[2]), 1e-3), reach)
        corners += [pose.x + float(ray[0]) * distance, pose.y + float(ray[1]) * distance]
    return corners


def view_span(lens: Lens, altitude: float, tilt: float, reach: float = 4.5) -> tuple[float, float]:
    """Nearest and farthest ground (metres ahead) on the centre column, no farther than reach."""
    half = np.degrees(np.arctan(lens.height / 2 / lens.focal))
    near = altitude / np.tan(np.radians(min(tilt + half, 89)))
    far = altitude / np.tan(np.radians(max(tilt - half, 1)))
    return float(near), float(min(far, reach))
