"""What the camera sees of its own vehicle, and the telemetry burned into the picture.

The parts are solids in camera axes (x right, y up, z forward), traced once per dive and pose of
the arm; per frame the layer only shivers with the thrusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from discover.demo.camera import Lens
from discover.demo.fields import Array, Grime, Rng, smoothstep
from discover.demo.shapes import Shape, box, capsules, hsv, mix, norm, trace


@dataclass(frozen=True)
class Dress:
    """How the vehicle of a dive is fitted out."""

    frame: bool
    basket: bool
    arm: bool
    seed: int


def _rod(start: list[float], end: list[float], radius: float, ends: Array, bands: float) -> Shape:
    """An upright with painted bands, or plain where ``bands`` is 0; ``ends`` two colours."""
    a, b = np.array([start], np.float32), np.array([end], np.float32)
    thick = np.array([[radius, radius]], np.float32)

    def field(p: Array) -> Array:
        return capsules(p, a, b, thick)[0]

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 2.0)
        along = ((p - a.T) * (b - a).T).sum(0) / np.linalg.norm(b - a)
        stripe = smoothstep(-0.08, 0.08, np.sin(along * bands)) if bands else 0 * along
        rgb = mix(ends[:, :1], ends[:, 1:], stripe)
        worn = mix(rgb, hsv(0.1, 0.1, 0.6), smoothstep(0.70, 0.76, noise[0]))
        return np.asarray(worn * (0.6 + 0.6 * noise[1]), np.float32)

    low = np.minimum(start, end) - radius - 0.005
    high = np.maximum(start, end) + radius + 0.005
    return Shape(field, paint, tuple(low.tolist()), tuple(high.tolist()), gloss=0.25)


def _basket(rng: Rng) -> Shape:
    """A blue sample basket: a crate of slats under the lower edge of the view."""
    side = float(rng.choice([-1, 1]))
    centre = np.array([side * rng.uniform(0.26, 0.36), -0.335, 0.95], np.float32)[:, None]
    half = (rng.uniform(0.20, 0.28), 0.11, 0.13)
    colour = hsv(rng.uniform(0.56, 0.62), rng.uniform(0.6, 0.8), rng.uniform(0.5, 0.8))

    def field(p: Array) -> Array:
        q = p - centre
        hollow = np.stack([q[0], q[1] - 0.02, q[2]])
        inner = (half[0] - 0.010, half[1], half[2] - 0.010)
        crate = np.maximum(box(q, half, 0.01), -box(hollow, inner))
        gap_x, gap_z = (np.abs(np.mod(q[i], 0.05) - 0.025) - 0.017 for i in (0, 2))
        level = np.abs(np.mod(q[1], 0.06) - 0.03) - 0.022
        holes = np.maximum(np.maximum(np.minimum(gap_x, gap_z), level), q[1] - half[1] + 0.025)
        return np.asarray(np.maximum(crate, -holes).astype(np.float32), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        noise = grime.at(p, 1.5)
        return np.asarray(colour * (0.55 + 0.7 * noise[0]), np.float32)

    low, high = (centre[:, 0] + sign * (np.array(half) + 0.01) for sign in (-1, 1))
    return Shape(field, paint, tuple(low.tolist()), tuple(high.tolist()), gloss=0.2, relax=0.6)


def _arm(rng: Rng) -> Shape:
    """A manipulator: sleeved tubes with joints, a wrist and a two-fingered claw."""
    side = float(rng.choice([-1, 1]))
    joints = np.array(
        [
            [side * 0.74, -0.42, 0.62],
            [side * rng.uniform(0.52, 0.60), -rng.uniform(0.22, 0.32), 0.78],
            [side * rng.uniform(0.34, 0.44), -rng.uniform(0.26, 0.36), 0.95],
            [side * rng.uniform(0.24, 0.31), -rng.uniform(0.27, 0.36), 1.06],
        ]
    )
    way = (joints[3] - joints[2]) / np.linalg.norm(joints[3] - joints[2])
    across = np.cross(way, [0.0, 0.6, -0.8])
    spread = rng.uniform(0.25, 0.7)
    starts, ends = [joints[0], joints[1], joints[2]], [joints[1], joints[2], joints[3]]
    radii = [[0.052, 0.045], [0.042, 0.036], [0.030, 0.030]]
    for hand in (-1, 1):
        knuckle = joints[3] + (way * 0.05 + across * hand * 0.07 * spread)
        starts += [joints[3], knuckle]
        ends += [knuckle, knuckle + way * 0.07 - across * hand * 0.03 * spread]
        radii += [[0.017, 0.014], [0.014, 0.008]]
    parts = tuple(np.array(v, np.float32) for v in (starts, ends, radii))
    steel, sleeve = hsv(0.58, 0.06, rng.uniform(0.6, 0.85)), hsv(0.05, 0.1, 0.12)
    if rng.random() < 0.4:
        sleeve = hsv(rng.choice([0.0, 0.08]), 0.75, 0.6)

    def field(p: Array) -> Array:
        tube, which, along = capsules(p, *parts)
        ribs = 0.0035 * np.sin(along * 90) * (which == 1)
        knots = np.min([norm(*(p - j[:, None])) for j in joints.astype(np.float32)[:3]], axis=0)
        return np.asarray(np.minimum(tube + ribs, knots - 0.050).astype(np.float32), np.float32)

    def paint(p: Array, n: Array, grime: Grime) -> Array:
        _, which, along = capsules(p, *parts)
        dark = ((which == 1) & (along > 0.12) & (along < 0.9)).astype(np.float32)
        noise = grime.at(p, 2.0)
        rgb = mix(steel * (0.6 + 0.6 * noise[0]), sleeve * (0.6 + noise[1]), dark)
        return mix(rgb, hsv(0.1, 0.2, 0.2), smoothstep(0.68, 0.74, noise[2]))

    low, high = joints.min(0) - 0.16, joints.max(0) + 0.16
    return Shape(field, paint, tuple(low.tolist()), tuple(high.tolist()), gloss=0.6, relax=0.75)


def _parts(dress: Dress, pose: int) -> list[Shape]:
    """All solids of a dressed vehicle; ``pose`` chooses the attitude of the arm."""
    rng = np.random.default_rng([dress.seed, 1])
    parts: list[Shape] = []
    warning = np.concatenate([hsv(0.135, 0.85, 0.95), hsv(0.1, 0.1, 0.12)], axis=1)
    black = np.repeat(hsv(0.6, 0.1, 0.15), 2, axis=1)
    sides = [(-1, rng.uniform(0.42, 0.49)), (1, rng.uniform(0.42, 0.49))]
    for side, out in sides if dress.frame else sides[: int(rng.integers(0, 2))]:
        lean, radius = rng.uniform(-0.05, 0.06), rng.uniform(0.016, 0.027)
        parts.append(
            _rod(
                [side * (out + lean), 0.6, 0.9],
                [side * (out - lean), -0.6, 0.9],
                radius,
                warning,
                rng.uniform(26, 45),
            )
        )
        hose = side * (out + 0.055)
        parts.append(_rod([hose, 0.6, 0.95], [hose - side * 0.02, -0.6, 1.0], 0.010, black, 0))
    if dress.frame:
        parts.append(_rod([-0.7, -0.41, 0.92], [0.7, -0.43, 0.92], 0.014, warning, 40))
    if dress.basket:
        parts.append(_basket(rng))
    if dress.arm:
        parts.append(_arm(np.random.default_rng([dress.seed, 2, pose])))
    return parts


def render_vehicle(lens: Lens, dress: Dress, pose: int, grime: Grime, glow: Array) -> Array:
    """The vehicle as premultiplied linear RGBA ``(height, width, 4)`` float32.

    ``glow`` is the linear RGB of its light. Traced at about half size: so close to the camera it
    is out of focus anyway.
    """
    small = lens.scaled(min(1.0, 480 / lens.width) if lens.width <= 1920 else 0.25)
    right, up = small.plane
    rays = np.stack(np.broadcast_arrays(right, up, np.float32(1))).reshape(3, -1)
    rays = (rays / norm(*rays)).astype(np.float32)
    depth = np.full(rays.shape[1], 9, np.float32)
    layer = np.zeros((rays.shape[1], 4), np.float32)
    origin = np.zeros((3, 1), np.float32)
    for part in _parts(dress, pose):
        hits = trace(part, origin, rays, depth, 1 / small.focal)
        seen = np.flatnonzero(np.isfinite(hits))
        points = rays[:, seen] * hits[seen]
        normal = part.normals(points, np.full(seen.size, 0.0015, np.float32))
        layer[seen, :3] = _light(part, points, normal, grime, glow).T
        layer[seen, 3] = 1
        depth[seen] = hits[seen]
    image = layer.reshape(small.height, small.width, 4)
    image = cv2.resize(image, (lens.width, lens.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5 * lens.width / 960), np.float32)


def _light(part: Shape, p: Array, n: Array, grime: Grime, glow: Array) -> Array:
    """Shade by lamps at both sides behind the camera, and by light from the floor."""
    shade = np.full(p.shape[1], 0.05, np.float32)
    shine = np.zeros(p.shape[1], np.float32)
    view = -p / norm(*p)
    for lamp in ([-0.65, 0.75, -0.15], [0.65, 0.75, -0.15]):
        way = np.array(lamp, np.float32)[:, None] - p
        path = norm(*way)
        way = way / path
        half = view + way
        half = half / norm(*half)
        shade += 0.55 * np.clip((n * way).sum(0), 0, 1) / (path * path + 0.3)
        shine += np.clip((n * half).sum(0), 0, 1) ** 40 / (path * path + 0.3)
    shade += 0.06 * np.clip(0.6 - n[1], 0, 1.6)
    colour = part.paint(p, n, grime) * shade + np.float32(part.gloss) * shine
    return np.asarray(colour * glow[:, None], np.float32)


@dataclass(frozen=True)
class Telemetry:
    """The lines burned into a frame, in one of several layouts."""

    style: int
    date: str
    depth: float


def burn_telemetry(
    image: NDArray[np.uint8],
    style: Telemetry,
    seconds: float,
    heading: float,
    altitude: float,
    tilt: float,
) -> None:
    """Write time, heading, depth and altitude into a uint8 ``(h, w, 3)`` frame, in place."""
    clock = 9 * 3600 + 417 * style.style + int(seconds)
    time = f"{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"
    heading = heading % 360
    depth = style.depth - altitude
    if style.style == 0:
        _text(image, f"{style.date} {time}", 0.04, 0.07, 0.7)
        _text(image, f"{heading:03.0f}", 0.50, 0.075, 1.15)
        _text(image, f"{depth:.0f}m", 0.64, 0.075, 1.15)
        _text(image, f"{altitude:.1f}m", 0.87, 0.075, 1.0)
    elif style.style == 1:
        _text(image, f"{style.date} {time}", 0.04, 0.06, 0.55)
        _text(image, f"{depth:.1f}", 0.62, 0.06, 0.55)
        _text(image, f"HD: {heading:5.1f}   {-tilt:5.1f}", 0.04, 0.92, 0.55)
        _text(image, f"D: {depth:6.1f}  Alt: {altitude:4.2f}", 0.66, 0.92, 0.55)
    elif style.style == 2:
        _text(image, f"D:{depth:.1f}m A:{altitude:.1f}m", 0.03, 0.95, 0.62)
        _text(image, f"H:{heading:03.0f} {time}", 0.72, 0.95, 0.62)


def _text(image: NDArray[np.uint8], text: str, x: float, y: float, size: float) -> None:
    """Light letters with a dark edge; position as shares of the frame."""
    height, width = image.shape[:2]
    scale = size * width / 960
    at = (int(x * width), int(y * height))
    for thick, colour in ((3, (30, 30, 30)), (1, (225, 230, 228))):
        cv2.putText(
            image,
            text,
            at,
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            colour,
            max(round(thick * width / 960), 1),
            cv2.LINE_AA,
        )
