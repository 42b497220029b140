"""The flags of a survey's frames: what `discover add` saw and what `discover bursts` added. Light.

A flag says what is wrong with a picture. It hides nothing: whoever reads it decides.
"""

import pandas as pd

from discover.survey import Survey

FLAGS = {
    "dark": "hardly any light",
    "over-exposed": "much of it is white",
    "blurred": "out of focus, moved, or seen through haze",
    "interlaced": "two fields in one frame: combs where something moves",
    "colour-cast": "one colour covers the others",
    "frozen": "repeats an earlier frame",
    "mostly-vehicle": "more than a third is the vehicle",
}


def frame_flags(survey: Survey) -> pd.DataFrame:
    """Return the frames that have a flag: `frame_id, dive, flag`, a row for each flag of a frame.

    Flags come from the frames table and from the latest finished bursts run, where there is one.
    """
    bursts = survey.latest("bursts")
    sources = ["select frame_id, unnest(flags) as flag from frames"]
    tables = {}
    if bursts is not None:
        sources.append("select frame_id, unnest(flags) as flag from bursts")
        tables["bursts"] = survey.table("bursts", bursts.name)
    return survey.sql(
        f"select distinct frame_id, dive, flag from ({' union all '.join(sources)}) "
        "join frames using (frame_id) order by frame_id, flag",
        (),
        **tables,
    )


def count_flags(survey: Survey) -> dict[str, int]:
    """Return how many frames have each flag, in the order of `FLAGS`; others follow by name."""
    counts = frame_flags(survey)["flag"].value_counts()
    return {flag: int(counts[flag]) for flag in (*FLAGS, *sorted(set(counts.index) - set(FLAGS)))
            if flag in counts.index}  # fmt: skip
