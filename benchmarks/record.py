"""Print a benchmark's table and keep it in RESULTS.md, with date and machine."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


def record(title: str, header: Sequence[str], rows: Sequence[Sequence[object]], note: str) -> None:
    """Print the table as Markdown and append it to RESULTS.md."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    table = "\n".join(lines)
    print(table)
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    with open(RESULTS, "a", encoding="utf-8") as handle:
        handle.write(f"\n## {title}\n\n{date}, {_machine()}. {note}\n\n{table}\n")


def _machine() -> str:
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"
