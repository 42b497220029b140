"""Groups of crops: the clusters of a run, as a person has merged, split and moved them since.

A group is called after its cluster, "waste-1a2b3c4d/7"; one that a person split off, after the
event that did so, "waste-1a2b3c4d/s12". Names are never reused, and a run's clusters stay as they
were found. Light.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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
class Found:
    """The clusters of a run as they were found, which never change: read once, use often.

    Attributes:
        run: the run.
        table: by crop_id: `cluster`; `source`, the keyframe's crop that it took its cluster from,
            null where it stands for itself.
        following: the crops that take after each source.
    """

    run: str
    table: pd.DataFrame
    following: Mapping[str, Sequence[str]]

    @classmethod
    def read(cls, survey: Survey, run: str) -> "Found":
        """Read the clusters of the clustering run `run`.

        Raises:
            SurveyError: there is no such run.
        """
        name = survey.run("clusters", run).name
        columns = ["crop_id", "cluster", "inherited_from"]
        rows = survey.table("clusters", name).read(columns)
        crops, sources = (rows[c].to_numpy() for c in ("crop_id", "inherited_from"))
        following: dict[str, list[str]] = {}
        for crop, source in zip(crops.tolist(), sources.tolist(), strict=True):
            if source is not None:
                following.setdefault(source, []).append(crop)
        index = pd.Index(crops, dtype=object, name="crop_id")
        own = pd.Series(sources, index, dtype=object)
        table = pd.DataFrame({"cluster": rows["cluster"].to_numpy(), "source": own}, index)
        return cls(name, table, following)

    @cached_property
    def clusters(self) -> dict[str, int]:
        """The cluster of each crop."""
        return dict(zip(self.table.index, self.table["cluster"].tolist(), strict=True))


@dataclass(frozen=True)
class Groups:
    """Which group each crop of a clustering run is in.

    Attributes:
        found: the clusters as they were found.
        moved: the group, by crop, of the crops that people put into another since.
    """

    found: Found
    moved: Mapping[str, str]

    @classmethod
    def read(cls, survey: Survey, run: str, reader: Reader) -> "Groups":
        """Read the groups of the clustering run `run` as they stand.

        Raises:
            SurveyError: there is no such run.
        """
        return cls.on(Found.read(survey, run), reader)

    @classmethod
    def on(cls, found: Found, reader: Reader) -> "Groups":
        """Read what people changed of clusters that are read already."""
        rows = reader.rows(["key", "value"], [GROUP])
        own = f"{found.run}/"
        return cls(found, {r.key: r.value for r in rows if r.value and r.value.startswith(own)})

    @property
    def run(self) -> str:
        """The run."""
        return self.found.run

    @cached_property
    def table(self) -> pd.DataFrame:
        """By crop_id: `group`, `cluster` as it was found, and `source` (see `Found`)."""
        rows = self.found.table
        group = self.run + "/" + rows["cluster"].astype(str)
        moved = pd.Series(dict(self.moved), dtype="object").reindex(rows.index)
        return rows.assign(group=moved.where(moved.notna(), group))

    def crops(self, group: str) -> list[str]:
        """Return the crops of a group.

        Raises:
            LabelError: the group has none.
        """
        full = self.full_name(group)
        number, rows = full.removeprefix(f"{self.run}/"), self.found.table
        clusters = [c for c in rows["cluster"].unique().tolist() if str(c) == number]
        inside = rows["cluster"].isin(clusters).to_numpy(copy=True)
        places = rows.index.get_indexer(pd.Index(list(self.moved), dtype=object))
        inside[places[places >= 0]] = [
            to == full for to, at in zip(self.moved.values(), places, strict=True) if at >= 0
        ]
        found = rows.index[inside].tolist()
        if not found:
            largest = ", ".join(self.table["group"].value_counts().index[:5])
            raise LabelError(f"group {group!r} is not of run {self.run}; the largest are {largest}")
        return found

    def of(self, crop: str) -> str:
        """Return the group of a crop.

        Raises:
            LabelError: the crop is not in the run.
        """
        if crop in self.moved:
            return self.moved[crop]
        if crop not in self.found.clusters:
            raise LabelError(f"crop {crop!r} is not in run {self.run}: give the run that it is in")
        return f"{self.run}/{self.found.clusters[crop]}"

    def full_name(self, group: str) -> str:
        """Return "waste-1a2b3c4d/7" for "7", and a full name as it is."""
        return group if "/" in group else f"{self.run}/{group}"

    def followers(self, crops: Iterable[str]) -> dict[str, str]:
        """Return the crops of the same bursts that take after these: follower -> its source."""
        after = self.found.following
        return {crop: source for source in crops for crop in after.get(source, ())}
