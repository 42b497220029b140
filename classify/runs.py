"""Run folders: what was done, with what, and whether it was finished.

A run is a folder with a `run.json`. It is written first with status "started" and last with status
"complete", so that a folder left by a crash never looks done. Light: standard library only.
"""

import dataclasses
import hashlib
import json
import os
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from classify.errors import UserError

RUN_FILE = "run.json"
_VERSIONED = ("rov-discover", "torch", "timm", "umap-learn", "hdbscan", "scikit-learn", "numpy")


class RunError(UserError):
    """A run folder that is missing, unfinished or not what was asked for."""


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old content or all of the new one.

    Temporary name, fsync, rename, fsync of the folder: a reader or a crash sees no half file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with open(temporary, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    publish(temporary, path)


def publish(temporary: Path, path: Path) -> None:
    """Give a finished, fsynced file its final name, durably."""
    os.replace(temporary, path)
    if os.name == "posix":  # Windows cannot open a folder; its rename is durable by itself
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def content_hash(value: object, length: int = 8) -> str:
    """Return the first `length` hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class Config:
    """Base of the frozen dataclasses that hold a step's settings; saved as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild the settings.

        Raises:
            RunError: `values` has a key that is not a setting, so a typo is never ignored.
        """
        known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise RunError(
                f"{cls.__name__}: unknown setting {unknown[0]!r}; known are {', '.join(known)}"
            )
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def installed_versions() -> dict[str, str]:
    """Return the versions of this project and of the packages that decide its results."""
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass
class Run:
    """One run folder and the content of its `run.json`."""

    path: Path
    info: dict[str, Any] = field(default_factory=dict)
    _clock: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The folder's name, by which other runs refer to this one."""
        return self.path.name

    @property
    def is_complete(self) -> bool:
        """Whether the run was finished."""
        return bool(self.info.get("status") == "complete")

    def complete(self, *, counts: dict[str, Any], **more: object) -> None:
        """Mark the run as finished, with its counts and the seconds it took."""
        self.info |= {
            "status": "complete",
            "finished": _now(),
            "counts": counts,
            "timings": {"seconds": round(time.monotonic() - self._clock, 2)},
            **more,
        }
        self._save()

    def _save(self) -> None:
        text = json.dumps(self.info, indent=2, ensure_ascii=False, default=str)
        write_atomic(self.path / RUN_FILE, text.encode())


def start_run(
    path: Path,
    *,
    command: str,
    config: dict[str, Any],
    seed: int | None = None,
    parents: dict[str, str] | None = None,
    model_hash: str | None = None,
) -> Run:
    """Create (or take up again) the run folder `path` and write its `run.json` as "started".

    Args:
        path: the run folder; its parent is created.
        command: the verb that makes the run, such as "discover embed".
        config: the settings as plain values.
        seed: seed of the random numbers, or None where there are none.
        parents: runs that this one was made from, by role, such as {"embeddings": "lite0-1a2b"}.
        model_hash: SHA-256 of the weights used, where a model is.
    """
    info = {
        "status": "started",
        "command": command,
        "config": config,
        "seed": seed,
        "parents": parents or {},
        "model_hash": model_hash,
        "versions": installed_versions(),
        "started": _now(),
    }
    run = Run(path, info)
    run._save()
    return run


def read_run(path: Path) -> Run:
    """Read a run folder.

    Raises:
        RunError: there is no readable `run.json` in `path`.
    """
    try:
        return Run(path, json.loads((path / RUN_FILE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(f"{path} is not a run folder: it has no {RUN_FILE}") from None
    except json.JSONDecodeError as error:
        raise RunError(f"{path / RUN_FILE} is damaged ({error}); remove the folder") from None


def list_runs(folder: Path) -> list[Run]:
    """Return the runs in `folder`, finished or not, the earliest first."""
    found = [read_run(p.parent) for p in folder.glob(f"*/{RUN_FILE}")]
    return sorted(found, key=lambda run: (str(run.info["started"]), run.name))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
