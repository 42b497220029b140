"""What an import reads from a file: which crop, which label, who said so. Light."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from discover.naming.database import LabelError

Box = tuple[float, float, float, float]  # x, y, w, h in pixels of the original image


@dataclass(frozen=True)
class LabelRow:
    """One label of a file.

    Attributes:
        place: where it stands, for errors: "FILE labels.csv: row 7".
        label: a name or a path "A > B", with its qualifier; or a mark.
        crop_id: the crop, where the file knows it.
        image: the image's file, where the crop is not known.
        box: where in the image; or
        point: x and y of a pixel that the crop holds.
        annotator: who said so; None = whoever imports.
        origin: "human" or "machine"; None = human.
        time: when.
        confidence: 0..1.
        based_on: what it was based on.
        codes: codes of the subcategory.
    """

    place: str
    label: str
    crop_id: str | None = None
    image: str | None = None
    box: Box | None = None
    point: tuple[float, float] | None = None
    annotator: str | None = None
    origin: str | None = None
    time: datetime | None = None
    confidence: float | None = None
    based_on: str | None = None
    codes: dict[str, str] = field(default_factory=dict)


def number(text: str | None, what: str, place: str) -> float | None:
    """Return a value as a number, None where it is empty.

    Raises:
        LabelError: it is none.
    """
    if text is None or not str(text).strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise LabelError(f"{place}: {what} {text!r} is no number: write plain decimals") from None


def time(text: str | None, place: str) -> datetime | None:
    """Return a point in time, None where it is empty; one without a zone is in UTC.

    Raises:
        LabelError: it is none.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise LabelError(
            f"{place}: {text!r} is no point in time: write it as 2024-01-31T10:15:30Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def box(values: list[str | None], place: str) -> Box:
    """Return a box from its texts.

    Raises:
        LabelError: one of them is missing or no number.
    """
    numbers = [number(v, what, place) for v, what in zip(values, "xywh", strict=True)]
    if any(n is None for n in numbers):
        raise LabelError(f"{place}: the box lacks one of x, y, width, height")
    x, y, w, h = (float(n) for n in numbers if n is not None)
    return x, y, w, h
