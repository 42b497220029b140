"""The bursts of a dive as stacks: one row a burst, in order, and the frames of some of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.frames.data import FramesData
from discover.naming.burst_verdicts import Bursts

SHOW = {"all": "All", "many": "Several frames", "check": "To check"}


def dive_frames(data: FramesData, bursts: Bursts, dive: str) -> pd.DataFrame:
    """Return the frames of a dive, in order, with their bursts.

    Columns: those of `Frames.table`, and `burst_id` (null where the frame is in none), `keyframe`.
    """
    own = data.frames().starts.get(dive, slice(0, 0))
    rows = data.frames().table.iloc[own]
    at = data.in_bursts(bursts)[own]
    # A frame in no burst takes a row at random, which is then made null.
    held = bursts.table.iloc[np.maximum(at, 0)][["burst_id", "keyframe"]].reset_index(drop=True)
    held = held.astype(object).where(pd.Series(at >= 0), None)
    keyframe = held["keyframe"].eq(True).to_numpy(bool)
    return rows.assign(burst_id=held["burst_id"].to_numpy(), keyframe=keyframe)


def stacks_of(frames: pd.DataFrame, bursts: Bursts) -> pd.DataFrame:
    """Return the bursts of a dive, by their first frame.

    Args:
        frames: of the dive, see `dive_frames`.
        bursts: as they stand.

    Returns:
        By burst_id: `frames` of the dive, `first, last` (row numbers in `frames`), `accepted`.
    """
    table = frames[["burst_id"]].assign(row=np.arange(len(frames))).dropna(subset=["burst_id"])
    found = table.groupby("burst_id")["row"].agg(frames="size", first="min", last="max")
    accepted = [b for b in found.index if b in bursts.said and _is_accepted(bursts, b)]
    return found.assign(accepted=found.index.isin(accepted)).sort_values("first")


def shown(stacks: pd.DataFrame, show: str | None) -> pd.DataFrame:
    """Return the stacks that the switch `SHOW` leaves; an unknown value leaves all.

    A frame alone needs no check: there is nothing that it could be a wrong part of.
    """
    if show == "many":
        return stacks[stacks["frames"] > 1]
    if show == "check":
        return stacks[(stacks["frames"] > 1) & ~stacks["accepted"]]
    return stacks


def members(data: FramesData, bursts: Bursts, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the frames of some bursts, by burst: the keyframe first, then in order.

    Columns: those of `Frames.table`, and `keyframe, proof`.
    """
    rows = bursts.table[bursts.table["burst_id"].isin(list(names))]
    places = data.frames().places(rows["frame_id"].tolist())
    rows = rows[places >= 0].assign(place=places[places >= 0])
    known = data.frames().table.iloc[rows["place"]].reset_index(drop=True)
    columns = rows[["burst_id", "keyframe", "proof", "place"]].reset_index(drop=True)
    table = pd.concat([known, columns], axis=1)
    table = table.sort_values(["keyframe", "place"], ascending=[False, True], kind="stable")
    return {str(name): own for name, own in table.groupby("burst_id")}


def beside(stacks: pd.DataFrame, burst: str, step: int) -> str | None:
    """Return the burst `step` places after one in its dive, None where there is none."""
    if burst not in stacks.index:
        return None
    at = stacks.index.tolist().index(burst) + step
    return str(stacks.index[at]) if 0 <= at < len(stacks) else None


def _is_accepted(bursts: Bursts, burst: str) -> bool:
    return bursts.accepted(burst, bursts.frames(burst))
