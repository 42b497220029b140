"""Pictures of why two frames count as one scene, drawn by a `discover` process when asked for.

The comparison needs what the page does not load, so that it runs beside it; what it drew is kept.
"""

import hashlib
import json
import logging
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

from app.data import Explorer
from app.jobs.process import DISCOVER
from classify.runs import write_atomic

log = logging.getLogger(__name__)

_LONGEST = 300  # seconds; the first of a survey whose cache was deleted looks at every frame anew


class Proofs:
    """The proofs of one survey, drawn one at a time."""

    def __init__(self, explorer: Explorer) -> None:
        self._survey = explorer.survey
        self.one_at_a_time = threading.Lock()

    def picture(self, frame_a: str, frame_b: str) -> Path:
        """Return where the picture of a pair is or will be; it changes with the bursts run."""
        run = self._survey.latest("bursts")
        name = f"{run.name if run else ''}/{frame_a}/{frame_b}"
        stem = hashlib.sha256(name.encode()).hexdigest()[:32]
        return self._survey.cache / "proofs" / f"{stem}.png"

    def draw(self, frame_a: str, frame_b: str) -> dict[str, Any] | None:
        """Return `verdict, probability, inliers` of a pair and draw its picture, or `error`.

        None where another is being drawn: ask again in a second.
        """
        file = self.picture(frame_a, frame_b)
        said = file.with_suffix(".json")
        if file.exists() and said.exists():
            return dict(json.loads(said.read_bytes()))
        if not self.one_at_a_time.acquire(blocking=False):
            return None
        try:
            return self._run(frame_a, frame_b, file, said)
        finally:
            self.one_at_a_time.release()

    def _run(self, frame_a: str, frame_b: str, file: Path, said: Path) -> dict[str, Any]:
        file.parent.mkdir(parents=True, exist_ok=True)
        drawn = file.with_name(f".{file.stem}.drawn.png")
        command = [
            *DISCOVER, "bursts", "--explain", frame_a, frame_b, "--out", str(drawn.resolve()),
            "--survey", str(self._survey.root.resolve()), "--json",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=_LONGEST
            )
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or ["no reason given"]
            log.warning("proof of %s and %s: %s", frame_a, frame_b, error.stderr.strip())
            return {"error": lines[-1]}
        except subprocess.TimeoutExpired:
            return {"error": f"the comparison took longer than {_LONGEST} s: run it by hand"}
        found = json.loads(done.stdout)
        kept = {name: found[name] for name in ("verdict", "probability", "inliers")}
        os.replace(drawn, file)
        write_atomic(said, json.dumps(kept).encode())
        return kept
