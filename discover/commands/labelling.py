"""What the commands that label share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from classify.console import say
from discover.labels import Labels
from discover.naming.events import Event
from discover.survey import Survey

Annotator = Annotated[
    str | None, Parameter(help="Name that it is kept under; by default the user's.")
]


@contextmanager
def opened_labels(survey: Survey) -> Iterator[Labels]:
    """Yield the labels of a survey, and close them."""
    labels = Labels(survey.labels_url)
    try:
        yield labels
    finally:
        labels.close()


def plain(event: Event) -> dict[str, Any]:
    """Return an event as values that JSON holds."""
    return {**asdict(event), "time_utc": event.time_utc.isoformat()}


def line(event: Event) -> str:
    """Return an event in a line."""
    what = f"{event.crops:,} crop{'s' * (event.crops != 1)}" if event.crops else ""
    if event.action in ("undo", "redo") and event.crops:
        state = f"now {event.name}" if event.name else "as before"
        return f"{event.annotator}: {event.action} of {event.inverts}, {what} {state}"
    words = [event.action, *([repr(event.detail)] if event.detail else []), what]
    grounds = f" ({event.based_on})" if event.based_on else ""
    machine = " (machine)" if event.origin == "machine" else ""
    return f"{event.annotator}{machine}: {' '.join(w for w in words if w)}{grounds}"


def say_event(event: Event | None) -> None:
    """Print what an event did, or that nothing was to do."""
    say(line(event) if event else "nothing changed")
