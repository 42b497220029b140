"""The plan of a survey: dives, tracks, zones of floor and the objects along the way.

Nothing is rendered here; a plan is small, can be pickled and is a pure function of its settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discover.demo.camera import Lens, Pose, view_span
from discover.demo.fields import Array, Rng
from discover.demo.kinds import KINDS, kinds_of
from discover.demo.vehicle import Dress, Telemetry
from discover.demo.water import Lamps, Water

FRAME_SECONDS = 2.0
# Shares of the slots along a track; None is a stretch with nothing on it.
_SHARES = {"waste": 0.37, "fauna": 0.275, "algae": 0.10, "rocks": 0.10, None: 0.155}
_FRAMES_PER_SLOT = 2.4

# attenuation, scatter, veil, ambient, snow, gain
_WATERS = (
    Water(
        (0.328, 0.117, 0.078),
        (0.13, 0.144, 0.158),
        (0.10, 0.20, 0.46),
        (0.05, 0.06, 0.09),
        260,
        (1.0, 0.95, 1.25),
    ),
    Water(
        (0.406, 0.125, 0.172),
        (0.158, 0.173, 0.158),
        (0.05, 0.30, 0.20),
        (0.16, 0.30, 0.22),
        90,
        (1.25, 1.0, 0.95),
    ),
    Water(
        (0.312, 0.117, 0.117),
        (0.058, 0.065, 0.065),
        (0.10, 0.17, 0.16),
        (0.0, 0.0, 0.0),
        160,
        (1.2, 1.0, 1.0),
    ),
    Water(
        (0.359, 0.109, 0.109),
        (0.14, 0.15, 0.15),
        (0.06, 0.27, 0.26),
        (0.13, 0.25, 0.25),
        120,
        (1.2, 1.0, 1.0),
    ),
    Water(
        (0.265, 0.133, 0.156),
        (0.072, 0.079, 0.079),
        (0.13, 0.15, 0.12),
        (0.02, 0.02, 0.02),
        200,
        (1.15, 1.0, 0.95),
    ),
    Water(
        (0.328, 0.133, 0.094),
        (0.094, 0.108, 0.115),
        (0.08, 0.16, 0.24),
        (0.0, 0.0, 0.0),
        330,
        (1.1, 1.0, 1.1),
    ),
    Water(
        (0.39, 0.14, 0.203),
        (0.12, 0.13, 0.12),
        (0.09, 0.27, 0.16),
        (0.15, 0.24, 0.16),
        150,
        (1.25, 1.0, 0.95),
    ),
    Water(
        (0.296, 0.109, 0.101),
        (0.115, 0.122, 0.13),
        (0.10, 0.22, 0.28),
        (0.06, 0.09, 0.11),
        140,
        (1.2, 1.0, 1.05),
    ),
)


@dataclass(frozen=True)
class Zone:
    """A stretch of floor that ends at ``end`` metres north."""

    end: float
    floor: str
    rippled: bool


@dataclass(frozen=True)
class Thing:
    """One object: what it is, where it lies (metres) and how (radians, shares)."""

    object_id: str
    kind: str
    seed: tuple[int, ...]
    x: float
    y: float
    hover: float
    turn: tuple[float, float, float]
    burial: float
    silt: float
    growth: float


@dataclass(frozen=True)
class Dive:
    """Everything a dive needs to be rendered."""

    name: str
    number: int
    seed: int
    lens: Lens
    water: Water
    lamps: Lamps
    dress: Dress
    telemetry: Telemetry
    quality: int
    exposure: float
    softness: float
    poses: tuple[Pose, ...]
    paused: tuple[bool, ...]
    zones: tuple[Zone, ...]
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Layout:
    """The plan of a whole survey."""

    seed: int
    size: tuple[int, int]
    dives: tuple[Dive, ...]

    @classmethod
    def plan(cls, seed: int, dives: int, frames_per_dive: int, size: tuple[int, int]) -> Layout:
        """Plan ``dives`` of ``frames_per_dive`` frames of ``size`` (height, width)."""
        rng = np.random.default_rng([seed, 7])
        slots = max(round(frames_per_dive / _FRAMES_PER_SLOT), 1)
        kinds = _deal(rng, dives, slots)
        waters = rng.permutation(len(_WATERS))
        floors = _deal_floors(rng, dives)
        lens = Lens(*size)
        planned = [
            _plan_dive(
                np.random.default_rng([seed, 11, n]),
                n,
                seed,
                lens,
                frames_per_dive,
                _WATERS[waters[n % len(_WATERS)]],
                kinds[n],
                floors[n],
            )
            for n in range(dives)
        ]
        return cls(seed, size, tuple(planned))


def _deal(rng: Rng, dives: int, slots: int) -> list[list[str | None]]:
    """Deal kinds to the slots of all dives, each kind as often as its fellows in every dive."""
    dealt: list[list[str | None]] = [[] for _ in range(dives)]
    for group, share in _SHARES.items():
        names: list[str | None] = list(kinds_of(group)) if group else [None]
        total = round(share * slots * dives)
        order: list[str | None] = []
        while len(order) < total:
            order += [names[i] for i in rng.permutation(len(names))]
        for number, name in enumerate(order[:total]):
            dealt[number * dives // total].append(name)
    return [[names[i] for i in rng.permutation(len(names))] for names in dealt]


def _deal_floors(rng: Rng, dives: int) -> list[list[tuple[str, bool]]]:
    """Three stretches of floor for each dive, sand being rippled every second time."""
    floors: list[list[tuple[str, bool]]] = []
    for number in range(dives):
        drawn = [("sandy", "muddy", "muddy-sand", "reef")[(number + i) % 4] for i in range(3)]
        rippled = [
            name in ("sandy", "muddy-sand") and (number // 2 + i) % 2 == 0
            for i, name in enumerate(drawn)
        ]
        floors.append([(drawn[i], rippled[i]) for i in rng.permutation(3)])
    return floors


def _plan_dive(
    rng: Rng,
    number: int,
    seed: int,
    lens: Lens,
    frames: int,
    water: Water,
    kinds: list[str | None],
    floors: list[tuple[str, bool]],
) -> Dive:
    """Plan the track, the dress and the objects of one dive."""
    altitude, tilt = rng.uniform(1.2, 1.55), rng.uniform(40, 53)
    near, far = view_span(lens, altitude, tilt)
    spacing = 0.98 * (far - near)
    moving = ~_pauses(rng, frames)
    length = spacing * max(len(kinds), 1)
    steps = np.where(moving, 1.0, 0.012)
    along = np.cumsum(steps) - steps[0]
    along *= length / max(along[-1] + steps[0], 1e-6)
    name = f"dive{number + 1:02d}"
    poses = _track(rng, along, moving, altitude, tilt)
    zones = tuple(
        Zone(far + length * (i + 1) / len(floors), floor, rippled)
        for i, (floor, rippled) in enumerate(floors)
    )
    things = _place(rng, name, number, seed, poses, kinds, spacing, (near, far))
    return Dive(
        name,
        number,
        seed,
        lens,
        water,
        _lamps(rng),
        _dress(rng, number),
        Telemetry(
            int(rng.integers(0, 4)),
            f"2023/0{rng.integers(4, 9)}/{rng.integers(10, 28)}",
            float(rng.uniform(20, 45) if sum(water.ambient) > 0.3 else rng.uniform(300, 2600)),
        ),
        int(rng.integers(50, 93)),
        float(rng.uniform(0.30, 0.46)),
        float(rng.uniform(0.6, 1.05)),
        poses,
        tuple(bool(p) for p in ~moving),
        zones,
        things,
    )


def _pauses(rng: Rng, frames: int) -> NDArray[np.bool_]:
    """Which frames the vehicle hangs still in: now and then three to five in a row."""
    still = np.zeros(frames, bool)
    at = int(rng.integers(2, 12))
    while at < frames:
        stay = int(rng.integers(3, 6))
        still[at + 1 : at + stay] = True
        at += stay + int(rng.integers(5, 14))
    return still


def _track(
    rng: Rng, along: Array, moving: NDArray[np.bool_], altitude: float, tilt: float
) -> tuple[Pose, ...]:
    """Poses on a northward track with slow sway, heave and yaw, and a tremble in every frame."""
    phase, period = rng.uniform(0, 6, 4), rng.uniform(6, 15, 4)
    tremble = rng.normal(0, 1, (len(along), 4)) * np.where(moving, 1, 0.3)[:, None]

    def sway(i: int, s: float) -> float:
        return float(np.sin(s / period[i] * 2 * np.pi + phase[i]))

    # Plain floats: a float64 scalar of numpy would turn every image it meets into float64.
    return tuple(
        Pose(
            float(0.45 * sway(0, s) + 0.01 * t[0]),
            float(s),
            float(altitude * (1 + 0.07 * sway(1, s)) + 0.008 * t[1]),
            float(9 * sway(2, s) + 0.5 * t[2]),
            float(tilt + 2.0 * sway(3, s) + 0.25 * t[3]),
        )
        for s, t in zip(along, tremble, strict=True)
    )


def _place(
    rng: Rng,
    dive: str,
    number: int,
    seed: int,
    poses: tuple[Pose, ...],
    kinds: list[str | None],
    spacing: float,
    span: tuple[float, float],
) -> tuple[Thing, ...]:
    """Put one object in every slot, near the line that the camera looks along."""
    things = []
    start, middle = span[0] + 0.15 * (span[1] - span[0]), 0.5 * (span[0] + span[1])
    tracks = np.array([(p.y, p.x, p.heading) for p in poses])
    for slot, name in enumerate(kinds):
        if name is None:
            continue
        y = start + spacing * (slot + 0.5 + rng.uniform(-0.22, 0.22))
        nearest = tracks[np.abs(tracks[:, 0] + middle - y).argmin()]
        x = nearest[1] + np.tan(np.radians(nearest[2])) * middle + rng.uniform(-0.42, 0.42)
        kind = KINDS[name]
        things.append(
            Thing(
                f"{dive}-{slot:03d}",
                name,
                (seed, 13, number, slot),
                float(x),
                float(y),
                float(rng.uniform(*kind.hover)),
                (
                    float(rng.uniform(0, 2 * np.pi)),
                    float(kind.tumble[0] * rng.uniform(-1, 1)),
                    float(kind.tumble[1] * rng.uniform(-1, 1)),
                ),
                float(rng.uniform(*kind.burial)),
                float(rng.uniform(*kind.silt)),
                float(rng.uniform(*kind.growth)),
            )
        )
    return tuple(things)


def _lamps(rng: Rng) -> Lamps:
    """Two lamps on a bar above the camera, seldom quite alike."""
    out, high = rng.uniform(0.5, 0.9), rng.uniform(0.25, 0.5)
    offsets = np.array([[-out, high, 0.0], [out, high, 0.0]], np.float32)
    toe, down = rng.uniform(0.08, 0.30, 2), rng.uniform(-0.30, -0.12)
    axes = np.array([[toe[0], down, 1], [-toe[1], down, 1]], np.float32)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    power = rng.uniform(0.75, 1.25, 2).astype(np.float32) * np.float32(3)
    return Lamps(offsets, axes, float(rng.uniform(0.30, 0.44)), power)


def _dress(rng: Rng, number: int) -> Dress:
    """Frame, basket and arm by turns, so that no two neighbouring dives look alike."""
    frame, basket, arm = (
        (True, False, True),
        (True, True, False),
        (False, False, True),
        (False, False, False),
        (True, True, True),
    )[number % 5]
    return Dress(frame, basket, arm, int(rng.integers(2**31)))
