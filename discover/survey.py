"""The survey: a folder that holds everything known about a set of frames.

Tables of plain data live directly below it (`frames/`), tables made by a run below the run's name
(`clusters/<run>/`). See `discover.tables` for how shards are kept. Light: no torch, no umap.
"""

import hashlib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from classify.errors import UserError
from classify.runs import RUN_FILE, Run, list_runs, read_run, write_atomic
from discover.tables import SCHEMAS, Table

SETTINGS_FILE = "survey.toml"
LABELS_FILE = "labels.sqlite"

_MADE_BY = {
    "predictions": "classify predict SURVEY --model RUN",
    "pairs": "discover bursts",
    "bursts": "discover bursts",
    "crops": "discover embed",
    "embeddings": "discover embed",
    "clusters": "discover cluster --class NAME",
    "suggestions": "discover learn --out FOLDER",
}
_NEW_SETTINGS = """\
# Settings of this survey. Any option of a command can be set here, under the command's name;
# the command line and the environment come first. For example:
#
# [cluster]
# min_size = 20
"""


class SurveyError(UserError):
    """A survey that is missing, or lacks what a step needs; the message says what to do."""


class Survey:
    """Everything known about a set of frames, in one folder. Make one with `open_survey`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def frames(self) -> Table:
        """The frames, one row each."""
        return Table(self.root / "frames", "frames")

    def count_frames(self) -> int:
        """Return the number of frames, from the shards' footers alone."""
        return sum(pq.read_metadata(path).num_rows for path in self.frames.files())

    @property
    def labels_url(self) -> str:
        """SQLAlchemy's address of the label events: a file in the survey, or a team's database.

        The environment's `DISCOVER_LABELS_URL` comes before `url` of `[labels]` in survey.toml.
        """
        file = self.root / SETTINGS_FILE
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise SurveyError(f"{file} is not TOML: {error}; mend that line") from error
        own = settings.get("labels", {}).get("url", f"sqlite:///{self.root / LABELS_FILE}")
        return os.environ.get("DISCOVER_LABELS_URL", own)

    @property
    def cache(self) -> Path:
        """The folder of what can be made again at any time."""
        return self.root / "cache"

    def table(self, name: str, run: str) -> Table:
        """Return the table `name` of one run, such as `table("clusters", "waste-1a2b3c4d")`."""
        return Table(self.root / name / run, name)

    def run_folder(self, stage: str, name: str) -> Path:
        """Return where the run `name` of a stage ("embeddings", "clusters") is kept."""
        return self.root / stage / name

    def runs(self, stage: str) -> list[Run]:
        """Return the runs of a stage, finished or not, the earliest first."""
        return list_runs(self.root / stage)

    def latest(self, stage: str) -> Run | None:
        """Return the latest finished run of a stage, or None where there is none."""
        return next((run for run in reversed(self.runs(stage)) if run.is_complete), None)

    def run(self, stage: str, name: str | None = None, *, of_class: str | None = None) -> Run:
        """Return the run `name`, or the latest finished one (of a class).

        Raises:
            SurveyError: there is none; the message says which command makes one.
        """
        if name is not None:
            folder = self.run_folder(stage, name)
            if not (folder / RUN_FILE).is_file():
                known = ", ".join(r.name for r in self.runs(stage)) or "none"
                raise SurveyError(f"{stage} run {name!r} is not in {self.root}; there are: {known}")
            return read_run(folder)
        done = [r for r in self.runs(stage) if r.is_complete]
        if of_class is not None:
            done = [r for r in done if r.info["config"].get("class_name") == of_class]
        if not done:
            what = stage if of_class is None else f"{stage} of class {of_class!r}"
            raise SurveyError(f"{self.root} has no {what}: run `{_MADE_BY[stage]}` first")
        return done[-1]

    def crops_of(self, run: Run) -> Table:
        """Return the crops that a run of embeddings, or of clusters, is about.

        Several embeddings of the same crops stand side by side, so that the run of crops may have
        another name than the run of embeddings.
        """
        parents = run.info["parents"]
        return self.table("crops", parents.get("crops", parents.get("embeddings", run.name)))

    def frame_path(self, path: str) -> Path:
        """Return where a frame's file is, from the `path` column of the frames table."""
        return self.root / path  # an absolute `path` stays as it is

    def stored_path(self, file: Path) -> str:
        """Return what the `path` column holds for a file: relative where inside the survey."""
        absolute = file.resolve()
        root = self.root.resolve()
        return str(absolute.relative_to(root) if absolute.is_relative_to(root) else absolute)

    def sql(self, query: str, parameters: Iterable[object] = (), **tables: Table) -> pd.DataFrame:
        """Run a DuckDB query in which `frames` and each name in `tables` is a view.

        Args:
            query: SQL; `?` stands for a parameter.
            parameters: the values of the `?`.
            tables: the tables that the query names, such as `clusters=survey.table(...)`.
        """
        with duckdb.connect() as connection:
            for name, table in {"frames": self.frames, **tables}.items():
                relation = connection.from_arrow(SCHEMAS[table.name].empty_table())
                files = [str(file) for file in table.files()]
                if files:  # columns that only today's schema has are null
                    relation.create_view(f"{name}_columns")
                    connection.read_parquet(files, union_by_name=True).create_view(f"{name}_rows")
                    relation = connection.sql(
                        f"select * from {name}_rows union all by name select * from {name}_columns"
                    )
                relation.create_view(name)
            return connection.execute(query, list(parameters)).df()


def open_survey(folder: str | Path = ".", *, create: bool = False) -> Survey:
    """Open the survey in `folder`.

    Args:
        folder: the survey's folder.
        create: make an empty survey there when it is none yet.

    Raises:
        SurveyError: `folder` is not a survey and `create` is False, or is a file.
    """
    root = Path(folder)
    if root.is_file():
        raise SurveyError(f"--survey {root} is a file: name the folder that is to hold the survey")
    settings = root / SETTINGS_FILE
    if not settings.is_file():
        if not create:
            raise SurveyError(
                f"--survey {root} is not a survey: run `discover add FOLDER --survey {root}` first"
            )
        write_atomic(settings, _NEW_SETTINGS.encode())
    return Survey(root)


def unit_name(ids: Iterable[str]) -> str:
    """Return the name of a unit of work, from the ids it holds: the same ids, the same name."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def crop_id(frame_id: str, class_name: str, box: tuple[int, int, int, int]) -> str:
    """Return the stable id of a crop: 16 hex digits from frame, class and box (x, y, w, h)."""
    text = f"{frame_id}/{class_name}/{box[0]},{box[1]},{box[2]},{box[3]}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def frame_id(sha256: str, dive: str, index: int) -> str:
    """Return the stable id of a frame: 16 hex digits from its bytes, dive and place in the dive."""
    return hashlib.sha256(f"{sha256}/{dive}/{index}".encode()).hexdigest()[:16]


def concat_rows(columns: dict[str, list[object]], name: str) -> pa.Table:
    """Build rows of the table `name` from lists of values."""
    return pa.table(columns, schema=SCHEMAS[name])
