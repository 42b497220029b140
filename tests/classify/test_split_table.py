"""A split that the table itself brings, from reading to scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.data import DataError, read_labels
from classify.runs import Run, RunError
from classify.scoring import score_run
from classify.settings import TrainConfig
from classify.splits import held_out, inner_parts, split
from classify.train import train
from tests.classify.conftest import SMALL, draw_labelled

TASKS = ("elements",)


def _table(parts: list[str | None]) -> pd.DataFrame:
    count = len(parts)
    columns = {"path": [f"{n}.jpg" for n in range(count)], "part": parts, "dive": ["d"] * count}
    labels = ["waste", "fauna"] * (count // 2)
    return pd.DataFrame({**columns, "burst": None, "elements": labels}, dtype=object)


def test_train_and_test_are_taken_as_they_stand() -> None:
    for word in ("test", "Validation", "val "):
        side = split(_table(["train", "train", word, word]), TASKS, by="table")
        assert side.tolist() == [False, False, True, True]


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_each_fold_can_be_held_out(fold: int) -> None:
    parts = ["0", "0", "1", "1", "2.0", "2.0"]  # pandas writes whole numbers beside gaps so
    side = split(_table(parts), TASKS, by="table", fold=fold)
    assert np.flatnonzero(side).tolist() == [2 * fold, 2 * fold + 1]


@pytest.mark.parametrize(
    ("parts", "fold", "message"),
    [
        (["train", None, "test", "test"], 0, "1 of 4 images have no split or fold, such as 1.jpg"),
        (["train", "train", "other", "test"], 0, "'other' is neither train, test nor the number"),
        (["0", "0", "1", "1"], 2, "--fold 2 holds out nothing: DATA has 0, 1"),
        (["train"] * 4, 0, "holds out nothing: DATA has train"),
        (["train", "train", "test", "test"], 1, "--fold 1: the column split .* train and test"),
    ],
)
def test_a_column_that_says_no_split_is_refused(
    parts: list[str | None], fold: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        held_out(_table(parts), fold)


def test_a_table_without_the_column_names_the_command_that_adds_it() -> None:
    with pytest.raises(DataError, match="no column split or fold; `discover split` adds it"):
        held_out(_table(["train"] * 4).drop(columns="part"))


def test_a_class_that_only_the_held_out_images_show_is_refused() -> None:
    with pytest.raises(DataError, match="class 'fauna' has no training images in the split of DAT"):
        split(_table(["train", "test"] * 2), TASKS, by="table")


def test_settings_are_chosen_by_dives_where_they_are_known() -> None:
    table = _table(["0"] * 24).assign(dive=[str(n // 6) for n in range(24)])
    parts = inner_parts(table, TASKS, by="table", seed=0)
    assert sorted(len(set(table["dive"].iloc[part])) for part in parts) == [1, 1, 1, 1]
    assert len(inner_parts(table.assign(dive=None), TASKS, by="table", seed=0)) == 4


def test_another_split_says_that_the_table_has_one(caplog: pytest.LogCaptureFixture) -> None:
    table = _table(["0"] * 24).assign(dive=[str(n // 6) for n in range(24)])
    split(table, TASKS, by="dive")
    assert "--split table would take it" in caplog.text


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A CSV in three folds of whole dives."""
    folder = tmp_path_factory.mktemp("folded")
    table = draw_labelled(folder)
    table["fold"] = [number // 6 % 3 for number in range(len(table))]
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv", table


@pytest.fixture(scope="module")
def run(folded: tuple[Path, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Run:
    config = TrainConfig(split="table", fold=1, strength=0.01)
    return train(folded[0], tmp_path_factory.mktemp("runs") / "table", config=config, **SMALL)


def test_reading_keeps_the_column(folded: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    csv, table = folded
    assert read_labels(csv)["part"].tolist() == [str(fold) for fold in table["fold"]]
    draw_labelled(tmp_path).to_csv(tmp_path / "t.csv", index=False)
    assert "part" not in read_labels(tmp_path / "t.csv")


def test_training_holds_out_the_fold_of_the_table(
    run: Run, folded: tuple[Path, pd.DataFrame]
) -> None:
    written = pd.read_csv(run.path / "split.csv")
    names = written["path"].map(lambda path: Path(path).name)
    fold = names.map(folded[1].set_index("image")["fold"])
    assert (written["validation"] == (fold == 1)).all()
    assert "as the table says" in (run.path / "report.html").read_text(encoding="utf-8")


def test_scores_can_be_of_the_held_out_part_of_other_data(run: Run, tmp_path: Path) -> None:
    table = draw_labelled(tmp_path, images=12, seed=5)
    table["dive"], table["split"] = "new", ["train"] * 8 + ["test"] * 4
    table.to_csv(tmp_path / "t.csv", index=False)
    assert score_run(run.path, tmp_path / "t.csv")["elements"]["images"] == 12
    assert score_run(run.path, tmp_path / "t.csv", split="table")["elements"]["images"] == 4
    with pytest.raises(RunError, match="--split table needs DATA"):
        score_run(run.path, split="table")


def test_scores_of_the_table_that_it_was_trained_by(
    run: Run, folded: tuple[Path, pd.DataFrame]
) -> None:
    found = score_run(run.path, folded[0], split="table", fold=1)["elements"]["images"]
    assert found == (folded[1]["fold"] == 1).sum()
