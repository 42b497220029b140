"""How far a command is, for a program that watches it: a small file that is replaced as a whole.

Where the environment names a file by `DISCOVER_PROGRESS`, it holds one JSON object: `label` (what
is being done), `done` and `total` (null where they are not known). Light: standard library only.
"""

import json
import os
import time
from pathlib import Path

VARIABLE = "DISCOVER_PROGRESS"
_PAUSE = 0.2  # seconds between two writes of one stage


class ProgressFile:
    """Writes how far the command is.

    Args:
        path: the file; None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._written: tuple[str, float] = ("", 0.0)  # label, and when

    @classmethod
    def of_environment(cls) -> "ProgressFile":
        """Return what writes the file that the environment names, if it names one."""
        name = os.environ.get(VARIABLE)
        return cls(Path(name) if name else None)

    def write(self, label: str, done: int | None = None, total: int | None = None) -> None:
        """Write; within a stage at most five times a second, its end always."""
        if self._path is None:
            return
        now, (last, at) = time.monotonic(), self._written
        if label == last and now - at < _PAUSE and (done is None or done != total):
            return
        self._written = (label, now)
        text = json.dumps({"label": label, "done": done, "total": total}, ensure_ascii=False)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self._path)
