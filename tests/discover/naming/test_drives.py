from pathlib import Path

import pytest

from discover.labels import LabelError, Labels
from discover.naming import database, drives

LINUX = """\
/dev/sda1 / ext4 rw,relatime 0 0
server:/export /data nfs4 rw 0 0
/dev/sdb1 /data/local\\040disk xfs rw 0 0
//nas/share /home/eva/nas cifs rw 0 0
host:/x /mnt/ssh fuse.sshfs rw 0 0
"""
MACOS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//eva@nas/share on /Volumes/dive data (smbfs, nodev, nosuid, mounted by eva)
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/eva/survey/labels.sqlite", "ext4"),
        ("/data/survey/labels.sqlite", "nfs4"),
        ("/data/local disk/survey/labels.sqlite", "xfs"),
        ("/home/eva/nas/labels.sqlite", "cifs"),
        ("/home/eva/nas2/labels.sqlite", "ext4"),
        ("/mnt/ssh/a/b", "fuse.sshfs"),
    ],
)
def test_the_deepest_mount_tells(path: str, kind: str) -> None:
    assert drives.kind_of(Path(path), drives.parse_proc_mounts(LINUX)) == kind


def test_of_two_mounts_on_one_point_the_last_counts() -> None:
    table = [("/", "ext4"), ("/data", "ext4"), ("/data", "nfs")]
    assert drives.kind_of(Path("/data/x"), table) == "nfs"
    assert drives.kind_of(Path("/data/x"), []) is None


def test_what_mount_prints_on_macos() -> None:
    table = drives.parse_bsd_mounts(MACOS)
    assert drives.kind_of(Path("/Volumes/dive data/survey"), table) == "smbfs"
    assert drives.kind_of(Path("/Users/eva"), table) == "apfs"


def test_a_file_on_a_network_drive_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drives.network_drive(tmp_path / "none" / "labels.sqlite") is None  # the tests' own disk
    monkeypatch.setattr(drives, "mounts", lambda: [("/", "ext4"), (str(tmp_path), "nfs4")])
    with pytest.raises(LabelError, match=r"network drive \(nfs4\).*PostgreSQL"):
        Labels(f"sqlite:///{tmp_path / 'labels.sqlite'}")
    assert list(tmp_path.iterdir()) == []
    assert database.engine_of("sqlite://")  # in memory there is no drive
