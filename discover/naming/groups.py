"""Groups of crops: the clusters of a run, as a person has merged, split and moved them since.

A group is called after its cluster, "waste-1a2b3c4d/7"; one that a person split off, after the
event that did so, "waste-1a2b3c4d/s12". Names are never reused, and a run's clusters stay as they
were found. Light.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from discover.naming.database import LabelError
from discover.naming.standing import Reader
from discover.survey import Survey

GROUP, VALIDATED, FLAG = "crop.group", "crop.validated", "crop.flag"


def known_crops(survey: Survey) -> set[str]:
    """Return the ids of all crops of a survey, of every run that cut some."""
    folder = survey.root / "crops"
    runs = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    tables = (survey.table("crops", run).read(["crop_id"]) for run in runs)
    return {crop for table in tables for crop in table["crop_id"].to_pylist()}


@dataclass(frozen=True)
class Groups:
    """Which group each crop of a clustering run is in.

    Attributes:
        run: the run.
        table: by crop_id: `group`; `cluster` as it was found; `source`, the keyframe's crop that it
            took its cluster from, null where it stands for itself.
    """

    run: str
    table: pd.DataFrame

    @classmethod
    def read(cls, survey: Survey, run: str, reader: Reader) -> "Groups":
        """Read the groups of the clustering run `run` as they stand.

        Raises:
            SurveyError: there is no such run.
        """
        name = survey.run("clusters", run).name
        columns = ["crop_id", "cluster", "inherited_from"]
        rows = survey.table("clusters", name).read(columns).to_pandas()
        rows = rows.rename(columns={"inherited_from": "source"}).set_index("crop_id")
        found = name + "/" + rows["cluster"].astype(str)
        moved = {
            row.key: row.value
            for row in reader.rows(["key", "value"], [GROUP])
            if row.value and row.value.startswith(f"{name}/")
        }
        group = pd.Series(moved, dtype="object").reindex(rows.index)
        return cls(name, rows.assign(group=group.where(group.notna(), found)))

    def crops(self, group: str) -> list[str]:
        """Return the crops of a group.

        Raises:
            LabelError: the group has none.
        """
        found = self.table.index[self.table["group"] == self.full_name(group)].tolist()
        if not found:
            largest = ", ".join(self.table["group"].value_counts().index[:5])
            raise LabelError(f"group {group!r} is not of run {self.run}; the largest are {largest}")
        return found

    def of(self, crop: str) -> str:
        """Return the group of a crop.

        Raises:
            LabelError: the crop is not in the run.
        """
        if crop not in self.table.index:
            raise LabelError(f"crop {crop!r} is not in run {self.run}: give the run that it is in")
        return str(self.table.at[crop, "group"])

    def full_name(self, group: str) -> str:
        """Return "waste-1a2b3c4d/7" for "7", and a full name as it is."""
        return group if "/" in group else f"{self.run}/{group}"

    def followers(self, crops: Iterable[str]) -> dict[str, str]:
        """Return the crops of the same bursts that take after these: follower -> its source."""
        following = self.table["source"].dropna()
        return {str(k): str(v) for k, v in following[following.isin(list(crops))].items()}
