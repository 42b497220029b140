"""Runs the command of a job's folder and writes its exit code there, also when the page is gone.

A script of its own, started as `python -P run_job.py FOLDER`: it imports nothing of the project,
and starts at once. The lock that the page took for it is held, by inheritance, until the command
and this script have ended; see `app.jobs.jobs`.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(folder: Path) -> None:
    """Run the command that `command.json` names, and write `exit.json` at its end."""
    command = json.loads((folder / "command.json").read_text(encoding="utf-8"))["argv"]
    environment = {**os.environ, "DISCOVER_PROGRESS": str(folder / "progress.json")}
    with open(folder / "output", "wb") as output, open(folder / "error", "wb") as error:
        code = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=error,
            env=environment,
            close_fds=False,  # the command holds the lock too
            check=False,
        ).returncode
    temporary = folder / "exit.json.tmp"
    temporary.write_text(json.dumps({"code": code, "finished": time.time()}), encoding="utf-8")
    os.replace(temporary, folder / "exit.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
