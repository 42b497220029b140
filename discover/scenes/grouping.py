"""Bursts from proven pairs: stars round one frame, which cannot drift as chains do."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

_SMALL = 20  # frames of a group, all of whose pairs are compared
_WELL_LIT = 0.5  # of the usual brightness of the burst, at least


def stars(links: pd.DataFrame, worth: Sequence[float]) -> npt.NDArray[np.int64]:
    """Group frames so that each shows the scene of its group's centre.

    The frame with the most free linked frames, of equal ones the worthiest, takes them all; and so
    on with what is left. Two frames of a group are at most two links apart, however long the run.

    Args:
        links: columns `a, b`, row numbers of frames that show one scene.
        worth: a number for each frame; the greater, the rather a centre.

    Returns:
        int64 [n], the row number of the centre of each frame's group; its own where it is alone.
    """
    count = len(worth)
    linked: list[set[int]] = [set() for _ in range(count)]
    for a, b in zip(links["a"].tolist(), links["b"].tolist(), strict=True):
        linked[a].add(b)
        linked[b].add(a)
    centre = np.full(count, -1, np.int64)
    free = {row: len(linked[row]) for row in range(count)}
    by_degree: dict[int, set[int]] = {}
    for row, degree in free.items():
        by_degree.setdefault(degree, set()).add(row)
    for degree in range(max(by_degree, default=-1), -1, -1):
        while by_degree.get(degree):
            best = max(by_degree[degree], key=lambda row: (worth[row], -row))
            members = {best} | {row for row in linked[best] if centre[row] < 0}
            for row in members:
                by_degree[free[row]].discard(row)
                centre[row] = best
            touched = {n for row in members for n in linked[row] if centre[n] < 0}
            for row in touched:
                by_degree[free[row]].discard(row)
                free[row] = sum(centre[n] < 0 for n in linked[row])
                by_degree.setdefault(free[row], set()).add(row)
    return centre


def to_compare(links: pd.DataFrame, centre: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return pairs that would tell whether groups that touch are one: int64 [n, 2].

    Each end of a link between two groups with the other's centre; and where two centres are linked,
    all frames of the smaller group with the centre of the larger. Besides, all pairs within a group
    of up to 20 frames, so that what a burst shares is known.
    """
    a, b = links["a"].to_numpy(np.int64), links["b"].to_numpy(np.int64)
    across = centre[a] != centre[b]
    a, b = a[across], b[across]
    wanted = [np.stack(p, 1) for p in ((centre[a], centre[b]), (a, centre[b]), (centre[a], b))]
    size = np.bincount(centre, minlength=len(centre))
    members = pd.Series(np.arange(len(centre))).groupby(centre).indices
    for one, two in zip(a.tolist(), b.tolist(), strict=True):
        if centre[one] == one and centre[two] == two:
            small, large = sorted((one, two), key=lambda row: (size[row], row))
            wanted.append(np.stack([members[small], np.full(len(members[small]), large)], 1))
    for group in members.values():
        if 2 < len(group) <= _SMALL:
            one, two = np.triu_indices(len(group), 1)
            wanted.append(np.stack([group[one], group[two]], 1))
    return np.concatenate(wanted).astype(np.int64)


def keyframe(sharpness: npt.NDArray[np.floating], brightness: npt.NDArray[np.floating]) -> int:
    """Return which frame of a burst is the sharpest of those that are well lit."""
    light = np.nan_to_num(brightness)
    lit = light >= _WELL_LIT * np.median(light)
    return int(np.argmax(np.where(lit, np.nan_to_num(sharpness), -1.0)))
