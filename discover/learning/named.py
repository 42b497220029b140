"""The crops that people named, with what a head learns from."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.runs import Run
from discover.kinds.members import read_vectors
from discover.labels import decided_so_far
from discover.naming.burst_verdicts import corrected_bursts
from discover.survey import Survey, SurveyError

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

REJECTED = "rejected"  # a kind of its own: crops on which nothing is
_FEWEST = 3  # names of a kind: fewer are left out, as nothing can be held out of them


@dataclass(frozen=True)
class Named:
    """Named crops: a row for each.

    Attributes:
        vectors: float32 [n, d].
        numbers: int64 [n], their kinds.
        kinds: names.
        dives: int64 [n].
        scenes: int64 [n].
    """

    vectors: Vectors
    numbers: Numbers
    kinds: tuple[str, ...]
    dives: Numbers
    scenes: Numbers

    @property
    def held_out_by(self) -> str:
        """What the folds keep together: dives where there are several, else scenes."""
        return "dive" if len(np.unique(self.dives)) > 1 else "scene"

    def at(self, rows: Numbers) -> "Named":
        """Return some rows."""
        return Named(
            self.vectors[rows],
            self.numbers[rows],
            self.kinds,
            self.dives[rows],
            self.scenes[rows],
        )


def crops_with_vectors(survey: Survey, source: Run, class_name: str | None) -> pd.DataFrame:
    """Return columns `crop_id, frame_id, dive, class` of crops with a vector, by crop id."""
    crops = survey.sql(
        'select crop_id, frame_id, dive, "class" from crops join frames using (frame_id) '
        "join embeddings using (crop_id) order by crop_id",
        crops=survey.crops_of(source),
        embeddings=survey.table("embeddings", source.name),
    )
    return crops if class_name is None else crops[crops["class"] == class_name]


def decided(survey: Survey) -> dict[str, str]:
    """Return what people said of crops: a name, or that nothing is there, by crop id."""
    table = decided_so_far(survey)
    human = table[table["origin"] == "human"]
    named = human[human["subcategory"].notna() | (human["label"] == REJECTED)]
    return dict(zip(named["crop_id"], named["path"].fillna(REJECTED), strict=True))


def read_named(survey: Survey, source: Run, crops: pd.DataFrame) -> Named:
    """Return the named ones of crops.

    Raises:
        SurveyError: there are no names, or of a single kind only.
    """
    names = decided(survey)
    table = crops[crops["crop_id"].isin(list(names))]
    table = table.assign(name=[names[crop] for crop in table["crop_id"]])
    counts = table["name"].value_counts()
    few = sorted(counts[counts < _FEWEST].index)
    if few:
        log.warning("left out, as they have fewer than %d names: %s", _FEWEST, ", ".join(few))
    table = table[~table["name"].isin(few)].reset_index(drop=True)
    kinds = tuple(sorted(table["name"].unique()))
    if len(kinds) < 2:
        raise SurveyError(
            f"{len(table)} crops of {len(kinds)} kinds have a name, at least {_FEWEST} of each of "
            "two kinds are needed: name some in `discover explore`"
        )
    vectors = read_vectors(survey, source, table["crop_id"].to_numpy(object))
    numbers = table["name"].map({kind: i for i, kind in enumerate(kinds)}).to_numpy(np.int64)
    dives = pd.factorize(table["dive"])[0].astype(np.int64)
    return Named(vectors, numbers, kinds, dives, _scenes(survey, table))


def _scenes(survey: Survey, table: pd.DataFrame) -> Numbers:
    if survey.latest("bursts") is None:
        return pd.factorize(table["frame_id"])[0].astype(np.int64)
    of_frame = corrected_bursts(survey)[["frame_id", "burst_id"]]
    burst = table.merge(of_frame, on="frame_id", how="left")["burst_id"]
    return pd.factorize(burst.fillna(table["frame_id"]))[0].astype(np.int64)
