"""From the plan of a dive to its frames and what is truly in them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from discover.demo.camera import Lens, Pose, footprint, project
from discover.demo.fields import Array, Grime, NoiseBank
from discover.demo.kinds import KINDS
from discover.demo.layout import FRAME_SECONDS, Dive
from discover.demo.objects import Placed, Sighting, find, place, shade, shadow
from discover.demo.seabed import GroundView, Seabed
from discover.demo.vehicle import burn_telemetry, render_vehicle
from discover.demo.water import add_snow, blur_kernel, develop, expose, transmit, veil

_LEAST_AREA = 150 / (540 * 960)  # share of the frame below which an object is not listed
_FRAMES_PER_ARM = 30  # the arm takes another attitude now and then


@functools.lru_cache(maxsize=1)
def _bank(seed: int, size: int) -> NoiseBank:
    """The noise that all dives of a survey draw on, made once per process."""
    return NoiseBank.make(np.random.default_rng([seed, 3]), size)


@dataclass
class DiveRenderer:
    """Renders the frames of one dive; holds its textures, objects and vehicle."""

    dive: Dive
    _placed: dict[str, Placed] = field(default_factory=dict)
    _layers: dict[int, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the textures of the dive."""
        dive = self.dive
        bank = _bank(dive.seed, 2048 if dive.lens.height >= 360 else 512)
        self.grime = Grime.make(np.random.default_rng([dive.seed, 5]))
        rng = np.random.default_rng([dive.seed, 17, dive.number])
        self.seabed = Seabed(rng, bank, dive.zones)
        grain = rng.standard_normal(
            (dive.lens.height + 64, dive.lens.width + 64, 3), dtype=np.float32
        )
        # Demosaicing and compression leave the noise of video lumpy.
        self._grain = cv2.GaussianBlur(grain, (0, 0), 0.7) * np.float32(rng.uniform(0.014, 0.035))

    def frame(self, index: int) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
        """Render frame ``index``: uint8 RGB ``(h, w, 3)`` and its rows of truth."""
        dive, pose = self.dive, self.dive.poses[index]
        rng = np.random.default_rng([dive.seed, 19, dive.number, index])
        ground = self.seabed.view(dive.lens, pose)
        near = self._near(pose)
        relief = self._relief(ground, pose, near)
        image = _underwater_ground(dive, pose, ground, relief)
        order = np.full(ground.depth.shape, -1, np.int16)
        sightings = self._draw_objects(image, order, ground, pose, near)
        layer = self._vehicle(index, rng)
        rows = self._truth(index, pose, order, layer[..., 3], sightings)
        return self._finish(image, layer, index, rng), rows

    def _near(self, pose: Pose) -> list[Placed]:
        """Objects that may be in view, the farthest first."""
        centre = pose.position[:2] + pose.axes[2][:2] * pose.altitude
        things = [t for t in self.dive.things if np.hypot(t.x - centre[0], t.y - centre[1]) < 5]
        for thing in things:
            if thing.object_id not in self._placed:
                self._placed[thing.object_id] = place(thing, self.seabed)
        placed = [self._placed[thing.object_id] for thing in things]
        return sorted(placed, key=lambda p: -float(np.linalg.norm(p.position - pose.position)))

    def _relief(self, ground: GroundView, pose: Pose, near: list[Placed]) -> Array:
        """Factor ``(h, w)`` on the light of a level floor: slopes, then shadows."""
        lean_x, lean_y = _leaning(self.dive, pose, ground)
        relief = 1 - ground.slope_x * lean_x - ground.slope_y * lean_y
        np.clip(relief, 0.22, 2.2, out=relief)
        for placed in near:
            shadow(self.dive, pose, placed, ground, relief)
        return relief

    def _draw_objects(
        self,
        image: Array,
        order: NDArray[np.int16],
        ground: GroundView,
        pose: Pose,
        near: list[Placed],
    ) -> list[Sighting]:
        """Paint objects over the floor, far to near; ``order`` notes whose each pixel is."""
        sightings: list[Sighting] = []
        for placed in near:
            sighting = find(self.dive.lens, pose, placed, ground)
            if sighting is None:
                continue
            light, opacity = shade(self.dive, pose, sighting, ground, self.seabed, self.grime)
            at = sighting.rows, sighting.columns
            image[at] += (light.T - image[at]) * opacity[:, None]
            order[at] = len(sightings)
            sightings.append(sighting)
        return sightings

    def _vehicle(self, index: int, rng: np.random.Generator) -> Array:
        """The vehicle's layer, shaken by a pixel or two."""
        arm = index // _FRAMES_PER_ARM
        if arm not in self._layers:
            colour = transmit(self.dive.water, np.array([1.4], np.float32))[:, 0]
            self._layers = {
                arm: render_vehicle(
                    self.dive.lens, self.dive.dress, arm, self.grime, colour / colour.max() * 0.9
                )
            }
        shake = rng.normal(0, 0.9, 2) * self.dive.lens.width / 960
        shift = np.array([[1, 0, shake[0]], [0, 1, shake[1]]], np.float32)
        size = self.dive.lens.width, self.dive.lens.height
        return np.asarray(
            cv2.warpAffine(self._layers[arm], shift, size, borderMode=cv2.BORDER_REPLICATE),
            np.float32,
        )

    def _finish(
        self, image: Array, layer: Array, index: int, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Snow, blur, exposure, vehicle, noise and telemetry."""
        dive = self.dive
        drift = self._drift(index, rng)
        add_snow(image, rng, dive.water, drift)
        unit = dive.lens.width / 960
        image = cv2.filter2D(image, -1, blur_kernel(drift, dive.softness * unit))
        expose(image, dive.lens, dive.exposure, dive.water.gain)
        image *= 1 - layer[..., 3:]
        image += layer[..., :3]
        top, left = rng.integers(0, 64, 2)
        height, width = image.shape[:2]
        frame = develop(image, self._grain[top : top + height, left : left + width])
        pose = dive.poses[index]
        burn_telemetry(
            frame, dive.telemetry, index * FRAME_SECONDS, pose.heading, pose.altitude, pose.tilt
        )
        return frame

    def _drift(self, index: int, rng: np.random.Generator) -> tuple[float, float]:
        """Motion of the floor in the image while the shutter is open, in pixels."""
        dive, pose = self.dive, self.dive.poses[index]
        if dive.paused[index]:
            return (float(rng.normal(0, 0.3)), float(rng.normal(0, 0.3)))
        ahead = pose.position + pose.axes[2] * np.float32(pose.altitude * 1.4)
        later = ahead - np.array([rng.normal(0, 0.15), 0.35, 0], np.float32) * np.float32(1 / 50)
        columns, rows, _ = project(dive.lens, pose, np.stack([ahead, later], 1))
        return (float(columns[1] - columns[0]), float(rows[1] - rows[0]))

    def _truth(
        self,
        index: int,
        pose: Pose,
        order: NDArray[np.int16],
        hidden: Array,
        sightings: list[Sighting],
    ) -> list[dict[str, Any]]:
        """Rows of truth of a frame: one per listed object, or one without an object."""
        dive = self.dive
        objects: list[dict[str, Any]] = []
        for number, sighting in enumerate(sightings):
            shown = (order == number) & (hidden < 0.5)
            area = int(shown.sum())
            if area >= _LEAST_AREA * order.size:
                objects.append(_object_row(sighting, shown, area))
        zone = self.seabed.zone_at(_centre_north(dive.lens, pose))
        element = "ripples" if zone.rippled else None
        if objects:
            element = max(objects, key=lambda row: int(row["area"]))["class"]
        frame = {
            "path": f"{dive.name}/{dive.name}_{index:06d}.jpg",
            "dive": dive.name,
            "index": index,
            "time_s": index * FRAME_SECONDS,
            "floor": zone.floor,
            "element": element,
        }
        camera = {
            "cam_x": pose.x,
            "cam_y": pose.y,
            "altitude_m": pose.altitude,
            "heading_deg": pose.heading,
            "tilt_deg": pose.tilt,
            "footprint": footprint(dive.lens, pose),
        }
        return [{**frame, **row, **camera} for row in objects or [{}]]


def _object_row(sighting: Sighting, shown: NDArray[np.bool_], area: int) -> dict[str, Any]:
    """Truth of one object from the mask ``(h, w)`` of its visible pixels."""
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    thing = sighting.placed.thing
    encoded = coco.encode(np.asfortranarray(shown.astype(np.uint8)))
    return {
        "object_id": thing.object_id,
        "class": KINDS[thing.kind].group,
        "kind": thing.kind,
        "x": int(columns[0]),
        "y": int(rows[0]),
        "w": int(columns[-1] - columns[0] + 1),
        "h": int(rows[-1] - rows[0] + 1),
        "mask": encoded["counts"].decode("ascii"),
        "area": area,
        "visible": min(area / sighting.whole, 1.0),
    }


def _centre_north(lens: Lens, pose: Pose) -> float:
    """Northing in metres of the floor at the centre of the frame."""
    axis = pose.axes[2]
    return float(pose.y + axis[1] * pose.altitude / max(-float(axis[2]), 0.1))


def _coarse_points(ground: GroundView, pose: Pose) -> tuple[Array, tuple[int, int]]:
    """Every eighth floor point ``(3, N)`` in world metres, and the shape of their grid."""
    small = [
        cv2.resize(a, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
        for a in (ground.x, ground.y, ground.rays[2] * ground.depth)
    ]
    points = np.stack([small[0], small[1], pose.altitude + small[2]]).astype(np.float32)
    return points.reshape(3, -1), (points.shape[1], points.shape[2])


def _enlarge(grid: Array, like: Array) -> Array:
    """Bilinear enlargement of ``grid`` to the height and width of ``like``."""
    return np.asarray(
        cv2.resize(grid, like.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )


def _leaning(dive: Dive, pose: Pose, ground: GroundView) -> tuple[Array, Array]:
    """How strongly slopes in x and y dim the floor, ``(h, w)`` each: the mean way to the light."""
    points, shape = _coarse_points(ground, pose)
    strength, way, _ = dive.lamps.irradiance(pose, points)
    ambient = np.float32(sum(dive.water.ambient) / 3)
    level = (strength * way[:, 2]).sum(0) + ambient
    # Daylight slants too; without it shallow floors would look painted.
    x = ((strength * way[:, 0]).sum(0) + 0.45 * ambient) / level
    y = ((strength * way[:, 1]).sum(0) - 0.35 * ambient) / level
    return _enlarge(x.reshape(shape), ground.depth), _enlarge(y.reshape(shape), ground.depth)


def _underwater_ground(dive: Dive, pose: Pose, ground: GroundView, relief: Array) -> Array:
    """Light of the floor as it reaches the camera, ``(h, w, 3)`` linear RGB."""
    points, shape = _coarse_points(ground, pose)
    strength, way, path = dive.lamps.irradiance(pose, points)
    light = sum(transmit(dive.water, path[i]) * (strength[i] * way[i][2]) for i in range(2))
    light = light + np.array(dive.water.ambient, np.float32)[:, None]
    distance = cv2.resize(ground.distance, shape[::-1], interpolation=cv2.INTER_AREA)
    light = light.reshape(3, *shape) * transmit(dive.water, distance)
    small = Lens(shape[0], shape[1], dive.lens.fov_deg)
    haze = veil(dive.water, dive.lamps, *small.plane, distance)
    planes = [
        ground.albedo[c] * relief * _enlarge(light[c], relief) + _enlarge(haze[c], relief)
        for c in range(3)
    ]
    return np.asarray(cv2.merge(planes), np.float32)
