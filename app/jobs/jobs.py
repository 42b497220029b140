"""Jobs: `discover` commands that the page starts, each in a process of its own.

A job is a folder `cache/jobs/<id>/` of the survey, so that the list outlives a reload, the server
and the page: `command.json` (what was asked, by whom, when), `process.json` (process group and
computer), `progress.json`, `output`, `error`, and at the end `exit.json`. While it runs its
processes hold a lock on the folder's `lock`, which the system frees when the last of them is gone,
however it ended: no number of a process is trusted, as numbers are used again.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app.data import Explorer
from app.jobs.commands import JobError, Task, task_of
from app.jobs.process import DISCOVER
from classify.runs import write_atomic

if sys.platform != "win32":
    import fcntl

RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"
KEPT = 40  # finished jobs in the list; older ones are forgotten, what they made stays
_PATIENCE = 5.0  # seconds from asking a job to stop to stopping it
_TAIL = 4096  # bytes of the errors that are read
_RUNNER = [sys.executable, "-P", str(Path(__file__).with_name("run.py"))]


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Attributes:
        id: names its folder.
        title: what it does, in words.
        command: the verb of `discover`.
        by: who started it.
        started: seconds since 1970.
        finished: likewise; None while it runs, and where it was stopped.
        state: RUNNING, DONE, FAILED or STOPPED.
        progress: `label`, `done` and `total`; None before the first.
        error: the last line of its errors, where it failed.
        result: what the command printed for machines, where it is done.
    """

    id: str
    title: str
    command: str
    by: str
    started: float
    finished: float | None
    state: str
    progress: dict[str, Any] | None
    error: str | None
    result: dict[str, Any] | None


class Jobs:
    """The jobs of one survey.

    Args:
        explorer: the survey.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self.folder = explorer.survey.cache / "jobs"

    def start(self, request: object, *, by: str) -> Job:
        """Start the command of a request; see `app.jobs.commands`.

        Args:
            request: what a button of the page asks for.
            by: who asks.

        Raises:
            JobError: it is not allowed, runs already, or this system has no locks.
        """
        if sys.platform == "win32":
            raise JobError("jobs run on Linux and macOS: here, run the command in a terminal")
        task = task_of(request, self._explorer)
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "wb") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)  # else two clicks at once start two
            for job in self.listed():
                same = job.state == RUNNING and self._tokens(job.id) == list(task.tokens)
                if same:
                    raise JobError(f"“{job.title}” runs already, started by {job.by}")
            self._forget()
            return self._begin(task, by)

    def stop(self, job_id: str) -> None:
        """Stop a job: its processes are asked to end, and ended where they do not.

        Raises:
            JobError: there is no such job, it has ended, or it runs on another computer.
        """
        job = self.get(job_id)
        if job.state != RUNNING:
            raise JobError(f"“{job.title}” has ended already")
        process = _read(self.folder / job_id / "process.json") or {}
        if process.get("host") != socket.gethostname():
            raise JobError(f"“{job.title}” runs on {process.get('host')}: stop it there")
        _signal(process["group"], signal.SIGTERM)
        threading.Thread(target=self._end, args=(job_id, process["group"]), daemon=True).start()

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobError: there is none of that id.
        """
        if not job_id.isalnum() or not (self.folder / job_id / "command.json").is_file():
            raise JobError(f"job {job_id!r} is not in the list")
        return self._job(self.folder / job_id)

    def listed(self) -> list[Job]:
        """Return the jobs, the latest first."""
        jobs = [self._job(file.parent) for file in self.folder.glob("*/command.json")]
        return sorted(jobs, key=lambda job: (job.started, job.id), reverse=True)

    def _begin(self, task: Task, by: str) -> Job:
        folder = self.folder / uuid.uuid4().hex[:12]
        folder.mkdir()
        survey = self._explorer.survey.root.resolve()
        out = [f"--out={task.out}"] if task.out else []
        if task.out:
            task.out.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "title": task.title, "tokens": task.tokens, "by": by, "started": time.time(),
            "argv": [*DISCOVER, *task.tokens, *out, f"--survey={survey}", "--json"],
        }  # fmt: skip
        with _locked(folder) as lock:
            # Written under the lock, so that nobody takes a job that begins for one that is gone.
            write_atomic(folder / "command.json", json.dumps(about, ensure_ascii=False).encode())
            process = subprocess.Popen(
                [*_RUNNER, str(folder.resolve())],
                cwd=survey,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # it outlives the page, and is stopped as a whole
            )
            place = {"group": process.pid, "host": socket.gethostname()}
            write_atomic(folder / "process.json", json.dumps(place).encode())
        threading.Thread(target=process.wait, daemon=True).start()  # else it stays as a zombie
        return self._job(folder)

    def _job(self, folder: Path) -> Job:
        about = _read(folder / "command.json") or {}
        runs = _is_locked(folder)  # before the exit is read: a job that ends in between is done
        end = _read(folder / "exit.json")
        state = _state(runs, end)
        return Job(
            id=folder.name,
            title=about["title"],
            command=about["tokens"][0],
            by=about["by"],
            started=about["started"],
            finished=end["finished"] if end else None,
            state=state,
            progress=_read(folder / "progress.json"),
            error=_last_line(folder / "error") if state == FAILED else None,
            result=_read(folder / "output") if state == DONE else None,
        )

    def _tokens(self, job_id: str) -> list[str]:
        return list((_read(self.folder / job_id / "command.json") or {})["tokens"])

    def _forget(self) -> None:
        ended = [job for job in self.listed() if job.state != RUNNING]
        for job in ended[KEPT:]:
            shutil.rmtree(self.folder / job.id)

    def _end(self, job_id: str, group: int) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if not _is_locked(self.folder / job_id):
                return
            time.sleep(0.1)
        _signal(group, signal.SIGKILL)


def _state(runs: bool, end: dict[str, Any] | None) -> str:
    """Return the state; a command that a signal ended was stopped, by whomever."""
    if end is None:
        return RUNNING if runs else STOPPED
    if end["code"] == 0:
        return DONE
    return STOPPED if end["code"] < 0 else FAILED


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # it ended by itself


@contextmanager
def _locked(folder: Path) -> Iterator[IO[bytes]]:
    with open(folder / "lock", "wb") as lock:
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _is_locked(folder: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        with open(folder / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _read(file: Path) -> dict[str, Any] | None:
    """Return what a file of JSON holds; None where there is none, or it is no JSON object."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _last_line(file: Path) -> str:
    """Return the last line of what a command printed of its errors."""
    with open(file, "rb") as handle:
        handle.seek(max(0, file.stat().st_size - _TAIL))
        lines = handle.read().decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ").strip() if lines else "it ended without a word"
