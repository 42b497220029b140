"""How fast are labels with a million of them: reading what stands, one more verdict, its undo.

python benchmarks/label_events.py [postgresql://USER@HOST/EMPTY_DATABASE]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from record import record

from discover.labels import Labels

SIZES = (10_000, 100_000, 1_000_000)
AT_ONCE = 10_000  # crops of one verdict
ONES = 50  # verdicts on one crop, of which the median counts


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(url: str, size: int, start: int) -> list[object]:
    """Name crops `start`..`size`, then measure."""
    labels = Labels(url)
    crops = [f"{n:016x}" for n in range(size)]

    def write() -> None:
        for first in range(start, size, AT_ONCE):
            name = f"kind {first // AT_ONCE % 40}"
            labels.name(crops[first : first + AT_ONCE], name, annotator="eva")

    writing = seconds(write) / (size - start) * AT_ONCE
    first = seconds(labels.names)
    ones = [seconds(lambda n=n: labels.name([crops[n]], "one", annotator="jon"))  # type: ignore[misc]
            for n in range(ONES)]  # fmt: skip
    again = seconds(labels.names)
    undos = [seconds(lambda: labels.undo(annotator="jon")) for _ in range(ONES)]
    history = seconds(lambda: labels.history(crop_id=crops[0]))
    labels.close()
    return [
        f"{size:,}", f"{writing:.2f}", f"{first:.2f}", f"{again:.2f}",
        f"{1000 * statistics.median(ones):.0f}", f"{1000 * statistics.median(undos):.0f}",
        f"{1000 * history:.0f}",
    ]  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'labels.sqlite'}"
        rows = [measure(url, size, start) for start, size in zip((0, *SIZES), SIZES, strict=False)]
    record(
        f"Label events, {url.partition(':')[0]}",
        ["labels", "10,000 more, s", "read all, s", "read changes, s", "verdict, ms", "undo, ms",
         "history of a crop, ms"],
        rows,
        f"Verdict, undo: median of {ONES}, on one crop. Read changes: after those verdicts.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
