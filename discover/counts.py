"""How many of each kind were seen: frames, bursts, encounters and individuals, by dive.

A starfish that stays in view for a minute is in sixty frames, and is one. So individuals are
counted a burst at a time, as the most that any single frame shows: MaxN (Priede et al. 1994, J.
Mar. Biol. Ass. U.K. 74: 481-498; Cappo et al. 2003). It never counts one animal twice within a
burst, and may count too few. Bursts that follow each other closely are one encounter.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from classify.runs import Config, Run
from discover.kinds.lineage import whole_runs
from discover.labels import labels_so_far
from discover.naming.burst_verdicts import corrected_bursts
from discover.survey import Survey, SurveyError

_CROPS = """
    select f.dive, c."class", k.cluster, k.crop_id, f.frame_id, epoch(f.time_utc) as second
    from clusters k join crops c using (crop_id) join frames f using (frame_id)
"""
_KEYS = ["dive", "class", "subcategory"]
COUNTS = ("crops", "frames", "bursts", "encounters", "individuals")


@dataclass(frozen=True)
class CountConfig(Config):
    """What is one encounter.

    Attributes:
        gap_s: seconds that may pass between two sightings of one encounter, where frames have
            times.
        gap_frames: frames of the dive in between, where they have none.
    """

    gap_s: float = 10.0
    gap_frames: int = 2

    def __post_init__(self) -> None:
        if self.gap_s < 0:
            raise SurveyError(f"--gap-seconds {self.gap_s} must be 0 or more")
        if self.gap_frames < 0:
            raise SurveyError(f"--gap-frames {self.gap_frames} must be 0 or more")


def count_kinds(
    survey: Survey, config: CountConfig | None = None, *, clusters: str | None = None
) -> pd.DataFrame:
    """Count what was found.

    Args:
        survey: the survey, with clusters and bursts.
        config: what is one encounter; None takes the defaults.
        clusters: the clustering run; None takes the latest of each class.

    Returns:
        A row for each dive, class and subcategory: `dive, class, subcategory` (the name that a
        person gave; else "cluster 3", or "noise"), `named`, and

        `crops`: regions found.
        `frames`: frames that show it.
        `bursts`: scenes that show it.
        `encounters`: runs of such bursts with no longer gap than the settings allow.
        `individuals`: sum over the encounters of the most that any single frame shows.
        `max_n`: the most that any single frame of the dive shows.

    Raises:
        SurveyError: there are no clusters or no bursts, or frames are in no burst.
    """
    return count_sightings(_sightings(survey, clusters), config or CountConfig())


def count_sightings(crops: pd.DataFrame, config: CountConfig) -> pd.DataFrame:
    """Return the counts of `count_kinds`.

    Args:
        crops: a row for each crop: `dive, class, subcategory, named, crop_id, frame_id, burst`,
            `place` (of the frame in its dive) and `second` (its time; may be null).
        config: what is one encounter.
    """
    if crops.empty:
        return pd.DataFrame(columns=[*_KEYS, "named", *COUNTS, "max_n"])
    per_frame = crops.groupby([*_KEYS, "named", "burst", "frame_id"], as_index=False).agg(
        crops=("crop_id", "size"), place=("place", "first"), second=("second", "first")
    )
    bursts = per_frame.groupby([*_KEYS, "named", "burst"], as_index=False).agg(
        crops=("crops", "sum"),
        frames=("frame_id", "nunique"),
        max_n=("crops", "max"),
        first=("place", "min"),
        last=("place", "max"),
        begin=("second", "min"),
        end=("second", "max"),
    )
    bursts = bursts.sort_values([*_KEYS, "first"], kind="stable")
    bursts["encounter"] = number_encounters(bursts, config)
    met = bursts.groupby([*_KEYS, "named", "encounter"], as_index=False).agg(
        crops=("crops", "sum"),
        frames=("frames", "sum"),
        bursts=("burst", "nunique"),
        max_n=("max_n", "max"),
    )
    return met.groupby([*_KEYS, "named"], as_index=False).agg(
        crops=("crops", "sum"),
        frames=("frames", "sum"),
        bursts=("bursts", "sum"),
        encounters=("encounter", "size"),
        individuals=("max_n", "sum"),
        max_n=("max_n", "max"),
    )


def over_dives(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of all dives together; `max_n` is that of the best dive."""
    how = dict.fromkeys(COUNTS, "sum")
    return counts.groupby(["class", "subcategory", "named"], as_index=False).agg(
        {"dive": "nunique", **how, "max_n": "max"}
    ).rename(columns={"dive": "dives"})  # fmt: skip


def _sightings(survey: Survey, clusters: str | None) -> pd.DataFrame:
    """Return the crops with what they are taken for, and where in the dive they were seen."""
    bursts = corrected_bursts(survey)[["frame_id", "burst_id", "order"]]
    bursts = bursts.rename(columns={"burst_id": "burst", "order": "place"})
    crops = pd.concat([_crops_of(survey, run) for run in _runs(survey, clusters)])
    crops = crops.merge(bursts, on="frame_id", how="left")
    missing = crops.loc[crops["burst"].isna(), "frame_id"].nunique()
    if missing:
        raise SurveyError(f"{missing} frames are in no burst: run `discover bursts` again")
    number = np.where(crops["cluster"] < 0, "noise", "cluster " + crops["cluster"].astype(str))
    names = _names(survey)
    return crops.assign(
        subcategory=[names.get(c, n) for c, n in zip(crops["crop_id"], number, strict=True)],
        named=crops["crop_id"].isin(list(names)),
    ).drop_duplicates("crop_id")


def _runs(survey: Survey, clusters: str | None) -> list[Run]:
    if clusters is not None:
        return [survey.run("clusters", clusters)]
    survey.run("clusters")  # none at all is an error
    done = whole_runs(survey)
    return list({run.info["config"].get("class_name"): run for run in done}.values())


def _crops_of(survey: Survey, run: Run) -> pd.DataFrame:
    return survey.sql(
        _CROPS, (), clusters=survey.table("clusters", run.name), crops=survey.crops_of(run)
    )


def _names(survey: Survey) -> dict[str, str]:
    table = labels_so_far(survey)
    table = table[table["origin"] == "human"]
    return dict(zip(table["crop_id"], table["name"], strict=True))


def number_encounters(bursts: pd.DataFrame, config: CountConfig) -> pd.Series:
    """Return the number of each burst's encounter.

    Args:
        bursts: `dive, class, subcategory`, `first, last` (places in the dive) and `begin, end`
            (seconds; may be null), sorted by kind and `first`.
        config: what is one encounter.

    A burst belongs to the encounter before it where the gap to the latest sighting in that one is
    small enough: in seconds where both times are known, else in frames.
    """
    kind = bursts.groupby(_KEYS, sort=False)
    latest_place = kind["last"].cummax().groupby([bursts[k] for k in _KEYS], sort=False).shift()
    latest_second = kind["end"].cummax().groupby([bursts[k] for k in _KEYS], sort=False).shift()
    seconds = bursts["begin"] - latest_second
    between = bursts["first"] - latest_place - 1
    near = np.where(seconds.notna(), seconds <= config.gap_s, between <= config.gap_frames)
    starts = latest_place.isna() | ~pd.Series(near, bursts.index)
    return starts.cumsum()
