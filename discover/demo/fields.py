"""Tiling random fields: the raw material of sediment, rust and fouling.

All fields are periodic so that a texture of a few metres can cover a whole track.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Rng = np.random.Generator

_SAMPLE_WIDTH = 4096  # cv2.remap refuses axes of 32768 and more, so lists are folded


def spectral_noise(rng: Rng, size: int, beta: float, low: float = 1.0) -> Array:
    """Tiling noise with a power spectrum ``f ** -beta`` above ``low`` cycles per tile.

    Returns a ``(size, size)`` float32 field of zero mean and unit standard deviation, made by
    Fourier filtering of white noise (Ebert et al., Texturing & Modeling, 2003).
    """
    rows = np.fft.fftfreq(size, 1 / size).astype(np.float32)[:, None]
    columns = np.fft.rfftfreq(size, 1 / size).astype(np.float32)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1e-3)
    gain = np.where(frequency >= low, frequency ** (-beta / 2), 0).astype(np.float32)
    white = rng.standard_normal((size, size), dtype=np.float32)
    field = np.fft.irfft2(np.fft.rfft2(white) * gain, s=(size, size)).astype(np.float32)
    return np.asarray((field - field.mean()) / (field.std() + 1e-9), np.float32)


@dataclass(frozen=True)
class NoiseBank:
    """A few costly noise fields, cheaply varied by shifts, flips and transposition.

    ``broad``, ``mid`` and ``fine`` are ``(size, size)`` float32, unit standard deviation.
    """

    broad: Array
    mid: Array
    fine: Array

    @classmethod
    def make(cls, rng: Rng, size: int) -> NoiseBank:
        """Build the three fields from ``rng``; ``size`` in texels."""
        return cls(
            spectral_noise(rng, size, 3.2, low=2),
            spectral_noise(rng, size, 2.3, low=6),
            spectral_noise(rng, size, 1.1, low=size / 40),
        )

    def draw(self, rng: Rng, which: str) -> Array:
        """Return a shifted and flipped copy of the field named ``which``."""
        field: Array = getattr(self, which)
        turned = field.T if rng.random() < 0.5 else field
        turned = turned[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
        shift = tuple(int(v) for v in rng.integers(0, field.shape[0], 2))
        return np.ascontiguousarray(np.roll(turned, shift, (0, 1)))


def sample(texture: NDArray[Any], u: Array, v: Array) -> NDArray[Any]:
    """Look up a tiling ``texture`` at texel coordinates, bilinearly.

    ``u`` (column) and ``v`` (row) are float32 arrays of one or two dimensions; the result has
    their shape, with the channels of the texture appended.
    """
    height, width = texture.shape[:2]
    if u.size == 0:
        return np.zeros((*u.shape, *texture.shape[2:]), texture.dtype)
    # Whole tiles off keep the coordinates in cv2's 16 bits; the border mode wraps the rest.
    u = (u - np.float32(width * np.floor(float(u.min()) / width))).astype(np.float32, copy=False)
    v = (v - np.float32(height * np.floor(float(v.min()) / height))).astype(np.float32, copy=False)
    if u.ndim == 2:
        return _remap(texture, u, v)
    count = u.size
    columns = min(count, _SAMPLE_WIDTH)
    rows = -(-count // columns)
    folded = np.zeros((2, rows * columns), np.float32)
    folded[0, :count], folded[1, :count] = u, v
    looked_up = _remap(texture, *folded.reshape(2, rows, columns))
    return looked_up.reshape(rows * columns, *texture.shape[2:])[:count]


def _remap(texture: NDArray[Any], u: Array, v: Array) -> NDArray[Any]:
    """Bilinear lookup with wrapped borders."""
    return np.asarray(cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Cubic ramp from 0 at ``low`` to 1 at ``high`` (float32, shape of ``value``)."""
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


@dataclass(frozen=True)
class Grime:
    """Three independent unit-range noises wrapped round any solid (rust, fouling, silt)."""

    texture: Array

    @classmethod
    def make(cls, rng: Rng, size: int = 512) -> Grime:
        """Build the ``(size, size, 3)`` float32 texture, values about 0..1."""
        layers = [spectral_noise(rng, size, beta, low=3) for beta in (2.2, 1.6, 2.8)]
        return cls(np.clip(np.dstack(layers) * 0.22 + 0.5, 0, 1).astype(np.float32))

    def at(self, points: Array, per_metre: float) -> Array:
        """Noise of shape ``(3, N)`` at ``points`` ``(3, N)`` in metres; tiles per metre given.

        The oblique projection has no seams on closed solids and costs one lookup.
        """
        x, y, z = points
        scale = np.float32(per_metre * self.texture.shape[0])
        u, v = (0.9 * x + 0.6 * z) * scale, (0.9 * y - 0.5 * z + 0.2 * x) * scale
        return np.ascontiguousarray(sample(self.texture, u, v).T)
