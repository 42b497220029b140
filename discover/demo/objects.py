"""Objects in the scene: finding them in the view, shading them, and their shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from discover.demo.camera import Lens, Pose, project
from discover.demo.fields import Array, Grime, smoothstep
from discover.demo.kinds import KINDS
from discover.demo.layout import Dive, Thing
from discover.demo.seabed import GroundView, Seabed
from discover.demo.shapes import Shape, mix, trace
from discover.demo.water import transmit, veil


@dataclass(frozen=True)
class Placed:
    """An object in the world: rotation ``(3, 3)`` to world axes, position ``(3,)``, floor (m)."""

    thing: Thing
    shape: Shape
    rotation: Array
    position: Array
    floor: float

    def to_local(self, points: Array) -> Array:
        """World points ``(3, N)`` in the axes of the shape."""
        return np.asarray(self.rotation.T @ (points - self.position[:, None]), np.float32)

    @property
    def corners(self) -> Array:
        """World corners ``(3, 8)`` of the box."""
        low, high = self.shape.low, self.shape.high
        grid = np.array(
            [
                [x, y, z]
                for x in (low[0], high[0])
                for y in (low[1], high[1])
                for z in (low[2], high[2])
            ],
            np.float32,
        )
        return np.asarray(self.rotation @ grid.T + self.position[:, None], np.float32)


@dataclass(frozen=True)
class Sighting:
    """An object in a frame: pixel ``rows``, ``columns``, ``distance`` (m), all ``(N,)``.

    ``whole`` counts the pixels of the silhouette had the frame no borders and no vehicle.
    """

    placed: Placed
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    distance: Array
    whole: float


def place(thing: Thing, seabed: Seabed) -> Placed:
    """Build an object and set it down so that the chosen share of its height is buried."""
    shape = KINDS[thing.kind].build(np.random.default_rng(thing.seed))
    rotation = _rotation(*thing.turn)
    solid = rotation @ shape.occupied()
    low, high = float(solid[2].min()), float(solid[2].max())
    at = np.array([thing.x], np.float32), np.array([thing.y], np.float32)
    ground = float(seabed.height(*at)[0])
    z = ground - low - thing.burial * (high - low) + thing.hover
    position = np.array([thing.x, thing.y, z], np.float32)
    return Placed(thing, shape, rotation, position, ground)


def _rotation(yaw: float, roll: float, pitch: float) -> Array:
    """Rotation about z, after a pitch about y, after a roll about x."""
    (cz, cx, cy), (sz, sx, sy) = np.cos([yaw, roll, pitch]), np.sin([yaw, roll, pitch])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)


def _window(lens: Lens, pose: Pose, placed: Placed) -> tuple[int, int, int, int]:
    """Rows and columns (top, bottom, left, right) that the box may touch, frame or not."""
    columns, rows, _ = project(lens, pose, placed.corners)
    return (
        int(np.floor(rows.min())),
        int(np.ceil(rows.max())) + 1,
        int(np.floor(columns.min())),
        int(np.ceil(columns.max())) + 1,
    )


def find(lens: Lens, pose: Pose, placed: Placed, ground: GroundView) -> Sighting | None:
    """Trace an object in its window of the frame; None where it is not seen at all."""
    depth = pose.axes[2] @ (placed.position - pose.position)
    if depth < 0.35:
        return None
    top, bottom, left, right = _window(lens, pose, placed)
    rows = slice(max(top, 0), min(bottom, lens.height))
    columns = slice(max(left, 0), min(right, lens.width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    rays = ground.rays[:, rows, columns].reshape(3, -1)
    length = np.sqrt((rays * rays).sum(0))
    hits = _trace(placed, pose, rays / length, ground.distance[rows, columns].ravel(), lens)
    seen = np.flatnonzero(np.isfinite(hits))
    if seen.size == 0:
        return None
    width = columns.stop - columns.start
    cut = top < 0 or left < 0 or bottom > lens.height or right > lens.width
    whole = _silhouette(lens, pose, placed) if cut else float(seen.size)
    return Sighting(
        placed,
        seen // width + rows.start,
        seen % width + columns.start,
        hits[seen],
        max(whole, float(seen.size)),
    )


def _trace(placed: Placed, pose: Pose, rays: Array, limit: Array, lens: Lens) -> Array:
    """Trace unit world rays ``(3, N)`` against one object."""
    origin = placed.to_local(pose.position[:, None])
    return trace(placed.shape, origin, placed.rotation.T @ rays, limit, 1 / lens.focal)


def _silhouette(lens: Lens, pose: Pose, placed: Placed) -> float:
    """Pixels of the unburied silhouette over a level floor, frame borders ignored."""
    top, bottom, left, right = _window(lens, pose, placed)
    step = max((bottom - top) / 72, (right - left) / 72, 1.0)
    up = (lens.height / 2 - np.arange(top, bottom, step, dtype=np.float32)) / lens.focal
    across = (np.arange(left, right, step, dtype=np.float32) - lens.width / 2) / lens.focal
    plane = np.stack(np.broadcast_arrays(across[None, :], up[:, None], np.float32(1)))
    rays = pose.axes.T @ plane.reshape(3, -1)
    rays = (rays / np.sqrt((rays * rays).sum(0))).astype(np.float32)
    limit = (pose.altitude - placed.floor) / np.maximum(-rays[2], 1e-3)
    hits = _trace(placed, pose, rays, limit.astype(np.float32), lens)
    return float(np.isfinite(hits).sum()) * step * step


def shade(
    dive: Dive, pose: Pose, sighting: Sighting, ground: GroundView, seabed: Seabed, grime: Grime
) -> tuple[Array, Array]:
    """Light of an object's pixels ``(3, N)`` as it reaches the camera, and opacity ``(N,)``."""
    placed, shape, thing = sighting.placed, sighting.placed.shape, sighting.placed.thing
    rays = ground.rays[:, sighting.rows, sighting.columns]
    rays = rays / np.sqrt((rays * rays).sum(0))
    world = pose.position[:, None] + rays * sighting.distance
    local = placed.to_local(world)
    width = np.maximum(sighting.distance / np.float32(dive.lens.focal), 0.0012)
    local_normal = shape.normals(local, width)
    normal = placed.rotation @ local_normal
    above = world[2] - seabed.height(world[0], world[1])
    floor = ground.albedo[:, sighting.rows, sighting.columns]
    silt = 0.55 * floor + 0.45 * floor.mean(1, keepdims=True)
    albedo = _cover(
        thing, shape.paint(local, local_normal, grime), silt, normal, above, grime.at(world, 1.3)
    )
    hollow = shape.field(local + local_normal * np.float32(0.03)) / np.float32(0.03)
    dark = (0.45 + 0.55 * np.clip(hollow, 0, 1)) * (0.62 + 0.38 * smoothstep(0, 0.07, above))
    light = _lit(dive, pose, world, normal, -rays, albedo, shape.gloss) * dark
    lens = dive.lens
    right, up = lens.plane[0][0, sighting.columns], lens.plane[1][sighting.rows, 0]
    haze = veil(dive.water, dive.lamps, right, up, sighting.distance)
    facing = np.abs((normal * rays).sum(0))
    opacity = shape.opacity + (1 - shape.opacity) * (1 - facing) ** 1.5
    return light * transmit(dive.water, sighting.distance) + haze, opacity.astype(np.float32)


def _cover(
    thing: Thing, albedo: Array, silt: Array, normal: Array, above: Array, noise: Array
) -> Array:
    """Foul a surface and lay sediment on what faces up and along the line of burial."""
    growth = smoothstep(0.78 - 0.45 * thing.growth, 0.88 - 0.45 * thing.growth, noise[1])
    fouled = mix(
        albedo,
        np.array([[0.16], [0.14], [0.08]], np.float32) * (0.6 + noise[2]),
        growth * min(1.0, 2 * thing.growth) * 0.85,
    )
    lying = smoothstep(
        0.95 - 0.8 * thing.silt, 1.25 - 0.8 * thing.silt, normal[2] * 0.75 + noise[0] * 0.55
    )
    drifted = smoothstep(0.022, 0.0, above - 0.03 * (noise[2] - 0.5)) * (thing.hover == 0) * 0.85
    dusted = mix(fouled, silt, np.maximum(lying * (thing.silt > 0.02) * 0.92, drifted))
    return mix(dusted, silt, np.full(above.shape, 0.25 * thing.silt, np.float32))


def _lit(
    dive: Dive,
    pose: Pose,
    world: Array,
    normal: Array,
    to_camera: Array,
    albedo: Array,
    gloss: float,
) -> Array:
    """Diffuse and glossy light (Blinn 1977) of both lamps, daylight and the floor's reflection."""
    strength, way, path = dive.lamps.irradiance(pose, world)
    light = np.zeros_like(world)
    shine = np.zeros_like(world)
    for i in range(2):
        arriving = strength[i] * transmit(dive.water, path[i])
        facing = (normal * way[i]).sum(0)
        light += arriving * np.clip(0.12 + 0.88 * facing, 0, 1)
        half = way[i] + to_camera
        half /= np.sqrt((half * half).sum(0))
        shine += arriving * np.clip((normal * half).sum(0), 0, 1) ** 36
        light += arriving * 0.09 * np.clip(0.5 - 0.5 * normal[2], 0, 1)
    ambient = np.array(dive.water.ambient, np.float32)[:, None]
    light += ambient * (0.55 + 0.45 * normal[2])
    return np.asarray(albedo * light + np.float32(gloss) * shine, np.float32)


def shadow(dive: Dive, pose: Pose, placed: Placed, ground: GroundView, relief: Array) -> None:
    """Darken the light on the floor ``relief`` ``(h, w)`` where the object stands in the way.

    Every shadow is traced at a quarter of the resolution and softened, which also stands in for
    the size of the lamps; nearness to the object darkens the contact.
    """
    lens = dive.lens
    top, bottom, left, right = _window(lens, pose, placed)
    pad_y, pad_x = int(0.5 * (bottom - top)) + 8, int(0.45 * (right - left)) + 8
    rows = slice(max(top - pad_y, 0), min(bottom + pad_y // 3, lens.height))
    columns = slice(max(left - pad_x, 0), min(right + pad_x, lens.width))
    if rows.stop - rows.start < 4 or columns.stop - columns.start < 4:
        return
    step = max(round(4 * lens.width / 960), 1)
    x, y = (a[rows, columns][::step, ::step] for a in (ground.x, ground.y))
    depth = ground.depth[rows, columns][::step, ::step]
    z = pose.altitude + ground.rays[2][rows, columns][::step, ::step] * depth
    points = np.stack([x, y, z]).reshape(3, -1).astype(np.float32)
    dim = _blocked(dive, pose, placed, points) * _contact(placed, points)
    dim = cv2.GaussianBlur(dim.reshape(x.shape), (0, 0), 1.1)
    size = columns.stop - columns.start, rows.stop - rows.start
    relief[rows, columns] *= cv2.resize(dim, size, interpolation=cv2.INTER_LINEAR)


def _blocked(dive: Dive, pose: Pose, placed: Placed, points: Array) -> Array:
    """Share of the light ``(N,)`` that passes the object on its way to floor ``points``."""
    strength, way, path = dive.lamps.irradiance(pose, points)
    ambient = np.float32(sum(dive.water.ambient) / 3)
    total = (strength * way[:, 2]).sum(0) + ambient
    origin = placed.to_local(points)
    passed = np.ones(points.shape[1], np.float32)
    for i in range(2):
        start = way[i] * np.float32(0.012)
        rays = (placed.rotation.T @ way[i]).astype(np.float32)
        hits = trace(placed.shape, origin + placed.rotation.T @ start, rays, path[i], 0.004)
        share = strength[i] * way[i][2] / total
        passed -= np.isfinite(hits) * share * np.float32(0.35 + 0.6 * placed.shape.opacity)
    return np.clip(passed, 0.06, 1)


def _contact(placed: Placed, points: Array) -> Array:
    """Ambient occlusion ``(N,)`` of the floor by an object close to it."""
    local = placed.to_local(points)
    low, high = (np.array(c, np.float32)[:, None] for c in (placed.shape.low, placed.shape.high))
    outside = np.maximum(np.maximum(low - local, local - high), 0)
    far = np.sqrt((outside * outside).sum(0))
    dim = np.ones(points.shape[1], np.float32)
    near = np.flatnonzero(far < 0.06)
    away = np.maximum(placed.shape.field(local[:, near]), 0)
    dim[near] = 1 - 0.5 * np.exp(-away / np.float32(0.03))
    return dim
