"""Solids as signed distance fields, and how a ray finds them.

A field maps points ``(3, N)`` float32 (metres, local axes, z up when the object lies as it fell)
to distances ``(N,)``. Fields may be stretched or displaced, so a shape states by how much its
distances are to be trusted (``relax``). The formulas for the primitives follow Quilez,
"Distance functions" (2008); sphere tracing follows Hart, The Visual Computer 12 (1996).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from discover.demo.fields import Array, Grime, Rng

Field = Callable[[Array], Array]
Paint = Callable[[Array, Array, Grime], Array]

_CELLS = 36  # cells of the coarse grid along the longest side
_STEPS = 72


@dataclass(frozen=True)
class Shape:
    """A solid: its field, its surface and its box.

    ``paint(points, normals, grime)`` gives linear RGB ``(3, N)``; ``low`` and ``high`` are the
    corners of a box in metres that holds the solid; ``opacity`` is that of a face seen squarely.
    """

    field: Field
    paint: Paint
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    gloss: float = 0.05
    opacity: float = 1.0
    relax: float = 0.9

    @cached_property
    def grid(self) -> tuple[Array, float]:
        """Coarse distances ``(i, j, k)`` at cell centres, and the cell size in metres."""
        low, high = np.array(self.low), np.array(self.high)
        cell = float((high - low).max() / _CELLS)
        axes = [
            low[i] + cell * (np.arange(int(np.ceil((high[i] - low[i]) / cell))) + 0.5)
            for i in range(3)
        ]
        points = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
        shape = points.shape[1:]
        return self.field(points.reshape(3, -1)).reshape(shape) * np.float32(self.relax), cell

    def coarse(self, points: Array) -> Array:
        """A lower bound on the distance at points inside the box, from the coarse grid."""
        grid, cell = self.grid
        at = [
            np.clip(((points[i] - self.low[i]) / cell).astype(np.int32), 0, grid.shape[i] - 1)
            for i in range(3)
        ]
        return np.asarray(grid[at[0], at[1], at[2]] - np.float32(0.87 * cell), np.float32)

    def occupied(self) -> Array:
        """Centres ``(3, M)`` of the coarse cells that the solid touches."""
        grid, cell = self.grid
        cells = np.stack(np.nonzero(grid < 0.5 * cell)).astype(np.float32)
        return np.asarray((cells + 0.5) * cell + np.array(self.low)[:, None], np.float32)

    def normals(self, points: Array, width: Array) -> Array:
        """Unit normals ``(3, N)`` from four distances ``width`` ``(N,)`` metres apart."""
        total = np.zeros_like(points)
        for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            offset = np.array(corner, np.float32)[:, None]
            total += offset * self.field(points + offset * (width * np.float32(0.6)))
        return np.asarray(total / np.maximum(np.sqrt((total * total).sum(0)), 1e-9), np.float32)

    def clip(self, origin: Array, rays: Array) -> tuple[Array, Array]:
        """Where each ray enters and leaves the box (metres along unit ``rays`` ``(3, N)``)."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            inverse = 1 / np.where(np.abs(rays) < 1e-6, 1e-6, rays)
        first = (np.array(self.low, np.float32)[:, None] - origin) * inverse
        second = (np.array(self.high, np.float32)[:, None] - origin) * inverse
        enter = np.minimum(first, second).max(0)
        leave = np.maximum(first, second).min(0)
        return np.maximum(enter, 0).astype(np.float32), leave.astype(np.float32)


def trace(shape: Shape, origin: Array, rays: Array, limit: Array, pixel: float) -> Array:
    """Sphere-trace unit ``rays`` ``(3, N)`` from ``origin`` ``(3, 1)`` or ``(3, N)``.

    ``limit`` ``(N,)`` is the range of what lies behind, ``pixel`` the angle of a pixel in radians.
    Returns the range of each hit in metres, infinite where a ray misses.
    """
    start, leave = shape.clip(origin, rays)
    end = np.minimum(leave, limit)
    hits = np.full(rays.shape[1], np.inf, np.float32)
    active = np.flatnonzero(start < end)
    origin = np.broadcast_to(origin, rays.shape)
    o, d, t, stop = origin[:, active], rays[:, active], start[active], end[active]
    cell = shape.grid[1]
    for _ in range(_STEPS):
        if active.size == 0:
            break
        points = o + d * t
        step = shape.coarse(points)
        near = np.flatnonzero(step < 0.5 * cell)
        exact = shape.field(points[:, near]) * np.float32(shape.relax)
        step[near] = exact
        hit = np.zeros(active.size, bool)
        hit[near] = exact < 0.5 * pixel * t[near]
        hits[active[hit]] = t[hit]
        t = t + np.maximum(step, 0.4 * pixel * t)
        keep = np.flatnonzero(~hit & (t < stop))
        active, o, d, t, stop = active[keep], o[:, keep], d[:, keep], t[keep], stop[keep]
    return hits


def norm(*parts: Array) -> Array:
    """Euclidean length over arrays of one shape."""
    return np.asarray(np.sqrt(sum(p * p for p in parts)), np.float32)


def ellipsoid(p: Array, radii: tuple[float, float, float]) -> Array:
    """Distance to an ellipsoid at the origin (a good bound near the surface)."""
    r = np.array(radii, np.float32)[:, None]
    a, b = p / r, p / (r * r)
    k0, k1 = norm(*a), norm(*b)
    return k0 * (k0 - 1) / np.maximum(k1, 1e-6)


def box(p: Array, half: tuple[float, float, float], rounding: float = 0.0) -> Array:
    """Distance to a box with rounded edges."""
    q = np.abs(p) - (np.array(half, np.float32)[:, None] - np.float32(rounding))
    outside = norm(*np.maximum(q, 0))
    return np.asarray(outside + np.minimum(q.max(0), 0) - np.float32(rounding), np.float32)


def capsules(p: Array, starts: Array, ends: Array, radii: Array) -> tuple[Array, Array, Array]:
    """Distance to the union of K tapered capsules.

    ``starts`` and ``ends`` are ``(K, 3)``, ``radii`` ``(K, 2)``. Also returns the index of the
    nearest capsule and the position along it (0..1), each ``(N,)``.
    """
    spans = ends - starts
    lengths = np.maximum((spans * spans).sum(1), 1e-9)
    # |p - a - t s|^2 expanded, so that the large products are matrix products.
    along = (spans @ p - (starts * spans).sum(1)[:, None]) / lengths[:, None]
    np.clip(along, 0, 1, out=along)
    square = (p * p).sum(0)[None] - 2 * (starts @ p) + (starts * starts).sum(1)[:, None]
    projected = spans @ p - (starts * spans).sum(1)[:, None]
    square += along * (along * lengths[:, None] - 2 * projected)
    thick = radii[:, :1] + along * (radii[:, 1:] - radii[:, :1])
    distance = np.sqrt(np.maximum(square, 0)) - thick
    nearest = distance.argmin(0)
    pick = np.arange(p.shape[1])
    return distance[nearest, pick], nearest, along[nearest, pick]


def smooth_min(a: Array, b: Array, width: float) -> Array:
    """Union of two fields, blended over ``width`` metres (polynomial, after Quilez)."""
    blend = np.maximum(width - np.abs(a - b), 0) / np.float32(width)
    return np.minimum(a, b) - blend * blend * np.float32(width * 0.25)


def chain(points: Array, radii: Array) -> tuple[Array, Array, Array]:
    """Starts, ends ``(K, 3)`` and radii ``(K, 2)`` of the capsules along K + 1 ``points``."""
    p, r = points.astype(np.float32), radii.astype(np.float32)
    return p[:-1], p[1:], np.stack([r[:-1], r[1:]], 1)


class Waves:
    """Smooth solid noise: a sum of warped sine products, unit amplitude, cheap to evaluate."""

    def __init__(self, rng: Rng, per_metre: float, octaves: int = 3) -> None:
        """``per_metre``: lumps per metre of the coarsest octave."""
        scale = 2 * np.pi * per_metre * 1.9 ** np.arange(octaves)
        ways = rng.normal(0, 1, (octaves, 2, 3))
        ways /= np.linalg.norm(ways, axis=2, keepdims=True)
        self._waves = (ways * scale[:, None, None] * 0.8).astype(np.float32)
        self._phases = rng.uniform(0, 2 * np.pi, (octaves, 2, 1)).astype(np.float32)

    def __call__(self, p: Array) -> Array:
        """Noise ``(N,)`` about -1..1 at points ``(3, N)``."""
        total = np.zeros(p.shape[1], np.float32)
        weight, warp = np.float32(0.6), np.zeros(p.shape[1], np.float32)
        for waves, phases in zip(self._waves, self._phases, strict=True):
            a, b = np.sin(waves @ p + phases + warp)
            total += weight * (a + b * a + b) * np.float32(0.5)
            warp, weight = a * np.float32(1.3), np.float32(weight * 0.5)
        return total


def hsv(hue: float, saturation: float, value: float) -> Array:
    """Linear RGB ``(3, 1)`` of a hue in turns, a saturation and a value."""
    offsets = np.array([5, 3, 1], np.float32) + np.float32(hue * 6)
    k = np.mod(offsets, 6)
    rgb = value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1)
    return np.asarray(rgb[:, None] ** 2, np.float32)


def mix(a: Array, b: Array, weight: Array) -> Array:
    """Colours ``a`` turning into ``b`` where ``weight`` ``(N,)`` is 1."""
    return np.asarray(a + (b - a) * weight, np.float32)
