import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from classify import predict
from classify.images import Pixels
from classify.model import Classifier, load_classifier
from classify.predict import (
    COLUMNS,
    Predictor,
    find_images,
    predict_images,
    write_predictions,
)
from classify.runs import Run, RunError
from tests.classify.conftest import draw_labelled


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Eight images that no classifier was trained on; `image` is the whole path."""
    folder = tmp_path_factory.mktemp("fresh")
    table = draw_labelled(folder, images=8, seed=7)
    return table.assign(image=[str(folder / name) for name in table["image"]])


@pytest.fixture(scope="module")
def loaded(elements_run: Run) -> Predictor:
    return Predictor(load_classifier(elements_run.path))


@pytest.fixture
def predictor(loaded: Predictor, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """The classifier of elements; what a test sets in its `config` is undone."""
    monkeypatch.setattr(loaded.model, "config", loaded.model.config)
    return loaded


def _paths(table: pd.DataFrame) -> list[Path]:
    return [Path(name) for name in table["image"]]


def test_new_images_are_named_right(elements_run: Run, fresh: pd.DataFrame) -> None:
    found = predict_images(elements_run.path, _paths(fresh))
    assert tuple(found.columns) == COLUMNS
    assert found["image"].tolist() == fresh["image"].tolist()
    assert found["class"].tolist() == fresh["element"].tolist()
    assert set(found["task"]) == {"elements"}
    assert found["probability"].between(0.5, 1).all()


def test_a_classifier_of_both_tasks_has_a_row_for_each(both_run: Run, fresh: pd.DataFrame) -> None:
    found = predict_images(both_run.path, _paths(fresh))
    assert found["task"].tolist() == ["floor", "elements"] * len(fresh)
    elements = found[found["task"] == "elements"]
    assert elements["class"].tolist() == fresh["element"].tolist()
    assert set(found.loc[found["task"] == "floor", "class"]) <= {"sandy", "muddy"}


def test_a_damaged_file_has_a_row_without_class_and_the_others_theirs(
    elements_run: Run, fresh: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    paths = _paths(fresh)
    steps: list[tuple[int, int]] = []
    found = predict_images(
        elements_run.path,
        [paths[0], tmp_path / "torn.jpg", paths[1]],
        progress=lambda done, total: steps.append((done, total)),
    )
    assert found["class"].isna().tolist() == [False, True, False]
    assert found["class"].dropna().tolist() == fresh["element"][:2].tolist()
    assert not found["sure"][1]
    assert steps[-1] == (3, 3)


def test_files_that_are_all_damaged_are_no_error(elements_run: Run, tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    assert predict_images(elements_run.path, [tmp_path])["class"].isna().all()


def test_what_is_predicted_for_an_image_does_not_depend_on_its_neighbours(
    predictor: Predictor, fresh: pd.DataFrame
) -> None:
    paths = _paths(fresh)
    together = list(predictor(paths * 2 + paths[:1]))  # more than a batch
    alone = next(predictor(paths[:1]))
    for found in (together[0], together[8], together[16]):
        assert found is not None
        assert alone is not None
        assert found[0].class_name == alone[0].class_name
        assert found[0].probability == pytest.approx(alone[0].probability, abs=1e-3)


def test_sure_is_what_reaches_the_threshold_of_its_class(
    predictor: Predictor, fresh: pd.DataFrame
) -> None:
    assert predictor.model.config.classes == ("fauna", "waste")
    predictor.model.config = replace(predictor.model.config, thresholds=(0.4, 1.1))
    for name, found in zip(fresh["element"], predictor(_paths(fresh)), strict=True):
        assert found is not None
        assert [(p.class_name, p.sure) for p in found] == [(name, name == "fauna")]


def test_several_labels_an_image_have_a_row_each_or_the_likeliest_not_sure(
    predictor: Predictor, fresh: pd.DataFrame
) -> None:
    config = replace(predictor.model.config, multilabel=True)
    found = {}
    for least in (0.0, 1.1):
        predictor.model.config = replace(config, thresholds=(least, least))
        waste = next(predictor(_paths(fresh)[:1]))
        found[least] = [(p.class_name, p.sure) for p in waste or []]
    assert found == {0.0: [("fauna", True), ("waste", True)], 1.1: [("waste", False)]}


def test_images_are_read_no_more_than_a_few_batches_ahead(
    predictor: Predictor, fresh: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str | Path] = []
    read = predict.prepared

    def counted(model: Classifier, path: str | Path) -> Pixels | None:
        begun.append(path)
        return read(model, path)

    monkeypatch.setattr(predict, "prepared", counted)
    monkeypatch.setattr(predictor, "_forward", lambda images: np.zeros((len(images), 2)))
    paths = _paths(fresh) * 20
    most = 6 * torch.get_num_threads()  # three lists of two images a core
    ahead = []
    for taken, _ in enumerate(predictor.logits(paths)):
        patience = 100 if taken == 0 else 0  # to whoever would read on while nothing is taken
        while len(begun) <= most and patience:
            time.sleep(0.005)
            patience -= 1
        ahead.append(len(begun) - taken)
    assert len(ahead) == len(begun) == len(paths)
    assert max(ahead) <= most


def test_folders_are_searched_and_files_taken_as_given(tmp_path: Path) -> None:
    for name in ("b.png", "a/deep/er/c.JPG", "a/note.txt", "a/b.tiff"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_images([tmp_path / "b.png", tmp_path / "a"])
    assert found == [tmp_path / "b.png", tmp_path / "a/b.tiff", tmp_path / "a/deep/er/c.JPG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=r"IMAGES .*empty holds no images \(.*\.jpg"):
        find_images([tmp_path / "empty"])
    with pytest.raises(RunError, match=r"IMAGES .*gone is neither a file nor a folder"):
        find_images([tmp_path / "a", tmp_path / "gone"])


@pytest.mark.parametrize(
    ("name", "read"),
    [("p.csv", pd.read_csv), ("P.CSV", pd.read_csv), ("p.parquet", pd.read_parquet)],
)
def test_predictions_are_written_by_the_ending(name: str, read: object, tmp_path: Path) -> None:
    table = pd.DataFrame(
        [("a.png", "floor", "reef", 0.75, True), ("b.png", None, None, None, False)],
        columns=list(COLUMNS),
    )
    write_predictions(table, tmp_path / "new" / name)
    back = read(tmp_path / "new" / name)  # type: ignore[operator]
    pd.testing.assert_frame_equal(back, table, check_dtype=False)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"--out .*p\.txt must end in \.csv or \.parquet"):
        write_predictions(pd.DataFrame(columns=list(COLUMNS)), tmp_path / "p.txt")
    assert not (tmp_path / "p.txt").exists()
