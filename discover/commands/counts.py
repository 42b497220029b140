"""`discover counts`."""

from pathlib import Path
from typing import Literal

from classify.console import print_json, say
from discover.commands.options import HERE, Json, SurveyDir
from discover.survey import open_survey


def counts(
    *,
    by: Literal["dive", "survey"] = "dive",
    clusters: str | None = None,
    gap_seconds: float = 10.0,
    gap_frames: int = 2,
    out: Path | None = None,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Count frames, bursts, encounters and individuals of each class and subcategory.

    Within a burst the individuals are MaxN: the most in any single frame. Bursts that follow each
    other closely are one encounter, so that one starfish filmed for a minute counts once. Crops
    without a name count under the number of their cluster. Needs `discover bursts`.

    Example: discover counts --out counts.csv

    Parameters
    ----------
    by
        A row for each dive, or for the whole survey.
    clusters
        Clustering run; by default the latest of each class.
    gap_seconds
        Seconds that may pass between two sightings of one encounter, where frames have times.
    gap_frames
        Frames in between, where they have none.
    out
        CSV or Parquet file to write; by default the table is printed.
    """
    from discover.counts import CountConfig, count_kinds, over_dives
    from discover.listed import check_ending, write_table

    opened = open_survey(survey)
    if out is not None:
        check_ending(out)
    table = count_kinds(opened, CountConfig(gap_seconds, gap_frames), clusters=clusters)
    table = table if by == "dive" else over_dives(table)
    if out is not None:
        write_table(table, out)
    if as_json:
        print_json(table.to_dict("records"))
    elif out is not None:
        say(f"kinds: {len(table)}, encounters: {int(table['encounters'].sum())}; table: {out}")
    else:
        say(table.drop(columns="named").to_string(index=False) if len(table) else "nothing found")
