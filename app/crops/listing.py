"""Which crops a gallery shows, in which order: what an address or a verdict means, looked up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app.crops.likeness import like
from app.crops.selection import SHOWN, Rows, in_order, mask
from app.data import ClassRun, Explorer
from discover.kinds.branches import branches
from discover.naming.database import LabelError

MOST = 50_000  # crops of a gallery; a verdict on "all" holds those beyond too
ADDRESSED = ("group", "part", "show", "name", "like", "flags", "state")  # keys of a selection
LIKE_PINNED = "pinned"  # the order by likeness to the crop that is pinned


@dataclass(frozen=True)
class Listing:
    """The crops of a gallery.

    Attributes:
        what: the selection that it is.
        rows: rows of the crops, in order.
        count: how many crops the selection holds.
    """

    what: dict[str, Any]
    rows: Rows
    count: int

    def sent(self, explorer: Explorer, run: ClassRun, title: str) -> dict[str, Any]:
        """Return what `gallery.js` draws: ids as one text, which is small and quickly read."""
        ids = explorer.crop_table(run).crops["crop_id"].to_numpy()[self.rows[:MOST]]
        return {
            "run": run.name,
            "crops_run": run.crops_run,
            "ids": " ".join(ids.tolist()),
            "what": {"run": run.name, **self.what},
            "count": self.count,
            "title": title,
        }


def selected(explorer: Explorer, run: ClassRun, what: dict[str, Any]) -> tuple[pd.DataFrame, Rows]:
    """Return the crops of a run as they stand, and the rows that a selection holds, ascending.

    Beside the keys of `app.crops.selection`, `part` is a part of the cluster `group` in the tree,
    by its number, and `like` the crops like a crop or a picture.

    Raises:
        ValueError: a key has a value that it cannot have.
        UserError: a crop or picture is not there.
    """
    crops = explorer.crops(run)
    keep = mask(crops, what)
    if what.get("part") is not None:
        keep &= crops["crop_id"].isin(_part(explorer, run, what)).to_numpy()
    if what.get("like"):
        alike = np.zeros(len(crops), bool)
        alike[like(explorer, run, what["like"])[:MOST]] = True
        keep &= alike
    return crops, np.flatnonzero(keep)


def listing(
    explorer: Explorer, run: ClassRun, what: dict[str, Any], order: str, pinned: str | None = None
) -> Listing:
    """Return the crops of a selection in an order.

    Args:
        explorer: the survey.
        run: the clustering run.
        what: the selection.
        order: one of `app.crops.selection.ORDERS`, or `LIKE_PINNED`.
        pinned: the crop whose like come first.

    Raises:
        ValueError: a key has a value that it cannot have.
        UserError: a crop or picture is not there.
    """
    reference = what.get("like") or (pinned if order == LIKE_PINNED else None)
    if not reference:
        crops, rows = selected(explorer, run, what)
        line = in_order(crops, rows, order, explorer.crop_table(run).typical)
        return Listing(what, line, len(rows))
    line = like(explorer, run, reference)[: MOST if what.get("like") else None]
    others = {key: value for key, value in what.items() if key != "like"}
    crops, rows = selected(explorer, run, others)
    chosen = np.zeros(len(crops), bool)
    chosen[rows] = True
    line = line[chosen[line]]
    return Listing(what, line, len(line) if what.get("like") else len(rows))


def title_of(what: dict[str, Any]) -> str:
    """Say what a selection is, as in "Cluster 7"."""
    if what.get("group") is not None:
        group = str(what["group"])
        part = f", part {int(what['part']) + 1}" if what.get("part") is not None else ""
        return ("Noise" if group == "-1" else f"Cluster {group}") + part
    if what.get("name") is not None:
        return str(what["name"])
    if what.get("like"):
        return "Like a picture" if str(what["like"]).startswith("p") else "Like a crop"
    return SHOWN.get(str(what.get("show", "all")), "All")


def _part(explorer: Explorer, run: ClassRun, what: dict[str, Any]) -> set[str]:
    parts = branches(explorer.survey, run.name, int(what["group"]))
    number = int(what["part"])
    if not 0 <= number < len(parts):
        raise LabelError(f"part {number}: cluster {what['group']} has {len(parts)} parts")
    inside = set(parts[number])
    after = explorer.found(run).following
    return inside | {crop for source in inside for crop in after.get(source, ())}
