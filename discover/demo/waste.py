"""Waste: bottle, can, bag, tyre, rope, net and bucket, each of endless variety.

Every builder draws size, proportions, colours and damage from ``rng``; what makes a kind is its
shape and surface, never one colour.
"""

from __future__ import annotations

import numpy as np

from discover.demo.fields import Array, Grime, Rng, smoothstep
from discover.demo.shapes import Shape, Waves, capsules, chain, hsv, mix, norm


def _any_colour(rng: Rng) -> Array:
    """A paint or plastic colour: often white, grey or blue, sometimes vivid."""
    if rng.random() < 0.35:
        return hsv(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.35, 0.95))
    return hsv(rng.random(), rng.uniform(0.35, 0.85), rng.uniform(0.35, 0.9))


def bottle(rng: Rng) -> Shape:
    """A bottle: body, shoulder, neck and cap turned about x, sometimes ribbed or crushed."""
    length, radius = rng.uniform(0.28, 0.40), rng.uniform(0.040, 0.056)
    neck = radius * rng.uniform(0.28, 0.42)
    shoulder = rng.uniform(0.52, 0.68)
    stations = np.array([0, 0.03, shoulder, shoulder + 0.08, shoulder + 0.17, 0.93, 0.935, 1.0])
    profile = np.array([0.9, 1, 1, 0.86, 0, 0, 0, 0]) * radius
    profile[4:6], profile[6:] = neck, neck * 1.3
    ribs = rng.uniform(0, 0.05) if rng.random() < 0.5 else 0.0
    dent = Waves(rng, 7, 2)
    crush = rng.uniform(0, 0.16) ** 1.3 * radius * 3
    colour, label, cap = hsv(*_glass(rng)), _any_colour(rng), _any_colour(rng)
    band = sorted(rng.uniform(0.1, shoulder, 2))
    labelled = rng.random() < 0.6

    def field(p: Array) -> Array:
        along = p[0] / np.float32(length) + np.float32(0.5)
        target = np.interp(along, stations, profile).astype(np.float32)
        if ribs:
            target *= 1 + np.float32(ribs) * np.cos(along * 75) * (along < shoulder)
        side = norm(p[1], p[2]) - target + np.float32(crush) * np.abs(dent(p)) * (along < shoulder)
        ends = np.abs(p[0]) - np.float32(length / 2)
        return np.asarray(np.maximum(side, ends), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        along = p[0] / length + 0.5
        noise = grime.at(p, 2.0)
        rgb = colour * (0.7 + 0.5 * noise[1])
        if labelled:
            stripes = 0.75 + 0.4 * (np.sin(p[0] * 260) * np.sin(np.arctan2(p[1], p[2]) * 5) > 0)
            on = ((along > band[0]) & (along < band[1])).astype(np.float32)
            rgb = mix(rgb, label * stripes, on * (noise[0] > 0.34))
        return mix(rgb, cap, (along > 0.93).astype(np.float32))

    reach = radius * 1.12
    return Shape(
        field,
        paint,
        (-length / 2, -reach, -reach),
        (length / 2, reach, reach),
        gloss=0.45,
        opacity=0.75 if rng.random() < 0.5 else 1.0,
        relax=0.7,
    )


def _glass(rng: Rng) -> tuple[float, float, float]:
    """Hue, saturation and value of green, brown or clear glass, or of plastic."""
    options = (
        (0.33, 0.55, 0.35),
        (0.09, 0.65, 0.35),
        (0.5, 0.15, 0.8),
        (0.58, 0.4, 0.7),
        (0.13, 0.1, 0.9),
    )
    hue, saturation, value = options[rng.integers(len(options))]
    return hue + rng.normal(0, 0.02), saturation, value * rng.uniform(0.8, 1.15)


def can(rng: Rng) -> Shape:
    """A drinks or food can: short dented cylinder with rims, printed and rusting."""
    radius = rng.uniform(0.045, 0.062)
    length = radius * rng.uniform(2.5, 3.9)
    dent = Waves(rng, 6, 2)
    crush = rng.uniform(0.05, 0.5) * radius
    print_colour, second = _any_colour(rng), _any_colour(rng)
    rust, bands = rng.uniform(0.2, 0.75), rng.uniform(25, 70)
    metal = hsv(0.1, 0.04, rng.uniform(0.7, 0.95))

    def field(p: Array) -> Array:
        rho, along = norm(p[1], p[2]), np.abs(p[0]) / np.float32(length / 2)
        taper = 0.14 * smoothstep(0.86, 0.98, along) - 0.10 * smoothstep(0.955, 0.975, along)
        hollow = np.float32(crush) * np.clip(dent(p), 0, 1) * smoothstep(1.0, 0.5, along)
        lid = np.float32(0.012) * smoothstep(radius * 0.88, radius * 0.78, rho)
        side = rho - np.float32(radius) * (1 - taper) + hollow
        return np.asarray(np.maximum(side, np.abs(p[0]) - np.float32(length / 2) + lid), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 2.5)
        turn = np.arctan2(p[1], p[2])
        motif = smoothstep(0.0, 0.25, np.sin(p[0] * bands + 1.4 * np.sin(turn * 2)))
        rgb = mix(print_colour, second, motif) * (0.8 + 0.3 * noise[1])
        bare = np.maximum(
            smoothstep(0.86, 0.9, np.abs(p[0]) / (length / 2)), smoothstep(0.62, 0.7, noise[2])
        )
        rgb = mix(rgb, metal * (0.6 + 0.5 * noise[0]), bare)
        brown = hsv(0.06, 0.75, 0.42) * (0.5 + noise[1])
        return mix(rgb, brown, smoothstep(0.75 - 0.5 * rust, 0.95 - 0.5 * rust, noise[0]))

    half = length / 2
    return Shape(
        field, paint, (-half, -radius, -radius), (half, radius, radius), gloss=0.6, relax=0.65
    )


def bag(rng: Rng) -> Shape:
    """A plastic bag: a slumped, wrinkled sack gathered to a crumpled end."""
    size = (rng.uniform(0.20, 0.30), rng.uniform(0.13, 0.20), rng.uniform(0.07, 0.13))
    lumps, folds, crease = Waves(rng, 2.6, 2), Waves(rng, 5.5, 2), Waves(rng, 11, 2)
    colour = hsv(rng.random(), rng.uniform(0, 0.2), rng.uniform(0.7, 0.98))
    if rng.random() < 0.45:
        colour = hsv(rng.random(), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.8))
    printed, ink = rng.random() < 0.5, _any_colour(rng)

    def field(p: Array) -> Array:
        x = p[0] / np.float32(size[0])
        gather = 1 - 0.62 * smoothstep(0.35, 0.85, x) + 0.35 * smoothstep(0.8, 1.15, x)
        rho = norm(x, p[1] / (size[1] * gather), p[2] / (size[2] * (0.35 + 0.65 * gather)))
        smooth = (rho - 1) * np.float32(size[2] * 0.9)
        fold = np.abs(folds(p)) * 0.030 + np.abs(crease(p)) * 0.011
        return smooth - 0.035 * lumps(p) + fold - 0.012

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 1.5)
        rgb = colour * (0.75 + 0.35 * noise[0] + 0.25 * np.abs(crease(p)))
        if printed:
            patch = norm(p[0], p[1] * 1.5) < size[0] * 0.4
            letters = np.sin(p[0] * 150) * np.sin(p[1] * 90) > 0
            rgb = mix(rgb, ink, (patch & letters & (noise[1] > 0.4)).astype(np.float32) * 0.8)
        return np.asarray(rgb, np.float32)

    x, y, z = size[0] * 1.3, size[1] * 1.45, size[2] * 1.6
    return Shape(
        field,
        paint,
        (-x, -y, -z),
        (x, y, z),
        gloss=0.35,
        opacity=rng.uniform(0.72, 1.0),
        relax=0.45,
    )


def tyre(rng: Rng) -> Shape:
    """A tyre: a ring of squarish section with bead and tread."""
    outer = rng.uniform(0.25, 0.34)
    width, depth = outer * rng.uniform(0.26, 0.36), outer * rng.uniform(0.34, 0.42)
    middle = outer - depth / 2
    lugs, slant = int(rng.integers(24, 44)), rng.uniform(-30, 30)
    groove = rng.uniform(0.004, 0.011)
    sag = Waves(rng, 1.5, 1)
    rubber = hsv(rng.uniform(0.05, 0.6), rng.uniform(0.02, 0.2), rng.uniform(0.18, 0.36))
    rim = rng.random() < 0.25
    steel = hsv(0.07, 0.5, 0.45)

    def field(p: Array) -> Array:
        rho = norm(p[0], p[1])
        radial, turn = rho - np.float32(middle), np.arctan2(p[1], p[0])
        z = p[2] + 0.012 * sag(p)
        rounding = np.float32(0.45 * min(width, depth))
        qx = np.abs(radial) - np.float32(depth / 2) + rounding
        qz = np.abs(z) - np.float32(width / 2) * (1 - 0.25 * smoothstep(0, -depth / 2, radial))
        qz = qz + rounding
        side = norm(np.maximum(qx, 0), np.maximum(qz, 0)) + np.minimum(np.maximum(qx, qz), 0)
        tread = np.sin(turn * lugs + np.abs(z) * np.float32(slant)) > 0.35
        cut = np.float32(groove) * tread * smoothstep(0.2 * depth, 0.34 * depth, radial)
        body = side - rounding + cut
        return np.asarray(
            np.minimum(body, np.maximum(rho - middle, np.abs(p[2]) - 0.01)) if rim else body,
            np.float32,
        )

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 1.2)
        rgb = rubber * (0.6 + 0.8 * noise[0])
        inside = (norm(p[0], p[1]) < middle - depth * 0.4).astype(np.float32)
        return mix(rgb, steel * (0.3 + noise[1]), inside * float(rim))

    half = width / 2 + 0.02
    return Shape(field, paint, (-outer, -outer, -half), (outer, outer, half), gloss=0.12, relax=0.7)


def rope(rng: Rng) -> Shape:
    """A rope: a long lay of strands in loops over the ground."""
    radius, count = rng.uniform(0.011, 0.019), 46
    turn = np.cumsum(rng.normal(0, 0.22, count) + rng.choice([-1, 1]) * rng.uniform(0.1, 0.34))
    stride = rng.uniform(0.030, 0.042)
    path = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], 1) * stride, 0)
    path -= (path.max(0) + path.min(0)) / 2
    lift = radius * (1 + 1.3 * np.cumsum(rng.normal(0, 0.25, count)).clip(0, 2))
    starts, ends, radii = chain(np.column_stack([path, lift]), np.full(count, radius))
    colour = hsv(rng.random(), rng.uniform(0.0, 0.8), rng.uniform(0.4, 0.9))
    second = hsv(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.3, 0.9))
    pitch = stride / rng.uniform(0.03, 0.045)

    def strands(index: Array, along: Array, p: Array, share: float) -> Array:
        turns = (index + along) * np.float32(2 * np.pi * pitch * share)
        heading = turn.astype(np.float32)[index.astype(np.int32)]
        across = p[0] * np.sin(heading) - p[1] * np.cos(heading)
        centre = path[index.astype(np.int32)]
        across -= centre[:, 0] * np.sin(heading) - centre[:, 1] * np.cos(heading)
        return np.asarray(np.cos(3 * turns + across / radius * 1.6), np.float32)

    def field(p: Array) -> Array:
        distance, index, along = capsules(p, starts, ends, radii)
        return distance + 0.0022 * strands(index, along, p, 0.33)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        _, index, along = capsules(p, starts, ends, radii)
        dark = smoothstep(0.2, 1.0, strands(index, along, p, 0.33))
        noise = grime.at(p, 2.0)
        rgb = mix(colour, second, smoothstep(0.55, 0.6, noise[2]) * 0.5)
        return np.asarray(rgb * (1 - 0.6 * dark) * (0.6 + 0.6 * noise[0]), np.float32)

    x, y = (np.abs(path).max(0) + radius * 1.3).tolist()
    return Shape(
        field,
        paint,
        (-x, -y, -0.004),
        (x, y, float(lift.max()) + radius * 1.3),
        gloss=0.04,
        relax=0.75,
    )


def net(rng: Rng) -> Shape:
    """A piece of fishing net: knotted meshes over a draped, gathered sheet."""
    reach = (rng.uniform(0.32, 0.46), rng.uniform(0.24, 0.36))
    mesh, strand = rng.uniform(0.042, 0.07), rng.uniform(0.0040, 0.0065)
    drape, warp_u, warp_v = Waves(rng, 1.7, 2), Waves(rng, 1.2, 2), Waves(rng, 1.2, 2)
    outline = rng.uniform(0, 2 * np.pi, 2)
    height = rng.uniform(0.03, 0.085)
    colour = hsv(
        rng.choice([0.35, 0.45, 0.55, 0.6, 0.08, 0.12]) + rng.normal(0, 0.03),
        rng.uniform(0.1, 0.8),
        rng.uniform(0.4, 0.9),
    )

    def sheet(p: Array) -> Array:
        flat = np.stack([p[0], p[1], np.zeros_like(p[0])])
        return (
            np.float32(height)
            * (1 + 0.9 * drape(flat))
            * smoothstep(1.1, 0.3, norm(p[0] / reach[0], p[1] / reach[1]))
        )

    def lines(p: Array) -> tuple[Array, Array]:
        flat = np.stack([p[0], p[1], np.zeros_like(p[0])])
        u = (p[0] + p[1] + 0.11 * warp_u(flat)) / np.float32(mesh * 1.41)
        v = (p[0] - p[1] + 0.11 * warp_v(flat)) / np.float32(mesh * 1.41)
        return np.abs(u - np.round(u)) * np.float32(mesh), np.abs(v - np.round(v)) * mesh

    def field(p: Array) -> Array:
        du, dv = lines(p)
        level = p[2] - sheet(p)
        cord = norm(np.minimum(du, dv), level) - np.float32(strand)
        knot = norm(du, dv, level) - np.float32(strand * 1.7)
        turn = np.arctan2(p[1], p[0])
        edge = 1 + 0.14 * np.sin(3 * turn + outline[0]) + 0.08 * np.sin(5 * turn + outline[1])
        border = (norm(p[0] / reach[0], p[1] / reach[1]) - edge) * np.float32(reach[1] * 0.8)
        hem = norm(border, level) - np.float32(strand * 1.9)
        return np.asarray(
            np.minimum(np.maximum(np.minimum(cord, knot), border), hem).astype(np.float32),
            np.float32,
        )

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 2.0)
        return np.asarray(colour * (0.5 + 0.8 * noise[0]), np.float32)

    x, y = reach[0] * 1.22, reach[1] * 1.22
    return Shape(field, paint, (-x, -y, -0.01), (x, y, height * 2.1 + 0.01), gloss=0.08, relax=0.6)


def bucket(rng: Rng) -> Shape:
    """A bucket or tub: a thin conical shell, open at one end, with a rim and a handle."""
    height, top = rng.uniform(0.20, 0.30), rng.uniform(0.11, 0.15)
    base, wall = top * rng.uniform(0.68, 0.85), 0.006
    colour = _any_colour(rng)
    dent, crush = Waves(rng, 3.5, 2), rng.uniform(0, 0.02)
    swing = rng.uniform(0.2, 2.9)
    hoop = np.linspace(0, np.pi, 12)
    arc = np.column_stack(
        [
            np.cos(hoop) * top,
            np.sin(hoop) * top * np.cos(swing),
            height / 2 + np.sin(hoop) * top * np.sin(swing),
        ]
    )
    handle = chain(arc, np.full(12, 0.006))

    def field(p: Array) -> Array:
        rho = norm(p[0], p[1])
        share = np.clip(p[2] / np.float32(height) + 0.5, 0, 1)
        target = base + (top - base) * share + crush * dent(p)
        shell = np.maximum(np.abs(rho - target) - wall, np.abs(p[2]) - np.float32(height / 2))
        floor = np.maximum(rho - target, np.abs(p[2] + np.float32(height / 2 - wall)) - wall)
        rim = norm(rho - target, p[2] - np.float32(height / 2)) - np.float32(0.011)
        solid = np.minimum(np.minimum(shell, floor), rim)
        return np.asarray(np.minimum(solid, capsules(p, *handle)[0]).astype(np.float32), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 1.4)
        inside = norm(p[0], p[1]) < base + (top - base) * np.clip(p[2] / height + 0.5, 0, 1)
        shade = np.where(inside, 0.45, 1.0)
        return np.asarray(colour * (0.7 + 0.5 * noise[0]) * shade, np.float32)

    reach = top + 0.03
    return Shape(
        field,
        paint,
        (-reach, -reach, -height / 2 - 0.01),
        (reach, reach, height / 2 + top + 0.01),
        gloss=0.2,
        relax=0.7,
    )
