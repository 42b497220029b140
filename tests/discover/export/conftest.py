"""A labelled survey of drawn frames with times and places, and a copy of it without labels."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from discover.export.records import Records, read_records
from discover.labels import Labels
from discover.naming.events import By
from discover.naming.subcategories import add
from discover.survey import Survey, concat_rows, open_survey
from tests.app.survey_on_disk import EMBED_RUN, build


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """The survey without labels; treat it as read-only."""
    survey = build(tmp_path_factory.mktemp("bare") / "Reef 7")
    frames = survey.frames.read().to_pandas()
    start = datetime(2024, 5, 1, 10, tzinfo=UTC)
    frames["time_utc"] = [start + timedelta(seconds=7 * n) for n in range(len(frames))]
    frames["lat"], frames["lon"] = 28.1 + frames.index / 1e4, -15.4
    survey.frames.discard("all")
    columns = {name: frames[name].tolist() for name in survey.frames.schema.names}
    columns["flags"] = [[] for _ in range(len(frames))]
    columns = {n: [None if v is pd.NA or v != v else v for v in c] for n, c in columns.items()}
    survey.frames.write("all", concat_rows(columns, "frames"))
    return survey


@pytest.fixture
def empty(bare: Survey, tmp_path: Path) -> Survey:
    """A copy of the survey, without labels."""
    shutil.copytree(bare.root, tmp_path / "copy" / "Reef 7")
    return open_survey(tmp_path / "copy" / "Reef 7")


@pytest.fixture
def labelled(bare: Survey, tmp_path: Path) -> Survey:
    """A copy with labels of every sort, by people and by a machine."""
    shutil.copytree(bare.root, tmp_path / "own" / "Reef 7")
    survey = open_survey(tmp_path / "own" / "Reef 7")
    crops = survey.table("crops", EMBED_RUN).read(["crop_id", "class"]).to_pandas()
    waste = crops.loc[crops["class"] == "waste", "crop_id"].tolist()
    fauna = crops.loc[crops["class"] == "fauna", "crop_id"].tolist()
    labels = Labels(survey.labels_url)
    with labels.write() as writer:
        add(writer, "Asteroidea > Asterias rubens", By("eva"), codes={"AphiaID": "123776"})
    labels.name(waste[:20], "waste > drinks can", annotator="eva", based_on="waste-11112222/0")
    labels.name(waste[20:30], 'waste > bag, torn "so"', annotator="José", confidence=0.75)
    labels.name(waste[30:34], "Müll: 50 % / Rest.", annotator="eva")
    labels.name(waste[34:36], "rejected", annotator="eva")
    labels.name(fauna[:15], "Asterias rubens", annotator="eva", confidence=1.0)
    labels.name(fauna[15:20], "Asterias cf. rubens", annotator="jon")
    labels.name(fauna[20:26], "Brachyura indet.", annotator="head-1", origin="machine",
                confidence=dict.fromkeys(fauna[20:26], 0.4))  # fmt: skip
    labels.close()
    return survey


@pytest.fixture
def records(labelled: Survey) -> Records:
    return read_records(labelled)
