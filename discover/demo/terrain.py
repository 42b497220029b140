"""Sea floors: tiling relief and colour of sand, mud, muddy sand and reef, or ripples on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from discover.demo.fields import Array, NoiseBank, Rng, smoothstep

FLOORS = ("sandy", "muddy", "muddy-sand", "reef")
TILE_M = 4.7  # metres covered by one texture
SLOPE_RANGE = 1.2  # slopes are stored in a byte over this range
_LEVELS = 5


@dataclass(frozen=True)
class Terrain:
    """One sea floor.

    ``mips`` are ``(n, n, 4)`` uint8 (brightness, tint, slope x, slope y), each half the last;
    ``relief`` is ``(n/8, n/8)`` float32 metres, smoothed. Colours are linear RGB.
    """

    floor: str
    rippled: bool
    mips: tuple[NDArray[np.uint8], ...]
    relief: Array
    base: Array
    tint: Array

    @property
    def texel(self) -> float:
        """Size of the finest texel in metres."""
        return float(TILE_M / self.mips[0].shape[0])


@dataclass
class _Canvas:
    """Height (metres), brightness and tint (0..1) of a floor in the making, ``(n, n)`` float32."""

    height: Array
    bright: Array
    tint: Array


_BASES = {
    "sandy": ((0.50, 0.43, 0.32), (0.40, 0.36, 0.29)),
    "muddy": ((0.27, 0.25, 0.21), (0.20, 0.19, 0.15)),
    "muddy-sand": ((0.39, 0.34, 0.26), (0.24, 0.22, 0.17)),
    "reef": ((0.30, 0.27, 0.20), (0.46, 0.34, 0.33)),
}


def build_terrain(rng: Rng, bank: NoiseBank, floor: str, rippled: bool, look: Rng) -> Terrain:
    """Make a floor at the resolution of ``bank``.

    Patches of one floor differ by ``rng`` and share colours and ripples: the draws of ``look``.
    """
    makers = {"sandy": _sand, "muddy": _mud, "muddy-sand": _muddy_sand, "reef": _reef}
    canvas = makers[floor](rng, bank)
    if rippled:
        _add_ripples(rng, bank, canvas, look)
    _add_grit(rng, canvas, {"sandy": 1500, "muddy": 350, "muddy-sand": 2200, "reef": 900}[floor])
    hollow = canvas.height - _blurred(canvas.height, TILE_M / 80)
    canvas.bright *= np.clip(1 + 9 * hollow / (0.3 + hollow.std() * 30), 0.35, 1.5)
    base, tint = (np.array(c, np.float32) * look.uniform(0.85, 1.15, 3) for c in _BASES[floor])
    # Views bend over the relief by iteration, which converges only on gentle slopes.
    relief = _blurred(canvas.height, 0.05, enlarge=False)
    return Terrain(
        floor, rippled, _mipmaps(canvas), relief, base.astype(np.float32), tint.astype(np.float32)
    )


def _blurred(field: Array, sigma_m: float, enlarge: bool = True) -> Array:
    """Blur a tile by ``sigma_m`` metres at an eighth of its size, where that is cheap."""
    size = field.shape[0]
    small = cv2.resize(field, (size // 8, size // 8), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma_m * size / 8 / TILE_M, 0.3))
    if enlarge:
        small = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, np.float32)


def _mipmaps(canvas: _Canvas) -> tuple[NDArray[np.uint8], ...]:
    """Pack a canvas in bytes and halve it again and again."""
    size = canvas.height.shape[0]
    texel = TILE_M / size
    slope_x = (np.roll(canvas.height, -1, 1) - np.roll(canvas.height, 1, 1)) / (2 * texel)
    slope_y = (np.roll(canvas.height, -1, 0) - np.roll(canvas.height, 1, 0)) / (2 * texel)
    channels = (
        canvas.bright * 127,
        canvas.tint * 255,
        128 + slope_x / SLOPE_RANGE * 127,
        128 + slope_y / SLOPE_RANGE * 127,
    )
    level = np.asarray(cv2.merge([np.clip(c, 0, 255).astype(np.uint8) for c in channels]), np.uint8)
    mips = [level]
    for _ in range(_LEVELS - 1):
        half = mips[-1].shape[0] // 2
        mips.append(
            np.asarray(cv2.resize(mips[-1], (half, half), interpolation=cv2.INTER_AREA), np.uint8)
        )
    return tuple(mips)


def _sand(rng: Rng, bank: NoiseBank) -> _Canvas:
    """Pale, grainy, gently hummocky."""
    mid, fine = bank.draw(rng, "mid"), bank.draw(rng, "fine")
    height = 0.0024 * mid + 0.016 * bank.draw(rng, "broad") + 0.0005 * fine
    bright = 1 + 0.11 * fine + 0.07 * bank.draw(rng, "mid")
    tint = smoothstep(-0.8, 1.6, bank.draw(rng, "broad") + 0.3 * mid)
    return _Canvas(height, bright, tint)


def _mud(rng: Rng, bank: NoiseBank) -> _Canvas:
    """Dark, soft and smooth, with burrows, mounds and the tracks of animals."""
    fine, mid = bank.draw(rng, "fine"), bank.draw(rng, "mid")
    height = 0.020 * bank.draw(rng, "broad") + 0.0016 * mid + 0.0003 * fine
    bright = 1 + 0.05 * fine + 0.10 * mid
    canvas = _Canvas(height, bright, smoothstep(-1, 1.5, bank.draw(rng, "mid")))
    _add_tracks(rng, canvas, 5)
    _add_burrows(rng, canvas, 55)
    return canvas


def _muddy_sand(rng: Rng, bank: NoiseBank) -> _Canvas:
    """Sand with patches of mud and dark detritus."""
    fine, mid, broad = (bank.draw(rng, w) for w in ("fine", "mid", "broad"))
    patches = smoothstep(-0.3, 0.7, broad + 0.55 * mid)
    detritus = smoothstep(1.1, 2.0, bank.draw(rng, "mid") + 0.5 * fine)
    height = 0.0032 * mid + 0.014 * broad + 0.0007 * fine + 0.004 * detritus
    bright = (1 + 0.09 * fine + 0.06 * mid) * (1 - 0.5 * detritus)
    canvas = _Canvas(height, bright, patches)
    _add_tracks(rng, canvas, 3)
    _add_burrows(rng, canvas, 24)
    return canvas


def _reef(rng: Rng, bank: NoiseBank) -> _Canvas:
    """Broken rock with ledges and clefts under a crust of coralline algae and sponges."""
    fine, mid, other = bank.draw(rng, "fine"), bank.draw(rng, "mid"), bank.draw(rng, "mid")
    broad = bank.draw(rng, "broad")
    ridges = 1 - np.abs(np.tanh(1.3 * mid))
    steps = broad * 1.6
    ledges = np.floor(steps) + smoothstep(0.55, 1.0, steps - np.floor(steps))
    height = 0.060 * ledges + 0.014 * other - 0.040 * ridges**3 + 0.0015 * fine
    crust = smoothstep(0.3, 1.0, bank.draw(rng, "mid") + 0.4 * fine)
    turf = smoothstep(0.2, 1.2, bank.draw(rng, "mid") + 0.3 * fine)
    bright = (1 + 0.14 * fine + 0.2 * crust) * (1 - 0.55 * ridges**4) * (1 - 0.35 * turf)
    return _Canvas(height.astype(np.float32), bright.astype(np.float32), crust)


def _add_ripples(rng: Rng, bank: NoiseBank, canvas: _Canvas, look: Rng) -> None:
    """Wave-formed ripples: sharp crests, rounded troughs, forking where the phase is warped."""
    size = canvas.height.shape[0]
    waves = look.integers(20, 34)
    angle = look.uniform(-0.5, 0.5)
    # Whole numbers of waves keep the texture periodic.
    across, along = round(float(waves * np.sin(angle))), round(float(waves * np.cos(angle)))
    grid = np.arange(size, dtype=np.float32) * (2 * np.pi / size)
    phase = across * grid[None, :] + along * grid[:, None]
    phase = phase + 1.5 * bank.draw(rng, "broad") + 0.5 * bank.draw(rng, "mid")
    crest = 0.5 + 0.5 * np.sin(phase) + 0.18 * np.cos(2 * phase)
    vigour = np.clip(0.8 + 0.35 * bank.draw(rng, "broad"), 0.25, 1.3)
    canvas.height += (0.024 * vigour * crest).astype(np.float32)
    canvas.bright *= (0.90 + 0.16 * vigour * crest).astype(np.float32)
    canvas.tint = np.clip(canvas.tint * 0.6 + 0.5 * vigour * (1 - crest), 0, 1).astype(np.float32)


def _stamp(field: Array, patch: Array, at: NDArray[np.int64], multiply: bool = False) -> None:
    """Add (or multiply) a small patch at a wrapped position ``at`` (row, column)."""
    size = field.shape[0]
    rows = np.arange(at[0], at[0] + patch.shape[0]) % size
    columns = np.arange(at[1], at[1] + patch.shape[1]) % size
    block = np.ix_(rows, columns)
    field[block] = field[block] * patch if multiply else field[block] + patch


def _bump(radius: float, stretch: float, angle: float) -> Array:
    """A dome of unit height, ``radius`` texels wide along its long axis."""
    reach = max(int(np.ceil(radius * 1.2)), 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = (y * np.cos(angle) - x * np.sin(angle)) * stretch
    return np.asarray(
        np.clip(1.2 - (u * u + v * v) / (radius * radius), 0, 1).astype(np.float32), np.float32
    )


def _add_grit(rng: Rng, canvas: _Canvas, count: int) -> None:
    """Pebbles, shell fragments and dark crumbs of many sizes."""
    size = canvas.height.shape[0]
    per_metre = size / TILE_M
    for _ in range(count):
        radius = min(0.0032 * (1 / max(rng.random(), 0.02)) ** 0.7, 0.032)
        dome = _bump(max(radius * per_metre, 0.8), rng.uniform(1, 2.2), rng.uniform(0, np.pi))
        at = rng.integers(0, size, 2)
        shade = rng.choice([0.3, 0.5, 0.75, 1.4, 1.9], p=[0.24, 0.26, 0.2, 0.2, 0.1])
        if radius > 0.012:
            shade = min(shade, 1.15)
        _stamp(canvas.height, dome * np.float32(radius * 0.7), at)
        _stamp(canvas.bright, 1 + dome * np.float32(shade - 1), at, multiply=True)


def _add_burrows(rng: Rng, canvas: _Canvas, count: int) -> None:
    """Mounds with a dark hole, or bare holes, of bottom-dwelling animals."""
    size = canvas.height.shape[0]
    per_metre = size / TILE_M
    for _ in range(count):
        radius = rng.uniform(0.03, 0.11) * per_metre
        at = rng.integers(0, size, 2)
        if rng.random() < 0.6:
            mound = _bump(radius, rng.uniform(1, 1.4), rng.uniform(0, np.pi)) ** 2
            _stamp(canvas.height, mound * np.float32(rng.uniform(0.01, 0.03)), at)
        for _ in range(int(rng.integers(1, 4))):
            hole = _bump(
                rng.uniform(0.006, 0.016) * per_metre, rng.uniform(1, 1.7), rng.uniform(0, np.pi)
            )
            where = at + rng.integers(0, max(int(radius * 1.6), 2), 2)
            _stamp(canvas.height, -0.016 * hole, where)
            _stamp(canvas.bright, 1 - 0.75 * hole, where, multiply=True)


def _add_tracks(rng: Rng, canvas: _Canvas, count: int) -> None:
    """Meandering furrows with raised rims."""
    size = canvas.height.shape[0]
    furrow = np.zeros((size, size), np.float32)
    width = max(int(0.022 * size / TILE_M), 1)
    for _ in range(count):
        steps = int(rng.integers(50, 130))
        turn = np.cumsum(rng.normal(0, 0.22, steps)) + rng.uniform(0, 2 * np.pi)
        stride = 0.03 * size / TILE_M
        path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)]) * stride, axis=1)
        path = (path.T + rng.uniform(0, size, 2)).astype(np.int32)
        for shift_x in (-size, 0, size):
            for shift_y in (-size, 0, size):
                cv2.polylines(
                    furrow,
                    [path + np.array([shift_x, shift_y], np.int32)],
                    False,
                    1.0,
                    int(rng.integers(width, 2 * width + 1)),
                )
    trench = cv2.GaussianBlur(furrow, (0, 0), max(0.006 * size / TILE_M, 0.6))
    rim = _blurred(furrow, 0.018)
    canvas.height += 0.010 * rim - 0.016 * trench
    canvas.bright *= 1 - 0.12 * trench
