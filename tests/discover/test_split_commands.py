"""`discover split`, `leaks` and `counts` as a person calls them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from classify.console import run
from discover.cli import app
from discover.survey import Survey
from tests.discover.tables_by_hand import add_run, make_survey


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Three dives of four frames, a burst every two, and one pair between dives."""
    opened = make_survey(tmp_path / "s", {"a": 4, "b": 4, "c": 4})
    rows = opened.frames.read(["frame_id", "path", "dive", "index"]).to_pylist()
    for n, row in enumerate(rows):
        file = opened.frame_path(row["path"])
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 36), (20 * n, 90, 90)).save(file)
    ids = [row["frame_id"] for row in rows]
    bursts = [f"{row['dive']}{row['index'] // 2}" for row in rows]
    add_run(opened, "bursts", frame_id=ids, burst_id=bursts, order=[row["index"] for row in rows])
    add_run(
        opened,
        "pairs",
        frame_a=["a/00", "a/00"],
        frame_b=["b/01", "a/01"],
        inliers=[50, 90],
        overlap=[0.5, 0.9],
        proof=[0.99, 1.0],
    )
    add_run(opened, "crops", crop_id=["x", "y"], frame_id=["a/00", "a/01"], **{"class": ["f"] * 2})
    add_run(opened, "clusters", crop_id=["x", "y"], cluster=[0, 0])
    return opened


def _call(capsys: pytest.CaptureFixture[str], survey: Survey, *tokens: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        run(app, [*tokens, "--survey", str(survey.root)])
    assert not stopped.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["split", "leaks", "counts"])
def test_the_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app([command, "--help"])
    assert f"Example: discover {command}" in capsys.readouterr().out


def test_a_split_is_written_and_its_leaks_are_shown(
    survey: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "folds.csv"
    said = _call(capsys, survey, "split", "--folds", "3", "--out", str(out))
    assert "fold 0: 4 frames (33%) of 1 dive\n" in said
    assert f"next: discover leaks {out}" in said
    said = _call(capsys, survey, "leaks", str(out))
    assert "this split leaks: 2 of 12 held-out images (16.7%)" in said
    folder = tmp_path / "out" / "folds-leaks"
    assert len(pd.read_csv(folder / "leaks.csv")) == 1
    with Image.open(folder / "leaks.jpg") as sheet:
        assert sheet.width > 640
    found = json.loads(_call(capsys, survey, "leaks", str(out), "--json"))
    assert (found["leaking"], found["held_out"], found["pairs"]) == (2, 12, 1)


def test_bursts_may_be_split_where_there_are_no_dives_to_spare(
    survey: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "split.parquet"
    made = json.loads(_call(capsys, survey, "split", "--by", "burst", "--out", str(out), "--json"))
    assert set(made["parts"]) == {"train", "test"}
    assert (pd.read_parquet(out).groupby("burst")["split"].nunique() == 1).all()


def test_counts_are_printed_or_written(
    survey: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _call(capsys, survey, "counts")
    assert "cluster 0" in said
    assert "individuals" in said
    out = tmp_path / "counts.csv"
    assert "kinds: 1, encounters: 1" in _call(capsys, survey, "counts", "--out", str(out))
    assert pd.read_csv(out)["crops"].tolist() == [2]
    row = json.loads(_call(capsys, survey, "counts", "--by", "survey", "--json"))[0]
    assert (row["dives"], row["individuals"]) == (1, 1)


def test_an_ending_that_cannot_be_written_is_refused_before_the_work(
    survey: Survey, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("split", "counts"):
        with pytest.raises(SystemExit) as stopped:
            run(app, [command, "--out", "table.txt", "--survey", str(survey.root)])
        assert stopped.value.code == 1
        assert "table.txt must end in .csv or .parquet" in capsys.readouterr().err
