"""Animals: fish, eel, starfish, urchin, crab, jellyfish and sea cucumber.

Head or front looks along +x. Colours vary within a kind; the body plan does not.
"""

from __future__ import annotations

import numpy as np

from discover.demo.fields import Array, Grime, Rng, smoothstep
from discover.demo.shapes import (
    Shape,
    Waves,
    capsules,
    chain,
    ellipsoid,
    hsv,
    mix,
    norm,
    smooth_min,
)


def _skin(rng: Rng) -> Array:
    """An animal's colour: reds, oranges, browns, greys, sometimes pale."""
    hue = rng.choice([0.0, 0.03, 0.06, 0.09, 0.12, 0.6, 0.75, 0.9]) + rng.normal(0, 0.02)
    return hsv(hue, rng.uniform(0.15, 0.8), rng.uniform(0.4, 0.95))


def fish(rng: Rng) -> Shape:
    """A round-bodied fish: deep flattened body, dorsal and anal fin, forked tail."""
    length = rng.uniform(0.26, 0.42)
    deep, thick = length * rng.uniform(0.19, 0.27), length * rng.uniform(0.075, 0.11)
    bend, phase = rng.uniform(-0.5, 0.5), rng.uniform(0, 6)
    stations = np.array([-0.5, -0.33, -0.15, 0.05, 0.25, 0.4, 0.5])
    profile = np.array([0.16, 0.22, 0.62, 0.96, 0.95, 0.62, 0.06])
    back, pale = _skin(rng), hsv(0.1, 0.08, rng.uniform(0.6, 0.95))
    bars, spots, stripe = rng.uniform(40, 130), rng.uniform(0, 1), rng.uniform(0, 0.8)
    fin_top = rng.uniform(1.35, 1.75)

    def straight(p: Array) -> Array:
        x = p[0] / np.float32(length)
        return np.stack([x, p[1] + np.float32(bend * length) * (x - 0.1) ** 2, p[2]])

    def field(p: Array) -> Array:
        x, y, z = straight(p)
        height = np.interp(x, stations, profile).astype(np.float32) * np.float32(deep)
        width = height * np.float32(thick / deep)
        rho = norm(y / np.maximum(width, 2e-3), z / np.maximum(height, 2e-3))
        body = np.maximum((rho - 1) * width, (np.abs(x) - 0.5) * length)
        fin_edge = height * fin_top - np.float32(0.012) * np.sin(x * 60)
        fins = np.maximum(np.abs(z) - fin_edge, np.abs(x + 0.08) * length - 0.26 * length)
        spread = (-0.30 - x) * np.float32(0.85 * length)
        fork = (x + 0.50) * length - 0.55 * np.abs(z) + 0.01
        tail = np.maximum(np.abs(z) - spread - 0.01, np.maximum(-fork - 0.03, (x + 0.33) * length))
        thin = np.maximum(np.minimum(fins, tail) * 0.8, np.abs(y) - 0.0035)
        return np.asarray(np.minimum(body, thin).astype(np.float32), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        x, _y, z = straight(p)
        noise = grime.at(p, 2.2)
        rgb = mix(back, pale, smoothstep(0.2, -0.7, z / deep + 0.4 * (noise[0] - 0.5)))
        mark = smoothstep(0.1, 0.6, np.sin(x * bars * length + phase + 2 * noise[2]))
        rgb = rgb * (1 - stripe * 0.6 * mark)
        rgb = mix(rgb, back * 0.3, smoothstep(0.62, 0.68, noise[1]) * spots)
        eye = norm((x - 0.385) * length, z - 0.18 * deep)
        rgb = mix(rgb, pale, (eye < 0.085 * deep + 0.006).astype(np.float32))
        return mix(rgb, pale * 0.02, (eye < 0.05 * deep + 0.003).astype(np.float32))

    half = length * 0.62
    return Shape(
        field,
        paint,
        (-half, -thick * 1.5 - length * 0.12, -deep * 1.75),
        (length * 0.52, thick * 1.5 + length * 0.12, deep * 1.75),
        gloss=0.25,
        relax=0.5,
    )


def eel(rng: Rng) -> Shape:
    """An elongated fish: a winding tapering body with a ribbon fin."""
    length, count = rng.uniform(0.5, 0.75), 22
    share = np.linspace(0, 1, count)
    sway = rng.uniform(0.04, 0.10) * np.sin(share * rng.uniform(5, 9) + rng.uniform(0, 6))
    path = np.column_stack([length * (0.5 - share), sway * (0.3 + share), 0.02 * np.sin(share * 4)])
    path[:, 1] -= path[:, 1].mean()
    radius = length * rng.uniform(0.030, 0.042)
    swell = np.interp(share, [0, 0.06, 0.15, 0.5, 1], [0.55, 0.95, 1, 0.75, 0.12]) * radius
    bones = chain(path, swell)
    lifted = path.copy()
    lifted[:, 2] += swell + 0.006
    fin = chain(lifted[3:], np.full(count - 3, 0.006))
    back, belly = _skin(rng), hsv(0.1, 0.1, rng.uniform(0.55, 0.9))
    bars = rng.uniform(0, 0.8)

    def field(p: Array) -> Array:
        body = capsules(p, *bones)[0]
        return smooth_min(body, capsules(p, *fin)[0], 0.012)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 2.0)
        rgb = mix(belly, back, smoothstep(-0.5, 0.2, n[2] + 0.6 * (noise[0] - 0.5)))
        ring = smoothstep(0.2, 0.7, np.sin(p[0] * 90 + 4 * noise[1]))
        rgb = rgb * (1 - bars * 0.6 * ring)
        eye = norm(p[0] - path[1, 0], p[2] - path[1, 2] - 0.4 * swell[1])
        return mix(rgb, belly * 0.03, (eye < 0.009).astype(np.float32))

    low, high = path.min(0) - radius * 1.2, path.max(0) + radius * 1.2
    high[2] += 0.02
    return Shape(field, paint, _corner(low), _corner(high), gloss=0.2, relax=0.8)


def _corner(values: Array) -> tuple[float, float, float]:
    """Three floats of an array."""
    return float(values[0]), float(values[1]), float(values[2])


def starfish(rng: Rng) -> Shape:
    """A sea star: five (sometimes six) tapering, gently bent, warty arms."""
    reach, arms = rng.uniform(0.13, 0.21), int(rng.choice([5, 5, 5, 6]))
    thick = reach * rng.uniform(0.20, 0.32)
    parts = []
    for arm in range(arms):
        angle = 2 * np.pi * arm / arms + rng.normal(0, 0.09)
        bends = angle + np.cumsum(np.r_[0, rng.normal(0, 0.18, 3)])
        length = reach * rng.uniform(0.85, 1.0)
        steps = np.stack([np.cos(bends), np.sin(bends)], 1) * length / 4
        path = np.vstack([[0, 0], np.cumsum(steps, 0)])
        parts.append(
            chain(
                np.column_stack([path, np.zeros(5)]), thick * np.array([1, 0.78, 0.58, 0.4, 0.16])
            )
        )
    starts, ends, radii = (np.vstack([p[i] for p in parts]) for i in range(3))
    warts = rng.uniform(60, 100)
    colour, tips = _skin(rng), _skin(rng)
    dots = hsv(rng.uniform(0, 0.15), rng.uniform(0.1, 0.7), rng.uniform(0.6, 1))

    def bumps(p: Array) -> Array:
        return np.asarray(
            np.sin(p[0] * warts) * np.sin(p[1] * warts + np.sin(p[0] * warts * 0.4)), np.float32
        )

    def field(p: Array) -> Array:
        flat = np.stack([p[0], p[1], p[2] * np.float32(1.5)])
        return capsules(flat, starts, ends, radii)[0] - 0.0022 * bumps(p)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 2.5)
        rgb = mix(colour, tips, smoothstep(0.2, 1.1, norm(p[0], p[1]) / reach) * 0.7)
        rgb = rgb * (0.6 + 0.7 * noise[0])
        return mix(rgb, dots, smoothstep(0.45, 0.8, bumps(p)) * 0.75)

    edge = reach + 0.01
    return Shape(
        field,
        paint,
        (-edge, -edge, -0.25 * thick),
        (edge, edge, thick * 0.9),
        gloss=0.06,
        relax=0.6,
    )


def urchin(rng: Rng) -> Shape:
    """A sea urchin: a ball of radiating spines."""
    core, count = rng.uniform(0.038, 0.055), 230
    spike = core * rng.uniform(1.8, 2.6)
    index = np.arange(count) + 0.5
    height, turn = 1 - 1.65 * index / count, np.pi * (1 + 5**0.5) * index
    ways = np.stack(
        [np.sqrt(1 - height**2) * np.cos(turn), np.sqrt(1 - height**2) * np.sin(turn), height], 1
    ) + rng.normal(0, 0.07, (count, 3))
    ways = (ways / np.linalg.norm(ways, axis=1, keepdims=True)).astype(np.float32)
    lengths = (spike * rng.uniform(0.72, 1.0, count)).astype(np.float32)
    width = rng.uniform(0.0024, 0.0034)
    colour = hsv(
        rng.choice([0.75, 0.9, 0.02, 0.6, 0.3]), rng.uniform(0.1, 0.6), rng.uniform(0.15, 0.55)
    )
    tips = colour * rng.uniform(1.0, 2.6)

    def field(p: Array) -> Array:
        along = ways @ p
        nearest = along.argmax(0)
        most = np.minimum(along[nearest, np.arange(p.shape[1])], lengths[nearest])
        square = (p * p).sum(0)
        side = 2 * most * along[nearest, np.arange(p.shape[1])] - most * most
        away = np.sqrt(np.maximum(square - side, 0))
        spine = away - np.float32(width) * (1.25 - most / np.float32(spike))
        return np.asarray(np.minimum(np.sqrt(square) - np.float32(core), spine), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        rgb = mix(colour, tips, smoothstep(core, spike, norm(*p)))
        return np.asarray(rgb * (0.6 + 0.6 * grime.at(p, 3)[0]), np.float32)

    return Shape(
        field, paint, (-spike, -spike, -0.7 * core), (spike, spike, spike), gloss=0.15, relax=0.75
    )


def crab(rng: Rng) -> Shape:
    """A crab: broad carapace, eight jointed legs, two claws."""
    wide = rng.uniform(0.060, 0.085)
    long, tall = wide * rng.uniform(0.7, 0.85), wide * rng.uniform(0.36, 0.48)
    reach = wide * rng.uniform(1.25, 1.8)
    starts, ends, radii = [], [], []
    for side in (-1.0, 1.0):
        for leg in range(4):
            angle = side * (0.55 + 0.62 * leg + rng.normal(0, 0.10))
            way = np.array([np.cos(angle), np.sin(angle), 0])
            hip = way * np.array([long, wide, 0]) * 0.8
            knee = hip + way * reach * 0.6 + [0, 0, reach * rng.uniform(0.22, 0.4)]
            foot = knee + way * reach * rng.uniform(0.5, 0.75) + [0, 0, -knee[2] - tall * 0.7]
            starts += [hip, knee]
            ends += [knee, foot]
            radii += [[0.14 * wide, 0.11 * wide], [0.11 * wide, 0.03 * wide]]
        elbow = np.array([long * 1.05, side * wide * rng.uniform(0.9, 1.2), 0.0])
        wrist = elbow + np.array([wide * 0.5, -side * wide * rng.uniform(0.3, 0.6), 0.0])
        tip = wrist + np.array([wide * 0.45, -side * wide * 0.22, 0.0])
        starts += [np.array([long * 0.5, side * wide * 0.6, 0]), elbow, wrist, wrist]
        ends += [elbow, wrist, tip, tip + np.array([0, side * wide * 0.28, 0])]
        radii += [
            [0.13 * wide, 0.15 * wide],
            [0.17 * wide, 0.27 * wide],
            [0.19 * wide, 0.05 * wide],
            [0.15 * wide, 0.04 * wide],
        ]
    limbs = tuple(np.array(part, np.float32) for part in (starts, ends, radii))
    colour, joints = _skin(rng), _skin(rng)
    rough = Waves(rng, 16, 2)

    def field(p: Array) -> Array:
        shell = ellipsoid(p, (long, wide, tall)) + 0.003 * rough(p)
        return smooth_min(shell, capsules(p, *limbs)[0], 0.006)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 3.0)
        rgb = mix(colour, joints, smoothstep(0.5, 0.65, noise[2]) * 0.6) * (0.5 + 0.9 * noise[0])
        far = smoothstep(wide, wide + reach, norm(p[0], p[1]))
        return np.asarray(rgb * (1 - 0.35 * far), np.float32)

    edge = wide + reach * 1.5
    return Shape(
        field, paint, (-edge, -edge, -tall), (edge, edge, tall + reach * 0.45), gloss=0.2, relax=0.8
    )


def jellyfish(rng: Rng) -> Shape:
    """A medusa: a translucent pulsing bell over trailing tentacles."""
    radius = rng.uniform(0.10, 0.15)
    tall, count = radius * rng.uniform(0.62, 0.95), int(rng.integers(7, 12))
    starts, ends, radii = [], [], []
    for tentacle in range(count):
        angle = 2 * np.pi * tentacle / count + rng.normal(0, 0.12)
        knots = int(rng.integers(5, 8))
        drift = np.cumsum(rng.normal(0, 0.010, (knots, 2)), 0)
        drift += np.outer(np.arange(knots), rng.normal(0, 0.006, 2))
        hang = np.linspace(0, -radius * rng.uniform(1.4, 2.4), knots)
        root = radius * (0.82 if tentacle % 2 else 0.25)
        path = np.column_stack([drift + root * np.array([np.cos(angle), np.sin(angle)]), hang])
        thick = 0.0055 if tentacle % 2 else 0.013
        a, b, r = chain(path, np.linspace(thick, thick * 0.4, knots))
        starts.append(a)
        ends.append(b)
        radii.append(r)
    arms = tuple(np.vstack(part) for part in (starts, ends, radii))
    lobes = int(rng.choice([8, 12, 16]))
    tint = hsv(rng.choice([0.55, 0.9, 0.05, 0.08, 0.75]), rng.uniform(0.1, 0.6), 0.9)
    glow = hsv(rng.random(), 0.2, 1.0)

    def field(p: Array) -> Array:
        turn = np.arctan2(p[1], p[0])
        flare = 1 + 0.035 * np.cos(turn * lobes) * smoothstep(tall * 0.5, 0.0, p[2])
        dome = ellipsoid(np.stack([p[0] / flare, p[1] / flare, p[2]]), (radius, radius, tall))
        shell = np.abs(dome + 0.006) - 0.006
        bell = np.maximum(shell, -p[2] - 0.012)
        return np.asarray(np.minimum(bell, capsules(p, *arms)[0]).astype(np.float32), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        rho, turn = norm(p[0], p[1]) / radius, np.arctan2(p[1], p[0])
        ray = smoothstep(0.6, 0.95, np.cos(turn * lobes)) * smoothstep(0.25, 0.6, rho)
        heart = smoothstep(0.45, 0.3, rho * (1 + 0.25 * np.cos(4 * turn)))
        rgb = mix(tint, glow, np.maximum(ray, heart) * 0.8)
        return np.asarray(rgb * (0.7 + 0.5 * grime.at(p, 2)[0]), np.float32)

    low = min(float(arms[1][:, 2].min()), 0) - 0.01
    side = radius * 1.2
    return Shape(
        field,
        paint,
        (-side, -side, low),
        (side, side, tall + 0.01),
        gloss=0.2,
        opacity=0.40,
        relax=0.7,
    )


def cucumber(rng: Rng) -> Shape:
    """A sea cucumber: a stout, curved, warty sausage."""
    length, count = rng.uniform(0.20, 0.32), 9
    radius = length * rng.uniform(0.12, 0.17)
    share = np.linspace(-0.5, 0.5, count)
    path = np.column_stack(
        [share * length, rng.uniform(-0.35, 0.35) * length * (share**2) * 2, np.zeros(count)]
    )
    body = chain(path, radius * np.sqrt(np.clip(1.04 - (2 * share) ** 4 * 0.6, 0.1, 1)))
    warts, rings = rng.uniform(50, 80), Waves(rng, 9, 2)
    colour, spots = _skin(rng) * 0.7, _skin(rng)

    def bumps(p: Array) -> Array:
        turn = np.arctan2(p[1], p[2]) * np.float32(5)
        return np.asarray(
            np.clip(np.sin(p[0] * warts) * np.sin(turn + p[0] * 9), 0, 1) ** 2, np.float32
        )

    def field(p: Array) -> Array:
        return np.asarray(capsules(p, *body)[0] - 0.010 * bumps(p) - 0.004 * rings(p), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        rgb = colour * (0.5 + 0.9 * grime.at(p, 2.4)[1])
        return mix(rgb, spots, smoothstep(0.35, 0.9, bumps(p)))

    x, side = length / 2 + radius, radius * 1.4
    bow = float(np.abs(path[:, 1]).max())
    return Shape(
        field, paint, (-x, -side - bow, -side), (x, side + bow, side), gloss=0.15, relax=0.6
    )
