from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from classify import data
from classify.data import DataError


def _image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def test_folders_of_classes_with_dives_below(tmp_path: Path) -> None:
    for name in ("basura/d1/a.jpg", "basura/d2/b.jpg", "Algas/d1/c.jpg"):
        _image(tmp_path / name)
    table = data.read_labels(tmp_path, task="elements")
    assert table["label"].tolist() == ["algae", "waste", "waste"]
    assert table["dive"].tolist() == ["d1", "d1", "d2"]


def test_csv_with_the_tasks_own_column_and_images_beside(tmp_path: Path) -> None:
    _image(tmp_path / "images" / "a.jpg")
    _image(tmp_path / "b.jpg")
    (tmp_path / "t.csv").write_text(
        "image,video,element\na.jpg,v1,waste\nb.jpg,v2,fauna\nb.jpg,v2,\n"
    )
    table = data.read_labels(tmp_path / "t.csv", task="elements")
    assert table["label"].tolist() == ["waste", "fauna"]
    assert table["dive"].tolist() == ["v1", "v2"]


def test_dive_from_the_path(tmp_path: Path) -> None:
    _image(tmp_path / "waste" / "dive07_001.jpg")
    _image(tmp_path / "fauna" / "dive08_001.jpg")
    table = data.read_labels(tmp_path, task="elements", dive_from=r"(dive\d+)_")
    assert sorted(table["dive"]) == ["dive07", "dive08"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,kind\na.jpg,waste\n", "needs the columns image and label"),
        ("image,label\na.jpg,waste\ngone.jpg,fauna\n", r"1 of 2 images are not there.*gone\.jpg"),
        ("image,label\na.jpg,waste\na.jpg,fauna\n", r"1 images have two labels.*fauna"),
        ("image,label\na.jpg,waste\n", "at least two classes"),
    ],
)
def test_wrong_csv_names_the_fault(tmp_path: Path, text: str, message: str) -> None:
    _image(tmp_path / "a.jpg")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        data.read_labels(tmp_path / "t.csv", task="elements")


def test_neither_folder_nor_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder"):
        data.read_labels(tmp_path / "nothing", task="floor")


_TABLES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 5)), min_size=12, max_size=60
).map(lambda rows: pd.DataFrame(rows, columns=["label", "dive"]))


@pytest.mark.filterwarnings("ignore:The least populated class")
@given(_TABLES, st.integers(0, 3))
def test_no_dive_is_on_both_sides(table: pd.DataFrame, seed: int) -> None:
    try:
        side = data.split_by_dive(table, seed=seed)
    except DataError:
        return  # one dive only, or a class that one dive holds: refused with its own message
    assert side.any()
    assert not set(table["dive"][side]) & set(table["dive"][~side])
    assert set(table["label"][~side]) == set(table["label"])


def test_unknown_dives_are_refused_with_the_remedy() -> None:
    table = pd.DataFrame({"label": ["a", "b"], "dive": [None, None]})
    with pytest.raises(DataError, match="--dive-from"):
        data.split_by_dive(table)


@given(_TABLES)
def test_classes_weigh_alike_and_dives_weigh_alike_within_a_class(table: pd.DataFrame) -> None:
    weights = data.balanced_weights(table["label"], table["dive"].astype(str))
    sums = table.assign(w=weights).groupby("label")["w"].sum()
    assert np.allclose(sums, sums.iloc[0], rtol=1e-4)
    for _, part in table.assign(w=weights).groupby("label"):
        per_dive = part.groupby("dive")["w"].sum()
        assert np.allclose(per_dive, per_dive.iloc[0], rtol=1e-4)
