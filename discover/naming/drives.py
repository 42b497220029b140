"""Which file system a path is on: a database file on a network drive loses what it acknowledged.

SQLite's locks and its shared memory do not work across a network
(https://www.sqlite.org/wal.html, https://www.sqlite.org/howtocorrupt.html). Light.
"""

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

NETWORK = {
    "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fhgfs", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs3", "nfs4", "orangefs", "panfs", "smb2", "smb3", "smbfs", "webdav",
}  # fmt: skip
NETWORK |= {f"fuse.{name}" for name in ("ceph", "glusterfs", "gcsfuse", "rclone", "s3fs", "sshfs")}


def network_drive(path: Path) -> str | None:
    """Return the kind of network drive that `path` is on ("nfs4"), None for a local disk.

    The file need not exist. What cannot be told counts as local.
    """
    absolute = path.resolve()
    if sys.platform == "win32":
        return _windows_drive(absolute)
    kind = kind_of(absolute, mounts())
    return kind if kind in NETWORK else None


def kind_of(path: Path, table: list[tuple[str, str]]) -> str | None:
    """Return the kind of file system that `path` is on.

    Args:
        path: an absolute path.
        table: (mount point, kind) of each mounted file system; of two on one point the last is
            on top.
    """
    best: tuple[int, str] | None = None
    for point, kind in table:
        if PurePosixPath(path).is_relative_to(point):
            depth = len(PurePosixPath(point).parts)
            if best is None or depth >= best[0]:
                best = (depth, kind)
    return best[1] if best else None


def mounts() -> list[tuple[str, str]]:
    """Return (mount point, kind) of each mounted file system; empty where none can be listed."""
    try:
        return parse_proc_mounts(Path("/proc/self/mounts").read_text(encoding="utf-8"))
    except OSError:
        pass
    try:
        listed = subprocess.run(["mount"], capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_bsd_mounts(listed.stdout)


def parse_proc_mounts(text: str) -> list[tuple[str, str]]:
    """Read Linux' table: `device point kind options`; a space is written in octal."""
    rows = [line.split() for line in text.splitlines()]
    return [(_unescaped(row[1]), row[2]) for row in rows if len(row) >= 3]


def parse_bsd_mounts(text: str) -> list[tuple[str, str]]:
    """Read what `mount` prints on macOS: `device on point (kind, options)`."""
    return re.findall(r"^.*? on (.*) \((\w+)[,)]", text, flags=re.M)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def _windows_drive(path: Path) -> str | None:
    if path.drive.startswith("\\\\"):
        return "UNC path"
    import ctypes

    remote = ctypes.windll.kernel32.GetDriveTypeW(path.anchor) == 4  # type: ignore[attr-defined,unused-ignore]
    return "network drive" if remote else None
