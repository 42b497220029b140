"""What a check of `discover doctor` found. Light."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was looked at, in a word or two.
        state: ok, warning (works, but not as well as it could) or fault (something fails).
        found: what was found.
        remedy: what to do about it; "" where all is well.
    """

    check: str
    state: State
    found: str
    remedy: str = ""


def size_in_words(size: float) -> str:
    """Return a number of bytes as a person reads it, such as "2.1 GB"."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
