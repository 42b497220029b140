"""Light and water: lamps, attenuation, back-scatter, marine snow and the camera's sensor.

The image is formed as by Jaffe (1990) and Akkaynak & Treibitz (2018): light is attenuated from
the lamp to the object and from there to the camera, per channel, and a veil of scattered light,
which saturates with range, is added. All colours are linear RGB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from discover.demo.camera import Lens, Pose
from discover.demo.fields import Array, Rng


@dataclass(frozen=True)
class Water:
    """Optics of a dive.

    ``attenuation`` and ``scatter`` are per metre and channel, ``veil`` the colour of the water at
    infinity, ``ambient`` the daylight on the floor; ``snow`` counts particles in a frame.
    """

    attenuation: tuple[float, float, float]
    scatter: tuple[float, float, float]
    veil: tuple[float, float, float]
    ambient: tuple[float, float, float]
    snow: int
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Lamps:
    """Two lamps: offsets from the camera (right, up, forward; metres), beam axes, cone, power."""

    offsets: Array
    axes: Array
    cone: float
    power: Array

    def irradiance(self, pose: Pose, points: Array) -> tuple[Array, Array, Array]:
        """Light of each lamp at world ``points`` ``(3, N)``.

        Returns strengths ``(2, N)``, unit directions to the lamps ``(2, 3, N)`` and the lengths
        of the paths ``(2, N)`` in metres.
        """
        axes = pose.axes
        lamps = pose.position + self.offsets @ axes
        beams = self.axes @ axes
        way = lamps[:, :, None] - points[None]
        path = np.sqrt((way * way).sum(1))
        way = way / path[:, None]
        along = -(way * beams[:, :, None]).sum(1)
        # Near the axis, 2 (1 - cos a) is the squared angle: a Gaussian beam without arccosines.
        beam = np.exp(2 * (along - 1) / np.float32(self.cone**2))
        return self.power[:, None] * (beam + 0.025) / (path * path + 0.4), way, path


def _exp(rate: tuple[float, float, float], length: Array) -> Array:
    """Transmission ``(3, ...)`` over ``length``."""
    column = np.array(rate, np.float32).reshape((3,) + (1,) * length.ndim)
    return np.asarray(np.exp(-column * length[None]), np.float32)


def transmit(water: Water, length: Array) -> Array:
    """Share of the light that remains after ``length`` metres: ``(3, ...)``."""
    return _exp(water.attenuation, length)


def veil(water: Water, lamps: Lamps, right: Array, up: Array, length: Array) -> Array:
    """Light scattered into the view ``(right, up)`` (tangents) over ``length``: ``(3, ...)``."""
    glow = np.zeros(np.broadcast_shapes(right.shape, up.shape), np.float32)
    for offset, axis, power in zip(lamps.offsets, lamps.axes, lamps.power, strict=True):
        # The beam is seen brightest where it crosses the view about a metre ahead.
        across = right - (offset[0] * 0.42 + axis[0] * 0.5)
        below = up - (offset[1] * 0.2 + axis[1] * 0.6)
        glow = glow + power * np.exp(-(across * across + 1.3 * below * below) / (0.30 + lamps.cone))
    daylight = 0.62 + 0.75 * (up + 0.33)
    filled = 1 - _exp(water.scatter, length)
    colour = np.array(water.veil, np.float32).reshape((3,) + (1,) * filled[0].ndim)
    share = 1.0 if sum(water.ambient) > 0.3 else 0.15
    return filled * colour * (share * daylight + 0.32 * glow)


def add_snow(image: Array, rng: Rng, water: Water, drift: tuple[float, float]) -> None:
    """Add out-of-focus particles, streaked along ``drift`` (pixels), to ``(h, w, 3)`` in place."""
    height, width = image.shape[:2]
    unit = width / 960
    tint = 0.5 + 0.5 * np.array(water.veil, np.float32) / max(water.veil)
    for _ in range(int(rng.poisson(water.snow))):
        nearness = rng.random() ** 5
        radius = (0.6 + 5.5 * nearness * rng.uniform(0.4, 1)) * unit
        streak = np.array(drift) * (0.25 + 1.6 * nearness)
        disc = _disc(max(radius, 0.55), streak)
        strength = rng.gamma(1.2, 0.11) * (1 - 0.72 * nearness)
        _paste(
            image,
            disc[..., None] * np.float32(strength) * tint,
            int(rng.integers(height)),
            int(rng.integers(width)),
        )


def _disc(radius: float, streak: Array) -> Array:
    """A soft disc drawn out along ``streak``, unit peak before streaking."""
    reach = int(np.ceil(radius + 0.5 * np.hypot(*streak))) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    length = max(float(np.hypot(*streak)), 1e-6)
    along = np.clip((x * streak[0] + y * streak[1]) / length, -length / 2, length / 2)
    away = np.hypot(x - along * streak[0] / length, y - along * streak[1] / length)
    fade = radius / (radius + 0.5 * length)
    return np.asarray(np.clip(1.25 - away / radius, 0, 1) ** 0.8 * fade, np.float32)


def _paste(image: Array, patch: Array, row: int, column: int) -> None:
    """Add ``patch`` with its upper left corner at (row, column), cut at the borders."""
    target = image[row : row + patch.shape[0], column : column + patch.shape[1]]
    target += patch[: target.shape[0], : target.shape[1]]


def blur_kernel(drift: tuple[float, float], softness: float) -> Array:
    """Point spread of the lens (``softness`` in pixels) along a motion of ``drift`` pixels."""
    reach = int(np.ceil(np.hypot(*drift) / 2 + 2 * softness)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 9):
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
        square = (x - share * drift[0]) ** 2 + (y - share * drift[1]) ** 2
        kernel += np.exp(-square / (2 * softness**2))
    return np.asarray(kernel / kernel.sum(), np.float32)


def expose(image: Array, lens: Lens, target: float, gain: tuple[float, float, float]) -> None:
    """Scale ``(h, w, 3)`` linear light to a mean luminance and darken the corners, in place."""
    small = cv2.resize(image, (48, 27), interpolation=cv2.INTER_AREA) * np.array(gain)
    level = float(np.percentile(small.mean(2), 75)) + 0.004
    right, up = lens.plane
    corners = 1 / (1 + 0.8 * (right * right + up * up)) ** 2
    image *= (corners[..., None] * (target / level)) * np.array(gain, np.float32)


def develop(image: Array, grain: Array) -> NDArray[np.uint8]:
    """Linear ``(h, w, 3)`` light to uint8: shoulder, square-root tone curve, sensor noise."""
    np.maximum(image, 0, out=image)
    image /= 1 + 0.22 * image
    tone = np.sqrt(image)
    tone += grain
    return np.asarray(np.clip(tone * 255, 0, 255).astype(np.uint8), np.uint8)
