"""What the queue shows: pure functions from a table of crops (`Explorer.crops`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.crops.selection import SHOWN, mask, open_crops, suggested
from app.crops.state import group_text

Rows = npt.NDArray[np.intp]

SORTS = {
    "gain": "Most named for least work",
    "size": "Largest",
    "doubt": "Most doubtful",
    "dives": "Most dives",
    "stable": "Most stable",
}
_PICTURES = 6
_OF_ROWS = ["burst", "dive", "name", "origin", "validated"]


def names_of(crops: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Return (name, crops, origin) of the names given in `crops`, the most frequent first.

    The origin is "human" as soon as a person gave the name to one of the crops.
    """
    codes, origin = crops["name"].cat.codes.to_numpy(), crops["origin"].cat.codes.to_numpy()
    known = crops["name"].cat.categories
    counts = np.bincount(codes[codes >= 0], minlength=len(known))
    human = np.bincount(codes[(codes >= 0) & (origin == 1)], minlength=len(known))
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    return [(str(known[i]), int(counts[i]), "human" if human[i] else "machine") for i in order]


def queue(
    crops: pd.DataFrame, typical: Rows, persistence: Mapping[int, float], *, sort: str = "gain"
) -> list[dict[str, Any]]:
    """Return the groups as rows of the queue, then the crops that are in none.

    Args:
        crops: the crops of one run.
        typical: rows in order of how typical they are.
        persistence: how long each cluster lives in the condensed tree.
        sort: one of `SORTS`.

    Returns:
        One dictionary a row: `group` or `show`, `title, size, open` (crops that wait for a
        verdict), `bursts, dives, doubt` (one minus the mean probability), `stable, names,
        suggested, exemplars` (crop ids).
    """
    rows = _of_groups(crops, typical, persistence)
    groups = [row for row in rows if row["group"] != "-1"]
    groups.sort(key=_SORT_KEYS.get(sort, _SORT_KEYS["gain"]))
    rest = [row | {"title": "Noise"} for row in rows if row["group"] == "-1"]
    for show in ("next", "unlike", "flagged"):
        chosen = np.flatnonzero(mask(crops, {"show": show}))
        if len(chosen):
            rest.append(of_rows(crops, chosen, typical) | {"show": show, "title": SHOWN[show]})
    return groups + rest


def line(crops: pd.DataFrame) -> list[dict[str, Any]]:
    """Return `group, size, open` of the groups in the order of `queue` by size, the noise last."""
    numbers, group = _numbered(crops["group"].to_numpy())
    n = len(numbers)
    size = np.bincount(group, minlength=n).tolist()
    waiting = np.bincount(group[open_crops(crops)], minlength=n).tolist()
    rows = [
        {"group": group_text(number), "size": size[i], "open": waiting[i]}
        for i, number in enumerate(numbers.tolist())
    ]
    return sorted(rows, key=lambda row: (row["group"] == "-1", *_SORT_KEYS["size"](row)))


def progress(crops: pd.DataFrame) -> dict[str, int]:
    """Return how many crops there are, have a name, and are decided by a person."""
    return {
        "crops": len(crops),
        "named": int((crops["name"].cat.codes >= 0).sum()),
        "decided": int((~open_crops(crops)).sum()),
    }


def following(rows: list[dict[str, Any]], group: str) -> tuple[str | None, str | None, str | None]:
    """Return the groups before and after one in the queue, and the next that is not decided."""
    line = [row["group"] for row in rows if row.get("group") is not None]
    if group not in line:
        return None, None, line[0] if line else None
    at = line.index(group)
    waiting = {row["group"] for row in rows if row.get("group") is not None and row["open"]}
    after = [g for g in line[at + 1 :] + line[:at] if g in waiting and g != "-1"]
    return (
        line[at - 1] if at else None,
        line[at + 1] if at + 1 < len(line) else None,
        after[0] if after else None,
    )


_SORT_KEYS: dict[str, Any] = {
    # One verdict names the crops that wait, as far as they are one kind.
    "gain": lambda row: (-row["open"] * (1 - row["doubt"]), row["group"]),
    "size": lambda row: (-row["size"], row["group"]),
    "doubt": lambda row: (-row["doubt"], row["group"]),
    "dives": lambda row: (-row["dives"], row["group"]),
    "stable": lambda row: (-(row["stable"] or 0), row["group"]),
}


def _of_groups(
    crops: pd.DataFrame, typical: Rows, persistence: Mapping[int, float]
) -> list[dict[str, Any]]:
    numbers, group = _numbered(crops["group"].to_numpy())
    n, waits = len(numbers), open_crops(crops)
    size = np.bincount(group, minlength=n)
    waiting = np.bincount(group[waits], minlength=n)
    doubt = 1 - np.bincount(group, crops["probability"].to_numpy(), minlength=n) / size
    order = _together(group, n)
    bursts, dives = (_distinct(group, order, crops[c], n) for c in ("burst", "dive"))
    names = _counted(group, crops, "name", n)
    shown = suggested(crops)
    proposed = _counted(group[shown], crops[shown], "suggested", n)
    first = _first_of_each(group[typical], n)
    ids = crops["crop_id"].to_numpy()
    return [
        {
            "group": group_text(int(number)),
            "title": "",
            "size": int(size[i]),
            "open": int(waiting[i]),
            "bursts": int(bursts[i]),
            "dives": int(dives[i]),
            "doubt": round(float(doubt[i]), 3),
            "stable": persistence.get(int(number)),
            "names": names[i],
            "suggested": proposed[i][:1],
            "exemplars": ids[typical[first[i]]].tolist(),
        }
        for i, number in enumerate(numbers.tolist())
    ]


def of_rows(crops: pd.DataFrame, rows: Rows, typical: Rows) -> dict[str, Any]:
    """Return some rows of the crops as a row of the queue."""
    chosen = np.zeros(len(crops), bool)
    chosen[rows] = True
    some = crops[_OF_ROWS].iloc[rows]
    first = typical[chosen[typical]][:_PICTURES]
    return {
        "group": None,
        "size": len(rows),
        "open": int(open_crops(some).sum()),
        "bursts": int(some["burst"].nunique()),
        "dives": int(some["dive"].nunique()),
        "doubt": None,
        "stable": None,
        "names": names_of(some),
        "suggested": [],
        "exemplars": crops["crop_id"].to_numpy()[first].tolist(),
    }


def _numbered(values: npt.NDArray[np.int32]) -> tuple[Rows, Rows]:
    """Return the distinct numbers, ascending, and the place of each value among them."""
    least = int(values.min(initial=0))
    there = np.bincount(values - least) > 0  # numbers lie close, so that nothing need be sorted
    return np.flatnonzero(there) + least, (np.cumsum(there) - 1)[values - least]


def _distinct(group: Rows, order: Rows, column: pd.Series, n: int) -> npt.NDArray[np.intp]:
    """Return how many values of a categorical column each group has.

    Args:
        group: the group of each row.
        order: the rows, those of a group together.
        column: the values.
        n: how many groups there are.
    """
    codes = column.cat.codes.to_numpy()[order].astype(np.int64)
    known, width = codes >= 0, max(len(column.cat.categories), 1)
    # Values come up in the order of the rows: what is nearly sorted is sorted by its runs.
    pairs = np.sort((group[order] * width + codes)[known], kind="stable")
    first = np.diff(pairs, prepend=-1) > 0
    return np.bincount(pairs[first] // width, minlength=n)


def _counted(
    group: Rows, crops: pd.DataFrame, column: str, n: int
) -> list[list[tuple[str, int, str]]]:
    """Return for each group its values of a categorical column, as `names_of` does."""
    codes = crops[column].cat.codes.to_numpy().astype(np.int64)
    known, texts = codes >= 0, crops[column].cat.categories
    pairs, at = np.unique(group[known] * max(len(texts), 1) + codes[known], return_inverse=True)
    counts = np.bincount(at, minlength=len(pairs))
    is_human = crops["origin"].cat.codes.to_numpy()[known] == 1
    human = np.bincount(at[is_human], minlength=len(pairs))
    found: list[list[tuple[str, int, str]]] = [[] for _ in range(n)]
    for i in np.argsort(-counts, kind="stable"):
        where, text = divmod(int(pairs[i]), max(len(texts), 1))
        origin = "human" if human[i] else "machine"
        found[where].append((str(texts[text]), int(counts[i]), origin))
    return found


def _together(group: Rows, n: int) -> Rows:
    """Return the places, those of a group together and in order."""
    # Numbers of two bytes are sorted by counting, many times as fast.
    return np.argsort(group.astype(np.uint16) if n < 2**16 else group, kind="stable")


def _first_of_each(group: Rows, n: int) -> list[Rows]:
    """Return the first places of each group."""
    order, ends = _together(group, n), np.cumsum(np.bincount(group, minlength=n))
    starts = np.append(0, ends[:-1])
    return [order[a : min(b, a + _PICTURES)] for a, b in zip(starts, ends, strict=True)]
