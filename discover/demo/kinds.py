"""The catalogue: every kind of object, how it is built and how it lies on the floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from discover.demo import fauna, habitat, waste
from discover.demo.fields import Rng
from discover.demo.shapes import Shape

CLASSES = ("waste", "fauna", "algae", "rocks")


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    ``burial`` is the sunken share of the height; ``hover`` the height over the floor in metres;
    ``tumble`` the greatest roll and pitch in radians; ``silt`` and ``growth`` the cover of
    sediment and of fouling (0..1).
    """

    name: str
    group: str
    build: Callable[[Rng], Shape]
    burial: tuple[float, float] = (0.0, 0.15)
    hover: tuple[float, float] = (0.0, 0.0)
    tumble: tuple[float, float] = (0.0, 0.0)
    silt: tuple[float, float] = (0.0, 0.1)
    growth: tuple[float, float] = (0.0, 0.0)


_WORN = (0.1, 0.6)
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "bottle",
            "waste",
            waste.bottle,
            (0.0, 0.45),
            tumble=(3.1, 0.2),
            silt=_WORN,
            growth=(0.0, 0.6),
        ),
        Kind(
            "can",
            "waste",
            waste.can,
            (0.0, 0.45),
            tumble=(3.1, 0.35),
            silt=_WORN,
            growth=(0.0, 0.5),
        ),
        Kind(
            "bag",
            "waste",
            waste.bag,
            (0.05, 0.4),
            tumble=(0.3, 0.15),
            silt=_WORN,
            growth=(0.0, 0.4),
        ),
        Kind(
            "tyre",
            "waste",
            waste.tyre,
            (0.05, 0.5),
            tumble=(0.35, 0.35),
            silt=_WORN,
            growth=(0.1, 0.7),
        ),
        Kind("rope", "waste", waste.rope, (0.0, 0.25), silt=(0.1, 0.6), growth=(0.0, 0.6)),
        Kind("net", "waste", waste.net, (0.0, 0.1), silt=(0.1, 0.5), growth=(0.0, 0.6)),
        Kind(
            "bucket",
            "waste",
            waste.bucket,
            (0.05, 0.45),
            tumble=(1.7, 0.3),
            silt=_WORN,
            growth=(0.0, 0.6),
        ),
        Kind("fish", "fauna", fauna.fish, hover=(0.03, 0.25), tumble=(0.25, 0.2)),
        Kind("eel", "fauna", fauna.eel, hover=(0.0, 0.12), tumble=(0.1, 0.1)),
        Kind("starfish", "fauna", fauna.starfish, (0.0, 0.2), tumble=(0.12, 0.12), silt=(0.0, 0.3)),
        Kind("urchin", "fauna", fauna.urchin, (0.0, 0.1), tumble=(0.2, 0.2)),
        Kind("crab", "fauna", fauna.crab, (0.0, 0.1), tumble=(0.1, 0.1), silt=(0.0, 0.3)),
        Kind("jellyfish", "fauna", fauna.jellyfish, hover=(0.05, 0.35), tumble=(0.6, 0.6)),
        Kind(
            "cucumber", "fauna", fauna.cucumber, (0.0, 0.15), tumble=(0.1, 0.05), silt=(0.0, 0.45)
        ),
        Kind("kelp", "algae", habitat.kelp, (0.0, 0.05), silt=(0.0, 0.25)),
        Kind("lettuce", "algae", habitat.lettuce, (0.0, 0.05), silt=(0.0, 0.25)),
        Kind("tuft", "algae", habitat.tuft, (0.0, 0.05), silt=(0.0, 0.2)),
        Kind(
            "boulder",
            "rocks",
            habitat.boulder,
            (0.2, 0.5),
            tumble=(0.4, 0.4),
            silt=(0.2, 0.8),
            growth=(0.1, 0.7),
        ),
        Kind("cobbles", "rocks", habitat.cobbles, (0.2, 0.45), silt=(0.2, 0.7), growth=(0.1, 0.6)),
    )
}


def kinds_of(group: str) -> tuple[str, ...]:
    """Names of the kinds of a class."""
    return tuple(kind.name for kind in KINDS.values() if kind.group == group)
