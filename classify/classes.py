"""The classes that frames are labelled with, and the other names people give them."""

from collections.abc import Iterable

FLOOR = ("sandy", "muddy", "muddy-sand", "reef")
ELEMENTS = ("ripples", "fauna", "algae", "waste", "rocks")

TASKS: dict[str, tuple[str, ...]] = {"floor": FLOOR, "elements": ELEMENTS}

# Folder names met in practice: Spanish ones of the PLOCAN imagery, and English variants.
ALIASES = {
    "arenoso": "sandy",
    "sand": "sandy",
    "fangoso": "muddy",
    "mud": "muddy",
    "arenofangoso": "muddy-sand",
    "muddy_sand": "muddy-sand",
    "arrecife": "reef",
    "animals": "fauna",
    "algas": "algae",
    "basura": "waste",
    "trash": "waste",
    "litter": "waste",
    "roca": "rocks",
    "rocas": "rocks",
    "rock": "rocks",
    "ripple": "ripples",
}


def standard_name(label: str) -> str:
    """Return the project's word for `label`; a label without an alias is returned as it is."""
    name = label.strip().lower()
    return ALIASES.get(name, name)


def class_order(labels: Iterable[str], task: str) -> tuple[str, ...]:
    """Return the distinct labels: the task's known classes in their order, then others sorted."""
    present = set(labels)
    known = tuple(name for name in TASKS.get(task, ()) if name in present)
    return known + tuple(sorted(present.difference(known)))
