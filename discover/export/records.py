"""What every export is made of: the labelled crops with all that is known of each.

One row a crop; boxes and masks in pixels of the original image. Light.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from classify.runs import Run, content_hash
from discover.kinds.lineage import whole_runs
from discover.labels import Labels
from discover.naming.burst_verdicts import corrected_bursts
from discover.naming.groups import Groups
from discover.naming.qualifiers import with_qualifier
from discover.naming.tree import INDETERMINATE, REJECTED, Tree
from discover.survey import Survey, SurveyError

COLUMNS = (
    "crop_id", "image", "dive", "index", "sha256", "time_utc", "lat", "lon", "depth_m",
    "image_width", "image_height", "x", "y", "w", "h", "mask", "class", "score", "label", "path",
    "subcategory", "qualifier", "codes", "status", "annotator", "created_at", "confidence",
    "based_on", "cluster", "probability", "noise", "burst_id", "keyframe", "crops_run",
    "cluster_run", "model_hash", "config_hash",
)  # fmt: skip
_CROPS = """
    select c.crop_id, c.frame_id, c."class", c.score, c.x, c.y, c.w, c.h, c.mask, f.path as image,
           f.dive, f."index", f.sha256, f.time_utc, f.lat, f.lon, f.depth_m,
           f.width as image_width, f.height as image_height
    from crops c join frames f using (frame_id)
"""


@dataclass(frozen=True)
class Records:
    """The labelled crops of a survey.

    Attributes:
        survey: the survey.
        table: the columns `COLUMNS`, and `file`: where the image is. `image` is the file's name
            where only one frame of the survey has it, else its path.
        tree: the subcategories.
    """

    survey: Survey
    table: pd.DataFrame
    tree: Tree

    @property
    def name(self) -> str:
        """The survey's name."""
        return self.survey.root.resolve().name

    def named(self) -> pd.DataFrame:
        """Return the crops that have a subcategory: without those rejected or indeterminate."""
        return self.table[~self.table["label"].isin([REJECTED, INDETERMINATE])]

    def rows(self) -> list[dict[str, Any]]:
        """Return `named` as dictionaries; what is unknown is None."""
        columns = {
            str(name): [
                None if missing else value for value, missing in zip(c, c.isna(), strict=True)
            ]
            for name, c in self.named().items()
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def left_out(self) -> list[str]:
        """Say how many crops `named` leaves out."""
        left = len(self.table) - len(self.named())
        return [f"{left} crops that are rejected or indeterminate are left out"] if left else []


def read_records(survey: Survey, *, class_name: str | None = None, people: bool = False) -> Records:
    """Read the labelled crops of a survey.

    Args:
        survey: the survey.
        class_name: only crops of this class.
        people: leave out what only a machine suggested.

    Raises:
        SurveyError: no crop has such a label.
    """
    labels = Labels(survey.labels_url)
    try:
        decided, tree = labels.decided(), labels.tree()
        with labels.read() as reader:
            clusters = [_clusters(survey, run, Groups.read(survey, run.name, reader))
                        for run in _latest_runs(survey)]  # fmt: skip
    finally:
        labels.close()
    if people:
        decided = decided[decided["origin"] == "human"]
    decided = decided.rename(columns={"origin": "status", "time_utc": "created_at"})
    codes = {i: json.dumps(dict(node.codes)) for i, node in tree.nodes.items() if node.codes}
    decided["codes"] = decided["subcategory"].map(codes)
    crops = all_crops(survey)
    if class_name is not None:
        crops = crops[crops["class"] == class_name]
    table = crops.merge(decided.drop(columns="event_id"), on="crop_id")
    if table.empty:
        of_class = f" of class {class_name!r}" if class_name else ""
        raise SurveyError(
            f"no crop{of_class} in {survey.root} has a label: name some with `discover explore` "
            "or `discover label apply`"
        )
    table = table.merge(_bursts(survey), on="frame_id", how="left")
    table = table.merge(_first(clusters, _CLUSTERS), on="crop_id", how="left")
    table["path"] = [
        None if path is None else with_qualifier(path, qualifier)
        for path, qualifier in zip(_none(table["path"]), _none(table["qualifier"]), strict=True)
    ]
    table["file"] = table["image"]
    table["image"] = table["image"].map(image_names(survey))
    table = table.sort_values(["dive", "index", "crop_id"], ignore_index=True)
    return Records(survey, table[[*COLUMNS, "frame_id", "file"]], tree)


def image_names(survey: Survey) -> dict[str, str]:
    """Return the name that exports give each frame's file, by its path in the frames table."""
    paths = sorted(set(survey.frames.read(["path"])["path"].to_pylist()))
    count = Counter(Path(path).name for path in paths)
    return {path: Path(path).name if count[Path(path).name] == 1 else path for path in paths}


def plain_name(image: str) -> str:
    """Return a file name for an image: of a path, its parts joined by "__"."""
    return "__".join(part for part in PurePosixPath(image).parts if part not in ("/", ".."))


_CLUSTERS = ["crop_id", "cluster", "probability", "noise", "cluster_run", "config_hash"]


def all_crops(survey: Survey) -> pd.DataFrame:
    """Return the crops of all runs that cut some; of one that several cut, the latest is told."""
    folder = survey.root / "crops"
    runs = {run.name: run for run in survey.runs("crops")} | {
        run.name: run for run in survey.runs("embeddings")
    }
    have = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    have.sort(key=lambda name: str(runs[name].info.get("started")) if name in runs else "")
    parts = [
        survey.sql(_CROPS, (), crops=survey.table("crops", name)).assign(
            crops_run=name, model_hash=_hash(runs.get(name))
        )
        for name in reversed(have)
    ]
    return _first(parts, ["crop_id", "frame_id", "class", "image"])


def _hash(run: Run | None) -> str | None:
    return None if run is None else run.info.get("model_hash")


def _latest_runs(survey: Survey) -> list[Run]:
    """Return the latest finished clustering of each whole class, the latest first."""
    return list({run.info["config"].get("class_name"): run for run in whole_runs(survey)}.values())[
        ::-1
    ]


def _clusters(survey: Survey, run: Run, groups: Groups) -> pd.DataFrame:
    rows = survey.table("clusters", run.name).read(["crop_id", "probability"]).to_pandas()
    group = rows["crop_id"].map(groups.table["group"]).str.rpartition("/")[2]
    return rows.assign(
        cluster=group,
        noise=group == "-1",
        cluster_run=run.name,
        config_hash=content_hash(run.info["config"]),
    )


def _bursts(survey: Survey) -> pd.DataFrame:
    columns = ["frame_id", "burst_id", "keyframe"]
    if survey.latest("bursts") is None:
        return pd.DataFrame(columns=columns, dtype=object)
    return corrected_bursts(survey)[columns]


def _first(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Return the rows of all parts; of a crop that is in several, that of the first."""
    if not parts:
        return pd.DataFrame(columns=columns, dtype=object)
    return pd.concat(parts, ignore_index=True).drop_duplicates("crop_id")


def _none(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in values]
