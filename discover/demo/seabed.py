"""The sea floor of a dive: zones of terrain that merge, over gentle undulations."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from discover.demo.camera import MAX_RANGE, Lens, Pose, directions, ranges
from discover.demo.fields import Array, NoiseBank, Rng, sample, smoothstep
from discover.demo.layout import Zone
from discover.demo.terrain import SLOPE_RANGE, TILE_M, Terrain, build_terrain

_UNDULATION_M = 19.0
_MERGE_M = 0.6
_PATCH_M = TILE_M - 2 * _MERGE_M  # the longest stretch that never shows one texel twice
_KEPT = 6  # patches held: those in view, and those that objects near by lie on


@dataclass(frozen=True)
class GroundView:
    """What the camera sees of the floor: arrays ``(h, w)``, colours ``(3, h, w)``.

    ``depth`` is along the axis, ``distance`` along the ray, both metres; ``x``, ``y`` where.
    """

    rays: Array
    depth: Array
    distance: Array
    x: Array
    y: Array
    albedo: Array
    slope_x: Array
    slope_y: Array


@dataclass(frozen=True)
class _Patch:
    """A stretch of a zone, from ``start`` to ``end`` metres north, with a texture of its own.

    Without patches a zone would repeat every few metres, and two places be one scene.
    """

    start: float
    end: float
    zone: Zone
    seed: int
    look: int  # seed of what all patches of the zone share


class Seabed:
    """Floors along a track, looked up by position."""

    def __init__(self, rng: Rng, bank: NoiseBank, zones: tuple[Zone, ...]) -> None:
        self.zones = zones
        self._bank = bank
        self._patches = _cut(rng, zones)
        self._built: dict[int, Terrain] = {}
        small = cv2.resize(bank.draw(rng, "broad"), (256, 256), interpolation=cv2.INTER_AREA)
        self._swell = (small * 0.045).astype(np.float32)
        stain = cv2.resize(bank.draw(rng, "mid"), (256, 256), interpolation=cv2.INTER_AREA)
        self._stain = (1 + 0.16 * stain / stain.std()).astype(np.float32).clip(0.5, 1.6)

    def zone_at(self, y: float) -> Zone:
        """The zone that ``y`` metres north lies in."""
        return next((zone for zone in self.zones if y < zone.end), self.zones[-1])

    def _macro(self, texture: Array, x: Array, y: Array) -> Array:
        scale = np.float32(texture.shape[0] / _UNDULATION_M)
        return np.asarray(sample(texture, x * scale, y * scale), np.float32)

    def _shares(self, x: Array, y: Array) -> list[tuple[Terrain, Array | None]]:
        """Terrains present at the given places, with their weights (None for a lone one)."""
        low, high = float(y.min()) - _MERGE_M - 0.4, float(y.max()) + _MERGE_M + 0.4
        starts = [-np.inf, *(patch.start for patch in self._patches[1:])]
        ends = [*(patch.end for patch in self._patches[:-1]), np.inf]
        seen = [i for i in range(len(self._patches)) if ends[i] > low and starts[i] < high]
        if len(seen) == 1:
            return [(self._terrain(seen[0]), None)]
        wobble = y + 0.3 * np.sin(x * 3.1) * np.cos(x * 1.3 + y * 4)
        shares: list[tuple[Terrain, Array | None]] = []
        for i in seen:
            weight = np.ones_like(y)
            if np.isfinite(starts[i]):
                weight *= smoothstep(starts[i] - _MERGE_M, starts[i] + _MERGE_M, wobble)
            if np.isfinite(ends[i]):
                weight *= 1 - smoothstep(ends[i] - _MERGE_M, ends[i] + _MERGE_M, wobble)
            shares.append((self._terrain(i), weight))
        return shares

    def _terrain(self, number: int) -> Terrain:
        """The terrain of a patch, made when it comes into view."""
        if number not in self._built:
            while len(self._built) >= _KEPT:
                del self._built[next(iter(self._built))]
            patch = self._patches[number]
            rng, look = np.random.default_rng(patch.seed), np.random.default_rng(patch.look)
            zone = patch.zone
            self._built[number] = build_terrain(rng, self._bank, zone.floor, zone.rippled, look)
        return self._built[number]

    def height(self, x: Array, y: Array) -> Array:
        """Height of the floor in metres at places of one shape."""
        total = self._macro(self._swell, x, y)
        for terrain, weight in self._shares(x, y):
            scale = np.float32(terrain.relief.shape[0] / TILE_M)
            relief = sample(terrain.relief, x * scale, y * scale)
            total = total + (relief if weight is None else relief * weight)
        return np.asarray(total, np.float32)

    def view(self, lens: Lens, pose: Pose) -> GroundView:
        """Intersect the view with the floor: a fixed-point iteration on a half-size grid."""
        rays = directions(lens, pose)
        small = lens.scaled(0.5)
        coarse = directions(small, pose)
        down = np.maximum(-coarse[2], 1e-3)
        height = np.zeros_like(down)
        for _ in range(3):
            depth = np.minimum((pose.altitude - height) / down, MAX_RANGE)
            met = self.height(pose.x + coarse[0] * depth, pose.y + coarse[1] * depth)
            height = np.float32(0.4) * height + np.float32(0.6) * met
        depth = np.minimum((pose.altitude - height) / down, MAX_RANGE)
        depth = cv2.resize(depth, (lens.width, lens.height), interpolation=cv2.INTER_LINEAR)
        x, y = pose.x + rays[0] * depth, pose.y + rays[1] * depth
        albedo, slope_x, slope_y = self._surface(lens, pose, x, y)
        return GroundView(rays, depth, depth * ranges(lens), x, y, albedo, slope_x, slope_y)

    def _surface(self, lens: Lens, pose: Pose, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """Albedo ``(3, h, w)`` and slopes ``(h, w)`` at the places seen by every pixel."""
        albedo = np.zeros((3, *x.shape), np.float32)
        slopes = np.zeros((2, *x.shape), np.float32)
        for terrain, weight in self._shares(x, y):
            texture = _mipmapped(terrain, _levels(lens, pose, terrain.texel), x, y)
            bright = texture[0] * np.float32(1 / 127)
            tint = texture[1] * np.float32(1 / 255)
            if weight is not None:
                bright *= weight
            for channel in range(3):
                base, other = terrain.base[channel], terrain.tint[channel]
                albedo[channel] += (base + tint * (other - base)) * bright
            slope = (texture[2:] - 128) * np.float32(SLOPE_RANGE / 127)
            slopes += slope if weight is None else slope * weight
        small_x, small_y = (cv2.resize(a, None, fx=0.125, fy=0.125) for a in (x, y))
        stain = self._macro(self._stain, small_x, small_y)
        albedo *= cv2.resize(stain, (lens.width, lens.height))
        return albedo, slopes[0], slopes[1]


def _cut(rng: Rng, zones: tuple[Zone, ...]) -> tuple[_Patch, ...]:
    """Cut zones, the first of which begins at 0, into patches of equal length."""
    patches = []
    start = 0.0
    for zone in zones:
        number = max(int(np.ceil((zone.end - start) / _PATCH_M)), 1)
        edges = np.linspace(start, zone.end, number + 1).tolist()
        look = int(rng.integers(2**32))
        patches += [
            _Patch(edges[i], edges[i + 1], zone, int(rng.integers(2**32)), look)
            for i in range(number)
        ]
        start = zone.end
    return tuple(patches)


def _levels(lens: Lens, pose: Pose, texel: float) -> Array:
    """Mip level wanted in each row of the image: ``(h,)``, from the size of its pixels."""
    up = lens.plane[1][:, 0]
    tilt = np.radians(pose.tilt)
    down = np.maximum(np.sin(tilt) - up * np.cos(tilt), 0.02)
    depth = np.minimum(pose.altitude / down, MAX_RANGE)
    pixel = depth / lens.focal / np.sqrt(down)
    return np.asarray(np.maximum(np.log2(pixel / texel), 0), np.float32)


def _mipmapped(terrain: Terrain, levels: Array, x: Array, y: Array) -> Array:
    """Trilinear lookup ``(4, h, w)`` float32; a level changes with the row only."""
    result = np.zeros((4, *x.shape), np.float32)
    levels = np.minimum(levels, len(terrain.mips) - 1.001)
    for level, mip in enumerate(terrain.mips):
        weight = np.clip(1 - np.abs(levels - level), 0, 1)
        rows = np.flatnonzero(weight > 0)
        if rows.size == 0:
            continue
        block = slice(int(rows[0]), int(rows[-1]) + 1)
        scale = np.float32(mip.shape[0] / TILE_M)
        looked_up = sample(mip, x[block] * scale, y[block] * scale)
        share = weight[block].astype(np.float32)[:, None]
        for channel in range(4):
            result[channel, block] += looked_up[..., channel] * share
    return result
