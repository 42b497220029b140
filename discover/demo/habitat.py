"""What grows and lies on the floor: kelp, tufts and sheets of algae; boulders and cobbles."""

from __future__ import annotations

import numpy as np

from discover.demo.fields import Array, Grime, Rng, smoothstep
from discover.demo.shapes import Shape, Waves, ellipsoid, hsv, mix, norm, smooth_min


def _fronds(rng: Rng, count: int, length: float, width: float, rise: float) -> Shape:
    """Ruffled ribbons that spring from one holdfast, each bending over in its own plane."""
    angles = 2 * np.pi * np.arange(count) / count + rng.normal(0, 0.35, count)
    lengths = length * rng.uniform(0.6, 1.0, count)
    arch, ruffle = rise * rng.uniform(0.5, 1.0, count), rng.uniform(0, 6, count)
    bend = rng.normal(0, 0.5, count)
    pleats = rng.uniform(2.0, 3.5) / width
    colour = hsv(
        rng.choice([0.10, 0.12, 0.16, 0.25, 0.30]) + rng.normal(0, 0.015),
        rng.uniform(0.5, 0.85),
        rng.uniform(0.3, 0.65),
    )

    def field(p: Array) -> Array:
        best = norm(p[0], p[1], p[2]) - np.float32(0.028)
        for i in range(count):
            c, s = np.float32(np.cos(angles[i])), np.float32(np.sin(angles[i]))
            u, w = c * p[0] + s * p[1], c * p[1] - s * p[0]
            share = np.clip(u / np.float32(lengths[i]), 0, 1)
            w = w - np.float32(bend[i] * lengths[i]) * share * share
            spread = np.float32(width) * np.sqrt(share * 1.15) * (1.05 - share) ** 0.35
            edge = np.clip(w / np.maximum(spread, 0.004), -1.2, 1.2)
            wave = np.sin(u * np.float32(pleats) + ruffle[i] + edge) * edge * edge
            level = arch[i] * 4 * share * (1 - share * 0.95) + 0.35 * width * wave
            thin = np.abs(p[2] - level) * np.float32(0.55) - np.float32(0.0035)
            blade = np.maximum(np.maximum(np.abs(w) - spread, thin), u - lengths[i])
            best = np.minimum(best, np.maximum(blade, -u))
        return best.astype(np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 1.6)
        holes = smoothstep(0.62, 0.7, noise[1])
        rgb = colour * (0.55 + 0.8 * noise[0]) * (0.8 + 0.4 * norm(p[0], p[1])[None] / length)
        return mix(rgb, colour * 0.3, holes * 0.6)

    high = float(arch.max()) * 1.1 + 0.4 * width
    reach = length * 1.06 + width
    return Shape(field, paint, (-reach, -reach, -0.02), (reach, reach, high), gloss=0.15, relax=0.5)


def kelp(rng: Rng) -> Shape:
    """Long brown or green straps."""
    return _fronds(
        rng,
        int(rng.integers(5, 9)),
        rng.uniform(0.32, 0.48),
        rng.uniform(0.035, 0.055),
        rng.uniform(0.06, 0.16),
    )


def lettuce(rng: Rng) -> Shape:
    """A low rosette of broad crumpled sheets."""
    return _fronds(
        rng,
        int(rng.integers(6, 9)),
        rng.uniform(0.16, 0.24),
        rng.uniform(0.07, 0.10),
        rng.uniform(0.04, 0.09),
    )


def tuft(rng: Rng) -> Shape:
    """A bush of fine wavy branches, as of red algae."""
    size, count = rng.uniform(0.13, 0.22), 170
    ways = rng.normal(0, 1, (count, 3))
    ways[:, 2] = np.abs(ways[:, 2]) * rng.uniform(0.5, 0.9) + 0.05
    ways = (ways / np.linalg.norm(ways, axis=1, keepdims=True)).astype(np.float32)
    lengths = (size * rng.uniform(0.55, 1.0, count)).astype(np.float32)
    curl = Waves(rng, 3.5, 2)
    twist = [rng.normal(0, 1, 3).astype(np.float32)[:, None] * 0.03 for _ in range(2)]
    colour = hsv(
        rng.choice([0.97, 0.0, 0.03, 0.1, 0.25]) + rng.normal(0, 0.01),
        rng.uniform(0.45, 0.8),
        rng.uniform(0.3, 0.6),
    )

    def field(p: Array) -> Array:
        q = p + twist[0] * curl(p) + twist[1] * curl(p[::-1])
        along = ways @ q
        nearest, pick = along.argmax(0), np.arange(p.shape[1])
        reach = along[nearest, pick]
        most = np.clip(reach, 0, lengths[nearest])
        away = np.sqrt(np.maximum((q * q).sum(0) - 2 * most * reach + most * most, 0))
        thick = np.float32(0.0035) + np.float32(0.010) * smoothstep(0.45 * size, 0.0, most)
        return np.asarray(away - thick, np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        depth = smoothstep(0.15, 0.9, norm(*p) / size)
        return np.asarray(
            colour * (0.35 + 0.9 * depth) * (0.6 + 0.7 * grime.at(p, 3)[0]), np.float32
        )

    edge = size * 1.2
    return Shape(
        field, paint, (-edge, -edge, -0.02), (edge, edge, size * 1.1), gloss=0.03, relax=0.55
    )


def _stone_paint(rng: Rng) -> tuple[Array, Array, float]:
    """Stone, crust and how much of it."""
    stone = hsv(rng.choice([0.08, 0.1, 0.6, 0.12]), rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.6))
    crust = hsv(
        rng.choice([0.95, 0.1, 0.25, 0.05, 0.14]), rng.uniform(0.2, 0.5), rng.uniform(0.4, 0.8)
    )
    return stone, crust, float(rng.uniform(0.3, 0.7))


def boulder(rng: Rng) -> Shape:
    """One boulder, broken along a few planes, pitted and encrusted."""
    size = rng.uniform(0.17, 0.30) * np.array([1, rng.uniform(0.6, 0.95), rng.uniform(0.45, 0.7)])
    planes = rng.normal(0, 1, (7, 3))
    planes = (planes / np.linalg.norm(planes, axis=1, keepdims=True)).astype(np.float32)
    offsets = (np.abs(planes) @ size * rng.uniform(0.62, 0.85, 7)).astype(np.float32)[:, None]
    lumps, pits = Waves(rng, 3, 3), Waves(rng, 14, 3)
    stone, crust, share = _stone_paint(rng)
    radii = (float(size[0]), float(size[1]), float(size[2]))

    def field(p: Array) -> Array:
        ball = ellipsoid(p, radii) + 0.035 * lumps(p)
        cut = (planes @ p - offsets).max(0)
        return -smooth_min(-ball, -cut, 0.03) + 0.006 * pits(p)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        return _stone(p, stone, crust, share, grime)

    x, y, z = (s * 1.15 + 0.03 for s in radii)
    return Shape(field, paint, (-x, -y, -z), (x, y, z), gloss=0.03, relax=0.6)


def cobbles(rng: Rng) -> Shape:
    """A handful of rounded stones lying together."""
    count, spread = int(rng.integers(4, 8)), rng.uniform(0.09, 0.14)
    sizes = [
        tuple(rng.uniform(0.035, 0.085) * rng.uniform([0.9, 0.7, 0.5], [1.2, 1, 0.8]))
        for _ in range(count)
    ]
    spots = rng.normal(0, spread, (count, 3)).astype(np.float32)
    spots[:, 2] = 0
    turns = rng.uniform(0, np.pi, count)
    pits = Waves(rng, 10, 3)
    stone, crust, share = _stone_paint(rng)

    def field(p: Array) -> Array:
        best = np.full(p.shape[1], 9, np.float32)
        for at, size, turn in zip(spots, sizes, turns, strict=True):
            q = p - at[:, None]
            c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            local = np.stack([c * q[0] + s * q[1], c * q[1] - s * q[0], q[2]])
            best = np.minimum(best, ellipsoid(local, size))
        return best + 0.007 * pits(p)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        which = np.argmin([norm(p[0] - a[0], p[1] - a[1]) for a in spots], axis=0)
        shade = np.array([0.7 + 0.6 * ((i * 0.618) % 1) for i in range(count)], np.float32)
        return np.asarray(_stone(p, stone, crust, share, grime) * shade[which], np.float32)

    x, y = (np.abs(spots[:, :2]).max(0) + 0.16).tolist()
    return Shape(field, paint, (-x, -y, -0.11), (x, y, 0.11), gloss=0.03, relax=0.7)


def _stone(p: Array, stone: Array, crust: Array, share: float, grime: Grime) -> Array:
    """Mottled stone under patches of crust and dark pits."""
    noise, fine = grime.at(p, 0.9), grime.at(p[::-1], 4.0)
    rgb = stone * (0.45 + 0.6 * noise[0] + 0.5 * fine[1])
    rgb = mix(
        rgb,
        crust * (0.6 + 0.6 * fine[0]),
        smoothstep(0.75 - share / 2, 0.8 - share / 2, noise[1] * 0.7 + fine[2] * 0.3),
    )
    return np.asarray(rgb * (1 - 0.6 * smoothstep(0.6, 0.75, fine[0])), np.float32)
